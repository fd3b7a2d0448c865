-- goes on when memory is full
-- durable
-- Take a lot back before its end; nobody buys it. arg: 1 its id, 2 the reason, which everybody is told.
if not authorise('auction') and not authorise('pause_sales') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local l = lot(arg(1))
if not l then return refuse('unknown_lot') end
if is_over(l) then return refuse('lot_closed') end

put_back(l, 'cancelled', 'lot.cancelled', {'reason', arg(2)})
redis.call('ZADD', base .. 'audit', show.seq, show.seq)
give_turns()
return remember({'ok', lot_json(l)})
