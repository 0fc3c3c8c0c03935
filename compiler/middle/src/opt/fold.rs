//! What is the value of a primitive on literals, or on operands that make it trivial?

use cranelift_entity::PrimaryMap;
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};

use crate::core::{Atom, StrId};
use crate::prim::PrimOp;

/// The range of an integer type.
fn range(types: &TypeStore, ty: TypeId) -> Option<(i128, i128)> {
    let Type::Prim(prim) = types.get(ty) else { return None };
    let bits = prim.bits()?;
    if !prim.is_integer() {
        return None;
    }
    Some(if prim.is_signed() { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) })
}

fn wrap(value: i128, (low, high): (i128, i128)) -> i128 {
    let modulus = high - low + 1;
    (value - low).rem_euclid(modulus) + low
}

/// The text literals of a program.
pub type Texts = PrimaryMap<StrId, Box<str>>;

/// The result as an atom, when it is known. `ty` is the result's type.
pub fn fold(types: &TypeStore, texts: &Texts, prim: PrimOp, args: &[Atom], ty: TypeId) -> Option<Atom> {
    use PrimOp as P;
    match (prim, args) {
        (P::StrLen, &[Atom::Str(text)]) => Some(Atom::Int(texts[text].len() as i128, ty)),
        (P::StrByte, &[Atom::Str(text), Atom::Int(offset, _)]) => {
            let byte = texts[text].as_bytes().get(usize::try_from(offset).ok()?)?;
            Some(Atom::Int((*byte).into(), ty))
        }
        (P::StrMatches, &[Atom::Str(text), Atom::Int(offset, _), Atom::Str(wanted)]) => {
            let rest = texts[text].as_bytes().get(usize::try_from(offset).ok()?..)?;
            Some(Atom::Bool(rest.starts_with(texts[wanted].as_bytes())))
        }
        (_, &[Atom::Int(a, operand), Atom::Int(b, _)]) => fold_ints(types, prim, a, b, operand, ty),
        (P::IntAdd | P::WrappingAdd | P::IntSub | P::WrappingSub | P::IntOr | P::IntXor, &[a, Atom::Int(0, _)]) => {
            Some(a)
        }
        (P::IntShl | P::IntShr | P::WrappingShl | P::WrappingShr, &[a, Atom::Int(0, _)]) => Some(a),
        (P::IntAdd | P::WrappingAdd | P::IntOr | P::IntXor, &[Atom::Int(0, _), b]) => Some(b),
        (P::IntMul | P::WrappingMul, &[a, Atom::Int(1, _)]) => Some(a),
        (P::IntMul | P::WrappingMul, &[Atom::Int(1, _), b]) => Some(b),
        (P::IntMul | P::WrappingMul, &[Atom::Int(0, of), Atom::Var(_)] | &[Atom::Var(_), Atom::Int(0, of)]) => {
            Some(Atom::Int(0, of))
        }
        (P::IntDiv, &[a, Atom::Int(1, _)]) => Some(a),
        (P::IntNeg | P::WrappingNeg, &[Atom::Int(a, of)]) => {
            let bounds = range(types, of)?;
            let value = wrap(-a, bounds);
            (prim == P::WrappingNeg || value == -a).then_some(Atom::Int(value, of))
        }
        (P::BoolNot, &[Atom::Bool(a)]) => Some(Atom::Bool(!a)),
        (P::Eq, &[Atom::Bool(a), Atom::Bool(b)]) => Some(Atom::Bool(a == b)),
        (P::Ne, &[Atom::Bool(a), Atom::Bool(b)]) => Some(Atom::Bool(a != b)),
        (P::Eq, &[a, Atom::Bool(true)] | &[Atom::Bool(true), a]) => Some(a),
        (P::Ne, &[a, Atom::Bool(false)] | &[Atom::Bool(false), a]) => Some(a),
        (P::IntConvert | P::Cast, &[Atom::Int(a, _)]) => {
            let bounds = range(types, ty)?;
            let value = wrap(a, bounds);
            (prim == P::IntConvert || value == a).then_some(Atom::Int(value, ty))
        }
        (P::FloatNeg, &[Atom::Float(a, of)]) => Some(Atom::Float(-a, of)),
        (P::FloatAdd, &[Atom::Float(a, of), Atom::Float(b, _)]) => float(types, a + b, of),
        (P::FloatSub, &[Atom::Float(a, of), Atom::Float(b, _)]) => float(types, a - b, of),
        (P::FloatMul, &[Atom::Float(a, of), Atom::Float(b, _)]) => float(types, a * b, of),
        (P::FloatDiv, &[Atom::Float(a, of), Atom::Float(b, _)]) => float(types, a / b, of),
        (P::FloatSqrt, &[Atom::Float(a, of)]) if a >= 0.0 => float(types, a.sqrt(), of),
        _ => None,
    }
}

/// Folds `f64` only: `f32` would round twice.
fn float(types: &TypeStore, value: f64, ty: TypeId) -> Option<Atom> {
    (ty == types.prim(Prim::F64) && value.is_finite()).then_some(Atom::Float(value, ty))
}

fn fold_ints(types: &TypeStore, prim: PrimOp, a: i128, b: i128, operand: TypeId, ty: TypeId) -> Option<Atom> {
    use PrimOp as P;
    let truth = match prim {
        P::Eq => Some(a == b),
        P::Ne => Some(a != b),
        P::Lt => Some(a < b),
        P::Le => Some(a <= b),
        P::Gt => Some(a > b),
        P::Ge => Some(a >= b),
        _ => None,
    };
    if let Some(truth) = truth {
        return Some(Atom::Bool(truth));
    }
    let bounds = range(types, operand)?;
    let exact = match prim {
        P::IntAdd | P::WrappingAdd | P::AddOverflows => a.checked_add(b)?,
        P::IntSub | P::WrappingSub | P::SubOverflows => a.checked_sub(b)?,
        P::IntMul | P::WrappingMul | P::MulOverflows => a.checked_mul(b)?,
        P::IntDiv if b != 0 => a / b,
        P::IntRem if b != 0 => a % b,
        P::IntAnd => a & b,
        P::IntOr => a | b,
        P::IntXor => a ^ b,
        P::IntShl | P::WrappingShl if (0..64).contains(&b) && b < i128::from(bits(bounds)) => {
            return Some(Atom::Int(wrap(a << b, bounds), ty));
        }
        P::IntShr | P::WrappingShr if (0..64).contains(&b) && b < i128::from(bits(bounds)) => a >> b,
        _ => return None,
    };
    let fits = (bounds.0..=bounds.1).contains(&exact);
    match prim {
        P::AddOverflows | P::SubOverflows | P::MulOverflows => Some(Atom::Bool(!fits)),
        P::WrappingAdd | P::WrappingSub | P::WrappingMul => Some(Atom::Int(wrap(exact, bounds), ty)),
        _ => fits.then_some(Atom::Int(exact, ty)),
    }
}

fn bits((low, high): (i128, i128)) -> u32 {
    128 - (high - low).leading_zeros()
}
