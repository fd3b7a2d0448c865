-- Ask for an endpoint's next messages. arg: 1 name, 2 the worker, 3 for how many ms. → 0 nothing to do (or not yet, or
-- somebody else is at it), 1, the seq up to which it was told, tries of the next, the owner
local key = base .. 'hookstate:' .. arg(1)
local s, head = hash(key), tonumber(show.seq) or 0
local seq = math.min(tonumber(s.seq) or 0, head) -- a failover may have lost entries
if seq == head or s.gone or (tonumber(s.retry_at_ms) or 0) > ts then return {'ok', 0} end
if s.worker and s.worker ~= arg(2) and tonumber(s.until_ms) > ts then return {'ok', 0} end
redis.call('HSET', key, 'seq', seq, 'worker', arg(2), 'until_ms', ts + tonumber(arg(3)))
return {'ok', 1, seq, tonumber(s.tries) or 0, show.owner, ts}
