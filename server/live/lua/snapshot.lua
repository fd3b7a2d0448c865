-- The whole public state of a show at one instant; writes nothing. → ts, sale_ms, the show's hash, then for every
-- product in order: its hash, the price in force and its version.
local flat = {}
for name, value in pairs(show) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
local reply = {'ok', ts, sale_ms, flat}
for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
  local fields = redis.call('HGETALL', base .. 'p:' .. sku)
  if #fields > 0 then
    local p = {}
    for i = 1, #fields, 2 do p[fields[i]] = fields[i + 1] end
    local price_minor, version = price_in_force(p, sale_ms)
    reply[#reply + 1] = fields
    reply[#reply + 1] = price_minor
    reply[#reply + 1] = version
  end
end
return reply
