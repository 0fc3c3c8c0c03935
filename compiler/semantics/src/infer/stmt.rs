//! Blocks: bindings, local functions, `defer`, and code that cannot be reached.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast, PatternKind as AstPattern, StmtKind};

use super::body::{Frame, LocalBinding, Want, Why};
use super::captures;
use super::futures::Code;
use super::ty::{Node, Row, Ty, Types};
use crate::cx::*;
use crate::modules::{RowMode, TypeScope};
use crate::typed::*;

/// Statements collected so far; a group of local recursive functions starts a new segment.
struct Segment {
    stmts: Vec<Stmt>,
    then: Vec<(LocalId, ExprId)>,
}

impl<'a> Checker<'a> {
    /// A type written in a body.
    pub fn body_type(&mut self, ty: &ast::Type) -> Ty {
        let generics = std::mem::take(&mut self.b.generics);
        let mut scope =
            TypeScope { module: self.b.module, generics: &generics, self_ty: self.b.self_ty, rows: RowMode::Body };
        let written = self.written_type(ty, &mut scope);
        self.b.generics = generics;
        // Closed rows of signatures are opened; written ones in bodies stay as they are.
        written
    }

    pub fn block(&mut self, block: &ast::Block, want: Want) -> ExprId {
        if block.attrs.is_empty() {
            return self.block_inside(block, want);
        }
        let outer = self.b.native;
        self.b.native = outer.with(&block.attrs, self.names);
        let id = self.block_inside(block, want);
        self.b.native = outer;
        id
    }

    /// A block, when its attributes have been looked at.
    fn block_inside(&mut self, block: &ast::Block, want: Want) -> ExprId {
        let mark = self.scope.len();
        let outer_module = self.b.module;
        if let Some(scope) = block.scope {
            self.b.module = self.local_modules[scope as usize];
        }
        let mut segments = vec![Segment { stmts: Vec::new(), then: Vec::new() }];
        let mut diverged: Option<Span> = None;
        // Said once: the rest of the block is as unreachable as what comes first.
        let mut unreachable = false;
        let mut index = 0;
        while index < block.stmts.len() {
            let stmt = &block.stmts[index];
            if let Some(at) = diverged.filter(|_| !unreachable) {
                self.unreachable(stmt.span, at);
                unreachable = true;
            }
            if let StmtKind::Fn(_) = &stmt.kind {
                let start = index;
                while index < block.stmts.len() && matches!(block.stmts[index].kind, StmtKind::Fn(_)) {
                    index += 1;
                }
                let decls: Vec<&ast::FnDecl> = block.stmts[start..index]
                    .iter()
                    .filter_map(|stmt| match &stmt.kind {
                        StmtKind::Fn(decl) => Some(&**decl),
                        _ => None,
                    })
                    .collect();
                let bindings = self.local_fns(&decls);
                if !bindings.is_empty() {
                    if let Some(segment) = segments.last_mut() {
                        segment.then = bindings;
                    }
                    segments.push(Segment { stmts: Vec::new(), then: Vec::new() });
                }
                continue;
            }
            index += 1;
            let typed = self.stmt(stmt);
            if let Some(stmt) = typed {
                if diverged.is_none() {
                    let end = match &stmt {
                        Stmt::Let { value, .. } | Stmt::Expr(value) => Some(*value),
                        Stmt::Defer(_) => None,
                    };
                    if let Some(id) = end
                        && self.diverges(id)
                    {
                        diverged = Some(self.b.span(id));
                    }
                }
                if let Some(segment) = segments.last_mut() {
                    segment.stmts.push(stmt);
                }
            }
        }
        let (result, ty) = match &block.result {
            Some(result) => {
                if let Some(at) = diverged.filter(|_| !unreachable) {
                    self.unreachable(result.span, at);
                }
                let id = self.expr(result, want);
                let id = match self.t.head(self.b.ty(id)) {
                    // A reference does not outlive the block that may own what it refers to.
                    Node::Ref { .. } if !matches!(*result.kind, Ast::Path(_)) => self.deref(id),
                    _ => id,
                };
                let ty = if diverged.is_some() { Types::NEVER } else { self.b.ty(id) };
                (Some(id), ty)
            }
            None if diverged.is_some() => (None, Types::NEVER),
            None => (None, Types::UNIT),
        };
        self.pop_scope(mark);
        self.b.module = outer_module;
        let mut rest = (result, ty);
        while let Some(segment) = segments.pop() {
            if let Some(result) = rest.0
                && segment.stmts.is_empty()
                && segment.then.is_empty()
                && !segments.is_empty()
            {
                rest = (Some(result), ty);
            } else if segments.is_empty() && segment.then.is_empty() {
                if let (true, Some(only)) = (segment.stmts.is_empty(), rest.0) {
                    return only;
                }
                return self.b.expr(ExprKind::Block { stmts: segment.stmts, result: rest.0 }, ty, block.span);
            } else if !segment.then.is_empty() {
                let inner = match rest.0 {
                    Some(inner) => inner,
                    None => self.b.expr(ExprKind::Block { stmts: Vec::new(), result: None }, ty, block.span),
                };
                let letrec = self.b.expr(ExprKind::LetRec { bindings: segment.then, rest: inner }, ty, block.span);
                let whole = if segment.stmts.is_empty() {
                    letrec
                } else {
                    self.b.expr(ExprKind::Block { stmts: segment.stmts, result: Some(letrec) }, ty, block.span)
                };
                rest = (Some(whole), ty);
                if segments.is_empty() {
                    return whole;
                }
            } else {
                let inner = self.b.expr(ExprKind::Block { stmts: segment.stmts, result: rest.0 }, ty, block.span);
                rest = (Some(inner), ty);
            }
        }
        match rest.0 {
            Some(id) => id,
            None => self.b.expr(ExprKind::Block { stmts: Vec::new(), result: None }, ty, block.span),
        }
    }

