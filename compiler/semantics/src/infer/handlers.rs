//! Handlers: `handle` and named handlers, which are functions that take the computation.
//!
//! A handled computation is a lambda of its own, and so is each clause (see [`super::answers`]).

use cranelift_entity::EntityRef;
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::names::Symbol;

use super::body::{Frame, FrameKind, Want, Why};
use super::call::{Arg, Source};
use super::ty::{Node, Row, RowKind, Ty, Types, VarKind};
use crate::cx::*;
use crate::effects::Handled;
use crate::resolve::Target;
use crate::typed::*;

/// What runs under a handler.
pub(super) enum Computation<'e> {
    Written(&'e ast::Expr),
    /// The last parameter of a named handler.
    Local(LocalId),
}

impl<'a> Checker<'a> {
    pub(super) fn handle_expr(
        &mut self,
        body: &ast::Expr,
        handler: &ast::HandlerExpr,
        want: Want,
        span: Span,
    ) -> ExprId {
        let mark = self.mark_departure();
        let node = self.handle_by(body, handler, want, span);
        self.arrive(mark, node, span)
    }

    fn handle_by(&mut self, body: &ast::Expr, handler: &ast::HandlerExpr, want: Want, span: Span) -> ExprId {
        match handler {
            ast::HandlerExpr::Missing => {
                self.expr(body, Want::NOTHING);
                self.b.error(span)
            }
            ast::HandlerExpr::Inline { effect, body: clauses } => {
                let mark = self.scope.len();
                let state: Vec<Stmt> = clauses.state.iter().filter_map(|stmt| self.stmt(stmt)).collect();
                let node = match self.handled_effect(effect.as_ref(), clauses) {
                    Some((id, args)) => self.handle(id, args, Computation::Written(body), clauses, false, want, span),
                    None => {
                        self.expr(body, Want::NOTHING);
                        self.b.error(span)
                    }
                };
                self.pop_scope(mark);
                if state.is_empty() {
                    return node;
                }
                let ty = self.b.ty(node);
                self.b.expr(ExprKind::Block { stmts: state, result: Some(node) }, ty, span)
            }
            ast::HandlerExpr::Value(value) => self.handle_with(body, value, want, span),
        }
    }

