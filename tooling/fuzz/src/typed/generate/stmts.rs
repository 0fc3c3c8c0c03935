//! Statements.

use super::types::{has_result, printable};
use super::{Generator, InLoop, Known, Scope};
use crate::typed::tree::{Expr, Stmt, Ty};

impl Generator {
    pub fn stmts(&mut self, scope: &mut Scope, most: usize, depth: usize) -> Vec<Stmt> {
        let count = 1 + self.random.below(most * 2);
        let mut stmts = Vec::with_capacity(count);
        for _ in 0..count {
            if self.spend() {
                stmts.push(self.stmt(scope, depth));
            }
        }
        stmts
    }

    fn nested(&mut self, scope: &Scope, depth: usize) -> Vec<Stmt> {
        let mut inner = Scope { vars: scope.vars.clone() };
        self.stmts(&mut inner, 2, depth)
    }

    fn stmt(&mut self, scope: &mut Scope, depth: usize) -> Stmt {
        let mutable: Vec<Known> = scope.vars.iter().filter(|known| known.mutable).cloned().collect();
        match self.random.below(16) {
            0..=2 => {
                let ty = self.ty(2);
                let value = self.expr(scope, &ty, depth + 1);
                let id = self.fresh();
                scope.vars.push(Known { id, ty: ty.clone(), mutable: false });
                Stmt::Let(id, ty, value)
            }
            3..=5 => {
                let ty = self.ty(2);
                let value = self.expr(scope, &ty, depth + 1);
                let id = self.fresh();
                scope.vars.push(Known { id, ty: ty.clone(), mutable: true });
                Stmt::Var(id, ty, value)
            }
            6..=9 if !mutable.is_empty() => {
                let Known { id, ty, .. } = self.random.pick(&mutable).clone();
                match &ty {
                    Ty::Arr(item) if self.random.chance(2, 3) => {
                        if self.random.chance(1, 2) {
                            return Stmt::Push(id, self.expr(scope, item, depth));
                        }
                        let at = self.index(scope, Expr::Var(id), depth);
                        Stmt::AssignIndex(id, at, self.expr(scope, item, depth))
                    }
                    Ty::Rec if self.random.chance(2, 3) => {
                        let field = self.random.below(3);
                        let ty = [Ty::Int, Ty::Bool, Ty::Str][field].clone();
                        Stmt::AssignField(id, field, self.expr(scope, &ty, depth))
                    }
                    _ => Stmt::Assign(id, self.expr(scope, &ty, depth + 1)),
                }
            }
            10 if depth > 0 => {
                let id = self.fresh();
                let mut inner = Scope { vars: scope.vars.clone() };
                let from = self.random.below(5) as i64 - 2;
                let to = from + self.random.below(5) as i64;
                let outer = std::mem::replace(&mut self.in_loop, InLoop::Plain);
                let stmt = if self.random.chance(1, 2) {
                    inner.vars.push(Known { id, ty: Ty::Int, mutable: false });
                    Stmt::For(id, from, to, self.nested(&inner, depth - 1))
                } else {
                    let item = self.ty(1);
                    let list = if self.random.chance(1, 2) { Ty::List } else { Ty::Arr };
                    self.in_loop = InLoop::No;
                    let list = self.expr(scope, &list(Box::new(item.clone())), depth);
                    self.in_loop = InLoop::Plain;
                    inner.vars.push(Known { id, ty: item, mutable: false });
                    Stmt::ForIn(id, list, self.nested(&inner, depth - 1))
                };
                self.in_loop = outer;
                stmt
            }
            // The counter is a variable that lambdas may share.
            11 if depth > 0 && !self.copied => {
                let id = self.fresh();
                let mut inner = Scope { vars: scope.vars.clone() };
                inner.vars.push(Known { id, ty: Ty::Int, mutable: false });
                let outer = std::mem::replace(&mut self.in_loop, InLoop::Plain);
                let stmt = Stmt::While(id, self.random.below(4) as i64, self.nested(&inner, depth - 1));
                self.in_loop = outer;
                stmt
            }
            12 if depth > 0 => {
                let cond = self.expr(scope, &Ty::Bool, depth);
                let yes = self.nested(scope, depth - 1);
                Stmt::If(cond, yes, self.nested(scope, depth - 1))
            }
            13 if !matches!(self.in_loop, InLoop::No) => {
                let cond = self.expr(scope, &Ty::Bool, 1);
                match self.in_loop.clone() {
                    InLoop::Value(ty) if self.random.chance(1, 2) => Stmt::BreakWith(cond, self.expr(scope, &ty, 2)),
                    InLoop::Plain if self.random.chance(1, 2) => Stmt::BreakIf(cond),
                    _ => Stmt::ContinueIf(cond),
                }
            }
            13 if self.ret.is_some() => {
                let cond = self.expr(scope, &Ty::Bool, 1);
                let ret = self.ret.clone().expect("just seen");
                Stmt::ReturnIf(cond, self.expr(scope, &ret, 2))
            }
            14 if self.random.chance(1, 3) => {
                // What is deferred must not leave or fail: it would hide the first way out.
                let may_show = |known: &&Known| printable(&known.ty) && !(self.copied && known.mutable);
                let shown: Vec<Known> = scope.vars.iter().filter(may_show).cloned().collect();
                match shown.last() {
                    Some(known) => Stmt::Defer(Expr::Var(known.id)),
                    None => Stmt::Print(Expr::Bool(true)),
                }
            }
            _ => {
                let mut ty = self.ty(1);
                while !printable(&ty) {
                    ty = self.ty(1);
                }
                // What is printed says nothing about its type.
                if has_result(&ty) {
                    return Stmt::Print(*self.typed(scope, &ty, depth + 1));
                }
                Stmt::Print(self.expr(scope, &ty, depth + 1))
            }
        }
    }
}
