const make = (d) => d === 0 ? { left: null, right: null } : { left: make(d - 1), right: make(d - 1) };
const check = (n) => n.left === null ? 1 : 1 + check(n.left) + check(n.right);
const max = Number(process.argv[2]);
console.log(`stretch ${check(make(max + 1))}`);
const keep = make(max);
for (let d = 4; d <= max; d += 4) {
  const n = 1 << (max - d + 4);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += check(make(d));
  console.log(`${n} trees of depth ${d}: ${sum}`);
}
console.log(`kept ${check(keep)}`);
