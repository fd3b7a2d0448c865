-- reads
-- All coupons of a show, for staff.
if not authorise('flash') then return refuse('forbidden') end
local out = {'ok'}
for _, code in ipairs(redis.call('SMEMBERS', base .. 'coupons')) do out[#out + 1] = coupon_json(coupon(code), true) end
return out
