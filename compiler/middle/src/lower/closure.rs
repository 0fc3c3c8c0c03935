//! What becomes of functions inside functions?
//!
//! A lambda becomes a Core function whose first parameters are what it captures, and a closure over those values. A
//! local function that has a name becomes a Core function too, and its captures are passed to it like arguments: it needs no
//! closure to be called, not even recursively. Only where it is used as a value is one made, on the spot, around a
//! small function that passes the captures on. So closures never contain themselves, and nothing can leak in a cycle.

use std::rc::Rc;

use reml_diagnostics::Span;
use reml_semantics::typed::{ExprId, ExprKind, LocalId, PatternId};
use reml_semantics::types::{Type, TypeId};

use super::build::FunctionBuilder;
use super::function::{Binding, FnContext, FnLower};
use super::instances::Signature;
use crate::core::{Atom, Callee, End, FuncId, Inline, Mode, Op, Var};

/// A local function whose code is known.
#[derive(Clone)]
pub struct KnownFn {
    pub func: FuncId,
    /// What is passed before its arguments.
    captures: Rc<[LocalId]>,
    /// The code of a closure for it, once it was used as a value.
    wrapper: Option<FuncId>,
    /// Its Core function type.
    ty: TypeId,
}

impl FnLower<'_, '_> {
    /// Real locals behind what a lambda mentions: known functions stand for their captures, constants for themselves.
    fn resolve_captures(&self, locals: &[LocalId]) -> Vec<LocalId> {
        let mut out = Vec::with_capacity(locals.len());
        let add = |local: LocalId, out: &mut Vec<LocalId>| match self.binding(local) {
            Binding::Value(Atom::Var(_)) | Binding::Cell(_) if !out.contains(&local) => out.push(local),
            _ => {}
        };
        for &local in locals {
            match self.binding(local) {
                Binding::Known(index) => self.known[index].captures.iter().for_each(|&inner| add(inner, &mut out)),
                _ => add(local, &mut out),
            }
        }
        out
    }

    fn captured_atom(&self, local: LocalId) -> Atom {
        match self.binding(local) {
            Binding::Value(atom) | Binding::Cell(atom) => atom,
            _ => Atom::Unit,
        }
    }

    /// The captures of a known function, to be passed to it.
    pub fn captured_atoms(&self, index: usize) -> Vec<Atom> {
        self.known[index].captures.iter().map(|&local| self.captured_atom(local)).collect()
    }

    pub fn atom_type(&mut self, atom: Atom) -> TypeId {
        match atom {
            Atom::Var(var) => self.cx.code.vars[var].ty,
            _ => self.unit(),
        }
    }

    /// A lambda as a value.
    pub fn lambda(&mut self, expr: ExprId, params: &[PatternId], body: ExprId) -> Atom {
        let (func, captures) = self.lambda_parts(expr, params, body);
        let ty = self.expr_core(expr);
        self.emit(ty, Op::Closure(func, captures), self.body.exprs[expr].span)
    }

    /// The code of a lambda, and what it captures.
    pub fn lambda_parts(&mut self, expr: ExprId, params: &[PatternId], body: ExprId) -> (FuncId, Vec<Atom>) {
        let span = self.body.exprs[expr].span;
        let info = self.info.clone();
        let captures = self.resolve_captures(info.captures(expr));
        let ty = self.expr_core(expr);
        self.lambdas += 1;
        let name = format!("{}.{{lambda#{}}}", self.name, self.lambdas);
        let func = self.reserve_local(&name, ty, &captures, span);
        self.write_local(func, &captures, captures.len(), params, body, span);
        (func, captures.iter().map(|&local| self.captured_atom(local)).collect())
    }

    /// Deferred code as a closure to be run by a panic.
    pub fn deferred_closure(&mut self, expr: ExprId) -> Atom {
        let span = self.body.exprs[expr].span;
        let info = self.info.clone();
        let captures = self.resolve_captures(info.deferred_captures(expr));
        let unit = self.unit();
        let ty = self.l.types.intern(Type::Fn { params: Box::default(), ret: unit });
        self.lambdas += 1;
        let name = format!("{}.{{defer#{}}}", self.name, self.lambdas);
        let func = self.reserve_local(&name, ty, &captures, span);
        self.in_function(func, &captures, captures.len(), span, |this| {
            if this.value(expr).is_some() {
                this.return_value(Atom::Unit, span);
            }
            Vec::new()
        });
        let atoms = captures.iter().map(|&local| self.captured_atom(local)).collect();
        self.emit(ty, Op::Closure(func, atoms), span)
    }

    /// May `let local = |..| ..` be treated as a local function? Only when it is never used as a value, and none of its
    /// captures can change between here and a call.
    pub fn may_lift(&mut self, local: LocalId, lambda: ExprId) -> bool {
        let declared = &self.body.locals[local];
        if declared.mutable || declared.boxed || self.info.escapes(local) {
            return false;
        }
        let body = self.body;
        self.info.captures(lambda).iter().all(|&captured| {
            let captured = &body.locals[captured];
            captured.boxed || !captured.mutable && !matches!(self.l.types.get(captured.ty), Type::Ref { .. })
        })
    }

    pub fn lift_lambda(&mut self, local: LocalId, lambda: ExprId, params: &[PatternId], body: ExprId) {
        let info = self.info.clone();
        let captures = self.resolve_captures(info.captures(lambda));
        self.declare_known(local, lambda, captures.into());
        let Binding::Known(index) = self.binding(local) else { return };
        self.write_known(index, lambda, params, body);
    }