    fn unreachable(&mut self, span: Span, after: Span) {
        self.error_once(
            Diagnostic::error(codes::CONTROL_UNREACHABLE, span, "this code is never reached")
                .with_label(after, "control always leaves here")
                .with_help("remove it"),
        );
    }

    pub fn stmt(&mut self, stmt: &ast::Stmt) -> Option<Stmt> {
        let outer = self.b.native;
        self.b.native = outer.with(&stmt.attrs, self.names);
        let typed = self.stmt_of_kind(stmt);
        self.b.native = outer;
        typed
    }

    fn stmt_of_kind(&mut self, stmt: &ast::Stmt) -> Option<Stmt> {
        match &stmt.kind {
            StmtKind::Let(decl) => self.let_stmt(decl),
            StmtKind::Fn(_) => None,
            StmtKind::Item(item) => {
                self.local_item(item);
                None
            }
            StmtKind::Assign { place, value, legacy } => {
                let id = self.assign(place, value, *legacy, stmt.span);
                Some(Stmt::Expr(id))
            }
            StmtKind::Defer(e) => {
                let outer = std::mem::replace(&mut self.b.locals_before_defer, self.b.locals.len());
                let depth = self.b.defer_depth.replace(self.b.lambda_depth);
                let id = self.discarded(e);
                self.b.locals_before_defer = outer;
                self.b.defer_depth = depth;
                Some(Stmt::Defer(id))
            }
            StmtKind::Expr(e) => {
                let id = self.expr(e, Want::NOTHING);
                self.check_must_use(id, e.span);
                Some(Stmt::Expr(id))
            }
            StmtKind::Error => None,
        }
    }

