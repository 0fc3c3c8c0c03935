//! What can go wrong with an audit log, and what is to be done about it?

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chain::MAX_LINE;
use crate::validate::MissingKeys;

/// Why an event was not logged, or a log not opened.
///
/// The type can be cloned because one failed write is told to everybody who waited for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AuditError {
    /// The event lacks keys that its kind requires.
    Invalid(MissingKeys),
    /// The path is a symbolic link, and the options do not allow that.
    Symlink { path: PathBuf },
    /// The path is a folder, a pipe or a device.
    NotAFile { path: PathBuf },
    /// Another writer has the log open.
    Locked { path: PathBuf, owner: Option<u32> },
    /// The file system said no: reading, creating or removing one of the files of a log.
    Io { what: &'static str, path: PathBuf, error: Arc<std::io::Error> },
    /// An event could not be written. The log holds all earlier events and no part of this one.
    Write { path: PathBuf, error: Arc<std::io::Error> },
    /// Whether events have reached the disk is unknown, so the log takes no more.
    Sync { path: PathBuf, error: Arc<std::io::Error> },
    /// What is in the files is not what a writer leaves there.
    Damaged { path: PathBuf, reason: String },
    /// The event is longer than a line may be.
    TooLong { bytes: usize },
    /// A program may not log this: only the runtime does.
    Reserved { name: String },
    /// What a program has given is not what it should be: JSON on one line, or an id.
    Unreadable { what: &'static str, reason: String },
    /// The log was closed.
    Closed,
    /// A sink that sends events elsewhere could not.
    Transport { target: String, reason: String },
}

impl AuditError {
    /// The coarse kind that programs in Reml see.
    pub fn kind(&self) -> &'static str {
        match self {
            AuditError::Invalid(_) | AuditError::Reserved { .. } => "PolicyViolation",
            AuditError::Damaged { .. } | AuditError::TooLong { .. } | AuditError::Unreadable { .. } => "Encoding",
            _ => "Transport",
        }
    }

    pub fn io(what: &'static str, path: impl Into<PathBuf>, error: std::io::Error) -> AuditError {
        AuditError::Io { what, path: path.into(), error: Arc::new(error) }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::io::ErrorKind;
        match self {
            AuditError::Invalid(missing) => missing.fmt(f),
            AuditError::Symlink { path } => write!(
                f,
                "the audit log `{}` is a symbolic link; name the file it leads to, or allow links if nobody else can change this one",
                path.display()
            ),
            AuditError::NotAFile { path } => {
                write!(f, "the audit log `{}` is not a regular file; name a file, or use another sink", path.display())
            }
            AuditError::Locked { path, owner } => {
                write!(f, "the audit log `{}` is being written by ", path.display())?;
                match owner {
                    Some(pid) if *pid == std::process::id() => write!(f, "this process already")?,
                    Some(pid) => write!(f, "process {pid}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, "; wait for it, or give each process a log of its own")
            }
            AuditError::Io { what, path, error } => {
                write!(f, "cannot {what} `{}`: {error}", path.display())?;
                match error.kind() {
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                        write!(f, "; the folder must be one in which the user who runs the program may create files")
                    }
                    ErrorKind::NotFound => write!(f, "; the folder must exist"),
                    _ => Ok(()),
                }
            }
            AuditError::Write { path, error } => {
                write!(f, "cannot write to the audit log `{}`: {error}", path.display())?;
                match error.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                        write!(f, "; the event is not in the log; free some space, or move away rotated files")
                    }
                    _ => write!(f, "; the event is not in the log"),
                }
            }
            AuditError::Sync { path, error } => write!(
                f,
                "cannot tell whether the audit log `{}` has reached the disk: {error}; it takes no more events until it is opened again",
                path.display()
            ),
            AuditError::Damaged { path, reason } => write!(
                f,
                "the audit log `{}` is not as its writer left it: {reason}; verify it, and move its files away before a new one is begun",
                path.display()
            ),
            AuditError::TooLong { bytes } => write!(
                f,
                "an audit event of {bytes} bytes is longer than the {MAX_LINE} that a line may have; log what is large elsewhere, and its hash here"
            ),
            AuditError::Reserved { name } => {
                write!(
                    f,
                    "`{name}` is logged by the runtime alone; choose another name for an event or a key of the program's own"
                )
            }
            AuditError::Unreadable { what, reason } => {
                write!(f, "the {what} of an audit event cannot be read: {reason}")
            }
            AuditError::Closed => write!(f, "the audit log is closed"),
            AuditError::Transport { target, reason } => write!(f, "cannot send audit events to {target}: {reason}"),
        }
    }
}

impl std::error::Error for AuditError {}

impl From<MissingKeys> for AuditError {
    fn from(missing: MissingKeys) -> AuditError {
        AuditError::Invalid(missing)
    }
}
