//! How is straight-line machine code written as typed nodes? Each operation is a primitive whose result is bound to a
//! local, so that a value can be used as often as it is needed.
//!
//! Integers have no sign in machine code. They are held as the signed type of their width; an operation that cares
//! converts what it takes and what it gives, which costs no instruction.

use reml_diagnostics::Span;

use super::{MachineType, prim_ty, unsigned};
use crate::cx::Checker;
use crate::infer::body::Want;
use crate::infer::ty::Ty;
use crate::typed::{ExprId, ExprKind, LocalId, Stmt, UnaryOp};
use crate::types::Prim;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Value {
    Local(LocalId),
    Int(i128),
    Float(f64),
    Bool(bool),
}

/// A value and its type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Operand {
    value: Value,
    pub prim: Prim,
}

impl Operand {
    pub fn int(value: i128, prim: Prim) -> Operand {
        Operand { value: Value::Int(value), prim }
    }

    pub fn float(value: f64, prim: Prim) -> Operand {
        Operand { value: Value::Float(value), prim }
    }

    pub fn bool(value: bool) -> Operand {
        Operand { value: Value::Bool(value), prim: Prim::Bool }
    }

    pub fn local(local: LocalId, prim: Prim) -> Operand {
        Operand { value: Value::Local(local), prim }
    }

    /// The number, when it is a constant.
    pub fn known_int(self) -> Option<i128> {
        match self.value {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    fn bits(self) -> u32 {
        self.prim.bits().unwrap_or(1)
    }
}

/// What an operation gives: one value, or one with a flag, as the operations that tell of overflow do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    One(Operand),
    Flagged(Operand, Operand),
}

/// Code under construction.
pub struct Builder<'c, 'a> {
    pub cx: &'c mut Checker<'a>,
    stmts: Vec<Stmt>,
    /// The place of what comes next.
    pub span: Span,
}

impl<'c, 'a> Builder<'c, 'a> {
    pub fn new(cx: &'c mut Checker<'a>, span: Span) -> Self {
        Builder { cx, stmts: Vec::new(), span }
    }

    /// Binds the value of an expression of this type.
    pub fn bind(&mut self, value: ExprId, prim: Prim) -> Operand {
        let (stmt, local) = self.cx.temporary(value);
        self.stmts.push(stmt);
        Operand::local(local, prim)
    }

    /// Adds a statement.
    pub fn push(&mut self, stmt: Stmt) {
        self.stmts.push(stmt);
    }

    pub fn read(&mut self, operand: Operand) -> ExprId {
        let (ty, span) = (prim_ty(operand.prim), self.span);
        match operand.value {
            Value::Local(local) => self.cx.b.use_local(local, span),
            Value::Int(value) => self.cx.b.expr(ExprKind::Int(value), ty, span),
            Value::Float(value) => self.cx.b.expr(ExprKind::Float(value), ty, span),
            Value::Bool(value) => self.cx.b.expr(ExprKind::Bool(value), ty, span),
        }
    }

    /// A primitive of the compiler.
    pub fn op(&mut self, name: &str, args: &[Operand], result: Prim) -> Operand {
        let args = args.iter().map(|&arg| self.read(arg)).collect();
        let call = self.cx.prim_call(name, args, prim_ty(result), self.span);
        self.bind(call, result)
    }

    /// `op` on the unsigned type of the operands' width; the result has their own type.
    pub fn unsigned_op(&mut self, name: &str, args: &[Operand]) -> Operand {
        let prim = args[0].prim;
        let args: Vec<Operand> = args.iter().map(|&arg| self.convert(arg, unsigned(arg.prim))).collect();
        let result = self.op(name, &args, unsigned(prim));
        self.convert(result, prim)
    }

    /// A comparison, of what the operands are without a sign.
    pub fn unsigned_compare(&mut self, name: &str, left: Operand, right: Operand) -> Operand {
        let prim = unsigned(left.prim);
        let (left, right) = (self.convert(left, prim), self.convert(right, prim));
        self.op(name, &[left, right], Prim::Bool)
    }

