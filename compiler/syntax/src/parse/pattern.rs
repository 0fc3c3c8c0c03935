//! Patterns (section 5.1).

use super::cursor::*;
use super::recover::delimited;
use super::ty::{path_with, single_path};
use super::value;
use crate::ast::*;
use crate::token::{JOINED, Kind};

/// A pattern with alternatives.
pub fn pattern(p: &mut In) -> R<Pattern> {
    nested(p, |p| {
        let start = token(p);
        let first = alternative(p)?;
        if peek(p) != Kind::Bar {
            return Ok(first);
        }
        let mut alternatives = vec![first];
        while eat(p, Kind::Bar) {
            alternatives.push(alternative(p)?);
        }
        let span = span_from(p, start);
        Ok(Pattern { kind: Box::new(PatternKind::Or(alternatives)), span })
    })
}

/// A pattern without alternatives at the top: lambda parameters end at `|`.
pub fn alternative(p: &mut In) -> R<Pattern> {
    let start = token(p);
    let mut result = cons(p)?;
    while at(p, Kind::As) {
        bump(p);
        let name = name(p)?;
        let span = span_from(p, start);
        result = Pattern { kind: Box::new(PatternKind::Alias { pattern: result, name }), span };
        taller(p)?;
    }
    Ok(result)
}

fn cons(p: &mut In) -> R<Pattern> {
    let start = token(p);
    let head = primary(p)?;
    if peek(p) != Kind::ColonColon {
        return Ok(head);
    }
    bump(p);
    let tail = nested(p, cons)?;
    let span = span_from(p, start);
    Ok(Pattern { kind: Box::new(PatternKind::Cons(head, tail)), span })
}

pub fn error_pattern(p: &mut In) -> Pattern {
    let token = token(p);
    let span = span_of(p, token).shrink_to_start();
    Pattern { kind: Box::new(PatternKind::Error), span }
}

fn primary(p: &mut In) -> R<Pattern> {
    let start = token(p);
    let kind = match peek(p) {
        Kind::Underscore => {
            bump(p);
            PatternKind::Wildcard
        }
        Kind::Int | Kind::Float | Kind::Minus | Kind::Char => {
            let literal = literal(p)?;
            range_or(p, Some(literal))?
        }
        Kind::DotDot => range_or(p, None)?,
        Kind::Str | Kind::TripleStr => PatternKind::Literal(PatternLiteral::Str(value::string(p))),
        Kind::RawStr => PatternKind::Regex(value::string(p)),
        Kind::True | Kind::False => PatternKind::Literal(PatternLiteral::Bool(bump(p).kind == Kind::True)),
        Kind::LParen if matches!(token_at(p, 1).kind, Kind::Bar) => active(p)?,
        Kind::LParen => {
            let mut list = delimited(p, Kind::LParen, pattern, Some(error_pattern))?;
            match list.len() {
                0 => PatternKind::Literal(PatternLiteral::Unit),
                1 => return Ok(list.remove(0)),
                _ => PatternKind::Tuple(list),
            }
        }
        Kind::LBracket => PatternKind::Slice(delimited(p, Kind::LBracket, slice_element, None)?),
        Kind::LBrace => {
            let (fields, rest) = record_fields(p)?;
            PatternKind::Record { fields, rest }
        }
        kind if kind == Kind::Ident
            || kind.is_soft_keyword()
            || matches!(kind, Kind::SelfValue | Kind::Super | Kind::ColonColon) =>
        {
            named(p)?
        }
        _ => return Err(fail_wanting(p, Kind::Pattern)),
    };
    let span = span_from(p, start);
    Ok(Pattern { kind: Box::new(kind), span })
}

/// What starts with a name: a binding, an alias `x @ p`, a constructor with or without payload.
fn named(p: &mut In) -> R<PatternKind> {
    // `h :: t` is not a path: only `Type::Variant` is.
    let next = token_at(p, 1);
    let plain = peek(p) == Kind::Ident || peek(p).is_soft_keyword();
    let first = token(p);
    let qualifier = starts_upper(p.state().text_of(first));
    let path = if plain && (next.kind != Kind::Dot && (next.kind != Kind::ColonColon || !qualifier)) {
        single_path(name(p)?)
    } else {
        path_with(p, false)?
    };
    let last = token_before(p);
    let upper = starts_upper(p.state().text_of(last));
    let single = path.anchor == PathAnchor::Relative && path.segments.len() == 1;
    match peek(p) {
        Kind::At if single => {
            bump(p);
            let pattern = nested(p, primary)?;
            Ok(PatternKind::Alias { pattern, name: path.segments[0] })
        }
        Kind::LParen if upper || !single => {
            if token_at(p, 1).kind == Kind::DotDot && token_at(p, 2).kind == Kind::RParen {
                // `Named(..)`: whatever it holds.
                (0..3).for_each(|_| _ = bump(p));
                return Ok(PatternKind::ConstructorRecord { path, fields: Vec::new(), rest: true });
            }
            let braced = token_at(p, 1).kind == Kind::LBrace;
            let mut args = delimited(p, Kind::LParen, pattern, Some(error_pattern))?;
            // `Named({ x, .. })` is `Named { x, .. }`.
            if braced && args.len() == 1 && matches!(*args[0].kind, PatternKind::Record { .. }) {
                let only = args.remove(0);
                if let PatternKind::Record { fields, rest } = *only.kind {
                    return Ok(PatternKind::ConstructorRecord { path, fields, rest });
                }
            }
            Ok(PatternKind::Constructor { path, args })
        }
        Kind::LBrace if upper => {
            let (fields, rest) = record_fields(p)?;
            Ok(PatternKind::ConstructorRecord { path, fields, rest })
        }
        _ if single && !upper => Ok(PatternKind::Bind(path.segments[0])),
        _ => Ok(PatternKind::Constructor { path, args: Vec::new() }),
    }
}

