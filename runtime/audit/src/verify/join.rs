//! How do the pieces of a log fit together?
//!
//! The runs of all pieces, in order, should be one. Where a run does not follow the one before, either something is missing or was replaced there, or what
//! stands there does not belong there and the chain goes on behind it: then a later run follows.

use std::collections::HashMap;

use crate::chain::{Hash, Link, Tail};
use crate::verify::files::Opened;
use crate::verify::piece::{At, Bad, Piece, Run};
use crate::verify::{Checked, Fault, Finding, HeadState, MOST_FINDINGS, Segment, Verification};

/// A run that does not follow what stands before it.
pub struct Break {
    pub at: At,
    pub first: Link,
    /// The line it should have followed; `None` at the beginning of the log.
    pub after: Option<Tail>,
    /// The chain goes on behind it.
    pub inserted: bool,
    /// How many lines it has.
    pub lines: u64,
}

/// The log as one.
pub struct Joined {
    lines: Vec<u64>,
    bad: Vec<Bad>,
    pub breaks: Vec<Break>,
    more: u64,
    segments: Vec<Segment>,
    tail: Option<Tail>,
    anchors: Vec<(usize, bool, At)>,
}

/// Joins pieces, which come in order.
pub fn join(files: &[Opened], pieces: Vec<Piece>) -> Joined {
    let mut joined = Joined {
        lines: vec![0; files.len()],
        bad: Vec::new(),
        breaks: Vec::new(),
        more: 0,
        segments: Vec::new(),
        tail: None,
        anchors: Vec::new(),
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut gap = 0;
    for piece in pieces {
        let before = joined.lines[piece.file];
        let place = |at: At| At { line: before + at.line, ..at };
        joined.lines[piece.file] += piece.lines;
        joined.more += piece.more;
        joined.bad.extend(piece.bad.into_iter().map(|bad| Bad { at: place(bad.at), ..bad }));
        joined.anchors.extend(piece.anchors.into_iter().map(|(index, agrees, at)| (index, agrees, place(at))));
        for run in piece.runs {
            let run = Run { at: place(run.at), gap: run.gap + std::mem::take(&mut gap), ..run };
            match runs.last_mut() {
                Some(last) if run.gap == 0 && last.tail.leads_to(&run.first) => last.tail = run.tail,
                _ => runs.push(run),
            }
        }
        gap += piece.gap;
    }
    joined.follow(&runs);
    joined.split_at_bad_lines();
    joined
}

impl Joined {
    /// Follows the chain through the runs.
    fn follow(&mut self, runs: &[Run]) {
        let mut followers: HashMap<Hash, Vec<usize>> = HashMap::new();
        for (index, run) in runs.iter().enumerate() {
            followers.entry(run.first.prev).or_default().push(index);
        }
        let mut index = 0;
        while let Some(run) = runs.get(index) {
            let Some(tail) = self.tail else {
                if !Tail::START.leads_to(&run.first) {
                    self.miss(run, None, false);
                }
                self.accept(run);
                index += 1;
                continue;
            };
            // Lines that cannot be read stand for those that are missing, if they are as many.
            let replaced = run.gap > 0 && tail.seq.checked_add(run.gap + 1) == Some(run.first.seq);
            if !tail.leads_to(&run.first) && !replaced {
                let follower = followers.get(&tail.hash).and_then(|indices| {
                    indices.iter().copied().find(|&later| later > index && tail.leads_to(&runs[later].first))
                });
                match follower {
                    Some(later) => {
                        for inserted in &runs[index..later] {
                            self.miss(inserted, Some(tail), true);
                        }
                        index = later;
                        continue;
                    }
                    None => self.miss(run, Some(tail), false),
                }
            }
            self.accept(run);
            index += 1;
        }
    }

    fn miss(&mut self, run: &Run, after: Option<Tail>, inserted: bool) {
        if self.breaks.len() < MOST_FINDINGS {
            let lines = run.tail.seq.saturating_sub(run.first.seq).saturating_add(1);
            self.breaks.push(Break { at: run.at, first: run.first, after, inserted, lines });
        } else {
            self.more += 1;
        }
    }

    fn accept(&mut self, run: &Run) {
        let from_start = Tail::START.leads_to(&run.first);
        let (first, last) = (run.first.seq, run.tail.seq);
        let linked = self.tail.filter(|tail| tail.leads_to(&run.first));
        let count = self.segments.len();
        match self.segments.last_mut() {
            Some(segment) if linked.is_some_and(|tail| tail.seq == segment.last) => segment.last = last,
            _ if count < MOST_FINDINGS => self.segments.push(Segment { first, last, from_start, confirmed: false }),
            _ => {}
        }
        self.tail = Some(run.tail);
    }

    /// A line that was edited states its place, so it is within a run; but it proves nothing.
    fn split_at_bad_lines(&mut self) {
        let mut seqs: Vec<u64> = self.bad.iter().filter_map(|bad| bad.seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let mut split = Vec::new();
        for segment in &self.segments {
            let mut rest = *segment;
            let begin = seqs.partition_point(|seq| *seq < rest.first);
            for &seq in seqs[begin..].iter().take_while(|seq| **seq <= segment.last) {
                if seq > rest.first {
                    split.push(Segment { last: seq - 1, ..rest });
                }
                rest = Segment { first: seq.saturating_add(1), from_start: false, ..rest };
                if split.len() >= MOST_FINDINGS {
                    break;
                }
            }
            if rest.first <= rest.last {
                split.push(rest);
            }
        }
        split.truncate(MOST_FINDINGS);
        self.segments = split;
    }

    /// Compares the log with lines that are known.
    pub fn check_anchors(&mut self, anchors: &[Tail], head: &HeadState) {
        let hits = std::mem::take(&mut self.anchors);
        let last = self.tail.map_or(0, |tail| tail.seq);
        for (index, anchor) in anchors.iter().enumerate() {
            let mut places = hits.iter().filter(|(hit, ..)| *hit == index);
            let agreeing = places.clone().find(|(_, agrees, _)| *agrees);
            if let Some((_, _, at)) = agreeing {
                for segment in &mut self.segments {
                    segment.confirmed |= (segment.first..=segment.last).contains(&anchor.seq);
                }
                match head {
                    HeadState::Read(head) if head.closed && head.tail == *anchor && last > anchor.seq => {
                        let at = At { line: at.line + 1, offset: head.bytes, ..*at };
                        self.bad.push(Bad { at, fault: Fault::Added, seq: anchor.seq.checked_add(1) });
                    }
                    _ => {}
                }
            } else if let Some((_, _, at)) = places.next() {
                self.bad.push(Bad { at: *at, fault: Fault::Rewritten, seq: Some(anchor.seq) });
            } else if anchor.seq > last {
                let file = self.lines.len() - 1;
                let at = At { file, line: self.lines[file], offset: u64::MAX };
                self.bad.push(Bad { at, fault: Fault::CutOff { known: anchor.seq }, seq: None });
            }
        }
    }

    /// A break has been explained; `None` if it is none after all.
    pub fn explained(&mut self, explanation: Vec<Option<Fault>>) {
        for (gap, fault) in self.breaks.drain(..).zip(explanation) {
            match fault {
                Some(fault) => self.bad.push(Bad { at: gap.at, fault, seq: Some(gap.first.seq) }),
                // What was removed in good order was not lost.
                None => {
                    if let Some(segment) = self.segments.first_mut() {
                        segment.from_start = true;
                    }
                }
            }
        }
    }

    pub fn finish(mut self, files: Vec<Opened>, head: HeadState) -> Verification {
        self.bad.sort_by_key(|bad| (bad.at.file, bad.at.line));
        let more = self.more + self.bad.len().saturating_sub(MOST_FINDINGS) as u64;
        self.bad.truncate(MOST_FINDINGS);
        let finding = |bad: Bad| Finding {
            file: files[bad.at.file].path.clone(),
            line: bad.at.line + 1,
            offset: bad.at.offset.min(files[bad.at.file].bytes),
            fault: bad.fault,
            seq: bad.seq,
        };
        let findings = self.bad.into_iter().map(finding).collect();
        let first = self.segments.first().map(|segment| segment.first);
        Verification {
            lines: self.lines.iter().sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            range: first.zip(self.tail.map(|tail| tail.seq)),
            tail: self.tail,
            head,
            findings,
            more,
            segments: self.segments,
            files: files
                .into_iter()
                .zip(self.lines)
                .map(|(file, lines)| Checked { path: file.path, bytes: file.bytes, lines })
                .collect(),
        }
    }
}
