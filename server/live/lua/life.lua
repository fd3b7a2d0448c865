-- goes on when memory is full
-- Start, pause, resume or end a show. arg: 1 the states that allow it (comma separated), 2 the state it leads to.
-- The table of transitions stands in live/shows.py.
if not authorise('run_show') then return refuse('forbidden') end
local again = replayed()
if again then return again end
if not string.find(',' .. arg(1) .. ',', ',' .. show.state .. ',', 1, true) then
  return refuse('illegal_transition', {'state', show.state})
end
set_show('state', arg(2))
if arg(2) == 'ended' then set_show('clock_limit_ms', 0) end
return remember({'ok', announce()})
