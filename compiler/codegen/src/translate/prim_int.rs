//! Integer arithmetic and comparisons. In debug builds overflow branches to a cold panic; in release it wraps.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Type, Value, types};
use reml_middle::core::Atom;
use reml_middle::prim::PrimOp;
use reml_rt::abi;
use reml_semantics::types::Prim;

use super::function::Translator;
use crate::code::Code;
use crate::symbol::PanicStub;

/// The type of an integer operation.
#[derive(Clone, Copy)]
pub struct IntType {
    pub prim: Prim,
    pub signed: bool,
    pub ty: Type,
}

impl IntType {
    fn min(self) -> i128 {
        if self.signed { -(1 << (self.ty.bits() - 1)) } else { 0 }
    }
}

impl Code<'_, '_> {
    /// A value as the runtime's panic functions want it: 64 bits, extended as its type says.
    pub fn extended(&mut self, int: IntType, value: Value) -> Value {
        self.extend_to(types::I64, int.signed, value)
    }

    pub fn extend_to(&mut self, wanted: Type, signed: bool, value: Value) -> Value {
        let have = self.builder.func.dfg.value_type(value);
        match (have.bits().cmp(&wanted.bits()), signed) {
            (std::cmp::Ordering::Equal, _) => value,
            (std::cmp::Ordering::Greater, _) => self.builder.ins().ireduce(wanted, value),
            (_, true) => self.builder.ins().sextend(wanted, value),
            (_, false) => self.builder.ins().uextend(wanted, value),
        }
    }

    fn overflow_if(&mut self, condition: Value, what: u64, int: IntType, left: Value, right: Value) {
        let stub = PanicStub::Overflow { what: what as u8, ty: int.prim as u8 };
        self.panic_if(condition, stub, |code| smallvec::smallvec![code.extended(int, left), code.extended(int, right)]);
    }
}

impl Translator<'_, '_> {
    pub fn int_type(&self, atom: Atom) -> IntType {
        let info = self.code.plan.info(self.atom_type(atom));
        let ty = info.layout.slots.first().map_or(types::I64, |&slot| crate::code::clif_type(slot));
        match info.prim {
            Some(prim) => IntType { prim, signed: prim.is_signed(), ty },
            None => IntType { prim: Prim::U64, signed: false, ty },
        }
    }

    pub fn int_prim(&mut self, prim: PrimOp, args: &[Atom]) -> Value {
        let int = self.int_type(args[0]);
        let checked = !self.code.plan.target.release;
        let left = self.scalar(args[0]);
        let right = args.get(1).map(|&atom| self.scalar(atom));
        let Some(right) = right else {
            return self.unary(prim, int, left, checked);
        };
        match prim {
            PrimOp::IntAdd | PrimOp::IntSub | PrimOp::IntMul if checked => {
                let (value, overflow) = self.with_overflow(prim, int, left, right);
                let what = match prim {
                    PrimOp::IntAdd => abi::OVERFLOW_ADD,
                    PrimOp::IntSub => abi::OVERFLOW_SUB,
                    _ => abi::OVERFLOW_MUL,
                };
                self.code.overflow_if(overflow, what, int, left, right);
                value
            }
            PrimOp::IntAdd | PrimOp::WrappingAdd => self.code.builder.ins().iadd(left, right),
            PrimOp::IntSub | PrimOp::WrappingSub => self.code.builder.ins().isub(left, right),
            PrimOp::IntMul | PrimOp::WrappingMul => self.code.builder.ins().imul(left, right),
            PrimOp::AddOverflows | PrimOp::SubOverflows | PrimOp::MulOverflows => {
                self.with_overflow(prim, int, left, right).1
            }
            PrimOp::IntDiv => self.divide(int, left, right, checked),
            PrimOp::IntRem => self.remainder(int, left, right, checked),
            PrimOp::IntShl | PrimOp::IntShr | PrimOp::WrappingShl | PrimOp::WrappingShr => {
                self.shift(prim, int, left, right, args[1], checked)
            }
            PrimOp::IntAnd => self.code.builder.ins().band(left, right),
            PrimOp::IntOr => self.code.builder.ins().bor(left, right),
            PrimOp::IntXor => self.code.builder.ins().bxor(left, right),
            PrimOp::RotateLeft => self.code.builder.ins().rotl(left, right),
            PrimOp::RotateRight => self.code.builder.ins().rotr(left, right),
            PrimOp::MulHigh => self.code.builder.ins().umulhi(left, right),
            _ => unreachable!("{prim:?} is not a binary integer operation"),
        }
    }

