//! Signatures: traits, impl headers, and the written types of functions.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, PatternKind, SelfMode};
use reml_syntax::names::Symbol;

use super::type_expr::{RowMode, TypeScope};
use crate::cx::*;
use crate::effects::arguments::{OwnFamily, Signature};
use crate::infer::ty::{Instance, Node, Row, Ty, Types};
use crate::typed::{FnId, ImplId, ModuleId, TraitId};

type Generics = Vec<(Symbol, Ty)>;

impl<'a> Checker<'a> {
    pub fn declare_traits(&mut self) {
        let ids: Vec<TraitId> = self.traits.keys().collect();
        for &id in &ids {
            let (decl, module) = (self.traits[id].decl, self.traits[id].module);
            let generics = self.trait_generics(id);
            let subject = generics[0].1;
            let mut scope =
                TypeScope { module, generics: &generics, self_ty: Some(subject), rows: RowMode::Signature(1) };
            let mut supertraits = Vec::new();
            for bound in &decl.supertraits {
                supertraits.extend(self.trait_ref(bound, Some(subject), &mut scope));
            }
            self.where_predicates(&decl.wheres, &mut scope, &mut supertraits);
            for generic in &decl.generics {
                for bound in &generic.bounds {
                    let ty = generics.iter().find(|g| g.0 == generic.name.name).map(|g| g.1);
                    supertraits.extend(self.trait_ref(bound, ty, &mut scope));
                }
            }
            self.traits[id].supertraits = supertraits;
        }
        let impls: Vec<ImplId> = self.impls.keys().collect();
        for id in impls {
            self.declare_impl(id);
        }
    }

    fn trait_generics(&mut self, id: TraitId) -> Generics {
        let names = self.traits[id].generics.clone();
        names.into_iter().enumerate().map(|(i, name)| (name, self.t.param(i as u32))).collect()
    }

    fn declare_impl(&mut self, id: ImplId) {
        let (decl, module) = (self.impls[id].decl, self.impls[id].module);
        let generics = self.generic_params(&decl.generics, 0);
        let mut scope = TypeScope { module, generics: &generics, self_ty: None, rows: RowMode::Signature(1) };
        let subject = self.written_type(&decl.subject, &mut scope);
        scope.self_ty = Some(subject);
        let mut wheres = Vec::new();
        self.generic_bounds(&decl.generics, &generics, &mut scope, &mut wheres);
        self.where_predicates(&decl.wheres, &mut scope, &mut wheres);
        let mut args = vec![subject];
        let mut trait_ = None;
        if let Some(of) = &decl.of_trait
            && let Some(reference) = self.impl_trait_ref(of, subject, &mut scope)
        {
            trait_ = Some(reference.trait_);
            args = reference.args;
        }
        let RowMode::Signature(row_count) = scope.rows else { return };
        let info = &mut self.impls[id];
        info.args = args;
        info.wheres = wheres;
        info.trait_ = trait_;
        info.row_count = row_count;
        if let Some(trait_) = trait_ {
            let count = self.traits[trait_].methods.len();
            self.impls[id].methods = vec![None; count];
            let head = self.head_of(subject).unwrap_or(Head::Any);
            self.impl_index.entry((trait_, head)).or_default().push(id);
        }
    }

    /// The trait of an impl, whose arguments may name the subject first.
    fn impl_trait_ref(&mut self, of: &ast::TraitRef, subject: Ty, scope: &mut TypeScope<'_>) -> Option<TraitRefTy> {
        let id = self.trait_named(&of.path, scope.module)?;
        let declared = self.traits[id].generics.len() - 1;
        let mut args: Vec<Ty> = of.args.iter().map(|arg| self.written_type(arg, scope)).collect();
        if args.len() == declared + 1 {
            if !self.t.same(args[0], subject) {
                let text = self.names.text(self.traits[id].name).to_owned();
                let found = self.show(args[0]);
                let wanted = self.show(subject);
                self.report(
                    Diagnostic::error(
                        codes::IMPL_SIGNATURE,
                        of.span,
                        format!("this `{text}` is for `{found}`, but the impl is for `{wanted}`"),
                    )
                    .with_label(scope_span(of), "the first argument names the subject"),
                );
            }
            args[0] = subject;
        } else {
            args.insert(0, subject);
        }
        self.complete_trait_ref(id, args, of.span)
    }

