-- The price record of a product: for each price that was in force and is so no more, the last day of it, as far as a lower
-- price of the same day or later does not say more. So it has a price a day at most. price_record.py is the specification.

local RECORD_DAYS = 30 -- whole days after the one on which a price was in force last: never less than 30 · 24 h
local function today() return math.floor(ts / 86400000) end

-- A price counts from when one can buy at it.
local function is_on_offer() return show.state ~= 'scheduled' end

-- Keep that a price was in force until this day. → whether that says anything new
local function note_price(p, price_minor, until_day)
  if until_day < today() - RECORD_DAYS then return false end
  local key = base .. 'low:' .. p.sku
  local kept = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #kept, 2 do
    if tonumber(kept[i]) <= price_minor and tonumber(kept[i + 1]) >= until_day then return false end
  end
  for i = 1, #kept, 2 do
    local day = tonumber(kept[i + 1])
    if tonumber(kept[i]) >= price_minor and day <= until_day or day < today() - RECORD_DAYS then
      redis.call('ZREM', key, kept[i])
    end
  end
  redis.call('ZADD', key, until_day, string.format('%d', price_minor))
  return true
end

-- Take over what the seller's other shows say, 'price:day …'. → what of it is new, as JSON members for an entry ('' nothing)
local function take_record(p, record)
  local new = {}
  for price_minor, until_day in string.gmatch(record, '(%d+):(%d+)') do
    if note_price(p, tonumber(price_minor), tonumber(until_day)) then
      new[#new + 1] = '[' .. price_minor .. ',' .. until_day .. ']'
    end
  end
  return new[1] and ',"earlier_prices":[' .. table.concat(new, ',') .. ']' or ''
end

-- The lowest price that was in force in the last 30 days and is not now; nil when there was none.
local function lowest_before(p)
  local prices, lowest = redis.call('ZRANGE', base .. 'low:' .. p.sku, today() - RECORD_DAYS, '+inf', 'BYSCORE'), nil
  for i = 1, #prices do lowest = math.min(lowest or math.huge, tonumber(prices[i])) end
  return lowest
end
