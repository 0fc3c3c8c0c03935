//! How does compiled code call C functions, and how do these call back?
//!
//! Core passes scalars and addresses of structs (`middle::c_abi`). Here the structs that go in registers are cut into words, and those that go in
//! memory are copied to where C looks for them. A callback's entry does the reverse: the runtime (`rt::callback`) calls it like the C function it is,
//! with the pinned register set.

use std::mem::offset_of;

use cranelift_codegen::ir::{
    AbiParam, ArgumentPurpose, ExtFuncData, ExternalName, Inst, InstBuilder, MemFlagsData, Signature, StackSlotData,
    StackSlotKind, Type, Value, condcodes::IntCC, types,
};
use reml_middle::c_abi::{CSignature, CStruct, CValue, CWord};
use reml_middle::core::{Atom, CallbackId, ForeignCallee, ForeignId};
use reml_rt::abi::{CallbackData, Context};
use reml_semantics::types::{Prim, TypeId};

use crate::code::{Code, Region, Values};
use crate::memory::helper::CLOSURE_CODE_OFFSET;
use crate::plan::{Plan, runtime_index};
use crate::signature::push_c_type;
use crate::symbol::Symbol;
use crate::translate::Translator;

fn word_type(word: CWord) -> Type {
    match word {
        CWord::Integer => types::I64,
        CWord::Float => types::F32,
        CWord::Double => types::F64,
    }
}

/// Memory that C or the program may write at any time.
fn foreign_memory() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The machine signature of a C function.
pub fn of_c(plan: &Plan, c: &CSignature) -> Signature {
    let mut signature = Signature::new(plan.target.c_call_conv);
    match &c.ret.by_value {
        Some(by_value) if by_value.words.is_empty() => {
            // The caller's memory for the result, whose address comes back, too.
            signature.params.push(AbiParam::new(types::I64));
            signature.returns.push(AbiParam::new(types::I64));
        }
        Some(by_value) => {
            signature.returns.extend(by_value.words.iter().map(|&word| AbiParam::new(word_type(word))));
        }
        None => push_c_type(plan, c.ret.ty, &mut signature.returns),
    }
    for param in &c.params {
        push_param(plan, param, &mut signature.params);
    }
    signature
}

fn push_param(plan: &Plan, param: &CValue, params: &mut Vec<AbiParam>) {
    match &param.by_value {
        None => push_c_type(plan, param.ty, params),
        Some(by_value) if by_value.words.is_empty() => {
            let size = by_value.size.next_multiple_of(8);
            params.push(AbiParam::special(types::I64, ArgumentPurpose::StructArgument(size)));
        }
        Some(by_value) => params.extend(by_value.words.iter().map(|&word| AbiParam::new(word_type(word)))),
    }
}

impl Translator<'_, '_> {
    pub fn call_foreign(&mut self, id: ForeignId, args: &[Atom]) -> Values {
        let plan = self.code.plan;
        let foreign = &plan.program.foreign[id];
        let mut args = args.iter();
        let mut next = |this: &mut Self| args.next().map(|&atom| this.atom(atom)).unwrap_or_default();
        let pointer = match &foreign.callee {
            ForeignCallee::Pointer => Some(next(self)[0]),
            ForeignCallee::Symbol(_) => None,
        };
        let mut values = Values::new();
        for param in &foreign.signature.params {
            let given = next(self);
            match &param.by_value {
                Some(by_value) => values.extend(self.code.struct_words(by_value, given[0])),
                None => values.extend(given),
            }
        }
        let result_address = foreign.signature.ret.by_value.is_some().then(|| next(self)[0]);
        if let Some(address) = result_address
            && foreign.signature.ret.by_value.as_ref().is_some_and(|by_value| by_value.words.is_empty())
        {
            values.insert(0, address);
        }
        let mut signature = of_c(plan, &foreign.signature);
        for &extra in args {
            for value in self.atom(extra) {
                let ty = self.code.builder.func.dfg.value_type(value);
                signature.params.push(AbiParam::new(ty));
                values.push(value);
            }
        }
        let call = match (&foreign.callee, pointer) {
            (_, Some(pointer)) => self.call_address(pointer, signature, &values, foreign.variadic),
            (ForeignCallee::Symbol(symbol), None) if symbol.weak || self.needs_vector_count(foreign.variadic) => {
                let address = self.code.foreign_address(id);
                if symbol.weak {
                    self.code.check_present(address, &symbol.name);
                }
                self.call_address(address, signature, &values, foreign.variadic)
            }
            _ => {
                let func = self.code.func_ref(Symbol::Foreign(id));
                self.code.builder.ins().call(func, &values)
            }
        };
        let results = self.code.results(call);
        match (&foreign.signature.ret.by_value, result_address) {
            (Some(by_value), Some(address)) => {
                self.code.store_words(by_value, &results, address);
                Values::new()
            }
            _ => {
                let results = self.code.normalised(foreign.signature.ret.ty, results);
                self.after_call(foreign.signature.ret.ty);
                results
            }
        }
    }

