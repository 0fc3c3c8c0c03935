//! How parsing goes on after a mistake: where each construct finds its feet again.
//!
//! A rule that fails returns its [`Failure`] up to the nearest construct that knows a safe place to go on: a list element
//! (at the next `,` or the closing bracket), a statement (at the next separator), an arm (at the next arm), an item (at
//! the next line that starts an item). With all brackets of the file in pairs, brackets are skipped as a whole; with one
//! missing, indentation decides.

use super::cursor::*;
use super::error::{Cause, Failure, report};
use crate::token::{BREAK, Kind, LINE_START};

/// A list between brackets, separated by commas, with an optional trailing comma. The opening bracket comes next.
pub fn delimited<T>(
    p: &mut In,
    open: Kind,
    element: impl Fn(&mut In) -> R<T>,
    on_error: Option<fn(&mut In) -> T>,
) -> R<Vec<T>> {
    let opening = index(p) as u32;
    expect(p, open)?;
    inside(p, false, open.closer(), |p| delimited_rest(p, opening, open.closer(), element, on_error))
}

fn delimited_rest<T>(
    p: &mut In,
    opening: u32,
    close: Kind,
    element: impl Fn(&mut In) -> R<T>,
    on_error: Option<fn(&mut In) -> T>,
) -> R<Vec<T>> {
    let mut list = Vec::new();
    // One element read wrongly often spoils what separates the others.
    let mut complained = false;
    loop {
        if eat(p, close) {
            break;
        }
        match element(p) {
            Ok(one) => list.push(one),
            Err(failure) => {
                let failure = failure.or_opening(opening);
                match on_error {
                    Some(on_error) if failure.cause != Cause::TooDeep && p.state().balanced => {
                        report(p, failure);
                        complained = true;
                        list.push(on_error(p));
                        skip_element(p);
                    }
                    _ => return Err(failure),
                }
            }
        }
        if eat(p, close) {
            break;
        }
        if !at(p, Kind::Comma) {
            let failure = fail(p).or_opening(opening);
            if on_error.is_none() || !p.state().balanced {
                return Err(failure);
            }
            if !complained {
                report(p, failure);
                complained = true;
            }
            skip_element(p);
            if eat(p, close) {
                break;
            }
            if !at(p, Kind::Comma) {
                return Err(failure.reported());
            }
        }
        bump(p);
    }
    list.shrink_to_fit();
    Ok(list)
}

impl Failure {
    /// Names the bracket that is open, unless an inner one has been named.
    pub fn or_opening(self, opening: u32) -> Failure {
        Failure { opening: self.opening.or(Some(opening)), ..self }
    }

    pub fn reported(self) -> Failure {
        Failure { cause: if self.cause == Cause::TooDeep { Cause::TooDeep } else { Cause::Reported }, ..self }
    }
}

/// Skips to the next `,` or closing bracket of the list.
fn skip_element(p: &mut In) {
    let mut depth = 0u32;
    loop {
        let token = token(p);
        match token.kind {
            Kind::Eof => return,
            Kind::Comma if depth == 0 => return,
            kind if kind.opens() => depth += 1,
            kind if kind.closes() && depth == 0 => return,
            kind if kind.closes() => depth -= 1,
            _ => {}
        }
        bump(p);
    }
}

/// Skips to where the next statement can start: a separator, the end of the block, or what encloses it.
/// `start` is the index of the failed statement's first token.
///
/// Lines that start right of the statement belong to it.
pub fn skip_statement(p: &mut In, start: usize, until_comma: bool) {
    let column = p.state().layout.statement;
    let mut depth = 0u32;
    let mut moved = index(p) > start;
    loop {
        let token = token(p);
        let kind = if depth == 0 && moved { peek(p) } else { token.kind };
        match kind {
            Kind::Eof => return,
            Kind::Dedent | Kind::Semi => return,
            Kind::Newline if token.column <= column => return,
            Kind::Comma if depth == 0 && until_comma => return,
            kind if kind.closes() && depth == 0 && !is_stray(p, kind) => return,
            _ => {}
        }
        let left = token.has(LINE_START) && token.column <= column;
        if moved && left && (!p.state().balanced || depth == 0 && starts_statement_keyword(token.kind)) {
            return;
        }
        if token.kind.opens() {
            depth += 1;
        } else if token.kind.closes() {
            depth = depth.saturating_sub(1);
        }
        bump(p);
        moved = true;
    }
}

/// Skips to where the next arm can start. `column` is where the arms of this match start.
pub fn skip_arm(p: &mut In, start: usize, column: u16, in_braces: bool) {
    let mut depth = 0u32;
    let mut moved = index(p) > start;
    loop {
        let token = token(p);
        if token.kind == Kind::Eof || (depth == 0 && token.kind.closes() && !is_stray(p, token.kind)) {
            return;
        }
        if moved && token.has(LINE_START) && (depth == 0 || !p.state().balanced) && token.column <= column {
            return;
        }
        if moved && depth == 0 && (token.kind == Kind::Bar || in_braces && token.kind == Kind::Comma) {
            // A bar may also belong to a lambda; an arm has its arrow on the same line.
            if token.kind == Kind::Comma || has_arrow_ahead(p) {
                return;
            }
        }
        if token.kind.opens() {
            depth += 1;
        } else if token.kind.closes() {
            depth = depth.saturating_sub(1);
        }
        bump(p);
        moved = true;
    }
}

fn has_arrow_ahead(p: &mut In) -> bool {
    (1..40)
        .map(|ahead| token_at(p, ahead))
        .take_while(|t| !t.has(LINE_START))
        .any(|t| matches!(t.kind, Kind::Arrow | Kind::FatArrow))
}

/// Skips to the next line that can start an item of the same list. `start` is the index of the failed item.
pub fn skip_item(p: &mut In, start: usize, in_body: bool) {
    let column = p.state().tokens[start].column;
    let mut depth = 0u32;
    let mut moved = index(p) > start;
    loop {
        let token = token(p);
        if token.kind == Kind::Eof {
            return;
        }
        if moved && token.has(LINE_START) && (depth == 0 || !p.state().balanced) {
            let outside = token.column == 0 && column > 0 && !p.state().balanced;
            let starts = token.column <= column && (starts_item_here(p) || token.has(BREAK) && depth == 0);
            if outside || starts {
                return;
            }
        }
        if in_body && depth == 0 && token.kind.closes() && !is_stray(p, token.kind) {
            return;
        }
        if token.kind.opens() {
            depth += 1;
        } else if token.kind.closes() {
            depth = depth.saturating_sub(1);
        }
        bump(p);
        moved = true;
    }
}

/// Keywords that cannot go on a statement, only start one.
pub fn starts_statement_keyword(kind: Kind) -> bool {
    matches!(kind, Kind::Let | Kind::Var | Kind::Return | Kind::Defer | Kind::Use | Kind::Type | Kind::Pub)
}

/// Whether the next token, as written, starts an item.
pub fn starts_item_here(p: &mut In) -> bool {
    let token = token(p);
    if token.kind.starts_item() {
        return true;
    }
    let next = token_at(p, 1);
    let words = p.state().words;
    let declares = [words.enum_, words.struct_, words.const_].iter().any(|word| is_word(token, *word));
    declares && next.kind == Kind::Ident
        || is_word(token, words.async_) && next.kind == Kind::Fn
        || is_word(token, words.pattern) && next.kind == Kind::LParen
}
