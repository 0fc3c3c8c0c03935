//! From literal tokens to values. Their spelling has been checked by the lexer.

use super::cursor::*;
use crate::ast::Template;
use crate::lex::string_body;
use crate::literal;
use crate::token::{ESCAPES, Token};

/// The next token as an integer; it has been seen to be one.
pub fn integer(p: &mut In) -> u128 {
    let token = bump(p);
    literal::integer(p.state().text_of(token)).unwrap_or(0)
}

pub fn float(p: &mut In) -> f64 {
    let token = bump(p);
    literal::float(p.state().text_of(token))
}

pub fn string(p: &mut In) -> Box<str> {
    let token = bump(p);
    let body = string_body(p.state().text_of(token), token.kind);
    let carriage_returns = token.kind == crate::token::Kind::TripleStr && body.contains('\r');
    let text: Box<str> = if token.has(ESCAPES) { literal::unescaped(body).into() } else { body.into() };
    if carriage_returns { text.replace("\r\n", "\n").into() } else { text }
}

/// String literals as one text, a line each, that remembers where its parts were written.
pub fn template(p: &mut In, literals: &[Token]) -> Template {
    let mut text = String::new();
    let mut origins = Vec::new();
    for &token in literals {
        if !text.is_empty() {
            text.push('\n');
        }
        let slice = p.state().text_of(token);
        let body = string_body(slice, token.kind);
        let source = p.state().span(token).start + (body.as_ptr().addr() - slice.as_ptr().addr()) as u32;
        origins.push((text.len() as u32, source));
        if !token.has(ESCAPES) {
            text.push_str(body);
            continue;
        }
        literal::unescape(body, |at, c| {
            let Ok(c) = c else { return };
            let expected = origins.last().map_or(0, |&(from, to)| to + (text.len() as u32 - from));
            if expected != source + at as u32 {
                origins.push((text.len() as u32, source + at as u32));
            }
            text.push(c);
        });
    }
    Template { text: text.into(), origins: origins.into() }
}

pub fn character(p: &mut In) -> char {
    let token = bump(p);
    let text = p.state().text_of(token);
    let body = text.get(1..text.len() - 1).unwrap_or("");
    if token.has(ESCAPES) {
        return literal::unescaped(body).chars().next().unwrap_or('\u{FFFD}');
    }
    body.chars().next().unwrap_or('\u{FFFD}')
}
