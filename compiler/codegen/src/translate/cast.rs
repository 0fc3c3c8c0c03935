//! Conversions between machine types: `as` with its checks, and the unchecked ones of the library.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use reml_middle::core::{Atom, Var};
use reml_middle::prim::PrimOp;
use reml_semantics::types::Prim;

use super::function::Translator;
use super::prim_int::IntType;
use crate::code::clif_type;
use crate::symbol::PanicStub;

impl Translator<'_, '_> {
    pub fn conversion(&mut self, var: Var, prim: PrimOp, atom: Atom) -> Value {
        let target = self.code.plan.info(self.ty(var)).clone();
        let to = clif_type(target.layout.slots[0]);
        let value = self.scalar(atom);
        let from = self.int_type(atom);
        match prim {
            PrimOp::FloatToBits | PrimOp::FloatFromBits => {
                self.code.builder.ins().bitcast(to, MemFlagsData::new(), value)
            }
            PrimOp::IntConvert => self.code.extend_to(to, from.signed, value),
            PrimOp::FloatToIntSat => {
                let signed = target.prim.is_some_and(Prim::is_signed);
                self.saturate(value, to, signed)
            }
            _ => match target.prim {
                Some(prim) => self.cast(value, from, prim, to),
                None => self.code.extend_to(to, from.signed, value),
            },
        }
    }

    /// Cranelift saturates to 32 and 64 bits; narrower types clamp first.
    fn saturate(&mut self, value: Value, to: Type, signed: bool) -> Value {
        let bits = to.bits();
        if bits >= 32 {
            let ins = self.code.builder.ins();
            return if signed { ins.fcvt_to_sint_sat(to, value) } else { ins.fcvt_to_uint_sat(to, value) };
        }
        let wide = self.code.builder.ins().fcvt_to_sint_sat(types::I32, value);
        let (min, max) = if signed { (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        let min = self.code.int_of(types::I32, i128::from(min));
        let max = self.code.int_of(types::I32, i128::from(max));
        let wide = self.code.builder.ins().smax(wide, min);
        let wide = self.code.builder.ins().smin(wide, max);
        self.code.builder.ins().ireduce(to, wide)
    }

    fn cast(&mut self, value: Value, from: IntType, target: Prim, to: Type) -> Value {
        let have = self.code.builder.func.dfg.value_type(value);
        match (have.is_float(), target) {
            (true, Prim::F32 | Prim::F64) => match (have, to) {
                (types::F32, types::F64) => self.code.builder.ins().fpromote(to, value),
                (types::F64, types::F32) => self.code.builder.ins().fdemote(to, value),
                _ => value,
            },
            (true, _) => self.float_to_int(value, have, target, to),
            (false, Prim::F32 | Prim::F64) => {
                // Cranelift converts from 32 and 64 bits only.
                let wide = if have.bits() < 32 { self.code.extend_to(types::I32, from.signed, value) } else { value };
                let ins = self.code.builder.ins();
                if from.signed { ins.fcvt_from_sint(to, wide) } else { ins.fcvt_from_uint(to, wide) }
            }
            (false, Prim::Char) => self.int_to_char(value, from),
            (false, Prim::Bool) if from.prim != Prim::Bool => {
                self.code.builder.ins().icmp_imm_s(IntCC::NotEqual, value, 0)
            }
            (false, _) => self.int_to_int(value, from, target, to),
        }
    }

    fn int_to_int(&mut self, value: Value, from: IntType, target: Prim, to: Type) -> Value {
        let result = self.code.extend_to(to, from.signed, value);
        let (from_bits, to_bits) = (from.ty.bits(), to.bits());
        let target_signed = target.is_signed();
        let always_fits = match (from.signed, target_signed) {
            (true, true) | (false, false) => to_bits >= from_bits,
            (false, true) => to_bits > from_bits,
            (true, false) => false,
        };
        if always_fits || target == Prim::RawPtr || from.prim == Prim::RawPtr || !target.is_integer() {
            return result;
        }
        let fails = if to_bits >= from_bits {
            // Same bits, other sign: negative on either side is out of range.
            self.code.builder.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0)
        } else {
            let back = self.code.extend_to(from.ty, target_signed, result);
            let differs = self.code.builder.ins().icmp(IntCC::NotEqual, back, value);
            if from.signed && !target_signed || !from.signed && target_signed {
                // The truncated value may come back equal and still have the wrong sign.
                let negative = self.code.builder.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0);
                self.code.builder.ins().bor(differs, negative)
            } else {
                differs
            }
        };
        let from_index = if from.prim.is_integer() { from.prim } else { Prim::U32 };
        let stub = PanicStub::CastInt { from: from_index as u8, to: target as u8 };
        self.code.panic_if(fails, stub, |code| smallvec::smallvec![code.extended(from, value)]);
        result
    }

    fn int_to_char(&mut self, value: Value, from: IntType) -> Value {
        if from.prim == Prim::Char || (from.prim == Prim::U8) {
            return self.code.extend_to(types::I32, false, value);
        }
        let wide = self.code.extended(from, value);
        // Scalar values: below 0xD800, or 0xE000 ..= 0x10FFFF.
        let low = self.code.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, wide, 0xD800);
        let offset = self.code.builder.ins().iadd_imm_s(wide, -0xE000);
        let high = self.code.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, offset, 0x10FFFF - 0xE000);
        let fails = self.code.builder.ins().band(low, high);
        let from_index = if from.prim.is_integer() { from.prim } else { Prim::U32 };
        let stub = PanicStub::CastChar { from: from_index as u8 };
        self.code.panic_if(fails, stub, |_| smallvec::smallvec![wide]);
        self.code.builder.ins().ireduce(types::I32, wide)
    }

    /// Truncates; panics on NaN and out of range.
    fn float_to_int(&mut self, value: Value, have: Type, target: Prim, to: Type) -> Value {
        let double = if have == types::F32 { self.code.builder.ins().fpromote(types::F64, value) } else { value };
        let bits = to.bits() as i32;
        let signed = target.is_signed();
        // The open interval of floats whose truncation fits; its ends are exact in `f64` but for the lower end of
        // `i64`, which is taken with `<=` instead.
        let upper = if signed { 2f64.powi(bits - 1) } else { 2f64.powi(bits) };
        let (lower, condition) = match (signed, bits) {
            (true, 64) => (-(2f64.powi(63)), FloatCC::GreaterThanOrEqual),
            (true, _) => (-(2f64.powi(bits - 1)) - 1.0, FloatCC::GreaterThan),
            (false, _) => (-1.0, FloatCC::GreaterThan),
        };
        let lower = self.code.builder.ins().f64const(lower);
        let upper = self.code.builder.ins().f64const(upper);
        let above = self.code.builder.ins().fcmp(condition, double, lower);
        let below = self.code.builder.ins().fcmp(FloatCC::LessThan, double, upper);
        let fits = self.code.builder.ins().band(above, below);
        let fails = self.code.equals(fits, 0);
        let stub = PanicStub::CastFloat { to: target as u8 };
        self.code.panic_if(fails, stub, |_| smallvec::smallvec![double]);
        if signed {
            let wide = self.code.builder.ins().fcvt_to_sint_sat(types::I64, double);
            self.code.extend_to(to, true, wide)
        } else {
            let wide = self.code.builder.ins().fcvt_to_uint_sat(types::I64, double);
            self.code.extend_to(to, false, wide)
        }
    }
}
