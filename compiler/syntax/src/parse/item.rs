//! Items: attributes, `use`, functions and their signatures, types, traits, impls. Effects and what goes with them are
//! in [`super::effects`].

use reml_diagnostics::{Diagnostic, Span, codes};

use super::control::pass_to;
use super::cursor::*;
use super::effects;
use super::error::{Cause, report};
use super::expr::{args, body, expr, make};
use super::pattern::{self, active_head, starts_upper};
use super::primary::starts_expression;
use super::recover::{delimited, skip_item, skip_statement, starts_item_here};
use super::stmt::{self, LetOrFn};
use super::ty::{self, bounds, generics, path, single_path, wheres};
use super::value;
use crate::ast::*;
use crate::token::{Kind, LINE_START};

pub use super::effects::handler_body;

/// `@name(args)`, or `#[name(args)]`, any number.
pub fn attrs(p: &mut In) -> R<Vec<Attr>> {
    let mut list = Vec::new();
    while matches!(peek_next_line(p), Kind::At | Kind::HashBracket) {
        pass_line_break(p);
        let bracketed = peek(p) == Kind::HashBracket;
        let start = bump(p);
        let name = any_name(p)?;
        let state = p.state();
        state.has_cfg |= name.name == state.words.cfg;
        let args = if peek(p) == Kind::LParen {
            let outer = std::mem::replace(&mut p.state().attribute, true);
            let result = args(p);
            p.state().attribute = outer;
            result?
        } else {
            Vec::new()
        };
        if bracketed {
            expect(p, Kind::RBracket)?;
        }
        let span = span_from(p, start);
        list.push(Attr { name, args, span });
    }
    Ok(list)
}

/// An item with its attributes and documentation.
pub fn item(p: &mut In) -> R<Item> {
    let start = token(p);
    let mut docs = docs(p);
    let attrs = attrs(p)?;
    if !attrs.is_empty() {
        pass_line_break(p);
        docs = docs.or_else(|| super::cursor::docs(p));
    }
    let public = eat(p, Kind::Pub);
    if public && peek(p) == Kind::LParen {
        // `pub(..)` does not exist; the visibility is read as `pub`.
        return Err(fail_wanting(p, Kind::Item));
    }
    let intrinsic = p.state().words.intrinsic;
    let supplied = attrs.iter().any(|attr| attr.name.name == intrinsic);
    let kind = item_kind(p, supplied)?;
    let span = span_from(p, start);
    Ok(Item { attrs, docs, public, kind, span })
}

/// `supplied`: a function may lack a body, which the compiler has.
fn item_kind(p: &mut In, supplied: bool) -> R<ItemKind> {
    let words = p.state().words;
    let first = token(p);
    let next = token_at(p, 1);
    Ok(match peek(p) {
        Kind::Use => {
            bump(p);
            ItemKind::Use(UseDecl { tree: use_tree(p)? })
        }
        Kind::Let | Kind::Var => match stmt::let_or_fn(p)? {
            LetOrFn::Let(decl) => ItemKind::Let(decl),
            LetOrFn::Fn(decl) => ItemKind::Fn(decl),
        },
        Kind::Fn if next.kind == Kind::Ident || next.kind.is_keyword() => ItemKind::Fn(fn_decl(p, false, supplied)?),
        Kind::Fn if next.kind != Kind::LParen => {
            bump(p);
            return Err(fail_wanting(p, Kind::Name));
        }
        Kind::Type => ItemKind::Type(type_decl(p)?),
        Kind::Trait => ItemKind::Trait(trait_decl(p)?),
        Kind::Impl => ItemKind::Impl(impl_decl(p)?),
        Kind::Extern => ItemKind::Extern(effects::extern_decl(p)?),
        Kind::Effect if next.kind != Kind::LBrace => ItemKind::Effect(effects::effect_decl(p)?),
        Kind::Handler if next.kind == Kind::Ident => ItemKind::Handler(effects::handler_decl(p)?),
        Kind::Conductor if next.kind == Kind::Ident => ItemKind::Conductor(effects::conductor_decl(p)?),
        Kind::Ident if is_word(first, words.async_) && next.kind == Kind::Fn => {
            bump(p);
            ItemKind::Fn(fn_decl(p, true, supplied)?)
        }
        Kind::Ident if next.kind == Kind::Ident && is_word(first, words.const_) => ItemKind::Let(stmt::const_decl(p)?),
        Kind::Ident if next.kind == Kind::Ident && is_word(first, words.enum_) => ItemKind::Type(type_decl(p)?),
        Kind::Ident if next.kind == Kind::Ident && is_word(first, words.struct_) => ItemKind::Type(struct_decl(p)?),
        Kind::Ident
            if next.kind == Kind::LParen && is_word(first, words.pattern) && token_at(p, 2).kind == Kind::Bar =>
        {
            bump(p);
            ItemKind::ActivePattern(active_pattern(p)?)
        }
        _ if starts_expression(p) => {
            let start = index(p);
            let value = expr(p)?;
            ItemKind::Expr(stmt::maybe_assignment(p, start, value)?)
        }
        _ => return Err(fail_wanting(p, Kind::Item)),
    })
}

