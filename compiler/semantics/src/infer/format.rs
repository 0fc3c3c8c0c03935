//! `format`, `println` and their kin, checked and expanded at compile time (section 5.8).

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::names::Symbol;

use super::body::{DeferredKind, Want, Why};
use super::call::{Arg, Source};
use super::ty::{Node, Types};
use crate::cx::*;
use crate::typed::*;
use crate::types::Prim;

/// What follows the `:` of a placeholder: `[[fill]<^>][+][#][0][width][.precision][kind]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    fill: char,
    /// 0 left, 1 right, 2 centre.
    align: Option<u8>,
    plus: bool,
    prefix: bool,
    zero: bool,
    width: Option<u32>,
    precision: Option<u32>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Display,
    Debug,
    Hex,
    UpperHex,
    Binary,
    Octal,
    Exp,
    /// C's `%g` and `%f`.
    General,
    Fixed,
    Decimal,
}

impl Spec {
    const PLAIN: Spec = Spec {
        fill: ' ',
        align: None,
        plus: false,
        prefix: false,
        zero: false,
        width: None,
        precision: None,
        kind: Kind::Display,
    };

    fn parse(text: &str) -> Result<Spec, String> {
        let mut spec = Spec::PLAIN;
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        let align = |c: char| match c {
            '<' => Some(0),
            '>' => Some(1),
            '^' => Some(2),
            _ => None,
        };
        if let Some(a) = chars.get(1).and_then(|&c| align(c)) {
            spec.fill = chars[0];
            spec.align = Some(a);
            i = 2;
        } else if let Some(a) = chars.first().and_then(|&c| align(c)) {
            spec.align = Some(a);
            i = 1;
        }
        if chars.get(i) == Some(&'+') {
            spec.plus = true;
            i += 1;
        }
        if chars.get(i) == Some(&'#') {
            spec.prefix = true;
            i += 1;
        }
        if chars.get(i) == Some(&'0') {
            spec.zero = true;
            i += 1;
        }
        let number = |i: &mut usize| {
            let start = *i;
            while chars.get(*i).is_some_and(char::is_ascii_digit) {
                *i += 1;
            }
            let digits: String = chars[start..*i].iter().collect();
            digits.parse::<u32>().ok().filter(|&n| n <= 100_000)
        };
        if chars.get(i).is_some_and(char::is_ascii_digit) {
            spec.width = Some(number(&mut i).ok_or("the width is too large")?);
        }
        if chars.get(i) == Some(&'.') {
            i += 1;
            spec.precision = Some(number(&mut i).ok_or("a precision is digits after the `.`")?);
        }
        spec.kind = match chars.get(i) {
            None => Kind::Display,
            Some('?') => Kind::Debug,
            Some('x') => Kind::Hex,
            Some('X') => Kind::UpperHex,
            Some('b') => Kind::Binary,
            Some('o') => Kind::Octal,
            Some('e') => Kind::Exp,
            Some('d') => Kind::Decimal,
            Some('f') => Kind::Fixed,
            Some('g') => Kind::General,
            Some(&c) => return Err(format!("`{c}` is not a format; `x X b o e ?` are")),
        };
        if !matches!(spec.kind, Kind::Display) {
            i += 1;
        }
        if i < chars.len() {
            return Err(format!("`{text}` is not a format: `[[fill]<^>][+][#][0][width][.precision][kind]`"));
        }
        Ok(spec)
    }
}

/// One piece of a format text.
enum Piece {
    Text(String),
    /// What stands between braces, its offset in the text, and its format.
    Hole(String, usize, Spec),
}

