local n, total = tonumber(arg[1]), 0
for _ = 1, 5 do
  local parts = {}
  for i = 0, n - 1 do parts[#parts + 1] = string.format("item %d,", i) end
  local s = table.concat(parts)
  for field in s:gmatch("([^,]*),") do total = total + #field end
end
print(string.format("%d", total))
