//! The finished program: all definitions in their final form, `main`, the tests, the order of initialisation.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::{Diagnostic, Severity, Span, codes};

use crate::Checked;
use crate::cx::*;
use crate::foreign::unreleased;
use crate::infer::ty::{Node, Ty, Types};
use crate::patterns;
use crate::typed::{self, *};
use crate::types::Type;

impl<'a> Checker<'a> {
    pub fn finish(mut self) -> Checked {
        self.check_active_contracts();
        self.check_recursive_types();
        self.check_expanding_types();
        self.check_polymorphic_recursion();
        self.solve_effects();
        self.check_contracts();
        self.check_conductors();
        let decisions = std::mem::take(&mut self.removed.decisions);
        let dsls = self.dsls();
        let init_order = self.initialisation_order();
        let main = self.find_main();
        self.report_unused_uses();
        self.t.permanent = true;
        let modules = self
            .modules
            .values()
            .map(|info| typed::Module { name: info.name.clone(), parent: info.parent, is_core: info.is_core })
            .collect();
        let type_defs = self.final_type_defs();
        let tests = self.tests();
        let mut fns = PrimaryMap::new();
        let ids: Vec<FnId> = self.fns.keys().collect();
        for id in ids {
            let def = self.final_fn(id);
            fns.push(def);
        }
        let mut globals = PrimaryMap::new();
        let ids: Vec<GlobalId> = self.globals.keys().collect();
        for id in ids {
            let def = self.final_global(id);
            globals.push(def);
        }
        let mut traits = PrimaryMap::new();
        let ids: Vec<TraitId> = self.traits.keys().collect();
        for id in ids {
            let supertraits = self.final_refs(&self.traits[id].supertraits.clone());
            let info = &self.traits[id];
            traits.push(TraitDef {
                name: info.name,
                module: info.module,
                arity: info.generics.len() as u32,
                supertraits,
                methods: info
                    .methods
                    .iter()
                    .map(|m| TraitMethod { name: m.name, def: m.def, has_default: m.has_default })
                    .collect(),
            });
        }
        let impls = self.final_impls();
        let effects = self.final_effects();
        self.check_patterns(&type_defs, &fns, &globals);
        self.check_released(&modules, &fns);
        let main = main.map(|main| self.handled_main(main, &mut fns));
        let tests = tests.into_iter().map(|test| self.awaited(test, &mut fns).unwrap_or(test)).collect();
        let files = self.modules.values().filter(|module| module.is_core).filter_map(|module| module.ast);
        let mut library: Vec<Span> = files.map(|ast| ast.span).collect();
        library.sort_unstable();
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        diagnostics.sort_by_key(|d| (d.primary.start, d.primary.end));
        let program = Program {
            types: self.store,
            modules,
            type_defs,
            fns,
            globals,
            traits,
            impls,
            effects,
            lang: self.lang,
            main,
            init_order,
            tests,
            library,
            dsls,
        };
        let mut constraints = std::mem::take(&mut self.constraints);
        constraints.sort_by_key(|it| (it.span.start, it.span.end));
        Checked { program, diagnostics, decisions, constraints }
    }

    /// What C has transferred to the program's own functions.
    fn check_released(&mut self, modules: &PrimaryMap<ModuleId, Module>, fns: &PrimaryMap<FnId, FnDef>) {
        let tables = unreleased::Tables { types: &self.store, fns, modules };
        let own = fns.values().filter(|def| !modules[def.module].is_core);
        for def in own {
            if let FnKind::Reml(body) = &def.kind {
                self.diagnostics.extend(unreleased::check_body(&tables, body, self.names));
            }
        }
    }

    /// Exhaustiveness and reachability of the program's own matches.
    fn check_patterns(
        &mut self,
        type_defs: &PrimaryMap<TypeDefId, TypeDef>,
        fns: &PrimaryMap<FnId, FnDef>,
        globals: &PrimaryMap<GlobalId, GlobalDef>,
    ) {
        let mut tables = patterns::Tables { types: &mut self.store, type_defs, list: self.lang.list };
        for (id, def) in fns {
            let FnKind::Reml(body) = &def.kind else { continue };
            if self.modules[def.module].is_core && !self.options.check_all_core {
                continue;
            }
            let mut found = patterns::check_body(&mut tables, body, self.names);
            // A match that may fall through panics, which these functions have promised not to do.
            let strict = self.fns[id].attrs.iter().any(|a| matches!(self.names.text(a.name.name), "pure" | "no_panic"));
            for diagnostic in &mut found {
                if strict && diagnostic.code == codes::PATTERN_MISSING {
                    diagnostic.severity = Severity::Error;
                }
            }
            self.diagnostics.append(&mut found);
        }
        for def in globals.values() {
            if !self.modules[def.module].is_core || self.options.check_all_core {
                self.diagnostics.extend(patterns::check_body(&mut tables, &def.body, self.names));
            }
        }
    }

