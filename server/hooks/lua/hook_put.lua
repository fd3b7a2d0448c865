-- Register an endpoint, or change it. arg: 1 name, 2 JSON, 3 from which seq on ('' from now on; only when it is new),
-- 4 how many a show may have. → 1 new, 0 changed
if not authorise('webhooks') then return refuse('forbidden') end
local known = redis.call('HGET', base .. 'hooks', arg(1))
if known and cjson.decode(known).by ~= actor and not authorise('run_show') then return refuse('forbidden') end
if not known and redis.call('HLEN', base .. 'hooks') >= tonumber(arg(4)) then return refuse('too_many_webhooks') end

redis.call('HSET', base .. 'hooks', arg(1), arg(2))
if known then
  redis.call('HDEL', base .. 'hookstate:' .. arg(1), 'gone')
  return {'ok', 0}
end
local after = arg(3) == '' and (tonumber(show.seq) or 0) or math.max(0, tonumber(arg(3)) - 1)
redis.call('DEL', base .. 'hookstate:' .. arg(1), base .. 'hookdead:' .. arg(1))
redis.call('HSET', base .. 'hookstate:' .. arg(1), 'seq', after)
return {'ok', 1}
