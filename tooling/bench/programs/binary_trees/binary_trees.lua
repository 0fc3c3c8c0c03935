local function make(d)
  if d == 0 then return { false, false } end
  return { make(d - 1), make(d - 1) }
end
local function check(n) return n[1] and 1 + check(n[1]) + check(n[2]) or 1 end
local max = tonumber(arg[1])
print("stretch " .. string.format("%d", check(make(max + 1))))
local keep = make(max)
for d = 4, max, 4 do
  local n, sum = 2 ^ (max - d + 4), 0
  for _ = 1, n do sum = sum + check(make(d)) end
  print(string.format("%d trees of depth %d: %d", n, d, sum))
end
print(string.format("kept %d", check(keep)))
