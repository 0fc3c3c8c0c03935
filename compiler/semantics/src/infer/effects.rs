//! Operations and handlers: `perform`, `handle`, and the clauses that answer.
//!
//! A handled computation is a lambda of its own, and so is each clause. Here all clauses take `resume`; what they do
//! with it is found out when the body is finished (see [`super::clauses`]).

use cranelift_entity::EntityRef;
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::names::Symbol;

use super::arguments::ParamNames;
use super::body::{Frame, FrameKind, RIGID, Want, Why};
use super::call::{Arg, Instantiated, Source};
use super::ty::{Node, Row, Ty, Types};
use crate::cx::*;
use crate::effects::{Handled, TagSet, What};
use crate::resolve::Target;
use crate::typed::*;

/// An operation where it is performed or answered: its types in terms of what is known there.
struct OperationUse {
    params: Vec<Ty>,
    ret: Ty,
}

/// What runs under a handler.
pub(super) enum Computation<'e> {
    Written(&'e ast::Expr),
    /// The last parameter of a named handler.
    Local(LocalId),
}

impl<'a> Checker<'a> {
    // -----------------------------------------------------------------------------------------------
    // `perform`

    pub(super) fn perform_expr(&mut self, path: &ast::Path, args: &[ast::Arg], want: Want, span: Span) -> ExprId {
        let args: Vec<Arg<'_>> = args
            .iter()
            .map(|arg| Arg { name: arg.name, source: Source::Ast(&arg.value), span: arg.value.span })
            .collect();
        let Some((effect, operation)) = self.operation_of(path) else {
            return self.give_up(&args, span);
        };
        self.perform(effect, operation, &args, want, path.span, span)
    }

