//! Inference: every body, in an order in which signatures are known before they are used.
//!
//! Functions with complete signatures can be checked in any order. The others, and globals, are grouped by
//! mutual dependency within their module and inferred group by group; a group is generalised when it is done. Bodies
//! of the library are checked when something reaches them.

mod answers;
mod arguments;
pub(crate) mod body;
mod call;
mod captures;
pub(crate) mod clauses;
mod coerce;
mod conductor;
mod control;
pub(crate) mod deferred;
pub(crate) mod dependencies;
mod effects;
mod expr;
mod format;
mod futures;
pub(crate) mod groups;
mod handlers;
mod leave;
mod literal;
mod local_fns;
mod loops;
mod method;
mod operators;
mod pattern;
mod pattern_forms;
mod place;
mod record;
mod show;
mod stmt;
pub(crate) mod ty;
mod zonk;

use reml_syntax::ast;

use crate::cx::*;
use crate::effects::tags;
use crate::native::Gates;
use crate::typed::*;
use body::{BodyCx, Frame, Why};
use deferred::Effort;
use ty::{Instance, Row, Ty, Types};

impl<'a> Checker<'a> {
    pub fn check_bodies(&mut self) {
        self.t.permanent = false;
        let order = self.module_order();
        for &module in &order {
            self.infer_module(module);
        }
        let ids: Vec<FnId> = self.fns.keys().collect();
        for id in ids {
            if !self.is_core(self.fns[id].module) || self.options.check_all_core {
                self.check_known(id);
            }
        }
        // The compiler calls these on its own account.
        let lang: Vec<FnId> = self.lang.fns.values().copied().collect();
        for id in lang {
            self.enqueue(Def::Fn(id));
        }
        // What `main` and tests give is printed.
        let starts = self.main_fn().into_iter().chain(self.tests());
        let results: Vec<Ty> = starts.map(|id| self.t.resolve(self.fns[id].ret)).collect();
        if let Some(display) = self.lang_traits.display
            && results.iter().any(|ty| !matches!(*ty, Types::UNIT | Types::NEVER))
        {
            self.follow_trait(display);
        }
        while let Some(def) = self.queue.pop() {
            match def {
                Def::Fn(id) => self.check_known(id),
                Def::Global(_) => {}
            }
        }
    }

    /// The function that the program starts with, if there is one.
    pub fn main_fn(&self) -> Option<FnId> {
        let module = *self.module_names.get(self.options.root.as_deref()?)?;
        match self.modules[module].values.get(&self.sym.main)?.item {
            Value::Fn(id) => Some(id),
            _ => None,
        }
    }

    /// A library definition is needed.
    pub fn enqueue(&mut self, def: Def) {
        if self.queued.insert(def) {
            self.queue.push(def);
        }
    }

    /// Everything a finished body mentions is needed from now on.
    pub fn follow(&mut self, references: &[Reference]) {
        for &reference in references {
            match reference {
                Reference::Fn(id) => self.enqueue(Def::Fn(id)),
                Reference::Global(id) => self.enqueue(Def::Global(id)),
                Reference::Trait(trait_) => self.follow_trait(trait_),
            }
        }
    }

    fn follow_trait(&mut self, trait_: TraitId) {
        if !self.used_traits.insert(trait_) {
            return;
        }
        // Structural text of a composite shows its parts.
        if Some(trait_) == self.lang_traits.display
            && let Some(debug) = self.lang_traits.debug
        {
            self.follow_trait(debug);
        }
        let methods: Vec<FnId> = self.traits[trait_].methods.iter().map(|m| m.def).collect();
        for id in methods {
            self.enqueue(Def::Fn(id));
        }
        let impls: Vec<FnId> = self
            .impls
            .values()
            .filter(|info| info.trait_ == Some(trait_))
            .flat_map(|info| info.methods.iter().copied().flatten())
            .collect();
        for id in impls {
            self.enqueue(Def::Fn(id));
        }
        let supers: Vec<TraitId> = self.traits[trait_].supertraits.iter().map(|s| s.trait_).collect();
        for id in supers {
            self.follow_trait(id);
        }
    }

