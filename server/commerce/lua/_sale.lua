-- What the scripts of the sale share: a product's stock, an order's life, the caps, the end of a flash price.
-- The loader puts this between the prelude and every script beside it. model.py is the specification.

-- How many due holds one script looks through; when that is not enough it answers 'sweep' and nothing is written.
local DUE_MAX = 256

local function or_null(text) return tonumber(text) or NULL end

-- Products -----------------------------------------------------------------------------------------------------------

local products = {}

-- Asked for by name: the rest (attrs) is long and no rule looks at it; most products have no flash price now.
local PRODUCT_FIELDS = {'list_price_minor', 'price_version', 'left', 'held', 'sold', 'per_viewer_max', 'floor_minor',
  'seller', 'commission_bps', 'flash_id', 'parts', 'reference_price_minor', 'show_flash_id', 'show_price_minor',
  'off', 'waiting'}
local FLASH_FIELDS = {'flash_price_minor', 'flash_version', 'flash_starts_sale_ms', 'flash_ends_sale_ms',
  'flash_quantity', 'flash_used', 'flash_per_viewer_max'}

local function read_fields(p, names)
  local values = redis.call('HMGET', base .. 'p:' .. p.sku, unpack(names))
  for i = 1, #names do p[names[i]] = values[i] or nil end
  return p
end

-- A product's fields with its counts as numbers, read once a script; nil when there is no such sku.
local function product(sku)
  local p = products[sku]
  if not p then
    p = read_fields({sku = sku}, PRODUCT_FIELDS)
    if not p.list_price_minor then return nil end
    if p.flash_id then read_fields(p, FLASH_FIELDS) end
    p.left, p.held, p.sold = tonumber(p.left), tonumber(p.held), tonumber(p.sold)
    p.waiting = tonumber(p.waiting) or 0
    products[sku] = p
  end
  return p
end

-- Calls visit(product, units) for what `units` of a product take from the shelf: that many of it, or of a bundle (whose
-- `parts` are 'sku:units …' and never change) its parts. Bundles have no stock of their own and are in no bundle.
local function each_piece(sku, units, visit)
  local p = product(sku)
  if not p.parts then return visit(p, units) end
  for part, n in string.gmatch(p.parts, '(%S+):(%d+)') do visit(product(part), units * tonumber(n)) end
end

-- `waiting` only while somebody stands in line.
local function stock_json(p)
  return string.format('{"sku":"%s","left":%d,"held":%d,"sold":%d%s}', p.sku, p.left, p.held, p.sold,
    p.waiting > 0 and string.format(',"waiting":%d', p.waiting) or '')
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

local function flash_json(p)
  local starts, ends = tonumber(p.flash_starts_sale_ms), tonumber(p.flash_ends_sale_ms)
  local quantity = tonumber(p.flash_quantity)
  return J('id', p.flash_id, 'sku', p.sku, 'price_minor', tonumber(p.flash_price_minor),
    'list_price_minor', tonumber(p.list_price_minor), 'price_version', tonumber(p.flash_version),
    'starts_at_ms', at_ms_or_null(starts), 'ends_at_ms', at_ms_or_null(ends),
    'starts_sale_ms', starts, 'ends_sale_ms', ends, 'remaining_ms', remaining_or_null(ends),
    'quantity', quantity or NULL, 'quantity_left', quantity and quantity - p.flash_used or NULL,
    'per_viewer_max', or_null(p.flash_per_viewer_max), 'reference_price_minor', or_null(p.reference_price_minor))
end

-- A flash price that is announced or running, not one whose window is over.
local function has_flash(p) return p.flash_id and tonumber(p.flash_ends_sale_ms) > sale_ms end

-- The lowest price of the last 30 days, before the flash price where there is one (then as its announcement said), else
-- before the reduction that runs, or (`anew`) one that begins now: NULL when nothing was on offer. Kept with the product,
-- for whoever looks at the show.
local function tell_reference(p, anew)
  if has_flash(p) then return or_null(p.reference_price_minor) end
  local lowest, price, _, _, _, below = lowest_before(p), price_in_force(p, sale_ms)
  if is_on_offer() then lowest = math.min(lowest or math.huge, anew and price or below) end
  p.reference_price_minor = lowest
  redis.call('HSET', base .. 'p:' .. p.sku, 'reference_price_minor', lowest or '')
  return lowest or NULL
end

-- The reduction of the whole show, as far as product `p` is in it and its window is not over.
local function has_show_flash() return show.show_flash_id and tonumber(show.show_flash_ends_sale_ms) > sale_ms end
local function in_show_flash(p) return has_show_flash() and p.show_flash_id == show.show_flash_id end

local function end_show_flash(reason)
  local id, began, told = show.show_flash_id, sale_ms >= tonumber(show.show_flash_starts_sale_ms), {}
  redis.call('HDEL', KEYS[1], 'show_flash_id', 'show_flash_percent', 'show_flash_starts_sale_ms',
    'show_flash_ends_sale_ms')
  show.show_flash_id = nil
  set_show('price_steps', (tonumber(show.price_steps) or 0) + 2)
  for _, sku in ipairs(redis.call('ZRANGE', base .. 'skus', 0, -1)) do
    local p = product(sku)
    if p.show_flash_id == id then
      if began and is_on_offer() then note_price(p, tonumber(p.show_price_minor), today()) end
      local price_minor, version, rule, rule_id = price_in_force(p, sale_ms)
      told[#told + 1] = RAW(J('sku', sku, 'price_minor', price_minor, 'price_version', version,
        'price_reason', RAW(reason_json(rule, rule_id)), 'reference_price_minor', tell_reference(p)))
    end
  end
  append('public', 'price.show_ended', J('id', id, 'reason', reason, 'prices', RAW(JA(told))))
