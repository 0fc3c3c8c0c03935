//! Handlers: one kind of clause for each way to go on with a computation.

use std::rc::Rc;

use super::types::printable;
use super::{Generator, Known, Scope};
use crate::typed::tree::{Clause, Drive, EFFECTS, Expr, Handle, REENTRANT, STORED, Stmt, Ty, VarId};

impl Generator {
    /// A handler around something, of this type.
    pub fn handle(&mut self, scope: &Scope, ty: &Ty, d: usize) -> Expr {
        match self.random.below(8) {
            0 | 1 => return Expr::Handle(Rc::new(self.branch(scope, ty, d))),
            2 => return self.drive(scope, ty, d),
            _ => {}
        }
        let effect = self.random.below(REENTRANT);
        let outside = self.handled;
        let maps = self.random.chance(1, 3);
        let inner = if maps { self.ty(1) } else { ty.clone() };
        self.handled[effect] = true;
        let body = *self.typed_body(scope, &[], &inner, d + 1);
        self.handled = outside;
        let ret = maps.then(|| {
            let id = self.fresh();
            (id, *self.typed_body(scope, &[(id, inner)], ty, d))
        });
        let arg = self.fresh();
        let number = [(arg, Ty::Int)];
        let clause = match self.random.below(4) {
            0 | 1 => Clause::Tail(self.typed_body(scope, &number, &Ty::Int, d)),
            2 => Clause::Abort(self.typed_body(scope, &number, ty, d)),
            _ => {
                // The computation is suspended meanwhile: operations that leave this one, too, would drop it at their own time.
                self.handled = [false; EFFECTS];
                let unless = self.typed_body(scope, &number, &Ty::Bool, d);
                let plainly = self.typed_body(scope, &number, &Ty::Bool, d);
                let answer = self.typed_body(scope, &number, &Ty::Int, d);
                self.handled = outside;
                let id = self.fresh();
                let value = self.literal(ty);
                let instead = Box::new(Expr::Block(vec![Stmt::Let(id, ty.clone(), value)], Box::new(Expr::Var(id))));
                let result = self.fresh();
                let then = self.typed_body(scope, &[number[0].clone(), (result, ty.clone())], ty, d);
                Clause::Resume { unless, instead, plainly, answer, result, then }
            }
        };
        Expr::Handle(Rc::new(Handle { effect, body, ret, ty: ty.clone(), arg, clause }))
    }

    /// A computation that is interpreted by doing it again: it has no effects but one, and nothing that changes is in sight.
    fn repeatable(&mut self, scope: &Scope, effect: usize, ty: &Ty, d: usize) -> Expr {
        let vars = scope.vars.iter().filter(|known| !known.mutable && printable(&known.ty)).cloned().collect();
        let outside = std::mem::replace(&mut self.handled, [false; EFFECTS]);
        let copied = self.copied;
        self.handled[effect] = true;
        self.copied |= effect == REENTRANT;
        let mut scope = Scope { vars };
        // Most of these computations are stopped at least once, and go on for a while.
        let mut stmts = Vec::new();
        for _ in 0..self.random.below(3) {
            let (argument, id) = (self.aside(&scope, &[], &Ty::Int, 1), self.fresh());
            stmts.push(Stmt::Let(id, Ty::Int, Expr::Perform(effect, argument)));
            scope.vars.push(Known { id, ty: Ty::Int, mutable: false });
        }
        let value = self.typed_body(&scope, &[], ty, d + 1);
        self.handled = outside;
        self.copied = copied;
        Expr::Block(stmts, value)
    }

    /// A clause's part that runs while the computation is stopped, and must not drop it.
    fn aside(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, d: usize) -> Box<Expr> {
        let outside = std::mem::replace(&mut self.handled, [false; EFFECTS]);
        let value = self.typed_body(scope, vars, ty, d);
        self.handled = outside;
        value
    }

    fn literal_body(&mut self, ty: &Ty) -> Expr {
        let id = self.fresh();
        let value = self.literal(ty);
        Expr::Block(vec![Stmt::Let(id, ty.clone(), value)], Box::new(Expr::Var(id)))
    }

    /// A handler whose clause resumes twice.
    fn branch(&mut self, scope: &Scope, ty: &Ty, d: usize) -> Handle {
        let maps = self.random.chance(1, 3);
        let inner = if maps { self.ty(1) } else { ty.clone() };
        let body = self.repeatable(scope, REENTRANT, &inner, d);
        let ret = maps.then(|| {
            let id = self.fresh();
            (id, *self.aside(scope, &[(id, inner)], ty, d))
        });
        let arg = self.fresh();
        let number = [(arg, Ty::Int)];
        let unless = self.aside(scope, &number, &Ty::Bool, d);
        let plainly = self.aside(scope, &number, &Ty::Bool, d);
        let answers = [self.aside(scope, &number, &Ty::Int, d), self.aside(scope, &number, &Ty::Int, d)];
        let instead = Box::new(self.literal_body(ty));
        let results = [self.fresh(), self.fresh()];
        let bound = [number[0].clone(), (results[0], ty.clone()), (results[1], ty.clone())];
        let then = self.aside(scope, &bound, ty, d);
        let clause = Clause::Branch { unless, instead, plainly, answers, results, then };
        Handle { effect: REENTRANT, body, ret, ty: ty.clone(), arg, clause }
    }

    /// A handler that gives its continuations to a loop around it.
    fn drive(&mut self, scope: &Scope, ty: &Ty, d: usize) -> Expr {
        let body = self.repeatable(scope, STORED, ty, d);
        let (arg, step, value, result) = (self.fresh(), self.fresh(), self.fresh(), self.fresh());
        let clause = Clause::Store { in_lambda: self.random.chance(1, 2) };
        let handle = Rc::new(Handle { effect: STORED, body, ret: None, ty: ty.clone(), arg, clause });
        let answer = *self.aside(scope, &[(arg, Ty::Int)], &Ty::Int, d);
        let done = *self.aside(scope, &[(value, ty.clone())], ty, d);
        let fuel = self.random.below(4) as i64;
        let instead = self.literal_body(ty);
        Expr::Drive(Rc::new(Drive { handle, step, fuel, answer, value, done, instead, result }))
    }
}
