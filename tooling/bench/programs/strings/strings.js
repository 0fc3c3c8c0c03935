const n = Number(process.argv[2]);
let total = 0;
for (let round = 0; round < 5; round++) {
  let s = "";
  for (let i = 0; i < n; i++) s += "item " + i + ",";
  for (const field of s.split(",")) total += field.length;
}
console.log(total);
