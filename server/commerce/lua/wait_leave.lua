-- goes on when memory is full
-- durable
-- Leave the line for a product. arg: 1 sku. Works in every state of the show.
local p = product(arg(1))
if not p then return refuse('unknown_sku') end
if redis.call('ZSCORE', base .. 'wait:' .. p.sku, actor) then leave_without(p, actor, 'asked') end
return {'ok'}
