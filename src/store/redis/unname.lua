-- index
-- names of what has ended
redis.call('ZREM', KEYS[1], unpack(ARGV))
return 1
