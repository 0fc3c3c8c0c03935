//! Walks over the tokens of a file and hands them out with the comments around them, so that none is lost.

use crate::ast::{Expr, ExprKind};
use crate::layout;
use crate::token::{JOINED, Kind, LINE_START, Token};

use super::doc::*;

/// A comment between two tokens.
struct Comment<'a> {
    text: &'a str,
    /// It starts its line.
    own_line: bool,
    /// An empty line stands before it.
    blank: bool,
    /// Nothing but line breaks and other comments follows in its line.
    last: bool,
    /// The spaces before it.
    gap: usize,
}

/// What stands behind a comment before its token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// A space, unless the comment ends its line in the source.
    Space,
    /// What a line of the group around it is.
    Line,
    /// A line break, since the column of the token has a meaning.
    Break,
}

pub struct Cursor<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    /// For each bracket, the index of its partner; for other tokens their own.
    mates: Vec<usize>,
    pub at: usize,
    /// The token whose comments have been handed out before it.
    taken: usize,
}

impl<'a> Cursor<'a> {
    /// `angles` are the pairs of `<` and `>` that are brackets.
    pub fn new(text: &'a str, tokens: &'a [Token], angles: &[(u32, u32)]) -> Self {
        let mut mates: Vec<usize> = (0..tokens.len()).collect();
        let mut open = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if token.kind.opens() {
                open.push(at);
            } else if token.kind.closes()
                && let Some(start) = open.pop()
            {
                mates[at] = start;
                mates[start] = at;
            }
        }
        for &(open, close) in angles {
            mates[open as usize] = close as usize;
            mates[close as usize] = open as usize;
        }
        Cursor { text, tokens, mates, at: 0, taken: usize::MAX }
    }

    /// Whether a line that starts with the next token would go on with the line before.
    pub fn goes_on(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        let block = next.is_some_and(|next| next.kind == Kind::LBrace);
        layout::goes_on_before(&self.tokens[self.at], next) || self.kind() == Kind::Bang && block
    }

    /// Whether the token opens a bracket, perhaps one around types.
    pub fn opens(&self, at: usize) -> bool {
        self.mates[at] > at
    }

    /// Whether the token is a bracket around types, `<` or `>`.
    pub fn is_angle(&self, at: usize) -> bool {
        matches!(self.tokens[at].kind, Kind::Lt | Kind::Gt) && self.mates[at] != at
    }

    pub fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    pub fn kind_at(&self, ahead: usize) -> Kind {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    /// The token before the next one.
    pub fn kind_before(&self) -> Option<Kind> {
        self.at.checked_sub(1).map(|at| self.tokens[at].kind)
    }

    pub fn start(&self) -> u32 {
        self.tokens[self.at].start
    }

    pub fn slice(&self, at: usize) -> &'a str {
        &self.text[self.tokens[at].start as usize..self.tokens[at].end as usize]
    }

    pub fn mate(&self, at: usize) -> usize {
        self.mates[at]
    }

    /// Whether the next token starts its line in the source.
    pub fn starts_line(&self) -> bool {
        self.tokens[self.at].flags & LINE_START != 0
    }

    /// The same for a token further ahead.
    pub fn starts_line_at(&self, ahead: usize) -> bool {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].flags & LINE_START != 0
    }

    pub fn is_joined(&self, at: usize) -> bool {
        self.tokens[at].flags & JOINED != 0
    }

    /// The index of the token that starts at or behind a position.
    pub fn index_of(&self, position: u32) -> usize {
        self.tokens.partition_point(|token| token.start < position).min(self.tokens.len() - 1)
    }

    /// The next token of this kind outside of brackets that open from here on; at most the end of the file.
    pub fn find(&self, kind: Kind) -> usize {
        self.find_before(&[kind], usize::MAX)
    }

    /// The next token of one of these kinds; at most the one at `end`, or the end of the file. Nothing behind that is looked at.
    pub fn find_before(&self, kinds: &[Kind], end: usize) -> usize {
        let end = end.min(self.tokens.len() - 1);
        let mut at = self.at;
        // The `=` of `..=` is no `=`.
        let range_end = |at: usize| {
            self.tokens[at].kind == Kind::Eq && at > 0 && self.tokens[at - 1].kind == Kind::DotDot && self.is_joined(at)
        };
        while at < end && (!kinds.contains(&self.tokens[at].kind) || range_end(at)) {
            at = self.mates[at].max(at) + 1;
        }
        at.min(end)
    }

    /// Whether an expression stands in parentheses that its tree does not show.
    pub fn is_wrapped(&self, expr: &Expr) -> bool {
        let first = self.index_of(expr.span.start);
        self.wraps(first, expr)
    }

    /// Whether the token at `first` is a parenthesis around all of `expr`, and no part of it.
    pub fn wraps(&self, first: usize, expr: &Expr) -> bool {
        if self.tokens[first].kind != Kind::LParen {
            return false;
        }
        self.tokens[self.mates[first]].end >= expr.span.end && !self.owns_parenthesis(first, expr)
    }

    /// The same for a pair that stands directly inside the pair that ends at `close`.
    pub fn wraps_inside(&self, first: usize, close: usize, expr: &Expr) -> bool {
        self.tokens[first].kind == Kind::LParen && self.mates[first] + 1 == close && !self.owns_parenthesis(first, expr)
    }

    /// Whether the parenthesis is part of the expression itself.
    fn owns_parenthesis(&self, first: usize, expr: &Expr) -> bool {
        let last = self.mates[first];
        match &*expr.kind {
            ExprKind::Unit => last == first + 1,
            ExprKind::Tuple(_) => !(self.tokens[first + 1].kind == Kind::LParen && self.mates[first + 1] + 1 == last),
            // `(|Name|)` is a name.
            ExprKind::Path(_) => self.tokens[first + 1].kind == Kind::Bar && self.tokens[last - 1].kind == Kind::Bar,
            _ => false,
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Comments

    /// The comments before the token at `at`, and whether an empty line stands right before the token.
    fn gap(&self, at: usize) -> (Vec<Comment<'a>>, bool) {
        let start = if at == 0 { 0 } else { self.tokens[at - 1].end as usize };
        let end = self.tokens[at].start as usize;
        let gap = &self.text[start..end];
        let mut comments: Vec<Comment<'a>> = Vec::new();
        // The start of the file is the start of a line.
        let mut newlines = usize::from(at == 0);
        let mut any = at == 0;
        let mut spaces = 0;
        let mut rest = gap;
        if at == 0 {
            rest = rest.strip_prefix('\u{FEFF}').unwrap_or(rest);
            if rest.starts_with("#!") {
                let length = rest.find('\n').unwrap_or(rest.len());
                let text = rest[..length].trim_end();
                comments.push(Comment { text, own_line: true, blank: false, last: true, gap: 0 });
                rest = &rest[length..];
                newlines = 0;
            }
        }
        while let Some(c) = rest.chars().next() {
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                block_comment(rest)
            } else {
                if c == '\n' {
                    newlines += 1;
                    any = true;
                    spaces = 0;
                    if let Some(last) = comments.last_mut() {
                        last.last = true;
                    }
                } else {
                    spaces += 1;
                }
                rest = &rest[c.len_utf8()..];
                continue;
            };
            let line = rest.starts_with("//");
            comments.push(Comment {
                text: rest[..length].trim_end(),
                own_line: any && newlines > 0,
                blank: newlines > 1,
                last: line,
                gap: spaces,
            });
            rest = &rest[length..];
            newlines = 0;
            spaces = 0;
        }
        (comments, newlines > 1)
    }

    /// Whether comments in the line before a token are about what comes before it.
    fn ends_something(&self, at: usize) -> bool {
        let kind = self.tokens[at].kind;
        kind.closes() || matches!(kind, Kind::Comma | Kind::Semi | Kind::Colon)
    }

    /// How many of the comments before the token at `at` belong to the token before it.
    fn trailing(&self, at: usize, comments: &[Comment<'a>]) -> usize {
        if at == 0 {
            return 0;
        }
        let first_own = comments.iter().position(|comment| comment.own_line).unwrap_or(comments.len());
        if self.ends_something(at) {
            return first_own;
        }
        // Those before a token in the same line are the token's.
        let last = comments[..first_own].iter().rposition(|comment| comment.last);
        last.map_or(0, |last| last + 1)
    }

    /// Whether an empty line stands between the token before the next one and what comes next, comment or token.
    pub fn blank_before(&self) -> bool {
        if self.at == 0 {
            return false;
        }
        let (comments, blank) = self.gap(self.at);
        let skip = self.trailing(self.at, &comments);
        comments.get(skip).map_or(blank, |comment| comment.blank)
    }

    fn leading(&self, at: usize, behind: Behind) -> Option<Doc<'a>> {
        let (comments, blank_at_end) = self.gap(at);
        let comments = &comments[self.trailing(at, &comments)..];
        if comments.is_empty() || self.taken == at {
            return None;
        }
        let mut parts = Vec::new();
        for (i, comment) in comments.iter().enumerate() {
            if comment.own_line {
                if i > 0 && comment.blank {
                    parts.push(blank());
                } else {
                    parts.push(hard());
                }
            }
            match behind {
                // The space goes where the comment goes.
                Behind::Space if !comment.last && !comment.own_line => parts.push(remark(format!("{} ", comment.text))),
                _ => parts.push(if comment.own_line { text(comment.text) } else { remark(comment.text) }),
            }
            match behind {
                _ if comment.last => parts.push(hard()),
                Behind::Break => parts.push(hard()),
                Behind::Line => parts.push(line()),
                Behind::Space if comment.own_line => parts.push(text(" ")),
                Behind::Space => {}
            }
        }
        if blank_at_end && self.tokens[at].kind != Kind::Eof && !self.tokens[at].kind.closes() {
            parts.push(blank());
        }
        Some(concat(parts))
    }

    fn trailing_docs(&self, at: usize, parts: &mut Vec<Doc<'a>>) {
        if at + 1 >= self.tokens.len() {
            return;
        }
        let (comments, _) = self.gap(at + 1);
        for comment in &comments[..self.trailing(at + 1, &comments)] {
            let gap = " ".repeat(comment.gap.max(1));
            let comment_text = format!("{gap}{}", comment.text);
            parts.push(if comment.last { suffix(comment_text) } else { remark(comment_text) });
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Tokens

    /// The next token with its comments.
    pub fn next(&mut self) -> Doc<'a> {
        let at = self.at;
        let doc = self.with_comments(at, text(self.slice(at)));
        self.at = (at + 1).min(self.tokens.len() - 1);
        doc
    }

    /// The next token of several that stay in one line whatever the source has. Comments between them do, too, or go to the line's end;
    /// those before the first and behind the last one are as usual.
    pub fn next_in_line(&mut self, first: bool, last: bool) -> Doc<'a> {
        let at = self.at;
        let mut parts = Vec::new();
        if first {
            parts.extend(self.leading(at, Behind::Space));
        } else if !self.ends_something(at) {
            parts.extend(self.gap(at).0.iter().map(|comment| in_line(comment, false)));
        }
        parts.push(text(self.slice(at)));
        if last {
            self.trailing_docs(at, &mut parts);
        } else if self.ends_something(at + 1) {
            parts.extend(self.gap(at + 1).0.iter().map(|comment| in_line(comment, true)));
        }
        self.at = (at + 1).min(self.tokens.len() - 1);
        if parts.len() == 1 { parts.remove(0) } else { concat(parts) }
    }

    /// The next token, an operator that cannot begin a line: comments of its own do not put it into another one.
    pub fn operator(&mut self) -> Doc<'a> {
        let at = self.at;
        let (comments, _) = self.gap(at);
        let own = comments[self.trailing(at, &comments)..].iter().map(|comment| in_line(comment, false));
        let mut parts: Vec<Doc<'a>> = own.collect();
        parts.push(text(self.slice(at)));
        self.trailing_docs(at, &mut parts);
        self.at = (at + 1).min(self.tokens.len() - 1);
        concat(parts)
    }

    fn with_comments(&self, at: usize, token: Doc<'a>) -> Doc<'a> {
        let mut parts = Vec::new();
        parts.extend(self.leading(at, Behind::Space));
        parts.push(token);
        self.trailing_docs(at, &mut parts);
        if parts.len() == 1 { parts.remove(0) } else { concat(parts) }
    }

    /// Passes the next token; what is left are its comments.
    pub fn skip(&mut self) -> Doc<'a> {
        let at = self.at;
        self.at = (at + 1).min(self.tokens.len() - 1);
        self.with_comments(at, Doc::nil())
    }

    /// The comments before the next token, ahead of it, in lines of their own.
    pub fn take_comments(&mut self) -> Option<Doc<'a>> {
        self.take_comments_with(Behind::Break)
    }

    /// Takes the comments before the next token, if there are any: ahead of it, and in lines of their own.
    pub fn leading_comments(&mut self) -> Option<(Doc<'a>, Doc<'a>)> {
        let both = self.leading(self.at, Behind::Space).zip(self.leading(self.at, Behind::Break));
        self.taken = self.at;
        both
    }

    /// The comments before the next token, ahead of it.
    pub fn take_comments_with(&mut self, behind: Behind) -> Option<Doc<'a>> {
        let comments = self.leading(self.at, behind);
        self.taken = self.at;
        comments
    }

    /// The comments before a closing bracket, in lines of their own.
    pub fn dangling(&mut self) -> Option<Doc<'a>> {
        let gap = if self.blank_before() { blank() } else { hard() };
        self.take_comments().map(|comments| concat([gap, comments]))
    }
}

/// A comment between tokens that stay in one line: behind the one before, or before the next one.
fn in_line<'a>(comment: &Comment<'a>, behind: bool) -> Doc<'a> {
    if comment.text.starts_with("//") {
        postponed(format!(" {}", comment.text))
    } else if behind {
        remark(format!(" {}", comment.text))
    } else {
        remark(format!("{} ", comment.text))
    }
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// All comments of a file, in order.
pub fn comments<'a>(text: &'a str, tokens: &'a [Token]) -> Vec<&'a str> {
    let cursor = Cursor { text, tokens, mates: Vec::new(), at: 0, taken: usize::MAX };
    (0..tokens.len()).flat_map(|at| cursor.gap(at).0).map(|comment| comment.text).collect()
}
