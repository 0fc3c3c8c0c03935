//! Arithmetic: exact, then brought into the range of the type.

use super::{Eval, Machine, Stop, Value};
use crate::typed::tree::{Arith, Bits, Ty};

pub fn range(ty: &Ty) -> (i128, i128) {
    match ty {
        Ty::U8 => (0, u8::MAX.into()),
        Ty::U32 => (0, u32::MAX.into()),
        Ty::U64 => (0, u64::MAX.into()),
        Ty::I16 => (i16::MIN.into(), i16::MAX.into()),
        Ty::I32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

pub fn fits(ty: &Ty, value: i128) -> bool {
    let (low, high) = range(ty);
    (low..=high).contains(&value)
}

/// The number of the type with the same lowest bits.
pub fn wrapped(ty: &Ty, value: i128) -> i128 {
    let (low, high) = range(ty);
    (value - low).rem_euclid(high - low + 1) + low
}

/// No operands have more than 64 bits, and no two of them are that large with a sign.
pub fn exactly(op: Arith, a: i128, b: i128) -> i128 {
    match op {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        // The product of two large numbers without a sign: only its lowest bits count, and that it does not fit.
        Arith::Mul => a.checked_mul(b).unwrap_or_else(|| (a.wrapping_mul(b) & i128::from(u64::MAX)) | 1 << 100),
        Arith::Div => a / b,
        Arith::Rem => a % b,
    }
}

impl Machine<'_> {
    pub fn arith(&self, op: Arith, ty: &Ty, a: i128, b: i128) -> Eval<Value> {
        let result = match op {
            Arith::Div | Arith::Rem if b == 0 => return Err(Stop::Panic("by zero")),
            // The quotient does not fit, so neither operation does.
            Arith::Rem if !fits(ty, a / b) => {
                return if self.wraps { Ok(Value::Int(0)) } else { Err(Stop::Panic("overflow")) };
            }
            op => exactly(op, a, b),
        };
        if fits(ty, result) || self.wraps { Ok(Value::Int(wrapped(ty, result))) } else { Err(Stop::Panic("overflow")) }
    }

    pub fn bits(&self, op: Bits, ty: &Ty, a: i128, b: i128) -> Eval<Value> {
        let width = (range(ty).1 - range(ty).0).count_ones();
        let amount = (b as u32) & (width - 1);
        Ok(Value::Int(match op {
            Bits::And => a & b,
            Bits::Or => a | b,
            Bits::Xor => a ^ b,
            Bits::Shl | Bits::Shr if !self.wraps && !(0..i128::from(width)).contains(&b) => {
                return Err(Stop::Panic("shift out of range"));
            }
            Bits::Shl => wrapped(ty, a << amount),
            Bits::Shr => a >> amount,
        }))
    }
}
