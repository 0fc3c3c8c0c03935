//! `return` and `?` in a handled computation: they leave the function around the `handle`.
//!
//! A handled computation is a function of its own, so leaving it takes an effect: `return v` there performs
//! `Exit.leave(v)`, the `handle` gets a second handler around it that never resumes, and what that one catches is
//! returned from where the `handle` stands.

use cranelift_entity::EntityRef;
use reml_diagnostics::{Diagnostic, Span, codes};

use super::body::FrameKind;
use super::ty::{Row, Ty, Types};
use crate::cx::*;
use crate::typed::*;

/// Where a `handle` starts.
pub(super) struct Departure {
    departures: u32,
    exprs: usize,
    locals: usize,
}

impl<'a> Checker<'a> {
    /// Control leaves the function with a value of its result type.
    pub(super) fn leave(&mut self, value: Option<ExprId>, span: Span) -> ExprId {
        if self.b.frame().kind != FrameKind::Handled {
            return self.b.expr(ExprKind::Return(value), Types::NEVER, span);
        }
        self.b.frame().left = true;
        let ret = self.b.return_frame().ret;
        let Some(effect) = self.exit(span) else { return self.b.error(span) };
        let value = match value {
            Some(value) => value,
            None => self.b.unit(span),
        };
        let (effect_args, type_args, args) = (Vec::new(), Vec::new(), vec![value]);
        let kind = ExprKind::Perform(Box::new(Perform { effect, effect_args, operation: 0, type_args, args }));
        let node = self.b.expr(kind, Types::NEVER, span);
        let list = self.t.list(&[ret]);
        self.b.type_args.push((node, list));
        node
    }

    fn exit(&mut self, span: Span) -> Option<EffectId> {
        if self.lang_exit.is_none() {
            let message = "leaving a handled computation needs the effect `Exit` of the standard library's `Core.Lang`";
            self.error_once(Diagnostic::error(codes::NOT_SUPPORTED, span, message));
        }
        self.lang_exit
    }

    pub(super) fn mark_departure(&self) -> Departure {
        Departure { departures: self.b.departures, exprs: self.b.exprs.len(), locals: self.b.locals.len() }
    }

    /// Puts the handler that catches departures around a finished `handle`, if there are any.
    pub(super) fn arrive(&mut self, from: Departure, node: ExprId, span: Span) -> ExprId {
        if self.b.departures == from.departures || self.b.is_error(node) {
            self.b.departures = from.departures;
            return node;
        }
        self.b.departures = from.departures;
        let (Some(effect), Some(result)) = (self.exit(span), self.lang.result) else { return node };
        let (Some(ok), Some(err)) = (self.variant_named(result, self.sym.ok), self.variant_named(result, self.sym.err))
        else {
            return node;
        };
        self.box_variables(&from);
        let (value_ty, ret) = (self.b.ty(node), self.b.return_frame().ret);
        let row = self.b.row();
        let caught = self.t.adt(result, &[value_ty, ret], Row::NONE);
        // || Ok(handle ..)
        let arrived = self.b.expr(ExprKind::Construct { variant: ok, args: vec![node] }, caught, span);
        let thunk_ty = self.t.func(&[], caught, Row::var(row));
        let body = self.b.expr(ExprKind::Lambda { params: Vec::new(), body: arrived }, thunk_ty, span);
        // |value, _| Err(value)
        let function = self.departure_clause(ret, caught, err, row, span);
        let clause = Clause { kind: ClauseKind::General, function, reentrant: false, first_generic: 0, span };
        let handle = Handle { effect, effect_args: Vec::new(), body, clauses: vec![clause], ret: None };
        let scrutinee = self.b.expr(ExprKind::Handle(Box::new(handle)), caught, span);
        self.b.handles.push(scrutinee);
        let list = self.t.list(&[ret]);
        self.b.type_args.push((scrutinee, list));
        // match .. { Ok(value) -> value, Err(value) -> return value }
        let mut arms = Vec::with_capacity(2);
        for (variant, ty) in [(ok, value_ty), (err, ret)] {
            let local = self.b.local(None, ty, span, false);
            let bind = self.b.bind_pattern(local, span);
            let pattern = self.b.pattern(PatternKind::Variant { variant, fields: vec![bind] }, caught, span);
            let value = self.b.use_local(local, span);
            let body = if variant == ok { value } else { self.leave(Some(value), span) };
            arms.push(Arm { pattern, guard: None, body, span });
        }
        self.b.expr(ExprKind::Match { scrutinee, arms }, value_ty, span)
    }

    fn departure_clause(&mut self, ret: Ty, caught: Ty, err: u32, row: u32, span: Span) -> ExprId {
        self.b.lambda_depth += 1;
        let local = self.b.local(None, ret, span, false);
        let bind = self.b.bind_pattern(local, span);
        let value = self.b.use_local(local, span);
        self.b.lambda_depth -= 1;
        let resume_ty = self.t.func(&[Types::NEVER], caught, Row::var(row));
        let resume = self.b.pattern(PatternKind::Wildcard, resume_ty, span);
        let left = self.b.expr(ExprKind::Construct { variant: err, args: vec![value] }, caught, span);
        let ty = self.t.func(&[ret, resume_ty], caught, Row::var(row));
        self.b.expr(ExprKind::Lambda { params: vec![bind, resume], body: left }, ty, span)
    }

    /// What stood beside the handled computation is in a lambda now, and shares the variables around it.
    fn box_variables(&mut self, from: &Departure) {
        for index in from.exprs..self.b.exprs.len() {
            let local = match &self.b.exprs[ExprId::new(index)].kind {
                ExprKind::Local(local) => *local,
                ExprKind::Assign { place, .. } | ExprKind::BorrowMut(place) => place.local,
                _ => continue,
            };
            if local.index() < from.locals && self.b.locals[local].mutable {
                self.b.locals[local].boxed = true;
            }
        }
    }
}