// ---------------------------------------------------------------------------------------------------
// use

fn use_tree(p: &mut In) -> R<UseTree> {
    nested(p, |p| {
        let start = token(p);
        let path = path(p)?;
        let group = matches!(peek(p), Kind::Dot | Kind::ColonColon) && token_at(p, 1).kind == Kind::LBrace;
        let kind = if group {
            bump(p);
            UseKind::Group(delimited(p, Kind::LBrace, use_tree_in_group, None)?)
        } else {
            let alias = if eat(p, Kind::As) { Some(any_name(p)?) } else { None };
            UseKind::Simple { alias }
        };
        let span = span_from(p, start);
        Ok(UseTree { path, kind, span })
    })
}

/// In a group a keyword may be a name too: `use Core.Parse.{then, match}`.
fn use_tree_in_group(p: &mut In) -> R<UseTree> {
    let first = token(p);
    if first.kind.is_keyword() && !matches!(first.kind, Kind::SelfValue | Kind::Super) && !first.kind.is_soft_keyword()
    {
        let name = any_name(p)?;
        let alias = if eat(p, Kind::As) { Some(any_name(p)?) } else { None };
        let span = span_from(p, first);
        return Ok(UseTree { path: single_path(name), kind: UseKind::Simple { alias }, span });
    }
    use_tree(p)
}

// ---------------------------------------------------------------------------------------------------
// Functions

/// `fn name(..) -> T = body`; `fn` comes next. `optional`: the body may be missing.
pub fn fn_decl(p: &mut In, is_async: bool, optional: bool) -> R<FnDecl> {
    let start = bump(p);
    let sig = fn_sig(p, Some(start))?;
    let has_body = !optional || peek(p) == Kind::Eq || peek_next_line(p) == Kind::LBrace;
    let body = if has_body { Some(fn_body(p)?) } else { None };
    Ok(FnDecl { is_async, sig, body })
}

/// Everything up to the body; the name comes next.
pub fn fn_sig(p: &mut In, start: Option<crate::token::Token>) -> R<FnSig> {
    let start = start.unwrap_or(token(p));
    let first = any_name(p)?;
    let mut name = single_path(first);
    while matches!(peek(p), Kind::Dot | Kind::ColonColon) {
        bump(p);
        let next = any_name(p)?;
        name.span = name.span.to(next.span);
        name.segments.push(next);
    }
    let generics = generics(p)?;
    let (self_param, params, variadic) = params(p)?;
    let mut effects = ty::effect_braces(p)?;
    let ret = if eat(p, Kind::Arrow) { Some(ty::ty(p)?) } else { None };
    let mut predicates = Vec::new();
    // Effects may stand before or behind `where`, and in both spellings.
    for _ in 0..2 {
        for row in [ty::effect_braces(p)?, ty::effect_names(p)?].into_iter().flatten() {
            match &mut effects {
                Some(all) => {
                    all.tags.extend(row.tags);
                    all.span = all.span.to(row.span);
                }
                None => effects = Some(row),
            }
        }
        wheres(p, &mut predicates)?;
    }
    let span = span_from(p, start);
    Ok(FnSig { name, generics, self_param, params, variadic, ret, effects, wheres: predicates, span })
}

