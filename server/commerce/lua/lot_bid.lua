-- durable
-- Bid for a lot. arg: 1 its id, 2 the most that the bidder would pay, 3 how many bids a lot may have. The maximum goes
-- into the log for the bidder alone; everybody is told who leads at which price. The order of the checks is that of
-- lots.py.
local again = replayed()
if again then return again end
local l, max = lot(arg(1)), tonumber(arg(2))
if not l then return refuse('unknown_lot') end
if banned(actor) then return refuse('banned') end
if not authorise('buy') then return refuse(token_role == 'guest' and 'guests_closed' or 'forbidden') end
if authorise('read_staff') or product(l.sku).seller == actor then return refuse('own_lot') end
if show.state ~= 'live' then return refuse('show_closed') end
if show.sales_paused == '1' then return refuse('sales_paused') end
if is_over(l) then return refuse('lot_closed') end
local first, _, least = standing(l)
if first and first.pid == actor then least = first.max + 1 end
if max < least then return refuse('bid_too_low', {'next_minor', least}) end
if l.bids >= tonumber(arg(3)) then return refuse('limit_reached', {'limit', tonumber(arg(3))}) end

l.bids = l.bids + 1
redis.call('ZADD', base .. 'lotmax:' .. l.id, max * BID_SCALE + BID_SCALE - 1 - l.bids, actor)
if l.ends - sale_ms < l.soft_close_ms then
  l.ends = math.max(l.ends, math.min(sale_ms + l.soft_close_ms, l.latest))
  redis.call('ZADD', base .. 'lots', l.ends, l.id)
end
first, l.price_minor, l.next_minor = standing(l)
l.leader = first.pid
redis.call('HSET', base .. 'l:' .. l.id, 'bids', l.bids, 'ends', l.ends, 'price_minor', l.price_minor,
  'leader', l.leader, 'next_minor', l.next_minor)
append('subject:' .. actor, 'lot.max', J('id', l.id, 'max_minor', max))
local told = lot_json(l)
append('public', 'lot.bid', told)

-- Signs of somebody who drives a price up without meaning to buy.
local unpaid = tonumber(redis.call('HGET', base .. 'lotunpaid', actor) or 0)
if unpaid > 0 then signal(l, 'unpaid_before', actor, unpaid) end
if l.bids == 8 and redis.call('ZCARD', base .. 'lotmax:' .. l.id) == 2 then signal(l, 'only_two', actor, l.bids) end
return remember({'ok', ts, string.format('{"lot":%s,"leading":%s,"max_minor":%d}', told,
  tostring(l.leader == actor), max)})
