//! From syntax trees to the typed tree: names, types, effects, patterns, contracts.
//!
//! [`check`] takes the parsed modules of a program, the standard library's included, and gives the typed tree and
//! every independent diagnostic. Bodies of library functions are checked only when the program reaches them.

pub mod cfg;
mod conductors;
pub mod constraints;
mod contracts;
mod cx;
mod effects;
mod finish;
mod infer;
mod init_order;
mod lang;
mod local_items;
mod modules;
mod native;
pub mod patterns;
mod recursion;
mod resolve;
mod suggest;
#[cfg(test)]
mod tests;
mod traits;
pub mod typed;
pub mod typed_print;
pub mod types;

use reml_capability::stage::{Stage, Stages};
use reml_diagnostics::{Diagnostic, Span};
use reml_syntax::ast;
use reml_syntax::names::Names;

/// One parsed module.
pub struct SourceModule {
    /// `Core.List`, `main`, `app.util`.
    pub name: Box<str>,
    pub ast: ast::Module,
    /// Part of the standard library.
    pub is_core: bool,
    /// Modules of one package see each other's private imports cycle checks; 0 is the program's own.
    pub package: u32,
}

#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// The module whose `main` runs; `None` when there is no program, only a library to check.
    pub root: Option<Box<str>>,
    /// A missing `main` is an error.
    pub require_main: bool,
    pub allow_top_level_expr: bool,
    /// Check every body of the standard library, not only what the program reaches.
    pub check_all_core: bool,
    pub stages: Stages,
    /// The `[dsl.*]` sections of the program's manifest.
    pub dsls: Vec<ManifestDsl>,
    /// What `@cfg` conditions are compared with.
    pub target: cfg::Target,
    /// Collect what is required of types, and what answers it.
    pub constraints: bool,
}

/// What a manifest expects of the exports of one DSL.
#[derive(Clone, PartialEq, Debug)]
pub struct ManifestDsl {
    pub name: String,
    /// Its exports; one of the DSL's own name counts as well.
    pub exports: Vec<ManifestExport>,
    /// The effects that it may have, and where that is written.
    pub expect_effects: Option<(Vec<String>, Span)>,
    pub expect_effects_stage: Option<(Stage, Span)>,
    /// The capabilities that its exports may require.
    pub capabilities: Option<(Vec<String>, Span)>,
    /// Whether exports may be less than stable.
    pub allow_prerelease: Option<(bool, Span)>,
}

/// An export as a manifest knows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ManifestExport {
    pub name: String,
    pub signature: ManifestSignature,
}

/// What a manifest says of an export; each part with its place, if it is there.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ManifestSignature {
    pub category: Option<(String, Span)>,
    pub allows_effects: Option<(Vec<String>, Span)>,
    pub requires_capabilities: Option<(Vec<String>, Span)>,
    pub minimum: Option<(Stage, Span)>,
    pub current: Option<(Stage, Span)>,
    pub maximum: Option<(Stage, Span)>,
}

pub struct Checked {
    /// Meaningful for later stages only when no diagnostic is an error.
    pub program: typed::Program,
    pub diagnostics: Vec<Diagnostic>,
    /// How conditions were decided, where the target asks for that.
    pub decisions: Vec<cfg::Decision>,
    /// The definitions with constraints, in the order of their places; empty unless `CheckOptions::constraints` asks for them.
    pub constraints: Vec<constraints::Constrained>,
}

impl Checked {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks a whole program. Finishes on any input; every independent error is reported.
pub fn check(mut modules: Vec<SourceModule>, names: &mut Names, options: &CheckOptions) -> Checked {
    let mut removed = cfg::Removed::default();
    let mut diagnostics = Vec::new();
    let mut scopes = Vec::new();
    for module in modules.iter_mut().filter(|module| module.ast.has_cfg) {
        cfg::apply(module, &options.target, names, &mut removed, &mut diagnostics);
    }
    cfg::check_left(&mut modules, &removed, names, &mut diagnostics);
    for (index, module) in modules.iter_mut().enumerate().filter(|(_, module)| module.ast.has_local_items) {
        local_items::take(index, &mut module.ast, &mut scopes);
    }
    let mut checker = cx::Checker::new(&modules, names, options);
    checker.diagnostics = diagnostics;
    checker.removed = removed;
    checker.collect_modules(&modules, &scopes);
    checker.resolve_uses();
    checker.declare_effect_families();
    checker.declare_types();
    checker.declare_effects();
    checker.declare_traits();
    checker.find_lang_items();
    checker.declare_fns();
    checker.check_coherence();
    checker.check_bodies();
    checker.finish()
}
