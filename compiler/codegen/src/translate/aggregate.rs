//! Tuples, records, sums, and the boxed cells some of them live in.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use reml_middle::core::{Atom, Var};
use reml_middle::layout::{CELL_HEADER, Pointer, Shape};
use reml_semantics::types::TypeId;

use super::function::Translator;
use crate::code::{Code, Region, Values, clif_type};
use crate::memory::alloc::class_of;
use crate::symbol::{PanicStub, Symbol};

impl Translator<'_, '_> {
    /// A value of `ty`, a tuple, record, fixed array, newtype or variant of a sum.
    pub fn construct(&mut self, ty: TypeId, variant: u32, args: &[Atom], token: Option<Var>) -> Values {
        if self.code.plan.is_transparent(ty) {
            return args.first().map_or_else(Values::new, |&arg| self.atom(arg));
        }
        let fields: Vec<Option<Values>> =
            args.iter().map(|&arg| if arg == Atom::Hole { None } else { Some(self.atom(arg)) }).collect();
        let token = token.map(|token| self.var(token)[0]);
        self.build(ty, variant, &fields, token)
    }

    /// Puts fields together; `None` is a field to be filled in later.
    pub fn build(&mut self, ty: TypeId, variant: u32, fields: &[Option<Values>], token: Option<Value>) -> Values {
        let info = self.code.plan.info(ty).clone();
        match &info.layout.shape {
            Shape::Empty => Values::new(),
            Shape::Scalar => {
                let ty = clif_type(info.layout.slots[0]);
                smallvec::smallvec![self.code.int_of(ty, i128::from(variant))]
            }
            Shape::Product(_) => fields.iter().flatten().flatten().copied().collect(),
            Shape::Nullable { full, .. } => {
                let payload = fields.iter().flatten().flatten().next().copied();
                let value = if variant == *full { payload } else { None };
                smallvec::smallvec![value.unwrap_or_else(|| self.code.int(0))]
            }
            Shape::Sum(_) => {
                let slots = &info.layout.slots;
                let tag = self.code.int_of(clif_type(slots[0]), i128::from(variant));
                let mut values: Values = smallvec::smallvec![tag];
                let payload: Values = fields.iter().flatten().flatten().copied().collect();
                for (i, &slot) in slots[1..].iter().enumerate() {
                    let slot = clif_type(slot);
                    values.push(match payload.get(i) {
                        Some(&value) => self.code.widen_slot(slot, value),
                        None => self.code.zero(slot),
                    });
                }
                values
            }
            Shape::Pointer(Pointer::Sum { immediates: true }) if info.variants[variant as usize].fields.is_empty() => {
                if let Some(token) = token {
                    self.free_token(token);
                }
                smallvec::smallvec![self.code.int(2 * i64::from(variant) + 1)]
            }
            Shape::Pointer(_) => {
                let cell = info.variants[variant as usize].cell.clone().expect("a boxed type has cells");
                let object = match token {
                    Some(token) if class_of(cell.size).is_some() => self.reuse(token, cell.size),
                    _ => self.code.alloc(cell.size),
                };
                self.code.write_header(object, cell.size, variant, info.wide_tag());
                for (values, field) in fields.iter().zip(&cell.fields) {
                    if let Some(values) = values {
                        let layout = self.code.plan.info(field.ty).layout.clone();
                        self.code.store_value(&layout, Region::Fields(info.bare), values, object, field.offset);
                    }
                }
                smallvec::smallvec![object]
            }
        }
    }

    fn free_token(&mut self, token: Value) {
        let done = self.code.block();
        self.code.branch_unless(token, done);
        self.code.free_any(token);
        self.code.jump(done, &[]);
        self.code.switch_to(done);
    }

    /// The token's memory, or fresh memory when the token is null.
    fn reuse(&mut self, token: Value, bytes: u32) -> Value {
        let (fresh, done) = (self.code.block(), self.code.block());
        let object = self.code.builder.append_block_param(done, types::I64);
        self.code.builder.ins().brif(token, done, &[token.into()], fresh, &[]);
        self.code.switch_to(fresh);
        let memory = self.code.alloc(bytes);
        self.code.jump(done, &[memory]);
        self.code.switch_to(done);
        object
    }

