-- access token [, access tokens of its grant [, refresh token, family, refresh tokens of the family]]
-- record, life [, record, life, end of the grant, client, subject]
-- Told twice it writes the same: nobody has these tokens yet, so that nothing but their end can have come between.
if KEYS[3] and tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[4], 'current', id_of(KEYS[3]), 'access', id_of(KEYS[1]), 'previous', '', 'rotated_at', 0,
    'expires_at', ARGV[5], 'client', ARGV[6], 'subject', ARGV[7])
  keep(KEYS[4], tonumber(ARGV[4]))
  put_refresh(KEYS[3], ARGV[3], tonumber(ARGV[4]), KEYS[5])
end
put_access(KEYS[1], ARGV[1], tonumber(ARGV[2]), KEYS[2])
return 1
