//! From a plan to machine code: every reachable function, then every helper that what is compiled refers to.
//!
//! Functions do not depend on each other's code, so they are compiled on as many threads as the machine has; the result is
//! in a fixed order whatever the threads did.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{DebugTag, ExternalName, Function, LibCall, SourceLoc, UserFuncName, UserStackMap};
use cranelift_codegen::{Context, FinalizedRelocTarget, MachDebugTagPos};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use reml_middle::core::ForeignId;
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;

use crate::CodegenError;
use crate::code::Code;
use crate::foreign::FOREIGN_TAG;
use crate::plan::Plan;
use crate::signature;
use crate::symbol::Symbol;
use crate::translate::translate;
use crate::unroll::unroll;

/// The machine code of one function.
pub struct Compiled {
    pub symbol: Symbol,
    pub bytes: Box<[u8]>,
    pub alignment: u32,
    pub relocations: Vec<Relocation>,
    pub sites: Vec<Site>,
    pub roots: Vec<RootSite>,
    pub foreign: Vec<ForeignSite>,
    /// For `--emit`.
    pub listing: Option<Listing>,
}

pub struct Relocation {
    pub offset: u32,
    pub kind: Reloc,
    pub target: RelocationTarget,
    pub addend: i64,
}

pub enum RelocationTarget {
    Symbol(Symbol),
    LibCall(LibCall),
    /// An offset in the same function.
    Own(u32),
}

/// A call: its return address as an offset, and where it is in the source space.
pub struct Site {
    pub offset: u32,
    pub source: u32,
}

/// A call during which the frame owns values: its return address as an offset; from the frame pointer and of which type they are.
pub struct RootSite {
    pub offset: u32,
    pub roots: Vec<(i32, TypeId)>,
}

/// A call of a C function: its return address as an offset; how far below the frame pointer the stack pointer is then.
pub struct ForeignSite {
    pub offset: u32,
    pub id: ForeignId,
    pub frame: u32,
}

/// How a function looked on its way.
pub struct Listing {
    pub clif: String,
    pub optimised: String,
    pub assembly: String,
}

/// Fewer functions than this are not worth a second thread.
const PARALLEL_FROM: usize = 48;
/// Cranelift recurses on some control flow.
const WORKER_STACK: usize = 64 << 20;

/// Compiles the program. `entries` are the symbols that nothing in the program refers to.
pub fn compile(plan: &Plan, entries: &[Symbol], listing: bool) -> Result<Vec<Compiled>, CodegenError> {
    let mut wave: BTreeSet<Symbol> = entries.iter().copied().collect();
    for &id in &plan.funcs {
        wave.insert(if plan.only_closure(id) { Symbol::ClosureEntry(id) } else { Symbol::Func(id) });
    }
    let mut seen = wave.clone();
    let mut compiled = Vec::with_capacity(wave.len());
    while !wave.is_empty() {
        let symbols: Vec<Symbol> = std::mem::take(&mut wave).into_iter().collect();
        let results = compile_all(plan, &symbols, listing)?;
        for function in &results {
            for &(_, ty) in function.roots.iter().flat_map(|site| &site.roots) {
                for symbol in [Symbol::RootDrop(ty), Symbol::RootDup(ty)] {
                    if seen.insert(symbol) {
                        wave.insert(symbol);
                    }
                }
            }
            for relocation in &function.relocations {
                let RelocationTarget::Symbol(target) = relocation.target else { continue };
                for target in std::iter::once(target).chain(target.functions_inside(plan)) {
                    if !target.is_data() && !target.is_import() && seen.insert(target) {
                        wave.insert(target);
                    }
                }
            }
        }
        compiled.extend(results);
    }
    Ok(compiled)
}

