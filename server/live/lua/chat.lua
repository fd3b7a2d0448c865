-- gives way: chat
-- chat: say one line. arg(1) text, arg(2) name, arg(3) '1' when the text is only emotes.
-- Replies {'ok', message id, ts}. Chat is not part of the log: it has its own capped stream and its own feed tag.
-- Staff may speak in every mode, also when chat is off: somebody must be able to say why.

local text, name, only_emotes = arg(1), arg(2), arg(3) == '1'
local KEPT_LINES = 500 -- for newcomers and for moderation

if actor == '' or not authorise('chat') then return refuse('forbidden') end
if banned(actor) then return refuse('banned') end
local until_ms = tonumber(redis.call('HGET', base .. 'timeouts', actor) or '0')
if until_ms > ts then return refuse('timed_out', {'retry_after_ms', until_ms - ts}) end

local bought = redis.call('HEXISTS', base .. 'buyers', actor) == 1
if not authorise('moderate_chat') then
  local mode = show.chat_mode
  if mode == 'off' then return refuse('chat_off') end
  if mode == 'buyers' and not bought then return refuse('buyers_only') end
  if mode == 'emotes' and not only_emotes then return refuse('emotes_only') end
  local slow_ms = (tonumber(show.slow_mode_s) or 0) * 1000
  if slow_ms > 0 then
    local said = base .. 'said:' .. actor
    local wait_ms = redis.call('PTTL', said)
    if wait_ms > 0 then return refuse('slow_mode', {'retry_after_ms', wait_ms}) end
    redis.call('SET', said, '1', 'PX', slow_ms)
  end
end

-- The role that pages show beside the name.
local SHOWN = {creator = true, producer = true, moderator = true, seller = true, admin = true}
local function shown_role()
  if show.owner == actor then return 'creator' end
  if SHOWN[token_role] then return token_role end
  for role in string.gmatch(redis.call('HGET', base .. 'members', actor) or '', '[^,]+') do
    if SHOWN[role] then return role end
  end
end

local line = {'subject', actor, 'name', name, 'text', text, 'ts', ts}
local function add(key, value) line[#line + 1], line[#line + 2] = key, value end
local role = shown_role()
if role then add('role', role) end
if bought then add('bought', true) end
local json = J(unpack(line))
local id = redis.call('XADD', base .. 'chat', 'MAXLEN', '~', KEPT_LINES, '*', 'm', json)
redis.call('SPUBLISH', KEYS[2], 'C{"id":"' .. id .. '",' .. string.sub(json, 2))
return {'ok', id, ts}
