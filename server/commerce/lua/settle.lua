-- goes on when memory is full
-- durable
-- Book how attempt n ended. arg: 1 order id, 2 n, 3 'approved', 'declined', 'pending' (not decided: ask again later) or
-- 'done' (its money is where it belongs), 4 after how many ms the reconciler asks again. Never re-prices. Money that comes
-- after the hold expired, or for an order that is open again, buys what is still there under the same caps and quota, in this one script; else a refund is due.
-- Approved money is only reserved: the attempt stays the reconciler's until the gateway has taken it, or has let it go
-- ('surplus': the order was paid otherwise or is over), and 'done' is said. When the gateway has lost what it had
-- approved ('declined' for the attempt that paid), the sale is taken back. The server alone calls this; whoever may pay
-- has been checked by pay_begin.
local o, n, outcome = order(arg(1)), tonumber(arg(2)), arg(3)
if not o then return refuse('unknown_order') end
local attempt_key = o.id .. ':' .. string.format('%d', n)
local function answer(state)
  give_turns()
  return {'ok', state or o.state, order_json(o), o.paid_by, open_refunds(o)}
end
local function close()
  redis.call('ZREM', base .. 'paying', attempt_key)
  return answer()
end
local function ask_again(state)
  redis.call('ZADD', base .. 'paying', ts + tonumber(arg(4)), attempt_key)
  return answer(state)
end
if n > o.attempt or outcome == 'done' then return close() end
if outcome == 'pending' then -- but at once when the hold is over
  local wait_ms = tonumber(arg(4))
  if is_holding(o) and not is_frozen() then wait_ms = math.min(wait_ms, math.max(0, o.expires - sale_ms)) end
  redis.call('ZADD', base .. 'paying', 'XX', ts + wait_ms, attempt_key)
  return answer()
end

if outcome == 'declined' then
  if o.state == 'paying' and n == o.attempt then
    if is_due(o) then
      release(o, 'expired')
    elseif o.pay_first then
      move(o, 1, -1, 0, -1)
      become(o, 'open', 'reopened')
    else
      become(o, 'held', 'declined')
    end
  elseif o.state == 'paid' and n == o.paid_by then
    local amount, units = not_given_back(o)
    take_back(o, amount, units, 'payment lost', true)
    local all = {}
    for _, r in ipairs(o.refunds) do all[r.id] = true end
    money_is_back(o, all)
  end
  return close()
end

if o.paid_by == n then return o.state == 'paid' and ask_again() or close() end
if o.paid_by > 0 or not (is_pending(o) or o.state == 'expired') then return ask_again('surplus') end

if is_due(o) then release(o, 'expired') end -- late: those in line come first
if is_holding(o) then
  o.paid_by = n
  redis.call('ZREM', base .. 'holds', o.id)
  move(o, 0, -1, 1, 0)
  count_buyer(o, 1)
  become(o, 'paid', 'paid')
  return o.total_minor > 0 and ask_again() or close() -- of what costs nothing there is no money to follow
end
local no, due = {'undone'}, nil
if not has_undone(o) then no, due = room_for(o.pid, lines_of(o)) end
if no and no[1] == 'sweep' then return no end
redis.call('ZREM', base .. 'holds', o.id) -- of one that is open again
if no then
  o.paid_by = n
  money_is_due(o, o.total_minor, no_units(o), 'paid too late', false)
  become(o, 'refund_due', 'refund_due')
  return close()
end
expire_all(due)
o.paid_by = n
move(o, -1, 0, 1, 1)
count_buyer(o, 1)
become(o, 'paid', 'paid')
for _, l in ipairs(lines_of(o)) do end_flash_if_used_up(product(l.sku)) end
return ask_again()
