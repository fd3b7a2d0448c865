-- Take a sale back: the money is due from now on. arg: 1 order id, 2 '1' the units return to the shelf ('0': they are
-- written off), 3 reason, 4 the asker's subject.
if not authorise('refund') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local o = order(arg(1))
if not o or not is_in_charge(o, arg(4)) then return refuse('unknown_order') end
if o.state ~= 'paid' then
  return refuse('illegal_transition', {'state', is_due(o) and 'expired' or o.state})
end

local restock = arg(2) == '1'
o.refunds = '[' .. J('amount_minor', o.total_minor, 'reason', arg(3), 'restock', restock,
  'due_at_ms', ts, 'done_at_ms', NULL) .. ']'
redis.call('ZADD', base .. 'refunds', ts, o.id)
count(o, -o.quantity)
count_buyer(o, -1)
shift(product(o.sku), restock and o.quantity or 0, 0, -o.quantity)
become(o, 'refund_due', 'refund_due')
return remember({'ok', order_json(o), o.paid_by, o.total_minor})