    fn complete_trait_ref(&mut self, id: TraitId, mut args: Vec<Ty>, span: Span) -> Option<TraitRefTy> {
        let wanted = self.traits[id].generics.len();
        if args.len() == 1 && wanted > 1 && self.is_operator_trait(id) {
            // `T: Add` is `Add<T, T>`.
            args.resize(wanted, args[0]);
        }
        if args.len() != wanted {
            let text = self.names.text(self.traits[id].name).to_owned();
            let plural = if wanted == 2 { "" } else { "s" };
            self.error(
                codes::TYPE_ARITY,
                span,
                format!(
                    "trait `{text}` takes {} type argument{plural}, but {} are given",
                    wanted - 1,
                    args.len().saturating_sub(1)
                ),
            );
            return None;
        }
        Some(TraitRefTy { trait_: id, args, span })
    }

    fn is_operator_trait(&self, id: TraitId) -> bool {
        matches!(
            self.names.text(self.traits[id].name),
            "Add" | "Sub" | "Mul" | "Div" | "Rem" | "Pow" | "Neg" | "Shl" | "Shr"
        )
    }

    pub fn trait_named(&mut self, path: &ast::Path, module: ModuleId) -> Option<TraitId> {
        let (&last, parents) = path.segments.split_last()?;
        let item = if parents.is_empty() && path.anchor == ast::PathAnchor::Relative {
            self.lookup_type(module, last.name)
        } else {
            match self.container_of(module, path.anchor, parents) {
                Ok(container) => self.child_container(module, container, last).ty,
                Err(_) => None,
            }
        };
        match item {
            Some(TypeItem::Trait(id)) => Some(id),
            Some(TypeItem::Error) => None,
            found => {
                let text = self.names.text(last.name).to_owned();
                let message = match found {
                    Some(_) => format!("`{text}` is not a trait"),
                    None => format!("there is no trait `{text}`"),
                };
                let suggestion = self.suggest_type(module, last.name);
                let mut diagnostic = Diagnostic::error(codes::TRAIT_UNKNOWN, path.span, message);
                if let Some(suggestion) = suggestion {
                    let title = format!("did you mean `{suggestion}`?");
                    diagnostic = diagnostic.with_fix(path.span, suggestion, title);
                }
                self.error_once(diagnostic);
                None
            }
        }
    }

    /// `Show` with a subject, or `Add<A, B, C>` that names its subject first.
    pub fn trait_ref(
        &mut self,
        reference: &ast::TraitRef,
        subject: Option<Ty>,
        scope: &mut TypeScope<'_>,
    ) -> Option<TraitRefTy> {
        let id = self.trait_named(&reference.path, scope.module)?;
        let declared = self.traits[id].generics.len() - 1;
        let mut args: Vec<Ty> = reference.args.iter().map(|arg| self.written_type(arg, scope)).collect();
        if args.len() != declared + 1
            && let Some(subject) = subject
        {
            args.insert(0, subject);
        }
        self.complete_trait_ref(id, args, reference.span)
    }

    pub fn generic_bounds(
        &mut self,
        decls: &[ast::GenericParam],
        generics: &[(Symbol, Ty)],
        scope: &mut TypeScope<'_>,
        out: &mut Vec<TraitRefTy>,
    ) {
        for generic in decls {
            let ty = generics.iter().find(|g| g.0 == generic.name.name).map(|g| g.1);
            for bound in &generic.bounds {
                out.extend(self.trait_ref(bound, ty, scope));
            }
        }
    }