    fn final_type_defs(&mut self) -> PrimaryMap<TypeDefId, TypeDef> {
        let mut defs = PrimaryMap::new();
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        for id in ids {
            let field = |checker: &mut Self, f: FieldInfo| FieldDef { name: f.name, ty: checker.final_type(f.ty) };
            let kind = match &self.adts[id].kind {
                AdtKind::Sum(variants) => {
                    let variants: Vec<_> = variants.iter().map(|v| (v.name, v.fields.clone(), v.span)).collect();
                    TypeDefKind::Sum(
                        variants
                            .into_iter()
                            .map(|(name, fields, span)| VariantDef {
                                name,
                                fields: fields.into_iter().map(|f| field(self, f)).collect(),
                                span,
                            })
                            .collect(),
                    )
                }
                AdtKind::Record(fields) => {
                    let fields = fields.clone();
                    TypeDefKind::Record(fields.into_iter().map(|f| field(self, f)).collect())
                }
                AdtKind::Newtype(ty) => {
                    let ty = *ty;
                    TypeDefKind::Newtype(self.final_type(ty))
                }
                AdtKind::Opaque => TypeDefKind::Opaque,
            };
            let info = &self.adts[id];
            let repr = info.repr.clone();
            defs.push(TypeDef { name: info.name, module: info.module, span: info.span, arity: info.arity, kind, repr });
        }
        defs
    }

    fn final_fn(&mut self, id: FnId) -> FnDef {
        let params: Vec<(Option<reml_syntax::names::Symbol>, Ty)> =
            self.fns[id].params.iter().map(|p| (p.name, p.ty)).collect();
        let params = params.into_iter().map(|(name, ty)| ParamDef { name, ty: self.final_type(ty) }).collect();
        let ret = self.final_type(self.fns[id].ret);
        let tags = self.effects_of(id);
        let mut effects: Vec<Box<str>> = self.tags.names(&tags).into_iter().map(Into::into).collect();
        effects.sort();
        let body = self.fn_bodies.remove(&id);
        let info = &self.fns[id];
        let name: Box<str> = self.names.text(info.name).into();
        let kind = match info.linkage {
            Linkage::Prim => FnKind::Primitive(name),
            Linkage::Rt => FnKind::Runtime(name),
            Linkage::Foreign => match &info.foreign {
                Some(foreign) => FnKind::Foreign(foreign.clone()),
                None => FnKind::Required,
            },
            Linkage::Reml | Linkage::Required => match body {
                Some(body) => FnKind::Reml(Box::new(body)),
                None => FnKind::Required,
            },
        };
        let mut inline = InlineHint::Auto;
        for attr in info.attrs {
            if self.names.text(attr.name.name) == "intrinsic" {
                inline = InlineHint::Always;
            }
            if self.names.text(attr.name.name) == "inline" {
                let says = |word: &str| {
                    attr.args.iter().any(|arg| {
                        matches!(&*arg.value.kind, reml_syntax::ast::ExprKind::Path(p)
                            if p.segments.last().is_some_and(|s| self.names.text(s.name) == word))
                    })
                };
                inline = match () {
                    // It is not checked that the function always comes to an end.
                    () if says("once") && self.modules[info.module].is_core => InlineHint::Once,
                    () if says("never") || says("once") => InlineHint::Never,
                    () => InlineHint::Always,
                };
            }
        }
        FnDef {
            name: info.name,
            path: info.path.clone(),
            module: info.module,
            span: info.span,
            arity: info.arity,
            params,
            ret,
            effects,
            inline,
            kind,
        }
    }

    fn final_global(&mut self, id: GlobalId) -> GlobalDef {
        let ty = self.globals[id].ty.unwrap_or(Types::ERROR);
        let mut ty = self.final_type(ty);
        if self.globals[id].mutable {
            ty = self.store.intern(Type::VarCell(ty));
        }
        let body = self.global_bodies.remove(&id).unwrap_or_else(|| self.empty_body());
        let info = &self.globals[id];
        GlobalDef { name: info.name, path: info.path.clone(), module: info.module, span: info.span, ty, body }
    }

    fn empty_body(&self) -> Body {
        let mut exprs = PrimaryMap::new();
        let root = exprs.push(Expr { kind: ExprKind::Error, ty: self.store.error(), span: Span::NONE });
        Body {
            locals: PrimaryMap::new(),
            exprs,
            patterns: PrimaryMap::new(),
            params: Vec::new(),
            root,
            escapes: Vec::new(),
        }
    }

