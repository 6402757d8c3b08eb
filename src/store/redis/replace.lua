-- clients
-- client, registration, version, record
-- Puts the record in the place of the client of that registration and version. Answers 1 when it is there, by this
-- call or by the same one before.
local there = redis.call('HGET', KEYS[1], ARGV[1])
if not there or there == '' then return 0 end
if there == ARGV[4] then return 1 end
local client = cjson.decode(there)
if hex(client.registration) ~= ARGV[2] or (client.version or 0) ~= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return 1
