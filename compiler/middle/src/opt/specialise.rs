//! What does a function become for particular closure arguments? `List.map(xs, |x| x + 1)`, when `map` is not
//! inlined, calls a clone of `map` whose function parameter is that lambda: the clone takes the captured values
//! instead, its body rebuilds the closure, and the simplifier turns its calls into direct ones. The recursive call
//! passes the same lambda on and so finds the same clone. What a lambda captures may be known again: a tree of
//! parser combinators becomes functions that call each other directly.

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;

use super::facts::size;
use super::known::Operand;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, GlobalId, Mode, Op, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

/// Largest function to clone.
const LARGEST: usize = 500;
/// Clones of one function.
const CLONES: u32 = 48;
/// Clones of a function that was a lambda: it has one for each place where its closure is made.
const CLONES_OF_LAMBDA: u32 = 1000;

/// A parameter that gets a known function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Known {
    pub param: usize,
    pub value: Value,
}

/// What is known of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    Unknown,
    Constant(Operand),
    Global(GlobalId),
    /// What a maker gives.
    Made(FuncId),
    Lambda(Lambda),
    /// With elements of this type.
    Array(TypeId, Vec<Value>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lambda {
    pub func: FuncId,
    /// Inside a newtype, as a value of this type.
    pub wrapped: Option<TypeId>,
    pub captures: Vec<Value>,
}

impl Value {
    /// How many functions it consists of.
    pub fn functions(&self) -> usize {
        match self {
            Value::Unknown | Value::Constant(_) => 0,
            Value::Global(_) | Value::Made(_) => 1,
            Value::Lambda(lambda) => 1 + lambda.captures.iter().map(Value::functions).sum::<usize>(),
            Value::Array(_, items) => items.iter().map(Value::functions).sum(),
        }
    }

    /// Forgets what a lambda captures, or an array holds.
    fn forget_captures(&mut self) {
        match self {
            Value::Lambda(lambda) => lambda.captures.fill(Value::Unknown),
            Value::Array(_, items) => items.fill(Value::Unknown),
            _ => {}
        }
    }
}

#[derive(Default)]
pub struct Specialiser {
    clones: FxHashMap<(FuncId, Vec<Known>), FuncId>,
    counts: SecondaryMap<FuncId, u32>,
    /// What a clone is of, and how many functions it is specialised for.
    origins: SecondaryMap<FuncId, Option<(FuncId, usize)>>,
    lambdas: SecondaryMap<FuncId, bool>,
    /// Which parameters of a function are called or passed on, once asked.
    useful: FxHashMap<FuncId, Vec<bool>>,
}

impl Specialiser {
    /// The clone of `func` for these lambdas, made on first sight; with what of them it is specialised for.
    /// `caller` makes the call; `next` is the id a new function will get.
    pub fn clone_for(
        &mut self,
        func: FuncId,
        known: Vec<Known>,
        caller: FuncId,
        funcs: &PrimaryMap<FuncId, Function>,
        next: FuncId,
    ) -> Option<(FuncId, Vec<Known>, Option<Function>)> {
        // Functions made since are not specialised again; one that is being optimised has no body to clone.
        let original = funcs.get(func)?;
        if original.captures > 0 || original.params.is_empty() || !original.inline.may_be_cloned() {
            return None;
        }
        let useful = self.useful.entry(func).or_insert_with(|| useful_params(original));
        let mut known: Vec<Known> = known.into_iter().filter(|known| useful.get(known.param) == Some(&true)).collect();
        if known.is_empty() {
            return None;
        }
        let mut key = (func, known.clone());
        if let Some(&clone) = self.clones.get(&key) {
            return Some((clone, known, None));
        }
        // A function that passes itself ever larger lambdas would have clones without end.
        let functions = |known: &[Known]| known.iter().map(|known| known.value.functions()).sum::<usize>();
        if let Some((original, size)) = self.origins[caller]
            && original == func
            && functions(&known) >= size
        {
            known.iter_mut().for_each(|known| known.value.forget_captures());
            key.1.clone_from(&known);
            if let Some(&clone) = self.clones.get(&key) {
                return Some((clone, known, None));
            }
        }
        let limit = if self.lambdas[func] { CLONES_OF_LAMBDA } else { CLONES };
        if self.counts[func] >= limit || size(&original.body) > LARGEST {
            return None;
        }
        self.counts[func] += 1;
        self.origins[next] = Some((func, functions(&known)));
        self.clones.insert(key, next);
        let clone = specialised(original, &known, funcs);
        Some((next, known, Some(clone)))
    }

    /// Notes that a function is a lambda with its captures as parameters.
    pub fn is_lambda(&mut self, func: FuncId) {
        self.lambdas[func] = true;
    }
}

/// Which parameters are called, or passed to a function.
fn useful_params(function: &Function) -> Vec<bool> {
    let mut used: SecondaryMap<Var, bool> = SecondaryMap::new();
    // Newtypes and arrays are opened before their functions are called.
    let mut opened: SecondaryMap<Var, Option<Var>> = SecondaryMap::new();
    let mut blocks = vec![&function.body];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, Op::Field { base: Atom::Var(base), .. }) => opened[*var] = Some(*base),
                Stmt::Let(var, Op::Prim(PrimOp::ArrayGet | PrimOp::ArrayGetUnchecked, args)) => {
                    if let [Atom::Var(base), _] = args[..] {
                        opened[*var] = Some(base);
                    }
                }
                Stmt::Let(_, Op::Call(callee, args)) => mark(*callee, args, &mut used),
                Stmt::Join(join) => blocks.push(&join.body),
                _ => {}
            }
        }
        match &block.end {
            End::TailCall { callee, args, .. } => mark(*callee, args, &mut used),
            End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
            _ => {}
        }
    }
    for (var, _) in &function.vars {
        if used[var]
            && let Some(base) = opened[var]
        {
            used[base] = true;
        }
    }
    function.params.iter().map(|&param| used[param]).collect()
}

