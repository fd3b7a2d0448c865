-- durable
-- gives way: price
-- Keep a set of products under a name. arg: 1 its id, 2 its title, 3 how many sets a show may have, then its skus, none twice.
if not authorise('edit_product') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local id, skus = arg(1), {unpack(ARGV, 8)}
for _, sku in ipairs(skus) do
  if not product(sku) then return refuse('unknown_sku', {'sku', sku}) end
end
local is_new = redis.call('HEXISTS', base .. 'sets', id) == 0
if is_new and redis.call('HLEN', base .. 'sets') >= tonumber(arg(3)) then return refuse('too_many_sets') end

local set = J('id', id, 'title', arg(2), 'skus', RAW(JA(skus)))
redis.call('HSET', base .. 'sets', id, set)
append('staff', 'set.put', set)
return remember({'ok', is_new and 1 or 0, set})
