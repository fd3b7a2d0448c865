-- The sets of products, in no order; writes nothing. → each as JSON
if not authorise('edit_product') then return refuse('forbidden') end
return {'ok', unpack(redis.call('HVALS', base .. 'sets'))}