    /// A function whose signature is known.
    pub(crate) fn check_known(&mut self, id: FnId) {
        if self.fns[id].state != FnState::Known
            || self.fns[id].linkage != Linkage::Reml
            || self.fn_bodies.contains_key(&id)
            || matches!(self.fns[id].source, FnSource::Local)
        {
            return;
        }
        let row = self.begin_fn(id, true);
        let _ = row;
        self.build_fn(id);
        self.solve_to_end();
        self.finish_body(Def::Fn(id));
        self.reset_when_idle();
    }

    /// Starts the body of a function: its generics, assumptions and effect rows.
    pub(crate) fn begin_fn(&mut self, id: FnId, known: bool) -> u32 {
        let info = &self.fns[id];
        let (module, container, row_count) = (info.module, info.container, info.row_count);
        let names = info.generics.clone();
        let wheres = info.wheres.clone();
        let mut native = Gates::default().with(info.attrs, self.names);
        native.forbidden = info.declared.as_ref().is_some_and(|row| !row.closed.tags.meets(&tags::NATIVE));
        let mut b = BodyCx { def: Some(Def::Fn(id)), module, native, ..BodyCx::default() };
        for (index, name) in names.into_iter().enumerate() {
            let ty = self.t.param(index as u32);
            b.generics.push((name, ty));
        }
        let mut assumed = wheres;
        match container {
            Container::Trait(trait_, _) => {
                let args: Vec<Ty> = (0..self.traits[trait_].generics.len()).map(|i| b.generics[i].1).collect();
                b.self_ty = args.first().copied();
                assumed.push(TraitRefTy { trait_, args, span: self.traits[trait_].span });
            }
            Container::Impl(impl_id) => b.self_ty = self.impls[impl_id].args.first().copied(),
            Container::Module => {
                if let FnSource::Decl(decl) = self.fns[id].source
                    && decl.sig.name.segments.len() > 1
                {
                    b.self_ty =
                        self.fns[id].params.first().filter(|_| self.fns[id].has_self).map(|p| self.t.peel(p.ty));
                }
            }
        }
        b.assumptions = self.elaborate(&assumed);
        self.b = b;
        let mut rows = self.fns[id].checked_rows.clone();
        if rows.is_empty() {
            rows.extend((0..row_count.max(1)).map(|_| self.t.rows.fresh()));
        }
        let first = rows[0];
        if let Some(declared) = &self.fns[id].declared {
            for (family, args) in declared.closed.args.clone() {
                self.t.set_effect_args(family, first, args);
            }
        }
        if known {
            self.group_rows.push((Def::Fn(id), rows.clone()));
        }
        self.sig_rows = rows.into_iter().map(Row::var).collect();
        first
    }

