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
        let mut numbers: FxHashMap<(FnId, u32), usize> = FxHashMap::default();
        let mut edges: Vec<Vec<usize>> = Vec::new();
        let mut growing: Vec<(usize, usize, Span, FnId)> = Vec::new();
        let mut number = |id: FnId, param: u32, edges: &mut Vec<Vec<usize>>| {
            *numbers.entry((id, param)).or_insert_with(|| {
                edges.push(Vec::new());
                edges.len() - 1
            })
        };
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
                        let from = number(id, param, &mut edges);
                        let to = number(*callee, index as u32, &mut edges);
                        edges[from].push(to);
                        if wraps {
                            growing.push((from, to, expr.span, id));
                        }
                    }
                }
            }
        }
        if growing.is_empty() {
            return;
        }
        let mut group_of = vec![0; edges.len()];
        for (index, group) in components(&edges).into_iter().enumerate() {
            for member in group {
                group_of[member] = index;
            }
        }
        for (from, to, span, id) in growing {
            if group_of[from] == group_of[to] {
                let name = self.names.text(self.fns[id].name).to_owned();
                self.error_once(
                    Diagnostic::error(
                        codes::TYPE_POLYMORPHIC_RECURSION,
                        span,
                        format!("`{name}` calls itself with an ever larger type"),
                    )
                    .with_help("every instance of a function is compiled on its own: there would be no end of them"),
                );
            }
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
