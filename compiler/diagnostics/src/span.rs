//! Where something is in the source: byte ranges over all files of a session.

/// A half-open byte range. Offsets count from the start of the *session's* source space: the source map
/// gives each file a base offset, so a span alone names its file. [`Span::NONE`] marks generated code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The span of code that no source line stands for. File bases start at 1, so it never collides.
    pub const NONE: Span = Span { start: 0, end: 0 };

    pub fn new(start: u32, end: u32) -> Self {
        debug_assert!(start <= end);
        Span { start, end }
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        if self == Span::NONE {
            return other;
        }
        if other == Span::NONE {
            return self;
        }
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub fn is_none(self) -> bool {
        self == Span::NONE
    }

    /// The empty span just before this one.
    pub fn shrink_to_start(self) -> Span {
        Span { start: self.start, end: self.start }
    }

    /// The empty span just after this one.
    pub fn shrink_to_end(self) -> Span {
        Span { start: self.end, end: self.end }
    }
}
