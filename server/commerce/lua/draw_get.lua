-- reads
-- A draw as everybody may see it. arg: 1 its id.
local d = draw(arg(1))
if not d then return refuse('unknown_draw') end
return {'ok', draw_json(d)}
