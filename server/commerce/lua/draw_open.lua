-- durable
-- Open a draw for units of a product, which are held from now on. arg: 1 sku, 2 units, 3 price ('' the price in force), 4
-- how long one may enter (ms), 5 confirmed ('1': what the price gives up has been seen), 6 the draw's id, 7 the commitment
-- to its seed, 8 hold_ms of the winners, 9 how many draws may be open.
if not authorise('auction') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(4), arg(5))
if again then return again end
local p, units = product(arg(1)), tonumber(arg(2))
if not p then return refuse('unknown_sku') end
if show.state == 'ended' then return refuse('show_closed') end
if p.off then return refuse('not_for_sale') end
if p.parts then return refuse('bundle_has_no_stock') end
local list, price = tonumber(p.list_price_minor), tonumber(arg(3)) or (price_in_force(p))
local floor, cost = tonumber(p.floor_minor), tonumber(redis.call('HGET', base .. 'p:' .. p.sku, 'cost_minor'))
if floor and price < floor then return refuse('below_floor', {'floor_minor', floor}) end
if (takes_much(list, price) or cost and price < cost) and arg(5) ~= '1' then
  return refuse('confirm_required', {'price_minor', price, 'list_price_minor', list, 'units', units,
    'given_up_minor', units * math.max(0, list - price), 'loss_minor', cost and units * math.max(0, cost - price) or NULL})
end
local open = redis.call('ZCARD', base .. 'draws') + redis.call('ZCARD', base .. 'drawing')
if open >= tonumber(arg(9)) then return refuse('too_many_draws') end
local left = p.left - p.waiting
local no, due = make_room_in(p, function()
  if left < units then return refuse('sold_out', {'left', math.max(0, left)}) end
end, function(n) left = left + n end)
if no then return no end

expire_all(due)
shift(p, -units, units, 0)
local d = {id = arg(6), sku = p.sku, state = 'open', units = units, price_minor = price, commitment = arg(7),
  ends = sale_ms + tonumber(arg(4))}
redis.call('HSET', base .. 'd:' .. d.id, 'sku', d.sku, 'state', 'open', 'units', units, 'price_minor', price,
  'commitment', d.commitment, 'ends', d.ends, 'hold_ms', arg(8))
redis.call('ZADD', base .. 'draws', d.ends, d.id)
local told = draw_json(d)
append('public', 'draw.opened', string.sub(told, 1, -2) .. ',"stock":[' .. stock_json(p) .. ']}', true)
give_turns()
return remember({'ok', told})
