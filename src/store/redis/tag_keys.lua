-- the keys of the tags
-- those that are expected, those to put in their place
-- Answers whether these are there now; a repetition changes nothing.
local there = redis.call('GET', KEYS[1])
if there == ARGV[2] then return 1 end
if there ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
