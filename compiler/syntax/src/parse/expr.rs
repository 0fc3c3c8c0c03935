//! Operators, from the pipe down to prefix and postfix forms (precedence in section 3).

use reml_diagnostics::{Diagnostic, Span, codes};

use super::control;
use super::cursor::*;
use super::error::Failure;
use super::pattern::starts_upper;
use super::primary::{self, starts_expression};
use super::recover::{delimited, starts_statement_keyword};
use super::stmt;
use super::ty::{self, at_shift_right};
use super::value;
use crate::ast::*;
use crate::token::{JOINED, Kind, LINE_START, Token};

/// Any expression.
pub fn expr(p: &mut In) -> R<Expr> {
    nested(p, |p| {
        let mut left = binary(p, 0)?;
        if p.state().piped {
            return Ok(left);
        }
        while at(p, Kind::PipeGt) {
            bump(p);
            taller(p)?;
            let right = pipe_target(p)?;
            let span = left.span.to(right.span);
            left = make(ExprKind::Pipe { left, right }, span);
        }
        Ok(left)
    })
}

/// An expression where `{` opens the body of the construct and no record.
pub fn head_expr(p: &mut In) -> R<Expr> {
    let outer = std::mem::replace(&mut p.state().head, true);
    let result = expr(p);
    p.state().head = outer;
    result
}

/// The right side of `|>`. The body of a lambda here ends at the next `|>`.
fn pipe_target(p: &mut In) -> R<Expr> {
    let outer = std::mem::replace(&mut p.state().piped, true);
    let result = nested(p, unary);
    p.state().piped = outer;
    result
}

pub fn make(kind: ExprKind, span: Span) -> Expr {
    Expr { kind: Box::new(kind), span }
}

pub fn error_expr(p: &mut In) -> Expr {
    let token = token(p);
    let span = span_of(p, token).shrink_to_start();
    make(ExprKind::Error, span)
}

/// Binding powers; a higher one binds tighter.
const RANGE: u8 = 5;
const COMPARE: u8 = 4;
const EQUAL: u8 = 3;
const POWER: u8 = 9;

fn operator(p: &mut In) -> Option<(u8, BinaryOp)> {
    Some(match peek(p) {
        Kind::OrOr => (1, BinaryOp::Or),
        Kind::AndAnd => (2, BinaryOp::And),
        Kind::EqEq => (EQUAL, BinaryOp::Eq),
        Kind::Ne => (EQUAL, BinaryOp::Ne),
        Kind::Lt => (COMPARE, BinaryOp::Lt),
        Kind::Le => (COMPARE, BinaryOp::Le),
        Kind::Ge => (COMPARE, BinaryOp::Ge),
        Kind::Gt if at_shift_right(p) => (6, BinaryOp::Shr),
        Kind::Gt => (COMPARE, BinaryOp::Gt),
        Kind::Shl => (6, BinaryOp::Shl),
        Kind::Plus => (7, BinaryOp::Add),
        Kind::PlusPlus => (7, BinaryOp::Concat),
        Kind::Minus => (7, BinaryOp::Sub),
        Kind::Star => (8, BinaryOp::Mul),
        Kind::Slash => (8, BinaryOp::Div),
        Kind::Percent => (8, BinaryOp::Rem),
        Kind::Caret => (POWER, BinaryOp::Pow),
        _ => return None,
    })
}

