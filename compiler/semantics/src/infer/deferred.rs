//! Decisions that wait for a type: taken as soon as it is known, by defaults at the end, or reported.

use cranelift_entity::EntityRef;
use reml_diagnostics::{Diagnostic, Span, codes};

use super::body::{Deferred, DeferredKind, Frame, Want, Why};
use super::call::{Arg, Source};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::traits::Solved;
use crate::typed::*;

/// How hard to try.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(crate) enum Effort {
    /// Only what is certain.
    Known,
    /// Operands have one type; literals have their default types.
    Guess,
    /// Nothing more will be known: decide or report.
    Last,
}

impl<'a> Checker<'a> {
    pub fn defer(&mut self, expr: ExprId, kind: DeferredKind) {
        let span = self.b.span(expr);
        let item = Deferred { expr, span, row: self.b.row(), unsafe_ok: self.b.unsafe_depth > 0, kind };
        // Most are decided at once.
        if let Some(item) = self.attempt(item, Effort::Known) {
            self.b.deferred.push(item);
        }
    }

    /// A condition that must hold.
    pub fn require(&mut self, reference: TraitRefTy, span: Span) {
        self.require_for(reference, span, None);
    }

    /// A condition that must hold because `callee` says so.
    pub fn require_for(&mut self, reference: TraitRefTy, span: Span, callee: Option<FnId>) {
        let note = self.note_constraint(&reference, span, callee);
        if let Solved::Unknown = self.solve_noted(note, &reference, Effort::Known) {
            let item = Deferred {
                expr: ExprId::new(0),
                span,
                row: self.b.row(),
                unsafe_ok: false,
                kind: DeferredKind::Trait(reference, note),
            };
            self.b.deferred.push(item);
        }
    }

    /// A type is needed now: decide what waits, if that may tell it.
    pub fn force(&mut self, ty: Ty) {
        if !self.b.deferred.is_empty() && self.t.var_kind(self.t.peel(ty)) == Some(VarKind::Any) {
            self.solve(Effort::Known);
        }
        if !self.pending.is_empty() && self.t.is_var(ty) {
            self.poke_pending();
        }
    }

    /// Tries everything that waits until nothing more can be decided. With `Guess`, one guess at a time.
    pub fn solve(&mut self, effort: Effort) {
        loop {
            let items = std::mem::take(&mut self.b.deferred);
            if items.is_empty() {
                return;
            }
            let before = items.len();
            let mut keep = Vec::new();
            let mut guessed = false;
            for item in items {
                let effort = if guessed { Effort::Known } else { effort };
                match self.attempt(item, effort) {
                    Some(item) => keep.push(item),
                    None => guessed |= effort == Effort::Guess,
                }
            }
            let progress = keep.len() < before;
            keep.append(&mut self.b.deferred);
            self.b.deferred = keep;
            if !progress || effort == Effort::Last && self.b.deferred.is_empty() {
                return;
            }
        }
    }

    /// Gives the item back when it must wait.
    fn attempt(&mut self, item: Deferred, effort: Effort) -> Option<Deferred> {
        let last = effort == Effort::Last;
        // What is built now belongs to the function it was written in.
        let frame = Frame::new(Types::ERROR, Why::None, item.row);
        self.b.frames.push(frame);
        self.b.unsafe_depth += u32::from(item.unsafe_ok);
        self.b.waiting = match item.kind {
            DeferredKind::Binary { .. } | DeferredKind::Negate { .. } | DeferredKind::Index { .. } => {
                Some(self.b.ty(item.expr))
            }
            _ => None,
        };
        let result = self.attempt_inner(&item, effort, last);
        self.b.waiting = None;
        self.b.unsafe_depth -= u32::from(item.unsafe_ok);
        self.b.frames.pop();
        match result {
            Attempt::Done => None,
            Attempt::Node(id) => {
                self.forward(item.expr, id);
                None
            }
            Attempt::Wait => Some(item),
        }
    }

    /// The waiting node stands for another one from now on.
    fn forward(&mut self, from: ExprId, to: ExprId) {
        let ty = self.b.ty(from);
        let to = self.coerce(to, ty, Why::None);
        self.b.set(from, ExprKind::Block { stmts: Vec::new(), result: Some(to) });
    }

    fn is_open(&self, id: ExprId) -> bool {
        self.t.var_kind(self.t.peel(self.b.ty(id))) == Some(VarKind::Any)
    }

    fn ambiguous(&mut self, span: Span, what: &str) -> Attempt {
        self.error_once(
            Diagnostic::error(codes::TYPE_AMBIGUOUS, span, format!("{what} is not known here"))
                .with_help("annotate the parameter or binding it comes from"),
        );
        Attempt::Done
    }

