//! What does a call become?
//!
//! The callee decides: an instance, an operation, a runtime or C function, a constructor, a local function whose code
//! is known, or a closure. `&mut` arguments are taken out of their places before the call and written back after it.

use reml_diagnostics::Span;
use reml_semantics::typed::{ExprId, ExprKind, FnId, FnKind};
use reml_semantics::types::{Type, TypeId};

use super::derive::Derived;
use super::function::{Binding, FnLower, Out};
use super::place::{Access, Location};
use super::traits::MethodTarget;
use crate::core::{Atom, Callee, End, ForeignId, FuncId, Op, RuntimeId};
use crate::prim::PrimOp;

/// What is called.
enum Target {
    Func(FuncId),
    Prim(PrimOp),
    /// A primitive without operands whose value is known here.
    Known(Atom),
    Runtime(RuntimeId),
    Foreign(ForeignId),
    Closure(Atom),
    Constructor(TypeId, u32),
    Derived(Derived, TypeId),
}

/// An evaluated argument.
enum Argument {
    Value(Atom),
    /// A `&mut` argument: a place to be taken apart right before the call.
    Place(Location),
}

impl FnLower<'_, '_> {
    /// Lowers a call. In tail position (`tail`) the cursor may be closed by a tail call, which gives `None`.
    pub fn call(&mut self, expr: ExprId, callee: ExprId, args: &[ExprId], tail: bool) -> Option<Atom> {
        let span = self.body.exprs[expr].span;
        let (target, prefix) = self.target(callee)?;
        let callee_ty = self.expr_source(callee);
        let (params, ret) = match self.l.types.get(self.l.deref(callee_ty)).clone() {
            Type::Fn { params, ret } => (params, ret),
            _ => (Box::default(), self.expr_source(expr)),
        };
        let mut arguments = Vec::with_capacity(args.len());
        for (i, &arg) in args.iter().enumerate() {
            let out = params.get(i).is_some_and(|&param| self.l.is_mut_ref(param));
            arguments.push(self.argument(arg, out)?);
        }
        let mut atoms = prefix;
        let mut places: Vec<Option<Access>> = Vec::new();
        for (i, argument) in arguments.into_iter().enumerate() {
            let out = params.get(i).is_some_and(|&param| self.l.is_mut_ref(param));
            match argument {
                Argument::Value(atom) => {
                    atoms.push(atom);
                    if out {
                        places.push(None);
                    }
                }
                Argument::Place(location) => {
                    let (part, access) = self.take(&mut places, location);
                    atoms.push(part);
                    places.push(Some(access));
                }
            }
        }
        let full_ret = self.l.core_return(ret, &params);
        if tail && self.returns_alike(&places, full_ret) {
            let callee = match target {
                Target::Func(func) => Some(Callee::Func(func)),
                Target::Closure(closure) => Some(Callee::Closure(closure)),
                _ => None,
            };
            if let Some(callee) = callee {
                self.end(End::TailCall { callee, args: atoms, span });
                return None;
            }
        }
        let result = self.dispatch(target, atoms, full_ret, span)?;
        if places.is_empty() {
            return Some(result);
        }
        let ret = self.l.core_type(ret);
        let value = self.emit(ret, Op::Field { base: result, variant: 0, index: 0 }, span);
        let mut positions = Vec::with_capacity(places.len());
        let mut changed = Vec::with_capacity(places.len());
        for (i, access) in places.into_iter().enumerate() {
            let Some(access) = access else { continue };
            let ty = self.l.core_type(access.source());
            let part = self.emit(ty, Op::Field { base: result, variant: 0, index: i as u32 + 1 }, span);
            positions.push(i);
            changed.push((access, part));
        }
        self.give_back(changed, &positions);
        Some(value)
    }

    /// May a call that gives `full_ret` and these `&mut` arguments be the last thing this function does?
    fn returns_alike(&self, places: &[Option<Access>], full_ret: TypeId) -> bool {
        if full_ret != self.cx.full_ret || self.l.types.is_never(full_ret) || places.len() != self.cx.outs.len() {
            return false;
        }
        places.iter().zip(&self.cx.outs).all(|(place, out)| match (place, out) {
            (Some(place), Out::Local(local)) => {
                place.whole() == Some(*local) && matches!(self.binding(*local), Binding::Value(_))
            }
            _ => false,
        })
    }

