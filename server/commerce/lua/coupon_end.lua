-- goes on when memory is full
-- durable
-- End a coupon: nobody buys with it any more, holds that were taken with it stay. arg: 1 code.
if not authorise('flash') then return refuse('forbidden') end
local c = coupon(arg(1))
if not c then return refuse('unknown_coupon') end
if c.ended ~= '1' then
  c.ended = '1'
  redis.call('HSET', base .. 'c:' .. c.code, 'ended', '1')
  append('staff', 'coupon.ended', J('code', c.code))
end
return {'ok', coupon_json(c, true)}