enum AnyParam {
    SelfParam(SelfParam),
    Param(Param),
    Variadic,
}

fn params(p: &mut In) -> R<(Option<SelfParam>, Vec<Param>, bool)> {
    let list = delimited(p, Kind::LParen, any_param, None)?;
    let mut self_param = None;
    let mut params = Vec::with_capacity(list.len());
    let mut variadic = false;
    for one in list {
        match one {
            AnyParam::SelfParam(param) => self_param = Some(param),
            AnyParam::Param(param) => params.push(param),
            AnyParam::Variadic => variadic = true,
        }
    }
    Ok((self_param, params, variadic))
}

fn any_param(p: &mut In) -> R<AnyParam> {
    let start = token(p);
    if eat(p, Kind::Ellipsis) {
        return Ok(AnyParam::Variadic);
    }
    let mutable = p.state().words.mutable;
    let second = token_at(p, 1);
    let mode = match start.kind {
        Kind::SelfValue => Some((SelfMode::Value, 1)),
        Kind::Amp if second.kind == Kind::SelfValue => Some((SelfMode::Ref, 2)),
        Kind::Amp if is_word(second, mutable) && token_at(p, 2).kind == Kind::SelfValue => Some((SelfMode::RefMut, 3)),
        _ => None,
    };
    if let Some((mut mode, length)) = mode {
        for _ in 1..length {
            bump(p);
        }
        let receiver = token(p);
        bump(p);
        // `self: Self`, `self: &Self`; of any other type it is a parameter of that name.
        if eat(p, Kind::Colon) {
            let annotation = ty::ty(p)?;
            let inner = match &*annotation.kind {
                TypeKind::Ref { mutable, inner } => {
                    mode = if *mutable { SelfMode::RefMut } else { SelfMode::Ref };
                    inner
                }
                _ => &annotation,
            };
            let own = matches!(&*inner.kind, TypeKind::Path { path, .. }
                if path.segments.last().is_some_and(|s| p.state().names.text(s.name) == "Self"));
            if !own {
                let name = ident_of(p, receiver);
                let pattern = Pattern { kind: Box::new(PatternKind::Bind(name)), span: name.span };
                let default = if eat(p, Kind::Eq) { Some(expr(p)?) } else { None };
                let span = span_from(p, start);
                return Ok(AnyParam::Param(Param { pattern, ty: Some(annotation), default, span }));
            }
        }
        let span = span_from(p, start);
        return Ok(AnyParam::SelfParam(SelfParam { mode, span }));
    }
    param(p).map(AnyParam::Param)
}

pub fn param(p: &mut In) -> R<Param> {
    let start = token(p);
    // Any attribute of a parameter is read and dropped.
    attrs(p)?;
    let pattern = pattern::pattern(p)?;
    let ty = if eat(p, Kind::Colon) { Some(ty::param_ty(p)?) } else { None };
    let default = if eat(p, Kind::Eq) { Some(expr(p)?) } else { None };
    let span = span_from(p, start);
    Ok(Param { pattern, ty, default, span })
}

/// `= e` or `{ .. }`, then perhaps a `where` block of local definitions.
pub fn fn_body(p: &mut In) -> R<Expr> {
    let start = token(p);
    let before = index(p);
    let value = match fn_body_value(p) {
        Ok(value) => value,
        Err(failure) if failure.cause == Cause::TooDeep => return Err(failure),
        // The function is declared, whatever its body.
        Err(failure) => {
            report(p, failure);
            skip_statement(p, before, false);
            let span = span_from(p, start);
            make(ExprKind::Error, span)
        }
    };
    if peek(p) != Kind::Where {
        return Ok(value);
    }
    where_block(p, start, value)
}

