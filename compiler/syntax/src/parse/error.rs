//! What a failed rule knows, and how it is told to the user.

use chumsky::DefaultExpected;
use chumsky::error::{Error, LabelError};
use chumsky::span::SimpleSpan;
use chumsky::util::MaybeRef;
use reml_diagnostics::{Alternative, Diagnostic, Span, codes};

use super::cursor::{In, State, is_passed};
use crate::token::{BREAK, Kind, LINE_START, Token, UNCLOSED};

/// A set of [`Kind`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KindSet(u128);

const _: () = assert!((Kind::NonAscii as u8) < 128);

impl KindSet {
    pub const EMPTY: KindSet = KindSet(0);

    pub fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    pub fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub fn union(self, other: KindSet) -> KindSet {
        KindSet(self.0 | other.0)
    }
}

/// Why a rule failed. Small and copyable: most failures are thrown away or merged before anyone reads them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Failure {
    /// The token that did not fit.
    pub at: u32,
    pub expected: KindSet,
    /// The bracket that was still open.
    pub opening: Option<u32>,
    pub cause: Cause,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// One of `expected` had to come.
    Expected,
    /// Already reported.
    Reported,
    /// The nesting limit was hit (and reported); rules up to the item give up.
    TooDeep,
}

type Tokens<'s> = &'s [Token];

impl<'s> Error<'s, Tokens<'s>> for Failure {
    fn merge(self, other: Self) -> Self {
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => Failure { expected: self.expected.union(other.expected), ..self },
        }
    }
}

impl<'s> LabelError<'s, Tokens<'s>, DefaultExpected<'s, Token>> for Failure {
    fn expected_found<E: IntoIterator<Item = DefaultExpected<'s, Token>>>(
        expected: E,
        _found: Option<MaybeRef<'s, Token>>,
        span: SimpleSpan<usize>,
    ) -> Self {
        let mut set = KindSet::EMPTY;
        for one in expected {
            match one {
                DefaultExpected::Token(token) => set.insert(token.kind),
                DefaultExpected::EndOfInput => set.insert(Kind::Eof),
                _ => {}
            }
        }
        Failure { at: span.start as u32, expected: set, opening: None, cause: Cause::Expected }
    }
}

/// Turns a failure into a diagnostic. A second failure at the same token says nothing new and is dropped.
pub fn report(p: &mut In, failure: Failure) {
    let state = p.state();
    if failure.cause != Cause::Expected || state.reported_at == Some(failure.at) {
        return;
    }
    state.reported_at = Some(failure.at);
    let token = state.tokens[failure.at as usize];
    // The lexer has complained about this place.
    let previous = failure.at.checked_sub(1).map(|at| state.tokens[at as usize]);
    if token.kind == Kind::Error || previous.is_some_and(|previous| previous.has(UNCLOSED)) {
        return;
    }
    let diagnostic = describe(state, failure, token);
    state.diagnostics.push(diagnostic);
}

fn describe(state: &State, failure: Failure, token: Token) -> Diagnostic {
    let expected = humanise(failure.expected);
    // When the line just ended, the place to type is behind its last token.
    let previous = failure.at.checked_sub(1).map(|at| state.tokens[at as usize]);
    let line_ended = token.has(BREAK) && failure.opening.is_none() && !is_passed(state, failure.at);
    let at_end = token.kind == Kind::Eof;
    // With all brackets in pairs, the open one is closed further on.
    let opening = failure.opening.filter(|_| !state.balanced);
    let before_line = opening.is_some() && token.has(LINE_START) && !at_end;
    let (span, found) = match previous {
        Some(previous) if line_ended || at_end || before_line => {
            let end = state.base + previous.end;
            let found = if at_end {
                "the end of the file"
            } else if before_line {
                ""
            } else {
                "the end of the line"
            };
            (Span::new(end, end), found)
        }
        _ => (state.span(token), ""),
    };
    let found = if found.is_empty() { found_text(state, token) } else { found.to_string() };
    let message = if expected.is_empty() {
        format!("{found} cannot stand here")
    } else {
        format!("expected {expected}{} {found}", if before_line { " before" } else { ", found" })
    };
    let code = if at_end { codes::PARSE_UNEXPECTED_EOF } else { codes::PARSE_EXPECTED };
    let mut diagnostic = Diagnostic::error(code, span, message);
    if !expected.is_empty() {
        let alternatives = ranked(failure.expected).into_iter().map(alternative).collect();
        diagnostic = diagnostic.with_expected(expected, alternatives);
    }
    if let Some(opening) = opening {
        let opening = state.tokens[opening as usize];
        diagnostic =
            diagnostic.with_label(state.span(opening), format!("this {} is not closed", opening.kind.describe()));
        let closer = opening.kind.closer();
        if at_end && failure.expected.contains(closer) {
            diagnostic = diagnostic.with_help(format!("add {}", closer.describe()));
        }
    }
    if failure.expected.contains(Kind::Arrow) && token.kind == Kind::Eq {
        diagnostic = diagnostic.with_fix(state.span(token), "->", "write `->`");
    }
    let after_operand = failure.expected.contains(Kind::Newline) || failure.expected.contains(Kind::Comma);
    match token.kind {
        Kind::Eq if failure.expected.contains(Kind::Then) => {
            diagnostic = diagnostic.with_fix(state.span(token), "==", "compare with `==`");
        }
        Kind::Amp if after_operand => {
            diagnostic = diagnostic.with_help("`&&` is the logical and; bits are combined with `Int.bit_and`");
        }
        Kind::Bar if after_operand && !token.has(LINE_START) => {
            diagnostic = diagnostic.with_help("`||` is the logical or; bits are combined with `Int.bit_or`");
        }
        _ => {}
    }
    let wanted_name = failure.expected.contains(Kind::Name) || failure.expected.contains(Kind::Pattern);
    if token.kind.is_keyword() && wanted_name && !line_ended {
        diagnostic = diagnostic.with_note(format!("{} is a reserved word", token.kind.describe()));
    }
    diagnostic
}

