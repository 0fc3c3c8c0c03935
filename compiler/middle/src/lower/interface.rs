//! What must other versions know of this program? See [`crate::version`].
//!
//! Names are written in full here, since they are compared with those of other compilations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cranelift_entity::EntitySet;
use reml_diagnostics::{Diagnostic, codes};
use reml_semantics::typed::{self, EffectId, FieldDef, FnId, FnKind, ModuleId, TypeDefId, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use crate::core::FuncId;
use crate::version::{CHECK, Check, Definition, Facts, OwnFunction, OwnGlobal};

impl Lower<'_> {
    /// Asks for the checks of the program's modules.
    pub fn request_checks(&mut self) {
        let checks = self.src.fns.iter().filter(|(_, def)| self.is_own(def.module) && self.is_check(def));
        for id in checks.map(|(id, _)| id).collect::<Vec<FnId>>() {
            let def = &self.src.fns[id];
            match self.refusal(def) {
                Some(refusal) => {
                    let func = self.instance(id, &[]);
                    let module = self.src.modules[def.module].name.clone();
                    self.checks.push(Check { module, func, refusal });
                }
                None => self.diagnostics.push(
                    Diagnostic::error(
                        codes::RELOAD_CHECK_SIGNATURE,
                        def.span,
                        format!("`{CHECK}` takes nothing and gives a `Result<(), Str>`"),
                    )
                    .with_help(format!("write `fn {CHECK}() -> Result<(), Str>`, or name it in another way")),
                ),
            }
        }
    }

    /// Not of the library.
    fn is_own(&self, module: ModuleId) -> bool {
        !self.src.modules[module].is_core
    }

    fn is_check(&self, def: &typed::FnDef) -> bool {
        let module = &self.src.modules[def.module].name;
        self.names.text(def.name) == CHECK && def.path.strip_prefix(&**module) == Some(&*format!(".{CHECK}"))
    }

    /// Which variant of a check's result says no, if it is a check by its type.
    fn refusal(&self, def: &typed::FnDef) -> Option<u32> {
        let Type::Adt(result, args) = self.types.get(def.ret) else { return None };
        let fits = matches!(def.kind, FnKind::Reml(_))
            && def.arity == 0
            && def.params.is_empty()
            && Some(*result) == self.src.lang.result
            && matches!(**args, [ok, err] if self.types.is_unit(ok) && err == self.types.prim(Prim::Str));
        let variants = self.variants_of(def.ret).filter(|_| fits)?;
        variants.iter().position(|variant| self.names.text(variant.name) == "Err").map(|index| index as u32)
    }

    pub fn facts(&mut self) -> Facts {
        Facts {
            functions: self.own_functions(),
            globals: self.own_globals(),
            definitions: self.definitions(),
            checks: std::mem::take(&mut self.checks),
        }
    }

    /// The program's own functions that can be told from all others by their names.
    fn own_functions(&self) -> Vec<OwnFunction> {
        let mut instances: Vec<(FuncId, FnId, TypeId)> =
            self.instances.iter().map(|(&(id, args), &func)| (func, id, args)).collect();
        instances.sort_unstable();
        let mut functions: Vec<OwnFunction> = Vec::new();
        let mut counts: BTreeMap<Box<str>, u32> = BTreeMap::new();
        for (func, id, args) in instances {
            let def = &self.src.fns[id];
            if !self.is_own(def.module) || !matches!(def.kind, FnKind::Reml(_)) {
                continue;
            }
            let module = self.src.modules[def.module].name.clone();
            let mut key = format!("{module}: {}", def.path);
            if let Type::Tuple(args) = self.types.get(args)
                && !args.is_empty()
            {
                let args: Vec<String> = args.iter().map(|&arg| self.full_type(arg)).collect();
                let _ = write!(key, "<{}>", args.join(", "));
            }
            let signature = self.signature(func);
            let params: Vec<String> = signature.params.iter().map(|&(ty, _)| self.full_type(ty)).collect();
            let signature = format!("({}) -> {}", params.join(", "), self.full_type(signature.ret)).into();
            let key: Box<str> = key.into();
            *counts.entry(key.clone()).or_default() += 1;
            functions.push(OwnFunction { func, key, name: def.path.clone(), module, signature });
        }
        functions.retain(|own| counts[&own.key] == 1);
        functions
    }

    fn own_globals(&self) -> Vec<OwnGlobal> {
        let global = |id: &typed::GlobalId| {
            let (global, initialiser) = self.global_ids[*id]?;
            let def = &self.src.globals[*id];
            let ty = self.globals[global].ty;
            Some(OwnGlobal {
                global,
                initialiser,
                flag: self.initialised_flags.get(id).copied(),
                module: self.src.modules[def.module].name.clone(),
                library: !self.is_own(def.module),
                span: def.span,
                ty: self.full_type(ty).into(),
                variable: matches!(self.types.get(ty), Type::VarCell(_)),
            })
        };
        self.src.init_order.iter().filter_map(global).collect()
    }

    /// The types that the program has values of, and the effects that it performs or handles.
    fn definitions(&self) -> BTreeMap<Box<str>, Definition> {
        let mut definitions = BTreeMap::new();
        for id in self.reached_types() {
            let def = &self.src.type_defs[id];
            let path = self.type_path(id);
            let shown = format!("the type `{path}`").into();
            let text = self.definition_text(&def.kind).into();
            definitions.insert(format!("type {path}").into(), Definition { shown, span: def.span, text });
        }
        for (effect, args, generic) in self.effects_in_use() {
            let def = &self.src.effects[effect];
            let shown: Box<str> = format!("the effect `{}`", def.path).into();
            let text = self.effect_text(effect).into();
            definitions.insert(
                format!("effect {}", def.path).into(),
                Definition { shown: shown.clone(), span: def.span, text },
            );
            if !generic.is_empty() {
                let text = generic.iter().map(|&(operation, args)| {
                    format!("{} at {}", self.names.text(def.operations[operation as usize].name), self.full_type(args))
                });
                let text = text.collect::<Vec<_>>().join(", ").into();
                let key = format!("operations of {}{}", def.path, self.full_type(args)).into();
                let shown = format!("the list of types that generic operations of {shown} are used at").into();
                definitions.insert(key, Definition { shown, span: def.span, text });
            }
        }
        definitions
    }

    /// The declared types of the program's variables, and those that their values are made of.
    fn reached_types(&self) -> Vec<TypeDefId> {
        let mut work: Vec<TypeId> = self.globals.values().map(|global| global.ty).collect();
        for function in self.funcs.values() {
            work.extend(function.vars.values().map(|var| var.ty).chain([function.ret]));
        }
        let (mut seen, mut defs) = (EntitySet::new(), EntitySet::new());
        let mut reached = Vec::new();
        while let Some(ty) = work.pop() {
            if !seen.insert(ty) {
                continue;
            }
            match self.types.get(ty) {
                Type::Prim(_) | Type::Param(_) | Type::Error => {}
                Type::Tuple(items) => work.extend_from_slice(items),
                Type::Record(fields) => work.extend(fields.iter().map(|&(_, ty)| ty)),
                Type::Fn { params, ret } => work.extend(params.iter().copied().chain([*ret])),
                Type::Array(inner) | Type::FixedArray(inner, _) | Type::VarCell(inner) | Type::Ref { inner, .. } => {
                    work.push(*inner);
                }
                Type::Adt(def, args) => {
                    work.extend_from_slice(args);
                    if defs.insert(*def) {
                        reached.push(*def);
                        match &self.src.type_defs[*def].kind {
                            TypeDefKind::Sum(variants) => {
                                work.extend(variants.iter().flat_map(|variant| &variant.fields).map(|field| field.ty));
                            }
                            TypeDefKind::Record(fields) => work.extend(fields.iter().map(|field| field.ty)),
                            TypeDefKind::Newtype(inner) => work.push(*inner),
                            TypeDefKind::Opaque => {}
                        }
                    }
                }
            }
        }
        reached
    }

    fn definition_text(&self, kind: &TypeDefKind) -> String {
        let fields = |fields: &[FieldDef]| {
            let field = |field: &FieldDef| match field.name {
                Some(name) => format!("{}: {}", self.names.text(name), self.full_type(field.ty)),
                None => self.full_type(field.ty),
            };
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        };
        match kind {
            TypeDefKind::Sum(variants) => {
                let variant = |variant: &typed::VariantDef| match self.names.text(variant.name) {
                    name if variant.fields.is_empty() => name.to_owned(),
                    name => format!("{name}({})", fields(&variant.fields)),
                };
                variants.iter().map(variant).collect::<Vec<_>>().join(" | ")
            }
            TypeDefKind::Record(record) => format!("{{ {} }}", fields(record)),
            TypeDefKind::Newtype(inner) => format!("new {}", self.full_type(*inner)),
            TypeDefKind::Opaque => "opaque".to_owned(),
        }
    }

    fn effect_text(&self, effect: EffectId) -> String {
        let operation = |operation: &typed::OperationDef| {
            let params: Vec<String> = operation.params.iter().map(|param| self.full_type(param.ty)).collect();
            let reentrant = if operation.reentrant { "reentrant " } else { "" };
            let (name, ret) = (self.names.text(operation.name), self.full_type(operation.ret));
            format!("{reentrant}{name}({}) -> {ret}", params.join(", "))
        };
        self.src.effects[effect].operations.iter().map(operation).collect::<Vec<_>>().join("; ")
    }

    /// What the number of an effect at these types is known by.
    pub fn effect_description(&self, effect: EffectId, args: TypeId) -> String {
        format!("effect {}{}", self.src.effects[effect].path, self.full_type(args))
    }

    fn type_path(&self, def: TypeDefId) -> String {
        let def = &self.src.type_defs[def];
        format!("{}.{}", self.src.modules[def.module].name, self.names.text(def.name))
    }

    /// A type with the full names of what it mentions.
    pub fn full_type(&self, ty: TypeId) -> String {
        let list = |types: &[TypeId]| types.iter().map(|&ty| self.full_type(ty)).collect::<Vec<_>>().join(", ");
        match self.types.get(ty) {
            Type::Prim(Prim::I64) => "Int".to_owned(),
            Type::Prim(Prim::F64) => "Float".to_owned(),
            Type::Prim(prim) => prim.name().to_owned(),
            Type::Tuple(items) => format!("({})", list(items)),
            Type::Record(fields) => {
                let field = |&(name, ty): &(_, TypeId)| format!("{}: {}", self.names.text(name), self.full_type(ty));
                format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Type::Fn { params, ret } => format!("({}) -> {}", list(params), self.full_type(*ret)),
            Type::Adt(def, args) if args.is_empty() => self.type_path(*def),
            Type::Adt(def, args) => format!("{}<{}>", self.type_path(*def), list(args)),
            Type::Array(element) => format!("[{}]", self.full_type(*element)),
            Type::FixedArray(element, len) => format!("[{}; {len}]", self.full_type(*element)),
            Type::Ref { mutable, inner } => {
                format!("&{}{}", if *mutable { "mut " } else { "" }, self.full_type(*inner))
            }
            Type::VarCell(inner) => self.full_type(*inner),
            Type::Param(index) => format!("'{index}"),
            Type::Error => "?".to_owned(),
        }
    }
}
