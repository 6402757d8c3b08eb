-- The generic cell rate algorithm, by Redis's clock.
-- key; time that one takes, slack, in microseconds
-- Holds the moment up to which everything counted takes its time. Answers 1 when one more fits, else 0,
-- and how far ahead of now that moment is.
local every = tonumber(ARGV[1])
local slack = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local moment = tonumber(redis.call('GET', KEYS[1]) or '') or now
-- A clock that was put back must not hold anybody longer than a full count does.
local ahead = math.min(math.max(moment - now, 0), slack + every)
if ahead > slack then return { 0, ahead } end
ahead = ahead + every
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
return { 1, ahead }
