-- gives way: price
-- Pin a product. arg: 1 sku. Pinning what is pinned changes nothing.
if not authorise('pin') then return refuse('forbidden') end
local p = product(arg(1))
if not p then return refuse('unknown_sku') end
if p.off then return refuse('not_for_sale') end
local attrs, price_minor = cjson.decode(redis.call('HGET', base .. 'p:' .. p.sku, 'attrs')), price_in_force(p)
local function text(name) return type(attrs[name]) == 'string' and attrs[name] or NULL end
local pinned = J('sku', p.sku, 'title', text('title'), 'price_minor', price_minor, 'image_url', text('image_url'),
  'disclosure', text('disclosure'), 'hold_policy', (p.hold_policy or '') ~= '' and p.hold_policy or 'hold')

if show.pin ~= p.sku then
  set_show('pin', p.sku)
  append('public', 'product.pinned', pinned, true)
end
return {'ok', show.seq, pinned}