    fn attempt_inner(&mut self, item: &Deferred, effort: Effort, last: bool) -> Attempt {
        let span = item.span;
        match &item.kind {
            DeferredKind::Field { base, name } => {
                if self.is_open(*base) {
                    if !last {
                        return Attempt::Wait;
                    }
                    let text = self.names.text(name.name).to_owned();
                    return self.ambiguous(span, &format!("the type of the value whose field `{text}` is used"));
                }
                Attempt::Node(self.field_of(*base, *name, span))
            }
            DeferredKind::TupleField { base, index } => {
                if self.is_open(*base) {
                    if !last {
                        return Attempt::Wait;
                    }
                    return self.ambiguous(span, "the type of this tuple");
                }
                Attempt::Node(self.tuple_field_of(*base, *index, span))
            }
            DeferredKind::Method { receiver, name, args } => {
                if self.is_open(*receiver) {
                    if !last {
                        return Attempt::Wait;
                    }
                    let text = self.names.text(name.name).to_owned();
                    return self.ambiguous(span, &format!("the type of the value whose method `{text}` is called"));
                }
                let args: Vec<Arg<'_>> = args
                    .iter()
                    .map(|&(name, id)| Arg { name, source: Source::Done(id), span: self.b.span(id) })
                    .collect();
                Attempt::Node(self.method_call(*receiver, *name, &args, Want::NOTHING, span))
            }
            DeferredKind::Binary { op, left, right } => {
                match self.try_binary(*op, *left, *right, span, effort >= Effort::Guess) {
                    Some(id) => Attempt::Node(id),
                    None if last => {
                        // Nothing tells the type: numbers are the usual case.
                        let _ = self.t.unify(self.b.ty(*left), Types::INT);
                        let _ = self.t.unify(self.b.ty(*right), Types::INT);
                        match self.try_binary(*op, *left, *right, span, true) {
                            Some(id) => Attempt::Node(id),
                            None => self.ambiguous(span, "the type of these operands"),
                        }
                    }
                    None => Attempt::Wait,
                }
            }
            DeferredKind::Compare { op, left, right } => match self.try_compare(*op, *left, *right, span) {
                Some(id) => Attempt::Node(id),
                None if last => {
                    let ty = self.b.ty(*left);
                    self.t.settle(ty);
                    if self.t.is_open(ty) {
                        let _ = self.t.unify(ty, Types::UNIT);
                    }
                    match self.try_compare(*op, *left, *right, span) {
                        Some(id) => Attempt::Node(id),
                        None => Attempt::Done,
                    }
                }
                None => Attempt::Wait,
            },
            DeferredKind::Negate { operand } => match self.try_negate(*operand, span, last) {
                Some(id) => Attempt::Node(id),
                None => Attempt::Wait,
            },
            DeferredKind::Index { base, index } => match self.try_index(*base, *index, span) {
                Some(id) => Attempt::Node(id),
                None if last => self.ambiguous(span, "the type of the value that is indexed"),
                None => Attempt::Wait,
            },
            DeferredKind::Cast { operand } => self.try_cast(item.expr, *operand, span, effort),
            DeferredKind::Text { operand, debug } => match self.try_text(*operand, *debug, span, last) {
                Some(id) => Attempt::Node(id),
                None => Attempt::Wait,
            },
            DeferredKind::FormatNumber { operand, spec } => match self.try_format(*operand, *spec, span, last) {
                Some(id) => Attempt::Node(id),
                None => Attempt::Wait,
            },
            DeferredKind::ErrorConversion { operand } => {
                // Before a signature is generalised: what `?` hands on is all that tells how the function fails.
                let target = self.b.ty(item.expr);
                match self.try_convert_error(*operand, target, span, effort != Effort::Known) {
                    Some(id) => Attempt::Node(id),
                    None => Attempt::Wait,
                }
            }
            DeferredKind::Json { operand } => match self.try_json(*operand, span, last) {
                Some(id) => Attempt::Node(id),
                None => Attempt::Wait,
            },
            DeferredKind::Trait(reference, note) => match self.solve_noted(*note, reference, effort) {
                Solved::Unknown => Attempt::Wait,
                Solved::Yes | Solved::No => Attempt::Done,
            },
        }
    }

