-- reads
-- Where sealing stands. → ts, the log's head, the newest seal ('' none), the show's state.
local newest = redis.call('XREVRANGE', base .. 'seals', '+', '-', 'COUNT', 1)[1]
return {'ok', ts, tonumber(show.seq) or 0, newest and newest[2][2] or '', show.state}
