//! Lists between brackets: in one line, one element per line, or hugging the last element.

use crate::ast::{Expr, ExprKind};
use crate::token::Kind;

use super::Formatter;
use super::doc::*;
use super::render::{STEP, WIDTH, flat_width};

/// A list that has been read.
pub struct List<'a> {
    open: Doc<'a>,
    pub elements: Vec<Element<'a>>,
    /// Comments before the closing bracket.
    dangling: Option<Doc<'a>>,
    close: Doc<'a>,
    /// The list is written with its first element in a new line, which is kept.
    pub broken: bool,
    /// The closing bracket starts its line.
    pub close_on_own_line: bool,
    /// In the source, some line holds several elements.
    rows: bool,
    braces: bool,
}

pub struct Element<'a> {
    pub doc: Doc<'a>,
    comma: Option<Doc<'a>>,
    starts_line: bool,
    blank: bool,
}

/// Whether a comma follows the last element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// When every element has its line.
    Broken,
    /// As in the source.
    Kept,
    /// Never.
    None,
}

impl<'a> Formatter<'a> {
    /// Reads a list; its opening bracket comes next. `each` formats one element.
    pub fn list(&mut self, mut each: impl FnMut(&mut Self) -> Doc<'a>) -> List<'a> {
        let close = self.cursor.mate(self.cursor.at);
        let braces = self.cursor.kind() == Kind::LBrace;
        let open = self.cursor.next();
        let broken = self.cursor.starts_line() && self.cursor.at < close;
        let mut elements: Vec<Element<'a>> = Vec::new();
        while self.cursor.at < close {
            let before = self.cursor.at;
            let starts_line = self.cursor.starts_line();
            let blank = !elements.is_empty() && self.cursor.blank_before();
            let mut doc = each(self);
            if self.cursor.at == before {
                // Nothing an element begins with; the token is kept as it is.
                doc = concat([doc, self.cursor.next()]);
            }
            let comma = (self.cursor.kind() == Kind::Comma && self.cursor.at < close).then(|| self.cursor.next());
            elements.push(Element { doc, comma, starts_line, blank });
        }
        let dangling = self.cursor.dangling();
        let close_on_own_line = self.cursor.starts_line();
        let close = self.cursor.next();
        let rows = broken && elements.iter().skip(1).any(|element| !element.starts_line);
        List { open, elements, dangling, close, broken, close_on_own_line, rows, braces }
    }
}

impl<'a> List<'a> {
    fn with_commas(&self, trailing: Trailing) -> Vec<Doc<'a>> {
        let last = self.elements.len().wrapping_sub(1);
        let one = |(i, element): (usize, &Element<'a>)| {
            let comma = match &element.comma {
                Some(comma) if i < last || trailing == Trailing::Kept || comma.has_comment() => Some(comma.clone()),
                None if i < last => Some(text(",")),
                _ if trailing == Trailing::Broken => Some(if_break(text(","), Doc::nil())),
                _ => None,
            };
            concat([Some(element.doc.clone()), comma].into_iter().flatten())
        };
        self.elements.iter().enumerate().map(one).collect()
    }

