-- grants
-- Answers the records of their refresh tokens that may be used.
local records = {}
for i = 1, #ARGV do
  local current = redis.call('HGET', family_key(ARGV[i], 'f'), 'current')
  local json = current and redis.call('GET', 'tg:r:' .. current)
  if json then records[#records + 1] = json end
end
return records
