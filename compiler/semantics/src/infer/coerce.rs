//! Expected meets found: the few conversions that happen silently, and the message when they do not help.
//!
//! `Never` fits everywhere; `&T` and `T` convert both ways where a value is passed (borrow, or read through); a
//! structural record becomes a nominal one with the same fields; a function is wrapped when only its parameters'
//! references differ.

use reml_diagnostics::{Diagnostic, Span, codes};

use super::body::Why;
use super::ty::{Clash, LARGEST, List, Node, Row, Ty, Types};
use crate::cx::*;
use crate::typed::*;

impl<'a> Checker<'a> {
    /// Makes an expression fit an expected type, or reports why it does not.
    pub fn coerce(&mut self, id: ExprId, want: Ty, why: Why) -> ExprId {
        let found = self.b.ty(id);
        if found == want {
            return id;
        }
        let (found, want) = (self.t.resolve(found), self.t.resolve(want));
        if found == want {
            return id;
        }
        let span = self.b.span(id);
        match (self.t.get(found), self.t.get(want)) {
            (Node::Prim(crate::types::Prim::Never), _) => return id,
            (Node::Ref { mutable: true, inner: from }, Node::Ref { mutable: false, inner: to }) => {
                if self.unify_or_report(from, to, span, why) {
                    // A read-only view of a mutable one.
                    let value = self.deref(id);
                    return self.b.expr(ExprKind::Borrow(value), want, span);
                }
                return id;
            }
            (Node::Ref { .. }, Node::Ref { .. }) => {}
            (Node::Ref { .. }, Node::Error) => return id,
            (Node::Ref { .. }, _) => {
                let value = self.deref(id);
                return self.coerce(value, want, why);
            }
            (Node::Error, Node::Ref { .. }) => return id,
            (_, Node::Ref { mutable: false, inner }) => {
                let value = self.coerce(id, inner, why);
                return self.b.expr(ExprKind::Borrow(value), want, span);
            }
            (_, Node::Ref { mutable: true, inner }) => {
                if !self.unify_or_report(found, inner, span, why) {
                    return id;
                }
                return self.borrow_mut(id, want);
            }
            (Node::Record { .. }, Node::Adt(def, ..)) if matches!(self.adts[def].kind, AdtKind::Record(_)) => {
                if let Some(converted) = self.record_to_nominal(id, want) {
                    return converted;
                }
            }
            (Node::Adt(def, ..), Node::Record { .. }) if matches!(self.adts[def].kind, AdtKind::Record(_)) => {
                if let Some(converted) = self.nominal_to_record(id, want) {
                    return converted;
                }
            }
            (Node::Fn { sig: from, .. }, Node::Fn { sig: to, .. }) if from.len == to.len => {
                if let Some(wrapped) = self.wrap_function(id, found, want) {
                    return wrapped;
                }
            }
            _ => {}
        }
        if !self.unify_or_report(found, want, span, why) {
            // Reported: what uses the value stays silent.
            return self.b.error(span);
        }
        id
    }

    /// The value a reference stands for.
    pub fn deref(&mut self, id: ExprId) -> ExprId {
        match self.t.head(self.b.ty(id)) {
            Node::Ref { inner, .. } => {
                if let ExprKind::Borrow(value) = self.b.exprs[id].kind {
                    return value;
                }
                let span = self.b.span(id);
                let value = self.b.expr(ExprKind::Deref(id), inner, span);
                self.deref(value)
            }
            _ => id,
        }
    }

    fn unify_or_report(&mut self, found: Ty, want: Ty, span: Span, why: Why) -> bool {
        match self.t.unify(found, want) {
            Ok(()) => true,
            Err(clash) => {
                self.mismatch(found, want, span, why, clash);
                false
            }
        }
    }

