function safe(q, d, qs) {
  for (; qs !== null; qs = qs.tail, d++) if (qs.head === q || qs.head === q + d || qs.head === q - d) return false;
  return true;
}
function extend(n, boards) {
  let out = null;
  for (; boards !== null; boards = boards.tail)
    for (let q = n; q >= 1; q--)
      if (safe(q, 1, boards.head)) out = { head: { head: q, tail: boards.head }, tail: out };
  return out;
}
const n = Number(process.argv[2]);
let boards = { head: null, tail: null }, count = 0;
for (let k = 0; k < n; k++) boards = extend(n, boards);
for (; boards !== null; boards = boards.tail) count++;
console.log(count);
