-- Prelude: joined by the loader in front of every script. It gives a body the show, the clocks, the permission and
-- ban checks, the price in force, and the one way to write the log. A body makes every check before its first write.
--
-- All of it is loaded once, as a function of the store (FUNCTION LOAD), so what stands at the top runs once, too: what
-- belongs to one run is set in `begin`, at the end, or by what a library puts into `at_begin`.
-- The loader generates before this:  SCRIPT (its name), ACTIONS (the roles that may do each action it asks about), KEYS, ARGV.
-- KEYS[1] = ls:{show}:show, KEYS[2] = ls:{show}:feed (channel); every other key is `base` .. name, in the same slot.
-- ARGV = actor pid, token role on this show, press_ms, idempotency key, then the script's own: arg(1), arg(2), …
-- A body returns {'ok', …} or refuse(code, {name, value, …}).

local base, actor, token_role, press_ms, idempotency_key
-- The show's fields as strings (see `read_show`); server time; the sale clock: server time less all frozen time, which stands still while the
-- show is frozen (since frozen_since_ms, 0 when it is not). TIME, and the server time that ts may not pass (0: any).
local show, ts, sale_ms, frozen_since_ms, frozen_total_ms, time, clock_limit_ms
local at_begin = {}

local function arg(i) return ARGV[4 + i] end

-- JSON. Numbers leave as integers (%d): cjson would round them to 14 digits.
local NULL = {}
local function RAW(json) return {raw = json} end
local function json_value(v)
  local kind = type(v)
  if kind == 'number' then return string.format('%d', v) end
  if kind == 'string' then return cjson.encode(v) end
  if kind == 'boolean' then return v and 'true' or 'false' end
  return kind == 'table' and v.raw or 'null'
