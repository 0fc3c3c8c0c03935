//! Reading texts, writing files as a whole or not at all, and how paths are shown.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

/// The text of a file, or what is wrong with it: "does not exist".
pub fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|problem| match problem.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => format!("cannot be read: {}", described(&problem)),
    })?;
    String::from_utf8(bytes)
        .map_err(|problem| format!("is not UTF-8 from byte {} on", problem.utf8_error().valid_up_to()))
}

/// The system's words, without the number that Rust adds.
pub fn described(problem: &io::Error) -> String {
    let text = problem.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A path without `.` and, where nothing is lost, without `..`.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

pub fn absolute(path: &Path) -> PathBuf {
    normal(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The folder of the repository that a path lies in.
pub fn repository(path: &Path) -> Option<PathBuf> {
    absolute(path).ancestors().skip(1).find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// A path as people are shown it: from where they are, if that is above it.
pub fn displayed(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = absolute(path);
    path.strip_prefix(here).unwrap_or(&path).display().to_string()
}

/// A path as it is recorded: relative to the repository where it lies in one, so that it is the same on every machine.
pub fn recorded(path: &Path) -> String {
    let path = absolute(path);
    let relative = repository(&path).and_then(|root| path.strip_prefix(root).map(Path::to_owned).ok());
    let path = relative.unwrap_or(path);
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
        .replacen("//", "/", 1)
}

/// New contents of a file, beside it and ready to take its place.
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

/// Writes a text beside the file that it shall be.
pub fn stage(path: &Path, text: &str) -> Result<Staged, String> {
    if path.is_dir() {
        return Err("it is a directory".to_owned());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|problem| format!("its folder cannot be made: {}", described(&problem)))?;
    if std::fs::metadata(path).is_ok_and(|it| it.permissions().readonly()) {
        return Err("it may only be read".to_owned());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".reml-");
    // Temporary files are private; this one shall become an ordinary one.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(|problem| described(&problem))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|problem| described(&problem))?;
    Ok(Staged { file, path: path.to_owned() })
}

impl Staged {
    pub fn publish(self) -> Result<(), String> {
        self.file.persist(&self.path).map(drop).map_err(|problem| described(&problem.error))
    }
}
