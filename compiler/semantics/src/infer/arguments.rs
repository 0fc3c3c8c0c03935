//! Arguments meet parameters: by position, by name, by default, in the order they are written.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::body::{Want, Why};
use super::call::{Arg, Instantiated, Source};
use super::ty::{Node, Row, Ty, Types};
use crate::cx::*;
use crate::effects::{Callee, Use};
use crate::typed::*;

/// Whose parameters are meant, for names, defaults and messages.
#[derive(Clone, Copy)]
pub(crate) enum ParamNames {
    Fn(FnId),
    Ctor(TypeDefId, u32),
    Operation(EffectId, u32),
    None,
}

impl<'a> Checker<'a> {
    /// Arguments to parameters: by position, by name, by default. Gives the values in parameter order, and bindings
    /// that keep the written order where the two differ.
    pub fn arguments(
        &mut self,
        names: ParamNames,
        params: &[Ty],
        args: &[Arg<'_>],
        with: &Instantiated,
        variadic: bool,
        span: Span,
    ) -> Option<(Vec<ExprId>, Vec<Stmt>)> {
        let mut slots: Vec<Option<usize>> = vec![None; params.len()];
        let mut order: Vec<usize> = Vec::with_capacity(args.len());
        let mut position = 0;
        let mut failed = false;
        for (index, arg) in args.iter().enumerate() {
            let slot = match arg.name {
                Some(name) => match self.param_named(names, name) {
                    Some(slot) => slot,
                    None => {
                        self.unknown_argument(names, name);
                        failed = true;
                        continue;
                    }
                },
                None => {
                    while position < params.len() && slots[position].is_some() {
                        position += 1;
                    }
                    position
                }
            };
            if slot >= params.len() {
                if !variadic {
                    failed = true;
                    self.wrong_arity(names, params.len(), args.len(), arg.span, span);
                    break;
                }
                order.push(slot);
                continue;
            }
            if slots[slot].is_some() {
                failed = true;
                let text = arg.name.map_or("", |n| self.names.text(n.name)).to_owned();
                self.error(codes::NAME_DUPLICATE, arg.span, format!("the argument `{text}` is given twice"));
                continue;
            }
            slots[slot] = Some(index);
            order.push(slot);
        }
        if !failed {
            let missing = (0..params.len()).find(|&i| slots[i].is_none() && self.default_of(names, i).is_none());
            if missing.is_some() {
                failed = true;
                self.wrong_arity(names, params.len(), args.len(), span, span);
            }
        }
        if failed {
            self.give_up(args, span);
            return None;
        }
        // Lambdas are looked at last: the other arguments tell their parameters' types.
        let mut done: Vec<Option<ExprId>> = vec![None; args.len()];
        for lambdas in [false, true] {
            for (index, arg) in args.iter().enumerate() {
                let is_lambda = match arg.source {
                    Source::Ast(e) => matches!(*e.kind, Ast::Lambda { .. }),
                    Source::Thunk(_) => true,
                    Source::Done(_) => false,
                };
                if is_lambda != lambdas {
                    continue;
                }
                let slot = order[index];
                let Some(&ty) = params.get(slot) else {
                    let id = self.argument_value(arg.source);
                    done[index] = Some(id);
                    continue;
                };
                let why = match names {
                    ParamNames::Fn(id) => Why::Param(id, slot as u32),
                    ParamNames::Ctor(def, variant) => {
                        Why::Field(self.variant_fields(def, variant).get(slot).map_or(Span::NONE, |f| f.span))
                    }
                    ParamNames::Operation(effect, operation) => Why::Operation(effect, operation, slot as u32),
                    ParamNames::None => Why::None,
                };
                done[index] = Some(self.argument(arg, ty, why));
            }
        }
        let sorted = order.windows(2).all(|pair| pair[0] < pair[1]);
        let mut binds = Vec::new();
        let mut values: Vec<Option<ExprId>> = vec![None; params.len()];
        let mut extra = Vec::new();
        let complex = done.iter().flatten().filter(|&&id| !self.is_simple(id)).count();
        for (index, id) in done.into_iter().enumerate() {
            let Some(mut id) = id else { continue };
            if !sorted && complex > 1 && !self.is_simple(id) && !self.is_place_borrow(id) {
                let span = self.b.span(id);
                let (bind, local) = self.temporary(id);
                binds.push(bind);
                id = self.b.use_local(local, span);
            }
            match order[index] {
                slot if slot < params.len() => values[slot] = Some(id),
                _ => extra.push(id),
            }
        }
        let mut result = Vec::with_capacity(params.len());
        for (slot, value) in values.into_iter().enumerate() {
            let id = match value {
                Some(id) => id,
                None => self.default_call(names, slot, params[slot], with, span)?,
            };
            result.push(id);
        }
        result.extend(extra);
        Some((result, binds))
    }

    fn is_place_borrow(&self, id: ExprId) -> bool {
        matches!(self.b.exprs[id].kind, ExprKind::BorrowMut(_))
    }

    /// An argument for a parameter of a known type.
    fn argument(&mut self, arg: &Arg<'_>, ty: Ty, why: Why) -> ExprId {
        match arg.source {
            Source::Ast(e) => {
                if let Node::Ref { mutable: true, .. } = self.t.head(ty) {
                    return self.mutable_argument(e, ty, why);
                }
                let hint = self.t.peel(ty);
                let id = self.expr(e, Want::of(hint, why));
                self.coerce(id, ty, why)
            }
            Source::Thunk(e) => {
                let id = self.thunk(e, Some(ty));
                self.coerce(id, ty, why)
            }
            Source::Done(id) => self.coerce(id, ty, why),
        }
    }

    /// An argument whose parameter tells nothing.
    pub fn argument_value(&mut self, source: Source<'_>) -> ExprId {
        match source {
            Source::Ast(e) => self.value(e, Want::NOTHING),
            Source::Thunk(e) => self.thunk(e, None),
            Source::Done(id) => self.deref(id),
        }
    }

    fn default_of(&self, names: ParamNames, slot: usize) -> Option<FnId> {
        match names {
            ParamNames::Fn(id) => self.fns[id].params.get(slot)?.default,
            ParamNames::Ctor(def, variant) => self.variant_fields(def, variant).get(slot)?.default,
            ParamNames::Operation(..) | ParamNames::None => None,
        }
    }

    fn default_call(
        &mut self,
        names: ParamNames,
        slot: usize,
        ty: Ty,
        with: &Instantiated,
        span: Span,
    ) -> Option<ExprId> {
        let id = self.default_of(names, slot)?;
        Some(self.default_value(id, ty, with, span))
    }

    /// The default value of a parameter or field of a type.
    pub fn default_value(&mut self, id: FnId, ty: Ty, with: &Instantiated, span: Span) -> ExprId {
        self.reference(Reference::Fn(id));
        let own = self.b.row();
        let first_row = self.t.rows.use_rows.len() as u32;
        self.t.rows.use_rows.push(own);
        self.t.rows.uses.push(Use { callee: Callee::Fn(id), subject: Types::UNIT, span, first_row, row_count: 1 });
        let value = self.t.decay(ty);
        let fn_ty = self.t.func(&[], value, Row::NONE);
        let callee = self.fn_node(id, with, fn_ty, span);
        let call = self.b.expr(ExprKind::Call { callee, args: Vec::new() }, value, span);
        self.coerce(call, ty, Why::None)
    }

    fn param_named(&self, names: ParamNames, name: ast::Ident) -> Option<usize> {
        match names {
            ParamNames::Fn(id) => self.fns[id].params.iter().position(|p| p.name == Some(name.name)),
            ParamNames::Ctor(def, variant) => match &self.adts[def].kind {
                AdtKind::Sum(variants) => {
                    variants[variant as usize].fields.iter().position(|f| f.name == Some(name.name))
                }
                AdtKind::Record(fields) => fields.iter().position(|f| f.name == Some(name.name)),
                _ => None,
            },
            ParamNames::Operation(effect, operation) => self.effect_decls[effect].operations[operation as usize]
                .params
                .iter()
                .position(|p| p.name == Some(name.name)),
            ParamNames::None => None,
        }
    }

    fn unknown_argument(&mut self, names: ParamNames, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        let known: Vec<&str> = match names {
            ParamNames::Fn(id) => {
                self.fns[id].params.iter().filter_map(|p| p.name).map(|n| self.names.text(n)).collect()
            }
            ParamNames::Ctor(def, variant) => match &self.adts[def].kind {
                AdtKind::Sum(variants) => variants[variant as usize]
                    .fields
                    .iter()
                    .filter_map(|f| f.name)
                    .map(|n| self.names.text(n))
                    .collect(),
                AdtKind::Record(fields) => fields.iter().filter_map(|f| f.name).map(|n| self.names.text(n)).collect(),
                _ => Vec::new(),
            },
            ParamNames::Operation(effect, operation) => self.effect_decls[effect].operations[operation as usize]
                .params
                .iter()
                .filter_map(|p| p.name)
                .map(|n| self.names.text(n))
                .collect(),
            ParamNames::None => Vec::new(),
        };
        let suggestion = crate::suggest::closest(&text, known.iter().copied()).map(str::to_owned);
        let mut diagnostic =
            Diagnostic::error(codes::ARGUMENT_UNKNOWN_NAME, name.span, format!("there is no parameter named `{text}`"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() {
            diagnostic = diagnostic.with_help(format!("the parameters are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
    }

    /// The computation is not counted: it is written beside the handler.
    fn wrong_handler_arity(&mut self, id: FnId, given: usize, span: Span) {
        let info = &self.fns[id];
        let (wanted, given) = (info.params.len() - 1, given.saturating_sub(1));
        let declared = info.span;
        let text = self.names.text(info.name).to_owned();
        let plural = if wanted == 1 { "" } else { "s" };
        let verb = if given == 1 { "is" } else { "are" };
        self.report(
            Diagnostic::error(
                codes::ARITY_MISMATCH,
                span,
                format!("handler `{text}` takes {wanted} argument{plural}, but {given} {verb} given"),
            )
            .with_label(declared, "declared here"),
        );
    }

    fn wrong_arity(&mut self, names: ParamNames, wanted: usize, given: usize, at: Span, span: Span) {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (what, declared) = match names {
            ParamNames::Fn(id) if matches!(self.fns[id].source, FnSource::Handler(_)) => {
                return self.wrong_handler_arity(id, given, span);
            }
            ParamNames::Operation(effect, operation) => {
                let declared = self.effect_decls[effect].operations[operation as usize].span;
                (format!("the operation {}", self.operation_text(effect, operation)), Some(declared))
            }
            ParamNames::Fn(id) => {
                (format!("function `{}`", self.names.text(self.fns[id].name)), Some(self.fns[id].span))
            }
            ParamNames::Ctor(def, variant) => match &self.adts[def].kind {
                AdtKind::Sum(variants) => {
                    let v = &variants[variant as usize];
                    (format!("constructor `{}`", self.names.text(v.name)), Some(v.span))
                }
                _ => (format!("constructor `{}`", self.names.text(self.adts[def].name)), Some(self.adts[def].span)),
            },
            ParamNames::None => ("this function".to_owned(), None),
        };
        let defaults = match names {
            ParamNames::Fn(id) => self.fns[id].params.iter().filter(|p| p.default.is_some()).count(),
            _ => 0,
        };
        let takes =
            if defaults > 0 && given < wanted { format!("at least {}", wanted - defaults) } else { wanted.to_string() };
        let _ = at;
        let verb = if given == 1 { "is" } else { "are" };
        let mut diagnostic = Diagnostic::error(
            codes::ARITY_MISMATCH,
            span,
            format!("{what} takes {takes} argument{}, but {given} {verb} given", plural(wanted)),
        );
        if let Some(declared) = declared
            && !declared.is_none()
        {
            diagnostic = diagnostic.with_label(declared, "declared here");
        }
        self.report(diagnostic);
    }
}
