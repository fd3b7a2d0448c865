-- goes on when memory is full
-- durable
-- Take back everything that was sold at a flash price, as far as one script goes: call again until nothing remains; the
-- sweeper does so, too. arg: 1 its id, 2 reason, 3 the asker's subject. The first call ends the price and gives the
-- reason. Answers: looked at, waiting (being paid), and in all: cancelled, refunds, remaining.
if not authorise('refund') then return refuse('forbidden') end
local flash = arg(1)
local sku = redis.call('HGET', base .. 'f:' .. flash, 'sku')
if not sku then return refuse('unknown_flash') end
local p = product(sku)
if not looks_after(redis.call('HGET', base .. 'p:' .. sku, 'seller'), arg(3)) then return refuse('unknown_flash') end

if not is_undone(flash) then
  redis.call('HSET', base .. 'f:' .. flash, 'undo_reason', arg(2))
  redis.call('ZADD', base .. 'undoing', ts, flash)
  append_audited('staff', 'price.undone', J('id', flash, 'sku', sku, 'reason', arg(2)))
  stop_flash(p, flash)
end
local looked, waiting = undo_some(flash, UNDO_MAX)
give_turns()
local sums = redis.call('HMGET', base .. 'f:' .. flash, 'undo_cancelled', 'undo_refunded')
return {'ok', looked, waiting, tonumber(sums[1]) or 0, tonumber(sums[2]) or 0,
  redis.call('ZCARD', base .. 'flashorders:' .. flash)}
