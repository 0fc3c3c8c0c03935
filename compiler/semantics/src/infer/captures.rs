//! Does a local function mention variables of the function around it?
//!
//! Answered from syntax, generously: a name that is a local outside counts even where an inner binding hides it.

use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::ast_walk::each_child;

use super::body::LocalBinding;
use crate::cx::Checker;

struct Walk<'w, 'a> {
    checker: &'w Checker<'a>,
    ignore: &'w [ast::Ident],
    found: bool,
}

pub(crate) fn captures(checker: &Checker<'_>, e: &ast::Expr) -> bool {
    let mut walk = Walk { checker, ignore: &[], found: false };
    walk.expr(e);
    walk.found
}

pub(crate) fn fn_captures(checker: &Checker<'_>, decl: &ast::FnDecl, group: &[ast::Ident]) -> bool {
    let mut walk = Walk { checker, ignore: group, found: false };
    decl.body.iter().for_each(|body| walk.expr(body));
    decl.sig.params.iter().filter_map(|p| p.default.as_ref()).for_each(|e| walk.expr(e));
    walk.found
}

impl Walk<'_, '_> {
    fn name(&mut self, name: ast::Ident) {
        if self.ignore.iter().any(|i| i.name == name.name) {
            return;
        }
        if let Some(LocalBinding::Local(_)) = self.checker.lookup_local(name.name) {
            self.found = true;
        }
    }

    fn expr(&mut self, e: &ast::Expr) {
        if self.found {
            return;
        }
        match &*e.kind {
            // `format` may capture any name from its text.
            Ast::Str(text) if text.contains('{') => {
                self.found |= self.checker.scope.iter().any(|b| {
                    matches!(b.what, LocalBinding::Local(_)) && text.contains(self.checker.names.text(b.name))
                });
            }
            Ast::Path(path) if path.anchor == ast::PathAnchor::Relative => {
                path.segments.iter().take(1).for_each(|name| self.name(*name));
            }
            Ast::Record { fields, .. } => {
                fields.iter().filter(|field| field.value.is_none()).for_each(|field| self.name(field.name));
            }
            // A method may be a local function taking the receiver.
            Ast::Field { name, .. } => self.name(*name),
            _ => {}
        }
        each_child(e, &mut |child| self.expr(child));
    }
}
