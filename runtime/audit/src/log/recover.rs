//! Where does the chain of a log go on that was written before, perhaps by a process that was killed?
//!
//! Up to the head, everything had reached the disk, so it is as it was, or somebody has changed it: then the log is not opened. Behind the head there
//! may be lines that were written and not synced. Those that continue the chain stay; what comes after them is what a crash has
//! left of further ones, and is cut off. Without a head, only an unfinished last line is taken for the work of a crash.
//!
//! The part before the head is not read again; that is what [`verify`](crate::verify) is for.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::chain::{Hash, Link, Tail};
use crate::error::AuditError;
use crate::event::Event;
use crate::kind::EventKind;
use crate::lines::{Line, Lines};
use crate::log::files;
use crate::log::head::Head;

/// The end of the chain and what comes after it.
pub struct Found {
    pub tail: Tail,
    /// The number that the present file will get.
    pub file: u64,
    /// Where the chain ends in it.
    pub bytes: u64,
    /// What is to be cut off, if anything.
    pub cut: Option<Cut>,
}

/// Bytes after the end of the chain.
pub struct Cut {
    bytes: u64,
    digest: Hash,
}

impl Cut {
    /// The event that tells of it.
    pub fn event(&self) -> Event {
        Event::new(EventKind::Recovered)
            .capability("core.audit")
            .with("audit.recovered.bytes", self.bytes)
            .with("audit.recovered.digest", self.digest.to_string())
    }
}

/// Finds the end of the chain. `current` is the present file, which may be empty.
pub fn find(log: &Path, current: &mut File, head: Option<Head>) -> Result<Found, AuditError> {
    let damaged = |reason: String| AuditError::Damaged { path: log.to_owned(), reason };
    let failed = |error| AuditError::io("read", log, error);
    let length = current.metadata().map_err(failed)?.len();
    let newest = files::rotated(log)?.last().copied();
    let file = newest.map_or(1, |number| number + 1).max(head.map_or(1, |head| head.file));

    // Where the present file begins, if that is known.
    let before = match newest {
        Some(number) => {
            let path = files::rotated_path(log, number);
            let link = files::last_link(&path)?
                .ok_or_else(|| damaged(format!("`{}` does not end with a line of the log", path.display())))?;
            Some(link.tail())
        }
        None if file == 1 => Some(Tail::START),
        None => None,
    };

    let mut start = 0;
    let mut tail = before;
    if let Some(head) = head {
        if head.file == file {
            if length < head.bytes {
                let missing = head.bytes - length;
                return Err(damaged(format!("it has lost {missing} bytes that had reached the disk")));
            }
            if head.bytes > 0 {
                let link = files::link_before(current, head.bytes).map_err(failed)?;
                if link.map(|link| link.tail()) != Some(head.tail) {
                    return Err(damaged(format!("line {} is not the one that its head knows", head.tail.seq)));
                }
            }
            start = head.bytes;
            tail = Some(head.tail);
        } else if before
            .is_none_or(|before| before.seq < head.tail.seq || before.seq == head.tail.seq && before != head.tail)
        {
            return Err(damaged(format!("the file with line {} is missing or another one", head.tail.seq)));
        }
        if head.closed && start < length {
            return Err(damaged(format!("{} bytes were added after it was closed", length - start)));
        }
    }

    current.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut lines = Lines::new(&mut *current, start);
    let mut end = start;
    let mut unfinished = false;
    while let Some((offset, line)) = lines.next().map_err(failed)? {
        let link = match line {
            Line::Whole(line) => Link::checked(line).filter(|link| tail.is_none_or(|tail| tail.leads_to(link))),
            Line::Torn(_) => {
                unfinished = true;
                None
            }
            Line::TooLong => None,
        };
        let Some(link) = link else { break };
        let Line::Whole(line) = line else { break };
        tail = Some(link.tail());
        end = offset + line.len() as u64 + 1;
    }
    if end < length && head.is_none() && !unfinished {
        return Err(damaged(format!("the line at byte {end} does not continue the chain")));
    }
    let cut = (end < length).then(|| digest(current, end)).transpose().map_err(failed)?;
    Ok(Found { tail: tail.unwrap_or(Tail::START), file, bytes: end, cut })
}

fn digest(file: &mut File, start: u64) -> std::io::Result<Cut> {
    file.seek(SeekFrom::Start(start))?;
    let mut hasher = Sha256::new();
    let bytes = std::io::copy(file, &mut HashWriter(&mut hasher))?;
    Ok(Cut { bytes, digest: Hash(hasher.finalize().into()) })
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
