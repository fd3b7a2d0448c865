-- for: flash show_flash draw_open
-- What a reduced price gives up, to be seen and confirmed by who asks for it.

local DEEP_PERCENT = 70 -- a price that takes more off the list price has to be confirmed
local function takes_much(list, price) return (list - price) * 100 > list * DEEP_PERCENT end

-- So many units of a product may be sold at it: of those that are not sold, at most `most`.
local function units_at_stake(sku, most)
  each_piece(sku, 1, function(part, n) most = math.min(most, math.floor((part.left + part.held) / n)) end)
  return most
end
