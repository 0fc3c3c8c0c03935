//! How does a pass reach all of a tree? One that changes it overrides what happens at items, blocks and expressions; the `walk_*`
//! functions go on to what lies below. One that only reads goes from expression to expression with [`each_child`].

use crate::ast::*;

/// A pass over a tree that may change it. Each method is called for every such node, outermost first.
pub trait VisitMut {
    fn item(&mut self, item: &mut Item) {
        walk_item(self, item);
    }

    fn items(&mut self, items: &mut Vec<Item>) {
        items.iter_mut().for_each(|item| self.item(item));
    }

    fn block(&mut self, block: &mut Block) {
        walk_block(self, block);
    }

    fn expr(&mut self, expr: &mut Expr) {
        walk_expr(self, expr);
    }
}

pub fn walk_item<V: VisitMut + ?Sized>(v: &mut V, item: &mut Item) {
    match &mut item.kind {
        ItemKind::Let(decl) => v.expr(&mut decl.value),
        ItemKind::Fn(decl) => walk_fn(v, decl),
        ItemKind::ActivePattern(decl) => {
            walk_params(v, &mut decl.params);
            v.expr(&mut decl.body);
        }
        ItemKind::Type(decl) => {
            let fields: Vec<&mut Field> = match &mut decl.kind {
                TypeDeclKind::Record(fields) => fields.iter_mut().collect(),
                TypeDeclKind::Sum(variants) => variants
                    .iter_mut()
                    .flat_map(|variant| match &mut variant.payload {
                        VariantPayload::Named(fields) => fields.iter_mut(),
                        _ => [].iter_mut(),
                    })
                    .collect(),
                _ => Vec::new(),
            };
            fields.into_iter().filter_map(|field| field.default.as_mut()).for_each(|value| v.expr(value));
        }
        ItemKind::Trait(decl) => v.items(&mut decl.items),
        ItemKind::Impl(decl) => v.items(&mut decl.items),
        ItemKind::Extern(decl) => v.items(&mut decl.items),
        ItemKind::Handler(decl) => {
            walk_params(v, &mut decl.params);
            walk_handler(v, &mut decl.body);
        }
        ItemKind::Conductor(decl) => decl.sections.iter_mut().for_each(|section| match &mut section.kind {
            SectionKind::Dsl { value, tails, .. } => {
                value.iter_mut().for_each(|value| v.expr(value));
                tails.iter_mut().for_each(|(_, args)| walk_args(v, args));
            }
            SectionKind::Channels(_) => {}
            SectionKind::Execution(body) => v.expr(body),
            SectionKind::Monitoring { body, .. } => body.iter_mut().for_each(|body| v.expr(body)),
        }),
        ItemKind::Effect(decl) => decl.operations.iter_mut().for_each(|it| walk_params(v, &mut it.params)),
        ItemKind::Expr(expr) => v.expr(expr),
        ItemKind::Use(_) | ItemKind::Error => {}
    }
}

pub fn walk_fn<V: VisitMut + ?Sized>(v: &mut V, decl: &mut FnDecl) {
    walk_params(v, &mut decl.sig.params);
    decl.body.iter_mut().for_each(|body| v.expr(body));
}

fn walk_params<V: VisitMut + ?Sized>(v: &mut V, params: &mut [Param]) {
    params.iter_mut().filter_map(|param| param.default.as_mut()).for_each(|value| v.expr(value));
}

fn walk_args<V: VisitMut + ?Sized>(v: &mut V, args: &mut [Arg]) {
    args.iter_mut().for_each(|arg| v.expr(&mut arg.value));
}

fn walk_handler<V: VisitMut + ?Sized>(v: &mut V, body: &mut HandlerBody) {
    body.state.iter_mut().for_each(|stmt| walk_stmt(v, stmt));
    for clause in &mut body.clauses {
        walk_params(v, &mut clause.params);
        v.expr(&mut clause.body);
    }
    body.ret.iter_mut().for_each(|ret| v.expr(&mut ret.body));
}

pub fn walk_block<V: VisitMut + ?Sized>(v: &mut V, block: &mut Block) {
    block.stmts.iter_mut().for_each(|stmt| walk_stmt(v, stmt));
    block.result.iter_mut().for_each(|result| v.expr(result));
}

