//! Is there a value that a row of patterns matches and the rows before it do not?
//!
//! A matrix has one column per position still to be looked at; the first column decides what happens next. The work is
//! bounded: matches so intertwined that the bound is hit are left unjudged.

use std::rc::Rc;

use super::Tables;
use super::pat::{Ctor, Pat};
use super::witness::Witness;
use crate::typed::TypeDefKind;
use crate::types::{Prim, Type, TypeId};

/// Rows of patterns; each column has one type.
type Row = Vec<Pat>;

/// How many missing shapes are spelled out at most.
const MAX_WITNESSES: usize = 8;
/// How many steps one match may take.
const FUEL: u32 = 400_000;

pub struct Search<'s, 't> {
    pub tables: &'s mut Tables<'t>,
    fuel: u32,
}

impl<'s, 't> Search<'s, 't> {
    pub fn new(tables: &'s mut Tables<'t>) -> Self {
        Search { tables, fuel: FUEL }
    }

    pub fn deref(&self, ty: TypeId) -> TypeId {
        match *self.tables.types.get(ty) {
            Type::Ref { inner, .. } => self.deref(inner),
            _ => ty,
        }
    }

    /// The empty and the full variant of `List`, when `ty` is one.
    pub fn list_variants(&self, ty: TypeId) -> Option<(u32, u32)> {
        let Type::Adt(def, _) = *self.tables.types.get(ty) else { return None };
        if Some(def) != self.tables.list {
            return None;
        }
        let TypeDefKind::Sum(variants) = &self.tables.type_defs[def].kind else { return None };
        let nil = variants.iter().position(|variant| variant.fields.is_empty())?;
        Some((nil as u32, 1 - nil as u32))
    }

    /// Can `query` match a value that no row matches? `None`: too hard to tell.
    pub fn useful(&mut self, rows: &[Row], query: Row, types: Vec<TypeId>) -> Option<bool> {
        let rows: Vec<Row> = rows.to_vec();
        let found = self.search_useful(rows, query, types);
        (self.fuel > 0).then_some(found)
    }

    /// Shapes that no row matches. Empty also when it is too hard to tell.
    pub fn missing(&mut self, rows: &[Row], types: Vec<TypeId>) -> Vec<Witness> {
        let found = self.search_missing(rows.to_vec(), types);
        if self.fuel == 0 {
            return Vec::new();
        }
        found.into_iter().filter_map(|mut row| row.pop()).collect()
    }

    fn burn(&mut self, amount: usize) -> bool {
        self.fuel = self.fuel.saturating_sub(1 + amount as u32);
        self.fuel > 0
    }

    // Constructors of a type ----------------------------------------------------------------------

    /// Types of a constructor's arguments.
    fn arguments(&mut self, ty: TypeId, ctor: &Ctor) -> Vec<TypeId> {
        let found = match (ctor, self.tables.types.get(ty).clone()) {
            (Ctor::Single, Type::Tuple(items)) => items.to_vec(),
            (Ctor::Single, Type::Record(fields)) => fields.iter().map(|&(_, ty)| ty).collect(),
            (Ctor::Single, Type::FixedArray(element, len)) => vec![element; len as usize],
            (Ctor::Slice { prefix, suffix, .. }, ty_) => {
                let element = match ty_ {
                    Type::Array(element) => element,
                    _ => self.element(ty),
                };
                vec![element; prefix + suffix]
            }
            (_, Type::Adt(def, args)) => {
                let open: Vec<TypeId> = match (&self.tables.type_defs[def].kind, ctor) {
                    (TypeDefKind::Sum(variants), Ctor::Variant(variant)) => match variants.get(*variant as usize) {
                        Some(variant) => variant.fields.iter().map(|field| field.ty).collect(),
                        None => Vec::new(),
                    },
                    (TypeDefKind::Record(fields), _) => fields.iter().map(|field| field.ty).collect(),
                    (TypeDefKind::Newtype(inner), _) => vec![*inner],
                    _ => Vec::new(),
                };
                open.into_iter().map(|ty| self.tables.types.substitute(ty, &args)).collect()
            }
            _ => Vec::new(),
        };
        found.into_iter().map(|ty| self.deref(ty)).collect()
    }

    /// Element type of a newtype of an array.
    fn element(&mut self, ty: TypeId) -> TypeId {
        let inner = self.arguments(ty, &Ctor::Single);
        match inner.first().map(|&inner| self.tables.types.get(inner).clone()) {
            Some(Type::Array(element)) => element,
            _ => self.tables.types.error(),
        }
    }

