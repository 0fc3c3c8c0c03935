//! Where does control meet again, and with which values?
//!
//! A branch whose arms all go on becomes a join point with a parameter for the result and one for each `var` that
//! the arms leave with different values. When at most one arm goes on, the code after the branch continues inside that
//! arm and no join point is made: this is what `?`, early `return` and loop exits look like.

use std::rc::Rc;

use reml_diagnostics::Span;
use reml_semantics::typed::{ExprId, ExprKind, LocalId, UnaryOp};

use super::build::Builder;
use super::function::{Binding, FnLower};
use crate::core::{Atom, Case, End, Join, JoinId, Stmt};

/// A loop around the cursor.
pub struct LoopContext {
    head: JoinId,
    /// Parameters of `head`, and after the result of `exit`.
    assigned: Rc<[LocalId]>,
    /// Where `break` goes; `None` when the loop's result is the function's.
    exit: Option<JoinId>,
    /// Does `exit` take a result?
    has_result: bool,
    breaks: u32,
    /// How many scopes with deferred code were open outside.
    scopes: usize,
}

/// What an arm of a two-way branch computes.
#[derive(Clone, Copy)]
enum Arm {
    Expr(ExprId),
    Bool(bool),
}

/// An arm that goes on: its code, its result and the variables it leaves.
pub struct Exit {
    pub code: Builder,
    pub value: Atom,
    pub assigned: Vec<Atom>,
}

impl FnLower<'_, '_> {
    /// The values of locals, to be restored for another arm.
    pub fn bindings(&self, locals: &[LocalId]) -> Vec<Binding> {
        locals.iter().map(|&local| self.binding(local)).collect()
    }

    pub fn restore(&mut self, locals: &[LocalId], bindings: &[Binding]) {
        for (&local, &binding) in locals.iter().zip(bindings) {
            self.rebind(local, binding);
        }
    }

    pub fn current(&self, locals: &[LocalId]) -> Vec<Atom> {
        locals
            .iter()
            .map(|&local| match self.binding(local) {
                Binding::Value(atom) => atom,
                _ => Atom::Unit,
            })
            .collect()
    }

