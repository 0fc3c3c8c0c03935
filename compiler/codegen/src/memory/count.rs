//! `dup` and `drop`: owner counts of values of every shape.
//!
//! A count is written without branching on its sign: `c + 1 + (c >> 31)` is `c + 1` for an owned object and `c` for an
//! immortal (negative) one, and `c - 1 - (c >> 31)` likewise. That keeps a `dup` to one straight line.

use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use reml_middle::layout::{Pointer, Shape, SlotRange};
use reml_semantics::types::TypeId;

use crate::code::{Code, Region, Values};
use crate::plan::TypeInfo;
use crate::symbol::Symbol;

/// Offset of `Closure::info`.
pub const CLOSURE_INFO_OFFSET: i32 = 16;
/// Offset of `ClosureInfo::consume`.
pub const CLOSURE_CONSUME_OFFSET: i32 = 8;

impl Code<'_, '_> {
    pub fn count_of(&mut self, object: Value) -> Value {
        self.load(types::I32, Region::Count, object, 0)
    }

    pub fn increment(&mut self, object: Value) {
        let count = self.count_of(object);
        let sign = self.builder.ins().sshr_imm_u(count, 31);
        let next = self.builder.ins().iadd_imm_s(count, 1);
        let next = self.builder.ins().iadd(next, sign);
        self.store(Region::Count, next, object, 0);
    }

    pub fn decrement(&mut self, object: Value, count: Value) {
        let sign = self.builder.ins().sshr_imm_u(count, 31);
        let next = self.builder.ins().iadd_imm_s(count, -1);
        let next = self.builder.ins().isub(next, sign);
        self.store(Region::Count, next, object, 0);
    }

    /// One owner more.
    pub fn dup(&mut self, ty: TypeId, values: &[Value]) {
        let info = self.plan.info(ty).clone();
        if !info.layout.counted {
            return;
        }
        if matches!(info.layout.shape, Shape::Sum(_)) && !self.plan.target.release {
            self.call(Symbol::Dup(info.bare), values);
            return;
        }
        self.dup_inline(&info, values);
    }

    pub fn dup_inline(&mut self, info: &TypeInfo, values: &[Value]) {
        match &info.layout.shape {
            Shape::Empty | Shape::Scalar => {}
            Shape::Pointer(pointer) => self.dup_pointer(*pointer, values[0], false),
            Shape::Nullable { full, .. } => {
                let pointer = self.payload_pointer(info, *full);
                self.dup_pointer(pointer, values[0], true);
            }
            Shape::Product(ranges) => {
                for (&field, range) in info.variants[0].fields.iter().zip(ranges) {
                    self.dup(field, &values[range.first..range.first + range.len]);
                }
            }
            Shape::Sum(variants) => self.each_variant(info, variants, values, |code, field, values| {
                code.dup(field, values);
            }),
        }
    }

    fn dup_pointer(&mut self, pointer: Pointer, object: Value, nullable: bool) {
        match self.skip_unowned(pointer, object, nullable) {
            None => self.increment(object),
            Some(done) => {
                self.increment(object);
                self.jump(done, &[]);
                self.switch_to(done);
            }
        }
    }

    /// Branches past null and immediates where the type has them; code continues with a real object.
    fn skip_unowned(&mut self, pointer: Pointer, object: Value, nullable: bool) -> Option<Block> {
        let immediates = pointer == Pointer::Sum { immediates: true };
        if !immediates && !nullable {
            return None;
        }
        let done = self.block();
        if nullable {
            self.branch_unless(object, done);
        }
        if immediates {
            let immediate = self.builder.ins().band_imm_u(object, 1);
            let next = self.block();
            self.branch(immediate, done, next);
            self.switch_to(next);
        }
        Some(done)
    }

    /// The kind of pointer in the full variant of a nullable type.
    pub fn payload_pointer(&self, info: &TypeInfo, full: u32) -> Pointer {
        let field = self.payload_type(info, full);
        self.plan.info(field).pointer().expect("the payload of a nullable type is a pointer")
    }

