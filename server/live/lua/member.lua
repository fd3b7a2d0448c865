-- Set a subject's roles on this show. arg: 1 pid, 2 roles (comma separated, sorted; '' takes all away), 3 most members.
if not authorise('set_members') then return refuse('forbidden') end
local pid, roles = arg(1), arg(2)
local key = base .. 'members'
local had = redis.call('HGET', key, pid) or ''
if had == roles then return {'ok', tonumber(show.seq)} end
if had == '' and redis.call('HLEN', key) >= tonumber(arg(3)) then
  return refuse('limit_reached', {'limit', tonumber(arg(3))})
end
if roles == '' then redis.call('HDEL', key, pid) else redis.call('HSET', key, pid, roles) end
local names = {}
for role in string.gmatch(roles, '[^,]+') do names[#names + 1] = role end
return {'ok', append_audited('staff', 'member.set', J('subject', pid, 'roles', RAW(JA(names))))}
