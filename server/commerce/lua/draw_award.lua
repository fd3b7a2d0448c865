-- durable
-- Tell the seed of a draw that is closed, and give its units to whom it calls. arg: 1 its id, 2 the seed, then, in the order
-- in which the seed calls them, pid and the id of the order that it gets. Who is banned, or has all that the cap allows, is
-- passed over. The server alone calls this; that it called whom the seed calls is for everybody to check (draws.py).
local d = draw(arg(1))
if not d or d.state ~= 'closed' then return refuse('draw_closed') end

local p, winners, orders, passed = put_draw_back(d), {}, {}, {}
for i = 7, #ARGV, 2 do
  if #winners == d.units then break end
  local pid = ARGV[i]
  if banned(pid) or is_at_cap(p, pid) then
    passed[#passed + 1] = pid
  else
    winners[#winners + 1], orders[#orders + 1] = pid, ARGV[i + 1]
  end
end
local told = JA(winners)
become_draw(d, 'drawn', 'seed', arg(2), 'winners', told)
append('public', 'draw.drawn', J('id', d.id, 'sku', d.sku, 'seed', arg(2), 'winners', RAW(told),
  'passed', RAW(JA(passed)), 'stock', RAW('[' .. stock_json(p) .. ']')))
for i, pid in ipairs(winners) do
  local o = {id = orders[i], pid = pid, unit_minor = d.price_minor, seen_minor = d.price_minor, flash = '',
    hold_ms = d.hold_ms, draw = d.id}
  give(o, p, 0, reason_json('draw', d.id), {'draw', d.id})
end
give_turns()
return {'ok', #winners}