fn found_text(state: &State, token: Token) -> String {
    match token.kind {
        Kind::Ident | Kind::Int | Kind::Float | Kind::Char | Kind::Str | Kind::RawStr | Kind::TripleStr => {
            let text = state.text_of(token);
            if text.len() <= 30 && !text.contains('\n') {
                format!("`{text}`")
            } else {
                token.kind.describe().to_string()
            }
        }
        kind => kind.describe().to_string(),
    }
}

fn alternative(kind: Kind) -> Alternative {
    let label = kind.describe();
    let token = label.trim_matches('`');
    let token = token.strip_prefix("an ").or(token.strip_prefix("a ")).or(token.strip_prefix("the ")).unwrap_or(token);
    let class = if label.starts_with('`') { "token" } else { "class" };
    Alternative { token: token.to_owned(), label: label.to_owned(), kind: class }
}

/// Classes first, then what closes, then the rest.
fn ranked(set: KindSet) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for group in [CLASSES, CLOSERS, OTHERS] {
        kinds.extend(group.iter().filter(|kind| set.contains(**kind)));
    }
    // `Int` and the like are noise beside the class they belong to.
    if kinds.contains(&Kind::Name) {
        kinds.retain(|kind| *kind != Kind::Ident);
    }
    kinds
}

/// "an expression, `)` or `,`"; a long tail is cut.
fn humanise(set: KindSet) -> String {
    const MOST: usize = 4;
    let mut kinds = ranked(set);
    let cut = kinds.len().saturating_sub(MOST);
    kinds.truncate(MOST);
    let mut out = String::new();
    for (i, kind) in kinds.iter().enumerate() {
        if i > 0 {
            out.push_str(if i + 1 == kinds.len() && cut == 0 { " or " } else { ", " });
        }
        out.push_str(kind.describe());
    }
    if cut > 0 {
        out.push_str(" or something else");
    }
    out
}

const CLASSES: &[Kind] = &[
    Kind::Expression,
    Kind::Pattern,
    Kind::TypeExpr,
    Kind::Item,
    Kind::ArmStart,
    Kind::Name,
    Kind::Ident,
    Kind::Int,
    Kind::Str,
];

const CLOSERS: &[Kind] = &[Kind::RParen, Kind::RBracket, Kind::RBrace, Kind::Gt, Kind::Comma, Kind::Newline];

const OTHERS: &[Kind] = &[
    Kind::Eq,
    Kind::LBrace,
    Kind::Arrow,
    Kind::FatArrow,
    Kind::LParen,
    Kind::LBracket,
    Kind::Then,
    Kind::Else,
    Kind::With,
    Kind::In,
    Kind::Do,
    Kind::Colon,
    Kind::Bar,
    Kind::Lt,
    Kind::For,
    Kind::Fn,
    Kind::Let,
    Kind::Operation,
    Kind::Return,
    Kind::Execution,
    Kind::Channels,
    Kind::Monitoring,
    Kind::TildeGt,
    Kind::Dot,
    Kind::DotDot,
    Kind::ColonEq,
    Kind::As,
    Kind::Where,
    Kind::Bang,
    Kind::Semi,
    Kind::Eof,
];
