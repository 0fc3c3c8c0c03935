//! What a generated program must print: a direct interpreter of its tree, written for being obviously right.

mod effects;
mod number;
mod value;

use std::cell::RefCell;
use std::rc::Rc;

use super::tree::{Arith, Compare, Explicit, Expr, Function, Loop, Program, Stmt, Ty, VarId};
use effects::Installed;
use number::{exactly, fits, range, wrapped};
use value::{Closure, Env, Value, int, length, same, show, size, string};

/// Why evaluation does not go on.
enum Stop {
    Panic(&'static str),
    /// A panic outside of the computation of the handler with this number, which is suspended: what it has deferred does not run.
    PanicOutside(u32, &'static str),
    /// The clause of the handler with this number does not resume the operation that was performed with this.
    Abort(u32, i128),
    /// The computation of the handler with this number is stopped at an operation that was performed with this.
    Suspended(u32, i128),
    Return(Value),
    Break,
    BreakWith(Value),
    Continue,
    /// The program runs for too long to be worth a test.
    Endless,
}

type Eval<T> = Result<T, Stop>;

/// How a program ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub stdout: String,
    /// Part of the message when it panics.
    pub panic: Option<&'static str>,
}

/// What the program does; `None` when it runs for too long. `wraps`: overflow wraps, as in release builds.
pub fn run(program: &Program, wraps: bool) -> Option<Outcome> {
    let mut machine = Machine {
        functions: &program.functions,
        wraps,
        out: String::new(),
        steps: 0,
        depth: 0,
        handlers: Vec::new(),
        installed: 0,
        repeating: 0,
    };
    let mut env = Env::new();
    let panic = match machine.stmts(&program.main, &mut env) {
        Ok(()) => None,
        Err(Stop::Panic(what)) => Some(what),
        Err(_) => return None,
    };
    Some(Outcome { stdout: machine.out, panic })
}

struct Machine<'p> {
    functions: &'p [Function],
    wraps: bool,
    out: String,
    steps: u32,
    depth: u32,
    /// Those in force, the innermost last.
    handlers: Vec<Installed>,
    installed: u32,
    /// How many computations do again what they have done before.
    repeating: u32,
}

