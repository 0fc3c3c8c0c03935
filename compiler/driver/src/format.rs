//! Formats files and directories: finds the source files, and replaces each as a whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_syntax::format::{FormatError, format};

use crate::files;
use crate::link::{describe, unwritable};
use crate::load::read_text;
use crate::package::MANIFEST;
use crate::system::System;

/// What to do with files whose layout is another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Write,
    /// Leave them; they are only listed.
    Check,
}

/// What became of the files.
#[derive(Default)]
pub struct Outcome {
    /// Files that had another layout, in order.
    pub changed: Vec<PathBuf>,
    /// How many files were looked at.
    pub files: usize,
    pub sources: SourceMap,
    /// Why files were left alone.
    pub diagnostics: Vec<Diagnostic>,
    /// Files that the formatter cannot format though they are correct, and what went wrong.
    pub mistakes: Vec<String>,
}

impl Outcome {
    /// Whether every file has, now, the layout of the formatter.
    pub fn is_fine(&self) -> bool {
        self.mistakes.is_empty() && !self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The text in its layout; `None` when it is to be left alone, and why has been noted.
    pub fn format_text(&mut self, name: &str, text: String) -> Option<String> {
        self.files += 1;
        let Ok(file) = self.sources.add(name, text) else {
            let message = format!("`{name}` is too large to be formatted together with the other files");
            self.diagnostics.push(Diagnostic::error(codes::SOURCE_TOO_LARGE, Span::NONE, message));
            return None;
        };
        let file = self.sources.file(file);
        match format(&file.text, file.base) {
            Ok(formatted) => Some(formatted),
            Err(FormatError::Syntax(diagnostics)) => {
                self.diagnostics.extend(diagnostics);
                None
            }
            Err(FormatError::Unstable { why, .. }) => {
                self.mistakes.push(format!("`{name}` is left as it is, since {why}"));
                None
            }
        }
    }

    fn format_file(&mut self, path: &Path, mode: Mode, system: &dyn System) {
        let text = match read_text(path, system) {
            Ok(text) => text,
            Err(diagnostic) => return self.diagnostics.push(*diagnostic),
        };
        let Some(formatted) = self.format_text(&path.display().to_string(), text.clone()) else { return };
        if formatted == text {
            return;
        }
        if mode == Mode::Write
            && let Err(problem) = files::write(path, formatted.as_bytes())
        {
            return self.diagnostics.push(*unwritable(path, &describe(&problem)));
        }
        self.changed.push(path.to_owned());
    }
}

/// Formats files, and all source files below directories.
pub fn run(paths: &[PathBuf], mode: Mode, system: &dyn System) -> Outcome {
    let mut outcome = Outcome::default();
    for path in paths {
        if system.is_dir(path) {
            let mut files = Vec::new();
            if let Err(problem) = source_files(path, true, system, &mut files) {
                let message = format!("`{}` cannot be read: {}", path.display(), describe(&problem));
                outcome.diagnostics.push(Diagnostic::error(codes::SOURCE_UNREADABLE, Span::NONE, message));
            }
            for file in files {
                outcome.format_file(&file, mode, system);
            }
        } else {
            outcome.format_file(path, mode, system);
        }
    }
    outcome
}

/// The source files of a directory, in order. Hidden directories are passed over, and so is what a package has built.
pub(crate) fn source_files(
    directory: &Path,
    top: bool,
    system: &dyn System,
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let package = system.is_file(&directory.join(MANIFEST));
    for entry in system.entries(directory)? {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if system.is_dir(&entry) {
            let is_output = package && name == "target";
            if !name.starts_with('.') && !is_output {
                // What cannot be read below is as good as absent; the directory that was named must be readable.
                let _ = source_files(&entry, false, system, files);
            }
        } else if entry.extension().is_some_and(|extension| extension == "reml") {
            files.push(relative(directory, &entry, top));
        }
    }
    Ok(())
}

/// `./a.reml` is called `a.reml`.
fn relative(directory: &Path, file: &Path, top: bool) -> PathBuf {
    let plain = if top && directory == Path::new(".") { file.strip_prefix(directory).ok() } else { None };
    plain.or_else(|| file.strip_prefix(".").ok()).unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    #[test]
    fn directories_are_searched() {
        let system = MemorySystem::new()
            .with("app/reml.toml", "")
            .with("app/src/main.reml", "fn main()=()\n")
            .with("app/src/fine.reml", "fn f() = ()\n")
            .with("app/target/made.reml", "fn f()=()\n")
            .with("app/.git/hidden.reml", "fn f()=()\n")
            .with("app/notes.txt", "");
        let outcome = run(&["app".into()], Mode::Check, &system);
        assert_eq!(outcome.changed, [PathBuf::from("app/src/main.reml")]);
        assert_eq!((outcome.files, outcome.is_fine()), (2, true));
    }
}
