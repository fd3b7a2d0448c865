-- reads
-- gives way: join
-- Where the actor stands on this show. → roles from membership, owner?, banned?, chat timeout's end
-- (server ms, 0 none), the show's guests setting, ts.
local members = actor ~= '' and redis.call('HGET', base .. 'members', actor) or ''
local until_ms = actor ~= '' and redis.call('HGET', base .. 'timeouts', actor) or 0
return {'ok', members or '', show.owner == actor and 1 or 0, banned(actor) and 1 or 0, tonumber(until_ms or 0) or 0,
  show.guests, ts}
