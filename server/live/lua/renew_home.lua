-- goes on when memory is full
-- The heartbeat of a publication. arg: 1 worker, 2 publication, 3 ms to live. → the worker that has the home.
local home = redis.call('GET', base .. 'media')
if home then
  local worker = cjson.decode(home).worker
  if worker ~= arg(1) then return {'ok', worker} end
end
redis.call('SET', base .. 'media', J('worker', arg(1), 'publication', arg(2)), 'PX', tonumber(arg(3)))
return {'ok', arg(1)}
