-- for: draw_open draw_enter draw_award draw_cancel draw_get draw_entries sweep
-- What the scripts of a draw share: a draw, and its end. draws.py says who wins.

-- A draw's hash (keys.md) with its numbers as numbers; nil when there is none.
local function draw(id)
  local d = hash(base .. 'd:' .. id)
  if not d.sku then return nil end
  d.id = id
  for _, name in ipairs({'units', 'price_minor', 'ends', 'hold_ms'}) do d[name] = tonumber(d[name]) end
  return d
end

-- What everybody may know of a draw; the seed and who won once it is drawn.
local function draw_json(d)
  return J('id', d.id, 'sku', d.sku, 'state', d.state, 'units', d.units, 'price_minor', d.price_minor,
    'commitment', d.commitment, 'entries', redis.call('SCARD', base .. 'entries:' .. d.id), 'seed', d.seed or NULL,
    'winners', d.winners and RAW(d.winners) or NULL, 'ends_sale_ms', d.ends, 'ends_at_ms', at_ms_or_null(d.ends),
    'remaining_ms', remaining_or_null(d.ends))
end

-- Whether the cap forbids one more unit. A hold that is due counts until that is written, here and for who verifies.
local function is_at_cap(p, pid)
  local cap = tonumber(p.per_viewer_max)
  return cap and tonumber(redis.call('HGET', base .. 'bought:' .. p.sku, pid) or 0) >= cap
end

local function become_draw(d, state, ...)
  d.state = state
  redis.call('HSET', base .. 'd:' .. d.id, 'state', state, ...)
end

-- From now on nobody enters; the server that reads the entries next draws.
local function close_draw(d)
  become_draw(d, 'closed')
  redis.call('ZREM', base .. 'draws', d.id)
  redis.call('ZADD', base .. 'drawing', ts, d.id)
  append('public', 'draw.closed', J('id', d.id, 'sku', d.sku, 'entries', redis.call('SCARD', base .. 'entries:' .. d.id)))
end

-- The draw is over: its units go back on the shelf. → the product
local function put_draw_back(d)
  local p = product(d.sku)
  redis.call('ZREM', base .. 'draws', d.id)
  redis.call('ZREM', base .. 'drawing', d.id)
  shift(p, d.units, -d.units, 0)
  return p
end
