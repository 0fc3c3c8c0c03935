//! The files of a state: how they are read, locked and replaced.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A state that is larger is none.
const MAX_BYTES: u64 = 64 << 20;

/// Why a state cannot be read or written.
#[derive(Debug)]
pub enum StoreError {
    NotFound {
        path: PathBuf,
    },
    /// A folder, a pipe, a device.
    NotAFile {
        path: PathBuf,
        what: &'static str,
    },
    TooLarge {
        path: PathBuf,
        bytes: u64,
    },
    /// Somebody else reloads it, and did not finish in time.
    Busy {
        path: PathBuf,
        waited: Duration,
    },
    Io {
        what: &'static str,
        path: PathBuf,
        error: io::Error,
    },
}

impl StoreError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        move |error| match error.kind() {
            io::ErrorKind::NotFound if what == "read" => StoreError::NotFound { path: path.to_owned() },
            _ => StoreError::Io { what, path: path.to_owned(), error },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotFound { path } => write!(f, "there is no file `{}`", path.display()),
            StoreError::NotAFile { path, what } => write!(f, "`{}` is {what}, not a file", path.display()),
            StoreError::TooLarge { path, bytes } => {
                write!(f, "`{}` has {bytes} bytes, and a state has at most {} MiB", path.display(), MAX_BYTES >> 20)
            }
            StoreError::Busy { path, waited } => write!(
                f,
                "`{}` is being reloaded by another process, which has not finished within {} s",
                path.display(),
                waited.as_secs()
            ),
            StoreError::Io { what, path, error } => {
                let system = error.to_string();
                let reason = system.split_once(" (os error").map_or(&*system, |(reason, _)| reason);
                write!(f, "cannot {what} `{}`: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Reads a state, and says where it really is when the path is a link.
///
/// # Errors
///
/// `NotFound`, `NotAFile`, `TooLarge`, `Io`.
pub fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), StoreError> {
    let path = resolved(path).map_err(StoreError::io("read", path))?;
    // A pipe must not be opened: that would wait for its other end.
    let kind = fs::metadata(&path).map_err(StoreError::io("read", &path))?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(StoreError::NotAFile { path, what });
    }
    if kind.len() > MAX_BYTES {
        return Err(StoreError::TooLarge { bytes: kind.len(), path });
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(StoreError::io("read", &path))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(StoreError::io("read", &path))?;
    Ok((path, bytes))
}

/// Where a file really is: a link stays one, and what it leads to is replaced.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(path)?.is_symlink() { path.canonicalize() } else { Ok(path.to_owned()) }
}

/// The copy with a number.
pub fn numbered(state: &Path, number: u64) -> PathBuf {
    beside(state, &format!(".{number}"))
}

fn beside(state: &Path, suffix: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whoever has it is the only one who reloads a state. The system takes it away when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    pub fn take(state: &Path, patience: Duration) -> Result<Lock, StoreError> {
        let path = beside(state, ".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StoreError::io("lock", &path))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Busy { path: state.to_owned(), waited: patience });
                }
                Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
            }
        }
    }
}

/// Makes a file, or replaces it, as a whole; it can be used by whoever can use `like`.
pub fn put(path: &Path, bytes: &[u8], like: &Path) -> Result<(), StoreError> {
    let permissions = fs::metadata(like).map_err(StoreError::io("write", path))?.permissions();
    // A file that may not be written must not be replaced either.
    OpenOptions::new().append(true).open(like).map_err(StoreError::io("write", like))?;
    let new = beside(path, ".new");
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        file.set_permissions(permissions)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    if let Err(error) = written() {
        let _ = fs::remove_file(&new);
        return Err(StoreError::io("write", path)(error));
    }
    rename(&new, path)
}

/// Puts a file in the place of another, and brings that to the disk.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io("replace", to))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io("write", folder))
}
