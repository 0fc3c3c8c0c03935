//! Groups of definitions inferred together, and their generalisation.

use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::ast;

use super::body::{BodyCx, DeferredKind, Frame, Want, Why};
use super::deferred::Effort;
use super::ty::{List, Row, RowKind, Ty, Types, VarKind};
use crate::cx::*;
use crate::typed::*;

/// A group whose bodies wait for later definitions of the module: fields of parameters whose types only uses tell.
pub(crate) struct PendingGroup {
    pub defs: Vec<Def>,
    pub bodies: Vec<BodyCx>,
}

impl<'a> Checker<'a> {
    pub fn infer_module(&mut self, module: ModuleId) {
        if self.modules[module].inferred.is_empty() && !self.t.rows.families.exist() {
            return;
        }
        let annotated = self.annotated(module);
        let groups = self.inference_groups(module, &annotated);
        for group in groups {
            self.infer_group(group);
            self.reset_when_idle();
        }
        if !self.pending.is_empty() {
            // The annotated functions of the module may be the ones that tell.
            let known: Vec<FnId> =
                self.fns.iter().filter(|(_, info)| info.module == module).map(|(id, _)| id).collect();
            for id in known {
                self.check_known(id);
            }
            self.finish_pending();
        }
        self.reset_when_idle();
    }

    /// Functions with complete signatures, whose bodies tell what their generic effects are applied to: their callers
    /// want to know.
    fn annotated(&self, module: ModuleId) -> Vec<Def> {
        if !self.t.rows.families.exist() || self.is_core(module) {
            return Vec::new();
        }
        self.fns
            .iter()
            .filter(|(_, info)| info.module == module && info.state == FnState::Known && info.linkage == Linkage::Reml)
            .filter(|(_, info)| matches!(info.source, FnSource::Decl(_) | FnSource::Active(_)))
            .map(|(id, _)| Def::Fn(id))
            .collect()
    }

    fn infer_group(&mut self, defs: Vec<Def>) {
        for &def in &defs {
            match def {
                Def::Fn(id) if self.fns[id].state == FnState::Known => {
                    let rows = (0..self.fns[id].row_count.max(1)).map(|_| self.t.rows.fresh()).collect();
                    self.fns[id].checked_rows = rows;
                }
                _ => self.prepare(def),
            }
        }
        let mut bodies = Vec::with_capacity(defs.len());
        for &def in &defs {
            self.build(def);
            self.solve(Effort::Known);
            bodies.push(std::mem::take(&mut self.b));
        }
        self.group_where.clear();
        if self.waits_for_use(&bodies, &defs) {
            self.pending.push(PendingGroup { defs, bodies });
            return;
        }
        self.conclude(defs, bodies, true);
    }

    /// Does a body use a field of something whose type is still open, in a function without written generics?
    fn waits_for_use(&self, bodies: &[BodyCx], defs: &[Def]) -> bool {
        let generic = defs
            .iter()
            .any(|def| matches!(def, Def::Fn(id) if self.fns[*id].arity > 0 || self.fns[*id].state == FnState::Known));
        !generic
            && bodies.iter().any(|b| {
                b.deferred.iter().any(|item| {
                    let open = |id: ExprId| self.t.var_kind(self.t.peel(b.ty(id))) == Some(VarKind::Any);
                    match &item.kind {
                        DeferredKind::Field { base, .. } => open(*base),
                        DeferredKind::TupleField { base, .. } => open(*base),
                        DeferredKind::Method { receiver, name, .. } => {
                            open(*receiver) && !self.trait_methods.contains_key(&name.name)
                        }
                        DeferredKind::Index { base, .. } => open(*base),
                        _ => false,
                    }
                })
            })
    }

    /// Lets waiting bodies learn from what has been unified since.
    pub fn poke_pending(&mut self) {
        let mut groups = std::mem::take(&mut self.pending);
        for group in &mut groups {
            for body in &mut group.bodies {
                std::mem::swap(&mut self.b, body);
                self.solve(Effort::Known);
                std::mem::swap(&mut self.b, body);
            }
        }
        groups.append(&mut self.pending);
        self.pending = groups;
    }

