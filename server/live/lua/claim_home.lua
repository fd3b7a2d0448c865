-- goes on when memory is full
-- Which media worker takes this show's publisher? arg: 1 the worker proposed, 2 ms that a claim lives.
-- → the worker that has it: the present home while its heart beats, else the proposed one.
if not authorise('publish') then return refuse('forbidden') end
if banned(actor) then return refuse('banned') end
if show.state == 'ended' then return refuse('show_closed') end
local home = redis.call('GET', base .. 'media')
if home then return {'ok', cjson.decode(home).worker} end
redis.call('SET', base .. 'media', J('worker', arg(1), 'publication', ''), 'PX', tonumber(arg(2)))
return {'ok', arg(1)}
