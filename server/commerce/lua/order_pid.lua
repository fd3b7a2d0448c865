-- reads
-- Whose order it is. arg: 1 order id. → pid
local o = order(arg(1))
return o and {'ok', o.pid} or refuse('unknown_order')
