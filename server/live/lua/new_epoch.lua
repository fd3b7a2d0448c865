-- Entries were lost (a failover): begin a new epoch. Compare and set, so that any number of workers may call it.
-- arg: 1 the epoch that the caller knows, 2 the new one, 3 the last seq that the caller had seen.
if show.epoch ~= arg(1) then return {'ok', show.epoch} end
set_show('epoch', arg(2))
append('staff', 'epoch', J('epoch', arg(2), 'previous', arg(1), 'seen_seq', tonumber(arg(3))))
return {'ok', show.epoch}
