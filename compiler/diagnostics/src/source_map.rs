//! The files of a session: text, name, and from a span back to file, line and column.

use std::sync::Arc;

use crate::span::Span;

/// Index of a file in its [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

/// One source file. `base` is where its text starts in the session's source space.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As the user knows it: the path given on the command line, or `Core/List.reml` for the library.
    pub name: Arc<str>,
    pub text: Arc<str>,
    pub base: u32,
    /// Byte offsets of line starts, relative to the file.
    line_starts: Vec<u32>,
}

/// A 1-based line and column; columns count Unicode scalar values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineColumn {
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Default, Debug)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

/// The session's source space is full (4 GiB).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceSpaceFull;

impl SourceMap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; its spans start at the returned file's `base`.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Result<FileId, SourceSpaceFull> {
        let text = text.into();
        // One past the previous end, so that an empty span at a file's end belongs to that file alone; never 0.
        let base = self.files.last().map_or(1, |file| u64::from(file.base) + file.text.len() as u64 + 1);
        if base + text.len() as u64 >= u64::from(u32::MAX) {
            return Err(SourceSpaceFull);
        }
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1))
            .collect();
        self.files.push(SourceFile { name: name.into(), text, base: base as u32, line_starts });
        Ok(FileId(self.files.len() as u32 - 1))
    }

    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, file)| (FileId(i as u32), file))
    }

    /// The file a span lies in; `None` for [`Span::NONE`].
    pub fn file_of(&self, span: Span) -> Option<FileId> {
        if span.is_none() {
            return None;
        }
        let index = self.files.partition_point(|file| file.base <= span.start);
        index.checked_sub(1).map(|i| FileId(i as u32))
    }

    /// Line and column of a span's start.
    pub fn position(&self, span: Span) -> Option<(FileId, LineColumn)> {
        let id = self.file_of(span)?;
        let file = self.file(id);
        Some((id, file.line_column(span.start - file.base)))
    }

    /// The source text of a span.
    pub fn text(&self, span: Span) -> Option<&str> {
        let file = self.file(self.file_of(span)?);
        file.text.get((span.start - file.base) as usize..(span.end - file.base) as usize)
    }
}

impl SourceFile {
    /// Line and column of a byte offset into the file.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let line = self.line_starts.partition_point(|&start| start <= offset) - 1;
        let start = self.line_starts[line] as usize;
        let end = (offset as usize).min(self.text.len());
        let column = self.text.get(start..end).map_or(end - start, |prefix| prefix.chars().count());
        LineColumn { line: line as u32 + 1, column: column as u32 + 1 }
    }

    /// The zero-based index of the line that holds a byte offset into the file.
    pub fn line_index(&self, offset: u32) -> usize {
        self.line_starts.partition_point(|&start| start <= offset) - 1
    }

    /// Where a zero-based line lies in the text, without its line terminator.
    pub fn line_range(&self, index: usize) -> std::ops::Range<usize> {
        let start = self.line_starts[index] as usize;
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |&next| next as usize - 1);
        let end = if self.text.as_bytes()[start..end].ends_with(b"\r") { end - 1 } else { end };
        start..end
    }

    /// The span of the whole file.
    pub fn span(&self) -> Span {
        Span::new(self.base, self.base + self.text.len() as u32)
    }
}
