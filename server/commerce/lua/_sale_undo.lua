-- for: undo_flash settle sweep
-- Taking back everything that was sold at a mis-priced flash price, a batch at a time.

-- Orders that one script takes back; each is an entry or two, about 60 µs.
local UNDO_MAX = 64

local function is_undone(flash) return flash ~= '' and redis.call('HEXISTS', base .. 'f:' .. flash, 'undo_reason') == 1 end

local function has_undone(o)
  for _, l in ipairs(lines_of(o)) do
    if is_undone(l.flash) then return true end
  end
  return false
end

-- Take back of a paid order what was sold at this flash price; nil when that has been done.
local function take_line_back(o, flash, reason)
  local left_minor, left_units = not_given_back(o)
  local units, any = no_units(o), false
  for i, l in ipairs(lines_of(o)) do
    if l.flash == flash and left_units[i] > 0 then units[i], any = left_units[i], true end
  end
  if not any then return nil end
  local amount = price_of(o, units)
  if amount >= left_minor then amount, units = left_minor, left_units end
  return take_back(o, amount, units, reason, true)
end

-- Take back the next orders at a flash price that is undone: held → cancelled, paid → refund_due (of several lines: those
-- at that price), their units to the shelf. Who is paying has to wait for the outcome and goes to the end of the queue. Returns how many were looked at
-- and how many of those wait.
local function undo_some(flash, most)
  local key, waiting = base .. 'flashorders:' .. flash, 0
  local reason = redis.call('HGET', base .. 'f:' .. flash, 'undo_reason')
  local ids = redis.call('ZRANGE', key, 0, most - 1)
  for _, id in ipairs(ids) do
    local o = order(id)
    if o.state == 'paying' and not is_due(o) then
      waiting = waiting + 1
      redis.call('ZADD', key, ts, id)
    else
      redis.call('ZREM', key, id)
      if is_pending(o) then
        release(o, is_due(o) and 'expired' or 'cancelled')
        if o.state == 'cancelled' then redis.call('HINCRBY', base .. 'f:' .. flash, 'undo_cancelled', 1) end
      elseif o.state == 'paid' then
        if take_line_back(o, flash, reason) then redis.call('HINCRBY', base .. 'f:' .. flash, 'undo_refunded', 1) end
      end
    end
  end
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', base .. 'undoing', flash) end
  return #ids, waiting
end
