//! Control flow and effects: `if`, `match`, loops, `perform`, `handle`, and when their bodies are indented blocks.

use reml_diagnostics::{Diagnostic, codes};

use super::cursor::*;
use super::error::{Cause, Failure, report};
use super::expr::{args, body, expr, head_expr, make};
use super::item;
use super::pattern;
use super::primary::starts_expression;
use super::recover::{delimited, skip_arm};
use super::stmt;
use super::ty;
use super::value;
use crate::ast::*;
use crate::token::{JOINED, Kind, LINE_START, Token};

/// The layout of the indented body that starts with the next token, if it starts on a new line and to the right.
pub fn indented_layout(p: &mut In) -> Option<Layout> {
    let next = token(p);
    let here = index(p) as u32;
    if !next.has(LINE_START) || next.kind == Kind::Eof || is_passed(p.state(), here) {
        return None;
    }
    let outer = p.state().layout;
    let inside_block = !outer.newlines || next.column >= outer.column;
    if !inside_block || next.column <= outer.statement || !starts_statement(p, next) {
        return None;
    }
    Some(Layout { newlines: true, column: next.column, statement: next.column, inside: outer.inside })
}

/// Whether a token, as written, can start a statement of an indented block.
fn starts_statement(p: &mut In, next: Token) -> bool {
    matches!(next.kind, Kind::Let | Kind::Var | Kind::Defer | Kind::Fn | Kind::Use | Kind::Type)
        || with_raw_line_start(p, starts_expression)
}

/// Looks at the next token as if its line had already begun.
fn with_raw_line_start<T>(p: &mut In, look: impl FnOnce(&mut In) -> T) -> T {
    let layout = Layout { newlines: false, ..p.state().layout };
    with_layout(p, layout, look)
}

/// A block in braces; the brace may stand on the next line.
pub fn block(p: &mut In) -> R<Block> {
    pass_to(p, Kind::LBrace);
    if !at(p, Kind::LBrace) {
        return Err(fail(p));
    }
    stmt::block(p)
}

pub fn block_expr(p: &mut In) -> R<Expr> {
    let block = block(p)?;
    let span = block.span;
    Ok(make(ExprKind::Block(block), span))
}

/// If the next line starts with `kind`, goes on there.
pub fn pass_to(p: &mut In, kind: Kind) {
    if peek(p) == Kind::Newline && token(p).kind == kind {
        pass_line_break(p);
    }
}

/// `if c then a else b`, `if c { .. } else { .. }`; a chain of `else if` is read in a loop.
pub fn if_(p: &mut In) -> R<Expr> {
    let mut branches: Vec<(Token, Expr, Expr)> = Vec::new();
    let last = loop {
        let start = bump(p);
        let cond = head_expr(p)?;
        let braced = !at(p, Kind::Then);
        let then = if braced {
            pass_to(p, Kind::LBrace);
            if !at(p, Kind::LBrace) {
                return Err(fail(p));
            }
            block_expr(p)?
        } else {
            bump(p);
            body(p)?
        };
        branches.push((start, cond, then));
        taller(p)?;
        // `else` on the next line goes on with this line.
        if !at(p, Kind::Else) {
            break None;
        }
        bump(p);
        if peek(p) == Kind::If {
            continue;
        }
        let els = if braced && peek(p) == Kind::LBrace { block_expr(p)? } else { body(p)? };
        break Some(els);
    };
    let mut els = last;
    let mut result = None;
    while let Some((start, cond, then)) = branches.pop() {
        let end = els.as_ref().map_or(then.span, |els| els.span);
        let span = span_of(p, start).to(end);
        let whole = make(ExprKind::If { cond, then, els }, span);
        if branches.is_empty() {
            result = Some(whole);
            break;
        }
        els = Some(whole);
    }
    result.ok_or_else(|| fail_wanting(p, Kind::Expression))
}

pub fn while_(p: &mut In) -> R<ExprKind> {
    bump(p);
    let cond = head_expr(p)?;
    eat(p, Kind::Do);
    let body = block_expr(p)?;
    Ok(ExprKind::While { cond, body })
}

