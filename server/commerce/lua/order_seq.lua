-- The seq of an order's newest entry, for whoever knows its id; writes nothing. arg: 1 order id. The entry tells the
-- products' stock, so while the show is on it is for products only whose stock everybody sees.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
for _, l in ipairs(lines_of(o)) do
  local attrs = cjson.decode(redis.call('HGET', base .. 'p:' .. l.sku, 'attrs'))
  if attrs.stock_display ~= 'exact' and show.state ~= 'ended' then return refuse('forbidden') end
end
return {'ok', o.seq}
