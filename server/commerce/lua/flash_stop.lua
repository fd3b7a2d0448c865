-- goes on when memory is full
-- End a flash price now, and whatever of it would follow. arg: 1 its id. One that is over already stays over.
if not authorise('flash') then return refuse('forbidden') end
local sku = redis.call('HGET', base .. 'f:' .. arg(1), 'sku')
if not sku then return refuse('unknown_flash') end

stop_flash(product(sku), arg(1))
return {'ok', show.seq}
