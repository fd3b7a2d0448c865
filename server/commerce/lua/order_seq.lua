-- The seq of an order's newest entry, for whoever knows its id; writes nothing. arg: 1 order id.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
return {'ok', o.seq}