    fn argument(&mut self, arg: ExprId, out: bool) -> Option<Argument> {
        let body = self.body;
        let span = body.exprs[arg].span;
        if out {
            match &body.exprs[arg].kind {
                ExprKind::BorrowMut(place) => return Some(Argument::Place(self.locate(place, span)?)),
                ExprKind::Local(local) => return Some(Argument::Place(self.whole(*local, span))),
                _ => {}
            }
        }
        Some(Argument::Value(self.value(arg)?))
    }

    /// Calls `target` and gives the result, `&mut` parameters included.
    fn dispatch(&mut self, target: Target, args: Vec<Atom>, ret: TypeId, span: Span) -> Option<Atom> {
        let op = match target {
            Target::Func(func) => Op::Call(Callee::Func(func), args),
            Target::Closure(closure) => Op::Call(Callee::Closure(closure), args),
            Target::Prim(op) => Op::Prim(op, args),
            Target::Known(atom) => return Some(atom),
            Target::Runtime(id) => Op::CallRuntime(id, args),
            Target::Foreign(id) => Op::CallForeign(id, args),
            Target::Constructor(ty, variant) => return Some(self.construct(ty, variant, args, span)),
            Target::Derived(derived, ty) => match self.l.inline_derived(derived, ty, &args) {
                Some(op) => op,
                None => Op::Call(Callee::Func(self.l.derived_fn(derived, ty)), args),
            },
        };
        if self.l.types.is_never(ret) {
            self.cx.code.emit(ret, op, span);
            self.end(End::Unreachable);
            return None;
        }
        Some(self.emit(ret, op, span))
    }

    /// What the callee expression stands for, and the arguments that come before the written ones.
    fn target(&mut self, callee: ExprId) -> Option<(Target, Vec<Atom>)> {
        let body = self.body;
        let span = body.exprs[callee].span;
        let target = match &body.exprs[callee].kind {
            ExprKind::Fn(id, args) => {
                let args: Vec<TypeId> = args.iter().map(|&arg| self.source(arg)).collect();
                self.fn_target(*id, &args, span)?
            }
            ExprKind::Method { trait_, method, args } => {
                let args: Vec<TypeId> = args.iter().map(|&arg| self.source(arg)).collect();
                match self.l.resolve_method(*trait_, *method, &args) {
                    MethodTarget::Fn(id, args) => self.fn_target(id, &args, span)?,
                    MethodTarget::Derived(derived, ty) => Target::Derived(derived, ty),
                    MethodTarget::Missing => {
                        self.missing_method(*trait_, *method, &args, span);
                        return None;
                    }
                }
            }
            ExprKind::ConstructorFn { variant } => {
                let ty = self.expr_source(callee);
                match *self.l.types.get(ty) {
                    Type::Fn { ret, .. } => Target::Constructor(ret, *variant),
                    _ => Target::Closure(self.value(callee)?),
                }
            }
            ExprKind::Local(local) => match self.binding(*local) {
                Binding::Known(index) => {
                    let prefix = self.captured_atoms(index);
                    return Some((Target::Func(self.known[index].func), prefix));
                }
                _ => Target::Closure(self.read(*local, span)),
            },
            ExprKind::Borrow(inner) | ExprKind::Deref(inner) => return self.target(*inner),
            _ => Target::Closure(self.value(callee)?),
        };
        Some((target, Vec::new()))
    }

    fn fn_target(&mut self, id: FnId, args: &[TypeId], span: Span) -> Option<Target> {
        let def = &self.l.src.fns[id];
        Some(match &def.kind {
            FnKind::Reml(_) => Target::Func(self.l.instance(id, args)),
            FnKind::Primitive(name) => match self.l.known_answer(name, args) {
                Some(answer) => Target::Known(answer),
                None => match self.l.primitive(id, name) {
                    Some(op) => Target::Prim(op),
                    None => {
                        self.end(End::Unreachable);
                        return None;
                    }
                },
            },
            FnKind::Runtime(name) => Target::Runtime(self.l.runtime_of(id, name, args).0),
            FnKind::Foreign { symbol, variadic } => Target::Foreign(self.l.foreign_of(id, symbol, *variadic).0),
            FnKind::Required => {
                self.l.unsupported(span, format!("internal error: `{}` has no body", def.path));
                self.end(End::Unreachable);
                return None;
            }
        })
    }

