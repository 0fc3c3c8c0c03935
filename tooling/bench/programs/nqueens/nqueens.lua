local function safe(q, d, qs)
  while qs do
    local h = qs[1]
    if h == q or h == q + d or h == q - d then return false end
    qs = qs[2]; d = d + 1
  end
  return true
end
local function extend(n, boards)
  local out = nil
  while boards do
    for q = n, 1, -1 do
      if safe(q, 1, boards[1]) then out = { { q, boards[1] }, out } end
    end
    boards = boards[2]
  end
  return out
end
local n, count = tonumber(arg[1]), 0
local boards = { nil, nil }
for _ = 1, n do boards = extend(n, boards) end
while boards do count = count + 1; boards = boards[2] end
print(string.format("%d", count))