    pub fn payload_type(&self, info: &TypeInfo, full: u32) -> TypeId {
        let fields = &info.variants[full as usize].fields;
        let field = fields.iter().find(|&&field| !self.plan.layout(field).slots.is_empty());
        *field.expect("the full variant has a payload")
    }

    /// One owner less. In release builds the common cases are expanded in place.
    pub fn drop_value(&mut self, ty: TypeId, values: &[Value]) {
        let info = self.plan.info(ty).clone();
        if !info.layout.counted {
            return;
        }
        if !self.plan.target.release {
            self.call(Symbol::Drop(info.bare), values);
            return;
        }
        self.drop_inline(&info, values);
    }

    pub fn drop_inline(&mut self, info: &TypeInfo, values: &[Value]) {
        match &info.layout.shape {
            Shape::Empty | Shape::Scalar => {}
            Shape::Pointer(pointer) => self.drop_pointer(info.bare, *pointer, values[0], false),
            Shape::Nullable { full, .. } => {
                let payload = self.payload_type(info, *full);
                let pointer = self.payload_pointer(info, *full);
                self.drop_pointer(payload, pointer, values[0], true);
            }
            Shape::Product(ranges) => {
                for (&field, range) in info.variants[0].fields.iter().zip(ranges) {
                    self.drop_value(field, &values[range.first..range.first + range.len]);
                }
            }
            Shape::Sum(variants) => self.each_variant(info, variants, values, |code, field, values| {
                code.drop_value(field, values);
            }),
        }
    }

    fn drop_pointer(&mut self, ty: TypeId, pointer: Pointer, object: Value, nullable: bool) {
        let skip = self.skip_unowned(pointer, object, nullable);
        let done = skip.unwrap_or_else(|| self.block());
        let (last, shared) = (self.block(), self.block());
        let count = self.count_of(object);
        let unique = self.equals(count, 1);
        self.branch(unique, last, shared);
        self.switch_to(shared);
        self.decrement(object, count);
        self.jump(done, &[]);
        self.switch_to(last);
        self.free(ty, object);
        self.jump(done, &[]);
        self.switch_to(done);
    }

    /// The code that drops a closure's captures and frees it.
    fn closure_drop(&mut self, closure: Value) -> Value {
        let info = self.load_constant(types::I64, Region::Closure, closure, CLOSURE_INFO_OFFSET);
        self.load_constant(types::I64, Region::Closure, info, 0)
    }

    /// The last owner of an object (no null, no immediate) is gone.
    pub fn free(&mut self, ty: TypeId, object: Value) {
        let info = self.plan.info(ty).clone();
        match info.pointer().expect("only pointers are freed") {
            Pointer::Str => {
                self.runtime("reml_str_free", &[object]);
            }
            Pointer::Opaque => {
                self.runtime("reml_free", &[object]);
            }
            Pointer::Closure => {
                let drop = self.closure_drop(object);
                let signature = self.closure_drop_signature();
                self.builder.ins().call_indirect(signature, drop, &[object]);
            }
            Pointer::Array | Pointer::Cell | Pointer::Product | Pointer::Sum { .. } => {
                match self.plain_cell_size(&info) {
                    Some(bytes) => self.free_sized(object, bytes),
                    None => {
                        self.call(Symbol::Free(info.bare), &[object]);
                    }
                }
            }
        }
    }

    /// The same, as the last thing a helper function does.
    pub fn free_and_return(&mut self, ty: TypeId, object: Value) {
        let info = self.plan.info(ty).clone();
        match info.pointer().expect("only pointers are freed") {
            Pointer::Closure => {
                let drop = self.closure_drop(object);
                let signature = self.closure_drop_signature();
                self.builder.ins().return_call_indirect(signature, drop, &[object]);
            }
            Pointer::Array | Pointer::Cell | Pointer::Product | Pointer::Sum { .. }
                if self.plain_cell_size(&info).is_none() =>
            {
                self.tail_call(Symbol::Free(info.bare), &[object]);
            }
            _ => {
                self.free(ty, object);
                self.builder.ins().return_(&[]);
            }
        }
    }

