-- goes on when memory is full
-- One act of moderation. arg: 1 action, 2 subject (pid), 3 seconds, 4 mode, 5 reason, 6 message ids (space separated);
-- '' where the action has none. Logged as `moderation`, followed by `show.state` where that changed.
-- asks about: moderate_chat, ban, pause_sales, blank_video, set_members
local action, subject, seconds, mode, reason = arg(1), arg(2), tonumber(arg(3)), arg(4), arg(5)

local PERMISSION = {ban = 'ban', unban = 'ban', pause_sales = 'pause_sales', resume_sales = 'pause_sales',
  blank_video = 'blank_video', show_video = 'blank_video'}
if not authorise(PERMISSION[action] or 'moderate_chat') then return refuse('forbidden') end
if banned(actor) then return refuse('banned') end
local again = replayed()
if again then return again end

local ids = {}
for id in string.gmatch(arg(6), '[^ ]+') do ids[#ids + 1] = id end

-- Nobody silences the owner, and only who appoints staff silences staff.
if action == 'ban' or action == 'timeout' then
  local roles = redis.call('HGET', base .. 'members', subject) or ''
  local is_staff = string.find(roles, 'creator', 1, true) or string.find(roles, 'producer', 1, true)
    or string.find(roles, 'moderator', 1, true)
  if subject == show.owner or (is_staff and not authorise('set_members')) then return refuse('forbidden') end
elseif action == 'pin_message' then
  if #redis.call('XRANGE', base .. 'chat', ids[1], ids[1]) == 0 then return refuse('unknown_message') end
end

local FLAG = {pause_sales = {'sales_paused', '1'}, resume_sales = {'sales_paused', '0'},
  blank_video = {'video_blanked', '1'}, show_video = {'video_blanked', '0'}}

local body = {'action', action}
local function say(name, value) body[#body + 1], body[#body + 2] = name, value end
if subject ~= '' then say('subject', subject) end
if action == 'delete' then say('message_ids', RAW(JA(ids))) end
if action == 'pin_message' then say('message_id', ids[1]) end
if seconds then say('seconds', seconds) end
if action == 'timeout' then say('until_ms', ts + seconds * 1000) end
if mode ~= '' then say('mode', mode) end
if reason ~= '' then say('reason', reason) end
local seq = append_audited('public', 'moderation', J(unpack(body)))

if action == 'delete' then
  redis.call('XDEL', base .. 'chat', unpack(ids))
  for _, id in ipairs(ids) do
    if id == show.pinned_message then set_show('pinned_message', '') end
  end
elseif action == 'timeout' then
  redis.call('HSET', base .. 'timeouts', subject, string.format('%d', ts + seconds * 1000))
elseif action == 'ban' then
  redis.call('HSET', base .. 'banned', subject, J('by', actor, 'reason', reason, 'ts', ts))
elseif action == 'unban' then
  redis.call('HDEL', base .. 'banned', subject)
elseif action == 'slow_mode' then
  set_show('slow_mode_s', seconds)
elseif action == 'chat_mode' then
  set_show('chat_mode', mode)
elseif action == 'pin_message' then
  set_show('pinned_message', ids[1])
else
  local flag = FLAG[action]
  if show[flag[1]] ~= flag[2] then
    set_show(flag[1], flag[2])
    announce(reason)
  end
end
return remember({'ok', seq})
