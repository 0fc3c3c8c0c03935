//! Names as values, and calls: which definition is meant, how arguments meet parameters, what is instantiated.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::arguments::ParamNames;
use super::body::{Want, Why};
use super::ty::{Instance, Node, Row, RowKind, Ty, Types};
use crate::cx::*;
use crate::effects::arguments::Signature;
use crate::effects::{Callee, Use, What, tags};
use crate::resolve::Target;
use crate::typed::*;

/// An argument: written, or evaluated already.
#[derive(Clone, Copy)]
pub(crate) struct Arg<'e> {
    pub name: Option<ast::Ident>,
    pub source: Source<'e>,
    pub span: Span,
}

#[derive(Clone, Copy)]
pub(crate) enum Source<'e> {
    Ast(&'e ast::Expr),
    /// A handled computation, passed as a function.
    Thunk(&'e ast::Expr),
    Done(ExprId),
}

impl<'e> Arg<'e> {
    pub fn ast(e: &'e ast::Expr) -> Arg<'e> {
        Arg { name: None, source: Source::Ast(e), span: e.span }
    }

    pub fn done(id: ExprId, span: Span) -> Arg<'e> {
        Arg { name: None, source: Source::Done(id), span }
    }
}

/// A function's signature at one use.
pub(crate) struct Instantiated {
    pub args: Vec<Ty>,
    pub rows: Vec<Row>,
    /// Of the group being inferred: its types are used as they are.
    pub monomorphic: bool,
}

impl<'a> Checker<'a> {
    // -----------------------------------------------------------------------------------------------
    // Instantiation

    pub fn reference(&mut self, reference: Reference) {
        self.b.references.push(reference);
    }

    pub fn instantiate_fn(&mut self, id: FnId, span: Span, own: u32) -> Instantiated {
        self.reference(Reference::Fn(id));
        let info = &self.fns[id];
        if info.state == FnState::InProgress {
            if let RowKind::Var(row) = info.own_row.kind() {
                self.t.flow(row, own);
            }
            return Instantiated { args: Vec::new(), rows: Vec::new(), monomorphic: true };
        }
        let (arity, row_count) = (info.arity, info.row_count);
        let outer = if matches!(info.source, FnSource::Local) { info.generics.len() as u32 } else { 0 };
        let mut args = Vec::with_capacity(arity as usize);
        for i in 0..arity {
            // A local function shares the parameters of the definition around it.
            let arg = if i < outer { self.t.param(i) } else { self.t.fresh() };
            args.push(arg);
        }
        let first_row = self.t.rows.use_rows.len() as u32;
        self.t.rows.use_rows.push(own);
        let mut rows = Vec::with_capacity(row_count as usize);
        rows.push(Row::var(own));
        for _ in 1..row_count {
            let row = self.t.rows.fresh();
            self.t.rows.use_rows.push(row);
            rows.push(Row::var(row));
        }
        let row_count = row_count.max(1);
        self.t.rows.uses.push(Use { callee: Callee::Fn(id), subject: Types::UNIT, span, first_row, row_count });
        if self.t.rows.families.exist() {
            self.relate_rows(id, &rows, &args);
        }
        Instantiated { args, rows, monomorphic: false }
    }

    /// What the signature's rows have to do with each other holds for those of a use.
    fn relate_rows(&mut self, id: FnId, rows: &[Row], types: &[Ty]) {
        if !self.fns[id].checked_rows.is_empty() {
            // Checked in the same group: its effects are those here.
            for (i, row) in self.fns[id].checked_rows.clone().into_iter().enumerate() {
                if let Some(RowKind::Var(at)) = rows.get(i).map(|row| row.kind()) {
                    self.t.join(row, at, None);
                }
            }
            return;
        }
        match self.fns[id].generic_effects.clone() {
            Some(signature) => self.t.join_signature(&signature, rows, types),
            None => self.t.join_signature(&Signature::joined(rows.len() as u32), rows, types),
        }
    }

    pub fn instance_type(&mut self, ty: Ty, with: &Instantiated) -> Ty {
        if with.monomorphic {
            return ty;
        }
        self.t.instantiate(ty, &Instance { args: &with.args, rows: &with.rows })
    }

    /// The conditions of a signature, as things to be proved here.
    fn require_wheres(&mut self, id: FnId, with: &Instantiated, span: Span) {
        if with.monomorphic || self.fns[id].wheres.is_empty() {
            return;
        }
        let wheres = self.fns[id].wheres.clone();
        for reference in wheres {
            let args = reference.args.iter().map(|&arg| self.instance_type(arg, with)).collect();
            self.require_for(TraitRefTy { trait_: reference.trait_, args, span }, span, Some(id));
        }
    }

    fn check_permission(&mut self, id: FnId, span: Span) {
        let info = &self.fns[id];
        let foreign = info.linkage == Linkage::Foreign;
        let marked = info.declared.as_ref().is_some_and(|set| set.closed.tags.meets(&tags::UNSAFE)) && !foreign;
        let intrinsic =
            matches!(info.source, FnSource::Decl(decl) if decl.body.is_none()) && info.linkage == Linkage::Reml;
        if (foreign || marked || intrinsic) && self.b.unsafe_depth == 0 {
            let text = self.names.text(info.name).to_owned();
            let declared = info.span;
            let what = match (foreign, intrinsic) {
                (true, _) => "the foreign function",
                (_, true) => "the intrinsic",
                _ => "the unsafe function",
            };
            let help = if intrinsic { "`unsafe { .. }`" } else { "`unsafe { .. }` or `effect {ffi, unsafe} { .. }`" };
            self.report(
                Diagnostic::error(
                    codes::EFFECT_UNSAFE_REQUIRED,
                    span,
                    format!("calling {what} `{text}` needs an `unsafe` block"),
                )
                .with_label(declared, "declared here")
                .with_help(format!("write {help} around the call")),
            );
        }
    }

    pub fn fn_node(&mut self, id: FnId, with: &Instantiated, ty: Ty, span: Span) -> ExprId {
        let node = self.b.expr(ExprKind::Fn(id, Vec::new()), ty, span);
        if with.monomorphic {
            self.b.group_uses.push(node);
        } else if !with.args.is_empty() {
            let list = self.t.list(&with.args);
            self.b.type_args.push((node, list));
        }
        node
    }

    pub fn method_node(&mut self, trait_: TraitId, method: u32, args: &[Ty], ty: Ty, span: Span) -> ExprId {
        self.reference(Reference::Trait(trait_));
        let node = self.b.expr(ExprKind::Method { trait_, method, args: Vec::new() }, ty, span);
        let list = self.t.list(args);
        self.b.type_args.push((node, list));
        node
    }

    // -----------------------------------------------------------------------------------------------
    // Names as values

    pub fn path_expr(&mut self, path: &ast::Path, want: Want) -> ExprId {
        let (target, used) = self.resolve_chain(path.anchor, &path.segments);
        self.target_with_fields(target, &path.segments, used, want, path.span)
    }

    /// A target followed by field accesses.
    pub fn target_with_fields(
        &mut self,
        target: Target,
        names: &[ast::Ident],
        used: usize,
        want: Want,
        span: Span,
    ) -> ExprId {
        if used >= names.len() {
            return self.target_value(target, want, span);
        }
        let base_span = names[0].span.to(names[used.max(1) - 1].span);
        let mut id = self.target_value(target, Want::NOTHING, base_span);
        for name in &names[used..] {
            id = self.field_of(id, *name, base_span.to(name.span));
        }
        id
    }

    pub fn target_value(&mut self, target: Target, want: Want, span: Span) -> ExprId {
        match target {
            Target::Local(local) => self.local_value(local, span),
            Target::Fn(id) if self.is_constant(id) => self.call_fn(id, &[], want, span, span),
            Target::Fn(id) | Target::Pattern(id) => self.fn_value(id, span),
            Target::Global(id) => self.global_value(id, span),
            Target::Ctors(set) => match self.pick_ctor(set, want.ty, None, span) {
                Some((def, variant)) => self.ctor_value(def, variant, want, span),
                None => self.b.error(span),
            },
            Target::Ctor(def, variant) => self.ctor_value(def, variant, want, span),
            Target::Method(trait_, index, subject) => self.method_value(trait_, index, subject, span),
            Target::Format(name) => {
                let text = self.names.text(name).to_owned();
                self.report(
                    Diagnostic::error(
                        codes::FORMAT_INVALID,
                        span,
                        format!("`{text}` is checked at compile time and can only be called"),
                    )
                    .with_help(format!("write a lambda: `|value| {text}(value)`")),
                );
                self.b.error(span)
            }
            Target::Error => self.b.error(span),
        }
    }

    /// `let zero = ..` in an impl: a function of nothing, called wherever it is mentioned.
    fn is_constant(&self, id: FnId) -> bool {
        let info = &self.fns[id];
        matches!(info.container, Container::Impl(_))
            && matches!(info.source, FnSource::Let(decl) if !matches!(*decl.value.kind, Ast::Lambda { .. }))
    }

    pub fn local_value(&mut self, local: LocalId, span: Span) -> ExprId {
        if self.b.locals[local].mutable
            || matches!(self.t.head(self.b.local_ty(local)), Node::Ref { mutable: true, .. })
        {
            self.b.share(local);
        }
        self.b.use_local(local, span)
    }

    fn fn_value(&mut self, id: FnId, span: Span) -> ExprId {
        self.check_permission(id, span);
        let row = self.t.rows.fresh();
        let with = self.instantiate_fn(id, span, row);
        let params: Vec<Ty> =
            (0..self.fns[id].params.len()).map(|i| self.instance_type(self.fns[id].params[i].ty, &with)).collect();
        let ret = self.instance_type(self.fns[id].ret, &with);
        self.require_wheres(id, &with, span);
        let ty = self.t.func(&params, ret, Row::var(row));
        self.fn_node(id, &with, ty, span)
    }

    fn global_value(&mut self, id: GlobalId, span: Span) -> ExprId {
        self.reference(Reference::Global(id));
        if self.globals[id].ty.is_none() {
            self.b.references.pop();
            let text = self.names.text(self.globals[id].name).to_owned();
            self.error_once(Diagnostic::error(
                codes::TYPE_AMBIGUOUS,
                span,
                format!("the type of `{text}` is not known yet here; annotate its declaration"),
            ));
            return self.b.error(span);
        }
        if let Some(poly) = self.globals[id].polymorphic {
            // A polymorphic value is a function without parameters.
            self.b.references.pop();
            let own = self.b.row();
            let with = self.instantiate_fn(poly, span, own);
            let ty = self.instance_type(self.fns[poly].ret, &with);
            let fn_ty = self.t.func(&[], ty, Row::NONE);
            let callee = self.fn_node(poly, &with, fn_ty, span);
            return self.b.expr(ExprKind::Call { callee, args: Vec::new() }, ty, span);
        }
        let ty = self.global_type(id, span);
        if self.globals[id].mutable {
            // A `var` of a module lives in a cell.
            let cell_ty = self.t.node(Node::Cell(ty));
            let cell = self.b.expr(ExprKind::Global(id), cell_ty, span);
            return self.prim_call("cell_get", vec![cell], ty, span);
        }
        self.b.expr(ExprKind::Global(id), ty, span)
    }

    /// The type of a module's value at one use: what its functions do is told by its definition.
    pub fn global_type(&mut self, id: GlobalId, span: Span) -> Ty {
        let info = &self.globals[id];
        let Some(ty) = info.ty else { return Types::ERROR };
        let row_count = info.row_count;
        let rows: Vec<Row> =
            if row_count > 1 { (0..row_count).map(|_| Row::var(self.t.rows.fresh())).collect() } else { Vec::new() };
        if !rows.is_empty() {
            let first_row = self.t.rows.use_rows.len() as u32;
            self.t.rows.use_rows.extend(rows.iter().filter_map(|row| match row.kind() {
                RowKind::Var(row) => Some(row),
                _ => None,
            }));
            self.t.rows.uses.push(Use { callee: Callee::Global(id), subject: Types::UNIT, span, first_row, row_count });
            if let Some(signature) = self.globals[id].generic_effects.clone() {
                self.t.join_signature(&signature, &rows, &[]);
            }
        }
        self.t.instantiate(ty, &Instance { args: &[], rows: &rows })
    }

    /// Which constructor of a shared name is meant: the expected type decides.
    pub fn pick_ctor(
        &mut self,
        set: u32,
        want: Option<Ty>,
        args: Option<usize>,
        span: Span,
    ) -> Option<(TypeDefId, u32)> {
        let candidates = &self.ctor_sets[set as usize];
        if let &[only] = &candidates[..] {
            return Some(only);
        }
        let candidates = candidates.clone();
        let wanted = want.and_then(|ty| match self.t.head(ty) {
            Node::Adt(def, ..) => Some(def),
            Node::Fn { sig, .. } => match self.t.head(self.t.at(sig, sig.len as usize - 1)) {
                Node::Adt(def, ..) => Some(def),
                _ => None,
            },
            _ => None,
        });
        if let Some(&found) = candidates.iter().find(|c| Some(c.0) == wanted) {
            return Some(found);
        }
        if let Some(args) = args {
            let fitting: Vec<_> = candidates.iter().filter(|c| self.variant_fields(c.0, c.1).len() == args).collect();
            if let [&only] = fitting[..] {
                return Some(only);
            }
        }
        let (def, variant) = candidates[0];
        let name = match &self.adts[def].kind {
            AdtKind::Sum(variants) => variants[variant as usize].name,
            _ => self.adts[def].name,
        };
        let text = self.names.text(name).to_owned();
        let owners: Vec<String> =
            candidates.iter().map(|c| format!("`{}.{text}`", self.names.text(self.adts[c.0].name))).collect();
        self.error_once(
            Diagnostic::error(
                codes::NAME_AMBIGUOUS,
                span,
                format!("`{text}` is a constructor of several types, and nothing here tells which"),
            )
            .with_help(format!("write {}", owners.join(" or "))),
        );
        None
    }

    /// May the constructor be written without its fields, because each has a default?
    pub fn stands_alone(&self, def: TypeDefId, variant: u32) -> bool {
        matches!(self.adts[def].kind, AdtKind::Sum(_))
            && self.variant_fields(def, variant).iter().all(|field| field.default.is_some())
    }

    fn ctor_value(&mut self, def: TypeDefId, variant: u32, want: Want, span: Span) -> ExprId {
        let fields = self.variant_fields(def, variant);
        let adt = self.open_adt(def);
        let Node::Adt(_, args, row) = self.t.get(adt) else { return self.b.error(span) };
        if fields.is_empty() {
            if let Some(want) = want.ty
                && self.t.can_unify(adt, want)
            {
                let _ = self.t.unify(adt, want);
            }
            return self.b.expr(ExprKind::Construct { variant, args: Vec::new() }, adt, span);
        }
        let wants_function = want.ty.is_some_and(|ty| matches!(self.t.head(ty), Node::Fn { .. }));
        if self.stands_alone(def, variant) && !wants_function {
            return self.construct_record(def, variant, &[], None, want, span);
        }
        let params: Vec<Ty> = fields.iter().map(|f| self.field_type(f.ty, args, row)).collect();
        let own = self.t.rows.fresh();
        let ty = self.t.func(&params, adt, Row::var(own));
        self.b.expr(ExprKind::ConstructorFn { variant }, ty, span)
    }

    fn method_value(&mut self, trait_: TraitId, index: u32, subject: Option<Ty>, span: Span) -> ExprId {
        let row = self.t.rows.fresh();
        let (args, with) = self.instantiate_method(trait_, index, subject, span, row);
        let def = self.traits[trait_].methods[index as usize].def;
        let params: Vec<Ty> =
            (0..self.fns[def].params.len()).map(|i| self.instance_type(self.fns[def].params[i].ty, &with)).collect();
        let ret = self.instance_type(self.fns[def].ret, &with);
        self.require_method(trait_, &args, def, &with, span);
        let ty = self.t.func(&params, ret, Row::var(row));
        self.method_node(trait_, index, &with.args, ty, span)
    }

    /// A trait's method with fresh arguments; the first ones are the trait's.
    pub fn instantiate_method(
        &mut self,
        trait_: TraitId,
        index: u32,
        subject: Option<Ty>,
        span: Span,
        own: u32,
    ) -> (Vec<Ty>, Instantiated) {
        let def = self.traits[trait_].methods[index as usize].def;
        let trait_arity = self.traits[trait_].generics.len();
        let arity = self.fns[def].arity as usize;
        let mut args: Vec<Ty> = Vec::with_capacity(arity);
        for i in 0..arity.max(trait_arity) {
            let arg = match subject {
                Some(subject) if i == 0 => subject,
                _ => self.t.fresh(),
            };
            args.push(arg);
        }
        // Which impl runs is not known: all rows of the signature are taken as one, but for that of the future it gives,
        // whose effects come in later.
        let shared = self.t.rows.fresh();
        self.t.flow(shared, own);
        let mut rows = vec![Row::var(shared); self.fns[def].row_count.max(1) as usize];
        let first_row = self.t.rows.use_rows.len() as u32;
        self.t.rows.use_rows.push(shared);
        let mut row_count = 1;
        if let Some(index) = self.future_row(def) {
            let future = self.t.rows.fresh();
            rows[index as usize] = Row::var(future);
            self.t.rows.use_rows.push(future);
            row_count = 2;
        }
        let callee = Callee::Method(trait_, index);
        self.t.rows.uses.push(Use { callee, subject: args[0], span, first_row, row_count });
        let trait_args = args[..trait_arity].to_vec();
        (trait_args, Instantiated { args, rows, monomorphic: false })
    }

    pub fn require_method(&mut self, trait_: TraitId, args: &[Ty], def: FnId, with: &Instantiated, span: Span) {
        self.require_for(TraitRefTy { trait_, args: args.to_vec(), span }, span, Some(def));
        self.require_wheres(def, with, span);
    }

    // -----------------------------------------------------------------------------------------------
    // Calls

    pub fn call_expr(
        &mut self,
        callee: &ast::Expr,
        args: &[ast::Arg],
        piped: Option<Arg<'_>>,
        want: Want,
        span: Span,
    ) -> ExprId {
        let args = gather(args, piped);
        match &*callee.kind {
            Ast::Path(path) => {
                let (target, used) = self.resolve_chain(path.anchor, &path.segments);
                if used >= path.segments.len() {
                    return self.call_target(target, &args, want, callee.span, span);
                }
                let names = &path.segments;
                let base = self.target_with_fields(target, &names[..names.len() - 1], used, Want::NOTHING, path.span);
                self.method_call(base, names[names.len() - 1], &args, want, span)
            }
            Ast::Field { base, name } => {
                let mut names = Vec::new();
                if let Some(anchor) = Self::chain_of(callee, &mut names) {
                    let (target, used) = self.resolve_chain(anchor, &names);
                    if used >= names.len() {
                        return self.call_target(target, &args, want, callee.span, span);
                    }
                    let last = names.len() - 1;
                    let receiver = self.target_with_fields(target, &names[..last], used, Want::NOTHING, base.span);
                    return self.method_call(receiver, *name, &args, want, span);
                }
                let receiver = self.expr(base, Want::NOTHING);
                self.method_call(receiver, *name, &args, want, span)
            }
            _ => {
                let callee = self.value(callee, Want::NOTHING);
                self.call_value(callee, &args, want, span)
            }
        }
    }

    pub fn call_target(&mut self, target: Target, args: &[Arg<'_>], want: Want, at: Span, span: Span) -> ExprId {
        match target {
            Target::Fn(id) if matches!(self.fns[id].source, FnSource::Handler(_)) => {
                self.handler_value(id, args, want, at, span)
            }
            Target::Fn(id) | Target::Pattern(id) => self.call_fn(id, args, want, at, span),
            Target::Ctors(set) => match self.pick_ctor(set, want.ty, Some(args.len()), at) {
                Some((def, variant)) => self.construct(def, variant, args, want, at, span),
                None => self.give_up(args, span),
            },
            Target::Ctor(def, variant) => self.construct(def, variant, args, want, at, span),
            Target::Method(trait_, index, subject) => self.call_method(trait_, index, subject, args, want, at, span),
            Target::Format(name) => self.format_call(name, args, at, span),
            Target::Local(_) | Target::Global(_) => {
                let callee = self.target_value(target, Want::NOTHING, at);
                let callee = self.deref(callee);
                self.call_value(callee, args, want, span)
            }
            Target::Error => self.give_up(args, span),
        }
    }

    /// Looks at the arguments for their own errors.
    pub fn give_up(&mut self, args: &[Arg<'_>], span: Span) -> ExprId {
        for arg in args {
            if let Source::Ast(e) | Source::Thunk(e) = arg.source {
                self.expr(e, Want::NOTHING);
            }
        }
        self.b.error(span)
    }

    pub fn call_fn(&mut self, id: FnId, args: &[Arg<'_>], want: Want, at: Span, span: Span) -> ExprId {
        self.check_permission(id, at);
        let own = self.b.row();
        let with = self.instantiate_fn(id, span, own);
        let count = self.fns[id].params.len();
        let mut params = Vec::with_capacity(count);
        for i in 0..count {
            params.push(self.instance_type(self.fns[id].params[i].ty, &with));
        }
        let ret = self.instance_type(self.fns[id].ret, &with);
        self.hint_result(ret, want);
        for (i, &param) in params.iter().enumerate() {
            self.bound_row(self.fns[id].params[i].ty, param, span);
        }
        let fn_ty = self.t.func(&params, ret, Row::NONE);
        let callee = self.fn_node(id, &with, fn_ty, at);
        let names = ParamNames::Fn(id);
        let variadic = self.fns[id].variadic;
        let Some((values, binds)) = self.arguments(names, &params, args, &with, variadic, span) else {
            return self.b.expr(ExprKind::Error, ret, span);
        };
        self.require_wheres(id, &with, span);
        let call = self.b.expr(ExprKind::Call { callee, args: values }, ret, span);
        self.with_binds(binds, call)
    }

    /// A parameter with a closed row bounds what is passed for it.
    fn bound_row(&mut self, declared: Ty, param: Ty, span: Span) {
        if let (Node::Fn { row: declared, .. }, Node::Fn { row, .. }) = (self.t.get(declared), self.t.get(param))
            && let (RowKind::Const(index), RowKind::Var(row)) = (declared.kind(), row.kind())
        {
            let allowed = self.t.rows.constant_tags(index).clone();
            self.t.rows.bounds.push(crate::effects::Bound { row, allowed, span });
        }
    }

    pub fn with_binds(&mut self, binds: Vec<Stmt>, call: ExprId) -> ExprId {
        if binds.is_empty() {
            return call;
        }
        let (ty, span) = (self.b.ty(call), self.b.span(call));
        self.b.expr(ExprKind::Block { stmts: binds, result: Some(call) }, ty, span)
    }

    /// The expected type tells type arguments before the arguments are looked at.
    pub fn hint_result(&mut self, ret: Ty, want: Want) {
        if let Some(want) = want.ty
            && !self.t.is_var(want)
            && !matches!(self.t.head(want), Node::Ref { .. })
            && !matches!(self.t.head(ret), Node::Ref { .. } | Node::Prim(_))
            && self.t.can_unify(ret, want)
        {
            let _ = self.t.unify(ret, want);
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub fn call_method(
        &mut self,
        trait_: TraitId,
        index: u32,
        subject: Option<Ty>,
        args: &[Arg<'_>],
        want: Want,
        at: Span,
        span: Span,
    ) -> ExprId {
        let own = self.b.row();
        let (trait_args, with) = self.instantiate_method(trait_, index, subject, span, own);
        let def = self.traits[trait_].methods[index as usize].def;
        let count = self.fns[def].params.len();
        let params: Vec<Ty> = (0..count).map(|i| self.instance_type(self.fns[def].params[i].ty, &with)).collect();
        let ret = self.instance_type(self.fns[def].ret, &with);
        self.hint_result(ret, want);
        let fn_ty = self.t.func(&params, ret, Row::NONE);
        let callee = self.method_node(trait_, index, &with.args, fn_ty, at);
        let Some((values, binds)) = self.arguments(ParamNames::Fn(def), &params, args, &with, false, span) else {
            return self.b.expr(ExprKind::Error, ret, span);
        };
        self.rows_of_arguments(&values, &with);
        self.require_method(trait_, &trait_args, def, &with, span);
        let call = self.b.expr(ExprKind::Call { callee, args: values }, ret, span);
        self.with_binds(binds, call)
    }

    /// Which impl runs is not known, so effects of functions inside of the arguments may come out anywhere.
    fn rows_of_arguments(&mut self, values: &[ExprId], with: &Instantiated) {
        if with.rows.len() < 2 {
            return;
        }
        let Some(RowKind::Var(shared)) = with.rows.first().map(|row| row.kind()) else { return };
        let types: Vec<Ty> = values.iter().map(|&id| self.b.ty(id)).collect();
        for ty in types {
            self.flow_rows(ty, shared);
        }
    }

    /// Lets all effects inside of a type flow into a row.
    pub fn flow_rows(&mut self, ty: Ty, to: u32) {
        let mut rows = Vec::new();
        self.t.rows_in(ty, &mut rows);
        for row in rows {
            self.t.flow(row, to);
        }
    }

    /// A call of a trait method on values that exist already; the requirement is known to hold or stated elsewhere.
    pub fn method_call_on(
        &mut self,
        trait_: TraitId,
        index: u32,
        type_args: Vec<Ty>,
        args: Vec<ExprId>,
        ret: Ty,
        span: Span,
    ) -> ExprId {
        let def = self.traits[trait_].methods[index as usize].def;
        let own = self.b.row();
        let first_row = self.t.rows.use_rows.len() as u32;
        self.t.rows.use_rows.push(own);
        let callee = Callee::Method(trait_, index);
        self.t.rows.uses.push(Use { callee, subject: type_args[0], span, first_row, row_count: 1 });
        let with = Instantiated { args: type_args, rows: vec![Row::var(own)], monomorphic: false };
        let params: Vec<Ty> =
            (0..self.fns[def].params.len()).map(|i| self.instance_type(self.fns[def].params[i].ty, &with)).collect();
        let args = args
            .into_iter()
            .enumerate()
            .map(|(i, arg)| match params.get(i) {
                Some(&ty) => self.coerce(arg, ty, Why::None),
                None => arg,
            })
            .collect();
        let fn_ty = self.t.func(&params, ret, Row::NONE);
        let callee = self.method_node(trait_, index, &with.args, fn_ty, span);
        self.b.expr(ExprKind::Call { callee, args }, ret, span)
    }

    /// A call of a function of `Core.Lang`.
    pub fn lang_call(&mut self, name: &'static str, args: Vec<ExprId>, span: Span) -> ExprId {
        let Some(id) = self.lang_fn(name) else {
            self.error_once(Diagnostic::error(
                codes::NOT_SUPPORTED,
                span,
                format!("this needs `{name}` of the standard library's `Core.Lang`"),
            ));
            return self.b.error(span);
        };
        let own = self.b.row();
        let with = self.instantiate_fn(id, span, own);
        let params: Vec<Ty> =
            (0..self.fns[id].params.len()).map(|i| self.instance_type(self.fns[id].params[i].ty, &with)).collect();
        let ret = self.instance_type(self.fns[id].ret, &with);
        let args = args
            .into_iter()
            .enumerate()
            .map(|(i, arg)| match params.get(i) {
                Some(&ty) => self.coerce(arg, ty, Why::None),
                None => arg,
            })
            .collect();
        let fn_ty = self.t.func(&params, ret, Row::NONE);
        let callee = self.fn_node(id, &with, fn_ty, span);
        self.b.expr(ExprKind::Call { callee, args }, ret, span)
    }

    /// A call of a function value.
    pub fn call_value(&mut self, callee: ExprId, args: &[Arg<'_>], want: Want, span: Span) -> ExprId {
        let ty = self.b.ty(callee);
        self.force(ty);
        self.t.settle(ty);
        let own = self.b.row();
        match self.t.head(ty) {
            Node::Fn { sig, row } => {
                self.row_flows(row, own, span);
                if args.is_empty() && self.resumes_with_unit(callee) {
                    let unit = self.b.unit(span);
                    return self.call_value(callee, &[Arg::done(unit, span)], want, span);
                }
                let count = sig.len as usize - 1;
                let params: Vec<Ty> = (0..count).map(|i| self.t.at(sig, i)).collect();
                let ret = self.t.at(sig, count);
                self.hint_result(ret, want);
                let none = Instantiated { args: Vec::new(), rows: Vec::new(), monomorphic: true };
                let Some((values, binds)) = self.arguments(ParamNames::None, &params, args, &none, false, span) else {
                    return self.b.expr(ExprKind::Error, ret, span);
                };
                let call = self.b.expr(ExprKind::Call { callee, args: values }, ret, span);
                self.with_binds(binds, call)
            }
            Node::Var(_) => {
                let mut values = Vec::with_capacity(args.len());
                let mut types = Vec::with_capacity(args.len());
                for arg in args {
                    let id = self.argument_value(arg.source);
                    types.push(self.b.ty(id));
                    values.push(id);
                }
                let ret = self.t.fresh();
                let row = self.t.rows.fresh();
                self.t.flow(row, own);
                let fn_ty = self.t.func(&types, ret, Row::var(row));
                if let Err(clash) = self.t.unify(ty, fn_ty) {
                    let at = self.b.span(callee);
                    self.mismatch(ty, fn_ty, at, Why::None, clash);
                }
                self.b.expr(ExprKind::Call { callee, args: values }, ret, span)
            }
            Node::Error => self.give_up(args, span),
            Node::Adt(def, list, row) if matches!(self.adts[def].kind, AdtKind::Newtype(_)) => {
                // A newtype of a function is called through its inner value.
                let AdtKind::Newtype(inner) = self.adts[def].kind else { return self.b.error(span) };
                let inner = self.field_type(inner, list, row);
                if !matches!(self.t.head(inner), Node::Fn { .. }) {
                    return self.call_other(callee, args, want, span);
                }
                let function = self.b.expr(ExprKind::Unwrap(callee), inner, span);
                self.call_value(function, args, want, span)
            }
            _ => self.call_other(callee, args, want, span),
        }
    }

    /// A call of what is no function.
    fn call_other(&mut self, callee: ExprId, args: &[Arg<'_>], want: Want, span: Span) -> ExprId {
        if let Some(call) = self.call_by_method(callee, args, want, span) {
            return call;
        }
        let ty = self.b.ty(callee);
        let text = self.show(ty);
        let at = self.b.span(callee);
        let mut diagnostic =
            Diagnostic::error(codes::TYPE_NOT_CALLABLE, at, format!("this is `{text}`, which cannot be called"))
                .with_primary_label("not a function");
        if let Node::Adt(def, ..) = self.t.head(ty)
            && !self.is_core(self.adts[def].module)
        {
            let help = format!(
                "values of a type with a method `call` can be called: `impl {text} {{ fn call(self, ..) .. }}`"
            );
            diagnostic = diagnostic.with_help(help);
        }
        self.report(diagnostic);
        self.give_up(args, span)
    }

    pub fn row_flows(&mut self, row: Row, own: u32, span: Span) {
        match row.kind() {
            RowKind::Var(var) => self.t.flow(var, own),
            RowKind::Const(index) => {
                let tags = self.t.rows.constant_tags(index).clone();
                if !tags.is_empty() {
                    self.effect_event(own, tags, span, What::Text("the function that is called"));
                    for (family, args) in self.t.rows.closed(index).args.clone() {
                        self.t.set_effect_args(family, own, args);
                    }
                }
            }
            _ => {}
        }
    }

    /// Saturated construction.
    pub fn construct(
        &mut self,
        def: TypeDefId,
        variant: u32,
        args: &[Arg<'_>],
        want: Want,
        _at: Span,
        span: Span,
    ) -> ExprId {
        let adt = self.open_adt(def);
        self.hint_result(adt, want);
        let Node::Adt(_, list, row) = self.t.get(adt) else { return self.b.error(span) };
        let fields = self.variant_fields(def, variant);
        // `Point({ x: 1 })` is `Point { x: 1 }`.
        if matches!(self.adts[def].kind, AdtKind::Record(_)) || (args.len() == 1 && fields.len() > 1) {
            if let [Arg { name: None, source: Source::Ast(e), .. }] = args
                && let Ast::Record { path: None, fields: inits, base } = &*e.kind
            {
                return self.construct_record(def, variant, inits, base.as_ref(), want, span);
            }
            if let ([arg], AdtKind::Record(_)) = (args, &self.adts[def].kind)
                && arg.name.is_none()
                && fields.len() != 1
            {
                let id = self.argument_value(arg.source);
                return self.coerce(id, adt, Why::None);
            }
        }
        let params: Vec<Ty> = fields.iter().map(|f| self.field_type(f.ty, list, row)).collect();
        let with = Instantiated { args: self.t.items(list).to_vec(), rows: Vec::new(), monomorphic: false };
        let names = ParamNames::Ctor(def, variant);
        let Some((values, binds)) = self.arguments(names, &params, args, &with, false, span) else {
            return self.b.expr(ExprKind::Error, adt, span);
        };
        if !values.is_empty() && matches!(self.adts[def].kind, AdtKind::Sum(_)) && Some(def) != self.lang.option {
            self.allocates(span);
        }
        let made = self.b.expr(ExprKind::Construct { variant, args: values }, adt, span);
        self.with_binds(binds, made)
    }
}

fn gather<'e>(args: &'e [ast::Arg], piped: Option<Arg<'e>>) -> Vec<Arg<'e>> {
    let mut out = Vec::with_capacity(args.len() + 1);
    let mut piped = piped;
    let has_slot = args.iter().any(|arg| matches!(*arg.value.kind, Ast::Placeholder));
    if !has_slot && let Some(arg) = piped.take() {
        out.push(arg);
    }
    for arg in args {
        if matches!(*arg.value.kind, Ast::Placeholder)
            && let Some(piped) = piped.take()
        {
            out.push(Arg { name: arg.name, ..piped });
            continue;
        }
        out.push(Arg { name: arg.name, source: Source::Ast(&arg.value), span: arg.value.span });
    }
    out
}
