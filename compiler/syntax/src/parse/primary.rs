//! What an operand can start with: literals, names, brackets, lambdas; control flow is in [`super::control`].

use reml_diagnostics::{Diagnostic, Span, codes};

use super::control;
use super::cursor::*;
use super::error::Failure;
use super::expr::{args, body, error_expr, expr, make, unary};
use super::item;
use super::pattern;
use super::recover::delimited;
use super::stmt;
use super::ty::{self, path, single_path};
use super::value;
use crate::ast::*;
use crate::token::{JOINED, Kind, LINE_START, Token};

/// Whether the next token can start an expression.
pub fn starts_expression(p: &mut In) -> bool {
    use Kind::*;
    let kind = peek(p);
    match kind {
        Ident | Int | Float | Char | Str | RawStr | TripleStr | SelfValue | Super | Fn | If | Match | For | While
        | Loop | Return | Unsafe | Break | Continue | Perform | Do | Handle | True | False | DotDot | ColonColon
        | LParen | LBracket | LBrace | Minus | Star | AndAnd | OrOr | Bang | Bar | Amp | At => true,
        _ => kind.is_soft_keyword(),
    }
}

pub fn primary(p: &mut In) -> R<Expr> {
    let start = token(p);
    let kind = match peek(p) {
        Kind::Ident => return named(p),
        Kind::Int => ExprKind::Int(value::integer(p)),
        Kind::Float => ExprKind::Float(value::float(p)),
        Kind::Char => ExprKind::Char(value::character(p)),
        Kind::Str | Kind::RawStr | Kind::TripleStr => ExprKind::Str(value::string(p)),
        Kind::True | Kind::False => ExprKind::Bool(bump(p).kind == Kind::True),
        Kind::LParen if active_pattern_ahead(p) => {
            let (name, _) = pattern::active_head(p)?;
            ExprKind::Path(single_path(name))
        }
        Kind::LParen => return parenthesised(p),
        Kind::LBracket => ExprKind::Array(delimited(p, Kind::LBracket, expr, Some(error_expr))?),
        Kind::LBrace => return braces(p),
        Kind::Bar | Kind::OrOr => return lambda(p),
        Kind::Fn => return fn_lambda(p),
        Kind::If => return control::if_(p),
        Kind::Match => return control::match_(p),
        Kind::While => control::while_(p)?,
        Kind::For => control::for_(p)?,
        Kind::Loop => {
            bump(p);
            ExprKind::Loop(control::block_expr(p)?)
        }
        Kind::Unsafe => {
            bump(p);
            ExprKind::Unsafe(control::block(p)?)
        }
        Kind::Effect if token_at(p, 1).kind == Kind::LBrace => {
            bump(p);
            let tags_start = token(p);
            let tags = delimited(p, Kind::LBrace, ty::effect_tag, None)?;
            let span = span_from(p, tags_start);
            ExprKind::EffectBlock { tags: EffectRow { tags, span }, body: control::block(p)? }
        }
        Kind::Perform => control::perform(p)?,
        Kind::Do => return control::do_(p),
        Kind::Handle if control::at_handle(p) => control::handle(p)?,
        Kind::Return => {
            bump(p);
            ExprKind::Return(jump_value(p)?)
        }
        Kind::Break => {
            bump(p);
            ExprKind::Break(jump_value(p)?)
        }
        Kind::Continue => {
            bump(p);
            ExprKind::Continue
        }
        Kind::At => return attributed_block(p),
        Kind::SelfValue if token_at(p, 1).kind != Kind::ColonColon => {
            bump(p);
            let name = ident_of(p, start);
            ExprKind::Path(single_path(name))
        }
        Kind::SelfValue | Kind::Super | Kind::ColonColon => ExprKind::Path(path(p)?),
        kind if kind.is_soft_keyword() => {
            let name = name(p)?;
            ExprKind::Path(single_path(name))
        }
        _ => return Err(fail_wanting(p, Kind::Expression)),
    };
    let span = span_from(p, start);
    Ok(make(kind, span))
}

