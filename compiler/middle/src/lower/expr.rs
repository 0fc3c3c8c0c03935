//! What code does each kind of expression become?
//!
//! Two entries: [`FnLower::value`] gives the atom that holds the result, or `None` when control does not come back
//! (the cursor is closed then); [`FnLower::tail`] makes the result the function's result and always closes the cursor.

use reml_diagnostics::Span;
use reml_semantics::typed::{BinaryOp, ExprId, ExprKind, PatternKind, Stmt, UnaryOp};
use reml_semantics::types::{Prim, Type, TypeId};

use super::function::FnLower;
use crate::core::{Atom, End, Op};
use crate::prim::PrimOp;

impl FnLower<'_, '_> {
    /// Lowers `expr` for its effects and its value.
    pub fn value(&mut self, expr: ExprId) -> Option<Atom> {
        let body = self.body;
        let span = body.exprs[expr].span;
        let result = match &body.exprs[expr].kind {
            ExprKind::Int(value) => {
                let ty = self.expr_core(expr);
                self.number(*value, ty)
            }
            ExprKind::Float(value) => Atom::Float(*value, self.expr_core(expr)),
            ExprKind::Bool(value) => Atom::Bool(*value),
            ExprKind::Char(value) => Atom::Int(i128::from(u32::from(*value)), self.l.types.prim(Prim::Char)),
            ExprKind::Str(text) => Atom::Str(self.l.string(text)),
            ExprKind::Local(local) => self.read(*local, span),
            ExprKind::Global(global) => self.global_value(*global, span),
            ExprKind::InitialisedGlobal(global) => self.initialised_global(*global, span),
            ExprKind::Fn(..) | ExprKind::Method { .. } | ExprKind::ConstructorFn { .. } => self.fn_value(expr),
            ExprKind::Call { callee, args } => self.call(expr, *callee, args, false)?,
            ExprKind::Binary { op, left, right } => {
                let a = self.value(*left)?;
                let b = self.value(*right)?;
                let operand = self.expr_core(*left);
                let ty = self.expr_core(expr);
                let op = binary(*op, matches!(self.l.types.get(operand), Type::Prim(prim) if prim.is_float()));
                self.emit(ty, Op::Prim(op, vec![a, b]), span)
            }
            ExprKind::Unary { op, operand } => {
                if let (UnaryOp::Neg, ExprKind::Int(value)) = (op, &body.exprs[*operand].kind) {
                    let ty = self.expr_core(expr);
                    return Some(self.number(value.wrapping_neg(), ty));
                }
                let a = self.value(*operand)?;
                let ty = self.expr_core(expr);
                match (op, a) {
                    (UnaryOp::Neg, Atom::Float(value, ty)) => Atom::Float(-value, ty),
                    (UnaryOp::Not, Atom::Bool(value)) => Atom::Bool(!value),
                    (UnaryOp::Not, _) => self.emit(ty, Op::Prim(PrimOp::BoolNot, vec![a]), span),
                    (UnaryOp::Neg, _) => {
                        let float = matches!(self.l.types.get(ty), Type::Prim(prim) if prim.is_float());
                        let op = if float { PrimOp::FloatNeg } else { PrimOp::IntNeg };
                        self.emit(ty, Op::Prim(op, vec![a]), span)
                    }
                }
            }
            ExprKind::And(..) | ExprKind::Or(..) | ExprKind::If { .. } => self.branch(expr, false)?,
            ExprKind::Match { .. } => self.match_expr(expr, false)?,
            ExprKind::Loop { body } => self.loop_expr(expr, *body, false)?,
            ExprKind::Construct { variant, args } => {
                let ty = self.expr_source(expr);
                let args = self.values(args)?;
                self.construct(ty, *variant, args, span)
            }
            ExprKind::Record(args) | ExprKind::Tuple(args) => {
                let args = self.values(args)?;
                let ty = self.expr_core(expr);
                if args.is_empty() && self.l.types.is_unit(ty) {
                    return Some(Atom::Unit);
                }
                self.emit(ty, Op::Construct { variant: 0, args, token: None }, span)
            }
            ExprKind::Array(items) => {
                let items = self.values(items)?;
                let ty = self.expr_core(expr);
                match self.l.types.get(ty) {
                    Type::FixedArray(..) => self.emit(ty, Op::Construct { variant: 0, args: items, token: None }, span),
                    _ => self.emit(ty, Op::Array(items), span),
                }
            }
            ExprKind::Field { base, index } => {
                let whole = self.value(*base)?;
                let source = self.expr_source(*base);
                if self.l.is_erased_newtype(source) {
                    return Some(whole);
                }
                let ty = self.expr_core(expr);
                self.emit(ty, Op::Field { base: whole, variant: 0, index: *index }, span)
            }
            ExprKind::Update { base, fields } => self.update(expr, *base, fields)?,
            ExprKind::Unwrap(inner) => {
                let whole = self.value(*inner)?;
                let source = self.expr_source(*inner);
                self.unwrap(whole, source, span)
            }
            ExprKind::Index { base, index } => {
                let array = self.value(*base)?;
                let at = self.index(*index)?;
                let array_ty = self.expr_core(*base);
                let op = match self.l.types.get(array_ty) {
                    Type::FixedArray(..) => PrimOp::FixedGet,
                    _ => PrimOp::ArrayGet,
                };
                let ty = self.expr_core(expr);
                self.emit(ty, Op::Prim(op, vec![array, at]), span)
            }
            ExprKind::Cast(inner) => {
                let value = self.value(*inner)?;
                let (from, to) = (self.expr_core(*inner), self.expr_core(expr));
                if from == to { value } else { self.emit(to, Op::Prim(PrimOp::Cast, vec![value]), span) }
            }
            ExprKind::Lambda { params, body } => self.lambda(expr, params, *body),
            ExprKind::LetRec { bindings, rest } => {
                self.let_rec(bindings);
                self.value(*rest)?
            }
            ExprKind::Block { stmts, result } => self.block(stmts, *result, span)?,
            ExprKind::Break(value) => {
                self.break_(*value, span);
                return None;
            }
            ExprKind::Continue => {
                self.continue_(span);
                return None;
            }
            ExprKind::Return(value) => {
                self.return_(*value, span);
                return None;
            }
            ExprKind::Assign { place, value } => {
                let location = self.locate(place, span)?;
                let value = self.value(*value)?;
                self.store(location, value);
                Atom::Unit
            }
            ExprKind::Borrow(inner) | ExprKind::Deref(inner) => self.value(*inner)?,
            // As a plain value, a mutable borrow is what it refers to.
            ExprKind::BorrowMut(place) => {
                let location = self.locate(place, span)?;
                let opened = self.open(location);
                let part = opened.part;
                self.close(opened, part);
                part
            }
            ExprKind::Panic { code, message } => {
                let text = if code.is_empty() { message.to_string() } else { format!("{code}: {message}") };
                self.panic(&text, span);
                return None;
            }
            ExprKind::Perform(perform) => self.perform(perform, span)?,
            ExprKind::Handle(handle) => self.handle(expr, handle)?,
            ExprKind::Error => {
                self.l.unsupported(span, "internal error: an erroneous expression reached lowering");
                self.end(End::Unreachable);
                return None;
            }
        };
        if self.l.types.is_never(self.body.exprs[expr].ty) && self.is_open() {
            self.end(End::Unreachable);
            return None;
        }
        Some(result)
    }

