-- reads
-- The seq of an order's newest entry, for whoever knows its id. arg: 1 order id. The entry tells the
-- products' stock, so while the show is on it is for products only whose stock everybody sees.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
local secret = false
for _, l in ipairs(lines_of(o)) do
  each_piece(l.sku, 1, function(p)
    local attrs = cjson.decode(redis.call('HGET', base .. 'p:' .. p.sku, 'attrs'))
    secret = secret or attrs.stock_display ~= 'exact'
  end)
end
if secret and show.state ~= 'ended' then return refuse('forbidden') end
return {'ok', o.seq}
