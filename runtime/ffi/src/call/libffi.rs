//! How does libffi pass arguments? On machines whose ABI is not ours, and, with the feature `libffi`, in tests that compare it with what is ours.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use libffi_sys as ffi;

use super::Convention;
use crate::signature::{CSignature, CStruct, CType, Scalar};

/// What libffi wants to know of a signature.
pub struct Passing {
    cif: ffi::ffi_cif,
    /// What `cif` points to.
    _types: Types,
    /// Where the arguments are that take room.
    offsets: Box<[usize]>,
    result_size: usize,
}

/// Descriptions that point to each other, so they must stay where they are.
#[derive(Default)]
struct Types {
    #[expect(clippy::vec_box, reason = "others point to each of them")]
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
        let record = ffi::ffi_type { size, alignment: align as u16, type_: ffi::ffi_type_enum_STRUCT, elements };
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

/// libffi's number for a convention; `None` where it cannot be had.
fn abi(convention: Convention) -> Option<ffi::ffi_abi> {
    match convention {
        Convention::Native => Some(ffi::ffi_abi_FFI_DEFAULT_ABI),
        #[cfg(all(target_arch = "x86_64", unix))]
        Convention::Win64 => Some(ffi::ffi_abi_FFI_GNUW64),
        #[cfg(not(all(target_arch = "x86_64", unix)))]
        Convention::Win64 => None,
    }
}

/// So many arguments need no memory of the heap.
const FEW: usize = 16;

impl Passing {
    /// # Errors
    ///
    /// Why there can be no such calls, for a person.
    pub fn new(signature: &CSignature, convention: Convention) -> Result<Passing, String> {
        let abi = abi(convention).ok_or("this machine does not know the calling convention of Windows on x86-64")?;
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
        Ok(Passing {
            // SAFETY: libffi has filled it.
            cif: unsafe { cif.assume_init() },
            _types: types,
            offsets: offsets.into(),
            result_size: signature.returns.as_ref().map_or(0, CType::size),
        })
    }

    /// A bound for the bytes of stack that passing the arguments takes.
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    pub fn stack_size(&self, args_size: usize) -> usize {
        // In order, and copies of what is large.
        2 * args_size + 8 * self.offsets.len() + (4 << 10)
    }

    /// # Safety
    /// As [`super::CallPlan::call`] says.
    pub unsafe fn call(&self, code: *const c_void, args: *const u8, result: *mut u8) {
        let (mut few, mut many) = ([ptr::null_mut(); FEW], Vec::new());
        let values = match few.get_mut(..self.offsets.len()) {
            Some(few) => few,
            None => {
                many.resize(self.offsets.len(), ptr::null_mut());
                &mut many[..]
            }
        };
        for (value, &offset) in values.iter_mut().zip(&self.offsets) {
            // SAFETY: per the contract; offsets are below the size.
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
        }
    }
}
