-- durable
-- Stand in line for one unit of a product that is sold out. arg: 1 sku, 2 the id that the order gets when its turn has come,
-- 3 how many may wait for one product. Who is in line stays where they are. Answers: place, all who wait.
local again = replayed(arg(1))
if again then return again end
local p = product(arg(1))
if not p then return refuse('unknown_sku') end
if banned(actor) then return refuse('banned') end
if not authorise('buy') then return refuse(token_role == 'guest' and 'guests_closed' or 'forbidden') end
if show.state ~= 'live' and show.state ~= 'paused' then return refuse('show_closed') end
if p.off then return refuse('not_for_sale') end
if p.hold_policy == 'lottery' then return refuse('lottery_only') end
if p.parts then return refuse('bundle_has_no_stock') end
local place = redis.call('ZRANK', base .. 'wait:' .. p.sku, actor)
if place then return remember({'ok', place + 1, p.waiting, ts}) end
if order(arg(2)) then return refuse('idempotency_conflict') end
local _, _, rule, flash = price_in_force(p)
local no = room_for(actor, {{sku = p.sku, quantity = 1, flash = rule == 'flash' and flash or ''}})
if not no then return refuse('in_stock') end
if no[2] ~= 'sold_out' then return no end
if p.waiting >= tonumber(arg(3)) then return refuse('waitlist_full', {'limit', tonumber(arg(3))}) end

p.waiting = p.waiting + 1
local joined = append('subject:' .. actor, 'waitlist.joined', J('sku', p.sku, 'place', p.waiting,
  'stock', RAW('[' .. stock_json(p) .. ']')))
redis.call('ZADD', base .. 'wait:' .. p.sku, joined, actor)
redis.call('HSET', base .. 'waitorder:' .. p.sku, actor, arg(2))
redis.call('HSET', base .. 'p:' .. p.sku, 'waiting', p.waiting)
redis.call('SADD', base .. 'waits', p.sku)
return remember({'ok', p.waiting, p.waiting, ts})
