//! Puts compiled functions and the data they refer to into a Cranelift module, the JIT's or an object file's.

use std::collections::BTreeSet;

use cranelift_codegen::ir::UserExternalName;
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module, ModuleReloc, ModuleRelocTarget};
use reml_rt::abi::{CLOSURE_DATA, ClosureInfo, IMMORTAL};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::CodegenError;
use crate::compile::{Compiled, RelocationTarget};
use crate::frames::symbol_name;
use crate::memory::count::{CLOSURE_CONSUME_OFFSET, CLOSURE_INFO_OFFSET};
use crate::memory::helper::CLOSURE_CODE_OFFSET;
use crate::plan::Plan;
use crate::signature;
use crate::symbol::Symbol;

/// Bytes of a `Str` object before inline text.
const STR_SIZE: usize = 32;

pub struct Placer<'p, M> {
    pub module: M,
    plan: &'p Plan<'p>,
    /// Give symbols their readable names.
    named: bool,
    funcs: FxHashMap<Symbol, FuncId>,
    datas: FxHashMap<Symbol, DataId>,
    names: FxHashSet<String>,
}

impl<'p, M: Module> Placer<'p, M> {
    pub fn new(module: M, plan: &'p Plan<'p>, named: bool) -> Self {
        Placer {
            module,
            plan,
            named,
            funcs: FxHashMap::default(),
            datas: FxHashMap::default(),
            names: FxHashSet::default(),
        }
    }

    /// Defines all functions, and all data they refer to but for `ProgramInfo` and `FrameTable`.
    pub fn place(&mut self, compiled: &[Compiled]) -> Result<(), CodegenError> {
        let mut referred: BTreeSet<Symbol> = BTreeSet::new();
        for function in compiled {
            self.declare_function(function.symbol)?;
            for relocation in &function.relocations {
                if let RelocationTarget::Symbol(symbol) = relocation.target {
                    referred.insert(symbol);
                    if let Symbol::StaticClosure(id) = symbol
                        && self.plan.consumes
                    {
                        referred.insert(Symbol::ClosureInfo(id));
                    }
                }
            }
        }
        for &symbol in &referred {
            if symbol.is_data() {
                self.declare_data(symbol)?;
            } else if symbol.is_import() {
                self.declare_function(symbol)?;
            }
        }
        for &symbol in &referred {
            self.define_data(symbol)?;
        }
        let mut relocations = Vec::new();
        for function in compiled {
            let id = self.funcs[&function.symbol];
            relocations.clear();
            relocations.extend(function.relocations.iter().map(|relocation| ModuleReloc {
                offset: relocation.offset,
                kind: relocation.kind,
                addend: relocation.addend,
                name: match relocation.target {
                    RelocationTarget::Symbol(symbol) => self.target(symbol),
                    RelocationTarget::LibCall(call) => ModuleRelocTarget::LibCall(call),
                    RelocationTarget::Own(offset) => ModuleRelocTarget::FunctionOffset(id, offset),
                },
            }));
            let alignment = u64::from(function.alignment);
            self.module.define_function_bytes(id, alignment, &function.bytes, &relocations)?;
        }
        Ok(())
    }

    pub fn func(&self, symbol: Symbol) -> FuncId {
        self.funcs[&symbol]
    }

    fn target(&self, symbol: Symbol) -> ModuleRelocTarget {
        let UserExternalName { namespace, index } = if symbol.is_data() {
            UserExternalName { namespace: 1, index: self.datas[&symbol].as_u32() }
        } else {
            UserExternalName { namespace: 0, index: self.funcs[&symbol].as_u32() }
        };
        ModuleRelocTarget::user(namespace, index)
    }

    /// Two specialisations may print alike; the later one gets a number.
    fn unique_name(&mut self, symbol: Symbol) -> String {
        let name = symbol_name(self.plan, symbol);
        let mut unique = name.clone();
        let mut count = 1;
        while !self.names.insert(unique.clone()) {
            count += 1;
            unique = format!("{name}#{count}");
        }
        unique
    }

    fn declare_function(&mut self, symbol: Symbol) -> Result<FuncId, CodegenError> {
        let signature = signature::of_symbol(self.plan, symbol);
        let id = if symbol.is_import() {
            let name = symbol_name(self.plan, symbol);
            // Two declarations of one C function may differ in type; the symbol is the same.
            match self.module.get_name(&name) {
                Some(cranelift_module::FuncOrDataId::Func(id)) => id,
                _ => self.module.declare_function(&name, Linkage::Import, &signature)?,
            }
        } else if symbol == Symbol::CMain {
            self.names.insert("main".to_owned());
            self.module.declare_function("main", Linkage::Export, &signature)?
        } else if self.named {
            let name = self.unique_name(symbol);
            self.module.declare_function(&name, Linkage::Local, &signature)?
        } else {
            self.module.declare_anonymous_function(&signature)?
        };
        self.funcs.insert(symbol, id);
        Ok(id)
    }

