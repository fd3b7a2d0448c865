-- Keep a seal. Compare and set, so that any number of sealers may call it. arg: 1 the seq that the seal before it covers
-- (0 none), 2 the seq that this one covers, 3 the SHA-1 of that entry's bytes (a failover may have put another one in its
-- place), 4 the seal. → 1 kept, 0 somebody else was first.
local newest = redis.call('XREVRANGE', base .. 'seals', '+', '-', 'COUNT', 1)[1]
if (newest and newest[1] or '0-0') ~= arg(1) .. '-0' then return {'ok', 0} end
local id = arg(2) .. '-0'
local sealed = redis.call('XRANGE', base .. 'log', id, id)[1]
if not sealed or redis.sha1hex(sealed[2][2]) ~= arg(3) then return {'ok', 0} end
redis.call('XADD', base .. 'seals', id, 's', arg(4))
return {'ok', 1}
