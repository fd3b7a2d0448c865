-- reads
-- One order as its buyer, or who is in charge of it, sees it. arg: 1 order id, 2 the asker's subject ('' only its
-- buyer may see it). Writes nothing.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
if o.pid ~= actor and not (arg(2) ~= '' and authorise('read_orders') and is_in_charge(o, arg(2))) then return refuse('unknown_order') end
return {'ok', order_json(o)}
