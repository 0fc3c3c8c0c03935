//! From the typed tree to Core: monomorphic, first order, in A-normal form.
//!
//! Lowering is driven by demand: it starts at `main` and lowers each function once per list of concrete type
//! arguments it is used at ([`instances`]), resolving trait methods on the way ([`traits`]) and writing the code of
//! structural traits itself ([`derive`]). Inside a body ([`function`], [`expr`], [`control`], [`call`], [`place`],
//! [`closure`]) assignable variables become parameters of join points, and matches become decision trees
//! ([`decision`] builds them, [`matching`] writes them out).
//!
//! Two worlds of types meet here. *Source* types are what the checker wrote, with newtypes and references; traits are
//! resolved on them. *Core* types are what variables get: no references, and no newtypes save self-referential ones
//! ([`types`]).

mod analysis;
mod build;
mod call;
mod closure;
mod control;
mod decision;
mod derive;
mod derive_text;
mod effects;
mod entry;
mod expr;
mod foreign;
mod function;
mod instances;
mod interface;
mod matching;
mod native;
mod place;
mod scoped;
#[cfg(test)]
mod tests;
mod traits;
mod types;

use std::hash::BuildHasherDefault;
use std::rc::Rc;

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use indexmap::IndexMap;
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::typed::{self, EffectId, FnId, ImplId, TraitId, TypeDefId};
use reml_semantics::types::{TypeId, TypeStore};
use reml_syntax::names::Names;
use rustc_hash::{FxHashMap, FxHasher};

use crate::c_abi::CSignature;
use crate::c_layout::CLayout;
use crate::core::{self, FuncId, Function, GlobalId, StrId};
use crate::prim::PrimOp;
use crate::version::{self, Check, Lineage, Numbers};
use analysis::BodyInfo;
use effects::EffectInstance;
use instances::{Signature, Work, WrapperKey};
use traits::MethodTarget;

#[derive(Default, Clone, Debug)]
pub struct LowerOptions {
    /// Runs this function instead of `main`.
    pub entry: Option<FnId>,
    /// That function answers a host: it calls others for it.
    pub dispatches: bool,
    /// What the program is compiled for, for the library to read.
    pub target: String,
    /// Makes a version of a program that can be replaced while it runs.
    pub lineage: Option<Lineage>,
}

/// Lowers everything that `main` (or the function of `options`) can reach.
pub fn lower(
    program: &typed::Program,
    names: &Names,
    options: &LowerOptions,
) -> Result<core::Program, Vec<Diagnostic>> {
    let Some(main) = options.entry.or(program.main) else {
        return Err(vec![Diagnostic::error(codes::MAIN_MISSING, Span::NONE, "the program has no function `main`")]);
    };
    let new = || Lower {
        numbers: options.lineage.as_ref().map(|lineage| lineage.numbers.clone()),
        ..Lower::new(program, names, options)
    };
    let mut lower = new();
    let mut entry = lower.entry(main);
    // A handler of generic operations needs a clause for every instance of them; some are met after the handler.
    while lower.diagnostics.is_empty() && !lower.handlers_complete() {
        let (types, effects) = (std::mem::take(&mut lower.types), lower.known_effects());
        lower = Lower { types, effects, ..new() };
        entry = lower.entry(main);
    }
    if !lower.diagnostics.is_empty() {
        return Err(lower.diagnostics);
    }
    let facts = options.lineage.is_some().then(|| lower.facts());
    let type_defs = lower.core_type_defs();
    let native = lower.native_uses();
    let dispatcher = options.dispatches.then(|| lower.instance(main, &[]));
    let mut type_names = SecondaryMap::new();
    for (id, def) in &program.type_defs {
        type_names[id] = names.text(def.name).into();
    }
    let mut core = core::Program {
        types: lower.types,
        type_defs,
        type_names,
        funcs: lower.funcs,
        globals: lower.globals,
        strings: lower.strings,
        runtime: lower.runtime,
        foreign: lower.foreign,
        callbacks: lower.callbacks,
        native,
        entry,
        dispatcher,
        library: program.library.clone(),
        version: None,
    };
    if let (Some(facts), Some(lineage)) = (facts, &options.lineage) {
        version::make(&mut core, facts, lineage.running.as_deref())?;
    }
    Ok(core)
}

