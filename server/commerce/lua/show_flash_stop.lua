-- End the reduction of the whole show now. arg: 1 its id. One that is over already stays over.
if not authorise('flash') then return refuse('forbidden') end
if redis.call('HEXISTS', base .. 'showflashes', arg(1)) == 0 then return refuse('unknown_flash') end

if show.show_flash_id == arg(1) then end_show_flash(has_show_flash() and 'stopped' or 'window') end
return {'ok', show.seq}
