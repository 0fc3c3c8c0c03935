//! IEEE 754 arithmetic.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use reml_middle::core::Atom;
use reml_middle::prim::PrimOp;

use super::function::Translator;
use crate::symbol::Symbol;

impl Translator<'_, '_> {
    pub fn float_prim(&mut self, prim: PrimOp, args: &[Atom]) -> Value {
        let x = self.scalar(args[0]);
        let y = args.get(1).map_or(x, |&atom| self.scalar(atom));
        let z = args.get(2).map_or(x, |&atom| self.scalar(atom));
        if prim == PrimOp::FloatRem {
            let double = self.code.builder.func.dfg.value_type(x) == types::F64;
            return self.code.call(Symbol::FloatRem(double), &[x, y])[0];
        }
        let ins = self.code.builder.ins();
        match prim {
            PrimOp::FloatAdd => ins.fadd(x, y),
            PrimOp::FloatSub => ins.fsub(x, y),
            PrimOp::FloatMul => ins.fmul(x, y),
            PrimOp::FloatDiv => ins.fdiv(x, y),
            PrimOp::FloatNeg => ins.fneg(x),
            PrimOp::FloatAbs => ins.fabs(x),
            PrimOp::FloatSqrt => ins.sqrt(x),
            PrimOp::FloatFloor => ins.floor(x),
            PrimOp::FloatCeil => ins.ceil(x),
            PrimOp::FloatTrunc => ins.trunc(x),
            PrimOp::FloatRound => ins.nearest(x),
            PrimOp::FloatMin => ins.fmin(x, y),
            PrimOp::FloatMax => ins.fmax(x, y),
            PrimOp::FloatCopySign => ins.fcopysign(x, y),
            PrimOp::FloatFma => ins.fma(x, y, z),
            _ => unreachable!("{prim:?} is not a float operation"),
        }
    }
}