    fn missing_method(&mut self, trait_: reml_semantics::typed::TraitId, method: u32, args: &[TypeId], span: Span) {
        let def = &self.l.src.traits[trait_];
        let name = self.l.names.text(def.name);
        let method = def.methods.get(method as usize).map_or("?", |method| self.l.names.text(method.name));
        let types: Vec<String> = args.iter().map(|&arg| self.l.type_text(arg)).collect();
        let message = format!("`{name}` has no implementation of `{method}` for `{}`", types.join(", "));
        self.l.diagnostics.push(reml_diagnostics::Diagnostic::error(
            reml_diagnostics::codes::IMPL_MISSING,
            span,
            message,
        ));
        self.end(End::Unreachable);
    }

    /// Calls the function value of `view` on one argument (active patterns).
    pub fn apply(&mut self, view: ExprId, arg: Atom) -> Option<Atom> {
        let span = self.body.exprs[view].span;
        let (target, mut args) = self.target(view)?;
        args.push(arg);
        let ty = self.expr_source(view);
        let ret = match self.l.types.get(ty).clone() {
            Type::Fn { params, ret } => self.l.core_return(ret, &params),
            _ => self.unit(),
        };
        self.dispatch(target, args, ret, span)
    }

    /// A function, method or constructor as a value.
    pub fn fn_value(&mut self, expr: ExprId) -> Atom {
        let body = self.body;
        let span = body.exprs[expr].span;
        let ty = self.expr_core(expr);
        let func = match &body.exprs[expr].kind {
            ExprKind::Fn(id, args) => {
                let args: Vec<TypeId> = args.iter().map(|&arg| self.source(arg)).collect();
                self.l.value_of_fn(*id, &args)
            }
            ExprKind::Method { trait_, method, args } => {
                let args: Vec<TypeId> = args.iter().map(|&arg| self.source(arg)).collect();
                let target = self.l.resolve_method(*trait_, *method, &args);
                self.l.value_of_method(&target)
            }
            ExprKind::ConstructorFn { variant } => {
                let source = self.expr_source(expr);
                match self.l.types.get(source).clone() {
                    Type::Fn { params, ret } => {
                        let params: Vec<TypeId> = params.iter().map(|&param| self.l.core_type(param)).collect();
                        Some(self.l.value_of_constructor(&params, ret, *variant))
                    }
                    // A constructor without payload is its own value.
                    _ => return self.construct(source, *variant, Vec::new(), span),
                }
            }
            _ => None,
        };
        match func {
            Some(func) => self.emit(ty, Op::Closure(func, Vec::new()), span),
            None => {
                self.l.unsupported(span, "internal error: this function has no code to refer to");
                Atom::Unit
            }
        }
    }

    /// Calls a library function of the compiler's vocabulary.
    pub fn call_lang(&mut self, name: &'static str, args: Vec<Atom>, ret: TypeId, span: Span) -> Atom {
        match self.l.lang_op(name, args, span) {
            Some(op) => self.emit(ret, op, span),
            None => Atom::Unit,
        }
    }
}

impl super::Lower<'_> {
    /// The operation that calls the library function `name`.
    pub fn lang_op(&mut self, name: &'static str, args: Vec<Atom>, span: Span) -> Option<Op> {
        let Some(&id) = self.src.lang.fns.get(name) else {
            self.unsupported(span, format!("internal error: the library lacks `{name}`"));
            return None;
        };
        match &self.src.fns[id].kind {
            FnKind::Reml(_) => Some(Op::Call(Callee::Func(self.instance(id, &[])), args)),
            FnKind::Primitive(prim) => self.primitive(id, prim).map(|op| Op::Prim(op, args)),
            FnKind::Runtime(symbol) => Some(Op::CallRuntime(self.runtime_of(id, symbol, &[]).0, args)),
            FnKind::Foreign { .. } | FnKind::Required => None,
        }
    }

    /// The same for a generic library function.
    pub fn lang_op_at(&mut self, name: &'static str, types: &[TypeId], args: Vec<Atom>, span: Span) -> Option<Op> {
        match self.src.lang.fns.get(name) {
            Some(&id) if matches!(self.src.fns[id].kind, FnKind::Reml(_)) => {
                Some(Op::Call(Callee::Func(self.instance(id, types)), args))
            }
            _ => self.lang_op(name, args, span),
        }
    }
}
