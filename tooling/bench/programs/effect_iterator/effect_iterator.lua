local function numbers(high)
  for i = 0, high do coroutine.yield(i) end
end

local n = tonumber(arg[1] or 50000000)
local sum = 0
for x in coroutine.wrap(function() numbers(n) end) do sum = sum + x end
print(string.format("%d", sum))
