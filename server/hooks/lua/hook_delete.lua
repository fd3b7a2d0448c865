-- Take an endpoint away. arg: 1 name.
if not authorise('webhooks') then return refuse('forbidden') end
local known = redis.call('HGET', base .. 'hooks', arg(1))
if not known then return refuse('unknown_webhook') end
if cjson.decode(known).by ~= actor and not authorise('run_show') then return refuse('unknown_webhook') end

redis.call('HDEL', base .. 'hooks', arg(1))
redis.call('DEL', base .. 'hookstate:' .. arg(1), base .. 'hookdead:' .. arg(1))
return {'ok'}
