//! Statements and blocks: in braces, and by indentation.

use reml_diagnostics::{Diagnostic, codes};

use super::cursor::*;
use super::error::{Cause, Failure, report};
use super::expr::{body, expr, inline_body, make};
use super::item;
use super::pattern::{self, starts_upper};
use super::recover::{skip_statement, starts_statement_keyword};
use super::ty;
use crate::ast::*;
use crate::token::{Kind, LINE_START, Token};

/// `{ .. }`; the brace comes next.
pub fn block(p: &mut In) -> R<Block> {
    let start = token(p);
    let opening = index(p) as u32;
    bump(p);
    inside(p, true, Kind::RBrace, |p| {
        let (stmts, result) = statements(p, false, Some(opening))?;
        close_brace(p, opening);
        let span = span_from(p, start);
        Ok(Block { attrs: Vec::new(), stmts, result, scope: None, span })
    })
}

/// The closing brace of a list of statements, arms or items, all of which have been read. A missing one is reported, and
/// what has been read stays.
pub fn close_brace(p: &mut In, opening: u32) {
    if !eat(p, Kind::RBrace) {
        let failure = fail(p).or_opening(opening);
        report(p, failure);
    }
}

/// The lines that start at the next token's column. One expression alone is itself.
pub fn indented_block(p: &mut In, layout: Layout) -> R<Expr> {
    let start = token(p);
    // Like a bracket: the restrictions of a head and of a guard end here.
    let state = p.state();
    let head = std::mem::replace(&mut state.head, false);
    let piped = std::mem::replace(&mut state.piped, false);
    let guard = std::mem::replace(&mut state.guard, false);
    let result = with_layout(p, layout, |p| statements(p, true, None));
    let state = p.state();
    state.head = head;
    state.piped = piped;
    state.guard = guard;
    let (stmts, result) = result?;
    let result = match result {
        Some(only) if stmts.is_empty() => return Ok(*only),
        result => result,
    };
    let span = span_from(p, start);
    Ok(make(ExprKind::Block(Block { attrs: Vec::new(), stmts, result, scope: None, span }), span))
}

/// Statements up to the end of the block. In an indented block anything that cannot go on a statement ends it.
fn statements(p: &mut In, indented: bool, opening: Option<u32>) -> R<(Vec<Stmt>, Option<Box<Expr>>)> {
    let mut stmts: Vec<Stmt> = Vec::new();
    let mut discarded = false;
    if indented {
        pass_line_break(p);
    }
    loop {
        if !indented || !stmts.is_empty() {
            skip_separators(p);
        }
        match peek(p) {
            Kind::RBrace | Kind::Eof | Kind::Dedent => break,
            kind if kind.closes() && (indented && !stmts.is_empty() || !is_stray(p, kind)) => break,
            _ => {}
        }
        let start = index(p);
        let first = token(p);
        if first.has(LINE_START) || p.state().layout.statement == 0 {
            p.state().layout.statement = first.column;
        }
        match statement(p) {
            Ok(stmt) => {
                stmts.push(stmt);
                discarded = !indented && peek(p) == Kind::Semi;
                let next = peek(p);
                // Behind a statement that broke off, the next one starts without a mark.
                if token(p).has(LINE_START) && starts_statement_keyword(next) {
                    continue;
                }
                if matches!(next, Kind::Newline | Kind::Semi) {
                    if next == Kind::Semi && !continues_after_semi(p, indented) {
                        bump(p);
                        break;
                    }
                    continue;
                }
                if matches!(next, Kind::RBrace | Kind::Eof | Kind::Dedent) || indented {
                    break;
                }
                want(p, Kind::RBrace);
                let mut failure = fail_wanting(p, Kind::Newline);
                if next.closes() {
                    failure.opening = opening;
                }
                report(p, failure);
                // What is left of the line is lost, but not what follows; a token that starts a statement starts one.
                if !starts_statement_keyword(next) {
                    let before = index(p);
                    skip_statement(p, before, false);
                }
            }
            Err(failure) if failure.cause == Cause::TooDeep => return Err(failure),
            Err(failure) => {
                // Arms whose `match` broke off look like lambdas; they are no news.
                let orphan = first.kind == Kind::Bar && first.has(LINE_START) && p.state().item_is_broken();
                if !orphan {
                    report(p, failure);
                }
                let until_comma = indented && p.state().layout.inside;
                skip_statement(p, start, until_comma);
                let span = span_from(p, first);
                stmts.push(Stmt { attrs: Vec::new(), kind: StmtKind::Error, span });
                let next = token(p);
                if indented && next.kind.closes() {
                    break;
                }
                if index(p) == start && next.kind.closes() && next.kind != Kind::RBrace {
                    bump(p);
                }
                if indented && next.kind == Kind::Comma && peek(p) == Kind::Comma {
                    break;
                }
            }
        }
    }
    Ok(finish(stmts, discarded))
}

