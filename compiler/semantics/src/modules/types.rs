//! Type definitions: their fields, and which have a hidden effect row.

use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::ast::{self, TypeDeclKind, TypeKind, VariantPayload};
use reml_syntax::names::Symbol;
use rustc_hash::FxHashSet;

use super::lookup::Container;
use super::type_expr::{RowMode, TypeScope};
use crate::cx::*;
use crate::infer::ty::Ty;
use crate::typed::{FnId, ModuleId, TypeDefId};

impl<'a> Checker<'a> {
    /// `type X = Name` is an alias when `Name` is a type that is known here, else a sum of one variant.
    pub fn settle_single_name_types(&mut self) {
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        for id in ids {
            let info = &self.adts[id];
            let TypeDeclKind::Sum(variants) = &info.decl.kind else { continue };
            let [variant] = &variants[..] else { continue };
            if variant.payload != VariantPayload::None || variant.name.name == info.name {
                continue;
            }
            let (module, name) = (info.module, info.name);
            let decl = info.decl;
            let target = variant.name;
            let known = self.lookup_type(module, target.name).is_some()
                || self.builtins.contains_key(&target.name)
                || self.modules[module].uses.iter().any(|u| u.name.name == target.name);
            if !known {
                continue;
            }
            let alias = self.aliases.len() as u32;
            self.aliases.push(Alias {
                module,
                generics: &decl.generics,
                target: AliasTarget::Name(target),
                name,
                expanding: false,
            });
            if let Some(entry) = self.modules[module].types.get_mut(&name)
                && entry.item == TypeItem::Adt(id)
            {
                entry.item = TypeItem::Alias(alias);
            }
            if let Some(Value::Ctors(set)) = self.modules[module].values.get(&target.name).map(|e| e.item) {
                let set = &mut self.ctor_sets[set as usize];
                set.retain(|&(def, _)| def != id);
                if set.is_empty() {
                    self.modules[module].values.remove(&target.name);
                }
            }
        }
    }

    pub fn declare_types(&mut self) {
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        self.find_hidden_rows(&ids);
        for id in ids {
            self.declare_type(id);
        }
    }

    fn declare_type(&mut self, id: TypeDefId) {
        let decl = self.adts[id].decl;
        let module = self.adts[id].module;
        let generics = self.generic_params(&decl.generics, 0);
        let mut scope = TypeScope { module, generics: &generics, self_ty: None, rows: RowMode::Hidden };
        let kind = match &decl.kind {
            TypeDeclKind::Sum(variants) => {
                let variants = variants
                    .iter()
                    .map(|variant| {
                        let fields = match &variant.payload {
                            VariantPayload::None => Vec::new(),
                            VariantPayload::Positional(types) => types
                                .iter()
                                .map(|ty| FieldInfo {
                                    name: None,
                                    ty: self.written_type(ty, &mut scope),
                                    span: ty.span,
                                    default: None,
                                })
                                .collect(),
                            VariantPayload::Named(fields) => self.field_infos(id, fields, &mut scope),
                        };
                        VariantInfo { name: variant.name.name, fields, span: variant.span }
                    })
                    .collect();
                AdtKind::Sum(variants)
            }
            TypeDeclKind::Record(fields) => {
                let mut fields = self.field_infos(id, fields, &mut scope);
                let names = &self.names;
                fields.sort_by(|a, b| {
                    let text = |f: &FieldInfo| f.name.map_or("", |n| names.text(n));
                    text(a).cmp(text(b))
                });
                AdtKind::Record(fields)
            }
            TypeDeclKind::Unit => AdtKind::Record(Vec::new()),
            TypeDeclKind::Newtype(inner) => {
                let inner_ty = self.written_type(inner, &mut scope);
                AdtKind::Newtype(inner_ty)
            }
            TypeDeclKind::Alias(_) => AdtKind::Opaque,
        };
        self.adts[id].kind = kind;
        self.declare_repr(id);
    }