impl<'a> Checker<'a> {
    pub fn format_call(&mut self, name: Symbol, args: &[Arg<'_>], at: Span, span: Span) -> ExprId {
        let sym = (self.sym.format, self.sym.print, self.sym.println, self.sym.eprint, self.sym.eprintln);
        if name == self.sym.assert {
            return self.assert_call(args, at, span);
        }
        let text = self.format_text(args, span);
        let lang = match name {
            n if n == sym.0 => return text,
            n if n == sym.1 => "print_str",
            n if n == sym.2 => "println_str",
            n if n == sym.3 => "eprint_str",
            n if n == sym.4 => "eprintln_str",
            _ => "panic_str",
        };
        self.lang_call(lang, vec![text], span)
    }

    fn assert_call(&mut self, args: &[Arg<'_>], at: Span, span: Span) -> ExprId {
        let Some((condition, rest)) = args.split_first() else {
            self.error(codes::ARITY_MISMATCH, at, "`assert` takes a condition, and a message if you like");
            return self.b.error(span);
        };
        let cond = match condition.source {
            Source::Ast(e) | Source::Thunk(e) => self.check(e, Types::BOOL, Why::Condition),
            Source::Done(id) => self.coerce(id, Types::BOOL, Why::Condition),
        };
        let message = self.format_text(rest, span);
        let failed = self.lang_call("assert_failed", vec![message], span);
        let fine = self.b.unit(span);
        self.b.expr(ExprKind::If { cond, then: fine, els: failed }, Types::UNIT, span)
    }

    /// The text that the arguments of a format call stand for.
    fn format_text(&mut self, args: &[Arg<'_>], span: Span) -> ExprId {
        let Some((first, rest)) = args.split_first() else {
            return self.b.expr(ExprKind::Str("".into()), Types::STR, span);
        };
        let literal = match first.source {
            Source::Ast(e) => match &*e.kind {
                Ast::Str(text) => Some((&**text, e.span)),
                _ => None,
            },
            Source::Thunk(_) | Source::Done(_) => None,
        };
        let Some((text, text_span)) = literal else {
            let operand = self.argument_value(first.source);
            if !rest.is_empty() {
                self.error(
                    codes::FORMAT_INVALID,
                    first.span,
                    "a format with arguments is checked at compile time, so it must be a text literal",
                );
                self.give_up(rest, span);
            }
            return self.text_of(operand, false, first.span);
        };
        if let [Arg { source: Source::Ast(array), .. }] = rest
            && let Ast::Array(values) = &*array.kind
            && !text.contains("{}")
            && text.contains('%')
        {
            return self.printf_text(text, text_span, values, span);
        }
        match parse_pieces(text) {
            Ok(pieces) => self.pieces_text(pieces, text_span, rest, span),
            Err(message) => {
                self.report(
                    Diagnostic::error(codes::FORMAT_INVALID, text_span, message)
                        .with_help("write `{{` and `}}` for braces"),
                );
                self.give_up(rest, span);
                self.b.expr(ExprKind::Error, Types::STR, span)
            }
        }
    }

    fn pieces_text(&mut self, pieces: Vec<Piece>, text_span: Span, args: &[Arg<'_>], span: Span) -> ExprId {
        // Arguments are evaluated once, in the order they are written.
        let mut uses = vec![0usize; args.len()];
        let mut next = 0;
        let mut plan: Vec<Option<usize>> = Vec::new();
        for piece in &pieces {
            let Piece::Hole(inside, ..) = piece else {
                plan.push(None);
                continue;
            };
            let index = if inside.is_empty() {
                next += 1;
                Some(next - 1)
            } else if let Ok(index) = inside.parse::<usize>() {
                Some(index)
            } else {
                args.iter().position(|arg| arg.name.is_some_and(|n| self.names.text(n.name) == inside))
            };
            if let Some(index) = index {
                match uses.get_mut(index) {
                    Some(count) => *count += 1,
                    None => {
                        let given = args.len();
                        let (plural, verb) = if given == 1 { ("", "is") } else { ("s", "are") };
                        self.error_once(Diagnostic::error(
                            codes::FORMAT_INVALID,
                            text_span,
                            format!(
                                "the format uses argument {}, but {given} argument{plural} {verb} given",
                                index + 1
                            ),
                        ));
                        self.give_up(args, span);
                        return self.b.expr(ExprKind::Error, Types::STR, span);
                    }
                }
            }
            plan.push(index);
        }
        for (index, arg) in args.iter().enumerate() {
            if uses[index] == 0 {
                self.report(
                    Diagnostic::error(codes::FORMAT_INVALID, arg.span, "this argument is not used by the format")
                        .with_label(text_span, "the format has no placeholder for it"),
                );
            }
        }
        let order: Vec<usize> = plan.iter().flatten().copied().collect();
        let in_order = order.windows(2).all(|pair| pair[0] < pair[1]);
        let mut stmts = Vec::new();
        let mut values: Vec<ExprId> = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            let id = self.argument_value(arg.source);
            if (uses[index] > 1 || !in_order) && !self.is_simple(id) {
                let (bind, local) = self.temporary(id);
                stmts.push(bind);
                values.push(self.b.use_local(local, arg.span));
            } else {
                values.push(id);
            }
        }
        let mut parts = Vec::with_capacity(pieces.len());
        let mut taken = vec![false; args.len()];
        for (piece, index) in pieces.into_iter().zip(plan) {
            match (piece, index) {
                (Piece::Text(text), _) => {
                    parts.push(self.b.expr(ExprKind::Str(text.into()), Types::STR, text_span));
                }
                (Piece::Hole(_, _, spec), Some(index)) => {
                    let mut operand = values[index];
                    if std::mem::replace(&mut taken[index], true)
                        && let ExprKind::Local(local) = self.b.exprs[operand].kind
                    {
                        operand = self.b.use_local(local, args[index].span);
                    } else if taken[index] && uses[index] > 1 {
                        operand = self.copy_simple(operand);
                    }
                    parts.push(self.formatted(operand, spec, args[index].span));
                }
                (Piece::Hole(inside, offset, spec), None) => {
                    let base = text_span.start + 1 + offset as u32;
                    let parsed = reml_syntax::parse_expression(&inside, base, self.names);
                    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
                        self.report(
                            Diagnostic::error(
                                codes::FORMAT_INVALID,
                                text_span,
                                format!("`{{{inside}}}` does not hold an expression"),
                            )
                            .with_help("write `{{` and `}}` for braces"),
                        );
                        continue;
                    }
                    let operand = self.value(&parsed.expr, Want::NOTHING);
                    let at = parsed.expr.span;
                    parts.push(self.formatted(operand, spec, at));
                }
            }
        }
        let text = self.concatenated(parts, span);
        self.block_of(stmts, text)
    }

    /// Another node for a literal or name that is used again.
    fn copy_simple(&mut self, id: ExprId) -> ExprId {
        let (ty, span) = (self.b.ty(id), self.b.span(id));
        let kind = match &self.b.exprs[id].kind {
            ExprKind::Int(v) => ExprKind::Int(*v),
            ExprKind::Float(v) => ExprKind::Float(*v),
            ExprKind::Bool(v) => ExprKind::Bool(*v),
            ExprKind::Char(v) => ExprKind::Char(*v),
            ExprKind::Str(v) => ExprKind::Str(v.clone()),
            ExprKind::Local(v) => ExprKind::Local(*v),
            ExprKind::Global(v) => ExprKind::Global(*v),
            _ => return id,
        };
        self.b.expr(kind, ty, span)
    }

    fn concatenated(&mut self, parts: Vec<ExprId>, span: Span) -> ExprId {
        let mut parts = parts.into_iter();
        let Some(mut text) = parts.next() else {
            return self.b.expr(ExprKind::Str("".into()), Types::STR, span);
        };
        for part in parts {
            text = self.lang_call("str_concat", vec![text, part], span);
        }
        text
    }

    fn formatted(&mut self, operand: ExprId, spec: Spec, span: Span) -> ExprId {
        if spec == Spec::PLAIN {
            return self.text_of(operand, false, span);
        }
        if spec == (Spec { kind: Kind::Debug, ..Spec::PLAIN }) {
            return self.text_of(operand, true, span);
        }
        if let Some(id) = self.try_format(operand, spec, span, false) {
            return id;
        }
        let id = self.b.expr(ExprKind::Error, Types::STR, span);
        self.defer(id, DeferredKind::FormatNumber { operand, spec });
        id
    }

    /// `Display.to_string(v)` or `Debug.show(v)`, now or when the type is known.
    pub fn text_of(&mut self, operand: ExprId, debug: bool, span: Span) -> ExprId {
        if let Some(id) = self.try_text(operand, debug, span, false) {
            return id;
        }
        let id = self.b.expr(ExprKind::Error, Types::STR, span);
        self.defer(id, DeferredKind::Text { operand, debug });
        id
    }

    pub fn try_text(&mut self, operand: ExprId, debug: bool, span: Span, last: bool) -> Option<ExprId> {
        let ty = self.t.resolve(self.b.ty(operand));
        match self.t.get(ty) {
            Node::Error => return Some(self.b.expr(ExprKind::Error, Types::STR, span)),
            Node::Prim(Prim::Str) if !debug => return Some(operand),
            Node::Prim(Prim::Never) => return Some(operand),
            Node::Var(_) if !last => return None,
            Node::Var(_) => self.t.settle(ty),
            _ => {}
        }
        let trait_ = if debug { self.lang_traits.debug } else { self.lang_traits.display };
        let Some(trait_) = trait_ else {
            self.error_once(Diagnostic::error(
                codes::TRAIT_UNKNOWN,
                span,
                "formatting needs the traits `Display` and `Debug` of the standard library",
            ));
            return Some(self.b.expr(ExprKind::Error, Types::STR, span));
        };
        self.require(TraitRefTy { trait_, args: vec![ty], span }, span);
        Some(self.method_call_on(trait_, 0, vec![ty], vec![operand], Types::STR, span))
    }

    fn int_arg(&mut self, value: i128, span: Span) -> ExprId {
        self.b.expr(ExprKind::Int(value), Types::INT, span)
    }

    pub fn try_format(&mut self, operand: ExprId, spec: Spec, span: Span, last: bool) -> Option<ExprId> {
        let mut ty = self.t.resolve(self.b.ty(operand));
        if let Node::Var(_) = self.t.get(ty) {
            if !last {
                return None;
            }
            self.t.settle(ty);
            ty = self.t.resolve(ty);
        }
        let prim = match self.t.get(ty) {
            Node::Prim(p) => Some(p),
            Node::Error => return Some(self.b.expr(ExprKind::Error, Types::STR, span)),
            _ => None,
        };
        let is_int = prim.is_some_and(Prim::is_integer);
        let is_float = prim.is_some_and(Prim::is_float);
        let mut text = match spec.kind {
            Kind::Hex | Kind::UpperHex | Kind::Binary | Kind::Octal if is_int => {
                let radix = match spec.kind {
                    Kind::Binary => 2,
                    Kind::Octal => 8,
                    _ => 16,
                };
                let wide = self.t.prim(Prim::U64);
                let bits = if prim == Some(Prim::U64) { operand } else { self.as_bits(operand, wide, span) };
                let radix = self.int_arg(radix, span);
                let upper = self.b.expr(ExprKind::Bool(spec.kind == Kind::UpperHex), Types::BOOL, span);
                let digits = self.lang_call("format_radix", vec![bits, radix, upper], span);
                if spec.prefix {
                    let prefix = match spec.kind {
                        Kind::Binary => "0b",
                        Kind::Octal => "0o",
                        _ => "0x",
                    };
                    let prefix = self.b.expr(ExprKind::Str(prefix.into()), Types::STR, span);
                    self.lang_call("str_concat", vec![prefix, digits], span)
                } else {
                    digits
                }
            }
            Kind::Exp | Kind::General | Kind::Fixed if is_float || is_int => {
                let x = if prim == Some(Prim::F64) {
                    operand
                } else {
                    self.b.expr(ExprKind::Cast(operand), Types::FLOAT, span)
                };
                match spec.kind {
                    Kind::Exp => {
                        let precision = self.int_arg(spec.precision.map_or(-1, i128::from), span);
                        self.lang_call("format_exp", vec![x, precision], span)
                    }
                    Kind::General => self.lang_call("format_general", vec![x], span),
                    _ => {
                        let precision = self.int_arg(spec.precision.map_or(6, i128::from), span);
                        self.lang_call("format_fixed", vec![x, precision], span)
                    }
                }
            }
            Kind::Display if is_float && spec.precision.is_some() => {
                let x = if prim == Some(Prim::F64) {
                    operand
                } else {
                    self.b.expr(ExprKind::Cast(operand), Types::FLOAT, span)
                };
                let precision = self.int_arg(spec.precision.map_or(0, i128::from), span);
                self.lang_call("format_fixed", vec![x, precision], span)
            }
            Kind::Decimal if is_int => self.try_text(operand, false, span, true)?,
            Kind::Display | Kind::Debug => self.try_text(operand, spec.kind == Kind::Debug, span, true)?,
            _ => {
                let found = self.show(ty);
                let wanted = match spec.kind {
                    Kind::Exp | Kind::General | Kind::Fixed => "a number",
                    _ => "an integer",
                };
                self.error(codes::FORMAT_INVALID, span, format!("this format prints {wanted}, found `{found}`"));
                return Some(self.b.expr(ExprKind::Error, Types::STR, span));
            }
        };
        if spec.plus {
            text = self.lang_call("format_plus", vec![text], span);
        }
        if let Some(width) = spec.width {
            if spec.zero && (is_int || is_float) {
                let width = self.int_arg(i128::from(width), span);
                text = self.lang_call("format_zero", vec![text, width], span);
            } else {
                let fill = self.b.expr(ExprKind::Char(spec.fill), Types::CHAR, span);
                let align = spec.align.unwrap_or(u8::from(is_int || is_float));
                let align = self.int_arg(i128::from(align), span);
                let width = self.int_arg(i128::from(width), span);
                text = self.lang_call("format_pad", vec![text, fill, align, width], span);
            }
        }
        Some(text)
    }

    /// The two's complement bits of an integer.
    fn as_bits(&mut self, operand: ExprId, wide: super::ty::Ty, span: Span) -> ExprId {
        let symbol = self.names.intern("int_convert");
        let found = self.module_names.get("Core.Prim").copied().and_then(|module| {
            match self.modules[module].values.get(&symbol)?.item {
                Value::Fn(id) => Some(id),
                _ => None,
            }
        });
        let Some(id) = found else { return self.b.expr(ExprKind::Cast(operand), wide, span) };
        let own = self.b.row();
        let with = self.instantiate_fn(id, span, own);
        let param = self.instance_type(self.fns[id].params[0].ty, &with);
        let ret = self.instance_type(self.fns[id].ret, &with);
        let operand = self.coerce(operand, param, Why::None);
        let _ = self.t.unify(ret, wide);
        let fn_ty = self.t.func(&[param], ret, super::ty::Row::NONE);
        let callee = self.fn_node(id, &with, fn_ty, span);
        self.b.expr(ExprKind::Call { callee, args: vec![operand] }, wide, span)
    }

    // -----------------------------------------------------------------------------------------------
    // printf form

    fn printf_text(&mut self, text: &str, text_span: Span, values: &[ast::Expr], span: Span) -> ExprId {
        let mut pieces: Vec<Result<String, Spec>> = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            if chars.peek() == Some(&'%') {
                chars.next();
                literal.push('%');
                continue;
            }
            let mut spec = Spec::PLAIN;
            let mut digits = String::new();
            while let Some(&d) = chars.peek() {
                match d {
                    '-' => spec.align = Some(0),
                    '+' => spec.plus = true,
                    '#' => spec.prefix = true,
                    '0' if digits.is_empty() => spec.zero = true,
                    '0'..='9' | '.' => digits.push(d),
                    _ => break,
                }
                chars.next();
            }
            let (width, precision) = digits.split_once('.').map_or((&*digits, None), |(w, p)| (w, Some(p)));
            spec.width = width.parse().ok();
            spec.precision = precision.map(|p| p.parse().unwrap_or(0));
            if spec.width.is_some() && spec.align.is_none() {
                spec.align = Some(1);
            }
            spec.kind = match chars.next() {
                Some('s') | Some('c') | Some('v') => Kind::Display,
                Some('d') | Some('i') | Some('u') => Kind::Decimal,
                Some('x') => Kind::Hex,
                Some('X') => Kind::UpperHex,
                Some('o') => Kind::Octal,
                Some('b') => Kind::Binary,
                Some('e') => Kind::Exp,
                Some('f') => Kind::Fixed,
                Some('g') => Kind::General,
                Some('?') => Kind::Debug,
                other => {
                    let found = other.map_or("the end".to_owned(), |c| format!("`%{c}`"));
                    self.report(
                        Diagnostic::error(codes::FORMAT_INVALID, text_span, format!("{found} is not a format"))
                            .with_help("the formats are `%s %d %f %g %e %x %X %o %b %%`"),
                    );
                    for value in values {
                        self.value(value, Want::NOTHING);
                    }
                    return self.b.expr(ExprKind::Error, Types::STR, span);
                }
            };
            if !literal.is_empty() {
                pieces.push(Ok(std::mem::take(&mut literal)));
            }
            pieces.push(Err(spec));
        }
        if !literal.is_empty() {
            pieces.push(Ok(literal));
        }
        let holes = pieces.iter().filter(|p| p.is_err()).count();
        if holes != values.len() {
            let (plural, verb) = if values.len() == 1 { ("", "is") } else { ("s", "are") };
            self.error(
                codes::FORMAT_INVALID,
                text_span,
                format!("the format has {holes} placeholders, but {} value{plural} {verb} given", values.len()),
            );
            for value in values {
                self.value(value, Want::NOTHING);
            }
            return self.b.expr(ExprKind::Error, Types::STR, span);
        }
        let mut values = values.iter();
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                Ok(text) => parts.push(self.b.expr(ExprKind::Str(text.into()), Types::STR, text_span)),
                Err(spec) => {
                    if let Some(value) = values.next() {
                        let operand = self.value(value, Want::NOTHING);
                        parts.push(self.formatted(operand, spec, value.span));
                    }
                }
            }
        }
        self.concatenated(parts, span)
    }
}