pub fn for_(p: &mut In) -> R<ExprKind> {
    bump(p);
    let pattern = pattern::pattern(p)?;
    expect(p, Kind::In)?;
    let iterable = head_expr(p)?;
    eat(p, Kind::Do);
    let body = block_expr(p)?;
    Ok(ExprKind::For { pattern, iterable, body })
}

// ---------------------------------------------------------------------------------------------------
// match

pub fn match_(p: &mut In) -> R<Expr> {
    let start = bump(p);
    let scrutinee = head_expr(p)?;
    pass_to(p, Kind::LBrace);
    let arms = if at(p, Kind::LBrace) {
        braced_arms(p)?
    } else {
        if at(p, Kind::With) {
            bump(p);
        } else if peek(p) == Kind::Newline && token(p).kind == Kind::Bar {
            // A forgotten `with`: the arms are there.
            let failure = fail(p);
            report(p, failure);
        } else {
            return Err(fail(p));
        }
        let next = token(p);
        let first = token_at(p, 1);
        if next.kind == Kind::LBrace && (first.has(LINE_START) || first.kind == Kind::Bar) && !next.has(LINE_START) {
            braced_arms(p)?
        } else {
            aligned_arms(p)?
        }
    };
    let span = span_from(p, start);
    Ok(make(ExprKind::Match { scrutinee, arms }, span))
}

/// `{ A -> x, B -> y }`, with commas, line breaks or bars between the arms.
fn braced_arms(p: &mut In) -> R<Vec<Arm>> {
    let opening = index(p) as u32;
    bump(p);
    inside(p, true, Kind::RBrace, |p| {
        let first = token(p);
        let column = if first.has(LINE_START) { first.column } else { 0 };
        p.state().layout.statement = column;
        let mut arms = Vec::new();
        loop {
            skip_separators_and_commas(p);
            if matches!(peek(p), Kind::RBrace | Kind::Eof | Kind::Dedent) {
                break;
            }
            let start = index(p);
            let body_layout = Layout { column: if first.has(LINE_START) { column + 1 } else { 0 }, ..p.state().layout };
            match arm(p, body_layout, column) {
                Ok(arm) => arms.push(arm),
                Err(failure) => {
                    arms.push(broken_arm(p, start, column, true, failure.or_opening(opening))?);
                    // A closing bracket of something else.
                    if index(p) == start && token(p).kind != Kind::RBrace {
                        bump(p);
                    }
                }
            }
            skip_foreign_end(p);
        }
        stmt::close_brace(p, opening);
        arms.shrink_to_fit();
        Ok(arms)
    })
}

/// Arms after `with`, held together by their column (section 1.1).
fn aligned_arms(p: &mut In) -> R<Vec<Arm>> {
    let outer = p.state().layout;
    let first = token(p);
    if first.has(LINE_START) && outer.newlines && first.column < outer.column {
        return Err(fail_wanting(p, Kind::ArmStart));
    }
    let column = first.column;
    let bars = first.kind == Kind::Bar;
    let several_lines = first.has(LINE_START);
    let layout = Layout { newlines: true, column, statement: column, inside: outer.inside };
    let body_layout = Layout { column: column.saturating_add(1), ..layout };
    p.state().arm_columns.push(column);
    let result = with_layout(p, layout, |p| {
        let mut arms = Vec::new();
        pass_line_break(p);
        loop {
            let start = index(p);
            match arm(p, body_layout, column) {
                Ok(arm) => arms.push(arm),
                Err(failure) if failure.cause != Cause::TooDeep => {
                    arms.push(broken_arm(p, start, column, false, failure)?);
                }
                Err(failure) => return Err(failure),
            }
            if !next_arm(p, outer, column, bars, several_lines) {
                break;
            }
        }
        arms.shrink_to_fit();
        Ok(arms)
    });
    p.state().arm_columns.pop();
    if result.is_ok() {
        skip_foreign_end(p);
    }
    result
}

