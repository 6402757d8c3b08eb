-- What the scripts about tokens share. Keys are described in layout.rs. Times and lives are milliseconds.
-- What a script comes upon beside its keys is of their place. While that place is moved to another master of a
-- cluster, asking for a key that is gone already fails the script: so each asks first and writes then.
local TRIM = 64
-- What names something outlives it by this, so that rounding never has a name go first.
local LINGER = 1000

local function hex(octets)
  local out = {}
  for i = 1, #octets do out[i] = string.format('%02x', octets[i]) end
  return table.concat(out)
end

-- Null, absent and empty are all "none"; an empty subject does not exist.
local function text(value)
  if type(value) == 'string' and value ~= '' then return value end
  return nil
end

-- The digest or the grant that a key ends with.
local function id_of(key) return string.match(key, '%x+$') end

-- The key of another part, of the same place.
local function beside(key, part, id)
  local head, place = string.match(key, '^(.*tg:)%l+(:{%w%w}:)')
  return head .. part .. place .. id
end

local function keep(key, life)
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, life) end
end

-- Adds to a set that is ordered by expiry; drops some members whose time is up, by the clock that lets keys
-- expire, whatever the callers' clocks say.
local function remember(key, member, life)
  local time = redis.call('TIME')
  local clock = time[1] * 1000 + math.floor(time[2] / 1000)
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

-- Notes what ended: its name, client and subject.
local function note(ended, name, client, subject)
  ended[#ended + 1] = name
  ended[#ended + 1] = client or ''
  ended[#ended + 1] = subject or ''
end

-- The client and the subject of an access token. A record that cannot be read has none.
local function whose(json)
  local readable, record = pcall(cjson.decode, json)
  if not readable or type(record) ~= 'table' then return nil, nil end
  return text(record.client_id), text(record.subject)
end

-- Ends one access token. A record that cannot be read is ended all the same.
local function end_access(key, ended)
  local json = redis.call('GET', key)
  if not json then return end
  redis.call('DEL', key)
  note(ended, 'a' .. id_of(key), whose(json))
end

-- Ends every token of a grant.
local function end_grant(family, access, refresh, ended)
  local owner = redis.call('HMGET', family, 'client', 'subject')
  local tokens, there = {}, {}
  for _, digest in ipairs(redis.call('ZRANGE', access, 0, -1)) do
    local key = beside(family, 'a', digest)
    local json = redis.call('GET', key)
    tokens[#tokens + 1] = key
    if json then there[#there + 1] = { 'a' .. digest, json } end
  end
  for _, digest in ipairs(redis.call('SMEMBERS', refresh)) do
    local key = beside(family, 'r', digest)
    redis.call('EXISTS', key)
    tokens[#tokens + 1] = key
  end
  for _, key in ipairs(tokens) do redis.call('DEL', key) end
  redis.call('DEL', family, access, refresh)
  for _, token in ipairs(there) do note(ended, token[1], whose(token[2])) end
  if text(owner[1]) then note(ended, 'g' .. id_of(family), text(owner[1]), text(owner[2])) end
end