    /// The same bits as another type of integers: cut off, or extended as the operand's own type says. A `Bool` is 0 or 1.
    pub fn convert(&mut self, operand: Operand, to: Prim) -> Operand {
        if operand.prim == to {
            return operand;
        }
        if to == Prim::Bool {
            let last = self.op("int_and", &[operand, Operand::int(1, operand.prim)], operand.prim);
            return self.op("ne", &[last, Operand::int(0, operand.prim)], Prim::Bool);
        }
        match operand.value {
            Value::Int(value) => Operand::int(wrapped(value, to), to),
            _ => self.op("int_convert", &[operand], to),
        }
    }

    /// `as`, between numbers.
    pub fn cast(&mut self, operand: Operand, to: Prim) -> Operand {
        let inner = self.read(operand);
        let cast = self.cx.b.expr(ExprKind::Cast(inner), prim_ty(to), self.span);
        self.bind(cast, to)
    }

    pub fn select(&mut self, cond: Operand, then: Operand, els: Operand) -> Operand {
        let (cond, a, b) = (self.read(cond), self.read(then), self.read(els));
        let choice = self.cx.b.expr(ExprKind::If { cond, then: a, els: b }, prim_ty(then.prim), self.span);
        self.bind(choice, then.prim)
    }

    pub fn not(&mut self, operand: Operand) -> Operand {
        let operand = self.read(operand);
        let negated = self.cx.b.expr(ExprKind::Unary { op: UnaryOp::Not, operand }, prim_ty(Prim::Bool), self.span);
        self.bind(negated, Prim::Bool)
    }

    /// `x != x`, of a float.
    pub fn is_nan(&mut self, operand: Operand) -> Operand {
        self.op("ne", &[operand, operand], Prim::Bool)
    }

    /// The number of bits to shift by, within the width, as the primitives want it.
    pub fn shift_amount(&mut self, operand: Operand) -> Operand {
        let mask = Operand::int(i128::from(operand.bits()) - 1, operand.prim);
        let amount = self.op("int_and", &[operand, mask], operand.prim);
        self.convert(amount, Prim::I64)
    }

    /// An argument of a type that the program chose, as what stands for it in machine code.
    pub fn canonical(&mut self, operand: Operand) -> Operand {
        let to = MachineType::of(operand.prim).map_or(operand.prim, MachineType::prim);
        self.convert(operand, to)
    }

    /// The code as a block with this value.
    pub fn finish(self, result: Option<ExprId>, ty: Ty) -> ExprId {
        let span = self.span;
        self.cx.b.expr(ExprKind::Block { stmts: self.stmts, result }, ty, span)
    }
}

/// The number that the bits of a constant are in another type.
fn wrapped(value: i128, to: Prim) -> i128 {
    let bits = to.bits().unwrap_or(64);
    let low = value & ((1 << bits) - 1);
    if to.is_signed() && low >> (bits - 1) & 1 == 1 { low - (1 << bits) } else { low }
}

impl<'a> Checker<'a> {
    /// An operand that a program gives: an expression that should be of one of the types that `fits` admits, `hint` where it
    /// may choose. `None` when it is not; reported.
    pub(super) fn machine_operand(
        &mut self,
        e: &reml_syntax::ast::Expr,
        hint: Prim,
        fits: impl Fn(Prim) -> bool,
    ) -> Option<(ExprId, Prim)> {
        let want = Want::of(prim_ty(hint), crate::infer::body::Why::None);
        let id = self.value(e, want);
        if let Some(prim) = self.machine_prim(self.b.ty(id))
            && fits(prim)
        {
            return Some((id, prim));
        }
        let id = self.coerce(id, prim_ty(hint), want.why);
        (!self.b.is_error(id)).then_some((id, hint))
    }
}
