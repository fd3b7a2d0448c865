-- durable
-- Reserve stock for a buyer at the price in force. arg: 1 order id (made from the buyer's idempotency key: an order
-- that exists is a repeat), 2 sku, 3 quantity, 4 the unit price that the buyer saw, 5 hold_ms.
-- The order of the checks is part of the public contract.
local id, sku, quantity, seen_minor = arg(1), arg(2), tonumber(arg(3)), tonumber(arg(4))
local known = order(id)
if known then
  if known.sku ~= sku or known.quantity ~= quantity or known.seen_minor ~= seen_minor then
    return refuse('idempotency_conflict')
  end
  return {'ok', 0, order_json(known)}
end
local p = product(sku)
if not p then return refuse('unknown_sku') end
if banned(actor) then return refuse('banned') end
if not authorise('buy') then return refuse(token_role == 'guest' and 'guests_closed' or 'forbidden') end
if show.state ~= 'live' then return refuse('show_closed') end
if show.sales_paused == '1' then return refuse('sales_paused') end
local unit_minor, version, flash = price_in_force(p, sale_ms)
if unit_minor > seen_minor then
  return refuse('price_changed', {'price_minor', unit_minor, 'price_version', version})
end
flash = flash or ''
local no, due = room_for(p, actor, quantity, flash)
if no then return no[2] == 'sold_out' and hide_left(p, no) or no end

expire_all(due)
local goods, bps = unit_minor * quantity, tonumber(p.commission_bps) or 0
-- (goods · bps + 5000) div 10000 in two parts, because goods · bps may pass 2^53.
local commission = math.floor(goods / 10000) * bps + math.floor(((goods % 10000) * bps + 5000) / 10000)
-- Frozen from here on. Written out, not through J: this is the busiest script. Ids and prices need no escaping.
local static = string.format('"id":"%s","show":"%s","seller":%s,"creator":"%s","market":%s,"lines":[{"sku":"%s",'
  .. '"quantity":%d,"unit_price_minor":%d,"price_version":%d,"flash":%s}],"sku":"%s","quantity":%d,'
  .. '"unit_price_minor":%d,"goods_minor":%d,"shipping_minor":0,"tax_minor":0,"total_minor":%d,"commission_bps":%d,'
  .. '"commission_minor":%d,"currency":"%s","placed_at_ms":%d',
  id, show.id, json_value(p.seller), show.owner, json_value(show.market), sku, quantity, unit_minor, version,
  flash == '' and 'null' or '"' .. flash .. '"', sku, quantity, unit_minor, goods, goods, bps, commission,
  show.currency, ts)
local o = {id = id, pid = actor, sku = sku, quantity = quantity, seen_minor = seen_minor, total_minor = goods,
  flash = flash, expires = sale_ms + tonumber(arg(5)), attempt = 0, paid_by = 0, refunds = {}, static = static}
redis.call('ZADD', base .. 'holds', o.expires, id)
redis.call('ZADD', base .. 'by:' .. actor, ts, id)
if flash ~= '' then redis.call('ZADD', base .. 'flashorders:' .. flash, ts, id) end
count(o, quantity)
shift(p, -quantity, quantity, 0)
local json = become(o, 'held', 'held')
end_flash_if_used_up(p)
return {'ok', 1, json, ts}
