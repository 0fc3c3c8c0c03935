//! Branches, loops, jumps and lambdas.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::body::{Frame, FrameKind, LoopFrame, Want, Why};
use super::ty::{Node, Row, Ty, Types};
use crate::cx::*;
use crate::typed::*;

/// The branches of an `if` or `match`, and the type they have agreed on.
pub(crate) struct Join {
    want: Want,
    ty: Option<Ty>,
    first: Span,
    all_diverge: bool,
}

impl<'a> Checker<'a> {
    pub fn join(&self, want: Want) -> Join {
        let want = match want.ty {
            Some(ty) if self.t.is_var(ty) => Want { ty: None, ..want },
            _ => want,
        };
        Join { want, ty: None, first: Span::NONE, all_diverge: true }
    }

    pub fn join_branch(&mut self, join: &mut Join, e: &ast::Expr) -> ExprId {
        let tail = join.want.tail;
        if let Some(ty) = join.want.ty {
            let id = self.check_want(e, ty, join.want);
            join.all_diverge &= self.diverges(id);
            return id;
        }
        match join.ty {
            Some(ty) => {
                let why = Why::Branch { first: join.first, tail };
                let id = self.expr(e, Want { ty: Some(ty), why, tail });
                self.coerce(id, ty, why)
            }
            None => {
                let id = self.value(e, Want { ty: None, why: Why::None, tail });
                if !self.diverges(id) {
                    join.ty = Some(self.b.ty(id));
                    join.first = result_span(e);
                    join.all_diverge = false;
                }
                id
            }
        }
    }

    pub fn joined_type(&self, join: &Join) -> Ty {
        if join.all_diverge { Types::NEVER } else { join.want.ty.or(join.ty).unwrap_or(Types::NEVER) }
    }

    pub(super) fn if_expr(
        &mut self,
        cond: &ast::Expr,
        then: &ast::Expr,
        els: Option<&ast::Expr>,
        want: Want,
        span: Span,
    ) -> ExprId {
        // `else if` chains are long in generated code: they are a loop here, not recursion.
        let mut conditions = Vec::new();
        let (mut cond, mut then, mut els, mut at) = (cond, then, els, span);
        let mut join = self.join(want);
        loop {
            let c = self.check(cond, Types::BOOL, Why::Condition);
            let t = match els {
                Some(_) => self.join_branch(&mut join, then),
                None if conditions.is_empty() => {
                    let id = self.check(then, Types::UNIT, Why::NoElse);
                    let unit = self.b.unit(span.shrink_to_end());
                    return self.b.expr(ExprKind::If { cond: c, then: id, els: unit }, Types::UNIT, span);
                }
                None => {
                    // The chain ends without `else`: its value is `()`.
                    self.join_branch(&mut join, then)
                }
            };
            conditions.push((c, t, at));
            match els {
                Some(next) => match &*next.kind {
                    Ast::If { cond: c, then: t, els: e } => (cond, then, els, at) = (c, t, e.as_ref(), next.span),
                    _ => break,
                },
                None => break,
            }
        }
        let mut last = match els {
            Some(last) => self.join_branch(&mut join, last),
            None => {
                let ty = self.joined_type(&join);
                if ty != Types::NEVER && self.t.unify(ty, Types::UNIT).is_err() {
                    self.mismatch(ty, Types::UNIT, join.first, Why::NoElse, super::ty::Clash::Mismatch);
                }
                join.all_diverge = false;
                join.ty = join.ty.or(Some(Types::UNIT));
                self.b.unit(span.shrink_to_end())
            }
        };
        let ty = self.joined_type(&join);
        for (cond, then, at) in conditions.into_iter().rev() {
            last = self.b.expr(ExprKind::If { cond, then, els: last }, ty, at);
        }
        last
    }

