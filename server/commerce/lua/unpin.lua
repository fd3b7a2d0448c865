-- goes on when memory is full
-- Take the pin away. With nothing pinned nothing happens.
if not authorise('pin') then return refuse('forbidden') end

local sku = show.pin
if sku and sku ~= '' then
  set_show('pin', '')
  append('public', 'product.unpinned', J('sku', sku), true)
end
return {'ok', show.seq}
