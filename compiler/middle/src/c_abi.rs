//! How does C pass and return a value? System V, x86-64.
//!
//! Scalars go as they are. A struct of at most 16 bytes whose fields are aligned is cut into pieces of eight bytes, and each goes into an
//! integer register, or, when it holds nothing but floats, a vector register; any other struct lies in memory (System V ABI, AMD64
//! supplement, 3.2.3). Whether there are enough registers left for all pieces depends on the parameters before, so that is decided for a
//! signature as a whole.

use reml_semantics::types::TypeId;

use crate::c_layout::{CLayout, scalar_size};

/// A piece of a struct in a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CWord {
    Integer,
    /// Four bytes of floats, or eight.
    Float,
    Double,
}

/// A struct that C gets or gives by value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CStruct {
    pub size: u32,
    pub align: u32,
    /// Empty when it is passed in memory.
    pub words: Vec<CWord>,
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

const INTEGER_REGISTERS: usize = 6;
const VECTOR_REGISTERS: usize = 8;

impl CStruct {
    /// As it would be passed with all registers free.
    pub fn of(layout: &CLayout) -> CStruct {
        CStruct { size: layout.size, align: layout.align, words: words(layout) }
    }
}

/// The classes of a struct's pieces; none when it goes into memory.
fn words(layout: &CLayout) -> Vec<CWord> {
    if layout.size > 16 || layout.size == 0 {
        return Vec::new();
    }
    let count = layout.size.div_ceil(8) as usize;
    let mut integer = [false; 2];
    let mut aligned = true;
    layout.each_scalar(0, &mut |offset, prim| {
        aligned &= offset.is_multiple_of(scalar_size(prim));
        integer[offset as usize / 8] |= !prim.is_float();
    });
    if !aligned {
        return Vec::new();
    }
    (0..count)
        .map(|word| match (integer[word], layout.size - 8 * word as u32) {
            (true, _) => CWord::Integer,
            (false, 4) => CWord::Float,
            (false, _) => CWord::Double,
        })
        .collect()
}

impl CSignature {
    /// Sends the structs to memory for which no registers are left.
    pub fn assign_registers(&mut self, is_float: impl Fn(TypeId) -> bool) {
        let hidden = self.ret.by_value.as_ref().is_some_and(|ret| ret.words.is_empty());
        let (mut integers, mut vectors) = (usize::from(hidden), 0);
        for param in &mut self.params {
            match &mut param.by_value {
                None if is_float(param.ty) => vectors += 1,
                None => integers += 1,
                Some(by_value) => {
                    let wanted = by_value.words.iter().filter(|&&word| word == CWord::Integer).count();
                    let rest = by_value.words.len() - wanted;
                    if integers + wanted > INTEGER_REGISTERS || vectors + rest > VECTOR_REGISTERS {
                        by_value.words.clear();
                    } else {
                        integers += wanted;
                        vectors += rest;
                    }
                }
            }
        }
    }

    /// How many words of arguments C finds on the stack.
    pub fn stack_words(&self, is_float: impl Fn(TypeId) -> bool) -> u64 {
        let hidden = self.ret.by_value.as_ref().is_some_and(|ret| ret.words.is_empty());
        let (mut integers, mut vectors, mut stack) = (usize::from(hidden), 0, 0);
        for param in &self.params {
            match &param.by_value {
                Some(by_value) if by_value.words.is_empty() => stack += u64::from(by_value.size.div_ceil(8)),
                Some(by_value) => {
                    let wanted = by_value.words.iter().filter(|&&word| word == CWord::Integer).count();
                    integers += wanted;
                    vectors += by_value.words.len() - wanted;
                }
                None => {
                    let (used, room) = match is_float(param.ty) {
                        true => (&mut vectors, VECTOR_REGISTERS),
                        false => (&mut integers, INTEGER_REGISTERS),
                    };
                    if *used < room {
                        *used += 1;
                    } else {
                        stack += 1;
                    }
                }
            }
        }
        stack
    }
}
