//! What do the stages of the compiler make of small programs? For each `tests/stages/X.reml`, `X.core`, `X.opt` and
//! `X.rc` hold what `--emit` prints with `--release`; for one without memory, `X.clif` as well (on x86-64); for one that is
//! there for the optimiser, `X.opt` alone. `REML_BLESS=1` rewrites them.

mod support;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{compare_golden, programs, remlc, root, run};

const OPTIMISER_ONLY: [&str; 5] =
    ["alternatives.reml", "combinators.reml", "generator.reml", "unread.reml", "outcomes.reml"];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for program in programs(&root().join("compiler/remlc/tests/stages")) {
        let optimiser_only = OPTIMISER_ONLY.iter().any(|name| program.ends_with(name));
        let mut stages = if optimiser_only { vec!["opt"] } else { vec!["core", "opt", "rc"] };
        if cfg!(target_arch = "x86_64") && program.ends_with("loop.reml") {
            stages.push("clif");
        }
        for stage in stages {
            let program = program.clone();
            let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("{name} {stage}"), move || test(&program, stage)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn test(program: &Path, stage: &str) -> Result<(), Failed> {
    let ran = run(remlc().args(["check", "--release", "--emit", stage]).arg(program), "")?;
    if ran.exit != Some(0) {
        return Err(ran.stderr.into());
    }
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let mut problems = Vec::new();
    compare_golden(&program.with_extension(stage), &own_functions(&ran.stdout, &stem), "", &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// The functions of the program itself, which bear its file's name: those of the library, and the entry that prints
/// results, change for other reasons. So do the numbers of functions and of regions of memory.
fn own_functions(text: &str, stem: &str) -> String {
    let own = format!(" {stem}.");
    let mut kept = String::new();
    let mut keep = false;
    for line in text.lines() {
        if line.starts_with("; ") || (line.contains("fn ") && !line.starts_with(' ')) {
            keep = line.contains(&own);
        }
        if keep {
            kept.push_str(&without_numbers(line));
            kept.push('\n');
        }
    }
    kept
}

/// `fn0 = colocated u0:12 sig0`, `region0 = 24 ""` and `function u0:3(..)` without 12, 24 and 3.
fn without_numbers(line: &str) -> String {
    let region = line.trim_start().starts_with("region") && line.contains(" = ");
    let mut out = String::new();
    for (index, word) in line.split(' ').enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let named = word.starts_with('u') && word[1..].starts_with(|c: char| c.is_ascii_digit());
        match word.split_once(':').filter(|_| named) {
            Some((kind, rest)) => {
                out.push_str(kind);
                out.push_str(":_");
                out.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            }
            None if region && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => out.push('_'),
            None => out.push_str(word),
        }
    }
    out
}
