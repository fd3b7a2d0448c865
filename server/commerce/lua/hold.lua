-- durable
-- Reserve stock for a buyer at the prices in force, every line or none; with a product that is paid first, only open the order. arg: 1 order id (made from the buyer's idempotency
-- key: an order that exists is a repeat), 2 hold_ms, 3 the code of a coupon ('' none), then of each line: sku (none twice), quantity, the unit price that the
-- buyer saw. The order of the checks is part of the public contract; each is made for all lines before the next.

-- Who let so many holds in a row run out keeps the next for half as long, and half of that with each more.
local RAN_OUT_MAX, RAN_OUT_SEEN_MAX, SHORT_HOLD_MS = 2, 4, 15000
-- How long a new hold of the actor lasts, and the score of their newest order.
local function shortened(hold_ms)
  local own, ran_out = redis.call('ZRANGE', base .. 'by:' .. actor, 0, RAN_OUT_SEEN_MAX - 1, 'REV', 'WITHSCORES'), 0
  for i = 1, #own, 2 do
    local o = order(own[i])
    if o.state ~= 'expired' and not is_due(o) then break end
    ran_out = ran_out + 1
  end
  if ran_out >= RAN_OUT_MAX then
    hold_ms = math.min(hold_ms, math.max(SHORT_HOLD_MS, math.floor(hold_ms / 2 ^ (ran_out - RAN_OUT_MAX + 1))))
  end
  return hold_ms, tonumber(own[2])
end

local id, code, lines = arg(1), arg(3), {}
for i = 8, #ARGV, 3 do
  lines[#lines + 1] = {sku = ARGV[i], quantity = tonumber(ARGV[i + 1]), seen_minor = tonumber(ARGV[i + 2]), flash = ''}
end
local known = order(id)
if known then
  local had = lines_of(known)
  local same = #had == #lines and (known.asked_coupon or '') == code
  for i, l in ipairs(lines) do
    local h = had[i]
    same = same and h.sku == l.sku and h.quantity == l.quantity and h.seen_minor == l.seen_minor
  end
  return same and {'ok', 0, order_json(known)} or refuse('idempotency_conflict')
end
for _, l in ipairs(lines) do
  if not product(l.sku) then return refuse_line('unknown_sku', lines, l) end
end
local closed = not_selling(lines)
if closed then return closed end
local pay_first = false
for _, l in ipairs(lines) do
  local policy = product(l.sku).hold_policy
  if policy == 'lottery' then return refuse_line('lottery_only', lines, l) end
  pay_first = pay_first or policy == 'pay_first'
end
local first, several = product(lines[1].sku), #lines > 1
for i = 2, #lines do -- one order is one sale by one seller
  if product(lines[i].sku).seller ~= first.seller then return refuse_line('mixed_sellers', lines, lines[i]) end
end
local versions, reasons = {}, {}
for i, l in ipairs(lines) do
  local unit_minor, version, rule, rule_id = price_in_force(product(l.sku))
  l.unit_minor, l.flash, versions[i] = unit_minor, rule == 'flash' and rule_id or '', version
  reasons[i] = reason_json(rule, rule_id)
  if l.unit_minor > l.seen_minor then
    return refuse_line('price_changed', lines, l, 'price_minor', l.unit_minor, 'price_version', versions[i],
      'price_reason', RAW(reasons[i]))
  end
end
if code ~= '' then
  local c, is_used = coupon(code), false
  if not c then return refuse('unknown_coupon') end
  if is_coupon_over(c) then return refuse('coupon_over') end
  for i, l in ipairs(lines) do
    local less = covers(c, l.sku) and with_coupon(c, product(l.sku), l.unit_minor)
    if less then l.unit_minor, l.coupon, reasons[i], is_used = less, code, reason_json('coupon', code), true end
  end
  if not is_used then return refuse('coupon_not_for') end
end
local no, due = room_for(actor, lines)
if no then return no end

local hold_ms, newest = shortened(tonumber(arg(2)))
if not pay_first then expire_all(due) end
local goods, commission, bps = 0, 0, tonumber(first.commission_bps) or 0
local told, what, rate = {}, nil, string.format('%d', bps)
-- Frozen from here on. Written out, not through J: this is the busiest script. Ids and prices need no escaping.
for i, l in ipairs(lines) do
  local minor, line_bps = l.unit_minor * l.quantity, tonumber(product(l.sku).commission_bps) or 0
  goods = goods + minor
  -- (minor · bps + 5000) div 10000 in two parts, because minor · bps may pass 2^53.
  commission = commission + math.floor(minor / 10000) * line_bps
    + math.floor(((minor % 10000) * line_bps + 5000) / 10000)
  if line_bps ~= bps then rate = 'null' end
  what = '"sku":"' .. l.sku .. string.format('","quantity":%d,"unit_price_minor":%d,', l.quantity, l.unit_minor)
  told[i] = '{' .. what .. string.format('"price_version":%d,"flash":', versions[i])
    .. (l.flash == '' and 'null' or '"' .. l.flash .. '"') .. ',"price_reason":' .. reasons[i]
    .. (l.coupon and ',"coupon":"' .. code .. '"' or '')
    .. (several and string.format(',"commission_bps":%d}', line_bps) or '}')
end
local static = '"id":"' .. id .. '","show":"' .. show.id .. '","seller":' .. json_value(first.seller) .. ',"creator":"'
  .. show.owner .. '","market":' .. json_value(show.market) .. ',"lines":[' .. table.concat(told, ',') .. '],'
  .. (several and '' or what)
  .. string.format('"goods_minor":%d,"shipping_minor":0,"tax_minor":0,"total_minor":%d,"commission_bps":', goods, goods)
  .. rate .. string.format(',"commission_minor":%d,"currency":"', commission) .. show.currency
  .. string.format('","placed_at_ms":%d', ts) .. (pay_first and ',"pay_first":true' or '')
local one = several and {} or lines[1]
local o = {id = id, pid = actor, lines = several and lines or nil, sku = one.sku, quantity = one.quantity,
  seen_minor = one.seen_minor, unit_minor = one.unit_minor, flash = one.flash, coupon = one.coupon,
  asked_coupon = code ~= '' and code or nil, total_minor = goods, expires = sale_ms + hold_ms, attempt = 0, paid_by = 0,
  refunds = {}, static = static}
redis.call('ZADD', base .. 'holds', o.expires, id)
keep_by_buyer(actor, id, newest)
for _, l in ipairs(lines) do
  if l.flash ~= '' then redis.call('ZADD', base .. 'flashorders:' .. l.flash, ts, id) end
end
if pay_first then -- nothing is reserved: that there is room now spares its buyer a till for nothing
  o.pay_first = true
  return {'ok', 1, become(o, 'open', 'opened'), ts}
end
move(o, -1, 1, 0, 1)
local json = become(o, 'held', 'held')
for _, l in ipairs(lines) do end_flash_if_used_up(product(l.sku)) end
if due[1] then give_turns() end
return {'ok', 1, json, ts}
