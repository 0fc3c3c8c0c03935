//! Taking objects from the free lists and putting them back.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use reml_rt::abi::{ARRAY_DATA, CLASS_UNIT, FREE_LINK, LARGE, MAX_SMALL};

use crate::code::{Code, Region};
use crate::symbol::Symbol;

/// Offset of `Header::tag`.
pub const TAG_OFFSET: i32 = 4;
/// Offset of `Header::class`.
pub const CLASS_OFFSET: i32 = 5;
/// Offset of `Header::aux`.
pub const AUX_OFFSET: i32 = 6;

/// The size class of objects of this many bytes, `None` when the system allocator has to serve them.
pub fn class_of(bytes: u32) -> Option<u32> {
    let bytes = bytes.max(CLASS_UNIT as u32);
    (bytes as usize <= MAX_SMALL).then(|| bytes.div_ceil(CLASS_UNIT as u32))
}

/// A header word: one owner, the tag, and the class that objects of `bytes` bytes have.
pub fn header(bytes: u32, tag: u32, wide: bool) -> i64 {
    let class = class_of(bytes).map_or(u32::from(LARGE), |class| class);
    let (tag, aux) = if wide { (0, tag) } else { (tag, 0) };
    (1 | u64::from(tag) << 32 | u64::from(class) << 40 | u64::from(aux) << 48) as i64
}

impl Code<'_, '_> {
    /// An object of `bytes` bytes, its header not yet written.
    pub fn alloc(&mut self, bytes: u32) -> Value {
        let Some(class) = class_of(bytes) else {
            let bytes = self.int(i64::from(bytes));
            return self.runtime("reml_alloc_large", &[bytes]).expect("it returns a pointer");
        };
        if !self.plan.target.release {
            return self.call(Symbol::Alloc(class), &[])[0];
        }
        self.alloc_inline(class)
    }

    pub fn alloc_inline(&mut self, class: u32) -> Value {
        let context = self.context();
        let list = class as i32 * 8;
        let head = self.load(types::I64, Region::FreeList, context, list);
        let slow = self.cold_block();
        let done = self.block();
        let object = self.builder.append_block_param(done, types::I64);
        self.builder.ins().brif(head, done, &[head.into()], slow, &[]);
        self.switch_to(slow);
        self.call(Symbol::Refill(class), &[]);
        let context = self.context();
        let head = self.load(types::I64, Region::FreeList, context, list);
        self.jump(done, &[head]);
        self.switch_to(done);
        let next = self.load(types::I64, Region::FreeList, object, FREE_LINK as i32);
        let context = self.context();
        self.store(Region::FreeList, next, context, list);
        object
    }

    pub fn write_header(&mut self, object: Value, bytes: u32, tag: u32, wide: bool) {
        let word = self.int(header(bytes, tag, wide));
        self.store(Region::Count, word, object, 0);
    }

    /// Gives back the memory of an object of a known size.
    pub fn free_sized(&mut self, object: Value, bytes: u32) {
        match class_of(bytes) {
            None => {
                self.runtime("reml_free_large", &[object]);
            }
            Some(class) => self.push_free(object, class),
        }
    }

    pub fn push_free(&mut self, object: Value, class: u32) {
        let context = self.context();
        let list = class as i32 * 8;
        let head = self.load(types::I64, Region::FreeList, context, list);
        self.store(Region::FreeList, head, object, FREE_LINK as i32);
        self.store(Region::FreeList, object, context, list);
    }

    /// Gives back the memory of an object whose header knows its class.
    pub fn free_any(&mut self, object: Value) {
        let class = self.load(types::I8, Region::Tag, object, CLASS_OFFSET);
        let large = self.equals(class, i64::from(LARGE));
        let (cold, small) = self.branch_cold(large);
        let done = self.block();
        self.switch_to(cold);
        self.runtime("reml_free_large", &[object]);
        self.jump(done, &[]);
        self.switch_to(small);
        let class = self.builder.ins().uextend(types::I64, class);
        let offset = self.scaled(class, 8);
        let context = self.context();
        let list = self.builder.ins().iadd(context, offset);
        let head = self.load(types::I64, Region::FreeList, list, 0);
        self.store(Region::FreeList, head, object, FREE_LINK as i32);
        self.store(Region::FreeList, object, list, 0);
        self.jump(done, &[]);
        self.switch_to(done);
    }

    /// A new array of length `len` (its elements unwritten) with room for exactly as many as fit its memory.
    pub fn alloc_array(&mut self, stride: u32, len: u32) -> Value {
        let bytes = u64::from(stride) * u64::from(len) + ARRAY_DATA as u64;
        let length = self.int(i64::from(len));
        match u32::try_from(bytes).ok().and_then(class_of) {
            Some(class) if stride > 0 => {
                let room = class * CLASS_UNIT as u32;
                let array = self.alloc(room);
                self.write_header(array, room, 0, false);
                let capacity = self.int(i64::from((room - ARRAY_DATA as u32) / stride));
                self.store(Region::ArrayHeader, capacity, array, 16);
                self.store(Region::ArrayHeader, length, array, 8);
                array
            }
            _ => {
                let stride = self.int(i64::from(stride));
                let array = self.runtime("reml_array_new", &[stride, length]).expect("it returns a pointer");
                self.store(Region::ArrayHeader, length, array, 8);
                array
            }
        }
    }
}
