-- goes on when memory is full
-- durable
-- The buyer lets a hold go. arg: 1 order id. Works in every state of the show.
local again = replayed()
if again then return again end
local o = order(arg(1))
if not o or o.pid ~= actor then return refuse('unknown_order') end
if o.state == 'paying' and not is_due(o) then return refuse('payment_in_progress') end
if not is_pending(o) or is_due(o) then
  return refuse('illegal_transition', {'state', is_due(o) and 'expired' or o.state})
end

release(o, 'cancelled')
give_turns()
return remember({'ok', order_json(o)})