    fn call_address(&mut self, address: Value, signature: Signature, values: &[Value], variadic: bool) -> Inst {
        let signature = self.code.builder.import_signature(signature);
        if !self.needs_vector_count(variadic) {
            return self.code.builder.ins().call_indirect(signature, address, values);
        }
        let context = self.code.context();
        self.code.store(Region::Handlers, address, context, offset_of!(Context, foreign_code) as i32);
        let symbol = Symbol::Runtime(runtime_index("reml_variadic"));
        let name = self.code.builder.func.declare_imported_user_function(symbol.to_name());
        let func = self.code.builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: self.code.plan.target.near_runtime,
            patchable: false,
        });
        self.code.builder.ins().call(func, values)
    }

    /// On x86-64, C functions with `...` are told how many vector registers hold arguments.
    fn needs_vector_count(&self, variadic: bool) -> bool {
        variadic && cfg!(target_arch = "x86_64")
    }

    /// Memory of the function that runs.
    pub fn frame_slot(&mut self, size: Atom, align: Atom) -> Value {
        let constant = |atom| match atom {
            Atom::Int(value, _) => u32::try_from(value).unwrap_or(0),
            _ => unreachable!("the size of a slot is a constant"),
        };
        let shift = constant(align).max(1).trailing_zeros() as u8;
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, constant(size), shift);
        let slot = self.code.builder.create_sized_stack_slot(data);
        self.code.builder.ins().stack_addr(types::I64, slot, 0)
    }

    pub fn raw_load(&mut self, ty: TypeId, address: Atom, offset: Atom) -> Values {
        let (address, offset) = self.place(address, offset);
        let slots = &self.code.plan.layout(ty).slots;
        let ty = crate::code::clif_type(slots[0]);
        smallvec::smallvec![self.code.builder.ins().load(ty, foreign_memory(), address, offset)]
    }

    pub fn raw_store(&mut self, address: Atom, offset: Atom, value: Atom) {
        let (address, offset) = self.place(address, offset);
        let value = self.scalar(value);
        self.code.builder.ins().store(foreign_memory(), value, address, offset);
    }

    fn place(&mut self, address: Atom, offset: Atom) -> (Value, i32) {
        let address = self.scalar(address);
        match offset {
            Atom::Int(offset, _) if i32::try_from(offset).is_ok() => (address, offset as i32),
            offset => {
                let offset = self.scalar(offset);
                (self.code.builder.ins().iadd(address, offset), 0)
            }
        }
    }
}