fn fn_body_value(p: &mut In) -> R<Expr> {
    pass_to(p, Kind::LBrace);
    Ok(if peek(p) == Kind::LBrace {
        let block = stmt::block(p)?;
        let span = block.span;
        make(ExprKind::Block(block), span)
    } else if eat(p, Kind::Eq) {
        body(p)?
    } else {
        want(p, Kind::LBrace);
        let failure = fail(p);
        let next = token(p);
        // A forgotten `=`: the body is there all the same. A forgotten body: the function is.
        let after = token_at(p, 1).kind;
        let upper = next.kind == Kind::Ident && starts_upper(p.state().text_of(next));
        if upper && matches!(after, Kind::Lt | Kind::Eq | Kind::LBrace) {
            // A forgotten `->`.
            report(p, failure);
            ty::ty(p)?;
            return fn_body_value(p);
        }
        if !next.has(LINE_START) && starts_expression(p) {
            report(p, failure);
            body(p)?
        } else if matches!(next.kind, Kind::Arrow | Kind::FatArrow | Kind::Colon | Kind::ColonEq) {
            report(p, failure);
            bump(p);
            body(p)?
        } else if matches!(peek(p), Kind::Newline | Kind::Dedent | Kind::Eof | Kind::RBrace) {
            report(p, failure);
            // A body that lacks only its `=` or `{`.
            match super::control::indented_layout(p) {
                Some(layout) => stmt::indented_block(p, layout)?,
                None => super::expr::error_expr(p),
            }
        } else {
            return Err(failure);
        }
    })
}

/// `where` and local definitions, behind a body.
fn where_block(p: &mut In, start: crate::token::Token, value: Expr) -> R<Expr> {
    bump(p);
    let next = token(p);
    let definitions = if next.kind == Kind::LBrace {
        stmt::block(p)?.stmts
    } else {
        let mut layout = p.state().layout;
        layout.newlines = true;
        if next.has(LINE_START) && next.column <= layout.statement {
            return Err(fail_wanting(p, Kind::Fn));
        }
        layout.column = next.column;
        layout.statement = next.column;
        match *stmt::indented_block(p, layout)?.kind {
            ExprKind::Block(block) => block.stmts,
            _ => return Err(fail_wanting(p, Kind::Fn)),
        }
    };
    let stmts = definitions.into_iter().map(equation_to_fn).collect();
    let span = span_from(p, start);
    Ok(make(
        ExprKind::Block(Block { attrs: Vec::new(), stmts, result: Some(Box::new(value)), scope: None, span }),
        span,
    ))
}

/// In a `where` block `f(x) = e` defines a function and `x = e` a variable.
fn equation_to_fn(stmt: Stmt) -> Stmt {
    let Stmt { attrs, kind, span } = stmt;
    let StmtKind::Assign { place, value, legacy: true } = kind else { return Stmt { attrs, kind, span } };
    let name_of = |e: &Expr| match &*e.kind {
        ExprKind::Path(path) if path.segments.len() == 1 => Some(path.segments[0]),
        _ => None,
    };
    let bind = |name: Ident| Pattern { kind: Box::new(PatternKind::Bind(name)), span: name.span };
    let kind = match &*place.kind {
        ExprKind::Call { callee, args } => {
            let params: Option<Vec<Param>> = args
                .iter()
                .map(|arg| {
                    let name = name_of(&arg.value).filter(|_| arg.name.is_none())?;
                    Some(Param { pattern: bind(name), ty: None, default: None, span: name.span })
                })
                .collect();
            match (name_of(callee), params) {
                (Some(name), Some(params)) => {
                    let sig = FnSig {
                        name: single_path(name),
                        generics: Vec::new(),
                        self_param: None,
                        params,
                        variadic: false,
                        ret: None,
                        effects: None,
                        wheres: Vec::new(),
                        span: place.span,
                    };
                    StmtKind::Fn(Box::new(FnDecl { is_async: false, sig, body: Some(value) }))
                }
                _ => StmtKind::Assign { place, value, legacy: true },
            }
        }
        ExprKind::Path(_) => match name_of(&place) {
            Some(name) => StmtKind::Let(Box::new(LetDecl { kind: LetKind::Let, pattern: bind(name), ty: None, value })),
            None => StmtKind::Assign { place, value, legacy: true },
        },
        _ => StmtKind::Assign { place, value, legacy: true },
    };
    Stmt { attrs, kind, span }
}

