-- What the scripts of the sale share: a product's stock, an order's life, the caps.
-- The loader puts this between the prelude and every script beside it. model.py is the specification.

-- How many due holds one script looks through; when that is not enough it answers 'sweep' and nothing is written.
local DUE_MAX = 256

local function or_null(text) return tonumber(text) or NULL end

-- Products -----------------------------------------------------------------------------------------------------------

-- Those of this run, and the fields of the reductions of the whole show that it found.
local products, reduction_fields
at_begin[#at_begin + 1] = function()
  products, reduction_fields = {}, {}
  for _, r in ipairs(REDUCTIONS) do
    if show[r.id] then reduction_fields[#reduction_fields + 1], reduction_fields[#reduction_fields + 2] = r.id, r.price end
  end
end

-- Asked for by name: the rest (attrs) is long and no rule looks at it; most products have no flash price now, nor is the
-- whole show reduced. These names, too, stand twice in one order, and with the sku they are sixteen (see `read_show`).
local PRODUCT_FIELDS = {'list_price_minor', 'price_version', 'left', 'held', 'sold', 'per_viewer_max', 'floor_minor',
  'seller', 'commission_bps', 'flash_id', 'parts', 'reference_price_minor', 'off', 'waiting', 'hold_policy'}
local FLASH_FIELDS = {'flash_price_minor', 'flash_version', 'flash_starts_sale_ms', 'flash_ends_sale_ms',
  'flash_quantity', 'flash_used', 'flash_per_viewer_max', 'flash_series', 'flash_n', 'flash_times', 'flash_every_ms'}

local function read_fields(p, names)
  local values = redis.call('HMGET', base .. 'p:' .. p.sku, unpack(names))
  for i = 1, #names do p[names[i]] = values[i] or nil end
end

-- A product's fields with its counts as numbers, read once a script; nil when there is no such sku.
local function product(sku)
  local p = products[sku]
  if not p then
    local v = redis.call('HMGET', base .. 'p:' .. sku, unpack(PRODUCT_FIELDS))
    if not v[1] then return nil end
    p = {sku = sku, list_price_minor = v[1], price_version = v[2], left = tonumber(v[3]), held = tonumber(v[4]),
      sold = tonumber(v[5]), per_viewer_max = v[6] or nil, floor_minor = v[7] or nil, seller = v[8] or nil,
      commission_bps = v[9] or nil, flash_id = v[10] or nil, parts = v[11] or nil, reference_price_minor = v[12] or nil,
      off = v[13] or nil, waiting = tonumber(v[14]) or 0, hold_policy = v[15] or nil}
    if p.flash_id then read_fields(p, FLASH_FIELDS) end
    if reduction_fields[1] then read_fields(p, reduction_fields) end
    products[sku] = p
  end
  return p
end

-- Calls visit(product, units, …) for what `units` of a product take from the shelf: that many of it, or of a bundle (whose
-- `parts` are 'sku:units …' and never change) its parts. Bundles have no stock of their own and are in no bundle.
local function each_piece(sku, units, visit, ...)
  local p = product(sku)
  if not p.parts then return visit(p, units, ...) end
  for part, n in string.gmatch(p.parts, '(%S+):(%d+)') do visit(product(part), units * tonumber(n), ...) end
end

-- `waiting` only while somebody stands in line.
local function stock_json(p)
  return '{"sku":"' .. p.sku .. string.format('","left":%d,"held":%d,"sold":%d', p.left, p.held, p.sold)
    .. (p.waiting > 0 and string.format(',"waiting":%d}', p.waiting) or '}')
end

-- A refusal about one line of those that are asked for; of several it names the sku.
local function refuse_line(code, lines, l, ...)
  return refuse(code, #lines > 1 and {'sku', l.sku, ...} or {...})
end

-- The refusal `sold_out` without the number where viewers may not know it: who asks for very many would learn it.
local function sold_out(lines, l, left)
  local display = left == 0 or cjson.decode(redis.call('HGET', base .. 'p:' .. l.sku, 'attrs')).stock_display == 'exact'
  return refuse_line('sold_out', lines, l, 'left', display and left or NULL)
end

-- Move units between left, held and sold.
local function shift(p, left, held, sold)
  p.left, p.held, p.sold = p.left + left, p.held + held, p.sold + sold
  redis.call('HSET', base .. 'p:' .. p.sku, 'left', p.left, 'held', p.held, 'sold', p.sold)
end

-- The server time of a sale-clock deadline, and what remains instead while the clock stands still.
local function at_ms_or_null(deadline_sale_ms)
  return is_frozen() and NULL or deadline_sale_ms + frozen_total_ms
end
local function remaining_or_null(deadline_sale_ms)
  return is_frozen() and math.max(0, deadline_sale_ms - sale_ms) or NULL
end

-- Orders -------------------------------------------------------------------------------------------------------------

-- An order's record is one string: a msgpack map of pid sku quantity seen_minor unit_minor flash ('' none) total_minor
-- lot (where it was won in an auction) pay_first (it holds nothing before a payment begins) state expires (sale-clock ms) extended attempt token (a print) paid_by refunds
-- (a list, see "Money back") static (JSON members that were frozen at the hold) seq. An order of several lines has `lines`,
-- each with the first five after pid, which it does not have itself. A line bought with a coupon has its code
-- (`coupon`). nil when there is no such order.
local function order(id)
  local record = redis.call('GET', base .. 'o:' .. id)
  if not record then return nil end
  local o = cmsgpack.unpack(record)
  o.id = id
  return o
end

-- An order of one line is its own line.
local function lines_of(o) return o.lines or {o} end

local function is_holding(o) return o.state == 'held' or o.state == 'paying' end
-- An order that pays first holds nothing while it is open, but has its time, too.
local function is_pending(o) return is_holding(o) or o.state == 'open' end
local function is_due(o) return is_pending(o) and o.expires <= sale_ms end

-- Money back: each refund is {id, amount, units (that came back, of each line), restock, reason, due, done (nil: not yet)}.
local function refunds_json(o)
  if not o.refunds[1] then return '[]' end
  local out = {}
  for i, r in ipairs(o.refunds) do
    local units, lines = 0, {}
    for k, l in ipairs(lines_of(o)) do
      units = units + r.units[k]
      if o.lines and r.units[k] > 0 then lines[#lines + 1] = RAW(J('sku', l.sku, 'quantity', r.units[k])) end
    end
    out[i] = J('id', r.id, 'amount_minor', r.amount, 'quantity', units, 'restock', r.restock, 'reason', r.reason,
      'due_at_ms', r.due, 'done_at_ms', r.done or NULL)
    if o.lines then out[i] = string.sub(out[i], 1, -2) .. ',"lines":' .. JA(lines) .. '}' end
  end
  return '[' .. table.concat(out, ',') .. ']'
end

-- The one place that writes an order as JSON: `static` was frozen at the hold, the rest moves.
local function order_json(o)
  local expires = 'null,"remaining_ms":null,"expires_sale_ms":null'
  if is_pending(o) and is_frozen() then
    expires = string.format('null,"remaining_ms":%d,"expires_sale_ms":%d', math.max(0, o.expires - sale_ms), o.expires)
  elseif is_pending(o) then
    expires = string.format('%d,"remaining_ms":null,"expires_sale_ms":%d', o.expires + frozen_total_ms, o.expires)
  end
  return '{' .. o.static .. ',"state":"' .. o.state .. '","expires_at_ms":' .. expires .. ',"refunds":' .. refunds_json(o)
    .. string.format(',"seq":%d}', o.seq)
end

-- The stock of an order's products, and the prices that were asked for.
local function seen_json(o)
  if not o.lines and not product(o.sku).parts then
    return '"stock":[' .. stock_json(product(o.sku)) .. string.format('],"seen_price_minor":%d', o.seen_minor)
  end
  local stock, seen, told = {}, {}, {}
  local function tell(p)
    if not told[p.sku] then stock[#stock + 1], told[p.sku] = stock_json(p), true end
  end
  for i, l in ipairs(lines_of(o)) do
    each_piece(l.sku, 1, tell)
    seen[i] = string.format('%d', l.seen_minor)
  end
  return string.format('"stock":[%s],%s', table.concat(stock, ','),
    o.lines and '"seen_prices_minor":[' .. table.concat(seen, ',') .. ']' or '"seen_price_minor":' .. seen[1])
end

-- Give the order a state, keep its record, and write it to the log as order.<kind>. Returns it as JSON. Beside the order
-- the entry says what a verifier needs and the buyer does not: the price that was asked for, how many attempts to pay
-- there were, and which of them paid (0: none).
local function become(o, state, kind)
  o.state, o.seq = state, (tonumber(show.seq) or 0) + 1
  redis.call('SET', base .. 'o:' .. o.id, cmsgpack.pack(o))
  if kind == 'held' or kind == 'opened' then redis.call('ZADD', base .. 'orders', o.seq, o.id) end
  local json = order_json(o)
  append('subject:' .. o.pid, 'order.' .. kind,
    '{"order":' .. json .. ',' .. seen_json(o) .. string.format(',"attempt":%d,"paid_by":%d}', o.attempt, o.paid_by))
  return json
end

-- Keep an order with its buyer's others, in the order in which they came; `newest`: the score of the last one, or nil. Two
-- of one millisecond are told apart by its thousandth.
local function keep_by_buyer(pid, id, newest)
  redis.call('ZADD', base .. 'by:' .. pid, math.max(ts, newest and newest + 0.001 or 0), id)
end

-- The quotas that a line counts against, beside what the product allows: of its flash price and of its coupon. Each is the
-- key of its terms (quantity, used, per_viewer_max) and that of the units by pid.
local NO_QUOTAS = {}
local function quotas_of(l)
  if l.flash == '' and not l.coupon then return NO_QUOTAS end
  local out = {}
  if l.flash ~= '' then out[1] = {'f:' .. l.flash, 'flashbought:' .. l.flash} end
  if l.coupon then out[#out + 1] = {'c:' .. l.coupon, 'couponbought:' .. l.coupon, coupon = l.coupon} end
  return out
end

-- Count units of a line against the viewer's caps (of a bundle: also those of its parts) and the quotas of its flash price and coupon;
-- negative gives them back. What was won in an auction counts against none.
local function count(o, l, units)
  if o.lot then return end
  redis.call('HINCRBY', base .. 'bought:' .. l.sku, o.pid, units)
  if product(l.sku).parts then
    each_piece(l.sku, units, function(p, n) redis.call('HINCRBY', base .. 'bought:' .. p.sku, o.pid, n) end)
  end
  for _, keys in ipairs(quotas_of(l)) do
    redis.call('HINCRBY', base .. keys[2], o.pid, units)
    redis.call('HINCRBY', base .. keys[1], 'used', units)
  end
  local p = product(l.sku)
  if l.flash ~= '' and p.flash_id == l.flash then
    p.flash_used = p.flash_used + units
    redis.call('HSET', base .. 'p:' .. l.sku, 'flash_used', p.flash_used)
  end
end

local function shift_each(p, n, left, held, sold) shift(p, left * n, held * n, sold * n) end

-- Move an order's units (all, or so many `units` of each line) between left, held and sold, and to or from what counts
-- against caps and quotas: each of the four is 1, 0 or -1.
local function move(o, left, held, sold, counted, units)
  for i, l in ipairs(lines_of(o)) do
    local n = units and units[i] or l.quantity
    if n > 0 then
      if counted ~= 0 then count(o, l, counted * n) end
      each_piece(l.sku, n, shift_each, left, held, sold)
    end
  end
end

-- The first of the holds that are due: ids.
local function due_ids() return redis.call('ZRANGE', base .. 'holds', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, DUE_MAX) end

-- Undo a hold: the units go back on the shelf; or an order that is open and has none.
local function release(o, state)
  redis.call('ZREM', base .. 'holds', o.id)
  if o.lot and state == 'expired' then redis.call('HINCRBY', base .. 'lotunpaid', o.pid, 1) end
  if o.state ~= 'open' then move(o, 1, -1, 0, -1) end
  become(o, state, state)
end