/// What starts with an identifier: a name, or a construct with a contextual keyword.
fn named(p: &mut In) -> R<Expr> {
    let start = bump(p);
    let next = token(p);
    let words = p.state().words;
    let symbol = start.symbol;
    let kind = if next.kind == Kind::Bang && next.has(JOINED) && symbol == words.json.0 {
        json(p)?
    } else if next.kind == Kind::Bang && next.has(JOINED) && symbol == words.llvm_ir.0 {
        control::llvm_ir(p)?
    } else if symbol == words.inline_asm.0 && next.kind == Kind::LParen {
        ExprKind::InlineAsm(args(p)?)
    } else if symbol == words.async_.0
        && (next.kind == Kind::LBrace || is_word(next, words.move_) && token_at(p, 1).kind == Kind::LBrace)
    {
        let is_move = next.kind == Kind::Ident;
        if is_move {
            bump(p);
        }
        ExprKind::Async { is_move, body: control::block(p)? }
    } else if symbol == words.await_.0 && !next.has(LINE_START) && operand_follows(next) {
        ExprKind::Await(nested(p, unary)?)
    } else if symbol == words.rec.0 && next.kind == Kind::Ident && !next.has(LINE_START) {
        let span = span_of(p, start);
        let gap = span.to(span_of(p, next).shrink_to_start());
        p.state().diagnostics.push(
            Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "`rec` is not a Reml word")
                .with_note("names may refer to each other in any order")
                .with_fix(gap, "", "remove `rec`"),
        );
        return named(p);
    } else {
        let name = ident_of(p, start);
        ExprKind::Path(single_path(name))
    };
    let span = span_from(p, start);
    Ok(make(kind, span))
}

/// Whether an operand follows a contextual prefix word; an operator or bracket makes the word a plain name.
fn operand_follows(next: Token) -> bool {
    matches!(
        next.kind,
        Kind::Ident
            | Kind::Int
            | Kind::Str
            | Kind::SelfValue
            | Kind::Super
            | Kind::Perform
            | Kind::True
            | Kind::False
            | Kind::ColonColon
    )
}

/// `not x`.
pub fn at_foreign_not(p: &mut In) -> bool {
    let word = p.state().words.not;
    if !is_word(token(p), word) || p.state().attribute {
        return false;
    }
    let next = token_at(p, 1);
    !next.has(LINE_START) && (operand_follows(next) || next.kind == Kind::LParen && !next.has(JOINED))
}

pub fn report_foreign_not(p: &mut In, token: Token) {
    let span = span_of(p, token);
    let next = super::cursor::token(p);
    let gap = span.to(span_of(p, next).shrink_to_start());
    p.state().diagnostics.push(
        Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "negation is written `!`, not `not`").with_fix(
            gap,
            "!",
            "write `!`",
        ),
    );
}

/// Whether the `|` that comes next begins another arm of the match around the code, and not a lambda.
fn another_arm(p: &mut In) -> bool {
    peek(p) == Kind::Bar && !p.state().arm_columns.is_empty() && control::arm_at(p, 0)
}

/// The operand of `return` and `break`, if there is one.
fn jump_value(p: &mut In) -> R<Option<Expr>> {
    // `break { .. }` in a head would be the body.
    if !starts_expression(p) || peek(p) == Kind::LBrace && p.state().head || another_arm(p) {
        return Ok(None);
    }
    Ok(Some(expr(p)?))
}

/// `(|Name|)` and `(|Name|_|)` name an active pattern's function.
fn active_pattern_ahead(p: &mut In) -> bool {
    let kinds = [1, 2, 3, 4, 5, 6].map(|ahead| token_at(p, ahead).kind);
    matches!(
        kinds,
        [Kind::Bar, Kind::Ident, Kind::Bar, Kind::RParen, ..]
            | [Kind::Bar, Kind::Ident, Kind::Bar, Kind::Underscore, Kind::Bar, Kind::RParen]
    )
}

/// `()`, `(e)`, `(a, b)`.
fn parenthesised(p: &mut In) -> R<Expr> {
    let start = token(p);
    let mut trailing_comma = false;
    let mut list = delimited(p, Kind::LParen, expr, Some(error_expr))?;
    let at = index(p);
    if list.len() == 1 && at >= 2 {
        trailing_comma = p.state().tokens[at - 2].kind == Kind::Comma;
    }
    let span = span_from(p, start);
    let kind = match list.len() {
        0 => ExprKind::Unit,
        1 if !trailing_comma => {
            // Parentheses leave no node, but a wider span.
            let mut inner = list.remove(0);
            inner.span = span;
            return Ok(inner);
        }
        _ => ExprKind::Tuple(list),
    };
    Ok(make(kind, span))
}

/// `{`: a record when its first tokens say so (section 3), else a block.
fn braces(p: &mut In) -> R<Expr> {
    let start = token(p);
    let kind = match record_ahead(p) {
        RecordAhead::No => {
            let block = stmt::block(p)?;
            let span = block.span;
            return Ok(make(ExprKind::Block(block), span));
        }
        RecordAhead::Record => record_fields(p, None)?,
        RecordAhead::Json => json_object(p)?,
        RecordAhead::Update => foreign_update(p)?,
    };
    let span = span_from(p, start);
    Ok(make(kind, span))
}

