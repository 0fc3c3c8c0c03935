local ffi = require("ffi")
ffi.cdef("int toupper(int);")
local C = ffi.C
local n = tonumber(arg[1] or 100000000)
local total = 0
for i = 0, n - 1 do
  total = total + C.toupper(i % 128)
end
print(string.format("%d", total))
