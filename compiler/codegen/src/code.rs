//! The builder every piece of machine code is written with: Cranelift's function builder plus the program's plan, the
//! references to other symbols, and the vocabulary of memory accesses.

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{
    AbiParam, AliasRegion, AliasRegionData, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, GlobalValue,
    GlobalValueData, Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, SigRef, Signature, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, TrapCode, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use reml_diagnostics::Span;
use reml_middle::layout::{Layout, Machine};
use reml_rt::abi::Word;
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::plan::{Plan, runtime_index};
use crate::signature;
use crate::symbol::{PanicStub, Symbol};

/// The machine values of one Core value.
pub type Values = SmallVec<[Value; 4]>;

/// Parts of memory that never overlap, for the alias analysis. Objects of different types never share live memory, so
/// fields and elements get a region per type on top.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// Reference counts and the rest of object headers.
    Count,
    Tag,
    /// Lengths and capacities of arrays.
    ArrayHeader,
    /// The runtime's free lists and their links.
    FreeList,
    /// Text and lengths of strings.
    Text,
    /// Code pointers and captures.
    Closure,
    Global,
    /// Fields of cells of a type, the content of a `Cell`.
    Fields(TypeId),
    /// Array elements of a type.
    Elements(TypeId),
    /// Stack slots.
    Stack,
    /// The chain of handlers, and the continuation in the context.
    Handlers,
    /// What passes between computations and handlers.
    Payload,
}

pub struct Code<'f, 'p> {
    pub builder: FunctionBuilder<'f>,
    pub plan: &'p Plan<'p>,
    funcs: FxHashMap<Symbol, FuncRef>,
    datas: FxHashMap<Symbol, GlobalValue>,
    signatures: FxHashMap<TypeId, SigRef>,
    regions: FxHashMap<Region, AliasRegion>,
    scratch: Option<StackSlot>,
}

/// Traps mark places that control never reaches.
const UNREACHABLE: TrapCode = TrapCode::unwrap_user(1);

pub fn clif_type(machine: Machine) -> Type {
    match machine {
        Machine::I8 => types::I8,
        Machine::I16 => types::I16,
        Machine::I32 => types::I32,
        Machine::I64 => types::I64,
        Machine::F32 => types::F32,
        Machine::F64 => types::F64,
    }
}

impl<'f, 'p> Code<'f, 'p> {
    pub fn new(builder: FunctionBuilder<'f>, plan: &'p Plan<'p>) -> Self {
        Code {
            builder,
            plan,
            funcs: FxHashMap::default(),
            datas: FxHashMap::default(),
            signatures: FxHashMap::default(),
            regions: FxHashMap::default(),
            scratch: None,
        }
    }

    // Blocks

    /// The first block, with the function's parameters. Control continues in a second one, as the entry block may
    /// not be jumped to.
    pub fn start(&mut self) -> Values {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.builder.block_params(entry).iter().copied().collect()
    }

    pub fn block(&mut self) -> Block {
        self.builder.create_block()
    }

