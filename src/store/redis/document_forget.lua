-- document [, names of its kind, expiries of its kind]
-- identifier
-- Answers whether there was one.
local there = redis.call('DEL', KEYS[1])
if KEYS[2] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return there
