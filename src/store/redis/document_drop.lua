-- names of a kind, expiries of a kind, documents
-- their identifiers
-- Drops the names of those that are gone.
for i = 1, #ARGV do
  if redis.call('EXISTS', KEYS[i + 2]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return #ARGV
