local function a(i, j) local s = i + j return 1 / (s * (s + 1) / 2 + i + 1) end
local function mul(n, v, out) for i = 0, n - 1 do local s = 0 for j = 0, n - 1 do s = s + a(i, j) * v[j] end out[i] = s end end
local function mul_t(n, v, out) for i = 0, n - 1 do local s = 0 for j = 0, n - 1 do s = s + a(j, i) * v[j] end out[i] = s end end
local n = tonumber(arg[1])
local u, v, t = {}, {}, {}
for i = 0, n - 1 do u[i] = 1 end
for _ = 1, 10 do mul(n, u, t) mul_t(n, t, v) mul(n, v, t) mul_t(n, t, u) end
local vbv, vv = 0, 0
for i = 0, n - 1 do vbv = vbv + u[i] * v[i] vv = vv + v[i] * v[i] end
print(string.format("%.9f", math.sqrt(vbv / vv)))
