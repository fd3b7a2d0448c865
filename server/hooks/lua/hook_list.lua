-- reads
-- The endpoints that the asker may see, each with its state. → head, then name, JSON, state's fields, dead
if not authorise('webhooks') then return refuse('forbidden') end
local out = {'ok', tonumber(show.seq) or 0}
local known = redis.call('HGETALL', base .. 'hooks')
for i = 1, #known, 2 do
  if cjson.decode(known[i + 1]).by == actor or authorise('run_show') then
    local state = redis.call('HMGET', base .. 'hookstate:' .. known[i], 'seq', 'tries', 'retry_at_ms', 'error', 'gone')
    for f = 1, 5 do state[f] = state[f] or '' end
    out[#out + 1] = {known[i], known[i + 1], state, redis.call('XREVRANGE', base .. 'hookdead:' .. known[i], '+', '-',
      'COUNT', 100)}
  end
end
return out
