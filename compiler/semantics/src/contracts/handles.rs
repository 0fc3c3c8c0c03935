//! `@handles(E)`: the effect ends in the function.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;

use crate::cx::*;
use crate::effects::TagSet;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub(super) fn check_handles(&mut self) {
        let promises: Vec<(FnId, &'a ast::Attr)> = self
            .fns
            .iter()
            .filter(|(_, info)| !self.is_core(info.module) && !matches!(info.source, FnSource::Default(_)))
            .flat_map(|(id, info)| info.attrs.iter().map(move |attr| (id, attr)))
            .filter(|(_, attr)| self.names.text(attr.name.name) == "handles")
            .collect();
        for (id, attr) in promises {
            if attr.args.is_empty() {
                self.report(
                    Diagnostic::error(codes::ATTRIBUTE_INVALID, attr.span, "`@handles` names the effects it is about")
                        .with_help("write `@handles(Console)`"),
                );
            }
            for arg in &attr.args {
                if let Some(effect) = self.effect_of_argument(id, &arg.value) {
                    self.check_handled(id, effect, arg.value.span);
                }
            }
        }
    }

    fn effect_of_argument(&mut self, id: FnId, e: &ast::Expr) -> Option<EffectId> {
        let mut segments = Vec::new();
        let anchor = Self::chain_of(e, &mut segments);
        let module = self.fns[id].module;
        let found = anchor.and_then(|anchor| {
            let path = ast::Path { anchor, segments: segments.clone(), span: e.span };
            self.effect_named(&path, module)
        });
        if found.is_some() {
            return found;
        }
        let text: Vec<&str> = segments.iter().map(|segment| self.names.text(segment.name)).collect();
        let text = text.join(".");
        let message = if text.is_empty() {
            "`@handles` takes the names of effects".to_owned()
        } else {
            format!("there is no declared effect `{text}` to handle")
        };
        let mut diagnostic = Diagnostic::error(codes::EFFECT_HANDLES_UNDEFINED, e.span, message);
        let visible = self.visible_effects(module);
        let known = visible.iter().map(|&(name, _)| self.names.text(name));
        if let Some(near) = crate::suggest::closest(&text, known).map(str::to_owned) {
            let title = format!("did you mean `{near}`?");
            diagnostic = diagnostic.with_fix(e.span, near, title);
        }
        self.report(diagnostic);
        None
    }

    fn check_handled(&mut self, id: FnId, effect: EffectId, promised: Span) {
        let (name, owner) = (self.effect_decls[effect].name, self.fns[id].name);
        let (name, owner) = (self.names.text(name).to_owned(), self.names.text(owner).to_owned());
        let tag = TagSet::one(self.effect_decls[effect].tag);
        let def = Def::Fn(id);
        if self.body_effects(def).is_some_and(|actual| actual.meets(&tag)) {
            let cause = self.cause(def, &tag);
            let span = cause.as_ref().map_or(self.fns[id].span, |cause| cause.span);
            let what = cause.as_ref().map_or_else(|| "its body".to_owned(), |cause| cause.what.clone());
            let diagnostic = Diagnostic::error(
                codes::EFFECT_HANDLES_ESCAPED,
                span,
                format!("`{owner}` is `@handles({name})`, but the effect of {what} leaves it"),
            )
            .with_label(promised, "promised here")
            .with_help("move it under the `handle`");
            let diagnostic = self.with_chain(diagnostic, def, cause, &tag);
            self.report(diagnostic);
        } else if !self.effects_handled_in(def).contains(&effect) {
            self.report(
                Diagnostic::warning(
                    codes::EFFECT_HANDLES_UNUSED,
                    promised,
                    format!("`{owner}` is `@handles({name})`, but nothing in it handles `{name}`"),
                )
                .with_help(format!("remove the promise, or write `handle .. with handler {name} {{ .. }}`")),
            );
        }
    }

    /// The effects that a definition's own code handles.
    pub(super) fn effects_handled_in(&self, def: Def) -> Vec<EffectId> {
        let body = match def {
            Def::Fn(id) => self.fn_bodies.get(&id),
            Def::Global(id) => self.global_bodies.get(&id),
        };
        let Some(body) = body else { return Vec::new() };
        let mut found: Vec<EffectId> = Vec::new();
        for expr in body.exprs.values() {
            match &expr.kind {
                ExprKind::Handle(handle) => found.push(handle.effect),
                ExprKind::Fn(callee, _) if matches!(self.fns[*callee].source, FnSource::Handler(_)) => {
                    found.extend(self.effects_handled_in(Def::Fn(*callee)));
                }
                _ => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
