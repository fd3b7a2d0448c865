-- durable
-- gives way: price
-- Create or change many products, all or none. arg: 1 how many products a show may have, 2 prices of their sellers' other
-- shows (JSON: sku → take_record), then of each, as product_put has them: sku (none twice), price, stock, per_viewer_max, floor, cost, seller, commission_bps, attributes, parts (that
-- are there or come before), hold policy. Stock of a product that is there may be given when it is what it has in all. Answers: created, changed. Refusal bad_rows: rows [[which of
-- them (from 1), field, code], …].
local WIDTH, first, records = 11, 7, cjson.decode(arg(2))
if not authorise('edit_product') then return refuse('forbidden') end
local again = replayed(arg(1), unpack(ARGV, first)) -- not what other shows say: that changes
if again then return again end
local coming, wrong, count, created = {}, {}, redis.call('ZCARD', base .. 'skus'), 0
for i = first, #ARGV, WIDTH do
  local price, stock, p = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), product(ARGV[i])
  local function is_wrong(field, code) wrong[#wrong + 1] = RAW(JA({(i - first) / WIDTH + 1, field, code})) end
  local seller = ARGV[i + 6] ~= '' and ARGV[i + 6] or show.owner
  local code = wrong_parts(ARGV[i], ARGV[i + 9], seller, coming)
  if code then is_wrong('parts', code) end
  coming[ARGV[i]] = {parts = ARGV[i + 9], seller = seller}
  if not p then
    created = created + 1
    if count + created > tonumber(arg(1)) then is_wrong('sku', 'too_many_products') end
  else
    if stock and not p.parts and stock ~= p.left + p.held + p.sold then is_wrong('stock', 'use_restock') end
    local fixed = price ~= tonumber(p.list_price_minor) and why_fixed(p)
    if fixed then is_wrong('price_minor', fixed) end
    if is_policy_fixed(p, ARGV[i + 10]) then is_wrong('hold_policy', 'policy_pinned') end
  end
end
if wrong[1] then return refuse('bad_rows', {'rows', RAW(JA(wrong))}) end

for i = first, #ARGV, WIDTH do
  local given = {unpack(ARGV, i, i + WIDTH - 1)}
  given[WIDTH + 1] = records[ARGV[i]] or ''
  put_product(unpack(given))
end
return remember({'ok', created, (#ARGV - first + 1) / WIDTH - created})
