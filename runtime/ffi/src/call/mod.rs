//! How is a function called whose signature is data?
//!
//! A [`CallPlan`] is prepared once for a signature; a call reads its arguments from memory where they lie as the signature says, and writes the result to
//! memory. Which registers that takes is known for x86-64 ([`x86_64`]); other machines have libffi.

#[cfg(all(test, feature = "libffi", target_arch = "x86_64", unix))]
mod compare;
#[cfg(any(all(test, feature = "libffi"), not(all(target_arch = "x86_64", unix))))]
mod libffi;
#[cfg(all(target_arch = "x86_64", unix))]
mod x86_64;

use std::ffi::c_void;

#[cfg(not(all(target_arch = "x86_64", unix)))]
use self::libffi::Passing;
#[cfg(all(target_arch = "x86_64", unix))]
use self::x86_64::Passing;

use crate::signature::{CSignature, CType, Scalar};

/// Which registers a function wants its arguments in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convention {
    /// That of the machine.
    Native,
    /// That of Windows on x86-64, whatever the machine's is.
    Win64,
}

/// Everything about the calls of a function that does not change from one to the next.
pub struct CallPlan {
    passing: Passing,
    args_size: usize,
    result_size: usize,
    /// Where truth values are in the arguments, and in the result.
    bools: [Box<[usize]>; 2],
    /// The function gets addresses of what it thinks is its own.
    lends: bool,
}

impl CallPlan {
    /// Prepares calls.
    ///
    /// # Errors
    ///
    /// Why there can be none, for a person.
    pub fn new(signature: &CSignature, convention: Convention) -> Result<CallPlan, String> {
        let mut bools = [Vec::new(), Vec::new()];
        let note = |bools: &mut Vec<usize>, offset, scalar| {
            if scalar == Scalar::Bool {
                bools.push(offset);
            }
        };
        signature.args.each_scalar(0, &mut |offset, scalar| note(&mut bools[0], offset, scalar));
        match &signature.returns {
            Some(CType::Scalar(scalar)) => note(&mut bools[1], 0, *scalar),
            Some(CType::Struct(described)) => {
                described.each_scalar(0, &mut |offset, scalar| note(&mut bools[1], offset, scalar));
            }
            None => {}
        }
        Ok(CallPlan {
            passing: Passing::new(signature, convention)?,
            args_size: signature.args.size,
            result_size: signature.returns.as_ref().map_or(0, CType::size),
            bools: bools.map(Vec::into),
            lends: convention == Convention::Win64,
        })
    }

    /// Bytes of the arguments.
    pub fn args_size(&self) -> usize {
        self.args_size
    }

    /// Bytes of the result.
    pub fn result_size(&self) -> usize {
        self.result_size
    }

    /// A bound for the bytes of stack that passing the arguments takes.
    pub fn stack_size(&self) -> usize {
        self.passing.stack_size(self.args_size)
    }

