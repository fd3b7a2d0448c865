-- durable
-- gives way: price
-- Create or change a product. arg: 1 sku, 2 price, 3 stock ('' not given), 4 per_viewer_max ('' none), 5 floor
-- ('' none), 6 cost ('' unknown), 7 seller ('' the owner), 8 commission_bps, 9 the other attributes (a JSON object that
-- everybody may see), 10 parts ('' no bundle), 11 hold policy ('' hold, pay_first, lottery), 12 how many products a show may have, 13 prices of the
-- seller's other shows (take_record). Stock is given once; later it changes
-- by restock.
if not authorise('edit_product') then return refuse('forbidden') end
local again = replayed(unpack(ARGV, 5, 16)) -- not what other shows say: that changes
if again then return again end
local price, stock, floor = tonumber(arg(2)), tonumber(arg(3)), tonumber(arg(5))
local p = product(arg(1))
if p and stock then return refuse('use_restock') end
if floor and price < floor then return refuse('below_floor', {'floor_minor', floor}) end
if not p then
  if redis.call('ZCARD', base .. 'skus') >= tonumber(arg(12)) then return refuse('too_many_products') end
elseif price ~= tonumber(p.list_price_minor) and why_fixed(p) then
  return refuse(why_fixed(p))
end
if p and is_policy_fixed(p, arg(11)) then return refuse('policy_pinned') end
local code, part = wrong_parts(arg(1), arg(10), arg(7) ~= '' and arg(7) or show.owner, {})
if code then return refuse(code, {'sku', part}) end

local public, put, is_new = put_product(arg(1), arg(2), arg(3), arg(4), arg(5), arg(6), arg(7), arg(8), arg(9), arg(10),
  arg(11), arg(13))
local counts = J('left', put.left, 'held', put.held, 'sold', put.sold)
return remember({'ok', is_new and 1 or 0, string.sub(public, 1, -2) .. ',' .. string.sub(counts, 2)})
