//! Types, generics, bounds and effect rows.

use reml_diagnostics::Span;

use super::cursor::*;
use super::recover::delimited;
use crate::ast::*;
use crate::literal;
use crate::token::{JOINED, Kind, Token};

/// A type; `A -> B` included.
pub fn ty(p: &mut In) -> R<Type> {
    nested(p, |p| {
        let start = token(p);
        let first = simple_type(p)?;
        arrow(p, start, first)
    })
}

/// `first -> B ! {e}`, or the first alone.
pub fn arrow(p: &mut In, start: Token, first: Type) -> R<Type> {
    if !at(p, Kind::Arrow) {
        return Ok(first);
    }
    bump(p);
    let ret = ty(p)?;
    let effects = effect_braces(p)?;
    let span = span_from(p, start);
    Ok(type_of(TypeKind::Fn { params: vec![first], ret, effects }, span))
}

/// A type that does not go on with `->` at the top: after `as`, where an arm's arrow may follow.
pub fn simple_type(p: &mut In) -> R<Type> {
    let start = token(p);
    let kind = match peek(p) {
        Kind::LParen => return parenthesised(p),
        Kind::Fn => {
            bump(p);
            return parenthesised(p);
        }
        Kind::LBrace => TypeKind::Record(delimited(p, Kind::LBrace, field, None)?),
        Kind::LBracket => {
            let opening = index(p) as u32;
            bump(p);
            let (element, len) = inside(p, false, Kind::RBracket, |p| {
                let element = ty(p)?;
                let len = if eat(p, Kind::Semi) { Some(array_length(p)?) } else { None };
                expect(p, Kind::RBracket)?;
                Ok((element, len))
            })
            .map_err(|failure: super::error::Failure| failure.or_opening(opening))?;
            TypeKind::Array { element, len }
        }
        Kind::Amp | Kind::AndAnd => {
            let twice = bump(p).kind == Kind::AndAnd;
            let mutable = p.state().words.mutable;
            let mutable = at_word(p, mutable) && !matches!(token_at(p, 1).kind, Kind::Comma | Kind::RParen | Kind::Eq);
            if mutable {
                bump(p);
            }
            let inner = nested(p, simple_type)?;
            let kind = TypeKind::Ref { mutable, inner };
            if twice {
                let inner = type_of(kind, span_from(p, start));
                TypeKind::Ref { mutable: false, inner }
            } else {
                kind
            }
        }
        Kind::Underscore => {
            bump(p);
            TypeKind::Hole
        }
        _ => {
            let path = path(p).map_err(|mut failure| {
                if failure.at == index(p) as u32 && token(p).start == start.start {
                    failure.expected = Default::default();
                    failure.expected.insert(Kind::TypeExpr);
                }
                failure
            })?;
            let args = type_args(p)?;
            TypeKind::Path { path, args }
        }
    };
    let span = span_from(p, start);
    Ok(Type { kind: Box::new(kind), span })
}

/// `()`, `(T)`, `(A, B)`, `(A, B) -> C ! {e}`.
fn parenthesised(p: &mut In) -> R<Type> {
    let start = token(p);
    let mut types = delimited(p, Kind::LParen, parameter_type, Some(error_type))?;
    if at(p, Kind::Arrow) {
        bump(p);
        let ret = ty(p)?;
        let effects = effect_braces(p)?;
        let span = span_from(p, start);
        return Ok(Type { kind: Box::new(TypeKind::Fn { params: types, ret, effects }), span });
    }
    let span = span_from(p, start);
    let kind = match types.len() {
        0 => TypeKind::Unit,
        1 => return Ok(types.remove(0)),
        _ => TypeKind::Tuple(types),
    };
    Ok(Type { kind: Box::new(kind), span })
}

/// A type in parentheses; a name before it, `(x: Int) -> Int`, is only for the reader.
fn parameter_type(p: &mut In) -> R<Type> {
    if matches!(peek(p), Kind::Ident | Kind::Underscore) && token_at(p, 1).kind == Kind::Colon {
        bump(p);
        bump(p);
    }
    param_ty(p)
}

