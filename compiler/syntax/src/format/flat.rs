//! Patterns, types and signatures: tokens in one line, with the spaces that belong between them.

use crate::ast::Type;
use crate::token::Kind;

use super::Formatter;
use super::doc::*;

/// What the tokens are; the same token has other spaces in another place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Type,
    Pattern,
}

impl<'a> Formatter<'a> {
    /// The tokens up to, but not including, the one at `end`.
    pub fn flat_until(&mut self, end: usize, style: Style) -> Doc<'a> {
        let mut parts = Vec::new();
        let mut previous: Option<usize> = None;
        // Braces of effect rows are tight, those of records are not.
        let mut braces: Vec<bool> = Vec::new();
        while self.cursor.at < end {
            let at = self.cursor.at;
            let kind = self.cursor.kind();
            if let Some(previous) = previous
                && self.spaced(previous, at, style, &braces)
            {
                parts.push(text(" "));
            }
            if kind == Kind::LBrace {
                let row = previous.is_some_and(|p| self.cursor.tokens[p].kind == Kind::Bang);
                braces.push(row);
            } else if kind == Kind::RBrace {
                braces.pop();
            }
            parts.push(self.cursor.next_in_line(previous.is_none(), at + 1 == end));
            previous = Some(at);
        }
        concat(parts)
    }

    fn spaced(&self, left: usize, right: usize, style: Style, braces: &[bool]) -> bool {
        use Kind::*;
        let tokens = self.cursor.tokens;
        let (l, r) = (tokens[left].kind, tokens[right].kind);
        let joined = self.cursor.is_joined(right);
        let row = braces.last().copied().unwrap_or(false);
        match (l, r) {
            (Lt, _) if self.cursor.is_angle(left) => false,
            (_, Lt | Gt) if self.cursor.is_angle(right) => false,
            (LBrace, RBrace) => false,
            (LBrace, _) | (_, RBrace) => !row,
            (_, Comma | Semi | RParen | RBracket | Dot | Colon | Question) => false,
            (Comma | Semi, _) => true,
            (Colon, _) => true,
            (Dot | LParen | LBracket, _) => false,
            // Paths are tight; a `::` between head and tail is not.
            (_, ColonColon) | (ColonColon, _) => !joined,
            (_, DotDot) | (DotDot, _) => r == DotDot && matches!(l, Eq | ColonEq | Arrow | FatArrow | Bar),
            // `..=`
            (Eq, _) if left > 0 && tokens[left - 1].kind == DotDot && self.cursor.is_joined(left) => false,
            (Amp | AndAnd, _) => false,
            (Minus, _) => false,
            (Bang, LBrace) => true,
            (Bang, _) => false,
            (_, Bang) => true,
            (At, _) | (_, At) => style == Style::Pattern,
            (Bar, _) | (_, Bar) if self.in_active_head(left, right) => false,
            (Bar, _) | (_, Bar) => true,
            // `(|Name|_|) (a, b)`
            (RParen, LParen) if left > 0 && tokens[left - 1].kind == Bar => true,
            (_, LParen) => match l {
                Ident | Gt | RParen | RBracket | SelfValue | Fn => {
                    style == Style::Type && matches!(l, Ident) && self.is_word(left, "mut")
                }
                kind if kind.is_soft_keyword() => kind == New,
                _ => true,
            },
            _ => true,
        }
    }

    /// `(|Name|_|)`.
    fn in_active_head(&self, left: usize, right: usize) -> bool {
        let tokens = self.cursor.tokens;
        let opens = |at: usize| {
            tokens[at].kind == Kind::LParen && tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Bar)
        };
        let closes = |at: usize| tokens[at].kind == Kind::RParen && at > 0 && tokens[at - 1].kind == Kind::Bar;
        (left.saturating_sub(5)..=left).any(|at| opens(at) && self.cursor.mate(at) >= right)
            && (right..(right + 6).min(tokens.len())).any(closes)
    }

    pub fn is_word(&self, at: usize, word: &str) -> bool {
        self.cursor.tokens[at].kind == Kind::Ident && self.cursor.slice(at) == word
    }

    /// A pattern; its alternatives may stand in lines of their own.
    pub fn alternatives(&mut self, end: usize) -> Doc<'a> {
        let mut parts = Vec::new();
        let mut from = self.cursor.at;
        while from < end {
            let bar = self.cursor.find_before(&[Kind::Bar], end);
            // Or-patterns in parentheses are passed over by `find`.
            parts.push(self.flat_until(bar, Style::Pattern));
            if bar < end {
                parts.push(line());
                parts.push(self.cursor.next());
                parts.push(text(" "));
            }
            from = self.cursor.at;
        }
        group(concat(parts))
    }

    /// An element of a list, up to its comma or the closing bracket.
    pub fn flat_element(&mut self, style: Style) -> Doc<'a> {
        let end = self.element_end();
        self.flat_until(end, style)
    }

    /// Where the element of a list that comes next ends. Commas between type arguments are inside of it.
    fn element_end(&self) -> usize {
        let mut at = self.cursor.at;
        while at + 1 < self.cursor.tokens.len() {
            let kind = self.cursor.tokens[at].kind;
            if kind == Kind::Comma || kind.closes() {
                break;
            }
            at = self.cursor.mate(at).max(at) + 1;
        }
        at
    }

    /// A type. Parentheses around it do not show in its span.
    pub fn ty(&mut self, ty: &Type) -> Doc<'a> {
        let end = self.closed_end(self.cursor.index_of(ty.span.end));
        self.flat_until(end, Style::Type)
    }

    /// `end`, moved behind the brackets that open before it.
    pub fn closed_end(&self, end: usize) -> usize {
        let opening = (self.cursor.at..end).filter(|&at| self.cursor.opens(at));
        opening.map(|at| self.cursor.mate(at) + 1).fold(end, usize::max)
    }
}