    fn try_cast(&mut self, expr: ExprId, operand: ExprId, span: Span, effort: Effort) -> Attempt {
        let (from, to) = (self.t.resolve(self.b.ty(operand)), self.t.resolve(self.b.ty(expr)));
        match (self.t.get(from), self.t.get(to)) {
            (Node::Error, _) | (_, Node::Error) => Attempt::Done,
            (Node::Prim(p), Node::Prim(q)) => match Self::cast_rule(p, q) {
                Some(checked) => {
                    if p == q {
                        return Attempt::Node(operand);
                    }
                    if checked && !matches!(self.b.exprs[operand].kind, ExprKind::Int(v) if Self::literal_fits(v, q)) {
                        let row = self.b.row();
                        self.effect_event(
                            row,
                            crate::effects::tags::PANIC,
                            span,
                            crate::effects::What::Text("this narrowing `as`"),
                        );
                    }
                    self.b.set(expr, ExprKind::Cast(operand));
                    Attempt::Done
                }
                None => self.invalid_cast(from, to, span),
            },
            (Node::Var(_), Node::Prim(q)) => {
                // A literal takes the target's type where it can: `200 as u8` is a `u8`.
                let literal = matches!(self.b.exprs[operand].kind, ExprKind::Int(_) | ExprKind::Float(_));
                if literal && (q.is_integer() || q.is_float()) && self.t.can_unify(from, to) {
                    let fits = match self.b.exprs[operand].kind {
                        ExprKind::Int(value) => Self::literal_fits(value, q),
                        _ => true,
                    };
                    if fits {
                        let _ = self.t.unify(from, to);
                        return Attempt::Node(operand);
                    }
                }
                match (self.t.var_kind(from), effort) {
                    (_, Effort::Known) => Attempt::Wait,
                    (Some(VarKind::Float), _) => {
                        let _ = self.t.unify(from, Types::FLOAT);
                        self.try_cast(expr, operand, span, effort)
                    }
                    (Some(VarKind::Int), _) => {
                        let _ = self.t.unify(from, Types::INT);
                        self.try_cast(expr, operand, span, effort)
                    }
                    (_, Effort::Guess) => Attempt::Wait,
                    _ => self.ambiguous(span, "the type of the value before `as`"),
                }
            }
            _ if self.t.same(from, to) => Attempt::Node(operand),
            (Node::Var(_), _) | (_, Node::Var(_)) if effort != Effort::Last => Attempt::Wait,
            _ => self.invalid_cast(from, to, span),
        }
    }

    fn invalid_cast(&mut self, from: Ty, to: Ty, span: Span) -> Attempt {
        let (from, to) = (self.show(from), self.show(to));
        self.report(
            Diagnostic::error(codes::TYPE_CAST_INVALID, span, format!("`as` cannot turn `{from}` into `{to}`"))
                .with_help("`as` converts between numbers, `Bool` and `Char`"),
        );
        Attempt::Done
    }

    /// The error that `?` hands on, as the type the function fails with.
    pub fn convert_error(&mut self, operand: ExprId, target: Ty, span: Span) -> ExprId {
        if let Some(id) = self.try_convert_error(operand, target, span, false) {
            return id;
        }
        let id = self.b.expr(ExprKind::Error, target, span);
        self.b.deferred.push(Deferred {
            expr: id,
            span,
            row: self.b.row(),
            unsafe_ok: false,
            kind: DeferredKind::ErrorConversion { operand },
        });
        id
    }

    fn try_convert_error(&mut self, operand: ExprId, target: Ty, span: Span, last: bool) -> Option<ExprId> {
        let from = self.t.resolve(self.b.ty(operand));
        let to = self.t.resolve(target);
        if from == to || self.t.same(from, to) {
            let _ = self.t.unify(from, to);
            return Some(operand);
        }
        if (self.t.is_var(from) || self.t.is_var(to)) && !last {
            return None;
        }
        if self.t.is_var(from) || self.t.is_var(to) || self.t.can_unify(from, to) {
            let _ = self.t.unify(from, to);
            return Some(operand);
        }
        let Some(trait_) = self.lang_traits.from else {
            return Some(self.coerce(operand, target, Why::None));
        };
        let head = self.head_of(to);
        let exists = head.is_some_and(|h| self.impl_index.contains_key(&(trait_, h)))
            || self.impl_index.contains_key(&(trait_, Head::Any))
            || self.b.assumptions.iter().any(|a| a.trait_ == trait_ && self.t.same(a.args[0], to));
        if !exists {
            let (f, t) = (self.show(from), self.show(to));
            let mut diagnostic = Diagnostic::error(
                codes::TYPE_MISMATCH,
                span,
                format!("`?` fails with `{f}`, but this function fails with `{t}`"),
            );
            diagnostic =
                diagnostic.with_help(format!("convert it with `.map_err(..)`, or write `impl From<{f}> for {t}`"));
            self.report(diagnostic);
            return Some(self.b.error(span));
        }
        self.require(TraitRefTy { trait_, args: vec![to, from], span }, span);
        Some(self.method_call_on(trait_, 0, vec![to, from], vec![operand], to, span))
    }
}

pub(crate) enum Attempt {
    Done,
    Node(ExprId),
    Wait,
}
