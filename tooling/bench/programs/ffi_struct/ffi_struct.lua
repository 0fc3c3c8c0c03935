local ffi = require("ffi")
ffi.cdef("typedef struct { int quot, rem; } div_t; div_t div(int, int);")
local C = ffi.C
local n = tonumber(arg[1] or 50000000)
local total = 0
for i = 0, n - 1 do
  local parts = C.div(i, 7)
  total = total + parts.quot + parts.rem
end
print(string.format("%d", total))
