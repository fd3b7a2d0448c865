-- for: bag_put cancel flash flash_stop hold pay_begin lot_cancel lot_open product_put products_import refund restock settle show_flash show_flash_stop campaign campaign_stop sweep undo_flash wait_join wait_leave draw_open draw_enter draw_award draw_cancel coupon_put
-- Reductions: a product's flash price, which may repeat, and those of the whole show: how they are told, and how they end.

local DEEP_PERCENT = 70 -- a price that takes more off the list price has to be confirmed
local function takes_much(list, price) return (list - price) * 100 > list * DEEP_PERCENT end

-- What a flash price is one window of, when it repeats: `n` of `times`, from start to start `every_s`. All are known by the
-- id of the first.
local function repeat_json(p)
  if not p.flash_times then return NULL end
  return RAW(J('series', p.flash_series, 'n', tonumber(p.flash_n), 'times', tonumber(p.flash_times),
    'every_s', tonumber(p.flash_every_ms) / 1000))
end

local function flash_json(p)
  local starts, ends = tonumber(p.flash_starts_sale_ms), tonumber(p.flash_ends_sale_ms)
  local quantity = tonumber(p.flash_quantity)
  return J('id', p.flash_id, 'sku', p.sku, 'price_minor', tonumber(p.flash_price_minor),
    'list_price_minor', tonumber(p.list_price_minor), 'price_version', tonumber(p.flash_version),
    'starts_at_ms', at_ms_or_null(starts), 'ends_at_ms', at_ms_or_null(ends),
    'starts_sale_ms', starts, 'ends_sale_ms', ends, 'remaining_ms', remaining_or_null(ends),
    'quantity', quantity or NULL, 'quantity_left', quantity and quantity - p.flash_used or NULL,
    'per_viewer_max', or_null(p.flash_per_viewer_max), 'reference_price_minor', or_null(p.reference_price_minor),
    'repeat', repeat_json(p))
end

-- A flash price whose window is announced or running, not one whose window is over.
local function has_window(p) return p.flash_id and tonumber(p.flash_ends_sale_ms) > sale_ms end

-- The window that follows that of a flash price which repeats: the next whose start is not past, on the same terms; or nil,
-- and why there is none. Its list price and its place in the bag cannot have changed (has_flash).
local function next_window(p)
  local starts, ends, every = tonumber(p.flash_starts_sale_ms), tonumber(p.flash_ends_sale_ms), tonumber(p.flash_every_ms)
  local steps = math.max(1, math.ceil((sale_ms - starts) / every))
  local n, price, floor = tonumber(p.flash_n) + steps, tonumber(p.flash_price_minor), tonumber(p.floor_minor)
  if n > tonumber(p.flash_times) then return nil, 'done' end
  if show.state == 'ended' then return nil, 'show_ended' end
  if floor and price < floor then return nil, 'withdrawn' end
  return {id = p.flash_series .. '-' .. string.format('%d', n), price = price, starts = starts + steps * every,
    ends = ends + steps * every, quantity = p.flash_quantity, per_viewer_max = p.flash_per_viewer_max,
    series = p.flash_series, n = n, times = p.flash_times, every = every}, 'goes_on'
end

-- A flash price that is announced or running, or is between two windows while nobody has written so yet.
local function has_flash(p)
  return has_window(p) or (p.flash_id and p.flash_times and next_window(p) ~= nil) or false
end

-- The lowest price of the last 30 days, before the flash price where there is one (then as its announcement said), else
-- before the reductions that are announced or run, or (`anew`) a flash price that is announced now: NULL when nothing was on
-- offer. Kept with the product, for whoever looks at the show.
local function tell_reference(p, anew)
  if has_window(p) then return or_null(p.reference_price_minor) end
  local lowest, price, _, _, _, below = lowest_before(p), price_in_force(p)
  if is_on_offer() then lowest = math.min(lowest or math.huge, anew and price or below) end
  p.reference_price_minor = lowest
  redis.call('HSET', base .. 'p:' .. p.sku, 'reference_price_minor', lowest or '')
  return lowest or NULL
end

-- A reduction of the whole show (one of REDUCTIONS) that is announced or running, and whether product `p` is in it.
local function has_reduction(r) return show[r.id] and begun(r.now, show[r.starts], show[r.ends]) < 2 end
local function in_reduction(r, p) return has_reduction(r) and p[r.id] == show[r.id] end

-- Why the list price of a product cannot change now: a refusal's code, or nil.
local function why_fixed(p)
  if has_flash(p) or in_reduction(SHOW_FLASH, p) then return 'flash_running' end
  if in_reduction(CAMPAIGN, p) then return 'campaign_running' end
end

local function end_reduction(r, reason)
  local id, has_begun, told = show[r.id], begun(r.now, show[r.starts], show[r.ends]) > 0, {}
  redis.call('HDEL', KEYS[1], r.id, r.starts, r.ends, r.percent, r.title)
  show[r.id] = nil
  set_show('price_steps', (tonumber(show.price_steps) or 0) + 2)
  for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
    local p = product(sku)
    if p[r.id] == id then
      if has_begun and is_on_offer() then note_price(p, tonumber(p[r.price]), today()) end
      local price_minor, version, rule, rule_id = price_in_force(p)
      told[#told + 1] = RAW(J('sku', sku, 'price_minor', price_minor, 'price_version', version,
        'price_reason', RAW(reason_json(rule, rule_id)), 'reference_price_minor', tell_reference(p)))
    end
  end
  append('public', r.ended, J('id', id, 'reason', reason, 'prices', RAW(JA(told))))
