-- durable
-- gives way: price
-- Announce a campaign: reduced prices of a show's products between two instants of the server's clock, which a pause of the
-- show neither moves nor lengthens. arg: 1 percent off the list prices ('' by prices), 2 starts_at_ms, 3 ends_at_ms, 4 its id,
-- 5 skus (space separated, '' all) or prices (sku:price …), 6 confirmed ('1': what it may cost has been seen), 7 prices of the
-- sellers' other shows (JSON: sku → take_record), 8 title, 9 how far ahead it may start, 10 how late (then it starts now), 11
-- how short and 12 how long it may be (ms). A percentage goes no lower than a product's floor. The prices are fixed here.
if not authorise('flash') then return refuse('forbidden') end
local again = replayed(arg(1), arg(2), arg(3), arg(5), arg(6), arg(8))
if again then return again end
local starts, ends = tonumber(arg(2)), tonumber(arg(3))
if starts > ts + tonumber(arg(9)) or starts < ts - tonumber(arg(10)) then return refuse('bad_request', {'field', 'starts_at_ms'}) end
starts = math.max(starts, ts)
if ends - starts < tonumber(arg(11)) or ends - starts > tonumber(arg(12)) then return refuse('bad_request', {'field', 'ends_at_ms'}) end
if show.state == 'ended' then return refuse('show_closed') end
if has_reduction(CAMPAIGN) then return refuse('campaign_running') end
local percent = tonumber(arg(1))
local no, chosen, is_deep = choose(arg(5), percent, arg(6) == '1')
if no then return no end

local campaign = {id = arg(4), title = arg(8), percent = percent or '', starts = starts, ends = ends}
local told = start_reduction(CAMPAIGN, campaign, chosen, arg(7))
local announced = J('id', arg(4), 'title', arg(8), 'percent_off', percent or NULL, 'starts_at_ms', starts, 'ends_at_ms', ends,
  'confirmed', is_deep, 'prices', told)
append('public', 'price.campaign', announced)
return remember({'ok', show.seq, announced})
