const n = Number(process.argv[2]);
const perm = new Int32Array(n), perm1 = new Int32Array(n), count = new Int32Array(n);
for (let i = 0; i < n; i++) perm1[i] = i;
let maxFlips = 0, checksum = 0, r = n, nperm = 0;
outer: for (;;) {
  for (; r !== 1; r--) count[r - 1] = r;
  for (let i = 0; i < n; i++) perm[i] = perm1[i];
  let flips = 0;
  while (perm[0] !== 0) {
    for (let i = 0, j = perm[0]; i < j; i++, j--) { const t = perm[i]; perm[i] = perm[j]; perm[j] = t; }
    flips++;
  }
  if (flips > maxFlips) maxFlips = flips;
  checksum += (nperm & 1) === 0 ? flips : -flips;
  for (;;) {
    if (r === n) break outer;
    const first = perm1[0];
    for (let i = 0; i < r; i++) perm1[i] = perm1[i + 1];
    perm1[r] = first;
    if (--count[r] > 0) break;
    r++;
  }
  nperm++;
}
console.log(`${checksum}\nPfannkuchen(${n}) = ${maxFlips}`);
