-- Create a show. arg: 1 title, 2 currency, 3 guests, 4 starts_at_ms ('' unknown), 5 epoch (random), 6 test_mode,
-- 7 sellers (pids, comma separated), 8 the request as given, for repeats, 9 clock_offset_ms. KEYS names the new show.
if not authorise('create_show') then return refuse('forbidden') end
local again = replayed(arg(8))
if again then return again end
if show.id then return refuse('show_exists') end

local id = string.sub(base, 5, -3)
ts = ts + (tonumber(arg(9)) or 0)
set_show('id', id, 'title', arg(1), 'currency', arg(2), 'owner', actor, 'guests', arg(3), 'state', 'scheduled',
  'sales_paused', '0', 'video_blanked', '0', 'host_away', '0', 'starts_at_ms', arg(4), 'created_ms', ts,
  'epoch', arg(5), 'seq', 0, 'prev_public', 0, 'last_ts', ts, 'clock_offset_ms', tonumber(arg(9)) or 0, 'clock_limit_ms', 0,
  'frozen_since_ms', 0, 'frozen_total_ms', 0, 'pin', '', 'chat_mode', 'all', 'slow_mode_s', 0, 'test_mode', arg(6))
append('public', 'show.created', J('id', id, 'title', arg(1), 'currency', arg(2), 'owner', actor, 'guests', arg(3),
  'starts_at_ms', tonumber(arg(4)), 'epoch', arg(5)))
for pid in string.gmatch(arg(7), '[^,]+') do
  redis.call('HSET', base .. 'members', pid, 'seller')
  append_audited('staff', 'member.set', J('subject', pid, 'roles', RAW('["seller"]')))
end
return remember({'ok', tonumber(show.seq), ts})