    pub fn mismatch(&mut self, found: Ty, want: Ty, span: Span, why: Why, clash: Clash) {
        if clash == Clash::TooLarge {
            self.report(
                Diagnostic::error(codes::TYPE_TOO_LARGE, span, format!("this has a type of more than {LARGEST} parts"))
                    .with_help(
                        "types that grow at every step soon take all memory: use an array, or declare a recursive type",
                    ),
            );
            return;
        }
        let (found_text, want_text) = (self.show(found), self.show(want));
        if clash == Clash::Infinite {
            self.report(
                Diagnostic::error(
                    codes::TYPE_INFINITE,
                    span,
                    format!("this would need a type that contains itself: `{found_text}` within `{want_text}`"),
                )
                .with_help("name the recursive type with `type`"),
            );
            return;
        }
        if let Why::Branch { first, tail: true } = why {
            self.report(
                Diagnostic::error(
                    codes::RETURN_CONFLICT,
                    span,
                    format!("the branches of this function give different types: `{want_text}` and `{found_text}`"),
                )
                .with_primary_label(format!("this is `{found_text}`"))
                .with_label(first, format!("this is `{want_text}`"))
                .with_types(&want_text, &found_text)
                .with_help("write the function's result type, and make the branches agree with it"),
            );
            return;
        }
        let message = match why {
            Why::Param(id, index) => {
                let name = self.names.text(self.fns[id].name);
                let owner = if matches!(self.fns[id].container, Container::Module) { "function" } else { "method" };
                let which = match self.fns[id].params.get(index as usize).and_then(|p| p.name) {
                    Some(param) => format!("`{}`", self.names.text(param)),
                    None => format!("number {}", index + 1),
                };
                format!("{owner} `{name}` expects `{want_text}` for {which}, found `{found_text}`")
            }
            Why::Operation(effect, operation, index) => {
                let text = self.operation_text(effect, operation);
                let param = &self.effect_decls[effect].operations[operation as usize].params[index as usize];
                let which = match param.name {
                    Some(param) => format!("`{}`", self.names.text(param)),
                    None => format!("argument {}", index + 1),
                };
                format!("{text} expects `{want_text}` for {which}, found `{found_text}`")
            }
            Why::Condition => format!("a condition is a `Bool`, found `{found_text}`"),
            Why::NoElse => format!("`if` without `else` has no value, but this branch gives `{found_text}`"),
            _ => format!("expected `{want_text}`, found `{found_text}`"),
        };
        let code = match why {
            Why::Element(_) => codes::ARRAY_ELEMENT,
            _ => codes::TYPE_MISMATCH,
        };
        let mut diagnostic =
            Diagnostic::error(code, span, message).with_primary_label(format!("this is `{found_text}`"));
        diagnostic = diagnostic.with_types(&want_text, &found_text);
        diagnostic = match why {
            Why::Annotation(at) => diagnostic.with_label(at, format!("expected `{want_text}` because of this")),
            Why::Param(id, index) => match self.fns[id].params.get(index as usize) {
                Some(param) if !param.span.is_none() => {
                    diagnostic.with_label(param.span, "the parameter is declared here")
                }
                _ => diagnostic,
            },
            Why::Operation(effect, operation, index) => {
                let param = &self.effect_decls[effect].operations[operation as usize].params[index as usize];
                diagnostic.with_label(param.span, "declared here")
            }
            Why::Answer(at) => diagnostic.with_label(at, format!("the handled expression gives `{want_text}`")),
            Why::Field(at) => diagnostic.with_label(at, format!("the field is declared as `{want_text}` here")),
            Why::Return(at) => diagnostic.with_label(at, format!("the result is declared as `{want_text}` here")),
            Why::Branch { first, .. } => diagnostic.with_label(first, format!("the other branch is `{want_text}`")),
            Why::Operand(at) => diagnostic.with_label(at, format!("the other operand is `{want_text}`")),
            Why::Element(at) => diagnostic.with_label(at, format!("the first element is `{want_text}`")),
            Why::Assigned(at) => diagnostic.with_label(at, format!("the variable is `{want_text}`")),
            Why::Break(at) => diagnostic.with_label(at, format!("an earlier `break` gives `{want_text}`")),
            Why::NoElse => diagnostic.with_help("add an `else` branch"),
            Why::None | Why::Condition => diagnostic,
        };
        diagnostic = self.mismatch_help(diagnostic, found, want);
        self.report(diagnostic);
    }

