-- durable
-- gives way: price
-- Announce a flash price. arg: 1 sku, 2 price ('' by percent), 3 duration_ms, 4 starts_in_ms, 5 quantity ('' any),
-- 6 per_viewer_max ('' none), 7 its id, 8 percent off the list price, 9 confirmed ('1': what it may cost has been seen),
-- 10 prices of the seller's other shows (take_record). The
-- window lies on the sale clock; two price versions are reserved (see price_in_force).
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(4), arg(5), arg(6), arg(8), arg(9))
if again then return again end
local p, id = product(arg(1)), arg(7)
if not p then return refuse('unknown_sku') end
if show.state == 'ended' then return refuse('show_closed') end
if p.off then return refuse('not_for_sale') end
if has_flash(p) then return refuse('flash_running') end
local list = tonumber(p.list_price_minor)
local price = tonumber(arg(2)) or list - math.floor(list * tonumber(arg(8)) / 100)
local floor = tonumber(p.floor_minor)
if floor and price < floor then return refuse('below_floor', {'floor_minor', floor}) end
local is_deep = takes_much(list, price)
local cost = tonumber(redis.call('HGET', base .. 'p:' .. p.sku, 'cost_minor'))
if (is_deep or cost and price < cost) and arg(9) ~= '1' then
  local units = units_at_stake(p.sku, tonumber(arg(5)) or math.huge)
  return refuse('confirm_required', {'price_minor', price, 'list_price_minor', list, 'units', units,
    'given_up_minor', units * (list - price), 'loss_minor', cost and units * math.max(0, cost - price) or NULL})
end

end_flash_if_over(p)
local earlier = take_record(p, arg(10))
tell_reference(p, true)
local _, version = price_in_force(p, sale_ms)
local starts = sale_ms + tonumber(arg(4))
local ends = starts + tonumber(arg(3))
p.flash_id, p.flash_price_minor, p.flash_version = id, price, version + 1
p.flash_starts_sale_ms, p.flash_ends_sale_ms = starts, ends
p.flash_quantity, p.flash_used, p.flash_per_viewer_max = arg(5), 0, arg(6)
redis.call('HSET', base .. 'p:' .. p.sku, 'flash_id', id, 'flash_price_minor', price,
  'flash_version', p.flash_version, 'flash_starts_sale_ms', starts, 'flash_ends_sale_ms', ends,
  'flash_quantity', arg(5), 'flash_used', 0, 'flash_per_viewer_max', arg(6))
redis.call('HSET', base .. 'f:' .. id, 'sku', p.sku, 'quantity', arg(5), 'used', 0, 'per_viewer_max', arg(6))
redis.call('ZADD', base .. 'flashes', ends, p.sku)
local announced = flash_json(p)
-- Confirmed is told of what everybody can see to be deep; of the rest it would tell what a unit costs the seller.
announced = string.sub(announced, 1, -2) .. ',"confirmed":' .. tostring(is_deep) .. earlier .. '}'
append('public', 'price.flash', announced, true)
return remember({'ok', show.seq, announced})
