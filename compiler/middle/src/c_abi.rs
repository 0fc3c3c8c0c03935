//! How does C pass and return a value? System V, x86-64.
//!
//! The rules are in `reml_ffi::system_v`, which calls by signatures that are data follow, too. Whether there are enough registers left for a struct depends on the parameters
//! before, so that is decided for a signature as a whole.

pub use reml_ffi::system_v::Word;
use reml_ffi::system_v::{self, Part, Registers};
use reml_semantics::types::TypeId;

use crate::c_layout::{CLayout, scalar_size};

/// A struct that C gets or gives by value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CStruct {
    pub size: u32,
    pub align: u32,
    /// Empty when it is passed in memory.
    pub words: Vec<Word>,
}

/// A parameter or a result of a C function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CValue {
    /// The Core type of the scalar. For a struct: that of its address as a parameter, `()` as a result.
    pub ty: TypeId,
    pub by_value: Option<CStruct>,
}

/// A C function. A Core call of it passes scalars, addresses of structs, and at the end, when the result is a struct, the address that it goes to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CSignature {
    pub params: Vec<CValue>,
    pub ret: CValue,
}

impl CStruct {
    /// As it would be passed with all registers free.
    pub fn of(layout: &CLayout) -> CStruct {
        let mut parts = Vec::new();
        layout.each_scalar(0, &mut |offset, prim| {
            let size = scalar_size(prim) as usize;
            parts.push(Part { offset: offset as usize, size, is_float: prim.is_float() });
        });
        CStruct { size: layout.size, align: layout.align, words: system_v::words(layout.size as usize, parts) }
    }
}

impl CSignature {
    /// The registers that are left for the parameters: a result in memory has its address in the first.
    fn registers(&self) -> Registers {
        let mut registers = Registers::default();
        if self.ret.by_value.as_ref().is_some_and(|ret| ret.words.is_empty()) {
            registers.take(1, 0);
        }
        registers
    }

    /// Sends the structs to memory for which no registers are left.
    pub fn assign_registers(&mut self, is_float: impl Fn(TypeId) -> bool) {
        let mut registers = self.registers();
        for param in &mut self.params {
            match &mut param.by_value {
                None => {
                    take_scalar(&mut registers, is_float(param.ty));
                }
                Some(by_value) => {
                    if !registers.take_words(&by_value.words) {
                        by_value.words.clear();
                    }
                }
            }
        }
    }

    /// How many words of arguments C finds on the stack.
    pub fn stack_words(&self, is_float: impl Fn(TypeId) -> bool) -> u64 {
        let mut registers = self.registers();
        let on_stack = self.params.iter().map(|param| match &param.by_value {
            Some(by_value) if !registers.take_words(&by_value.words) => u64::from(by_value.size.div_ceil(8)),
            None if !take_scalar(&mut registers, is_float(param.ty)) => 1,
            _ => 0,
        });
        on_stack.sum()
    }
}

fn take_scalar(registers: &mut Registers, is_float: bool) -> bool {
    registers.take(usize::from(!is_float), usize::from(is_float))
}