    pub fn field(&mut self, base: Atom, variant: u32, index: u32) -> Values {
        let ty = self.atom_type(base);
        let values = self.atom(base);
        if self.code.plan.is_transparent(ty) {
            return values;
        }
        let info = self.code.plan.info(ty).clone();
        match &info.layout.shape {
            Shape::Empty | Shape::Scalar => Values::new(),
            Shape::Product(ranges) => {
                let range = ranges[index as usize];
                Values::from_slice(&values[range.first..range.first + range.len])
            }
            Shape::Nullable { .. } => {
                let field = info.variants[variant as usize].fields[index as usize];
                if self.code.plan.layout(field).slots.is_empty() { Values::new() } else { values }
            }
            Shape::Sum(ranges) => {
                let range = ranges[variant as usize][index as usize];
                let field = info.variants[variant as usize].fields[index as usize];
                self.code.narrow_payload(field, &values[range.first..range.first + range.len])
            }
            Shape::Pointer(_) => {
                let cell = info.variants[variant as usize].cell.clone().expect("a boxed type has cells");
                let field = &cell.fields[index as usize];
                let layout = self.code.plan.info(field.ty).layout.clone();
                self.code.load_value(&layout, Region::Fields(info.bare), values[0], field.offset)
            }
        }
    }

    pub fn field_addr(&mut self, base: Var, variant: u32, index: u32) -> Value {
        let info = self.code.plan.info(self.ty(base)).clone();
        let object = self.var(base)[0];
        let cell = info.variants[variant as usize].cell.clone().expect("only cells have holes");
        self.code.add_imm(object, i64::from(cell.fields[index as usize].offset))
    }

    /// Ends the life of a cell whose `moved` fields live on in variables.
    pub fn release(&mut self, var: Var, variant: u32, moved: &[(u32, Var)], token: Option<Var>) {
        let info = self.code.plan.info(self.ty(var)).clone();
        let is_moved = |index: usize| moved.iter().any(|&(field, _)| field as usize == index);
        let Shape::Pointer(Pointer::Product | Pointer::Sum { .. }) = info.layout.shape else {
            // Unboxed: there is no cell, and the fields that were not moved end here.
            for (index, &field) in info.variants[variant as usize].fields.iter().enumerate() {
                if !is_moved(index) && self.code.plan.counted(field) {
                    let values = self.field(Atom::Var(var), variant, index as u32);
                    self.code.drop_value(field, &values);
                }
            }
            if let Some(token) = token {
                let null = self.code.int(0);
                self.bind(token, &[null]);
            }
            return;
        };
        let object = self.var(var)[0];
        let cell = info.variants[variant as usize].cell.clone().expect("a boxed type has cells");
        let (unique, shared, done) = (self.code.block(), self.code.block(), self.code.block());
        let kept = token.map(|_| self.code.builder.append_block_param(done, types::I64));
        let count = self.code.count_of(object);
        let is_unique = self.code.equals(count, 1);
        self.code.branch(is_unique, unique, shared);

        self.code.switch_to(unique);
        for (index, field) in cell.fields.iter().enumerate() {
            if !is_moved(index) && self.code.plan.counted(field.ty) {
                let layout = self.code.plan.info(field.ty).layout.clone();
                let values = self.code.load_value(&layout, Region::Fields(info.bare), object, field.offset);
                self.code.drop_value(field.ty, &values);
            }
        }
        if token.is_some() {
            self.code.jump(done, &[object]);
        } else {
            self.code.free_sized(object, cell.size);
            self.code.jump(done, &[]);
        }

        self.code.switch_to(shared);
        for &(_, field) in moved {
            let values = Values::from_slice(self.var(field));
            self.code.dup(self.ty(field), &values);
        }
        self.code.decrement(object, count);
        if token.is_some() {
            let null = self.code.int(0);
            self.code.jump(done, &[null]);
        } else {
            self.code.jump(done, &[]);
        }
        self.code.switch_to(done);
        if let (Some(token), Some(kept)) = (token, kept) {
            self.bind(token, &[kept]);
        }
    }

