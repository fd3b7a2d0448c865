-- durable
-- Create or change a product. arg: 1 sku, 2 price, 3 stock ('' not given), 4 per_viewer_max ('' none), 5 floor
-- ('' none), 6 cost ('' unknown), 7 seller ('' the owner), 8 commission_bps, 9 the other attributes (a JSON object that
-- everybody may see), 10 how many products a show may have. Stock is given once; later it changes by restock.
if not authorise('edit_product') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local sku, price, stock, floor = arg(1), tonumber(arg(2)), tonumber(arg(3)), tonumber(arg(5))
local p = product(sku)
if p and stock then return refuse('use_restock') end
if floor and price < floor then return refuse('below_floor', {'floor_minor', floor}) end
local is_new = not p
if is_new then
  if redis.call('ZCARD', base .. 'skus') >= tonumber(arg(10)) then return refuse('too_many_products') end
  p = {sku = sku, left = stock or 0, held = 0, sold = 0, list_price_minor = price, price_version = 1}
  products[sku] = p
elseif has_flash(p) and price ~= tonumber(p.list_price_minor) then
  return refuse('flash_running')
end

end_flash_if_over(p)
if price ~= tonumber(p.list_price_minor) then p.price_version = tonumber(p.price_version) + 1 end
local seller = arg(7) ~= '' and arg(7) or show.owner
p.list_price_minor = price
redis.call('HSET', base .. 'p:' .. sku, 'list_price_minor', price, 'price_version', p.price_version,
  'left', p.left, 'held', p.held, 'sold', p.sold, 'per_viewer_max', arg(4), 'floor_minor', arg(5),
  'cost_minor', arg(6), 'seller', seller, 'commission_bps', arg(8), 'attrs', arg(9), 'sku', sku)
if is_new then redis.call('ZADD', base .. 'skus', (tonumber(show.seq) or 0) + 1, sku) end
local price_minor, version = price_in_force(p, sale_ms)
local rest = J('price_minor', price_minor, 'list_price_minor', price,
  'reference_price_minor', NULL, 'price_version', version,
  'per_viewer_max', or_null(arg(4)), 'flash', p.flash_id and RAW(flash_json(p)) or NULL,
  'seller', seller, 'commission_bps', tonumber(arg(8)))
local public = '{"sku":"' .. sku .. '",' .. string.sub(arg(9), 2, -2) .. ',' .. string.sub(rest, 2)
append('public', 'product.updated', public)
if is_new then
  append('staff', 'product.restocked', J('sku', sku, 'delta', p.left, 'left', p.left, 'held', 0, 'sold', 0))
end
local stock = J('left', p.left, 'held', p.held, 'sold', p.sold)
return remember({'ok', is_new and 1 or 0, string.sub(public, 1, -2) .. ',' .. string.sub(stock, 2)})
