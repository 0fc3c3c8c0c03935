//! What would never end: types without finite size, and generic functions that need ever larger instances.

use cranelift_entity::EntityRef;
use reml_diagnostics::{Diagnostic, Span, codes};
use rustc_hash::FxHashMap;

use crate::cx::*;
use crate::infer::dependencies::components;
use crate::infer::ty::{Node, Ty};
use crate::typed::*;
use crate::types::{Type, TypeId};

impl<'a> Checker<'a> {
    /// Records and newtypes hold their fields directly: one that holds itself has no finite value.
    pub fn check_recursive_types(&mut self) {
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        let edges: Vec<Vec<usize>> = ids
            .iter()
            .map(|&id| {
                let mut held = Vec::new();
                match &self.adts[id].kind {
                    AdtKind::Record(fields) => fields.iter().for_each(|f| self.held_directly(f.ty, &mut held)),
                    AdtKind::Newtype(ty) => self.held_directly(*ty, &mut held),
                    AdtKind::Sum(_) | AdtKind::Opaque => {}
                }
                held
            })
            .collect();
        for group in components(&edges) {
            let first = group[0];
            if group.len() == 1 && !edges[first].contains(&first) {
                continue;
            }
            let info = &self.adts[ids[first]];
            let (span, name) = (info.span, self.names.text(info.name).to_owned());
            let mut diagnostic = Diagnostic::error(
                codes::TYPE_RECURSIVE_VALUE,
                span,
                format!("a value of `{name}` would hold another one inside, without end"),
            );
            for &other in &group[1..] {
                let info = &self.adts[ids[other]];
                let text = format!("through `{}`", self.names.text(info.name));
                diagnostic = diagnostic.with_label(info.span, text);
            }
            self.report(diagnostic.with_help("end the recursion with an `Option`, a list, or a variant without it"));
        }
    }

    fn held_directly(&self, ty: Ty, out: &mut Vec<usize>) {
        match self.t.head(ty) {
            Node::Adt(def, ..) => out.push(def.index()),
            Node::Tuple(list) | Node::Record { fields: list, .. } => {
                list.range().for_each(|i| self.held_directly(self.t.at(list, i), out));
            }
            Node::Fixed(element, _) => self.held_directly(element, out),
            _ => {}
        }
    }

