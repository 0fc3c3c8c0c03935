//! Compiles a program into this process and runs it.

use std::ptr::NonNull;
use std::sync::Arc;

use cranelift_entity::SecondaryMap;
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use reml_diagnostics::SourceMap;
use reml_middle::core::{GlobalId, Program};
use reml_rt::abi::{FLAG_LEAK_CHECK, FrameFunction, FrameTable, ProgramInfo, RootKind};
use reml_rt::host::Hosted;
use reml_rt::{RunOptions, RunOutcome};

use crate::compile::{Compiled, compile};
use crate::frames::Frames;
use crate::isa::Target;
use crate::native;
use crate::place::Placer;
use crate::plan::Plan;
use crate::symbol::Symbol;
use crate::{CodeSummary, CodegenError, CodegenOptions};

/// Address space for code and data. Only what is used takes memory; one piece keeps everything within reach of
/// relative calls.
const ARENA: usize = 1 << 30;
/// Enough for a large program.
const SMALLEST_ARENA: usize = 64 << 20;

/// Compiles `program` and runs it with `args` (without the program's own name). Returns when it has ended in whatever way.
pub fn run(
    program: &Program,
    sources: &SourceMap,
    options: &CodegenOptions,
    args: &[String],
) -> Result<RunOutcome, CodegenError> {
    Ok(load(program, sources, options)?.run(args))
}

/// How much of the address space a program's code gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Whole,
    /// There may be many programs.
    Part,
}

/// A program in executable memory. The memory is given back when it is dropped.
pub struct Loaded {
    pub code: CodeSummary,
    info: ProgramInfo,
    module: Option<JITModule>,
    _frames: Box<OwnedFrames>,
    _native: Box<str>,
}

// SAFETY: its pointers are to code and tables in memory of its own, which nobody writes to.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

impl Loaded {
    /// Runs the program with `args` (without the program's own name). Returns when it has ended in whatever way.
    pub fn run(&self, args: &[String]) -> RunOutcome {
        self.run_with(args, &RunOptions::default())
    }

    /// What the runtime needs to know of the program.
    pub fn info(&self) -> &ProgramInfo {
        &self.info
    }

    /// Makes the program wait for the requests of a host.
    ///
    /// # Errors
    ///
    /// What the gate does not allow, or that there is no memory, in words.
    pub fn host(self: &Arc<Self>, options: &RunOptions) -> Result<Guest, String> {
        // SAFETY: the code was compiled for the runtime's ABI, and the guest keeps it and its tables.
        let program = unsafe { Hosted::new(&self.info, options) }?;
        Ok(Guest { program: Some(program), _code: Arc::clone(self) })
    }

    pub fn run_with(&self, args: &[String], options: &RunOptions) -> RunOutcome {
        // SAFETY: the code was compiled for the runtime's ABI, and `self` keeps it and its tables until the end.
        unsafe { reml_rt::run_program(&self.info, args.to_vec(), options) }
    }
}

/// A program that a host calls, with the code it needs. Dropping it lets the program end.
pub struct Guest {
    /// Taken when it ends.
    program: Option<Hosted>,
    _code: Arc<Loaded>,
}

impl std::ops::Deref for Guest {
    type Target = Hosted;

    fn deref(&self) -> &Hosted {
        self.program.as_ref().expect("it is there until it is dropped")
    }
}

impl std::ops::DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Hosted {
        self.program.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(program) = self.program.take() {
            program.end();
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the program has ended, and no pointer into its code is kept.
            unsafe { module.free_memory() };
        }
    }
}

/// The frame table and the arrays it points to.
struct OwnedFrames {
    table: FrameTable,
    _functions: Vec<FrameFunction>,
    _root_kinds: Vec<RootKind>,
    _frames: Frames,
}

/// Room for the code: less of it where the address space is limited.
fn reserve(room: Room) -> Result<ArenaMemoryProvider, CodegenError> {
    let mut size = if room == Room::Whole { ARENA } else { SMALLEST_ARENA };
    loop {
        match ArenaMemoryProvider::new_with_size(size) {
            Ok(memory) => return Ok(memory),
            Err(_) if size > SMALLEST_ARENA => size /= 4,
            Err(problem) => return Err(CodegenError::message(format!("cannot reserve memory for code: {problem}"))),
        }
    }
}

/// Compiles `program` into executable memory.
pub fn load(program: &Program, sources: &SourceMap, options: &CodegenOptions) -> Result<Loaded, CodegenError> {
    load_at(program, sources, options, SecondaryMap::new(), Room::Whole)
}