/// Splits a format text at its braces.
fn parse_pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'{' if bytes.get(i + 1) == Some(&b'{') => {
                literal.push('{');
                i += 2;
            }
            b'}' if bytes.get(i + 1) == Some(&b'}') => {
                literal.push('}');
                i += 2;
            }
            b'}' => return Err("`}` without `{` in a format".to_owned()),
            b'{' => {
                let start = i + 1;
                let (mut depth, mut colon, mut quote) = (0u32, None, None);
                let mut end = start;
                loop {
                    let Some(&c) = bytes.get(end) else { return Err("`{` without `}` in a format".to_owned()) };
                    match (quote, c) {
                        (Some(_), b'\\') => end += 1,
                        (Some(q), c) if q == c => quote = None,
                        (Some(_), _) => {}
                        (None, b'"') => quote = Some(c),
                        (None, b'(' | b'[' | b'{') => depth += 1,
                        (None, b')' | b']') => depth = depth.saturating_sub(1),
                        (None, b'}') if depth == 0 => break,
                        (None, b'}') => depth -= 1,
                        (None, b':') if depth == 0 && colon.is_none() => {
                            if bytes.get(end + 1) == Some(&b':') {
                                end += 1;
                            } else {
                                colon = Some(end);
                            }
                        }
                        _ => {}
                    }
                    end += 1;
                }
                let inside = text.get(start..colon.unwrap_or(end)).unwrap_or("").trim();
                let spec = match colon {
                    Some(colon) => Spec::parse(text.get(colon + 1..end).unwrap_or(""))?,
                    None => Spec::PLAIN,
                };
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Hole(inside.to_owned(), start, spec));
                i = end + 1;
            }
            _ => {
                let c = text[i..].chars().next().unwrap_or(' ');
                literal.push(c);
                i += c.len_utf8();
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}
