//! From recorded rows to effect sets: the least solution, callees before callers.
//!
//! Each group of definitions leaves its row graph. A definition's summary says, per row of its signature, which tags
//! the row has of its own and which other rows of the signature flow into it; a use of the definition instantiates the
//! summary. What flows through a handler loses the handled effect on the way. Groups are solved in dependency order, mutually recursive ones to a fixed point.

use rustc_hash::FxHashMap;

use super::{Bound, Callee, Event, Handled, TagSet};
use crate::cx::*;
use crate::infer::dependencies::components;
use crate::typed::*;

/// The row graph of the definitions checked between two resets, variables merged.
pub(crate) struct Facts {
    pub defs: Vec<(Def, Vec<u32>)>,
    pub rows: u32,
    pub edges: Vec<(u32, u32)>,
    pub handled: Vec<Handled>,
    pub events: Vec<Event>,
    pub uses: Vec<FactUse>,
    pub bounds: Vec<Bound>,
}

pub(crate) struct FactUse {
    pub callee: Callee,
    pub span: reml_diagnostics::Span,
    pub rows: Vec<u32>,
}

/// One row of a signature: its own tags, and which rows of the signature flow into it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct RowSummary {
    pub tags: TagSet,
    pub from: u64,
    /// Rows that flow into it through handlers, without some tags; ascending, and none that is in `from`.
    pub without: Vec<(u32, TagSet)>,
}

impl RowSummary {
    /// What flows on from `other`, less some tags; true when that is news.
    fn receive(&mut self, other: &RowSummary, less: Option<&TagSet>) -> bool {
        let Some(less) = less else {
            let mut grew = self.tags.add(&other.tags);
            grew |= other.from & !self.from != 0;
            self.from |= other.from;
            self.without.retain(|(row, _)| self.from & 1 << row == 0);
            for (row, less) in &other.without {
                grew |= self.receive_without(*row, less.clone());
            }
            return grew;
        };
        let mut grew = self.tags.add(&other.tags.minus(less));
        let mut from = other.from;
        while from != 0 {
            let row = from.trailing_zeros();
            from &= from - 1;
            grew |= self.receive_without(row, less.clone());
        }
        for (row, already) in &other.without {
            grew |= self.receive_without(*row, already.clone().union(less));
        }
        grew
    }

