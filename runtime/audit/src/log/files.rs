//! Which files does a log consist of, and how are they opened?

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::chain::{Link, MAX_LINE};
use crate::error::AuditError;

/// Only the user who runs the program may read what is logged about it.
const MODE: u32 = 0o600;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Where the old file with a number is.
pub fn rotated_path(log: &Path, number: u64) -> PathBuf {
    beside(log, &format!(".{number}"))
}

pub fn head_path(log: &Path) -> PathBuf {
    beside(log, ".head")
}

fn lock_path(log: &Path) -> PathBuf {
    beside(log, ".lock")
}

/// The folder in which a log is.
pub fn folder(log: &Path) -> &Path {
    match log.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The number of an old file of a log, from the file's name.
pub fn number_of(log: &Path, file: &Path) -> Option<u64> {
    let mut prefix: OsString = log.file_name()?.to_owned();
    prefix.push(".");
    let digits = file.file_name()?.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes())?;
    if !digits.iter().all(u8::is_ascii_digit) || digits.starts_with(b"0") {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The numbers of the old files of a log, in order.
pub fn rotated(log: &Path) -> Result<Vec<u64>, AuditError> {
    let folder = folder(log);
    let failed = |error| AuditError::io("list", folder, error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        numbers.extend(number_of(log, Path::new(&entry.map_err(failed)?.file_name())));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens the file that is written, at its end.
pub fn open(path: &Path, create_new: bool) -> Result<File, AuditError> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .create_new(create_new)
        .mode(MODE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => AuditError::Symlink { path: path.to_owned() },
            _ => AuditError::io("open the audit log", path, error),
        })
}

/// The path to work with: that of a regular file, or of none yet.
pub fn resolve(path: &Path, follow_links: bool) -> Result<PathBuf, AuditError> {
    let path = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() && !follow_links => {
            return Err(AuditError::Symlink { path: path.to_owned() });
        }
        Ok(found) if found.is_symlink() => {
            fs::canonicalize(path).map_err(|error| AuditError::io("follow the link", path, error))?
        }
        _ => path.to_owned(),
    };
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() => Err(AuditError::NotAFile { path }),
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path),
        Err(error) => Err(AuditError::io("look at", path, error)),
    }
}

/// Locks a log until the file is closed, which the system does for a process that is killed.
pub fn lock(log: &Path) -> Result<File, AuditError> {
    let path = lock_path(log);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|error| AuditError::io("create the lock", &path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is only makes the message better.
            let _ = file.take(32).read_to_string(&mut owner);
            return Err(AuditError::Locked { path: log.to_owned(), owner: owner.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(AuditError::io("lock", &path, error)),
    }
    let owner = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all(owner.as_bytes()))
        .map_err(|error| AuditError::io("write", path, error))?;
    Ok(file)
}

/// Brings the names of the files in a folder to the disk.
pub fn sync_folder(log: &Path) -> Result<(), AuditError> {
    let folder = folder(log);
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| AuditError::io("sync the folder", folder, error))
}

/// The link of the line that ends at `end`. `None` if there is no such line, or if its hash is not right.
pub fn link_before(file: &mut File, end: u64) -> io::Result<Option<Link>> {
    let mut wanted = 4 << 10;
    loop {
        let start = end.saturating_sub(wanted);
        let mut bytes = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        let Some((b'\n', line)) = bytes.split_last() else { return Ok(None) };
        match line.iter().rposition(|byte| *byte == b'\n') {
            Some(before) => return Ok(Link::checked(&line[before + 1..])),
            None if start == 0 => return Ok(Link::checked(line)),
            None if wanted > MAX_LINE as u64 => return Ok(None),
            None => wanted *= 8,
        }
    }
}

/// The link of the last line of an old file.
pub fn last_link(path: &Path) -> Result<Option<Link>, AuditError> {
    let failed = |error| AuditError::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let end = file.metadata().map_err(failed)?.len();
    link_before(&mut file, end).map_err(failed)
}

/// What the writer does with its file; tests put one in between that fails.
pub trait Medium: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Lets the system begin to bring these bytes to the disk, where it can be told so.
    fn write_behind(&mut self, bytes: Range<u64>);
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    #[cfg(target_os = "linux")]
    fn write_behind(&mut self, bytes: Range<u64>) {
        let (from, count) = (bytes.start as i64, (bytes.end - bytes.start) as i64);
        // SAFETY: the descriptor is open. An error is none: syncing will tell of it.
        unsafe { libc::sync_file_range(self.as_raw_fd(), from, count, libc::SYNC_FILE_RANGE_WRITE) };
    }

    #[cfg(not(target_os = "linux"))]
    fn write_behind(&mut self, _: Range<u64>) {}

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes a medium of an open file.
pub type Wrap = Box<dyn Fn(File) -> Box<dyn Medium> + Send>;