/// `pattern (|Name|_|)(params) -> T = e`; the name comes next.
fn active_pattern(p: &mut In) -> R<ActivePatternDecl> {
    let (name, partial) = active_head(p)?;
    let params = delimited(p, Kind::LParen, param, None)?;
    let ret = if eat(p, Kind::Arrow) { Some(ty::ty(p)?) } else { None };
    let body = fn_body(p)?;
    Ok(ActivePatternDecl { name, partial, params, ret, body })
}

// ---------------------------------------------------------------------------------------------------
// Types

/// `type`, `type alias` and `enum` declarations; the keyword comes next.
fn type_decl(p: &mut In) -> R<TypeDecl> {
    bump(p);
    let alias = peek(p) == Kind::Alias && matches!(token_at(p, 1).kind, Kind::Ident);
    if alias {
        bump(p);
    }
    let name = name(p)?;
    let generics = generics(p)?;
    if !alias && peek(p) == Kind::LBrace {
        // `enum E { A, B(T) }`.
        let variants = delimited(p, Kind::LBrace, |p| variant(p, None), None)?;
        return Ok(TypeDecl { name, generics, kind: TypeDeclKind::Sum(variants) });
    }
    expect(p, Kind::Eq)?;
    let kind = if alias { TypeDeclKind::Alias(ty::ty(p)?) } else { type_rhs(p)? };
    Ok(TypeDecl { name, generics, kind })
}

fn type_rhs(p: &mut In) -> R<TypeDeclKind> {
    let next = token_at(p, 1);
    match peek(p) {
        Kind::New => {
            bump(p);
            Ok(TypeDeclKind::Newtype(ty::ty(p)?))
        }
        Kind::Bar => Ok(TypeDeclKind::Sum(variants(p)?)),
        Kind::LBrace => {
            let fields = delimited(p, Kind::LBrace, ty::declared_field, None)?;
            Ok(TypeDeclKind::Record(fields))
        }
        Kind::Ident | Kind::ColonColon | Kind::SelfValue | Kind::Super => {
            let dotted = matches!(next.kind, Kind::Lt | Kind::Dot | Kind::ColonColon | Kind::Arrow);
            let primitive = {
                let first = token(p);
                first.kind == Kind::Ident && !starts_upper(p.state().text_of(first))
            };
            if dotted || primitive || peek(p) != Kind::Ident {
                return Ok(TypeDeclKind::Alias(ty::ty(p)?));
            }
            Ok(TypeDeclKind::Sum(variants(p)?))
        }
        _ => Ok(TypeDeclKind::Alias(ty::ty(p)?)),
    }
}

fn variants(p: &mut In) -> R<Vec<Variant>> {
    let mut list = Vec::new();
    let mut docs_before = docs(p);
    if eat(p, Kind::Bar) {
        pass_line_break(p);
    }
    loop {
        list.push(variant(p, docs_before.take())?);
        if peek_next_line(p) != Kind::Bar {
            break;
        }
        docs_before = docs(p);
        pass_line_break(p);
        bump(p);
        // Documentation may stand between the bar and the name.
        pass_line_break(p);
    }
    list.shrink_to_fit();
    Ok(list)
}

