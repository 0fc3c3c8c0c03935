//! Helper functions that compiled code refers to: releasing a type's objects, and the stubs around closures and entry.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use reml_middle::core::FuncId;
use reml_middle::layout::{CELL_HEADER, Pointer, Shape};
use reml_rt::abi::{ARRAY_DATA, CELL_DATA, Context, Continuation, Fiber, HANDLER_CLAUSES, Handler};
use reml_semantics::types::TypeId;

use super::alloc::{AUX_OFFSET, TAG_OFFSET};
use super::count::cell_size;
use crate::code::{Code, Region, Values, clif_type};
use crate::plan::{TypeInfo, capture_offsets};
use crate::symbol::{PanicStub, Symbol};

/// Offset of `Closure::code`.
pub const CLOSURE_CODE_OFFSET: i32 = 8;

/// Where dropping the last field of an object of the type goes on: a loop instead of a call.
struct SelfLoop {
    ty: TypeId,
    head: Block,
}

impl Code<'_, '_> {
    /// The body of a helper function.
    pub fn helper(&mut self, symbol: Symbol) {
        let params = self.start();
        match symbol {
            Symbol::Drop(ty) => {
                let info = self.plan.info(ty).clone();
                match info.layout.shape {
                    Shape::Pointer(_) | Shape::Nullable { .. } => self.drop_and_return(ty, &params, None),
                    _ => {
                        self.drop_inline(&info, &params);
                        self.builder.ins().return_(&[]);
                    }
                }
            }
            Symbol::Dup(ty) => self.dup_helper(ty, &params),
            Symbol::Free(ty) => self.free_helper(ty, params[0]),
            Symbol::ClosureDrop(id) => self.closure_drop_helper(id, params[0]),
            Symbol::ClosureEntry(id) => self.closure_entry_stub(id, params),
            Symbol::ClosureConsume(id) => self.closure_consume_stub(id, params),
            Symbol::Alloc(class) => {
                let object = self.alloc_inline(class);
                self.builder.ins().return_(&[object]);
            }
            Symbol::Main => {
                let status = self.call(Symbol::Func(self.plan.program.entry), &[]);
                self.builder.ins().return_(&status);
            }
            Symbol::Refill(class) => {
                let number = self.int(i64::from(class));
                let object = self.runtime("reml_alloc_slow", &[number]).expect("it returns a pointer");
                self.push_free(object, class);
                self.builder.ins().return_(&[]);
            }
            Symbol::ColdCopy(ty) => {
                let (array, room) = self.cold_operands(params[0]);
                let copy = self.call(Symbol::ArrayCopy(ty), &[array, room])[0];
                self.store(Region::Stack, copy, params[0], 0);
                self.builder.ins().return_(&[]);
            }
            Symbol::ColdGrow(stride) => {
                let (array, room) = self.cold_operands(params[0]);
                let grown = self.grow_array(array, stride, room);
                self.store(Region::Stack, grown, params[0], 0);
                self.builder.ins().return_(&[]);
            }
            Symbol::Panic(stub) => self.panic_stub(stub, params[0]),
            Symbol::CMain => {
                let info = self.data_addr(Symbol::ProgramInfo);
                let status = self.call(Symbol::Start, &[params[0], params[1], info]);
                self.builder.ins().return_(&status);
            }
            Symbol::Invoke => {
                let code = self.load(types::I64, Region::Closure, params[1], CLOSURE_CODE_OFFSET);
                let signature = self.closure_drop_signature();
                self.builder.ins().call_indirect(signature, code, &[params[1]]);
                self.builder.ins().return_(&[]);
            }
            Symbol::HandlerDrop(count) => self.handler_drop_helper(count, params[0]),
            Symbol::ContinuationDrop => self.continuation_drop_helper(params[0]),
            Symbol::ResourceDrop => {
                self.runtime("reml_resource_free", &[params[0]]);
                self.builder.ins().return_(&[]);
            }
            Symbol::CallbackEntry(id) => self.callback_entry_helper(id, params),
            Symbol::HandlerSearch => self.handler_search_helper(params[0], params[1]),
            Symbol::RunEntry(ty) => self.run_entry_helper(ty, params[1]),
            Symbol::RootDrop(ty) => {
                let values = self.root(ty, params[1]);
                self.drop_value(ty, &values);
                self.builder.ins().return_(&[]);
            }
            Symbol::RootDup(ty) => {
                let values = self.root(ty, params[1]);
                self.dup(ty, &values);
                self.builder.ins().return_(&[]);
            }
            Symbol::DropClosure => {
                let ty = self.plan.unit_closure();
                self.drop_value(ty, &[params[1]]);
                self.builder.ins().return_(&[]);
            }
            Symbol::ArrayCopy(ty) => self.array_copy_helper(ty, params[0], params[1]),
            Symbol::ArrayTruncate(ty) => self.array_truncate_helper(ty, params[0], params[1]),
            Symbol::ArraySlice(ty) => self.array_slice_helper(ty, params[0], params[1], params[2]),
            Symbol::ArrayAppend(ty) => self.array_append_helper(ty, params[0], params[1]),
            Symbol::ArrayFilled(ty) => self.array_filled_helper(ty, params[0], &params[1..]),
            Symbol::FixedCopy(ty) => self.fixed_copy_helper(ty, params[0]),
            _ => unreachable!("{symbol:?} is not a helper"),
        }
    }

