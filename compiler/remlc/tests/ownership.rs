//! Updates happen in place: programs that would copy an array, or grow the stack, at every step end within seconds.

mod support;

use std::time::{Duration, Instant};

/// Far more than any of them needs, and far less than copying takes.
const LIMIT: Duration = Duration::from_secs(15);

/// In bytes: enough for what nests, far too little for what should not.
const STACK: &str = "1000000";

/// Runs a program in both modes; it prints `expected`.
fn check(source: &str, expected: &str) {
    check_in(&[&["run"], &["run", "--release"]], source, expected);
}

fn check_in(modes: &[&[&str]], source: &str, expected: &str) {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    std::fs::write(&file, source).expect("the scratch directory can be written");
    for mode in modes {
        let start = Instant::now();
        let mut command = support::remlc();
        command.env("REML_STACK_SIZE", STACK).args(*mode).arg(&file);
        let ran = support::run(&mut command, "").expect("runs");
        assert_eq!((ran.stdout.trim(), ran.exit), (expected, Some(0)), "{mode:?}: {}", ran.stderr);
        assert!(start.elapsed() < LIMIT, "{mode:?} took {:?}", start.elapsed());
    }
}

#[test]
fn a_field_is_updated_in_its_record() {
    check(
        "struct S { xs: [Int], n: Int }
fn push(s: &mut S, i: Int) {
  s.xs.push(i)
  s.n := s.n + 1
}
impl S {
  fn double(&mut self, i: Int) {
    self.xs[i] := self.xs[i] * 2
  }
}
fn main() -> Int = {
  var s = S { xs: [], n: 0 }
  var pair = ([0], 1)
  for i in 0..200000 {
    push(&mut s, i)
    s.xs.push(i)
    pair.0.push(i)
  }
  for i in 0..200000 {
    s.double(i)
    s.xs[i] := s.xs[i] + 1
    pair.0[i] := i
  }
  s.xs[199999] + s.n + pair.0[199999]
}
",
        "599998",
    );
}

/// The function is inlined, loop and all: the reads of the other fields end up behind the loop.
#[test]
fn a_field_goes_through_a_function_and_back() {
    check(
        "struct B { xs: [Int], a: Int, b: Int, c: Int, d: Int, e: Int }
struct Outer { inner: B, n: Int, m: Map<Int, Int> }
fn bump(xs: [Int], i: Int) -> [Int] = {
  var ys = xs
  for k in i..i + 1 { ys[k] := ys[k] + 1 }
  ys
}
fn step(b: &mut B, i: Int) {
  b.xs := bump(b.xs, i)
}
fn main() -> Int = {
  var b = B { xs: Array.filled(200000, 1), a: 1, b: 2, c: 3, d: 4, e: 5 }
  var o = Outer { inner: B { xs: Array.filled(200000, 1), a: 1, b: 2, c: 3, d: 4, e: 5 }, n: 0, m: Map.empty() }
  for i in 0..200000 {
    b.xs := bump(b.xs, i)
    b.a := b.a + 1
    step(&mut b, i)
    o.inner.xs := bump(o.inner.xs, i)
    step(&mut o.inner, i)
    o.m := o.m.insert(i % 10, i)
  }
  b.xs[199999] + b.a + o.inner.xs[7] + o.m.len()
}
",
        "200017",
    );
}

#[test]
fn an_element_goes_through_a_function_and_back() {
    check(
        "struct S { xs: [Int], n: Int }
struct T { rows: [S], n: Int }
fn bump(xs: [Int], i: Int) -> [Int] = {
  var ys = xs
  ys[i] := ys[i] + 1
  ys
}
fn main() -> Int = {
  var records = [S { xs: Array.filled(200000, 1), n: 0 }, S { xs: [], n: 0 }]
  var grid = [Array.filled(200000, 1), []]
  var t = T { rows: [S { xs: Array.filled(200000, 1), n: 0 }], n: 0 }
  for i in 0..200000 {
    records[0].xs := bump(records[0].xs, i)
    records[1].xs.push(i)
    records[1].xs[i] := i + 1
    grid[0] := bump(grid[0], i)
    grid[1].push(i)
    t.rows[0].xs := bump(t.rows[0].xs, i)
    t.rows[0].n := t.rows[0].n + 1
  }
  records[0].xs[5] + records[1].xs[199999] + grid[0][5] + grid[1].len() + t.rows[0].xs[5] + t.rows[0].n
}
",
        "600006",
    );
}

