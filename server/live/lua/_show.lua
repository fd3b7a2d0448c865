-- Shared by the scripts of a show's life and moderation.

-- After a change of state or of a flag: move the sale clock's freeze, tell everybody. → seq
local function announce(reason)
  refreeze()
  local fields = {'state', show.state, 'sales_paused', show.sales_paused == '1',
    'video_blanked', show.video_blanked == '1', 'frozen', is_frozen(), 'host_away', show.host_away == '1',
    'frozen_total_ms', frozen_total_ms, 'frozen_since_ms', is_frozen() and frozen_since_ms or NULL}
  if reason and reason ~= '' then
    fields[#fields + 1] = 'reason'
    fields[#fields + 1] = reason
  end
  return append('public', 'show.state', J(unpack(fields)))
end
