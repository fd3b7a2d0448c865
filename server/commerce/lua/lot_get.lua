-- reads
-- A lot as everybody may see it. arg: 1 its id.
local l = lot(arg(1))
if not l then return refuse('unknown_lot') end
return {'ok', lot_json(l)}