fn compile_all(plan: &Plan, symbols: &[Symbol], listing: bool) -> Result<Vec<Compiled>, CodegenError> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Compiled)>, CodegenError> {
        let mut worker = Worker::new(plan, listing);
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&symbol) = symbols.get(index) else { return Ok(done) };
            done.push((index, worker.compile(symbol)?));
        }
    };
    let threads = match symbols.len() {
        0..PARALLEL_FROM => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut results = Vec::with_capacity(symbols.len());
    if threads == 1 {
        results = work()?;
    } else {
        std::thread::scope(|scope| {
            let spawn = |_| std::thread::Builder::new().stack_size(WORKER_STACK).spawn_scoped(scope, work);
            let workers: Vec<_> = (1..threads).map(spawn).collect();
            let mut outcome = work().map(|done| results.extend(done));
            // A thread that could not be started has left its share to the others.
            for worker in workers.into_iter().flatten() {
                match worker.join() {
                    Ok(done) => outcome = outcome.and(done.map(|done| results.extend(done))),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            outcome
        })?;
    }
    results.sort_unstable_by_key(|&(index, _)| index);
    Ok(results.into_iter().map(|(_, compiled)| compiled).collect())
}

/// What one thread reuses from function to function.
struct Worker<'p> {
    plan: &'p Plan<'p>,
    context: Context,
    builder: FunctionBuilderContext,
    listing: bool,
}

impl<'p> Worker<'p> {
    fn new(plan: &'p Plan<'p>, listing: bool) -> Self {
        Worker { plan, context: Context::new(), builder: FunctionBuilderContext::new(), listing }
    }

    fn compile(&mut self, symbol: Symbol) -> Result<Compiled, CodegenError> {
        self.context.clear();
        self.context.set_disasm(self.listing);
        let name = symbol.to_name();
        self.context.func =
            Function::with_name_signature(UserFuncName::User(name.clone()), signature::of_symbol(self.plan, symbol));
        // Cranelift keeps places as distances from the first one, if not told otherwise, and takes a distance of -1 for none.
        self.context.func.params.ensure_base_srcloc(SourceLoc::new(0));
        let builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        match symbol {
            Symbol::Func(id) => translate(builder, self.plan, id, false),
            Symbol::ClosureEntry(id) if self.plan.only_closure(id) => translate(builder, self.plan, id, true),
            _ => {
                let mut code = Code::new(builder, self.plan);
                code.helper(symbol);
                code.finish();
            }
        }
        let before = self.listing.then(|| self.context.func.display().to_string());
        let inlines = matches!(symbol, Symbol::Func(id) if self.plan.program.funcs[id].roots.is_empty());
        if self.plan.target.release && inlines {
            unroll(&mut self.context, &name);
        }
        let isa = &*self.plan.target.isa;
        self.context
            .compile(isa, &mut ControlPlane::default())
            .map_err(|problem| CodegenError::new(self.plan, symbol, &problem.inner))?;
        let code = self.context.take_compiled_code().expect("it has just been compiled");
        let func = &self.context.func;
        let relocations = code.buffer.relocs().iter().map(|relocation| Relocation {
            offset: relocation.offset,
            kind: relocation.kind,
            addend: relocation.addend,
            target: match &relocation.target {
                FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                    let name = &func.params.user_named_funcs()[*name];
                    RelocationTarget::Symbol(Symbol::from_name(name).expect("all names are ours"))
                }
                FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => RelocationTarget::LibCall(*call),
                FinalizedRelocTarget::Func(offset) => RelocationTarget::Own(*offset),
                FinalizedRelocTarget::ExternalName(name) => unreachable!("nothing refers to {name:?}"),
            },
        });
        let listing = before.map(|clif| Listing {
            clif,
            optimised: func.display().to_string(),
            assembly: code.vcode.clone().unwrap_or_default(),
        });
        Ok(Compiled {
            symbol,
            bytes: code.buffer.data().into(),
            alignment: code.buffer.alignment,
            relocations: relocations.collect(),
            sites: sites(&code),
            roots: roots(&code),
            foreign: foreign_calls(&code),
            listing,
        })
    }
}

/// The calls during which the frame owns something.
fn roots(code: &cranelift_codegen::CompiledCode) -> Vec<RootSite> {
    let (maps, Some(frame)) = (code.buffer.user_stack_maps(), code.buffer.frame_layout()) else { return Vec::new() };
    let kept: FxHashMap<u32, TypeId> = frame
        .stackslots
        .values()
        .filter_map(|slot| slot.key.map(|key| (slot.offset, TypeId::from_u32(key.bits() as u32))))
        .collect();
    let site = |(offset, _, map): &(u32, u32, UserStackMap)| {
        let roots = map.entries().map(|(_, at)| (at as i32 - frame.frame_to_fp_offset as i32, kept[&at]));
        RootSite { offset: *offset, roots: roots.collect() }
    };
    maps.iter().map(site).collect()
}

/// The calls of C functions.
fn foreign_calls(code: &cranelift_codegen::CompiledCode) -> Vec<ForeignSite> {
    let Some(layout) = code.buffer.frame_layout() else { return Vec::new() };
    let mut sites: Vec<ForeignSite> = Vec::new();
    for call in code.buffer.debug_tags().filter(|call| call.pos == MachDebugTagPos::Post) {
        let tagged = call.tags.iter().find_map(|tag| match *tag {
            DebugTag::User(tag) if tag & FOREIGN_TAG != 0 => Some(ForeignId::from_u32(tag & !FOREIGN_TAG)),
            _ => None,
        });
        // The tag stands behind all that belongs to the call, such as moving results.
        let returns = code.buffer.call_sites().map(|site| site.ret_addr).take_while(|&address| address <= call.offset);
        if let (Some(id), Some(offset)) = (tagged, returns.last()) {
            sites.push(ForeignSite { offset, id, frame: layout.frame_to_fp_offset });
        }
    }
    sites
}

/// The calls that have a place in the source.
fn sites(code: &cranelift_codegen::CompiledCode) -> Vec<Site> {
    let places = code.buffer.get_srclocs_sorted();
    let mut sites = Vec::new();
    for call in code.buffer.call_sites() {
        let inside = call.ret_addr - 1;
        let index = places.partition_point(|place| place.start <= inside);
        if let Some(place) = index.checked_sub(1).map(|index| &places[index])
            && inside < place.end
            && !place.loc.is_default()
        {
            sites.push(Site { offset: call.ret_addr, source: place.loc.bits() });
        }
    }
    // The innermost place of an inlined call comes last.
    for call in code.buffer.debug_tags().filter(|call| call.pos == MachDebugTagPos::Post) {
        if let Some(&DebugTag::User(source)) = call.tags.last()
            && source & FOREIGN_TAG == 0
        {
            sites.push(Site { offset: call.offset, source });
        }
    }
    sites.sort_by_key(|site| site.offset);
    sites.dedup_by_key(|site| site.offset);
    sites
}