    pub fn where_predicates(
        &mut self,
        wheres: &[ast::WherePredicate],
        scope: &mut TypeScope<'_>,
        out: &mut Vec<TraitRefTy>,
    ) {
        for predicate in wheres {
            match predicate {
                ast::WherePredicate::Bound { ty, bounds } => {
                    let ty = self.written_type(ty, scope);
                    for bound in bounds {
                        out.extend(self.trait_ref(bound, Some(ty), scope));
                    }
                }
                ast::WherePredicate::Trait(reference) => {
                    out.extend(self.trait_ref(reference, None, scope));
                }
            }
        }
    }

    pub fn declare_fns(&mut self) {
        let ids: Vec<FnId> = self.fns.keys().collect();
        for &id in &ids {
            self.declare_fn(id);
        }
        for &id in &ids {
            match self.fns[id].container {
                Container::Impl(impl_id) => self.attach_method(id, impl_id),
                Container::Module => self.attach_qualified(id),
                Container::Trait(..) => {}
            }
        }
    }

    /// The generics, `Self` and inherited conditions of a function's surroundings.
    fn container_scope(&mut self, id: FnId) -> (Generics, Option<Ty>, Vec<TraitRefTy>) {
        match self.fns[id].container {
            Container::Trait(trait_, _) => {
                let generics = self.trait_generics(trait_);
                let subject = generics[0].1;
                (generics, Some(subject), Vec::new())
            }
            Container::Impl(impl_id) => {
                let decl = self.impls[impl_id].decl;
                let generics = self.generic_params_silently(&decl.generics);
                let subject = self.impls[impl_id].args.first().copied();
                (generics, subject, self.impls[impl_id].wheres.clone())
            }
            Container::Module => (Vec::new(), None, Vec::new()),
        }
    }

    fn generic_params_silently(&mut self, generics: &[ast::GenericParam]) -> Generics {
        generics.iter().enumerate().map(|(i, g)| (g.name.name, self.t.param(i as u32))).collect()
    }