end

local function end_show_flash_if_over()
  if show.show_flash_id and not has_show_flash() then end_show_flash('window') end
end

local function end_flash(p, reason)
  end_show_flash_if_over()
  local id, version = p.flash_id, tonumber(p.price_version) + 2
  if is_on_offer() and sale_ms >= tonumber(p.flash_starts_sale_ms) then
    note_price(p, tonumber(p.flash_price_minor), today())
  end
  redis.call('HDEL', base .. 'p:' .. p.sku, 'flash_id', 'flash_price_minor', 'flash_version', 'flash_starts_sale_ms',
    'flash_ends_sale_ms', 'flash_quantity', 'flash_used', 'flash_per_viewer_max')
  redis.call('HSET', base .. 'p:' .. p.sku, 'price_version', version)
  redis.call('ZREM', base .. 'flashes', p.sku)
  p.flash_id, p.price_version = nil, version
  local price_minor, now, rule, rule_id = price_in_force(p, sale_ms)
  append('public', 'price.ended', J('id', id, 'sku', p.sku, 'price_minor', price_minor, 'price_version', now,
    'price_reason', RAW(reason_json(rule, rule_id)), 'reason', reason, 'reference_price_minor', tell_reference(p)))
end

local function end_flash_if_over(p)
  end_show_flash_if_over()
  if p.flash_id and not has_flash(p) then end_flash(p, 'window') end
end

-- Orders -------------------------------------------------------------------------------------------------------------

-- An order's record is one string: a msgpack map of pid sku quantity seen_minor unit_minor flash ('' none) total_minor
-- lot (where it was won in an auction) state expires (sale-clock ms) extended attempt token (a print) paid_by refunds
-- (a list, see "Money back") static (JSON members that were frozen at the hold) seq. An order of several lines has `lines`,
-- each with the first five after pid, which it does not have itself. nil when there is no such order.
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
local function is_due(o) return is_holding(o) and o.expires <= sale_ms end

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
  if is_holding(o) and is_frozen() then
    expires = string.format('null,"remaining_ms":%d,"expires_sale_ms":%d', math.max(0, o.expires - sale_ms), o.expires)
  elseif is_holding(o) then
    expires = string.format('%d,"remaining_ms":null,"expires_sale_ms":%d', o.expires + frozen_total_ms, o.expires)
  end
  return string.format('{%s,"state":"%s","expires_at_ms":%s,"refunds":%s,"seq":%d}', o.static, o.state, expires,
    refunds_json(o), o.seq)
end

-- The stock of an order's products, and the prices that were asked for.
local function seen_json(o)
  if not o.lines and not product(o.sku).parts then
    return string.format('"stock":[%s],"seen_price_minor":%d', stock_json(product(o.sku)), o.seen_minor)
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
  if kind == 'held' then redis.call('ZADD', base .. 'orders', o.seq, o.id) end
  local json = order_json(o)
  append('subject:' .. o.pid, 'order.' .. kind,
    string.format('{"order":%s,%s,"attempt":%d,"paid_by":%d}', json, seen_json(o), o.attempt, o.paid_by))
  return json
end

-- Count units of a line against the viewer's caps (of a bundle: also those of its parts) and the flash price's quota;
-- negative gives them back. What was won in an auction counts against none.
local function count(o, l, units)
  if o.lot then return end
  redis.call('HINCRBY', base .. 'bought:' .. l.sku, o.pid, units)
  if product(l.sku).parts then
    each_piece(l.sku, units, function(p, n) redis.call('HINCRBY', base .. 'bought:' .. p.sku, o.pid, n) end)
  end
  if l.flash == '' then return end
  redis.call('HINCRBY', base .. 'flashbought:' .. l.flash, o.pid, units)
  local used = redis.call('HINCRBY', base .. 'f:' .. l.flash, 'used', units)
  local p = product(l.sku)
  if p.flash_id == l.flash then
    p.flash_used = used
    redis.call('HSET', base .. 'p:' .. l.sku, 'flash_used', used)
  end
end

-- Move an order's units (all, or so many `units` of each line) between left, held and sold, and to or from what counts
-- against caps and quotas: each of the four is 1, 0 or -1.
local function move(o, left, held, sold, counted, units)
  local function take(p, n) shift(p, left * n, held * n, sold * n) end
  for i, l in ipairs(lines_of(o)) do
    local n = units and units[i] or l.quantity
    if n > 0 then
      if counted ~= 0 then count(o, l, counted * n) end
      each_piece(l.sku, n, take)
    end
  end
end

-- The first of the holds that are due: ids.
local function due_ids() return redis.call('ZRANGE', base .. 'holds', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, DUE_MAX) end

-- Due holds count as free here, too. With more of them than one script looks through, the flash price goes on: its
-- quota is kept by room_for, and the sweeper is about to come.
local function end_flash_if_used_up(p)
  local quantity, used = tonumber(p.flash_quantity), tonumber(p.flash_used)
  if not p.flash_id or not quantity or used < quantity then return end
  local ids = due_ids()
  for _, id in ipairs(ids) do
    for _, l in ipairs(lines_of(order(id))) do
      if l.flash == p.flash_id then used = used - l.quantity end
    end
  end
  if #ids < DUE_MAX and used >= quantity then end_flash(p, 'quantity') end
end

-- Undo a hold: the units go back on the shelf.
local function release(o, state)
  redis.call('ZREM', base .. 'holds', o.id)
  if o.lot and state == 'expired' then redis.call('HINCRBY', base .. 'lotunpaid', o.pid, 1) end
  move(o, 1, -1, 0, -1)
  become(o, state, state)
end
