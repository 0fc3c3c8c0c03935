//! How is arithmetic done on integers of any size?
//!
//! The library keeps small integers in machine words and comes here with the others: magnitudes as arrays of 64-bit limbs, the least
//! first, without zeros at the end. Signs are the library's.

use num_bigint::BigUint;

use crate::abi::Array;
use crate::array;
use crate::context::Cx;
use crate::string::{StrOwned, StrRef, new_str};

/// A borrowed `[u64]`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct LimbsRef<'a>(&'a Array);

impl LimbsRef<'_> {
    fn number(self) -> BigUint {
        // SAFETY: an array's elements follow it, and these are `len` words of 64 bits, each two digits of 32.
        let limbs: &[u64] = unsafe {
            std::slice::from_raw_parts(
                std::ptr::from_ref(self.0).byte_add(crate::abi::ARRAY_DATA).cast(),
                self.0.len as usize,
            )
        };
        let digits = limbs.iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]).collect();
        BigUint::new(digits)
    }
}

/// A new `[u64]`.
fn limbs(cx: Cx, number: &BigUint) -> *mut Array {
    let digits = number.iter_u64_digits();
    let array = array::reml_array_new(cx, 8, digits.len() as u64);
    // SAFETY: the array is fresh with room for all limbs.
    unsafe {
        (*array).len = digits.len() as u64;
        for (index, digit) in digits.enumerate() {
            array::data(array).cast::<u64>().add(index).write(digit);
        }
    }
    array
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_big_add(cx: Cx, a: LimbsRef, b: LimbsRef) -> *mut Array {
    limbs(cx, &(a.number() + b.number()))
}

/// `a - b`, where `a` is not the smaller one.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_sub(cx: Cx, a: LimbsRef, b: LimbsRef) -> *mut Array {
    let (a, b) = (a.number(), b.number());
    limbs(cx, &if a >= b { a - b } else { b - a })
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_big_mul(cx: Cx, a: LimbsRef, b: LimbsRef) -> *mut Array {
    limbs(cx, &(a.number() * b.number()))
}

/// The quotient, rounded down; 0 when `b` is 0, which the library makes sure of.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_div(cx: Cx, a: LimbsRef, b: LimbsRef) -> *mut Array {
    let (a, b) = (a.number(), b.number());
    limbs(cx, &if b == BigUint::ZERO { b } else { a / b })
}

/// The remainder; `a` when `b` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_rem(cx: Cx, a: LimbsRef, b: LimbsRef) -> *mut Array {
    let (a, b) = (a.number(), b.number());
    limbs(cx, &if b == BigUint::ZERO { a } else { a % b })
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_big_pow(cx: Cx, base: LimbsRef, exponent: i64) -> *mut Array {
    limbs(cx, &base.number().pow(u32::try_from(exponent).unwrap_or(0)))
}

/// `base ^ exponent % modulus`; 0 when the modulus is 0.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_mod_pow(cx: Cx, base: LimbsRef, exponent: LimbsRef, modulus: LimbsRef) -> *mut Array {
    let modulus = modulus.number();
    if modulus == BigUint::ZERO {
        return limbs(cx, &modulus);
    }
    limbs(cx, &base.number().modpow(&exponent.number(), &modulus))
}

/// The square root, rounded down.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_sqrt(cx: Cx, a: LimbsRef) -> *mut Array {
    limbs(cx, &a.number().sqrt())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_big_shl(cx: Cx, a: LimbsRef, amount: i64) -> *mut Array {
    limbs(cx, &(a.number() << u64::try_from(amount).unwrap_or(0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_big_shr(cx: Cx, a: LimbsRef, amount: i64) -> *mut Array {
    limbs(cx, &(a.number() >> u64::try_from(amount).unwrap_or(0)))
}

/// The digits to a base from 2 to 36, lower case.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_to_text(cx: Cx, a: LimbsRef, radix: i64) -> StrOwned {
    new_str(cx, &a.number().to_str_radix((radix as u32).clamp(2, 36)))
}

/// The number that digits spell; 0 when one of them is none, which the library makes sure of.
#[unsafe(no_mangle)]
pub extern "C" fn reml_big_from_text(cx: Cx, text: StrRef, radix: i64) -> *mut Array {
    let number = BigUint::parse_bytes(text.as_bytes(), (radix as u32).clamp(2, 36));
    limbs(cx, &number.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;

    fn big(cx: Cx, text: &str) -> *mut Array {
        let text = new_str(cx, text);
        let number = reml_big_from_text(cx, text.borrow(), 10);
        text.drop(cx);
        number
    }

    #[test]
    fn limbs_there_and_back() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let number = big(cx, "340282366920938463463374607431768211456");
        // SAFETY: the arrays are alive until they are freed.
        unsafe {
            assert_eq!((*number).len, 3);
            let square = reml_big_mul(cx, LimbsRef(&*number), LimbsRef(&*number));
            let text = reml_big_to_text(cx, LimbsRef(&*square), 16);
            assert_eq!(text.borrow().as_str(), "1".to_string() + &"0".repeat(64));
            text.drop(cx);
            let back = reml_big_div(cx, LimbsRef(&*square), LimbsRef(&*number));
            assert_eq!(LimbsRef(&*back).number(), LimbsRef(&*number).number());
            let zero = reml_big_rem(cx, LimbsRef(&*square), LimbsRef(&*number));
            assert_eq!((*zero).len, 0);
            for array in [number, square, back, zero] {
                heap::reml_free(cx, array.cast());
            }
        }
        assert_eq!(heap::live_objects(cx), 0);
    }
}
