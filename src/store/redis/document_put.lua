-- document [, names of its kind, expiries of its kind]
-- expected version or '', new version, packed document, expiry or '', now, identifier
-- Answers 1 when it is written, by this call or by the same one before; 0 when another version is
-- there; -1 when what is there is not ours.
local LONGEST = 315360000000
local TRIM = 64
-- Names outlive their documents by this, so that rounding never has a name go first.
local LINGER = 1000

local there = redis.call('GET', KEYS[1])
local found = ''
if there then
  local expires = tonumber(string.sub(there, 17, 32), 16)
  found = string.sub(there, 1, 16)
  if #there < 32 or not tonumber(found, 16) or not expires then return -1 end
  if found == ARGV[2] then return 1 end
  if expires <= tonumber(ARGV[5]) then found = '' end
end
if found ~= ARGV[1] then return 0 end

local life = nil
if ARGV[4] ~= '' then life = math.min(tonumber(ARGV[4]) - tonumber(ARGV[5]), LONGEST) end
local id = ARGV[6]
if life and life <= 0 then
  redis.call('DEL', KEYS[1])
  if KEYS[2] then
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
  end
  return 1
end
if KEYS[2] then
  -- By the clock that lets documents expire, whatever the callers' clocks say.
  local time = redis.call('TIME')
  local clock = time[1] * 1000 + math.floor(time[2] / 1000)
  local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', clock, 'LIMIT', 0, TRIM)
  if #old > 0 then
    redis.call('ZREM', KEYS[2], unpack(old))
    redis.call('ZREM', KEYS[3], unpack(old))
  end
  redis.call('ZADD', KEYS[2], 0, id)
  if life then redis.call('ZADD', KEYS[3], clock + life + LINGER, id) else redis.call('ZREM', KEYS[3], id) end
end
if life then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', life)
else
  redis.call('SET', KEYS[1], ARGV[3])
end
return 1