    pub(super) fn match_expr(&mut self, scrutinee: &ast::Expr, arms: &[ast::Arm], want: Want, span: Span) -> ExprId {
        let scrutinee = self.value(scrutinee, Want::NOTHING);
        let ty = self.b.ty(scrutinee);
        self.force(ty);
        let mut join = self.join(want);
        let mut typed = Vec::with_capacity(arms.len());
        for arm in arms {
            let mark = self.scope.len();
            let mut pattern = self.pattern(&arm.pattern, ty, false);
            if let Some(alias) = arm.alias {
                let local = self.bind_name(alias, ty, false);
                pattern = self.b.pattern(PatternKind::Bind(local, Some(pattern)), ty, arm.pattern.span);
            }
            let guard = arm.guard.as_ref().map(|guard| {
                if guard.deprecated_if {
                    self.warn_if_guard(guard);
                }
                self.check(&guard.cond, Types::BOOL, Why::Condition)
            });
            let body = self.join_branch(&mut join, &arm.body);
            self.pop_scope(mark);
            typed.push(Arm { pattern, guard, body, span: arm.span });
        }
        let ty = self.joined_type(&join);
        self.b.expr(ExprKind::Match { scrutinee, arms: typed }, ty, span)
    }

    fn warn_if_guard(&mut self, guard: &ast::Guard) {
        let keyword = Span::new(guard.span.start, (guard.span.start + 2).min(guard.span.end));
        self.report(
            Diagnostic::warning(codes::PATTERN_GUARD_IF, guard.span, "a guard is written with `when`").with_fix(
                keyword,
                "when",
                "write `when` instead of `if`",
            ),
        );
    }

    pub(super) fn while_expr(&mut self, cond: &ast::Expr, body: &ast::Expr, span: Span) -> ExprId {
        let cond = self.check(cond, Types::BOOL, Why::Condition);
        self.b.frame().loops.push(LoopFrame { result: None, broken: false, first: span });
        let then = self.discarded(body);
        self.b.frame().loops.pop();
        let els = self.b.expr(ExprKind::Break(None), Types::NEVER, span);
        let body = self.b.expr(ExprKind::If { cond, then, els }, Types::UNIT, span);
        self.b.expr(ExprKind::Loop { body }, Types::UNIT, span)
    }

    pub(super) fn loop_expr(&mut self, body: &ast::Expr, want: Want, span: Span) -> ExprId {
        let result = match want.ty {
            Some(ty) => ty,
            None => self.t.fresh(),
        };
        self.b.frame().loops.push(LoopFrame { result: Some(result), broken: false, first: span });
        let body = self.discarded(body);
        let frame = self.b.frame().loops.pop();
        let ty = if frame.is_some_and(|f| f.broken) { result } else { Types::NEVER };
        self.b.expr(ExprKind::Loop { body }, ty, span)
    }

    /// An expression whose value nobody looks at.
    pub fn discarded(&mut self, e: &ast::Expr) -> ExprId {
        let id = self.expr(e, Want::NOTHING);
        let ty = self.t.resolve(self.b.ty(id));
        if ty == Types::UNIT || ty == Types::NEVER {
            return id;
        }
        let span = e.span;
        self.b.expr(ExprKind::Block { stmts: vec![Stmt::Expr(id)], result: None }, Types::UNIT, span)
    }

    pub(super) fn return_expr(&mut self, value: Option<&ast::Expr>, span: Span) -> ExprId {
        if self.outside_function() {
            self.error(codes::CONTROL_OUTSIDE_FUNCTION, span, "`return` stands outside of a function");
            return self.b.error(span);
        }
        let frame = self.b.return_frame();
        let (ret, tail, first) = (frame.ret, frame.tail, frame.returned);
        let why = match first {
            Some(first) if tail => Why::Branch { first, tail },
            _ => frame.why,
        };
        let value = match value {
            Some(value) => {
                let id = self.expr(value, Want::of(ret, why));
                let id = self.deref(id);
                let id = self.coerce(id, ret, why);
                let at = value.span;
                self.b.return_frame().returned.get_or_insert(at);
                Some(id)
            }
            None => {
                if let Err(clash) = self.t.unify(Types::UNIT, ret) {
                    self.mismatch(Types::UNIT, ret, span, why, clash);
                }
                None
            }
        };
        self.leave(value, span)
    }

    /// `break` or `continue` without a loop.
    pub(super) fn outside_loop(&mut self, word: &str, span: Span) -> ExprId {
        let mut diagnostic =
            Diagnostic::error(codes::CONTROL_OUTSIDE_LOOP, span, format!("`{word}` stands outside of a loop"));
        if self.b.frame().kind != FrameKind::Function {
            diagnostic = diagnostic.with_note(
                "a handled computation and the clauses of its handler are functions of their own: they cannot leave a loop around the `handle`",
            );
        }
        self.report(diagnostic);
        self.b.error(span)
    }