fn variant(p: &mut In, docs_before: Option<Box<str>>) -> R<Variant> {
    let docs = docs_before.or_else(|| docs(p));
    let start = token(p);
    let name = name(p)?;
    let payload = match peek(p) {
        Kind::LBrace => VariantPayload::Named(delimited(p, Kind::LBrace, ty::declared_field, None)?),
        Kind::LParen => {
            let list = delimited(p, Kind::LParen, payload_part, None)?;
            payload(list)
        }
        _ => VariantPayload::None,
    };
    let span = span_from(p, start);
    Ok(Variant { name, docs, payload, span })
}

/// A part of a payload: its name and default, if it has them, and its type.
type Part = (Option<Ident>, Type, Option<Expr>);

fn payload_part(p: &mut In) -> R<Part> {
    let first = token(p);
    let named = (first.kind == Kind::Ident || first.kind.is_keyword()) && token_at(p, 1).kind == Kind::Colon;
    let name = if named {
        let name = any_name(p)?;
        bump(p);
        Some(name)
    } else {
        None
    };
    if name.is_none() && peek(p) == Kind::LBrace {
        // `Named({ x: Int = 1 })`.
        let start = token(p);
        let fields = delimited(p, Kind::LBrace, ty::declared_field, None)?;
        let record = ty::type_of(TypeKind::Record(fields), span_from(p, start));
        return Ok((None, ty::arrow(p, start, record)?, None));
    }
    let ty = ty::ty(p)?;
    let default = if name.is_some() && eat(p, Kind::Eq) { Some(expr(p)?) } else { None };
    Ok((name, ty, default))
}

/// `(name: T, ..)` and `({ name: T, .. })` name the payload's parts.
fn payload(mut list: Vec<Part>) -> VariantPayload {
    if list.len() == 1 && list[0].0.is_none() {
        let (_, only, _) = list.remove(0);
        return match *only.kind {
            TypeKind::Record(fields) => VariantPayload::Named(fields),
            kind => VariantPayload::Positional(vec![ty::type_of(kind, only.span)]),
        };
    }
    if !list.is_empty() && list.iter().all(|(name, ..)| name.is_some()) {
        let fields = list
            .into_iter()
            .filter_map(|(name, ty, default)| name.map(|name| Field { name, span: name.span.to(ty.span), ty, default }))
            .collect();
        return VariantPayload::Named(fields);
    }
    VariantPayload::Positional(list.into_iter().map(|(_, ty, _)| ty).collect())
}

/// `struct P { x: Int }`, `struct S;`, `struct S = ..`; the word comes next.
fn struct_decl(p: &mut In) -> R<TypeDecl> {
    bump(p);
    let name = name(p)?;
    let generics = generics(p)?;
    pass_to(p, Kind::LBrace);
    let kind = match peek(p) {
        Kind::LBrace => TypeDeclKind::Record(delimited(p, Kind::LBrace, ty::declared_field, None)?),
        Kind::LParen => {
            let mut types = delimited(p, Kind::LParen, ty::ty, None)?;
            let ty = match types.len() {
                1 => types.remove(0),
                _ => {
                    let span = span_since(p, name.span);
                    ty::type_of(if types.is_empty() { TypeKind::Unit } else { TypeKind::Tuple(types) }, span)
                }
            };
            TypeDeclKind::Newtype(ty)
        }
        Kind::Eq => {
            bump(p);
            type_rhs(p)?
        }
        _ => TypeDeclKind::Unit,
    };
    Ok(TypeDecl { name, generics, kind })
}

// ---------------------------------------------------------------------------------------------------
// Traits and impls

fn trait_decl(p: &mut In) -> R<TraitDecl> {
    bump(p);
    let name = name(p)?;
    let generics = generics(p)?;
    let supertraits = if eat(p, Kind::Colon) { bounds(p)? } else { Vec::new() };
    let mut predicates = Vec::new();
    wheres(p, &mut predicates)?;
    let items = item_body(p, |p| method(p, false))?;
    Ok(TraitDecl { name, generics, supertraits, wheres: predicates, items })
}

