-- reads
-- A draw as everybody may see it, and whether the actor has entered it (1). arg: 1 its id.
local d = draw(arg(1))
if not d then return refuse('unknown_draw') end
return {'ok', draw_json(d), actor ~= '' and redis.call('SISMEMBER', base .. 'entries:' .. d.id, actor) or 0}