/// Binary operators that bind tighter than `min`, by precedence climbing.
pub fn binary(p: &mut In, min: u8) -> R<Expr> {
    let mut left = if peek(p) == Kind::DotDot { prefix_range(p)? } else { unary(p)? };
    loop {
        left = match peek(p) {
            Kind::As => {
                if p.state().guard && alias_ahead(p) {
                    return Ok(left);
                }
                bump(p);
                taller(p)?;
                let ty = ty::simple_type(p)?;
                let span = left.span.to(ty.span);
                make(ExprKind::Cast { operand: left, ty }, span)
            }
            Kind::DotDot if min < RANGE => {
                let dots = bump(p);
                taller(p)?;
                let (end, inclusive) = range_end(p)?;
                let span = match &end {
                    Some(end) => left.span.to(end.span),
                    None => left.span.to(span_of(p, dots)),
                };
                make(ExprKind::Range { start: Some(left), end, inclusive }, span)
            }
            _ => {
                let Some((power, op)) = operator(p) else { return Ok(left) };
                if power <= min && !(op == BinaryOp::Pow && power == min) {
                    return Ok(left);
                }
                if power <= min && op != BinaryOp::Pow {
                    return Ok(left);
                }
                let token = bump(p);
                let mut op_span = span_of(p, token);
                if op == BinaryOp::Shr {
                    let second = bump(p);
                    op_span = op_span.to(span_of(p, second));
                }
                taller(p)?;
                // `^` groups to the right.
                let right = if op == BinaryOp::Pow { nested(p, |p| binary(p, POWER - 1))? } else { binary(p, power)? };
                let span = left.span.to(right.span);
                if (power == COMPARE || power == EQUAL) && chained_comparison(p, power, &left, op_span, &right) {
                    make(ExprKind::Error, span)
                } else {
                    make(ExprKind::Binary { op, op_span, left, right }, span)
                }
            }
        };
    }
}

/// `as name ->` after a guard names the whole value.
fn alias_ahead(p: &mut In) -> bool {
    let when = p.state().words.when;
    let after = token_at(p, 2);
    token_at(p, 1).kind == Kind::Ident
        && (matches!(after.kind, Kind::Arrow | Kind::FatArrow | Kind::If) || is_word(after, when))
}

