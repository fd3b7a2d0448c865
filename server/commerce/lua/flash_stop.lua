-- End a flash price now. arg: 1 its id. One that is over already stays over.
if not authorise('flash') then return refuse('forbidden') end
local sku = redis.call('HGET', base .. 'f:' .. arg(1), 'sku')
if not sku then return refuse('unknown_flash') end
local p = product(sku)

if p.flash_id == arg(1) then end_flash(p, has_flash(p) and 'stopped' or 'window') end
return {'ok', show.seq}