end
local function J(...)
  local given, out = {...}, {}
  for i = 1, select('#', ...), 2 do
    out[#out + 1] = '"' .. given[i] .. '":' .. json_value(given[i + 1])
  end
  return '{' .. table.concat(out, ',') .. '}'
end
local function JA(values)
  local out = {}
  for i = 1, #values do out[i] = json_value(values[i]) end
  return '[' .. table.concat(out, ',') .. ']'
end

local function refuse(code, detail)
  return {'refused', code, detail and J(unpack(detail)) or '{}'}
end

-- A hash as a table of strings; empty when the key is missing.
local function hash(key)
  local flat, out = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do out[flat[i]] = flat[i + 1] end
  return out
end

local function is_frozen() return frozen_since_ms > 0 end

-- Every change of `show` but what `append` counts goes through here: name, value, …
local function set_show(...)
  local given = {...}
  for i = 1, #given, 2 do
    if type(given[i + 1]) == 'number' then given[i + 1] = string.format('%d', given[i + 1]) end
    show[given[i]] = given[i + 1]
  end
  redis.call('HSET', KEYS[1], unpack(given))
end

-- Call after a change of state, sales_paused, video_blanked or host_away. Sale time is continuous across it.
local function refreeze()
  local flagged = show.sales_paused == '1' or show.video_blanked == '1' or show.host_away == '1'
  local frozen = show.state == 'paused' or (show.state == 'live' and flagged)
  if frozen and frozen_since_ms == 0 then
    frozen_since_ms = ts
  elseif not frozen and frozen_since_ms > 0 then
    frozen_total_ms = frozen_total_ms + ts - frozen_since_ms
    frozen_since_ms = 0
  end
  set_show('frozen_since_ms', frozen_since_ms, 'frozen_total_ms', frozen_total_ms)
end

-- May the actor do this? Token role, membership, ownership; a guest as far as the show's `guests` setting goes.
local function authorise(action)
  local allowed = ACTIONS[action]
  if token_role == 'guest' then
    if allowed['guest:' .. (show.guests or '')] then return true end
  elseif allowed[token_role] then
    return true
  end
  if actor == '' then return false end
  if show.owner == actor and allowed.creator then return true end
  local member = redis.call('HGET', base .. 'members', actor)
  if member then
    for role in string.gmatch(member, '[^,]+') do
      if allowed[role] then return true end
    end
  end
  return false
end

local function banned(pid) return pid ~= '' and redis.call('HEXISTS', base .. 'banned', pid) == 1 end

-- How much of a window [starts, ends) has begun: 0 not yet, 1 it runs, 2 it is over.
local function begun(at, starts, ends)
  return at >= tonumber(ends) and 2 or at >= tonumber(starts) and 1 or 0
end

-- The reductions of a whole show: fields of the show and of a product in it, where the ids of all are kept, the entry that
-- ends it, and the time now on the clock of its window. A campaign is advertised outside the show and has no frame, so its
-- clock is the server's. Of two that run the last goes first.
local CAMPAIGN = {rule = 'campaign', id = 'campaign_id', starts = 'campaign_starts_ms', ends = 'campaign_ends_ms',
  percent = 'campaign_percent', title = 'campaign_title', price = 'campaign_price_minor',
  known = 'campaigns', ended = 'price.campaign_ended'}
local SHOW_FLASH = {rule = 'show_flash', id = 'show_flash_id', starts = 'show_flash_starts_sale_ms',
  ends = 'show_flash_ends_sale_ms', percent = 'show_flash_percent', title = 'show_flash_title', price = 'show_price_minor',
  known = 'showflashes', ended = 'price.show_ended'}
local REDUCTIONS = {CAMPAIGN, SHOW_FLASH}

-- The price of product `p` (its hash as a table) now: price_minor, version, and why: the rule that gave it and its id or nil;
-- then the lowest price that a reduction of it, announced or running, is taken off. A creator's flash price goes before a
-- reduction of the whole show, that before the list price. Each reduction reserves two versions, for its start and its end,
-- written or not. The twin is in commerce/pricing.py.
local function price_in_force(p)
  local price, version = tonumber(p.list_price_minor), tonumber(p.price_version) + (tonumber(show.price_steps) or 0)
  local has_flash_price = p.flash_id and p.flash_id ~= ''
  if not (has_flash_price or show.campaign_id or show.show_flash_id) then return price, version, 'list', nil, price end
  local rule, id, below = 'list', nil, nil
  local function reduce(step, by, its_id, its_price)
    version = version + step
    if step == 2 or not its_price then return end
    below = math.min(below or price, price)
    if step == 1 then price, rule, id = tonumber(its_price), by, its_id end
  end
  for _, r in ipairs(REDUCTIONS) do
    local its_id = show[r.id]
    if its_id then
      reduce(begun(r.now, show[r.starts], show[r.ends]), r.rule, its_id, p[r.id] == its_id and p[r.price])
    end
  end
  if has_flash_price then
    reduce(begun(sale_ms, p.flash_starts_sale_ms, p.flash_ends_sale_ms), 'flash', p.flash_id, p.flash_price_minor)
  end
  return price, version, rule, id, below or price
end
local function reason_json(rule, id) return '{"rule":"' .. rule .. '","id":' .. (id and '"' .. id .. '"' or 'null') .. '}' end

-- Write one log entry and publish it. audience: 'public', 'staff' or 'subject:<pid>'. With use_press the entry
-- applies at the frame of the press, when the press is believable. Returns its seq.
local function append(audience, kind, body_json, use_press)
  local seq, at_ms = (tonumber(show.seq) or 0) + 1, ts
  if use_press and press_ms and press_ms >= ts - 1500 and press_ms <= ts + 500 then at_ms = math.floor(press_ms) end
  local number, stamp = string.format('%d', seq), string.format('%d', ts)
  local entry = '{"seq":' .. number .. ',"prev_public":' .. (show.prev_public or '0') .. ',"audience":"' .. audience
    .. '","ts":' .. stamp .. ',"at_ms":' .. (at_ms == ts and stamp or string.format('%d', at_ms))
    .. ',"kind":"' .. kind .. '","actor":"' .. actor .. '","body":' .. body_json .. '}'
  redis.call('XADD', base .. 'log', number .. '-0', 'e', entry)
  show.seq, show.last_ts = number, stamp
  if audience == 'public' then
    show.prev_public = number
    redis.call('HSET', KEYS[1], 'seq', number, 'last_ts', stamp, 'prev_public', number)
  else
    redis.call('HSET', KEYS[1], 'seq', number, 'last_ts', stamp)
  end
  redis.call('SPUBLISH', KEYS[2], 'L' .. entry)
  return seq
end

-- An entry that the audit lists. → seq
local function append_audited(audience, kind, body_json)
  local seq = append(audience, kind, body_json)
  redis.call('ZADD', base .. 'audit', seq, string.format('%d', seq))
  return seq
end

-- Repeats of a POST (orders have their own record). `replayed(…)`: the remembered reply, a refusal when the key was
-- used for something else, or nil. What must be equal: the given values, or all own arguments when none is given
-- (give them when an argument is made up by the server). `remember(reply)` keeps it for 24 h and returns it.
local idempotency_print
local function replayed(...)
  if idempotency_key == '' then return nil end
  local parts = select('#', ...) > 0 and {...} or {unpack(ARGV, 5)}
  for i = 1, #parts do parts[i] = #parts[i] .. ':' .. parts[i] end
  idempotency_print = redis.sha1hex(SCRIPT .. ' ' .. table.concat(parts, ' '))
  local kept = redis.call('GET', base .. 'idem:' .. actor .. ':' .. idempotency_key)
  if not kept then return nil end
  local record = cmsgpack.unpack(kept)
  return record[1] == idempotency_print and record[2] or refuse('idempotency_conflict')
end
local function remember(reply)
  if idempotency_print then
    local record = cmsgpack.pack({idempotency_print, reply})
    redis.call('SET', base .. 'idem:' .. actor .. ':' .. idempotency_key, record, 'PX', 86400000)
  end
  return reply
end

-- The show as a table: what nearly every script looks at in one read, any other field when it is asked for. The names stand
-- twice, in one order, so that the table is made in its size: sixteen, as it would double for one more.
local SHOW_FIELDS = {'id', 'state', 'owner', 'currency', 'market', 'sales_paused', 'seq', 'prev_public', 'last_ts',
  'clock_offset_ms', 'clock_limit_ms', 'frozen_since_ms', 'frozen_total_ms', 'price_steps', 'campaign_id', 'show_flash_id'}
local is_read = {}
for i = 1, #SHOW_FIELDS do is_read[SHOW_FIELDS[i]] = true end -- ipairs is not there while this is loaded
local FIELD_BY_FIELD = {__index = function(_, name)
  return not is_read[name] and redis.call('HGET', KEYS[1], name) or nil
end}
local function read_show()
  local v = redis.call('HMGET', KEYS[1], unpack(SHOW_FIELDS))
  return setmetatable({id = v[1] or nil, state = v[2] or nil, owner = v[3] or nil, currency = v[4] or nil,
    market = v[5] or nil, sales_paused = v[6] or nil, seq = v[7] or nil, prev_public = v[8] or nil, last_ts = v[9] or nil,
    clock_offset_ms = v[10] or nil, clock_limit_ms = v[11] or nil, frozen_since_ms = v[12] or nil,
    frozen_total_ms = v[13] or nil, price_steps = v[14] or nil, campaign_id = v[15] or nil, show_flash_id = v[16] or nil},
    FIELD_BY_FIELD)
end

-- Every run begins here. → a refusal, or nil
local function begin()
  base = string.sub(KEYS[1], 1, -5)
  actor, token_role, press_ms, idempotency_key = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
  idempotency_print = nil
  show = read_show()
  if not show.id and SCRIPT ~= 'create' then return refuse('unknown_show') end

  -- Server time never runs back, and never past what a clock watcher has confirmed (see clock.py).
  time, clock_limit_ms = redis.call('TIME'), tonumber(show.clock_limit_ms) or 0
  ts = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + (tonumber(show.clock_offset_ms) or 0)
  if clock_limit_ms > 0 and ts > clock_limit_ms then ts = clock_limit_ms end
  if ts < (tonumber(show.last_ts) or 0) then ts = tonumber(show.last_ts) end
  frozen_since_ms, frozen_total_ms = tonumber(show.frozen_since_ms) or 0, tonumber(show.frozen_total_ms) or 0
  sale_ms = (frozen_since_ms > 0 and frozen_since_ms or ts) - frozen_total_ms
  CAMPAIGN.now, SHOW_FLASH.now = ts, sale_ms
  for _, r in ipairs(REDUCTIONS) do -- once, for every product is asked about them
    if show[r.id] then
      local window = redis.call('HMGET', KEYS[1], r.starts, r.ends)
      show[r.starts], show[r.ends] = window[1], window[2]
    end
  end
  for _, set in ipairs(at_begin) do set() end
end
