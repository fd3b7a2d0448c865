-- goes on when memory is full
-- A publication has ended for good. arg: 1 worker, 2 publication.
local home = redis.call('GET', base .. 'media')
if not home then return {'ok', 0} end
local known = cjson.decode(home)
if known.worker ~= arg(1) or known.publication ~= arg(2) then return {'ok', 0} end
return {'ok', redis.call('DEL', base .. 'media')}
