//! What is to be printed, and where it may break: documents after Wadler ["A prettier printer", 2003], with the choices
//! that code needs besides: a body that moves to the next line as a whole, and lists that hug their last element.

use std::borrow::Cow;
use std::rc::Rc;

use super::render::STEP;

/// A document. Cheap to clone: parts are shared between the alternatives of a choice.
#[derive(Clone)]
pub struct Doc<'a> {
    pub kind: Rc<Kind<'a>>,
    flags: u8,
}

/// The document contains a line break that is always made.
const HARD: u8 = 1;
/// The document ends with a comment that ends its line: nothing can follow in that line.
const COMMENT: u8 = 2;
/// The document contains a comment within a line.
const REMARK: u8 = 4;

pub enum Kind<'a> {
    Text(Cow<'a, str>),
    /// A space, or a line break when the group around it breaks.
    Line,
    /// Nothing, or a line break when the group around it breaks.
    Soft,
    /// Always a line break; several in a row make one.
    Hard,
    /// Always a line break and an empty line.
    Blank,
    /// A comment that goes to the end of the line it stands in.
    Suffix(Cow<'a, str>),
    /// A comment within a line. It follows the comments that wait for the line's end.
    Remark(Cow<'a, str>),
    Concat(Vec<Doc<'a>>),
    Indent(usize, Doc<'a>),
    /// All of its lines break, or none does.
    Group(Doc<'a>),
    /// None of its lines breaks, whether it fits or not.
    Flat(Doc<'a>),
    /// The first in a group that breaks, else the second.
    IfBreak(Doc<'a>, Doc<'a>),
    /// Elements and what separates them in turn; each separator breaks when the next element does not fit.
    Fill(Vec<Doc<'a>>),
    /// What follows `=` or an arrow: on the same line when it fits there, else in the next line, indented by `step`. A
    /// body that `hugs` starts on the same line when it fits in neither.
    Body {
        doc: Doc<'a>,
        hugs: bool,
        step: usize,
    },
    /// The first that fits: all in one line; the first line of the second; the last.
    Choice {
        flat: Doc<'a>,
        hugged: Doc<'a>,
        broken: Doc<'a>,
    },
}

impl<'a> Doc<'a> {
    fn new(kind: Kind<'a>, flags: u8) -> Doc<'a> {
        Doc { kind: Rc::new(kind), flags }
    }

    pub fn nil() -> Doc<'a> {
        Doc::new(Kind::Concat(Vec::new()), 0)
    }

    /// Whether nothing is in it.
    pub fn is_nil(&self) -> bool {
        match &*self.kind {
            Kind::Concat(parts) => parts.iter().all(Doc::is_nil),
            Kind::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The body of a construct that is indented as a whole.
    pub fn without_step(self) -> Doc<'a> {
        match &*self.kind {
            Kind::Body { doc, hugs, .. } => Doc::new(Kind::Body { doc: doc.clone(), hugs: *hugs, step: 0 }, self.flags),
            _ => self,
        }
    }

    /// The same with the group at its end broken: a list that is hugged has its elements in lines.
    pub fn with_broken_group(self) -> Doc<'a> {
        match &*self.kind {
            Kind::Group(inner) => broken_group(inner.clone()),
            Kind::Concat(parts) => {
                let mut parts = parts.clone();
                let last = parts.pop().map(Doc::with_broken_group);
                concat(parts.into_iter().chain(last))
            }
            _ => self,
        }
    }

    /// The same with what is indented at its end not indented.
    pub fn without_last_indent(self) -> Doc<'a> {
        match &*self.kind {
            Kind::Indent(_, inner) => inner.clone(),
            Kind::Group(inner) => Doc::new(Kind::Group(inner.clone().without_last_indent()), self.flags),
            Kind::Concat(parts) => {
                let mut parts = parts.clone();
                let last = parts.pop().map(Doc::without_last_indent);
                concat(parts.into_iter().chain(last))
            }
            _ => self,
        }
    }

    /// Whether a line break in it is certain.
    pub fn is_forced(&self) -> bool {
        self.flags & HARD != 0
    }

    /// Whether a comment stands before, in or behind it.
    pub fn has_comment(&self) -> bool {
        self.flags != 0
    }

    /// Whether it ends with a comment that ends its line.
    pub fn ends_line(&self) -> bool {
        self.flags & COMMENT != 0
    }

    /// Whether a comment ends the line behind its first or last token, so that what surrounds it must break.
    pub fn has_comment_at_edge(&self) -> bool {
        fn edge(doc: &Doc<'_>, last: bool) -> bool {
            match &*doc.kind {
                Kind::Suffix(_) => true,
                Kind::Concat(parts) | Kind::Fill(parts) => {
                    let part = if last { parts.last() } else { parts.first() };
                    part.is_some_and(|part| edge(part, last))
                }
                Kind::Indent(_, doc) | Kind::Group(doc) | Kind::Flat(doc) | Kind::Body { doc, .. } => edge(doc, last),
                Kind::Choice { broken, .. } => edge(broken, last),
                Kind::Hard | Kind::Blank => true,
                Kind::Text(_) | Kind::Remark(_) | Kind::Line | Kind::Soft | Kind::IfBreak(..) => false,
            }
        }
        self.ends_line() && edge(self, true) || self.is_forced() && edge(self, false)
    }
}

pub fn text<'a>(text: impl Into<Cow<'a, str>>) -> Doc<'a> {
    Doc::new(Kind::Text(text.into()), 0)
}

pub fn line<'a>() -> Doc<'a> {
    Doc::new(Kind::Line, 0)
}

pub fn soft<'a>() -> Doc<'a> {
    Doc::new(Kind::Soft, 0)
}

pub fn hard<'a>() -> Doc<'a> {
    Doc::new(Kind::Hard, HARD)
}

pub fn blank<'a>() -> Doc<'a> {
    Doc::new(Kind::Blank, HARD)
}

pub fn suffix<'a>(text: impl Into<Cow<'a, str>>) -> Doc<'a> {
    Doc::new(Kind::Suffix(text.into()), COMMENT)
}

/// A comment that goes to the end of its line although more follows in it.
pub fn postponed<'a>(text: impl Into<Cow<'a, str>>) -> Doc<'a> {
    Doc::new(Kind::Suffix(text.into()), REMARK)
}

