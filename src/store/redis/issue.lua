-- access digest, record, now [, refresh digest, record]
local now = tonumber(ARGV[3])
if ARGV[4] then
  local record = cjson.decode(ARGV[5])
  local grant = hex(record.grant)
  local key = family_key(grant, 'f')
  redis.call('HSET', key, 'current', ARGV[4], 'access', ARGV[1], 'previous', '', 'rotated_at', 0,
    'expires_at', record.expires_at, 'client', record.client_id, 'subject', text(record.subject) or '')
  keep(key, math.min(record.expires_at - now, LONGEST))
  index(record.client_id, text(record.subject), 'g' .. grant, record.expires_at, now)
  put_refresh(ARGV[4], ARGV[5], now)
end
put_access(ARGV[1], ARGV[2], now)
return 1