    fn declare_fn(&mut self, id: FnId) {
        let module = self.fns[id].module;
        match self.fns[id].source {
            FnSource::Decl(decl) => {
                let (mut generics, mut self_ty, mut wheres) = self.container_scope(id);
                if decl.sig.name.segments.len() > 1 {
                    let path = ast::Path {
                        anchor: decl.sig.name.anchor,
                        segments: decl.sig.name.segments[..decl.sig.name.segments.len() - 1].to_vec(),
                        span: decl.sig.name.span,
                    };
                    (generics, self_ty) = self.qualified_subject(module, &path);
                }
                let own = self.generic_params(&decl.sig.generics, generics.len() as u32);
                for generic in own {
                    generics.push(generic);
                }
                let mut scope = TypeScope { module, generics: &generics, self_ty, rows: RowMode::Signature(1) };
                if let Container::Impl(impl_id) = self.fns[id].container {
                    scope.rows = RowMode::Signature(self.impls[impl_id].row_count);
                }
                self.generic_bounds(&decl.sig.generics, &generics, &mut scope, &mut wheres);
                self.where_predicates(&decl.sig.wheres, &mut scope, &mut wheres);
                let mut params = Vec::with_capacity(decl.sig.params.len() + 1);
                let mut complete = true;
                if let Some(receiver) = decl.sig.self_param {
                    params.push(self.self_param(receiver, self_ty));
                }
                let first = params.len();
                let expected = self.inherited_signature(id);
                for (index, param) in decl.sig.params.iter().enumerate() {
                    let ty = match &param.ty {
                        Some(ty) => self.written_type(ty, &mut scope),
                        None => match expected.as_ref().and_then(|e| e.0.get(first + index)) {
                            Some(&ty) => ty,
                            None => {
                                complete = false;
                                Types::ERROR
                            }
                        },
                    };
                    params.push(ParamInfo { name: pattern_name(&param.pattern), ty, span: param.span, default: None });
                }
                let bodiless = self.fns[id].linkage != Linkage::Reml || decl.body.is_none();
                let in_trait = matches!(self.fns[id].container, Container::Trait(..));
                let ret = match &decl.sig.ret {
                    Some(ty) => {
                        let ret = self.written_type(ty, &mut scope);
                        if let Node::Ref { .. } = self.t.get(ret)
                            && !self.is_core(module)
                        {
                            self.error_once(
                                Diagnostic::error(
                                    codes::REFERENCE_ESCAPES,
                                    ty.span,
                                    "a function cannot return a reference",
                                )
                                .with_help("return the value itself: it is shared, not copied"),
                            );
                        }
                        if decl.is_async { self.future_type(ret, decl.sig.span, &mut scope) } else { ret }
                    }
                    None => match &expected {
                        Some((_, ret)) => *ret,
                        None if decl.is_async && in_trait => self.future_type(Types::UNIT, decl.sig.span, &mut scope),
                        None if bodiless || in_trait => Types::UNIT,
                        None => {
                            complete = false;
                            Types::ERROR
                        }
                    },
                };
                if !complete && (bodiless || in_trait) {
                    let text = self.names.text(self.fns[id].name).to_owned();
                    self.error(
                        codes::SIGNATURE_INCOMPLETE,
                        decl.sig.span,
                        format!("the parameters of `{text}` need types"),
                    );
                    complete = true;
                }
                let declared = decl
                    .sig
                    .effects
                    .as_ref()
                    // `! {E}` of a type parameter: the effects of what is passed, which are inferred.
                    .filter(|row| !row_parameter(row, &generics))
                    .map(|row| (self.effect_row(row, &mut scope), row.span))
                    // Nobody knows what a row with a mistake would have promised.
                    .filter(|((_, complete), _)| *complete)
                    .map(|((closed, _), span)| Declared { closed, span });
                if !complete
                    && self.fns[id].public
                    && !self.is_core(module)
                    && decl.sig.params.iter().any(|p| p.ty.is_none())
                {
                    let text = self.names.text(self.fns[id].name).to_owned();
                    let span = self.fns[id].span;
                    self.report(
                        Diagnostic::warning(
                            codes::SIGNATURE_INCOMPLETE,
                            span,
                            format!("the public function `{text}` has parameters without types"),
                        )
                        .with_help("write the types: they are the function's contract"),
                    );
                }
                let RowMode::Signature(row_count) = scope.rows else { return };
                let info = &mut self.fns[id];
                info.arity = generics.len() as u32;
                info.generics = generics.iter().map(|g| g.0).collect();
                info.params = params;
                info.ret = ret;
                info.wheres = wheres;
                info.row_count = row_count;
                info.declared = declared;
                self.declare_generic_effects(id);
                if !complete {
                    self.fns[id].state = FnState::Inferred;
                    self.modules[module].inferred.push(Def::Fn(id));
                }
                for (index, param) in decl.sig.params.iter().enumerate() {
                    if let Some(default) = &param.default {
                        let made = self.declare_default(id, first + index, default);
                        self.fns[id].params[first + index].default = Some(made);
                    }
                }
            }
            FnSource::Active(decl) => {
                let mut scope = TypeScope { module, generics: &[], self_ty: None, rows: RowMode::Signature(1) };
                let mut complete = true;
                let mut params = Vec::new();
                for param in &decl.params {
                    let ty = match &param.ty {
                        Some(ty) => self.written_type(ty, &mut scope),
                        None => {
                            complete = false;
                            Types::ERROR
                        }
                    };
                    params.push(ParamInfo { name: pattern_name(&param.pattern), ty, span: param.span, default: None });
                }
                let ret = match &decl.ret {
                    Some(ty) => self.written_type(ty, &mut scope),
                    None => {
                        complete = false;
                        Types::ERROR
                    }
                };
                let RowMode::Signature(row_count) = scope.rows else { return };
                let info = &mut self.fns[id];
                info.params = params;
                info.ret = ret;
                info.row_count = row_count;
                if !complete {
                    info.state = FnState::Inferred;
                    self.modules[module].inferred.push(Def::Fn(id));
                }
            }
            FnSource::Let(_) => {
                let (generics, _, wheres) = self.container_scope(id);
                let info = &mut self.fns[id];
                info.arity = generics.len() as u32;
                info.generics = generics.iter().map(|g| g.0).collect();
                info.wheres = wheres;
            }
            FnSource::Handler(decl) => self.declare_handler(id, decl),
            FnSource::Default(_) | FnSource::Local => {}
        }
    }