fn impl_decl(p: &mut In) -> R<ImplDecl> {
    bump(p);
    let generics = generics(p)?;
    let first = ty::ty(p)?;
    let (of_trait, subject) = if eat(p, Kind::For) {
        let span = first.span;
        match *first.kind {
            TypeKind::Path { path, args } => (Some(TraitRef { path, args, span }), ty::ty(p)?),
            _ => return Err(fail_wanting(p, Kind::LBrace)),
        }
    } else {
        (None, first)
    };
    let mut predicates = Vec::new();
    wheres(p, &mut predicates)?;
    pass_to(p, Kind::LBrace);
    let items = item_body(p, |p| method(p, true))?;
    Ok(ImplDecl { generics, of_trait, subject, wheres: predicates, items })
}

/// `{ item* }` of a trait, impl or extern block. A broken item does not hide the others.
pub fn item_body(p: &mut In, element: impl Fn(&mut In) -> R<Item>) -> R<Vec<Item>> {
    pass_to(p, Kind::LBrace);
    let opening = index(p) as u32;
    expect(p, Kind::LBrace)?;
    inside(p, true, Kind::RBrace, |p| {
        let mut items = Vec::new();
        loop {
            skip_separators_and_commas(p);
            if matches!(peek(p), Kind::RBrace | Kind::Eof | Kind::Dedent) {
                break;
            }
            let start = index(p);
            let first = token(p);
            p.state().layout.statement = first.column;
            let result = element(p).and_then(|item| {
                if matches!(peek(p), Kind::Newline | Kind::Semi | Kind::RBrace | Kind::Eof | Kind::Dedent | Kind::Comma)
                {
                    return Ok(item);
                }
                want(p, Kind::RBrace);
                Err(fail_wanting(p, Kind::Newline))
            });
            match result {
                Ok(item) => items.push(item),
                Err(failure) if failure.cause == Cause::TooDeep => return Err(failure),
                Err(failure) => {
                    report(p, failure);
                    skip_item(p, start, true);
                    if index(p) == start && token(p).kind != Kind::RBrace {
                        bump(p);
                    }
                    let span = span_from(p, first);
                    items.push(error_item(span));
                }
            }
        }
        stmt::close_brace(p, opening);
        items.shrink_to_fit();
        Ok(items)
    })
}

pub fn error_item(span: Span) -> Item {
    Item { attrs: Vec::new(), docs: None, public: false, kind: ItemKind::Error, span }
}

/// A function of a trait (perhaps without a body) or an item of an impl.
fn method(p: &mut In, in_impl: bool) -> R<Item> {
    let start = token(p);
    let docs = docs(p);
    let attrs = attrs(p)?;
    pass_line_break(p);
    let public = eat(p, Kind::Pub);
    let async_ = p.state().words.async_;
    let is_async = at_word(p, async_) && token_at(p, 1).kind == Kind::Fn;
    if is_async {
        bump(p);
    }
    let const_ = p.state().words.const_;
    let kind = match peek(p) {
        Kind::Fn => {
            let keyword = bump(p);
            let sig = fn_sig(p, Some(keyword))?;
            let has_body = in_impl || peek(p) == Kind::Eq || peek_next_line(p) == Kind::LBrace;
            let body = if has_body { Some(fn_body(p)?) } else { None };
            ItemKind::Fn(FnDecl { is_async, sig, body })
        }
        Kind::Let if in_impl => match stmt::let_or_fn(p)? {
            LetOrFn::Let(decl) => ItemKind::Let(constant_of_impl(p, decl)),
            LetOrFn::Fn(decl) => ItemKind::Fn(decl),
        },
        Kind::Ident if in_impl && token_at(p, 1).kind == Kind::Ident && at_word(p, const_) => {
            let decl = stmt::const_decl(p)?;
            ItemKind::Let(constant_of_impl(p, decl))
        }
        _ => {
            want(p, Kind::Fn);
            if in_impl {
                want(p, Kind::Let);
            }
            return Err(fail(p));
        }
    };
    let span = span_from(p, start);
    Ok(Item { attrs, docs, public, kind, span })
}