    fn check_must_use(&mut self, id: ExprId, span: Span) {
        if self.is_core(self.b.module) {
            return;
        }
        if let Node::Adt(def, ..) = self.t.head(self.b.ty(id)) {
            let marked = self.adts[def].attrs.iter().any(|a| self.names.text(a.name.name) == "must_use");
            if Some(def) == self.lang.result || marked {
                let text = self.show(self.b.ty(id));
                let diagnostic = if Some(def) == self.lang.future {
                    let message = format!("this `{text}` is not awaited, so it never runs");
                    Diagnostic::warning(codes::MUST_USE, span, message)
                        .with_help("wait for it with `.await`, or let it run beside this code with `spawn(..)`")
                } else {
                    Diagnostic::warning(codes::MUST_USE, span, format!("this `{text}` is not used"))
                        .with_help("handle it with `match` or `?`, or drop it with `let _ = ..`")
                };
                self.report(diagnostic);
                return;
            }
        }
        if let ExprKind::Call { callee, .. } = &self.b.exprs[id].kind
            && let ExprKind::Fn(function, _) = self.b.exprs[*callee].kind
            && self.fns[function].attrs.iter().any(|a| self.names.text(a.name.name) == "must_use")
        {
            let text = self.names.text(self.fns[function].name).to_owned();
            self.report(
                Diagnostic::warning(codes::MUST_USE, span, format!("the result of `{text}` is not used"))
                    .with_help("drop it on purpose with `let _ = ..`"),
            );
        }
    }

    fn local_item(&mut self, item: &ast::Item) {
        // A block's other declarations have been taken out of it.
        let ast::ItemKind::Use(decl) = &item.kind else { return };
        let module = self.push_local_module(self.b.module);
        self.b.module = module;
        self.collect_use(module, &decl.tree, &[], None, false);
        for index in 0..self.modules[module].uses.len() {
            self.resolve_use(module, index as u32);
            if !self.modules[module].uses[index].resolved {
                self.report_unresolved_use(module, index);
            }
        }
    }

    fn let_stmt(&mut self, decl: &ast::LetDecl) -> Option<Stmt> {
        let mutable = decl.kind == ast::LetKind::Var;
        if let (AstPattern::Bind(name), Ast::Lambda { params, ret, body }, None, false) =
            (&*decl.pattern.kind, &*decl.value.kind, &decl.ty, mutable)
            && !captures::captures(self, &decl.value)
            && self.lift_lambda(*name, params, ret.as_ref(), body)
        {
            return None;
        }
        let value = match &decl.ty {
            Some(written) => {
                let ty = self.body_type(written);
                let id = self.check(&decl.value, ty, Why::Annotation(written.span));
                if self.b.ty(id) != ty && self.diverges(id) {
                    // `let x: T = return`: the names still have the written type.
                    self.pattern(&decl.pattern, ty, mutable);
                    return Some(Stmt::Expr(id));
                }
                id
            }
            None => {
                let id = self.expr(&decl.value, Want::NOTHING);
                if mutable { self.deref(id) } else { id }
            }
        };
        let ty = match &decl.ty {
            Some(_) => self.b.ty(value),
            None => self.b.ty(value),
        };
        let ty = if self.t.resolve(ty) == Types::NEVER {
            self.t.fresh()
        } else if matches!(&*decl.pattern.kind, AstPattern::Bind(_) | AstPattern::Wildcard) {
            ty
        } else {
            self.t.peel(ty)
        };
        let value = if matches!(self.t.head(ty), Node::Ref { .. }) { value } else { self.deref(value) };
        let pattern = self.pattern(&decl.pattern, ty, mutable);
        if let PatternKind::Bind(local, None) = self.b.patterns[pattern].kind {
            self.b.lets.insert(local);
        }
        Some(Stmt::Let { pattern, value })
    }

    // -----------------------------------------------------------------------------------------------
    // Local functions