    /// A written row says what its generic effects are applied to.
    fn declare_generic_effects(&mut self, id: FnId) {
        let info = &self.fns[id];
        let (Some(declared), true) = (&info.declared, self.t.rows.families.exist()) else { return };
        let mut signature = Signature::joined(info.row_count);
        for &(family, args) in &declared.closed.args {
            signature.own.push(OwnFamily { family, classes: signature.shared.clone(), args: vec![(0, args)] });
        }
        self.fns[id].generic_effects = Some(Box::new(signature));
    }

    /// A named handler: its parameters, then the computation.
    fn declare_handler(&mut self, id: FnId, decl: &'a ast::HandlerDecl) {
        let module = self.fns[id].module;
        let generics = self.generic_params(&decl.generics, 0);
        let mut scope = TypeScope { module, generics: &generics, self_ty: None, rows: RowMode::Signature(1) };
        let mut wheres = Vec::new();
        self.generic_bounds(&decl.generics, &generics, &mut scope, &mut wheres);
        let mut params: Vec<ParamInfo> = decl
            .params
            .iter()
            .map(|param| ParamInfo {
                name: pattern_name(&param.pattern),
                ty: param.ty.as_ref().map_or(Types::ERROR, |ty| self.written_type(ty, &mut scope)),
                span: param.span,
                default: None,
            })
            .collect();
        params.push(ParamInfo { name: None, ty: Types::ERROR, span: Span::NONE, default: None });
        let ret = decl.ret.as_ref().map_or(Types::ERROR, |ty| self.written_type(ty, &mut scope));
        let RowMode::Signature(row_count) = scope.rows else { return };
        let info = &mut self.fns[id];
        info.arity = generics.len() as u32;
        info.generics = generics.iter().map(|g| g.0).collect();
        info.params = params;
        info.ret = ret;
        info.wheres = wheres;
        info.row_count = row_count;
        info.state = FnState::Inferred;
        self.modules[module].inferred.push(Def::Fn(id));
        for (index, param) in decl.params.iter().enumerate() {
            if let Some(default) = &param.default {
                let made = self.declare_default(id, index, default);
                self.fns[id].params[index].default = Some(made);
            }
        }
    }

    fn declare_default(&mut self, owner: FnId, index: usize, value: &'a ast::Expr) -> FnId {
        let info = &self.fns[owner];
        let (module, attrs, container) = (info.module, info.attrs, info.container);
        let (generics, arity, ret) = (info.generics.clone(), info.arity, info.params[index].ty);
        let (wheres, row_count) = (info.wheres.clone(), info.row_count);
        let owner_name = self.names.text(info.name).to_owned();
        let param = info.params[index].name.map_or("_", |n| self.names.text(n)).to_owned();
        let state = info.state;
        let name = self.names.intern(&format!("{owner_name}.<default {param}>"));
        let ident = ast::Ident { name, span: value.span };
        let container = match container {
            Container::Trait(..) => Container::Module,
            other => other,
        };
        let id = self.push_fn(module, ident, FnSource::Default(value), attrs, container, Linkage::Reml, false);
        let made = &mut self.fns[id];
        made.generics = generics;
        made.arity = arity;
        made.ret = self.t.decay(ret);
        made.wheres = wheres;
        made.row_count = row_count;
        // Its type is its parameter's, which an unannotated owner learns first.
        made.state = state;
        id
    }