    pub(super) fn break_expr(&mut self, value: Option<&ast::Expr>, span: Span) -> ExprId {
        if self.b.frame().loops.is_empty() {
            return self.outside_loop("break", span);
        }
        let Some(frame) = self.b.frame().loops.last_mut() else { return self.b.error(span) };
        let was_broken = frame.broken;
        frame.broken = true;
        let (result, first) = (frame.result, frame.first);
        if !was_broken {
            frame.first = span;
        }
        let value = match (value, result) {
            (Some(value), Some(result)) => {
                let why = if was_broken { Why::Break(first) } else { Why::None };
                let id = self.expr(value, Want::of(result, why));
                let id = self.deref(id);
                Some(self.coerce(id, result, why))
            }
            (Some(value), None) => {
                self.error(
                    codes::TYPE_MISMATCH,
                    value.span,
                    "`break` can carry a value only out of `loop`: other loops may end without one",
                );
                self.expr(value, Want::NOTHING);
                None
            }
            (None, Some(result)) => {
                if let Err(clash) = self.t.unify(Types::UNIT, result) {
                    let why = if was_broken { Why::Break(first) } else { Why::None };
                    self.mismatch(Types::UNIT, result, span, why, clash);
                }
                None
            }
            (None, None) => None,
        };
        self.b.expr(ExprKind::Break(value), Types::NEVER, span)
    }

    pub(super) fn lambda_expr(
        &mut self,
        params: &[ast::Param],
        ret: Option<&ast::Type>,
        body: &ast::Expr,
        want: Want,
        span: Span,
    ) -> ExprId {
        let expected = match want.ty.map(|ty| self.t.head(ty)) {
            Some(Node::Fn { sig, .. }) if sig.len as usize == params.len() + 1 => Some(sig),
            _ => None,
        };
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        let mut types = Vec::with_capacity(params.len());
        let mut patterns = Vec::with_capacity(params.len());
        for (i, param) in params.iter().enumerate() {
            let hint = expected.map(|sig| self.t.at(sig, i));
            let ty = match (&param.ty, hint) {
                (Some(written), hint) => {
                    let ty = self.body_type(written);
                    if let Some(hint) = hint {
                        let _ = self.t.can_unify(ty, hint) && self.t.unify(ty, hint).is_ok();
                    }
                    ty
                }
                (None, Some(hint)) => hint,
                (None, None) => self.t.fresh(),
            };
            if param.default.is_some() {
                self.error(codes::SIGNATURE_INCOMPLETE, param.span, "a lambda's parameter cannot have a default");
            }
            patterns.push(self.param_pattern(&param.pattern, ty));
            types.push(ty);
        }
        let (ret_ty, why, known) = match (ret, expected) {
            (Some(written), _) => (self.body_type(written), Why::Return(written.span), true),
            (None, Some(sig)) => {
                let ty = self.t.at(sig, params.len());
                (ty, want.why, !self.t.is_var(ty))
            }
            (None, None) => (self.t.fresh(), Why::None, false),
        };
        let row = self.t.rows.fresh();
        self.b.frames.push(Frame { tail: !known, ..Frame::new(ret_ty, why, row) });
        let body = if known && ret.is_none() && self.t.resolve(ret_ty) == Types::UNIT {
            // Where `() -> ()` is expected, a lambda's value is dropped.
            let id = self.discarded(body);
            self.coerce(id, Types::UNIT, why)
        } else {
            let id = self.expr(body, Want { ty: Some(ret_ty), why, tail: !known });
            let id = self.deref(id);
            let why = match self.b.frame().returned {
                Some(first) if !known => Why::Branch { first, tail: true },
                _ => why,
            };
            let id = self.coerce(id, ret_ty, why);
            if self.diverges(id) && self.t.is_var(ret_ty) && want.ty.is_none() {
                let _ = self.t.unify(ret_ty, Types::NEVER);
            }
            id
        };
        self.b.frames.pop();
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        self.allocates(span);
        let ty = self.t.func(&types, ret_ty, Row::var(row));
        self.b.expr(ExprKind::Lambda { params: patterns, body }, ty, span)
    }
}

/// The expression that a block's value comes from; what a message should point at.
fn result_span(e: &ast::Expr) -> Span {
    match &*e.kind {
        Ast::Block(block) | Ast::Unsafe(block) => block.result.as_ref().map_or(e.span, |result| result_span(result)),
        _ => e.span,
    }
}
