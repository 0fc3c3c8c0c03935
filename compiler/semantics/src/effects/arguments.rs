//! What are the generic effects of a row applied to?
//!
//! A row has at most one instance of each generic effect, so that `perform State.get()` has a type where it stands.
//! Rows that effects flow between are in one *class*, and a class has one list of arguments, unified at once. Classes
//! are kept per effect, because a handler ends the flow of the effect that it handles and lets the others pass; one
//! more family stands for all effects that a signature does not mention.

use rustc_hash::FxHashMap;

use super::find;
use crate::infer::ty::{Instance, List, Row, RowKind, Ty, Types};
use crate::typed::EffectId;

/// The classes of one generic effect.
#[derive(Default)]
struct Family {
    /// `None` for the family of the effects without one.
    effect: Option<EffectId>,
    /// How many generics the effect has.
    arity: u32,
    parents: Vec<u32>,
    args: FxHashMap<u32, List>,
}

impl Family {
    fn root(&mut self, row: u32) -> u32 {
        let next = self.parents.len() as u32;
        if row >= next {
            self.parents.extend(next..=row);
        }
        find(&mut self.parents, row)
    }
}

/// Two rows cannot be one: the effect of a family would have two instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conflict {
    pub family: u32,
    pub left: List,
    pub right: List,
}

/// Family 0 stands for the effects without a family of their own; it exists when there are others.
#[derive(Default)]
pub(crate) struct Families {
    list: Vec<Family>,
    pub conflicts: Vec<Conflict>,
}

impl Families {
    /// A family for a generic effect.
    pub fn declare(&mut self, arity: u32, effect: EffectId) -> u32 {
        if self.list.is_empty() {
            self.list.push(Family::default());
        }
        self.list.push(Family { effect: Some(effect), arity, ..Family::default() });
        self.list.len() as u32 - 1
    }

    /// Does the program have generic effects?
    pub fn exist(&self) -> bool {
        !self.list.is_empty()
    }

    pub fn effect(&self, family: u32) -> Option<EffectId> {
        self.list[family as usize].effect
    }

    pub fn clear(&mut self) {
        for family in &mut self.list {
            family.parents.clear();
            family.args.clear();
        }
    }

    fn same_class(&mut self, family: u32, a: u32, b: u32) -> bool {
        let family = &mut self.list[family as usize];
        family.root(a) == family.root(b)
    }
}

/// The generic effects of a function's signature.
#[derive(Clone, Default, Debug)]
pub(crate) struct Signature {
    /// The class of each row of the signature, for effects that are not in `own`: the first row of the class.
    pub shared: Vec<u32>,
    pub own: Vec<OwnFamily>,
}

/// An effect whose classes are not the shared ones, or whose arguments are known.
#[derive(Clone, Debug)]
pub(crate) struct OwnFamily {
    pub family: u32,
    pub classes: Vec<u32>,
    /// By class.
    pub args: Vec<(u32, List)>,
}

impl Signature {
    /// Everything flows together, for functions whose bodies nobody looks at.
    pub fn joined(rows: u32) -> Signature {
        Signature { shared: vec![0; rows as usize], own: Vec::new() }
    }
}

impl Types {
    /// Lets the effects of a row flow into another.
    pub fn flow(&mut self, from: u32, to: u32) {
        self.rows.flow(from, to);
        self.join(from, to, None);
    }

    /// Puts two rows into one class, for every generic effect but one.
    pub fn join(&mut self, a: u32, b: u32, except: Option<u32>) {
        for family in 0..self.rows.families.list.len() as u32 {
            if Some(family) != except {
                self.join_family(family, a, b);
            }
        }
    }

    fn join_family(&mut self, index: u32, a: u32, b: u32) {
        let family = &mut self.rows.families.list[index as usize];
        let (a, b) = (family.root(a), family.root(b));
        if a == b {
            return;
        }
        let (root, child) = (a.min(b), a.max(b));
        family.parents[child as usize] = root;
        let Some(moved) = family.args.remove(&child) else { return };
        match family.args.get(&root) {
            None => {
                family.args.insert(root, moved);
            }
            Some(&known) => self.unify_args(index, known, moved),
        }
    }

    fn unify_args(&mut self, family: u32, left: List, right: List) {
        let fits = left.range().all(|i| self.unify(self.at(left, i), self.at(right, i)).is_ok());
        if !fits {
            self.rows.families.conflicts.push(Conflict { family, left, right });
        }
    }

    /// The arguments of a generic effect in a row; new ones when nothing has told them yet.
    pub fn effect_args(&mut self, family: u32, row: u32) -> List {
        let of = &mut self.rows.families.list[family as usize];
        let (root, arity) = (of.root(row), of.arity);
        if let Some(&known) = of.args.get(&root) {
            return known;
        }
        let fresh: Vec<Ty> = (0..arity).map(|_| self.fresh()).collect();
        let list = self.list(&fresh);
        self.rows.families.list[family as usize].args.insert(root, list);
        list
    }

