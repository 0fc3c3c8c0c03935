local function map(xs, f) local out = {} for i = 1, #xs do out[i] = f(xs[i]) end return out end
local function filter(xs, f)
  local out = {}
  for i = 1, #xs do if f(xs[i]) then out[#out + 1] = xs[i] end end
  return out
end
local n, total = tonumber(arg[1]), 0
for _ = 1, 5 do
  local xs = {}
  for i = 1, n do xs[i] = i - 1 end
  xs = map(filter(map(xs, function(i) return i * 3 + 1 end), function(x) return x % 2 == 0 end), function(x) return x / 2 end)
  for i = 1, #xs do total = total + xs[i] end
end
print(string.format("%d", total))