/// Whether another arm of this match follows; if so, it is next.
fn next_arm(p: &mut In, outer: Layout, column: u16, bars: bool, several_lines: bool) -> bool {
    let next = token(p);
    match peek(p) {
        Kind::Bar => true,
        Kind::Comma | Kind::Semi => {
            let after = token_at(p, 1);
            let aligned = after.has(LINE_START) && after.column == column;
            let goes_on = after.kind == Kind::Bar && (aligned || arm_at(p, 1)) || aligned && !bars;
            if goes_on && !after.kind.closes() {
                bump(p);
                pass_line_break(p);
            }
            goes_on && !after.kind.closes()
        }
        Kind::Newline => {
            let aligned = next.column == column && (next.kind == Kind::Bar || several_lines && !bars);
            // A deeper arm that is no other match's.
            let stray = next.column > column && next.kind == Kind::Bar;
            if aligned && !at_foreign_end(p) || stray {
                pass_line_break(p);
                return true;
            }
            false
        }
        // `match e with | A -> 1` goes on with a bar further left, as long as no outer match has arms there.
        Kind::Dedent => {
            let within = !outer.newlines || next.column >= outer.column;
            let columns = &p.state().arm_columns;
            let taken = columns[..columns.len() - 1].contains(&next.column);
            let goes_on = next.kind == Kind::Bar && !several_lines && within && !taken && next.column > 0;
            if goes_on {
                pass_line_break(p);
            }
            goes_on
        }
        _ => false,
    }
}

/// Whether the `|` that many tokens ahead begins an arm, and not a lambda: what can be a pattern follows in its line, then
/// `when` or an arrow.
pub fn arm_at(p: &mut In, bar: usize) -> bool {
    let when = p.state().words.when;
    let mut depth = 0u32;
    let mut previous = Kind::Bar;
    // Looking further would make many such lines slow.
    for ahead in bar + 1..bar + 2_000 {
        let next = token_at(p, ahead);
        if next.has(LINE_START) {
            return false;
        }
        match next.kind {
            Kind::Eof => return false,
            kind if kind.opens() => depth += 1,
            kind if kind.closes() && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            Kind::If => return true,
            Kind::Ident if is_word(next, when) => return true,
            // Behind a bar, an arrow is before a lambda's result type.
            Kind::Arrow | Kind::FatArrow => return previous != Kind::Bar,
            Kind::Ident | Kind::SelfValue | Kind::Super | Kind::Dot | Kind::ColonColon | Kind::Underscore => {}
            Kind::Int | Kind::Float | Kind::Minus | Kind::Char | Kind::DotDot | Kind::Eq => {}
            Kind::Str | Kind::RawStr | Kind::TripleStr | Kind::True | Kind::False => {}
            Kind::Bar | Kind::As | Kind::At => {}
            kind if kind.is_soft_keyword() => {}
            _ => return false,
        }
        previous = next.kind;
    }
    false
}

/// Reports a failed arm and finds the next one.
fn broken_arm(p: &mut In, start: usize, column: u16, in_braces: bool, failure: Failure) -> R<Arm> {
    if failure.cause == Cause::TooDeep {
        return Err(failure);
    }
    report(p, failure);
    let first = p.state().tokens[start];
    skip_arm(p, start, column, in_braces);
    let span = span_from(p, first);
    let pattern = Pattern { kind: Box::new(PatternKind::Error), span };
    Ok(Arm { pattern, guard: None, alias: None, body: make(ExprKind::Error, span), span })
}

fn arm(p: &mut In, body_layout: Layout, column: u16) -> R<Arm> {
    let head_layout = Layout { newlines: false, statement: column, ..body_layout };
    // The head of the enclosing construct ends before the arms.
    let head = std::mem::replace(&mut p.state().head, false);
    let piped = std::mem::replace(&mut p.state().piped, false);
    let guard = std::mem::replace(&mut p.state().guard, false);
    let result = arm_parts(p, head_layout, body_layout);
    let state = p.state();
    state.head = head;
    state.piped = piped;
    state.guard = guard;
    result
}

