-- What the scripts that end tokens share. What they come upon beside their keys is of the same place. While that is
-- moved to another master of a cluster, asking for a key that is gone already fails the script: so each asks first
-- and writes then.
-- Null, absent and empty are all "none"; an empty subject does not exist.
local function text(value)
  if type(value) == 'string' and value ~= '' then return value end
  return nil
end

-- The key of another part, of the same place.
local function beside(key, part, id)
  local head, place = string.match(key, '^(.*tg:)%l+(:{%w%w}:)')
  return head .. part .. place .. id
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
