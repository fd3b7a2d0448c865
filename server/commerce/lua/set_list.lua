-- reads
-- The sets of products, in no order. → each as JSON
if not authorise('edit_product') then return refuse('forbidden') end
return {'ok', unpack(redis.call('HVALS', base .. 'sets'))}
