//! Compiles a program into an object file for the system linker.

use cranelift_module::default_libcall_names;
use cranelift_object::{ObjectBuilder, ObjectModule};
use reml_diagnostics::SourceMap;
use reml_middle::core::{ForeignCallee, Program};
use reml_rt::abi::FLAG_LEAK_CHECK;

use crate::compile::compile;
use crate::frames::Frames;
use crate::isa::Target;
use crate::native;
use crate::place::{Placer, Table};
use crate::plan::Plan;
use crate::symbol::Symbol;
use crate::{CodeSummary, CodegenError, CodegenOptions};

/// A program as an object file.
pub struct Object {
    pub bytes: Vec<u8>,
    pub code: CodeSummary,
}

/// An object file with a C `main`. It needs the static runtime library and the C and math libraries. The same program
/// gives the same bytes.
pub fn emit(program: &Program, sources: &SourceMap, options: &CodegenOptions) -> Result<Object, CodegenError> {
    let target = Target::baseline(options).map_err(CodegenError::message)?;
    let isa = target.isa.clone();
    let plan = Plan::new(program, target);
    let roots = [Symbol::CMain, Symbol::Main, Symbol::Invoke, Symbol::DropClosure, Symbol::ResourceDrop];
    let compiled = compile(&plan, &roots, false)?;

    let builder = ObjectBuilder::new(isa, "program", default_libcall_names())?;
    let mut placer = Placer::new(ObjectModule::new(builder), &plan, true);
    placer.declare_data(Symbol::FrameTable)?;
    placer.place(&compiled)?;
    let frames = Frames::new(&plan, &compiled, sources);
    placer.define_table(Symbol::FrameTable, frame_table(&frames))?;
    let mut info = Table::default();
    info.address(Symbol::Main, 0);
    info.address(Symbol::Invoke, 0);
    info.address(Symbol::DropClosure, 0);
    info.address(Symbol::ResourceDrop, 0);
    info.address(Symbol::FrameTable, 0);
    info.word(if options.leak_check { FLAG_LEAK_CHECK } else { 0 });
    let policy = options.policy.as_deref().unwrap_or_default();
    let native = native::table(program, sources);
    match options.policy {
        Some(_) => info.address(Symbol::ProgramInfo, PROGRAM_INFO as i64),
        None => info.word(0),
    }
    info.word(policy.len() as u64);
    info.address(Symbol::ProgramInfo, (PROGRAM_INFO + policy.len()) as i64);
    info.word(native.len() as u64);
    debug_assert_eq!(info.len(), PROGRAM_INFO);
    info.text(policy);
    info.text(&native);
    placer.define_table(Symbol::ProgramInfo, info)?;
    let code = CodeSummary::of(&plan, &compiled);
    let weak = weak_symbols(program);
    let mut product = placer.module.finish();
    for name in weak {
        if let Some(symbol) = product.object.symbol_id(name.as_bytes()) {
            product.object.symbol_mut(symbol).weak = true;
        }
    }
    match product.emit() {
        Ok(bytes) => Ok(Object { bytes, code }),
        Err(problem) => Err(CodegenError::message(problem.to_string())),
    }
}

/// The foreign functions that may be missing where the program is linked.
fn weak_symbols(program: &Program) -> Vec<&str> {
    let weak = program.foreign.values().filter_map(|foreign| match &foreign.callee {
        ForeignCallee::Symbol(symbol) if symbol.weak => Some(&*symbol.name),
        _ => None,
    });
    weak.collect()
}

/// Bytes of `abi::ProgramInfo`.
const PROGRAM_INFO: usize = 80;

/// `abi::FrameTable`, then the arrays it points to.
fn frame_table(frames: &Frames) -> Table {
    const HEADER: usize = 128;
    const FUNCTION: usize = 32;
    const SITE: usize = 16;
    const FILE: usize = 8;
    const ROOT_SITE: usize = 16;
    const ROOT: usize = 8;
    const ROOT_KIND: usize = 16;
    const FOREIGN_SITE: usize = 28;
    let functions_at = HEADER;
    let sites_at = functions_at + FUNCTION * frames.functions.len();
    let files_at = sites_at + SITE * frames.sites.len();
    let root_sites_at = files_at + FILE * frames.files.len();
    let roots_at = root_sites_at + ROOT_SITE * frames.root_sites.len();
    let root_kinds_at = roots_at + ROOT * frames.roots.len();
    let foreign_sites_at = root_kinds_at + ROOT_KIND * frames.root_kinds.len();
    let text_at = foreign_sites_at + FOREIGN_SITE * frames.foreign_sites.len();
    let mut table = Table::default();
    for (at, count) in [
        (functions_at, frames.functions.len()),
        (sites_at, frames.sites.len()),
        (files_at, frames.files.len()),
        (text_at, frames.text.len()),
        (root_sites_at, frames.root_sites.len()),
        (roots_at, frames.roots.len()),
        (root_kinds_at, frames.root_kinds.len()),
        (foreign_sites_at, frames.foreign_sites.len()),
    ] {
        table.address(Symbol::FrameTable, at as i64);
        table.word(count as u64);
    }
    for function in &frames.functions {
        table.address(function.symbol, 0);
        table.half(function.size);
        table.half(function.name.start);
        table.half(function.name.len);
        table.half(function.first_site);
        table.half(function.site_count);
        table.half(function.hidden.into());
    }
    for site in &frames.sites {
        for field in [site.offset, site.file, site.line, site.column] {
            table.half(field);
        }
    }
    for file in &frames.files {
        table.half(file.start);
        table.half(file.len);
    }
    for site in &frames.root_sites {
        for field in [site.function, site.offset, site.first, site.count] {
            table.half(field);
        }
    }
    for root in &frames.roots {
        table.half(root.offset as u32);
        table.half(root.kind);
    }
    for &kind in &frames.root_kinds {
        table.address(Symbol::RootDrop(kind), 0);
        table.address(Symbol::RootDup(kind), 0);
    }
    for site in &frames.foreign_sites {
        let (symbol, library) = (site.symbol, site.library);
        for field in [site.function, site.offset, site.frame, symbol.start, symbol.len, library.start, library.len] {
            table.half(field);
        }
    }
    debug_assert_eq!(table.len(), text_at);
    table.text(&frames.text);
    table
}
