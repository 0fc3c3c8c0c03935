//! Which types of a module has WIT nothing for, and which are flags? All of it is looked through before anything is written.

use std::collections::{BTreeSet, HashMap};

use reml_syntax::ast::{ItemKind, Type, TypeDecl, TypeDeclKind, TypeKind, VariantPayload};

use super::{Use, Writer};
use crate::names::wit_name;

impl<'a> Writer<'a> {
    /// Which sums are flags: those that sets have.
    pub fn find_uses(&mut self) {
        let module = self.module;
        for item in module.items.iter().filter(|item| item.public) {
            match &item.kind {
                ItemKind::Type(decl) => match &decl.kind {
                    TypeDeclKind::Sum(variants) => variants.iter().for_each(|it| match &it.payload {
                        VariantPayload::None => {}
                        VariantPayload::Positional(types) => types.iter().for_each(|ty| self.note(ty)),
                        VariantPayload::Named(fields) => fields.iter().for_each(|it| self.note(&it.ty)),
                    }),
                    TypeDeclKind::Record(fields) => fields.iter().for_each(|it| self.note(&it.ty)),
                    TypeDeclKind::Newtype(ty) | TypeDeclKind::Alias(ty) => self.note(ty),
                    TypeDeclKind::Unit => {}
                },
                ItemKind::Fn(decl) => {
                    decl.sig.params.iter().filter_map(|it| it.ty.as_ref()).for_each(|ty| self.note(ty));
                    if let Some(ty) = &decl.sig.ret {
                        self.note(ty);
                    }
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, ty: &'a Type) {
        match &*ty.kind {
            TypeKind::Path { path, args } => {
                let name = self.last(path);
                if let ("Set", [only]) = (name, &**args)
                    && let TypeKind::Path { path, .. } = &*only.kind
                {
                    self.uses.insert(self.last(path), Use::Flags);
                    return;
                }
                if args.is_empty() {
                    self.uses.entry(name).or_insert(Use::Plain);
                }
                args.iter().for_each(|ty| self.note(ty));
            }
            TypeKind::Fn { params, ret, .. } => {
                params.iter().for_each(|ty| self.note(ty));
                self.note(ret);
            }
            TypeKind::Tuple(parts) => parts.iter().for_each(|ty| self.note(ty)),
            TypeKind::Array { element, .. } => self.note(element),
            TypeKind::Ref { inner, .. } => self.note(inner),
            TypeKind::Record(fields) => fields.iter().for_each(|it| self.note(&it.ty)),
            TypeKind::Unit | TypeKind::Hole | TypeKind::Error => {}
        }
    }

    /// Finds out which types WIT has nothing for, until no more are found: a type that has one of them is another.
    pub fn refuse_types(&mut self) {
        let public: Vec<&TypeDecl> = self
            .module
            .items
            .iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Type(decl) if item.public && self.functions_of(decl).is_none() => Some(decl),
                _ => None,
            })
            .collect();
        let mut wit_names: HashMap<String, &str> = HashMap::new();
        for decl in &public {
            let name = self.names.text(decl.name.name);
            let refusal = match wit_name(name) {
                Err(reason) => Some(reason),
                Ok(wit) => match wit_names.insert(wit.clone(), name) {
                    Some(other) => Some(format!("its name in WIT is `{wit}`, as that of `{other}`")),
                    None if self.contains_itself(decl) => {
                        Some("it has values of itself in it, which types of WIT do not".to_owned())
                    }
                    None => None,
                },
            };
            if let Some(reason) = refusal {
                self.refused.insert(name, reason);
            }
        }
        loop {
            let before = self.refused.len();
            for decl in &public {
                let name = self.names.text(decl.name.name);
                if !self.refused.contains_key(name)
                    && let Err(reason) = self.declaration(decl)
                {
                    self.refused.insert(name, reason);
                }
            }
            if self.refused.len() == before {
                return;
            }
        }
    }

    /// Is there a way from a type back to it?
    fn contains_itself(&self, decl: &TypeDecl) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![decl];
        while let Some(next) = open.pop() {
            let mut parts = Vec::new();
            match &next.kind {
                TypeDeclKind::Sum(variants) => {
                    for it in variants {
                        match &it.payload {
                            VariantPayload::None => {}
                            VariantPayload::Positional(types) => parts.extend(types),
                            VariantPayload::Named(fields) => parts.extend(fields.iter().map(|it| &it.ty)),
                        }
                    }
                }
                TypeDeclKind::Record(fields) => parts.extend(fields.iter().map(|it| &it.ty)),
                TypeDeclKind::Newtype(ty) | TypeDeclKind::Alias(ty) => parts.push(ty),
                TypeDeclKind::Unit => {}
            }
            while let Some(part) = parts.pop() {
                match &*part.kind {
                    TypeKind::Path { path, args } => {
                        parts.extend(args);
                        let Some(found) = path.segments.last().and_then(|it| self.types.get(&it.name)) else {
                            continue;
                        };
                        if found.name.name == decl.name.name {
                            return true;
                        }
                        if seen.insert(self.names.text(found.name.name)) {
                            open.push(found);
                        }
                    }
                    TypeKind::Tuple(all) => parts.extend(all),
                    TypeKind::Array { element, .. } => parts.push(element),
                    _ => {}
                }
            }
        }
        false
    }
}