    fn is_empty_type(&self, ty: TypeId) -> bool {
        self.tables.types.is_never(ty)
    }

    /// All shapes of a type, when they can be listed without looking at the patterns.
    fn signature(&mut self, ty: TypeId) -> Option<Vec<Ctor>> {
        match self.tables.types.get(ty).clone() {
            Type::Prim(Prim::Bool) => Some(vec![Ctor::Bool(true), Ctor::Bool(false)]),
            Type::Prim(Prim::Never) => Some(Vec::new()),
            Type::Tuple(_) | Type::Record(_) | Type::FixedArray(..) => Some(vec![Ctor::Single]),
            Type::Adt(def, _) => match &self.tables.type_defs[def].kind {
                TypeDefKind::Sum(variants) => {
                    let all: Vec<Ctor> = (0..variants.len() as u32).map(Ctor::Variant).collect();
                    let mut inhabited = Vec::with_capacity(all.len());
                    for ctor in all {
                        if !self.arguments(ty, &ctor).iter().any(|&arg| self.is_empty_type(arg)) {
                            inhabited.push(ctor);
                        }
                    }
                    Some(inhabited)
                }
                TypeDefKind::Record(_) | TypeDefKind::Newtype(_) => Some(vec![Ctor::Single]),
                TypeDefKind::Opaque => None,
            },
            _ => None,
        }
    }

    /// The shapes to tell apart in the first column, given what its patterns mention, and whether together they are all
    /// shapes there are.
    fn split(&mut self, rows: &[Row], extra: Option<&Pat>, ty: TypeId) -> (Vec<Ctor>, bool) {
        let mut heads: Vec<&Ctor> = Vec::new();
        for pat in rows.iter().filter_map(|row| row.first()).chain(extra) {
            if let Pat::Ctor(ctor, _) = pat {
                heads.push(ctor);
            }
        }
        if heads.is_empty() {
            return (Vec::new(), false);
        }
        if heads.iter().any(|head| matches!(head, Ctor::Slice { .. })) {
            return (slices(&heads), true);
        }
        if heads.iter().any(|head| matches!(head, Ctor::Range(..))) {
            return ranges(&heads, self.domain(ty));
        }
        let mut used: Vec<Ctor> = Vec::new();
        let mut variants = rustc_hash::FxHashSet::default();
        let mut texts = rustc_hash::FxHashSet::default();
        for head in heads {
            let new = match head {
                Ctor::Variant(variant) => variants.insert(u64::from(*variant)),
                Ctor::Float(bits) => variants.insert(*bits),
                Ctor::Str(text) => texts.insert(text.clone()),
                other => !used.contains(other),
            };
            if new {
                used.push(head.clone());
            }
        }
        match self.signature(ty) {
            Some(all) => {
                let missing = all.iter().any(|ctor| !used.contains(ctor));
                (used, !missing)
            }
            None => (used, false),
        }
    }

    // Rows ----------------------------------------------------------------------------------------

    /// The rows whose first pattern may match `ctor`, with its arguments as columns instead.
    fn specialise(&self, rows: &[Row], ctor: &Ctor, arity: usize) -> Vec<Row> {
        rows.iter().filter_map(|row| specialise_row(row, ctor, arity, false)).collect()
    }

    // Searches ------------------------------------------------------------------------------------

    fn search_useful(&mut self, rows: Vec<Row>, query: Row, types: Vec<TypeId>) -> bool {
        if !self.burn(rows.len()) {
            return false;
        }
        let Some((first, others)) = query.split_first() else { return rows.is_empty() };
        if rows.is_empty() {
            return true;
        }
        if let Pat::Or(alternatives) = first {
            return alternatives.iter().any(|alternative| {
                let mut query = vec![alternative.clone()];
                query.extend_from_slice(others);
                self.search_useful(rows.clone(), query, types.clone())
            });
        }
        let rows = expand(rows);
        let ty = types[0];
        match first {
            Pat::Ctor(Ctor::Range(..) | Ctor::Slice { .. }, _) => {
                let (ctors, _) = self.split(&rows, Some(first), ty);
                ctors.iter().any(|ctor| self.useful_at(&rows, &query, &types, ctor))
            }
            Pat::Ctor(ctor, _) => self.useful_at(&rows, &query, &types, &ctor.clone()),
            Pat::Wild | Pat::Opaque | Pat::Or(_) => {
                let (ctors, complete) = self.split(&rows, None, ty);
                if complete {
                    return ctors.iter().any(|ctor| self.useful_at(&rows, &query, &types, ctor));
                }
                self.search_useful(default(&rows), others.to_vec(), types[1..].to_vec())
            }
        }
    }

