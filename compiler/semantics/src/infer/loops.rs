//! `for`: counters for integer ranges, indices for arrays, matching for lists, iterators for the rest.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::body::{LoopFrame, Want, Why};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub fn for_expr(&mut self, pattern: &ast::Pattern, iterable: &ast::Expr, body: &ast::Expr, span: Span) -> ExprId {
        if let Ast::Range { start: Some(start), end, inclusive } = &*iterable.kind {
            return self.for_range(pattern, start, end.as_ref(), *inclusive, body, span);
        }
        let items = self.value(iterable, Want::NOTHING);
        let ty = self.b.ty(items);
        self.force(ty);
        self.t.settle(ty);
        match self.t.head(ty) {
            Node::Array(element) | Node::Fixed(element, _) => self.for_array(pattern, items, element, body, span),
            Node::Adt(def, args, _) if Some(def) == self.lang.list => {
                let element = self.t.at(args, 0);
                self.for_list(pattern, items, def, element, body, span)
            }
            Node::Error => {
                let mark = self.scope.len();
                self.pattern(pattern, Types::ERROR, false);
                self.loop_body(body, span);
                self.pop_scope(mark);
                self.b.error(span)
            }
            _ => self.for_iterator(pattern, items, iterable.span, body, span),
        }
    }

    fn loop_body(&mut self, body: &ast::Expr, span: Span) -> ExprId {
        self.b.frame().loops.push(LoopFrame { result: None, broken: false, first: span });
        let id = self.discarded(body);
        self.b.frame().loops.pop();
        id
    }

    fn int(&mut self, value: i128, ty: Ty, span: Span) -> ExprId {
        self.b.expr(ExprKind::Int(value), ty, span)
    }

    fn set_local(&mut self, local: LocalId, value: ExprId, span: Span) -> Stmt {
        let place = Place { local, path: Vec::new() };
        Stmt::Expr(self.b.expr(ExprKind::Assign { place, value }, Types::UNIT, span))
    }

    fn let_local(&mut self, local: LocalId, value: ExprId, span: Span) -> Stmt {
        let pattern = self.b.bind_pattern(local, span);
        Stmt::Let { pattern, value }
    }

    /// `loop { if cond { stmts.. } else { break } }`, after `before`.
    fn guarded_loop(&mut self, before: Vec<Stmt>, cond: ExprId, inside: Vec<Stmt>, span: Span) -> ExprId {
        let then = self.b.expr(ExprKind::Block { stmts: inside, result: None }, Types::UNIT, span);
        let els = self.b.expr(ExprKind::Break(None), Types::NEVER, span);
        let body = self.b.expr(ExprKind::If { cond, then, els }, Types::UNIT, span);
        let looped = self.b.expr(ExprKind::Loop { body }, Types::UNIT, span);
        self.b.expr(ExprKind::Block { stmts: before, result: Some(looped) }, Types::UNIT, span)
    }

    fn for_range(
        &mut self,
        pattern: &ast::Pattern,
        start: &ast::Expr,
        end: Option<&ast::Expr>,
        inclusive: bool,
        body: &ast::Expr,
        span: Span,
    ) -> ExprId {
        let first = self.value(start, Want::NOTHING);
        let ty = self.b.ty(first);
        let last = match end {
            Some(end) => {
                let why = Why::Operand(start.span);
                let id = self.expr(end, Want::of(ty, why));
                let id = self.deref(id);
                self.coerce(id, ty, why)
            }
            None => {
                let _ = self.t.unify(ty, Types::INT);
                self.int(i128::from(i64::MAX), ty, span)
            }
        };
        self.force(ty);
        let head = self.t.head(ty);
        let is_char = matches!(head, Node::Prim(crate::types::Prim::Char));
        let integer = match head {
            Node::Prim(p) => p.is_integer(),
            Node::Var(_) => self.t.var_kind(ty) == Some(VarKind::Int),
            Node::Error => true,
            _ => false,
        };
        if !integer && !is_char {
            if self.t.is_var(ty) {
                // Counting is for integers.
                let _ = self.t.unify(ty, Types::INT);
            } else {
                let text = self.show(ty);
                let at = start.span;
                self.report(
                    Diagnostic::error(
                        codes::ITERATOR_EXPECTED,
                        at,
                        format!("`for` counts through integers, but this range is of `{text}`"),
                    )
                    .with_primary_label(format!("this is `{text}`")),
                );
            }
        }
        // Characters count as their scalar values.
        let (counter_ty, first, last) = if is_char {
            let scalar = self.t.prim(crate::types::Prim::U32);
            let first = self.b.expr(ExprKind::Cast(first), scalar, span);
            let last = self.b.expr(ExprKind::Cast(last), scalar, span);
            (scalar, first, last)
        } else {
            (ty, first, last)
        };
        let counter = self.b.local(None, counter_ty, span, true);
        let limit = self.b.local(None, counter_ty, span, false);
        let mut before = vec![self.let_local(counter, first, span)];
        // `0..=9` is `0..10` when the literal leaves room.
        let (last, inclusive) = match self.b.exprs[last].kind {
            ExprKind::Int(value) if inclusive && value < 127 => (self.int(value + 1, counter_ty, span), false),
            _ => (last, inclusive),
        };
        before.push(self.let_local(limit, last, span));
        let more = if inclusive {
            let more = self.b.local(None, Types::BOOL, span, true);
            let (a, b) = (self.b.use_local(counter, span), self.b.use_local(limit, span));
            let any = self.b.expr(ExprKind::Binary { op: BinaryOp::Le, left: a, right: b }, Types::BOOL, span);
            before.push(self.let_local(more, any, span));
            Some(more)
        } else {
            None
        };
        let cond = match more {
            Some(more) => self.b.use_local(more, span),
            None => {
                let (a, b) = (self.b.use_local(counter, span), self.b.use_local(limit, span));
                self.b.expr(ExprKind::Binary { op: BinaryOp::Lt, left: a, right: b }, Types::BOOL, span)
            }
        };
        let mark = self.scope.len();
        let mut inside = Vec::new();
        let current = self.b.use_local(counter, span);
        let current = if is_char { self.b.expr(ExprKind::Cast(current), Types::CHAR, span) } else { current };
        let bound = self.pattern(pattern, ty, false);
        inside.push(Stmt::Let { pattern: bound, value: current });
        let step = {
            let now = self.b.use_local(counter, span);
            let one = self.int(1, counter_ty, span);
            self.b.expr(ExprKind::Binary { op: BinaryOp::Add, left: now, right: one }, counter_ty, span)
        };
        match more {
            None => inside.push(self.set_local(counter, step, span)),
            Some(more) => {
                // The last value may be the type's largest: the counter must not step past it.
                let (a, b) = (self.b.use_local(counter, span), self.b.use_local(limit, span));
                let left = self.b.expr(ExprKind::Binary { op: BinaryOp::Lt, left: a, right: b }, Types::BOOL, span);
                let advance = self.set_local(counter, step, span);
                let advance = self.b.expr(ExprKind::Block { stmts: vec![advance], result: None }, Types::UNIT, span);
                let no = self.b.expr(ExprKind::Bool(false), Types::BOOL, span);
                let stop = self.set_local(more, no, span);
                let stop = self.b.expr(ExprKind::Block { stmts: vec![stop], result: None }, Types::UNIT, span);
                let kind = ExprKind::If { cond: left, then: advance, els: stop };
                inside.push(Stmt::Expr(self.b.expr(kind, Types::UNIT, span)));
            }
        }
        let body = self.loop_body(body, span);
        inside.push(Stmt::Expr(body));
        self.pop_scope(mark);
        self.guarded_loop(before, cond, inside, span)
    }

    fn for_array(
        &mut self,
        pattern: &ast::Pattern,
        items: ExprId,
        element: Ty,
        body: &ast::Expr,
        span: Span,
    ) -> ExprId {
        let (bind, array) = self.temporary(items);
        let index = self.b.local(None, Types::INT, span, true);
        let zero = self.int(0, Types::INT, span);
        let before = vec![bind, self.let_local(index, zero, span)];
        let fixed = match self.t.head(self.b.local_ty(array)) {
            Node::Fixed(_, len) => Some(len),
            _ => None,
        };
        let len = match fixed {
            Some(len) => self.int(i128::from(len), Types::INT, span),
            None => {
                let whole = self.b.use_local(array, span);
                self.prim_call("array_len", vec![whole], Types::INT, span)
            }
        };
        let now = self.b.use_local(index, span);
        let cond = self.b.expr(ExprKind::Binary { op: BinaryOp::Lt, left: now, right: len }, Types::BOOL, span);
        let whole = self.b.use_local(array, span);
        let at = self.b.use_local(index, span);
        let current = if fixed.is_some() {
            self.b.expr(ExprKind::Index { base: whole, index: at }, element, span)
        } else {
            self.prim_call("array_get_unchecked", vec![whole, at], element, span)
        };
        let mark = self.scope.len();
        let bound = self.pattern(pattern, element, false);
        let mut inside = vec![Stmt::Let { pattern: bound, value: current }];
        let now = self.b.use_local(index, span);
        let one = self.int(1, Types::INT, span);
        let step = self.b.expr(ExprKind::Binary { op: BinaryOp::Add, left: now, right: one }, Types::INT, span);
        inside.push(self.set_local(index, step, span));
        let body = self.loop_body(body, span);
        inside.push(Stmt::Expr(body));
        self.pop_scope(mark);
        self.guarded_loop(before, cond, inside, span)
    }

    /// A call of a primitive of `Core.Prim`; falls back to what the tree has of its own.
    pub(crate) fn prim_call(&mut self, name: &str, args: Vec<ExprId>, ret: Ty, span: Span) -> ExprId {
        let symbol = self.names.intern(name);
        let found = ["Core.Prim", "Core.Lang"].iter().find_map(|home| {
            let module = *self.module_names.get(*home)?;
            match self.modules[module].values.get(&symbol)?.item {
                Value::Fn(id) => Some(id),
                _ => None,
            }
        });
        let Some(id) = found else {
            if name == "array_get_unchecked" && args.len() == 2 {
                return self.b.expr(ExprKind::Index { base: args[0], index: args[1] }, ret, span);
            }
            self.error_once(Diagnostic::error(
                codes::NOT_SUPPORTED,
                span,
                format!("this needs `{name}` of the standard library's `Core.Prim`"),
            ));
            return self.b.error(span);
        };
        let own = self.b.row();
        let with = self.instantiate_fn(id, span, own);
        let params: Vec<Ty> =
            (0..self.fns[id].params.len()).map(|i| self.instance_type(self.fns[id].params[i].ty, &with)).collect();
        let result = self.instance_type(self.fns[id].ret, &with);
        let args = args
            .into_iter()
            .enumerate()
            .map(|(i, arg)| match params.get(i) {
                Some(&ty) => self.coerce(arg, ty, Why::None),
                None => arg,
            })
            .collect();
        let _ = self.t.unify(result, ret);
        let fn_ty = self.t.func(&params, result, super::ty::Row::NONE);
        let callee = self.fn_node(id, &with, fn_ty, span);
        self.b.expr(ExprKind::Call { callee, args }, ret, span)
    }

    fn for_list(
        &mut self,
        pattern: &ast::Pattern,
        items: ExprId,
        def: TypeDefId,
        element: Ty,
        body: &ast::Expr,
        span: Span,
    ) -> ExprId {
        let list_ty = self.t.peel(self.b.ty(items));
        let rest = self.b.local(None, list_ty, span, true);
        let before = vec![self.let_local(rest, items, span)];
        let mark = self.scope.len();
        let head = self.pattern(pattern, element, false);
        let tail = self.b.local(None, list_ty, span, false);
        let tail_pattern = self.b.bind_pattern(tail, span);
        let nil = self.variant_named(def, self.sym.nil).unwrap_or(0);
        let cons = self.variant_named(def, self.sym.cons).unwrap_or(1);
        let scrutinee = self.b.use_local(rest, span);
        let advance = self.b.use_local(tail, span);
        let mut inside = vec![self.set_local(rest, advance, span)];
        // A refutable head must not end the loop: it is matched on its own.
        let element_local = self.b.local(None, element, span, false);
        let element_pattern = self.b.bind_pattern(element_local, span);
        let value = self.b.use_local(element_local, span);
        inside.push(Stmt::Let { pattern: head, value });
        let body = self.loop_body(body, span);
        inside.push(Stmt::Expr(body));
        self.pop_scope(mark);
        let then = self.b.expr(ExprKind::Block { stmts: inside, result: None }, Types::UNIT, span);
        let kind = PatternKind::Variant { variant: cons, fields: vec![element_pattern, tail_pattern] };
        let cons_pattern = self.b.pattern(kind, list_ty, span);
        let kind = PatternKind::Variant { variant: nil, fields: Vec::new() };
        let nil_pattern = self.b.pattern(kind, list_ty, span);
        let stop = self.b.expr(ExprKind::Break(None), Types::NEVER, span);
        let arms = vec![
            Arm { pattern: cons_pattern, guard: None, body: then, span },
            Arm { pattern: nil_pattern, guard: None, body: stop, span },
        ];
        let matched = self.b.expr(ExprKind::Match { scrutinee, arms }, Types::UNIT, span);
        let looped = self.b.expr(ExprKind::Loop { body: matched }, Types::UNIT, span);
        self.b.expr(ExprKind::Block { stmts: before, result: Some(looped) }, Types::UNIT, span)
    }

    fn for_iterator(
        &mut self,
        pattern: &ast::Pattern,
        items: ExprId,
        at: Span,
        body: &ast::Expr,
        span: Span,
    ) -> ExprId {
        let ty = self.b.ty(items);
        let element = self.t.fresh();
        let iterable = self.lang_traits.into_iterator.filter(|&trait_| {
            self.t.is_var(ty)
                || self.head_of(ty).is_some_and(|head| {
                    self.impl_index.contains_key(&(trait_, head)) || self.impl_index.contains_key(&(trait_, Head::Any))
                })
                || self.b.assumptions.iter().any(|a| a.trait_ == trait_ && self.t.same(a.args[0], ty))
        });
        let (Some(trait_), Some(next)) = (iterable, self.iter_next()) else {
            let text = self.show(ty);
            self.report(
                Diagnostic::error(codes::ITERATOR_EXPECTED, at, format!("`for` cannot go through `{text}`"))
                    .with_primary_label(format!("this is `{text}`"))
                    .with_help("it goes through ranges, arrays, lists and every type with `IntoIterator`"),
            );
            let mark = self.scope.len();
            self.pattern(pattern, Types::ERROR, false);
            self.loop_body(body, span);
            self.pop_scope(mark);
            return self.b.error(span);
        };
        self.require(TraitRefTy { trait_, args: vec![ty, element], span: at }, at);
        let def = self.traits[trait_].methods[0].def;
        let own = self.b.row();
        let shared = self.t.rows.fresh();
        self.t.flow(shared, own);
        self.flow_rows(ty, shared);
        let rows = vec![super::ty::Row::var(shared); self.fns[def].row_count.max(1) as usize];
        let type_args = [ty, element];
        let iter_ty = self.t.instantiate(self.fns[def].ret, &super::ty::Instance { args: &type_args, rows: &rows });
        let started = self.method_call_on(trait_, 0, vec![ty, element], vec![items], iter_ty, at);
        let iterator = self.b.local(None, iter_ty, span, true);
        let before = vec![self.let_local(iterator, started, span)];
        // `match Iter.next(it) { Some(p) -> body, None -> break }`
        let with = self.instantiate_fn(next, span, own);
        let param = self.instance_type(self.fns[next].params[0].ty, &with);
        let option = self.instance_type(self.fns[next].ret, &with);
        let receiver = self.b.use_local(iterator, span);
        let receiver = self.coerce(receiver, param, Why::None);
        let fn_ty = self.t.func(&[param], option, super::ty::Row::NONE);
        let callee = self.fn_node(next, &with, fn_ty, span);
        let scrutinee = self.b.expr(ExprKind::Call { callee, args: vec![receiver] }, option, span);
        let Node::Adt(option_def, args, _) = self.t.head(option) else { return self.b.error(span) };
        let item = self.t.at(args, 0);
        let _ = self.t.unify(item, element);
        let mark = self.scope.len();
        let current = self.b.local(None, item, span, false);
        let current_pattern = self.b.bind_pattern(current, span);
        let bound = self.pattern(pattern, item, false);
        let value = self.b.use_local(current, span);
        let body = self.loop_body(body, span);
        self.pop_scope(mark);
        let inside = vec![Stmt::Let { pattern: bound, value }, Stmt::Expr(body)];
        let then = self.b.expr(ExprKind::Block { stmts: inside, result: None }, Types::UNIT, span);
        let some = self.variant_named(option_def, self.sym.some).unwrap_or(0);
        let none = self.variant_named(option_def, self.sym.none).unwrap_or(1);
        let kind = PatternKind::Variant { variant: some, fields: vec![current_pattern] };
        let some_pattern = self.b.pattern(kind, option, span);
        let kind = PatternKind::Variant { variant: none, fields: Vec::new() };
        let none_pattern = self.b.pattern(kind, option, span);
        let stop = self.b.expr(ExprKind::Break(None), Types::NEVER, span);
        let arms = vec![
            Arm { pattern: some_pattern, guard: None, body: then, span },
            Arm { pattern: none_pattern, guard: None, body: stop, span },
        ];
        let matched = self.b.expr(ExprKind::Match { scrutinee, arms }, Types::UNIT, span);
        let looped = self.b.expr(ExprKind::Loop { body: matched }, Types::UNIT, span);
        self.b.expr(ExprKind::Block { stmts: before, result: Some(looped) }, Types::UNIT, span)
    }

    /// `Core.Iter.next`.
    fn iter_next(&self) -> Option<FnId> {
        let module = *self.module_names.get("Core.Iter")?;
        match self.modules[module].values.get(&self.sym.next)?.item {
            Value::Fn(id) => Some(id),
            _ => None,
        }
    }
}