    fn edge(&self) -> Doc<'a> {
        if self.braces { line() } else { soft() }
    }

    /// All in one line, or every element in its own.
    pub fn plain(&self, trailing: Trailing) -> Doc<'a> {
        self.laid_out(trailing, self.broken)
    }

    fn laid_out(&self, trailing: Trailing, broken: bool) -> Doc<'a> {
        if self.elements.is_empty() && self.dangling.is_none() {
            return concat([self.open.clone(), self.close.clone()]);
        }
        let mut inner = vec![self.edge()];
        for (i, doc) in self.with_commas(trailing).into_iter().enumerate() {
            if i > 0 {
                inner.push(if self.elements[i].blank && broken { blank() } else { line() });
            }
            inner.push(doc);
        }
        self.dangle(&mut inner);
        let all = concat([self.open.clone(), indent(STEP, concat(inner)), self.edge(), self.close.clone()]);
        if broken { broken_group(all) } else { group(all) }
    }

    fn dangle(&self, inner: &mut Vec<Doc<'a>>) {
        if let Some(comments) = &self.dangling {
            inner.push(comments.clone());
        }
    }

    /// Elements that are short: as many in a line as fit. Rows of the source are kept.
    pub fn filled(&self, trailing: Trailing) -> Doc<'a> {
        self.filled_between(self.edge(), trailing)
    }

    /// Names to import: filled, without spaces inside of the braces.
    pub fn names(&self) -> Doc<'a> {
        self.filled_between(soft(), Trailing::Broken)
    }

    fn filled_between(&self, edge: Doc<'a>, trailing: Trailing) -> Doc<'a> {
        let mut parts = Vec::new();
        let rows = self.broken && self.rows_fit();
        for (i, doc) in self.with_commas(trailing).into_iter().enumerate() {
            if i > 0 {
                let element = &self.elements[i];
                parts.push(match () {
                    () if element.blank && self.broken => blank(),
                    () if rows && element.starts_line => hard(),
                    () => line(),
                });
            }
            parts.push(doc);
        }
        let mut inner = vec![edge.clone(), fill(parts)];
        self.dangle(&mut inner);
        let all = concat([self.open.clone(), indent(STEP, concat(inner)), edge, self.close.clone()]);
        if self.broken { broken_group(all) } else { group(all) }
    }

    /// Whether no row of the source is too long.
    fn rows_fit(&self) -> bool {
        let mut column = STEP;
        self.elements.iter().all(|element| {
            column = if element.starts_line { STEP } else { column + 1 };
            column += flat_width(&element.doc) + 1;
            column <= WIDTH || element.doc.is_forced()
        })
    }

    /// In one line, without spaces inside of the brackets.
    pub fn tight(&self) -> Doc<'a> {
        let mut parts = vec![self.open.clone()];
        for (i, doc) in self.with_commas(Trailing::None).into_iter().enumerate() {
            if i > 0 {
                parts.push(text(" "));
            }
            parts.push(doc);
        }
        self.dangle(&mut parts);
        parts.push(self.close.clone());
        concat(parts)
    }

    /// Whether the source has several elements in a line of a broken list.
    pub fn has_rows(&self) -> bool {
        self.rows
    }

    /// A list whose last element is `last` and may go over several lines beside the others.
    pub fn hug(&self, last: &Expr) -> Doc<'a> {
        let Some(element) = self.elements.last() else { return self.plain(Trailing::None) };
        let doc = element.doc.clone();
        let list = matches!(
            *last.kind,
            ExprKind::Record { .. }
                | ExprKind::Array(_)
                | ExprKind::JsonObject(_)
                | ExprKind::JsonArray(_)
                | ExprKind::Tuple(_)
                | ExprKind::Call { .. }
        );
        let doc = if list { doc.with_broken_group() } else { doc };
        self.hugging(doc, matches!(*last.kind, ExprKind::Lambda { .. }))
    }

    /// The last element may go over several lines while the others and the brackets stand close: `f(a, |x| {` .. `})`.
    fn hugging(&self, last: Doc<'a>, keep_close: bool) -> Doc<'a> {
        let one_line = self.laid_out(Trailing::None, false);
        let broken = self.laid_out(Trailing::Broken, true);
        if self.broken
            || self.dangling.is_some()
            || self.elements.iter().any(|element| element.doc.has_comment_at_edge())
        {
            return broken;
        }
        let mut hugged = vec![self.open.clone()];
        let count = self.elements.len();
        for (i, element) in self.elements.iter().enumerate() {
            if i + 1 < count {
                if element.doc.is_forced() {
                    // Several elements with lines of their own: nothing to hug.
                    return if self.elements[count - 1].doc.is_forced() {
                        self.inline(last, keep_close)
                    } else {
                        broken
                    };
                }
                hugged.push(flat(element.doc.clone()));
                hugged.push(element.comma.clone().unwrap_or_else(|| text(",")));
                hugged.push(text(" "));
            } else {
                hugged.push(last.clone());
            }
        }
        if keep_close && self.close_on_own_line && last.is_forced() {
            hugged.push(hard());
        }
        hugged.push(self.close.clone());
        choice(one_line, concat(hugged), broken)
    }

    /// Everything close, whatever lines the elements have.
    fn inline(&self, last: Doc<'a>, keep_close: bool) -> Doc<'a> {
        let count = self.elements.len();
        let mut parts = vec![self.open.clone()];
        for (i, element) in self.elements.iter().enumerate() {
            if i + 1 < count {
                parts.push(element.doc.clone());
                parts.push(element.comma.clone().unwrap_or_else(|| text(",")));
                parts.push(text(" "));
            } else {
                parts.push(last.clone());
            }
        }
        if keep_close && self.close_on_own_line {
            parts.push(hard());
        }
        parts.push(self.close.clone());
        concat(parts)
    }
}
