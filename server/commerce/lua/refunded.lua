-- The gateway has given the money back. arg: 1 order id. The server alone calls this; a repeat changes nothing.
local o = order(arg(1))
if not o then return refuse('unknown_order') end
if o.state == 'refund_due' then
  redis.call('ZREM', base .. 'refunds', o.id)
  o.refunds = string.gsub(o.refunds, '"done_at_ms":null', string.format('"done_at_ms":%d', ts))
  become(o, 'refunded', 'refunded')
end
return {'ok', order_json(o)}
