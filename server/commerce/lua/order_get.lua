-- One order as its buyer, or who may read the show's orders, sees it. arg: 1 order id. Writes nothing.
local o = order(arg(1))
if not o or (o.pid ~= actor and not authorise('read_orders')) then return refuse('unknown_order') end
return {'ok', order_json(o)}
