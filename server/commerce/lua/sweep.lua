-- goes on when memory is full
-- Write what time has brought about: due holds expire, windows of reductions that are over get their notice, lots and draws are
-- closed, undone flash prices are gone on with, those in line get what has come free. No arguments; any number of sweepers at once. Answers: expired, ended, more
-- (1: call again), quiet (1: this show will never need a sweep again), attempts to ask the gateway about ([order, n, 1
-- when its hold is still kept] …), refunds to be made ([order, the attempt that paid, [refund, amount_minor, …]] …), draws
-- that are closed and not drawn.
local LOTS_MAX = 32 -- each is three entries
local DRAWS_MAX = 16
local ids = redis.call('ZRANGE', base .. 'holds', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, DUE_MAX)
local skus = redis.call('ZRANGE', base .. 'flashes', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, DUE_MAX)
local lots = redis.call('ZRANGE', base .. 'lots', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, LOTS_MAX)
local draws = redis.call('ZRANGE', base .. 'draws', '-inf', sale_ms, 'BYSCORE', 'LIMIT', 0, DRAWS_MAX)
local attempts = redis.call('ZRANGE', base .. 'paying', '-inf', ts, 'BYSCORE', 'LIMIT', 0, 64)
local unfinished, refunds = {}, {}
for i, key in ipairs(attempts) do -- is what it would buy still kept for it?
  local id, n = string.match(key, '^(.*):(%d+)$')
  local o = order(id)
  local kept = o.paid_by == tonumber(n) or (o.state == 'paying' and o.attempt == tonumber(n) and not is_due(o))
  unfinished[i] = {id, tonumber(n), kept and 1 or 0}
end
for i, id in ipairs(redis.call('ZRANGE', base .. 'refunds', '-inf', ts, 'BYSCORE', 'LIMIT', 0, 64)) do
  local o = order(id)
  refunds[i] = {id, o.paid_by, open_refunds(o)}
end

for _, id in ipairs(ids) do release(order(id), 'expired') end
local ended = #skus + end_reductions(show.state == 'ended')
for _, sku in ipairs(skus) do end_flash(product(sku), 'window') end
for _, id in ipairs(lots) do close_lot(lot(id)) end
for _, id in ipairs(draws) do close_draw(draw(id)) end
for _, flash in ipairs(redis.call('ZRANGE', base .. 'undoing', 0, 3)) do undo_some(flash, UNDO_MAX / 4) end
local turns_left = give_turns()
local quiet = show.state == 'ended' and redis.call('EXISTS', base .. 'holds', base .. 'flashes', base .. 'lots', base .. 'draws',
  base .. 'drawing', base .. 'paying', base .. 'refunds', base .. 'undoing') == 0
local more = #ids == DUE_MAX or #skus == DUE_MAX or #lots == LOTS_MAX or turns_left
return {'ok', #ids, ended, more and 1 or 0, quiet and 1 or 0, unfinished, refunds,
  redis.call('ZRANGE', base .. 'drawing', 0, DRAWS_MAX - 1)}
