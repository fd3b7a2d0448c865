-- goes on when memory is full
-- End the reduction of the whole show now. arg: 1 its id. One that is over already stays over.
if not authorise('flash') then return refuse('forbidden') end
if redis.call('HEXISTS', base .. 'showflashes', arg(1)) == 0 then return refuse('unknown_flash') end

stop_reduction(SHOW_FLASH, arg(1))
return {'ok', show.seq}
