const a = (i, j) => 1 / (((i + j) * (i + j + 1) >> 1) + i + 1);
function mul(n, v, out) { for (let i = 0; i < n; i++) { let s = 0; for (let j = 0; j < n; j++) s += a(i, j) * v[j]; out[i] = s; } }
function mulT(n, v, out) { for (let i = 0; i < n; i++) { let s = 0; for (let j = 0; j < n; j++) s += a(j, i) * v[j]; out[i] = s; } }
const n = Number(process.argv[2]);
const u = new Float64Array(n).fill(1), v = new Float64Array(n), t = new Float64Array(n);
for (let k = 0; k < 10; k++) { mul(n, u, t); mulT(n, t, v); mul(n, v, t); mulT(n, t, u); }
let vbv = 0, vv = 0;
for (let i = 0; i < n; i++) { vbv += u[i] * v[i]; vv += v[i] * v[i]; }
console.log(Math.sqrt(vbv / vv).toFixed(9));