end

-- End the reductions of the show whose windows are over, or (`all`) all of them, since the show is. → how many there were
local function end_reductions(all)
  local ended = 0
  for _, r in ipairs(REDUCTIONS) do
    local is_over = show[r.id] and not has_reduction(r)
    if show[r.id] and (is_over or all) then
      end_reduction(r, is_over and 'window' or 'show_ended')
      ended = ended + 1
    end
  end
  return ended
end

-- End that reduction of the show now; nothing when it is over.
local function stop_reduction(r, id)
  if show[r.id] == id then end_reduction(r, has_reduction(r) and 'stopped' or 'window') end
end

-- Announce window `f` of a flash price: id, price, starts, ends, quantity and per_viewer_max ('' none), and when it repeats:
-- series, n, times, every (ms). Two price versions are reserved (see price_in_force). → what everybody is told (JSON)
local function announce_flash(p, f, earlier, use_press)
  tell_reference(p, true)
  local reference = tonumber(p.reference_price_minor)
  -- What was cheaper an hour ago at this very price is not reduced from more, whatever other shows said meanwhile.
  if reference and f.series and f.n > 1 then p.reference_price_minor = math.min(reference, f.price) end
  local _, version = price_in_force(p)
  local fields = {'flash_id', f.id, 'flash_price_minor', f.price, 'flash_version', version + 1, 'flash_starts_sale_ms',
    f.starts, 'flash_ends_sale_ms', f.ends, 'flash_quantity', f.quantity, 'flash_used', 0,
    'flash_per_viewer_max', f.per_viewer_max, 'reference_price_minor', p.reference_price_minor or ''}
  local limits = {'sku', p.sku, 'quantity', f.quantity, 'used', 0, 'per_viewer_max', f.per_viewer_max}
  if f.series then
    for _, value in ipairs({'flash_series', f.series, 'flash_n', f.n, 'flash_times', f.times, 'flash_every_ms', f.every}) do
      fields[#fields + 1] = value
    end
    limits[#limits + 1], limits[#limits + 2] = 'series', f.series
  end
  for i = 1, #fields, 2 do p[fields[i]] = fields[i + 1] end
  redis.call('HSET', base .. 'p:' .. p.sku, unpack(fields))
  redis.call('HSET', base .. 'f:' .. f.id, unpack(limits))
  redis.call('ZADD', base .. 'flashes', f.ends, p.sku)
  -- Confirmed is told of what everybody can see to be deep; of the rest it would tell what a unit costs the seller.
  local is_deep = takes_much(tonumber(p.list_price_minor), f.price)
  local announced = string.sub(flash_json(p), 1, -2) .. ',"confirmed":' .. tostring(is_deep) .. earlier .. '}'
  append('public', 'price.flash', announced, use_press)
  return announced
end

-- The window is over. One that repeats goes on with its next, unless it `stops`.
local function end_flash(p, reason, stops)
  end_reductions()
  local id, version, following, goes_on = p.flash_id, tonumber(p.price_version) + 2, nil, nil
  if p.flash_times then
    following, goes_on = next_window(p)
    if stops and (following or goes_on == 'withdrawn') then following, goes_on = nil, 'stopped' end
  end
  if is_on_offer() and sale_ms >= tonumber(p.flash_starts_sale_ms) then
    note_price(p, tonumber(p.flash_price_minor), today())
  end
  redis.call('HDEL', base .. 'p:' .. p.sku, 'flash_id', unpack(FLASH_FIELDS))
  redis.call('HSET', base .. 'p:' .. p.sku, 'price_version', version)
  redis.call('ZREM', base .. 'flashes', p.sku)
  p.flash_id, p.price_version = nil, version
  for _, name in ipairs(FLASH_FIELDS) do p[name] = nil end
  local price_minor, now, rule, rule_id = price_in_force(p)
  local ended = J('id', id, 'sku', p.sku, 'price_minor', price_minor, 'price_version', now,
    'price_reason', RAW(reason_json(rule, rule_id)), 'reason', reason, 'reference_price_minor', tell_reference(p))
  if goes_on then ended = string.sub(ended, 1, -2) .. ',"repeat":"' .. goes_on .. '"}' end
  append('public', 'price.ended', ended)
  if following then announce_flash(p, following, '') end
end

local function end_flash_if_over(p)
  end_reductions()
  if p.flash_id and not has_window(p) then end_flash(p, 'window') end
end

-- End a flash price now, and whatever of it would follow: any of its windows may be named, for they follow one another by
-- themselves. Nothing when it is over.
local function stop_flash(p, id)
  local series = redis.call('HGET', base .. 'f:' .. id, 'series') or id
  if p.flash_id and (p.flash_series or p.flash_id) == series then
    end_flash(p, has_window(p) and 'stopped' or 'window', true)
  end
end

-- Due holds count as free here, too. With more of them than one script looks through, the flash price goes on: its
-- quota is kept by room_for, and the sweeper is about to come.
local function end_flash_if_used_up(p)
  local quantity, used = tonumber(p.flash_quantity), tonumber(p.flash_used)
  if not has_window(p) or not quantity or used < quantity then return end
  local ids = due_ids()
  for _, id in ipairs(ids) do
    for _, l in ipairs(lines_of(order(id))) do
      if l.flash == p.flash_id then used = used - l.quantity end
    end
  end
  if #ids < DUE_MAX and used >= quantity then end_flash(p, 'quantity') end
end
