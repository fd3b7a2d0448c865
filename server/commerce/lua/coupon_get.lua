-- reads
-- A coupon as whoever knows its code may see it. arg: 1 code.
local c = coupon(arg(1))
if not c then return refuse('unknown_coupon') end
return {'ok', coupon_json(c, false)}
