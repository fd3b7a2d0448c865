-- goes on when memory is full
-- End a campaign now. arg: 1 its id. One that is over already stays over.
if not authorise('flash') then return refuse('forbidden') end
if redis.call('HEXISTS', base .. 'campaigns', arg(1)) == 0 then return refuse('unknown_campaign') end

stop_reduction(CAMPAIGN, arg(1))
return {'ok', show.seq}
