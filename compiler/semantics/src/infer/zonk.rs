//! The end of a body: inference types become final ones, literals get their values, references are recorded.

use cranelift_entity::{EntityRef, PrimaryMap};
use reml_diagnostics::{Diagnostic, Span, codes};

use super::body::{BodyCx, RIGID};
use super::ty::{List, Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::traits::Asker;
use crate::typed::*;
use crate::types::{Prim, Type, TypeId};

impl<'a> Checker<'a> {
    /// Completes the current body and files it under its definition.
    pub fn finish_body(&mut self, def: Def) {
        self.file_notes(Asker::Def(def));
        let mut b = std::mem::take(&mut self.b);
        let Some(root) = b.root else { return };
        if !b.rigid_scopes.is_empty() {
            self.check_rigid_scopes(&b);
        }
        let arity = match def {
            Def::Fn(id) => self.fns[id].arity,
            Def::Global(_) => 0,
        };
        self.rigid_base = arity;
        for (id, list) in std::mem::take(&mut b.type_args) {
            let args: Vec<TypeId> = list.range().map(|i| self.final_type(self.t.at(list, i))).collect();
            match &mut b.exprs[id].kind {
                ExprKind::Fn(_, slot) | ExprKind::Method { args: slot, .. } => *slot = args,
                ExprKind::Handle(handle) => handle.effect_args = args,
                ExprKind::Perform(perform) => {
                    let (of_effect, own) = args.split_at(self.effect_decls[perform.effect].generics.len());
                    (perform.effect_args, perform.type_args) = (of_effect.to_vec(), own.to_vec());
                }
                _ => {}
            }
        }
        for id in std::mem::take(&mut b.group_uses) {
            if let ExprKind::Fn(callee, slot) = &mut b.exprs[id].kind {
                let arity = self.fns[*callee].arity;
                *slot = (0..arity).map(|i| self.store.intern(Type::Param(i))).collect();
            }
        }
        for (id, step, ty) in std::mem::take(&mut b.place_tys) {
            let ty = self.final_type(ty);
            if let ExprKind::Assign { place, .. } | ExprKind::BorrowMut(place) = &mut b.exprs[id].kind {
                match &mut place.path[step as usize] {
                    PlaceStep::Field { ty: slot, .. } | PlaceStep::Index { ty: slot, .. } => *slot = ty,
                }
            }
        }
        for index in 0..b.exprs.len() {
            let id = ExprId::new(index);
            let ty = self.final_type(b.tys[index]);
            let expr = &mut b.exprs[id];
            expr.ty = ty;
            match &mut expr.kind {
                ExprKind::Int(value) => {
                    let Type::Prim(prim) = *self.store.get(ty) else { continue };
                    let value = *value;
                    if prim.is_float() {
                        expr.kind = ExprKind::Float(value as f64);
                    } else if prim.is_integer() && !Self::literal_fits(value, prim) {
                        let span = expr.span;
                        self.out_of_range(value, prim, span);
                    }
                }
                ExprKind::Array(items) if matches!(self.store.get(ty), Type::Adt(..)) => {
                    let items = std::mem::take(items);
                    let span = expr.span;
                    self.list_literal(&mut b, id, items, ty, span);
                }
                ExprKind::Float(value) if *self.store.get(ty) == Type::Prim(Prim::F32) => {
                    *value = f64::from(*value as f32);
                }
                _ => {}
            }
        }
        for index in 0..b.patterns.len() {
            let id = PatternId::new(index);
            let ty = self.final_type(b.pattern_tys[index]);
            let pattern = &mut b.patterns[id];
            pattern.ty = ty;
            let Type::Prim(prim) = *self.store.get(ty) else { continue };
            match pattern.kind {
                PatternKind::Int(value) => {
                    if prim.is_float() {
                        pattern.kind = PatternKind::Float(value as f64);
                    } else if !Self::literal_fits(value, prim) {
                        let span = pattern.span;
                        self.out_of_range(value, prim, span);
                    }
                }
                PatternKind::IntRange { start, end } if prim.is_float() => {
                    pattern.kind = PatternKind::FloatRange {
                        start: start.map(|v| v as f64),
                        end: end.map(|v| v as f64),
                        inclusive: true,
                    };
                }
                _ => {}
            }
        }
        for index in 0..b.locals.len() {
            let ty = self.final_type(b.local_tys[index]);
            b.locals[LocalId::new(index)].ty = ty;
        }
        self.settle_clauses(&mut b, arity);
        let delayed = b.references.iter().any(|&reference| match reference {
            Reference::Global(id) => self.delay_of(id).is_some(),
            _ => false,
        });
        if delayed {
            b.references.extend(self.lang_traits.delay.map(Reference::Trait));
        }
        b.references.sort_unstable();
        b.references.dedup();
        let references = std::mem::take(&mut b.references);
        self.follow(&references);
        self.references.insert(def, references);
        let body = Body {
            locals: without_slack(b.locals),
            exprs: without_slack(b.exprs),
            patterns: without_slack(b.patterns),
            params: b.params,
            root,
            escapes: b.escapes,
        };
        match def {
            Def::Fn(id) => {
                self.fn_bodies.insert(id, body);
            }
            Def::Global(id) => {
                self.global_bodies.insert(id, body);
            }
        }
    }

    /// An array literal that turned out to be a list: `Cons(a, Cons(b, Nil))`.
    fn list_literal(&mut self, b: &mut BodyCx, id: ExprId, items: Vec<ExprId>, ty: TypeId, span: Span) {
        let Some(def) = self.lang.list else { return };
        let nil = self.variant_named(def, self.sym.nil).unwrap_or(0);
        let cons = self.variant_named(def, self.sym.cons).unwrap_or(1);
        let mut rest = ExprKind::Construct { variant: nil, args: Vec::new() };
        for item in items.into_iter().rev() {
            let tail = b.exprs.push(Expr { kind: rest, ty, span });
            rest = ExprKind::Construct { variant: cons, args: vec![item, tail] };
        }
        b.exprs[id].kind = rest;
    }

    fn out_of_range(&mut self, value: i128, prim: Prim, span: Span) {
        let shown = match prim {
            Prim::I64 => "Int",
            other => other.name(),
        };
        let text = if value == i128::MAX { "this number".to_owned() } else { format!("{value}") };
        self.error_once(
            Diagnostic::error(codes::TYPE_LITERAL_RANGE, span, format!("{text} does not fit into `{shown}`"))
                .with_primary_label("out of range"),
        );
    }

    pub fn clear_zonked(&mut self) {
        self.zonked_temp.clear();
    }

    /// The final type; variables that nothing bound get their defaults.
    pub fn final_type(&mut self, ty: Ty) -> TypeId {
        let ty = self.t.resolve(ty);
        if let Some(known) = self.zonked(ty) {
            return known;
        }
        let id = match self.t.get(ty) {
            Node::Var(var) => {
                match self.t.kind_of_var(var) {
                    VarKind::Any => self.t.bind(var, Types::UNIT),
                    _ => self.t.settle(ty),
                }
                return self.final_type(ty);
            }
            Node::Prim(prim) => self.store.prim(prim),
            Node::Tuple(list) => {
                let items = self.final_list(list);
                self.store.intern(Type::Tuple(items))
            }
            Node::Record { shape, fields } => {
                let types = self.final_list(fields);
                let names = self.t.shape(shape);
                let fields = names.iter().copied().zip(types.iter().copied()).collect();
                self.store.intern(Type::Record(fields))
            }
            Node::Fn { sig, .. } => {
                let items = self.final_list(sig);
                let (ret, params) = match items.split_last() {
                    Some((&ret, params)) => (ret, params.into()),
                    None => (self.store.error(), Box::default()),
                };
                self.store.intern(Type::Fn { params, ret })
            }
            Node::Adt(def, list, _) => {
                let items = self.final_list(list);
                self.store.intern(Type::Adt(def, items))
            }
            Node::Array(element) => {
                let element = self.final_type(element);
                self.store.intern(Type::Array(element))
            }
            Node::Fixed(element, len) => {
                let element = self.final_type(element);
                self.store.intern(Type::FixedArray(element, u64::from(len)))
            }
            Node::Ref { mutable, inner } => {
                let inner = self.final_type(inner);
                self.store.intern(Type::Ref { mutable, inner })
            }
            Node::Cell(inner) => {
                let inner = self.final_type(inner);
                self.store.intern(Type::VarCell(inner))
            }
            Node::Param(index) if index >= RIGID => self.store.intern(Type::Param(index - RIGID + self.rigid_base)),
            Node::Param(index) => self.store.intern(Type::Param(index)),
            Node::Error => self.store.error(),
        };
        self.remember(ty, id);
        id
    }

    fn final_list(&mut self, list: List) -> Box<[TypeId]> {
        list.range().map(|i| self.final_type(self.t.at(list, i))).collect()
    }

    fn zonked(&self, ty: Ty) -> Option<TypeId> {
        let (temporary, index) = ty.split();
        let table = if temporary { &self.zonked_temp } else { &self.zonked_perm };
        table.get(index).copied().flatten()
    }

    fn remember(&mut self, ty: Ty, id: TypeId) {
        let (temporary, index) = ty.split();
        let table = if temporary { &mut self.zonked_temp } else { &mut self.zonked_perm };
        if index >= table.len() {
            table.resize(index + 1, None);
        }
        table[index] = Some(id);
    }
}

/// Bodies outlive the checker; the tables they grew in serve the next one.
fn without_slack<Id: EntityRef, Value>(table: PrimaryMap<Id, Value>) -> PrimaryMap<Id, Value> {
    let mut exact = PrimaryMap::with_capacity(table.len());
    for (_, value) in table {
        exact.push(value);
    }
    exact
}
