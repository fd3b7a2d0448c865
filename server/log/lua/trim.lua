-- Trim what is archived, some of it at a time. arg: 1 the seq up to which, 2 the seal that the archive has of it (without
-- that very seal nothing is trimmed), 3 how many entries at most. The newest entry stays, for the stream to go on from, and
-- the seal, for the chain. → up to where the log is trimmed now
local upto = tonumber(arg(1))
local trimmed = tonumber(show.archived_seq) or 0
if upto <= trimmed then return {'ok', trimmed} end
local id = string.format('%d-0', upto)
local sealed = redis.call('XRANGE', base .. 'seals', id, id)[1]
if not sealed or sealed[2][2] ~= arg(2) then return refuse('not_sealed') end
local to = math.min(upto, trimmed + tonumber(arg(3)))
redis.call('XTRIM', base .. 'log', 'MINID', string.format('%d-0', math.min(to + 1, tonumber(show.seq))))
if to == upto then redis.call('XTRIM', base .. 'seals', 'MINID', id) end
set_show('archived_seq', to)
return {'ok', to}
