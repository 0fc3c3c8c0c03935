//! Is a log as its writer left it, and if not, where is it not, and what can still be believed?
//!
//! Each line names its predecessor's hash, so the files are cut into [pieces](piece) that are checked at the same time, and the pieces are then
//! [joined](join). Only if something is wrong, everything is read once more to [explain](explain) it.
//!
//! The chain proves that nothing was changed *before* a hash that is known from elsewhere. The head beside the log is such a hash as long as
//! whoever changes the log does not write a new head, too; a copy kept in another place, given as an anchor, is better.

mod explain;
pub(crate) mod files;
mod join;
mod json;
mod known;
mod piece;
mod print;

use std::path::{Path, PathBuf};

use crate::chain::{Hash, Tail};
use crate::error::AuditError;
use crate::log::Head;

pub use print::print;

/// How a log is verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Lines that are known from elsewhere.
    pub anchors: Vec<Tail>,
    /// The hashes of such lines, wherever they are.
    pub known: Vec<Hash>,
    /// The number of threads; by default, as many as there are processors.
    pub threads: Option<usize>,
}

/// What is in the files of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Oldest first.
    pub files: Vec<Checked>,
    pub lines: u64,
    pub bytes: u64,
    /// The first and the last number.
    pub range: Option<(u64, u64)>,
    /// Where the log ends.
    pub tail: Option<Tail>,
    pub head: HeadState,
    /// Hashes that are known, but of no line.
    pub lost: Vec<Hash>,
    /// In the order of the lines; the first [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// Lines that hang together without a finding between them.
    pub segments: Vec<Segment>,
}

/// So many findings are kept, so that a file with nothing but faults needs no more memory than others.
pub const MOST_FINDINGS: usize = 100;

impl Verification {
    /// The log is whole: nothing was found but, perhaps, what a crash leaves behind.
    pub fn is_intact(&self) -> bool {
        self.more == 0
            && self.lost.is_empty()
            && self.findings.iter().all(|finding| matches!(finding.fault, Fault::Torn { .. }))
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub path: PathBuf,
    pub bytes: u64,
    pub lines: u64,
}

/// What the file with the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadState {
    /// There is none, so nothing tells whether lines were cut off at the end.
    Absent,
    /// It cannot be read.
    Unreadable(String),
    /// It has been read; findings tell whether the log agrees.
    Read(Head),
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub fault: Fault,
    pub file: PathBuf,
    /// The line in the file, from 1, and the byte it begins at.
    pub line: u64,
    pub offset: u64,
    /// The number that the line says it has.
    pub seq: Option<u64>,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The line is not what its hash is of.
    Edited,
    /// It is no line of an audit log.
    Malformed,
    /// It is longer than a line can be.
    TooLong,
    /// The last line is not finished. A crash does this, or somebody is writing.
    Torn { bytes: u64 },
    /// The lines with these numbers are missing before this one.
    Deleted { first: u64, last: u64 },
    /// The same line stands elsewhere, too.
    Duplicate { original: Place },
    /// It does not stand behind its predecessor, which is elsewhere.
    Moved { predecessor: Place },
    /// Two lines say that they follow the same one.
    Fork { rival: Place },
    /// Its predecessor is nowhere, although the numbers fit: one of the two was replaced.
    Replaced,
    /// It belongs to another chain.
    Foreign,
    /// The log begins later than it should, and nothing says that its beginning was removed in good order.
    NoBeginning,
    /// The head or an anchor knows lines up to this one, but the log ends before.
    CutOff { known: u64 },
    /// The head or an anchor knows another line with this number.
    Rewritten,
    /// The log was closed before this line.
    Added,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: u64,
}

/// Consecutive lines that are linked to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub first: u64,
    pub last: u64,
    /// It begins where the log begins.
    pub from_start: bool,
    /// It leads up to the head or to an anchor, so it is what was written as far as that is right.
    pub confirmed: bool,
}

/// Verifies a log: the file `log` and the old files beside it.
///
/// ```
/// use reml_audit::log::{Log, LogOptions};
/// use reml_audit::verify::{Fault, VerifyOptions, verify};
/// use reml_audit::{Event, EventKind, Sink};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("audit.log");
/// let log = Log::open(&path, LogOptions::default())?;
/// log.log(&Event::new(EventKind::named("paid")).with("amount", 100))?;
/// log.close()?;
/// assert!(verify(&path, &VerifyOptions::default())?.is_intact());
///
/// let text = std::fs::read_to_string(&path).unwrap();
/// std::fs::write(&path, text.replace("100", "900")).unwrap();
/// let found = verify(&path, &VerifyOptions::default())?;
/// assert_eq!(found.findings[0].fault, Fault::Edited);
/// # Ok::<(), reml_audit::AuditError>(())
/// ```
pub fn verify(log: &Path, options: &VerifyOptions) -> Result<Verification, AuditError> {
    // The head first: a log that is being written only gets longer.
    let head = match Head::read(log) {
        Ok(None) => HeadState::Absent,
        Ok(Some(head)) => HeadState::Read(head),
        Err(error) => HeadState::Unreadable(error.to_string()),
    };
    let files = files::open_all(log)?;
    let (mut anchors, lost) = known::find(&files, &options.known)?;
    anchors.extend_from_slice(&options.anchors);
    if let HeadState::Read(head) = head {
        anchors.push(head.tail);
    }
    anchors.retain(|anchor| *anchor != Tail::START);
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let pieces = piece::check_all(&files, &anchors, threads)?;
    let mut joined = join::join(&files, pieces);
    joined.check_anchors(&anchors, &head);
    joined.explain(&files)?;
    Ok(Verification { lost, ..joined.finish(files, head) })
}
