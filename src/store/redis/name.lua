-- indexes
-- what is named and its life, …, whether this may be the second time
-- What may be named a second time is named in capitals: whoever ended it after the first time drops the name of
-- that time, and may come late.
local again = ARGV[#ARGV] == '1'
for i = 1, #ARGV - 2, 2 do
  local name, life = ARGV[i], tonumber(ARGV[i + 1])
  if again then name = string.upper(string.sub(name, 1, 1)) .. string.sub(name, 2) end
  if life > 0 then
    for k = 1, #KEYS do remember(KEYS[k], name, life) end
  end
end
return 1
