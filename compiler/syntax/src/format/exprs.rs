//! Expressions: operands and what is in them. Operators and postfix chains are in [`super::chains`].

use crate::ast::*;
use crate::token::Kind;

use super::Formatter;
use super::doc::*;
use super::flat::Style;
use super::list::{List, Trailing};
use super::render::STEP;

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the start of its line, or of an arm's body: arms of a `match` are not indented against it.
    Start,
    /// Behind something else.
    Inline,
}

impl<'a> Formatter<'a> {
    pub fn expr(&mut self, expr: &Expr, place: Place) -> Doc<'a> {
        self.expr_in(expr, place, None)
    }

    /// `outer` is the index of the closing parenthesis around the expression, if there is one.
    fn expr_in(&mut self, expr: &Expr, place: Place, outer: Option<usize>) -> Doc<'a> {
        let at = self.cursor.at;
        let wrapped = match outer {
            None => self.cursor.wraps(at, expr),
            Some(close) => self.cursor.wraps_inside(at, close, expr),
        };
        if wrapped {
            let open = self.cursor.next();
            let close = self.cursor.mate(at);
            let inner = self.expr_in(expr, Place::Inline, Some(close));
            return concat([open, inner, self.cursor.next()]);
        }
        match &*expr.kind {
            ExprKind::Binary { .. } => self.binary(expr),
            ExprKind::Pipe { .. } => self.pipes(expr),
            ExprKind::Field { .. }
            | ExprKind::TupleField { .. }
            | ExprKind::Index { .. }
            | ExprKind::Call { .. }
            | ExprKind::Try(_) => self.postfix(expr, place),
            ExprKind::Await(operand) if self.is_postfix_await(expr, operand) => self.postfix(expr, place),
            ExprKind::Range { start, end, .. } => {
                let start = start.as_ref().map(|start| self.expr(start, place));
                let mut dots = self.cursor.next();
                if self.cursor.kind() == Kind::Eq {
                    dots = concat([dots, self.cursor.next()]);
                }
                let end = end.as_ref().map(|end| self.expr(end, Place::Inline));
                concat([start, Some(dots), end].into_iter().flatten())
            }
            ExprKind::Cast { operand, ty } => {
                let operand = self.expr(operand, place);
                let word = self.cursor.next();
                concat([operand, text(" "), word, text(" "), self.ty(ty)])
            }
            _ => self.operand(expr, place),
        }
    }

    fn operand(&mut self, expr: &Expr, place: Place) -> Doc<'a> {
        if self.cursor.kind() == Kind::Do && !matches!(*expr.kind, ExprKind::Perform { .. }) {
            let word = self.cursor.next();
            if self.cursor.kind() == Kind::LBrace {
                return concat([word, text(" "), self.expr(expr, Place::Inline)]);
            }
            return concat([word, indent(STEP, concat([hard(), self.indented(expr)]))]);
        }
        match &*expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Str(_)
            | ExprKind::Continue
            | ExprKind::Placeholder => self.cursor.next(),
            ExprKind::Unit => concat([self.cursor.next(), self.cursor.next()]),
            ExprKind::Path(path) => self.path(path),
            ExprKind::Tuple(parts) => {
                let list = self.exprs(parts);
                match parts.last() {
                    Some(last) if parts.len() > 1 && self.hugs_as_last(last, parts.len()) => list.hug(last),
                    _ => list.plain(if parts.len() == 1 { Trailing::Kept } else { Trailing::Broken }),
                }
            }
            ExprKind::Array(parts) => {
                let list = self.exprs(parts);
                array(&list, parts)
            }
            ExprKind::Record { path, fields, .. } => {
                let head = path.as_ref().map(|path| concat([self.path(path), text(" ")]));
                let list = self.record(expr);
                let punned = fields.len() == 1 && fields[0].value.is_none();
                let list = list.plain(if punned { Trailing::Kept } else { Trailing::Broken });
                concat([head, Some(list)].into_iter().flatten())
            }
            ExprKind::JsonObject(_) | ExprKind::JsonArray(_) | ExprKind::JsonValue(_) => self.json(expr),
            ExprKind::Unary { .. } => self.unary(expr),
            ExprKind::Await(operand) => {
                let word = self.cursor.next();
                concat([word, text(" "), self.expr(operand, Place::Inline)])
            }
            ExprKind::Lambda { params, ret, body } => self.lambda(params, ret.as_ref(), body),
            ExprKind::If { .. } => self.if_(expr),
            ExprKind::Match { scrutinee, arms } => self.match_(scrutinee, arms, place),
            ExprKind::While { cond, body } => {
                let word = self.cursor.next();
                let cond = self.head(cond);
                concat([word, text(" "), cond, self.loop_body(body)])
            }
            ExprKind::For { iterable, body, .. } => {
                let word = self.cursor.next();
                let end = self.cursor.find(Kind::In);
                let pattern = self.flat_until(end, Style::Pattern);
                let in_ = self.cursor.next();
                let iterable = self.head(iterable);
                concat([word, text(" "), pattern, text(" "), in_, text(" "), iterable, self.loop_body(body)])
            }
            ExprKind::Loop(body) => {
                let word = self.cursor.next();
                concat([word, text(" "), self.loop_body(body)])
            }
            ExprKind::Block(block) => self.braced(block),
            ExprKind::Unsafe(block) => {
                let word = self.cursor.next();
                concat([word, text(" "), self.braced(block)])
            }
            ExprKind::EffectBlock { body, .. } => {
                let word = self.cursor.next();
                let tags = self.list(|f| f.flat_element(Style::Type)).tight();
                concat([word, text(" "), tags, text(" "), self.braced(body)])
            }
            ExprKind::Async { is_move, body } => {
                let mut parts = vec![self.cursor.next(), text(" ")];
                if *is_move {
                    parts.extend([self.cursor.next(), text(" ")]);
                }
                parts.push(self.braced(body));
                concat(parts)
            }
            ExprKind::Return(value) | ExprKind::Break(value) => {
                let word = self.cursor.next();
                match value {
                    Some(value) => concat([word, text(" "), self.expr(value, Place::Inline)]),
                    None => word,
                }
            }
            ExprKind::Perform { operation, args } => {
                let word = self.cursor.next();
                let path = self.path(operation);
                let called = self.cursor.kind() == Kind::LParen && self.cursor.start() < expr.span.end;
                let args = called.then(|| self.args(args));
                concat([Some(word), Some(text(" ")), Some(path), args].into_iter().flatten())
            }
            ExprKind::Handle { body, handler } => self.handle(body, handler),
            ExprKind::InlineAsm(args) => {
                let word = self.cursor.next();
                concat([word, self.args(args)])
            }
            ExprKind::LlvmIr { inputs, .. } => self.llvm_ir(inputs),
            // Left-recursive forms come here only when nothing is to their left; nothing is left of an error.
            _ => Doc::nil(),
        }
    }

    /// A name with its qualifiers.
    pub fn path(&mut self, path: &Path) -> Doc<'a> {
        if self.cursor.kind() == Kind::LParen {
            // `(|Name|_|)`
            let close = self.cursor.mate(self.cursor.at);
            return self.tight_until(close + 1);
        }
        let anchors = match path.anchor {
            PathAnchor::Relative | PathAnchor::Root => 0,
            PathAnchor::SelfModule => 1,
            PathAnchor::Super(levels) => levels as usize,
        };
        let mut names = path.segments.len() + anchors;
        let mut parts = Vec::new();
        while names > 0 {
            if !matches!(self.cursor.kind(), Kind::Dot | Kind::ColonColon) {
                names -= 1;
            }
            parts.push(self.cursor.next());
        }
        concat(parts)
    }

    pub fn tight_until(&mut self, end: usize) -> Doc<'a> {
        let mut parts = Vec::new();
        while self.cursor.at < end {
            parts.push(self.cursor.next());
        }
        concat(parts)
    }

    pub fn exprs(&mut self, parts: &[Expr]) -> List<'a> {
        let mut rest = parts.iter();
        self.list(|f| rest.next().map_or_else(Doc::nil, |part| f.expr(part, Place::Inline)))
    }

    fn record(&mut self, expr: &Expr) -> List<'a> {
        let ExprKind::Record { fields, base, .. } = &*expr.kind else { unreachable!("the caller has a record") };
        let mut fields = fields.iter();
        self.list(|f| {
            if f.cursor.kind() == Kind::DotDot {
                let dots = f.cursor.next();
                let base = base.as_ref().map(|base| f.expr(base, Place::Inline));
                return concat([Some(dots), base].into_iter().flatten());
            }
            let name = f.cursor.next();
            match fields.next().and_then(|field| field.value.as_ref()) {
                Some(value) => f.named(name, value),
                None => name,
            }
        })
    }

    /// `name: value`, `name = value`; the separator comes next.
    fn named(&mut self, name: Doc<'a>, value: &Expr) -> Doc<'a> {
        let space = (self.cursor.kind() == Kind::Eq).then(|| text(" "));
        let separator = self.cursor.next();
        let value = self.expr(value, Place::Inline);
        concat([Some(name), space, Some(separator), Some(text(" ")), Some(value)].into_iter().flatten())
    }

    fn json(&mut self, expr: &Expr) -> Doc<'a> {
        if self.cursor.kind() == Kind::Ident && self.cursor.kind_at(1) == Kind::Bang {
            let head = self.tight_until(self.cursor.at + 3);
            let inner = match &*expr.kind {
                ExprKind::JsonValue(value) => self.expr(value, Place::Inline),
                _ => self.json(expr),
            };
            let comma = (self.cursor.kind() == Kind::Comma).then(|| self.cursor.skip());
            return concat([Some(head), Some(inner), comma, Some(self.cursor.next())].into_iter().flatten());
        }
        match &*expr.kind {
            ExprKind::JsonObject(fields) => {
                let mut fields = fields.iter();
                let list = self.list(|f| {
                    let key = f.cursor.next();
                    match fields.next() {
                        Some((_, value)) => f.named(key, value),
                        None => key,
                    }
                });
                list.plain(Trailing::Broken)
            }
            ExprKind::JsonArray(parts) => {
                let list = self.exprs(parts);
                array(&list, parts)
            }
            _ => self.expr(expr, Place::Inline),
        }
    }

    /// Arguments of a call; the parenthesis comes next.
    pub fn args(&mut self, args: &[Arg]) -> Doc<'a> {
        let mut rest = args.iter();
        let list = self.list(|f| rest.next().map_or_else(Doc::nil, |arg| f.arg(arg)));
        match args.last() {
            Some(last) if self.hugs_as_last(&last.value, args.len()) => list.hug(&last.value),
            Some(_) => list.plain(Trailing::Broken),
            None => list.plain(Trailing::None),
        }
    }

    /// Whether the last element of a list may go over several lines beside the others.
    fn hugs_as_last(&self, last: &Expr, count: usize) -> bool {
        match &*last.kind {
            ExprKind::Lambda { .. }
            | ExprKind::Block(_)
            | ExprKind::Match { .. }
            | ExprKind::Record { .. }
            | ExprKind::Array(_)
            | ExprKind::JsonObject(_)
            | ExprKind::JsonArray(_)
            | ExprKind::Unsafe(_)
            | ExprKind::Async { .. }
            | ExprKind::Handle { .. }
            | ExprKind::Str(_) => true,
            // Data: `("map", Fix("map", Lam(..)))`.
            ExprKind::Call { callee, .. } if self.names_constructor(callee) => true,
            ExprKind::Call { .. } | ExprKind::Tuple(_) | ExprKind::If { .. } => count == 1,
            _ => false,
        }
    }

    fn names_constructor(&self, callee: &Expr) -> bool {
        let last = match &*callee.kind {
            ExprKind::Path(path) => path.segments.last().map(|name| name.span),
            ExprKind::Field { name, .. } => Some(name.span),
            _ => None,
        };
        last.is_some_and(|span| {
            self.cursor.slice(self.cursor.index_of(span.start)).starts_with(|c: char| c.is_uppercase())
        })
    }

    fn arg(&mut self, arg: &Arg) -> Doc<'a> {
        if arg.name.is_some() {
            let name = self.cursor.next();
            return self.named(name, &arg.value);
        }
        self.expr(&arg.value, Place::Inline)
    }

    fn unary(&mut self, expr: &Expr) -> Doc<'a> {
        let mut operators = 0;
        let mut operand = expr;
        while let ExprKind::Unary { op, operand: inner } = &*operand.kind {
            if operators > 0 && self.cursor.is_wrapped(operand) {
                break;
            }
            operators += 1 + usize::from(*op == UnaryOp::RefMut);
            operand = inner;
        }
        let mut parts = Vec::new();
        while operators > 0 {
            let at = self.cursor.at;
            operators -= if self.cursor.kind() == Kind::AndAnd { 2.min(operators) } else { 1 };
            let space =
                self.is_word(at, "mut") || self.cursor.kind() == Kind::Amp && self.cursor.kind_at(1) == Kind::Amp;
            parts.push(self.cursor.next());
            if space {
                parts.push(text(" "));
            }
        }
        parts.push(self.expr(operand, Place::Inline));
        concat(parts)
    }

    fn lambda(&mut self, params: &[Param], ret: Option<&Type>, body: &Expr) -> Doc<'a> {
        let mut parts = Vec::new();
        if self.cursor.kind() == Kind::Fn {
            parts.push(self.cursor.next());
            parts.push(self.parameters(params, Trailing::None));
        } else {
            let bar = self.cursor.kind() == Kind::Bar;
            parts.push(self.cursor.next());
            if bar {
                let end = self.cursor.find(Kind::Bar);
                parts.push(self.flat_until(end, Style::Type));
                parts.push(self.cursor.next());
            }
        }
        if let Some(ret) = ret {
            parts.extend([text(" "), self.cursor.next(), text(" "), self.ty(ret)]);
        }
        if matches!(self.cursor.kind(), Kind::FatArrow | Kind::Eq) && !body_starts_here(body, self.cursor.start()) {
            parts.extend([text(" "), self.cursor.next()]);
        }
        parts.push(self.body(body, Place::Inline));
        concat(parts)
    }

    fn loop_body(&mut self, body: &Expr) -> Doc<'a> {
        let word = (self.cursor.kind() == Kind::Do).then(|| concat([self.cursor.next(), text(" ")]));
        let body = self.expr(body, Place::Inline);
        concat([word, Some(body)].into_iter().flatten())
    }

    /// What stands between a keyword and a body, and the space before the body. When it does not fit into a line, the
    /// body starts in one of its own, to be told apart; when it has lines of its own, as in the source.
    pub fn head(&mut self, value: &Expr) -> Doc<'a> {
        let value = self.expr(value, Place::Inline);
        if value.is_forced() && !value.ends_line() && !self.cursor.starts_line() {
            return concat([value, text(" ")]);
        }
        group(concat([value, line()]))
    }

    fn llvm_ir(&mut self, inputs: &[Expr]) -> Doc<'a> {
        // `llvm_ir!(`
        let head = self.tight_until(self.cursor.at + 3);
        let close = self.cursor.mate(self.cursor.at - 1);
        let ty = self.flat_until(close, Style::Type);
        let closer = self.cursor.next();
        let mut inputs = inputs.iter();
        let parts = self.list(|f| {
            if f.cursor.kind() != Kind::Ident {
                return f.cursor.next();
            }
            let word = f.cursor.next();
            let list = f.list(|f| inputs.next().map_or_else(Doc::nil, |input| f.expr(input, Place::Inline)));
            concat([word, list.plain(Trailing::None)])
        });
        concat([head, ty, closer, text(" "), parts.plain(Trailing::Broken)])
    }

    /// What follows `=`, an arrow or a lambda's bars.
    pub fn body(&mut self, value: &Expr, place: Place) -> Doc<'a> {
        if self.cursor.starts_line() {
            return indent(STEP, concat([hard(), self.indented(value)]));
        }
        let comments = self.cursor.leading_comments();
        let doc = if self.is_unbraced(value) { self.indented(value) } else { self.expr(value, place) };
        let hugs = hugs(value) || doc.is_forced() && forced_hugs(value);
        let Some((close, in_lines)) = comments else { return body(doc, hugs) };
        // In a line of its own, the value has its comments in lines of their own, as it would in the source.
        let close = concat([text(" "), close, doc.clone()]);
        let broken = indent(STEP, concat([hard(), in_lines, doc]));
        choice(close.clone(), if hugs { close } else { broken.clone() }, broken)
    }

    /// Whether the statements of a block have no braces around them; the block comes next.
    pub fn is_unbraced(&self, value: &Expr) -> bool {
        let ExprKind::Block(block) = &*value.kind else { return false };
        let at = self.cursor.at;
        let braced = self.cursor.kind() == Kind::LBrace && {
            let close = self.cursor.tokens[self.cursor.mate(at)];
            close.end >= value.span.end
        };
        block.attrs.is_empty() && value.span.start == self.cursor.start() && !braced && !self.cursor.wraps(at, value)
    }

    /// A body that starts in a line of its own.
    pub fn indented(&mut self, value: &Expr) -> Doc<'a> {
        if self.is_unbraced(value)
            && let ExprKind::Block(block) = &*value.kind
        {
            return self.unbraced(block);
        }
        let comments = self.cursor.take_comments();
        concat(comments.into_iter().chain([self.expr(value, Place::Start)]))
    }
}

