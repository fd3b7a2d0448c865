-- What the scripts of the sale share: a product's stock, an order's life, the caps, the end of a flash price.
-- The loader puts this between the prelude and every script beside it. model.py is the specification.

-- How many due holds one script looks through; when that is not enough it answers 'sweep' and nothing is written.
local DUE_MAX = 256

local function or_null(text) return tonumber(text) or NULL end

-- Products -----------------------------------------------------------------------------------------------------------

local products = {}

-- Asked for by name: the rest (attrs) is long and no rule looks at it; most products have no flash price now.
local PRODUCT_FIELDS = {'list_price_minor', 'price_version', 'left', 'held', 'sold', 'per_viewer_max', 'floor_minor',
  'seller', 'commission_bps', 'flash_id'}
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
    products[sku] = p
  end
  return p
end

local function stock_json(p)
  return string.format('{"sku":"%s","left":%d,"held":%d,"sold":%d}', p.sku, p.left, p.held, p.sold)
end

-- The refusal `sold_out` without the number where viewers may not know it: who asks for very many would learn it.
local function hide_left(p, sold_out)
  local display = cjson.decode(redis.call('HGET', base .. 'p:' .. p.sku, 'attrs')).stock_display
  if display == 'exact' or sold_out[3] == '{"left":0}' then return sold_out end
  return refuse('sold_out', {'left', NULL})
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
    'per_viewer_max', or_null(p.flash_per_viewer_max))
end

-- A flash price that is announced or running, not one whose window is over.
local function has_flash(p) return p.flash_id and tonumber(p.flash_ends_sale_ms) > sale_ms end

local function end_flash(p, reason)
  local id, version = p.flash_id, tonumber(p.flash_version) + 1
  redis.call('HDEL', base .. 'p:' .. p.sku, 'flash_id', 'flash_price_minor', 'flash_version', 'flash_starts_sale_ms',
    'flash_ends_sale_ms', 'flash_quantity', 'flash_used', 'flash_per_viewer_max')
  redis.call('HSET', base .. 'p:' .. p.sku, 'price_version', version)
  redis.call('ZREM', base .. 'flashes', p.sku)
  p.flash_id, p.price_version = nil, version
  append('public', 'price.ended', J('id', id, 'sku', p.sku, 'price_minor', tonumber(p.list_price_minor),
    'price_version', version, 'reason', reason))
end

local function end_flash_if_over(p)
  if p.flash_id and not has_flash(p) then end_flash(p, 'window') end
end

-- Orders -------------------------------------------------------------------------------------------------------------

-- An order's record is one string: a msgpack map of pid sku quantity unit_minor seen_minor total_minor flash ('' none)
-- lot (where it was won in an auction) state expires (sale-clock ms) extended attempt token (a print) paid_by refunds
-- (a list, see "Money back") static (JSON members that were frozen at the hold) seq. nil when there is no such order.
local function order(id)
  local record = redis.call('GET', base .. 'o:' .. id)
  if not record then return nil end
  local o = cmsgpack.unpack(record)
  o.id = id
  return o
end

local function is_holding(o) return o.state == 'held' or o.state == 'paying' end
local function is_due(o) return is_holding(o) and o.expires <= sale_ms end

-- Money back: each refund is {id, amount, units (that came back), restock, reason, due, done (nil: not yet)}.
local function refunds_json(o)
  local out = {}
  for i, r in ipairs(o.refunds) do
    out[i] = J('id', r.id, 'amount_minor', r.amount, 'quantity', r.units, 'restock', r.restock, 'reason', r.reason,
      'due_at_ms', r.due, 'done_at_ms', r.done or NULL)
  end
  return '[' .. table.concat(out, ',') .. ']'
end

-- What of an order has not been given back: minor units, units.
local function not_given_back(o)
  local amount, units = o.total_minor, o.quantity
  for _, r in ipairs(o.refunds) do
    amount, units = amount - r.amount, units - r.units
  end
  return amount, units
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

-- Give the order a state, keep its record, and write it to the log as order.<kind>. Returns it as JSON. Beside the order
-- the entry says what a verifier needs and the buyer does not: the price that was asked for, how many attempts to pay
-- there were, and which of them paid (0: none).
local function become(o, state, kind)
  o.state, o.seq = state, (tonumber(show.seq) or 0) + 1
  redis.call('SET', base .. 'o:' .. o.id, cmsgpack.pack(o))
  if kind == 'held' then redis.call('ZADD', base .. 'orders', o.seq, o.id) end
  local json = order_json(o)
  append('subject:' .. o.pid, 'order.' .. kind,
    string.format('{"order":%s,"stock":[%s],"seen_price_minor":%d,"attempt":%d,"paid_by":%d}', json,
      stock_json(product(o.sku)), o.seen_minor, o.attempt, o.paid_by))
  return json
end

-- Count units against the viewer's caps and the flash price's quota; negative gives them back. What was won in an
-- auction counts against none.
local function count(o, units)
  if o.lot then return end
  redis.call('HINCRBY', base .. 'bought:' .. o.sku, o.pid, units)
  if o.flash == '' then return end
  redis.call('HINCRBY', base .. 'flashbought:' .. o.flash, o.pid, units)
  local used = redis.call('HINCRBY', base .. 'f:' .. o.flash, 'used', units)
  local p = product(o.sku)
  if p.flash_id == o.flash then
    p.flash_used = used
    redis.call('HSET', base .. 'p:' .. o.sku, 'flash_used', used)
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
    local o = order(id)
    if o.flash == p.flash_id then used = used - o.quantity end
  end
  if #ids < DUE_MAX and used >= quantity then end_flash(p, 'quantity') end