fn arm_parts(p: &mut In, head_layout: Layout, body_layout: Layout) -> R<Arm> {
    let start = token(p);
    let (pattern, guard, alias) = with_layout(p, head_layout, |p| {
        if peek(p) == Kind::Bar {
            bump(p);
        }
        let pattern = pattern::pattern(p)?;
        let mut guard = None;
        let mut alias = None;
        let when = p.state().words.when;
        loop {
            if at_word(p, when) || peek(p) == Kind::If {
                let word = bump(p);
                p.state().guard = true;
                let cond = expr(p);
                p.state().guard = false;
                let span = span_from(p, word);
                guard = Some(Guard { cond: cond?, deprecated_if: word.kind == Kind::If, span });
            } else if at(p, Kind::As) {
                bump(p);
                alias = Some(name(p)?);
            } else {
                break;
            }
        }
        arm_arrow(p)?;
        Ok((pattern, guard, alias))
    })?;
    let body = with_layout(p, body_layout, |p| arm_body(p, body_layout))?;
    let span = span_from(p, start);
    Ok(Arm { pattern, guard, alias, body, span })
}

/// `->` or `=>`. A missing one is reported, and the body is read all the same.
fn arm_arrow(p: &mut In) -> R<()> {
    if at(p, Kind::Arrow) || at(p, Kind::FatArrow) {
        bump(p);
        return Ok(());
    }
    let next = token(p);
    let failure = fail(p);
    let wrong = matches!(next.kind, Kind::Eq | Kind::Colon | Kind::Then | Kind::ColonEq);
    if wrong || !next.has(LINE_START) && starts_expression(p) && next.kind != Kind::Bar {
        report(p, failure);
        if wrong {
            bump(p);
        }
        return Ok(());
    }
    Err(failure)
}

/// An arm's body may start in a new line that is not right of the arm's bar, as long as it is no arm itself.
fn arm_body(p: &mut In, layout: Layout) -> R<Expr> {
    let next = token(p);
    let begins = !next.kind.closes() && !matches!(next.kind, Kind::Bar | Kind::Eof);
    if next.has(LINE_START) && next.column == layout.statement && begins {
        let previous = index(p) - 1;
        let arrow = p.state().tokens[previous];
        if matches!(arrow.kind, Kind::Arrow | Kind::FatArrow) && !arrow_ahead_on_line(p) {
            let layout = Layout { column: next.column, ..layout };
            return stmt::indented_block(p, layout);
        }
    }
    body(p)
}

/// Whether the next line looks like an arm.
fn arrow_ahead_on_line(p: &mut In) -> bool {
    (1..60)
        .map(|ahead| token_at(p, ahead))
        .take_while(|t| !t.has(LINE_START))
        .any(|t| matches!(t.kind, Kind::Arrow | Kind::FatArrow))
}

fn at_foreign_end(p: &mut In) -> bool {
    let end = p.state().words.end;
    let next = token(p);
    let after = token_at(p, 1);
    is_word(next, end)
        && (after.has(LINE_START)
            || after.kind.closes()
            || matches!(after.kind, Kind::Eof | Kind::Semi | Kind::Comma | Kind::Dot | Kind::Else | Kind::PipeGt))
}

/// `end` after arms is another language's.
fn skip_foreign_end(p: &mut In) {
    if !at_foreign_end(p) || peek(p) == Kind::Dedent {
        return;
    }
    let token = bump(p);
    let span = span_of(p, token);
    p.state().diagnostics.push(
        Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "a `match` is not closed with `end`")
            .with_note("its arms end where a line starts further left")
            .with_fix(span, "", "remove `end`"),
    );
}

// ---------------------------------------------------------------------------------------------------
// Effects

/// `perform Console.log("x")`.
pub fn perform(p: &mut In) -> R<ExprKind> {
    bump(p);
    let operation = ty::path(p)?;
    let args = if peek(p) == Kind::LParen { args(p)? } else { Vec::new() };
    Ok(ExprKind::Perform { operation, args })
}

/// `do { .. }` and `do` with an indented block are blocks, `do Path(..)` performs.
pub fn do_(p: &mut In) -> R<Expr> {
    let start = token(p);
    let next = token_at(p, 1);
    if next.kind == Kind::LBrace || next.has(LINE_START) {
        bump(p);
        let inner = body(p)?;
        return Ok(inner);
    }
    let kind = perform(p)?;
    let span = span_from(p, start);
    Ok(make(kind, span))
}

