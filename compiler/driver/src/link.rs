//! From an object file to an executable: calls the C compiler as a linker, with the runtime that travels inside the
//! compiler. The output appears whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use reml_diagnostics::{Diagnostic, Span, codes};

use crate::system::System;

/// The runtime as a static library, made by the build script.
static RUNTIME: &[u8] = include_bytes!(env!("REML_RUNTIME_ARCHIVE"));

/// What the runtime needs of the platform.
const LIBRARIES: &[&str] =
    if cfg!(target_os = "macos") { &["-lSystem", "-lm"] } else { &["-lpthread", "-ldl", "-lm", "-lrt", "-lutil"] };

static IN_PROGRESS: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Says that the user wants no executable any more. Whether files exist that [`link`] removes when its linker ends: a
/// Ctrl-C handler should then leave the process alone.
pub fn interrupt() -> bool {
    INTERRUPTED.store(true, Ordering::SeqCst);
    IN_PROGRESS.load(Ordering::SeqCst)
}

/// Whether [`interrupt`] was called.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The C compiler that links, which may come with arguments: "ccache gcc".
pub fn compiler(system: &dyn System) -> String {
    system.env("CC").filter(|cc| !cc.trim().is_empty()).unwrap_or_else(|| "cc".to_owned())
}

/// Links `object` into the executable `output`. After [`interrupt`], the output is left as it was.
pub fn link(object: &[u8], output: &Path, system: &dyn System) -> Result<(), Box<Diagnostic>> {
    IN_PROGRESS.store(true, Ordering::SeqCst);
    let result = link_in_place(object, output, system);
    IN_PROGRESS.store(false, Ordering::SeqCst);
    result
}

fn link_in_place(object: &[u8], output: &Path, system: &dyn System) -> Result<(), Box<Diagnostic>> {
    let directory = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if output.is_dir() {
        return Err(unwritable(output, "it is a directory"));
    }
    // Next to the output, so that the final rename stays on one file system; removed on every way out.
    let work = tempfile::Builder::new()
        .prefix(".remlc-")
        .tempdir_in(directory)
        .map_err(|problem| unwritable(output, &describe(&problem)))?;
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, Box<Diagnostic>> {
        let path = work.path().join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|problem| unwritable(output, &describe(&problem)))?;
        Ok(path)
    };
    let object = write("program.o", object)?;
    let runtime = write("libreml_rt.a", RUNTIME)?;
    let linked = work.path().join("program");

    let compiler = compiler(system);
    let mut words = compiler.split_whitespace();
    let tool = words.next().unwrap_or("cc");
    let mut command = Command::new(tool);
    command.args(words).arg("-o").arg(&linked).arg(&object).arg(&runtime);
    if cfg!(target_os = "macos") {
        command.arg("-Wl,-dead_strip");
    } else {
        command.args(["-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--strip-debug"]);
    }
    command.args(LIBRARIES);
    let result = command.output().map_err(|problem| {
        Box::new(
            Diagnostic::error(
                codes::LINK_TOOL_MISSING,
                Span::NONE,
                match problem.kind() {
                    io::ErrorKind::NotFound => format!("there is no linker: `{tool}` cannot be found"),
                    _ => format!("the linker `{tool}` cannot be started: {}", describe(&problem)),
                },
            )
            .with_help("install a C compiler, or name one in the environment variable `CC`; `remlc run` needs none"),
        )
    })?;
    if !result.status.success() {
        return Err(Box::new(failed(tool, &result, work.path())));
    }
    if is_interrupted() {
        return Err(unwritable(output, "interrupted"));
    }
    std::fs::rename(&linked, output).map_err(|problem| unwritable(output, &describe(&problem)))
}

fn failed(tool: &str, result: &std::process::Output, work: &Path) -> Diagnostic {
    let mut said = String::from_utf8_lossy(&result.stderr).replace(&format!("{}/", work.display()), "");
    if let Some((cut, _)) = said.char_indices().nth(4_000) {
        said.truncate(cut);
        said.push_str(" ...");
    }
    let message = format!("the linker `{tool}` failed ({})", result.status);
    let diagnostic = Diagnostic::error(codes::LINK_FAILED, Span::NONE, message);
    // `undefined reference to `sqlite3_open'`: say it in the program's terms.
    let mut symbols: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("undefined reference to `")?.1.split_once('\'').map(|(name, _)| name))
        .collect();
    symbols.sort_unstable();
    symbols.dedup();
    let diagnostic = match symbols.as_slice() {
        [] => diagnostic,
        names => diagnostic.with_help(format!(
            "no library has the foreign function{} `{}`; mind the spelling of the `extern` declaration",
            if names.len() == 1 { "" } else { "s" },
            names.join("`, `")
        )),
    };
    match said.trim() {
        "" => diagnostic,
        said => diagnostic.with_note(said.to_owned()),
    }
}

pub(crate) fn unwritable(output: &Path, why: &str) -> Box<Diagnostic> {
    let message = format!("`{}` cannot be written: {why}", output.display());
    Box::new(Diagnostic::error(codes::OUTPUT_UNWRITABLE, Span::NONE, message))
}

/// The system's words, without the number that Rust adds.
pub fn describe(problem: &io::Error) -> String {
    let text = problem.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    // tempfile adds the path of the directory after the reason.
    let text: String = chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default();
    text.split(" at path").next().unwrap_or(&text).to_owned()
}
