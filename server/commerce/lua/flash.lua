-- durable
-- gives way: price
-- Announce a flash price. arg: 1 sku, 2 price, 3 duration_ms, 4 starts_in_ms, 5 quantity ('' any), 6 per_viewer_max
-- ('' none), 7 its id. The window lies on the sale clock; two price versions are reserved (see price_in_force).
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(4), arg(5), arg(6))
if again then return again end
local p, price, id = product(arg(1)), tonumber(arg(2)), arg(7)
if not p then return refuse('unknown_sku') end
if show.state == 'ended' then return refuse('show_closed') end
if has_flash(p) then return refuse('flash_running') end
local floor = tonumber(p.floor_minor)
if floor and price < floor then return refuse('below_floor', {'floor_minor', floor}) end

end_flash_if_over(p)
local starts = sale_ms + tonumber(arg(4))
local ends = starts + tonumber(arg(3))
p.flash_id, p.flash_price_minor, p.flash_version = id, price, tonumber(p.price_version) + 1
p.flash_starts_sale_ms, p.flash_ends_sale_ms = starts, ends
p.flash_quantity, p.flash_used, p.flash_per_viewer_max = arg(5), 0, arg(6)
redis.call('HSET', base .. 'p:' .. p.sku, 'flash_id', id, 'flash_price_minor', price,
  'flash_version', p.flash_version, 'flash_starts_sale_ms', starts, 'flash_ends_sale_ms', ends,
  'flash_quantity', arg(5), 'flash_used', 0, 'flash_per_viewer_max', arg(6))
redis.call('HSET', base .. 'f:' .. id, 'sku', p.sku, 'quantity', arg(5), 'used', 0, 'per_viewer_max', arg(6))
redis.call('ZADD', base .. 'flashes', ends, p.sku)
local announced = flash_json(p)
append('public', 'price.flash', announced, true)
return remember({'ok', show.seq, announced})