    /// The size of objects of the type, if all have the same size and hold nothing counted.
    fn plain_cell_size(&self, info: &TypeInfo) -> Option<u32> {
        let plan = self.plan;
        if info.pointer() == Some(Pointer::Cell) {
            let content = plan.layout(info.element?);
            return (!content.counted).then_some(cell_size(content.size));
        }
        let mut size = None;
        for variant in &info.variants {
            let cell = variant.cell.as_ref()?;
            if variant.fields.is_empty() && info.pointer() == Some(Pointer::Sum { immediates: true }) {
                continue;
            }
            if variant.fields.iter().any(|&field| plan.counted(field)) {
                return None;
            }
            let class = super::alloc::class_of(cell.size);
            match size {
                None => size = Some((class, cell.size)),
                Some((seen, _)) if seen == class => {}
                Some(_) => return None,
            }
        }
        size.map(|(_, bytes)| bytes)
    }

    /// Runs `act` on every counted field of the variant that the tag of an unboxed sum names.
    fn each_variant(
        &mut self,
        info: &TypeInfo,
        variants: &[Vec<SlotRange>],
        values: &[Value],
        mut act: impl FnMut(&mut Self, TypeId, &[Value]),
    ) {
        let done = self.block();
        let counted: Vec<usize> = (0..variants.len())
            .filter(|&variant| info.variants[variant].fields.iter().any(|&field| self.plan.counted(field)))
            .collect();
        for &variant in &counted {
            let is_it = self.equals(values[0], variant as i64);
            let (body, next) = (self.block(), self.block());
            self.branch(is_it, body, next);
            self.switch_to(body);
            for (&field, &range) in info.variants[variant].fields.iter().zip(&variants[variant]) {
                if self.plan.counted(field) {
                    let payload = self.narrow_payload(field, &values[range.first..range.first + range.len]);
                    act(self, field, &payload);
                }
            }
            self.jump(done, &[]);
            self.switch_to(next);
        }
        self.jump(done, &[]);
        self.switch_to(done);
    }

    /// A field's own slots out of the payload slots of an unboxed sum.
    pub fn narrow_payload(&mut self, field: TypeId, payload: &[Value]) -> Values {
        let plan = self.plan;
        let slots = plan.layout(field).slots.iter();
        slots.zip(payload).map(|(&slot, &value)| self.narrow_slot(crate::code::clif_type(slot), value)).collect()
    }

    /// Is this the only owner of the value? Values that own nothing have only one.
    pub fn is_unique(&mut self, ty: TypeId, values: &[Value]) -> Value {
        let info = self.plan.info(ty).clone();
        let (pointer, nullable) = match info.layout.shape {
            Shape::Pointer(pointer) => (pointer, false),
            Shape::Nullable { full, .. } => (self.payload_pointer(&info, full), true),
            _ => return self.bool(true),
        };
        let object = values[0];
        let Some(done) = self.skip_unowned_with(pointer, object, nullable) else {
            let count = self.count_of(object);
            return self.equals(count, 1);
        };
        let count = self.count_of(object);
        let unique = self.equals(count, 1);
        self.jump(done, &[unique]);
        self.switch_to(done);
        self.builder.block_params(done)[0]
    }

    /// Like `skip_unowned`, with `true` as the argument of the block after.
    fn skip_unowned_with(&mut self, pointer: Pointer, object: Value, nullable: bool) -> Option<Block> {
        let skipped = self.skip_unowned(pointer, object, nullable)?;
        let here = self.builder.current_block().expect("a block is being filled");
        let done = self.block();
        self.builder.append_block_param(done, types::I8);
        self.switch_to(skipped);
        let yes = self.bool(true);
        self.jump(done, &[yes]);
        self.switch_to(here);
        Some(done)
    }
}

/// Bytes of a `Cell` object with content of this size.
pub fn cell_size(content: u32) -> u32 {
    reml_rt::abi::CELL_DATA as u32 + content
}
