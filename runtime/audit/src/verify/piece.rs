//! How is a part of a file checked by itself?
//!
//! A piece answers for the lines that begin in it. Lines that lead to each other are one *run*, of which only the ends are remembered; a log in good order
//! has one run for each piece.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::chain::{Hash, Link, MAX_LINE, Tail};
use crate::error::AuditError;
use crate::verify::Fault;
use crate::verify::files::Opened;

/// Large enough that threads are rarely idle at the end, small enough that there is something for each.
const PIECE: u64 = 4 << 20;
/// A piece with more runs than this is nothing but faults; the rest of them are only counted.
const MOST_RUNS: usize = 1 << 10;

/// Where a line is: its index in the piece, later in the file, and its first byte in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub file: usize,
    pub line: u64,
    pub offset: u64,
}

/// Lines that follow each other, each linked to the next.
#[derive(Debug, Clone)]
pub struct Run {
    pub at: At,
    pub first: Link,
    pub tail: Tail,
    /// How many lines that are none stand before it, since the run before.
    pub gap: u64,
}

/// A line that is wrong by itself.
#[derive(Debug, Clone)]
pub struct Bad {
    pub at: At,
    pub fault: Fault,
    pub seq: Option<u64>,
}

/// What is in a piece.
#[derive(Debug, Default)]
pub struct Piece {
    pub file: usize,
    pub lines: u64,
    pub runs: Vec<Run>,
    pub bad: Vec<Bad>,
    /// Runs and bad lines that were only counted.
    pub more: u64,
    /// Lines after the last run that are none.
    pub gap: u64,
    /// Lines with the number of an anchor: which, and does the hash agree?
    pub anchors: Vec<(usize, bool, At)>,
}

/// Checks all pieces of all files, in order.
pub fn check_all(files: &[Opened], anchors: &[Tail], threads: usize) -> Result<Vec<Piece>, AuditError> {
    let parts: Vec<(usize, u64)> = files
        .iter()
        .enumerate()
        .flat_map(|(index, file)| (0..file.bytes.div_ceil(PIECE)).map(move |part| (index, part * PIECE)))
        .collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(parts.len()));
    let work = || {
        let mut buffer = Vec::new();
        while let Some(&(file, start)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let piece = check(files, file, start, anchors, &mut buffer);
            done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((file, start, piece));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(parts.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_unstable_by_key(|(file, start, _)| (*file, *start));
    done.into_iter()
        .map(|(file, _, piece)| piece.map_err(|error| AuditError::io("read", &files[file].path, error)))
        .collect()
}

fn check(files: &[Opened], index: usize, start: u64, anchors: &[Tail], buffer: &mut Vec<u8>) -> io::Result<Piece> {
    let Opened { file, bytes: length, .. } = &files[index];
    let end = (start + PIECE).min(*length);
    // With the byte before, which tells whether a line begins here.
    let from = start.saturating_sub(1);
    buffer.resize((end - from) as usize, 0);
    file.read_exact_at(buffer, from)?;
    let mut piece = Piece { file: index, ..Piece::default() };
    let mut begin = match start {
        0 => 0,
        _ => match memchr::memchr(b'\n', buffer) {
            Some(feed) => feed + 1,
            None => return Ok(piece),
        },
    };
    let owned = (end - from) as usize;
    while begin < owned {
        let offset = from + begin as u64;
        let feed = match memchr::memchr(b'\n', &buffer[begin..]) {
            Some(feed) => Some(feed),
            None => read_on(file, from, *length, begin, buffer)?,
        };
        match feed {
            Some(feed) if feed < MAX_LINE => piece.line(offset, &buffer[begin..begin + feed], anchors),
            None if buffer.len() - begin <= MAX_LINE => {
                let bytes = (buffer.len() - begin) as u64;
                let at = At { file: index, line: piece.lines, offset };
                piece.bad.push(Bad { at, fault: Fault::Torn { bytes }, seq: None });
                break;
            }
            _ => {
                piece.spoil(offset, Fault::TooLong);
                piece.gap += 1;
                piece.lines += 1;
            }
        }
        let Some(feed) = feed else { break };
        begin += feed + 1;
    }
    Ok(piece)
}

/// Reads on to the end of the line that begins at `begin`, but not much more than a line may have.
fn read_on(
    file: &std::fs::File,
    from: u64,
    length: u64,
    begin: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<usize>> {
    loop {
        let have = buffer.len();
        let more = (64 << 10).min(length - (from + have as u64)) as usize;
        if more == 0 || have - begin > MAX_LINE {
            return Ok(None);
        }
        buffer.resize(have + more, 0);
        file.read_exact_at(&mut buffer[have..], from + have as u64)?;
        if let Some(feed) = memchr::memchr(b'\n', &buffer[have..]) {
            return Ok(Some(have - begin + feed));
        }
    }
}

impl Piece {
    fn line(&mut self, offset: u64, line: &[u8], anchors: &[Tail]) {
        let at = At { file: self.file, line: self.lines, offset };
        let Some((link, hashed)) = Link::stated(line) else {
            self.spoil(offset, Fault::Malformed);
            self.gap += 1;
            self.lines += 1;
            return;
        };
        self.lines += 1;
        if Hash::of(hashed) != link.hash {
            if self.bad.len() < MOST_RUNS {
                self.bad.push(Bad { at, fault: Fault::Edited, seq: Some(link.seq) });
            } else {
                self.more += 1;
            }
        }
        for (index, anchor) in anchors.iter().enumerate() {
            if anchor.seq == link.seq && self.anchors.len() < MOST_RUNS {
                self.anchors.push((index, anchor.hash == link.hash, at));
            }
        }
        let count = self.runs.len();
        match self.runs.last_mut() {
            Some(run) if self.gap == 0 && run.tail.leads_to(&link) => run.tail = link.tail(),
            // The last of too many runs stands for all that follow.
            Some(run) if count >= MOST_RUNS => {
                run.tail = link.tail();
                self.more += 1;
                self.gap = 0;
            }
            _ => {
                self.runs.push(Run { at, first: link, tail: link.tail(), gap: self.gap });
                self.gap = 0;
            }
        }
    }

    fn spoil(&mut self, offset: u64, fault: Fault) {
        if self.bad.len() < MOST_RUNS {
            let at = At { file: self.file, line: self.lines, offset };
            self.bad.push(Bad { at, fault, seq: None });
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_across_pieces_belong_to_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::START;
        let mut out = Vec::new();
        // Lines of many lengths, so that some end just before, at and behind the borders.
        for length in (0..3000).chain((0..40).map(|step| PIECE as usize / 8 + step)) {
            tail.append(&mut out, format!("{{\"x\":\"{}\"", "y".repeat(length)).as_bytes());
        }
        std::fs::write(&path, &out).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let files = [Opened { path, file, bytes: out.len() as u64 }];
        let pieces = check_all(&files, &[tail], 4).unwrap();
        assert!(pieces.len() > 4);
        assert_eq!(pieces.iter().map(|piece| piece.lines).sum::<u64>(), 3040);
        assert!(pieces.iter().all(|piece| piece.bad.is_empty() && piece.runs.len() <= 1));
        let runs: Vec<_> = pieces.iter().flat_map(|piece| &piece.runs).collect();
        assert!(runs.windows(2).all(|pair| pair[0].tail.leads_to(&pair[1].first)));
        assert_eq!(pieces.last().unwrap().anchors.len(), 1);
    }
}