enum RecordAhead {
    No,
    Record,
    Json,
    /// `{ s with x = e }`.
    Update,
}

fn record_ahead(p: &mut In) -> RecordAhead {
    let first = token_at(p, 1);
    let second = token_at(p, 2);
    match first.kind {
        Kind::DotDot | Kind::Ellipsis => RecordAhead::Record,
        Kind::Str | Kind::RawStr | Kind::TripleStr if second.kind == Kind::Colon => RecordAhead::Json,
        Kind::Ident if second.kind == Kind::With => RecordAhead::Update,
        Kind::Ident if matches!(second.kind, Kind::Colon | Kind::Eq | Kind::Comma) => RecordAhead::Record,
        kind if kind.is_keyword() && matches!(second.kind, Kind::Colon | Kind::Eq) => RecordAhead::Record,
        _ => RecordAhead::No,
    }
}

enum RecordPart {
    Field(FieldInit),
    /// With its dots.
    Base(Span, Expr),
}

/// `{ x, y: e, z = e, ..base }`.
pub fn record_fields(p: &mut In, path: Option<Path>) -> R<ExprKind> {
    let parts = delimited(p, Kind::LBrace, record_part, None)?;
    Ok(record_of(p, parts, path))
}

fn record_of(p: &mut In, parts: Vec<RecordPart>, path: Option<Path>) -> ExprKind {
    let mut fields = Vec::with_capacity(parts.len());
    let mut base: Option<(Span, Expr)> = None;
    for part in parts {
        match part {
            RecordPart::Field(field) => fields.push(field),
            RecordPart::Base(dots, expr) => match &base {
                None => base = Some((dots, expr)),
                Some((first, first_expr)) => {
                    let span = dots.to(expr.span);
                    p.state().diagnostics.push(
                        Diagnostic::error(codes::RECORD_SECOND_BASE, span, "this record has a base already")
                            .with_label(first.to(first_expr.span), "all fields that are not written come from here")
                            .with_help("write the fields that are to come from another record, each with its name"),
                    );
                }
            },
        }
    }
    ExprKind::Record { path, fields, base: base.map(|(_, expr)| expr) }
}

fn record_part(p: &mut In) -> R<RecordPart> {
    match peek(p) {
        Kind::DotDot => {
            let dots = bump(p);
            let span = span_of(p, dots);
            Ok(RecordPart::Base(span, expr(p)?))
        }
        Kind::Ellipsis => {
            let dots = bump(p);
            let span = span_of(p, dots);
            p.state().diagnostics.push(
                Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "a record update is written with `..`, not `...`")
                    .with_fix(span, "..", "write `..`"),
            );
            Ok(RecordPart::Base(span, expr(p)?))
        }
        _ => {
            let name = any_name(p)?;
            let value = if eat(p, Kind::Colon) || eat(p, Kind::Eq) { Some(field_value(p)?) } else { None };
            Ok(RecordPart::Field(FieldInit { name, value }))
        }
    }
}

/// A field's value may be an indented block.
fn field_value(p: &mut In) -> R<Expr> {
    expr(p)
}

/// `{ s with x = e }` reads as `{ x = e, ..s }`.
fn foreign_update(p: &mut In) -> R<ExprKind> {
    let open = token(p);
    let opening = index(p) as u32;
    bump(p);
    let base_token = bump(p);
    let with = bump(p);
    let fields_start = token(p);
    let parts = inside(p, false, Kind::RBrace, |p| {
        let mut parts = Vec::new();
        while !at(p, Kind::RBrace) {
            parts.push(record_part(p)?);
            if !eat(p, Kind::Comma) {
                break;
            }
        }
        Ok(parts)
    })
    .map_err(|failure: Failure| failure.or_opening(opening))?;
    let fields_end = span_from(p, fields_start);
    expect(p, Kind::RBrace).map_err(|failure| failure.or_opening(opening))?;
    let whole = span_from(p, open);
    let name = ident_of(p, base_token);
    let state = p.state();
    let with_span = state.span(with);
    let base_text = state.text_of(base_token);
    let fields = &state.text[(fields_end.start - state.base) as usize..(fields_end.end - state.base) as usize];
    let fields = fields.trim_end_matches(',');
    state.diagnostics.push(
        Diagnostic::error(
            codes::PARSE_FOREIGN_SYNTAX,
            with_span,
            "a record update is written `{ field: value, ..base }`",
        )
        .with_fix(whole, format!("{{ {fields}, ..{base_text} }}"), "write it the Reml way"),
    );
    let base = make(ExprKind::Path(single_path(name)), name.span);
    let ExprKind::Record { fields, .. } = record_of(p, parts, None) else { return Ok(ExprKind::Error) };
    Ok(ExprKind::Record { path: None, fields, base: Some(base) })
}