    fn useful_at(&mut self, rows: &[Row], query: &Row, types: &[TypeId], ctor: &Ctor) -> bool {
        let mut inner = self.arguments(types[0], ctor);
        let arity = inner.len();
        let Some(query) = specialise_row(query, ctor, arity, true) else { return false };
        inner.extend_from_slice(&types[1..]);
        let rows = self.specialise(rows, ctor, arity);
        self.search_useful(rows, query, inner)
    }

    /// Rows of shapes, last column first, that nothing matches.
    fn search_missing(&mut self, rows: Vec<Row>, types: Vec<TypeId>) -> Vec<Vec<Witness>> {
        if !self.burn(rows.len()) {
            return Vec::new();
        }
        let Some((&ty, others)) = types.split_first() else {
            return if rows.is_empty() { vec![Vec::new()] } else { Vec::new() };
        };
        let rows = expand(rows);
        let (mut ctors, complete) = self.split(&rows, None, ty);
        let mut found = Vec::new();
        if !complete {
            let wanted: Vec<Witness> = if ctors.is_empty() { vec![Witness::Wild] } else { self.absent(ty, &ctors) };
            for row in self.search_missing(default(&rows), others.to_vec()) {
                for witness in &wanted {
                    if found.len() < MAX_WITNESSES {
                        let mut row = row.clone();
                        row.push(witness.clone());
                        found.push(row);
                    }
                }
            }
            if matches!(ctors.first(), Some(Ctor::Str(_) | Ctor::Float(_))) {
                // What one text lacks, all others do as well: the shapes above say it.
                ctors.retain(|_| found.is_empty());
            }
        }
        if let Some(Ctor::Variant(_)) = ctors.first() {
            ctors.sort_by_key(|ctor| if let Ctor::Variant(variant) = ctor { *variant } else { 0 });
        }
        for ctor in ctors {
            if found.len() >= MAX_WITNESSES || self.fuel == 0 {
                break;
            }
            let mut inner = self.arguments(ty, &ctor);
            let arity = inner.len();
            inner.extend_from_slice(others);
            let rows = self.specialise(&rows, &ctor, arity);
            for mut row in self.search_missing(rows, inner) {
                let at = row.len() - arity;
                let mut args = row.split_off(at);
                args.reverse();
                row.push(Witness::Ctor(ty, ctor.clone(), args));
                found.push(row);
            }
        }
        found.truncate(MAX_WITNESSES);
        found
    }

    /// Shapes of a type that are not among `used`.
    fn absent(&mut self, ty: TypeId, used: &[Ctor]) -> Vec<Witness> {
        if let Some(Ctor::Range(..)) = used.first() {
            let mut gaps = Vec::new();
            let (mut low, high) = self.domain(ty);
            let mut taken: Vec<(i128, i128)> = used
                .iter()
                .filter_map(|ctor| if let Ctor::Range(a, b) = ctor { Some((*a, *b)) } else { None })
                .collect();
            taken.sort_unstable();
            for (start, end) in taken {
                if start > low {
                    gaps.push(Witness::Ctor(ty, Ctor::Range(low, start - 1), Vec::new()));
                }
                low = low.max(end + 1);
            }
            if low <= high {
                gaps.push(Witness::Ctor(ty, Ctor::Range(low, high), Vec::new()));
            }
            return gaps;
        }
        let Some(all) = self.signature(ty) else { return vec![Witness::Wild] };
        let mut absent = Vec::new();
        for ctor in all {
            if !used.contains(&ctor) {
                let arity = self.arguments(ty, &ctor).len();
                absent.push(Witness::Ctor(ty, ctor, vec![Witness::Wild; arity]));
            }
        }
        absent
    }
}

/// Or-patterns in the first column become rows of their own.
fn expand(rows: Vec<Row>) -> Vec<Row> {
    if !rows.iter().any(|row| matches!(row.first(), Some(Pat::Or(_)))) {
        return rows;
    }
    let mut expanded = Vec::with_capacity(rows.len());
    for row in rows {
        push_expanded(row, &mut expanded);
    }
    expanded
}