pub fn walk_stmt<V: VisitMut + ?Sized>(v: &mut V, stmt: &mut Stmt) {
    match &mut stmt.kind {
        StmtKind::Let(decl) => v.expr(&mut decl.value),
        StmtKind::Fn(decl) => walk_fn(v, decl),
        StmtKind::Item(item) => v.item(item),
        StmtKind::Assign { place, value, .. } => {
            v.expr(place);
            v.expr(value);
        }
        StmtKind::Defer(expr) | StmtKind::Expr(expr) => v.expr(expr),
        StmtKind::Error => {}
    }
}

pub fn walk_expr<V: VisitMut + ?Sized>(v: &mut V, expr: &mut Expr) {
    match &mut *expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Char(_)
        | ExprKind::Str(_)
        | ExprKind::Unit
        | ExprKind::Path(_)
        | ExprKind::Continue
        | ExprKind::Placeholder
        | ExprKind::Error => {}
        ExprKind::Tuple(items) | ExprKind::Array(items) | ExprKind::JsonArray(items) => {
            items.iter_mut().for_each(|item| v.expr(item));
        }
        ExprKind::LlvmIr { inputs, .. } => inputs.iter_mut().for_each(|item| v.expr(item)),
        ExprKind::Record { fields, base, .. } => {
            fields.iter_mut().filter_map(|field| field.value.as_mut()).for_each(|value| v.expr(value));
            base.iter_mut().for_each(|base| v.expr(base));
        }
        ExprKind::JsonObject(fields) => fields.iter_mut().for_each(|(_, value)| v.expr(value)),
        ExprKind::JsonValue(inner)
        | ExprKind::Field { base: inner, .. }
        | ExprKind::TupleField { base: inner, .. }
        | ExprKind::Try(inner)
        | ExprKind::Await(inner)
        | ExprKind::Unary { operand: inner, .. }
        | ExprKind::Cast { operand: inner, .. }
        | ExprKind::Loop(inner) => v.expr(inner),
        ExprKind::Index { base: left, index: right }
        | ExprKind::Binary { left, right, .. }
        | ExprKind::Pipe { left, right }
        | ExprKind::While { cond: left, body: right }
        | ExprKind::For { iterable: left, body: right, .. } => {
            v.expr(left);
            v.expr(right);
        }
        ExprKind::Call { callee, args } => {
            v.expr(callee);
            walk_args(v, args);
        }
        ExprKind::Range { start, end, .. } => start.iter_mut().chain(end).for_each(|bound| v.expr(bound)),
        ExprKind::Lambda { params, body, .. } => {
            walk_params(v, params);
            v.expr(body);
        }
        ExprKind::If { cond, then, els } => {
            v.expr(cond);
            v.expr(then);
            els.iter_mut().for_each(|els| v.expr(els));
        }
        ExprKind::Match { scrutinee, arms } => {
            v.expr(scrutinee);
            for arm in arms {
                arm.guard.iter_mut().for_each(|guard| v.expr(&mut guard.cond));
                v.expr(&mut arm.body);
            }
        }
        ExprKind::Block(block)
        | ExprKind::Unsafe(block)
        | ExprKind::EffectBlock { body: block, .. }
        | ExprKind::Async { body: block, .. } => v.block(block),
        ExprKind::Return(value) | ExprKind::Break(value) => value.iter_mut().for_each(|value| v.expr(value)),
        ExprKind::Perform { args, .. } | ExprKind::InlineAsm(args) => walk_args(v, args),
        ExprKind::Handle { body, handler } => {
            v.expr(body);
            match handler {
                HandlerExpr::Inline { body, .. } => walk_handler(v, body),
                HandlerExpr::Value(value) => v.expr(value),
                HandlerExpr::Missing => {}
            }
        }
    }
}

