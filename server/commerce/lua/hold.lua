-- Reserve stock for a buyer at the price in force. arg: 1 order id (made from the buyer's idempotency key: an order
-- that exists is a repeat), 2 sku, 3 quantity, 4 the unit price that the buyer saw, 5 hold_ms.
-- The order of the checks is part of the public contract.
local id, sku, quantity, seen_minor = arg(1), arg(2), tonumber(arg(3)), tonumber(arg(4))
local known = order(id)
if known then
  if known.sku ~= sku or known.quantity ~= quantity or tonumber(known.seen_price_minor) ~= seen_minor then
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
if no then return no end

expire_all(due)
local goods, bps = unit_minor * quantity, tonumber(p.commission_bps) or 0
-- (goods · bps + 5000) div 10000 in two parts, because goods · bps may pass 2^53.
local commission = math.floor(goods / 10000) * bps + math.floor(((goods % 10000) * bps + 5000) / 10000)
local flash_or_null = flash ~= '' and flash or NULL
local line = J('sku', sku, 'quantity', quantity, 'unit_price_minor', unit_minor, 'price_version', version,
  'flash', flash_or_null)
local static = J('id', id, 'show', show.id, 'seller', p.seller, 'creator', show.owner, 'market', show.market,
  'lines', RAW('[' .. line .. ']'), 'sku', sku, 'quantity', quantity, 'unit_price_minor', unit_minor,
  'goods_minor', goods, 'shipping_minor', 0, 'tax_minor', 0, 'total_minor', goods, 'commission_bps', bps,
  'commission_minor', commission, 'currency', show.currency, 'placed_at_ms', ts)
local o = {id = id, pid = actor, sku = sku, quantity = quantity, flash = flash, expires = sale_ms + tonumber(arg(5)),
  refunds = '[]', static = string.sub(static, 2, -2)}
redis.call('ZADD', base .. 'holds', o.expires, id)
redis.call('ZADD', base .. 'by:' .. actor, ts, id)
count(o, quantity)
shift(p, -quantity, quantity, 0)
become(o, 'held', 'held', 'pid', actor, 'sku', sku, 'quantity', quantity, 'seen_price_minor', seen_minor,
  'flash', flash, 'total_minor', goods, 'attempt', 0, 'extended', 0, 'paid_by', 0, 'static', o.static)
end_flash_if_used_up(p)
return {'ok', 1, order_json(o), ts}
