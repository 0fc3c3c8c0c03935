//! Places: what can be assigned to or borrowed mutably.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;

use super::body::{Want, Why};
use super::ty::{Node, Ty, Types};
use crate::cx::*;
use crate::effects::tags;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub fn assign(&mut self, place: &ast::Expr, value: &ast::Expr, legacy: bool, span: Span) -> ExprId {
        if legacy {
            let between = Span::new(place.span.end, value.span.start);
            self.report(Diagnostic::warning(codes::ASSIGN_LEGACY, between, "assignment is written `:=`").with_fix(
                between,
                " := ",
                "write `:=`",
            ));
        }
        let target = self.expr(place, Want::NOTHING);
        let value_id = {
            let ty = self.t.peel(self.b.ty(target));
            let at = match self.place_of(target) {
                Some((place, _)) => self.b.locals[place.local].span,
                None => place.span,
            };
            let id = self.expr(value, Want::of(ty, Why::Assigned(at)));
            let id = self.deref(id);
            self.coerce(id, ty, Why::Assigned(at))
        };
        if legacy
            && let Some((place, _)) = self.place_of(target)
            && !place.path.is_empty()
        {
            self.allow_legacy(place.local);
        }
        self.assign_value(place.span, target, value_id, span)
    }

    /// Assigns a value to the place that an expression, written at `at`, reads from.
    pub fn assign_value(&mut self, at: Span, target: ExprId, value: ExprId, span: Span) -> ExprId {
        if self.b.is_error(target) {
            return self.b.error(span);
        }
        let ty = self.t.peel(self.b.ty(target));
        let value = self.coerce(value, ty, Why::Assigned(at));
        if let Some((global, path, steps)) = self.global_place(target) {
            return self.assign_global(global, path, steps, value, span);
        }
        let Some((place, steps)) = self.place_of(target) else {
            self.report(Diagnostic::error(codes::ASSIGN_INVALID_PLACE, at, "this cannot be assigned to").with_help(
                "only a `var`, and its fields and elements, can be assigned to; a shared cell is set with `.set(..)`",
            ));
            return self.b.error(span);
        };
        self.check_mutable(&place, span);
        let id = self.b.expr(ExprKind::Assign { place, value }, Types::UNIT, span);
        for (index, ty) in steps.into_iter().enumerate() {
            self.b.place_tys.push((id, index as u32, ty));
        }
        id
    }

    /// `a.b = c` makes a `var` of the `let` that declared `a`, as older programs expect; there has been a warning.
    fn allow_legacy(&mut self, local: LocalId) {
        let declared = &mut self.b.locals[local];
        if declared.name.is_some() && self.b.lets.contains(local) {
            declared.mutable = true;
            declared.boxed = true;
        }
    }

    /// The place that an expression reads from, and the types along its path.
    fn place_of(&self, id: ExprId) -> Option<(Place, Vec<Ty>)> {
        let expr = &self.b.exprs[id];
        match &expr.kind {
            ExprKind::Local(local) => Some((Place { local: *local, path: Vec::new() }, Vec::new())),
            ExprKind::Deref(inner) => self.place_of(*inner),
            ExprKind::Field { base, index } => {
                let (mut place, mut types) = self.place_of(*base)?;
                place.path.push(PlaceStep::Field { index: *index, ty: super::body::PENDING });
                types.push(self.b.ty(id));
                Some((place, types))
            }
            ExprKind::Index { base, index } => {
                let (mut place, mut types) = self.place_of(*base)?;
                place.path.push(PlaceStep::Index { index: *index, ty: super::body::PENDING, span: expr.span });
                types.push(self.b.ty(id));
                Some((place, types))
            }
            _ => None,
        }
    }

    /// A place inside of a module's `var`: reading one is a call on its cell.
    fn global_place(&self, id: ExprId) -> Option<(GlobalId, Vec<PlaceStep>, Vec<Ty>)> {
        let expr = &self.b.exprs[id];
        match &expr.kind {
            ExprKind::Call { args, .. } => {
                let mut at = *args.first().filter(|_| args.len() == 1)?;
                if let ExprKind::Borrow(inner) = self.b.exprs[at].kind {
                    at = inner;
                }
                match self.b.exprs[at].kind {
                    ExprKind::Global(global) if self.globals[global].mutable => Some((global, Vec::new(), Vec::new())),
                    _ => None,
                }
            }
            ExprKind::Field { base, index } => {
                let (global, mut path, mut types) = self.global_place(*base)?;
                path.push(PlaceStep::Field { index: *index, ty: super::body::PENDING });
                types.push(self.b.ty(id));
                Some((global, path, types))
            }
            ExprKind::Index { base, index } => {
                let (global, mut path, mut types) = self.global_place(*base)?;
                path.push(PlaceStep::Index { index: *index, ty: super::body::PENDING, span: expr.span });
                types.push(self.b.ty(id));
                Some((global, path, types))
            }
            _ => None,
        }
    }

    /// `counter := v` sets the cell; `state.x := v` changes what is in it.
    fn assign_global(
        &mut self,
        global: GlobalId,
        path: Vec<PlaceStep>,
        steps: Vec<Ty>,
        value: ExprId,
        span: Span,
    ) -> ExprId {
        let row = self.b.row();
        self.effect_event(
            row,
            tags::MUT,
            span,
            crate::effects::What::Text("this assignment to a variable of the module"),
        );
        let ty = self.globals[global].ty.unwrap_or(Types::ERROR);
        self.reference(Reference::Global(global));
        if path.is_empty() {
            let cell_ty = self.t.node(Node::Cell(ty));
            let cell = self.b.expr(ExprKind::Global(global), cell_ty, span);
            return self.prim_call("cell_set", vec![cell, value], Types::UNIT, span);
        }
        let place = Place { local: self.b.global_local(global, ty, span), path };
        let id = self.b.expr(ExprKind::Assign { place, value }, Types::UNIT, span);
        for (index, ty) in steps.into_iter().enumerate() {
            self.b.place_tys.push((id, index as u32, ty));
        }
        id
    }

    fn check_mutable(&mut self, place: &Place, span: Span) {
        let local = place.local;
        let ty = self.b.local_ty(local);
        match self.t.head(ty) {
            Node::Error => {}
            Node::Ref { mutable: true, .. } => self.share(local, span),
            Node::Ref { mutable: false, .. } => {
                let text = self.local_name(local);
                let declared = self.b.locals[local].span;
                self.report(
                    Diagnostic::error(
                        codes::ASSIGN_IMMUTABLE,
                        span,
                        format!("`{text}` is a read-only reference, so it cannot be changed"),
                    )
                    .with_label(declared, "declared as `&` here")
                    .with_help("take it as `&mut`"),
                );
            }
            _ if self.b.locals[local].mutable => self.share(local, span),
            _ => {
                let text = self.local_name(local);
                let declared = self.b.locals[local].span;
                let mut diagnostic = Diagnostic::error(
                    codes::ASSIGN_IMMUTABLE,
                    span,
                    format!("`{text}` is not a `var`, so it cannot be changed"),
                )
                .with_label(declared, "declared here");
                diagnostic = diagnostic.with_help(format!("declare it with `var {text} = ..`"));
                self.report(diagnostic);
            }
        }
    }

    /// A variable or `&mut` parameter is changed: a lambda that does so shares it with the function around.
    fn share(&mut self, local: LocalId, span: Span) {
        self.b.share(local);
        if self.b.is_outside_lambda(local) && !self.is_core(self.b.module) && !self.is_handler_state(local) {
            let row = self.b.row();
            let what = crate::effects::What::Text("this assignment to a variable of the function around it");
            self.effect_event(row, tags::MUT, span, what);
        }
    }

    fn local_name(&self, local: LocalId) -> String {
        self.b.locals[local].name.map_or("this value", |name| self.names.text(name)).to_owned()
    }

    /// `&mut place`, with the reference type given.
    pub fn borrow_mut(&mut self, id: ExprId, ty: Ty) -> ExprId {
        let span = self.b.span(id);
        if self.b.is_error(id) {
            return id;
        }
        if let Some((global, path, steps)) = self.global_place(id) {
            let row = self.b.row();
            self.effect_event(
                row,
                tags::MUT,
                span,
                crate::effects::What::Text("this change of a variable of the module"),
            );
            self.reference(Reference::Global(global));
            let whole = self.globals[global].ty.unwrap_or(Types::ERROR);
            let place = Place { local: self.b.global_local(global, whole, span), path };
            return self.borrow_place(place, steps, ty, span);
        }
        let Some((place, steps)) = self.place_of(id) else {
            self.report(
                Diagnostic::error(codes::ASSIGN_INVALID_PLACE, span, "this value cannot be changed in place")
                    .with_help("bind it with `var` first"),
            );
            return self.b.error(span);
        };
        self.check_mutable(&place, span);
        self.borrow_place(place, steps, ty, span)
    }

    fn borrow_place(&mut self, place: Place, steps: Vec<Ty>, ty: Ty, span: Span) -> ExprId {
        let node = self.b.expr(ExprKind::BorrowMut(place), ty, span);
        for (index, ty) in steps.into_iter().enumerate() {
            self.b.place_tys.push((node, index as u32, ty));
        }
        node
    }

    /// An argument for a `&mut` parameter: a place, written with or without `&mut`.
    pub fn mutable_argument(&mut self, e: &ast::Expr, ty: Ty, why: Why) -> ExprId {
        let id = self.expr(e, Want::NOTHING);
        self.coerce(id, ty, why)
    }
}
