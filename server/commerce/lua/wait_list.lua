-- reads
-- The lines in which somebody stands: {sku, how many, the actor's place (0: not in it)} …
local out = {'ok'}
for _, sku in ipairs(redis.call('SMEMBERS', base .. 'waits')) do
  local key = base .. 'wait:' .. sku
  local behind = redis.call('ZRANK', key, actor)
  out[#out + 1] = {sku, redis.call('ZCARD', key), behind and behind + 1 or 0}
end
return out
