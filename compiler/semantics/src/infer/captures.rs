//! Does a local function mention variables of the function around it?
//!
//! Answered from syntax, generously: a name that is a local outside counts even where an inner binding hides it.

use reml_syntax::ast::{self, ExprKind as Ast, StmtKind};

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

    fn exprs<'e>(&mut self, items: impl IntoIterator<Item = &'e ast::Expr>) {
        items.into_iter().for_each(|e| self.expr(e));
    }

    fn block(&mut self, block: &ast::Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
        self.exprs(block.result.as_deref());
    }

    fn stmt(&mut self, stmt: &ast::Stmt) {
        match &stmt.kind {
            StmtKind::Let(decl) => self.expr(&decl.value),
            StmtKind::Fn(decl) => self.exprs(&decl.body),
            StmtKind::Item(_) | StmtKind::Error => {}
            StmtKind::Assign { place, value, .. } => {
                self.expr(place);
                self.expr(value);
            }
            StmtKind::Defer(e) | StmtKind::Expr(e) => self.expr(e),
        }
    }

    fn handler(&mut self, body: &ast::HandlerBody) {
        body.state.iter().for_each(|stmt| self.stmt(stmt));
        body.clauses.iter().for_each(|clause| self.expr(&clause.body));
        body.ret.iter().for_each(|clause| self.expr(&clause.body));
    }

    fn expr(&mut self, e: &ast::Expr) {
        if self.found {
            return;
        }
        match &*e.kind {
            Ast::Int(_)
            | Ast::Float(_)
            | Ast::Bool(_)
            | Ast::Char(_)
            | Ast::Unit
            | Ast::Continue
            | Ast::Placeholder
            | Ast::Error => {}
            // `format` may capture any name from its text.
            Ast::Str(text) => {
                if text.contains('{') {
                    self.found |= self.checker.scope.iter().any(|b| {
                        matches!(b.what, LocalBinding::Local(_)) && text.contains(self.checker.names.text(b.name))
                    });
                }
            }
            Ast::Path(path) => {
                if path.anchor == ast::PathAnchor::Relative
                    && let Some(&first) = path.segments.first()
                {
                    self.name(first);
                }
            }
            Ast::Tuple(items) | Ast::Array(items) | Ast::JsonArray(items) => self.exprs(items),
            Ast::Record { fields, base, .. } => {
                for field in fields {
                    match &field.value {
                        Some(value) => self.expr(value),
                        None => self.name(field.name),
                    }
                }
                self.exprs(base);
            }
            Ast::JsonObject(fields) => fields.iter().for_each(|(_, e)| self.expr(e)),
            Ast::JsonValue(e)
            | Ast::TupleField { base: e, .. }
            | Ast::Try(e)
            | Ast::Await(e)
            | Ast::Unary { operand: e, .. }
            | Ast::Cast { operand: e, .. }
            | Ast::Loop(e) => self.expr(e),
            Ast::Field { base, name } => {
                self.expr(base);
                // A method may be a local function taking the receiver.
                self.name(*name);
            }
            Ast::Index { base, index } => {
                self.expr(base);
                self.expr(index);
            }
            Ast::Call { callee, args } => {
                self.expr(callee);
                self.exprs(args.iter().map(|a| &a.value));
            }
            Ast::Binary { left, right, .. } | Ast::Pipe { left, right } => {
                self.expr(left);
                self.expr(right);
            }
            Ast::Range { start, end, .. } => {
                self.exprs(start);
                self.exprs(end);
            }
            Ast::Lambda { params, body, .. } => {
                self.exprs(params.iter().filter_map(|p| p.default.as_ref()));
                self.expr(body);
            }
            Ast::If { cond, then, els } => {
                self.expr(cond);
                self.expr(then);
                self.exprs(els);
            }
            Ast::Match { scrutinee, arms } => {
                self.expr(scrutinee);
                for arm in arms {
                    self.exprs(arm.guard.as_ref().map(|g| &g.cond));
                    self.expr(&arm.body);
                }
            }
            Ast::While { cond, body } => {
                self.expr(cond);
                self.expr(body);
            }
            Ast::For { iterable, body, .. } => {
                self.expr(iterable);
                self.expr(body);
            }
            Ast::Block(block)
            | Ast::Unsafe(block)
            | Ast::EffectBlock { body: block, .. }
            | Ast::Async { body: block, .. } => {
                self.block(block);
            }
            Ast::Return(e) | Ast::Break(e) => self.exprs(e),
            Ast::Perform { args, .. } => self.exprs(args.iter().map(|a| &a.value)),
            Ast::Handle { body, handler } => {
                self.expr(body);
                match handler {
                    ast::HandlerExpr::Inline { body, .. } => self.handler(body),
                    ast::HandlerExpr::Value(value) => self.expr(value),
                    ast::HandlerExpr::Missing => {}
                }
            }
            Ast::InlineAsm(args) => self.exprs(args.iter().map(|a| &a.value)),
            Ast::LlvmIr { inputs, .. } => self.exprs(inputs),
        }
    }
}
