//! Parsers: the same grammars in Reml and in what others write parsers with, over the same texts. Ratios to a parser written by hand in C.
//!
//! Each contestant recognises a text, or makes a tree of it and prints what that amounts to. All must print the same, and reject a text
//! that was cut short.

mod inputs;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::measure::{Measured, measure};

pub struct Options {
    /// Size of the inputs of the first table.
    pub bytes: usize,
    pub rounds: u32,
    /// Sizes of the inputs of the second one.
    pub sizes: Vec<usize>,
}

/// A recogniser may use so many times the memory of its input. Below the second size, fixed costs are all there is to see.
const MEMORY_BAR: f64 = 2.0;
const MEMORY_BAR_FROM: usize = 10 << 20;
const BASE_MEMORY: u64 = 4 << 20;

struct Grammar {
    name: &'static str,
    input: fn(usize) -> String,
    /// What a text ends in that does not end too early.
    closing: char,
}

const GRAMMARS: &[Grammar] = &[
    Grammar { name: "json", input: inputs::json, closing: ']' },
    Grammar { name: "csv", input: inputs::csv, closing: '\n' },
    Grammar { name: "arithmetic", input: inputs::arithmetic, closing: ';' },
];

const MODES: [&str; 2] = ["recognise", "tree"];

/// In the order of the columns.
const CONTESTANTS: [&str; 6] = ["c", "reml", "winnow", "chumsky", "chumsky-rich", "angstrom"];

/// Prints the tables; false when somebody failed, or Reml missed a bar.
pub fn run(remlc: &Path, scratch: &Path, options: &Options) -> bool {
    let rust = build_rust();
    let mut ok = true;
    println!(
        "{:<22}{:>9}{}  peak memory / input: reml, c",
        "parser",
        "c s",
        CONTESTANTS[1..].iter().map(|name| format!("{name:>14}")).collect::<String>(),
    );
    for grammar in GRAMMARS {
        let programs: Vec<(&str, Option<Vec<PathBuf>>)> = CONTESTANTS
            .iter()
            .map(|&name| (name, program(name, grammar.name, remlc, rust.as_deref(), scratch)))
            .collect();
        let input = scratch.join(format!("{}.txt", grammar.name));
        let broken = broken(&input);
        let Some(bytes) = make_input(grammar, options.bytes, &input) else { return false };
        for mode in MODES {
            ok &= race(&programs, mode, &input, &broken, bytes, options.rounds);
        }
        if let Some(reml) = programs.iter().find_map(|(name, program)| (*name == "reml").then_some(program.as_ref()?)) {
            ok &= growth(grammar, reml, scratch, &options.sizes, options.rounds);
        }
    }
    ok
}

/// Writes a text of a grammar, and beside it one that was cut short. Did that work?
pub fn write_input(grammar: &str, bytes: usize, file: &Path) -> bool {
    let Some(grammar) = GRAMMARS.iter().find(|known| known.name == grammar) else { return false };
    let text = (grammar.input)(bytes);
    let cut = text.trim_end_matches('\n').trim_end_matches(grammar.closing);
    std::fs::write(file, &text).and_then(|()| std::fs::write(broken(file), cut)).is_ok()
}

fn broken(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}-broken.txt"))
}

/// Has [`write_input`] done by another process: the peak memory that the system reports for a program is never less than what the process
/// that started it has had.
fn make_input(grammar: &Grammar, bytes: usize, file: &Path) -> Option<usize> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.args(["input", grammar.name, &bytes.to_string()]).arg(file);
    if !command.status().is_ok_and(|status| status.success()) {
        eprintln!("error: cannot write the input `{}`", file.display());
        return None;
    }
    Some(std::fs::metadata(file).ok()?.len() as usize)
}

