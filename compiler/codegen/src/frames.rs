//! The table that tells, for every return address of compiled code, the function and the place in the source.

use cranelift_entity::EntityRef;
use reml_diagnostics::{SourceMap, Span};
use reml_middle::core::ForeignCallee;
use reml_rt::abi::{ForeignSite, FrameSite, FrameText, Root, RootSite};
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;

use crate::compile::Compiled;
use crate::plan::Plan;
use crate::symbol::Symbol;

/// The table's content, but for the addresses of functions.
#[derive(Default)]
pub struct Frames {
    /// In the order of the compiled functions.
    pub functions: Vec<FrameEntry>,
    pub sites: Vec<FrameSite>,
    pub files: Vec<FrameText>,
    pub text: String,
    pub root_sites: Vec<RootSite>,
    pub roots: Vec<Root>,
    /// The types that roots have.
    pub root_kinds: Vec<TypeId>,
    pub foreign_sites: Vec<ForeignSite>,
}

pub struct FrameEntry {
    pub symbol: Symbol,
    pub size: u32,
    pub name: FrameText,
    pub first_site: u32,
    pub site_count: u32,
    pub hidden: bool,
}

impl Frames {
    pub fn new(plan: &Plan, compiled: &[Compiled], sources: &SourceMap) -> Frames {
        let mut frames = Frames::default();
        for (_, file) in sources.files() {
            let name = frames.text(&file.name);
            frames.files.push(name);
        }
        let mut names: FxHashMap<Symbol, FrameText> = FxHashMap::default();
        for function in compiled {
            let (shown, hidden) = match function.symbol {
                Symbol::Func(id) => (id, false),
                Symbol::ClosureEntry(id) => (id, !plan.only_closure(id)),
                Symbol::ClosureConsume(id) => (id, true),
                _ => (plan.program.entry, true),
            };
            let name =
                *names.entry(Symbol::Func(shown)).or_insert_with(|| frames.text(&plan.program.funcs[shown].name));
            let first_site = frames.sites.len() as u32;
            for site in &function.sites {
                let span = Span::new(site.source, site.source);
                if let Some((file, place)) = sources.position(span) {
                    frames.sites.push(FrameSite {
                        offset: site.offset,
                        file: file.0,
                        line: place.line,
                        column: place.column,
                    });
                }
            }
            frames.add_roots(function);
            frames.add_foreign(plan, function);
            frames.functions.push(FrameEntry {
                symbol: function.symbol,
                size: function.bytes.len() as u32,
                name,
                first_site,
                site_count: frames.sites.len() as u32 - first_site,
                hidden: hidden || shown == plan.program.entry || is_glue(&plan.program.funcs[shown].name),
            });
        }
        frames
    }

    /// Adds the roots of the function that comes next.
    fn add_roots(&mut self, function: &Compiled) {
        for site in &function.roots {
            self.root_sites.push(RootSite {
                function: self.functions.len() as u32,
                offset: site.offset,
                first: self.roots.len() as u32,
                count: site.roots.len() as u32,
            });
            for &(offset, ty) in &site.roots {
                let known = self.root_kinds.iter().position(|&kind| kind == ty);
                let kind = known.unwrap_or_else(|| {
                    self.root_kinds.push(ty);
                    self.root_kinds.len() - 1
                });
                self.roots.push(Root { offset, kind: kind as u32 });
            }
        }
    }

    /// Adds the calls of C functions of the function that comes next.
    fn add_foreign(&mut self, plan: &Plan, function: &Compiled) {
        for site in &function.foreign {
            let (symbol, library) = match &plan.program.foreign[site.id].callee {
                ForeignCallee::Symbol(symbol) => (&*symbol.name, symbol.library_name()),
                ForeignCallee::Pointer => ("", ""),
            };
            let (symbol, library) = (self.text(symbol), self.text(library));
            let function = self.functions.len() as u32;
            self.foreign_sites.push(ForeignSite { function, offset: site.offset, frame: site.frame, symbol, library });
        }
    }

    fn text(&mut self, text: &str) -> FrameText {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        FrameText { start, len: text.len() as u32 }
    }
}

