const range = (a, b) => () => a >= b ? undefined : a++;
const map = (it, f) => () => { const x = it(); return x === undefined ? undefined : f(x); };
const filter = (it, f) => () => { for (;;) { const x = it(); if (x === undefined || f(x)) return x; } };
const n = Number(process.argv[2]);
const it = map(filter(map(range(0, n), (i) => i * 3 + 1), (x) => x % 2 === 0), (x) => x / 2);
let sum = 0;
for (let x = it(); x !== undefined; x = it()) sum += x;
console.log(sum);
