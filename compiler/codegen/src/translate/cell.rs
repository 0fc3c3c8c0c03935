//! Mutable cells (captured variables, `Ref`, `Cell`), object identity, and the string reads done in place.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value, types};
use reml_middle::core::Atom;
use reml_middle::layout::Shape;
use reml_middle::prim::PrimOp;
use reml_rt::abi::CELL_DATA;
use reml_semantics::types::TypeId;

use super::function::Translator;
use crate::code::{Region, Values};
use crate::memory::alloc::AUX_OFFSET;
use crate::memory::count::cell_size;

const DATA: u32 = CELL_DATA as u32;
/// Offsets of `Str::len` and `Str::data`.
const STR_LEN: i32 = 8;
const STR_DATA: i32 = 16;
/// Literals of so many bytes are compared without a call.
const COMPARED_IN_LINE: usize = 32;

impl Translator<'_, '_> {
    pub fn cell_new(&mut self, ty: TypeId, content: Atom) -> Values {
        let info = self.code.plan.info(ty).clone();
        let layout = self.code.plan.info(info.element.expect("a cell type")).layout.clone();
        let values = self.atom(content);
        let size = cell_size(layout.size);
        let object = self.code.alloc(size);
        self.code.write_header(object, size, 0, false);
        self.code.store_value(&layout, Region::Fields(info.bare), &values, object, DATA);
        smallvec::smallvec![object]
    }

    pub fn cell_get(&mut self, cell: Atom) -> Values {
        let info = self.code.plan.info(self.atom_type(cell)).clone();
        let layout = self.code.plan.info(info.element.expect("a cell type")).layout.clone();
        let object = self.scalar(cell);
        self.code.load_value(&layout, Region::Fields(info.bare), object, DATA)
    }

    /// Stores, then drops what was there; a hole left by `cell_take` has nothing to drop.
    pub fn cell_set(&mut self, cell: Atom, content: Atom) -> Values {
        let info = self.code.plan.info(self.atom_type(cell)).clone();
        let element = info.element.expect("a cell type");
        let layout = self.code.plan.info(element).layout.clone();
        let object = self.scalar(cell);
        let values = self.atom(content);
        let region = Region::Fields(info.bare);
        if !layout.counted {
            self.code.store_value(&layout, region, &values, object, DATA);
            return Values::new();
        }
        let old = self.code.load_value(&layout, region, object, DATA);
        self.code.store_value(&layout, region, &values, object, DATA);
        match layout.shape {
            Shape::Nullable { .. } => self.code.drop_value(element, &old),
            Shape::Pointer(_) => {
                let done = self.code.block();
                self.code.branch_unless(old[0], done);
                self.code.drop_value(element, &old);
                self.code.jump(done, &[]);
                self.code.switch_to(done);
            }
            _ => {
                let hole = self.code.load(types::I16, Region::Tag, object, AUX_OFFSET);
                let (refill, done) = (self.code.block(), self.code.block());
                let drop = self.code.block();
                self.code.branch(hole, refill, drop);
                self.code.switch_to(refill);
                let full = self.code.zero(types::I16);
                self.code.store(Region::Tag, full, object, AUX_OFFSET);
                self.code.jump(done, &[]);
                self.code.switch_to(drop);
                self.code.drop_value(element, &old);
                self.code.jump(done, &[]);
                self.code.switch_to(done);
            }
        }
        Values::new()
    }

    pub fn cell_take(&mut self, cell: Atom) -> Values {
        let info = self.code.plan.info(self.atom_type(cell)).clone();
        let layout = self.code.plan.info(info.element.expect("a cell type")).layout.clone();
        let object = self.scalar(cell);
        let region = Region::Fields(info.bare);
        let values = self.code.load_value(&layout, region, object, DATA);
        if layout.counted {
            match layout.shape {
                Shape::Nullable { .. } | Shape::Pointer(_) => {
                    let null = self.code.int(0);
                    self.code.store(region, null, object, DATA as i32);
                }
                _ => {
                    let hole = self.code.int_of(types::I16, 1);
                    self.code.store(Region::Tag, hole, object, AUX_OFFSET);
                }
            }
        }
        values
    }

