//! Arithmetic of all machine types. Integers are computed exactly and then brought into the range of their type.

use reml_semantics::types::Prim;

use super::{Eval, broken, panics};
use crate::prim::PrimOp;

/// An integer type as arithmetic sees it.
#[derive(Clone, Copy)]
pub struct IntType {
    name: &'static str,
    bits: u32,
    signed: bool,
}

impl IntType {
    /// Types without a sign of their own count as unsigned.
    pub fn of(prim: Option<Prim>) -> IntType {
        let prim = prim.unwrap_or(Prim::U64);
        let bits = match prim {
            Prim::Bool => 8,
            Prim::Char => 32,
            prim => prim.bits().unwrap_or(64),
        };
        let name = if prim.is_integer() { prim.name() } else { "u32" };
        IntType { name, bits, signed: prim.is_signed() }
    }

    fn min(self) -> i128 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    fn max(self) -> i128 {
        if self.signed { (1 << (self.bits - 1)) - 1 } else { (1 << self.bits) - 1 }
    }

    fn has(self, value: i128) -> bool {
        (self.min()..=self.max()).contains(&value)
    }

    /// The number of the type with the same lowest bits.
    pub fn wrap(self, value: i128) -> i128 {
        let modulus = 1i128 << self.bits;
        let low = value.rem_euclid(modulus);
        if low > self.max() { low - modulus } else { low }
    }

    fn as_bits(self, value: i128) -> u128 {
        value.rem_euclid(1 << self.bits) as u128
    }
}

fn fits(ty: IntType, exact: i128, wrapping: bool, message: impl FnOnce() -> String) -> Eval<i128> {
    if ty.has(exact) || wrapping {
        Ok(ty.wrap(exact))
    } else {
        panics("E7100", format!("integer overflow: {} does not fit in {}", message(), ty.name))
    }
}

/// An operation on two integers that gives one of the same type. `wrapping`: overflow does not panic.
pub fn binary(op: PrimOp, ty: IntType, a: i128, b: i128, wrapping: bool) -> Eval<i128> {
    use PrimOp::*;
    let shown = |sign: &str| format!("{a} {sign} {b}");
    match op {
        IntAdd => fits(ty, a + b, wrapping, || shown("+")),
        IntSub => fits(ty, a - b, wrapping, || shown("-")),
        IntMul => fits(ty, product(a, b), wrapping, || shown("*")),
        WrappingAdd => Ok(ty.wrap(a + b)),
        WrappingSub => Ok(ty.wrap(a - b)),
        WrappingMul => Ok(ty.wrap(product(a, b))),
        IntDiv if b == 0 => panics("", "division by zero"),
        IntRem if b == 0 => panics("", "remainder of a division by zero"),
        IntDiv => fits(ty, a / b, wrapping, || shown("/")),
        // The quotient does not fit, so neither operation does.
        IntRem if !ty.has(a / b) && !wrapping => fits(ty, a / b, false, || shown("%")),
        IntRem => Ok(a % b),
        IntShl | IntShr | WrappingShl | WrappingShr => {
            let width = i128::from(ty.bits);
            let left = matches!(op, IntShl | WrappingShl);
            if matches!(op, IntShl | IntShr) && !wrapping && !(0..width).contains(&b) {
                let (sign, name) = (if left { "<<" } else { ">>" }, ty.name);
                return panics("E7100", format!("shift out of range: {a} {sign} {b}, but {name} has {width} bits"));
            }
            let amount = b.rem_euclid(width) as u32;
            Ok(if left { ty.wrap(a << amount) } else { a >> amount })
        }
        IntAnd => Ok(a & b),
        IntOr => Ok(a | b),
        IntXor => Ok(a ^ b),
        RotateLeft | RotateRight => {
            let amount = b.rem_euclid(i128::from(ty.bits)) as u32;
            let amount = if op == RotateLeft { amount } else { (ty.bits - amount) % ty.bits };
            let bits = ty.as_bits(a);
            Ok(ty.wrap((bits << amount | bits >> (ty.bits - amount)) as i128))
        }
        MulHigh => Ok(ty.wrap(((a as u64 as u128 * b as u64 as u128) >> 64) as i128)),
        _ => broken(format!("{op:?} is no operation on two integers")),
    }
}

/// Exact but for the product of two numbers of 64 bits without sign, whose lowest bits are right.
fn product(a: i128, b: i128) -> i128 {
    a.checked_mul(b).unwrap_or_else(|| a.wrapping_mul(b) | 1 << 126)
}

/// Would the operation leave the type's range?
pub fn overflows(op: PrimOp, ty: IntType, a: i128, b: i128) -> bool {
    let exact = match op {
        PrimOp::AddOverflows => a + b,
        PrimOp::SubOverflows => a - b,
        _ => product(a, b),
    };
    !ty.has(exact)
}

/// An operation on one integer.
pub fn unary(op: PrimOp, ty: IntType, a: i128, wrapping: bool) -> Eval<i128> {
    use PrimOp::*;
    let bits = ty.as_bits(a);
    let unused = 128 - ty.bits;
    match op {
        IntNeg if !ty.has(-a) && !wrapping => {
            panics("E7100", format!("integer overflow: -({a}) does not fit in {}", ty.name))
        }
        IntNeg | WrappingNeg => Ok(ty.wrap(-a)),
        IntNot => Ok(ty.wrap(!a)),
        CountOnes => Ok(i128::from(bits.count_ones())),
        LeadingZeros => Ok(i128::from(bits.leading_zeros() - unused)),
        TrailingZeros => Ok(i128::from(bits.trailing_zeros().min(ty.bits))),
        SwapBytes => Ok(ty.wrap((bits.swap_bytes() >> unused) as i128)),
        ReverseBits => Ok(ty.wrap((bits.reverse_bits() >> unused) as i128)),
        _ => broken(format!("{op:?} is no operation on one integer")),
    }
}

