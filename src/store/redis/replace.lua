-- client, registration, version, record
-- Puts the record in the place of the client of that registration and version; answers 0 when it is not there.
local there = redis.call('HGET', 'tg:clients', ARGV[1])
if not there or there == '' then return 0 end
local client = cjson.decode(there)
if hex(client.registration) ~= ARGV[2] or (client.version or 0) ~= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', 'tg:clients', ARGV[1], ARGV[4])
return 1