pub fn error_type(p: &mut In) -> Type {
    let token = token(p);
    let span = span_of(p, token).shrink_to_start();
    Type { kind: Box::new(TypeKind::Error), span }
}

fn array_length(p: &mut In) -> R<u64> {
    let token = expect(p, Kind::Int)?;
    let text = p.state().text_of(token);
    Ok(literal::integer(text).ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX))
}

/// `name: Type`.
pub fn field(p: &mut In) -> R<Field> {
    // Documentation of fields is not kept.
    let start = token(p);
    let name = any_name(p)?;
    expect(p, Kind::Colon)?;
    let ty = param_ty(p)?;
    let span = span_from(p, start);
    Ok(Field { name, ty, default: None, span })
}

/// A field of a declared type: `name: Type`, `name: Type = default`.
pub fn declared_field(p: &mut In) -> R<Field> {
    let mut field = field(p)?;
    if eat(p, Kind::Eq) {
        field.default = Some(super::expr::expr(p)?);
    }
    Ok(field)
}

/// The type of a parameter or field: a function's may name an effect after `with`, as nothing else can follow there.
pub fn param_ty(p: &mut In) -> R<Type> {
    let start = token(p);
    let mut annotation = ty(p)?;
    if let TypeKind::Fn { effects: effects @ None, .. } = &mut *annotation.kind
        && at(p, Kind::With)
    {
        let with = bump(p);
        let tags = vec![effect_tag(p)?];
        *effects = Some(EffectRow { tags, span: span_from(p, with) });
        annotation.span = span_from(p, start);
    }
    Ok(annotation)
}

/// `<A, B>`, or nothing.
pub fn type_args(p: &mut In) -> R<Vec<Type>> {
    if !at(p, Kind::Lt) {
        return Ok(Vec::new());
    }
    angle_list(p, ty)
}

/// A list between `<` and `>`; `>>` closes two.
fn angle_list<T>(p: &mut In, element: fn(&mut In) -> R<T>) -> R<Vec<T>> {
    let opening = index(p) as u32;
    bump(p);
    // Brackets of their own, so newlines do not count; but they are no brackets for recovery.
    let outer = p.state().layout;
    let layout = Layout { newlines: false, ..outer };
    with_layout(p, layout, |p| {
        let mut list = Vec::new();
        loop {
            if eat(p, Kind::Gt) {
                break;
            }
            list.push(element(p)?);
            if eat(p, Kind::Gt) {
                break;
            }
            if !eat(p, Kind::Comma) {
                return Err(fail(p).or_opening(opening));
            }
        }
        list.shrink_to_fit();
        let closing = index(p) as u32 - 1;
        p.state().angles.push((opening, closing));
        Ok(list)
    })
}

/// `<A, B: Bound>`, or nothing.
pub fn generics(p: &mut In) -> R<Vec<GenericParam>> {
    if !at(p, Kind::Lt) {
        return Ok(Vec::new());
    }
    angle_list(p, |p| {
        let name = name(p)?;
        let bounds = if eat(p, Kind::Colon) { bounds(p)? } else { Vec::new() };
        Ok(GenericParam { name, bounds })
    })
}

/// `A + B<C>`.
pub fn bounds(p: &mut In) -> R<Vec<TraitRef>> {
    let mut list = vec![trait_ref(p)?];
    while eat(p, Kind::Plus) {
        list.push(trait_ref(p)?);
    }
    Ok(list)
}

pub fn trait_ref(p: &mut In) -> R<TraitRef> {
    let start = token(p);
    let path = path(p)?;
    let args = type_args(p)?;
    let span = span_from(p, start);
    Ok(TraitRef { path, args, span })
}

/// `where Add<A, B, R>, T: Show + Eq`, or nothing.
pub fn wheres(p: &mut In, out: &mut Vec<WherePredicate>) -> R<()> {
    if !at(p, Kind::Where) {
        return Ok(());
    }
    bump(p);
    loop {
        let ty = simple_type(p)?;
        if eat(p, Kind::Colon) {
            let bounds = bounds(p)?;
            out.push(WherePredicate::Bound { ty, bounds });
        } else {
            match *ty.kind {
                TypeKind::Path { path, args } => {
                    out.push(WherePredicate::Trait(TraitRef { path, args, span: ty.span }));
                }
                _ => return Err(fail_wanting(p, Kind::Colon)),
            }
        }
        if !eat(p, Kind::Comma) || matches!(peek(p), Kind::LBrace | Kind::Eq) {
            return Ok(());
        }
    }
}

