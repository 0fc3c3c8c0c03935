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

/// Why there is no executable.
pub enum Failure {
    /// Nothing that the linker has said.
    Other(Box<Diagnostic>),
    Linker(Refusal),
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Failure {
        Failure::Other(diagnostic)
    }
}

/// What a linker has said that failed.
pub struct Refusal {
    /// "the linker `cc` failed (exit status: 1)".
    pub message: String,
    /// The linker's words, without the paths of temporary files.
    pub said: String,
    /// The symbols that it has not found, sorted.
    pub undefined: Vec<String>,
}

/// Links `object` and these libraries into the executable `output`; arguments with relative paths are about `folder`. After [`interrupt`], the output
/// is left as it was.
pub fn link(
    object: &[u8],
    libraries: &[String],
    folder: Option<&Path>,
    output: &Path,
    system: &dyn System,
) -> Result<(), Failure> {
    IN_PROGRESS.store(true, Ordering::SeqCst);
    let result = link_in_place(object, libraries, folder, output, system);
    IN_PROGRESS.store(false, Ordering::SeqCst);
    result
}

fn link_in_place(
    object: &[u8],
    libraries: &[String],
    folder: Option<&Path>,
    output: &Path,
    system: &dyn System,
) -> Result<(), Failure> {
    let directory = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    if output.is_dir() {
        return Err(unwritable(output, "it is a directory").into());
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
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    // The libraries come first: what they define is theirs, though the runtime may have it, too.
    command.args(words).arg("-o").arg(&linked).arg(&object).args(libraries).arg("-lm").arg(&runtime);
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
        return Err(Failure::Linker(refusal(tool, &result, work.path())));
    }
    if is_interrupted() {
        return Err(unwritable(output, "interrupted").into());
    }
    std::fs::rename(&linked, output).map_err(|problem| unwritable(output, &describe(&problem)).into())
}

fn refusal(tool: &str, result: &std::process::Output, work: &Path) -> Refusal {
    let mut said = String::from_utf8_lossy(&result.stderr).replace(&format!("{}/", work.display()), "");
    if let Some((cut, _)) = said.char_indices().nth(4_000) {
        said.truncate(cut);
        said.push_str(" ...");
    }
    let mut undefined: Vec<String> = said.lines().filter_map(undefined_symbol).map(str::to_owned).collect();
    undefined.sort_unstable();
    undefined.dedup();
    Refusal {
        message: format!("the linker `{tool}` failed ({})", result.status),
        said: said.trim().to_owned(),
        undefined,
    }
}

/// The symbol that a line of a linker's is about: GNU's, LLVM's or Apple's.
fn undefined_symbol(line: &str) -> Option<&str> {
    if let Some((_, rest)) = line.split_once("undefined reference to `") {
        return rest.split_once('\'').map(|(name, _)| name);
    }
    if let Some((_, name)) = line.split_once("undefined symbol: ") {
        return name.split_whitespace().next();
    }
    let (name, _) = line.trim().strip_suffix(", referenced from:")?.strip_prefix("\"_")?.split_once('"')?;
    Some(name)
}

impl Refusal {
    /// The same for a program that names its libraries itself.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(codes::LINK_FAILED, Span::NONE, self.message.as_str());
        // `undefined reference to `sqlite3_open'`: say it in the program's terms.
        let diagnostic = match self.undefined.as_slice() {
            [] => diagnostic,
            names => diagnostic.with_help(format!(
                "no library has the foreign function{} `{}`; mind the spelling of the `extern` declaration, or name its library: `@link(name = \"..\")`",
                if names.len() == 1 { "" } else { "s" },
                names.join("`, `")
            )),
        };
        if self.said.is_empty() { diagnostic } else { diagnostic.with_note(self.said.as_str()) }
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

#[cfg(test)]
mod tests {
    use super::undefined_symbol;

    #[test]
    fn linkers_name_the_symbols_that_they_miss() {
        for line in [
            "/usr/bin/ld: program.o: in function `main.run': (.text+0x3): undefined reference to `ring_push'",
            "ld.lld: error: undefined symbol: ring_push",
            "  \"_ring_push\", referenced from:",
        ] {
            assert_eq!(undefined_symbol(line), Some("ring_push"), "{line}");
        }
        assert_eq!(undefined_symbol("/usr/bin/ld: cannot find -lring: No such file or directory"), None);
        assert_eq!(undefined_symbol("\", referenced from:"), None);
    }
}
