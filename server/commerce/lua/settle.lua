-- Book how attempt n ended. arg: 1 order id, 2 n, 3 'approved', 'declined' or 'returned' (surplus money went back).
-- Never re-prices. Money that comes after the hold expired buys what is still there under the same caps and quota, in
-- this one script; else a refund is due. 'surplus': the order was paid otherwise or is over; give this charge back and
-- say 'returned'. The server alone calls this; whoever may pay has been checked by pay_begin.
local o, n, outcome = order(arg(1)), tonumber(arg(2)), arg(3)
if not o then return refuse('unknown_order') end
local attempt_key = o.id .. ':' .. string.format('%d', n)
local function close(state)
  redis.call('ZREM', base .. 'paying', attempt_key)
  return {'ok', state or o.state, order_json(o)}
end
if n > o.attempt or outcome == 'returned' or o.paid_by == n then return close() end

if outcome == 'declined' then
  if o.state == 'paying' and n == o.attempt then
    if is_due(o) then release(o, 'expired') else become(o, 'held', 'declined') end
  end
  return close()
end

if o.paid_by > 0 or not (is_holding(o) or o.state == 'expired') then return {'ok', 'surplus', order_json(o)} end

local p = product(o.sku)
if is_holding(o) then
  o.paid_by = n
  redis.call('ZREM', base .. 'holds', o.id)
  shift(p, 0, -o.quantity, o.quantity)
  count_buyer(o, 1)
  become(o, 'paid', 'paid')
  return close()
end
local no, due = room_for(p, o.pid, o.quantity, o.flash)
if no and no[1] == 'sweep' then return no end
if no then
  o.paid_by = n
  o.refunds = '[' .. J('amount_minor', o.total_minor, 'reason', 'paid too late', 'restock', false,
    'due_at_ms', ts, 'done_at_ms', NULL) .. ']'
  redis.call('ZADD', base .. 'refunds', ts, o.id)
  become(o, 'refund_due', 'refund_due')
  return close()
end
expire_all(due)
o.paid_by = n
count(o, o.quantity)
count_buyer(o, 1)
shift(p, -o.quantity, 0, o.quantity)
become(o, 'paid', 'paid')
end_flash_if_used_up(p)
return close()