    fn field_infos(&mut self, owner: TypeDefId, fields: &'a [ast::Field], scope: &mut TypeScope<'_>) -> Vec<FieldInfo> {
        let mut infos: Vec<FieldInfo> = Vec::with_capacity(fields.len());
        for field in fields {
            let ty = self.written_type(&field.ty, scope);
            if infos.iter().any(|f| f.name == Some(field.name.name)) {
                let text = self.names.text(field.name.name).to_owned();
                self.error(codes::RECORD_DUPLICATE_FIELD, field.name.span, format!("field `{text}` is declared twice"));
                continue;
            }
            let default = field.default.as_ref().and_then(|value| self.field_default(owner, field.name, ty, value));
            infos.push(FieldInfo { name: Some(field.name.name), ty, span: field.span, default });
        }
        infos
    }

    /// The function that computes the default value of a field.
    fn field_default(&mut self, owner: TypeDefId, field: ast::Ident, ty: Ty, value: &'a ast::Expr) -> Option<FnId> {
        let info = &self.adts[owner];
        let (module, attrs, decl, arity) = (info.module, info.attrs, info.decl, info.arity);
        if info.has_row {
            self.report(
                Diagnostic::error(
                    codes::SIGNATURE_INCOMPLETE,
                    value.span,
                    "fields of a type that holds functions of any effect have no defaults",
                )
                .with_help("write the effects of the functions: `() -> Int ! {}`"),
            );
            return None;
        }
        let text = format!("{}.<default {}>", self.names.text(info.name), self.names.text(field.name));
        let name = ast::Ident { name: self.names.intern(&text), span: value.span };
        let (source, linkage) = (FnSource::Default(value), Linkage::Reml);
        let id = self.push_fn(module, name, source, attrs, crate::cx::Container::Module, linkage, false);
        let made = &mut self.fns[id];
        made.generics = decl.generics.iter().map(|generic| generic.name.name).collect();
        made.arity = arity;
        made.ret = ty;
        Some(id)
    }

    /// The generics of a declaration as parameters from `first` on.
    pub fn generic_params(&mut self, generics: &[ast::GenericParam], first: u32) -> Vec<(Symbol, Ty)> {
        let mut out: Vec<(Symbol, Ty)> = Vec::with_capacity(generics.len());
        for (index, generic) in generics.iter().enumerate() {
            if out.iter().any(|&(name, _)| name == generic.name.name) {
                let text = self.names.text(generic.name.name).to_owned();
                self.report(Diagnostic::error(
                    codes::NAME_DUPLICATE,
                    generic.name.span,
                    format!("the type parameter `{text}` is declared twice"),
                ));
            }
            let ty = self.t.param(first + index as u32);
            out.push((generic.name.name, ty));
        }
        out
    }

    /// A type has a hidden row when a field holds a function without written effects, or a type that has one.
    fn find_hidden_rows(&mut self, ids: &[TypeDefId]) {
        let mut users: Vec<Vec<TypeDefId>> = vec![Vec::new(); ids.len()];
        let mut work = Vec::new();
        for &id in ids {
            let (decl, module) = (self.adts[id].decl, self.adts[id].module);
            let mut walk = RowWalk { direct: false, mentions: Vec::new(), aliases: FxHashSet::default() };
            let mut each =
                |checker: &mut Self, ty: &'a ast::Type| checker.walk_rows(ty, module, &decl.generics, &mut walk);
            match &decl.kind {
                TypeDeclKind::Sum(variants) => {
                    for variant in variants {
                        match &variant.payload {
                            VariantPayload::None => {}
                            VariantPayload::Positional(types) => types.iter().for_each(|ty| each(self, ty)),
                            VariantPayload::Named(fields) => fields.iter().for_each(|f| each(self, &f.ty)),
                        }
                    }
                }
                TypeDeclKind::Record(fields) => fields.iter().for_each(|f| each(self, &f.ty)),
                TypeDeclKind::Newtype(ty) => each(self, ty),
                TypeDeclKind::Alias(_) | TypeDeclKind::Unit => {}
            }
            for mentioned in walk.mentions {
                users[cranelift_entity::EntityRef::index(mentioned)].push(id);
            }
            if walk.direct {
                self.adts[id].has_row = true;
                work.push(id);
            }
        }
        while let Some(id) = work.pop() {
            for &user in &users[cranelift_entity::EntityRef::index(id)] {
                if !self.adts[user].has_row {
                    self.adts[user].has_row = true;
                    work.push(user);
                }
            }
        }
    }