fn token_before(p: &mut In) -> crate::token::Token {
    let at = index(p);
    p.state().tokens[at - 1]
}

pub fn starts_upper(text: &str) -> bool {
    text.chars().find(|c| *c != '_').is_some_and(char::is_uppercase)
}

/// `{ x, y: p, .. }`.
fn record_fields(p: &mut In) -> R<(Vec<FieldPattern>, bool)> {
    let mut rest = false;
    let list = delimited(
        p,
        Kind::LBrace,
        |p| {
            if eat(p, Kind::DotDot) {
                return Ok(None);
            }
            let name = any_name(p)?;
            let pattern = if eat(p, Kind::Colon) || eat(p, Kind::Eq) { Some(pattern(p)?) } else { None };
            Ok(Some(FieldPattern { name, pattern }))
        },
        None,
    )?;
    let mut fields = Vec::with_capacity(list.len());
    for one in list {
        match one {
            Some(field) => fields.push(field),
            None => rest = true,
        }
    }
    Ok((fields, rest))
}

fn slice_element(p: &mut In) -> R<SliceElement> {
    let start = token(p);
    // `..`, `..rest`; but `..5` is a range.
    if peek(p) == Kind::DotDot
        && !matches!(token_at(p, 1).kind, Kind::Int | Kind::Float | Kind::Char | Kind::Minus | Kind::Eq)
    {
        bump(p);
        let name = if peek(p) == Kind::Ident { Some(name(p)?) } else { None };
        if name.is_none() {
            eat(p, Kind::Underscore);
        }
        let span = span_from(p, start);
        return Ok(SliceElement::Rest { name, span });
    }
    Ok(SliceElement::Pattern(pattern(p)?))
}

/// `(|Name|_|) p`, `(|Name|) p`.
fn active(p: &mut In) -> R<PatternKind> {
    let (name, partial) = active_head(p)?;
    let when = p.state().words.when;
    let arg = match peek(p) {
        Kind::Ident if at_word(p, when) => None,
        Kind::Underscore
        | Kind::DotDot
        | Kind::Int
        | Kind::Float
        | Kind::Minus
        | Kind::Char
        | Kind::Str
        | Kind::RawStr
        | Kind::TripleStr
        | Kind::True
        | Kind::False
        | Kind::LParen
        | Kind::LBracket
        | Kind::LBrace
        | Kind::Ident => Some(nested(p, primary)?),
        _ => None,
    };
    Ok(PatternKind::Active { name, partial, arg })
}

/// `(|Name|_|)` or `(|Name|)`.
pub fn active_head(p: &mut In) -> R<(Ident, bool)> {
    expect(p, Kind::LParen)?;
    expect(p, Kind::Bar)?;
    let name = name(p)?;
    expect(p, Kind::Bar)?;
    let partial = eat(p, Kind::Underscore);
    if partial {
        expect(p, Kind::Bar)?;
    }
    expect(p, Kind::RParen)?;
    Ok((name, partial))
}

fn literal(p: &mut In) -> R<PatternLiteral> {
    let negative = eat(p, Kind::Minus);
    Ok(match peek(p) {
        Kind::Int => PatternLiteral::Int { value: value::integer(p), negative },
        Kind::Float => {
            let value = value::float(p);
            PatternLiteral::Float { value: if negative { -value } else { value } }
        }
        Kind::Char if !negative => PatternLiteral::Char(value::character(p)),
        _ => return Err(fail_wanting(p, Kind::Int)),
    })
}

/// A range when `..` follows or leads, else the literal itself.
fn range_or(p: &mut In, start: Option<PatternLiteral>) -> R<PatternKind> {
    if peek(p) != Kind::DotDot {
        return match start {
            Some(literal) => Ok(PatternKind::Literal(literal)),
            None => Err(fail_wanting(p, Kind::Pattern)),
        };
    }
    bump(p);
    let inclusive = peek(p) == Kind::Eq && token(p).has(JOINED);
    if inclusive {
        bump(p);
    }
    let end = match peek(p) {
        Kind::Int | Kind::Float | Kind::Minus | Kind::Char => Some(literal(p)?),
        // Open on both sides: every value.
        _ if start.is_none() && !inclusive => return Ok(PatternKind::Wildcard),
        _ if start.is_none() => return Err(fail_wanting(p, Kind::Int)),
        _ => None,
    };
    Ok(PatternKind::Range { start, end, inclusive })
}