/// The code of a `resume`, which nobody has written and nothing is inlined into.
fn is_glue(name: &str) -> bool {
    name.contains(".step.resume#")
}

/// A readable and unique name for a symbol.
pub fn symbol_name(plan: &Plan, symbol: Symbol) -> String {
    let func = |id| &*plan.program.funcs[id].name;
    match symbol {
        Symbol::Func(id) => func(id).to_owned(),
        Symbol::ClosureEntry(id) if plan.only_closure(id) => func(id).to_owned(),
        Symbol::ClosureEntry(id) => format!("{}.closure", func(id)),
        Symbol::ClosureDrop(id) => format!("{}.captures", func(id)),
        Symbol::ClosureConsume(id) => format!("{}.consume", func(id)),
        Symbol::ClosureInfo(id) => format!("{}.info", func(id)),
        Symbol::StaticClosure(id) => format!("{}.object", func(id)),
        Symbol::Runtime(index) => reml_rt::abi::CODEGEN_FUNCTIONS[index as usize].name.to_owned(),
        Symbol::Library(id) => plan.program.runtime[id].symbol.to_string(),
        Symbol::Foreign(id) => plan.program.foreign[id].name().to_owned(),
        Symbol::CallbackEntry(id) => format!("reml.callback.{}", id.index()),
        Symbol::FloatRem(double) => if double { "fmod" } else { "fmodf" }.to_owned(),
        Symbol::CMain => "main".to_owned(),
        Symbol::Start => "reml_start".to_owned(),
        Symbol::Main => "reml.main".to_owned(),
        Symbol::Invoke => "reml.invoke".to_owned(),
        Symbol::HandlerInfo(count) => format!("reml.handler_info.{count}"),
        Symbol::ContinuationInfo => "reml.continuation_info".to_owned(),
        Symbol::HandlerDrop(count) => format!("reml.handler_drop.{count}"),
        Symbol::ContinuationDrop => "reml.continuation_drop".to_owned(),
        Symbol::HandlerSearch => "reml.handler_search".to_owned(),
        Symbol::RunEntry(ty) => format!("reml.run.{}", ty.index()),
        Symbol::RootDrop(ty) => format!("reml.root_drop.{}", ty.index()),
        Symbol::RootDup(ty) => format!("reml.root_dup.{}", ty.index()),
        Symbol::DropClosure => "reml.drop_closure".to_owned(),
        Symbol::ResourceDrop => "reml.resource_drop".to_owned(),
        Symbol::Alloc(class) => format!("reml.alloc.{class}"),
        Symbol::Refill(class) => format!("reml.refill.{class}"),
        Symbol::ColdCopy(ty) => format!("reml.cold_copy.{}", ty.index()),
        Symbol::Panic(stub) => format!("reml.panic.{stub:?}"),
        Symbol::ColdGrow(stride) => format!("reml.cold_grow.{stride}"),
        Symbol::Drop(ty) => format!("reml.drop.{}", ty.index()),
        Symbol::Free(ty) => format!("reml.free.{}", ty.index()),
        Symbol::Dup(ty) => format!("reml.dup.{}", ty.index()),
        Symbol::ArrayCopy(ty) => format!("reml.array_copy.{}", ty.index()),
        Symbol::ArrayTruncate(ty) => format!("reml.array_truncate.{}", ty.index()),
        Symbol::ArraySlice(ty) => format!("reml.array_slice.{}", ty.index()),
        Symbol::ArrayAppend(ty) => format!("reml.array_append.{}", ty.index()),
        Symbol::ArrayFilled(ty) => format!("reml.array_filled.{}", ty.index()),
        Symbol::FixedCopy(ty) => format!("reml.fixed_copy.{}", ty.index()),
        Symbol::Str(id) => format!("reml.str.{}", id.index()),
        Symbol::Global(id) => format!("reml.global.{}", id.index()),
        Symbol::FrameTable => "reml.frames".to_owned(),
        Symbol::ProgramInfo => "reml.program".to_owned(),
    }
}