/// The same, with these globals where they are said to be.
pub fn load_at(
    program: &Program,
    sources: &SourceMap,
    options: &CodegenOptions,
    places: SecondaryMap<GlobalId, Option<u64>>,
    room: Room,
) -> Result<Loaded, CodegenError> {
    let target = Target::host(options).map_err(CodegenError::message)?;
    let isa = target.isa.clone();
    let mut plan = Plan::new(program, target);
    plan.places = places;
    let compiled = compile(&plan, &[Symbol::Main, Symbol::Invoke, Symbol::DropClosure, Symbol::ResourceDrop], false)?;

    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    builder.memory_provider(Box::new(reserve(room)?));
    builder.symbols(reml_rt::symbols().iter().copied());
    builder.symbols([("fmod", fmod as *const u8), ("fmodf", fmodf as *const u8)]);
    builder.symbols(options.foreign.iter().map(|(name, &address)| (name.to_string(), address as *const u8)));
    check_imports(&plan, &compiled)?;

    let mut placer = Placer::new(JITModule::new(builder), &plan, std::env::var_os("PERF_BUILDID_DIR").is_some());
    placer.place(&compiled)?;
    placer.module.finalize_definitions()?;
    let address = |symbol| placer.module.get_finalized_function(placer.func(symbol));
    let frames = own_frames(Frames::new(&plan, &compiled, sources), address);
    let native = native::table(program, sources).into_boxed_str();
    let info = ProgramInfo {
        main: address(Symbol::Main),
        invoke: address(Symbol::Invoke),
        drop_closure: address(Symbol::DropClosure),
        drop_resource: address(Symbol::ResourceDrop),
        frames: &frames.table,
        flags: if options.leak_check { FLAG_LEAK_CHECK } else { 0 },
        // Whoever runs the program here brings the gate along.
        policy: std::ptr::null(),
        policy_len: 0,
        native: NonNull::from(native.as_bytes()).cast(),
        native_len: native.len() as u64,
    };
    let code = CodeSummary::of(&plan, &compiled);
    Ok(Loaded { code, info, module: Some(placer.module), _frames: frames, _native: native })
}

unsafe extern "C" {
    fn fmod(x: f64, y: f64) -> f64;
    fn fmodf(x: f32, y: f32) -> f32;
}

/// The JIT panics on names it cannot resolve; say which it is instead.
fn check_imports(plan: &Plan, compiled: &[Compiled]) -> Result<(), CodegenError> {
    use crate::compile::RelocationTarget;
    let known: rustc_hash::FxHashSet<&str> = reml_rt::symbols().iter().map(|&(name, _)| name).collect();
    for relocation in compiled.iter().flat_map(|function| &function.relocations) {
        let RelocationTarget::Symbol(symbol) = relocation.target else { continue };
        if let Symbol::Library(id) = symbol {
            let name = &*plan.program.runtime[id].symbol;
            if !known.contains(name) {
                return Err(CodegenError::message(format!("the runtime has no function `{name}`")));
            }
        }
    }
    Ok(())
}

fn own_frames(frames: Frames, address: impl Fn(Symbol) -> *const u8) -> Box<OwnedFrames> {
    let functions: Vec<FrameFunction> = frames
        .functions
        .iter()
        .map(|entry| FrameFunction {
            start: address(entry.symbol),
            size: entry.size,
            name: entry.name,
            first_site: entry.first_site,
            site_count: entry.site_count,
            hidden: entry.hidden.into(),
        })
        .collect();
    let root_kinds: Vec<RootKind> = frames
        .root_kinds
        .iter()
        .map(|&ty| RootKind { drop: address(Symbol::RootDrop(ty)), dup: address(Symbol::RootDup(ty)) })
        .collect();
    let table = FrameTable {
        functions: functions.as_ptr(),
        function_count: functions.len() as u64,
        sites: frames.sites.as_ptr(),
        site_count: frames.sites.len() as u64,
        files: frames.files.as_ptr(),
        file_count: frames.files.len() as u64,
        text: frames.text.as_ptr(),
        text_len: frames.text.len() as u64,
        root_sites: frames.root_sites.as_ptr(),
        root_site_count: frames.root_sites.len() as u64,
        roots: frames.roots.as_ptr(),
        root_count: frames.roots.len() as u64,
        root_kinds: root_kinds.as_ptr(),
        root_kind_count: root_kinds.len() as u64,
        foreign_sites: frames.foreign_sites.as_ptr(),
        foreign_site_count: frames.foreign_sites.len() as u64,
    };
    Box::new(OwnedFrames { table, _functions: functions, _root_kinds: root_kinds, _frames: frames })
}