    fn self_param(&mut self, receiver: ast::SelfParam, self_ty: Option<Ty>) -> ParamInfo {
        let ty = match (self_ty, receiver.mode) {
            (None, _) => {
                self.error(
                    codes::SIGNATURE_INCOMPLETE,
                    receiver.span,
                    "`self` exists only in methods: in a trait, in an impl, or in `fn Type.name(self)`",
                );
                Types::ERROR
            }
            (Some(ty), SelfMode::Value) => ty,
            (Some(ty), SelfMode::Ref) => self.t.reference(false, ty),
            (Some(ty), SelfMode::RefMut) => self.t.reference(true, ty),
        };
        ParamInfo { name: Some(self.sym.self_value), ty, span: receiver.span, default: None }
    }

    /// The subject of `fn Type.method`: the type applied to its own generics.
    fn qualified_subject(&mut self, module: ModuleId, path: &ast::Path) -> (Generics, Option<Ty>) {
        let Some((&last, parents)) = path.segments.split_last() else { return (Vec::new(), None) };
        let container = match self.container_of(module, path.anchor, parents) {
            Ok(container) if parents.is_empty() => {
                let _ = container;
                self.head_container(module, last.name)
            }
            Ok(container) => self.child_container(module, container, last),
            Err(_) => Default::default(),
        };
        match (container.ty, container.builtin) {
            (Some(TypeItem::Adt(def)), _) => {
                let decl = self.adts[def].decl;
                let generics = self.generic_params_silently(&decl.generics);
                let args: Vec<Ty> = generics.iter().map(|g| g.1).collect();
                let row = if self.adts[def].has_row { Row::sig(0) } else { Row::NONE };
                let ty =
                    if args.is_empty() && row == Row::NONE { self.plain_adt(def) } else { self.t.adt(def, &args, row) };
                (generics, Some(ty))
            }
            (None, Some(Builtin::Prim(prim))) => (Vec::new(), Some(self.t.prim(prim))),
            _ => {
                let text = self.names.text(last.name).to_owned();
                self.error(codes::TYPE_UNKNOWN, last.span, format!("there is no type `{text}` to add a method to"));
                (Vec::new(), Some(Types::ERROR))
            }
        }
    }

    /// The signature an impl's method inherits from its trait, for the parts that are not written.
    fn inherited_signature(&mut self, id: FnId) -> Option<(Vec<Ty>, Ty)> {
        let Container::Impl(impl_id) = self.fns[id].container else { return None };
        let trait_ = self.impls[impl_id].trait_?;
        let name = self.fns[id].name;
        let method = self.traits[trait_].methods.iter().find(|m| m.name == name)?.def;
        let (args, _) = self.method_instance(impl_id, method, self.impls[impl_id].decl.generics.len() as u32);
        let rows: Vec<Row> = (0..self.fns[method].row_count).map(Row::sig).collect();
        let params: Vec<Ty> = (0..self.fns[method].params.len())
            .map(|i| self.t.instantiate(self.fns[method].params[i].ty, &Instance { args: &args, rows: &rows }))
            .collect();
        let ret = self.t.instantiate(self.fns[method].ret, &Instance { args: &args, rows: &rows });
        Some((params, ret))
    }

    /// What a trait method's generics become in an impl: the impl's arguments, then the method's own, which start
    /// at `first_own` there.
    pub fn method_instance(&mut self, impl_id: ImplId, method: FnId, first_own: u32) -> (Vec<Ty>, u32) {
        let mut args = self.impls[impl_id].args.clone();
        let own = self.fns[method].arity as usize - args.len().min(self.fns[method].arity as usize);
        for i in 0..own as u32 {
            let param = self.t.param(first_own + i);
            args.push(param);
        }
        (args, own as u32)
    }

