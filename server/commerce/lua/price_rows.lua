-- reads
-- gives way: price
-- asks about: edit_product, flash
-- What a show says of the prices of some products. arg: 1 the action that the asker must be allowed ('' none),
-- then skus (none: all). → ts, currency, owner, 1 when the show is over, then for each that there is: sku, seller, and its price
-- record with what is in force now, 'price:day …'
if arg(1) ~= '' and not authorise(arg(1)) then return refuse('forbidden') end
local skus = {unpack(ARGV, 6)}
if not skus[1] then skus = redis.call('ZRANGE', base .. 'skus', 0, -1) end
local day = today()
if show.state == 'ended' then day = math.floor(tonumber(show.last_ts) / 86400000) end
local out = {'ok', ts, show.currency, show.owner, show.state == 'ended' and 1 or 0}
for _, sku in ipairs(skus) do
  local p = product(sku)
  if p then
    local said = {}
    local kept = redis.call('ZRANGE', base .. 'low:' .. sku, today() - RECORD_DAYS, '+inf', 'BYSCORE', 'WITHSCORES')
    for i = 1, #kept, 2 do said[#said + 1] = kept[i] .. ':' .. kept[i + 1] end
    local function now(price_minor) said[#said + 1] = string.format('%d:%d', price_minor, day) end
    if is_on_offer() then
      now(price_in_force(p))
      now(tonumber(p.list_price_minor))
      if p.flash_id and sale_ms >= tonumber(p.flash_starts_sale_ms) then now(tonumber(p.flash_price_minor)) end
      for _, r in ipairs(REDUCTIONS) do
        if show[r.id] and p[r.id] == show[r.id] and begun(r.now, show[r.starts], show[r.ends]) > 0 then
          now(tonumber(p[r.price]))
        end
      end
    end
    out[#out + 1] = {sku, p.seller, table.concat(said, ' ')}
  end
end
return out