    fn mismatch_help(&self, diagnostic: Diagnostic, found: Ty, want: Ty) -> Diagnostic {
        let number = |node: Node| matches!(node, Node::Prim(p) if p.is_integer() || p.is_float());
        match (self.t.head(found), self.t.head(want)) {
            (f, w) if number(f) && number(w) => {
                diagnostic.with_help(format!("convert it: `.. as {}`", self.show(want)))
            }
            (f, Node::Prim(crate::types::Prim::Str)) if number(f) => {
                diagnostic.with_help("make it a text with `.to_string()`")
            }
            (_, Node::Adt(def, args, _))
                if Some(def) == self.lang.option
                    && args.len == 1
                    && self.t.head(self.t.at(args, 0)) == self.t.head(found) =>
            {
                diagnostic.with_help("wrap it: `Some(..)`")
            }
            (_, Node::Adt(def, args, _))
                if Some(def) == self.lang.result
                    && args.len == 2
                    && self.t.head(self.t.at(args, 0)) == self.t.head(found) =>
            {
                diagnostic.with_help("wrap it: `Ok(..)`")
            }
            (Node::Fn { sig, .. }, _) if sig.len == 1 => diagnostic.with_help("call it: add `()`"),
            _ => match self.namesakes(found, want) {
                Some((one, other)) => {
                    let path = |def: TypeDefId| {
                        let adt = &self.adts[def];
                        format!("`{}.{}`", self.modules[adt.module].name, self.names.text(adt.name))
                    };
                    diagnostic.with_help(format!("{} and {} are two types of one name", path(one), path(other)))
                }
                None => diagnostic,
            },
        }
    }

    /// The first types within two others that differ, but not in their names.
    fn namesakes(&self, one: Ty, other: Ty) -> Option<(TypeDefId, TypeDefId)> {
        let within = |a: List, b: List| {
            let both = a.len.min(b.len) as usize;
            (0..both).find_map(|index| self.namesakes(self.t.at(a, index), self.t.at(b, index)))
        };
        match (self.t.head(one), self.t.head(other)) {
            (Node::Adt(a, ..), Node::Adt(b, ..)) if a != b => {
                (self.adts[a].name == self.adts[b].name).then_some((a, b))
            }
            (Node::Adt(_, a, _), Node::Adt(_, b, _)) | (Node::Tuple(a), Node::Tuple(b)) => within(a, b),
            (Node::Fn { sig: a, .. }, Node::Fn { sig: b, .. }) => within(a, b),
            (Node::Record { fields: a, .. }, Node::Record { fields: b, .. }) => within(a, b),
            (Node::Array(a), Node::Array(b)) | (Node::Cell(a), Node::Cell(b)) => self.namesakes(a, b),
            (Node::Fixed(a, _), Node::Fixed(b, _)) => self.namesakes(a, b),
            (Node::Ref { inner: a, .. }, Node::Ref { inner: b, .. }) => self.namesakes(a, b),
            _ => None,
        }
    }

    /// `{ x: 1 }` where `Point` is expected.
    fn record_to_nominal(&mut self, id: ExprId, want: Ty) -> Option<ExprId> {
        let Node::Record { shape, fields } = self.t.head(self.b.ty(id)) else { return None };
        let Node::Adt(def, args, row) = self.t.head(want) else { return None };
        let AdtKind::Record(declared) = &self.adts[def].kind else { return None };
        let names: Vec<_> = declared.iter().filter_map(|f| f.name).collect();
        if names[..] != *self.t.shape(shape) {
            return None;
        }
        let declared: Vec<FieldInfo> = declared.clone();
        let span = self.b.span(id);
        let (bind, local) = self.temporary(id);
        let mut values = Vec::with_capacity(declared.len());
        for (index, field) in declared.iter().enumerate() {
            let base = self.b.use_local(local, span);
            let ty = self.t.at(fields, index);
            let value = self.b.expr(ExprKind::Field { base, index: index as u32 }, ty, span);
            let expected = self.field_type(field.ty, args, row);
            values.push(self.coerce(value, expected, Why::Field(field.span)));
        }
        let made = self.b.expr(ExprKind::Construct { variant: 0, args: values }, want, span);
        Some(self.b.expr(ExprKind::Block { stmts: vec![bind], result: Some(made) }, want, span))
    }