    fn attach_method(&mut self, id: FnId, impl_id: ImplId) {
        if matches!(self.fns[id].source, FnSource::Default(_)) {
            return;
        }
        let name = self.fns[id].name;
        let span = self.fns[id].span;
        let Some(trait_) = self.impls[impl_id].trait_ else {
            if self.impls[impl_id].decl.of_trait.is_some() {
                return;
            }
            let subject = self.impls[impl_id].args[0];
            self.add_inherent(id, subject, name, span);
            let owner = self.show_head(subject);
            let module = self.modules[self.fns[id].module].name.clone();
            self.fns[id].path = format!("{module}.{owner}.{}", self.names.text(name)).into();
            return;
        };
        let subject = self.show_head(self.impls[impl_id].args[0]);
        let trait_name = self.names.text(self.traits[trait_].name).to_owned();
        self.fns[id].path = format!("{trait_name} for {subject}.{}", self.names.text(name)).into();
        let Some(index) = self.traits[trait_].methods.iter().position(|m| m.name == name) else {
            let text = self.names.text(name).to_owned();
            let suggestion =
                crate::suggest::closest(&text, self.traits[trait_].methods.iter().map(|m| self.names.text(m.name)))
                    .map(str::to_owned);
            let mut diagnostic =
                Diagnostic::error(codes::IMPL_SIGNATURE, span, format!("trait `{trait_name}` has no method `{text}`"));
            if let Some(suggestion) = suggestion {
                let title = format!("did you mean `{suggestion}`?");
                diagnostic = diagnostic.with_fix(span, suggestion, title);
            }
            self.report(diagnostic);
            return;
        };
        if self.impls[impl_id].methods[index].is_some() {
            let text = self.names.text(name).to_owned();
            self.error(codes::NAME_DUPLICATE, span, format!("method `{text}` is defined twice in this impl"));
            return;
        }
        self.impls[impl_id].methods[index] = Some(id);
        self.check_method_signature(id, impl_id, self.traits[trait_].methods[index].def);
    }

    fn check_method_signature(&mut self, id: FnId, impl_id: ImplId, method: FnId) {
        if self.fns[id].state != FnState::Known {
            return;
        }
        let impl_arity = self.impls[impl_id].decl.generics.len() as u32;
        let (args, own) = self.method_instance(impl_id, method, impl_arity);
        let span = self.fns[id].span;
        let text = self.names.text(self.fns[id].name).to_owned();
        let trait_span = self.fns[method].span;
        let mut wrong = None;
        if self.fns[id].arity - impl_arity.min(self.fns[id].arity) != own {
            wrong = Some(format!("method `{text}` has {own} type parameters in its trait"));
        } else if self.fns[id].params.len() != self.fns[method].params.len() {
            wrong = Some(format!(
                "method `{text}` takes {} parameters in its trait, but {} here",
                self.fns[method].params.len(),
                self.fns[id].params.len()
            ));
        } else {
            let rows = [Row::NONE; 0];
            for i in 0..=self.fns[id].params.len() {
                let (have, want, place) = match self.fns[id].params.get(i) {
                    Some(param) => (param.ty, self.fns[method].params[i].ty, param.span),
                    None => (self.fns[id].ret, self.fns[method].ret, span),
                };
                let want = self.t.instantiate(want, &Instance { args: &args, rows: &rows });
                let receiver = i == 0 && self.fns[id].has_self && self.fns[method].has_self;
                // `self` for `&self` makes no difference to callers: both are the value.
                if receiver && self.t.same(self.t.viewed(have), self.t.viewed(want)) || self.t.same(have, want) {
                    continue;
                }
                let spelled = match self.t.get(self.t.resolve(want)) {
                    Node::Ref { mutable: true, .. } => "&mut self",
                    Node::Ref { .. } => "&self",
                    _ => "self",
                };
                let (have, want) = (self.show_in(have, id), self.show_in(want, id));
                let mut diagnostic = Diagnostic::error(
                    codes::IMPL_SIGNATURE,
                    place,
                    format!("method `{text}` has `{have}` here, but `{want}` in its trait"),
                )
                .with_label(trait_span, "declared by the trait here");
                if receiver {
                    let title =
                        format!("write `{spelled}`, as the trait does: it says whether the method changes the value");
                    diagnostic = diagnostic.with_fix(place, spelled, title);
                }
                self.report(diagnostic);
            }
        }
        if let Some(message) = wrong {
            self.report(
                Diagnostic::error(codes::IMPL_SIGNATURE, span, message)
                    .with_label(trait_span, "declared by the trait here"),
            );
        }
    }