    /// The value that a frame keeps at `slots`.
    fn root(&mut self, ty: TypeId, slots: Value) -> Values {
        let layout = self.plan.info(ty).layout.clone();
        let each = layout.slots.iter().enumerate();
        each.map(|(index, &slot)| self.load(clif_type(slot), Region::Stack, slots, index as i32 * 8)).collect()
    }

    fn handler_drop_helper(&mut self, count: u32, handler: Value) {
        let closure = self.plan.unit_closure();
        let clauses: Vec<(TypeId, Values)> = (0..count)
            .map(|number| {
                let offset = (HANDLER_CLAUSES + 8 * number as usize) as i32;
                let clause = self.load(types::I64, Region::Closure, handler, offset);
                (closure, smallvec::smallvec![clause])
            })
            .collect();
        self.free_sized(handler, (HANDLER_CLAUSES + 8 * count as usize) as u32);
        self.drop_all_and_return(clauses, None);
    }

    /// One whose computation has gone on is only memory.
    fn continuation_drop_helper(&mut self, continuation: Value) {
        let mut field = |base, offset| self.load(types::I64, Region::Handlers, base, offset as i32);
        let fiber = field(continuation, offset_of!(Continuation, fiber));
        let its = field(continuation, offset_of!(Continuation, stamp));
        let image = field(continuation, offset_of!(Continuation, image));
        let now = field(fiber, offset_of!(Fiber, stamp));
        let evicted = field(fiber, offset_of!(Fiber, evicted));
        let stopped = self.builder.ins().icmp(IntCC::Equal, its, now);
        let stopped = self.builder.ins().uextend(types::I64, stopped);
        let any = self.builder.ins().bor(image, evicted);
        let any = self.builder.ins().bor(any, stopped);
        let (cold, plain) = self.branch_cold(any);
        self.switch_to(cold);
        self.runtime("reml_continuation_free", &[continuation]);
        self.builder.ins().return_(&[]);
        self.switch_to(plain);
        self.free_sized(continuation, size_of::<Continuation>() as u32);
        self.builder.ins().return_(&[]);
    }

    fn handler_search_helper(&mut self, first: Value, id: Value) {
        let (head, next, found, end) = (self.block(), self.block(), self.block(), self.cold_block());
        let handler = self.builder.append_block_param(head, types::I64);
        self.jump(head, &[first]);
        self.switch_to(head);
        let its = self.load(types::I64, Region::Closure, handler, offset_of!(Handler, id) as i32);
        let same = self.builder.ins().icmp(IntCC::Equal, its, id);
        self.branch(same, found, next);
        self.switch_to(found);
        self.builder.ins().return_(&[handler]);
        self.switch_to(next);
        let parent = self.load(types::I64, Region::Handlers, handler, offset_of!(Handler, parent) as i32);
        self.builder.ins().brif(parent, head, &[parent.into()], end, &[]);
        self.switch_to(end);
        self.panic("reml_panic_unhandled", &[]);
    }

