const n = Number(process.argv[2]);
let total = 0;
for (let round = 0; round < 20; round++) {
  const composite = new Uint8Array(n + 1);
  for (let i = 2; i * i <= n; i++) if (composite[i] === 0) for (let j = i * i; j <= n; j += i) composite[j] = 1;
  for (let i = 2; i <= n; i++) if (composite[i] === 0) total++;
}
console.log(total);
