-- reads
-- The entries of a draw that is closed and not drawn. arg: 1 its id. → its commitment, how many units, pids
local d = draw(arg(1))
if not d or d.state ~= 'closed' then return refuse('draw_closed') end
return {'ok', d.commitment, d.units, redis.call('SMEMBERS', base .. 'entries:' .. d.id)}