    fn run_entry_helper(&mut self, ty: TypeId, closure: Value) {
        let code = self.load_constant(types::I64, Region::Closure, closure, CLOSURE_CODE_OFFSET);
        let signature = self.closure_signature(ty);
        let call = self.builder.ins().call_indirect(signature, code, &[closure]);
        let results = self.results(call);
        let context = self.context();
        for (index, &result) in results.iter().enumerate() {
            let offset = offset_of!(Context, payload) + 8 * index;
            self.store(Region::Payload, result, context, offset as i32);
        }
        self.builder.ins().return_(&[]);
    }

    fn cold_operands(&mut self, operands: Value) -> (Value, Value) {
        let first = self.load(types::I64, Region::Stack, operands, 0);
        (first, self.load(types::I64, Region::Stack, operands, 8))
    }

    fn panic_stub(&mut self, stub: PanicStub, operands: Value) {
        let mut constant = |value: u8| self.int(i64::from(value));
        match stub {
            PanicStub::Index => {
                let (index, len) = self.cold_operands(operands);
                self.panic("reml_panic_index", &[index, len]);
            }
            PanicStub::Overflow { what, ty } => {
                let (what, ty) = (constant(what), constant(ty));
                let (left, right) = self.cold_operands(operands);
                self.panic("reml_panic_overflow", &[what, ty, left, right]);
            }
            PanicStub::CastInt { from, to } => {
                let (from, to) = (constant(from), constant(to));
                let value = self.load(types::I64, Region::Stack, operands, 0);
                self.panic("reml_panic_cast_int", &[value, from, to]);
            }
            PanicStub::CastFloat { to } => {
                let to = constant(to);
                let value = self.load(types::F64, Region::Stack, operands, 0);
                self.panic("reml_panic_cast_float", &[value, to]);
            }
            PanicStub::CastChar { from } => {
                let from = constant(from);
                let value = self.load(types::I64, Region::Stack, operands, 0);
                self.panic("reml_panic_cast_char", &[value, from]);
            }
        }
    }

    fn dup_helper(&mut self, ty: TypeId, params: &[Value]) {
        let info = self.plan.info(ty).clone();
        self.dup_inline(&info, params);
        self.builder.ins().return_(&[]);
    }

    fn free_helper(&mut self, ty: TypeId, object: Value) {
        let info = self.plan.info(ty).clone();
        let head = self.block();
        self.jump(head, &[object]);
        let object = self.builder.append_block_param(head, types::I64);
        self.switch_to(head);
        let here = SelfLoop { ty: info.bare, head };
        match info.pointer() {
            Some(Pointer::Array) => {
                let element = info.element.expect("an array type");
                if self.plan.counted(element) {
                    let len = self.load(types::I64, Region::ArrayHeader, object, 8);
                    let first = self.add_imm(object, ARRAY_DATA as i64);
                    self.drop_elements(element, first, len);
                }
                self.free_any(object);
                self.builder.ins().return_(&[]);
            }
            Some(Pointer::Cell) => {
                let content = info.element.expect("a cell type");
                let layout = self.plan.info(content).layout.clone();
                let values = self.load_value(&layout, Region::Fields(info.bare), object, CELL_DATA as u32);
                self.free_sized(object, cell_size(layout.size));
                self.drop_and_return(content, &values, Some(here));
            }
            Some(Pointer::Product) => self.free_variant(&info, 0, object, here),
            Some(Pointer::Sum { immediates }) => self.free_sum(&info, immediates, object, &here),
            _ => unreachable!("no helper frees {:?}", info.layout.shape),
        }
    }

    fn free_sum(&mut self, info: &TypeInfo, immediates: bool, object: Value, here: &SelfLoop) {
        let variants = 0..info.variants.len();
        let cells: Vec<usize> = variants.filter(|&v| !immediates || !info.variants[v].fields.is_empty()).collect();
        let tag = if cells.len() > 1 { Some(self.cell_tag(info, object)) } else { None };
        for (position, &variant) in cells.iter().enumerate() {
            let here = SelfLoop { ty: here.ty, head: here.head };
            match tag {
                Some(tag) if position + 1 < cells.len() => {
                    let is_it = self.equals(tag, variant as i64);
                    let (body, next) = (self.block(), self.block());
                    self.branch(is_it, body, next);
                    self.switch_to(body);
                    self.free_variant(info, variant, object, here);
                    self.switch_to(next);
                }
                _ => self.free_variant(info, variant, object, here),
            }
        }
    }

