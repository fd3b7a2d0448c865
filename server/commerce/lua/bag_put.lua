-- durable
-- gives way: price
-- Which products are for sale, and in what order; all others leave the bag, at once or not at all. arg: 1 a set that names
-- them ('' none), then, without one, their skus, none twice. What is announced at a flash price cannot leave; what is
-- pinned is no longer. Holds and lots of what leaves go on.
if not authorise('pin') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local wanted, place = {unpack(ARGV, 6)}, {}
if arg(1) ~= '' then
  local set = redis.call('HGET', base .. 'sets', arg(1))
  if not set then return refuse('unknown_set') end
  wanted = cjson.decode(set).skus
end
for i, sku in ipairs(wanted) do
  if not product(sku) then return refuse('unknown_sku', {'sku', sku}) end
  place[sku] = i
end
local was, rest, leaving = {}, {}, {}
for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
  local p = product(sku)
  if not p.off then was[#was + 1] = sku end
  if not place[sku] then
    if not p.off and has_flash(p) then return refuse('flash_running', {'sku', sku}) end
    rest[#rest + 1] = sku
    if not p.off then leaving[#leaving + 1] = sku end
  end
end

local bag = J('skus', RAW(JA(wanted)))
if table.concat(was, ' ') == table.concat(wanted, ' ') then return remember({'ok', show.seq, bag}) end
for i, sku in ipairs(wanted) do
  redis.call('ZADD', base .. 'skus', i, sku)
  if product(sku).off then redis.call('HDEL', base .. 'p:' .. sku, 'off') end
end
for i, sku in ipairs(rest) do redis.call('ZADD', base .. 'skus', #wanted + i, sku) end
for _, sku in ipairs(leaving) do
  redis.call('HSET', base .. 'p:' .. sku, 'off', '1')
  if show.pin == sku then
    set_show('pin', '')
    append('public', 'product.unpinned', J('sku', sku))
  end
end
append('public', 'bag.changed', bag)
return remember({'ok', show.seq, bag})
