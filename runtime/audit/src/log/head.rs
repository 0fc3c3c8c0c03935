//! How far had a log come when it was last brought to the disk?
//!
//! The answer is in a small file beside the log, which is replaced as a whole. A log that ends before its head was cut off. A copy of the head that is
//! kept where whoever changes the log cannot write is what makes [`verify`](crate::verify) worth most.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use crate::chain::{Hash, Tail};
use crate::log::files::head_path;

/// No head is as long.
const MOST_BYTES: u64 = 4096;

/// The end of a log at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last line.
    pub tail: Tail,
    /// The number that the file with this line has got, or will get, when it is rotated.
    pub file: u64,
    /// Where the line ends in that file.
    pub bytes: u64,
    /// The writer has said that there is nothing more.
    pub closed: bool,
}

impl Head {
    /// Reads the head of a log. `None` if there is none; an error of kind `InvalidData` if the file is not a head.
    pub fn read(log: &Path) -> io::Result<Option<Head>> {
        // A pipe must not be waited for before it is seen to be one.
        let mut file = match File::options().read(true).custom_flags(libc::O_NONBLOCK).open(head_path(log)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let broken = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(broken("it is not a regular file"));
        }
        if found.len() > MOST_BYTES {
            return Err(broken("it is not the head of an audit log"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Head::parse(&bytes).ok_or_else(|| broken("it is not the head of an audit log")).map(Some)
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let number = |key: &str| value.get(key)?.as_u64();
        let hash: Hash = value.get("hash")?.as_str()?.parse().ok()?;
        Some(Head {
            tail: Tail { seq: number("seq")?, hash },
            file: number("file")?,
            bytes: number("bytes")?,
            closed: value.get("closed")?.as_bool()?,
        })
    }

    /// Replaces the head of a log. Heads that come often need not be `durable`: one that is older than the log is right, too.
    pub fn write(&self, log: &Path, durable: bool) -> io::Result<()> {
        let path = head_path(log);
        // Not a name that an old file of the log could have.
        let new = path.with_extension("head-new");
        let Head { tail: Tail { seq, hash }, file, bytes, closed } = self;
        let text =
            format!("{{\"seq\":{seq},\"hash\":\"{hash}\",\"file\":{file},\"bytes\":{bytes},\"closed\":{closed}}}\n");
        let mut out = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&new)?;
        out.write_all(text.as_bytes())?;
        if durable {
            out.sync_data()?;
        }
        fs::rename(&new, &path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(Head::read(&log).unwrap(), None);
        let head = Head { tail: Tail { seq: 7, hash: Hash::of(b"x") }, file: 2, bytes: 99, closed: true };
        head.write(&log, true).unwrap();
        assert_eq!(Head::read(&log).unwrap(), Some(head));
        fs::write(head_path(&log), "{}").unwrap();
        assert_eq!(Head::read(&log).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let path = std::ffi::CString::new(head_path(&log).into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: the path ends in a zero.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        assert_eq!(Head::read(&log).unwrap_err().to_string(), "it is not a regular file");
    }
}
