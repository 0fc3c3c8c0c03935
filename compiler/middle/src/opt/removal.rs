//! Which operations need not be done when nobody uses their results?

use cranelift_entity::PrimaryMap;

use super::OptLevel;
use super::makers::Runners;
use crate::core::{Atom, Callee, Op, RuntimeFn, RuntimeId};
use crate::prim::{PrimEffect, PrimOp};

/// What that depends on.
#[derive(Clone, Copy)]
pub struct Removal<'a> {
    pub level: OptLevel,
    pub runtime: &'a PrimaryMap<RuntimeId, RuntimeFn>,
    pub runners: &'a Runners,
}

impl Removal<'_> {
    pub fn allows(self, op: &Op) -> bool {
        match op {
            Op::Copy(_)
            | Op::Field { .. }
            | Op::Tag(_)
            | Op::Construct { .. }
            | Op::Closure(..)
            | Op::Array(_)
            | Op::GlobalGet(_)
            | Op::FieldAddr { .. } => true,
            Op::Prim(prim, args) => match prim.effect() {
                PrimEffect::Pure | PrimEffect::Alloc | PrimEffect::Read => true,
                PrimEffect::Panic => self.cannot_panic(*prim, args),
                PrimEffect::Write => false,
            },
            Op::Call(Callee::Func(func), args) => args.is_empty() && self.runners[*func].is_some(),
            Op::CallRuntime(func, _) => self.runtime[*func].pure,
            Op::Call(..) | Op::CallForeign(..) | Op::GlobalSet(..) | Op::GlobalTake(_) => false,
        }
    }

    fn cannot_panic(self, prim: PrimOp, args: &[Atom]) -> bool {
        let wrapping = self.level == OptLevel::Release;
        match prim {
            PrimOp::IntAdd | PrimOp::IntSub | PrimOp::IntMul | PrimOp::IntNeg | PrimOp::IntShl | PrimOp::IntShr => {
                wrapping
            }
            PrimOp::IntDiv | PrimOp::IntRem => wrapping && matches!(args[1], Atom::Int(value, _) if value != 0),
            _ => false,
        }
    }
}
