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

/// A grammar of about so many rules, each reachable from the first: statements of a language whose keywords differ, with expressions of
/// some levels that refer to each other.
pub fn grammar(rules: usize) -> String {
    const RULES_PER_GROUP: usize = 10;
    let groups = (rules / RULES_PER_GROUP).max(1);
    let mut source = String::from(
        "use Core.Parse
use Core.Parse.{Parser}

fn blank() -> Parser<()> = Parse.takeWhile(|c| c.is_whitespace()).map(|_| ())

fn token<T>(parser: Parser<T>) -> Parser<T> = parser.skipR(blank())

fn symbol(text: Str) -> Parser<()> = token(Parse.string(text)).map(|_| ())

fn word() -> Parser<Str> = token(Parse.takeWhile1(\"a word\", |c| c.is_alphabetic()))

",
    );
    for i in 0..groups {
        let _ = writeln!(
            source,
            "type Item{i} = Name{i}(Str) | Many{i}([Item{i}]) | Call{i}(Str, [Item{i}]) | Pair{i}(Item{i}, Item{i}) | Empty{i}

fn name_{i}() -> Parser<Item{i}> = word().map(|text| Name{i}(text)).label(\"a name\")

fn items_{i}() -> Parser<[Item{i}]> = Parse.lazy(|| sum_{i}()).sepBy(symbol(\",\"))

fn group_{i}() -> Parser<Item{i}> = items_{i}().between(symbol(\"(\"), symbol(\")\")).map(|items| Many{i}(items))

fn block_{i}() -> Parser<Item{i}> = statement_{i}().many().between(symbol(\"{{\"), symbol(\"}}\")).map(|items| Many{i}(items))

fn call_{i}() -> Parser<Item{i}> =
  symbol(\"call{i} \").skipL(word()).then(items_{i}().between(symbol(\"[\"), symbol(\"]\"))).map(|call| Call{i}(call.0, call.1))

fn empty_{i}() -> Parser<Item{i}> = symbol(\"empty{i}\").map(|_| Empty{i})

fn factor_{i}() -> Parser<Item{i}> = Parse.choice([group_{i}(), call_{i}(), empty_{i}(), name_{i}()])

fn product_{i}() -> Parser<Item{i}> = factor_{i}().chainl1(symbol(\"*\").map(|_| |a, b| Pair{i}(a, b)))

fn sum_{i}() -> Parser<Item{i}> = product_{i}().chainl1(symbol(\"+\").map(|_| |a, b| Pair{i}(a, b)))

fn statement_{i}() -> Parser<Item{i}> =
  Parse.rule(\"statement {i}\", symbol(\"let{i} \").skipL(word()).skipL(symbol(\"=\")).skipL(sum_{i}()).skipR(symbol(\";\")))

fn part_{i}() -> Parser<()> = symbol(\"part{i} \").skipL(Parse.lazy(|| block_{i}())).map(|_| ())
"
        );
    }
    let mut level: Vec<String> = (0..groups).map(|i| format!("part_{i}()")).collect();
    let mut depth = 0;
    while level.len() > 1 {
        let mut next = Vec::new();
        for (k, chunk) in level.chunks(10).enumerate() {
            let _ = writeln!(source, "fn any_{depth}_{k}() -> Parser<()> = Parse.choice([{}])\n", chunk.join(", "));
            next.push(format!("any_{depth}_{k}()"));
        }
        level = next;
        depth += 1;
    }
    let _ = writeln!(
        source,
        "fn main() {{
  let text = \"part0 {{ let0 x = a + b * call0 f[c, (d)]; }}\"
  assert(Parse.run_all({}.skip_many(), text).is_ok())
}}",
        level[0]
    );
    source
}