/// Calls `f` with the expressions directly below one, those in its blocks, handlers and local functions included. All operands of a chain of
/// binary operators are directly below its top, so that long chains are no deep recursion.
pub fn each_child<'e>(expr: &'e Expr, f: &mut impl FnMut(&'e Expr)) {
    match &*expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Char(_)
        | ExprKind::Str(_)
        | ExprKind::Unit
        | ExprKind::Path(_)
        | ExprKind::Continue
        | ExprKind::Placeholder
        | ExprKind::Error => {}
        ExprKind::Tuple(items) | ExprKind::Array(items) | ExprKind::JsonArray(items) => items.iter().for_each(f),
        ExprKind::LlvmIr { inputs, .. } => inputs.iter().for_each(f),
        ExprKind::Record { fields, base, .. } => {
            fields.iter().filter_map(|field| field.value.as_ref()).chain(base).for_each(f);
        }
        ExprKind::JsonObject(fields) => fields.iter().for_each(|(_, value)| f(value)),
        ExprKind::JsonValue(inner)
        | ExprKind::Field { base: inner, .. }
        | ExprKind::TupleField { base: inner, .. }
        | ExprKind::Try(inner)
        | ExprKind::Await(inner)
        | ExprKind::Unary { operand: inner, .. }
        | ExprKind::Cast { operand: inner, .. }
        | ExprKind::Loop(inner) => f(inner),
        ExprKind::Binary { left, right, .. } => {
            f(right);
            let mut at = left;
            while let ExprKind::Binary { left, right, .. } = &*at.kind {
                f(right);
                at = left;
            }
            f(at);
        }
        ExprKind::Index { base: left, index: right }
        | ExprKind::Pipe { left, right }
        | ExprKind::While { cond: left, body: right }
        | ExprKind::For { iterable: left, body: right, .. } => {
            f(left);
            f(right);
        }
        ExprKind::Call { callee, args } => {
            f(callee);
            args.iter().for_each(|arg| f(&arg.value));
        }
        ExprKind::Range { start, end, .. } => start.iter().chain(end).for_each(f),
        ExprKind::Lambda { params, body, .. } => {
            defaults(params).for_each(&mut *f);
            f(body);
        }
        ExprKind::If { cond, then, els } => {
            f(cond);
            f(then);
            els.iter().for_each(f);
        }
        ExprKind::Match { scrutinee, arms } => {
            f(scrutinee);
            for arm in arms {
                arm.guard.iter().for_each(|guard| f(&guard.cond));
                f(&arm.body);
            }
        }
        ExprKind::Block(block)
        | ExprKind::Unsafe(block)
        | ExprKind::EffectBlock { body: block, .. }
        | ExprKind::Async { body: block, .. } => {
            block.stmts.iter().for_each(|stmt| each_of_stmt(stmt, f));
            block.result.iter().for_each(|result| f(result));
        }
        ExprKind::Return(value) | ExprKind::Break(value) => value.iter().for_each(f),
        ExprKind::Perform { args, .. } | ExprKind::InlineAsm(args) => args.iter().for_each(|arg| f(&arg.value)),
        ExprKind::Handle { body, handler } => {
            f(body);
            match handler {
                HandlerExpr::Inline { body, .. } => each_of_handler(body, f),
                HandlerExpr::Value(value) => f(value),
                HandlerExpr::Missing => {}
            }
        }
    }
}

/// The same below a handler.
pub fn each_of_handler<'e>(body: &'e HandlerBody, f: &mut impl FnMut(&'e Expr)) {
    body.state.iter().for_each(|stmt| each_of_stmt(stmt, f));
    for clause in &body.clauses {
        defaults(&clause.params).for_each(&mut *f);
        f(&clause.body);
    }
    body.ret.iter().for_each(|ret| f(&ret.body));
}

fn each_of_stmt<'e>(stmt: &'e Stmt, f: &mut impl FnMut(&'e Expr)) {
    match &stmt.kind {
        StmtKind::Let(decl) => f(&decl.value),
        StmtKind::Fn(decl) => defaults(&decl.sig.params).chain(&decl.body).for_each(f),
        StmtKind::Assign { place, value, .. } => {
            f(place);
            f(value);
        }
        StmtKind::Defer(expr) | StmtKind::Expr(expr) => f(expr),
        StmtKind::Item(_) | StmtKind::Error => {}
    }
}

fn defaults(params: &[Param]) -> impl Iterator<Item = &Expr> {
    params.iter().filter_map(|param| param.default.as_ref())
}