    pub fn same_object(&mut self, left: Atom, right: Atom) -> Value {
        let (left, right) = (self.atom(left), self.atom(right));
        let mut same = self.code.bool(true);
        for (&left, &right) in left.iter().zip(&right) {
            let ty = self.code.builder.func.dfg.value_type(left);
            let equal = if ty.is_float() {
                self.code.builder.ins().fcmp(cranelift_codegen::ir::condcodes::FloatCC::Equal, left, right)
            } else {
                self.code.builder.ins().icmp(IntCC::Equal, left, right)
            };
            same = self.code.builder.ins().band(same, equal);
        }
        same
    }

    /// Through memory that the optimiser does not look into.
    pub fn black_box(&mut self, values: &[Value]) -> Values {
        let through = |translator: &mut Self, value: Value| {
            let ty = translator.code.builder.func.dfg.value_type(value);
            let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, ty.bytes(), 3);
            let slot = translator.code.builder.create_sized_stack_slot(slot);
            let address = translator.code.builder.ins().stack_addr(types::I64, slot, 0);
            translator.code.store(Region::Stack, value, address, 0);
            // An atomic operation is a barrier to store-to-load forwarding.
            translator.code.builder.ins().fence();
            translator.code.load(ty, Region::Stack, address, 0)
        };
        values.iter().map(|&value| through(self, value)).collect()
    }

    pub fn str_prim(&mut self, prim: PrimOp, args: &[Atom]) -> Value {
        let text = self.scalar(args[0]);
        if prim == PrimOp::StrLen {
            return self.code.load(types::I64, Region::Text, text, STR_LEN);
        }
        let index = self.scalar(args[1]);
        if prim == PrimOp::StrMatches && !self.is_short_literal(args[2]) {
            let wanted = self.scalar(args[2]);
            let found = self.code.runtime("reml_str_matches", &[text, index, wanted]).expect("it returns 1 or 0");
            return self.code.builder.ins().ireduce(types::I8, found);
        }
        let data = self.code.load(types::I64, Region::Text, text, STR_DATA);
        let at = self.code.builder.ins().iadd(data, index);
        match args.get(2) {
            Some(&Atom::Str(wanted)) => {
                let wanted = self.code.plan.program.strings[wanted].as_bytes();
                self.matches(at, wanted)
            }
            _ => self.code.load(types::I8, Region::Text, at, 0),
        }
    }

    fn is_short_literal(&self, atom: Atom) -> bool {
        matches!(atom, Atom::Str(text) if self.code.plan.program.strings[text].len() <= COMPARED_IN_LINE)
    }

    /// Whether these bytes are in memory: as many at a time as there are left.
    fn matches(&mut self, at: Value, wanted: &[u8]) -> Value {
        let mut all = None;
        let mut offset = 0;
        while offset < wanted.len() {
            let (ty, width) = match wanted.len() - offset {
                8.. => (types::I64, 8),
                4.. => (types::I32, 4),
                2.. => (types::I16, 2),
                _ => (types::I8, 1),
            };
            let mut bytes = [0; 8];
            bytes[..width].copy_from_slice(&wanted[offset..offset + width]);
            let found = self.code.load(ty, Region::Text, at, offset as i32);
            let expected = self.code.builder.ins().iconst(ty, i64::from_le_bytes(bytes));
            let same = self.code.builder.ins().icmp(IntCC::Equal, found, expected);
            all = Some(match all {
                Some(all) => self.code.builder.ins().band(all, same),
                None => same,
            });
            offset += width;
        }
        all.unwrap_or_else(|| self.code.bool(true))
    }
}