    /// Local functions, possibly mutually recursive.
    pub fn let_rec(&mut self, bindings: &[(LocalId, ExprId)]) {
        let body = self.body;
        let info = self.info.clone();
        let mut mentioned: Vec<LocalId> = Vec::new();
        for &(_, lambda) in bindings {
            mentioned.extend(info.captures(lambda).iter().filter(|&l| bindings.iter().all(|(member, _)| member != l)));
        }
        let captures: Rc<[LocalId]> = self.resolve_captures(&mentioned).into();
        for &(local, lambda) in bindings {
            match body.exprs[lambda].kind {
                ExprKind::Lambda { .. } => self.declare_known(local, lambda, captures.clone()),
                _ => {
                    if let Some(value) = self.value(lambda) {
                        self.bind_local(local, value);
                    }
                }
            }
        }
        for &(local, lambda) in bindings {
            if let (ExprKind::Lambda { params, body }, Binding::Known(index)) =
                (&body.exprs[lambda].kind, self.binding(local))
            {
                self.write_known(index, lambda, params, *body);
            }
        }
    }

    fn declare_known(&mut self, local: LocalId, lambda: ExprId, captures: Rc<[LocalId]>) {
        let span = self.body.exprs[lambda].span;
        let ty = self.expr_core(lambda);
        let name = match self.local_text(local) {
            Some(text) => format!("{}.{text}", self.name),
            None => {
                self.lambdas += 1;
                format!("{}.{{lambda#{}}}", self.name, self.lambdas)
            }
        };
        let func = self.reserve_local(&name, ty, &captures, span);
        self.known.push(KnownFn { func, captures, wrapper: None, ty });
        self.rebind(local, Binding::Known(self.known.len() - 1));
    }

    fn write_known(&mut self, index: usize, lambda: ExprId, params: &[PatternId], body: ExprId) {
        let span = self.body.exprs[lambda].span;
        let KnownFn { func, captures, .. } = self.known[index].clone();
        self.write_local(func, &captures, 0, params, body, span);
    }

    /// A known function as a value.
    pub fn closure_of_known(&mut self, index: usize, span: Span) -> Atom {
        let KnownFn { func, captures, wrapper, ty } = self.known[index].clone();
        let atoms = self.captured_atoms(index);
        if captures.is_empty() {
            return self.emit(ty, Op::Closure(func, Vec::new()), span);
        }
        let wrapper = wrapper.unwrap_or_else(|| {
            let signature = (*self.l.signature(func)).clone();
            let mut code = FunctionBuilder::default();
            let vars: Vec<Var> = signature.params.iter().map(|&(ty, _)| code.var(ty, span)).collect();
            let args = vars.iter().map(|&var| Atom::Var(var)).collect();
            code.end(End::TailCall { callee: Callee::Func(func), args, span });
            let modes = closure_modes(captures.len(), signature.params.len());
            let name = format!("{}.{{value}}", self.l.funcs[func].name);
            let wrapper = self.l.reserve(&name, span, signature, Inline::Auto);
            self.l.fill(wrapper, vars, captures.len(), modes, code);
            self.known[index].wrapper = Some(wrapper);
            wrapper
        });
        self.emit(ty, Op::Closure(wrapper, atoms), span)
    }

    /// Reserves the function of a lambda with the Core type `ty`: captures first, then its parameters.
    fn reserve_local(&mut self, name: &str, ty: TypeId, captures: &[LocalId], span: Span) -> FuncId {
        let mut params: Vec<(TypeId, Mode)> = Vec::with_capacity(captures.len());
        for &local in captures {
            let atom = self.captured_atom(local);
            params.push((self.atom_type(atom), Mode::Owned));
        }
        let mut result = self.unit();
        if let Type::Fn { params: own, ret } = self.l.types.get(ty) {
            params.extend(own.iter().map(|&ty| (ty, Mode::Owned)));
            result = *ret;
        }
        self.l.reserve(name, span, Signature { params, ret: result }, Inline::Auto)
    }

    fn write_local(
        &mut self,
        func: FuncId,
        captures: &[LocalId],
        closure_captures: usize,
        params: &[PatternId],
        body: ExprId,
        span: Span,
    ) {
        self.in_function(func, captures, closure_captures, span, |this| {
            let vars = this.params(params, span);
            this.tail_in_scope(params, body);
            vars
        });
    }

    /// Writes `func` with `write`, which gives its own parameters; captured locals are bound to the first ones.
    fn in_function(
        &mut self,
        func: FuncId,
        captures: &[LocalId],
        closure_captures: usize,
        span: Span,
        write: impl FnOnce(&mut Self) -> Vec<Var>,
    ) {
        let types: Vec<TypeId> = self.l.signature(func).params.iter().map(|&(ty, _)| ty).collect();
        let ret = self.l.funcs[func].ret;
        let outer = std::mem::replace(&mut self.cx, FnContext::new(ret));
        let saved = self.bindings(captures);
        let mut vars = Vec::with_capacity(types.len());
        for (i, &local) in captures.iter().enumerate() {
            let var = self.cx.code.var(types[i], span);
            self.cx.code.vars[var].name = self.local_text(local).map(Into::into);
            vars.push(var);
            self.rebind(
                local,
                match saved[i] {
                    Binding::Cell(_) => Binding::Cell(Atom::Var(var)),
                    _ => Binding::Value(Atom::Var(var)),
                },
            );
        }
        vars.extend(write(self));
        self.restore(captures, &saved);
        let context = std::mem::replace(&mut self.cx, outer);
        let modes = closure_modes(closure_captures, vars.len());
        self.l.fill(func, vars, closure_captures, modes, context.code);
    }
}

/// A closure's captures belong to the closure; everything else is the function's own.
pub fn closure_modes(captures: usize, params: usize) -> Vec<Mode> {
    (0..params).map(|i| if i < captures { Mode::Borrowed } else { Mode::Owned }).collect()
}
