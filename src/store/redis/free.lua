-- clients
-- client
-- Gives the identifier of a retired client free; one that was added meanwhile stays.
if redis.call('HGET', KEYS[1], ARGV[1]) == '' then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
