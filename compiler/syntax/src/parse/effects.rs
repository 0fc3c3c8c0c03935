//! `extern`, `effect`, `handler` and `conductor` declarations.

use reml_diagnostics::{Diagnostic, codes};

use super::control;
use super::cursor::*;
use super::error::Failure;
use super::expr::{args, expr};
use super::item::{attrs, fn_sig, item_body, param, string_value};
use super::pattern;
use super::recover::delimited;
use super::stmt::{self, LetOrFn};
use super::ty::{self, effect_tag, generics, path};
use crate::ast::*;
use crate::token::{Kind, LINE_START};

/// `extern "C" fn f(..) -> T;`, `extern "C" { .. }`; the keyword comes next.
pub fn extern_decl(p: &mut In) -> R<ExternDecl> {
    bump(p);
    let abi = string_value(p)?;
    let items = if peek_next_line(p) == Kind::LBrace { item_body(p, extern_fn)? } else { vec![extern_fn(p)?] };
    Ok(ExternDecl { abi, items })
}

fn extern_fn(p: &mut In) -> R<Item> {
    let start = token(p);
    let docs = docs(p);
    let attrs = attrs(p)?;
    pass_line_break(p);
    let public = eat(p, Kind::Pub);
    let keyword = expect(p, Kind::Fn)?;
    let sig = fn_sig(p, Some(keyword))?;
    let span = span_from(p, start);
    eat(p, Kind::Semi);
    let kind = ItemKind::Fn(FnDecl { is_async: false, sig, body: None });
    Ok(Item { attrs, docs, public, kind, span })
}

/// `effect Console : io { operation log : Str -> Unit }`; the keyword comes next.
pub fn effect_decl(p: &mut In) -> R<EffectDecl> {
    bump(p);
    let name = name(p)?;
    let generics = generics(p)?;
    let base = if eat(p, Kind::Colon) { Some(effect_tag(p)?) } else { None };
    let operations = braced(p, operation)?;
    Ok(EffectDecl { name, generics, base, operations })
}

/// `{ element* }` with line breaks, `;` or `,` between the elements.
fn braced<T>(p: &mut In, element: impl Fn(&mut In) -> R<T>) -> R<Vec<T>> {
    control::pass_to(p, Kind::LBrace);
    let opening = index(p) as u32;
    expect(p, Kind::LBrace)?;
    inside(p, true, Kind::RBrace, |p| {
        let mut list = Vec::new();
        loop {
            skip_separators_and_commas(p);
            if eat(p, Kind::RBrace) {
                return Ok(list);
            }
            if matches!(peek(p), Kind::Eof | Kind::Dedent) {
                return Err(fail_wanting(p, Kind::RBrace));
            }
            p.state().layout.statement = token(p).column;
            list.push(element(p)?);
        }
    })
    .map_err(|failure: Failure| failure.or_opening(opening))
}

fn operation(p: &mut In) -> R<OperationDecl> {
    let start = token(p);
    let attrs = attrs(p)?;
    pass_line_break(p);
    expect(p, Kind::Operation)?;
    let name = any_name(p)?;
    let generics = generics(p)?;
    if peek(p) == Kind::LParen {
        let params = delimited(p, Kind::LParen, param, None)?;
        let ret = if eat(p, Kind::Arrow) { Some(ty::ty(p)?) } else { None };
        let span = span_from(p, start);
        return Ok(OperationDecl { attrs, name, generics, params, ret, span });
    }
    if !eat(p, Kind::Colon) {
        want(p, Kind::LParen);
        return Err(fail(p));
    }
    let whole = ty::ty(p)?;
    let span = span_from(p, start);
    let (params, ret) = match *whole.kind {
        TypeKind::Fn { params, ret, .. } => {
            let params = params
                .into_iter()
                .map(|ty| {
                    let pattern = Pattern { kind: Box::new(PatternKind::Wildcard), span: ty.span };
                    Param { pattern, span: ty.span, ty: Some(ty), default: None }
                })
                .collect();
            (params, ret)
        }
        kind => (Vec::new(), ty::type_of(kind, whole.span)),
    };
    Ok(OperationDecl { attrs, name, generics, params, ret: Some(ret), span })
}

/// `handler state(init: Int) -> T for State<Int> { .. }`; the keyword comes next.
pub fn handler_decl(p: &mut In) -> R<HandlerDecl> {
    bump(p);
    let name = name(p)?;
    let generics = generics(p)?;
    let params = if peek(p) == Kind::LParen { delimited(p, Kind::LParen, param, None)? } else { Vec::new() };
    let ret = if eat(p, Kind::Arrow) || eat(p, Kind::Colon) { Some(ty::ty(p)?) } else { None };
    let effect = if eat(p, Kind::For) { Some(effect_tag(p)?) } else { None };
    let body = handler_body(p)?;
    Ok(HandlerDecl { name, generics, params, ret, effect, body })
}

enum Clause {
    State(Stmt),
    Operation(OperationClause),
    Return(ReturnClause),
}

