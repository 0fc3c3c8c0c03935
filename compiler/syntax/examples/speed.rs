//! Measures lexing and parsing on generated code: `cargo run --release -p reml_syntax --example speed [LINES]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use reml_syntax::names::Names;

/// Counts live bytes, to report the peak.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: forwards to the system allocator; the counters do not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn generate(lines: usize) -> String {
    let mut out = String::from("use Core.List\n\n");
    let mut n = 0;
    while out.len() / 30 < lines {
        out.push_str(&format!(
            "/// Number {n}.
pub type Shape{n} =
  | Circle{n}(Float)
  | Rect{n}(w: Float, h: Float)
  | Empty{n}

fn area_{n}(shape: Shape{n}, scale: Float) -> Float =
  match shape with
  | Circle{n}(radius) when radius > 0.0 -> 3.14159 * radius ^ 2.0 * scale
  | Rect{n} {{ w, h }} ->
    let total = w * h * scale + {n}.0
    if total < 0.0 then 0.0 else total
  | _ -> 0.0

fn process_{n}(values: List<Int>, limit: Int) -> Result<Int, Str> {{
  let doubled = values
    .map(|value| value * 2 + {n})
    .filter(|value| value % 3 == 0 && value < limit)
  var total = 0
  for value in doubled {{
    total := total + value - 1
  }}
  let config = {{ name: \"process_{n}\", limit: limit, retries: 3 }}
  let result = doubled |> List.fold(0, |acc, value| acc + value)
  // A comment line, as there are many in real programs.
  if total > 100 {{
    return Err(format(\"too large: {{}} of {{}}\", total, config.limit))
  }}
  Ok(result + config.retries)
}}

"
        ));
        n += 1;
    }
    out
}

fn main() {
    let lines = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let text = generate(lines);
    let lines = text.lines().count();
    println!("{lines} lines, {} bytes", text.len());
    for _ in 0..5 {
        let mut names = Names::new();
        let start = Instant::now();
        let tokens = reml_syntax::tokens::count(&text, &mut names);
        let lexing = start.elapsed().as_secs_f64();
        let mut names = Names::new();
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = Instant::now();
        let parsed = reml_syntax::parse(&text, 1, &mut names);
        let whole = start.elapsed().as_secs_f64();
        let peak = PEAK.load(Ordering::Relaxed) - before;
        let start = Instant::now();
        let diagnostics = parsed.diagnostics.len();
        drop(parsed);
        println!(
            "{tokens} tokens; lexing and layout {:.0}k lines/s; all {:.0}k lines/s; peak {:.1} bytes per byte; drop {:.0} ms; {diagnostics} diagnostics",
            lines as f64 / lexing / 1e3,
            lines as f64 / whole / 1e3,
            peak as f64 / text.len() as f64,
            start.elapsed().as_secs_f64() * 1e3,
        );
    }
}
