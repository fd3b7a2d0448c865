-- goes on when memory is full
-- durable
-- The gateway has given money back. arg: 1 order id, 2 … the ids of the refunds. The server alone calls this; a repeat
-- changes nothing.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
local ids = {}
for i = 6, #ARGV do ids[ARGV[i]] = true end
money_is_back(o, ids)
return {'ok', order_json(o)}
