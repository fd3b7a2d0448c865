-- for: hold pay_begin settle cancel restock refund undo_flash lot_open lot_bid lot_cancel lot_get sweep wait_join wait_leave draw_open draw_enter draw_award draw_cancel
-- An order that a script makes for somebody: the winner of a lot, the next in line.

-- A private hold of one unit of product `p`, whose unit is on the shelf. `o` has id, pid, unit_minor, seen_minor, flash
-- ('' none), hold_ms and perhaps the members that an order's record keeps; `version` and `reason` (JSON) are those of the
-- price, `mark` (a name and a value) says in the order's line why it was made.
local function give(o, p, version, reason, mark)
  local price, bps = o.unit_minor, tonumber(p.commission_bps) or 0
  local commission = math.floor(price / 10000) * bps + math.floor(((price % 10000) * bps + 5000) / 10000)
  local line = J('sku', p.sku, 'quantity', 1, 'unit_price_minor', price, 'price_version', version,
    'flash', o.flash ~= '' and o.flash or NULL, 'price_reason', RAW(reason), mark[1], mark[2])
  local static = J('id', o.id, 'show', show.id, 'seller', p.seller or NULL, 'creator', show.owner,
    'market', show.market or NULL, 'lines', RAW('[' .. line .. ']'), 'sku', p.sku, 'quantity', 1,
    'unit_price_minor', price, 'goods_minor', price, 'shipping_minor', 0, 'tax_minor', 0, 'total_minor', price,
    'commission_bps', bps, 'commission_minor', commission, 'currency', show.currency, 'placed_at_ms', ts)
  o.sku, o.quantity, o.total_minor, o.expires = p.sku, 1, price, sale_ms + o.hold_ms
  o.attempt, o.paid_by, o.refunds, o.static, o.hold_ms = 0, 0, {}, string.sub(static, 2, -2), nil
  redis.call('ZADD', base .. 'holds', o.expires, o.id)
  keep_by_buyer(o.pid, o.id, tonumber(redis.call('ZRANGE', base .. 'by:' .. o.pid, 0, 0, 'REV', 'WITHSCORES')[2]))
  if o.flash ~= '' then redis.call('ZADD', base .. 'flashorders:' .. o.flash, ts, o.id) end
  move(o, -1, 1, 0, 1)
  become(o, 'held', 'held')
end