/// `a < b < c`: reported where the second operator comes. Answers whether it is one.
fn chained_comparison(p: &mut In, power: u8, left: &Expr, op_span: Span, right: &Expr) -> bool {
    let Some((next_power, _)) = operator(p) else { return false };
    if next_power != power || p.state().too_deep {
        return false;
    }
    let next = token(p);
    let state = p.state();
    // In what is left of a broken signature, `<` and `>` are brackets.
    if next.kind == Kind::Gt && state.item_is_broken() {
        return false;
    }
    let next_span = state.span(next);
    let text = |span: Span| &state.text[(span.start - state.base) as usize..(span.end - state.base) as usize];
    let middle = text(right.span);
    let mut diagnostic = Diagnostic::error(
        codes::PARSE_CHAINED_COMPARISON,
        next_span,
        format!("comparisons cannot be chained: `{} .. {}`", text(op_span), text(next_span)),
    )
    .with_label(op_span, "the first comparison");
    // Only a plain operand may be written twice.
    let plain = matches!(*right.kind, ExprKind::Path(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Char(_));
    if plain && power == COMPARE {
        diagnostic = diagnostic.with_fix(
            Span::new(next_span.start, next_span.start),
            format!("&& {middle} "),
            format!("compare `{middle}` twice"),
        );
    } else {
        diagnostic = diagnostic.with_help("join two comparisons with `&&`").with_fix(
            left.span.to(right.span),
            format!("({})", text(left.span.to(right.span))),
            "group the first comparison",
        );
    }
    state.diagnostics.push(diagnostic);
    true
}

fn range_end(p: &mut In) -> R<(Option<Expr>, bool)> {
    let inclusive = peek(p) == Kind::Eq && token(p).has(JOINED);
    if inclusive {
        bump(p);
    }
    let kind = peek(p);
    let open = !starts_expression(p) || kind == Kind::LBrace && p.state().head;
    if open {
        return if inclusive { Err(fail_wanting(p, Kind::Expression)) } else { Ok((None, false)) };
    }
    Ok((Some(binary(p, RANGE)?), inclusive))
}

/// `..b`.
fn prefix_range(p: &mut In) -> R<Expr> {
    let start = bump(p);
    let (end, inclusive) = range_end(p)?;
    if end.is_none() {
        return Err(fail_wanting(p, Kind::Expression));
    }
    let span = span_from(p, start);
    Ok(make(ExprKind::Range { start: None, end, inclusive }, span))
}

/// Prefix operators, collected in a loop: a long run of them must not recurse.
pub fn unary(p: &mut In) -> R<Expr> {
    let mut operators: Vec<(UnaryOp, Token)> = Vec::new();
    loop {
        let op = match peek(p) {
            Kind::Minus => UnaryOp::Neg,
            Kind::Bang => UnaryOp::Not,
            Kind::Star => UnaryOp::Deref,
            Kind::Amp | Kind::AndAnd => {
                let token = bump(p);
                if token.kind == Kind::AndAnd {
                    operators.push((UnaryOp::Ref, token));
                }
                let mutable = p.state().words.mutable;
                let op = if at_word(p, mutable) && !token_at(p, 1).kind.closes() {
                    bump(p);
                    UnaryOp::RefMut
                } else {
                    UnaryOp::Ref
                };
                operators.push((op, token));
                continue;
            }
            Kind::Ident if primary::at_foreign_not(p) => {
                let token = bump(p);
                primary::report_foreign_not(p, token);
                operators.push((UnaryOp::Not, token));
                continue;
            }
            _ => break,
        };
        let token = bump(p);
        operators.push((op, token));
    }
    let mut operand = postfix(p)?;
    while let Some((op, token)) = operators.pop() {
        taller(p)?;
        let span = span_of(p, token).to(operand.span);
        operand = make(ExprKind::Unary { op, operand }, span);
    }
    Ok(operand)
}

fn postfix(p: &mut In) -> R<Expr> {
    let start = token(p);
    let mut base = primary::primary(p)?;
    // What has swallowed everything to its right takes no postfix.
    let swallows = matches!(*base.kind, ExprKind::Lambda { .. } | ExprKind::Return(_) | ExprKind::Break(_));
    if swallows && start.kind != Kind::LParen {
        return Ok(base);
    }
    loop {
        let kind = match peek(p) {
            Kind::Dot => {
                bump(p);
                field(p, base)?
            }
            Kind::LParen => {
                let args = args(p)?;
                ExprKind::Call { callee: base, args }
            }
            Kind::LBracket => {
                let opening = index(p) as u32;
                bump(p);
                let index = inside(p, false, Kind::RBracket, |p| {
                    let index = expr(p)?;
                    expect(p, Kind::RBracket)?;
                    Ok(index)
                })
                .map_err(|failure: Failure| failure.or_opening(opening))?;
                ExprKind::Index { base, index }
            }
            Kind::Question => {
                bump(p);
                ExprKind::Try(base)
            }
            Kind::ColonColon => {
                let Some(mut path) = as_path(&base) else { return Ok(base) };
                bump(p);
                path.segments.push(any_name(p)?);
                // A path is a path as a whole once it is written with `::`.
                while peek(p) == Kind::ColonColon {
                    bump(p);
                    path.segments.push(any_name(p)?);
                }
                path.span = span_from(p, start);
                ExprKind::Path(path)
            }
            Kind::LBrace if (!p.state().head || field_ahead(p)) && names_constructor(p, &base) => {
                let path = as_path(&base).expect("a constructor is a path");
                let in_head = p.state().head;
                let record = primary::record_fields(p, Some(path))?;
                if in_head {
                    record_in_head(p, start);
                }
                record
            }
            _ => return Ok(base),
        };
        taller(p)?;
        let span = span_from(p, start);
        base = make(kind, span);
    }
}

/// Whether the brace that comes next can only be a record's: `{ name: `.
fn field_ahead(p: &mut In) -> bool {
    token_at(p, 1).kind == Kind::Ident && token_at(p, 2).kind == Kind::Colon
}

/// Reports the record that has just been read in the head of an `if`, `match` or loop.
fn record_in_head(p: &mut In, start: Token) {
    let span = span_from(p, start);
    let state = p.state();
    let text = &state.text[(span.start - state.base) as usize..(span.end - state.base) as usize];
    state.diagnostics.push(
        Diagnostic::error(
            codes::PARSE_EXPECTED,
            span,
            "a record before the body of `if`, `match`, `for` or `while` stands in parentheses",
        )
        .with_note("without them, its brace would begin the body")
        .with_fix(span, format!("({text})"), "write the parentheses"),
    );
}

fn field(p: &mut In, base: Expr) -> R<ExprKind> {
    let next = token(p);
    if next.kind == Kind::Int {
        let index_span = span_of(p, next);
        let index = u32::try_from(value::integer(p)).unwrap_or(u32::MAX);
        return Ok(ExprKind::TupleField { base, index, index_span });
    }
    if is_word(next, p.state().words.await_) {
        bump(p);
        return Ok(ExprKind::Await(base));
    }
    // A dot at the end of a line, and a statement in the next.
    if next.has(LINE_START) && starts_statement_keyword(next.kind) {
        return Err(fail_wanting(p, Kind::Name));
    }
    let name = any_name(p)?;
    Ok(ExprKind::Field { base, name })
}

/// `A`, `A.b.C` as a path, when the expression is nothing but names.
pub fn as_path(expr: &Expr) -> Option<Path> {
    match &*expr.kind {
        ExprKind::Path(path) => Some(path.clone()),
        ExprKind::Field { .. } => {
            // Iterative: chains of fields can be long.
            let mut names = Vec::new();
            let mut at = expr;
            loop {
                match &*at.kind {
                    ExprKind::Field { base, name } => {
                        names.push(*name);
                        at = base;
                    }
                    ExprKind::Path(path) => {
                        let mut segments = path.segments.clone();
                        segments.extend(names.into_iter().rev());
                        return Some(Path { anchor: path.anchor, segments, span: expr.span });
                    }
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}

/// Whether the expression just read is a path that ends in an upper-case name.
fn names_constructor(p: &mut In, expr: &Expr) -> bool {
    let name = match &*expr.kind {
        ExprKind::Path(path) => path.segments.last().copied(),
        ExprKind::Field { name, .. } => Some(*name),
        _ => None,
    };
    name.is_some_and(|name| starts_upper(p.state().names.text(name.name))) && as_path(expr).is_some()
}

/// `(a, name = b, name: c, _)`.
pub fn args(p: &mut In) -> R<Vec<Arg>> {
    delimited(p, Kind::LParen, arg, Some(|p| Arg { name: None, value: error_expr(p) }))
}

fn arg(p: &mut In) -> R<Arg> {
    let first = token(p);
    if p.state().attribute && first.kind == Kind::Ident && token_at(p, 1).kind == Kind::Dot {
        return dotted_arg(p);
    }
    let second = token_at(p, 1);
    let named = matches!(second.kind, Kind::Eq | Kind::Colon) && (first.kind == Kind::Ident || first.kind.is_keyword());
    let name = if named {
        let name = any_name(p)?;
        bump(p);
        Some(name)
    } else {
        None
    };
    let here = token(p);
    if here.kind == Kind::Underscore && matches!(token_at(p, 1).kind, Kind::Comma | Kind::RParen) {
        bump(p);
        let span = span_of(p, here);
        return Ok(Arg { name, value: make(ExprKind::Placeholder, span) });
    }
    let value = expr(p)?;
    Ok(Arg { name, value })
}

/// `extra.flavour = "vanilla"`: in an attribute the name of an argument may have dots. It is interned as a whole.
fn dotted_arg(p: &mut In) -> R<Arg> {
    let start = token(p);
    let value = expr(p)?;
    if !eat(p, Kind::Eq) {
        return Ok(Arg { name: None, value });
    }
    let span = span_from(p, start);
    let state = p.state();
    let text = &state.text[(value.span.start - state.base) as usize..(value.span.end - state.base) as usize];
    let name = state.names.intern(text);
    let value = expr(p)?;
    Ok(Arg { name: Some(Ident { name, span }), value })
}

/// The body of `=`, an arrow, `then`, `else` or a lambda: an indented block when it starts on a new line, else one
/// expression, which may be an assignment.
pub fn body(p: &mut In) -> R<Expr> {
    if let Some(layout) = control::indented_layout(p) {
        return stmt::indented_block(p, layout);
    }
    inline_body(p)
}

/// A body on the same line.
pub fn inline_body(p: &mut In) -> R<Expr> {
    let start = index(p);
    let value = expr(p)?;
    stmt::maybe_assignment(p, start, value)
}