    /// `if`, `&&`, `||`. Conditions that are chains of `&&` or of `||` branch directly, without computing a `Bool`.
    pub fn branch(&mut self, expr: ExprId, tail: bool) -> Option<Atom> {
        let body = self.body;
        let (conditions, success, failure) = match body.exprs[expr].kind {
            ExprKind::If { cond, then, els } => {
                let mut conditions = Vec::new();
                let on_true = self.conditions(cond, &mut conditions);
                if on_true {
                    (conditions, Arm::Expr(then), Arm::Expr(els))
                } else {
                    (conditions, Arm::Expr(els), Arm::Expr(then))
                }
            }
            ExprKind::And(left, right) => (vec![(left, true)], Arm::Expr(right), Arm::Bool(false)),
            ExprKind::Or(left, right) => (vec![(left, false)], Arm::Expr(right), Arm::Bool(true)),
            _ => return self.value(expr),
        };
        let info = self.info.clone();
        let assigned = info.assigned(expr);
        let (first, expected) = conditions[0];
        let test = self.value(first)?;
        if let (Atom::Bool(value), 1) = (test, conditions.len()) {
            return self.arm(if value == expected { success } else { failure }, tail);
        }
        let entry = self.bindings(assigned);

        let (fail, fail_exit) = self.arm_block(failure, tail, assigned);
        self.restore(assigned, &entry);
        // With several conditions the failing arm has several predecessors.
        let shared = (conditions.len() > 1).then(|| self.cx.code.join());
        let mut rest_exit = None;
        let rest = {
            let outer = std::mem::take(&mut self.cx.code.cursor);
            rest_exit = self.remaining(&conditions[1..], shared, success, tail, assigned).or(rest_exit);
            std::mem::replace(&mut self.cx.code.cursor, outer)
        };
        let cases =
            |yes: Builder, no: Builder| vec![(Some(Case::Bool(expected)), yes), (Some(Case::Bool(!expected)), no)];

        match (fail_exit, rest_exit) {
            (Some(fail_exit), Some(rest_exit)) => {
                let fail = Exit { code: fail, value: fail_exit.0, assigned: fail_exit.1 };
                let rest = Exit { code: rest, value: rest_exit.0, assigned: rest_exit.1 };
                let ty = self.expr_core(expr);
                let (join, params, result, mut exits) = self.merge(vec![fail, rest], ty, assigned, expr);
                let rest = exits.pop().expect("two exits");
                let fail = exits.pop().expect("two exits");
                let (after, end) = self.two_way(test, fail, rest, shared, cases);
                self.cx.code.cursor.continue_in_join(join, params, after, end);
                Some(result)
            }
            (fail_exit, rest_exit) => {
                match shared {
                    None => self.cx.code.cursor.switch(test, cases(rest, fail)),
                    Some(join) if fail_exit.is_some() => {
                        let jump = jump_block(join);
                        let mut switch = Builder::default();
                        switch.switch(test, cases(rest, jump));
                        let block = switch.finish();
                        self.cx.code.cursor.continue_join_with(join, Vec::new(), fail, block.stmts, block.end);
                    }
                    Some(join) => {
                        self.push(Stmt::Join(Box::new(Join {
                            id: join,
                            params: Vec::new(),
                            recursive: false,
                            body: fail.finish(),
                        })));
                        self.cx.code.cursor.switch(test, cases(rest, jump_block(join)));
                    }
                }
                let (value, values) = fail_exit.or(rest_exit)?;
                for (&local, value) in assigned.iter().zip(values) {
                    if matches!(self.binding(local), Binding::Value(_)) {
                        self.rebind(local, Binding::Value(value));
                    }
                }
                Some(value)
            }
        }
    }

    /// The switch over two closed arms, as statements and an end.
    fn two_way(
        &mut self,
        test: Atom,
        fail: Builder,
        rest: Builder,
        shared: Option<JoinId>,
        cases: impl Fn(Builder, Builder) -> Vec<(Option<Case>, Builder)>,
    ) -> (Vec<Stmt>, End) {
        let mut switch = Builder::default();
        match shared {
            None => switch.switch(test, cases(rest, fail)),
            Some(join) => {
                switch.push(Stmt::Join(Box::new(Join {
                    id: join,
                    params: Vec::new(),
                    recursive: false,
                    body: fail.finish(),
                })));
                switch.switch(test, cases(rest, jump_block(join)));
            }
        }
        let block = switch.finish();
        (block.stmts, block.end)
    }

    /// Splits a condition into tests that must all come out as stated for success. Gives whether success means true.
    fn conditions(&self, cond: ExprId, out: &mut Vec<(ExprId, bool)>) -> bool {
        let body = self.body;
        let (mut cond, mut on_true) = (cond, true);
        while let ExprKind::Unary { op: UnaryOp::Not, operand } = body.exprs[cond].kind {
            cond = operand;
            on_true = !on_true;
        }
        let conjunction = match body.exprs[cond].kind {
            ExprKind::And(..) => true,
            ExprKind::Or(..) => false,
            _ => {
                out.push((cond, true));
                return on_true;
            }
        };
        // The spine leans to the left.
        if !self.info.assigned(cond).is_empty() {
            out.push((cond, true));
            return on_true;
        }
        loop {
            match body.exprs[cond].kind {
                ExprKind::And(left, right) if conjunction => {
                    out.push((right, true));
                    cond = left;
                }
                ExprKind::Or(left, right) if !conjunction => {
                    out.push((right, false));
                    cond = left;
                }
                _ => break,
            }
        }
        out.push((cond, conjunction));
        for (test, expected) in out.iter_mut() {
            while let ExprKind::Unary { op: UnaryOp::Not, operand } = body.exprs[*test].kind {
                *test = operand;
                *expected = !*expected;
            }
        }
        out.reverse();
        on_true == conjunction
    }