    fn receive_without(&mut self, row: u32, less: TagSet) -> bool {
        if self.from & 1 << row != 0 {
            return false;
        }
        match self.without.binary_search_by_key(&row, |(row, _)| *row) {
            Err(at) => {
                self.without.insert(at, (row, less));
                true
            }
            Ok(at) => {
                // On one way or the other.
                let both = self.without[at].1.intersection(&less);
                let grew = both != self.without[at].1;
                self.without[at].1 = both;
                grew
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct EffectFacts {
    pub groups: Vec<Facts>,
    pub summaries: FxHashMap<Def, Vec<RowSummary>>,
    /// The group of each definition.
    pub home: FxHashMap<Def, usize>,
    pub methods: FxHashMap<Callee, Vec<FnId>>,
}

impl<'a> Checker<'a> {
    /// Files the row graph of what has been checked since the last reset.
    pub fn collect_effects(&mut self) {
        let defs = std::mem::take(&mut self.group_rows);
        if defs.is_empty() {
            return;
        }
        let heads: Vec<Option<Head>> = (0..self.t.rows.uses.len())
            .map(|i| {
                let u = self.t.rows.uses[i];
                matches!(u.callee, Callee::Method(..)).then(|| self.head_of(u.subject)).flatten()
            })
            .collect();
        let rows = &mut self.t.rows;
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        let mut number = |rows: &mut super::Rows, row: u32| {
            let root = rows.find(row);
            let next = numbers.len() as u32;
            *numbers.entry(root).or_insert(next)
        };
        let defs: Vec<(Def, Vec<u32>)> = defs
            .into_iter()
            .map(|(def, list)| (def, list.into_iter().map(|row| number(rows, row)).collect()))
            .collect();
        let mut edges: Vec<(u32, u32)> = std::mem::take(&mut rows.edges)
            .into_iter()
            .map(|(from, to)| (number(rows, from), number(rows, to)))
            .filter(|(from, to)| from != to)
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let handled = std::mem::take(&mut rows.handled)
            .into_iter()
            .map(|edge| Handled { from: number(rows, edge.from), to: number(rows, edge.to), ..edge })
            .collect();
        let events = std::mem::take(&mut rows.events)
            .into_iter()
            .map(|event| Event { row: number(rows, event.row), ..event })
            .collect();
        let uses = std::mem::take(&mut rows.uses);
        let use_rows = std::mem::take(&mut rows.use_rows);
        let uses = uses
            .into_iter()
            .zip(heads)
            .map(|(u, head)| {
                let first = u.first_row as usize;
                let list = &use_rows[first..first + u.row_count as usize];
                let callee = match (u.callee, head) {
                    (Callee::Method(trait_, index), Some(head)) if head != Head::Any => {
                        Callee::MethodOn(trait_, index, head)
                    }
                    (callee, _) => callee,
                };
                FactUse { callee, span: u.span, rows: list.iter().map(|&row| number(rows, row)).collect() }
            })
            .collect();
        let bounds = std::mem::take(&mut rows.bounds)
            .into_iter()
            .map(|bound| Bound { row: number(rows, bound.row), ..bound })
            .collect();
        let count = numbers.len() as u32;
        self.effects.groups.push(Facts { defs, rows: count, edges, handled, events, uses, bounds });
    }

    /// Does a value of the type live on the heap?
    fn is_allocated(&self, ty: crate::infer::ty::Ty) -> bool {
        use crate::infer::ty::Node;
        match self.t.head(ty) {
            Node::Prim(p) => p == crate::types::Prim::Str,
            Node::Array(_) | Node::Adt(..) | Node::Cell(_) => true,
            _ => false,
        }
    }

    /// The functions a use may run.
    fn callees(&self, callee: Callee) -> Vec<FnId> {
        match callee {
            Callee::Fn(id) => vec![id],
            Callee::Global(_) => Vec::new(),
            Callee::Method(trait_, index) => {
                let method = &self.traits[trait_].methods[index as usize];
                let mut all = vec![method.def];
                all.extend(
                    self.impls
                        .values()
                        .filter(|info| info.trait_ == Some(trait_))
                        .filter_map(|info| info.methods.get(index as usize).copied().flatten()),
                );
                all
            }
            Callee::MethodOn(trait_, index, head) => {
                let method = &self.traits[trait_].methods[index as usize];
                let own = self.impl_index.get(&(trait_, head)).into_iter().flatten();
                let blanket = self.impl_index.get(&(trait_, Head::Any)).into_iter().flatten();
                let mut all: Vec<FnId> = own
                    .chain(blanket)
                    .map(|&id| self.impls[id].methods.get(index as usize).copied().flatten().unwrap_or(method.def))
                    .collect();
                if all.is_empty() {
                    // Structural: the parts may have impls of the program's own.
                    all.extend(
                        self.impls
                            .values()
                            .filter(|info| info.trait_ == Some(trait_) && !self.is_core(info.module))
                            .filter_map(|info| info.methods.get(index as usize).copied().flatten()),
                    );
                }
                all
            }
        }
    }

    pub fn solve_effects(&mut self) {
        let groups = std::mem::take(&mut self.effects.groups);
        let mut home: FxHashMap<Def, usize> = FxHashMap::default();
        for (index, group) in groups.iter().enumerate() {
            for (def, _) in &group.defs {
                home.insert(*def, index);
            }
        }
        let mut method_cache: FxHashMap<Callee, Vec<FnId>> = FxHashMap::default();
        for group in &groups {
            for u in &group.uses {
                if u.callee.def().is_none() && !method_cache.contains_key(&u.callee) {
                    let all = self.callees(u.callee);
                    method_cache.insert(u.callee, all);
                }
            }
        }
        // Functions without a body have what they declare.
        let ids: Vec<FnId> = self.fns.keys().collect();
        for id in ids {
            let info = &self.fns[id];
            if home.contains_key(&Def::Fn(id)) {
                continue;
            }
            let declared = info.declared.as_ref().map_or_else(TagSet::default, |row| row.closed.tags.clone());
            let own = match info.linkage {
                Linkage::Foreign => declared.union(&super::tags::FFI),
                Linkage::Prim | Linkage::Rt if self.is_allocated(info.ret) => declared.union(&super::tags::ALLOC),
                _ => declared,
            };
            let mut summary = vec![RowSummary::default(); info.row_count.max(1) as usize];
            summary[0].tags = own;
            // Without a body to look at, the functions it is given may be called.
            for row in 1..summary.len().min(64) {
                summary[0].from |= 1 << row;
            }
            self.effects.summaries.insert(Def::Fn(id), summary);
        }
        let edges: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| {
                let mut out: Vec<usize> = Vec::new();
                for u in &group.uses {
                    match u.callee.def() {
                        Some(def) => out.extend(home.get(&def)),
                        None => out.extend(method_cache[&u.callee].iter().filter_map(|id| home.get(&Def::Fn(*id)))),
                    }
                }
                out.sort_unstable();
                out.dedup();
                out
            })
            .collect();
        for component in components(&edges) {
            loop {
                let mut changed = false;
                for &index in &component {
                    changed |= self.solve_group(&groups[index], &method_cache);
                }
                if !changed || component.len() == 1 && !edges[component[0]].contains(&component[0]) {
                    break;
                }
            }
        }
        self.effects.groups = groups;
        self.effects.home = home;
        self.effects.methods = method_cache;
    }

    /// Values of all rows of a group under the current summaries; true when a summary of the group changed.
    fn solve_group(&mut self, group: &Facts, methods: &FxHashMap<Callee, Vec<FnId>>) -> bool {
        let values = self.row_values(group, methods);
        let mut changed = false;
        let sig_rows: Vec<u32> = signature_rows(group);
        for (def, rows) in &group.defs {
            let mut summary: Vec<RowSummary> = Vec::with_capacity(rows.len());
            for &row in rows {
                let value = &values[row as usize];
                let mut part = RowSummary { tags: value.tags.clone(), ..RowSummary::default() };
                for (own, &other) in rows.iter().enumerate().take(64) {
                    let Some(joint) = sig_rows.iter().position(|&s| s == other).filter(|&joint| joint < 64) else {
                        continue;
                    };
                    if value.from & (1 << joint) != 0 {
                        part.from |= 1 << own;
                    } else if let Some((_, less)) = value.without.iter().find(|(row, _)| *row as usize == joint) {
                        part.without.push((own as u32, less.clone()));
                    }
                }
                summary.push(part);
            }
            if let Def::Fn(id) = def
                && let Some(declared) = &self.fns[*id].declared
                && let Some(own) = summary.first_mut()
            {
                // A written bound is what callers see, and what a written effect implies as far as it happens; going
                // beyond the bound is reported once.
                let declared = &declared.closed.tags;
                let allowed = self.tags.expand(declared).union(&super::tags::ALLOC);
                own.tags = own.tags.intersection(&allowed).union(declared);
            }
            if self.effects.summaries.get(def) != Some(&summary) {
                self.effects.summaries.insert(*def, summary);
                changed = true;
            }
        }
        changed
    }

    pub fn row_values(&self, group: &Facts, methods: &FxHashMap<Callee, Vec<FnId>>) -> Vec<RowSummary> {
        let mut values = vec![RowSummary::default(); group.rows as usize];
        for (joint, &row) in signature_rows(group).iter().enumerate().take(64) {
            values[row as usize].from |= 1 << joint;
        }
        for event in &group.events {
            values[event.row as usize].tags.add(&event.tags);
        }
        let mut edges: Vec<(u32, u32)> = group.edges.clone();
        let mut filtered: Vec<(u32, u32, TagSet)> =
            group.handled.iter().map(|edge| (edge.from, edge.to, TagSet::one(edge.tag))).collect();
        for u in &group.uses {
            match u.callee.def() {
                Some(def) => {
                    let Some(summary) = self.effects.summaries.get(&def) else { continue };
                    for (row, part) in u.rows.iter().zip(summary) {
                        values[*row as usize].tags.add(&part.tags);
                        for (other, less) in &part.without {
                            if let Some(&other) = u.rows.get(*other as usize)
                                && other != *row
                            {
                                filtered.push((other, *row, less.clone()));
                            }
                        }
                        let mut from = part.from;
                        while from != 0 {
                            let other = from.trailing_zeros() as usize;
                            from &= from - 1;
                            if let Some(&other) = u.rows.get(other)
                                && other != *row
                            {
                                edges.push((other, *row));
                            }
                        }
                    }
                }
                None => {
                    let tags = methods
                        .get(&u.callee)
                        .into_iter()
                        .flatten()
                        .filter_map(|id| self.effects.summaries.get(&Def::Fn(*id)))
                        .filter_map(|summary| summary.first())
                        .fold(TagSet::default(), |all, own| all.union(&own.tags));
                    let tags = match self.declared_by_trait(u.callee) {
                        Some(declared) => tags.intersection(&declared),
                        None => tags,
                    };
                    if let Some(&row) = u.rows.first() {
                        values[row as usize].tags.add(&tags);
                    }
                }
            }
        }
        if edges.is_empty() && filtered.is_empty() {
            return values;
        }
        let mut out: Vec<Vec<(u32, Option<&TagSet>)>> = vec![Vec::new(); values.len()];
        for (from, to) in edges {
            out[from as usize].push((to, None));
        }
        for (from, to, less) in &filtered {
            out[*from as usize].push((*to, Some(less)));
        }
        let mut work: Vec<u32> = (0..values.len() as u32).collect();
        while let Some(row) = work.pop() {
            let value = std::mem::take(&mut values[row as usize]);
            for &(to, less) in &out[row as usize] {
                if to != row && values[to as usize].receive(&value, less) {
                    work.push(to);
                }
            }
            values[row as usize] = value;
        }
        values
    }

    /// What a trait's method may have in any impl, if its row is written.
    fn declared_by_trait(&self, callee: Callee) -> Option<TagSet> {
        let (Callee::Method(trait_, index) | Callee::MethodOn(trait_, index, _)) = callee else { return None };
        let method = self.traits[trait_].methods[index as usize].def;
        let declared = &self.fns[method].declared.as_ref()?.closed.tags;
        Some(self.tags.expand(declared).union(&super::tags::ALLOC))
    }

    /// The tags a function may perform.
    pub fn effects_of(&self, id: FnId) -> TagSet {
        let own = self.effects.summaries.get(&Def::Fn(id)).and_then(|s| s.first());
        own.map_or_else(TagSet::default, |own| self.tags.expand(&own.tags))
    }
}

/// The rows of all signatures of a group, each once.
fn signature_rows(group: &Facts) -> Vec<u32> {
    let mut rows: Vec<u32> = Vec::new();
    for (_, list) in &group.defs {
        for &row in list.iter() {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}
