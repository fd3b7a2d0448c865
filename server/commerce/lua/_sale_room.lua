-- for: hold pay_begin settle cancel restock refund undo_flash lot_open lot_cancel sweep wait_join wait_leave draw_open draw_enter draw_award draw_cancel
-- Room for more: what a viewer may have yet, what is on the shelf, and due holds, which count as free.

-- Why nothing of these lines is sold to the actor now, or nil.
local function not_selling(lines)
  if banned(actor) then return refuse('banned') end
  if not authorise('buy') then return refuse(token_role == 'guest' and 'guests_closed' or 'forbidden') end
  if show.state ~= 'live' then return refuse('show_closed') end
  if show.sales_paused == '1' then return refuse('sales_paused') end
  for _, l in ipairs(lines) do
    if product(l.sku).off then return refuse_line('not_for_sale', lines, l) end
  end
end

-- Due holds count as free. Adds their lines up one by one, the longest due first, until short(want) finds no refusal any more;
-- free(want, order, line) says whether that made room. Returns the last refusal, or nil and the due orders that have to be
-- expired before anything else is written.
local function make_room(want, short, free)
  local no, due = short(want), {}
  if not no then return nil, due end
  local ids = due_ids()
  for _, id in ipairs(ids) do
    local o, made_room = order(id), false
    if is_holding(o) then
      for _, l in ipairs(lines_of(o)) do made_room = free(want, o, l) or made_room end
    end
    if made_room then
      due[#due + 1] = o
      no = short(want)
      if not no then return nil, due end
    end
  end
  return #ids == DUE_MAX and {'sweep'} or no
end

-- Room for more units of one product, as `make_room`.
local function make_room_in(p, short, free)
  return make_room(p, short, function(_, _, l)
    local made_room = false
    each_piece(l.sku, l.quantity, function(piece, units)
      if piece.sku ~= p.sku then return end
      free(units)
      made_room = true
    end)
    return made_room
  end)
end

-- What `room_for` looks for: how much of each product (`shelves`) and against each quota is asked for, and how much there is.
local function ask_shelf(p, units, want)
  local shelf, cap = want.shelves[p.sku], tonumber(p.per_viewer_max)
  if not shelf then
    shelf = {left = p.parts and math.huge or p.left - (want.in_turn and 0 or p.waiting), cap = cap, asked = 0,
      mine = cap and tonumber(redis.call('HGET', base .. 'bought:' .. p.sku, want.pid) or 0) or 0}
    want.shelves[p.sku] = shelf
  end
  shelf.asked = shelf.asked + units
end
local function ask_quota(keys, units, want)
  local f = want.quotas[keys[1]]
  if not f then
    local terms = redis.call('HMGET', base .. keys[1], 'quantity', 'used', 'per_viewer_max')
    f = {quantity = tonumber(terms[1]), used = tonumber(terms[2]), cap = tonumber(terms[3]), asked = 0,
      mine = tonumber(redis.call('HGET', base .. keys[2], want.pid) or 0)}
    want.quotas[keys[1]] = f
  end
  f.asked = f.asked + units
end

local function is_above_cap(shelf) return shelf.cap and shelf.mine + shelf.asked > shelf.cap end

-- The refusal by a cap or a quota of this line, or nil.
local function above_a_limit(want, l)
  local p, shelf, no = product(l.sku), want.shelves[l.sku], nil
  if is_above_cap(shelf) then return refuse_line('limit_reached', want.lines, l, 'limit', shelf.cap) end
  if p.parts then
    each_piece(l.sku, 1, function(part)
      local its = want.shelves[part.sku]
      if not no and is_above_cap(its) then
        no = refuse_line('limit_reached', want.lines, l, 'part', part.sku, 'limit', its.cap)
      end
    end)
    if no then return no end
  end
  for _, keys in ipairs(quotas_of(l)) do
    local f = want.quotas[keys[1]]
    if f.cap and f.mine + f.asked > f.cap then
      return refuse_line('limit_reached', want.lines, l, 'limit', f.cap, keys.coupon and 'coupon', keys.coupon)
    end
    if f.quantity and f.used + f.asked > f.quantity then
      return refuse_line(keys.coupon and 'coupon_used_up' or 'limit_reached', want.lines, l, 'limit',
        math.max(0, f.quantity - f.used))
    end
  end
end

local function note_scarce(p, each, want)
  local shelf = want.shelves[p.sku]
  if shelf.left < shelf.asked then
    want.scarce = math.min(want.scarce or shelf.left, math.floor(shelf.left / each))
  end
end

-- The caps and quotas of all lines, then the stock.
local function short_of(want)
  for _, l in ipairs(want.lines) do
    local no = above_a_limit(want, l)
    if no then return no end
  end
  want.scarce = nil
  for _, l in ipairs(want.lines) do
    each_piece(l.sku, 1, note_scarce, want)
    if want.scarce then return sold_out(want.lines, l, math.max(0, want.scarce)) end
  end
end

-- What a due hold gives back of what is wanted.
local function give_back(want, o, l)
  local mine, made_room = o.pid == want.pid and not o.lot, false
  for _, keys in ipairs(quotas_of(l)) do
    local f = want.quotas[keys[1]]
    if f then
      f.used, made_room = f.used - l.quantity, true
      if mine then f.mine = f.mine - l.quantity end
    end
  end
  local function back(p, units)
    local shelf = want.shelves[p.sku]
    if not shelf then return end
    shelf.left, made_room = shelf.left + units, true
    if mine then shelf.mine = shelf.mine - units end
  end
  if product(l.sku).parts then back(product(l.sku), l.quantity) end
  each_piece(l.sku, l.quantity, back)
  return made_room
end

-- Room for these lines (of different skus, each at flash price `flash`, '' none, and perhaps with a `coupon`) for this viewer, all or none: the caps and
-- quotas of all, then the stock. What people wait for is theirs, unless it is this viewer's turn (`in_turn`).
local function room_for(pid, lines, in_turn)
  local want = {pid = pid, lines = lines, in_turn = in_turn, shelves = {}, quotas = {}, scarce = nil}
  for _, l in ipairs(lines) do
    local p = product(l.sku)
    if p.parts then ask_shelf(p, l.quantity, want) end
    each_piece(l.sku, l.quantity, ask_shelf, want)
    for _, keys in ipairs(quotas_of(l)) do ask_quota(keys, l.quantity, want) end
  end
  return make_room(want, short_of, give_back)
end

local function expire_all(due)
  for _, o in ipairs(due) do release(o, 'expired') end
end