    fn nominal_to_record(&mut self, id: ExprId, want: Ty) -> Option<ExprId> {
        let Node::Adt(def, args, row) = self.t.head(self.b.ty(id)) else { return None };
        let Node::Record { shape, fields } = self.t.head(want) else { return None };
        let AdtKind::Record(declared) = &self.adts[def].kind else { return None };
        let names: Vec<_> = declared.iter().filter_map(|f| f.name).collect();
        if names[..] != *self.t.shape(shape) {
            return None;
        }
        let declared: Vec<FieldInfo> = declared.clone();
        let span = self.b.span(id);
        let (bind, local) = self.temporary(id);
        let mut values = Vec::with_capacity(declared.len());
        for (index, field) in declared.iter().enumerate() {
            let base = self.b.use_local(local, span);
            let ty = self.field_type(field.ty, args, row);
            let value = self.b.expr(ExprKind::Field { base, index: index as u32 }, ty, span);
            let expected = self.t.at(fields, index);
            values.push(self.coerce(value, expected, Why::None));
        }
        let made = self.b.expr(ExprKind::Record(values), want, span);
        Some(self.b.expr(ExprKind::Block { stmts: vec![bind], result: Some(made) }, want, span))
    }

    /// `let t = value`, for a value that is used more than once.
    pub fn temporary(&mut self, value: ExprId) -> (Stmt, LocalId) {
        let (ty, span) = (self.b.ty(value), self.b.span(value));
        let local = self.b.local(None, ty, span, false);
        let pattern = self.b.bind_pattern(local, span);
        (Stmt::Let { pattern, value }, local)
    }

    /// `Str.len` takes `&Str`; where `(Str) -> Int` is expected it becomes `|s| Str.len(s)`.
    fn wrap_function(&mut self, id: ExprId, found: Ty, want: Ty) -> Option<ExprId> {
        let (Node::Fn { sig: from, row: from_row }, Node::Fn { sig: to, row: to_row }) =
            (self.t.get(found), self.t.get(want))
        else {
            return None;
        };
        let params = from.len as usize - 1;
        let is_ref = |checker: &Self, ty: Ty| matches!(checker.t.head(ty), Node::Ref { .. });
        if (0..params).all(|i| is_ref(self, self.t.at(from, i)) == is_ref(self, self.t.at(to, i))) {
            return None;
        }
        for i in 0..params {
            let (a, b) = (self.t.peel(self.t.at(from, i)), self.t.peel(self.t.at(to, i)));
            if !self.t.can_unify(a, b) {
                return None;
            }
        }
        let span = self.b.span(id);
        let simple = matches!(self.b.exprs[id].kind, ExprKind::Fn(..) | ExprKind::Method { .. } | ExprKind::Local(_));
        let (bind, callee) = if simple {
            (None, id)
        } else {
            let (bind, local) = self.temporary(id);
            (Some(bind), self.b.use_local(local, span))
        };
        self.b.lambda_depth += 1;
        let mut patterns = Vec::with_capacity(params);
        let mut args = Vec::with_capacity(params);
        for i in 0..params {
            let mut ty = self.t.at(to, i);
            if self.t.is_var(ty) {
                let inner = self.t.peel(self.t.at(from, i));
                let _ = self.t.unify(ty, inner);
                ty = inner;
            }
            let local = self.b.local(None, ty, span, false);
            patterns.push(self.b.bind_pattern(local, span));
            let value = self.b.use_local(local, span);
            let expected = self.t.at(from, i);
            args.push(self.coerce(value, expected, Why::None));
        }
        self.b.lambda_depth -= 1;
        let ret = self.t.at(from, params);
        let call = self.b.expr(ExprKind::Call { callee, args }, ret, span);
        let body = self.coerce(call, self.t.at(to, params), Why::None);
        self.t.unify_rows(from_row, to_row);
        let lambda = self.b.expr(ExprKind::Lambda { params: patterns, body }, want, span);
        Some(match bind {
            None => lambda,
            Some(bind) => self.b.expr(ExprKind::Block { stmts: vec![bind], result: Some(lambda) }, want, span),
        })
    }

    /// A field's type in a value of `Adt(args)`.
    pub fn field_type(&mut self, ty: Ty, args: super::ty::List, row: Row) -> Ty {
        let rows = [row];
        let items: Vec<Ty> = self.t.items(args).to_vec();
        self.t.instantiate(ty, &super::ty::Instance { args: &items, rows: &rows })
    }

    /// Does the type lack any value: is control gone after such an expression?
    pub fn diverges(&self, id: ExprId) -> bool {
        self.t.resolve(self.b.ty(id)) == Types::NEVER
    }
}