    /// Calls a function.
    ///
    /// # Safety
    /// `code` must be a function of the plan's signature and convention, and do no harm with these arguments; `args` must be readable for
    /// [`Self::args_size`] bytes, and `result` writable for [`Self::result_size`].
    pub unsafe fn call(&self, code: *const c_void, args: *const u8, result: *mut u8) {
        let [in_args, in_result] = &self.bools;
        // SAFETY: per the contract; offsets are below the size.
        let odd = in_args.iter().any(|&offset| unsafe { *args.add(offset) } > 1);
        let mut copy = Vec::new();
        let mut args = args;
        if odd || self.lends {
            // SAFETY: per the contract.
            copy.extend_from_slice(unsafe { std::slice::from_raw_parts(args, self.args_size) });
            in_args.iter().for_each(|&offset| copy[offset] = u8::from(copy[offset] != 0));
            args = copy.as_ptr();
        }
        // SAFETY: per the contract.
        unsafe {
            self.passing.call(code, args, result);
            for &offset in in_result {
                let truth = result.add(offset);
                *truth = u8::from(*truth != 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> CallPlan {
        CallPlan::new(&CSignature::parse(text).unwrap(), Convention::Native).unwrap()
    }

    fn call<const R: usize>(text: &str, code: *const c_void, args: &[u8]) -> [u8; R] {
        let plan = plan(text);
        assert_eq!((plan.args_size(), plan.result_size()), (args.len(), R));
        let mut result = [0xAA; R];
        // SAFETY: the tests give functions of the signature.
        unsafe { plan.call(code, args.as_ptr(), result.as_mut_ptr()) };
        result
    }

    #[test]
    fn scalars_come_and_go() {
        extern "C" fn sum(a: i8, b: f64, c: u16) -> i16 {
            (f64::from(a) + b + f64::from(c)) as i16
        }
        extern "C" fn is_odd(n: i32) -> u8 {
            (n & 1) as u8 * 2
        }
        let mut args = [0; 24];
        args[0] = (-3i8) as u8;
        args[8..16].copy_from_slice(&2.5f64.to_ne_bytes());
        args[16..18].copy_from_slice(&1000u16.to_ne_bytes());
        assert_eq!(call("I8,F64,U16->I16", sum as *const c_void, &args), 999i16.to_ne_bytes());
        // C says only that a truth value is not 0.
        assert_eq!(call("I32->Bool", is_odd as *const c_void, &7i32.to_ne_bytes()), [1]);
        assert_eq!(call("I32->Bool", is_odd as *const c_void, &8i32.to_ne_bytes()), [0]);
    }

    #[test]
    fn truth_values_are_0_or_1_for_c() {
        extern "C" fn seen(truth: u8) -> u8 {
            truth
        }
        assert_eq!(call("Bool->U8", seen as *const c_void, &[7]), [1]);
    }

    #[test]
    fn structs_go_by_value() {
        #[repr(C)]
        struct Mixed {
            a: f32,
            b: i32,
            c: f64,
        }
        #[repr(C)]
        struct Large([u64; 5]);
        extern "C" fn swap(m: Mixed, scale: f64) -> Mixed {
            Mixed { a: m.b as f32, b: m.a as i32, c: m.c * scale }
        }
        extern "C" fn next(large: Large) -> Large {
            Large(large.0.map(|word| word + 1))
        }
        let mut args = Vec::new();
        args.extend(1.0f32.to_ne_bytes());
        args.extend(2i32.to_ne_bytes());
        args.extend(3.0f64.to_ne_bytes());
        args.extend(4.0f64.to_ne_bytes());
        let swapped: [u8; 16] = call("{F32,I32,F64},F64->{F32,I32,F64}", swap as *const c_void, &args);
        assert_eq!(swapped[..4], 2.0f32.to_ne_bytes());
        assert_eq!(swapped[4..8], 1i32.to_ne_bytes());
        assert_eq!(swapped[8..], 12.0f64.to_ne_bytes());
        let words: Vec<u8> = (0u64..5).flat_map(u64::to_ne_bytes).collect();
        let text = "{I64,I64,I64,I64,I64}->{I64,I64,I64,I64,I64}";
        let more: [u8; 40] = call(text, next as *const c_void, &words);
        assert_eq!(more.to_vec(), (1u64..6).flat_map(u64::to_ne_bytes).collect::<Vec<u8>>());
    }

    #[test]
    fn nothing_is_passed_for_what_is_empty() {
        extern "C" fn negated(n: i64) -> i64 {
            -n
        }
        extern "C" fn nothing() {}
        assert_eq!(call("{},I64,{{}}->I64", negated as *const c_void, &5i64.to_ne_bytes()), (-5i64).to_ne_bytes());
        assert_eq!(call("->Void", nothing as *const c_void, &[]), [0; 0]);
        assert_eq!(call("->{}", nothing as *const c_void, &[]), [0; 0]);
    }

    #[test]
    fn variadic_functions_get_more() {
        let mut buffer = [0u8; 32];
        let mut args = Vec::new();
        args.extend((buffer.as_mut_ptr() as usize).to_ne_bytes());
        args.extend(32usize.to_ne_bytes());
        args.extend((c"%d of %.2f".as_ptr() as usize).to_ne_bytes());
        args.extend(7i32.to_ne_bytes());
        args.extend([0; 4]);
        args.extend(2.5f64.to_ne_bytes());
        let length: [u8; 4] = call("Ptr,U64,Ptr;I32,F64->I32", libc::snprintf as *const c_void, &args);
        assert_eq!(i32::from_ne_bytes(length), 9);
        assert_eq!(&buffer[..10], b"7 of 2.50\0");
    }

    #[cfg(all(target_arch = "x86_64", unix))]
    #[test]
    fn functions_of_windows_are_called_in_its_way() {
        #[repr(C)]
        struct Pair(u64, u64);
        extern "win64" fn mix(a: i32, b: f64, c: Pair, d: f32, e: i64) -> f64 {
            f64::from(a) + b + c.0 as f64 + c.1 as f64 + f64::from(d) + e as f64
        }
        let signature = CSignature::parse("I32,F64,{U64,U64},F32,I64->F64").unwrap();
        let plan = CallPlan::new(&signature, Convention::Win64).unwrap();
        let mut args = [0; 48];
        args[..4].copy_from_slice(&1i32.to_ne_bytes());
        args[8..16].copy_from_slice(&2.0f64.to_ne_bytes());
        args[16..24].copy_from_slice(&4u64.to_ne_bytes());
        args[24..32].copy_from_slice(&8u64.to_ne_bytes());
        args[32..36].copy_from_slice(&16.0f32.to_ne_bytes());
        args[40..].copy_from_slice(&32i64.to_ne_bytes());
        let mut result = [0; 8];
        // SAFETY: a function of the signature.
        unsafe { plan.call(mix as *const c_void, args.as_ptr(), result.as_mut_ptr()) };
        assert_eq!(f64::from_ne_bytes(result), 63.0);
    }

    #[test]
    fn what_has_no_register_goes_onto_the_stack_in_order() {
        const COUNT: usize = 200;
        let mut buffer = [0u8; 4096];
        let format = format!("{}\0", "%d %.1f ".repeat(COUNT));
        let mut args = Vec::new();
        for word in [buffer.as_mut_ptr() as usize, buffer.len(), format.as_ptr() as usize] {
            args.extend(word.to_ne_bytes());
        }
        for n in 0..COUNT as i32 {
            args.extend(n.to_ne_bytes());
            args.extend([0; 4]);
            args.extend((f64::from(n) / 2.0).to_ne_bytes());
        }
        let text = format!("Ptr,U64,Ptr;{}->I32", ["I32,F64"; COUNT].join(","));
        assert!(plan(&text).stack_size() > 8 * (2 * COUNT - 11));
        let length: [u8; 4] = call(&text, libc::snprintf as *const c_void, &args);
        let expected: String = (0..COUNT).map(|n| format!("{n} {:.1} ", n as f64 / 2.0)).collect();
        assert_eq!(i32::from_ne_bytes(length) as usize, expected.len());
        assert_eq!(&buffer[..expected.len()], expected.as_bytes());
    }
}