    /// Says what a generic effect of a row is applied to.
    pub fn set_effect_args(&mut self, family: u32, row: u32, args: List) {
        let of = &mut self.rows.families.list[family as usize];
        let root = of.root(row);
        match of.args.get(&root) {
            None => {
                of.args.insert(root, args);
            }
            Some(&known) => self.unify_args(family, known, args),
        }
    }

    /// A closed row of a signature becomes a variable with at least its effects.
    pub fn open_row(&mut self, constant: u32, with: &Instance<'_>) -> Row {
        let row = self.rows.open(constant);
        for (family, args) in self.rows.closed(constant).args.clone() {
            let args: Vec<Ty> = args.range().map(|i| self.instantiate(self.at(args, i), with)).collect();
            let args = self.list(&args);
            self.set_effect_args(family, row, args);
        }
        Row::var(row)
    }

    pub fn unify_rows(&mut self, a: Row, b: Row) {
        if self.speculates() {
            return;
        }
        self.rows.unify(a, b);
        if !self.rows.families.exist() {
            return;
        }
        match (a.kind(), b.kind()) {
            (RowKind::Var(x), RowKind::Var(y)) => self.join(x, y, None),
            (RowKind::Var(row), RowKind::Const(c)) | (RowKind::Const(c), RowKind::Var(row)) => {
                for (family, args) in self.rows.closed(c).args.clone() {
                    self.set_effect_args(family, row, args);
                }
            }
            (RowKind::Const(c), RowKind::Const(d)) if c != d => {
                let (left, right) = (self.rows.closed(c).args.clone(), self.rows.closed(d).args.clone());
                for (family, args) in left {
                    if let Some(&(_, other)) = right.iter().find(|(of, _)| *of == family) {
                        self.unify_args(family, args, other);
                    }
                }
            }
            _ => {}
        }
    }

    /// Relates the rows of a use as the signature relates its own.
    pub fn join_signature(&mut self, signature: &Signature, rows: &[Row], types: &[Ty]) {
        let var = |index: u32| match rows.get(index as usize).map(|row| row.kind()) {
            Some(RowKind::Var(row)) => Some(row),
            _ => None,
        };
        for family in 0..self.rows.families.list.len() as u32 {
            let own = signature.own.iter().find(|own| own.family == family);
            let classes = own.map_or(&signature.shared, |own| &own.classes);
            for (row, &class) in classes.iter().enumerate() {
                if row as u32 != class
                    && let (Some(a), Some(b)) = (var(row as u32), var(class))
                {
                    self.join_family(family, a, b);
                }
            }
            for &(class, args) in own.iter().flat_map(|own| &own.args) {
                let Some(row) = var(class) else { continue };
                let args: Vec<Ty> = args
                    .range()
                    .map(|i| self.instantiate(self.at(args, i), &Instance { args: types, rows: &[] }))
                    .collect();
                let args = self.list(&args);
                self.set_effect_args(family, row, args);
            }
        }
    }

    /// The arguments that generic effects have in some of the rows.
    pub fn known_args(&mut self, rows: &[u32]) -> Vec<Ty> {
        let mut out = Vec::new();
        for index in 1..self.rows.families.list.len() {
            let family = &mut self.rows.families.list[index];
            let mut seen = Vec::new();
            for &row in rows {
                let root = family.root(row);
                if !seen.contains(&root) {
                    seen.push(root);
                }
            }
            let lists: Vec<List> = seen.iter().filter_map(|root| family.args.get(root).copied()).collect();
            for list in lists {
                out.extend_from_slice(self.items(list));
            }
        }
        out
    }

    /// What a finished body tells about the generic effects of its signature's rows. Types are frozen.
    pub fn signature_of(&mut self, rows: &[u32]) -> Signature {
        let mut signature = Signature::default();
        for family in 0..self.rows.families.list.len() as u32 {
            let classes: Vec<u32> = (0..rows.len())
                .map(|i| (0..=i).find(|&j| self.rows.families.same_class(family, rows[i], rows[j])).unwrap_or(i) as u32)
                .collect();
            if family == 0 {
                signature.shared = classes;
                continue;
            }
            let mut args = Vec::new();
            for (index, &row) in rows.iter().enumerate() {
                let of = &mut self.rows.families.list[family as usize];
                let root = of.root(row);
                if classes[index] == index as u32
                    && let Some(&list) = of.args.get(&root)
                {
                    let frozen: Vec<Ty> =
                        list.range().map(|i| self.freeze(self.at(list, i), &mut Vec::new())).collect();
                    let was = std::mem::replace(&mut self.permanent, true);
                    args.push((index as u32, self.list(&frozen)));
                    self.permanent = was;
                }
            }
            if !args.is_empty() || classes != signature.shared {
                signature.own.push(OwnFamily { family, classes, args });
            }
        }
        signature
    }
}
