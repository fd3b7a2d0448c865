-- durable
-- gives way: price
-- Make a coupon; what it is never changes, and to ask for the very same again is no other. arg: 1 code, 2 percent off ('' by amount), 3 amount off each unit, 4 skus (space
-- separated, '' all), 5 how many units in all ('' any), 6 how many for one viewer ('' any), 7 for how long (ms, '' until it
-- is ended), 8 confirmed ('1': what it may cost has been seen), 9 how many coupons a show may have.
if not authorise('flash') then return refuse('forbidden') end
if show.state == 'ended' then return refuse('show_closed') end
local terms = table.concat({unpack(ARGV, 5, 11)}, '|')
local known = coupon(arg(1))
if known then return known.terms == terms and {'ok', coupon_json(known, true)} or refuse('coupon_exists') end
local c = {code = arg(1), percent_off = tonumber(arg(2)), amount_off_minor = tonumber(arg(3)), skus = arg(4),
  quantity = tonumber(arg(5)), per_viewer_max = tonumber(arg(6)), used = 0,
  expires_at_ms = arg(7) ~= '' and ts + tonumber(arg(7)) or nil}
local named, risky, units, given_up, loss = {}, false, 0, 0, nil
local most, most_lost, limit = 0, 0, c.quantity or math.huge -- of one unit
for sku in string.gmatch(c.skus, '%S+') do named[#named + 1] = sku end
if not named[1] then named = redis.call('ZRANGE', base .. 'skus', 0, -1) end
for _, sku in ipairs(named) do
  local p = product(sku)
  if not p then return refuse('unknown_sku', {'sku', sku}) end
  local list, cost = tonumber(p.list_price_minor), tonumber(redis.call('HGET', base .. 'p:' .. sku, 'cost_minor'))
  local price = with_coupon(c, p, math.min(list, (price_in_force(p))))
  if price then
    local all = units_at_stake(sku, limit)
    risky = risky or takes_much(list, price) or (cost and price < cost) or false
    units, given_up, most = units + all, given_up + all * (list - price), math.max(most, list - price)
    if cost then
      loss, most_lost = (loss or 0) + all * math.max(0, cost - price), math.max(most_lost, cost - price)
    end
  end
end
if risky and arg(8) ~= '1' then
  units = math.min(units, limit)
  return refuse('confirm_required', {'units', units, 'given_up_minor', math.min(given_up, units * most),
    'loss_minor', loss and math.min(loss, units * most_lost) or NULL})
end
if redis.call('SCARD', base .. 'coupons') >= tonumber(arg(9)) then
  return refuse('too_many_coupons', {'limit', tonumber(arg(9))})
end

redis.call('SADD', base .. 'coupons', c.code)
redis.call('HSET', base .. 'c:' .. c.code, 'code', c.code, 'terms', terms, 'percent_off', arg(2), 'amount_off_minor', arg(3),
  'skus', c.skus, 'quantity', arg(5), 'per_viewer_max', arg(6), 'used', 0, 'expires_at_ms',
  c.expires_at_ms and string.format('%d', c.expires_at_ms) or '')
local told = coupon_json(c, true)
append('staff', 'coupon.made', told)
return {'ok', told}
