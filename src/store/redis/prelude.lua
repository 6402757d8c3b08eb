-- What the scripts share. Digests and grants are hexadecimal; times are milliseconds.
--   tg:a:<digest>       record of an access token, gone when it expires
--   tg:r:<digest>       record of a refresh token, used or not
--   tg:{<grant>}:f      the family: current, access, previous, rotated_at, expires_at, client, subject
--   tg:{<grant>}:a, :r  digests of its access tokens (by expiry) and of its refresh tokens
--   tg:clients          clients by identifier, '' while the tokens of a removed one are being ended
--   tg:i:c:<client>, tg:i:s:<subject>   "a<digest>" and "g<grant>" by expiry
local LONGEST = 315360000000
local TRIM = 64

local function family_key(grant, part) return 'tg:{' .. grant .. '}:' .. part end

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

local function keep(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

-- Adds to a set that is ordered by expiry; drops some members whose time is up.
local function remember(key, member, expires_at, now)
  local old = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, TRIM)
  if #old > 0 then redis.call('ZREM', key, unpack(old)) end
  redis.call('ZADD', key, expires_at, member)
  keep(key, math.min(expires_at - now, LONGEST))
end

local function index(client, subject, member, expires_at, now)
  remember('tg:i:c:' .. client, member, expires_at, now)
  if subject then remember('tg:i:s:' .. subject, member, expires_at, now) end
end

local function unindex(client, subject, member)
  if client then redis.call('ZREM', 'tg:i:c:' .. client, member) end
  if subject then redis.call('ZREM', 'tg:i:s:' .. subject, member) end
end

local function put_access(digest, json, now)
  local record = cjson.decode(json)
  if record.expires_at <= now then return end
  redis.call('SET', 'tg:a:' .. digest, json, 'PX', math.min(record.expires_at - now, LONGEST))
  index(record.client_id, text(record.subject), 'a' .. digest, record.expires_at, now)
  if type(record.grant) == 'table' then
    remember(family_key(hex(record.grant), 'a'), digest, record.expires_at, now)
  end
end

local function put_refresh(digest, json, now)
  local record = cjson.decode(json)
  if record.expires_at <= now then return end
  local ttl = math.min(record.expires_at - now, LONGEST)
  local known = family_key(hex(record.grant), 'r')
  redis.call('SET', 'tg:r:' .. digest, json, 'PX', ttl)
  redis.call('SADD', known, digest)
  keep(known, ttl)
end

-- Ends one access token; whether there was one. A value that cannot be read is ended all the same.
local function end_access(digest)
  local json = redis.call('GET', 'tg:a:' .. digest)
  if not json then return false end
  redis.call('DEL', 'tg:a:' .. digest)
  local readable, record = pcall(cjson.decode, json)
  if readable and type(record) == 'table' then
    unindex(text(record.client_id), text(record.subject), 'a' .. digest)
    if type(record.grant) == 'table' then redis.call('ZREM', family_key(hex(record.grant), 'a'), digest) end
  end
  return true
end

-- Ends every token of a grant; adds the digests of the ended access tokens to `ended`.
local function end_grant(grant, ended)
  local family = redis.call('HMGET', family_key(grant, 'f'), 'client', 'subject')
  for _, digest in ipairs(redis.call('ZRANGE', family_key(grant, 'a'), 0, -1)) do
    if end_access(digest) then ended[#ended + 1] = digest end
  end
  for _, digest in ipairs(redis.call('SMEMBERS', family_key(grant, 'r'))) do
    redis.call('DEL', 'tg:r:' .. digest)
  end
  redis.call('DEL', family_key(grant, 'f'), family_key(grant, 'a'), family_key(grant, 'r'))
  unindex(text(family[1]), text(family[2]), 'g' .. grant)
end