#[test]
fn a_captured_variable_is_updated_in_its_cell() {
    check(
        "struct S { xs: [Int], rows: [[Int]], n: Int }
fn run(f: (Int) -> (), n: Int) {
  for i in 0..n { f(i) }
}
fn bump(xs: [Int], i: Int) -> [Int] = {
  var ys = xs
  ys[i] := ys[i] + 1
  ys
}
fn main() -> Int = {
  var s = S { xs: [], rows: [[], []], n: 0 }
  var grid = [[0], [1]]
  var xs: [Int] = []
  let fs = [
    |i: Int| { s.xs.push(i); s.rows[1].push(i); s.n := s.n + 1; xs.push(i) },
    |i: Int| { s.xs[i] := s.xs[i] + s.n; s.rows[1][i] := i; grid[i % 2].push(i); xs := bump(xs, i) },
  ]
  run(fs[0], 200000)
  run(fs[1], 200000)
  for i in 0..200000 {
    xs[i] := xs[i] + 1
    xs.swap(0, i)
  }
  s.xs[199999] + s.rows[1].len() + grid[0].len() + xs.len()
}
",
        "900000",
    );
}

/// Deferred code that a panic runs finds the variable as it was.
#[test]
fn deferred_code_sees_no_hole() {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    let source = "fn main() -> Int = {
  var xs: [Int] = []
  let show = || println(\"{}\", xs.len())
  defer show()
  for i in 0..200000 { xs.push(i) }
  for i in 0..200000 { xs[i] := xs[i] + 1 }
  let fs = [show, show]
  fs[0]()
  xs[300000] := 1
  xs[0]
}
";
    std::fs::write(&file, source).expect("the scratch directory can be written");
    for mode in [&["run"][..], &["run", "--release"]] {
        let start = Instant::now();
        let ran = support::run(support::remlc().args(mode).arg(&file), "").expect("runs");
        assert_eq!((ran.stdout.as_str(), ran.exit), ("200000\n200000\n", Some(101)), "{mode:?}: {}", ran.stderr);
        assert!(start.elapsed() < LIMIT, "{mode:?} took {:?}", start.elapsed());
    }
}

/// Nothing reads the results: the memory is released all the same, and only once.
#[test]
fn updates_and_lists_that_nobody_reads() {
    check(
        "struct S { xs: [Int], n: Int }
fn doubled(xs: List<Int>) -> List<Int> = match xs with
  | Nil -> Nil
  | Cons(x, rest) -> Cons(x * 2, doubled(rest))
fn main() -> Int = {
  var total = 0
  for i in 0..1000 {
    var records = [S { xs: [i], n: 0 }]
    let list = List.from_array([i, i + 1])
    doubled(list)
    let other = Cons(i, list)
    records[0].xs.push(1)
    records[0].n := 1
    total := total + List.len(other)
  }
  total
}
",
        "3000",
    );
}

/// Ten million tail calls that pass a local by reference, between two functions.
#[test]
fn tail_calls_take_locals_along() {
    check(
        "fn even(n: Int, xs: &[Int]) -> Int = if n == 0 { xs.len() } else { odd(n - 1, xs) }
fn odd(n: Int, xs: &[Int]) -> Int = if n == 0 { xs.len() } else { even(n - 1, xs) }
fn step(n: Int, xs: &[Int]) -> Int =
  if n == 0 { xs[0] } else {
    let ys = [n + xs[0] * 0, 2]
    other(n - 1, &ys)
  }
fn other(n: Int, xs: &[Int]) -> Int =
  if n == 0 { xs[0] } else {
    let ys = [n, 3 + xs.len()]
    step(n - 1, &ys)
  }
fn main() -> Int = step(10000000, &[1]) + even(10000000, &[1, 2])
",
        "3",
    );
}

/// Ten million tail calls of closures that the caller owns, shared and unique, with captures and without.
#[test]
fn tail_calls_consume_closures() {
    check(
        "fn ping(n: Int, xs: [Int], k: (Int) -> Int) -> Int =
  if n == 0 { k(xs.len()) } else {
    let step = |m: Int| pong(m - 1, [m, n], |r| k(r))
    if n % 2 == 0 { step(n) } else { again(n, step) }
  }
fn again(n: Int, f: (Int) -> Int) -> Int = f(n)
fn pong(n: Int, xs: [Int], k: (Int) -> Int) -> Int =
  if n == 0 { k(xs.len()) } else { run(n, |m| ping(m - 1, xs, |x: Int| x + 1)) }
fn run(n: Int, f: (Int) -> Int) -> Int = f(n)
fn bounce(n: Int, fs: [(Int) -> Int]) -> Int = if n == 0 { fs.len() } else {
  let g = if n % 3 == 0 { |k: Int| bounce(k, [|x| x + n]) } else { |k: Int| bounce(k, [|x| x + n, |x| x]) }
  g(n - 1)
}
fn main() -> Int = ping(10000000, [1], |x| x) + bounce(10000000, [|x| x])
",
        "5",
    );
}