    fn final_refs(&mut self, list: &[TraitRefTy]) -> Vec<TraitRef> {
        list.iter()
            .map(|r| TraitRef { trait_: r.trait_, args: r.args.iter().map(|&a| self.final_type(a)).collect() })
            .collect()
    }

    /// Impls of traits; inherent and broken ones leave no trace.
    fn final_impls(&mut self) -> PrimaryMap<ImplId, ImplDef> {
        let mut impls = PrimaryMap::new();
        let ids: Vec<ImplId> = self.impls.keys().collect();
        for id in ids {
            let Some(trait_) = self.impls[id].trait_ else { continue };
            let args = self.impls[id].args.clone();
            let args = args.into_iter().map(|a| self.final_type(a)).collect();
            let wheres = self.final_refs(&self.impls[id].wheres.clone());
            let info = &self.impls[id];
            impls.push(ImplDef {
                trait_,
                arity: info.generics.len() as u32,
                args,
                wheres,
                methods: info.methods.clone(),
                span: info.span,
            });
        }
        impls
    }

    fn final_effects(&mut self) -> PrimaryMap<EffectId, EffectDef> {
        let mut effects = PrimaryMap::new();
        let ids: Vec<EffectId> = self.effect_decls.keys().collect();
        for id in ids {
            let mut operations = Vec::new();
            for index in 0..self.effect_decls[id].operations.len() {
                let info = &self.effect_decls[id].operations[index];
                let (name, span, arity) = (info.name, info.span, info.generics.len() as u32);
                let (reentrant, ret) = (info.reentrant, info.ret);
                let params: Vec<_> = info.params.iter().map(|p| (p.name, p.ty)).collect();
                let params = params.into_iter().map(|(name, ty)| ParamDef { name, ty: self.final_type(ty) }).collect();
                let ret = self.final_type(ret);
                operations.push(OperationDef { name, span, arity, params, ret, reentrant });
            }
            let info = &self.effect_decls[id];
            let path = format!("{}.{}", self.modules[info.module].name, self.names.text(info.name)).into();
            let (name, module, span, arity) = (info.name, info.module, info.span, info.generics.len() as u32);
            effects.push(EffectDef { name, path, module, span, arity, operations });
        }
        effects
    }

    pub fn tests(&self) -> Vec<FnId> {
        let mut tests: Vec<FnId> = self
            .fns
            .iter()
            .filter(|(_, info)| {
                !self.modules[info.module].is_core && info.attrs.iter().any(|a| self.names.text(a.name.name) == "test")
            })
            .filter(|(_, info)| matches!(info.source, FnSource::Decl(_)))
            .map(|(id, _)| id)
            .collect();
        tests.sort_by_key(|&id| self.fns[id].span);
        tests
    }

    fn find_main(&mut self) -> Option<FnId> {
        let root = self.options.root.clone()?;
        let module = *self.module_names.get(&root)?;
        let found = match self.modules[module].values.get(&self.sym.main).map(|e| e.item) {
            Some(Value::Fn(id)) => Some(id),
            _ => None,
        };
        let Some(id) = found else {
            if self.options.require_main {
                let at = self.modules[module].ast.map_or(Span::NONE, |ast| ast.span.shrink_to_start());
                self.report(
                    Diagnostic::error(codes::MAIN_MISSING, at, format!("module `{root}` has no function `main`"))
                        .with_help("add `fn main() { .. }`"),
                );
            }
            return None;
        };
        let span = self.fns[id].span;
        if self.fns[id].arity > 0 {
            self.error(codes::MAIN_SIGNATURE, span, "`main` cannot have type parameters");
            return None;
        }
        match self.fns[id].params.len() {
            0 => {}
            1 => {
                let ty = self.fns[id].params[0].ty;
                let fine = match self.t.head(ty) {
                    Node::Adt(def, args, _) => {
                        Some(def) == self.lang.list && self.t.resolve(self.t.at(args, 0)) == Types::STR
                    }
                    Node::Error => true,
                    _ => false,
                };
                if !fine {
                    let shown = self.show_in(ty, id);
                    let at = self.fns[id].params[0].span;
                    self.report(
                        Diagnostic::error(
                            codes::MAIN_SIGNATURE,
                            at,
                            format!("`main` takes nothing or `args: List<Str>`, found `{shown}`"),
                        )
                        .with_help("write `fn main(args: List<Str>)`"),
                    );
                }
            }
            count => self.error(
                codes::MAIN_SIGNATURE,
                span,
                format!("`main` takes nothing or `args: List<Str>`, but it has {count} parameters"),
            ),
        }
        Some(id)
    }
}
