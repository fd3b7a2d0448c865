-- durable
-- Enter a draw; once a person. arg: 1 its id, 2 how many entries one may have.
local d = draw(arg(1))
if not d then return refuse('unknown_draw') end
if banned(actor) then return refuse('banned') end
if not authorise('buy') then return refuse(token_role == 'guest' and 'guests_closed' or 'forbidden') end
if authorise('read_staff') or product(d.sku).seller == actor then return refuse('own_draw') end
local entries = base .. 'entries:' .. d.id
if redis.call('SISMEMBER', entries, actor) == 1 then return {'ok', draw_json(d), ts} end
if show.state ~= 'live' then return refuse('show_closed') end
if show.sales_paused == '1' then return refuse('sales_paused') end
if d.state ~= 'open' or d.ends <= sale_ms then return refuse('draw_closed') end
local p = product(d.sku)
if is_at_cap(p, actor) then return refuse('limit_reached', {'limit', tonumber(p.per_viewer_max)}) end
if redis.call('SCARD', entries) >= tonumber(arg(2)) then return refuse('draw_full', {'limit', tonumber(arg(2))}) end

redis.call('SADD', entries, actor)
append('subject:' .. actor, 'draw.entered', J('id', d.id, 'sku', d.sku))
return {'ok', draw_json(d), ts}