    /// Tests the remaining conditions, then runs the successful arm; failures jump to `shared`.
    fn remaining(
        &mut self,
        conditions: &[(ExprId, bool)],
        shared: Option<JoinId>,
        success: Arm,
        tail: bool,
        assigned: &[LocalId],
    ) -> Option<(Atom, Vec<Atom>)> {
        let (Some((&(first, expected), rest)), Some(join)) = (conditions.split_first(), shared) else {
            let value = self.arm(success, tail)?;
            return Some((value, self.current(assigned)));
        };
        let test = self.value(first)?;
        let outer = std::mem::take(&mut self.cx.code.cursor);
        let exit = self.remaining(rest, shared, success, tail, assigned);
        let inner = std::mem::replace(&mut self.cx.code.cursor, outer);
        self.cx
            .code
            .cursor
            .switch(test, vec![(Some(Case::Bool(expected)), inner), (Some(Case::Bool(!expected)), jump_block(join))]);
        exit
    }

    fn arm(&mut self, arm: Arm, tail: bool) -> Option<Atom> {
        match arm {
            Arm::Expr(expr) if tail => {
                self.tail(expr);
                None
            }
            Arm::Expr(expr) => self.value(expr),
            Arm::Bool(value) if tail => {
                self.return_value(Atom::Bool(value), Span::NONE);
                None
            }
            Arm::Bool(value) => Some(Atom::Bool(value)),
        }
    }

    fn arm_block(&mut self, arm: Arm, tail: bool, assigned: &[LocalId]) -> (Builder, Option<(Atom, Vec<Atom>)>) {
        let outer = std::mem::take(&mut self.cx.code.cursor);
        let exit = self.arm(arm, tail).map(|value| (value, self.current(assigned)));
        (std::mem::replace(&mut self.cx.code.cursor, outer), exit)
    }

    /// Ends several open exits with jumps to a new join point. Gives it, its parameters, the result as seen there and the
    /// closed code; rebinds what was assigned.
    fn merge(
        &mut self,
        mut exits: Vec<Exit>,
        ty: reml_semantics::types::TypeId,
        assigned: &[LocalId],
        expr: ExprId,
    ) -> (JoinId, Vec<crate::core::Var>, Atom, Vec<Builder>) {
        let span = self.body.exprs[expr].span;
        let join = self.cx.code.join();
        let mut params = Vec::new();
        let first = exits[0].value;
        let varies = !self.is_void(ty) && exits.iter().any(|exit| exit.value != first);
        let result = if varies {
            let var = self.cx.code.var(ty, span);
            params.push(var);
            Atom::Var(var)
        } else if self.is_void(ty) {
            Atom::Unit
        } else {
            first
        };
        let mut passed = Vec::new();
        for (i, &local) in assigned.iter().enumerate() {
            let first = exits[0].assigned[i];
            if exits.iter().all(|exit| exit.assigned[i] == first) {
                if matches!(self.binding(local), Binding::Value(_)) {
                    self.rebind(local, Binding::Value(first));
                }
                continue;
            }
            let var = self.local_param(local);
            params.push(var);
            passed.push(i);
            self.rebind(local, Binding::Value(Atom::Var(var)));
        }
        for exit in &mut exits {
            let mut args = Vec::with_capacity(params.len());
            if varies {
                args.push(exit.value);
            }
            args.extend(passed.iter().map(|&i| exit.assigned[i]));
            exit.code.end(End::Jump(join, args));
        }
        (join, params, result, exits.into_iter().map(|exit| exit.code).collect())
    }

    /// A join point parameter for a local.
    pub fn local_param(&mut self, local: LocalId) -> crate::core::Var {
        let ty = self.local_core(local);
        let span = self.body.locals[local].span;
        let var = self.cx.code.var(ty, span);
        self.cx.code.vars[var].name = self.local_text(local).map(Into::into);
        var
    }

