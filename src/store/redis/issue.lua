-- access digest, record, now, registration [, refresh digest, record]
-- Answers 0 when the client is of the store and no longer the one that has this registration.
local now = tonumber(ARGV[3])
local issued = cjson.decode(ARGV[2])
if issued.client_origin == 'Store' then
  local client = redis.call('HGET', 'tg:clients', issued.client_id)
  if not client or client == '' or hex(cjson.decode(client).registration) ~= ARGV[4] then return 0 end
end
if ARGV[5] then
  local record = cjson.decode(ARGV[6])
  local grant = hex(record.grant)
  local key = family_key(grant, 'f')
  redis.call('HSET', key, 'current', ARGV[5], 'access', ARGV[1], 'previous', '', 'rotated_at', 0,
    'expires_at', record.expires_at, 'client', record.client_id, 'subject', text(record.subject) or '')
  keep(key, math.min(record.expires_at - now, LONGEST))
  index(record.client_id, text(record.subject), 'g' .. grant, record.expires_at, now)
  put_refresh(ARGV[5], ARGV[6], now)
end
put_access(ARGV[1], ARGV[2], now)
return 1
