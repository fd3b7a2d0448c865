-- for: flash show_flash campaign coupon_put
-- How reductions of the whole show begin, and what a reduced price gives up, to be seen and confirmed by who asks for it.

-- So many units of a product may be sold at it: of those that are not sold, at most `most`.
local function units_at_stake(sku, most)
  each_piece(sku, 1, function(part, n) most = math.min(most, math.floor((part.left + part.held) / n)) end)
  return most
end

-- What a reduction of the show asks for product `p`: a percentage off, down to the floor, or else an amount. → a refusal or
-- nil, and the price, or nil where it would be no reduction
local function reduced_price(p, percent, amount)
  local list, floor = tonumber(p.list_price_minor), tonumber(p.floor_minor)
  if percent then
    local price = math.max(list - math.floor(list * percent / 100), floor or 0)
    return nil, price < list and price or nil
  end
  if floor and amount < floor then return refuse('below_floor', {'sku', p.sku, 'floor_minor', floor}) end
  if amount >= list then return refuse('nothing_reduced', {'sku', p.sku}) end
  return nil, amount
end

-- What a reduction asks for each product that it names ('sku …' or, without a percentage, 'sku:price …'; '' all). → a refusal
-- or nil, {p, price} of each that is reduced, whether some price takes much off
local function choose(names, percent, is_confirmed)
  local named, chosen, is_deep, is_risky, units, given_up, loss = {}, {}, false, false, 0, 0, nil
  for name in string.gmatch(names, '%S+') do named[#named + 1] = name end
  if not named[1] then named = redis.call('ZRANGE', base .. 'skus', 0, -1) end
  for _, name in ipairs(named) do
    local sku, amount = name, nil
    if not percent then sku, amount = string.match(name, '^(%S+):(%d+)$') end
    local p = product(sku)
    if not p then return refuse('unknown_sku', {'sku', sku}) end
    local no, price = reduced_price(p, percent, tonumber(amount))
    if no then return no end
    if price then
      chosen[#chosen + 1] = {p = p, price = price}
      local list, cost = tonumber(p.list_price_minor), tonumber(redis.call('HGET', base .. 'p:' .. sku, 'cost_minor'))
      local all = units_at_stake(sku, math.huge)
      is_deep = is_deep or takes_much(list, price)
      is_risky = is_risky or is_deep or (cost and price < cost) or false
      units, given_up = units + all, given_up + all * (list - price)
      if cost then loss = (loss or 0) + all * math.max(0, cost - price) end
    end
  end
  if not chosen[1] then return refuse('nothing_reduced') end
  if is_risky and not is_confirmed then
    return refuse('confirm_required', {'percent_off', percent or NULL, 'units', units, 'given_up_minor', given_up,
      'loss_minor', loss or NULL})
  end
  return nil, chosen, is_deep
end

-- Keep reduction `f` (id, title, percent, starts, ends; of REDUCTIONS: r) with the show and its price with each product that
-- was chosen for it. `records` (JSON): what other shows say. → what is told of the products
local function start_reduction(r, f, chosen, records)
  end_reductions()
  local lows, told = cjson.decode(records), {}
  for _, each in ipairs(chosen) do end_flash_if_over(each.p) end
  set_show(r.id, f.id, r.percent, f.percent, r.starts, f.starts, r.ends, f.ends)
  if f.title then set_show(r.title, f.title) end
  redis.call('HSET', base .. r.known, f.id, f.percent)
  for i, each in ipairs(chosen) do
    local p = each.p
    p[r.id], p[r.price] = f.id, each.price
    redis.call('HSET', base .. 'p:' .. p.sku, r.id, f.id, r.price, each.price)
    local earlier, reference = take_record(p, lows[p.sku] or ''), tell_reference(p)
    told[i] = RAW(string.sub(J('sku', p.sku, 'price_minor', each.price, 'list_price_minor', tonumber(p.list_price_minor),
      'reference_price_minor', reference), 1, -2) .. earlier .. '}')
  end
  return RAW(JA(told))
end
