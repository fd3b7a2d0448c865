-- for: flash show_flash coupon_put
-- What a reduced price gives up, to be seen and confirmed by who asks for it.

-- So many units of a product may be sold at it: of those that are not sold, at most `most`.
local function units_at_stake(sku, most)
  each_piece(sku, 1, function(part, n) most = math.min(most, math.floor((part.left + part.held) / n)) end)
  return most
end
