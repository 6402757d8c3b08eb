-- presented digest, grant, access digest, record, refresh digest, record, now, grace
-- Answers 'done', 'reused' or 'unknown', then the digests of the access tokens that ended.
local presented, grant = ARGV[1], ARGV[2]
local now, grace = tonumber(ARGV[7]), tonumber(ARGV[8])
local key = family_key(grant, 'f')
local family = redis.call('HMGET', key, 'current', 'access', 'previous', 'rotated_at', 'expires_at')
local known = redis.call('SISMEMBER', family_key(grant, 'r'), presented) == 1
  and redis.call('EXISTS', 'tg:r:' .. presented) == 1
if not family[1] or not known or tonumber(family[5]) <= now then return { 'unknown' } end

local answer = { 'done' }
if presented == family[1] then
  redis.call('HSET', key, 'previous', presented, 'rotated_at', now)
elseif presented == family[3] and grace > 0 and now - tonumber(family[4]) <= grace then
  -- The lost refresh token stays known: whoever comes with it later ends the family.
  if end_access(family[2]) then answer[2] = family[2] end
else
  answer[1] = 'reused'
  end_grant(grant, answer)
  return answer
end
redis.call('HSET', key, 'current', ARGV[5], 'access', ARGV[3])
put_refresh(ARGV[5], ARGV[6], now)
put_access(ARGV[3], ARGV[4], now)
return answer