/// `! {io, panic}`, or nothing.
pub fn effect_braces(p: &mut In) -> R<Option<EffectRow>> {
    let next = token_at(p, 1);
    if peek(p) != Kind::Bang || next.kind != Kind::LBrace {
        want(p, Kind::Bang);
        return Ok(None);
    }
    let start = bump(p);
    let tags = delimited(p, Kind::LBrace, effect_tag, None)?;
    let span = span_from(p, start);
    Ok(Some(EffectRow { tags, span }))
}

/// `with State<Int>, Except<E>`, or nothing.
pub fn effect_names(p: &mut In) -> R<Option<EffectRow>> {
    if !at(p, Kind::With) {
        return Ok(None);
    }
    let start = bump(p);
    let mut tags = vec![effect_tag(p)?];
    while eat(p, Kind::Comma) {
        tags.push(effect_tag(p)?);
    }
    let span = span_from(p, start);
    Ok(Some(EffectRow { tags, span }))
}

pub fn effect_tag(p: &mut In) -> R<EffectTag> {
    let start = token(p);
    let path = path_with(p, true)?;
    let args = type_args(p)?;
    let span = span_from(p, start);
    Ok(EffectTag { path, args, span })
}

/// A path in a place where only a path can stand: `a.b.C`, `::Core.List`, `self.x`, `super.super.y`, `A::b`.
pub fn path(p: &mut In) -> R<Path> {
    path_with(p, false)
}

/// `keyword_first` also allows a keyword as first name: effect tags may be called `unsafe`.
pub fn path_with(p: &mut In, keyword_first: bool) -> R<Path> {
    let start = token(p);
    let mut segments: Vec<Ident> = Vec::new();
    let anchor = match peek(p) {
        Kind::ColonColon => {
            bump(p);
            PathAnchor::Root
        }
        Kind::SelfValue => {
            bump(p);
            if !eat_path_dot(p) {
                return Ok(Path { anchor: PathAnchor::SelfModule, segments, span: span_from(p, start) });
            }
            PathAnchor::SelfModule
        }
        Kind::Super => {
            let mut levels = 0;
            loop {
                bump(p);
                levels += 1;
                if !eat_path_dot(p) {
                    let anchor = PathAnchor::Super(levels);
                    return Ok(Path { anchor, segments, span: span_from(p, start) });
                }
                if peek(p) != Kind::Super {
                    break;
                }
            }
            PathAnchor::Super(levels)
        }
        _ => PathAnchor::Relative,
    };
    let first = if keyword_first || anchor != PathAnchor::Relative { any_name(p)? } else { name(p)? };
    segments.push(first);
    while at_path_dot(p) {
        let next = token_at(p, 1);
        if next.kind != Kind::Ident && !next.kind.is_keyword() {
            break;
        }
        bump(p);
        segments.push(any_name(p)?);
    }
    segments.shrink_to_fit();
    let span = span_from(p, start);
    Ok(Path { anchor, segments, span })
}

fn at_path_dot(p: &mut In) -> bool {
    matches!(peek(p), Kind::Dot | Kind::ColonColon)
}

fn eat_path_dot(p: &mut In) -> bool {
    let found = at_path_dot(p);
    if found {
        bump(p);
    }
    found
}

/// `>>` in an expression: two `>` side by side.
pub fn at_shift_right(p: &mut In) -> bool {
    peek(p) == Kind::Gt && {
        let next = token_at(p, 1);
        next.kind == Kind::Gt && next.has(JOINED)
    }
}

/// A path of one name.
pub fn single_path(name: Ident) -> Path {
    Path { anchor: PathAnchor::Relative, segments: vec![name], span: name.span }
}

pub fn type_of(kind: TypeKind, span: Span) -> Type {
    Type { kind: Box::new(kind), span }
}
