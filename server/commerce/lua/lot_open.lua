-- durable
-- Put one unit of a product up for auction. arg: 1 sku, 2 start_minor, 3 duration_ms, 4 steps (JSON rows), 5
-- soft_close_ms (0: sudden death), 6 by how much soft closes may lengthen it in all, 7 hold_ms of the winner, 8 the lot's
-- id, 9 its order's, 10 how many lots may be open. The unit is held while the lot is open.
if not authorise('auction') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(4), arg(5))
if again then return again end
local p, start_minor = product(arg(1)), tonumber(arg(2))
if not p then return refuse('unknown_sku') end
if show.state == 'ended' then return refuse('show_closed') end
if p.off then return refuse('not_for_sale') end
local floor = tonumber(p.floor_minor)
if floor and start_minor < floor then return refuse('below_floor', {'floor_minor', floor}) end
if redis.call('ZCARD', base .. 'lots') >= tonumber(arg(10)) then return refuse('too_many_lots') end
local left = p.left - p.waiting
local no, due = make_room_in(p, function()
  if left < 1 then return refuse('sold_out', {'left', math.max(0, left)}) end
end, function(units) left = left + units end)
if no then return no end

expire_all(due)
shift(p, -1, 1, 0)
local l = {id = arg(8), sku = p.sku, state = 'open', start_minor = start_minor, steps = arg(4), bids = 0,
  soft_close_ms = tonumber(arg(5)), ends = sale_ms + tonumber(arg(3)), next_minor = start_minor}
l.latest = l.ends + (l.soft_close_ms > 0 and tonumber(arg(6)) or 0)
redis.call('HSET', base .. 'l:' .. l.id, 'sku', l.sku, 'state', 'open', 'start_minor', start_minor, 'steps', l.steps,
  'soft_close_ms', l.soft_close_ms, 'ends', l.ends, 'latest', l.latest, 'bids', 0, 'next_minor', start_minor,
  'hold_ms', arg(7), 'order', arg(9))
redis.call('ZADD', base .. 'lots', l.ends, l.id)
local told = lot_json(l)
append('public', 'lot.opened', string.sub(told, 1, -2) .. ',"stock":[' .. stock_json(p) .. ']}', true)
give_turns()
return remember({'ok', told})