    fn perform(
        &mut self,
        effect: EffectId,
        operation: u32,
        args: &[Arg<'_>],
        want: Want,
        at: Span,
        span: Span,
    ) -> ExprId {
        let own = self.b.row();
        let info = &self.effect_decls[effect];
        let (tag, family, arity) = (info.tag, info.family, info.generics.len());
        let own_generics = info.operations[operation as usize].generics.len();
        let mut types: Vec<Ty> = match family {
            Some(family) => {
                let list = self.t.effect_args(family, own);
                self.t.items(list).to_vec()
            }
            None => (0..arity).map(|_| self.t.fresh()).collect(),
        };
        types.extend((0..own_generics).map(|_| self.t.fresh()));
        let used = self.use_operation(effect, operation, &types, |checker| {
            // What a function that is handed over does happens on behalf of this code.
            let row = checker.t.rows.fresh();
            checker.t.flow(row, own);
            Row::var(row)
        });
        if family.is_some() || self.is_tracked(effect) {
            self.effect_event(own, TagSet::one(tag), at, What::Operation(effect, operation));
        }
        self.hint_result(used.ret, want);
        let none = Instantiated { args: Vec::new(), rows: Vec::new(), monomorphic: true };
        let names = ParamNames::Operation(effect, operation);
        let Some((values, binds)) = self.arguments(names, &used.params, args, &none, false, span) else {
            return self.b.expr(ExprKind::Error, used.ret, span);
        };
        let (effect_args, type_args) = (Vec::new(), Vec::new());
        let kind = ExprKind::Perform { effect, effect_args, operation, type_args, args: values };
        let node = self.b.expr(kind, used.ret, span);
        if !types.is_empty() {
            let list = self.t.list(&types);
            self.b.type_args.push((node, list));
        }
        self.with_binds(binds, node)
    }

    /// The compiler's own effects are in no row.
    pub fn is_tracked(&self, effect: EffectId) -> bool {
        Some(effect) != self.lang_exit
    }

    fn use_operation(
        &mut self,
        effect: EffectId,
        operation: u32,
        types: &[Ty],
        mut row: impl FnMut(&mut Self) -> Row,
    ) -> OperationUse {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (count, row_count) = (info.params.len(), info.row_count);
        let rows: Vec<Row> = (0..row_count).map(|_| row(self)).collect();
        let with = Instantiated { args: types.to_vec(), rows, monomorphic: false };
        let params = (0..count)
            .map(|i| {
                let ty = self.effect_decls[effect].operations[operation as usize].params[i].ty;
                self.instance_type(ty, &with)
            })
            .collect();
        let ret = self.effect_decls[effect].operations[operation as usize].ret;
        OperationUse { params, ret: self.instance_type(ret, &with) }
    }

    /// `State.get`, or `get` when one effect in scope has such an operation.
    fn operation_of(&mut self, path: &ast::Path) -> Option<(EffectId, u32)> {
        let (&name, parents) = path.segments.split_last()?;
        let module = self.b.module;
        if parents.is_empty() {
            let found: Vec<(EffectId, u32)> = self
                .visible_effects(module)
                .into_iter()
                .filter_map(|(_, id)| Some((id, self.operation_named(id, name.name)?)))
                .collect();
            return match found[..] {
                [one] => Some(one),
                [] => {
                    self.unknown_operation(None, name);
                    None
                }
                _ => {
                    let owners: Vec<String> = found.iter().map(|&(id, op)| self.operation_text(id, op)).collect();
                    let text = self.names.text(name.name).to_owned();
                    self.report(
                        Diagnostic::error(
                            codes::NAME_AMBIGUOUS,
                            name.span,
                            format!("several effects have an operation `{text}`"),
                        )
                        .with_help(format!("write {}", owners.join(" or "))),
                    );
                    None
                }
            };
        }
        let owner = ast::Path { anchor: path.anchor, segments: parents.to_vec(), span: parents[0].span };
        let Some(effect) = self.effect_named(&owner, module) else {
            self.unknown_effect(&owner);
            return None;
        };
        match self.operation_named(effect, name.name) {
            Some(operation) => Some((effect, operation)),
            None => {
                self.unknown_operation(Some(effect), name);
                None
            }
        }
    }

    fn operation_named(&self, effect: EffectId, name: Symbol) -> Option<u32> {
        self.effect_decls[effect].operations.iter().position(|o| o.name == name).map(|i| i as u32)
    }

    /// `` `State.get` ``
    pub fn operation_text(&self, effect: EffectId, operation: u32) -> String {
        let info = &self.effect_decls[effect];
        let name = self.names.text(info.operations[operation as usize].name);
        format!("`{}.{name}`", self.names.text(info.name))
    }

    fn unknown_effect(&mut self, path: &ast::Path) {
        let text: Vec<&str> = path.segments.iter().map(|s| self.names.text(s.name)).collect();
        let text = text.join(".");
        let mut diagnostic =
            Diagnostic::error(codes::EFFECT_UNKNOWN_TAG, path.span, format!("there is no effect `{text}`"));
        let visible = self.visible_effects(self.b.module);
        let known = visible.iter().map(|&(name, _)| self.names.text(name));
        if let Some(suggestion) = crate::suggest::closest(&text, known).map(str::to_owned) {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(path.span, suggestion, title);
        } else {
            diagnostic = diagnostic.with_help(format!("declare it: `effect {text} {{ operation .. }}`"));
        }
        self.error_once(diagnostic);
    }

    fn unknown_operation(&mut self, effect: Option<EffectId>, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        let effects: Vec<EffectId> = match effect {
            Some(effect) => vec![effect],
            None => self.visible_effects(self.b.module).into_iter().map(|(_, id)| id).collect(),
        };
        let known: Vec<&str> = effects
            .iter()
            .flat_map(|&id| self.effect_decls[id].operations.iter())
            .map(|o| self.names.text(o.name))
            .collect();
        let message = match effect {
            Some(effect) => {
                format!("the effect `{}` has no operation `{text}`", self.names.text(self.effect_decls[effect].name))
            }
            None => format!("no effect in scope has an operation `{text}`"),
        };
        let suggestion = crate::suggest::closest(&text, known.iter().copied()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(codes::EFFECT_OPERATION_UNKNOWN, name.span, message);
        if let Some(effect) = effect {
            diagnostic = diagnostic.with_label(self.effect_decls[effect].span, "the effect is declared here");
        }
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() && effect.is_some() {
            diagnostic = diagnostic.with_help(format!("its operations are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
    }

    // -----------------------------------------------------------------------------------------------
    // `handle`

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
            Node::Var(_) | Node::Error => {}
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
                    super::ty::RowKind::Var(row) => row,
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

    fn clause_body(&mut self, e: &ast::Expr, result: Ty, row: u32, why: Why) -> ExprId {
        self.b.frames.push(Frame { kind: FrameKind::Clause, ..Frame::new(result, why, row) });
        let id = self.expr(e, Want::of(result, why));
        let id = self.deref(id);
        let id = self.coerce(id, result, why);
        self.b.frames.pop();
        id
    }

    /// The clauses in the effect's order; `None` when some are missing.
    #[allow(clippy::too_many_arguments)]
    fn clauses(
        &mut self,
        effect: EffectId,
        args: &[Ty],
        written: &ast::HandlerBody,
        result: Ty,
        rows: (u32, u32),
        reentrant: bool,
        why: Why,
    ) -> Option<Vec<Clause>> {
        let count = self.effect_decls[effect].operations.len();
        let mut found: Vec<Option<(Clause, Span)>> = (0..count).map(|_| None).collect();
        let mut complete = true;
        for clause in &written.clauses {
            let Some(&name) = clause.name.segments.last() else { continue };
            let Some(operation) = self.clause_operation(effect, clause) else {
                complete = false;
                self.discard_clause(clause);
                continue;
            };
            if let Some((_, first)) = &found[operation as usize] {
                let first = *first;
                let text = self.operation_text(effect, operation);
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_DUPLICATE,
                        name.span,
                        format!("this handler has a clause for {text} already"),
                    )
                    .with_label(first, "the first one"),
                );
                continue;
            }
            match self.clause(effect, operation, args, clause, result, rows, reentrant, why) {
                Some(made) => found[operation as usize] = Some((made, name.span)),
                None => {
                    complete = false;
                    found[operation as usize] = None;
                    self.discard_clause(clause);
                }
            }
        }
        let named: Vec<Symbol> =
            written.clauses.iter().filter_map(|c| c.name.segments.last()).map(|name| name.name).collect();
        let missing: Vec<u32> = (0..count as u32)
            .filter(|&i| !named.contains(&self.effect_decls[effect].operations[i as usize].name))
            .collect();
        if !missing.is_empty() {
            self.missing_operations(effect, &missing, written);
            return None;
        }
        complete.then(|| found.into_iter().flatten().map(|(clause, _)| clause).collect())
    }

    fn clause_operation(&mut self, effect: EffectId, clause: &ast::OperationClause) -> Option<u32> {
        let (&name, parents) = clause.name.segments.split_last()?;
        if !parents.is_empty() {
            let owner = ast::Path { anchor: clause.name.anchor, segments: parents.to_vec(), span: parents[0].span };
            let other = self.effect_named(&owner, self.b.module);
            if let Some(other) = other
                && other != effect
            {
                let (wanted, found) = (self.effect_decls[effect].name, self.effect_decls[other].name);
                let (wanted, found) = (self.names.text(wanted).to_owned(), self.names.text(found).to_owned());
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_UNKNOWN_OPERATION,
                        clause.name.span,
                        format!("this handler is for `{wanted}`, but this is an operation of `{found}`"),
                    )
                    .with_help("one handler answers one effect: nest two `handle`s"),
                );
                return None;
            }
        }
        if let Some(operation) = self.operation_named(effect, name.name) {
            return Some(operation);
        }
        let text = self.names.text(name.name).to_owned();
        let info = &self.effect_decls[effect];
        let owner = self.names.text(info.name).to_owned();
        let declared = info.span;
        let known: Vec<&str> = info.operations.iter().map(|o| self.names.text(o.name)).collect();
        let suggestion = crate::suggest::closest(&text, known.iter().copied()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(
            codes::EFFECT_HANDLER_UNKNOWN_OPERATION,
            name.span,
            format!("the effect `{owner}` has no operation `{text}`"),
        )
        .with_label(declared, "the effect is declared here");
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() {
            diagnostic = diagnostic.with_help(format!("its operations are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
        None
    }

    fn missing_operations(&mut self, effect: EffectId, missing: &[u32], written: &ast::HandlerBody) {
        let texts: Vec<String> = missing.iter().map(|&i| self.operation_text(effect, i)).collect();
        let clauses: Vec<String> = missing.iter().map(|&i| self.clause_head(effect, i)).collect();
        let declared = self.effect_decls[effect].operations[missing[0] as usize].span;
        let at = written.clauses.last().map_or(written.span, |clause| clause.span);
        self.report(
            Diagnostic::error(
                codes::EFFECT_HANDLER_MISSING_OPERATION,
                at,
                format!("this handler has no clause for {}", texts.join(" and ")),
            )
            .with_label(declared, "declared here")
            .with_help(format!("add {}", clauses.join(" and "))),
        );
    }

    /// `` `operation put(value, resume) { .. }` ``
    fn clause_head(&self, effect: EffectId, operation: u32) -> String {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let mut params: Vec<String> = info
            .params
            .iter()
            .enumerate()
            .map(|(i, p)| p.name.map_or_else(|| format!("x{}", i + 1), |name| self.names.text(name).to_owned()))
            .collect();
        params.push("resume".to_owned());
        format!("`operation {}({}) {{ .. }}`", self.names.text(info.name), params.join(", "))
    }

    /// A clause that fits nothing is still looked at for its own errors: its parameters are of any type.
    fn discard_clause(&mut self, clause: &ast::OperationClause) {
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        for param in &clause.params {
            self.param_pattern(&param.pattern, Types::ERROR);
        }
        let row = self.t.rows.fresh();
        self.clause_body(&clause.body, Types::ERROR, row, Why::None);
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
    }

    #[allow(clippy::too_many_arguments)]
    fn clause(
        &mut self,
        effect: EffectId,
        operation: u32,
        args: &[Ty],
        clause: &ast::OperationClause,
        result: Ty,
        (body_row, residual): (u32, u32),
        reentrant: bool,
        why: Why,
    ) -> Option<Clause> {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (wanted, given) = (info.params.len() + 1, clause.params.len());
        let never = self.t.resolve(info.ret) == Types::NEVER;
        let reentrant = reentrant || info.reentrant || self.is_reentrant(&clause.attrs);
        // An operation that never returns has nothing to resume.
        if given != wanted && !(never && given + 1 == wanted) {
            self.wrong_clause(effect, operation, clause);
            return None;
        }
        let first_rigid = self.b.rigid.len();
        let generics = self.effect_decls[effect].operations[operation as usize].generics.clone();
        let mut types = args.to_vec();
        let outer_generics = self.b.generics.len();
        for (index, &name) in generics.iter().enumerate() {
            let ty = self.t.param(RIGID + (first_rigid + index) as u32);
            types.push(ty);
            self.b.rigid.push(name);
            self.b.generics.push((name, ty));
        }
        let (first_expr, first_local) = (self.b.exprs.len(), self.b.locals.len());
        let used = self.use_operation(effect, operation, &types, |checker| {
            // Functions that are handed over do what the handled computation may do.
            let row = checker.t.rows.fresh();
            checker.t.flow(body_row, row);
            Row::var(row)
        });
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        let mut patterns = Vec::with_capacity(wanted);
        for (param, &ty) in clause.params.iter().zip(&used.params) {
            if let Some(written) = &param.ty {
                let annotated = self.body_type(written);
                if let Err(clash) = self.t.unify(ty, annotated) {
                    self.mismatch(annotated, ty, written.span, Why::None, clash);
                }
            }
            patterns.push(self.param_pattern(&param.pattern, ty));
        }
        let resume_row = self.t.rows.fresh();
        self.t.flow(residual, resume_row);
        let resume_ty = self.t.func(&[used.ret], result, Row::var(resume_row));
        let resume = match clause.params.get(wanted - 1) {
            Some(param) => {
                if let Some(written) = &param.ty {
                    let annotated = self.body_type(written);
                    if let Err(clash) = self.t.unify(resume_ty, annotated) {
                        self.mismatch(annotated, resume_ty, written.span, Why::None, clash);
                    }
                }
                self.param_pattern(&param.pattern, resume_ty)
            }
            None => self.b.pattern(PatternKind::Wildcard, resume_ty, clause.span),
        };
        if let PatternKind::Bind(local, None) = self.b.patterns[resume].kind {
            self.b.resumes.push(local);
        }
        patterns.push(resume);
        let body = self.clause_body(&clause.body, result, residual, why);
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        self.b.generics.truncate(outer_generics);
        if !generics.is_empty() {
            let exprs = (first_expr, self.b.exprs.len());
            let locals = (first_local, self.b.locals.len());
            self.b.rigid_scopes.push(super::body::RigidScope {
                first: first_rigid as u32,
                count: generics.len() as u32,
                exprs,
                locals,
                span: clause.name.span,
            });
        }
        let mut params = used.params;
        params.push(resume_ty);
        let ty = self.t.func(&params, result, Row::var(residual));
        let function = self.b.expr(ExprKind::Lambda { params: patterns, body }, ty, clause.span);
        // `kind` and `first_generic` are settled when the body is finished.
        Some(Clause {
            kind: ClauseKind::General,
            function,
            reentrant,
            first_generic: first_rigid as u32,
            span: clause.name.span,
        })
    }

    fn wrong_clause(&mut self, effect: EffectId, operation: u32, clause: &ast::OperationClause) {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (count, declared) = (info.params.len(), info.span);
        let text = self.operation_text(effect, operation);
        let head = self.clause_head(effect, operation);
        let takes = match count {
            0 => "no arguments".to_owned(),
            1 => "1 argument".to_owned(),
            n => format!("{n} arguments"),
        };
        let given = clause.params.len();
        let plural = if given == 1 { "" } else { "s" };
        self.report(
            Diagnostic::error(
                codes::EFFECT_HANDLER_ARITY,
                clause.name.span,
                format!("{text} takes {takes}, so its clause has {}, the last of which is the continuation; this one has {given} parameter{plural}",
                    match count { 0 => "1 parameter".to_owned(), n => format!("{} parameters", n + 1) }),
            )
            .with_label(declared, "the operation is declared here")
            .with_help(format!("write {head}")),
        );
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

    /// Two instances of one effect have met in one row.
    pub(super) fn report_effect_conflicts(&mut self, span: Span) {
        for conflict in std::mem::take(&mut self.t.rows.families.conflicts) {
            let Some(effect) = self.t.rows.families.effect(conflict.family) else { continue };
            let name = self.names.text(self.effect_decls[effect].name).to_owned();
            let (left, right) = (self.show_effect(effect, conflict.left), self.show_effect(effect, conflict.right));
            self.error_once(
                Diagnostic::error(
                    codes::EFFECT_ARGUMENT_CONFLICT,
                    span,
                    format!("this code would perform both `{left}` and `{right}`"),
                )
                .with_note(format!("code has one `{name}` at a time, so that its operations have one type"))
                .with_help("handle one of them closer to where it is performed, or declare two effects"),
            );
        }
    }
}
