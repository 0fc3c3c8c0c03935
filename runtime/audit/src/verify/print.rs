//! How is told what was found in a log?

use std::fmt;
use std::io::{self, Write};

use crate::verify::{Fault, Finding, HeadState, Place, Verification};

/// Prints a verification: first whether the log is whole, then what is wrong and what can still be believed.
pub fn print(found: &Verification, out: &mut impl Write) -> io::Result<()> {
    let files = plural(found.files.len() as u64, "file");
    let (lines, bytes) = (plural(found.lines, "line"), plural(found.bytes, "byte"));
    let verdict = match (found.is_intact(), found.findings.is_empty()) {
        (true, true) => "intact",
        (true, false) => "intact but for its last line",
        _ => "NOT intact",
    };
    writeln!(out, "{verdict}: {lines} in {files}, {bytes}")?;
    for finding in &found.findings {
        writeln!(out, "{finding}")?;
    }
    if found.more > 0 {
        writeln!(out, "and {} more", found.more)?;
    }
    for hash in &found.lost {
        writeln!(out, "no line has the known hash {hash}: the log was written anew, or ends before that line")?;
    }
    if !found.is_intact() {
        for segment in &found.segments {
            let alone = segment.first == segment.last;
            let reason = match (segment.from_start, segment.confirmed) {
                (_, true) if alone => "is what is known of the end",
                (_, true) => "lead up to what is known of the end",
                (true, _) if alone => "is the beginning",
                (true, _) => "are linked from the beginning",
                _ if alone => "is linked to no other",
                _ => "are linked to each other only",
            };
            match alone {
                true => writeln!(out, "line {} {reason}", segment.first)?,
                false => writeln!(out, "lines {} to {} {reason}", segment.first, segment.last)?,
            }
        }
    }
    let tail = found.tail.map(|tail| format!("line {} is {}", tail.seq, tail.hash));
    if let Some(tail) = tail {
        writeln!(out, "{tail}")?;
    }
    match &found.head {
        HeadState::Absent => writeln!(out, "there is no head, so lines missing at the end would not be noticed"),
        HeadState::Unreadable(reason) => {
            writeln!(out, "the head cannot be read ({reason}), so lines missing at the end would not be noticed")
        }
        HeadState::Read(head) => {
            let after = found.tail.map_or(0, |tail| tail.seq).saturating_sub(head.tail.seq);
            match after {
                0 => Ok(()),
                _ => writeln!(out, "{} written after the head", plural(after, "line")),
            }
        }
    }
}

fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(seq) = self.seq {
            write!(f, "line {seq} of the log ")?;
        } else {
            write!(f, "this ")?;
        }
        self.fault.fmt(f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Edited => write!(f, "was changed: its text does not have the hash it states"),
            Fault::Malformed => write!(f, "is no line of an audit log"),
            Fault::TooLong => write!(f, "is longer than a line of an audit log can be"),
            Fault::Torn { bytes } => {
                write!(f, "is not finished ({}): a crash, or somebody is writing", plural(*bytes, "byte"))
            }
            Fault::Deleted { first, last } if first == last => write!(f, "comes too early: line {first} is missing"),
            Fault::Deleted { first, last } => write!(f, "comes too early: lines {first} to {last} are missing"),
            Fault::Duplicate { original } => write!(f, "is repeated: it stands at {original}, too"),
            Fault::Moved { predecessor } => write!(f, "was moved: the line it follows is at {predecessor}"),
            Fault::Fork { rival } => write!(f, "follows the same line as the one at {rival}: one of them is forged"),
            Fault::Replaced => {
                write!(f, "does not follow the line before it, although the numbers fit: one of them is forged")
            }
            Fault::Foreign => write!(f, "belongs to another chain: it is forged, or from another log"),
            Fault::NoBeginning => {
                write!(f, "is the first, and nothing tells that what was before it was removed by the log itself")
            }
            Fault::CutOff { known } => write!(f, "is the end, but line {known} is known: the end was cut off"),
            Fault::Rewritten => write!(f, "is not the one that is known: the log was written anew"),
            Fault::Added => write!(f, "and what follows was added after the log had been closed"),
        }
    }
}