/// `json!( .. )`; the `!` comes next.
fn json(p: &mut In) -> R<ExprKind> {
    bump(p);
    let opening = index(p) as u32;
    expect(p, Kind::LParen)?;
    let value = inside(p, false, Kind::RParen, |p| {
        let value = json_value(p)?;
        eat(p, Kind::Comma);
        expect(p, Kind::RParen)?;
        Ok(value)
    })
    .map_err(|failure: Failure| failure.or_opening(opening))?;
    Ok(match *value.kind {
        kind @ (ExprKind::JsonObject(_) | ExprKind::JsonArray(_)) => kind,
        kind => ExprKind::JsonValue(make(kind, value.span)),
    })
}

/// Inside `json!`, braces and brackets are Json.
fn json_value(p: &mut In) -> R<Expr> {
    nested(p, |p| {
        let start = token(p);
        let kind = match peek(p) {
            Kind::LBrace
                if matches!(token_at(p, 1).kind, Kind::RBrace) || matches!(record_ahead(p), RecordAhead::Json) =>
            {
                json_object_with(p, json_value)?
            }
            Kind::LBracket => ExprKind::JsonArray(delimited(p, Kind::LBracket, json_value, Some(error_expr))?),
            _ => return expr(p),
        };
        let span = span_from(p, start);
        Ok(make(kind, span))
    })
}

/// `{ "k": v }`.
fn json_object(p: &mut In) -> R<ExprKind> {
    json_object_with(p, expr)
}

fn json_object_with(p: &mut In, element: fn(&mut In) -> R<Expr>) -> R<ExprKind> {
    let fields = delimited(
        p,
        Kind::LBrace,
        |p| {
            if !matches!(peek(p), Kind::Str | Kind::RawStr | Kind::TripleStr) {
                return Err(fail_wanting(p, Kind::Str));
            }
            let key = value::string(p);
            expect(p, Kind::Colon)?;
            Ok((key, element(p)?))
        },
        None,
    )?;
    Ok(ExprKind::JsonObject(fields))
}

/// `|a, b: T| -> R body`, `|| body`.
fn lambda(p: &mut In) -> R<Expr> {
    let start = bump(p);
    let mut params = Vec::new();
    if start.kind == Kind::Bar {
        // Newlines do not count between the bars.
        let layout = Layout { newlines: false, ..p.state().layout };
        params = with_layout(p, layout, |p| {
            let mut params = Vec::new();
            while !eat(p, Kind::Bar) {
                params.push(lambda_param(p)?);
                if !at(p, Kind::Bar) {
                    expect(p, Kind::Comma)?;
                }
            }
            params.shrink_to_fit();
            Ok(params)
        })?;
    }
    let ret = if peek(p) == Kind::Arrow {
        bump(p);
        Some(ty::ty(p)?)
    } else {
        None
    };
    let body = body(p)?;
    let span = span_from(p, start);
    Ok(make(ExprKind::Lambda { params, ret, body }, span))
}

fn lambda_param(p: &mut In) -> R<Param> {
    let start = token(p);
    let pattern = pattern::alternative(p)?;
    let ty = if eat(p, Kind::Colon) { Some(ty::ty(p)?) } else { None };
    let span = span_from(p, start);
    Ok(Param { pattern, ty, default: None, span })
}

/// `fn(x) { .. }`, `fn (x) => e`, `fn(x) -> T { .. }`, `fn(x) = e`.
fn fn_lambda(p: &mut In) -> R<Expr> {
    let start = bump(p);
    if !at(p, Kind::LParen) {
        return Err(fail(p));
    }
    let params = delimited(p, Kind::LParen, item::param, None)?;
    let ret = if eat(p, Kind::Arrow) { Some(ty::ty(p)?) } else { None };
    let body = if eat(p, Kind::FatArrow) || eat(p, Kind::Eq) { body(p)? } else { control::block_expr(p)? };
    let span = span_from(p, start);
    Ok(make(ExprKind::Lambda { params, ret, body }, span))
}

/// `@cfg(..) { .. }` as an expression.
fn attributed_block(p: &mut In) -> R<Expr> {
    let start = token(p);
    let attrs = item::attrs(p)?;
    let mut block = control::block(p)?;
    block.attrs = attrs;
    block.span = span_from(p, start);
    let span = block.span;
    Ok(make(ExprKind::Block(block), span))
}
