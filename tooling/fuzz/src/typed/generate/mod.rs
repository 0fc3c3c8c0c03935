//! Makes programs that are well typed by construction. They end: functions call only functions before them, and recursion
//! and loops count down.

mod any;
mod effects;
mod stmts;
mod types;

use super::tree::{
    Arith, Bits, Compare, EFFECTS, Explicit, Expr, Function, Program, REENTRANT, STORED, Stmt, Ty, VarId,
};
use crate::random::Random;
use types::{comparable, is_int, is_sized, printable};

struct Scope {
    vars: Vec<Known>,
}

#[derive(Clone)]
struct Known {
    id: VarId,
    ty: Ty,
    mutable: bool,
}

#[derive(Clone)]
struct Signature {
    params: Vec<Ty>,
    ret: Ty,
    recursive: bool,
    /// What its callers must handle.
    effects: [bool; EFFECTS],
}

struct Generator {
    random: Random,
    next: VarId,
    functions: Vec<Signature>,
    /// Which effects have a handler here.
    handled: [bool; EFFECTS],
    /// The type that `return` answers in the function or lambda around; `None` in `main`.
    ret: Option<Ty>,
    in_loop: InLoop,
    /// The code may be copied while it runs. What lambdas share, the copies would share, too.
    copied: bool,
    /// What is left for the program to grow.
    fuel: usize,
    /// The function being made and its type, when it may call itself.
    current: Option<(usize, VarId)>,
}

/// What `break` and `continue` would leave here.
#[derive(Clone)]
enum InLoop {
    No,
    Plain,
    /// A loop with a value of this type.
    Value(Ty),
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut g = Generator {
        random: Random::new(seed),
        next: 0,
        functions: Vec::new(),
        handled: [false; EFFECTS],
        ret: None,
        in_loop: InLoop::No,
        copied: false,
        fuel: 0,
        current: None,
    };
    let count = 1 + g.random.below(4);
    let functions = (0..count).map(|at| g.function(at)).collect();
    g.fuel = 120;
    let mut scope = Scope { vars: Vec::new() };
    let mut main = g.stmts(&mut scope, 4, 3);
    for known in scope.vars.clone() {
        if printable(&known.ty) {
            main.push(Stmt::Print(Expr::Var(known.id)));
        }
    }
    Program { functions, main }
}

impl Generator {
    fn fresh(&mut self) -> VarId {
        self.next += 1;
        self.next
    }

    fn function(&mut self, at: usize) -> Function {
        self.fuel = 60;
        self.handled = [(1, 3), (1, 3), (1, 6), (1, 6)].map(|(part, whole)| self.random.chance(part, whole));
        if self.handled[REENTRANT] || self.handled[STORED] {
            // Their computations have no other effects.
            let kept = if self.handled[REENTRANT] { REENTRANT } else { STORED };
            self.handled = [false; EFFECTS];
            self.handled[kept] = true;
        }
        self.copied = self.handled[REENTRANT];
        let recursive = self.random.chance(1, 2);
        let mut tys: Vec<Ty> = (0..1 + self.random.below(3)).map(|_| self.ty(1)).collect();
        if recursive {
            tys[0] = Ty::Int;
        }
        let ret = self.ty(1);
        let params: Vec<(VarId, Ty)> = tys.iter().map(|ty| (self.fresh(), ty.clone())).collect();
        let mut scope =
            Scope { vars: params.iter().map(|(id, ty)| Known { id: *id, ty: ty.clone(), mutable: false }).collect() };
        let base = recursive.then(|| self.expr(&mut scope, &ret, 1));
        self.ret = Some(ret.clone());
        self.functions.push(Signature { params: tys, ret: ret.clone(), recursive, effects: self.handled });
        self.current = recursive.then_some((at, params[0].0));
        let body = if self.random.chance(2, 3) {
            let mut inner = Scope { vars: scope.vars.clone() };
            let stmts = self.stmts(&mut inner, 3, 2);
            let value = self.expr(&mut inner, &ret, 3);
            Expr::Block(stmts, Box::new(value))
        } else {
            self.expr(&mut scope, &ret, 4)
        };
        self.current = None;
        self.ret = None;
        self.handled = [false; EFFECTS];
        self.copied = false;
        Function { params, ret, body, base }
    }

