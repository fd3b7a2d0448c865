-- for: hold pay_begin settle cancel restock refund undo_flash lot_open lot_cancel sweep wait_join wait_leave draw_open draw_enter draw_award draw_cancel
-- The waitlist: who stands in line for a unit of a product that is sold out. A unit that comes free goes to the first in
-- line in the very script that frees it. model.py is the specification.

-- How long the private hold of one whose turn has come lasts.
local TURN_MS = 60000
-- So many turns does one script give; the sweeper gives the rest, and until then nobody else gets those units.
local TURNS_MAX = 32

local function leave_line(p, pid)
  redis.call('ZREM', base .. 'wait:' .. p.sku, pid)
  redis.call('HDEL', base .. 'waitorder:' .. p.sku, pid)
  p.waiting = p.waiting - 1
  redis.call('HSET', base .. 'p:' .. p.sku, 'waiting', p.waiting)
  if p.waiting == 0 then redis.call('SREM', base .. 'waits', p.sku) end
end

local function leave_without(p, pid, reason)
  leave_line(p, pid)
  append('subject:' .. pid, 'waitlist.left', J('sku', p.sku, 'reason', reason, 'stock', RAW('[' .. stock_json(p) .. ']')))
end

-- The first in line gets a hold at the price in force, or leaves because nothing may be sold to them. → false when it has
-- to wait for the sweeper.
local function give_turn(p)
  local first = redis.call('ZRANGE', base .. 'wait:' .. p.sku, 0, 0, 'WITHSCORES')
  local pid, joined = first[1], tonumber(first[2])
  if banned(pid) then
    leave_without(p, pid, 'banned')
    return true
  end
  local price, version, rule, rule_id = price_in_force(p)
  local o = {pid = pid, unit_minor = price, seen_minor = price, flash = rule == 'flash' and rule_id or '',
    hold_ms = TURN_MS, sku = p.sku, quantity = 1}
  local no, due = room_for(pid, {o}, true)
  if no and no[1] == 'sweep' then return false end
  if no then
    leave_without(p, pid, 'limit')
    return true
  end
  expire_all(due)
  o.id = redis.call('HGET', base .. 'waitorder:' .. p.sku, pid)
  leave_line(p, pid)
  give(o, p, version, reason_json(rule, rule_id), {'waited', joined})
  end_flash_if_used_up(p)
  return true
end

-- Call at the end of every script that may have put a unit on the shelf. → whether turns are left for the sweeper
local function give_turns()
  if show.state ~= 'live' or show.sales_paused == '1' then return false end
  local turns = 0
  for _, sku in ipairs(redis.call('SMEMBERS', base .. 'waits')) do
    local p = product(sku)
    while p.left > 0 and p.waiting > 0 and not p.off do
      if turns == TURNS_MAX or not give_turn(p) then return true end
      turns = turns + 1
    end
  end
  return false
end
