//! How is a function called whose signature is data?
//!
//! libffi puts arguments where the ABI wants them. What it is told is prepared once, in a [`CallPlan`]; a call reads its arguments from memory where they lie
//! as the signature says, and writes the result to memory.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use libffi_sys as ffi;

use crate::signature::{CSignature, CStruct, CType, Scalar};

/// Which registers a function wants its arguments in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convention {
    /// That of the machine.
    Native,
    /// That of Windows on x86-64, whatever the machine's is.
    Win64,
}

impl Convention {
    /// libffi's number for it; `None` where it cannot be had.
    fn abi(self) -> Option<ffi::ffi_abi> {
        match self {
            Convention::Native => Some(ffi::ffi_abi_FFI_DEFAULT_ABI),
            #[cfg(all(target_arch = "x86_64", unix))]
            Convention::Win64 => Some(ffi::ffi_abi_FFI_GNUW64),
            #[cfg(not(all(target_arch = "x86_64", unix)))]
            Convention::Win64 => None,
        }
    }
}

/// Everything about the calls of a function that does not change from one to the next.
pub struct CallPlan {
    cif: ffi::ffi_cif,
    /// What `cif` points to.
    _types: Types,
    /// Where the arguments are that take room.
    offsets: Box<[usize]>,
    args_size: usize,
    result_size: usize,
    /// Where truth values are in the arguments, and in the result.
    bools: [Box<[usize]>; 2],
    /// The function gets addresses of what it thinks is its own.
    lends: bool,
}

/// Descriptions that point to each other. They are boxed, so that they stay where they are.
#[derive(Default)]
struct Types {
    records: Vec<Box<ffi::ffi_type>>,
    elements: Vec<Box<[*mut ffi::ffi_type]>>,
}

impl Types {
    fn list(&mut self, types: Vec<*mut ffi::ffi_type>) -> *mut *mut ffi::ffi_type {
        let mut list = types.into_boxed_slice();
        let first = list.as_mut_ptr();
        self.elements.push(list);
        first
    }

    fn record(&mut self, size: usize, align: usize, mut elements: Vec<*mut ffi::ffi_type>) -> *mut ffi::ffi_type {
        elements.push(ptr::null_mut());
        let elements = self.list(elements);
        // With a size, it is taken as it is, so gaps are where we say.
        let record = ffi::ffi_type { size, alignment: align as u16, type_: ffi::ffi_type_enum_STRUCT as u16, elements };
        let mut record = Box::new(record);
        let address = ptr::from_mut(&mut *record);
        self.records.push(record);
        address
    }

    /// `None` for what takes no room: C passes nothing then.
    fn of(&mut self, ty: &CType) -> Option<*mut ffi::ffi_type> {
        match ty {
            CType::Scalar(scalar) => Some(scalar_type(*scalar)),
            CType::Struct(described) if described.size == 0 => None,
            CType::Struct(described) if in_memory(described) => {
                // More than four words are never passed in registers, and neither is a struct that has such a field.
                let large = self.record(64, 1, vec![scalar_type(Scalar::U8); 64]);
                Some(self.record(described.size, described.align, vec![large]))
            }
            CType::Struct(described) => {
                let elements = described.fields.iter().filter_map(|field| self.of(&field.ty)).collect();
                Some(self.record(described.size, described.align, elements))
            }
        }
    }
}

/// Does System V for x86-64 want it in memory, because a field is not aligned? libffi knows no such structs.
fn in_memory(described: &CStruct) -> bool {
    let mut misaligned = false;
    described.each_scalar(0, &mut |offset, scalar| misaligned |= !offset.is_multiple_of(scalar.size()));
    misaligned && cfg!(all(target_arch = "x86_64", unix))
}

