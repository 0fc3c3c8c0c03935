local n = tonumber(arg[1])
local perm, perm1, count = {}, {}, {}
for i = 0, n - 1 do perm1[i] = i; perm[i] = 0; count[i] = 0 end
local max_flips, checksum, r, nperm = 0, 0, n, 0
while true do
  while r ~= 1 do count[r - 1] = r; r = r - 1 end
  for i = 0, n - 1 do perm[i] = perm1[i] end
  local flips = 0
  while perm[0] ~= 0 do
    local i, j = 0, perm[0]
    while i < j do
      perm[i], perm[j] = perm[j], perm[i]
      i = i + 1; j = j - 1
    end
    flips = flips + 1
  end
  if flips > max_flips then max_flips = flips end
  checksum = checksum + (nperm % 2 == 0 and flips or -flips)
  while true do
    if r == n then print(string.format("%d\nPfannkuchen(%d) = %d", checksum, n, max_flips)) os.exit(0) end
    local first = perm1[0]
    for i = 0, r - 1 do perm1[i] = perm1[i + 1] end
    perm1[r] = first
    count[r] = count[r] - 1
    if count[r] > 0 then break end
    r = r + 1
  end
  nperm = nperm + 1
end
