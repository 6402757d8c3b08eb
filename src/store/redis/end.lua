-- client, or ''; subject, or ''; then members as in the indexes: "a<digest>" and "g<grant>"
-- Ends those that are of this client and this subject. Answers the digests of the access tokens
-- that ended.
local any = ARGV[1] == '' and ARGV[2] == ''

local function matches(client, subject)
  return (ARGV[1] == '' or client == ARGV[1]) and (ARGV[2] == '' or subject == ARGV[2])
end

local function token_meant(digest)
  if any then return true end
  local json = redis.call('GET', 'tg:a:' .. digest)
  if not json then return false end
  local readable, record = pcall(cjson.decode, json)
  return readable and type(record) == 'table' and matches(text(record.client_id), text(record.subject))
end

local function grant_meant(grant)
  if any then return true end
  local family = redis.call('HMGET', family_key(grant, 'f'), 'client', 'subject')
  return matches(text(family[1]), text(family[2]))
end

local ended = {}
for i = 3, #ARGV do
  local kind, id = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
  if kind == 'a' then
    if token_meant(id) and end_access(id) then ended[#ended + 1] = id end
  elseif grant_meant(id) then
    end_grant(id, ended)
  end
end
return ended