    fn unary(&mut self, prim: PrimOp, int: IntType, value: Value, checked: bool) -> Value {
        match prim {
            PrimOp::IntNeg if checked => {
                let zero = self.code.zero(int.ty);
                let (result, overflow) = self.with_overflow(PrimOp::SubOverflows, int, zero, value);
                self.code.overflow_if(overflow, abi::OVERFLOW_NEG, int, value, value);
                result
            }
            PrimOp::IntNeg | PrimOp::WrappingNeg => self.code.builder.ins().ineg(value),
            PrimOp::IntNot => self.code.builder.ins().bnot(value),
            PrimOp::BoolNot => self.code.builder.ins().bxor_imm_u(value, 1),
            PrimOp::SwapBytes if int.ty == types::I8 => value,
            PrimOp::SwapBytes => self.code.builder.ins().bswap(value),
            PrimOp::ReverseBits => self.code.builder.ins().bitrev(value),
            PrimOp::CountOnes | PrimOp::LeadingZeros | PrimOp::TrailingZeros => {
                let count = match prim {
                    PrimOp::CountOnes => self.code.builder.ins().popcnt(value),
                    PrimOp::LeadingZeros => self.code.builder.ins().clz(value),
                    _ => self.code.builder.ins().ctz(value),
                };
                self.code.extend_to(types::I64, false, count)
            }
            _ => unreachable!("{prim:?} is not a unary integer operation"),
        }
    }

    fn with_overflow(&mut self, prim: PrimOp, int: IntType, left: Value, right: Value) -> (Value, Value) {
        let ins = self.code.builder.ins();
        match (prim, int.signed) {
            (PrimOp::IntAdd | PrimOp::AddOverflows, true) => ins.sadd_overflow(left, right),
            (PrimOp::IntAdd | PrimOp::AddOverflows, false) => ins.uadd_overflow(left, right),
            (PrimOp::IntSub | PrimOp::SubOverflows, true) => ins.ssub_overflow(left, right),
            (PrimOp::IntSub | PrimOp::SubOverflows, false) => ins.usub_overflow(left, right),
            (_, true) => ins.smul_overflow(left, right),
            (_, false) => ins.umul_overflow(left, right),
        }
    }

    fn check_divisor(&mut self, divisor: Value, remainder: bool) {
        if self.code.known_int(divisor).is_some_and(|known| known != 0) {
            return;
        }
        let zero = self.code.equals(divisor, 0);
        let (cold, next) = self.code.branch_cold(zero);
        self.code.switch_to(cold);
        let which = self.code.int(remainder.into());
        self.code.panic("reml_panic_div_zero", &[which]);
        self.code.switch_to(next);
    }

    /// Could the divisor be -1?
    fn may_be_minus_one(&self, int: IntType, divisor: Value) -> bool {
        let mask = if int.ty.bits() == 64 { u64::MAX } else { (1 << int.ty.bits()) - 1 };
        int.signed && self.code.known_int(divisor).is_none_or(|known| known as u64 & mask == mask)
    }

    fn divide(&mut self, int: IntType, left: Value, right: Value, checked: bool) -> Value {
        self.check_divisor(right, false);
        if !int.signed {
            return self.code.builder.ins().udiv(left, right);
        }
        if !self.may_be_minus_one(int, right) {
            return self.code.builder.ins().sdiv(left, right);
        }
        if checked {
            self.check_quotient(int, abi::OVERFLOW_DIV, left, right);
            return self.code.builder.ins().sdiv(left, right);
        }
        // The machine faults on MIN / -1, whose wrapped result is MIN: negate instead.
        let minus_one = self.code.builder.ins().icmp_imm_s(IntCC::Equal, right, -1);
        let (negate, divide, done) = (self.code.cold_block(), self.code.block(), self.code.block());
        let result = self.code.builder.append_block_param(done, int.ty);
        self.code.branch(minus_one, negate, divide);
        self.code.switch_to(negate);
        let negated = self.code.builder.ins().ineg(left);
        self.code.jump(done, &[negated]);
        self.code.switch_to(divide);
        let quotient = self.code.builder.ins().sdiv(left, right);
        self.code.jump(done, &[quotient]);
        self.code.switch_to(done);
        result
    }

    fn check_quotient(&mut self, int: IntType, what: u64, left: Value, right: Value) {
        let minus_one = self.code.builder.ins().icmp_imm_s(IntCC::Equal, right, -1);
        let min = self.code.int_of(int.ty, int.min());
        let is_min = self.code.builder.ins().icmp(IntCC::Equal, left, min);
        let overflow = self.code.builder.ins().band(minus_one, is_min);
        self.code.overflow_if(overflow, what, int, left, right);
    }

