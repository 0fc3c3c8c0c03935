function build(depth) {
  if (depth === 0) return null;
  const half = build(depth - 1);
  return { left: half, value: depth, right: half };
}

function* walk(tree) {
  if (tree === null) return;
  yield* walk(tree.left);
  yield tree.value;
  yield* walk(tree.right);
}

const n = Number(process.argv[2] ?? 24);
let total = 0;
for (const value of walk(build(n))) total += value;
console.log(String(total));