    /// Lowers `expr` as the result of the function.
    pub fn tail(&mut self, expr: ExprId) {
        let body = self.body;
        let span = body.exprs[expr].span;
        if !self.cx.scopes.is_empty() {
            if let Some(value) = self.value(expr) {
                self.return_value(value, span);
            }
            return;
        }
        let result = match &body.exprs[expr].kind {
            ExprKind::Call { callee, args } => self.call(expr, *callee, args, true),
            ExprKind::And(..) | ExprKind::Or(..) | ExprKind::If { .. } => self.branch(expr, true),
            ExprKind::Match { .. } => self.match_expr(expr, true),
            ExprKind::Loop { body } => self.loop_expr(expr, *body, true),
            ExprKind::LetRec { bindings, rest } => {
                self.let_rec(bindings);
                return self.tail(*rest);
            }
            ExprKind::Block { stmts, result: Some(result) }
                if !has_defer(stmts) && self.scoped_in(stmts).is_empty() =>
            {
                if self.stmts(stmts).is_some() {
                    self.tail(*result);
                }
                return;
            }
            ExprKind::Return(value) => {
                self.return_(*value, span);
                return;
            }
            ExprKind::Borrow(inner) | ExprKind::Deref(inner) => return self.tail(*inner),
            _ => self.value(expr),
        };
        if let Some(value) = result {
            self.return_value(value, span);
        }
    }