    pub fn declare_data(&mut self, symbol: Symbol) -> Result<DataId, CodegenError> {
        // Owner counts of immortal objects are written, though they never change.
        let writable = !matches!(
            symbol,
            Symbol::FrameTable
                | Symbol::ProgramInfo
                | Symbol::ClosureInfo(_)
                | Symbol::HandlerInfo(_)
                | Symbol::ContinuationInfo
        );
        let id = if self.named {
            let name = self.unique_name(symbol);
            self.module.declare_data(&name, Linkage::Local, writable, false)?
        } else {
            self.module.declare_anonymous_data(writable, false)?
        };
        self.datas.insert(symbol, id);
        Ok(id)
    }

    fn define_data(&mut self, symbol: Symbol) -> Result<(), CodegenError> {
        let mut data = DataDescription::new();
        data.set_align(8);
        match symbol {
            Symbol::Str(id) => {
                let text = self.plan.program.strings[id].as_bytes();
                let mut bytes = Vec::with_capacity(STR_SIZE + text.len());
                bytes.extend_from_slice(&immortal_header());
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.resize(STR_SIZE, 0);
                bytes.extend_from_slice(text);
                data.define(bytes.into_boxed_slice());
                let own = self.module.declare_data_in_data(self.datas[&symbol], &mut data);
                data.write_data_addr(16, own, STR_SIZE as i64);
            }
            Symbol::StaticClosure(id) => {
                let mut bytes = immortal_header().to_vec();
                bytes.resize(CLOSURE_DATA, 0);
                data.define(bytes.into_boxed_slice());
                let code = self.module.declare_func_in_data(self.funcs[&Symbol::ClosureEntry(id)], &mut data);
                data.write_function_addr(CLOSURE_CODE_OFFSET as u32, code);
                if self.plan.consumes {
                    let info = self.module.declare_data_in_data(self.datas[&Symbol::ClosureInfo(id)], &mut data);
                    data.write_data_addr(CLOSURE_INFO_OFFSET as u32, info, 0);
                }
            }
            Symbol::ClosureInfo(id) => {
                data.define(vec![0; size_of::<ClosureInfo>()].into_boxed_slice());
                let has_captures = self.plan.program.funcs[id].captures > 0;
                // A static closure needs no ending.
                let consume = if has_captures { Symbol::ClosureConsume(id) } else { Symbol::ClosureEntry(id) };
                if self.plan.consumes {
                    let consume = self.module.declare_func_in_data(self.funcs[&consume], &mut data);
                    data.write_function_addr(CLOSURE_CONSUME_OFFSET as u32, consume);
                }
                if has_captures {
                    let drop = self.module.declare_func_in_data(self.funcs[&self.plan.closure_drop(id)], &mut data);
                    data.write_function_addr(0, drop);
                }
            }
            Symbol::HandlerInfo(_) | Symbol::ContinuationInfo => {
                data.define(vec![0; size_of::<ClosureInfo>()].into_boxed_slice());
                for drop in symbol.functions_inside(self.plan) {
                    let drop = self.module.declare_func_in_data(self.funcs[&drop], &mut data);
                    data.write_function_addr(0, drop);
                }
            }
            Symbol::Global(id) => {
                let size = self.plan.layout(self.plan.program.globals[id].ty).size;
                data.define_zeroinit(size.max(1) as usize);
            }
            _ => return Ok(()),
        }
        self.module.define_data(self.datas[&symbol], &data)?;
        Ok(())
    }

    /// Defines a table of words and addresses.
    pub fn define_table(&mut self, symbol: Symbol, table: Table) -> Result<(), CodegenError> {
        let mut data = DataDescription::new();
        data.set_align(8);
        data.define(table.bytes.into_boxed_slice());
        for (offset, target, addend) in table.addresses {
            if target.is_data() {
                let target = self.module.declare_data_in_data(self.datas[&target], &mut data);
                data.write_data_addr(offset, target, addend);
            } else {
                let target = self.module.declare_func_in_data(self.funcs[&target], &mut data);
                data.write_function_addr(offset, target);
            }
        }
        self.module.define_data(self.datas[&symbol], &data)?;
        Ok(())
    }
}

/// Constant data that contains addresses.
#[derive(Default)]
pub struct Table {
    bytes: Vec<u8>,
    addresses: Vec<(u32, Symbol, i64)>,
}

impl Table {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn word(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn half(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub fn address(&mut self, target: Symbol, addend: i64) {
        self.addresses.push((self.bytes.len() as u32, target, addend));
        self.word(0);
    }
}

/// The header of a static object: never freed, tag 0.
fn immortal_header() -> [u8; 8] {
    u64::from(IMMORTAL as u32).to_le_bytes()
}