/// In an indented block, a `;` before the end of the enclosing construct only ends the statement.
fn continues_after_semi(p: &mut In, indented: bool) -> bool {
    if !indented {
        return true;
    }
    let next = token_at(p, 1);
    !(next.kind.closes() || next.kind == Kind::Eof)
}

/// The last expression is the value of the block; in braces, a `;` behind it discards it.
fn finish(mut stmts: Vec<Stmt>, discarded: bool) -> (Vec<Stmt>, Option<Box<Expr>>) {
    let mut result = None;
    let is_value =
        stmts.last().is_some_and(|last| last.attrs.is_empty() && matches!(last.kind, StmtKind::Expr(_)) && !discarded);
    if is_value && let Some(Stmt { kind: StmtKind::Expr(value), .. }) = stmts.pop() {
        result = Some(Box::new(value));
    }
    stmts.shrink_to_fit();
    (stmts, result)
}

fn statement(p: &mut In) -> R<Stmt> {
    let start = token(p);
    let attrs = if matches!(peek(p), Kind::At | Kind::HashBracket) { item::attrs(p)? } else { Vec::new() };
    if !attrs.is_empty() && peek(p) == Kind::Newline {
        pass_line_break(p);
    }
    let mut attrs = attrs;
    let mut kind = statement_kind(p)?;
    // Attributes of a block belong to the block.
    if !attrs.is_empty() {
        match &mut kind {
            StmtKind::Expr(Expr { kind, .. }) if matches!(**kind, ExprKind::Block(_)) => {
                if let ExprKind::Block(block) = &mut **kind {
                    block.attrs = std::mem::take(&mut attrs);
                }
            }
            StmtKind::Item(item) => item.attrs = std::mem::take(&mut attrs),
            _ => {}
        }
    }
    let span = span_from(p, start);
    Ok(Stmt { attrs, kind, span })
}

fn statement_kind(p: &mut In) -> R<StmtKind> {
    let next = token_at(p, 1);
    match peek(p) {
        Kind::Let | Kind::Var => Ok(match let_or_fn(p)? {
            LetOrFn::Let(decl) => StmtKind::Let(Box::new(decl)),
            LetOrFn::Fn(decl) => StmtKind::Fn(Box::new(decl)),
        }),
        Kind::Fn if next.kind == Kind::Ident || next.kind.is_keyword() => {
            Ok(StmtKind::Fn(Box::new(item::fn_decl(p, false, false)?)))
        }
        Kind::Defer => {
            bump(p);
            Ok(StmtKind::Defer(inline_body(p)?))
        }
        Kind::Use => Ok(StmtKind::Item(Box::new(item::item(p)?))),
        Kind::Type | Kind::Trait | Kind::Impl | Kind::Extern | Kind::Pub => local_item(p),
        Kind::Effect | Kind::Handler | Kind::Conductor if next.kind == Kind::Ident => local_item(p),
        Kind::Ident => {
            let words = p.state().words;
            let first = token(p);
            let item_word = next.kind == Kind::Ident
                && (is_word(first, words.enum_) || is_word(first, words.struct_) || is_word(first, words.const_));
            if item_word && !next.has(LINE_START) {
                if is_word(first, words.const_) {
                    return Ok(StmtKind::Let(Box::new(const_decl(p)?)));
                }
                return local_item(p);
            }
            if is_word(first, words.pattern) && next.kind == Kind::LParen && token_at(p, 2).kind == Kind::Bar {
                return local_item(p);
            }
            if is_word(first, words.async_) && next.kind == Kind::Fn {
                bump(p);
                return Ok(StmtKind::Fn(Box::new(item::fn_decl(p, true, false)?)));
            }
            expression_statement(p)
        }
        _ => expression_statement(p),
    }
}