fn scalar_type(scalar: Scalar) -> *mut ffi::ffi_type {
    match scalar {
        Scalar::Bool | Scalar::U8 => &raw mut ffi::ffi_type_uint8,
        Scalar::I8 => &raw mut ffi::ffi_type_sint8,
        Scalar::I16 => &raw mut ffi::ffi_type_sint16,
        Scalar::U16 => &raw mut ffi::ffi_type_uint16,
        Scalar::I32 => &raw mut ffi::ffi_type_sint32,
        Scalar::U32 => &raw mut ffi::ffi_type_uint32,
        Scalar::I64 => &raw mut ffi::ffi_type_sint64,
        Scalar::U64 => &raw mut ffi::ffi_type_uint64,
        Scalar::F32 => &raw mut ffi::ffi_type_float,
        Scalar::F64 => &raw mut ffi::ffi_type_double,
        Scalar::Ptr => &raw mut ffi::ffi_type_pointer,
    }
}

/// So many arguments need no memory of the heap.
const FEW: usize = 16;

impl CallPlan {
    /// Prepares calls.
    ///
    /// # Errors
    ///
    /// Why there can be none, for a person.
    pub fn new(signature: &CSignature, convention: Convention) -> Result<CallPlan, String> {
        let abi = convention.abi().ok_or("this machine does not know the calling convention of Windows on x86-64")?;
        let mut types = Types::default();
        let (mut offsets, mut passed, mut fixed) = (Vec::new(), Vec::new(), 0);
        for (index, field) in signature.args.fields.iter().enumerate() {
            let Some(ty) = types.of(&field.ty) else { continue };
            offsets.push(field.offset);
            passed.push(ty);
            fixed += usize::from(signature.fixed.is_none_or(|fixed| index < fixed));
        }
        let returned = signature.returns.as_ref().and_then(|ty| types.of(ty));
        let returned = returned.unwrap_or(&raw mut ffi::ffi_type_void);
        let count = passed.len();
        let passed = types.list(passed);
        let mut cif = MaybeUninit::<ffi::ffi_cif>::zeroed();
        // SAFETY: the descriptions are complete, and live as long as the plan.
        let status = unsafe {
            match signature.fixed {
                Some(_) if fixed > 0 => {
                    ffi::ffi_prep_cif_var(cif.as_mut_ptr(), abi, fixed as u32, count as u32, returned, passed)
                }
                _ => ffi::ffi_prep_cif(cif.as_mut_ptr(), abi, count as u32, returned, passed),
            }
        };
        if status != ffi::ffi_status_FFI_OK {
            return Err("libffi cannot call functions of this signature".to_owned());
        }
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
            // SAFETY: libffi has filled it.
            cif: unsafe { cif.assume_init() },
            _types: types,
            offsets: offsets.into(),
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
        // In order, and copies of what is large.
        2 * self.args_size + 8 * self.offsets.len() + (4 << 10)
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
        let (mut few, mut many) = ([ptr::null_mut(); FEW], Vec::new());
        let values = match few.get_mut(..self.offsets.len()) {
            Some(few) => few,
            None => {
                many.resize(self.offsets.len(), ptr::null_mut());
                &mut many[..]
            }
        };
        for (value, &offset) in values.iter_mut().zip(&self.offsets) {
            // SAFETY: as above.
            *value = unsafe { args.add(offset) }.cast_mut().cast();
        }
        // Small results are written as whole registers.
        let mut registers = [0u64; 4];
        let direct = self.result_size > size_of_val(&registers);
        let written = if direct { result.cast::<c_void>() } else { registers.as_mut_ptr().cast() };
        // SAFETY: per the contract; the plan is complete. libffi only reads it.
        unsafe {
            let code: unsafe extern "C" fn() = std::mem::transmute(code);
            ffi::ffi_call((&raw const self.cif).cast_mut(), Some(code), written, values.as_mut_ptr());
            if !direct {
                result.copy_from_nonoverlapping(registers.as_ptr().cast(), self.result_size);
            }
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
        let mut args = vec![0; 48];
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
    fn two_hundred_arguments_are_passed() {
        // Only the first and the last are looked at: registers and the end of the stack.
        let text = format!("{}->F64", ["F64"; 200].join(","));
        let plan = plan(&text);
        assert_eq!(plan.args_size(), 1600);
        assert!(plan.stack_size() > 3200);
    }
}
