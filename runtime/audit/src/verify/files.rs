//! Which files are read, and how long are they?

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::AuditError;
use crate::log;

/// A file as long as it was when it was opened.
pub struct Opened {
    pub path: PathBuf,
    pub file: File,
    pub bytes: u64,
}

/// Opens the files of a log, oldest first. If the log is rotated meanwhile, all is begun again, so that no file is missing or comes twice.
pub fn open_all(path: &Path) -> Result<Vec<Opened>, AuditError> {
    loop {
        let before = log::rotated(path)?;
        let paths = before.iter().map(|number| log::rotated_path(path, *number));
        let opened = paths.chain([path.to_owned()]).map(open).collect::<Result<Vec<_>, _>>();
        if log::rotated(path)? != before {
            continue;
        }
        let mut opened = opened?;
        // Between two steps of a rotation, or when all was moved away, there is no present file.
        if opened.last().is_some_and(Option::is_none) && opened.len() > 1 {
            opened.pop();
        }
        let failed = || AuditError::io("open the audit log", path, std::io::ErrorKind::NotFound.into());
        return opened.into_iter().map(|file| file.ok_or_else(failed)).collect();
    }
}

fn open(path: PathBuf) -> Result<Option<Opened>, AuditError> {
    let failed = |error| AuditError::io("open the audit log", &path, error);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(AuditError::NotAFile { path });
    }
    Ok(Some(Opened { bytes: found.len(), path, file }))
}