/// An operation on floats; the second and third operand count where there are some.
pub fn float(op: PrimOp, single: bool, x: f64, y: f64, z: f64) -> Eval<f64> {
    use PrimOp::*;
    let result = match op {
        FloatAdd => x + y,
        FloatSub => x - y,
        FloatMul => x * y,
        FloatDiv => x / y,
        FloatRem => x % y,
        FloatNeg => -x,
        FloatAbs => x.abs(),
        FloatSqrt => x.sqrt(),
        FloatFloor => x.floor(),
        FloatCeil => x.ceil(),
        FloatTrunc => x.trunc(),
        FloatRound => x.round_ties_even(),
        FloatMin | FloatMax if x.is_nan() || y.is_nan() => f64::NAN,
        // Zeros are told apart by their signs.
        FloatMin if x == y => {
            if x.is_sign_negative() {
                x
            } else {
                y
            }
        }
        FloatMax if x == y => {
            if x.is_sign_negative() {
                y
            } else {
                x
            }
        }
        FloatMin => x.min(y),
        FloatMax => x.max(y),
        FloatCopySign => x.copysign(y),
        FloatFma if single => f64::from((x as f32).mul_add(y as f32, z as f32)),
        FloatFma => x.mul_add(y, z),
        _ => return broken(format!("{op:?} is no operation on floats")),
    };
    // One operation on doubles, rounded once more, is right for singles.
    Ok(if single { f64::from(result as f32) } else { result })
}

/// `as` between integers, characters and truth values.
pub fn int_to_int(value: i128, from: IntType, to: Prim) -> Eval<i128> {
    let target = IntType::of(Some(to));
    match to {
        Prim::Bool => Ok(i128::from(value != 0)),
        Prim::Char if u32::try_from(value).ok().and_then(char::from_u32).is_none() => {
            panics("E7103", format!("cast out of range: {value} is not a Unicode scalar value"))
        }
        Prim::RawPtr => Ok(target.wrap(value)),
        _ if target.has(value) => Ok(value),
        _ => panics("E7101", format!("cast out of range: {value} ({}) does not fit in {}", from.name, target.name)),
    }
}

/// `as` from a float to an integer.
pub fn float_to_int(value: f64, to: Prim) -> Eval<i128> {
    let target = IntType::of(Some(to));
    let whole = value.trunc();
    // What does not fit in 128 bits fits in no type, and `as` saturates.
    if value.is_finite() && target.has(whole as i128) {
        return Ok(whole as i128);
    }
    let name = target.name;
    if value.is_finite() {
        panics("E7102", format!("cast out of range: {value:?} does not fit in {name}"))
    } else {
        panics("E7102", format!("cast of {} to {name}", show_float(value)))
    }
}

/// The nearest number of the type; 0 for what is no number.
pub fn saturate(value: f64, to: Prim) -> i128 {
    let target = IntType::of(Some(to));
    (value as i128).clamp(target.min(), target.max())
}

/// The shortest digits that read back as the same number.
pub fn show_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{value:e}");
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    if !(-5..16).contains(&exponent) {
        return scientific;
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// C's `%g`: six significant digits without zeros at the end.
pub fn show_general(value: f64) -> String {
    if !value.is_finite() {
        return show_float(value);
    }
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return without_zeros(&format!("{value:.*}", (5 - exponent) as usize)).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(digits), exponent.abs())
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(result: Eval<i128>) -> i128 {
        match result {
            Ok(value) => value,
            Err(_) => panic!("no value"),
        }
    }

    #[test]
    fn integers_stay_in_their_range() {
        let i8 = IntType::of(Some(Prim::I8));
        let u64 = IntType::of(Some(Prim::U64));
        assert_eq!(value(binary(PrimOp::IntAdd, i8, 127, 1, true)), -128);
        assert!(binary(PrimOp::IntAdd, i8, 127, 1, false).is_err());
        assert_eq!(value(binary(PrimOp::IntRem, i8, -128, -1, true)), 0);
        assert!(binary(PrimOp::IntRem, i8, -128, -1, false).is_err());
        let max = i128::from(u64::MAX);
        assert_eq!(value(binary(PrimOp::WrappingMul, u64, max, max, false)), 1);
        assert!(overflows(PrimOp::MulOverflows, u64, max, max));
        assert_eq!(value(binary(PrimOp::MulHigh, u64, max, max, false)), max - 1);
        assert_eq!(value(binary(PrimOp::RotateRight, i8, 1, 1, false)), -128);
        assert_eq!(value(binary(PrimOp::RotateLeft, i8, -128, 8, false)), -128);
        assert_eq!(value(binary(PrimOp::IntShr, i8, -128, 7, false)), -1);
        assert_eq!(value(unary(PrimOp::ReverseBits, i8, 1, false)), -128);
        assert_eq!(value(unary(PrimOp::LeadingZeros, i8, 1, false)), 7);
        assert_eq!(value(unary(PrimOp::TrailingZeros, i8, 0, false)), 8);
    }

    #[test]
    fn floats_are_laid_out_by_their_magnitude() {
        for (number, text) in
            [(1.0, "1.0"), (1e15, "1000000000000000.0"), (1e16, "1e16"), (1e-5, "0.00001"), (1e-7, "1e-7")]
        {
            assert_eq!(show_float(number), text);
        }
        for (number, text) in
            [(0.0, "0"), (1.5, "1.5"), (1e6, "1e+06"), (0.00001234, "1.234e-05"), (-999999.5, "-1e+06")]
        {
            assert_eq!(show_general(number), text);
        }
    }
}