    /// The tag in the header of a boxed sum's cell.
    pub fn cell_tag(&mut self, info: &TypeInfo, object: Value) -> Value {
        if info.wide_tag() {
            self.load(types::I16, Region::Tag, object, AUX_OFFSET)
        } else {
            self.load(types::I8, Region::Tag, object, TAG_OFFSET)
        }
    }

    fn free_variant(&mut self, info: &TypeInfo, variant: usize, object: Value, here: SelfLoop) {
        let variant = &info.variants[variant];
        let cell = variant.cell.clone().expect("a boxed type has cells");
        if let Some(element) = info.element {
            // A long fixed array.
            if self.plan.counted(element) {
                let first = self.add_imm(object, i64::from(CELL_HEADER));
                let len = self.int(variant.fields.len() as i64);
                self.drop_elements(element, first, len);
            }
            self.free_sized(object, cell.size);
            self.builder.ins().return_(&[]);
            return;
        }
        let mut fields = Vec::new();
        for field in &cell.fields {
            if self.plan.counted(field.ty) {
                let layout = self.plan.info(field.ty).layout.clone();
                fields.push((field.ty, self.load_value(&layout, Region::Fields(info.bare), object, field.offset)));
            }
        }
        self.free_sized(object, cell.size);
        // The field that continues the spine goes last, in a loop.
        if let Some(spine) = fields.iter().rposition(|(ty, _)| self.spine_type(*ty) == Some(here.ty)) {
            let last = fields.remove(spine);
            fields.push(last);
        }
        self.drop_all_and_return(fields, Some(here));
    }

    fn spine_type(&self, ty: TypeId) -> Option<TypeId> {
        let info = self.plan.info(ty);
        match info.layout.shape {
            Shape::Pointer(_) => Some(info.bare),
            Shape::Nullable { full, .. } => Some(self.plan.info(self.payload_type(info, full)).bare),
            _ => None,
        }
    }

    fn drop_all_and_return(&mut self, mut fields: Vec<(TypeId, Values)>, here: Option<SelfLoop>) {
        let last = fields.pop();
        for (ty, values) in fields {
            self.drop_value(ty, &values);
        }
        match last {
            Some((ty, values)) => self.drop_and_return(ty, &values, here),
            None => {
                self.builder.ins().return_(&[]);
            }
        }
    }

    /// Drops a value as the last act of a helper, without growing the stack where it is a pointer.
    fn drop_and_return(&mut self, ty: TypeId, values: &[Value], here: Option<SelfLoop>) {
        let info = self.plan.info(ty).clone();
        let (object_ty, nullable) = match &info.layout.shape {
            Shape::Pointer(_) => (info.bare, false),
            Shape::Nullable { full, .. } => (self.payload_type(&info, *full), true),
            Shape::Product(ranges) => {
                let fields = info.variants[0].fields.iter().zip(ranges);
                let fields = fields
                    .filter(|(field, _)| self.plan.counted(**field))
                    .map(|(&field, range)| (field, values[range.first..range.first + range.len].into()))
                    .collect();
                return self.drop_all_and_return(fields, here);
            }
            _ => {
                self.drop_value(ty, values);
                self.builder.ins().return_(&[]);
                return;
            }
        };
        let object_info = self.plan.info(object_ty).clone();
        let pointer = object_info.pointer().expect("a pointer");
        let object = values[0];
        let done = self.block();
        if nullable {
            self.branch_unless(object, done);
        }
        if pointer == (Pointer::Sum { immediates: true }) {
            let immediate = self.builder.ins().band_imm_u(object, 1);
            let next = self.block();
            self.branch(immediate, done, next);
            self.switch_to(next);
        }
        let (last, shared) = (self.block(), self.block());
        let count = self.count_of(object);
        let unique = self.equals(count, 1);
        self.branch(unique, last, shared);
        self.switch_to(last);
        match here {
            Some(here) if here.ty == object_info.bare => self.jump(here.head, &[object]),
            _ => self.free_and_return(object_ty, object),
        }
        self.switch_to(shared);
        self.decrement(object, count);
        self.jump(done, &[]);
        self.switch_to(done);
        self.builder.ins().return_(&[]);
    }

