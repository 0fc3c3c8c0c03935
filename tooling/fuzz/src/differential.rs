//! Generated programs do the same everywhere: as the interpreter of their tree says, in memory with and without
//! optimisation, and as executables.

use std::path::{Path, PathBuf};
use std::process::Command;

use reml_diagnostics::render::{Renderer, Short};
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::system::{MemorySystem, OsSystem};
use reml_driver::testing::process::{Child, Ended, wait_any};

use crate::typed::eval::{self, Outcome};
use crate::typed::generate;
use crate::typed::tree;

/// What became of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tried {
    Agrees {
        /// Whether the program panics without optimisation.
        panics: bool,
    },
    /// The program runs for too long.
    Skipped,
}

/// Runs the program of a seed everywhere, also as an executable when asked. `Err` says what differs.
pub fn try_seed(seed: u64, executable: bool) -> Result<Tried, String> {
    let program = generate::program(seed);
    let (Some(debug), Some(release)) = (eval::run(&program, false), eval::run(&program, true)) else {
        return Ok(Tried::Skipped);
    };
    let text = tree::print(&program);
    let panics = debug.panic.is_some();
    for (optimised, expected) in [(false, &debug), (true, &release)] {
        let name = if optimised { "run --release" } else { "run" };
        compare(name, &in_memory(&text, optimised)?, expected)?;
        if executable {
            let name = if optimised { "build --release" } else { "build" };
            compare(name, &built(&text, optimised)?, expected)?;
        }
    }
    Ok(Tried::Agrees { panics })
}

/// The source of a seed's program.
pub fn source(seed: u64) -> String {
    tree::print(&generate::program(seed))
}

struct Ran {
    stdout: String,
    stderr: String,
    ended: Ended,
}

fn compare(how: &str, ran: &Ran, expected: &Outcome) -> Result<(), String> {
    let status = if expected.panic.is_some() { 101 } else { 0 };
    let problem = if ran.ended != Ended::Exit(status) {
        format!("ended with {:?}, expected the exit status {status} ({:?})", ran.ended, expected.panic)
    } else if ran.stdout != expected.stdout {
        let lines = ran.stdout.lines().zip(expected.stdout.lines());
        let first = lines.enumerate().find(|(_, (a, b))| a != b);
        match first {
            Some((at, (is, should))) => format!("line {} is `{is}`, expected `{should}`", at + 1),
            None => "the output has another length".into(),
        }
    } else if let Some(panic) = expected.panic
        && !ran.stderr.contains(panic)
    {
        format!("panicked, but not with `{panic}`")
    } else {
        return Ok(());
    };
    Err(format!("{how}: {problem}\n{}", ran.stderr))
}

fn in_memory(text: &str, release: bool) -> Result<Ran, String> {
    let system = MemorySystem::new().with("main.reml", text);
    let mut program = Compilation::new(&system, Options { release, require_main: true, ..Options::default() });
    if !program.check(Path::new("main.reml")) {
        return Err(format!("the program is rejected:\n{}", errors(&program)));
    }
    let start = || {
        // Leaks end the program with a status of their own.
        // SAFETY: a forked process has this thread alone.
        unsafe { std::env::set_var("REML_LEAK_CHECK", "1") };
        // SAFETY: as above.
        unsafe { std::env::set_var("REML_STACK_SIZE", "64000000") };
        let loaded = if program.lower() { program.load() } else { None };
        loaded.map_or(1, |loaded| loaded.run(&[]).exit_code)
    };
    let mut child = Child::start(|| {
        let mut start = start;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut start)).unwrap_or(70)
    })
    .map_err(|problem| problem.to_string())?;
    let (_, ended) = wait_any(std::iter::once(&mut child)).map_err(|problem| problem.to_string())?;
    let (stdout, stderr) = child.output().map_err(|problem| problem.to_string())?;
    Ok(Ran { stdout, stderr, ended })
}

fn built(text: &str, release: bool) -> Result<Ran, String> {
    let folder = tempfile::tempdir().map_err(|problem| problem.to_string())?;
    let source: PathBuf = folder.path().join("main.reml");
    let output = folder.path().join("program");
    std::fs::write(&source, text).map_err(|problem| problem.to_string())?;
    let mut program = Compilation::new(&OsSystem, Options { release, require_main: true, ..Options::default() });
    if !(program.check(&source) && program.lower() && program.build(&output)) {
        return Err(format!("the program cannot be built:\n{}", errors(&program)));
    }
    let result = Command::new(&output)
        .env("REML_LEAK_CHECK", "1")
        .env("REML_STACK_SIZE", "64000000")
        .output()
        .map_err(|problem| problem.to_string())?;
    Ok(Ran {
        stdout: String::from_utf8_lossy(&result.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&result.stderr).into_owned(),
        ended: result.status.code().map_or(Ended::Signal(0), Ended::Exit),
    })
}

fn errors(program: &Compilation<'_>) -> String {
    let errors: Vec<_> = program.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).cloned().collect();
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = Short.render(&errors, &program.sources, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
