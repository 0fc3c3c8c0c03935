//! Large sources to compile: many functions in the style of real programs, all reachable from `main`.

use std::fmt::Write;

/// A program of about `lines` lines. Each group of functions has a sum type, nested patterns, a closure, a record and
/// a fold; nothing in it is generic, so the work grows with the source and not with instances.
pub fn program(lines: usize) -> String {
    const LINES_PER_GROUP: usize = 28;
    let groups = (lines / LINES_PER_GROUP).max(1);
    let mut source = String::with_capacity(lines * 40);
    for i in 0..groups {
        write!(
            source,
            "type Shape{i} = Circle{i}(Int) | Rect{i}(Int, Int) | Pair{i}(Shape{i}, Shape{i})

type Point{i} = {{ x{i}: Int, y{i}: Int }}

fn area_{i}(shape: &Shape{i}) -> Int =
  match shape with
  | Circle{i}(r) -> 3 * r * r
  | Rect{i}(w, h) when w == h -> w * w
  | Rect{i}(w, h) -> w * h
  | Pair{i}(Circle{i}(r), other) -> r + area_{i}(other)
  | Pair{i}(a, b) -> area_{i}(a) + area_{i}(b)

fn move_{i}(point: Point{i}, dx: Int, dy: Int) -> Point{i} {{
  let scaled = |n| n * 2 + {i}
  Point{i} {{ x{i}: point.x{i} + scaled(dx), y{i}: point.y{i} + scaled(dy) }}
}}

fn total_{i}(limit: Int) -> Int {{
  var sum = 0
  for k in 0..limit {{
    let point = move_{i}(Point{i} {{ x{i}: k, y{i}: 1 }}, k, sum)
    if point.x{i} > point.y{i} {{
      sum := sum + area_{i}(Pair{i}(Circle{i}(k), Rect{i}(point.y{i}, 2)))
    }}
  }}
  sum
}}

"
        )
        .expect("writing to a string cannot fail");
    }
    // Chained in tens: one `main` with every call would measure a single huge function.
    let mut level: Vec<String> = (0..groups).map(|i| format!("total_{i}(n)")).collect();
    let mut depth = 0;
    while level.len() > 1 {
        let mut next = Vec::new();
        for (k, chunk) in level.chunks(10).enumerate() {
            let _ = writeln!(source, "fn sum_{depth}_{k}(n: Int) -> Int = {}\n", chunk.join(" + "));
            next.push(format!("sum_{depth}_{k}(n)"));
        }
        level = next;
        depth += 1;
    }
    let _ = writeln!(source, "fn main() -> Int {{\n  let n = 1\n  {}\n}}", level[0]);
    source
}
