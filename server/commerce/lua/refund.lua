-- durable
-- Take a sale back, or a part of it: the money is due from now on. arg: 1 order id, 2 '1' the units return to the shelf
-- ('0': they are written off), 3 reason, 4 the asker's subject, 5 amount ('' not given), 6 units ('' not given), 7 the sku
-- of the line that they are of ('' the only one; without units it is all that is left of that line). Without any of them it
-- is all that is left; units go back at their price, and an amount alone brings no units back unless it is all that is left.
if not authorise('refund') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local o = order(arg(1))
if not o or not is_in_charge(o, arg(4)) then return refuse('unknown_order') end
if o.state ~= 'paid' then
  return refuse('illegal_transition', {'state', is_due(o) and 'expired' or o.state})
end
local restock, amount, sku, units = arg(2) == '1', tonumber(arg(5)), arg(7), nil
local left_minor, left_units = not_given_back(o)
if sku == '' and arg(6) ~= '' and o.lines then return refuse('bad_request', {'field', 'sku'}) end
local left_quantity, is_line = 0, false
for i, l in ipairs(lines_of(o)) do
  if sku == '' or sku == l.sku then
    is_line, left_quantity = true, left_quantity + left_units[i]
    if sku ~= '' or arg(6) ~= '' then
      units = no_units(o)
      units[i] = tonumber(arg(6)) or left_units[i]
      amount = price_of(o, units)
    end
  end
end
if not is_line then return refuse('unknown_sku') end
amount = amount or left_minor
if amount == 0 or amount > left_minor or (tonumber(arg(6)) or 0) > left_quantity then
  return refuse('refund_too_large', {'left_minor', left_minor, 'left_quantity', left_quantity})
end
if amount == left_minor then units = left_units end
if restock and not units then return refuse('bad_request', {'field', 'restock'}) end

take_back(o, amount, units or no_units(o), arg(3), restock)
give_turns()
return remember({'ok', order_json(o), o.paid_by, open_refunds(o)})
