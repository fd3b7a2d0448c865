-- reads
-- gives way: join
-- The whole public state of a show at one instant. → ts, sale_ms, the show's hash, the open lots (id and
-- hash of each), the draws that are not drawn (id, hash and number of entries of each), then for every product in order: its hash, the price in force, its
-- version, (JSON) its reason, and what reductions are taken off.
local flat = {}
for name, value in pairs(hash(KEYS[1])) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
local lots = {}
for _, id in ipairs(redis.call('ZRANGE', base .. 'lots', '(' .. string.format('%d', sale_ms), '+inf', 'BYSCORE')) do
  lots[#lots + 1] = {id, redis.call('HGETALL', base .. 'l:' .. id)}
end
local draws = {}
for _, key in ipairs({'draws', 'drawing'}) do
  for _, id in ipairs(redis.call('ZRANGE', base .. key, 0, -1)) do
    draws[#draws + 1] = {id, redis.call('HGETALL', base .. 'd:' .. id), redis.call('SCARD', base .. 'entries:' .. id)}
  end
end
local reply = {'ok', ts, sale_ms, flat, lots, draws}
for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
  local fields = redis.call('HGETALL', base .. 'p:' .. sku)
  if #fields > 0 then
    local p = {}
    for i = 1, #fields, 2 do p[fields[i]] = fields[i + 1] end
    local price_minor, version, rule, id, below = price_in_force(p)
    reply[#reply + 1] = fields
    reply[#reply + 1] = price_minor
    reply[#reply + 1] = version
    reply[#reply + 1] = reason_json(rule, id)
    reply[#reply + 1] = below
  end
end
return reply
