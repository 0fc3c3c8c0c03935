//! `@must_await`: what a function starts may not be dropped unseen. (`@must_use` is looked at where statements are.)

use reml_diagnostics::{Diagnostic, Span, codes};

use crate::cx::*;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub(super) fn check_uses(&mut self) {
        let marked = |info: &FnInfo<'_>| info.attrs.iter().any(|a| self.names.text(a.name.name) == "must_await");
        if !self.fns.values().any(marked) {
            return;
        }
        let mut found = Vec::new();
        for (&id, body) in &self.fn_bodies {
            if !self.is_core(self.fns[id].module) {
                self.dropped_values(body, &mut found);
            }
        }
        for (&id, body) in &self.global_bodies {
            if !self.is_core(self.globals[id].module) {
                self.dropped_values(body, &mut found);
            }
        }
        for (id, span) in found {
            let name = self.names.text(self.fns[id].name).to_owned();
            self.error_once(
                Diagnostic::error(
                    codes::EFFECT_MUST_AWAIT,
                    span,
                    format!("what `{name}` starts is dropped before it is done"),
                )
                .with_label(self.fns[id].span, "declared `@must_await` here")
                .with_help("wait for it, or return it to whoever does"),
            );
        }
    }

    fn dropped_values(&self, body: &Body, found: &mut Vec<(FnId, Span)>) {
        for expr in body.exprs.values() {
            let ExprKind::Block { stmts, .. } = &expr.kind else { continue };
            for stmt in stmts {
                let value = match stmt {
                    Stmt::Expr(value) => *value,
                    Stmt::Let { pattern, value } if matches!(body.patterns[*pattern].kind, PatternKind::Wildcard) => {
                        *value
                    }
                    _ => continue,
                };
                if let Some(id) = self.started_by(body, value) {
                    found.push((id, body.exprs[value].span));
                }
            }
        }
    }

    /// The `@must_await` function that a value comes from.
    fn started_by(&self, body: &Body, value: ExprId) -> Option<FnId> {
        let mut value = value;
        while let ExprKind::Block { result: Some(result), .. } = body.exprs[value].kind {
            value = result;
        }
        let ExprKind::Call { callee, .. } = &body.exprs[value].kind else { return None };
        let id = match &body.exprs[*callee].kind {
            ExprKind::Fn(id, _) => *id,
            ExprKind::Method { trait_, method, .. } => self.traits[*trait_].methods[*method as usize].def,
            _ => return None,
        };
        self.fns[id].attrs.iter().any(|a| self.names.text(a.name.name) == "must_await").then_some(id)
    }
}
