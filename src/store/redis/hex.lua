-- Octets as a record has them, in hexadecimal.
local function hex(octets)
  local out = {}
  for i = 1, #octets do out[i] = string.format('%02x', octets[i]) end
  return table.concat(out)
end