    /// A generic function whose recursive call wraps its own type parameter needs an instance per call.
    pub fn check_polymorphic_recursion(&mut self) {
        let mut growth: Growth<(FnId, u32), (FnId, Span)> = Growth::default();
        let mut ids: Vec<FnId> = self.fn_bodies.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if self.fns[id].arity == 0 || self.is_core(self.fns[id].module) {
                continue;
            }
            for expr in self.fn_bodies[&id].exprs.values() {
                let ExprKind::Fn(callee, args) = &expr.kind else { continue };
                for (index, &arg) in args.iter().enumerate() {
                    let mut params = Vec::new();
                    self.params_in(arg, &mut params);
                    let wraps = !matches!(self.store.get(arg), Type::Param(_));
                    for param in params {
                        growth.flow((id, param), (*callee, index as u32), wraps.then_some((id, expr.span)));
                    }
                }
            }
        }
        for (id, span) in growth.endless() {
            let name = self.names.text(self.fns[id].name).to_owned();
            self.report_endless(span, format!("`{name}` calls itself with an ever larger type"), "function");
        }
    }

    /// A generic type that holds itself applied to a larger argument needs an instance per level.
    pub fn check_expanding_types(&mut self) {
        let mut growth: Growth<(TypeDefId, u32), (TypeDefId, Span)> = Growth::default();
        for (id, info) in &self.adts {
            if self.is_core(info.module) {
                continue;
            }
            match &info.kind {
                AdtKind::Sum(variants) => {
                    for variant in variants {
                        variant.fields.iter().for_each(|f| self.applications(id, f.ty, variant.span, &mut growth));
                    }
                }
                AdtKind::Record(fields) => {
                    fields.iter().for_each(|f| self.applications(id, f.ty, info.span, &mut growth));
                }
                AdtKind::Newtype(ty) => self.applications(id, *ty, info.span, &mut growth),
                AdtKind::Opaque => {}
            }
        }
        for (id, span) in growth.endless() {
            let name = self.names.text(self.adts[id].name).to_owned();
            self.report_endless(span, format!("`{name}` holds itself with an ever larger type"), "type");
        }
    }

    fn report_endless(&mut self, span: Span, message: String, what: &str) {
        let help = format!("every instance of a {what} is compiled on its own: there would be no end of them");
        self.error_once(Diagnostic::error(codes::TYPE_POLYMORPHIC_RECURSION, span, message).with_help(help));
    }

    /// Where the parameters of `owner` go in the types that are applied inside `ty`.
    fn applications(
        &self,
        owner: TypeDefId,
        ty: Ty,
        span: Span,
        growth: &mut Growth<(TypeDefId, u32), (TypeDefId, Span)>,
    ) {
        let node = self.t.head(ty);
        if let Node::Adt(def, args, _) = node {
            for index in args.range() {
                let arg = self.t.at(args, index);
                let mut params = Vec::new();
                self.params_of(arg, &mut params);
                let wraps = !matches!(self.t.head(arg), Node::Param(_));
                for param in params {
                    growth.flow((owner, param), (def, index as u32), wraps.then_some((owner, span)));
                }
            }
        }
        self.parts(node).into_iter().for_each(|part| self.applications(owner, part, span, growth));
    }

    fn params_of(&self, ty: Ty, out: &mut Vec<u32>) {
        match self.t.head(ty) {
            Node::Param(index) => out.push(index),
            node => self.parts(node).into_iter().for_each(|part| self.params_of(part, out)),
        }
    }

    /// The types that a type is made of.
    fn parts(&self, node: Node) -> Vec<Ty> {
        match node {
            Node::Tuple(list)
            | Node::Record { fields: list, .. }
            | Node::Fn { sig: list, .. }
            | Node::Adt(_, list, _) => list.range().map(|index| self.t.at(list, index)).collect(),
            Node::Array(inner) | Node::Fixed(inner, _) | Node::Ref { inner, .. } | Node::Cell(inner) => vec![inner],
            Node::Var(_) | Node::Prim(_) | Node::Param(_) | Node::Error => Vec::new(),
        }
    }

    fn params_in(&self, ty: TypeId, out: &mut Vec<u32>) {
        match self.store.get(ty) {
            Type::Param(index) => out.push(*index),
            Type::Tuple(items) | Type::Adt(_, items) => items.iter().for_each(|&t| self.params_in(t, out)),
            Type::Record(fields) => fields.iter().for_each(|&(_, t)| self.params_in(t, out)),
            Type::Fn { params, ret } => {
                params.iter().for_each(|&t| self.params_in(t, out));
                self.params_in(*ret, out);
            }
            Type::Array(t) | Type::FixedArray(t, _) | Type::Ref { inner: t, .. } | Type::VarCell(t) => {
                self.params_in(*t, out);
            }
            Type::Prim(_) | Type::Error => {}
        }
    }
}

/// Where type parameters flow; an endless expansion is a cycle with an edge on which the type grows [Kennedy and Pierce
/// 2007, section 5].
struct Growth<Param, Site> {
    numbers: FxHashMap<Param, usize>,
    edges: Vec<Vec<usize>>,
    growing: Vec<(usize, usize, Site)>,
}

impl<Param, Site> Default for Growth<Param, Site> {
    fn default() -> Self {
        Growth { numbers: FxHashMap::default(), edges: Vec::new(), growing: Vec::new() }
    }
}

impl<Param: Eq + std::hash::Hash, Site> Growth<Param, Site> {
    /// `from` is part of the argument for `to`; `wrapped` is where, if it is not the whole of it.
    fn flow(&mut self, from: Param, to: Param, wrapped: Option<Site>) {
        let (from, to) = (self.number(from), self.number(to));
        self.edges[from].push(to);
        self.growing.extend(wrapped.map(|site| (from, to, site)));
    }

    fn number(&mut self, param: Param) -> usize {
        *self.numbers.entry(param).or_insert_with(|| {
            self.edges.push(Vec::new());
            self.edges.len() - 1
        })
    }

    /// The growing edges that lie on a cycle.
    fn endless(self) -> impl Iterator<Item = Site> {
        let mut group_of = vec![0; self.edges.len()];
        if !self.growing.is_empty() {
            for (index, group) in components(&self.edges).into_iter().enumerate() {
                group.into_iter().for_each(|member| group_of[member] = index);
            }
        }
        let on_cycle = move |(from, to, site)| (group_of[from] == group_of[to]).then_some(site);
        self.growing.into_iter().filter_map(on_cycle)
    }
}
