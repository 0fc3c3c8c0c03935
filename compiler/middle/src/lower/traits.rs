//! Which function is a trait's method at these types?
//!
//! The checker has proved that there is one; here it is found: the impl whose arguments match, one way, and whose
//! conditions hold; its method or the trait's default; or, for the structural traits, generated code.

use reml_semantics::typed::{FnId, ImplId, TraitId, TraitRef};
use reml_semantics::types::{Type, TypeId};

use super::Lower;
use super::derive::Derived;

/// What a method stands for at concrete types.
#[derive(Clone)]
pub enum MethodTarget {
    Fn(FnId, Vec<TypeId>),
    /// Structural code over the subject's type.
    Derived(Derived, TypeId),
    Missing,
}

impl Lower<'_> {
    /// `args`: the trait's arguments (subject first), then the method's own; concrete source types.
    pub fn resolve_method(&mut self, trait_: TraitId, method: u32, args: &[TypeId]) -> MethodTarget {
        let key = (trait_, method, self.types.intern(Type::Tuple(args.into())));
        if let Some(target) = self.methods.get(&key) {
            return target.clone();
        }
        let target = self.find_method(trait_, method, args);
        self.methods.insert(key, target.clone());
        target
    }

    fn find_method(&mut self, trait_: TraitId, method: u32, args: &[TypeId]) -> MethodTarget {
        let src = self.src;
        let def = &src.traits[trait_];
        let (trait_args, own) = args.split_at((def.arity as usize).min(args.len()));
        // A reference has the traits of what it refers to.
        let trait_args: Vec<TypeId> = trait_args.iter().map(|&arg| self.deref(arg)).collect();
        if let Some((impl_, mut impl_args)) = self.find_impl(trait_, &trait_args) {
            if let Some(Some(found)) = src.impls[impl_].methods.get(method as usize) {
                impl_args.extend_from_slice(own);
                return MethodTarget::Fn(*found, impl_args);
            }
        } else if let Some(derived) = self.derivable(trait_, method) {
            return MethodTarget::Derived(derived, trait_args[0]);
        }
        match def.methods.get(method as usize) {
            Some(found) if found.has_default => {
                let mut all = trait_args;
                all.extend_from_slice(own);
                MethodTarget::Fn(found.def, all)
            }
            _ => MethodTarget::Missing,
        }
    }

    /// The method of a structural trait that can be generated.
    fn derivable(&self, trait_: TraitId, method: u32) -> Option<Derived> {
        let (&name, _) = self.src.lang.traits.iter().find(|&(_, &id)| id == trait_)?;
        let method = self.names.text(self.src.traits[trait_].methods.get(method as usize)?.name);
        Some(match (name, method) {
            ("Eq", "eq") => Derived::Eq,
            ("Ord", "compare") => Derived::Compare,
            ("Hash", "hash") => Derived::Hash,
            ("Display", "to_string") => Derived::Display,
            ("Debug", "show") => Derived::Show,
            ("Debug", "show_behind") => Derived::ShowBehind,
            _ => return None,
        })
    }

    /// The impl for these concrete arguments, with the arguments of its own generics.
    pub fn find_impl(&mut self, trait_: TraitId, args: &[TypeId]) -> Option<(ImplId, Vec<TypeId>)> {
        let src = self.src;
        for index in 0..self.impls[trait_].len() {
            let id = self.impls[trait_][index];
            let def = &src.impls[id];
            if def.args.len() != args.len() {
                continue;
            }
            let mut bindings = vec![None; def.arity as usize];
            if !def.args.iter().zip(args).all(|(&pattern, &ty)| self.matches(pattern, ty, &mut bindings)) {
                continue;
            }
            let unit = self.types.unit();
            if !def.wheres.is_empty() && !self.conditions_hold(&def.wheres, &mut bindings) {
                continue;
            }
            return Some((id, bindings.into_iter().map(|binding| binding.unwrap_or(unit)).collect()));
        }
        None
    }

    /// Do the conditions of an impl hold? Generics that the impl's arguments leave open are bound by a condition that
    /// mentions them (`impl<I, T> Sum for I where IntoIterator<I, T>`).
    fn conditions_hold(&mut self, wheres: &[TraitRef], bindings: &mut [Option<TypeId>]) -> bool {
        wheres.iter().all(|condition| {
            let structural = self.src.lang.traits.iter().any(|(&name, &id)| {
                id == condition.trait_ && matches!(name, "Eq" | "Ord" | "Hash" | "Display" | "Debug")
            });
            if structural {
                return true;
            }
            self.condition_holds(condition, bindings)
        })
    }

    fn condition_holds(&mut self, condition: &TraitRef, bindings: &mut [Option<TypeId>]) -> bool {
        let unit = self.types.unit();
        if bindings.iter().all(Option::is_some) {
            let known: Vec<TypeId> = bindings.iter().map(|binding| binding.unwrap_or(unit)).collect();
            let args: Vec<TypeId> = condition.args.iter().map(|&arg| self.types.substitute(arg, &known)).collect();
            return self.find_impl(condition.trait_, &args).is_some();
        }
        let src = self.src;
        for index in 0..self.impls[condition.trait_].len() {
            let id = self.impls[condition.trait_][index];
            let def = &src.impls[id];
            // Only what is known is compared; the rest is read off the impl.
            let mut inner = vec![None; def.arity as usize];
            let known: Vec<TypeId> = bindings.iter().map(|binding| binding.unwrap_or(unit)).collect();
            let closed = |this: &Self, ty: TypeId| this.is_bound(ty, bindings);
            let pairs: Vec<(TypeId, TypeId)> = def.args.iter().copied().zip(condition.args.iter().copied()).collect();
            let fits = pairs.iter().all(|&(pattern, wanted)| {
                if !closed(self, wanted) {
                    return true;
                }
                let wanted = self.types.substitute(wanted, &known);
                self.matches(pattern, wanted, &mut inner)
            });
            if !fits || inner.iter().any(Option::is_none) {
                continue;
            }
            let inner: Vec<TypeId> = inner.into_iter().flatten().collect();
            for (pattern, wanted) in pairs {
                let found = self.types.substitute(pattern, &inner);
                if !self.matches(wanted, found, bindings) {
                    return false;
                }
            }
            return true;
        }
        false
    }

    fn is_bound(&self, ty: TypeId, bindings: &[Option<TypeId>]) -> bool {
        match self.types.get(ty) {
            Type::Param(i) => bindings.get(*i as usize).is_some_and(Option::is_some),
            Type::Prim(_) | Type::Error => true,
            Type::Tuple(items) | Type::Adt(_, items) => items.iter().all(|&item| self.is_bound(item, bindings)),
            Type::Record(fields) => fields.iter().all(|&(_, ty)| self.is_bound(ty, bindings)),
            Type::Fn { params, ret } => {
                self.is_bound(*ret, bindings) && params.iter().all(|&param| self.is_bound(param, bindings))
            }
            Type::Array(inner) | Type::FixedArray(inner, _) | Type::VarCell(inner) | Type::Ref { inner, .. } => {
                self.is_bound(*inner, bindings)
            }
        }
    }

    /// One-way matching: binds the parameters of `pattern` so that it becomes `ty`.
    pub fn matches(&self, pattern: TypeId, ty: TypeId, bindings: &mut [Option<TypeId>]) -> bool {
        match (self.types.get(pattern), self.types.get(ty)) {
            (Type::Param(i), _) => match bindings.get_mut(*i as usize) {
                Some(Some(bound)) => *bound == ty,
                Some(slot) => {
                    *slot = Some(ty);
                    true
                }
                None => false,
            },
            _ if pattern == ty => true,
            (Type::Tuple(a), Type::Tuple(b)) => self.all_match(a, b, bindings),
            (Type::Adt(a, a_args), Type::Adt(b, b_args)) => a == b && self.all_match(a_args, b_args, bindings),
            (Type::Record(a), Type::Record(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((name, pattern), (other, ty))| name == other && self.matches(*pattern, *ty, bindings))
            }
            (Type::Fn { params: a, ret }, Type::Fn { params: b, ret: other }) => {
                self.all_match(a, b, bindings) && self.matches(*ret, *other, bindings)
            }
            (Type::Array(a), Type::Array(b)) | (Type::VarCell(a), Type::VarCell(b)) => self.matches(*a, *b, bindings),
            (Type::FixedArray(a, n), Type::FixedArray(b, m)) => n == m && self.matches(*a, *b, bindings),
            (Type::Ref { mutable: a, inner }, Type::Ref { mutable: b, inner: other }) => {
                a == b && self.matches(*inner, *other, bindings)
            }
            _ => false,
        }
    }

    fn all_match(&self, patterns: &[TypeId], types: &[TypeId], bindings: &mut [Option<TypeId>]) -> bool {
        patterns.len() == types.len() && patterns.iter().zip(types).all(|(&p, &t)| self.matches(p, t, bindings))
    }
}
