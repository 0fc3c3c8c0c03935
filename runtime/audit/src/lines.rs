//! How are the lines of a file that may hold anything read in bounded memory?

use std::io::{self, BufRead, BufReader, Read};

use crate::chain::MAX_LINE;

/// What stands between two line feeds.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Without its line feed.
    Whole(&'a [u8]),
    /// The end of the file, after the last line feed.
    Torn(&'a [u8]),
    /// More than a line may have. It was skipped.
    TooLong,
}

/// Reads one line after the other.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    offset: u64,
}

impl<R: Read> Lines<R> {
    /// Reads from where `reader` stands, which is `offset`.
    pub fn new(reader: R, offset: u64) -> Lines<R> {
        Lines { reader: BufReader::with_capacity(256 << 10, reader), line: Vec::new(), offset }
    }

    /// The next line and where it begins.
    pub fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.line.clear();
        let start = self.offset;
        let read = self.reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        self.offset += read as u64;
        match self.line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some((start, Line::Whole(&self.line[..self.line.len() - 1])))),
            Some(_) if read <= MAX_LINE => Ok(Some((start, Line::Torn(&self.line)))),
            Some(_) => {
                self.offset += self.reader.skip_until(b'\n')? as u64;
                Ok(Some((start, Line::TooLong)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_whole_torn_and_endless_lines_apart() {
        let mut bytes = b"one\n\n".to_vec();
        bytes.resize(bytes.len() + MAX_LINE + 5, b'x');
        bytes.extend_from_slice(b"\ntwo\nthr");
        let mut lines = Lines::new(bytes.as_slice(), 0);
        let long = 5 + MAX_LINE as u64 + 6;
        assert_eq!(lines.next().unwrap(), Some((0, Line::Whole(b"one"))));
        assert_eq!(lines.next().unwrap(), Some((4, Line::Whole(b""))));
        assert_eq!(lines.next().unwrap(), Some((5, Line::TooLong)));
        assert_eq!(lines.next().unwrap(), Some((long, Line::Whole(b"two"))));
        assert_eq!(lines.next().unwrap(), Some((long + 4, Line::Torn(b"thr"))));
        assert_eq!(lines.next().unwrap(), None);
    }
}
