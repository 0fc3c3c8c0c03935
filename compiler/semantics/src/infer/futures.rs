//! `async` and `await`: calls of the library's `Core.Async`.
//!
//! `async { .. }` is a function without parameters, given to `async_block`, which makes a future of it; `return` and `?` in
//! it end the block. An `async fn` is a function whose body is such a block. `await e` is `await_future(e)`: waiting is
//! the effect `Async`, so that any function may wait whose callers are, in the end, part of a future.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::body::{Frame, Want, Why};
use super::call::Arg;
use super::ty::{Node, Row, RowKind, Ty, VarKind};
use crate::cx::*;
use crate::typed::*;

/// The code of a function: as much of the syntax as `async` blocks and functions have in common.
#[derive(Clone, Copy)]
pub(super) enum Code<'e> {
    Expr(&'e ast::Expr),
    Block(&'e ast::Block),
}

impl<'a> Checker<'a> {
    pub(super) fn async_block(&mut self, block: &ast::Block, want: Want, span: Span) -> ExprId {
        let answer = want.ty.and_then(|ty| self.future_answer(ty));
        let known = answer.is_some_and(|ty| !self.t.is_var(ty));
        let ret = answer.unwrap_or_else(|| self.t.fresh());
        let why = if known { want.why } else { Why::None };
        self.future_of(Code::Block(block), ret, why, known, span)
    }

    /// The body of a function, which is `async` or not.
    pub(super) fn fn_or_async_body(
        &mut self,
        is_async: bool,
        body: &ast::Expr,
        ret: Ty,
        why: Why,
        known: bool,
    ) -> ExprId {
        if !is_async {
            return self.fn_body(Code::Expr(body), ret, why, known);
        }
        let written = self.future_answer(ret);
        let answer = written.unwrap_or_else(|| self.t.fresh());
        let made = self.future_of(Code::Expr(body), answer, why, known && written.is_some(), body.span);
        self.coerce(made, ret, why)
    }

    /// A future that runs the code.
    fn future_of(&mut self, code: Code<'_>, ret: Ty, why: Why, known: bool, span: Span) -> ExprId {
        let Some(make) = self.async_library("async_block", "`async`", span) else {
            return self.b.error(span);
        };
        let row = self.t.rows.fresh();
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        self.b.frames.push(Frame { tail: !known, ..Frame::new(ret, why, row) });
        let body = self.fn_body(code, ret, why, known);
        self.b.frames.pop();
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        let thunk_ty = self.t.func(&[], ret, Row::var(row));
        let thunk = self.b.expr(ExprKind::Lambda { params: Vec::new(), body }, thunk_ty, span);
        self.call_fn(make, &[Arg::done(thunk, span)], Want::NOTHING, span, span)
    }

    pub(super) fn await_expr(&mut self, operand: &ast::Expr, want: Want, span: Span) -> ExprId {
        // `await e.await` waits once.
        let operand = match &*operand.kind {
            Ast::Await(inner)
                if operand.span.start > span.start
                    && operand.span.end == span.end
                    && operand.span.start == inner.span.start =>
            {
                inner
            }
            _ => operand,
        };
        let Some(wait) = self.async_library("await_future", "`await`", span) else {
            self.expr(operand, Want::NOTHING);
            return self.b.error(span);
        };
        if self.b.defer_depth == Some(self.b.lambda_depth) {
            self.report(
                Diagnostic::error(codes::AWAIT_IN_DEFER, span, "deferred code cannot wait")
                    .with_note("it also runs when the future around it is cancelled, and then nobody would resume it")
                    .with_help("let it run beside: `spawn(async { .. })`"),
            );
        }
        let future = self.value(operand, Want::NOTHING);
        let ty = self.b.ty(future);
        self.force(ty);
        match self.t.head(ty) {
            Node::Error => return self.b.error(span),
            Node::Var(_) if self.t.var_kind(ty) == Some(VarKind::Any) => {
                let (Some(def), answer) = (self.lang.future, self.t.fresh()) else { return self.b.error(span) };
                let row = self.t.rows.fresh();
                let wanted = self.t.adt(def, &[answer], Row::var(row));
                let _ = self.t.unify(ty, wanted);
            }
            Node::Adt(def, ..) if Some(def) == self.lang.future => {}
            _ => {
                self.report_not_a_future(ty, operand.span);
                return self.b.error(span);
            }
        }
        // What is expected of the value is compared with the value, not with the future.
        let open = self.future_answer(ty).is_some_and(|answer| self.t.is_var(answer));
        let want = if open { want } else { Want::NOTHING };
        self.call_fn(wait, &[Arg::done(future, operand.span)], want, span, span)
    }

    fn report_not_a_future(&mut self, ty: Ty, span: Span) {
        let text = self.show(ty);
        let diagnostic =
            Diagnostic::error(codes::AWAIT_NOT_FUTURE, span, format!("`await` waits for a `Future`, found `{text}`"));
        let is_task = matches!(self.t.head(ty), Node::Adt(def, ..) if Some(def) == self.lang.task);
        let called = match self.t.head(ty) {
            Node::Fn { sig, .. } => self.future_answer(self.t.at(sig, sig.len as usize - 1)).is_some(),
            _ => false,
        };
        let help = if is_task {
            "wait for the end of a task with `.join().await`"
        } else if called {
            "call the function: it is what it returns that can be waited for"
        } else {
            "the value is there already: remove the `await`"
        };
        self.report(diagnostic.with_help(help));
    }

    /// What a future of this type ends with.
    pub fn future_answer(&self, ty: Ty) -> Option<Ty> {
        match self.t.head(ty) {
            Node::Adt(def, args, _) if Some(def) == self.lang.future => Some(self.t.at(args, 0)),
            _ => None,
        }
    }

    /// Is the function declared with `async fn`?
    pub fn is_async(&self, id: FnId) -> bool {
        matches!(self.fns[id].source, FnSource::Decl(decl) if decl.is_async)
    }

    /// The row of a function's signature that has the effects of the future it returns.
    pub fn future_row(&self, id: FnId) -> Option<u32> {
        match self.t.get(self.fns[id].ret) {
            Node::Adt(def, _, row) if Some(def) == self.lang.future => match row.kind() {
                RowKind::Sig(index) => Some(index),
                _ => None,
            },
            _ => None,
        }
    }

    fn async_library(&mut self, name: &str, syntax: &str, span: Span) -> Option<FnId> {
        let found = self.lang_fn(name);
        if found.is_none() {
            let message = format!("{syntax} needs the standard library's `Core.Async`");
            self.error_once(Diagnostic::error(codes::NOT_SUPPORTED, span, message));
        }
        found
    }
}
