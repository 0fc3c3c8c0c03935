//! The compiler's own speed: lines per second, peak memory, growth with size, and start-up.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::generate;
use crate::measure::measure;

/// Prints one row per size and stage, of the fastest of some rounds: the first one may pay for memory that the machine has yet
/// to give. False when the compiler rejected a generated source.
pub fn throughput(remlc: &Path, scratch: &Path, sizes: &[usize], rounds: u32) -> bool {
    let mut ok = true;
    println!(
        "{:<10}{:>10}{:>14}{:>14}{:>12}{:>14}",
        "stage", "lines", "klines/wall s", "klines/cpu s", "peak MiB", "bytes/byte"
    );
    for &size in sizes {
        let source = generate::program(size);
        let lines = source.lines().count();
        let file = scratch.join("generated.reml");
        if let Err(error) = std::fs::write(&file, &source) {
            eprintln!("error: cannot write {}: {error}", file.display());
            return false;
        }
        for (stage, arguments) in [("check", &["check"][..]), ("debug", &["run"]), ("release", &["run", "--release"])] {
            let runs = (0..rounds.max(1)).map(|_| measure(Command::new(remlc).args(arguments).arg(&file)));
            let runs: Option<Vec<_>> = runs.map(|run| run.filter(|run| run.success)).collect();
            match runs.and_then(|runs| runs.into_iter().min_by_key(|run| run.wall)) {
                Some(run) => println!(
                    "{:<10}{:>10}{:>14.0}{:>14.0}{:>12}{:>14.0}",
                    stage,
                    lines,
                    lines as f64 / run.wall.as_secs_f64() / 1e3,
                    lines as f64 / run.cpu.as_secs_f64() / 1e3,
                    run.peak >> 20,
                    run.peak as f64 / source.len() as f64
                ),
                None => {
                    println!("{stage:<10}{lines:>10} failed");
                    ok = false;
                }
            }
        }
    }
    ok
}

/// Checking, and compiling either way, of a grammar of so many rules takes less CPU time.
const GRAMMAR_BAR: Duration = Duration::from_secs(1);

/// Prints the CPU time that a grammar takes; false when it is rejected or takes too long.
pub fn grammar(remlc: &Path, scratch: &Path, rules: usize) -> bool {
    let source = generate::grammar(rules);
    let file = scratch.join("grammar.reml");
    if let Err(error) = std::fs::write(&file, &source) {
        eprintln!("error: cannot write {}: {error}", file.display());
        return false;
    }
    let mut ok = true;
    println!("{rules} rules, {} lines", source.lines().count());
    for (stage, arguments) in [("check", &["check"][..]), ("debug", &["run"]), ("release", &["run", "--release"])] {
        let run = measure(Command::new(remlc).args(arguments).arg(&file)).filter(|run| run.success);
        let Some(run) = run else {
            println!("{stage:<10} failed");
            ok = false;
            continue;
        };
        let verdict = if run.cpu > GRAMMAR_BAR { " (over the bar)" } else { "" };
        ok &= verdict.is_empty();
        println!("{stage:<10}{:>8.0} ms{verdict}", run.cpu.as_secs_f64() * 1e3);
    }
    ok
}

/// Prints minimum and median wall time of `remlc run hello.reml`.
pub fn startup(remlc: &Path, scratch: &Path, rounds: u32) -> bool {
    let file = scratch.join("hello.reml");
    if let Err(error) = std::fs::write(&file, "fn main() {\n  println(\"hello\")\n}\n") {
        eprintln!("error: cannot write {}: {error}", file.display());
        return false;
    }
    let mut times: Vec<Duration> = (0..rounds.max(1))
        .filter_map(|_| measure(Command::new(remlc).arg("run").arg(&file)))
        .filter(|run| run.success && run.stdout == b"hello\n")
        .map(|run| run.wall)
        .collect();
    times.sort();
    match (times.first(), times.get(times.len() / 2)) {
        (Some(least), Some(median)) => {
            println!("hello: {:.1} ms least, {:.1} ms median", least.as_secs_f64() * 1e3, median.as_secs_f64() * 1e3);
            true
        }
        _ => {
            println!("hello: failed");
            false
        }
    }
}
