-- What the scripts about tokens share. Keys are described in layout.rs. Times and lives are milliseconds.
local TRIM = 64
-- What names something outlives it by this, so that rounding never has a name go first.
local LINGER = 1000

-- The digest or the grant that a key ends with.
local function id_of(key) return string.match(key, '%x+$') end

local function keep(key, life)
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, life) end
end

local clock

-- Adds to a set that is ordered by expiry; drops some members whose time is up, by the clock that lets keys
-- expire, whatever the callers' clocks say.
local function remember(key, member, life)
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local old = redis.call('ZRANGEBYSCORE', key, '-inf', clock, 'LIMIT', 0, TRIM)
  if #old > 0 then redis.call('ZREM', key, unpack(old)) end
  redis.call('ZADD', key, string.format('%.0f', clock + life + LINGER), member)
  keep(key, life + LINGER)
end

local function put_access(key, json, life, known)
  if life <= 0 then return end
  redis.call('SET', key, json, 'PX', life)
  if known then remember(known, id_of(key), life) end
end

local function put_refresh(key, json, life, known)
  if life <= 0 then return end
  redis.call('SET', key, json, 'PX', life)
  redis.call('SADD', known, id_of(key))
  keep(known, life)
end
