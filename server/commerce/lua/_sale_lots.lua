-- for: lot_open lot_bid lot_cancel lot_get sweep
-- What the scripts of an auction share: a lot, where it stands, its end. lots.py is the specification.

-- A bidder's maximum and the number of the bid that set it, as one score: of two equal ones the earlier is the higher.
local BID_SCALE = 65536
-- So many banned bidders at the top one script passes over.
local BANNED_MAX = 64
-- Who came second so often without a lot of their own may be there to drive prices.
local SECOND_MAX = 3

-- A lot's hash (keys.md) with its numbers as numbers; nil when there is none.
local function lot(id)
  local l = hash(base .. 'l:' .. id)
  if not l.sku then return nil end
  l.id = id
  for _, name in ipairs({'start_minor', 'ends', 'latest', 'soft_close_ms', 'bids', 'hold_ms', 'price_minor',
    'next_minor'}) do
    l[name] = tonumber(l[name])
  end
  return l
end

local function is_over(l) return l.state ~= 'open' or l.ends <= sale_ms end

local function step_at(l, price_minor)
  local step
  for _, row in ipairs(cjson.decode(l.steps)) do
    if row[1] <= price_minor then step = row[2] end
  end
  return step
end

-- Where the lot stands: the highest bidder {pid, max} (nil: no bids), the price, the least that a next bid may be, and
-- the second highest bidder. Who is banned does not count.
local function standing(l)
  local flat = redis.call('ZREVRANGE', base .. 'lotmax:' .. l.id, 0, BANNED_MAX + 1, 'WITHSCORES')
  local top = {}
  for i = 1, #flat, 2 do
    if #top < 2 and not banned(flat[i]) then
      top[#top + 1] = {pid = flat[i], max = math.floor(tonumber(flat[i + 1]) / BID_SCALE)}
    end
  end
  if not top[1] then return nil, nil, l.start_minor, nil end
  local price = l.start_minor
  if top[2] then price = math.min(top[1].max, top[2].max + step_at(l, top[2].max)) end
  return top[1], price, price + step_at(l, price), top[2]
end

-- What everybody may know of a lot, as it was told last.
local function lot_json(l)
  return J('id', l.id, 'sku', l.sku, 'state', l.state, 'start_minor', l.start_minor, 'steps', RAW(l.steps),
    'soft_close_ms', l.soft_close_ms, 'price_minor', l.price_minor or NULL, 'leader', l.leader or NULL,
    'next_minor', l.next_minor, 'bids', l.bids, 'ends_sale_ms', l.ends, 'latest_sale_ms', l.latest,
    'ends_at_ms', at_ms_or_null(l.ends), 'remaining_ms', remaining_or_null(l.ends))
end

-- Something that moderators should look at; nobody else is told.
local function signal(l, what, pid, times)
  append_audited('staff', 'lot.signal', J('lot', l.id, 'signal', what, 'subject', pid, 'times', times))
end

-- The lot is over: its unit goes back on the shelf, and the entry `kind` says so, with these members. → the product
local function put_back(l, state, kind, members)
  local p = product(l.sku)
  l.state = state
  redis.call('HSET', base .. 'l:' .. l.id, 'state', state, 'leader', l.leader or '', 'price_minor', l.price_minor or '')
  redis.call('ZREM', base .. 'lots', l.id)
  shift(p, 1, -1, 0)
  members[#members + 1], members[#members + 2] = 'stock', RAW('[' .. stock_json(p) .. ']')
  append('public', kind, J('id', l.id, 'sku', l.sku, unpack(members)))
  return p
end

-- The winner's order: a hold at the lot's price, whose unit comes from the shelf, where put_back has just laid it.
local function sell(l, p, winner)
  local o = {id = l.order, pid = winner.pid, unit_minor = l.price_minor, seen_minor = winner.max, flash = '', lot = l.id,
    hold_ms = l.hold_ms}
  give(o, p, 0, reason_json('lot', l.id), {'lot', l.id})
end

-- A lot whose time is over: sold to the highest bidder at the price that beats the second, or back on the shelf.
local function close_lot(l)
  local first, price, _, second = standing(l)
  l.leader, l.price_minor = first and first.pid, price
  local p = put_back(l, 'closed', 'lot.closed',
    {'winner', l.leader or NULL, 'price_minor', price or NULL, 'bids', l.bids})
  if not first then return end
  sell(l, p, first)
  redis.call('HINCRBY', base .. 'lotwins', first.pid, 1)
  if not second or redis.call('HEXISTS', base .. 'lotwins', second.pid) == 1 then return end
  local times = redis.call('HINCRBY', base .. 'lotseconds', second.pid, 1)
  if times >= SECOND_MAX then signal(l, 'second_again', second.pid, times) end
end