    // Loops ---------------------------------------------------------------------------------------

    pub fn loop_expr(&mut self, expr: ExprId, body: ExprId, tail: bool) -> Option<Atom> {
        let info = self.info.clone();
        let span = self.body.exprs[expr].span;
        let assigned: Rc<[LocalId]> = info
            .assigned(expr)
            .iter()
            .copied()
            .filter(|&local| matches!(self.binding(local), Binding::Value(_)))
            .collect();
        let entry = self.current(&assigned);
        let head = self.cx.code.join();
        let mut head_params = Vec::with_capacity(assigned.len());
        for &local in &*assigned {
            let var = self.local_param(local);
            head_params.push(var);
            self.rebind(local, Binding::Value(Atom::Var(var)));
        }
        let ty = self.expr_core(expr);
        let has_result = !self.is_void(ty);
        let exit = (!tail).then(|| self.cx.code.join());
        self.cx.loops.push(LoopContext {
            head,
            assigned: assigned.clone(),
            exit,
            has_result,
            breaks: 0,
            scopes: self.cx.scopes.len(),
        });
        let outer = std::mem::take(&mut self.cx.code.cursor);
        if self.value(body).is_some() {
            self.continue_(span);
        }
        let code = std::mem::replace(&mut self.cx.code.cursor, outer).finish_or_unreachable();
        let context = self.cx.loops.pop().expect("the loop pushed above");
        let head_join = Stmt::Join(Box::new(Join { id: head, params: head_params, recursive: true, body: code }));
        let enter = End::Jump(head, entry);
        match exit {
            Some(exit) if context.breaks > 0 => {
                let mut params = Vec::new();
                let mut result = Atom::Unit;
                if has_result {
                    let var = self.cx.code.var(ty, span);
                    params.push(var);
                    result = Atom::Var(var);
                }
                for &local in &*assigned {
                    let var = self.local_param(local);
                    params.push(var);
                    self.rebind(local, Binding::Value(Atom::Var(var)));
                }
                self.cx.code.cursor.continue_in_join(exit, params, vec![head_join], enter);
                Some(result)
            }
            _ => {
                self.push(head_join);
                self.end(enter);
                None
            }
        }
    }

    pub fn break_(&mut self, value: Option<ExprId>, span: Span) {
        let atom = match value {
            Some(value) => match self.value(value) {
                Some(atom) => atom,
                None => return,
            },
            None => Atom::Unit,
        };
        let Some(context) = self.cx.loops.last_mut() else {
            self.l.unsupported(span, "internal error: `break` outside of a loop reached lowering");
            return self.end(End::Unreachable);
        };
        context.breaks += 1;
        let Some(exit) = context.exit else { return self.return_value(atom, span) };
        let (scopes, has_result, assigned) = (context.scopes, context.has_result, context.assigned.clone());
        self.run_defers(scopes);
        if !self.is_open() {
            return;
        }
        let mut args = Vec::with_capacity(assigned.len() + 1);
        if has_result {
            args.push(atom);
        }
        args.extend(self.current(&assigned));
        self.end(End::Jump(exit, args));
    }

    pub fn continue_(&mut self, span: Span) {
        let Some(context) = self.cx.loops.last() else {
            self.l.unsupported(span, "internal error: `continue` outside of a loop reached lowering");
            return self.end(End::Unreachable);
        };
        let (head, scopes, assigned) = (context.head, context.scopes, context.assigned.clone());
        self.run_defers(scopes);
        if self.is_open() {
            let args = self.current(&assigned);
            self.end(End::Jump(head, args));
        }
    }
}

/// A block that only jumps.
pub fn jump_block(join: JoinId) -> Builder {
    let mut builder = Builder::default();
    builder.end(End::Jump(join, Vec::new()));
    builder
}