    fn finish_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.poke_pending();
        for group in std::mem::take(&mut self.pending) {
            self.conclude(group.defs, group.bodies, false);
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Steps

    fn prepare(&mut self, def: Def) {
        match def {
            Def::Fn(id) => {
                self.fns[id].state = FnState::InProgress;
                let row = self.t.rows.fresh();
                self.fns[id].own_row = Row::var(row);
                let (params, ret): (&'a [ast::Param], Option<&'a ast::Type>) = match self.fns[id].source {
                    FnSource::Let(decl) => match &*decl.value.kind {
                        ast::ExprKind::Lambda { params, ret, .. } => (params, ret.as_ref()),
                        // A constant of an impl.
                        _ => (&[], decl.ty.as_ref()),
                    },
                    FnSource::Decl(_)
                    | FnSource::Active(_)
                    | FnSource::Handler(_)
                    | FnSource::Default(_)
                    | FnSource::Local => {
                        self.prepare_written(id, row);
                        return;
                    }
                };
                self.b = BodyCx { module: self.fns[id].module, ..BodyCx::default() };
                if let Container::Impl(impl_id) = self.fns[id].container {
                    let names = self.fns[id].generics.clone();
                    self.b.generics = names.into_iter().zip((0..).map(|index| self.t.param(index))).collect();
                    self.b.self_ty = self.impls[impl_id].args.first().copied();
                }
                let mut infos = Vec::with_capacity(params.len());
                for param in params {
                    let ty = match &param.ty {
                        Some(written) => self.body_type(written),
                        None => self.t.fresh(),
                    };
                    let name = match &*param.pattern.kind {
                        ast::PatternKind::Bind(name) => Some(name.name),
                        _ => None,
                    };
                    infos.push(ParamInfo { name, ty, span: param.span, default: None });
                }
                let ret_ty = match ret {
                    Some(written) => self.body_type(written),
                    None => self.t.fresh(),
                };
                self.fns[id].params = infos;
                self.fns[id].ret = ret_ty;
                if let FnSource::Let(decl) = self.fns[id].source
                    && let Some(written) = &decl.ty
                    && matches!(*decl.value.kind, ast::ExprKind::Lambda { .. })
                {
                    let expected = self.body_type(written);
                    let types: Vec<Ty> = self.fns[id].params.iter().map(|p| p.ty).collect();
                    let own = self.t.func(&types, self.fns[id].ret, Row::var(row));
                    if let Err(clash) = self.t.unify(own, expected) {
                        self.mismatch(own, expected, decl.value.span, Why::Annotation(written.span), clash);
                    }
                }
            }
            Def::Global(id) => {
                let ty = match self.globals[id].source {
                    GlobalSource::Let(ast::LetDecl { ty: Some(written), .. }) => {
                        self.b = BodyCx { module: self.globals[id].module, ..BodyCx::default() };
                        let ty = self.body_type(written);
                        match self.t.head(ty) {
                            super::ty::Node::Ref { inner, .. } => inner,
                            _ => ty,
                        }
                    }
                    _ => self.t.fresh(),
                };
                self.globals[id].ty = Some(ty);
            }
        }
    }

    /// Written types of the signature stay; the others become variables.
    fn prepare_written(&mut self, id: FnId, row: u32) {
        let rows = self.signature_rows(id, row);
        for i in 0..self.fns[id].params.len() {
            let ty = self.fns[id].params[i].ty;
            let missing = ty == Types::ERROR && self.lacks_type(id, i);
            self.fns[id].params[i].ty = if missing { self.t.fresh() } else { self.open(ty, &rows) };
        }
        if let (FnSource::Handler(decl), Some(last)) = (self.fns[id].source, self.fns[id].params.len().checked_sub(1)) {
            // The computation.
            let answer = self.t.fresh();
            let thunk = self.t.rows.fresh();
            self.fns[id].params[last].ty = self.t.func(&[], answer, Row::var(thunk));
            debug_assert_eq!(last, decl.params.len());
        }
        let ret = self.fns[id].ret;
        self.fns[id].ret =
            if ret == Types::ERROR && self.lacks_result(id) { self.t.fresh() } else { self.open(ret, &rows) };
    }

    fn lacks_type(&self, id: FnId, index: usize) -> bool {
        match self.fns[id].source {
            FnSource::Decl(decl) => {
                let first = usize::from(decl.sig.self_param.is_some());
                index >= first && decl.sig.params.get(index - first).is_some_and(|p| p.ty.is_none())
            }
            FnSource::Active(decl) => decl.params.get(index).is_some_and(|p| p.ty.is_none()),
            FnSource::Handler(decl) => decl.params.get(index).is_none_or(|p| p.ty.is_none()),
            _ => true,
        }
    }

    fn lacks_result(&self, id: FnId) -> bool {
        match self.fns[id].source {
            FnSource::Decl(decl) => decl.sig.ret.is_none(),
            FnSource::Active(decl) => decl.ret.is_none(),
            FnSource::Handler(decl) => decl.ret.is_none(),
            _ => true,
        }
    }

    fn signature_rows(&mut self, id: FnId, own: u32) -> Vec<Row> {
        let mut rows = vec![Row::var(own)];
        for _ in 1..self.fns[id].row_count {
            rows.push(Row::var(self.t.rows.fresh()));
        }
        rows
    }

    fn open(&mut self, ty: Ty, rows: &[Row]) -> Ty {
        self.t.instantiate(ty, &super::ty::Instance { args: &[], rows })
    }

    fn build(&mut self, def: Def) {
        match def {
            Def::Fn(id) if self.fns[id].state == FnState::Known => {
                self.begin_fn(id, true);
                self.build_fn(id);
            }
            Def::Fn(id) => {
                let own = self.fns[id].own_row;
                self.begin_fn(id, false);
                self.sig_rows = vec![own];
                self.build_fn(id);
            }
            Def::Global(id) => self.build_global(id),
        }
    }

    fn build_global(&mut self, id: GlobalId) {
        let module = self.globals[id].module;
        let native = crate::native::Gates::default().with(self.globals[id].attrs, self.names);
        self.b = BodyCx { def: Some(Def::Global(id)), module, native, ..BodyCx::default() };
        let row = self.t.rows.fresh();
        let ty = self.globals[id].ty.unwrap_or(Types::ERROR);
        self.group_rows.push((Def::Global(id), vec![row]));
        let mark = self.scope.len();
        self.b.frames.push(Frame { tail: false, ..Frame::new(ty, Why::None, row) });
        let root = match self.globals[id].source {
            GlobalSource::Let(decl) => {
                let why = decl.ty.as_ref().map_or(Why::None, |t| Why::Annotation(t.span));
                let value = self.expr(&decl.value, Want::of(ty, why));
                let value = self.deref(value);
                let value = self.coerce(value, ty, why);
                if self.diverges(value) && self.t.is_var(ty) {
                    let _ = self.t.unify(ty, Types::UNIT);
                }
                value
            }
            GlobalSource::Conductor(index) => {
                let value = self.conductor_value(index, Want::of(ty, Why::None));
                self.coerce(value, ty, Why::None)
            }
            GlobalSource::Expr(e) => {
                let value = self.discarded(e);
                let _ = self.t.unify(ty, Types::UNIT);
                value
            }
            GlobalSource::Projection(whole, pattern) => {
                let span = self.globals[id].span;
                self.reference(Reference::Global(whole));
                let whole_ty = self.global_type(whole, span);
                let scrutinee = self.b.expr(ExprKind::Global(whole), whole_ty, span);
                let errors = self.diagnostics.len();
                let bound = self.pattern(pattern, whole_ty, false);
                if self.globals[whole].projected {
                    // The pattern's own errors are reported once.
                    self.diagnostics.truncate(errors);
                }
                self.globals[whole].projected = true;
                match self.lookup_local(self.globals[id].name) {
                    Some(super::body::LocalBinding::Local(local)) => {
                        let value = self.b.use_local(local, span);
                        let value_ty = self.b.ty(value);
                        let _ = self.t.unify(ty, value_ty);
                        let arms = vec![Arm { pattern: bound, guard: None, body: value, span }];
                        self.b.expr(ExprKind::Match { scrutinee, arms }, value_ty, span)
                    }
                    _ => self.b.error(span),
                }
            }
        };
        let root = if self.globals[id].mutable {
            let span = self.b.span(root);
            let cell_ty = self.t.node(super::ty::Node::Cell(ty));
            self.prim_call("cell_new", vec![root], cell_ty, span)
        } else {
            root
        };
        self.b.frames.pop();
        self.pop_scope(mark);
        self.b.root = Some(root);
    }

    /// Decides what is open, generalises, and finishes the bodies of a group.
    pub fn conclude(&mut self, defs: Vec<Def>, mut bodies: Vec<BodyCx>, generalise: bool) {
        // Everything that can be decided in any of the bodies, before anything is guessed.
        for effort in [Effort::Known, Effort::Guess] {
            for body in &mut bodies {
                std::mem::swap(&mut self.b, body);
                self.solve(effort);
                if !self.pending.is_empty() {
                    self.poke_pending();
                    self.solve(effort);
                }
                std::mem::swap(&mut self.b, body);
            }
        }
        let arity_before = defs
            .iter()
            .filter_map(|def| match def {
                Def::Fn(id) => Some(self.fns[*id].generics.len() as u32),
                Def::Global(_) => None,
            })
            .max()
            .unwrap_or(0);
        let mut next_param = arity_before;
        let has_global = defs.iter().any(|d| matches!(d, Def::Global(_)));
        // Values are generalised only alone, and only when they are syntactic values.
        let polymorphic_value = match defs[..] {
            [Def::Global(id)] => self.is_value(id),
            _ => false,
        };
        let is_main = matches!(defs[..], [Def::Fn(id)] if self.is_main(id));
        let generalise = generalise && !is_main;
        self.next_inferred = next_param;
        self.group_where.clear();
        if generalise && !has_global {
            self.generalise_receivers(&defs, &mut bodies, arity_before);
            next_param = self.next_inferred;
        }
        if generalise && (!has_global || polymorphic_value) {
            let mut vars = Vec::new();
            for def in &defs {
                for ty in self.signature_types(*def) {
                    self.t.settle_all(ty);
                    self.t.free_vars(ty, &mut vars);
                }
                for ty in self.effect_arguments(*def) {
                    self.t.settle_all(ty);
                    self.t.free_vars(ty, &mut vars);
                }
            }
            for var in vars {
                if self.t.kind_of_var(var) == VarKind::Any {
                    let param = self.t.param(next_param);
                    next_param += 1;
                    self.t.bind(var, param);
                }
            }
        }
        self.next_inferred = next_param;
        for body in &mut bodies {
            std::mem::swap(&mut self.b, body);
            let annotated = matches!(self.b.def, Some(Def::Fn(id)) if self.fns[id].state == FnState::Known);
            self.b.first_inferred = (generalise && !has_global && !annotated).then_some(arity_before);
            self.solve(Effort::Known);
            self.solve(Effort::Guess);
            self.solve(Effort::Last);
            self.report_empty_arrays();
            std::mem::swap(&mut self.b, body);
        }
        let next_param = self.next_inferred;
        let wheres = std::mem::take(&mut self.group_where);
        let mut annotated = Vec::new();
        for &def in &defs {
            match def {
                Def::Fn(id) if self.fns[id].state == FnState::Known => annotated.push(id),
                _ => self.freeze_signature(def, arity_before, next_param, &wheres),
            }
        }
        for &id in &annotated {
            self.freeze_effects(id, next_param > arity_before, next_param);
        }
        for body in &mut bodies {
            self.pass_hidden_arguments(body, &annotated);
        }
        for (def, body) in defs.into_iter().zip(bodies) {
            self.b = body;
            if let Def::Global(id) = def
                && next_param > 0
            {
                self.make_polymorphic(id, next_param);
                continue;
            }
            self.finish_body(def);
        }
    }

    /// `fn shown(x) = x.to_string()`: a parameter with a trait's method is of any type with that trait. Decided before
    /// results are generalised, because the method tells what they are.
    fn generalise_receivers(&mut self, defs: &[Def], bodies: &mut [BodyCx], first: u32) {
        loop {
            let mut open = Vec::new();
            for &def in defs {
                for ty in self.signature_types(def) {
                    self.t.free_vars(ty, &mut open);
                }
            }
            let receiver = bodies.iter().find_map(|b| {
                b.deferred.iter().find_map(|item| {
                    let DeferredKind::Method { receiver, name, .. } = &item.kind else { return None };
                    let ty = self.t.peel(b.ty(*receiver));
                    let super::ty::Node::Var(var) = self.t.get(ty) else { return None };
                    let of_trait = self.trait_methods.get(&name.name).is_some_and(|found| found.len() == 1);
                    (of_trait && open.contains(&var) && self.t.kind_of_var(var) == VarKind::Any).then_some(var)
                })
            });
            let Some(var) = receiver else { return };
            let param = self.t.param(self.next_inferred);
            self.next_inferred += 1;
            self.t.bind(var, param);
            for body in bodies.iter_mut() {
                std::mem::swap(&mut self.b, body);
                self.b.first_inferred = Some(first);
                self.solve(Effort::Known);
                std::mem::swap(&mut self.b, body);
            }
        }
    }

    /// `main` of the root module has no type parameters.
    fn is_main(&self, id: FnId) -> bool {
        let info = &self.fns[id];
        info.name == self.sym.main
            && info.container == Container::Module
            && self.options.root.as_deref() == Some(&*self.modules[info.module].name)
    }

    /// What generic effects of a definition's rows are applied to, as far as callers may choose it.
    fn effect_arguments(&mut self, def: Def) -> Vec<Ty> {
        let Def::Fn(id) = def else { return Vec::new() };
        let info = &self.fns[id];
        let in_trait = match info.container {
            Container::Trait(..) => true,
            Container::Impl(impl_id) => self.impls[impl_id].trait_.is_some(),
            Container::Module => false,
        };
        if in_trait || info.declared.is_some() || !self.t.rows.families.exist() {
            return Vec::new();
        }
        let rows = if info.state == FnState::Known {
            info.checked_rows.clone()
        } else {
            let mut rows = Vec::new();
            if let RowKind::Var(row) = info.own_row.kind() {
                rows.push(row);
            }
            for ty in self.signature_types(def) {
                self.t.rows_in(ty, &mut rows);
            }
            rows
        };
        self.t.known_args(&rows)
    }

    /// What the finished body of an annotated function tells about its generic effects. Where nothing says what they
    /// are applied to, that becomes a type parameter which is not written.
    fn freeze_effects(&mut self, id: FnId, hidden: bool, arity: u32) {
        let rows = std::mem::take(&mut self.fns[id].checked_rows);
        if self.fns[id].declared.is_none() {
            let signature = self.t.signature_of(&rows);
            self.fns[id].generic_effects = Some(Box::new(signature));
        }
        if hidden && matches!(self.fns[id].container, Container::Module) {
            self.fns[id].arity = self.fns[id].arity.max(arity);
        }
    }

    /// Uses of a function from within its group were made before its hidden parameters were known.
    fn pass_hidden_arguments(&mut self, body: &mut BodyCx, annotated: &[FnId]) {
        if annotated.is_empty() {
            return;
        }
        let own = match body.def {
            Some(Def::Fn(id)) => self.fns[id].arity,
            _ => 0,
        };
        let mut listed: Vec<ExprId> = Vec::new();
        for (expr, list) in &mut body.type_args {
            listed.push(*expr);
            let ExprKind::Fn(callee, _) = body.exprs[*expr].kind else { continue };
            if annotated.contains(&callee) {
                *list = self.with_hidden(*list, self.fns[callee].arity, own);
            }
        }
        let bare: Vec<(ExprId, FnId)> = body
            .exprs
            .iter()
            .filter_map(|(id, expr)| match expr.kind {
                ExprKind::Fn(callee, _) if annotated.contains(&callee) && self.fns[callee].arity > 0 => {
                    Some((id, callee))
                }
                _ => None,
            })
            .filter(|(id, _)| !listed.contains(id) && !body.group_uses.contains(id))
            .collect();
        for (id, callee) in bare {
            let list = self.with_hidden(List::EMPTY, self.fns[callee].arity, own);
            body.type_args.push((id, list));
        }
    }

    fn with_hidden(&mut self, list: List, arity: u32, own: u32) -> List {
        if list.len >= arity {
            return list;
        }
        let mut args: Vec<Ty> = self.t.items(list).to_vec();
        for index in list.len..arity {
            args.push(if index < own { self.t.param(index) } else { Types::UNIT });
        }
        self.t.list(&args)
    }

    fn signature_types(&self, def: Def) -> Vec<Ty> {
        match def {
            Def::Fn(id) => {
                let info = &self.fns[id];
                info.params.iter().map(|p| p.ty).chain(std::iter::once(info.ret)).collect()
            }
            Def::Global(id) => self.globals[id].ty.into_iter().collect(),
        }
    }

    /// A condition that an inferred signature gets. Open types in it become parameters.
    pub fn infer_condition(&mut self, condition: TraitRefTy) {
        let mut vars = Vec::new();
        for &arg in &condition.args {
            self.t.free_vars(arg, &mut vars);
        }
        for var in vars {
            let param = self.t.param(self.next_inferred);
            self.next_inferred += 1;
            self.t.bind(var, param);
        }
        let extended = self.elaborate(std::slice::from_ref(&condition));
        self.b.assumptions.extend(extended);
        self.group_where.push(condition);
    }

    fn freeze_signature(&mut self, def: Def, before: u32, arity: u32, wheres: &[TraitRefTy]) {
        match def {
            Def::Fn(id) => {
                let mut rows = Vec::new();
                if let RowKind::Var(row) = self.fns[id].own_row.kind() {
                    rows.push(self.t.rows.find(row));
                }
                for ty in self.signature_types(def) {
                    self.t.settle_all(ty);
                }
                for i in 0..self.fns[id].params.len() {
                    let ty = self.t.freeze(self.fns[id].params[i].ty, &mut rows);
                    self.fns[id].params[i].ty = ty;
                }
                let ret = self.t.freeze(self.fns[id].ret, &mut rows);
                let mut frozen = Vec::with_capacity(wheres.len());
                for condition in wheres {
                    let args = condition.args.iter().map(|&arg| self.t.freeze(arg, &mut Vec::new())).collect();
                    frozen.push(TraitRefTy { trait_: condition.trait_, args, span: condition.span });
                }
                let name_of = |checker: &mut Self, index: u32| {
                    let letter = (b'A' + (index % 26) as u8) as char;
                    let text = if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) };
                    checker.names.intern(&text)
                };
                for index in before..arity {
                    let name = name_of(self, index);
                    if !matches!(self.fns[id].source, FnSource::Local) {
                        self.fns[id].generics.push(name);
                    }
                }
                let info = &mut self.fns[id];
                info.ret = ret;
                info.wheres.extend(frozen);
                info.arity = arity;
                info.row_count = rows.len().max(1) as u32;
                info.state = FnState::Known;
                if self.t.rows.families.exist() {
                    let signature = self.t.signature_of(&rows);
                    self.fns[id].generic_effects = Some(Box::new(signature));
                }
                self.group_rows.push((Def::Fn(id), rows));
                let (ret_params, generics, wheres, row_count) = {
                    let info = &self.fns[id];
                    let types: Vec<(Option<FnId>, Ty)> = info.params.iter().map(|p| (p.default, p.ty)).collect();
                    (types, info.generics.clone(), info.wheres.clone(), info.row_count)
                };
                for (default, ty) in ret_params {
                    let Some(default) = default else { continue };
                    let ret = self.t.decay(ty);
                    let made = &mut self.fns[default];
                    made.ret = ret;
                    made.generics = generics.clone();
                    made.arity = arity;
                    made.wheres = wheres.clone();
                    made.row_count = row_count;
                    made.state = FnState::Known;
                }
            }
            Def::Global(id) => {
                let Some(ty) = self.globals[id].ty else { return };
                self.t.settle_all(ty);
                self.close_conductor(id);
                let mut vars = Vec::new();
                self.t.free_vars(ty, &mut vars);
                if !vars.is_empty() && arity == 0 {
                    self.report_value_restriction(id, ty);
                }
                for var in vars {
                    self.t.bind(var, Types::ERROR);
                }
                let mut rows = self.rows_of_group(def);
                let frozen = self.t.freeze(ty, &mut rows);
                self.globals[id].ty = Some(frozen);
                self.globals[id].row_count = rows.len() as u32;
                if self.t.rows.families.exist() {
                    let signature = self.t.signature_of(&rows);
                    self.globals[id].generic_effects = Some(Box::new(signature));
                }
                if let Some(entry) = self.group_rows.iter_mut().find(|(known, _)| *known == def) {
                    entry.1 = rows;
                }
            }
        }
    }

    /// A conductor that says nothing of its result gives none.
    fn close_conductor(&mut self, id: GlobalId) {
        if let (GlobalSource::Conductor(_), Some(ty)) = (self.globals[id].source, self.globals[id].ty)
            && let super::ty::Node::Adt(_, args, _) = self.t.head(ty)
            && self.t.is_var(self.t.at(args, 0))
        {
            let _ = self.t.unify(self.t.at(args, 0), Types::UNIT);
        }
    }

    /// The rows that a definition of the group has so far.
    fn rows_of_group(&mut self, def: Def) -> Vec<u32> {
        let known = self.group_rows.iter().find(|(known, _)| *known == def);
        let rows = known.map(|(_, rows)| rows.clone()).unwrap_or_default();
        rows.into_iter().map(|row| self.t.rows.find(row)).collect()
    }

    fn report_value_restriction(&mut self, id: GlobalId, ty: Ty) {
        match self.globals[id].source {
            GlobalSource::Expr(_) => return,
            // What is wrong with a conductor leaves its result open.
            GlobalSource::Conductor(_) if self.diagnostics.iter().any(Diagnostic::is_error) => return,
            _ => {}
        }
        let text = self.names.text(self.globals[id].name).to_owned();
        let shown = self.show(ty);
        let span = self.globals[id].span;
        let mut diagnostic =
            Diagnostic::error(codes::VALUE_RESTRICTION, span, format!("the type of `{text}` stays open: `{shown}`"));
        if let GlobalSource::Let(decl) = self.globals[id].source {
            diagnostic = diagnostic.with_label(decl.value.span, "this is computed, so its type cannot be general");
        }
        let help = match self.globals[id].source {
            GlobalSource::Conductor(_) => "say what its `execution` gives, with an annotated `let`",
            _ => "annotate it, or make it a function",
        };
        self.error_once(diagnostic.with_help(help));
    }

    /// May the global's type be general: is what it holds written out, not computed?
    fn is_value(&self, id: GlobalId) -> bool {
        match self.globals[id].source {
            GlobalSource::Let(decl) => !self.globals[id].mutable && is_syntactic_value(&decl.value),
            _ => false,
        }
    }

    /// A general value becomes a function without parameters.
    fn make_polymorphic(&mut self, id: GlobalId, arity: u32) {
        let info = &self.globals[id];
        let (module, name, span, attrs, ty) = (info.module, info.name, info.span, info.attrs, info.ty);
        let ident = ast::Ident { name, span };
        let made = self.push_fn(module, ident, FnSource::Local, attrs, Container::Module, Linkage::Reml, false);
        self.fns[made].arity = arity;
        self.fns[made].ret = ty.unwrap_or(Types::ERROR);
        self.fns[made].row_count = self.globals[id].row_count;
        self.fns[made].generic_effects = self.globals[id].generic_effects.clone();
        self.globals[id].polymorphic = Some(made);
        // The signature's parameters are its own, not those of a definition around it.
        self.fns[made].generics = Vec::new();
        let rows = self
            .group_rows
            .iter()
            .find(|(def, _)| *def == Def::Global(id))
            .map(|(_, rows)| rows.clone())
            .unwrap_or_default();
        self.group_rows.push((Def::Fn(made), rows));
        self.finish_body(Def::Fn(made));
    }

    /// What an active pattern promises.
    pub fn check_active_contracts(&mut self) {
        let ids: Vec<FnId> = self.fns.keys().collect();
        for id in ids {
            let FnSource::Active(decl) = self.fns[id].source else { continue };
            if !decl.partial {
                continue;
            }
            let ret = self.fns[id].ret;
            let fine = match self.t.head(ret) {
                super::ty::Node::Adt(def, ..) => Some(def) == self.lang.option,
                super::ty::Node::Error => true,
                _ => false,
            };
            if !fine {
                let shown = self.show_in(ret, id);
                let name = self.names.text(decl.name.name).to_owned();
                let at = decl.ret.as_ref().map_or(decl.body.span, |t| t.span);
                self.report(
                    Diagnostic::error(
                        codes::PATTERN_ACTIVE_CONTRACT,
                        at,
                        format!("the partial pattern `(|{name}|_|)` must return an `Option`, found `{shown}`"),
                    )
                    .with_help("return `Some(value)` for a match and `None` to fall through"),
                );
            }
        }
    }
}

fn is_syntactic_value(e: &ast::Expr) -> bool {
    use ast::ExprKind as K;
    match &*e.kind {
        K::Int(_) | K::Float(_) | K::Bool(_) | K::Char(_) | K::Str(_) | K::Unit | K::Lambda { .. } => true,
        K::Path(path) => path.segments.last().is_some(),
        K::Field { base, .. } => is_syntactic_value(base),
        K::Tuple(items) | K::Array(items) => items.iter().all(is_syntactic_value),
        K::Record { fields, base: None, .. } => fields.iter().all(|f| f.value.as_ref().is_none_or(is_syntactic_value)),
        _ => false,
    }
}
