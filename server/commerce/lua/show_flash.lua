-- durable
-- gives way: price
-- Announce one reduction in percent off the list prices of a show's products. arg: 1 percent, 2 duration_ms, 3 starts_in_ms,
-- 4 its id, 5 skus (space separated, '' all), 6 confirmed ('1': what it may cost has been seen), 7 prices of the sellers' other
-- shows (JSON: sku → take_record). Never below a product's floor: there it stops at the floor, and what would be no
-- reduction is left out. The prices are fixed here; products that come later are not in it.
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(5), arg(6))
if again then return again end
if show.state == 'ended' then return refuse('show_closed') end
if has_show_flash() then return refuse('flash_running') end
local percent, named, chosen = tonumber(arg(1)), {}, {}
for sku in string.gmatch(arg(5), '%S+') do named[#named + 1] = sku end
if not named[1] then named = redis.call('ZRANGE', base .. 'skus', 0, -1) end
local is_deep, is_risky, units, given_up, loss = false, false, 0, 0, nil
for _, sku in ipairs(named) do
  local p = product(sku)
  if not p then return refuse('unknown_sku', {'sku', sku}) end
  local list = tonumber(p.list_price_minor)
  local price = math.max(list - math.floor(list * percent / 100), tonumber(p.floor_minor) or 0)
  if price < list then
    chosen[#chosen + 1] = {p = p, price = price}
    local cost, all = tonumber(redis.call('HGET', base .. 'p:' .. sku, 'cost_minor')), units_at_stake(sku, math.huge)
    is_deep = is_deep or takes_much(list, price)
    is_risky = is_risky or is_deep or (cost and price < cost) or false
    units, given_up = units + all, given_up + all * (list - price)
    if cost then loss = (loss or 0) + all * math.max(0, cost - price) end
  end
end
if not chosen[1] then return refuse('nothing_reduced') end
if is_risky and arg(6) ~= '1' then
  return refuse('confirm_required', {'percent_off', percent, 'units', units, 'given_up_minor', given_up,
    'loss_minor', loss or NULL})
end

end_show_flash_if_over()
for _, each in ipairs(chosen) do end_flash_if_over(each.p) end
local id, records, told = arg(4), cjson.decode(arg(7)), {}
local starts = sale_ms + tonumber(arg(3))
local ends = starts + tonumber(arg(2))
for i, each in ipairs(chosen) do
  local p = each.p
  local earlier, reference = take_record(p, records[p.sku] or ''), tell_reference(p, true)
  p.show_flash_id, p.show_price_minor = id, each.price
  redis.call('HSET', base .. 'p:' .. p.sku, 'show_flash_id', id, 'show_price_minor', each.price)
  told[i] = RAW(string.sub(J('sku', p.sku, 'price_minor', each.price, 'list_price_minor', tonumber(p.list_price_minor),
    'reference_price_minor', reference), 1, -2) .. earlier .. '}')
end
set_show('show_flash_id', id, 'show_flash_percent', percent, 'show_flash_starts_sale_ms', starts,
  'show_flash_ends_sale_ms', ends)
redis.call('HSET', base .. 'showflashes', id, percent)
local announced = J('id', id, 'percent_off', percent, 'starts_at_ms', at_ms_or_null(starts), 'ends_at_ms', at_ms_or_null(ends),
  'starts_sale_ms', starts, 'ends_sale_ms', ends, 'remaining_ms', remaining_or_null(ends), 'confirmed', is_deep,
  'prices', RAW(JA(told)))
append('public', 'price.show_flash', announced, true)
return remember({'ok', show.seq, announced})
