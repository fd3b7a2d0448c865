-- durable
-- Take a sale back, or a part of it: the money is due from now on. arg: 1 order id, 2 '1' the units return to the shelf
-- ('0': they are written off), 3 reason, 4 the asker's subject, 5 amount ('' not given), 6 units ('' not given). Without
-- amount and units it is all that is left; units go back at their price, and an amount alone brings no units back
-- unless it is all that is left.
if not authorise('refund') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local o = order(arg(1))
if not o or not is_in_charge(o, arg(4)) then return refuse('unknown_order') end
if o.state ~= 'paid' then
  return refuse('illegal_transition', {'state', is_due(o) and 'expired' or o.state})
end
local restock, amount, units = arg(2) == '1', tonumber(arg(5)), tonumber(arg(6))
local left_minor, left_units = not_given_back(o)
if units then amount = o.total_minor / o.quantity * units end
amount = amount or left_minor
if amount > left_minor or (units or 0) > left_units then
  return refuse('refund_too_large', {'left_minor', left_minor, 'left_quantity', left_units})
end
if amount == left_minor then units = left_units end
if restock and not units then return refuse('bad_request', {'field', 'restock'}) end

take_back(o, amount, units or 0, arg(3), restock)
return remember({'ok', order_json(o), o.paid_by, open_refunds(o)})
