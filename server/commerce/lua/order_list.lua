-- reads
-- A page of a show's orders, as they stand now, with their buyers: those that the asker is in charge of. arg: 1 'after' or
-- 'before', 2 the seq of an order's first entry from which to go on, 3 how many orders to look at, 4 the asker's subject.
-- Writes nothing. → the seq to go on from (0: that was all), then JSON of each
if not authorise('read_orders') then return refuse('forbidden') end
local from, most = '(' .. arg(2), tonumber(arg(3))
local rows
if arg(1) == 'after' then
  rows = redis.call('ZRANGE', base .. 'orders', from, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
else
  rows = redis.call('ZRANGE', base .. 'orders', from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES')
end
local out = {'ok', #rows == 2 * most and tonumber(rows[#rows]) or 0}
for i = 1, #rows, 2 do
  local o = order(rows[i])
  if is_in_charge(o, arg(4)) then
    out[#out + 1] = string.format('{"buyer":"%s","entry":%s,', o.pid, rows[i + 1]) .. string.sub(order_json(o), 2)
  end
end
return out
