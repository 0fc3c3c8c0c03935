//! Generated programs do the same everywhere: as the interpreter of their tree says, in every form of Core, in memory with and
//! without optimisation, and as executables. What differs is reported for the first stage where it does.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;

use reml_capability::policy::{Grants, Mode, Policy};
use reml_diagnostics::render::{Renderer, Short};
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::system::{MemorySystem, OsSystem};
use reml_driver::testing::process::{Child, Ended, wait_any};
use reml_middle::core::Program;
use reml_middle::core_verify::Form;
use reml_middle::testing::interpret::{self, Panic, Problem};

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

/// Runs the program of a seed everywhere, also as an executable when asked. `Err` says what differs, and where first.
pub fn try_seed(seed: u64, executable: bool) -> Result<Tried, String> {
    let program = generate::program(seed);
    let (Some(debug), Some(release)) = (eval::run(&program, false), eval::run(&program, true)) else {
        return Ok(Tried::Skipped);
    };
    let text = tree::print(&program);
    for (optimised, expected) in [(false, &debug), (true, &release)] {
        let level = if optimised { " --release" } else { "" };
        let (ran, panic) = in_memory(&text, optimised, expected)?;
        compare_run(&format!("run{level}"), &ran, expected, panic.as_ref())?;
        if executable {
            compare_run(&format!("build{level}"), &built(&text, optimised)?, expected, panic.as_ref())?;
        }
    }
    Ok(Tried::Agrees { panics: debug.panic.is_some() })
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

/// What machine code did. `panic`: what it must say when it panics.
fn compare_run(how: &str, ran: &Ran, expected: &Outcome, panic: Option<&Panic>) -> Result<(), String> {
    let ended = |problem: String| Err(format!("{how}: {problem}\n{}", ran.stderr));
    if ran.ended != Ended::Exit(status(expected)) {
        return ended(format!("ended with {:?}, expected {:?} ({:?})", ran.ended, status(expected), expected.panic));
    }
    if let Some(problem) = first_difference(&ran.stdout, &expected.stdout) {
        return ended(problem);
    }
    match panic {
        Some(Panic { message, .. }) if !ran.stderr.starts_with(&format!("panic: {message}\n")) => {
            ended(format!("panicked, but not with `{message}`"))
        }
        Some(_) if !names_a_place(&ran.stderr) => ended("the panic does not say where".to_owned()),
        _ => Ok(()),
    }
}

/// Whether a panic is said to be somewhere in a file: `  at main.f (fuzz.reml:3:7)`.
fn names_a_place(stderr: &str) -> bool {
    let place = stderr.lines().find_map(|line| line.strip_prefix("  at "));
    place.is_some_and(|place| place.ends_with(')') && place.contains(".reml:"))
}

/// What the Core interpreter made of one form of the program.
fn compare_core(
    how: &str,
    ran: Result<interpret::Outcome, Problem>,
    expected: &Outcome,
) -> Result<Option<Panic>, String> {
    let ran = ran.map_err(|problem| format!("{how}: {problem}"))?;
    let problem = if ran.undecided {
        None
    } else if ran.status != status(expected) {
        Some(format!("the status is {}, expected {} ({:?})", ran.status, status(expected), expected.panic))
    } else if let Some(problem) = first_difference(&ran.stdout, &expected.stdout) {
        Some(problem)
    } else if let (Some(part), Some(panic)) = (expected.panic, &ran.panic)
        && !panic.message.contains(part)
    {
        Some(format!("it panics with `{}`, expected `{part}`", panic.message))
    } else {
        None
    };
    match problem {
        Some(problem) => Err(format!(
            "{how}: {problem}{}\n",
            ran.panic.map_or(String::new(), |panic| format!(" ({})", panic.message))
        )),
        None => Ok(ran.panic),
    }
}

fn status(expected: &Outcome) -> i32 {
    if expected.panic.is_some() { 101 } else { 0 }
}

fn first_difference(is: &str, should: &str) -> Option<String> {
    if is == should {
        return None;
    }
    let lines = is.lines().zip(should.lines()).enumerate();
    let first = lines.into_iter().find(|(_, (is, should))| is != should);
    Some(match first {
        Some((at, (is, should))) => format!("line {} is `{is}`, expected `{should}`", at + 1),
        None => format!("{} lines, expected {}", is.lines().count(), should.lines().count()),
    })
}

/// So many statements of Core are more than any program takes that is short for the interpreter of trees.
const STEPS: u64 = 100_000_000;

/// Interprets one form of Core, and the lowered one also with counts: its deferred code runs when it should even where a
/// continuation is dropped.
fn interpret_form(form: Form, core: &Program, release: bool, expected: &Outcome) -> Result<Option<Panic>, String> {
    let level = if release { ", with --release" } else { "" };
    let run =
        |core: &Program, counted| interpret::run(core, interpret::Options { counted, wrapping: release, steps: STEPS });
    match form {
        Form::Lowered => {
            compare_core(&format!("Core as lowered{level}"), run(core, false), expected)?;
            let mut counted = core.clone();
            reml_middle::rc::count(&mut counted);
            compare_core(&format!("Core as lowered, counted{level}"), run(&counted, true), expected)
        }
        Form::Optimised => compare_core(&format!("optimised Core{level}"), run(core, false), expected),
        Form::Counted => compare_core(&format!("counted Core{level}"), run(core, true), expected),
    }
}

/// Compiles the program, interprets each form on the way, and runs it. Also what the counted form says when it panics.
fn in_memory(text: &str, release: bool, expected: &Outcome) -> Result<(Ran, Option<Panic>), String> {
    let system = MemorySystem::new().with("main.reml", text);
    let mut program = Compilation::new(&system, Options { release, require_main: true, ..Options::default() });
    let mut interpreted = Ok(None);
    let compiled = std::panic::catch_unwind(AssertUnwindSafe(|| {
        program.check(Path::new("main.reml"))
            && program.lower_observed(&mut |form, core| {
                if interpreted.is_ok() {
                    interpreted = interpret_form(form, core, release, expected);
                }
            })
    }));
    let panic = interpreted?;
    match compiled {
        Ok(true) => {}
        Ok(false) => return Err(format!("the program is rejected:\n{}", errors(&program))),
        Err(_) => return Err("the compiler panics\n".into()),
    }
    let run = AssertUnwindSafe(|| {
        // Leaks end the program with a status of their own.
        // SAFETY: a forked process has this thread alone.
        unsafe { std::env::set_var("REML_LEAK_CHECK", "1") };
        // SAFETY: as above.
        unsafe { std::env::set_var("REML_STACK_SIZE", "64000000") };
        program.load(&|_| true).map_or(1, |loaded| loaded.run(&[]).exit_code)
    });
    let mut child =
        Child::start(|| std::panic::catch_unwind(run).unwrap_or(70)).map_err(|problem| problem.to_string())?;
    let (_, ended) = wait_any(std::iter::once(&mut child)).map_err(|problem| problem.to_string())?;
    let (stdout, stderr) = child.output().map_err(|problem| problem.to_string())?;
    Ok((Ran { stdout, stderr, ended }, panic))
}

fn built(text: &str, release: bool) -> Result<Ran, String> {
    let folder = tempfile::tempdir().map_err(|problem| problem.to_string())?;
    let source: PathBuf = folder.path().join("main.reml");
    let output = folder.path().join("program");
    std::fs::write(&source, text).map_err(|problem| problem.to_string())?;
    let mut program = Compilation::new(&OsSystem, Options { release, require_main: true, ..Options::default() });
    if !(program.check(&source) && program.lower() && program.build(&output, &everything())) {
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

/// Generated programs are harmless, and are about other things.
fn everything() -> Policy {
    Policy::new(Grants::all("generated programs"), Mode::Enforce, false)
}

fn errors(program: &Compilation<'_>) -> String {
    let errors: Vec<_> = program.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).cloned().collect();
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = Short.render(&errors, &program.sources, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
