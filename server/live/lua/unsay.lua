-- goes on when memory is full
-- Delete what a person who is being erased said in the chat. arg: 1 pid. Pages learn it as any deletion. → lines deleted
local ids = {}
for _, row in ipairs(redis.call('XRANGE', base .. 'chat', '-', '+')) do
  if cjson.decode(row[2][2]).subject == arg(1) then ids[#ids + 1] = row[1] end
end
if #ids == 0 then return {'ok', 0} end
append_audited('public', 'moderation', J('action', 'delete', 'message_ids', RAW(JA(ids))))
redis.call('XDEL', base .. 'chat', unpack(ids))
for _, id in ipairs(ids) do
  if id == show.pinned_message then set_show('pinned_message', '') end
end
return {'ok', #ids}
