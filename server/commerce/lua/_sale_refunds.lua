-- for: refund refunded settle sweep undo_flash order_get order_list
-- Money back, and who is in charge of an order.

-- What of an order has not been given back: minor units, and units of each line.
local function not_given_back(o)
  local amount, units = o.total_minor, {}
  for i, l in ipairs(lines_of(o)) do units[i] = l.quantity end
  for _, r in ipairs(o.refunds) do
    amount = amount - r.amount
    for i, n in ipairs(r.units) do units[i] = units[i] - n end
  end
  return amount, units
end

local function no_units(o)
  local units = {}
  for i in ipairs(lines_of(o)) do units[i] = 0 end
  return units
end

-- What so many units of each line cost.
local function price_of(o, units)
  local amount = 0
  for i, l in ipairs(lines_of(o)) do amount = amount + l.unit_minor * units[i] end
  return amount
end

-- Who has paid for something here, for those who ask whether somebody is a buyer. pid → paid orders.
local function count_buyer(o, orders)
  if redis.call('HINCRBY', base .. 'buyers', o.pid, orders) <= 0 then redis.call('HDEL', base .. 'buyers', o.pid) end
end

-- From now on this money is to go back; the reconciler sees to it until money_is_back.
local function money_is_due(o, amount, units, reason, restock)
  o.refunds[#o.refunds + 1] = {id = 'r' .. (#o.refunds + 1), amount = amount, units = units, restock = restock,
    reason = reason, due = ts}
  redis.call('ZADD', base .. 'refunds', ts, o.id)
end

-- Take a paid order back, or a part of it: its money is due, its units return to the shelf or are written off.
local function take_back(o, amount, units, reason, restock)
  money_is_due(o, amount, units, reason, restock)
  move(o, restock and 1 or 0, 0, -1, -1, units)
  if not_given_back(o) > 0 then return become(o, 'paid', 'part_refund_due') end
  count_buyer(o, -1)
  return become(o, 'refund_due', 'refund_due')
end

-- The refunds whose money is not back yet: id, amount, …
local function open_refunds(o)
  local out = {}
  for _, r in ipairs(o.refunds) do
    if not r.done then
      out[#out + 1] = r.id
      out[#out + 1] = r.amount
    end
  end
  return out
end

-- The money of these refunds (a set of ids) is back. Nothing happens before that is so for all that are open.
local function money_is_back(o, ids)
  local open = 0
  for _, r in ipairs(o.refunds) do
    if not r.done then
      if not ids[r.id] then return end
      open = open + 1
    end
  end
  if open == 0 then return end
  for _, r in ipairs(o.refunds) do r.done = r.done or ts end
  redis.call('ZREM', base .. 'refunds', o.id)
  if o.state == 'refund_due' then become(o, 'refunded', 'refunded') else become(o, o.state, 'part_refunded') end
end

-- Whether a seller who asks is in charge of what `seller` sells: what is somebody's own is nobody else's, but what the
-- owner sells every seller of the show may look after. `subject`: the asker's name, as a product may give it.
local function looks_after(seller, subject)
  return seller == show.owner or seller == actor or seller == subject or authorise('run_show')
end

local function is_in_charge(o, subject)
  return looks_after(cjson.decode('{' .. o.static .. '}').seller, subject)
end
