//! Which lines have the hashes that are known from elsewhere?

use std::io::{Seek, SeekFrom};

use memchr::memmem::Finder;

use crate::chain::{Hash, Link, Tail};
use crate::error::AuditError;
use crate::lines::{Line, Lines};
use crate::verify::files::Opened;

/// The lines that state these hashes, and the hashes that no line does. Whether a line is what its hash is of is checked with all others.
pub fn find(files: &[Opened], hashes: &[Hash]) -> Result<(Vec<Tail>, Vec<Hash>), AuditError> {
    let texts: Vec<String> = hashes.iter().map(Hash::to_string).collect();
    let mut wanted: Vec<_> = hashes.iter().zip(&texts).map(|(hash, text)| (*hash, Finder::new(text))).collect();
    let mut tails = Vec::new();
    for opened in files {
        if wanted.is_empty() {
            break;
        }
        let failed = |error| AuditError::io("read", &opened.path, error);
        let mut reader = &opened.file;
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut lines = Lines::new(reader, 0);
        while let Some((_, line)) = lines.next().map_err(failed)? {
            let Line::Whole(line) = line else { continue };
            // The line that follows has the hash, too, as that of its predecessor.
            wanted.retain(|(hash, text)| match text.find(line).and_then(|_| Link::stated(line)) {
                Some((link, _)) if link.hash == *hash => {
                    tails.push(link.tail());
                    false
                }
                _ => true,
            });
        }
    }
    Ok((tails, wanted.into_iter().map(|(hash, _)| hash).collect()))
}