    fn closure_drop_helper(&mut self, id: FuncId, closure: Value) {
        let function = &self.plan.program.funcs[id];
        let (offsets, size) = capture_offsets(self.plan, function);
        let mut fields = Vec::new();
        for (&var, offset) in function.params.iter().zip(offsets) {
            let ty = function.vars[var].ty;
            if self.plan.counted(ty) {
                let layout = self.plan.info(ty).layout.clone();
                fields.push((ty, self.load_value(&layout, Region::Closure, closure, offset)));
            }
        }
        self.free_sized(closure, size);
        self.drop_all_and_return(fields, None);
    }

    /// Own parameters, then the closure object: reads the captures and enters the function proper.
    fn closure_entry_stub(&mut self, id: FuncId, mut params: Values) {
        let function = &self.plan.program.funcs[id];
        let closure = params.pop().expect("the closure object comes last");
        if self.plan.is_resume(function) {
            params.insert(0, closure);
            return self.tail_call(Symbol::Func(id), &params);
        }
        let (offsets, _) = capture_offsets(self.plan, function);
        let mut args = Values::new();
        for (&var, offset) in function.params.iter().zip(offsets) {
            let layout = self.plan.info(function.vars[var].ty).layout.clone();
            args.extend(self.load_value(&layout, Region::Closure, closure, offset));
        }
        args.extend(params);
        self.tail_call(Symbol::Func(id), &args);
    }

    /// The same, and ends the closure: the captures are moved out of it, or duplicated when it has other owners.
    fn closure_consume_stub(&mut self, id: FuncId, mut params: Values) {
        let function = &self.plan.program.funcs[id];
        let Some(consuming) = function.consuming else {
            // Nothing comes back here through this closure, so that the stack may grow by this call.
            let closure = *params.last().expect("the closure object comes last");
            let results = self.call(Symbol::ClosureEntry(id), &params);
            self.drop_closure(id, closure);
            self.builder.ins().return_(&results);
            return;
        };
        let closure = params.pop().expect("the closure object comes last");
        if self.plan.is_resume(function) {
            params.insert(0, closure);
            return self.tail_call(Symbol::Func(consuming), &params);
        }
        let (offsets, size) = capture_offsets(self.plan, function);
        let mut captured = Vec::new();
        for (&var, offset) in function.params.iter().zip(offsets) {
            let ty = function.vars[var].ty;
            let layout = self.plan.info(ty).layout.clone();
            captured.push((ty, self.load_value(&layout, Region::Closure, closure, offset)));
        }
        let count = self.count_of(closure);
        let unique = self.equals(count, 1);
        let (last, shared, enter) = (self.block(), self.block(), self.block());
        self.branch(unique, last, shared);
        self.switch_to(last);
        self.free_sized(closure, size);
        self.jump(enter, &[]);
        self.switch_to(shared);
        for (ty, values) in &captured {
            self.dup(*ty, values);
        }
        self.decrement(closure, count);
        self.jump(enter, &[]);
        self.switch_to(enter);
        let mut args: Values = captured.into_iter().flat_map(|(_, values)| values).collect();
        args.extend(params);
        self.tail_call(Symbol::Func(consuming), &args);
    }

    fn drop_closure(&mut self, id: FuncId, closure: Value) {
        let count = self.count_of(closure);
        let unique = self.equals(count, 1);
        let (last, shared, done) = (self.block(), self.block(), self.block());
        self.branch(unique, last, shared);
        self.switch_to(last);
        self.call(self.plan.closure_drop(id), &[closure]);
        self.jump(done, &[]);
        self.switch_to(shared);
        self.decrement(closure, count);
        self.jump(done, &[]);
        self.switch_to(done);
    }
}
