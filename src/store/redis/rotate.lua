-- family, its access tokens, its refresh tokens, presented token, new access token, new refresh token
-- record, life, record, life, now, grace
-- Answers 'done', 'reused' or 'unknown', then what ended. Told twice it does it once: the new refresh token is
-- in the family by then.
local family, now, grace = KEYS[1], tonumber(ARGV[5]), tonumber(ARGV[6])
local presented, access, refresh = id_of(KEYS[4]), id_of(KEYS[5]), id_of(KEYS[6])
local was = redis.call('HMGET', family, 'current', 'access', 'previous', 'rotated_at', 'expires_at', 'replaced',
  'client', 'subject')
local answer = { 'done' }
if was[1] and redis.call('SISMEMBER', KEYS[3], refresh) == 1 then
  if text(was[6]) then note(answer, 'a' .. was[6], text(was[7]), text(was[8])) end
  return answer
end
local known = redis.call('SISMEMBER', KEYS[3], presented) == 1 and redis.call('EXISTS', KEYS[4]) == 1
if not was[1] or not known or tonumber(was[5]) <= now then return { 'unknown' } end

if presented == was[1] then
  redis.call('HSET', family, 'previous', presented, 'rotated_at', now)
  redis.call('HDEL', family, 'replaced')
elseif presented == was[3] and grace > 0 and now - tonumber(was[4]) <= grace then
  -- The lost refresh token stays known: whoever comes with it later ends the family.
  end_access(beside(family, 'a', was[2]), answer)
  redis.call('HSET', family, 'replaced', was[2])
else
  answer[1] = 'reused'
  end_grant(family, KEYS[2], KEYS[3], answer)
  return answer
end
redis.call('HSET', family, 'current', refresh, 'access', access)
put_refresh(KEYS[6], ARGV[3], tonumber(ARGV[4]), KEYS[3])
put_access(KEYS[5], ARGV[1], tonumber(ARGV[2]), KEYS[2])
return answer