/// One row: every contestant in turn, the minimum of some rounds.
fn race(
    programs: &[(&str, Option<Vec<PathBuf>>)],
    mode: &str,
    input: &Path,
    broken: &Path,
    bytes: usize,
    rounds: u32,
) -> bool {
    let grammar = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut best: Vec<Option<(Duration, u64)>> = vec![None; programs.len()];
    let mut outputs: Vec<Vec<u8>> = vec![Vec::new(); programs.len()];
    for _ in 0..rounds.max(1) {
        for (index, (_, program)) in programs.iter().enumerate() {
            let run = program.as_ref().and_then(|program| parse(program, mode, input));
            let Some(run) = run.filter(|run| run.success) else { continue };
            let (time, peak) = best[index].unwrap_or((Duration::MAX, 0));
            best[index] = Some((time.min(run.cpu), peak.max(run.peak)));
            outputs[index] = run.stdout;
        }
    }
    let c = best[0].map(|(time, _)| time.as_secs_f64());
    print!("{:<22}", format!("{grammar} {mode}"));
    match c {
        Some(seconds) => print!("{seconds:>9.3}"),
        None => print!("{:>9}", "-"),
    }
    for entry in &best[1..] {
        match (entry, c) {
            (Some((time, _)), Some(c)) => print!("{:>14.2}", time.as_secs_f64() / c),
            (Some((time, _)), None) => print!("{:>13.3}s", time.as_secs_f64()),
            (None, _) => print!("{:>14}", "-"),
        }
    }
    let memory = |index: usize| best[index].map_or(0.0, |(_, peak)| peak as f64 / bytes as f64);
    println!("  {:.1}, {:.1}", memory(1), memory(0));
    let mut ok = true;
    for (index, (name, program)) in programs.iter().enumerate() {
        let Some(program) = program else {
            ok &= *name != "reml";
            continue;
        };
        if best[index].is_none() {
            println!("  {name} failed");
            ok = false;
        } else if outputs[index] != outputs[1] {
            println!("  {name} gives something else than reml");
            ok = false;
        } else if parse(program, mode, broken).is_none_or(|run| run.stdout.trim_ascii() != b"rejected") {
            println!("  {name} accepts a text that was cut short");
            ok = false;
        }
    }
    ok
}

/// How Reml's recogniser does on small and large texts: time for each byte, and memory.
fn growth(grammar: &Grammar, program: &[PathBuf], scratch: &Path, sizes: &[usize], rounds: u32) -> bool {
    let mut ok = true;
    for &size in sizes {
        let input = scratch.join("growth.txt");
        let Some(bytes) = make_input(grammar, size, &input) else { return false };
        let runs = (0..rounds.max(1)).filter_map(|_| parse(program, "recognise", &input).filter(|run| run.success));
        let Some(run) = runs.min_by_key(|run| run.cpu) else {
            println!("  {size} bytes: failed");
            ok = false;
            continue;
        };
        let memory = run.peak.saturating_sub(BASE_MEMORY) as f64 / bytes as f64;
        let verdict = if size >= MEMORY_BAR_FROM && memory > MEMORY_BAR { "  (over the bar)" } else { "" };
        ok &= verdict.is_empty();
        println!(
            "  {:>9} bytes {:>9.3} ms {:>8.2} ns/byte {:>8} KiB{verdict}",
            bytes,
            run.cpu.as_secs_f64() * 1e3,
            run.cpu.as_secs_f64() * 1e9 / bytes as f64,
            run.peak >> 10,
        );
    }
    ok
}

fn parse(program: &[PathBuf], mode: &str, input: &Path) -> Option<Measured> {
    let (file, arguments) = program.split_first()?;
    measure(Command::new(file).args(arguments).arg(mode).arg(input))
}

/// What runs a contestant, ready for a mode and a file; `None` when it cannot be built.
fn program(name: &str, grammar: &str, remlc: &Path, rust: Option<&Path>, scratch: &Path) -> Option<Vec<PathBuf>> {
    let folder = crate::home().join("parsers").join(grammar);
    let output = scratch.join(format!("{grammar}-{name}"));
    let source = |extension: &str| folder.join(format!("{grammar}.{extension}"));
    let mut command = match name {
        "c" => {
            let mut command = Command::new("gcc");
            command.args(["-O2", "-o"]).arg(&output).arg(source("c"));
            command
        }
        "reml" => {
            let mut command = Command::new(remlc);
            // The text is in a file.
            command.args(["build", "--release", "--allow-read", "-o"]).arg(&output).arg(source("reml"));
            command
        }
        "angstrom" => {
            // It writes beside its input.
            let input = scratch.join(format!("{grammar}.ml"));
            std::fs::copy(source("ml"), &input).ok()?;
            let mut command = Command::new("ocamlfind");
            command.args(["ocamlopt", "-O3", "-package", "angstrom", "-linkpkg", "-o"]).arg(&output).arg(input);
            command
        }
        library => return Some(vec![rust?.to_owned(), library.into(), grammar.into()]),
    };
    if name != "reml" {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command.status().is_ok_and(|status| status.success()).then(|| vec![output])
}

/// Builds the parsers that are written in Rust.
fn build_rust() -> Option<PathBuf> {
    crate::build("reml_bench_parsers")
}