fn mark(callee: Callee, args: &[Atom], used: &mut SecondaryMap<Var, bool>) {
    if let Callee::Closure(Atom::Var(var)) = callee {
        used[var] = true;
    }
    for arg in args {
        if let Atom::Var(var) = arg {
            used[*var] = true;
        }
    }
}

fn specialised(original: &Function, known: &[Known], funcs: &PrimaryMap<FuncId, Function>) -> Function {
    let mut clone = original.clone();
    let mut start = Vec::new();
    let mut params = Vec::new();
    let mut name = format!("{}{{", original.name);
    let mut modes = Vec::new();
    for (index, (&param, &mode)) in original.params.iter().zip(&original.modes).enumerate() {
        let Some(known) = known.iter().find(|known| known.param == index) else {
            params.push(param);
            modes.push(mode);
            continue;
        };
        name = match &known.value {
            Value::Lambda(lambda) => format!("{name}{index}:{}#{} ", funcs[lambda.func].name, lambda.func.index()),
            Value::Global(global) => format!("{name}{index}:{global} "),
            Value::Made(maker) => format!("{name}{index}:{} ", funcs[*maker].name),
            Value::Array(_, items) => format!("{name}{index}:[{}] ", items.len()),
            Value::Unknown | Value::Constant(_) => name,
        };
        rebuild(&known.value, param, &mut clone, funcs, &mut params, &mut start);
        modes.resize(params.len(), Mode::Owned);
    }
    clone.modes = modes;
    clone.name = format!("{}}}", name.trim_end()).into();
    clone.params = params;
    let body = std::mem::replace(&mut clone.body, Block::new(Vec::new(), End::Unreachable));
    start.extend(body.stmts);
    clone.body = Block::new(start, body.end);
    clone
}

/// Gives `var` the value again, with parameters for what is not known of it.
fn rebuild(
    value: &Value,
    var: Var,
    clone: &mut Function,
    funcs: &PrimaryMap<FuncId, Function>,
    params: &mut Vec<Var>,
    start: &mut Vec<Stmt>,
) {
    let lambda = match value {
        Value::Unknown => return params.push(var),
        Value::Constant(operand) => return start.push(Stmt::Let(var, Op::Copy(operand.atom()))),
        Value::Global(global) => return start.push(Stmt::Let(var, Op::GlobalGet(*global))),
        Value::Made(maker) => return start.push(Stmt::Let(var, Op::Call(Callee::Func(*maker), Vec::new()))),
        Value::Array(element, items) => {
            let mut built = Vec::with_capacity(items.len());
            for value in items {
                let VarInfo { name, span, .. } = clone.vars[var].clone();
                let own = clone.vars.push(VarInfo { ty: *element, name, span });
                rebuild(value, own, clone, funcs, params, start);
                built.push(Atom::Var(own));
            }
            return start.push(Stmt::Let(var, Op::Array(built)));
        }
        Value::Lambda(lambda) => lambda,
    };
    let function = &funcs[lambda.func];
    let mut captured = Vec::with_capacity(lambda.captures.len());
    for (&capture, value) in function.params.iter().zip(&lambda.captures) {
        let own = clone.vars.push(function.vars[capture].clone());
        rebuild(value, own, clone, funcs, params, start);
        captured.push(Atom::Var(own));
    }
    let closure = Op::Closure(lambda.func, captured);
    let Some(ty) = lambda.wrapped else {
        start.push(Stmt::Let(var, closure));
        return;
    };
    let VarInfo { name, span, .. } = clone.vars[var].clone();
    let inner = clone.vars.push(VarInfo { ty, name, span });
    start.push(Stmt::Let(inner, closure));
    start.push(Stmt::Let(var, Op::Construct { variant: 0, args: vec![Atom::Var(inner)], token: None }));
}