    pub fn values(&mut self, exprs: &[ExprId]) -> Option<Vec<Atom>> {
        let mut atoms = Vec::with_capacity(exprs.len());
        for &expr in exprs {
            atoms.push(self.value(expr)?);
        }
        Some(atoms)
    }

    fn number(&self, value: i128, ty: TypeId) -> Atom {
        match self.l.types.get(ty) {
            Type::Prim(prim) if prim.is_float() => Atom::Float(value as f64, ty),
            _ => Atom::Int(value, ty),
        }
    }

    /// An index or length as `i64`.
    pub fn index(&mut self, expr: ExprId) -> Option<Atom> {
        let value = self.value(expr)?;
        let (ty, i64) = (self.expr_core(expr), self.i64());
        if ty == i64 {
            return Some(value);
        }
        if let Atom::Int(value, _) = value {
            return Some(Atom::Int(value, i64));
        }
        Some(self.emit(i64, Op::Prim(PrimOp::Cast, vec![value]), self.body.exprs[expr].span))
    }

    /// A value of the source type `ty`; constructors without payload are constants.
    pub fn construct(&mut self, ty: TypeId, variant: u32, args: Vec<Atom>, span: Span) -> Atom {
        if let ([inner], true) = (args.as_slice(), self.l.is_erased_newtype(ty)) {
            return *inner;
        }
        let sum = self.l.variants_of(ty).is_some();
        let core = self.l.core_type(ty);
        if sum && args.is_empty() {
            return Atom::Int(i128::from(variant), core);
        }
        self.emit(core, Op::Construct { variant, args, token: None }, span)
    }

    /// The inner value of a newtype of this source type.
    pub fn unwrap(&mut self, whole: Atom, source: TypeId, span: Span) -> Atom {
        if self.l.is_erased_newtype(source) {
            return whole;
        }
        let Some(&inner) = self.l.field_types(source, 0).first() else { return whole };
        let ty = self.l.core_type(inner);
        self.emit(ty, Op::Field { base: whole, variant: 0, index: 0 }, span)
    }

    /// `{ field: value, ..base }`: all evaluated in the order written.
    fn update(&mut self, expr: ExprId, base: ExprId, fields: &[(u32, ExprId)]) -> Option<Atom> {
        let exprs = &self.body.exprs;
        let span = exprs[expr].span;
        let place = exprs[base].span.start;
        let before = fields.iter().take_while(|&&(_, value)| exprs[value].span.start < place).count();
        let (before, after) = fields.split_at(before);
        let mut new = Vec::with_capacity(fields.len());
        for &(index, value) in before {
            new.push((index, self.value(value)?));
        }
        let whole = self.value(base)?;
        for &(index, value) in after {
            new.push((index, self.value(value)?));
        }
        let source = self.expr_source(expr);
        let types = self.l.field_types(source, 0);
        let mut args = Vec::with_capacity(types.len());
        for (i, ty) in types.into_iter().enumerate() {
            args.push(match new.iter().rev().find(|&&(index, _)| index as usize == i) {
                Some(&(_, value)) => value,
                None => {
                    let ty = self.l.core_type(ty);
                    self.emit(ty, Op::Field { base: whole, variant: 0, index: i as u32 }, span)
                }
            });
        }
        Some(self.construct(source, 0, args, span))
    }

    /// A global: constants in line, others from their slot.
    pub fn global_value(&mut self, id: reml_semantics::typed::GlobalId, span: Span) -> Atom {
        let def = &self.l.src.globals[id];
        let ty = self.l.core_type(def.ty);
        match (&def.body.exprs[def.body.root].kind, self.l.types.get(ty)) {
            (ExprKind::Int(value), _) => return self.number(*value, ty),
            (ExprKind::Float(value), Type::Prim(_)) => return Atom::Float(*value, ty),
            (ExprKind::Bool(value), _) => return Atom::Bool(*value),
            (ExprKind::Char(value), _) => return Atom::Int(i128::from(u32::from(*value)), ty),
            (ExprKind::Str(text), _) => return Atom::Str(self.l.string(text)),
            _ => {}
        }
        let global = self.l.global(id);
        self.emit(ty, Op::GlobalGet(global), span)
    }