/// `{ operation ask(x, resume) { .. } return x { .. } }`.
pub fn handler_body(p: &mut In) -> R<HandlerBody> {
    control::pass_to(p, Kind::LBrace);
    let start = token(p);
    let list = braced(p, clause)?;
    let span = span_from(p, start);
    let mut clauses = Vec::with_capacity(list.len());
    let mut ret: Option<Box<ReturnClause>> = None;
    let mut state = Vec::new();
    for one in list {
        match one {
            Clause::State(stmt) => state.push(stmt),
            Clause::Operation(clause) => clauses.push(clause),
            Clause::Return(clause) => match &ret {
                None => ret = Some(Box::new(clause)),
                Some(first) => {
                    let first = first.span;
                    p.state().diagnostics.push(
                        Diagnostic::error(
                            codes::EFFECT_HANDLER_DUPLICATE,
                            clause.span,
                            "this handler has a `return` clause already",
                        )
                        .with_label(first, "the first one"),
                    );
                }
            },
        }
    }
    Ok(HandlerBody { state, clauses, ret, span })
}

fn clause(p: &mut In) -> R<Clause> {
    let start = token(p);
    let attrs = attrs(p)?;
    pass_line_break(p);
    if matches!(peek(p), Kind::Let | Kind::Var) {
        let kind = match stmt::let_or_fn(p)? {
            LetOrFn::Let(decl) => StmtKind::Let(Box::new(decl)),
            LetOrFn::Fn(decl) => StmtKind::Fn(Box::new(decl)),
        };
        let span = span_from(p, start);
        return Ok(Clause::State(Stmt { attrs, kind, span }));
    }
    if eat(p, Kind::Return) {
        let param = if matches!(peek(p), Kind::LBrace | Kind::Arrow | Kind::FatArrow | Kind::Eq) {
            None
        } else {
            Some(pattern::pattern(p)?)
        };
        let body = clause_body(p)?;
        let span = span_from(p, start);
        return Ok(Clause::Return(ReturnClause { param, body, span }));
    }
    expect(p, Kind::Operation)?;
    let name = path(p)?;
    let params = delimited(p, Kind::LParen, param, None)?;
    let body = clause_body(p)?;
    let span = span_from(p, start);
    Ok(Clause::Operation(OperationClause { attrs, name, params, body, span }))
}

/// `{ .. }`, `-> e`, `=> e` or `= e`.
fn clause_body(p: &mut In) -> R<Expr> {
    if eat(p, Kind::Arrow) || eat(p, Kind::FatArrow) || eat(p, Kind::Eq) {
        return super::expr::body(p);
    }
    control::block_expr(p)
}

/// `conductor name { .. }`; the keyword comes next.
pub fn conductor_decl(p: &mut In) -> R<ConductorDecl> {
    bump(p);
    let name = name(p)?;
    let sections = braced(p, conductor_section)?;
    Ok(ConductorDecl { name, sections })
}

fn conductor_section(p: &mut In) -> R<ConductorSection> {
    let start = token(p);
    let attrs = attrs(p)?;
    pass_line_break(p);
    let kind = section_kind(p)?;
    let span = span_from(p, start);
    Ok(ConductorSection { attrs, kind, span })
}

fn section_kind(p: &mut In) -> R<SectionKind> {
    let next = token_at(p, 1);
    match peek(p) {
        Kind::Channels if next.kind == Kind::LBrace => {
            bump(p);
            Ok(SectionKind::Channels(braced(p, channel)?))
        }
        Kind::Execution if next.kind == Kind::LBrace => {
            bump(p);
            Ok(SectionKind::Execution(control::block_expr(p)?))
        }
        Kind::Monitoring if next.kind != Kind::Colon => {
            bump(p);
            let target = if eat(p, Kind::With) {
                Some(MonitorTarget::Module(path(p)?))
            } else if peek(p) == Kind::Ident {
                Some(MonitorTarget::Port(path(p)?))
            } else {
                None
            };
            let body = if peek_next_line(p) == Kind::LBrace { Some(control::block_expr(p)?) } else { None };
            Ok(SectionKind::Monitoring { target, body })
        }
        _ => {
            let id = name(p)?;
            expect(p, Kind::Colon)?;
            let kind = path(p)?;
            let value = if eat(p, Kind::Eq) { Some(dsl_value(p)?) } else { None };
            let mut tails = Vec::new();
            while peek_next_line(p) == Kind::PipeGt {
                bump(p);
                let tail = path(p)?;
                let args = if peek(p) == Kind::LParen { args(p)? } else { Vec::new() };
                tails.push((tail, args));
            }
            Ok(SectionKind::Dsl { id, kind, value, tails })
        }
    }
}

/// The value ends before the tails.
fn dsl_value(p: &mut In) -> R<Expr> {
    let outer = std::mem::replace(&mut p.state().piped, true);
    let result = expr(p);
    p.state().piped = outer;
    result
}

/// `a.out ~> b.in : T`.
fn channel(p: &mut In) -> R<Channel> {
    let start = token(p);
    let from = path(p)?;
    expect(p, Kind::TildeGt)?;
    let to = path(p)?;
    expect(p, Kind::Colon)?;
    let ty = ty::ty(p)?;
    let span = span_from(p, start);
    if !token(p).has(LINE_START) {
        eat(p, Kind::Comma);
    }
    Ok(Channel { from, to, ty, span })
}
