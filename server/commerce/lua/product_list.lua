-- reads
-- What a seller said about each product, in order. → for each: sku, then the fields as they are kept, and how
-- many units there are in all; then the show's owner
if not authorise('edit_product') then return refuse('forbidden') end
local out = {'ok', show.owner}
for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
  local p = product(sku)
  local rest = redis.call('HMGET', base .. 'p:' .. sku, 'per_viewer_max', 'floor_minor', 'cost_minor', 'seller',
    'commission_bps', 'attrs', 'parts')
  out[#out + 1] = {sku, tonumber(p.list_price_minor), p.left + p.held + p.sold, unpack(rest)}
end
return out