    pub fn cold_block(&mut self) -> Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        block
    }

    pub fn switch_to(&mut self, block: Block) {
        self.builder.switch_to_block(block);
    }

    pub fn jump(&mut self, block: Block, args: &[Value]) {
        let args: SmallVec<[BlockArg; 8]> = args.iter().map(|&value| value.into()).collect();
        self.builder.ins().jump(block, &args);
    }

    pub fn branch(&mut self, condition: Value, yes: Block, no: Block) {
        self.builder.ins().brif(condition, yes, &[], no, &[]);
    }

    /// The same, with `yes` (the body of a loop, the branch written first) following in the machine code: Cranelift
    /// lays out the second target of a branch next.
    pub fn branch_to_next(&mut self, condition: Value, yes: Block, no: Block) {
        if !self.plan.target.release {
            return self.branch(condition, yes, no);
        }
        let dfg = &self.builder.func.dfg;
        let compared = dfg.value_def(condition).inst().map(|inst| dfg.insts[inst]);
        let inverted = match compared {
            Some(InstructionData::IntCompare { opcode: Opcode::Icmp, cond, args: [left, right] }) => {
                self.builder.ins().icmp(cond.complement(), left, right)
            }
            Some(InstructionData::FloatCompare { opcode: Opcode::Fcmp, cond, args: [left, right] }) => {
                self.builder.ins().fcmp(cond.complement(), left, right)
            }
            _ => self.equals(condition, 0),
        };
        self.branch(inverted, no, yes);
    }

    /// Goes on in a new block when `condition` holds, else in `otherwise`.
    pub fn branch_unless(&mut self, condition: Value, otherwise: Block) {
        let next = self.block();
        self.branch_to_next(condition, next, otherwise);
        self.switch_to(next);
    }

    /// Goes to a new cold block when `condition` holds. Returns the cold block; code continues where it does not.
    pub fn branch_cold(&mut self, condition: Value) -> (Block, Block) {
        let cold = self.cold_block();
        let next = self.block();
        self.branch(condition, cold, next);
        (cold, next)
    }

    pub fn block_params(&mut self, block: Block, layout: &Layout) -> Values {
        layout.slots.iter().map(|&slot| self.builder.append_block_param(block, clif_type(slot))).collect()
    }

    pub fn unreachable(&mut self) {
        self.builder.ins().trap(UNREACHABLE);
    }

    pub fn set_span(&mut self, span: Span) {
        self.builder.set_srcloc(SourceLoc::new(if span.is_none() { u32::MAX } else { span.start }));
    }

    // Constants and small arithmetic

    pub fn int(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(types::I64, value)
    }

    pub fn int_of(&mut self, ty: Type, value: i128) -> Value {
        // `iconst` wants the value zero-extended from its type's width.
        let bits = ty.bits();
        let value = if bits < 64 { (value as u64) & ((1 << bits) - 1) } else { value as u64 };
        self.builder.ins().iconst(ty, value as i64)
    }

    pub fn bool(&mut self, value: bool) -> Value {
        self.builder.ins().iconst(types::I8, i64::from(value))
    }

    pub fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.builder.ins().f32const(0.0),
            types::F64 => self.builder.ins().f64const(0.0),
            _ => self.builder.ins().iconst(ty, 0),
        }
    }

    pub fn add_imm(&mut self, value: Value, offset: i64) -> Value {
        if offset == 0 { value } else { self.builder.ins().iadd_imm_s(value, offset) }
    }

    pub fn equals(&mut self, value: Value, constant: i64) -> Value {
        self.builder.ins().icmp_imm_s(IntCC::Equal, value, constant)
    }

    /// The constant behind a value, if it is one.
    pub fn known_int(&self, value: Value) -> Option<i64> {
        let dfg = &self.builder.func.dfg;
        let inst = dfg.value_def(value).inst()?;
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    /// `index * stride` in bytes.
    pub fn scaled(&mut self, index: Value, stride: u32) -> Value {
        match stride {
            1 => index,
            _ if stride.is_power_of_two() => self.builder.ins().ishl_imm_u(index, i64::from(stride.trailing_zeros())),
            _ => self.builder.ins().imul_imm_s(index, i64::from(stride)),
        }
    }

    // Memory

    /// Flags of an aligned access that cannot fault.
    pub fn flags(&mut self, region: Region) -> MemFlagsData {
        let alias = match self.regions.get(&region) {
            Some(&alias) => alias,
            None => {
                let user_id = match region {
                    Region::Count => 0,
                    Region::Tag => 1,
                    Region::ArrayHeader => 2,
                    Region::FreeList => 3,
                    Region::Text => 4,
                    Region::Closure => 5,
                    Region::Global => 6,
                    Region::Stack => 7,
                    Region::Handlers => u32::MAX,
                    Region::Payload => u32::MAX - 1,
                    Region::Fields(ty) => 8 + 2 * ty.as_u32(),
                    Region::Elements(ty) => 9 + 2 * ty.as_u32(),
                };
                let data = AliasRegionData { user_id, description: "".into() };
                let alias = self.builder.func.dfg.alias_regions.insert(data);
                self.regions.insert(region, alias);
                alias
            }
        };
        MemFlagsData::trusted().with_alias_region(Some(alias))
    }

    pub fn load(&mut self, ty: Type, region: Region, base: Value, offset: i32) -> Value {
        let flags = self.flags(region);
        self.builder.ins().load(ty, flags, base, offset)
    }

    /// A load of memory that nothing writes while the function runs.
    ///
    /// It stays where it is: `base` may be the null of an `Option` wherever nothing has checked it yet.
    pub fn load_constant(&mut self, ty: Type, region: Region, base: Value, offset: i32) -> Value {
        let flags = self.flags(region).with_readonly();
        self.builder.ins().load(ty, flags, base, offset)
    }

    /// The same of the function's own environment, which is always there: may be moved, merged and dropped freely.
    pub fn load_captured(&mut self, ty: Type, closure: Value, offset: i32) -> Value {
        let flags = self.flags(Region::Closure).with_readonly().with_can_move();
        self.builder.ins().load(ty, flags, closure, offset)
    }

    pub fn store(&mut self, region: Region, value: Value, base: Value, offset: i32) {
        let flags = self.flags(region);
        self.builder.ins().store(flags, value, base, offset);
    }

    /// All slots of a value that lies at `base + offset`.
    pub fn load_value(&mut self, layout: &Layout, region: Region, base: Value, offset: u32) -> Values {
        let slots = layout.slots.iter().zip(&layout.offsets);
        slots.map(|(&slot, &at)| self.load(clif_type(slot), region, base, (offset + at) as i32)).collect()
    }

    pub fn store_value(&mut self, layout: &Layout, region: Region, values: &[Value], base: Value, offset: u32) {
        for (&value, &at) in values.iter().zip(&layout.offsets) {
            self.store(region, value, base, (offset + at) as i32);
        }
    }

    /// Stores to memory whose region is not known; whatever has been read before may have changed.
    pub fn store_anywhere(&mut self, layout: &Layout, values: &[Value], base: Value) {
        for (&value, &at) in values.iter().zip(&layout.offsets) {
            self.builder.ins().store(MemFlagsData::trusted(), value, base, at as i32);
        }
    }

    /// Ends the function.
    pub fn finish(mut self) {
        self.builder.seal_all_blocks();
        let config = self.plan.target.frontend_config;
        self.builder.finalize(config);
    }

    /// Calls a helper that takes its one or two operands through memory. Returns their address.
    pub fn cold_call(&mut self, symbol: Symbol, operands: &[Value]) -> Value {
        let slot = *self.scratch.get_or_insert_with(|| {
            self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 3))
        });
        let address = self.builder.ins().stack_addr(types::I64, slot, 0);
        for (index, &operand) in operands.iter().enumerate() {
            self.store(Region::Stack, operand, address, index as i32 * 8);
        }
        self.call(symbol, &[address]);
        address
    }

    // Symbols and calls

    pub fn context(&mut self) -> Value {
        self.builder.ins().get_pinned_reg(types::I64)
    }

    pub fn func_ref(&mut self, symbol: Symbol) -> FuncRef {
        if let Some(&func) = self.funcs.get(&symbol) {
            return func;
        }
        let signature = signature::of_symbol(self.plan, symbol);
        let signature = self.builder.import_signature(signature);
        let name = self.builder.func.declare_imported_user_function(symbol.to_name());
        let func = self.builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            // An executable links the runtime in; the JIT's process may have it anywhere.
            colocated: !symbol.is_import() || self.plan.target.near_runtime,
            patchable: false,
        });
        self.funcs.insert(symbol, func);
        func
    }

    pub fn func_addr(&mut self, symbol: Symbol) -> Value {
        let func = self.func_ref(symbol);
        self.builder.ins().func_addr(types::I64, func)
    }

    pub fn data_addr(&mut self, symbol: Symbol) -> Value {
        let global = match self.datas.get(&symbol) {
            Some(&global) => global,
            None => {
                let name = self.builder.func.declare_imported_user_function(symbol.to_name());
                let global = self.builder.create_global_value(GlobalValueData::Symbol {
                    name: ExternalName::user(name),
                    offset: 0.into(),
                    colocated: true,
                    tls: false,
                });
                self.datas.insert(symbol, global);
                global
            }
        };
        self.builder.ins().symbol_value(types::I64, global)
    }

    /// The signature of closures of a function type.
    pub fn closure_signature(&mut self, fn_type: TypeId) -> SigRef {
        let bare = self.plan.info(fn_type).bare;
        if let Some(&sig) = self.signatures.get(&bare) {
            return sig;
        }
        let signature = signature::of_closure_type(self.plan, bare);
        let sig = self.builder.import_signature(signature);
        self.signatures.insert(bare, sig);
        sig
    }

    /// The signature of `ClosureDrop` functions.
    pub fn closure_drop_signature(&mut self) -> SigRef {
        let mut signature = Signature::new(CallConv::Tail);
        signature.params.push(AbiParam::new(types::I64));
        self.builder.import_signature(signature)
    }

    pub fn results(&self, call: Inst) -> Values {
        self.builder.inst_results(call).iter().copied().collect()
    }

    pub fn call(&mut self, symbol: Symbol, args: &[Value]) -> Values {
        let func = self.func_ref(symbol);
        let call = self.builder.ins().call(func, args);
        self.results(call)
    }

    pub fn tail_call(&mut self, symbol: Symbol, args: &[Value]) {
        let func = self.func_ref(symbol);
        self.builder.ins().return_call(func, args);
    }

    /// Calls a runtime function; `args` are those after the context.
    pub fn runtime(&mut self, name: &str, args: &[Value]) -> Option<Value> {
        let call = self.runtime_call(name, args);
        self.results(call).first().copied()
    }

    /// The same, giving the call itself.
    pub fn runtime_call(&mut self, name: &str, args: &[Value]) -> Inst {
        let context = self.context();
        let all: SmallVec<[Value; 8]> = std::iter::once(context).chain(args.iter().copied()).collect();
        let index = runtime_index(name);
        debug_assert_eq!(reml_rt::abi::CODEGEN_FUNCTIONS[index as usize].params.len(), all.len(), "{name}");
        let func = self.func_ref(Symbol::Runtime(index));
        self.builder.ins().call(func, &all)
    }

    /// Calls a runtime function that does not return, and ends the block.
    pub fn panic(&mut self, name: &str, args: &[Value]) {
        self.runtime(name, args);
        self.unreachable();
    }

    /// Panics when `condition` holds; code continues where it does not. `operands` runs in the cold block.
    pub fn panic_if(&mut self, condition: Value, stub: PanicStub, operands: impl FnOnce(&mut Self) -> Values) {
        let (cold, next) = self.branch_cold(condition);
        self.switch_to(cold);
        let operands = operands(self);
        self.cold_call(Symbol::Panic(stub), &operands);
        self.unreachable();
        self.switch_to(next);
    }
}

pub fn word_type(word: Word) -> Type {
    match word {
        Word::I64 => types::I64,
        Word::F64 => types::F64,
    }
}