/// Whether `handle` comes as the keyword: an operand follows. Otherwise it is an ordinary name, as programs use it.
pub fn at_handle(p: &mut In) -> bool {
    let next = token_at(p, 1);
    match next.kind {
        Kind::LParen if next.has(JOINED) => {
            // `handle(e) with ..` or a call of a function called `handle`.
            let mut depth = 0u32;
            let mut ahead = 1;
            loop {
                let token = token_at(p, ahead);
                match token.kind {
                    Kind::Eof => return false,
                    kind if kind.opens() => depth += 1,
                    kind if kind.closes() => depth -= 1,
                    _ => {}
                }
                ahead += 1;
                // Looking further would make many such lines slow.
                if ahead > 2_000 {
                    return true;
                }
                if depth == 0 {
                    return matches!(token_at(p, ahead).kind, Kind::With | Kind::Do);
                }
            }
        }
        // `handle[0]` is an element of something called `handle`.
        Kind::LBracket => !next.has(JOINED),
        Kind::Ident
        | Kind::Int
        | Kind::Str
        | Kind::SelfValue
        | Kind::Super
        | Kind::Do
        | Kind::Perform
        | Kind::Handle
        | Kind::LParen
        | Kind::LBrace
        | Kind::If
        | Kind::Match
        | Kind::For
        | Kind::While
        | Kind::Loop
        | Kind::Unsafe
        | Kind::ColonColon => !next.has(LINE_START) || next.kind == Kind::LBrace,
        _ => false,
    }
}

/// `handle e with handler { .. }`, `handle e with h`, `handle h(0) do e`.
pub fn handle(p: &mut In) -> R<ExprKind> {
    let start = bump(p);
    let first = expr(p)?;
    pass_to(p, Kind::Do);
    if at(p, Kind::Do) {
        bump(p);
        let body = body(p)?;
        return Ok(ExprKind::Handle { body, handler: HandlerExpr::Value(first) });
    }
    if !at(p, Kind::With) {
        let span = span_of(p, start).to(first.span);
        p.state().diagnostics.push(
            Diagnostic::error(codes::EFFECT_HANDLER_MISSING_WITH, span, "this `handle` has no handler")
                .with_help("write `handle expression with handler { .. }`"),
        );
        return Ok(ExprKind::Handle { body: first, handler: HandlerExpr::Missing });
    }
    bump(p);
    if peek(p) != Kind::Handler {
        let value = expr(p)?;
        return Ok(ExprKind::Handle { body: first, handler: HandlerExpr::Value(value) });
    }
    bump(p);
    let effect = if peek(p) == Kind::Ident { Some(ty::effect_tag(p)?) } else { None };
    let body = item::handler_body(p)?;
    Ok(ExprKind::Handle { body: first, handler: HandlerExpr::Inline { effect, body } })
}

/// `llvm_ir!(T) { "template", inputs(..) }`; the `!` comes next.
pub fn llvm_ir(p: &mut In) -> R<ExprKind> {
    bump(p);
    expect(p, Kind::LParen)?;
    let ty = ty::ty(p)?;
    expect(p, Kind::RParen)?;
    enum Part {
        Literal(Token),
        Inputs(Vec<Expr>),
    }
    let parts = delimited(
        p,
        Kind::LBrace,
        |p| {
            if matches!(peek(p), Kind::Str | Kind::RawStr | Kind::TripleStr) {
                return Ok(Part::Literal(bump(p)));
            }
            let inputs = p.state().words.inputs;
            if !at_word(p, inputs) {
                return Err(fail_wanting(p, Kind::Str));
            }
            bump(p);
            Ok(Part::Inputs(delimited(p, Kind::LParen, expr, None)?))
        },
        None,
    )?;
    let mut literals = Vec::new();
    let mut inputs = Vec::new();
    for part in parts {
        match part {
            Part::Literal(token) => literals.push(token),
            Part::Inputs(list) => inputs.extend(list),
        }
    }
    Ok(ExprKind::LlvmIr { ty, template: value::template(p, &literals), inputs })
}
