-- durable
-- gives way: price
-- Announce a flash price. arg: 1 sku, 2 price ('' by percent), 3 duration_ms, 4 starts_in_ms, 5 quantity ('' any),
-- 6 per_viewer_max ('' none), 7 its id, 8 percent off the list price, 9 confirmed ('1': what it may cost has been seen),
-- 10 prices of the seller's other shows (take_record), 11 windows in all, 12 ms from start to start ('' both: one window). The
-- windows lie on the sale clock; each is announced when the one before it ends.
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(4), arg(5), arg(6), arg(8), arg(9), arg(11), arg(12))
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
local cost = tonumber(redis.call('HGET', base .. 'p:' .. p.sku, 'cost_minor'))
if (takes_much(list, price) or cost and price < cost) and arg(9) ~= '1' then
  local windows = tonumber(arg(11)) or 1
  local units = units_at_stake(p.sku, (tonumber(arg(5)) or math.huge) * windows)
  return refuse('confirm_required', {'price_minor', price, 'list_price_minor', list, 'windows', windows, 'units', units,
    'given_up_minor', units * (list - price), 'loss_minor', cost and units * math.max(0, cost - price) or NULL})
end

end_flash_if_over(p)
local earlier = take_record(p, arg(10))
local starts = sale_ms + tonumber(arg(4))
local f = {id = id, price = price, starts = starts, ends = starts + tonumber(arg(3)), quantity = arg(5), per_viewer_max = arg(6)}
if arg(11) ~= '' then f.series, f.n, f.times, f.every = id, 1, arg(11), arg(12) end
return remember({'ok', show.seq, announce_flash(p, f, earlier, true)})