    /// Local functions that may call each other: those without captures become definitions of their own, generic when
    /// they can be; the others are bound together as lambdas.
    fn local_fns(&mut self, decls: &[&ast::FnDecl]) -> Vec<(LocalId, ExprId)> {
        let names: Vec<_> = decls.iter().filter_map(|d| d.sig.name.segments.first().copied()).collect();
        let free = !decls.iter().any(|decl| captures::fn_captures(self, decl, &names));
        if free && self.lift_fns(decls) {
            return Vec::new();
        }
        // Types first, then bodies.
        let mut prepared = Vec::with_capacity(decls.len());
        for (decl, name) in decls.iter().zip(&names) {
            let outer = self.b.generics.len();
            for generic in &decl.sig.generics {
                // Monomorphic: a parameter of a capturing function is one type per run of the function around it.
                let ty = self.t.fresh();
                self.b.generics.push((generic.name.name, ty));
            }
            let params: Vec<Ty> = decl
                .sig
                .params
                .iter()
                .map(|p| match &p.ty {
                    Some(ty) => self.body_type(ty),
                    None => self.t.fresh(),
                })
                .collect();
            let ret = self.body_result(decl.is_async, decl.sig.ret.as_ref());
            let row = self.t.rows.fresh();
            let ty = self.t.func(&params, ret, Row::var(row));
            let generics = self.b.generics.split_off(outer);
            let local = self.b.local(Some(name.name), ty, name.span, false);
            self.bind_local(name.name, LocalBinding::Local(local));
            prepared.push((*decl, local, params, ret, row, ty, generics));
        }
        let mut bindings = Vec::with_capacity(prepared.len());
        for (decl, local, params, ret, row, ty, generics) in prepared {
            let outer = self.b.generics.len();
            self.b.generics.extend(generics);
            let mark = self.scope.len();
            self.b.lambda_depth += 1;
            let patterns: Vec<PatternId> =
                decl.sig.params.iter().zip(&params).map(|(p, &ty)| self.param_pattern(&p.pattern, ty)).collect();
            let why = decl.sig.ret.as_ref().map_or(Why::None, |t| Why::Return(t.span));
            let known = decl.sig.ret.is_some();
            self.b.frames.push(Frame { tail: !known, ..Frame::new(ret, why, row) });
            let body = match &decl.body {
                Some(body) => self.fn_or_async_body(decl.is_async, body, ret, why, known),
                None => self.b.error(decl.sig.span),
            };
            self.b.frames.pop();
            self.b.lambda_depth -= 1;
            self.pop_scope(mark);
            self.b.generics.truncate(outer);
            let lambda = self.b.expr(ExprKind::Lambda { params: patterns, body }, ty, decl.sig.span);
            bindings.push((local, lambda));
        }
        bindings
    }

    /// The result type of a local function.
    pub(super) fn body_result(&mut self, is_async: bool, written: Option<&ast::Type>) -> Ty {
        match written {
            Some(ty) => {
                let ty = self.body_type(ty);
                if is_async { self.body_future(ty) } else { ty }
            }
            None => self.t.fresh(),
        }
    }

    /// The body of a function whose result type may be unknown.
    pub(super) fn fn_body(&mut self, body: Code<'_>, ret: Ty, why: Why, known: bool) -> ExprId {
        let want = Want { ty: Some(ret), why, tail: !known };
        let id = match body {
            Code::Expr(body) => self.expr(body, want),
            Code::Block(body) => self.block(body, want),
        };
        let id = match self.t.head(ret) {
            Node::Ref { .. } => id,
            _ => self.deref(id),
        };
        let why = match self.b.frame().returned {
            Some(first) if !known => Why::Branch { first, tail: true },
            _ => why,
        };
        let id = if known { id } else { self.wrapped_unit(id, ret) };
        let id = self.coerce(id, ret, why);
        if self.diverges(id) && self.t.is_var(ret) {
            let _ = self.t.unify(ret, Types::NEVER);
        }
        id
    }

    /// A body without a value, in a function whose result `?` has made an `Option` or a `Result`: it ends in `Some(())` or
    /// `Ok(())`.
    fn wrapped_unit(&mut self, id: ExprId, ret: Ty) -> ExprId {
        if self.t.resolve(self.b.ty(id)) != Types::UNIT {
            return id;
        }
        let Node::Adt(def, args, _) = self.t.head(ret) else { return id };
        let success = match Some(def) {
            option if option == self.lang.option => self.sym.some,
            result if result == self.lang.result => self.sym.ok,
            _ => return id,
        };
        let value = self.t.at(args, 0);
        let (Some(variant), Ok(())) = (self.variant_named(def, success), self.t.unify(value, Types::UNIT)) else {
            return id;
        };
        let span = self.b.span(id);
        self.b.expr(ExprKind::Construct { variant, args: vec![id] }, ret, span)
    }
}
