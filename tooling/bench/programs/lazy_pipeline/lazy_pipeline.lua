local function range(a, b) return function() if a < b then a = a + 1 return a - 1 end end end
local function map(it, f) return function() local x = it() if x then return f(x) end end end
local function filter(it, f)
  return function()
    while true do
      local x = it()
      if not x or f(x) then return x end
    end
  end
end
local it = map(filter(map(range(0, tonumber(arg[1])), function(i) return i * 3 + 1 end),
  function(x) return x % 2 == 0 end), function(x) return x / 2 end)
local sum = 0
for x in it do sum = sum + x end
print(string.format("%d", sum))
