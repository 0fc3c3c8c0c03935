local ffi = require("ffi")
ffi.cdef("void qsort(void *, size_t, size_t, int (*)(const int64_t *, const int64_t *));")
local n = tonumber(arg[1] or 2000000)
local numbers = ffi.new("int64_t[?]", n)
for i = 0, n - 1 do
  numbers[i] = i * 7919 % 1000003
end
local compare = ffi.cast("int (*)(const int64_t *, const int64_t *)", function(a, b)
  local x, y = a[0], b[0]
  if x < y then return -1 end
  return x > y and 1 or 0
end)
ffi.C.qsort(numbers, n, 8, ffi.cast("int (*)(const int64_t *, const int64_t *)", compare))
compare:free()
print(string.format("%d", tonumber(numbers[math.floor(n / 2)])))
