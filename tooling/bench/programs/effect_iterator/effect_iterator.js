function* numbers(high) {
  for (let i = 0; i <= high; i++) yield i;
}

const n = Number(process.argv[2] ?? 50000000);
let sum = 0;
for (const x of numbers(n)) sum += x;
console.log(String(sum));
