//! Which of a pattern's parts decide whether it matches?
//!
//! [`Pat`] keeps just that: constructors and their arguments, intervals, texts, lengths. Bindings are gone, bracket
//! patterns on lists have become cells, and whatever may fail for reasons that cannot be seen is opaque.

use std::rc::Rc;

use super::usefulness::Search;
use crate::typed::{Body, PatternId, PatternKind};
use crate::types::{Prim, Type, TypeId};

#[derive(Clone, PartialEq, Debug)]
pub enum Pat {
    Wild,
    /// Cannot be relied upon to match.
    Opaque,
    Ctor(Ctor, Rc<[Pat]>),
    Or(Rc<[Pat]>),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Ctor {
    /// The only shape of a product.
    Single,
    Variant(u32),
    Bool(bool),
    /// Integers and characters, inclusive.
    Range(i128, i128),
    /// Bits of the number.
    Float(u64),
    Str(Rc<str>),
    /// An array's first and last elements; `open`: with any number between.
    Slice {
        prefix: usize,
        suffix: usize,
        open: bool,
    },
}

pub struct Lowering<'x, 's, 't> {
    pub search: &'x mut Search<'s, 't>,
    pub body: &'x Body,
    /// An erroneous pattern was met: nothing can be said.
    pub broken: bool,
}

impl Lowering<'_, '_, '_> {
    pub fn pat(&mut self, id: PatternId) -> Pat {
        let body = self.body;
        let pattern = &body.patterns[id];
        match &pattern.kind {
            PatternKind::Wildcard => Pat::Wild,
            PatternKind::Bind(_, None) => Pat::Wild,
            PatternKind::Bind(_, Some(inner)) => self.pat(*inner),
            PatternKind::Int(value) => match self.search.prim(pattern.ty) {
                Some(prim) if prim.is_float() => leaf(Ctor::Float((*value as f64).to_bits())),
                _ => leaf(Ctor::Range(*value, *value)),
            },
            PatternKind::Char(value) => leaf(Ctor::Range(i128::from(u32::from(*value)), i128::from(u32::from(*value)))),
            PatternKind::IntRange { start, end } => {
                let (low, high) = self.search.domain(pattern.ty);
                leaf(Ctor::Range(start.unwrap_or(low), end.unwrap_or(high)))
            }
            PatternKind::Float(value) => leaf(Ctor::Float(value.to_bits())),
            PatternKind::FloatRange { .. } => Pat::Opaque,
            PatternKind::Bool(value) => leaf(Ctor::Bool(*value)),
            PatternKind::Str(text) => leaf(Ctor::Str(text.as_ref().into())),
            PatternKind::Product(fields) => Pat::Ctor(Ctor::Single, self.pats(fields)),
            PatternKind::Variant { variant, fields } => Pat::Ctor(Ctor::Variant(*variant), self.pats(fields)),
            PatternKind::Or(alternatives) => Pat::Or(self.pats(alternatives)),
            PatternKind::Regex { .. } => Pat::Opaque,
            PatternKind::Active { partial: true, .. } => Pat::Opaque,
            PatternKind::Active { partial: false, arg, .. } => match self.pat(*arg) {
                Pat::Wild => Pat::Wild,
                _ => Pat::Opaque,
            },
            PatternKind::Slice { prefix, rest, suffix } => {
                let before = self.pats(prefix);
                let after = self.pats(suffix);
                self.slice(pattern.ty, &before, rest.is_some(), &after)
            }
            PatternKind::Error => {
                self.broken = true;
                Pat::Wild
            }
        }
    }

    fn pats(&mut self, patterns: &[PatternId]) -> Rc<[Pat]> {
        patterns.iter().map(|&pattern| self.pat(pattern)).collect()
    }

    fn slice(&mut self, ty: TypeId, prefix: &[Pat], open: bool, suffix: &[Pat]) -> Pat {
        let ty = self.search.deref(ty);
        if let Some((nil, cons)) = self.search.list_variants(ty) {
            let empty = Pat::Ctor(Ctor::Variant(nil), Rc::new([]));
            // What follows the prefix: anything, nothing, or at least as many items as the suffix has.
            let mut rest = match (open, suffix.is_empty()) {
                (true, true) => Pat::Wild,
                (false, _) => empty,
                (true, false) if suffix.iter().all(|item| *item == Pat::Wild) => Pat::Wild,
                (true, false) => Pat::Opaque,
            };
            if rest != Pat::Opaque {
                for item in suffix.iter().rev() {
                    rest = Pat::Ctor(Ctor::Variant(cons), Rc::new([item.clone(), rest]));
                }
            }
            for item in prefix.iter().rev() {
                rest = Pat::Ctor(Ctor::Variant(cons), Rc::new([item.clone(), rest]));
            }
            return rest;
        }
        let items: Vec<Pat> = prefix.iter().chain(suffix).cloned().collect();
        if let Type::FixedArray(_, len) = *self.search.tables.types.get(ty) {
            let mut all = prefix.to_vec();
            all.resize((len as usize).saturating_sub(suffix.len()).max(prefix.len()), Pat::Wild);
            all.extend_from_slice(suffix);
            return Pat::Ctor(Ctor::Single, all.into());
        }
        Pat::Ctor(Ctor::Slice { prefix: prefix.len(), suffix: suffix.len(), open }, items.into())
    }
}

fn leaf(ctor: Ctor) -> Pat {
    Pat::Ctor(ctor, Rc::new([]))
}

impl Search<'_, '_> {
    pub fn prim(&self, ty: TypeId) -> Option<Prim> {
        match self.tables.types.get(self.deref(ty)) {
            Type::Prim(prim) => Some(*prim),
            _ => None,
        }
    }

    /// Smallest and largest value of an integer type or `Char`.
    pub fn domain(&self, ty: TypeId) -> (i128, i128) {
        match self.prim(ty) {
            Some(Prim::Char) => (0, 0x10_FFFF),
            Some(prim) if prim.is_integer() => {
                let bits = prim.bits().unwrap_or(64);
                if prim.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
            }
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        }
    }
}