    fn initialised_global(&mut self, id: reml_semantics::typed::GlobalId, span: Span) -> Atom {
        let flag = self.l.initialised_flag(id);
        let name = self.l.string(&self.l.src.globals[id].path);
        let flag = self.emit(self.l.types.prim(Prim::Bool), Op::GlobalGet(flag), span);
        if let Some(check) = self.l.lang_op("initialised", vec![flag, Atom::Str(name)], span) {
            self.emit(self.l.types.unit(), check, span);
        }
        self.global_value(id, span)
    }

    fn return_(&mut self, value: Option<ExprId>, span: Span) {
        match value {
            Some(value) => self.tail(value),
            None => self.return_value(Atom::Unit, span),
        }
    }

    // Blocks --------------------------------------------------------------------------------------

    fn block(&mut self, stmts: &[Stmt], result: Option<ExprId>, span: Span) -> Option<Atom> {
        let value = self.block_value(stmts, result)?;
        let scoped = self.scoped_in(stmts);
        self.end_scope(&scoped, span);
        Some(value)
    }

    fn block_value(&mut self, stmts: &[Stmt], result: Option<ExprId>) -> Option<Atom> {
        if !has_defer(stmts) {
            self.stmts(stmts)?;
            return match result {
                Some(result) => self.value(result),
                None => Some(Atom::Unit),
            };
        }
        let depth = self.cx.scopes.len();
        self.cx.scopes.push(Vec::new());
        let mut value = None;
        if self.stmts(stmts).is_some() {
            value = match result {
                Some(result) => self.value(result),
                None => Some(Atom::Unit),
            };
            if value.is_some() {
                self.run_defers(depth);
            }
        }
        self.cx.scopes.truncate(depth);
        value.filter(|_| self.is_open())
    }

    fn stmts(&mut self, stmts: &[Stmt]) -> Option<()> {
        for stmt in stmts {
            match *stmt {
                Stmt::Let { pattern, value } => {
                    let body = self.body;
                    if let (PatternKind::Bind(local, None), ExprKind::Lambda { params, body: code }) =
                        (&body.patterns[pattern].kind, &body.exprs[value].kind)
                        && self.may_lift(*local, value)
                    {
                        self.lift_lambda(*local, value, params, *code);
                        continue;
                    }
                    let value = self.value(value)?;
                    self.bind_pattern(pattern, value);
                    if !self.is_open() {
                        return None;
                    }
                }
                Stmt::Expr(expr) => {
                    self.value(expr)?;
                }
                Stmt::Defer(expr) => self.defer(expr),
            }
        }
        Some(())
    }
}

fn has_defer(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| matches!(stmt, Stmt::Defer(_)))
}

fn binary(op: BinaryOp, float: bool) -> PrimOp {
    match (op, float) {
        (BinaryOp::Add, false) => PrimOp::IntAdd,
        (BinaryOp::Sub, false) => PrimOp::IntSub,
        (BinaryOp::Mul, false) => PrimOp::IntMul,
        (BinaryOp::Div, false) => PrimOp::IntDiv,
        (BinaryOp::Rem, false) => PrimOp::IntRem,
        (BinaryOp::Add, true) => PrimOp::FloatAdd,
        (BinaryOp::Sub, true) => PrimOp::FloatSub,
        (BinaryOp::Mul, true) => PrimOp::FloatMul,
        (BinaryOp::Div, true) => PrimOp::FloatDiv,
        (BinaryOp::Rem, true) => PrimOp::FloatRem,
        (BinaryOp::Shl, _) => PrimOp::IntShl,
        (BinaryOp::Shr, _) => PrimOp::IntShr,
        (BinaryOp::Eq, _) => PrimOp::Eq,
        (BinaryOp::Ne, _) => PrimOp::Ne,
        (BinaryOp::Lt, _) => PrimOp::Lt,
        (BinaryOp::Le, _) => PrimOp::Le,
        (BinaryOp::Gt, _) => PrimOp::Gt,
        (BinaryOp::Ge, _) => PrimOp::Ge,
    }
}
