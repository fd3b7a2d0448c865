-- durable
-- gives way: price
-- Forget a set of products; the products stay. arg: 1 its id. One that is not there changes nothing.
if not authorise('edit_product') then return refuse('forbidden') end

if redis.call('HDEL', base .. 'sets', arg(1)) == 1 then append('staff', 'set.dropped', J('id', arg(1))) end
return {'ok'}
