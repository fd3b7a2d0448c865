-- durable
-- Begin attempt n to pay, or join the one that runs with the same token. arg: 1 order id, 2 token print (a keyed hash:
-- the token itself is never kept), 3 extension_ms, 4 after how long the reconciler may ask the gateway.
-- Answers 'begun', 'joined' or 'paid'. The first attempt extends the hold, once.
-- Works in every state of the show, but for an order that pays first: what it is of is reserved here, so that the checks of a hold are made.
local o = order(arg(1))
if not o or o.pid ~= actor then return refuse('unknown_order') end
local function answer(what)
  return {'ok', what, o.attempt, o.total_minor, show.currency, order_json(o)}
end
if o.state == 'paid' then return answer('paid') end
if o.state == 'expired' or o.state == 'refund_due' or is_due(o) then return refuse('hold_expired') end
if not is_pending(o) then return refuse('illegal_transition', {'state', o.state}) end
if o.state == 'paying' then
  if o.token ~= arg(2) then return refuse('payment_in_progress') end
  return answer('joined')
end

local opened, due = o.state == 'open', {}
if opened then
  local no = not_selling(lines_of(o))
  if no then return no end
  no, due = room_for(o.pid, lines_of(o))
  if no then return no end
  expire_all(due)
  move(o, -1, 1, 0, 1)
end
if not o.extended then o.expires = o.expires + tonumber(arg(3)) end
o.attempt, o.token, o.extended = o.attempt + 1, arg(2), true
redis.call('ZADD', base .. 'holds', o.expires, o.id)
redis.call('ZADD', base .. 'paying', ts + tonumber(arg(4)), o.id .. ':' .. string.format('%d', o.attempt))
become(o, 'paying', 'paying')
if opened then
  for _, l in ipairs(lines_of(o)) do end_flash_if_used_up(product(l.sku)) end
  if due[1] then give_turns() end
end
return answer('begun')
