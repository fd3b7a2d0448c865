-- for: coupon_put coupon_end coupon_get coupon_list hold
-- What the scripts of coupons share: a coupon, and what it makes of a price. A coupon's code is in upper case everywhere.

-- A coupon's hash (keys.md) with its numbers as numbers; nil when there is none.
local function coupon(code)
  local c = hash(base .. 'c:' .. code)
  if not c.code then return nil end
  for _, name in ipairs({'percent_off', 'amount_off_minor', 'quantity', 'used', 'per_viewer_max', 'expires_at_ms'}) do
    c[name] = tonumber(c[name])
  end
  return c
end

local function is_coupon_over(c) return c.ended == '1' or (c.expires_at_ms or math.huge) <= ts end

local function covers(c, sku) return c.skus == '' or string.find(' ' .. c.skus .. ' ', ' ' .. sku .. ' ', 1, true) ~= nil end

-- What a unit of product `p` at `price` costs with the coupon; nil where that would be below its floor, or no less.
local function with_coupon(c, p, price)
  local off = c.percent_off and math.floor(price * c.percent_off / 100)
    or math.min(math.max(0, price - 1), c.amount_off_minor) -- one minor unit stays
  if off == 0 or price - off < (tonumber(p.floor_minor) or 0) then return nil end
  return price - off
end

-- `everything`: with what staff alone may know.
local function coupon_json(c, everything)
  local skus = {}
  for sku in string.gmatch(c.skus, '%S+') do skus[#skus + 1] = sku end
  local told = J('code', c.code, 'percent_off', c.percent_off or NULL, 'amount_off_minor', c.amount_off_minor or NULL,
    'skus', #skus > 0 and RAW(JA(skus)) or NULL, 'per_viewer_max', c.per_viewer_max or NULL,
    'expires_at_ms', c.expires_at_ms or NULL, 'over', is_coupon_over(c))
  if not everything then return told end
  return string.sub(told, 1, -2) .. ',' .. string.sub(J('quantity', c.quantity or NULL, 'used', c.used), 2)
end
