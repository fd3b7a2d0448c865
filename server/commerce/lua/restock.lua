-- durable
-- Change what is left by a difference. arg: 1 sku, 2 delta, 3 the most that a product may have in all.
if not authorise('restock') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local p, delta = product(arg(1)), tonumber(arg(2))
if not p then return refuse('unknown_sku') end
if p.parts then return refuse('bundle_has_no_stock') end
if p.left + p.held + p.sold + delta > tonumber(arg(3)) then return refuse('bad_request', {'field', 'delta'}) end
local left = p.left
local function short()
  if left + delta < 0 then return refuse('stock_underflow', {'left', left}) end
end
local no, due = make_room_in(p, short, function(units) left = left + units end)
if no then return no end

expire_all(due)
shift(p, delta, 0, 0)
local seq = append('staff', 'product.restocked',
  J('sku', p.sku, 'delta', delta, 'left', p.left, 'held', p.held, 'sold', p.sold, 'waiting', p.waiting))
give_turns()
return remember({'ok', string.format('%d', seq), stock_json(p)})