/// A constant has one name: `let (a, b) = ..` takes nothing apart in an impl.
fn constant_of_impl(p: &mut In, mut decl: LetDecl) -> LetDecl {
    stmt::bare_name(&mut decl.pattern);
    if !matches!(*decl.pattern.kind, PatternKind::Bind(_)) {
        p.state().diagnostics.push(
            Diagnostic::error(codes::PARSE_EXPECTED, decl.pattern.span, "a constant of an `impl` has one name")
                .with_help("write a `let` for each name"),
        );
    }
    decl
}

// ---------------------------------------------------------------------------------------------------
// The file

/// `module a.b.c`.
fn header(p: &mut In) -> R<Option<Path>> {
    if peek(p) != Kind::Module || token_at(p, 1).kind != Kind::Ident {
        return Ok(None);
    }
    bump(p);
    path(p).map(Some)
}

/// All items of the file. A broken item does not hide the others.
pub fn module(p: &mut In) -> R<Module> {
    skip_separators(p);
    pass_line_break(p);
    let header = match header(p) {
        Ok(header) => header,
        Err(failure) => {
            report(p, failure);
            skip_item(p, 0, false);
            None
        }
    };
    let mut items = Vec::new();
    loop {
        skip_separators(p);
        let first = token(p);
        if first.kind == Kind::Eof {
            break;
        }
        // Whatever a line starts with, here it starts an item.
        pass_line_break(p);
        let start = index(p);
        p.state().layout.statement = first.column;
        p.state().item_start = p.state().diagnostics.len();
        if first.kind.closes() {
            stray_closer(p);
            continue;
        }
        match item(p).and_then(|item| end_of_item(p).map(|()| item)) {
            Ok(item) => items.push(item),
            Err(failure) => {
                recovered(p);
                // Arms whose `match` broke off.
                if first.kind != Kind::Bar || p.state().diagnostics.is_empty() {
                    report(p, failure);
                }
                skip_item(p, start, false);
                if index(p) == start {
                    bump(p);
                }
                let span = span_from(p, first);
                items.push(error_item(span));
            }
        }
    }
    items.shrink_to_fit();
    let State { has_cfg, has_local_items, base, text, .. } = *p.state();
    let span = Span::new(base, base + text.len() as u32);
    Ok(Module { header, docs: None, items, has_cfg, has_local_items, span })
}

/// Back to the state between items, whatever rule gave up.
fn recovered(p: &mut In) {
    let state = p.state();
    state.layout = Layout { newlines: true, column: 0, statement: 0, inside: false };
    state.arm_columns.clear();
    state.head = false;
    state.piped = false;
    state.guard = false;
    state.attribute = false;
    state.closers.clear();
    state.depth = 0;
    state.height = 0;
}

fn end_of_item(p: &mut In) -> R<()> {
    p.state().height = 0;
    match peek(p) {
        Kind::Newline | Kind::Semi | Kind::Eof | Kind::Dedent => Ok(()),
        _ => {
            if token(p).has(LINE_START) && starts_item_here(p) || token(p).kind.closes() {
                return Ok(());
            }
            Err(fail_wanting(p, Kind::Newline))
        }
    }
}

/// A closing bracket between items. Behind a mistake it is no news.
fn stray_closer(p: &mut In) {
    let token = bump(p);
    let state = p.state();
    if state.reported_at.is_none() && !state.too_deep {
        let span = state.span(token);
        state.diagnostics.push(
            Diagnostic::error(codes::PARSE_EXPECTED, span, format!("{} closes nothing", token.kind.describe()))
                .with_fix(span, "", "remove it"),
        );
    }
}

/// A string token as text; the ABI of `extern`.
pub fn string_value(p: &mut In) -> R<Box<str>> {
    if matches!(peek(p), Kind::Str | Kind::RawStr | Kind::TripleStr) {
        Ok(value::string(p))
    } else {
        Err(fail_wanting(p, Kind::Str))
    }
}
