//! `[T]`: bounds checks, element access, updates in place when the array has one owner.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};
use reml_middle::core::{Atom, Var};
use reml_middle::layout::Layout;
use reml_middle::prim::PrimOp;
use reml_rt::abi::ARRAY_DATA;
use reml_semantics::types::TypeId;
use std::sync::Arc;

use super::function::Translator;
use crate::code::{Region, Values};
use crate::symbol::{PanicStub, Symbol};

const DATA: u32 = ARRAY_DATA as u32;

/// What an operation needs to know of the array type.
struct ArrayType {
    ty: TypeId,
    bare: TypeId,
    element: TypeId,
    layout: Arc<Layout>,
}

impl ArrayType {
    fn region(&self) -> Region {
        Region::Elements(self.element)
    }
}

impl Translator<'_, '_> {
    fn array_type(&self, ty: TypeId) -> ArrayType {
        let info = self.code.plan.info(ty);
        let element = info.element.expect("an array type");
        let element = self.code.plan.info(element);
        ArrayType { ty, bare: info.bare, element: element.bare, layout: element.layout.clone() }
    }

    pub fn array_literal(&mut self, ty: TypeId, items: &[Atom]) -> Values {
        let array_type = self.array_type(ty);
        let array = self.code.alloc_array(array_type.layout.size, items.len() as u32);
        for (index, &item) in items.iter().enumerate() {
            let values = self.atom(item);
            let offset = DATA + index as u32 * array_type.layout.size;
            self.code.store_value(&array_type.layout, array_type.region(), &values, array, offset);
        }
        smallvec::smallvec![array]
    }

    fn check_index(&mut self, array: Value, index: Value) {
        let len = self.code.array_len(array);
        let outside = self.code.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.code.panic_if(outside, PanicStub::Index, |_| smallvec::smallvec![index, len]);
    }

    /// The address whose `DATA` offset is the element.
    fn element_address(&mut self, of: &ArrayType, array: Value, index: Value) -> Value {
        let offset = self.code.scaled(index, of.layout.size);
        self.code.builder.ins().iadd(array, offset)
    }

    fn read(&mut self, of: &ArrayType, array: Value, index: Value) -> Values {
        if of.layout.slots.is_empty() {
            return Values::new();
        }
        let at = self.element_address(of, array, index);
        self.code.load_value(&of.layout, of.region(), at, DATA)
    }

    fn write(&mut self, of: &ArrayType, array: Value, index: Value, values: &[Value]) {
        if !values.is_empty() {
            let at = self.element_address(of, array, index);
            self.code.store_value(&of.layout, of.region(), values, at, DATA);
        }
    }

    /// The array to be updated: a copy if there may be other owners, and there are.
    fn own(&mut self, of: &ArrayType, atom: Atom, array: Value) -> Value {
        if self.unique.is_unique(atom) { array } else { self.code.unique_array(of.ty, array) }
    }

    pub fn array_prim(&mut self, var: Var, prim: PrimOp, args: &[Atom]) -> Values {
        match prim {
            PrimOp::ArrayWithCapacity => {
                let of = self.array_type(self.ty(var));
                let capacity = self.scalar(args[0]);
                let zero = self.code.int(0);
                let capacity = self.code.builder.ins().smax(capacity, zero);
                let stride = self.code.int(i64::from(of.layout.size));
                return self.code.runtime("reml_array_new", &[stride, capacity]).into_iter().collect();
            }
            PrimOp::ArrayFilled => {
                let of = self.array_type(self.ty(var));
                let values = self.atoms(args);
                return self.code.call(Symbol::ArrayFilled(of.bare), &values);
            }
            _ => {}
        }
        let of = self.array_type(self.atom_type(args[0]));
        let array = self.scalar(args[0]);
        match prim {
            PrimOp::ArrayLen => smallvec::smallvec![self.code.array_len(array)],
            PrimOp::ArrayGet => {
                let index = self.scalar(args[1]);
                self.check_index(array, index);
                self.read(&of, array, index)
            }
            PrimOp::ArrayGetUnchecked => {
                let index = self.scalar(args[1]);
                self.read(&of, array, index)
            }
            PrimOp::ArraySet | PrimOp::ArraySetUnchecked => {
                let index = self.scalar(args[1]);
                if prim == PrimOp::ArraySet {
                    self.check_index(array, index);
                }
                let new = self.atom(args[2]);
                let array = self.own(&of, args[0], array);
                if of.layout.counted {
                    let old = self.read(&of, array, index);
                    self.write(&of, array, index, &new);
                    self.code.drop_value(of.element, &old);
                } else {
                    self.write(&of, array, index, &new);
                }
                smallvec::smallvec![array]
            }
            PrimOp::ArrayPush => {
                let new = self.atom(args[1]);
                let len = self.code.array_len(array);
                let room = self.code.add_imm(len, 1);
                let unique = self.unique.is_unique(args[0]);
                let array = self.code.array_with_room(of.ty, array, room, unique);
                self.write(&of, array, len, &new);
                self.code.set_array_len(array, room);
                smallvec::smallvec![array]
            }
            PrimOp::ArrayPop => {
                let array = self.own(&of, args[0], array);
                let len = self.code.array_len(array);
                let last = self.code.add_imm(len, -1);
                self.code.set_array_len(array, last);
                if of.layout.counted {
                    let old = self.read(&of, array, last);
                    self.code.drop_value(of.element, &old);
                }
                smallvec::smallvec![array]
            }
            PrimOp::ArrayTruncate => {
                let count = self.scalar(args[1]);
                self.code.call(Symbol::ArrayTruncate(of.bare), &[array, count])
            }
            PrimOp::ArraySlice => {
                let (start, end) = (self.scalar(args[1]), self.scalar(args[2]));
                self.code.call(Symbol::ArraySlice(of.bare), &[array, start, end])
            }
            PrimOp::ArrayAppend => {
                let other = self.scalar(args[1]);
                let result = self.code.call(Symbol::ArrayAppend(of.bare), &[array, other]);
                self.drop_consumed(args[1]);
                result
            }
            PrimOp::ArraySwap => {
                let (left, right) = (self.scalar(args[1]), self.scalar(args[2]));
                self.check_index(array, left);
                self.check_index(array, right);
                let array = self.own(&of, args[0], array);
                let first = self.read(&of, array, left);
                let second = self.read(&of, array, right);
                self.write(&of, array, left, &second);
                self.write(&of, array, right, &first);
                smallvec::smallvec![array]
            }
            PrimOp::ArrayTake => {
                let index = self.scalar(args[1]);
                self.check_index(array, index);
                let array = self.own(&of, args[0], array);
                let element = self.read(&of, array, index);
                self.build(self.ty(var), 0, &[Some(smallvec::smallvec![array]), Some(element)], None)
            }
            PrimOp::ArrayPut => {
                let index = self.scalar(args[1]);
                let new = self.atom(args[2]);
                self.write(&of, array, index, &new);
                smallvec::smallvec![array]
            }
            _ => unreachable!("{prim:?} is not about arrays"),
        }
    }

    /// `array_append` takes its second array as consumed (`ArgModes::Consume`) but only reads it.
    fn drop_consumed(&mut self, atom: Atom) {
        let ty = self.atom_type(atom);
        let values = self.atom(atom);
        self.code.drop_value(ty, &values);
    }
}
