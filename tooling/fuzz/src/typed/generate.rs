//! Makes programs that are well typed by construction. They end: functions call only functions before them, and recursion
//! and loops count down.

use std::rc::Rc;

use super::tree::{Arith, Clause, Compare, EFFECTS, Expr, Function, Handle, Program, Stmt, Ty, VarId};
use crate::random::Random;

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
    in_loop: bool,
    /// What is left for the program to grow.
    fuel: usize,
    /// The function being made and its type, when it may call itself.
    current: Option<(usize, VarId)>,
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut g = Generator {
        random: Random::new(seed),
        next: 0,
        functions: Vec::new(),
        handled: [false; EFFECTS],
        ret: None,
        in_loop: false,
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

fn printable(ty: &Ty) -> bool {
    match ty {
        Ty::Fun(..) => false,
        Ty::Opt(ty) | Ty::List(ty) | Ty::Arr(ty) => printable(ty),
        Ty::Pair(a, b) => printable(a) && printable(b),
        _ => true,
    }
}

fn comparable(ty: &Ty) -> bool {
    printable(ty)
}

impl Generator {
    fn fresh(&mut self) -> VarId {
        self.next += 1;
        self.next
    }

    fn base_ty(&mut self) -> Ty {
        match self.random.below(12) {
            0..=3 => Ty::Int,
            4 => Ty::I32,
            5 => Ty::U8,
            6 => Ty::Bool,
            7 | 8 => Ty::Str,
            9 => Ty::Tree,
            10 => Ty::Shape,
            _ => Ty::Rec,
        }
    }

    fn ty(&mut self, depth: usize) -> Ty {
        if depth == 0 {
            return self.base_ty();
        }
        match self.random.below(12) {
            0 => Ty::Opt(Box::new(self.ty(depth - 1))),
            1 | 2 => Ty::List(Box::new(self.ty(depth - 1))),
            3 | 4 => Ty::Arr(Box::new(self.ty(depth - 1))),
            5 => Ty::Pair(Box::new(self.ty(depth - 1)), Box::new(self.ty(depth - 1))),
            6 => Ty::Fun(Box::new(self.base_ty()), Box::new(self.base_ty())),
            _ => self.base_ty(),
        }
    }

    fn function(&mut self, at: usize) -> Function {
        self.fuel = 60;
        self.handled = [self.random.chance(1, 3), self.random.chance(1, 3)];
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
        Function { params, ret, body, base }
    }

    fn spend(&mut self) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        self.fuel > 0
    }

    fn stmts(&mut self, scope: &mut Scope, most: usize, depth: usize) -> Vec<Stmt> {
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
                let outer = std::mem::replace(&mut self.in_loop, true);
                let stmt = if self.random.chance(1, 2) {
                    inner.vars.push(Known { id, ty: Ty::Int, mutable: false });
                    Stmt::For(id, from, to, self.nested(&inner, depth - 1))
                } else {
                    let item = self.ty(1);
                    let list = if self.random.chance(1, 2) { Ty::List } else { Ty::Arr };
                    self.in_loop = false;
                    let list = self.expr(scope, &list(Box::new(item.clone())), depth);
                    self.in_loop = true;
                    inner.vars.push(Known { id, ty: item, mutable: false });
                    Stmt::ForIn(id, list, self.nested(&inner, depth - 1))
                };
                self.in_loop = outer;
                stmt
            }
            11 if depth > 0 => {
                let id = self.fresh();
                let mut inner = Scope { vars: scope.vars.clone() };
                inner.vars.push(Known { id, ty: Ty::Int, mutable: false });
                let outer = std::mem::replace(&mut self.in_loop, true);
                let stmt = Stmt::While(id, self.random.below(4) as i64, self.nested(&inner, depth - 1));
                self.in_loop = outer;
                stmt
            }
            12 if depth > 0 => {
                let cond = self.expr(scope, &Ty::Bool, depth);
                let yes = self.nested(scope, depth - 1);
                Stmt::If(cond, yes, self.nested(scope, depth - 1))
            }
            13 if self.in_loop => {
                let cond = self.expr(scope, &Ty::Bool, 1);
                if self.random.chance(1, 2) { Stmt::BreakIf(cond) } else { Stmt::ContinueIf(cond) }
            }
            13 if self.ret.is_some() => {
                let cond = self.expr(scope, &Ty::Bool, 1);
                let ret = self.ret.clone().expect("just seen");
                Stmt::ReturnIf(cond, self.expr(scope, &ret, 2))
            }
            14 if self.random.chance(1, 3) => {
                // What is deferred must not leave or fail: it would hide the first way out.
                let shown: Vec<Known> = scope.vars.iter().filter(|known| printable(&known.ty)).cloned().collect();
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
                Stmt::Print(self.expr(scope, &ty, depth + 1))
            }
        }
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

    fn literal(&mut self, ty: &Ty) -> Expr {
        let r = &mut self.random;
        match ty {
            Ty::Int => Expr::Int(
                match r.below(20) {
                    0 => i64::MAX,
                    1 => i64::MIN,
                    2 => r.word() as i64,
                    _ => r.below(20) as i64 - 5,
                },
                Ty::Int,
            ),
            Ty::I32 => {
                let value = if r.chance(1, 10) { i64::from(i32::MAX) } else { r.below(30) as i64 };
                Expr::Int(value, Ty::I32)
            }
            Ty::U8 => Expr::Int(if r.chance(1, 8) { 255 } else { r.below(40) as i64 }, Ty::U8),
            Ty::Bool => Expr::Bool(r.chance(1, 2)),
            Ty::Str => Expr::Str((*r.pick(&["", "a", "bc", "xyz", "ü", "long enough to be on the heap"])).into()),
            Ty::Tree => Expr::Leaf,
            Ty::Shape => Expr::Dot,
            Ty::Rec => {
                let (a, b, c) = (self.literal(&Ty::Int), self.literal(&Ty::Bool), self.literal(&Ty::Str));
                Expr::Rec(Box::new(a), Box::new(b), Box::new(c))
            }
            Ty::Opt(ty) => Expr::None((**ty).clone()),
            Ty::List(ty) => Expr::List(Vec::new(), (**ty).clone()),
            Ty::Arr(item) => {
                let first = self.literal(item);
                Expr::Array(vec![first], (**item).clone())
            }
            Ty::Pair(a, b) => {
                let (a, b) = (self.literal(a), self.literal(b));
                Expr::Pair(Box::new(a), Box::new(b))
            }
            Ty::Fun(a, b) => {
                let id = self.fresh();
                Expr::Lambda(id, (**a).clone(), Box::new(self.literal(b)))
            }
        }
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
        if *ty == Ty::Int && self.random.chance(1, 4) {
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
            Ty::Int => match self.random.below(12) {
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
                    let from = if self.random.chance(1, 2) { Ty::I32 } else { Ty::U8 };
                    Expr::Cast(self.boxed(scope, &from, d), Ty::Int)
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
            Ty::I32 | Ty::U8 => match self.random.below(4) {
                0 | 1 => self.arith(scope, ty, d),
                2 if self.random.chance(1, 3) => Expr::Cast(self.boxed(scope, &Ty::Int, d), ty.clone()),
                _ => self.literal(ty),
            },
            Ty::Bool => match self.random.below(6) {
                0 | 1 => {
                    let of = if self.random.chance(1, 2) { Ty::Int } else { Ty::I32 };
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
            Ty::Opt(of) => Expr::Some(self.boxed(scope, of, d)),
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

    /// A handler around something, of this type.
    fn handle(&mut self, scope: &Scope, ty: &Ty, d: usize) -> Expr {
        let effect = self.random.below(EFFECTS);
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

    /// A body of its own whose type can be read off it.
    fn typed_body(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, d: usize) -> Box<Expr> {
        let body = self.lambda_body(scope, vars, ty, d);
        let id = self.fresh();
        Box::new(Expr::Block(vec![Stmt::Let(id, ty.clone(), *body)], Box::new(Expr::Var(id))))
    }

    /// The body of a lambda, which `return`, `break` and `continue` must not leave.
    fn lambda_body(&mut self, scope: &Scope, vars: &[(VarId, Ty)], ty: &Ty, depth: usize) -> Box<Expr> {
        let ret = self.ret.take();
        let in_loop = std::mem::replace(&mut self.in_loop, false);
        // A function in a variable that it mentions holds itself alive.
        let seen = scope.vars.iter().filter(|known| !known.mutable || printable(&known.ty));
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

    /// Constructs that give any type.
    fn any(&mut self, scope: &mut Scope, ty: &Ty, d: usize) -> Expr {
        match self.random.below(16) {
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
}
