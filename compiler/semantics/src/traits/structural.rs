//! `Eq`, `Ord`, `Hash`, `Display` and `Debug` hold for all data without functions.

use reml_diagnostics::{Diagnostic, codes};
use rustc_hash::FxHashSet;

use super::Solved;
use crate::cx::*;
use crate::infer::ty::{List, Node, Ty};
use crate::traits::notes::Noted;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub fn is_structural(&self, trait_: TraitId) -> bool {
        let lang = &self.lang_traits;
        [lang.eq, lang.ord, lang.hash, lang.display, lang.debug].contains(&Some(trait_))
    }

    pub fn solve_structurally(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        self.note_answer(Noted::Structural);
        let holds = match self.t.get(subject) {
            Node::Prim(_) => true,
            Node::Fn { .. } | Node::Cell(_) => false,
            Node::Tuple(list) | Node::Record { fields: list, .. } => {
                self.require_all(reference, list);
                true
            }
            Node::Array(element) | Node::Fixed(element, _) => {
                let part = TraitRefTy { args: vec![element], ..reference.clone() };
                self.require(part, reference.span);
                true
            }
            Node::Adt(def, args, _) => {
                let mut visiting = FxHashSet::default();
                if self.is_data(def, reference.trait_, &mut visiting) {
                    self.require_all(reference, args);
                    true
                } else {
                    false
                }
            }
            _ => false,
        };
        if holds {
            return Solved::Yes;
        }
        self.report_missing_impl(reference, subject);
        Solved::No
    }

    fn require_all(&mut self, reference: &TraitRefTy, list: List) {
        for i in list.range() {
            let part = TraitRefTy { args: vec![self.t.at(list, i)], ..reference.clone() };
            self.require(part, reference.span);
        }
    }

    /// Do a type's fields hold no functions, its parameters apart?
    fn is_data(&mut self, def: TypeDefId, trait_: TraitId, visiting: &mut FxHashSet<TypeDefId>) -> bool {
        if let Some(&known) = self.structural_cache.get(&(def, trait_)) {
            return known;
        }
        if !visiting.insert(def) {
            return true;
        }
        let fields: Vec<Ty> = match &self.adts[def].kind {
            AdtKind::Sum(variants) => variants.iter().flat_map(|v| v.fields.iter().map(|f| f.ty)).collect(),
            AdtKind::Record(fields) => fields.iter().map(|f| f.ty).collect(),
            AdtKind::Newtype(ty) => vec![*ty],
            AdtKind::Opaque => return false,
        };
        let holds = fields.into_iter().all(|ty| self.is_data_type(ty, trait_, visiting));
        visiting.remove(&def);
        if visiting.is_empty() {
            self.structural_cache.insert((def, trait_), holds);
        }
        holds
    }

    fn is_data_type(&mut self, ty: Ty, trait_: TraitId, visiting: &mut FxHashSet<TypeDefId>) -> bool {
        match self.t.head(ty) {
            Node::Prim(_) | Node::Param(_) | Node::Error | Node::Var(_) => true,
            Node::Fn { .. } | Node::Cell(_) => false,
            Node::Tuple(list) | Node::Record { fields: list, .. } => {
                list.range().all(|i| self.is_data_type(self.t.at(list, i), trait_, visiting))
            }
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } => self.is_data_type(t, trait_, visiting),
            Node::Adt(def, args, _) => {
                let own = self.impl_index.contains_key(&(trait_, Head::Adt(def)));
                (own || self.is_data(def, trait_, visiting))
                    && args.range().all(|i| self.is_data_type(self.t.at(args, i), trait_, visiting))
            }
        }
    }

    /// `@derive(Eq, Show)`: the traits exist and can hold.
    pub fn check_derives(&mut self) {
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        for id in ids {
            let attrs = self.adts[id].attrs;
            for attr in attrs {
                if self.names.text(attr.name.name) != "derive" {
                    continue;
                }
                for arg in &attr.args {
                    let reml_syntax::ast::ExprKind::Path(path) = &*arg.value.kind else { continue };
                    let Some(last) = path.segments.last() else { continue };
                    let lang = self.lang_traits;
                    let trait_ = match self.names.text(last.name) {
                        "Eq" => lang.eq,
                        "Ord" => lang.ord,
                        "Hash" => lang.hash,
                        "Show" | "Display" => lang.display,
                        "Debug" => lang.debug,
                        other => {
                            let message = format!("`{other}` cannot be derived");
                            self.report(
                                Diagnostic::error(codes::DERIVE_INVALID, path.span, message)
                                    .with_help("`Eq`, `Ord`, `Hash`, `Display` and `Debug` can"),
                            );
                            continue;
                        }
                    };
                    let Some(trait_) = trait_ else { continue };
                    let mut visiting = FxHashSet::default();
                    if !self.is_data(id, trait_, &mut visiting) {
                        let name = self.names.text(self.adts[id].name).to_owned();
                        let text = self.names.text(last.name).to_owned();
                        self.error(
                            codes::DERIVE_INVALID,
                            path.span,
                            format!("`{text}` cannot be derived for `{name}`: it holds a function"),
                        );
                    }
                }
            }
        }
    }
}