    fn attach_qualified(&mut self, id: FnId) {
        let FnSource::Decl(decl) = self.fns[id].source else { return };
        let segments = &decl.sig.name.segments;
        if segments.len() < 2 {
            return;
        }
        let path = ast::Path {
            anchor: decl.sig.name.anchor,
            segments: segments[..segments.len() - 1].to_vec(),
            span: decl.sig.name.span,
        };
        let errors = self.diagnostics.len();
        let (_, subject) = self.qualified_subject(self.fns[id].module, &path);
        // Reported when the signature was declared.
        self.diagnostics.truncate(errors);
        let (name, span) = (self.fns[id].name, self.fns[id].span);
        if let Some(subject) = subject {
            self.add_inherent(id, subject, name, span);
        }
    }

    fn add_inherent(&mut self, id: FnId, subject: Ty, name: Symbol, span: Span) {
        let Some(head) = self.head_of(subject) else { return };
        let list = self.inherent.entry((head, name)).or_default();
        if let Some(&first) = list.first()
            && head != Head::Any
        {
            let same_subject = match (self.fns[first].container, self.fns[id].container) {
                (Container::Impl(a), Container::Impl(b)) => {
                    let (a, b) = (self.impls[a].args[0], self.impls[b].args[0]);
                    self.t.same(a, b)
                }
                _ => true,
            };
            if same_subject {
                let text = self.names.text(name).to_owned();
                let previous = self.fns[first].span;
                self.report(
                    Diagnostic::error(codes::NAME_DUPLICATE, span, format!("the type already has a function `{text}`"))
                        .with_label(previous, "first defined here"),
                );
                return;
            }
        }
        self.inherent.entry((head, name)).or_default().push(id);
    }

    /// The head of a type that is known.
    pub fn head_of(&self, ty: Ty) -> Option<Head> {
        Some(match self.t.head(ty) {
            Node::Prim(prim) => Head::Prim(prim),
            Node::Tuple(list) => Head::Tuple(list.len),
            Node::Record { .. } => Head::Record,
            Node::Fn { .. } => Head::Fn,
            Node::Adt(def, ..) => Head::Adt(def),
            Node::Array(_) | Node::Fixed(..) => Head::Array,
            Node::Cell(_) => Head::Cell,
            Node::Param(_) => Head::Any,
            Node::Ref { inner, .. } => return self.head_of(inner),
            Node::Var(_) | Node::Error => return None,
        })
    }
}

fn pattern_name(pattern: &ast::Pattern) -> Option<Symbol> {
    match &*pattern.kind {
        PatternKind::Bind(name) => Some(name.name),
        PatternKind::Alias { name, .. } => Some(name.name),
        _ => None,
    }
}

/// Is one of the names of the row a type parameter?
pub(crate) fn row_parameter(row: &ast::EffectRow, generics: &[(Symbol, Ty)]) -> bool {
    row.tags
        .iter()
        .any(|tag| tag.path.segments.len() == 1 && generics.iter().any(|&(name, _)| name == tag.path.segments[0].name))
}

fn scope_span(reference: &ast::TraitRef) -> Span {
    reference.args.first().map_or(reference.span, |arg| arg.span)
}
