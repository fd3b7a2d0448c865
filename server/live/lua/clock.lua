-- goes on when memory is full
-- The clock watcher's beat. arg: 1 the offset that makes TIME server time, 2 the server time that ts may not pass until
-- the next beat. When TIME has jumped, the show's clock goes on from where it was.
local offset_ms, limit_ms = tonumber(arg(1)), tonumber(arg(2))
local previous_ms = tonumber(show.clock_offset_ms) or 0
if math.abs(offset_ms - previous_ms) > 500 then
  local last_ts = tonumber(show.last_ts)
  ts = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + offset_ms
  if ts > limit_ms then ts = limit_ms end
  if ts < last_ts then ts = last_ts end
  set_show('clock_offset_ms', offset_ms)
  append('staff', 'clock.offset', J('offset_ms', offset_ms, 'previous_ms', previous_ms))
end
if show.state ~= 'live' and show.state ~= 'paused' then limit_ms = 0 end
-- Other watchers beat, too: a limit that is about right is not written again.
if limit_ms == 0 and clock_limit_ms > 0 or limit_ms > clock_limit_ms + 250 or limit_ms < clock_limit_ms - 1000 then
  set_show('clock_limit_ms', limit_ms)
end
return {'ok', ts}