    fn walk_rows(
        &mut self,
        ty: &'a ast::Type,
        module: ModuleId,
        generics: &'a [ast::GenericParam],
        walk: &mut RowWalk,
    ) {
        match &*ty.kind {
            TypeKind::Path { path, args } => {
                for arg in args {
                    self.walk_rows(arg, module, generics, walk);
                }
                let Some((&last, parents)) = path.segments.split_last() else { return };
                if generics.iter().any(|g| g.name.name == last.name) {
                    return;
                }
                let item = if parents.is_empty() && path.anchor == ast::PathAnchor::Relative {
                    self.lookup_type(module, last.name)
                } else {
                    match self.container_of(module, path.anchor, parents) {
                        Ok(Container { module: Some(inside), .. }) => {
                            self.modules[inside].types.get(&last.name).map(|entry| entry.item)
                        }
                        _ => None,
                    }
                };
                match item {
                    Some(TypeItem::Adt(def)) => walk.mentions.push(def),
                    Some(TypeItem::Alias(alias)) if walk.aliases.insert(alias) => {
                        let info = &self.aliases[alias as usize];
                        let (module, generics) = (info.module, info.generics);
                        match info.target {
                            AliasTarget::Type(target) => self.walk_rows(target, module, generics, walk),
                            AliasTarget::Name(name) => {
                                if let Some(TypeItem::Adt(def)) = self.lookup_type(module, name.name) {
                                    walk.mentions.push(def);
                                }
                            }
                        }
                    }
                    _ => {}
                }
            }
            TypeKind::Fn { params, ret, effects } => {
                walk.direct |= effects.is_none();
                for param in params {
                    self.walk_rows(param, module, generics, walk);
                }
                self.walk_rows(ret, module, generics, walk);
            }
            TypeKind::Tuple(items) => items.iter().for_each(|item| self.walk_rows(item, module, generics, walk)),
            TypeKind::Record(fields) => fields.iter().for_each(|f| self.walk_rows(&f.ty, module, generics, walk)),
            TypeKind::Array { element, .. } => self.walk_rows(element, module, generics, walk),
            TypeKind::Ref { inner, .. } => self.walk_rows(inner, module, generics, walk),
            TypeKind::Unit | TypeKind::Hole | TypeKind::Error => {}
        }
    }

    /// The name is an error from now on; its uses stay silent.
    pub fn error_names(&mut self, module: ModuleId, name: Symbol) {
        let span = reml_diagnostics::Span::NONE;
        let info = &mut self.modules[module];
        info.types.entry(name).or_insert(Entry { item: TypeItem::Error, public: true, span, via: None });
        info.values.entry(name).or_insert(Entry { item: Value::Error, public: true, span, via: None });
    }

    /// The fields of a variant, or of a record or newtype.
    pub fn variant_fields(&self, def: TypeDefId, variant: u32) -> Vec<FieldInfo> {
        match &self.adts[def].kind {
            AdtKind::Sum(variants) => variants.get(variant as usize).map(|v| v.fields.clone()).unwrap_or_default(),
            AdtKind::Record(fields) => fields.clone(),
            AdtKind::Newtype(ty) => vec![FieldInfo { name: None, ty: *ty, span: self.adts[def].span, default: None }],
            AdtKind::Opaque => Vec::new(),
        }
    }
}

struct RowWalk {
    direct: bool,
    mentions: Vec<TypeDefId>,
    aliases: FxHashSet<u32>,
}