fn body_starts_here(body: &Expr, position: u32) -> bool {
    body.span.start == position
}

/// Whether a body begins behind `=` even when it does not fit there: it has lines of its own inside.
fn hugs(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::Block(_)
        | ExprKind::Match { .. }
        | ExprKind::Lambda { .. }
        | ExprKind::Record { .. }
        | ExprKind::Array(_)
        | ExprKind::JsonObject(_)
        | ExprKind::JsonArray(_)
        | ExprKind::JsonValue(_)
        | ExprKind::Unsafe(_)
        | ExprKind::EffectBlock { .. }
        | ExprKind::Async { .. }
        | ExprKind::Loop(_)
        | ExprKind::While { .. }
        | ExprKind::For { .. }
        | ExprKind::Handle { .. }
        | ExprKind::Tuple(_)
        | ExprKind::Str(_)
        | ExprKind::Pipe { .. }
        | ExprKind::Binary { .. }
        | ExprKind::LlvmIr { .. } => true,
        ExprKind::Call { .. } => true,
        ExprKind::Try(inner) => hugs(inner),
        ExprKind::Return(Some(inner)) | ExprKind::Break(Some(inner)) => hugs(inner),
        _ => false,
    }
}

/// The same for a body that goes over several lines in any case.
fn forced_hugs(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::If { then, .. } => matches!(*then.kind, ExprKind::Block(_)),
        ExprKind::Return(Some(inner)) | ExprKind::Break(Some(inner)) => forced_hugs(inner),
        _ => true,
    }
}

fn array<'a>(list: &List<'a>, parts: &[Expr]) -> Doc<'a> {
    if list.has_rows() || !list.broken && parts.iter().all(is_short) {
        return list.filled(Trailing::Broken);
    }
    list.plain(Trailing::Broken)
}

fn is_short(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Char(_) | ExprKind::Path(_) => true,
        ExprKind::Str(text) => text.len() < 16,
        ExprKind::Unary { operand, .. } => is_short(operand),
        _ => false,
    }
}
