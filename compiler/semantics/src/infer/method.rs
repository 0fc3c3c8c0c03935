//! Fields and methods: `x.f`, `x.f(a)`, on whatever the type of `x` turns out to be.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::body::{DeferredKind, LocalBinding, Want};
use super::call::{Arg, Source};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::resolve::Target;
use crate::typed::*;

/// What a method name means on a type.
enum Method {
    Fn(FnId),
    Trait(TraitId, u32),
    Field,
    Ambiguous(Vec<(TraitId, u32)>),
    Missing,
}

impl<'a> Checker<'a> {
    pub fn field_expr(&mut self, whole: &ast::Expr, base: &ast::Expr, name: ast::Ident, want: Want) -> ExprId {
        let mut names = Vec::new();
        if let Some(anchor) = Self::chain_of(whole, &mut names) {
            let (target, used) = self.resolve_chain(anchor, &names);
            return self.target_with_fields(target, &names, used, want, whole.span);
        }
        if let Some(id) = self.duration_literal(base, name, whole.span) {
            return id;
        }
        let base = self.expr(base, Want::NOTHING);
        self.field_of(base, name, whole.span)
    }

    /// `16.ms`.
    fn duration_literal(&mut self, base: &ast::Expr, name: ast::Ident, span: Span) -> Option<ExprId> {
        let nanos: i128 = match self.names.text(name.name) {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (value, unit) = match *base.kind {
            ast::ExprKind::Int(value) => (i128::try_from(value).ok()?, nanos),
            ast::ExprKind::Float(value) => ((value * nanos as f64).round() as i128, 1),
            _ => return None,
        };
        let value = self.b.expr(ExprKind::Int(value), Types::INT, base.span);
        let unit = self.b.expr(ExprKind::Int(unit), Types::INT, name.span);
        Some(self.lang_call("duration_from", vec![value, unit], span))
    }

    /// `base.name`, now or when the type of the base is known.
    pub fn field_of(&mut self, base: ExprId, name: ast::Ident, span: Span) -> ExprId {
        let base = self.deref(base);
        let ty = self.b.ty(base);
        self.force(ty);
        self.t.settle(ty);
        match self.t.head(ty) {
            Node::Var(_) => {
                let result = self.t.fresh();
                let id = self.b.expr(ExprKind::Error, result, span);
                self.defer(id, DeferredKind::Field { base, name });
                id
            }
            Node::Error => self.b.error(span),
            _ => match self.known_field(base, name.name, span) {
                Some(id) => id,
                None => self.unknown_field(ty, name, span),
            },
        }
    }

    /// The field of a record whose type is known.
    fn known_field(&mut self, base: ExprId, name: Symbol, span: Span) -> Option<ExprId> {
        match self.t.head(self.b.ty(base)) {
            Node::Record { shape, fields } => {
                let index = self.t.shape(shape).iter().position(|&field| field == name)?;
                let ty = self.t.at(fields, index);
                Some(self.b.expr(ExprKind::Field { base, index: index as u32 }, ty, span))
            }
            Node::Adt(def, args, row) => match &self.adts[def].kind {
                AdtKind::Record(fields) => {
                    let index = fields.iter().position(|f| f.name == Some(name))?;
                    let ty = fields[index].ty;
                    let ty = self.field_type(ty, args, row);
                    Some(self.b.expr(ExprKind::Field { base, index: index as u32 }, ty, span))
                }
                AdtKind::Newtype(inner) => {
                    let inner = *inner;
                    let ty = self.field_type(inner, args, row);
                    if !matches!(self.t.head(ty), Node::Record { .. }) {
                        return None;
                    }
                    let inner = self.b.expr(ExprKind::Unwrap(base), ty, span);
                    self.known_field(inner, name, span)
                }
                AdtKind::Sum(variants) if variants.len() == 1 => {
                    let index = variants[0].fields.iter().position(|f| f.name == Some(name))?;
                    let (count, ty) = (variants[0].fields.len(), variants[0].fields[index].ty);
                    let ty = self.field_type(ty, args, row);
                    let fields = self.variant_fields(def, 0);
                    let adt = self.b.ty(base);
                    let value = self.b.local(None, ty, span, false);
                    let mut patterns = Vec::with_capacity(count);
                    for (i, field) in fields.iter().enumerate() {
                        let field_ty = self.field_type(field.ty, args, row);
                        patterns.push(if i == index {
                            self.b.bind_pattern(value, span)
                        } else {
                            self.b.pattern(PatternKind::Wildcard, field_ty, span)
                        });
                    }
                    let pattern = self.b.pattern(PatternKind::Variant { variant: 0, fields: patterns }, adt, span);
                    let body = self.b.use_local(value, span);
                    let arms = vec![Arm { pattern, guard: None, body, span }];
                    Some(self.b.expr(ExprKind::Match { scrutinee: base, arms }, ty, span))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn field_names(&self, ty: Ty) -> Vec<Symbol> {
        match self.t.head(ty) {
            Node::Record { shape, .. } => self.t.shape(shape).to_vec(),
            Node::Adt(def, ..) => match &self.adts[def].kind {
                AdtKind::Record(fields) => fields.iter().filter_map(|f| f.name).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn unknown_field(&mut self, ty: Ty, name: ast::Ident, _span: Span) -> ExprId {
        let text = self.names.text(name.name).to_owned();
        let owner = self.show(ty);
        let fields = self.field_names(ty);
        let suggestion = crate::suggest::closest(&text, fields.iter().map(|&f| self.names.text(f))).map(str::to_owned);
        let mut diagnostic =
            Diagnostic::error(codes::RECORD_ACCESS_UNKNOWN, name.span, format!("`{owner}` has no field `{text}`"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !matches!(self.find_method(ty, name.name), Method::Missing) {
            diagnostic = diagnostic.with_fix(name.span.shrink_to_end(), "()", format!("`{text}` is a method: call it"));
        } else if !fields.is_empty() {
            let known: Vec<&str> = fields.iter().map(|&f| self.names.text(f)).collect();
            diagnostic = diagnostic.with_help(format!("its fields are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
        self.b.error(name.span)
    }

    pub fn tuple_field(&mut self, base: &ast::Expr, index: u32, span: Span) -> ExprId {
        let base = self.value(base, Want::NOTHING);
        self.tuple_field_of(base, index, span)
    }

    pub fn tuple_field_of(&mut self, base: ExprId, index: u32, span: Span) -> ExprId {
        let ty = self.b.ty(base);
        self.force(ty);
        self.t.settle(ty);
        match self.t.head(ty) {
            Node::Var(_) => {
                let result = self.t.fresh();
                let id = self.b.expr(ExprKind::Error, result, span);
                self.defer(id, DeferredKind::TupleField { base, index });
                id
            }
            Node::Error => self.b.error(span),
            Node::Tuple(list) if index < list.len => {
                let ty = self.t.at(list, index as usize);
                self.b.expr(ExprKind::Field { base, index }, ty, span)
            }
            Node::Adt(def, args, row) if index == 0 && matches!(self.adts[def].kind, AdtKind::Newtype(_)) => {
                let AdtKind::Newtype(inner) = self.adts[def].kind else { return self.b.error(span) };
                let ty = self.field_type(inner, args, row);
                self.b.expr(ExprKind::Unwrap(base), ty, span)
            }
            _ => {
                let text = self.show(ty);
                self.error(codes::RECORD_ACCESS_UNKNOWN, span, format!("`{text}` has no element `{index}`"));
                self.b.error(span)
            }
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Methods

    pub fn method_call(
        &mut self,
        receiver: ExprId,
        name: ast::Ident,
        args: &[Arg<'_>],
        want: Want,
        span: Span,
    ) -> ExprId {
        let ty = self.b.ty(receiver);
        self.force(ty);
        match self.t.var_kind(self.t.peel(ty)) {
            Some(VarKind::Seq(element)) => {
                let literal = self.t.peel(ty);
                let array = self.t.array(element);
                if let (Method::Missing, Some(list)) = (self.find_method(array, name.name), self.lang.list) {
                    let list = self.t.adt(list, &[element], super::ty::Row::NONE);
                    if !matches!(self.find_method(list, name.name), Method::Missing) {
                        let _ = self.t.unify(literal, list);
                    }
                }
                self.t.settle(literal);
            }
            Some(VarKind::Int | VarKind::Float) => self.t.settle(self.t.peel(ty)),
            Some(VarKind::Any) => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    let id = match arg.source {
                        Source::Ast(e) | Source::Thunk(e) => self.expr(e, Want::NOTHING),
                        Source::Done(id) => id,
                    };
                    values.push((arg.name, id));
                }
                let result = self.t.fresh();
                let id = self.b.expr(ExprKind::Error, result, span);
                self.defer(id, DeferredKind::Method { receiver, name, args: values });
                return id;
            }
            None => {}
        }
        if self.t.resolve(ty) == Types::ERROR {
            return self.give_up(args, span);
        }
        self.known_method(receiver, name, args, want, span)
    }

    pub fn known_method(
        &mut self,
        receiver: ExprId,
        name: ast::Ident,
        args: &[Arg<'_>],
        want: Want,
        span: Span,
    ) -> ExprId {
        let ty = self.t.peel(self.b.ty(receiver));
        let found = self.find_method(ty, name.name);
        let first = Arg::done(receiver, self.b.span(receiver));
        match found {
            Method::Fn(id) => {
                let all: Vec<Arg<'_>> = std::iter::once(first).chain(args.iter().copied()).collect();
                self.call_fn(id, &all, want, name.span, span)
            }
            Method::Trait(trait_, index) => {
                let all: Vec<Arg<'_>> = std::iter::once(first).chain(args.iter().copied()).collect();
                self.call_method(trait_, index, Some(ty), &all, want, name.span, span)
            }
            Method::Field => {
                let field = self.field_of(receiver, name, self.b.span(receiver).to(name.span));
                self.call_value(field, args, want, span)
            }
            Method::Ambiguous(candidates) => {
                let text = self.names.text(name.name).to_owned();
                let traits: Vec<String> =
                    candidates.iter().map(|c| format!("`{}.{text}`", self.names.text(self.traits[c.0].name))).collect();
                self.report(
                    Diagnostic::error(
                        codes::NAME_AMBIGUOUS,
                        name.span,
                        format!("several traits give `{}` a method `{text}`", self.show(ty)),
                    )
                    .with_help(format!("write {}(..)", traits.join(" or "))),
                );
                self.give_up(args, span)
            }
            Method::Missing if self.callable_field(ty, name.name) => {
                let field = self.field_of(receiver, name, self.b.span(receiver).to(name.span));
                self.call_value(field, args, want, span)
            }
            Method::Missing => {
                self.unknown_method(ty, name);
                self.give_up(args, span)
            }
        }
    }

    /// Does the type have a field of this name whose type has a method `call`?
    fn callable_field(&mut self, ty: Ty, name: Symbol) -> bool {
        let Node::Adt(def, args, row) = self.t.head(ty) else { return false };
        let AdtKind::Record(fields) = &self.adts[def].kind else { return false };
        let Some(field) = fields.iter().find(|field| field.name == Some(name)) else { return false };
        let field = self.field_type(field.ty, args, row);
        matches!(self.t.head(field), Node::Adt(..))
            && matches!(self.find_own_method(field, self.sym.call), Method::Fn(_) | Method::Trait(..))
    }

    /// Can the function be called as a method? `fn Type.f(x: Type)` can, like a function of the type's module.
    fn has_receiver(&self, id: FnId) -> bool {
        let info = &self.fns[id];
        info.has_self || (info.container == Container::Module && !info.params.is_empty())
    }

    /// Inherent, then trait, then a field, then the type's module, then the scope.
    fn find_method(&mut self, ty: Ty, name: Symbol) -> Method {
        match self.find_own_method(ty, name) {
            Method::Missing => {}
            found => return found,
        }
        if let Some(LocalBinding::Fn(id)) = self.lookup_local(name) {
            return Method::Fn(id);
        }
        if let Some(Value::Fn(id)) = self.lookup_value(self.b.module, name)
            && self.first_param_fits(id, ty)
            && !self.is_unchecked(id)
        {
            return Method::Fn(id);
        }
        Method::Missing
    }

    /// What belongs to the type, whatever is in scope.
    fn find_own_method(&mut self, ty: Ty, name: Symbol) -> Method {
        if let Some(head) = self.head_of(ty)
            && let Some(found) = self.inherent.get(&(head, name))
        {
            let found = found.clone();
            let fitting: Vec<FnId> =
                found.iter().copied().filter(|&id| self.has_receiver(id) && self.receiver_fits(id, ty)).collect();
            if let Some(&id) = fitting.first() {
                return Method::Fn(id);
            }
        }
        if let Some(candidates) = self.trait_methods.get(&name) {
            let candidates = candidates.clone();
            let mut fitting = Vec::new();
            for (trait_, index) in candidates {
                let def = self.traits[trait_].methods[index as usize].def;
                if self.fns[def].has_self && self.may_implement(trait_, ty) {
                    fitting.push((trait_, index));
                }
            }
            if fitting.len() > 1 {
                // An impl or an assumption of its own beats what holds for every type.
                let own: Vec<_> = fitting.iter().copied().filter(|c| self.has_own_impl(c.0, ty)).collect();
                if !own.is_empty() {
                    fitting = own;
                }
            }
            match fitting[..] {
                [] => {}
                [(trait_, index)] => return Method::Trait(trait_, index),
                _ => return Method::Ambiguous(fitting),
            }
        }
        if self.function_field(ty, name) {
            return Method::Field;
        }
        if let Some(module) = self.home_module(ty)
            && let Some(entry) = self.modules[module].values.get(&name).copied()
            && (entry.public || self.is_within(self.b.module, module))
            && let Value::Fn(id) = entry.item
            && !self.is_unchecked(id)
        {
            return Method::Fn(id);
        }
        Method::Missing
    }

    /// `value(a, b)` where the value is no function: its method `call`. One with a single parameter takes any number of arguments, as a
    /// tuple. `None` if there is no such method.
    pub fn call_by_method(&mut self, callee: ExprId, args: &[Arg<'_>], want: Want, span: Span) -> Option<ExprId> {
        let ty = self.t.peel(self.b.ty(callee));
        let at = self.b.span(callee);
        let found = self.find_own_method(ty, self.sym.call);
        let def = match found {
            Method::Fn(id) => id,
            Method::Trait(trait_, index) => self.traits[trait_].methods[index as usize].def,
            Method::Field | Method::Ambiguous(_) | Method::Missing => return None,
        };
        let mut all = vec![Arg::done(callee, at)];
        let as_tuple = self.fns[def].params.len() == 2 && args.len() != 1 && args.iter().all(|arg| arg.name.is_none());
        if as_tuple {
            let packed = self.packed_arguments(args, span);
            all.push(Arg::done(packed, span));
        } else {
            all.extend(args);
        }
        Some(match found {
            Method::Trait(trait_, index) => self.call_method(trait_, index, Some(ty), &all, want, at, span),
            _ => self.call_fn(def, &all, want, at, span),
        })
    }

    /// Several arguments, or none, as one value.
    fn packed_arguments(&mut self, args: &[Arg<'_>], span: Span) -> ExprId {
        if args.is_empty() {
            return self.b.unit(span);
        }
        let values: Vec<ExprId> = args.iter().map(|arg| self.argument_value(arg.source)).collect();
        let types: Vec<Ty> = values.iter().map(|&value| self.b.ty(value)).collect();
        let ty = self.t.tuple(&types);
        self.b.expr(ExprKind::Tuple(values), ty, span)
    }

    /// Does the type have a field of this name that may hold a function?
    fn function_field(&self, ty: Ty, name: Symbol) -> bool {
        let field = match self.t.head(ty) {
            Node::Record { shape, fields } => {
                self.t.shape(shape).iter().position(|&f| f == name).map(|i| self.t.at(fields, i))
            }
            Node::Adt(def, ..) => match &self.adts[def].kind {
                AdtKind::Newtype(inner) if matches!(self.t.head(*inner), Node::Record { .. }) => {
                    return self.function_field(*inner, name);
                }
                AdtKind::Record(fields) => fields.iter().find(|f| f.name == Some(name)).map(|f| f.ty),
                AdtKind::Sum(variants) if variants.len() == 1 => {
                    variants[0].fields.iter().find(|f| f.name == Some(name)).map(|f| f.ty)
                }
                _ => None,
            },
            _ => None,
        };
        field.is_some_and(|ty| match self.t.head(ty) {
            Node::Fn { .. } | Node::Var(_) | Node::Param(_) => true,
            Node::Adt(def, ..) => {
                matches!(self.adts[def].kind, AdtKind::Newtype(inner) if matches!(self.t.head(inner), Node::Fn { .. }))
            }
            _ => false,
        })
    }

    fn has_own_impl(&self, trait_: TraitId, ty: Ty) -> bool {
        self.b.assumptions.iter().any(|a| a.trait_ == trait_ && self.t.same(a.args[0], ty))
            || self.head_of(ty).is_some_and(|head| self.impl_index.contains_key(&(trait_, head)))
    }

    /// Could a method of `impl Type<Int>` take this receiver?
    fn receiver_fits(&mut self, id: FnId, ty: Ty) -> bool {
        self.first_param_fits(id, ty)
    }

    fn first_param_fits(&mut self, id: FnId, ty: Ty) -> bool {
        if self.fns[id].state != FnState::Known {
            return !self.fns[id].params.is_empty() || matches!(self.fns[id].source, FnSource::Let(_));
        }
        let Some(param) = self.fns[id].params.first().map(|p| p.ty) else { return false };
        let param = self.t.peel(param);
        let arity = self.fns[id].arity as usize;
        let args: Vec<Ty> = (0..arity).map(|_| self.t.fresh()).collect();
        let rows = vec![super::ty::Row::NONE; self.fns[id].row_count as usize];
        let param = self.t.instantiate(param, &super::ty::Instance { args: &args, rows: &rows });
        self.t.can_unify(param, ty)
    }

    fn unknown_method(&mut self, ty: Ty, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        let owner = self.show(ty);
        let mut candidates: Vec<Symbol> = self.field_names(ty);
        if let Some(head) = self.head_of(ty) {
            candidates.extend(self.inherent.keys().filter(|k| k.0 == head).map(|k| k.1));
        }
        if let Some(module) = self.home_module(ty) {
            candidates.extend(
                self.modules[module]
                    .values
                    .iter()
                    .filter(|(_, e)| e.public && matches!(e.item, Value::Fn(_)))
                    .map(|(&k, _)| k),
            );
        }
        let traits: Vec<(TraitId, Symbol)> =
            self.traits.iter().flat_map(|(id, t)| t.methods.iter().map(move |m| (id, m.name))).collect();
        for (trait_, method) in traits {
            if self.may_implement(trait_, ty) {
                candidates.push(method);
            }
        }
        let suggestion =
            crate::suggest::closest(&text, candidates.iter().map(|&c| self.names.text(c))).map(str::to_owned);
        let mut diagnostic =
            Diagnostic::error(codes::NAME_UNKNOWN, name.span, format!("`{owner}` has no method `{text}`"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if let Some(traits) = self.trait_methods.get(&name.name) {
            let names: Vec<&str> = traits.iter().map(|t| self.names.text(self.traits[t.0].name)).collect();
            diagnostic = diagnostic.with_help(format!("the trait `{}` has it: implement that", names.join("` or `")));
        }
        self.report(diagnostic);
    }

    /// `*e` on types other than references: what the type's module calls `deref` or `get`.
    pub fn deref_expr(&mut self, operand: &ast::Expr, span: Span) -> ExprId {
        let id = self.expr(operand, Want::NOTHING);
        let ty = self.b.ty(id);
        self.force(ty);
        match self.t.head(ty) {
            Node::Ref { .. } => self.deref(id),
            Node::Error => id,
            _ => {
                for name in ["deref", "get", "unbox"] {
                    let name = self.names.intern(name);
                    if let Method::Fn(function) = self.find_method(ty, name)
                        && self.fns[function].params.len() == 1
                    {
                        let arg = Arg::done(id, operand.span);
                        return self.call_target(Target::Fn(function), &[arg], Want::NOTHING, span, span);
                    }
                }
                // Values are values: `*x` of one is the value itself.
                let text = self.show(ty);
                self.error(codes::TYPE_MISMATCH, span, format!("`*` reads through a reference, found `{text}`"));
                self.b.error(span)
            }
        }
    }
}
