-- Send everything from a seq on (again). arg: 1 name, 2 seq. Whoever sends now notices at its next step.
if not authorise('webhooks') then return refuse('forbidden') end
local known = redis.call('HGET', base .. 'hooks', arg(1))
if not known then return refuse('unknown_webhook') end
if cjson.decode(known).by ~= actor and not authorise('run_show') then return refuse('unknown_webhook') end

local after = math.min(tonumber(arg(2)) - 1, tonumber(show.seq) or 0)
redis.call('HDEL', base .. 'hookstate:' .. arg(1), 'tries', 'retry_at_ms', 'error', 'gone', 'worker', 'until_ms')
redis.call('HSET', base .. 'hookstate:' .. arg(1), 'seq', after)
return {'ok', after}
