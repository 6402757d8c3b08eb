-- client
-- Gives the identifier of a retired client free; one that was added meanwhile stays.
if redis.call('HGET', 'tg:clients', ARGV[1]) == '' then redis.call('HDEL', 'tg:clients', ARGV[1]) end
return 1