    /// Builds the body of a function whose parameter and result types are in its signature.
    pub(crate) fn build_fn(&mut self, id: FnId) {
        let row = match self.sig_rows.first().map(|r| r.kind()) {
            Some(ty::RowKind::Var(row)) => row,
            _ => 0,
        };
        let rows = std::mem::take(&mut self.sig_rows);
        let instance = Instance { args: &[], rows: &rows };
        let param_tys: Vec<Ty> =
            (0..self.fns[id].params.len()).map(|i| self.t.instantiate(self.fns[id].params[i].ty, &instance)).collect();
        let ret = self.t.instantiate(self.fns[id].ret, &instance);
        let self_ty = self.b.self_ty.map(|ty| self.t.instantiate(ty, &instance));
        self.b.self_ty = self_ty;
        let mark = self.scope.len();
        let source = self.fns[id].source;
        let is_async = matches!(source, FnSource::Decl(decl) if decl.is_async);
        let (params, body, why, known): (&[ast::Param], &ast::Expr, Why, bool) = match source {
            FnSource::Decl(decl) => {
                let Some(body) = &decl.body else {
                    self.build_intrinsic(id, decl, &param_tys, ret, row);
                    self.pop_scope(mark);
                    return;
                };
                let why = decl.sig.ret.as_ref().map_or(Why::None, |t| Why::Return(t.span));
                (&decl.sig.params, body, why, self.fns[id].state == FnState::Known || decl.sig.ret.is_some())
            }
            FnSource::Active(decl) => {
                let why = decl.ret.as_ref().map_or(Why::None, |t| Why::Return(t.span));
                (&decl.params, &decl.body, why, decl.ret.is_some())
            }
            FnSource::Default(value) => (&[], value, Why::None, true),
            FnSource::Handler(decl) => {
                self.build_handler(decl, &param_tys, ret, row);
                self.pop_scope(mark);
                return;
            }
            FnSource::Let(decl) => match &*decl.value.kind {
                ast::ExprKind::Lambda { params, ret, body } => {
                    let why = ret.as_ref().map_or(Why::None, |t| Why::Return(t.span));
                    (params, body, why, ret.is_some())
                }
                _ => (&[], &decl.value, Why::None, false),
            },
            FnSource::Local => return,
        };
        let mut patterns = Vec::with_capacity(param_tys.len());
        let mut types = param_tys.iter().copied();
        if self.fns[id].has_self
            && let Some(ty) = types.next()
        {
            let span = self.fns[id].params[0].span;
            let name = ast::Ident { name: self.sym.self_value, span };
            let local = self.bind_name(name, ty, false);
            self.b.bound.clear();
            patterns.push(self.b.bind_pattern(local, span));
        }
        let mut seen: Vec<(reml_syntax::names::Symbol, reml_diagnostics::Span)> = Vec::new();
        for (param, ty) in params.iter().zip(types) {
            patterns.push(self.param_pattern(&param.pattern, ty));
            if let ast::PatternKind::Bind(name) = &*param.pattern.kind {
                if let Some(&(_, first)) = seen.iter().find(|s| s.0 == name.name) {
                    let text = self.names.text(name.name).to_owned();
                    self.report(
                        reml_diagnostics::Diagnostic::error(
                            reml_diagnostics::codes::PATTERN_DUPLICATE_BINDING,
                            name.span,
                            format!("two parameters are named `{text}`"),
                        )
                        .with_label(first, "the first one"),
                    );
                }
                seen.push((name.name, name.span));
            }
        }
        self.b.params = patterns;
        self.b.frames.push(Frame { tail: !known, ..Frame::new(ret, why, row) });
        let root = self.fn_or_async_body(is_async, body, ret, why, known);
        self.b.frames.pop();
        self.b.root = Some(root);
        self.pop_scope(mark);
    }

    /// The body of a named handler: a `handle` of its last parameter.
    fn build_handler(&mut self, decl: &ast::HandlerDecl, types: &[Ty], ret: Ty, row: u32) {
        let mut patterns = Vec::with_capacity(types.len());
        for (param, &ty) in decl.params.iter().zip(types) {
            patterns.push(self.param_pattern(&param.pattern, ty));
        }
        let Some(&thunk) = types.last() else { return };
        let computation = self.b.local(None, thunk, decl.name.span, false);
        patterns.push(self.b.bind_pattern(computation, decl.name.span));
        self.b.params = patterns;
        let why = decl.ret.as_ref().map_or(Why::None, |t| Why::Return(t.span));
        self.b.frames.push(Frame::new(ret, why, row));
        let root = self.named_handler(decl, computation, ret);
        let root = self.coerce(root, ret, why);
        self.b.frames.pop();
        self.b.root = Some(root);
    }

    /// Decides everything that is still open in the current body.
    pub(crate) fn solve_to_end(&mut self) {
        // What is made from here on has no frame of its own.
        self.solve(Effort::Known);
        if !self.pending.is_empty() {
            self.poke_pending();
            self.solve(Effort::Known);
        }
        self.solve(Effort::Guess);
        self.solve(Effort::Last);
        self.report_empty_arrays();
    }

    fn report_empty_arrays(&mut self) {
        for (element, span) in std::mem::take(&mut self.b.empty_arrays) {
            if self.t.is_var(element) {
                self.error_once(
                    reml_diagnostics::Diagnostic::error(
                        reml_diagnostics::codes::ARRAY_EMPTY,
                        span,
                        "nothing tells the element type of this empty array",
                    )
                    .with_help("annotate it: `let xs: [Int] = []`"),
                );
                let _ = self.t.unify(element, Types::ERROR);
            }
        }
    }

    /// Temporary types and rows are dropped between definitions.
    pub(crate) fn reset_when_idle(&mut self) {
        if self.pending.is_empty() && self.body_depth == 0 {
            self.collect_effects();
            self.t.reset_temporary();
            self.t.rows.clear();
            self.clear_zonked();
        }
    }
}