    /// `handle e with state(0)`: a call of the handler with the computation as its last argument.
    fn handle_with(&mut self, body: &ast::Expr, value: &ast::Expr, want: Want, span: Span) -> ExprId {
        let (callee, written): (&ast::Expr, &[ast::Arg]) = match &*value.kind {
            Ast::Call { callee, args } => (callee, args),
            _ => (value, &[]),
        };
        let mut names = Vec::new();
        if let Some(anchor) = Self::chain_of(callee, &mut names)
            && self.names_a_handler(anchor, &names)
            && let (Target::Fn(id), _) = self.resolve_chain(anchor, &names)
        {
            let mut args: Vec<Arg<'_>> = written
                .iter()
                .map(|arg| Arg { name: arg.name, source: Source::Ast(&arg.value), span: arg.value.span })
                .collect();
            args.push(Arg { name: None, source: Source::Thunk(body), span: body.span });
            return self.call_fn(id, &args, want, callee.span, span);
        }
        let handler = self.value(value, Want::NOTHING);
        let ty = self.b.ty(handler);
        self.force(ty);
        match self.t.head(ty) {
            Node::Fn { sig, .. } if sig.len == 2 && self.is_computation(self.t.at(sig, 0)) => {}
            Node::Error => {}
            Node::Var(_) if self.t.var_kind(ty) == Some(VarKind::Any) => {}
            _ => {
                let text = self.show(ty);
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_INVALID,
                        value.span,
                        format!("this is `{text}`, not a handler"),
                    )
                    .with_help("a handler is declared with `handler`, or is a function that takes the computation"),
                );
                self.expr(body, Want::NOTHING);
                return self.b.error(span);
            }
        }
        let args = [Arg { name: None, source: Source::Thunk(body), span: body.span }];
        self.call_value(handler, &args, want, span)
    }

    fn is_computation(&self, ty: Ty) -> bool {
        match self.t.head(ty) {
            Node::Fn { sig, .. } => sig.len == 1,
            Node::Var(_) | Node::Error => true,
            _ => false,
        }
    }

    /// Is the chain the name of a named handler? Looked at without reports, which resolving it makes.
    fn names_a_handler(&mut self, anchor: ast::PathAnchor, names: &[ast::Ident]) -> bool {
        let errors = self.diagnostics.len();
        let spans = self.error_spans.clone();
        let found = match self.resolve_chain(anchor, names) {
            (Target::Fn(id), used) if used == names.len() => matches!(self.fns[id].source, FnSource::Handler(_)),
            _ => false,
        };
        self.diagnostics.truncate(errors);
        self.error_spans = spans;
        found
    }

    /// A handler outside of `handle`: a function that waits for the computation.
    pub(super) fn handler_value(&mut self, id: FnId, args: &[Arg<'_>], want: Want, at: Span, span: Span) -> ExprId {
        // The arguments are evaluated where the handler is named.
        let answer = self.t.fresh();
        let result = self.t.fresh();
        let row = self.t.rows.fresh();
        let thunk_ty = self.t.func(&[], answer, Row::var(row));
        if let Some(want) = want.ty
            && let Node::Fn { sig, .. } = self.t.head(want)
            && sig.len == 2
        {
            let _ = self.t.unify(self.t.at(sig, 0), thunk_ty);
            let _ = self.t.unify(self.t.at(sig, 1), result);
        }
        let own = self.t.rows.fresh();
        let mut stmts = Vec::new();
        let mut values = Vec::new();
        for arg in args {
            let value = self.argument_value(arg.source);
            let (bind, local) = self.temporary(value);
            stmts.push(bind);
            values.push((arg.name, local, arg.span));
        }
        self.b.lambda_depth += 1;
        let kind = FrameKind::Function;
        self.b.frames.push(Frame { kind, ..Frame::new(result, Why::None, own) });
        let computation = self.b.local(None, thunk_ty, span, false);
        let pattern = self.b.bind_pattern(computation, span);
        let mut inner: Vec<Arg<'_>> = Vec::new();
        for (name, local, span) in values {
            let value = self.b.use_local(local, span);
            inner.push(Arg { name, source: Source::Done(value), span });
        }
        let last = self.b.use_local(computation, span);
        inner.push(Arg { name: None, source: Source::Done(last), span });
        let call = self.call_fn(id, &inner, Want::of(result, Why::None), at, span);
        let call = self.coerce(call, result, Why::None);
        self.b.frames.pop();
        self.b.lambda_depth -= 1;
        self.allocates(span);
        let ty = self.t.func(&[thunk_ty], result, Row::var(own));
        let lambda = self.b.expr(ExprKind::Lambda { params: vec![pattern], body: call }, ty, span);
        if stmts.is_empty() {
            return lambda;
        }
        self.b.expr(ExprKind::Block { stmts, result: Some(lambda) }, ty, span)
    }

    /// A handled computation, as a function: `return` and `?` in it leave the function around it.
    pub(super) fn thunk(&mut self, e: &ast::Expr, expected: Option<Ty>) -> ExprId {
        let (answer, row) = match expected.map(|ty| self.t.head(ty)) {
            Some(Node::Fn { sig, row }) if sig.len == 1 => {
                let row = match row.kind() {
                    RowKind::Var(row) => row,
                    _ => self.t.rows.fresh(),
                };
                (self.t.at(sig, 0), row)
            }
            _ => (self.t.fresh(), self.t.rows.fresh()),
        };
        let body = self.handled_body(e, answer, row);
        let ty = self.t.func(&[], answer, Row::var(row));
        self.b.expr(ExprKind::Lambda { params: Vec::new(), body }, ty, e.span)
    }

    fn handled_body(&mut self, e: &ast::Expr, answer: Ty, row: u32) -> ExprId {
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        self.b.frames.push(Frame { kind: FrameKind::Handled, ..Frame::new(answer, Why::None, row) });
        let id = if self.t.resolve(answer) == Types::UNIT {
            let id = self.discarded(e);
            self.coerce(id, Types::UNIT, Why::None)
        } else {
            let id = self.expr(e, Want::of(answer, Why::None));
            let id = self.deref(id);
            self.coerce(id, answer, Why::None)
        };
        if self.b.frames.pop().is_some_and(|frame| frame.left) {
            self.b.departures += 1;
        }
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        self.allocates(e.span);
        id
    }

    /// The effect that an inline handler is for: named, or told by its operations.
    fn handled_effect(
        &mut self,
        written: Option<&ast::EffectTag>,
        body: &ast::HandlerBody,
    ) -> Option<(EffectId, Vec<Ty>)> {
        let module = self.b.module;
        if let Some(tag) = written {
            let Some(id) = self.effect_named(&tag.path, module) else {
                self.unknown_effect(&tag.path);
                return None;
            };
            let arity = self.effect_decls[id].generics.len();
            let mut args: Vec<Ty> = tag.args.iter().map(|ty| self.body_type(ty)).collect();
            if args.is_empty() {
                args = (0..arity).map(|_| self.t.fresh()).collect();
            }
            if args.len() != arity {
                let name = self.effect_decls[id].name;
                self.check_type_arity(name, arity, args.len(), tag.span);
                return None;
            }
            return Some((id, args));
        }
        let id = self.effect_of_clauses(body)?;
        let arity = self.effect_decls[id].generics.len();
        Some((id, (0..arity).map(|_| self.t.fresh()).collect()))
    }

    fn effect_of_clauses(&mut self, body: &ast::HandlerBody) -> Option<EffectId> {
        let module = self.b.module;
        for clause in &body.clauses {
            if clause.name.segments.len() > 1 {
                return self.operation_of(&clause.name).map(|(effect, _)| effect);
            }
        }
        let Some(first) = body.clauses.first() else {
            self.report(
                Diagnostic::error(
                    codes::EFFECT_HANDLER_AMBIGUOUS,
                    body.span,
                    "this handler has no operations, so nothing tells its effect",
                )
                .with_help("name the effect: `with handler State { .. }`"),
            );
            return None;
        };
        let names: Vec<Symbol> =
            body.clauses.iter().filter_map(|c| c.name.segments.last()).map(|name| name.name).collect();
        let mut found: Vec<EffectId> = self
            .visible_effects(module)
            .into_iter()
            .map(|(_, id)| id)
            .filter(|&id| names.iter().all(|&name| self.operation_named(id, name).is_some()))
            .collect();
        found.dedup();
        match found[..] {
            [one] => Some(one),
            [] => {
                // Most likely the effect of the first clause is meant, and another one is misspelt.
                let visible = self.visible_effects(module);
                let meant = visible
                    .iter()
                    .map(|&(_, id)| id)
                    .find(|&id| names.iter().any(|&name| self.operation_named(id, name).is_some()));
                if meant.is_none() {
                    let name = first.name.segments[first.name.segments.len() - 1];
                    self.unknown_operation(None, name);
                }
                meant
            }
            _ => {
                let owners: Vec<String> = found
                    .iter()
                    .map(|&id| format!("`handler {}`", self.names.text(self.effect_decls[id].name)))
                    .collect();
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_AMBIGUOUS,
                        body.span.shrink_to_start(),
                        "several effects have all these operations",
                    )
                    .with_help(format!("write {}", owners.join(" or "))),
                );
                None
            }
        }
    }

    /// The one form of handling: a computation, a clause for each operation, and what becomes of the result.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn handle(
        &mut self,
        effect: EffectId,
        args: Vec<Ty>,
        computation: Computation<'_>,
        written: &ast::HandlerBody,
        reentrant: bool,
        want: Want,
        span: Span,
    ) -> ExprId {
        let outer = self.b.row();
        let (body_row, residual) = (self.t.rows.fresh(), self.t.rows.fresh());
        let (tag, family) = (self.effect_decls[effect].tag, self.effect_decls[effect].family);
        let list = self.t.list(&args);
        if let Some(family) = family {
            self.t.set_effect_args(family, body_row, list);
        }
        self.t.rows.handled.push(Handled { from: body_row, to: residual, tag });
        self.t.join(body_row, residual, family);
        self.t.flow(residual, outer);
        let result = match want.ty {
            Some(ty) if !matches!(self.t.head(ty), Node::Ref { .. }) => ty,
            _ => self.t.fresh(),
        };
        let answer = if written.ret.is_some() { self.t.fresh() } else { result };
        let (body, at) = match computation {
            Computation::Written(e) => {
                let thunk_ty = self.t.func(&[], answer, Row::var(body_row));
                (self.thunk(e, Some(thunk_ty)), e.span)
            }
            Computation::Local(local) => {
                let thunk_ty = self.t.func(&[], answer, Row::var(body_row));
                let value = self.b.use_local(local, span);
                (self.coerce(value, thunk_ty, Why::None), Span::NONE)
            }
        };
        let why = if at.is_none() { want.why } else { Why::Answer(at) };
        let ret = written.ret.as_ref().map(|clause| self.return_clause(clause, answer, result, residual, why));
        let clauses = self.clauses(effect, &args, written, result, (body_row, residual), reentrant, why);
        let Some(clauses) = clauses else { return self.b.expr(ExprKind::Error, result, span) };
        let handle = Handle { effect, effect_args: Vec::new(), body, clauses, ret };
        let node = self.b.expr(ExprKind::Handle(Box::new(handle)), result, span);
        self.b.handles.push(node);
        if !args.is_empty() {
            self.b.type_args.push((node, list));
        }
        node
    }

    fn return_clause(&mut self, clause: &ast::ReturnClause, answer: Ty, result: Ty, row: u32, why: Why) -> ExprId {
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        let pattern = match &clause.param {
            Some(pattern) => self.param_pattern(pattern, answer),
            None => self.b.pattern(PatternKind::Wildcard, answer, clause.span),
        };
        let body = self.clause_body(&clause.body, result, row, why);
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        let ty = self.t.func(&[answer], result, Row::var(row));
        self.b.expr(ExprKind::Lambda { params: vec![pattern], body }, ty, clause.span)
    }

    pub(super) fn clause_body(&mut self, e: &ast::Expr, result: Ty, row: u32, why: Why) -> ExprId {
        self.b.frames.push(Frame { kind: FrameKind::Clause, ..Frame::new(result, why, row) });
        let id = self.expr(e, Want::of(result, why));
        let id = self.deref(id);
        let id = self.coerce(id, result, why);
        self.b.frames.pop();
        id
    }

    // -----------------------------------------------------------------------------------------------
    // Named handlers

    /// The body of the function that a named handler is. Its last parameter is the computation.
    pub(super) fn named_handler(&mut self, decl: &ast::HandlerDecl, computation: LocalId, ret: Ty) -> ExprId {
        let span = decl.name.span;
        let Some((effect, args)) = self.handled_effect(decl.effect.as_ref(), &decl.body) else {
            return self.b.error(span);
        };
        let reentrant = match self.b.def {
            Some(Def::Fn(id)) => self.is_reentrant(self.fns[id].attrs),
            _ => false,
        };
        let why = decl.ret.as_ref().map_or(Why::None, |ty| Why::Return(ty.span));
        let state: Vec<Stmt> = decl.body.state.iter().filter_map(|stmt| self.stmt(stmt)).collect();
        let node =
            self.handle(effect, args, Computation::Local(computation), &decl.body, reentrant, Want::of(ret, why), span);
        if state.is_empty() {
            return node;
        }
        self.b.expr(ExprKind::Block { stmts: state, result: Some(node) }, ret, span)
    }

    /// `resume()` is `resume(())`.
    pub(super) fn resumes_with_unit(&self, callee: ExprId) -> bool {
        let ExprKind::Local(local) = self.b.exprs[callee].kind else { return false };
        if !self.b.resumes.contains(&local) {
            return false;
        }
        match self.t.head(self.b.local_ty(local)) {
            Node::Fn { sig, .. } => sig.len == 2 && self.t.resolve(self.t.at(sig, 0)) == Types::UNIT,
            _ => false,
        }
    }

    /// Does the function around the code own the variable, with nothing but handlers in between?
    pub(super) fn is_handler_state(&self, local: LocalId) -> bool {
        // Each frame but the first is a lambda's.
        let declared = self.b.local_depths[local.index()] as usize;
        self.b.frames.len() > self.b.lambda_depth as usize
            && self.b.frames.iter().skip(declared + 1).all(|frame| frame.kind != FrameKind::Function)
    }
}
