//! Helper functions over whole arrays, and the loops over elements they are made of.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use reml_middle::layout::CELL_HEADER;
use reml_rt::abi::ARRAY_DATA;
use reml_semantics::types::TypeId;

use crate::code::{Code, Region};
use crate::symbol::Symbol;

pub const LEN_OFFSET: i32 = 8;
pub const CAPACITY_OFFSET: i32 = 16;

impl Code<'_, '_> {
    pub fn array_len(&mut self, array: Value) -> Value {
        self.load(types::I64, Region::ArrayHeader, array, LEN_OFFSET)
    }

    pub fn set_array_len(&mut self, array: Value, len: Value) {
        self.store(Region::ArrayHeader, len, array, LEN_OFFSET);
    }

    /// Runs `body` on the address of each of `count` elements from `first` on.
    fn each_element(&mut self, stride: u32, first: Value, count: Value, body: impl FnOnce(&mut Self, Value)) {
        let bytes = self.scaled(count, stride);
        let end = self.builder.ins().iadd(first, bytes);
        let (head, exit) = (self.block(), self.block());
        let at = self.builder.append_block_param(head, types::I64);
        self.jump(head, &[first]);
        self.switch_to(head);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, at, end);
        self.branch_unless(more, exit);
        body(self, at);
        let next = self.builder.ins().iadd_imm_s(at, i64::from(stride));
        self.jump(head, &[next]);
        self.switch_to(exit);
    }

    pub fn drop_elements(&mut self, element: TypeId, first: Value, count: Value) {
        if !self.plan.counted(element) {
            return;
        }
        let layout = self.plan.info(element).layout.clone();
        self.each_element(layout.size, first, count, |code, at| {
            let values = code.load_value(&layout, Region::Elements(element), at, 0);
            code.drop_value(element, &values);
        });
    }

    fn dup_elements(&mut self, element: TypeId, first: Value, count: Value) {
        if !self.plan.counted(element) {
            return;
        }
        let layout = self.plan.info(element).layout.clone();
        self.each_element(layout.size, first, count, |code, at| {
            let values = code.load_value(&layout, Region::Elements(element), at, 0);
            code.dup(element, &values);
        });
    }

    fn new_array(&mut self, stride: u32, capacity: Value) -> Value {
        let stride = self.int(i64::from(stride));
        self.runtime("reml_array_new", &[stride, capacity]).expect("it returns a pointer")
    }

    fn copy_bytes(&mut self, to: Value, from: Value, count: Value, stride: u32) {
        let bytes = self.scaled(count, stride);
        self.runtime("reml_copy", &[to, from, bytes]);
    }

    fn array_element(&self, array_ty: TypeId) -> (TypeId, u32) {
        let element = self.plan.info(array_ty).element.expect("an array type");
        (element, self.plan.layout(element).size)
    }

    /// The other owners keep the original.
    pub fn array_copy_helper(&mut self, ty: TypeId, array: Value, room: Value) {
        let (element, stride) = self.array_element(ty);
        let len = self.array_len(array);
        let capacity = self.builder.ins().umax(room, len);
        let copy = self.new_array(stride, capacity);
        let to = self.add_imm(copy, ARRAY_DATA as i64);
        let from = self.add_imm(array, ARRAY_DATA as i64);
        self.copy_bytes(to, from, len, stride);
        self.set_array_len(copy, len);
        self.dup_elements(element, to, len);
        let count = self.count_of(array);
        self.decrement(array, count);
        self.builder.ins().return_(&[copy]);
    }

    pub fn array_truncate_helper(&mut self, ty: TypeId, array: Value, count: Value) {
        let (element, stride) = self.array_element(ty);
        let len = self.array_len(array);
        let (cut, keep) = (self.block(), self.block());
        let shorter = self.builder.ins().icmp(IntCC::UnsignedLessThan, count, len);
        self.branch(shorter, cut, keep);
        self.switch_to(keep);
        self.builder.ins().return_(&[array]);
        self.switch_to(cut);
        let owners = self.count_of(array);
        let unique = self.equals(owners, 1);
        let (own, shared) = (self.block(), self.block());
        self.branch(unique, own, shared);
        self.switch_to(shared);
        let zero = self.int(0);
        let part = self.call(Symbol::ArraySlice(ty), &[array, zero, count]);
        let owners = self.count_of(array);
        self.decrement(array, owners);
        self.builder.ins().return_(&part);
        self.switch_to(own);
        self.set_array_len(array, count);
        let offset = self.scaled(count, stride);
        let first = self.builder.ins().iadd(array, offset);
        let first = self.add_imm(first, ARRAY_DATA as i64);
        let rest = self.builder.ins().isub(len, count);
        self.drop_elements(element, first, rest);
        self.builder.ins().return_(&[array]);
    }

    pub fn array_slice_helper(&mut self, ty: TypeId, array: Value, start: Value, end: Value) {
        let (element, stride) = self.array_element(ty);
        let len = self.builder.ins().isub(end, start);
        let zero = self.int(0);
        let len = self.builder.ins().smax(len, zero);
        let copy = self.new_array(stride, len);
        let to = self.add_imm(copy, ARRAY_DATA as i64);
        let offset = self.scaled(start, stride);
        let from = self.builder.ins().iadd(array, offset);
        let from = self.add_imm(from, ARRAY_DATA as i64);
        self.copy_bytes(to, from, len, stride);
        self.set_array_len(copy, len);
        self.dup_elements(element, to, len);
        self.builder.ins().return_(&[copy]);
    }

    pub fn array_append_helper(&mut self, ty: TypeId, left: Value, right: Value) {
        let (element, stride) = self.array_element(ty);
        let left_len = self.array_len(left);
        let right_len = self.array_len(right);
        let len = self.builder.ins().iadd(left_len, right_len);
        let left = self.array_with_room(ty, left, len, false);
        let offset = self.scaled(left_len, stride);
        let to = self.builder.ins().iadd(left, offset);
        let to = self.add_imm(to, ARRAY_DATA as i64);
        let from = self.add_imm(right, ARRAY_DATA as i64);
        self.copy_bytes(to, from, right_len, stride);
        self.dup_elements(element, to, right_len);
        self.set_array_len(left, len);
        self.builder.ins().return_(&[left]);
    }

    pub fn array_filled_helper(&mut self, ty: TypeId, count: Value, value: &[Value]) {
        let (element, stride) = self.array_element(ty);
        let layout = self.plan.info(element).layout.clone();
        let zero = self.int(0);
        let count = self.builder.ins().smax(count, zero);
        let array = self.new_array(stride, count);
        self.set_array_len(array, count);
        let first = self.add_imm(array, ARRAY_DATA as i64);
        if let [slot] = *value
            && !layout.counted
        {
            let bits = self.widen_slot(types::I64, slot);
            let bytes = self.int(i64::from(stride));
            self.runtime("reml_fill", &[first, bytes, bits, count]);
        } else if stride > 0 {
            self.each_element(stride, first, count, |code, at| {
                code.dup(element, value);
                code.store_value(&layout, Region::Elements(element), value, at, 0);
            });
        }
        self.drop_value(element, value);
        self.builder.ins().return_(&[array]);
    }

    pub fn fixed_copy_helper(&mut self, ty: TypeId, object: Value) {
        let info = self.plan.info(ty).clone();
        let element = info.element.expect("a fixed array type");
        let cell = info.variants[0].cell.clone().expect("a boxed fixed array");
        let copy = self.alloc(cell.size);
        self.write_header(copy, cell.size, 0, false);
        let to = self.add_imm(copy, i64::from(CELL_HEADER));
        let from = self.add_imm(object, i64::from(CELL_HEADER));
        let bytes = self.int(i64::from(cell.size - CELL_HEADER));
        self.runtime("reml_copy", &[to, from, bytes]);
        let len = self.int(info.variants[0].fields.len() as i64);
        self.dup_elements(element, to, len);
        let count = self.count_of(object);
        self.decrement(object, count);
        self.builder.ins().return_(&[copy]);
    }

    /// The array itself when this is its only owner, else a copy.
    pub fn unique_array(&mut self, ty: TypeId, array: Value) -> Value {
        let count = self.count_of(array);
        let shared = self.builder.ins().icmp_imm_s(IntCC::NotEqual, count, 1);
        let cold = self.cold_block();
        let done = self.block();
        let own = self.builder.append_block_param(done, types::I64);
        self.builder.ins().brif(shared, cold, &[], done, &[array.into()]);
        self.switch_to(cold);
        let bare = self.plan.info(ty).bare;
        let room = self.int(0);
        let copy = self.cold_array(Symbol::ColdCopy(bare), array, room);
        self.jump(done, &[copy]);
        self.switch_to(done);
        own
    }

    /// Calls `ColdCopy` or `ColdGrow`.
    fn cold_array(&mut self, symbol: Symbol, array: Value, room: Value) -> Value {
        let operands = self.cold_call(symbol, &[array, room]);
        self.load(types::I64, Region::Stack, operands, 0)
    }

    pub fn grow_array(&mut self, array: Value, stride: u32, room: Value) -> Value {
        let stride = self.int(i64::from(stride));
        self.runtime("reml_array_grow", &[array, stride, room]).expect("it returns a pointer")
    }

    /// A unique array with room for `room` elements: this one, a larger one, or a copy.
    pub fn array_with_room(&mut self, ty: TypeId, array: Value, room: Value, known_unique: bool) -> Value {
        let (_, stride) = self.array_element(ty);
        let growing = self.cold_block();
        let done = self.block();
        let own = self.builder.append_block_param(done, types::I64);
        if !known_unique {
            let (copying, checking) = (self.cold_block(), self.block());
            let count = self.count_of(array);
            let unique = self.equals(count, 1);
            self.branch(unique, checking, copying);
            self.switch_to(copying);
            let bare = self.plan.info(ty).bare;
            // A copy made in order to push will be pushed to again.
            let spare = self.builder.ins().iadd(room, room);
            let copy = self.cold_array(Symbol::ColdCopy(bare), array, spare);
            self.jump(done, &[copy]);
            self.switch_to(checking);
        }
        let capacity = self.load(types::I64, Region::ArrayHeader, array, CAPACITY_OFFSET);
        let full = self.builder.ins().icmp(IntCC::UnsignedLessThan, capacity, room);
        self.builder.ins().brif(full, growing, &[], done, &[array.into()]);
        self.switch_to(growing);
        let grown = self.cold_array(Symbol::ColdGrow(stride), array, room);
        self.jump(done, &[grown]);
        self.switch_to(done);
        own
    }
}
