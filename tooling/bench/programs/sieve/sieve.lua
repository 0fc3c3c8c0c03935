local ffi = require("ffi")
local n, total = tonumber(arg[1]), 0
for _ = 1, 20 do
  local composite = ffi.new("uint8_t[?]", n + 1)
  local i = 2
  while i * i <= n do
    if composite[i] == 0 then for j = i * i, n, i do composite[j] = 1 end end
    i = i + 1
  end
  for k = 2, n do if composite[k] == 0 then total = total + 1 end end
end
print(string.format("%d", total))
