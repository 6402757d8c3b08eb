-- filter, then members as in the indexes: "a<digest>" and "g<grant>"
-- Ends those that the filter means, and what cannot be read. Answers the digests of the access
-- tokens that ended.
local filter = cjson.decode(ARGV[1])
local any = filter.client_id == cjson.null and filter.subject == cjson.null

local function matches(client, subject)
  return (filter.client_id == cjson.null or client == filter.client_id)
    and (filter.subject == cjson.null or subject == filter.subject)
end

local function token_meant(digest)
  if any then return true end
  local json = redis.call('GET', 'tg:a:' .. digest)
  if not json then return false end
  local readable, record = pcall(cjson.decode, json)
  if not readable or type(record) ~= 'table' then return true end
  return matches(text(record.client_id), text(record.subject))
end

local function grant_meant(grant)
  if any then return true end
  local family = redis.call('HMGET', family_key(grant, 'f'), 'client', 'subject')
  return matches(text(family[1]), text(family[2]))
end

local ended = {}
for i = 2, #ARGV do
  local kind, id = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
  if kind == 'a' then
    if token_meant(id) and end_access(id) then ended[#ended + 1] = id end
  elseif grant_meant(id) then
    end_grant(id, ended)
  end
end
return ended