fn local_item(p: &mut In) -> R<StmtKind> {
    p.state().has_local_items = true;
    Ok(StmtKind::Item(Box::new(item::item(p)?)))
}

fn expression_statement(p: &mut In) -> R<StmtKind> {
    let start = index(p);
    let value = expr(p)?;
    Ok(match assignment(p, start, value)? {
        Ok(assign) => assign,
        Err(value) => StmtKind::Expr(value),
    })
}

/// After an expression: `:= e`, `= e`, `+= e` make it an assignment.
fn assignment(p: &mut In, start: usize, place: Expr) -> R<Result<StmtKind, Expr>> {
    let operator = match peek(p) {
        Kind::ColonEq | Kind::Eq => {
            let legacy = bump(p).kind == Kind::Eq;
            let value = assigned(p)?;
            return Ok(Ok(StmtKind::Assign { place, value, legacy }));
        }
        Kind::PlusEq => BinaryOp::Add,
        Kind::MinusEq => BinaryOp::Sub,
        Kind::StarEq => BinaryOp::Mul,
        Kind::SlashEq => BinaryOp::Div,
        _ => return Ok(Err(place)),
    };
    let token = bump(p);
    let op_span = span_of(p, token);
    let first = p.state().tokens[start];
    let value = assigned(p)?;
    let state = p.state();
    let place_text = &state.text[first.start as usize..(place.span.end - state.base) as usize];
    let op_text = &state.text_of(token)[..1];
    state.diagnostics.push(
        Diagnostic::error(
            codes::PARSE_FOREIGN_SYNTAX,
            op_span,
            format!("there is no operator {}", token.kind.describe()),
        )
        .with_fix(op_span, format!(":= {place_text} {op_text}"), "write the assignment out"),
    );
    let span = place.span.to(value.span);
    let value = make(ExprKind::Binary { op: operator, op_span, left: place.clone(), right: value }, span);
    Ok(Ok(StmtKind::Assign { place, value, legacy: false }))
}

/// The right side of an assignment.
fn assigned(p: &mut In) -> R<Expr> {
    if let Some(layout) = super::control::indented_layout(p) {
        return indented_block(p, layout);
    }
    expr(p)
}

/// A body on one line that is an assignment becomes a block of one statement.
pub fn maybe_assignment(p: &mut In, start: usize, value: Expr) -> R<Expr> {
    // In an argument list or a record, `=` and `:` have other meanings and do not come here.
    if !matches!(peek(p), Kind::ColonEq | Kind::PlusEq | Kind::MinusEq | Kind::StarEq | Kind::SlashEq | Kind::Eq) {
        return Ok(value);
    }
    let first = p.state().tokens[start];
    Ok(match assignment(p, start, value)? {
        Err(value) => value,
        Ok(kind) => {
            let span = span_from(p, first);
            let stmts = vec![Stmt { attrs: Vec::new(), kind, span }];
            make(ExprKind::Block(Block { attrs: Vec::new(), stmts, result: None, scope: None, span }), span)
        }
    })
}

pub enum LetOrFn {
    Let(LetDecl),
    Fn(FnDecl),
}

