-- clients
-- client, registration
-- Answers whether the client has this registration.
local there = redis.call('HGET', KEYS[1], ARGV[1])
if not there or there == '' or hex(cjson.decode(there).registration) ~= ARGV[2] then return 0 end
return 1
