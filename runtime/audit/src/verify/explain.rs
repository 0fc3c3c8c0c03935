//! What has happened where the chain breaks?
//!
//! A log in good order never gets here. Otherwise the lines are read once more, one after the other, to see where the lines are that the first
//! line of each broken run has to do with: itself, its predecessor, and others that name the same predecessor.

use std::collections::HashMap;
use std::io::{Seek, SeekFrom};

use memchr::memmem;
use serde_json::Value;

use crate::chain::{Hash, Link, Tail};
use crate::error::AuditError;
use crate::kind::EventKind;
use crate::lines::{Line, Lines};
use crate::verify::files::Opened;
use crate::verify::join::{Break, Joined};
use crate::verify::{Fault, Place};

/// Where a line is: the index of its file, and its own in the file.
type Spot = (usize, u64);

#[derive(Default)]
struct Answer {
    original: Option<Spot>,
    predecessor: Option<Spot>,
    rival: Option<Spot>,
    /// The log says that everything up to the predecessor was removed.
    pruned: bool,
}

impl Joined {
    /// Finds out what the breaks are.
    pub fn explain(&mut self, files: &[Opened]) -> Result<(), AuditError> {
        if self.breaks.is_empty() {
            return Ok(());
        }
        let answers = search(&self.breaks, files)?;
        let explanation = (0..answers.len()).map(|index| fault(&self.breaks, &answers, index, files)).collect();
        self.explained(explanation);
        Ok(())
    }
}

fn fault(breaks: &[Break], answers: &[Answer], index: usize, files: &[Opened]) -> Option<Fault> {
    let place = |(file, line): Spot| Place { file: files[file].path.clone(), line: line + 1 };
    let (gap, answer) = (&breaks[index], &answers[index]);
    let seq = gap.first.seq;
    let Some(after) = gap.after else {
        return (!answer.pruned).then_some(Fault::NoBeginning);
    };
    let next = after.seq.saturating_add(1);
    let begins = Tail::START.leads_to(&gap.first);
    Some(match *answer {
        Answer { original: Some(original), .. } => Fault::Duplicate { original: place(original) },
        Answer { predecessor, rival: Some(rival), .. } if (predecessor.is_some() || begins) && !gap.inserted => {
            Fault::Fork { rival: place(rival) }
        }
        Answer { predecessor: Some(predecessor), .. } if !is_foreign(breaks, answers, index) => {
            Fault::Moved { predecessor: place(predecessor) }
        }
        _ if gap.inserted => Fault::Foreign,
        _ if seq > next => Fault::Deleted { first: next, last: seq - 1 },
        _ if seq == next => Fault::Replaced,
        _ => Fault::Foreign,
    })
}

/// Does a broken run follow, perhaps through others, one whose predecessor is nowhere in this log?
fn is_foreign(breaks: &[Break], answers: &[Answer], index: usize) -> bool {
    let mut index = index;
    // A circle of runs would be as long as there are runs.
    for _ in 0..breaks.len() {
        let Some((file, line)) = answers[index].predecessor else { return true };
        let holder = breaks.iter().position(|gap| {
            gap.inserted && gap.at.file == file && (gap.at.line..gap.at.line.saturating_add(gap.lines)).contains(&line)
        });
        match holder {
            Some(holder) => index = holder,
            None => return false,
        }
    }
    false
}

fn search(breaks: &[Break], files: &[Opened]) -> Result<Vec<Answer>, AuditError> {
    let mut answers: Vec<Answer> = breaks.iter().map(|_| Answer::default()).collect();
    let mut by_hash: HashMap<Hash, Vec<usize>> = HashMap::new();
    let mut by_prev: HashMap<Hash, Vec<usize>> = HashMap::new();
    for (index, gap) in breaks.iter().enumerate() {
        by_hash.entry(gap.first.hash).or_default().push(index);
        by_prev.entry(gap.first.prev).or_default().push(index);
    }
    let beginning = breaks.iter().position(|gap| gap.after.is_none());
    let pruned = memmem::Finder::new(EventKind::Pruned.name());
    let of = |map: &HashMap<Hash, Vec<usize>>, hash| map.get(&hash).cloned().unwrap_or_default();
    for (file, opened) in files.iter().enumerate() {
        let failed = |error| AuditError::io("read", &opened.path, error);
        let mut reader = &opened.file;
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut lines = Lines::new(reader, 0);
        let mut number = 0;
        while let Some((_, line)) = lines.next().map_err(failed)? {
            if let Line::Whole(line) = line
                && let Some((link, _)) = Link::stated(line)
            {
                for index in of(&by_hash, link.hash) {
                    let at = breaks[index].at;
                    if (file, number) < (at.file, at.line) {
                        answers[index].original.get_or_insert((file, number));
                    }
                }
                for index in of(&by_prev, link.hash) {
                    answers[index].predecessor.get_or_insert((file, number));
                }
                for index in of(&by_prev, link.prev) {
                    if breaks[index].first.hash != link.hash {
                        answers[index].rival.get_or_insert((file, number));
                    }
                }
                if let Some(index) = beginning
                    && pruned.find(line).is_some()
                {
                    answers[index].pruned |= removed(line).is_some_and(|tail| tail.leads_to(&breaks[index].first));
                }
            }
            number += 1;
        }
    }
    Ok(answers)
}

/// Up to which line a file went whose removal this line tells of.
fn removed(line: &[u8]) -> Option<Tail> {
    Link::checked(line)?;
    let value: Value = serde_json::from_slice(line).ok()?;
    let metadata = value.get("envelope")?.get("metadata")?;
    if metadata.get("event.kind")?.as_str()? != EventKind::Pruned.name() {
        return None;
    }
    let hash = metadata.get("audit.pruned.hash")?.as_str()?.parse().ok()?;
    Some(Tail { seq: metadata.get("audit.pruned.seq")?.as_u64()?, hash })
}
