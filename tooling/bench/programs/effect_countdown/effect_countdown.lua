-- Operations are what a coroutine yields, answers what it is resumed with.
local function countdown()
  while true do
    local n = coroutine.yield("get")
    if n == 0 then return "done", n end
    coroutine.yield("put", n - 1)
  end
end

local state = tonumber(arg[1] or 50000000)
local resume = coroutine.wrap(countdown)
local operation, value = resume()
while operation ~= "done" do
  if operation == "put" then state = value end
  operation, value = resume(state)
end
print(string.format("%d", value))