fn push_expanded(row: Row, out: &mut Vec<Row>) {
    let Some(Pat::Or(alternatives)) = row.first() else { return out.push(row) };
    for alternative in alternatives.iter() {
        let mut row = row.clone();
        row[0] = alternative.clone();
        push_expanded(row, out);
    }
}

/// The rows that match whatever the first column holds, without it.
fn default(rows: &[Row]) -> Vec<Row> {
    rows.iter().filter(|row| row[0] == Pat::Wild).map(|row| row[1..].to_vec()).collect()
}

/// `asking`: an opaque pattern may match; in a row that is meant to cover, it may not.
fn specialise_row(row: &Row, ctor: &Ctor, arity: usize, asking: bool) -> Option<Row> {
    let (first, others) = row.split_first()?;
    let mut result = match first {
        Pat::Wild => vec![Pat::Wild; arity],
        Pat::Opaque if asking => vec![Pat::Wild; arity],
        Pat::Opaque | Pat::Or(_) => return None,
        Pat::Ctor(own, args) => match (own, ctor) {
            (Ctor::Range(a, b), Ctor::Range(c, d)) => {
                if c < a || d > b {
                    return None;
                }
                Vec::new()
            }
            (Ctor::Slice { prefix, suffix, open }, Ctor::Slice { prefix: p, suffix: s, open: wide }) => {
                let len = p + s;
                if *wide && !open || prefix + suffix > len || !open && prefix + suffix != len {
                    return None;
                }
                slice_items(args, *prefix, *suffix, *p, *s)
            }
            _ if own == ctor => {
                let mut items = args.to_vec();
                items.resize(arity, Pat::Wild);
                items
            }
            _ => return None,
        },
    };
    result.extend_from_slice(others);
    Some(result)
}

/// The items of a bracket pattern laid out over `p` first and `s` last elements.
fn slice_items(args: &Rc<[Pat]>, prefix: usize, suffix: usize, p: usize, s: usize) -> Vec<Pat> {
    let len = p + s;
    let mut items = vec![Pat::Wild; len];
    items[..prefix].clone_from_slice(&args[..prefix]);
    items[len - suffix..].clone_from_slice(&args[prefix..]);
    items
}

/// The lengths to tell apart: each that a pattern may need exactly, and everything longer.
fn slices(heads: &[&Ctor]) -> Vec<Ctor> {
    let (mut exact, mut first, mut last) = (0, 0, 0);
    for head in heads {
        if let Ctor::Slice { prefix, suffix, open } = head {
            if *open {
                first = first.max(*prefix);
                last = last.max(*suffix);
            } else {
                exact = exact.max(prefix + suffix);
            }
        }
    }
    let longest = exact.max(first + last);
    let mut ctors: Vec<Ctor> = (0..=longest).map(|len| Ctor::Slice { prefix: len, suffix: 0, open: false }).collect();
    ctors.push(Ctor::Slice { prefix: longest + 1, suffix: 0, open: true });
    ctors
}

/// Intervals between the bounds that the patterns mention, and whether they cover the domain.
fn ranges(heads: &[&Ctor], (low, high): (i128, i128)) -> (Vec<Ctor>, bool) {
    let mut bounds = Vec::with_capacity(heads.len() * 2);
    let mut used: Vec<(i128, i128)> = Vec::with_capacity(heads.len());
    for head in heads {
        if let Ctor::Range(a, b) = head {
            bounds.push(*a);
            bounds.push(b + 1);
            used.push((*a, *b));
        }
    }
    bounds.sort_unstable();
    bounds.dedup();
    used.sort_unstable();
    let mut ctors = Vec::with_capacity(bounds.len());
    // Walks the used intervals along the bounds; `reach` is the end of those begun so far.
    let (mut next, mut reach) = (0, i128::MIN);
    for pair in bounds.windows(2) {
        let (start, end) = (pair[0], pair[1] - 1);
        while next < used.len() && used[next].0 <= start {
            reach = reach.max(used[next].1);
            next += 1;
        }
        if reach >= end {
            ctors.push(Ctor::Range(start, end));
        }
    }
    let mut covered = low;
    for &(start, end) in &used {
        if start > covered {
            break;
        }
        covered = covered.max(end + 1);
    }
    (ctors, covered > high)
}
