local function build(depth)
  if depth == 0 then return nil end
  local half = build(depth - 1)
  return { left = half, value = depth, right = half }
end

local function walk(tree)
  if tree then
    walk(tree.left)
    coroutine.yield(tree.value)
    walk(tree.right)
  end
end

local n = tonumber(arg[1] or 24)
local total = 0
for value in coroutine.wrap(function() walk(build(n)) end) do total = total + value end
print(string.format("%d", total))