pub fn remark<'a>(text: impl Into<Cow<'a, str>>) -> Doc<'a> {
    Doc::new(Kind::Remark(text.into()), REMARK)
}

pub fn concat<'a>(parts: impl IntoIterator<Item = Doc<'a>>) -> Doc<'a> {
    let parts: Vec<Doc<'a>> = parts.into_iter().collect();
    let flags = joined(&parts);
    Doc::new(Kind::Concat(parts), flags)
}

/// The flags of parts in a row: what follows a comment that ends its line must be in another line.
fn joined(parts: &[Doc<'_>]) -> u8 {
    let mut flags = 0;
    for part in parts {
        if matches!(&*part.kind, Kind::Concat(parts) if parts.is_empty()) {
            continue;
        }
        let follows = if flags & COMMENT != 0 && !matches!(*part.kind, Kind::Suffix(_)) { HARD } else { 0 };
        flags = flags & !COMMENT | follows | part.flags;
    }
    flags
}

pub fn indent<'a>(columns: usize, doc: Doc<'a>) -> Doc<'a> {
    let flags = doc.flags;
    Doc::new(Kind::Indent(columns, doc), flags)
}

pub fn group<'a>(doc: Doc<'a>) -> Doc<'a> {
    let flags = doc.flags;
    Doc::new(Kind::Group(doc), flags)
}

/// A group that breaks whatever the width.
pub fn broken_group<'a>(doc: Doc<'a>) -> Doc<'a> {
    let flags = doc.flags | HARD;
    Doc::new(Kind::Group(doc), flags)
}

/// In one line, unless that is impossible.
pub fn flat<'a>(doc: Doc<'a>) -> Doc<'a> {
    if doc.is_forced() {
        return doc;
    }
    let flags = doc.flags;
    Doc::new(Kind::Flat(doc), flags)
}

pub fn if_break<'a>(broken: Doc<'a>, flat: Doc<'a>) -> Doc<'a> {
    Doc::new(Kind::IfBreak(broken, flat), 0)
}

pub fn fill<'a>(parts: Vec<Doc<'a>>) -> Doc<'a> {
    let flags = joined(&parts);
    Doc::new(Kind::Fill(parts), flags)
}

pub fn body<'a>(doc: Doc<'a>, hugs: bool) -> Doc<'a> {
    let flags = doc.flags;
    Doc::new(Kind::Body { doc, hugs, step: STEP }, flags)
}

pub fn choice<'a>(flat: Doc<'a>, hugged: Doc<'a>, broken: Doc<'a>) -> Doc<'a> {
    let flags = flat.flags;
    Doc::new(Kind::Choice { flat, hugged, broken }, flags)
}
