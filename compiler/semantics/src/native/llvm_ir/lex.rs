//! What are the tokens of an `llvm_ir!` text? Line breaks are tokens; comments start with `;`.

use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// `%name`
    Local,
    /// `$0`
    Input,
    /// `@llvm.sqrt.f64`
    Global,
    /// `add`, `i32`, `true`
    Word,
    /// `42`, `-7`
    Int,
    /// `1.5`, `-2.0e10`, `0x3FF0000000000000`
    Float,
    /// `= , ( ) { } :` and everything that means nothing here.
    Mark(char),
    Newline,
    End,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    /// Where it is in the text.
    pub range: Range<usize>,
}

/// Always ends with a `Newline` and an `End`.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let rest = &text[at..];
        let kind = match c {
            '\n' => Kind::Newline,
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            ';' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '%' if name_len(&rest[1..]) > 0 => Kind::Local,
            '@' if name_len(&rest[1..]) > 0 => Kind::Global,
            '$' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Kind::Input,
            '0'..='9' => number(rest),
            '-' | '+' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(&rest[1..]),
            _ if c.is_ascii_alphabetic() || c == '_' => Kind::Word,
            _ => Kind::Mark(c),
        };
        at += match kind {
            Kind::Newline => 1,
            Kind::Mark(c) => c.len_utf8(),
            Kind::Word => name_len(rest),
            Kind::Int | Kind::Float => number_len(rest),
            _ => 1 + name_len(&rest[1..]),
        };
        tokens.push(Token { kind, range: start..at });
    }
    tokens.push(Token { kind: Kind::Newline, range: at..at });
    tokens.push(Token { kind: Kind::End, range: at..at });
    tokens
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(text.len())
}

/// Digits with what belongs to them; the sign before is part of it.
fn number_len(text: &str) -> usize {
    let mut before = ' ';
    let belongs = |c: char| {
        let exponent_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E' | ' ');
        before = c;
        c.is_ascii_alphanumeric() || c == '.' || exponent_sign
    };
    text.find({
        let mut belongs = belongs;
        move |c| !belongs(c)
    })
    .unwrap_or(text.len())
}

fn number(text: &str) -> Kind {
    let digits = &text[..number_len(text)];
    if digits.bytes().all(|b| b.is_ascii_digit()) { Kind::Int } else { Kind::Float }
}
