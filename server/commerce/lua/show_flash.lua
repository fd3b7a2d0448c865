-- durable
-- gives way: price
-- Announce one reduction in percent off the list prices of a show's products. arg: 1 percent, 2 duration_ms, 3 starts_in_ms,
-- 4 its id, 5 skus (space separated, '' all), 6 confirmed ('1': what it may cost has been seen), 7 prices of the sellers' other
-- shows (JSON: sku → take_record). Never below a product's floor: there it stops at the floor, and what would be no
-- reduction is left out. The prices are fixed here; products that come later are not in it.
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(5), arg(6))
if again then return again end
if show.state == 'ended' then return refuse('show_closed') end
if has_reduction(SHOW_FLASH) then return refuse('flash_running') end
local percent = tonumber(arg(1))
local no, chosen, is_deep = choose(arg(5), percent, arg(6) == '1')
if no then return no end

local starts = sale_ms + tonumber(arg(3))
local ends = starts + tonumber(arg(2))
local told = start_reduction(SHOW_FLASH, {id = arg(4), percent = percent, starts = starts, ends = ends}, chosen, arg(7))
local announced = J('id', arg(4), 'percent_off', percent, 'starts_at_ms', at_ms_or_null(starts), 'ends_at_ms',
  at_ms_or_null(ends), 'starts_sale_ms', starts, 'ends_sale_ms', ends, 'remaining_ms', remaining_or_null(ends),
  'confirmed', is_deep, 'prices', told)
append('public', 'price.show_flash', announced, true)
return remember({'ok', show.seq, announced})