impl Machine<'_> {
    fn step(&mut self) -> Eval<()> {
        self.steps += 1;
        if self.steps > 200_000 || self.out.len() > 100_000 { Err(Stop::Endless) } else { Ok(()) }
    }

    fn print(&mut self, line: &str) {
        if self.repeating == 0 {
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    fn stmts(&mut self, stmts: &[Stmt], outer: &mut Env) -> Eval<()> {
        let mut env = outer.clone();
        let mut deferred: Vec<(&Expr, Env)> = Vec::new();
        let result = self.stmts_in(stmts, &mut env, &mut deferred);
        self.run_deferred(result, deferred)
    }

    /// What is deferred runs on every way out, last in first out.
    fn run_deferred<T>(&mut self, result: Eval<T>, deferred: Vec<(&Expr, Env)>) -> Eval<T> {
        if let Err(Stop::PanicOutside(..) | Stop::Suspended(..)) = result {
            return result;
        }
        for (value, mut env) in deferred.into_iter().rev() {
            let value = self.expr(value, &mut env)?;
            self.print(&format!("deferred {}", show(&value, true)));
        }
        result
    }

    fn stmts_in<'s>(&mut self, stmts: &'s [Stmt], env: &mut Env, deferred: &mut Vec<(&'s Expr, Env)>) -> Eval<()> {
        for stmt in stmts {
            self.step()?;
            match stmt {
                Stmt::Let(id, _, value) | Stmt::Var(id, _, value) => {
                    let value = self.expr(value, env)?;
                    env.insert(*id, Rc::new(RefCell::new(value)));
                }
                Stmt::Assign(id, value) => {
                    let value = self.expr(value, env)?;
                    *env[id].borrow_mut() = value;
                }
                Stmt::AssignIndex(id, at, value) => {
                    let Value::Int(at) = self.expr(at, env)? else { unreachable!() };
                    let value = self.expr(value, env)?;
                    let Value::List(items) = &mut *env[id].borrow_mut() else { unreachable!() };
                    let slot = usize::try_from(at).ok().and_then(|at| items.get_mut(at));
                    *slot.ok_or(Stop::Panic("index out of bounds"))? = value;
                }
                Stmt::AssignField(id, field, value) => {
                    let value = self.expr(value, env)?;
                    let Value::Rec(fields) = &mut *env[id].borrow_mut() else { unreachable!() };
                    fields[*field] = value;
                }
                Stmt::Push(id, value) => {
                    let value = self.expr(value, env)?;
                    let Value::List(items) = &mut *env[id].borrow_mut() else { unreachable!() };
                    items.push(value);
                }
                Stmt::For(id, from, to, body) => {
                    let items = (*from..*to).map(|item| Value::Int(item.into())).collect();
                    self.for_each(*id, items, body, env)?;
                }
                Stmt::ForIn(id, list, body) => {
                    let Value::List(items) = self.expr(list, env)? else { unreachable!() };
                    self.for_each(*id, items, body, env)?;
                }
                Stmt::While(id, from, body) => {
                    let counter = Rc::new(RefCell::new(Value::Int((*from).into())));
                    env.insert(*id, counter.clone());
                    loop {
                        let left = int(&counter.borrow());
                        if left <= 0 {
                            break;
                        }
                        *counter.borrow_mut() = Value::Int(left - 1);
                        match self.stmts(body, env) {
                            Ok(()) | Err(Stop::Continue) => {}
                            Err(Stop::Break) => break,
                            Err(stop) => return Err(stop),
                        }
                    }
                }
                Stmt::If(cond, yes, no) => {
                    let branch = if self.bool(cond, env)? { yes } else { no };
                    self.stmts(branch, env)?;
                }
                Stmt::Print(value) => {
                    let value = self.expr(value, env)?;
                    self.print(&show(&value, true));
                }
                Stmt::ReturnIf(cond, value) => {
                    if self.bool(cond, env)? {
                        return Err(Stop::Return(self.expr(value, env)?));
                    }
                }
                Stmt::BreakIf(cond) => {
                    if self.bool(cond, env)? {
                        return Err(Stop::Break);
                    }
                }
                Stmt::BreakWith(cond, value) => {
                    if self.bool(cond, env)? {
                        return Err(Stop::BreakWith(self.expr(value, env)?));
                    }
                }
                Stmt::ContinueIf(cond) => {
                    if self.bool(cond, env)? {
                        return Err(Stop::Continue);
                    }
                }
                Stmt::Defer(value) => deferred.push((value, env.clone())),
            }
        }
        Ok(())
    }

    fn for_each(&mut self, id: VarId, items: Vec<Value>, body: &[Stmt], env: &mut Env) -> Eval<()> {
        for item in items {
            self.step()?;
            env.insert(id, Rc::new(RefCell::new(item)));
            match self.stmts(body, env) {
                Ok(()) | Err(Stop::Continue) => {}
                Err(Stop::Break) => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    fn bool(&mut self, e: &Expr, env: &mut Env) -> Eval<bool> {
        match self.expr(e, env)? {
            Value::Bool(value) => Ok(value),
            _ => unreachable!("the program is typed"),
        }
    }

    fn int(&mut self, e: &Expr, env: &mut Env) -> Eval<i128> {
        Ok(int(&self.expr(e, env)?))
    }

    fn with(&mut self, env: &Env, bound: &[(VarId, Value)], e: &Expr) -> Eval<Value> {
        let mut env = env.clone();
        for (id, value) in bound {
            env.insert(*id, Rc::new(RefCell::new(value.clone())));
        }
        self.expr(e, &mut env)
    }

    fn list(&mut self, e: &Expr, env: &mut Env) -> Eval<Vec<Value>> {
        match self.expr(e, env)? {
            Value::List(items) => Ok(items),
            _ => unreachable!("the program is typed"),
        }
    }

    fn expr(&mut self, e: &Expr, env: &mut Env) -> Eval<Value> {
        self.step()?;
        Ok(match e {
            Expr::Int(value, _) => Value::Int((*value).into()),
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Str(text) => Value::Str(text.clone()),
            Expr::Var(id) => env[id].borrow().clone(),
            Expr::Arith(op, ty, a, b) => {
                let a = self.int(a, env)?;
                let b = self.int(b, env)?;
                self.arith(*op, ty, a, b)?
            }
            Expr::Explicit(kind, op, ty, a, b) => {
                let a = self.int(a, env)?;
                let result = exactly(*op, a, self.int(b, env)?);
                let (low, high) = range(ty);
                match kind {
                    Explicit::Wrapping => Value::Int(wrapped(ty, result)),
                    Explicit::Saturating => Value::Int(result.clamp(low, high)),
                    Explicit::Checked => Value::Opt(fits(ty, result).then(|| Box::new(Value::Int(result)))),
                }
            }
            Expr::Bits(op, ty, a, b) => {
                let a = self.int(a, env)?;
                let b = self.int(b, env)?;
                self.bits(*op, ty, a, b)?
            }
            Expr::Compare(op, a, b) => {
                let a = self.expr(a, env)?;
                let b = self.expr(b, env)?;
                Value::Bool(match op {
                    Compare::Eq => same(&a, &b),
                    Compare::Ne => !same(&a, &b),
                    Compare::Lt => int(&a) < int(&b),
                    Compare::Ge => int(&a) >= int(&b),
                })
            }
            Expr::And(a, b) => Value::Bool(self.bool(a, env)? && self.bool(b, env)?),
            Expr::Or(a, b) => Value::Bool(self.bool(a, env)? || self.bool(b, env)?),
            Expr::Not(a) => Value::Bool(!self.bool(a, env)?),
            Expr::If(c, a, b) => {
                let branch = if self.bool(c, env)? { a } else { b };
                self.expr(branch, env)?
            }
            Expr::Block(stmts, value) => {
                let mut inner = env.clone();
                let mut deferred = Vec::new();
                let result = match self.stmts_in(stmts, &mut inner, &mut deferred) {
                    Ok(()) => self.expr(value, &mut inner),
                    Err(stop) => Err(stop),
                };
                self.run_deferred(result, deferred)?
            }
            Expr::Cast(value, ty) => {
                let value = self.int(value, env)?;
                if !fits(ty, value) {
                    return Err(Stop::Panic("cast out of range"));
                }
                Value::Int(value)
            }
            Expr::Concat(a, b) => {
                let (a, b) = (self.expr(a, env)?, self.expr(b, env)?);
                let joined = string(&a) + &string(&b);
                if joined.len() > 2_000 {
                    return Err(Stop::Endless);
                }
                Value::Str(joined)
            }
            Expr::Show(value) => {
                let value = self.expr(value, env)?;
                Value::Str(show(&value, false))
            }
            Expr::Len(value) => Value::Int(match self.expr(value, env)? {
                Value::List(items) => items.len() as i128,
                Value::Str(text) => text.chars().count() as i128,
                _ => unreachable!("the program is typed"),
            }),
            Expr::Pair(a, b) => {
                let a = self.expr(a, env)?;
                Value::Pair(Box::new((a, self.expr(b, env)?)))
            }
            Expr::Part(pair, at) => match self.expr(pair, env)? {
                Value::Pair(pair) => {
                    if *at == 0 {
                        pair.0
                    } else {
                        pair.1
                    }
                }
                _ => unreachable!("the program is typed"),
            },
            Expr::Some(value) => Value::Opt(Some(Box::new(self.expr(value, env)?))),
            Expr::None(_) => Value::Opt(None),
            Expr::MatchOpt(value, id, some, none) => match self.expr(value, env)? {
                Value::Opt(Some(value)) => self.with(env, &[(*id, *value)], some)?,
                _ => self.expr(none, env)?,
            },
            Expr::Ok(value) => Value::Res(Ok(Box::new(self.expr(value, env)?))),
            Expr::Err(value) => Value::Res(Err(string(&self.expr(value, env)?))),
            Expr::MatchRes(value, [a, b], ok, err) => match self.expr(value, env)? {
                Value::Res(Ok(value)) => self.with(env, &[(*a, *value)], ok)?,
                Value::Res(Err(text)) => self.with(env, &[(*b, Value::Str(text))], err)?,
                _ => unreachable!("the program is typed"),
            },
            Expr::Try(value) => match self.expr(value, env)? {
                Value::Opt(Some(value)) | Value::Res(Ok(value)) => *value,
                failure => return Err(Stop::Return(failure)),
            },
            Expr::List(items, _) | Expr::Array(items, _) => {
                Value::List(items.iter().map(|item| self.expr(item, env)).collect::<Eval<_>>()?)
            }
            Expr::Cons(head, tail) => {
                let head = self.expr(head, env)?;
                let mut items = self.list(tail, env)?;
                items.insert(0, head);
                Value::List(items)
            }
            Expr::MatchList(value, head, tail, cons, nil) => {
                let mut items = self.list(value, env)?;
                if items.is_empty() {
                    self.expr(nil, env)?
                } else {
                    let first = items.remove(0);
                    self.with(env, &[(*head, first), (*tail, Value::List(items))], cons)?
                }
            }
            Expr::Index(array, at) => {
                let items = self.list(array, env)?;
                let at = self.int(at, env)?;
                let item = usize::try_from(at).ok().and_then(|at| items.get(at).cloned());
                item.ok_or(Stop::Panic("index out of bounds"))?
            }
            Expr::Rec(a, b, c) => {
                let a = self.expr(a, env)?;
                let b = self.expr(b, env)?;
                Value::Rec(vec![a, b, self.expr(c, env)?])
            }
            Expr::Field(value, field) => match self.expr(value, env)? {
                Value::Rec(mut fields) => fields.swap_remove(*field),
                _ => unreachable!("the program is typed"),
            },
            Expr::With(base, field, value) => {
                // Fields are evaluated in source order, and the base is written last.
                let value = self.expr(value, env)?;
                match self.expr(base, env)? {
                    Value::Rec(mut fields) => {
                        fields[*field] = value;
                        Value::Rec(fields)
                    }
                    _ => unreachable!("the program is typed"),
                }
            }
            Expr::Leaf => Value::Leaf,
            Expr::Node(l, v, r) => {
                let l = self.expr(l, env)?;
                let v = self.expr(v, env)?;
                let r = self.expr(r, env)?;
                // Trees whose branches are shared double with every step.
                if size(&l).saturating_add(size(&r)) > 2_000 {
                    return Err(Stop::Endless);
                }
                Value::Node(Rc::new((l, v, r)))
            }
            Expr::MatchTree(value, [l, v, r], node, leaf) => match self.expr(value, env)? {
                Value::Node(parts) => {
                    let bound = [(*l, parts.0.clone()), (*v, parts.1.clone()), (*r, parts.2.clone())];
                    self.with(env, &bound, node)?
                }
                _ => self.expr(leaf, env)?,
            },
            Expr::Dot => Value::Dot,
            Expr::Circle(a) => Value::Circle(self.int(a, env)?),
            Expr::Rect(a, b) => {
                let a = self.int(a, env)?;
                Value::Rect(a, self.int(b, env)?)
            }
            Expr::Named(a, b) => {
                let a = self.expr(a, env)?;
                Value::Named(string(&a), Box::new(self.expr(b, env)?))
            }
            Expr::MatchShape(value, [r, w, h, n, t], [big, circle, rect, named, dot]) => {
                match self.expr(value, env)? {
                    Value::Circle(a) => {
                        let arm = if a > 10 { big } else { circle };
                        self.with(env, &[(*r, Value::Int(a))], arm)?
                    }
                    Value::Rect(a, b) => self.with(env, &[(*w, Value::Int(a)), (*h, Value::Int(b))], rect)?,
                    Value::Named(a, b) => self.with(env, &[(*n, Value::Str(a)), (*t, *b)], named)?,
                    _ => self.expr(dot, env)?,
                }
            }
            Expr::MatchDeep(value, [n, h, t, z, e, f, r], [first, second, third, fourth, fifth]) => {
                let Value::Opt(value) = self.expr(value, env)? else { unreachable!("the program is typed") };
                let Some(value) = value else { return self.expr(fifth, env) };
                let Value::Pair(pair) = *value else { unreachable!("the program is typed") };
                let (number, list) = *pair;
                let Value::List(items) = list else { unreachable!("the program is typed") };
                let parts = items.split_first().map(|(head, rest)| (head.clone(), Value::List(rest.to_vec())));
                match (int(&number), parts) {
                    (count, Some((head, rest))) if count > 2 => {
                        self.with(env, &[(*n, number), (*h, head), (*t, rest)], first)?
                    }
                    (0, _) => self.with(env, &[(*z, Value::List(items))], second)?,
                    (_, None) => self.with(env, &[(*e, number)], third)?,
                    (_, Some((head, rest))) => self.with(env, &[(*f, head), (*r, rest)], fourth)?,
                }
            }
            Expr::MatchBranch(value, [a, b, c, d], [deep, flat, leaf]) => match self.expr(value, env)? {
                Value::Node(parts) => match &parts.0 {
                    Value::Node(left) => self.with(env, &[(*a, left.1.clone()), (*b, left.2.clone())], deep)?,
                    _ => self.with(env, &[(*c, parts.1.clone()), (*d, parts.2.clone())], flat)?,
                },
                _ => self.expr(leaf, env)?,
            },
            Expr::MatchInt(value, arms, other) => {
                let value = self.int(value, env)?;
                let arm = arms.iter().find(|(at, _)| i128::from(*at) == value).map_or(&**other, |(_, arm)| arm);
                self.expr(arm, env)?
            }
            Expr::Lambda(id, _, body) => {
                Value::Closure(Rc::new(Closure { param: *id, body: (**body).clone(), env: env.clone() }))
            }
            Expr::Apply(function, arg) => {
                let function = self.expr(function, env)?;
                let arg = self.expr(arg, env)?;
                self.apply(&function, arg)?
            }
            Expr::Call(at, args) => {
                let args: Vec<Value> = args.iter().map(|arg| self.expr(arg, env)).collect::<Eval<_>>()?;
                self.call(*at, args)?
            }
            Expr::Size(value) => Value::Int(size(&self.expr(value, env)?)),
            Expr::Twice(value) => {
                let value = self.expr(value, env)?;
                Value::Int(self.twice(&value)?)
            }
            Expr::Pick(c, a, b) => {
                let first = self.bool(c, env)?;
                let (a, b) = (self.expr(a, env)?, self.expr(b, env)?);
                if first { a } else { b }
            }
            Expr::Total(a, b) => {
                let (a, b) = (self.expr(a, env)?, self.expr(b, env)?);
                let twice = self.twice(&a)?;
                self.arith(Arith::Sub, &Ty::Int, twice, size(&b))?
            }
            Expr::Mix(value, more) => {
                let (value, more) = (self.expr(value, env)?, self.expr(more, env)?);
                let size = size(&value);
                match (value, more) {
                    (Value::List(_), Value::Int(more)) => self.arith(Arith::Sub, &Ty::Int, more, size)?,
                    (Value::List(_), more) => Value::Int(size * 2 + length(&more)),
                    (_, Value::Int(more)) => self.arith(Arith::Sub, &Ty::Int, size, more)?,
                    (_, more) => Value::Int(size + length(&more)),
                }
            }
            Expr::Loop(of) => self.value_loop(of, env)?,
            Expr::Map(list, id, _, body) => {
                let items = self.list(list, env)?;
                let mapped = items.into_iter().map(|item| self.lambda(env, &[(*id, item)], body));
                Value::List(mapped.collect::<Eval<_>>()?)
            }
            Expr::Filter(list, id, _, body) => {
                let mut kept = Vec::new();
                for item in self.list(list, env)? {
                    if let Value::Bool(true) = self.lambda(env, &[(*id, item.clone())], body)? {
                        kept.push(item);
                    }
                }
                Value::List(kept)
            }
            Expr::Perform(effect, arg) => {
                let arg = self.int(arg, env)?;
                self.perform(*effect, arg)?
            }
            Expr::Handle(handle) => self.handle(handle, env)?,
            Expr::Drive(drive) => self.drive(drive, env)?,
            Expr::Fold(list, init, [state, item], body) => {
                let items = self.list(list, env)?;
                let mut total = self.expr(init, env)?;
                for one in items {
                    total = self.lambda(env, &[(*state, total), (*item, one)], body)?;
                }
                total
            }
        })
    }

    fn twice(&self, value: &Value) -> Eval<i128> {
        match value {
            Value::Opt(_) => Ok(7),
            value => Ok(int(&self.arith(Arith::Mul, &Ty::Int, size(value), 2)?)),
        }
    }

    fn value_loop(&mut self, of: &Loop, env: &Env) -> Eval<Value> {
        let Loop { counter, from, body, last, .. } = of;
        let mut env = env.clone();
        let left = Rc::new(RefCell::new(Value::Int((*from).into())));
        env.insert(*counter, left.clone());
        loop {
            self.step()?;
            let now = int(&left.borrow());
            if now <= 0 {
                return self.expr(last, &mut env);
            }
            *left.borrow_mut() = Value::Int(now - 1);
            match self.stmts(body, &mut env) {
                Ok(()) | Err(Stop::Continue) => {}
                Err(Stop::BreakWith(value)) => return Ok(value),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// The body of a lambda: `return` leaves it.
    fn lambda(&mut self, env: &Env, bound: &[(VarId, Value)], body: &Expr) -> Eval<Value> {
        match self.with(env, bound, body) {
            Err(Stop::Return(value)) => Ok(value),
            result => result,
        }
    }

    fn apply(&mut self, function: &Value, arg: Value) -> Eval<Value> {
        let Value::Closure(closure) = function else { unreachable!("the program is typed") };
        self.lambda(&closure.env, &[(closure.param, arg)], &closure.body)
    }

    fn call(&mut self, at: usize, args: Vec<Value>) -> Eval<Value> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(Stop::Endless);
        }
        let function = &self.functions[at];
        let bound: Vec<(VarId, Value)> = function.params.iter().map(|(id, _)| *id).zip(args).collect();
        let body = match &function.base {
            Some(base) if int(&bound[0].1) <= 0 => base,
            _ => &function.body,
        };
        let result = self.lambda(&Env::new(), &bound, body);
        self.depth -= 1;
        result
    }
}