/// `let p: T = e`, `var x = e`, `let f(x) = e`; the keyword comes next.
pub fn let_or_fn(p: &mut In) -> R<LetOrFn> {
    let keyword = bump(p);
    let mut kind = if keyword.kind == Kind::Var { LetKind::Var } else { LetKind::Let };
    let words = p.state().words;
    let next = token_at(p, 1);
    if at_word(p, words.mutable) && next.kind == Kind::Ident && !next.has(LINE_START) {
        let word = bump(p);
        let span = span_of(p, keyword).to(span_of(p, word));
        p.state().diagnostics.push(
            Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "a variable is declared with `var`, not `let mut`")
                .with_fix(span, "var", "write `var`"),
        );
        kind = LetKind::Var;
    } else if at_word(p, words.rec) && next.kind == Kind::Ident && !next.has(LINE_START) {
        let word = bump(p);
        let span = span_of(p, word);
        let gap = span.to(span_of(p, next).shrink_to_start());
        p.state().diagnostics.push(
            Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "`rec` is not a Reml word")
                .with_note("`let f(x) = ..` is recursive as it is")
                .with_fix(gap, "", "remove `rec`"),
        );
    }
    let first = token(p);
    let next = token_at(p, 1);
    let plain_name = first.kind == Kind::Ident && !starts_upper(p.state().text_of(first));
    if plain_name && matches!(next.kind, Kind::LParen | Kind::Lt) && !next.has(LINE_START) {
        let sig = item::fn_sig(p, None)?;
        let body = item::fn_body(p)?;
        return Ok(LetOrFn::Fn(FnDecl { is_async: false, sig, body: Some(body) }));
    }
    Ok(LetOrFn::Let(let_rest(p, kind)?))
}

/// `const N: T = e`; the word comes next.
pub fn const_decl(p: &mut In) -> R<LetDecl> {
    bump(p);
    let_rest(p, LetKind::Const)
}

fn let_rest(p: &mut In, kind: LetKind) -> R<LetDecl> {
    let mut pattern = pattern::pattern(p)?;
    if kind == LetKind::Const {
        bare_name(&mut pattern);
    }
    let ty = if eat(p, Kind::Colon) { Some(ty::ty(p)?) } else { None };
    let value = initializer(p)?;
    Ok(LetDecl { kind, pattern, ty, value })
}

/// A constant is a name, however it is written.
pub fn bare_name(pattern: &mut Pattern) {
    if let PatternKind::Constructor { path, args } = &*pattern.kind
        && let ([name], true) = (&*path.segments, args.is_empty())
    {
        *pattern.kind = PatternKind::Bind(*name);
    }
}

/// `= e`. Without one, the name is still declared.
fn initializer(p: &mut In) -> R<Expr> {
    if !at(p, Kind::Eq) {
        let failure = fail(p);
        let token = token(p);
        if token.kind == Kind::ColonEq {
            report(p, failure);
        } else {
            return missing_value(p, failure, token);
        }
    }
    bump(p);
    let before = index(p);
    match body(p) {
        Ok(value) => Ok(value),
        Err(failure) if failure.cause == Cause::Expected && failure.at as usize == before => {
            let token = token(p);
            missing_value(p, failure, token)
        }
        Err(failure) if failure.cause == Cause::TooDeep => Err(failure),
        // The name is declared, whatever its value.
        Err(failure) => {
            report(p, failure);
            skip_statement(p, before, false);
            let first = p.state().tokens[before];
            let span = span_from(p, first);
            Ok(make(ExprKind::Error, span))
        }
    }
}

fn missing_value(p: &mut In, failure: Failure, token: Token) -> R<Expr> {
    if !matches!(peek(p), Kind::Newline | Kind::Dedent | Kind::Semi | Kind::RBrace | Kind::Eof)
        && !token.has(LINE_START)
    {
        return Err(failure);
    }
    report(p, failure);
    let span = span_of(p, token).shrink_to_start();
    Ok(make(ExprKind::Error, span))
}
