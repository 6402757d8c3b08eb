-- families
-- Answers the records of their refresh tokens that may be used.
local records = {}
for i = 1, #KEYS do
  local current = redis.call('HGET', KEYS[i], 'current')
  local json = current and redis.call('GET', beside(KEYS[i], 'r', current))
  if json then records[#records + 1] = json end
end
return records