impl Code<'_, '_> {
    /// The address of a C function, wherever its library is.
    pub fn foreign_address(&mut self, id: ForeignId) -> Value {
        let signature = of_c(self.plan, &self.plan.program.foreign[id].signature);
        let signature = self.builder.import_signature(signature);
        let name = self.builder.func.declare_imported_user_function(Symbol::Foreign(id).to_name());
        let func = self.builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: false,
            patchable: false,
        });
        self.builder.ins().func_addr(types::I64, func)
    }

    /// Panics when a weak symbol is missing.
    fn check_present(&mut self, address: Value, name: &str) {
        let missing = self.equals(address, 0);
        let (cold, next) = self.branch_cold(missing);
        self.switch_to(cold);
        let text = format!("no library has the foreign function `{name}`");
        let (code, code_len) = (self.int(0), self.int(0));
        let slot = self.text_in_frame(&text);
        let len = self.int(text.len() as i64);
        self.panic("reml_panic_text", &[code, code_len, slot, len]);
        self.switch_to(next);
    }

    /// A short text in memory of the function.
    fn text_in_frame(&mut self, text: &str) -> Value {
        let size = text.len().next_multiple_of(8);
        let slot =
            self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size as u32, 3));
        let address = self.builder.ins().stack_addr(types::I64, slot, 0);
        for (index, bytes) in text.as_bytes().chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            let word = self.int(i64::from_le_bytes(word));
            self.store(Region::Stack, word, address, 8 * index as i32);
        }
        address
    }

    /// What is passed for a struct that lies at `address`.
    fn struct_words(&mut self, by_value: &CStruct, address: Value) -> Values {
        if by_value.words.is_empty() {
            return smallvec::smallvec![address];
        }
        let words = by_value.words.iter().enumerate();
        words
            .map(|(index, &word)| self.builder.ins().load(word_type(word), foreign_memory(), address, 8 * index as i32))
            .collect()
    }

    /// Writes a struct that came in registers; there is room for whole words.
    fn store_words(&mut self, by_value: &CStruct, words: &[Value], address: Value) {
        if by_value.words.is_empty() {
            return;
        }
        for (index, &word) in words.iter().enumerate() {
            self.builder.ins().store(foreign_memory(), word, address, 8 * index as i32);
        }
    }

    /// C may set any bits of a `bool` beyond the first byte, and some compilers more than one of that.
    fn normalised(&mut self, ty: TypeId, values: Values) -> Values {
        if self.plan.info(ty).prim != Some(Prim::Bool) {
            return values;
        }
        values.into_iter().map(|value| self.builder.ins().icmp_imm_s(IntCC::NotEqual, value, 0)).collect()
    }

    /// The entry of callbacks of a signature: finds out which one is called, and calls its closure.
    pub fn callback_entry_helper(&mut self, id: CallbackId, params: Values) {
        let plan = self.plan;
        let c = &plan.program.callbacks[id];
        let context = self.context();
        let data = self.load(types::I64, Region::Handlers, context, offset_of!(Context, callback) as i32);
        let closure = self.load(types::I64, Region::Handlers, data, offset_of!(CallbackData, closure) as i32);
        // The program may drop the callback while it runs.
        let unit_closure = plan.unit_closure();
        self.dup(unit_closure, &[closure]);
        // No computation around the C function can be left or stopped.
        let handlers = self.load(types::I64, Region::Handlers, context, offset_of!(Context, handlers) as i32);
        let barrier = self.load(types::I64, Region::Handlers, context, offset_of!(Context, barrier) as i32);
        self.store(Region::Handlers, handlers, context, offset_of!(Context, barrier) as i32);

        let mut params = params.into_iter();
        let hidden = c.ret.by_value.as_ref().is_some_and(|by_value| by_value.words.is_empty());
        let mut result_address = if hidden { params.next() } else { None };
        let mut signature = Signature::new(cranelift_codegen::isa::CallConv::Tail);
        let mut values = Values::new();
        for param in &c.params {
            match &param.by_value {
                None => {
                    let slots = plan.layout(param.ty).slots.len();
                    let given: Values = params.by_ref().take(slots).collect();
                    values.extend(self.normalised(param.ty, given));
                }
                Some(by_value) if by_value.words.is_empty() => values.extend(params.next()),
                Some(by_value) => {
                    let words: Values = params.by_ref().take(by_value.words.len()).collect();
                    let address = self.struct_slot(by_value);
                    self.store_words(by_value, &words, address);
                    values.push(address);
                }
            }
        }
        if let Some(by_value) = &c.ret.by_value {
            let address = *result_address.get_or_insert_with(|| self.struct_slot(by_value));
            values.push(address);
        }
        for &value in &values {
            signature.params.push(AbiParam::new(self.builder.func.dfg.value_type(value)));
        }
        signature.params.push(AbiParam::new(types::I64));
        values.push(closure);
        signature
            .returns
            .extend(plan.layout(c.ret.ty).slots.iter().map(|&slot| AbiParam::new(crate::code::clif_type(slot))));
        let signature = self.builder.import_signature(signature);
        let code = self.load_constant(types::I64, Region::Closure, closure, CLOSURE_CODE_OFFSET);
        let call = self.builder.ins().call_indirect(signature, code, &values);
        let mut results = self.results(call);
        self.drop_value(unit_closure, &[closure]);
        self.store(Region::Handlers, barrier, context, offset_of!(Context, barrier) as i32);
        if let (Some(by_value), Some(address)) = (&c.ret.by_value, result_address) {
            results = self.struct_words(by_value, address);
        }
        self.builder.ins().return_(&results);
    }

    fn struct_slot(&mut self, by_value: &CStruct) -> Value {
        let size = by_value.size.next_multiple_of(8);
        let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        self.builder.ins().stack_addr(types::I64, slot, 0)
    }
}