/// The state of lowering one program.
struct Lower<'a> {
    src: &'a typed::Program,
    names: &'a Names,
    options: &'a LowerOptions,
    diagnostics: Vec<Diagnostic>,

    types: TypeStore,
    /// Newtypes that contain themselves: Core keeps them.
    nominal: EntitySet<TypeDefId>,
    core_types: FxHashMap<TypeId, TypeId>,

    funcs: PrimaryMap<FuncId, Function>,
    signatures: SecondaryMap<FuncId, Option<Rc<Signature>>>,
    /// By function and the tuple of its type arguments.
    instances: FxHashMap<(FnId, TypeId), FuncId>,
    /// How many instances each function has, to stop polymorphic recursion.
    instance_counts: SecondaryMap<FnId, u32>,
    derived: FxHashMap<(derive::Derived, TypeId), FuncId>,
    wrappers: FxHashMap<WrapperKey, FuncId>,
    worklist: Vec<Work>,
    function_names: FxHashMap<Box<str>, u32>,
    infos: FxHashMap<FnId, Rc<BodyInfo>>,
    primitives: FxHashMap<FnId, PrimOp>,

    impls: SecondaryMap<TraitId, Vec<ImplId>>,
    /// By trait, method and the tuple of all type arguments.
    methods: FxHashMap<(TraitId, u32, TypeId), MethodTarget>,

    globals: PrimaryMap<GlobalId, core::Global>,
    global_ids: SecondaryMap<typed::GlobalId, Option<(GlobalId, FuncId)>>,
    /// Of the globals that something may want before they are initialised.
    initialised_flags: FxHashMap<typed::GlobalId, GlobalId>,
    strings: PrimaryMap<StrId, Box<str>>,
    string_ids: FxHashMap<Box<str>, StrId>,
    runtime: PrimaryMap<core::RuntimeId, core::RuntimeFn>,
    runtime_ids: FxHashMap<(Box<str>, TypeId), core::RuntimeId>,
    foreign: PrimaryMap<core::ForeignId, core::ForeignFn>,
    foreign_ids: FxHashMap<(foreign::Called, CSignature), core::ForeignId>,
    callbacks: PrimaryMap<core::CallbackId, CSignature>,
    callback_ids: FxHashMap<CSignature, core::CallbackId>,
    /// Of source types.
    c_layouts: FxHashMap<TypeId, Rc<CLayout>>,
    /// As they are met: instances of one function repeat them.
    native: Vec<core::NativeUse>,
    /// Whether functions of the library call foreign ones by their addresses.
    by_address: FxHashMap<FnId, bool>,
    /// By effect and the tuple of its type arguments; the position is the effect's number at run time.
    effects: Effects,

    /// Of a program that may be replaced: what numbers its effects and types have in all versions.
    numbers: Option<Numbers>,
    checks: Vec<Check>,
}

type Effects = IndexMap<(EffectId, TypeId), EffectInstance, BuildHasherDefault<FxHasher>>;

impl<'a> Lower<'a> {
    fn new(src: &'a typed::Program, names: &'a Names, options: &'a LowerOptions) -> Self {
        let mut impls: SecondaryMap<TraitId, Vec<ImplId>> = SecondaryMap::new();
        for (id, def) in &src.impls {
            impls[def.trait_].push(id);
        }
        Lower {
            src,
            names,
            options,
            diagnostics: Vec::new(),
            types: src.types.clone(),
            nominal: types::nominal_newtypes(src),
            core_types: FxHashMap::default(),
            funcs: PrimaryMap::new(),
            signatures: SecondaryMap::new(),
            instances: FxHashMap::default(),
            instance_counts: SecondaryMap::new(),
            derived: FxHashMap::default(),
            wrappers: FxHashMap::default(),
            worklist: Vec::new(),
            function_names: FxHashMap::default(),
            infos: FxHashMap::default(),
            primitives: FxHashMap::default(),
            impls,
            methods: FxHashMap::default(),
            globals: PrimaryMap::new(),
            global_ids: SecondaryMap::new(),
            initialised_flags: FxHashMap::default(),
            strings: PrimaryMap::new(),
            string_ids: FxHashMap::default(),
            runtime: PrimaryMap::new(),
            runtime_ids: FxHashMap::default(),
            foreign: PrimaryMap::new(),
            foreign_ids: FxHashMap::default(),
            callbacks: PrimaryMap::new(),
            callback_ids: FxHashMap::default(),
            c_layouts: FxHashMap::default(),
            native: Vec::new(),
            by_address: FxHashMap::default(),
            effects: Effects::default(),
            numbers: None,
            checks: Vec::new(),
        }
    }

    fn string(&mut self, text: &str) -> StrId {
        if let Some(&id) = self.string_ids.get(text) {
            return id;
        }
        let id = self.strings.push(text.into());
        self.string_ids.insert(text.into(), id);
        id
    }

    /// Something the checker should have refused, or that lowering cannot do yet.
    fn unsupported(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(codes::NOT_SUPPORTED, span, message));
    }
}