    fn remainder(&mut self, int: IntType, left: Value, right: Value, checked: bool) -> Value {
        self.check_divisor(right, true);
        if !int.signed {
            return self.code.builder.ins().urem(left, right);
        }
        if checked && self.may_be_minus_one(int, right) {
            self.check_quotient(int, abi::OVERFLOW_REM, left, right);
        }
        // Cranelift's `srem` gives 0 for MIN % -1.
        self.code.builder.ins().srem(left, right)
    }

    fn shift(
        &mut self,
        prim: PrimOp,
        int: IntType,
        left: Value,
        amount: Value,
        amount_atom: Atom,
        checked: bool,
    ) -> Value {
        if checked && matches!(prim, PrimOp::IntShl | PrimOp::IntShr) {
            let width = i64::from(int.ty.bits());
            if self.code.known_int(amount).is_none_or(|known| !(0..width).contains(&known)) {
                let too_far = self.code.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, amount, width);
                let what = if prim == PrimOp::IntShl { abi::OVERFLOW_SHL } else { abi::OVERFLOW_SHR };
                let amount_type = self.int_type(amount_atom);
                let stub = PanicStub::Overflow { what: what as u8, ty: int.prim as u8 };
                self.code.panic_if(too_far, stub, |code| {
                    smallvec::smallvec![code.extended(int, left), code.extended(amount_type, amount)]
                });
            }
        }
        // Cranelift masks the amount to the width.
        match prim {
            PrimOp::IntShl | PrimOp::WrappingShl => self.code.builder.ins().ishl(left, amount),
            _ if int.signed => self.code.builder.ins().sshr(left, amount),
            _ => self.code.builder.ins().ushr(left, amount),
        }
    }

    /// Comparison of integers, floats, `Bool`, `Char`, payload-free constructors.
    pub fn compare(&mut self, prim: PrimOp, args: &[Atom]) -> Value {
        let signed = self.int_type(args[0]).signed;
        let (left, right) = (self.atom(args[0]), self.atom(args[1]));
        let (Some(&left), Some(&right)) = (left.first(), right.first()) else {
            return self.code.bool(matches!(prim, PrimOp::Eq | PrimOp::Le | PrimOp::Ge));
        };
        if self.code.builder.func.dfg.value_type(left).is_float() {
            let condition = match prim {
                PrimOp::Eq => FloatCC::Equal,
                PrimOp::Ne => FloatCC::NotEqual,
                PrimOp::Lt => FloatCC::LessThan,
                PrimOp::Le => FloatCC::LessThanOrEqual,
                PrimOp::Gt => FloatCC::GreaterThan,
                _ => FloatCC::GreaterThanOrEqual,
            };
            return self.code.builder.ins().fcmp(condition, left, right);
        }
        let left = match prim {
            PrimOp::Eq | PrimOp::Ne if self.code.known_int(right) == Some(0) => self.divisibility(left),
            _ => left,
        };
        let condition = match (prim, signed) {
            (PrimOp::Eq, _) => IntCC::Equal,
            (PrimOp::Ne, _) => IntCC::NotEqual,
            (PrimOp::Lt, true) => IntCC::SignedLessThan,
            (PrimOp::Lt, false) => IntCC::UnsignedLessThan,
            (PrimOp::Le, true) => IntCC::SignedLessThanOrEqual,
            (PrimOp::Le, false) => IntCC::UnsignedLessThanOrEqual,
            (PrimOp::Gt, true) => IntCC::SignedGreaterThan,
            (PrimOp::Gt, false) => IntCC::UnsignedGreaterThan,
            (_, true) => IntCC::SignedGreaterThanOrEqual,
            (_, false) => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.code.builder.ins().icmp(condition, left, right)
    }
    /// `x % 8` is zero exactly when `x & 7` is, which is cheaper for signed numbers.
    fn divisibility(&mut self, value: Value) -> Value {
        let dfg = &self.code.builder.func.dfg;
        let Some(inst) = dfg.value_def(value).inst() else { return value };
        let InstructionData::Binary { opcode: Opcode::Srem, args: [dividend, divisor] } = dfg.insts[inst] else {
            return value;
        };
        match self.code.known_int(divisor) {
            Some(power) if power > 0 && power.count_ones() == 1 => {
                self.code.builder.ins().band_imm_u(dividend, power - 1)
            }
            _ => value,
        }
    }
}