    fn check_fixed_index(&mut self, index: Value, len: usize) {
        let bound = self.code.int(len as i64);
        let outside = self.code.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, bound);
        self.code.panic_if(outside, PanicStub::Index, |code| {
            let len = code.int(len as i64);
            smallvec::smallvec![index, len]
        });
    }

    /// `array[index]` of a fixed array.
    pub fn fixed_get(&mut self, array: Atom, index: Atom) -> Values {
        let ty = self.atom_type(array);
        let info = self.code.plan.info(ty).clone();
        let element = info.element.expect("a fixed array type");
        let len = info.variants[0].fields.len();
        let values = self.atom(array);
        let index = self.scalar(index);
        self.check_fixed_index(index, len);
        let layout = self.code.plan.info(element).layout.clone();
        if let Shape::Product(ranges) = &info.layout.shape {
            // At most four slots: a chain of selections.
            let Some(first) = ranges.first() else {
                return layout.slots.iter().map(|&slot| self.code.zero(clif_type(slot))).collect();
            };
            let mut result = Values::from_slice(&values[first.first..first.first + first.len]);
            for (position, range) in ranges.iter().enumerate().skip(1) {
                let here = self.code.equals(index, position as i64);
                for (slot, value) in result.iter_mut().enumerate() {
                    *value = self.code.builder.ins().select(here, values[range.first + slot], *value);
                }
            }
            return result;
        }
        if layout.slots.is_empty() {
            return Values::new();
        }
        let offset = self.code.scaled(index, layout.size);
        let at = self.code.builder.ins().iadd(values[0], offset);
        self.code.load_value(&layout, Region::Fields(info.bare), at, CELL_HEADER)
    }

    /// `array` with `value` at `index`.
    pub fn fixed_set(&mut self, array: Atom, index: Atom, value: Atom) -> Values {
        let ty = self.atom_type(array);
        let info = self.code.plan.info(ty).clone();
        let element = info.element.expect("a fixed array type");
        let layout = self.code.plan.info(element).layout.clone();
        let counted = self.code.plan.counted(element);
        if let Shape::Product(ranges) = &info.layout.shape {
            let old = self.fixed_get(array, index);
            let mut values = self.atom(array);
            let (index, new) = (self.scalar(index), self.atom(value));
            for (position, range) in ranges.iter().enumerate() {
                let here = self.code.equals(index, position as i64);
                for (slot, &new) in new.iter().enumerate() {
                    let kept = values[range.first + slot];
                    values[range.first + slot] = self.code.builder.ins().select(here, new, kept);
                }
            }
            self.code.drop_value(element, &old);
            return values;
        }
        let object = self.scalar(array);
        let index = self.scalar(index);
        let new = self.atom(value);
        self.check_fixed_index(index, info.variants[0].fields.len());
        if layout.slots.is_empty() {
            return smallvec::smallvec![object];
        }
        let (copy, done) = (self.code.cold_block(), self.code.block());
        let own = self.code.builder.append_block_param(done, types::I64);
        let count = self.code.count_of(object);
        let unique = self.code.equals(count, 1);
        self.code.builder.ins().brif(unique, done, &[object.into()], copy, &[]);
        self.code.switch_to(copy);
        let copied = self.code.call(Symbol::FixedCopy(info.bare), &[object]);
        self.code.jump(done, &copied);
        self.code.switch_to(done);
        let offset = self.code.scaled(index, layout.size);
        let at = self.code.builder.ins().iadd(own, offset);
        let region = Region::Fields(info.bare);
        let old = if counted { self.code.load_value(&layout, region, at, CELL_HEADER) } else { Values::new() };
        self.code.store_value(&layout, region, &new, at, CELL_HEADER);
        if counted {
            self.code.drop_value(element, &old);
        }
        smallvec::smallvec![own]
    }
}

impl Code<'_, '_> {
    /// A payload slot as its own type again; the inverse of `widen_slot`.
    pub fn narrow_slot(&mut self, wanted: Type, value: Value) -> Value {
        let have = self.builder.func.dfg.value_type(value);
        let bits = cranelift_codegen::ir::MemFlagsData::new();
        match (have, wanted) {
            _ if have == wanted => value,
            (types::I64, types::F64) => self.builder.ins().bitcast(types::F64, bits, value),
            (types::I64, types::F32) => {
                let low = self.builder.ins().ireduce(types::I32, value);
                self.builder.ins().bitcast(types::F32, bits, low)
            }
            _ => self.builder.ins().ireduce(wanted, value),
        }
    }

    /// A value in a payload slot that several variants share: narrower integers zero-extended, floats as their bits.
    pub fn widen_slot(&mut self, slot: Type, value: Value) -> Value {
        let have = self.builder.func.dfg.value_type(value);
        let bits = cranelift_codegen::ir::MemFlagsData::new();
        match (have, slot) {
            _ if have == slot => value,
            (types::F64, _) => self.builder.ins().bitcast(types::I64, bits, value),
            (types::F32, _) => {
                let word = self.builder.ins().bitcast(types::I32, bits, value);
                self.builder.ins().uextend(types::I64, word)
            }
            _ => self.builder.ins().uextend(slot, value),
        }
    }
}
