//! Constructs whose value has the type of a part of theirs: conditions, matches, calls, loops.

use super::types::deep_ty;
use super::{Generator, InLoop, Known, Scope, Signature};
use crate::typed::tree::{Arith, EFFECTS, Expr, Loop, Stmt, Ty};

impl Generator {
    /// Constructs that give any type.
    pub fn any(&mut self, scope: &mut Scope, ty: &Ty, d: usize) -> Expr {
        match self.random.below(20) {
            16 => {
                let inner = if self.random.chance(1, 2) { Ty::Tree } else { deep_ty(&self.base_ty()) };
                let value = self.typed(scope, &inner, d);
                if inner == Ty::Tree {
                    let v = [self.fresh(), self.fresh(), self.fresh(), self.fresh()];
                    let deep = self.with_vars(scope, &[(v[0], Ty::Int), (v[1], Ty::Tree)], ty, d);
                    let flat = self.with_vars(scope, &[(v[2], Ty::Int), (v[3], Ty::Tree)], ty, d);
                    return Expr::MatchBranch(value, v, [deep, flat, self.boxed(scope, ty, d)]);
                }
                let Ty::Opt(pair) = inner else { return self.literal(ty) };
                let Ty::Pair(_, list) = *pair else { return self.literal(ty) };
                let Ty::List(item) = (*list).clone() else { return self.literal(ty) };
                let v = [(); 7].map(|()| self.fresh());
                let (list, item) = (*list, *item);
                let bound = [(v[0], Ty::Int), (v[1], item.clone()), (v[2], list.clone())];
                let first = self.with_vars(scope, &bound, ty, d);
                let second = self.with_vars(scope, &[(v[3], list.clone())], ty, d);
                let third = self.with_vars(scope, &[(v[4], Ty::Int)], ty, d);
                let fourth = self.with_vars(scope, &[(v[5], item), (v[6], list)], ty, d);
                Expr::MatchDeep(value, v, [first, second, third, fourth, self.boxed(scope, ty, d)])
            }
            17 => {
                let of = self.ty(1);
                let value = self.typed(scope, &Ty::Res(Box::new(of.clone())), d);
                let vars = [self.fresh(), self.fresh()];
                let ok = self.with_vars(scope, &[(vars[0], of)], ty, d);
                Expr::MatchRes(value, vars, ok, self.with_vars(scope, &[(vars[1], Ty::Str)], ty, d))
            }
            18 if !self.copied => self.value_loop(scope, ty, d),
            18 | 19 => match self.ret {
                Some(Ty::Opt(_)) => Expr::Try(self.typed(scope, &Ty::Opt(Box::new(ty.clone())), d)),
                Some(Ty::Res(_)) => Expr::Try(self.typed(scope, &Ty::Res(Box::new(ty.clone())), d)),
                _ => self.expr(scope, ty, d),
            },
            14 | 15 => {
                let handle = self.handle(scope, ty, d);
                let id = self.fresh();
                Expr::Block(vec![Stmt::Let(id, ty.clone(), handle)], Box::new(Expr::Var(id)))
            }
            0 | 1 => Expr::If(self.boxed(scope, &Ty::Bool, d), self.boxed(scope, ty, d), self.boxed(scope, ty, d)),
            2 | 3 => {
                let mut inner = Scope { vars: scope.vars.clone() };
                let stmts = self.stmts(&mut inner, 2, d.min(1));
                let value = self.expr(&mut inner, ty, d);
                Expr::Block(stmts, Box::new(value))
            }
            4 => {
                let of = self.ty(1);
                let value = self.typed(scope, &Ty::Opt(Box::new(of.clone())), d);
                let id = self.fresh();
                let some = self.with_vars(scope, &[(id, of)], ty, d);
                Expr::MatchOpt(value, id, some, self.boxed(scope, ty, d))
            }
            5 => {
                let of = self.ty(1);
                let list = Ty::List(Box::new(of.clone()));
                let value = self.typed(scope, &list, d);
                let (head, tail) = (self.fresh(), self.fresh());
                let cons = self.with_vars(scope, &[(head, of), (tail, list)], ty, d);
                Expr::MatchList(value, head, tail, cons, self.boxed(scope, ty, d))
            }
            6 => {
                let value = self.boxed(scope, &Ty::Tree, d);
                let vars = [self.fresh(), self.fresh(), self.fresh()];
                let bound = [(vars[0], Ty::Tree), (vars[1], Ty::Int), (vars[2], Ty::Tree)];
                let node = self.with_vars(scope, &bound, ty, d);
                Expr::MatchTree(value, vars, node, self.boxed(scope, ty, d))
            }
            7 => {
                let value = self.boxed(scope, &Ty::Shape, d);
                let v = [self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh()];
                let big = self.with_vars(scope, &[(v[0], Ty::Int)], ty, d);
                let circle = self.with_vars(scope, &[(v[0], Ty::Int)], ty, d);
                let rect = self.with_vars(scope, &[(v[1], Ty::Int), (v[2], Ty::Int)], ty, d);
                let named = self.with_vars(scope, &[(v[3], Ty::Str), (v[4], Ty::Tree)], ty, d);
                Expr::MatchShape(value, v, [big, circle, rect, named, self.boxed(scope, ty, d)])
            }
            8 => {
                let value = self.boxed(scope, &Ty::Int, d);
                let arms = (0..1 + self.random.below(3)).map(|at| (at as i64, self.expr(scope, ty, d))).collect();
                Expr::MatchInt(value, arms, self.boxed(scope, ty, d))
            }
            9 => {
                let arg = self.base_ty();
                let function = Ty::Fun(Box::new(arg.clone()), Box::new(ty.clone()));
                let function = self.boxed(scope, &function, d);
                Expr::Apply(function, self.boxed(scope, &arg, d))
            }
            10 | 11 => {
                let fits = |function: &Signature| {
                    function.ret == *ty && (0..EFFECTS).all(|effect| self.handled[effect] || !function.effects[effect])
                };
                let fitting = (0..self.functions.len()).rfind(|&at| fits(&self.functions[at]));
                let Some(at) = fitting else { return self.expr(scope, ty, d) };
                let Signature { params, recursive, .. } = self.functions[at].clone();
                let mut args: Vec<Expr> = params.iter().map(|param| self.expr(scope, param, d)).collect();
                if recursive {
                    args[0] = match self.current {
                        Some((own, counter)) if own == at => Expr::Arith(
                            Arith::Sub,
                            Ty::Int,
                            Box::new(Expr::Var(counter)),
                            Box::new(Expr::Int(1, Ty::Int)),
                        ),
                        _ => Expr::Int(self.random.below(5) as i64, Ty::Int),
                    };
                }
                Expr::Call(at, args)
            }
            12 => {
                let other = self.ty(0);
                let first = self.random.chance(1, 2);
                let pair = if first {
                    Ty::Pair(Box::new(ty.clone()), Box::new(other))
                } else {
                    Ty::Pair(Box::new(other), Box::new(ty.clone()))
                };
                Expr::Part(self.typed(scope, &pair, d), u8::from(!first))
            }
            _ => {
                if self.random.chance(1, 2) {
                    let c = self.boxed(scope, &Ty::Bool, d);
                    return Expr::Pick(c, self.typed(scope, ty, d), self.typed(scope, ty, d));
                }
                let array = Ty::Arr(Box::new(ty.clone()));
                let id = self.fresh();
                let value = self.expr(scope, &array, d);
                let at = self.index(scope, Expr::Var(id), d);
                Expr::Block(
                    vec![Stmt::Let(id, array, value)],
                    Box::new(Expr::Index(Box::new(Expr::Var(id)), Box::new(at))),
                )
            }
        }
    }

    fn value_loop(&mut self, scope: &Scope, ty: &Ty, d: usize) -> Expr {
        let (counter, result) = (self.fresh(), self.fresh());
        let mut inner = Scope { vars: scope.vars.clone() };
        let outer = std::mem::replace(&mut self.in_loop, InLoop::No);
        let last = self.expr(&mut inner, ty, d);
        self.in_loop = InLoop::Value(ty.clone());
        inner.vars.push(Known { id: counter, ty: Ty::Int, mutable: false });
        let body = self.stmts(&mut inner, 2, d.min(1));
        self.in_loop = outer;
        let from = self.random.below(4) as i64;
        Expr::Loop(Box::new(Loop { counter, from, ty: ty.clone(), result, body, last }))
    }
}
