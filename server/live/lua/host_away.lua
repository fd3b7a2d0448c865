-- goes on when memory is full
-- A web worker says, on the media worker's report, that the host's video stopped or is back. arg: 1 '1' away, '0' back.
if show.host_away == arg(1) or (show.state ~= 'live' and show.state ~= 'paused') then return {'ok', 0} end
set_show('host_away', arg(1))
return {'ok', announce()}