    fn spend(&mut self) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        self.fuel > 0
    }

    /// An index, mostly within the array.
    fn index(&mut self, scope: &mut Scope, array: Expr, depth: usize) -> Expr {
        if self.random.chance(1, 12) {
            return self.expr(scope, &Ty::Int, depth);
        }
        if self.random.chance(1, 3) {
            return Expr::Int(0, Ty::Int);
        }
        Expr::Arith(Arith::Sub, Ty::Int, Box::new(Expr::Len(Box::new(array))), Box::new(Expr::Int(1, Ty::Int)))
    }

    fn boxed(&mut self, scope: &mut Scope, ty: &Ty, depth: usize) -> Box<Expr> {
        Box::new(self.expr(scope, ty, depth))
    }

    fn with_vars(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, depth: usize) -> Box<Expr> {
        let mut inner = Scope { vars: scope.vars.clone() };
        inner.vars.extend(vars.iter().map(|(id, ty)| Known { id: *id, ty: ty.clone(), mutable: false }));
        self.boxed(&mut inner, ty, depth)
    }

    /// An expression of this type. `None` stands without a type only where the type is known from outside.
    fn expr(&mut self, scope: &mut Scope, ty: &Ty, depth: usize) -> Expr {
        let known: Vec<VarId> = scope.vars.iter().filter(|known| known.ty == *ty).map(|known| known.id).collect();
        if !known.is_empty() && self.random.chance(2, 5) {
            return Expr::Var(*self.random.pick(&known));
        }
        if depth == 0 || !self.spend() {
            return match known.last() {
                Some(id) if self.random.chance(1, 2) => Expr::Var(*id),
                _ => self.literal(ty),
            };
        }
        if *ty == Ty::Int && self.random.chance(1, 3) {
            let effects: Vec<usize> = (0..EFFECTS).filter(|&effect| self.handled[effect]).collect();
            if !effects.is_empty() {
                let effect = *self.random.pick(&effects);
                return Expr::Perform(effect, self.boxed(scope, ty, depth - 1));
            }
        }
        if self.random.chance(1, 3) {
            return self.any(scope, ty, depth - 1);
        }
        let d = depth - 1;
        match ty {
            Ty::Int => match self.random.below(14) {
                0..=4 => self.arith(scope, ty, d),
                5 => {
                    let of = match self.random.below(3) {
                        0 => Ty::Str,
                        1 => Ty::List(Box::new(self.ty(1))),
                        _ => Ty::Arr(Box::new(self.ty(1))),
                    };
                    Expr::Len(self.boxed(scope, &of, d))
                }
                6 | 7 => {
                    let of = match self.random.below(4) {
                        0 => Ty::Tree,
                        1 => Ty::Rec,
                        2 => Ty::List(Box::new(self.base_ty())),
                        _ => Ty::Opt(Box::new(self.base_ty())),
                    };
                    let value = self.typed(scope, &of, d);
                    if self.random.chance(1, 2) { Expr::Size(value) } else { Expr::Twice(value) }
                }
                8 => Expr::Field(self.boxed(scope, &Ty::Rec, d), 0),
                9 => {
                    let from = self.random.pick(&[Ty::I32, Ty::U8, Ty::I16, Ty::U32, Ty::U64]).clone();
                    Expr::Cast(self.boxed(scope, &from, d), Ty::Int)
                }
                11 => {
                    let mut of = self.ty(1);
                    while !is_sized(&of) {
                        of = self.ty(1);
                    }
                    Expr::Total(self.typed(scope, &of, d), self.typed(scope, &of, d))
                }
                12 => {
                    let into = if self.random.chance(1, 2) { Ty::Tree } else { Ty::List(Box::new(self.base_ty())) };
                    let more = if self.random.chance(1, 2) { Ty::Int } else { Ty::Str };
                    Expr::Mix(self.typed(scope, &into, d), self.typed(scope, &more, d))
                }
                10 => {
                    let item = self.base_ty();
                    let list = self.boxed(scope, &Ty::List(Box::new(item.clone())), d);
                    let vars = [self.fresh(), self.fresh()];
                    let init = self.boxed(scope, &Ty::Int, d);
                    let bound = [(vars[0], Ty::Int), (vars[1], item)];
                    let body = self.lambda_body(scope, &bound, &Ty::Int, d);
                    Expr::Fold(list, init, vars, body)
                }
                _ => self.literal(ty),
            },
            Ty::I16 | Ty::I32 | Ty::U8 | Ty::U32 | Ty::U64 => match self.random.below(5) {
                0 | 1 => self.arith(scope, ty, d),
                2 if self.random.chance(1, 3) => Expr::Cast(self.boxed(scope, &Ty::Int, d), ty.clone()),
                _ => self.literal(ty),
            },
            Ty::Bool => match self.random.below(6) {
                0 | 1 => {
                    let of = self.random.pick(&[Ty::Int, Ty::Int, Ty::I32, Ty::I16, Ty::U64, Ty::U8]).clone();
                    let op = *self.random.pick(&[Compare::Lt, Compare::Ge]);
                    Expr::Compare(op, self.boxed(scope, &of, d), self.boxed(scope, &of, d))
                }
                2 => {
                    let mut of = self.ty(1);
                    while !comparable(&of) {
                        of = self.ty(1);
                    }
                    let op = *self.random.pick(&[Compare::Eq, Compare::Ne]);
                    Expr::Compare(op, self.typed(scope, &of, d), self.typed(scope, &of, d))
                }
                3 => Expr::And(self.boxed(scope, ty, d), self.boxed(scope, ty, d)),
                4 => Expr::Or(self.boxed(scope, ty, d), self.boxed(scope, ty, d)),
                _ => Expr::Not(Box::new(Expr::Field(self.boxed(scope, &Ty::Rec, d), 1))),
            },
            Ty::Str => match self.random.below(4) {
                0 | 1 => Expr::Concat(self.boxed(scope, ty, d), self.boxed(scope, ty, d)),
                2 => Expr::Field(self.boxed(scope, &Ty::Rec, d), 2),
                _ => Expr::Show(self.boxed(scope, &Ty::Int, d)),
            },
            Ty::Tree => {
                let (l, v) = (self.boxed(scope, ty, d), self.boxed(scope, &Ty::Int, d));
                Expr::Node(l, v, self.boxed(scope, ty, d))
            }
            Ty::Shape => match self.random.below(3) {
                0 => Expr::Circle(self.boxed(scope, &Ty::Int, d)),
                1 => Expr::Rect(self.boxed(scope, &Ty::Int, d), self.boxed(scope, &Ty::Int, d)),
                _ => Expr::Named(self.boxed(scope, &Ty::Str, d), self.boxed(scope, &Ty::Tree, d)),
            },
            Ty::Rec => {
                if self.random.chance(1, 2) {
                    let field = self.random.below(3);
                    let of = [Ty::Int, Ty::Bool, Ty::Str][field].clone();
                    let base = self.boxed(scope, ty, d);
                    return Expr::With(base, field, self.boxed(scope, &of, d));
                }
                let (a, b) = (self.boxed(scope, &Ty::Int, d), self.boxed(scope, &Ty::Bool, d));
                Expr::Rec(a, b, self.boxed(scope, &Ty::Str, d))
            }
            Ty::Opt(of) if is_int(of) && self.random.chance(1, 2) => {
                let op = *self.random.pick(&[Arith::Add, Arith::Sub, Arith::Mul]);
                let (a, b) = (self.boxed(scope, of, d), self.boxed(scope, of, d));
                Expr::Explicit(Explicit::Checked, op, (**of).clone(), a, b)
            }
            Ty::Opt(of) => Expr::Some(self.boxed(scope, of, d)),
            Ty::Res(of) if self.random.chance(2, 3) => Expr::Ok(self.boxed(scope, of, d)),
            Ty::Res(_) => Expr::Err(self.boxed(scope, &Ty::Str, d)),
            Ty::List(of) => match self.random.below(4) {
                0 => {
                    let items = (0..self.random.below(4)).map(|_| self.expr(scope, of, d)).collect();
                    Expr::List(items, (**of).clone())
                }
                1 => Expr::Cons(self.boxed(scope, of, d), self.boxed(scope, ty, d)),
                2 => {
                    let from = self.base_ty();
                    let list = self.boxed(scope, &Ty::List(Box::new(from.clone())), d);
                    let id = self.fresh();
                    let body = self.lambda_body(scope, &[(id, from.clone())], of, d);
                    Expr::Map(list, id, from, body)
                }
                _ => {
                    let list = self.boxed(scope, ty, d);
                    let id = self.fresh();
                    let body = self.lambda_body(scope, &[(id, (**of).clone())], &Ty::Bool, d);
                    Expr::Filter(list, id, (**of).clone(), body)
                }
            },
            Ty::Arr(of) => {
                let items = (0..1 + self.random.below(4)).map(|_| self.expr(scope, of, d)).collect();
                Expr::Array(items, (**of).clone())
            }
            Ty::Pair(a, b) => Expr::Pair(self.boxed(scope, a, d), self.boxed(scope, b, d)),
            Ty::Fun(a, b) => {
                let id = self.fresh();
                // It may be called where no handler is.
                let handled = std::mem::take(&mut self.handled);
                let body = self.lambda_body(scope, &[(id, (**a).clone())], b, d);
                self.handled = handled;
                Expr::Lambda(id, (**a).clone(), body)
            }
        }
    }

    /// A body of its own whose type can be read off it.
    fn typed_body(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, d: usize) -> Box<Expr> {
        let body = self.lambda_body(scope, vars, ty, d);
        let id = self.fresh();
        Box::new(Expr::Block(vec![Stmt::Let(id, ty.clone(), *body)], Box::new(Expr::Var(id))))
    }

    /// The body of a lambda, which `return`, `break` and `continue` must not leave.
    fn lambda_body(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, depth: usize) -> Box<Expr> {
        let ret = self.ret.take();
        let in_loop = std::mem::replace(&mut self.in_loop, InLoop::No);
        // A function in a variable that it mentions holds itself alive.
        let may_see = |known: &&Known| !known.mutable || printable(&known.ty) && !self.copied;
        let seen = scope.vars.iter().filter(may_see);
        let scope = Scope { vars: seen.cloned().collect() };
        let body = self.with_vars(&scope, vars, ty, depth);
        self.ret = ret;
        self.in_loop = in_loop;
        body
    }

    /// An expression whose type can be read off it: a variable that is declared with its type.
    fn typed(&mut self, scope: &mut Scope, ty: &Ty, depth: usize) -> Box<Expr> {
        let value = self.expr(scope, ty, depth);
        let id = self.fresh();
        Box::new(Expr::Block(vec![Stmt::Let(id, ty.clone(), value)], Box::new(Expr::Var(id))))
    }

    fn arith(&mut self, scope: &mut Scope, ty: &Ty, depth: usize) -> Expr {
        match self.random.below(10) {
            0 | 1 => {
                let op = *self.random.pick(&[Arith::Add, Arith::Sub, Arith::Mul]);
                let kind = *self.random.pick(&[Explicit::Wrapping, Explicit::Saturating]);
                let (a, b) = (self.boxed(scope, ty, depth), self.boxed(scope, ty, depth));
                return Expr::Explicit(kind, op, ty.clone(), a, b);
            }
            2 => {
                let op = *self.random.pick(&[Bits::And, Bits::Or, Bits::Xor]);
                let (a, b) = (self.boxed(scope, ty, depth), self.boxed(scope, ty, depth));
                return Expr::Bits(op, ty.clone(), a, b);
            }
            3 => {
                let op = if self.random.chance(1, 2) { Bits::Shl } else { Bits::Shr };
                let amount = if self.random.chance(1, 12) { 70 } else { self.random.below(9) as i64 };
                let a = self.boxed(scope, ty, depth);
                return Expr::Bits(op, ty.clone(), a, Box::new(Expr::Int(amount, Ty::Int)));
            }
            _ => {}
        }
        let op =
            *self.random.pick(&[Arith::Add, Arith::Add, Arith::Sub, Arith::Sub, Arith::Mul, Arith::Div, Arith::Rem]);
        let left = self.boxed(scope, ty, depth);
        // Small numbers on the right, mostly: programs that fail early show little.
        let right = if matches!(op, Arith::Div | Arith::Rem) && self.random.chance(5, 6) {
            Box::new(Expr::Int(1 + self.random.below(7) as i64, ty.clone()))
        } else {
            self.boxed(scope, ty, depth)
        };
        Expr::Arith(op, ty.clone(), left, right)
    }
}
