-- goes on when memory is full
-- durable
-- Take a draw back that is not drawn; nobody wins. arg: 1 its id, 2 the reason, which everybody is told.
if not authorise('auction') and not authorise('pause_sales') then return refuse('forbidden') end
local again = replayed()
if again then return again end
local d = draw(arg(1))
if not d then return refuse('unknown_draw') end
if d.state ~= 'open' and d.state ~= 'closed' then return refuse('draw_closed') end

local p = put_draw_back(d)
become_draw(d, 'cancelled')
append_audited('public', 'draw.cancelled', J('id', d.id, 'sku', d.sku, 'reason', arg(2),
  'stock', RAW('[' .. stock_json(p) .. ']')))
give_turns()
return remember({'ok', draw_json(d)})
