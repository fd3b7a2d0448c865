-- for: product_put products_import
-- A product as its seller describes it, written once every check has been made.

-- What is wrong with the parts of a product: a code and the sku that it is about, or nil. They never change, and are other
-- products of the same seller, none of them a bundle. `coming`: {parts, seller} of products that the same script makes.
local function wrong_parts(sku, parts, seller, coming)
  local p = product(sku)
  if p and (p.parts or '') ~= parts then return 'bundle_is_fixed', sku end
  if p and p.parts and seller ~= p.seller then return 'bundle_is_fixed', sku end
  for part in string.gmatch(parts, '(%S+):%d+') do
    local other = product(part) or coming[part]
    if not other or (other.parts or '') ~= '' or other.seller ~= seller then return 'bad_part', part end
  end
end

-- How a product is held was told with its pin, and stays while it is pinned. `policy`: as product_put has it.
local function is_policy_fixed(p, policy) return show.pin == p.sku and (p.hold_policy or '') ~= policy end

-- Arguments as product_put has them, of a product that is new or may be changed so; `record`: see take_record. → what everybody is told (JSON), the
-- product, whether it is new
local function put_product(sku, price, stock, per_viewer_max, floor, cost, seller, commission_bps, attrs, parts, policy, record)
  local p, is_new = product(sku), false
  price = tonumber(price)
  if not p then
    p = {sku = sku, left = tonumber(stock) or 0, held = 0, sold = 0, waiting = 0, list_price_minor = price, price_version = 1}
    products[sku], is_new = p, true
    if parts ~= '' then
      p.parts = parts
      redis.call('HSET', base .. 'p:' .. sku, 'parts', parts)
    end
  end
  end_flash_if_over(p)
  if price ~= tonumber(p.list_price_minor) then
    p.price_version = tonumber(p.price_version) + 1
    if is_on_offer() then note_price(p, tonumber(p.list_price_minor), today()) end
  end
  if seller == '' then seller = show.owner end
  p.list_price_minor = price
  redis.call('HSET', base .. 'p:' .. sku, 'list_price_minor', price, 'price_version', p.price_version,
    'left', p.left, 'held', p.held, 'sold', p.sold, 'per_viewer_max', per_viewer_max, 'floor_minor', floor,
    'cost_minor', cost, 'seller', seller, 'commission_bps', commission_bps, 'attrs', attrs, 'sku', sku, 'hold_policy', policy)
  if is_new then redis.call('ZADD', base .. 'skus', (tonumber(show.seq) or 0) + 1, sku) end
  local earlier, reference = take_record(p, record), tell_reference(p)
  local price_minor, version, rule, id = price_in_force(p)
  local rest = J('price_minor', price_minor, 'list_price_minor', price,
    'reference_price_minor', reference, 'price_version', version, 'price_reason', RAW(reason_json(rule, id)),
    'per_viewer_max', or_null(per_viewer_max), 'flash', p.flash_id and RAW(flash_json(p)) or NULL,
    'seller', seller, 'commission_bps', tonumber(commission_bps))
  local public = '{"sku":"' .. sku .. '",' .. string.sub(attrs, 2, -2) .. ',' .. string.sub(rest, 2)
  append('public', 'product.updated', string.sub(public, 1, -2) .. earlier .. '}')
  if is_new then
    append('staff', 'product.restocked', J('sku', sku, 'delta', p.left, 'left', p.left, 'held', 0, 'sold', 0))
  end
  return public, p, is_new
end