end

-- Who has paid for something here, for those who ask whether somebody is a buyer. pid → paid orders.
local function count_buyer(o, orders)
  if redis.call('HINCRBY', base .. 'buyers', o.pid, orders) <= 0 then redis.call('HDEL', base .. 'buyers', o.pid) end
end

-- From now on this money is to go back; the reconciler sees to it until money_is_back.
local function money_is_due(o, amount, units, reason, restock)
  o.refunds[#o.refunds + 1] = {id = 'r' .. (#o.refunds + 1), amount = amount, units = units, restock = restock,
    reason = reason, due = ts}
  redis.call('ZADD', base .. 'refunds', ts, o.id)
end

-- Take a paid order back, or a part of it: its money is due, its units return to the shelf or are written off.
local function take_back(o, amount, units, reason, restock)
  money_is_due(o, amount, units, reason, restock)
  if units > 0 then
    count(o, -units)
    shift(product(o.sku), restock and units or 0, 0, -units)
  end
  if not_given_back(o) > 0 then return become(o, 'paid', 'part_refund_due') end
  count_buyer(o, -1)
  return become(o, 'refund_due', 'refund_due')
end

-- The refunds whose money is not back yet: id, amount, …
local function open_refunds(o)
  local out = {}
  for _, r in ipairs(o.refunds) do
    if not r.done then
      out[#out + 1] = r.id
      out[#out + 1] = r.amount
    end
  end
  return out
end

-- The money of these refunds (a set of ids) is back. Nothing happens before that is so for all that are open.
local function money_is_back(o, ids)
  local open = 0
  for _, r in ipairs(o.refunds) do
    if not r.done then
      if not ids[r.id] then return end
      open = open + 1
    end
  end
  if open == 0 then return end
  for _, r in ipairs(o.refunds) do r.done = r.done or ts end
  redis.call('ZREM', base .. 'refunds', o.id)
  if o.state == 'refund_due' then become(o, 'refunded', 'refunded') else become(o, o.state, 'part_refunded') end
end

-- Whether a seller who asks is in charge of what `seller` sells: what is somebody's own is nobody else's, but what the
-- owner sells every seller of the show may look after. `subject`: the asker's name, as a product may give it.
local function looks_after(seller, subject)
  return seller == show.owner or seller == actor or seller == subject or authorise('run_show')
end

local function is_in_charge(o, subject)
  return looks_after(cjson.decode('{' .. o.static .. '}').seller, subject)
end

-- Undo a hold: the units go back on the shelf.
local function release(o, state)
  redis.call('ZREM', base .. 'holds', o.id)
  if o.lot and state == 'expired' then redis.call('HINCRBY', base .. 'lotunpaid', o.pid, 1) end
  count(o, -o.quantity)
  shift(product(o.sku), o.quantity, -o.quantity, 0)
  become(o, state, state)
end

-- Room ---------------------------------------------------------------------------------------------------------------

-- Due holds count as free. Adds them up one by one, the longest due first, until short() finds no refusal any more.
-- Returns the last refusal, or nil and the due orders that have to be expired before anything else is written.
local function make_room(p, short, free)
  local no, due = short(), {}
  if not no then return nil, due end
  local ids = due_ids()
  for _, id in ipairs(ids) do
    local o = order(id)
    if o.sku == p.sku then
      due[#due + 1] = o
      free(o)
      no = short()
      if not no then return nil, due end
    end
  end
  return #ids == DUE_MAX and {'sweep'} or no
end

-- Room for `quantity` more units of `p` for this viewer, at flash price `flash` ('' none): caps, quota, then stock.
local function room_for(p, pid, quantity, flash)
  local left, cap = p.left, tonumber(p.per_viewer_max)
  local mine = cap and tonumber(redis.call('HGET', base .. 'bought:' .. p.sku, pid) or 0) or 0
  local f, flash_mine, flash_cap, flash_quantity, flash_used = nil, 0, nil, nil, 0
  if flash ~= '' then
    f = redis.call('HMGET', base .. 'f:' .. flash, 'quantity', 'used', 'per_viewer_max')
    flash_quantity, flash_used, flash_cap = tonumber(f[1]), tonumber(f[2]), tonumber(f[3])
    flash_mine = tonumber(redis.call('HGET', base .. 'flashbought:' .. flash, pid) or 0)
  end
  local function short()
    if cap and mine + quantity > cap then return refuse('limit_reached', {'limit', cap}) end
    if flash_cap and flash_mine + quantity > flash_cap then return refuse('limit_reached', {'limit', flash_cap}) end
    if flash_quantity and flash_used + quantity > flash_quantity then
      return refuse('limit_reached', {'limit', math.max(0, flash_quantity - flash_used)})
    end
    if left < quantity then return refuse('sold_out', {'left', left}) end
  end
  local function free(o)
    left = left + o.quantity
    if o.pid == pid then mine = mine - o.quantity end
    if f and o.flash == flash then
      flash_used = flash_used - o.quantity
      if o.pid == pid then flash_mine = flash_mine - o.quantity end
    end
  end
  return make_room(p, short, free)
end

local function expire_all(due)
  for _, o in ipairs(due) do release(o, 'expired') end
end