/// Every field that is assigned puts the element back, and every one that is read takes another look at it.
#[test]
fn variables_of_modules_are_updated_where_they_are() {
    let source = "var xs: [Int] = []
var offset = 0
fn next(i: Int) -> Int = i + offset
fn push(i: Int) { xs.push(next(i)) }
fn double(i: Int) { xs[i] := next(xs[i] * 2) }
fn main() -> Int = {
  for i in 0..200000 { push(i) }
  for i in 0..200000 { double(i) }
  offset := 1
  xs[199999] + next(0)
}
";
    check_in(&[&["run"], &["run", "--release"], &["run", "--hot-reload", "-q"]], source, "399999");
    check(
        "struct Table { rows: [[Int]], size: Int }
var table = Table { rows: [[], []], size: 0 }
fn next(i: Int) -> Int = i + table.size
fn grow(i: Int) {
  table.rows[i % 2].push(next(i))
  table.rows[i % 2][i / 2] := next(i)
  table.rows[0].swap(0, i / 2)
}
fn main() -> Int = {
  for i in 0..200000 { grow(i) }
  table.size := 1
  table.rows[1][99999] + next(0)
}
",
        "200000",
    );
}

#[test]
fn elements_are_read_while_they_are_updated() {
    check(
        "struct P { x: Float, y: Float, z: Float, vx: Float, vy: Float, vz: Float }
fn main() -> Int = {
  var ps: [P] = []
  for i in 0..100000 { ps.push(P { x: 0.0, y: 0.0, z: 0.0, vx: 1.0, vy: 2.0, vz: 3.0 }) }
  for i in 0..100000 {
    ps[i].x := ps[i].x + ps[i].vx * ps[i].vy
    ps[i].y := ps[i].y + ps[i].x
    ps[i].z := ps[i].z + ps[i].y + ps[i].x
  }
  (ps[99999].z as Int) + ps.len()
}
",
        "100004",
    );
}

/// A list is whole before it ends, also where it is built in line and nobody reads it.
#[test]
fn a_list_is_built_for_nothing() {
    check(
        "fn count(n: Int) -> Int = {
  let pairs = List.map(Cons(4, []), |_: Int| [n, 2])
  n * 3
}
fn main() -> Int = count(5)
",
        "15",
    );
}

/// The memory of a dead cell is not kept past a loop that leads on, by way of another join point, to where it could be used.
#[test]
fn a_loop_lies_between_a_dead_cell_and_a_new_one() {
    check(
        r#"type Tree = Leaf | Node(Tree, Int, Tree)
fn size(tree: &Tree) -> Int = match tree with
  | Leaf -> 0
  | Node(l, _, r) -> size(l) + 1 + size(r)
fn main() -> Int = {
  let t: Tree = Node(Leaf, 18, Node(Leaf, -5, Leaf))
  println("{}", size({
    let pair: Tree = Node(t, 1, t)
    pair
  }))
  var n = 2
  while n > 0 {
    var f: Int = 0
    if size(t) > 7 {
      println("large")
      for x in (List.map([1], |k: Int| true)) {
      }
      f := 3
    }
    println("{}", f)
    if n > 0 { break }
  }
  let list: List<Tree> = [Node(t, 12, Node(Leaf, 14, t)), t, Leaf]
  println("{:?}", list)
  0
}
"#,
        "5\n0\n[Node(Node(Leaf, 18, Node(Leaf, -5, Leaf)), 12, Node(Leaf, 14, Node(Leaf, 18, Node(Leaf, -5, Leaf)))), \
         Node(Leaf, 18, Node(Leaf, -5, Leaf)), Leaf]\n0",
    );
}

/// What is read from a closure must not be read before it is known that there is one.
#[test]
fn a_function_that_may_be_missing_is_called_in_a_loop() {
    check(
        "use Core.Env
fn total(f: Option<(Int) -> Int>, limit: Int) -> Int {
  var sum = 0
  for i in 0..limit {
    match f with
    | Some(g) -> sum := sum + g(i)
    | None -> sum := sum + 1
  }
  sum
}
fn later(n: Int) -> Option<(Int) -> Int> = if n > 100 { Some(|x| x * n) } else { None }
fn main() -> Int = total(later(env_len()), 10) + total(later(500 + env_len()), 10)
fn env_len() -> Int = Env.args().len()
",
        "22510",
    );
}
