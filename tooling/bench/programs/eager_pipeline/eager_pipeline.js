const n = Number(process.argv[2]);
let total = 0;
for (let round = 0; round < 5; round++) {
  const xs = Array.from({ length: n }, (_, i) => i).map((i) => i * 3 + 1).filter((x) => x % 2 === 0).map((x) => x / 2);
  total = xs.reduce((a, b) => a + b, total);
}
console.log(total);
