-- of each: access token, or family with its access tokens and its refresh tokens
-- filter, then 'a' or 'g' of each
-- Ends those that the filter means, and what cannot be read. Answers what ended. Told twice it ends nothing more.
local filter = cjson.decode(ARGV[1])
local any = filter.client_id == cjson.null and filter.subject == cjson.null

local function matches(client, subject)
  return (filter.client_id == cjson.null or client == filter.client_id)
    and (filter.subject == cjson.null or subject == filter.subject)
end

local function token_meant(key)
  if any then return true end
  local json = redis.call('GET', key)
  if not json then return false end
  local readable, record = pcall(cjson.decode, json)
  if not readable or type(record) ~= 'table' then return true end
  return matches(text(record.client_id), text(record.subject))
end

local function grant_meant(family)
  if any then return true end
  local owner = redis.call('HMGET', family, 'client', 'subject')
  return matches(text(owner[1]), text(owner[2]))
end

local ended, at = {}, 1
for i = 2, #ARGV do
  if ARGV[i] == 'a' then
    if token_meant(KEYS[at]) then end_access(KEYS[at], ended) end
    at = at + 1
  else
    if grant_meant(KEYS[at]) then end_grant(KEYS[at], KEYS[at + 1], KEYS[at + 2], ended) end
    at = at + 3
  end
end
return ended
