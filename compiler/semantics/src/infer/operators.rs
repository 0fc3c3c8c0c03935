//! Operators: machine operations where the operand types are machine types, else traits.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, BinaryOp as Op, ExprKind as Ast, UnaryOp as Unary};

use super::body::{DeferredKind, Want, Why};
use super::ty::{Clash, Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::effects::tags;
use crate::typed::*;
use crate::types::Prim;

impl<'a> Checker<'a> {
    pub fn binary_expr(
        &mut self,
        op: Op,
        op_span: Span,
        left: &ast::Expr,
        right: &ast::Expr,
        want: Want,
        span: Span,
    ) -> ExprId {
        // The left spine of `a + b + c` is a loop.
        let mut spine = vec![(op, op_span, right, span)];
        let mut first = left;
        while let Ast::Binary { op, op_span, left, right } = &*first.kind {
            spine.push((*op, *op_span, right, first.span));
            first = left;
        }
        let hint = match spine.last() {
            Some((Op::And | Op::Or, ..)) => Want::of(Types::BOOL, Why::Condition),
            Some((op, ..)) if is_arithmetic(*op) && spine.iter().all(|s| is_arithmetic(s.0)) => self.number_hint(want),
            _ => Want::NOTHING,
        };
        let mut id = self.value(first, hint);
        for (op, op_span, right, span) in spine.into_iter().rev() {
            id = match op {
                Op::And | Op::Or => {
                    let left = self.coerce(id, Types::BOOL, Why::Condition);
                    let right = self.check(right, Types::BOOL, Why::Condition);
                    let kind = if op == Op::And { ExprKind::And(left, right) } else { ExprKind::Or(left, right) };
                    self.b.expr(kind, Types::BOOL, span)
                }
                Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => self.comparison(op, id, right, span),
                _ => self.arithmetic(op, op_span, id, right, span),
            };
        }
        id
    }

    /// The expected type, when it may be that of a number.
    fn number_hint(&self, want: Want) -> Want {
        match want.ty.map(|ty| self.t.head(ty)) {
            Some(Node::Prim(p)) if p.is_integer() || p.is_float() => want,
            _ => Want::NOTHING,
        }
    }

    fn arithmetic(&mut self, op: Op, op_span: Span, left: ExprId, right: &ast::Expr, span: Span) -> ExprId {
        let left_ty = self.b.ty(left);
        let left_span = self.b.span(left);
        let hint = match self.t.head(left_ty) {
            Node::Prim(p) if (p.is_integer() || p.is_float()) && !matches!(op, Op::Shl | Op::Shr) => {
                Want::of(left_ty, Why::Operand(left_span))
            }
            Node::Var(_) if self.t.is_number_literal(left_ty) && !matches!(op, Op::Shl | Op::Shr) => {
                Want::of(left_ty, Why::Operand(left_span))
            }
            Node::Array(_) | Node::Adt(..) if op == Op::Concat => Want::of(left_ty, Why::Operand(left_span)),
            _ => Want::NOTHING,
        };
        let right = self.value(right, hint);
        if let Some(id) = self.try_binary(op, left, right, span, false) {
            return id;
        }
        let result = self.t.fresh();
        let id = self.b.expr(ExprKind::Error, result, span);
        let _ = op_span;
        self.defer(id, DeferredKind::Binary { op, left, right });
        id
    }

    /// The operation, as soon as the operand types tell which it is. `guess`: assume equal operand types.
    pub fn try_binary(&mut self, op: Op, left: ExprId, right: ExprId, span: Span, guess: bool) -> Option<ExprId> {
        let (l, r) = (self.t.resolve(self.b.ty(left)), self.t.resolve(self.b.ty(right)));
        if l == Types::NEVER || r == Types::NEVER {
            return Some(self.b.expr(
                ExprKind::Block { stmts: vec![Stmt::Expr(left), Stmt::Expr(right)], result: None },
                Types::NEVER,
                span,
            ));
        }
        if self.t.is_sequence_literal(l) {
            match self.t.get(r) {
                Node::Array(_) | Node::Adt(..) if self.t.can_unify(l, r) => {
                    let _ = self.t.unify(l, r);
                }
                Node::Var(_) if self.t.can_unify(l, r) => {
                    let _ = self.t.unify(l, r);
                    if !guess {
                        return None;
                    }
                    self.t.settle(l);
                }
                _ => self.t.settle(l),
            }
            return self.try_binary(op, left, right, span, guess);
        }
        let lv = self.t.var_kind(l);
        let (literal_l, literal_r) = (self.t.is_number_literal(l), self.t.is_number_literal(r));
        let open_r = self.t.is_open(r);
        match (self.t.get(l), self.t.get(r)) {
            (Node::Error, _) | (_, Node::Error) => Some(self.b.error(span)),
            (Node::Prim(p), _) if p.is_integer() && matches!(op, Op::Shl | Op::Shr) => match self.t.get(r) {
                Node::Prim(q) if q.is_integer() => Some(self.machine(op, left, right, l, span)),
                Node::Var(_) => {
                    let _ = self.t.unify(r, Types::INT);
                    Some(self.machine(op, left, right, l, span))
                }
                _ => Some(self.operand_mismatch(right, r, Types::INT, left, span)),
            },
            (Node::Var(_), _) if lv == Some(VarKind::Int) && matches!(op, Op::Shl | Op::Shr) => {
                if matches!(self.t.get(r), Node::Var(_)) {
                    let _ = self.t.unify(r, Types::INT);
                }
                Some(self.machine(op, left, right, l, span))
            }
            (Node::Prim(Prim::Str), _) if matches!(op, Op::Add | Op::Concat) => {
                let right = self.coerce(right, Types::STR, Why::Operand(self.b.span(left)));
                Some(self.lang_call("str_concat", vec![left, right], span))
            }
            (Node::Prim(p), _) if (p.is_integer() || p.is_float()) && op != Op::Concat => match self.t.get(r) {
                Node::Prim(q) if p == q => Some(self.machine_or_power(op, left, right, l, span)),
                Node::Prim(q) if q.is_integer() || q.is_float() || q == Prim::Str || q == Prim::Bool => {
                    Some(self.operand_mismatch(right, r, l, left, span))
                }
                Node::Var(_) if literal_r || guess => {
                    if let Err(clash) = self.t.unify(r, l) {
                        let at = self.b.span(right);
                        self.mismatch(r, l, at, Why::Operand(self.b.span(left)), clash);
                        return Some(self.b.error(span));
                    }
                    Some(self.machine_or_power(op, left, right, l, span))
                }
                Node::Var(_) => None,
                _ => Some(self.trait_operator(op, left, right, l, r, span)),
            },
            (Node::Var(_), Node::Prim(q)) if literal_l && op != Op::Concat => {
                if (q.is_integer() || q.is_float()) && self.t.unify(l, r).is_ok() {
                    return Some(self.machine_or_power(op, left, right, l, span));
                }
                Some(self.operand_mismatch(right, r, l, left, span))
            }
            (Node::Var(_), Node::Var(_)) if literal_l && literal_r && op != Op::Concat => {
                let _ = self.t.unify(l, r);
                if op == Op::Pow && !guess {
                    return None;
                }
                if op == Op::Pow {
                    self.t.settle(l);
                }
                Some(self.machine_or_power(op, left, right, l, span))
            }
            (Node::Var(_), _) if guess => {
                // Operands are usually of one type.
                if literal_l && matches!(self.t.get(r), Node::Adt(..) | Node::Param(_)) {
                    self.t.settle(l);
                    return Some(self.trait_operator(op, left, right, l, r, span));
                }
                if let Err(clash) = self.t.unify(l, r) {
                    let at = self.b.span(right);
                    self.mismatch(r, l, at, Why::Operand(self.b.span(left)), clash);
                    return Some(self.b.error(span));
                }
                if self.t.is_open(l) {
                    return None;
                }
                if op == Op::Concat {
                    self.t.settle(l);
                }
                self.try_binary(op, left, right, span, guess)
            }
            (Node::Var(_), _) => None,
            (Node::Array(_), _) if op == Op::Concat => {
                let right = self.coerce(right, l, Why::Operand(self.b.span(left)));
                Some(self.lang_call("array_append", vec![left, right], span))
            }
            (Node::Adt(def, ..), _) if op == Op::Concat && Some(def) == self.lang.list => {
                let right = self.coerce(right, l, Why::Operand(self.b.span(left)));
                Some(self.lang_call("list_append", vec![left, right], span))
            }
            (Node::Adt(..) | Node::Param(_) | Node::Tuple(_) | Node::Record { .. } | Node::Prim(_), Node::Var(_))
                if open_r && !guess && !matches!(self.t.get(l), Node::Prim(Prim::Bool | Prim::Char)) =>
            {
                None
            }
            _ => Some(self.trait_operator(op, left, right, l, r, span)),
        }
    }

    fn operand_mismatch(&mut self, right: ExprId, r: Ty, l: Ty, left: ExprId, span: Span) -> ExprId {
        let at = self.b.span(right);
        let why = Why::Operand(self.b.span(left));
        self.mismatch(r, l, at, why, Clash::Mismatch);
        self.b.error(span)
    }

    fn machine_or_power(&mut self, op: Op, left: ExprId, right: ExprId, ty: Ty, span: Span) -> ExprId {
        if op == Op::Pow {
            let name = match self.t.head(ty) {
                Node::Prim(Prim::F64) => "float_pow",
                Node::Prim(Prim::F32) => {
                    let wide = Types::FLOAT;
                    let l = self.b.expr(ExprKind::Cast(left), wide, span);
                    let r = self.b.expr(ExprKind::Cast(right), wide, span);
                    let power = self.lang_call("float_pow", vec![l, r], span);
                    return self.b.expr(ExprKind::Cast(power), ty, span);
                }
                _ => "int_pow",
            };
            return self.lang_call(name, vec![left, right], span);
        }
        self.machine(op, left, right, ty, span)
    }

    fn machine(&mut self, op: Op, left: ExprId, right: ExprId, ty: Ty, span: Span) -> ExprId {
        let typed = match op {
            Op::Add => BinaryOp::Add,
            Op::Sub => BinaryOp::Sub,
            Op::Mul => BinaryOp::Mul,
            Op::Div => BinaryOp::Div,
            Op::Rem => BinaryOp::Rem,
            Op::Shl => BinaryOp::Shl,
            _ => BinaryOp::Shr,
        };
        let is_float =
            matches!(self.t.head(ty), Node::Prim(p) if p.is_float()) || self.t.var_kind(ty) == Some(VarKind::Float);
        if matches!(op, Op::Div | Op::Rem)
            && !is_float
            && !matches!(self.b.exprs[right].kind, ExprKind::Int(value) if value != 0 && value != -1)
        {
            let row = self.b.row();
            self.effect_event(row, tags::PANIC, span, crate::effects::What::Text("this division"));
        }
        self.b.expr(ExprKind::Binary { op: typed, left, right }, ty, span)
    }

    /// `Add.add(a, b)` and its kin.
    fn trait_operator(&mut self, op: Op, left: ExprId, right: ExprId, l: Ty, r: Ty, span: Span) -> ExprId {
        let lang = self.lang_traits;
        let (trait_, symbol) = match op {
            Op::Add => (lang.add, "+"),
            Op::Concat => (lang.add, "++"),
            Op::Sub => (lang.sub, "-"),
            Op::Mul => (lang.mul, "*"),
            Op::Div => (lang.div, "/"),
            Op::Rem => (lang.rem, "%"),
            Op::Pow => (lang.pow, "^"),
            Op::Shl => (lang.shl, "<<"),
            _ => (lang.shr, ">>"),
        };
        // `++` joins sequences, also those of a program; it does not add numbers.
        let trait_ = trait_.filter(|_| op != Op::Concat || !matches!(self.t.head(l), Node::Prim(_)));
        let known_head = self.head_of(l).filter(|&head| head != Head::Any);
        let possible = trait_.is_some_and(|trait_| match known_head {
            Some(head) => {
                self.impl_index.contains_key(&(trait_, head)) || self.impl_index.contains_key(&(trait_, Head::Any))
            }
            None => true,
        });
        let Some(trait_) = trait_.filter(|_| possible) else {
            let (a, b) = (self.show(l), self.show(r));
            let name = trait_
                .map_or("an operator trait".to_owned(), |t| format!("`{}`", self.names.text(self.traits[t].name)));
            let mut diagnostic =
                Diagnostic::error(codes::IMPL_MISSING, span, format!("`{symbol}` does not work on `{a}` and `{b}`"));
            diagnostic = match self.t.head(l) {
                Node::Prim(_) | Node::Tuple(_) | Node::Fn { .. } => diagnostic,
                _ => diagnostic.with_help(format!("implement {name} for `{a}`")),
            };
            self.report(diagnostic);
            return self.b.error(span);
        };
        let out = self.operator_result();
        let reference = TraitRefTy { trait_, args: vec![l, r, out], span };
        self.require(reference, span);
        self.method_call_on(trait_, 0, vec![l, r, out], vec![left, right], out, span)
    }

    /// The type of an operator's result: that of the node which waits for it, when there is one.
    fn operator_result(&mut self) -> Ty {
        match self.b.waiting.take() {
            Some(ty) => ty,
            None => self.t.fresh(),
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Comparisons

    fn comparison(&mut self, op: Op, left: ExprId, right: &ast::Expr, span: Span) -> ExprId {
        let ty = self.b.ty(left);
        let why = Why::Operand(self.b.span(left));
        let hint = if self.t.is_var(ty) && self.t.var_kind(ty) == Some(VarKind::Any) {
            Want::NOTHING
        } else {
            Want::of(ty, why)
        };
        let right = self.value(right, hint);
        let right = self.coerce(right, ty, why);
        self.compare_values(op, left, right, span)
    }

    pub fn compare_values(&mut self, op: Op, left: ExprId, right: ExprId, span: Span) -> ExprId {
        if let Some(id) = self.try_compare(op, left, right, span) {
            return id;
        }
        let id = self.b.expr(ExprKind::Error, Types::BOOL, span);
        self.defer(id, DeferredKind::Compare { op, left, right });
        id
    }

    pub fn try_compare(&mut self, op: Op, left: ExprId, right: ExprId, span: Span) -> Option<ExprId> {
        let ty = self.t.resolve(self.b.ty(left));
        let machine = match self.t.get(ty) {
            Node::Error => return Some(self.b.expr(ExprKind::Error, Types::BOOL, span)),
            Node::Prim(Prim::Never) => return Some(left),
            Node::Prim(p) => p.is_integer() || p.is_float() || matches!(p, Prim::Bool | Prim::Char | Prim::RawPtr),
            Node::Var(_) if !self.t.is_number_literal(ty) => return None,
            Node::Var(_) => true,
            _ => false,
        };
        if machine {
            let op = match op {
                Op::Eq => BinaryOp::Eq,
                Op::Ne => BinaryOp::Ne,
                Op::Lt => BinaryOp::Lt,
                Op::Le => BinaryOp::Le,
                Op::Gt => BinaryOp::Gt,
                _ => BinaryOp::Ge,
            };
            return Some(self.b.expr(ExprKind::Binary { op, left, right }, Types::BOOL, span));
        }
        Some(self.trait_comparison(op, left, right, ty, span))
    }

    pub fn trait_comparison(&mut self, op: Op, left: ExprId, right: ExprId, ty: Ty, span: Span) -> ExprId {
        if matches!(op, Op::Eq | Op::Ne) {
            let Some(trait_) = self.lang_traits.eq else { return self.no_trait("Eq", span) };
            self.require(TraitRefTy { trait_, args: vec![ty], span }, span);
            let equal = self.method_call_on(trait_, 0, vec![ty], vec![left, right], Types::BOOL, span);
            if op == Op::Eq {
                return equal;
            }
            return self.b.expr(ExprKind::Unary { op: UnaryOp::Not, operand: equal }, Types::BOOL, span);
        }
        let (Some(trait_), Some(ordering)) = (self.lang_traits.ord, self.lang.ordering) else {
            return self.no_trait("Ord", span);
        };
        self.require(TraitRefTy { trait_, args: vec![ty], span }, span);
        let ordering_ty = self.plain_adt(ordering);
        let compared = self.method_call_on(trait_, 0, vec![ty], vec![left, right], ordering_ty, span);
        let (tested, when) = match op {
            Op::Lt => (self.sym.less, true),
            Op::Ge => (self.sym.less, false),
            Op::Gt => (self.sym.greater, true),
            _ => (self.sym.greater, false),
        };
        let variant = self.variant_named(ordering, tested).unwrap_or(0);
        let pattern = self.b.pattern(PatternKind::Variant { variant, fields: Vec::new() }, ordering_ty, span);
        let other = self.b.pattern(PatternKind::Wildcard, ordering_ty, span);
        let yes = self.b.expr(ExprKind::Bool(when), Types::BOOL, span);
        let no = self.b.expr(ExprKind::Bool(!when), Types::BOOL, span);
        let arms =
            vec![Arm { pattern, guard: None, body: yes, span }, Arm { pattern: other, guard: None, body: no, span }];
        self.b.expr(ExprKind::Match { scrutinee: compared, arms }, Types::BOOL, span)
    }

    fn no_trait(&mut self, name: &str, span: Span) -> ExprId {
        self.error_once(Diagnostic::error(
            codes::TRAIT_UNKNOWN,
            span,
            format!("this operator needs the trait `{name}` of the standard library"),
        ));
        self.b.error(span)
    }

    // -----------------------------------------------------------------------------------------------
    // Unary

    pub fn unary_expr(&mut self, op: Unary, operand: &ast::Expr, want: Want, span: Span) -> ExprId {
        match op {
            Unary::Neg => match *operand.kind {
                Ast::Int(value) => self.int_literal(value, true, want, span),
                Ast::Float(value) => {
                    let ty = self.number_type(VarKind::Float, want);
                    self.b.expr(ExprKind::Float(-value), ty, span)
                }
                _ => {
                    let hint = self.number_hint(want);
                    let operand = self.value(operand, hint);
                    if let Some(id) = self.try_negate(operand, span, false) {
                        return id;
                    }
                    let result = self.t.fresh();
                    let id = self.b.expr(ExprKind::Error, result, span);
                    self.defer(id, DeferredKind::Negate { operand });
                    id
                }
            },
            Unary::Not => {
                let id = self.value(operand, Want::of(Types::BOOL, Why::None));
                let id = self.coerce(id, Types::BOOL, Why::None);
                self.b.expr(ExprKind::Unary { op: UnaryOp::Not, operand: id }, Types::BOOL, span)
            }
            Unary::Ref => {
                let hint = match want.ty {
                    Some(ty) => Want { ty: Some(self.t.peel(ty)), ..want },
                    None => Want::NOTHING,
                };
                let id = self.value(operand, hint);
                let inner = self.b.ty(id);
                let ty = self.t.reference(false, inner);
                self.b.expr(ExprKind::Borrow(id), ty, span)
            }
            Unary::RefMut => {
                let id = self.expr(operand, Want::NOTHING);
                if let Node::Ref { mutable: true, .. } = self.t.head(self.b.ty(id)) {
                    return id;
                }
                let id = self.deref(id);
                let inner = self.b.ty(id);
                let ty = self.t.reference(true, inner);
                self.borrow_mut(id, ty)
            }
            Unary::Deref => self.deref_expr(operand, span),
        }
    }

    pub fn try_negate(&mut self, operand: ExprId, span: Span, last: bool) -> Option<ExprId> {
        let ty = self.t.resolve(self.b.ty(operand));
        match self.t.get(ty) {
            Node::Error => Some(self.b.error(span)),
            Node::Prim(p) if p.is_float() || p.is_signed() => {
                Some(self.b.expr(ExprKind::Unary { op: UnaryOp::Neg, operand }, ty, span))
            }
            Node::Prim(p) if p.is_integer() => {
                let text = self.show(ty);
                self.error(codes::TYPE_MISMATCH, span, format!("`{text}` has no negative values"));
                Some(self.b.error(span))
            }
            Node::Var(_) if self.t.is_number_literal(ty) => {
                Some(self.b.expr(ExprKind::Unary { op: UnaryOp::Neg, operand }, ty, span))
            }
            Node::Var(_) if !last => None,
            _ => {
                let Some(trait_) = self.lang_traits.neg else { return Some(self.no_trait("Neg", span)) };
                let out = self.operator_result();
                self.require(TraitRefTy { trait_, args: vec![ty, out], span }, span);
                Some(self.method_call_on(trait_, 0, vec![ty, out], vec![operand], out, span))
            }
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Indexing

    pub fn index_expr(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> ExprId {
        let base = self.value(base, Want::NOTHING);
        self.force(self.b.ty(base));
        if self.t.is_sequence_literal(self.b.ty(base)) {
            self.t.settle(self.b.ty(base));
        }
        let hint = match self.t.head(self.b.ty(base)) {
            Node::Array(_) | Node::Fixed(..) => match *index.kind {
                Ast::Range { .. } => Want::NOTHING,
                _ => Want::of(Types::INT, Why::None),
            },
            _ => Want::NOTHING,
        };
        let index = self.value(index, hint);
        if let Some(id) = self.try_index(base, index, span) {
            return id;
        }
        let result = self.t.fresh();
        let id = self.b.expr(ExprKind::Error, result, span);
        self.defer(id, DeferredKind::Index { base, index });
        id
    }

    pub fn try_index(&mut self, base: ExprId, index: ExprId, span: Span) -> Option<ExprId> {
        self.t.settle(self.b.ty(base));
        let ty = self.t.resolve(self.b.ty(base));
        match self.t.get(ty) {
            Node::Error => Some(self.b.error(span)),
            Node::Var(_) if self.t.var_kind(ty) == Some(VarKind::Any) => None,
            Node::Array(element) | Node::Fixed(element, _)
                if !matches!(self.t.head(self.b.ty(index)), Node::Adt(..)) =>
            {
                let index = self.array_index(index);
                let row = self.b.row();
                self.effect_event(row, tags::PANIC, span, crate::effects::What::Text("this index"));
                Some(self.b.expr(ExprKind::Index { base, index }, element, span))
            }
            _ => {
                let Some(trait_) = self.lang_traits.index else { return Some(self.no_trait("Index", span)) };
                let (i, out) = (self.b.ty(index), self.operator_result());
                self.require(TraitRefTy { trait_, args: vec![ty, i, out], span }, span);
                Some(self.method_call_on(trait_, 0, vec![ty, i, out], vec![base, index], out, span))
            }
        }
    }

    /// An index of any integer type, as `Int`.
    pub fn array_index(&mut self, index: ExprId) -> ExprId {
        match self.t.head(self.b.ty(index)) {
            Node::Prim(p) if p.is_integer() && p != Prim::I64 => {
                let span = self.b.span(index);
                self.b.expr(ExprKind::Cast(index), Types::INT, span)
            }
            _ => self.coerce(index, Types::INT, Why::None),
        }
    }
}

fn is_arithmetic(op: Op) -> bool {
    matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem)
}
