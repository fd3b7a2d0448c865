-- Note how far an endpoint was told. arg: 1 name, 2 the worker, 3 the seq up to which it was told before, 4 now, 5 tries of
-- the next message, 6 in how many ms it is tried, 7 why it failed, 8 a dead letter (JSON; '' none), 9 '1': it is gone,
-- 10 for how many ms the worker goes on (0: it has finished), 11 how many dead letters are kept.
-- → 0: it is not this worker's any more, or is to begin elsewhere: stop
local key = base .. 'hookstate:' .. arg(1)
local s = hash(key)
if s.worker ~= arg(2) or s.seq ~= arg(3) then return {'ok', 0} end
redis.call('HSET', key, 'seq', arg(4), 'tries', arg(5), 'retry_at_ms', ts + tonumber(arg(6)), 'error', arg(7),
  'until_ms', ts + tonumber(arg(10)))
if arg(9) == '1' then redis.call('HSET', key, 'gone', '1') end
if arg(8) ~= '' then
  redis.call('XADD', base .. 'hookdead:' .. arg(1), 'MAXLEN', '~', arg(11), '*', 'd', arg(8))
end
return {'ok', 1}
