const height = (n) => n === null ? 0 : n.height;
const node = (left, key, value, right) => ({ left, right, key, value, height: 1 + Math.max(height(left), height(right)) });
function balance(l, key, value, r) {
  if (height(l) > height(r) + 1) {
    if (height(l.left) >= height(l.right)) return node(l.left, l.key, l.value, node(l.right, key, value, r));
    const m = l.right;
    return node(node(l.left, l.key, l.value, m.left), m.key, m.value, node(m.right, key, value, r));
  }
  if (height(r) > height(l) + 1) {
    if (height(r.right) >= height(r.left)) return node(node(l, key, value, r.left), r.key, r.value, r.right);
    const m = r.left;
    return node(node(l, key, value, m.left), m.key, m.value, node(m.right, r.key, r.value, r.right));
  }
  return node(l, key, value, r);
}
function insert(n, key, value) {
  if (n === null) return node(null, key, value, null);
  if (key < n.key) return balance(insert(n.left, key, value), n.key, n.value, n.right);
  if (key > n.key) return balance(n.left, n.key, n.value, insert(n.right, key, value));
  return node(n.left, key, value, n.right);
}
function get(n, key) {
  while (n !== null) { if (key === n.key) return n.value; n = key < n.key ? n.left : n.right; }
  return 0;
}
const n = Number(process.argv[2]);
let map = null, sum = 0;
for (let i = 0; i < n; i++) map = insert(map, "key" + (i * 7919 % n), i);
for (let i = 0; i < n; i++) sum += get(map, "key" + i);
console.log(sum);
