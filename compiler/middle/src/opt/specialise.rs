//! What does a recursive function become for one particular closure argument? `List.map(xs, |x| x + 1)`, when `map` is not
//! inlined, calls a clone of `map` whose function parameter is that lambda: the clone takes the captured values
//! instead, its body rebuilds the closure, and the simplifier turns its calls into direct ones. The recursive call
//! passes the same lambda on and so finds the same clone.

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;

use super::facts::size;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, Mode, Op, Stmt, Var, VarInfo};
use crate::walk;

/// Largest function to clone.
const LARGEST: usize = 500;
/// Clones of one function.
const CLONES: u32 = 48;

/// A parameter that gets a known lambda; `wrapped`: inside a newtype, as a value of this type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Known {
    pub param: usize,
    pub lambda: FuncId,
    pub wrapped: Option<TypeId>,
}

#[derive(Default)]
pub struct Specialiser {
    clones: FxHashMap<(FuncId, Vec<Known>), FuncId>,
    counts: SecondaryMap<FuncId, u32>,
    /// Which parameters of a function are called or passed on, once asked.
    useful: FxHashMap<FuncId, Vec<bool>>,
}

impl Specialiser {
    /// The clone of `func` for these lambdas, made on first sight; with which of them it is specialised for.
    /// `next` is the id a new function will get.
    pub fn clone_for(
        &mut self,
        func: FuncId,
        known: &[Known],
        funcs: &PrimaryMap<FuncId, Function>,
        next: FuncId,
    ) -> Option<(FuncId, Vec<Known>, Option<Function>)> {
        // Functions made since are not specialised again; one that is being optimised has no body to clone.
        let original = funcs.get(func)?;
        if original.captures > 0 || original.params.is_empty() {
            return None;
        }
        let useful = self.useful.entry(func).or_insert_with(|| useful_params(original));
        let known: Vec<Known> = known
            .iter()
            .copied()
            .filter(|known| {
                let lambda = funcs.get(known.lambda);
                useful.get(known.param) == Some(&true) && lambda.is_some_and(|lambda| !lambda.name.is_empty())
            })
            .collect();
        if known.is_empty() {
            return None;
        }
        let key = (func, known.clone());
        if let Some(&clone) = self.clones.get(&key) {
            return Some((clone, known, None));
        }
        if self.counts[func] >= CLONES || size(&original.body) > LARGEST {
            return None;
        }
        self.counts[func] += 1;
        self.clones.insert(key, next);
        let clone = specialised(original, &known, funcs);
        Some((next, known, Some(clone)))
    }
}

/// Which parameters are called, or passed to a function.
fn useful_params(function: &Function) -> Vec<bool> {
    let mut used: SecondaryMap<Var, bool> = SecondaryMap::new();
    // Newtypes are opened before their function is called.
    let mut opened: SecondaryMap<Var, Option<Var>> = SecondaryMap::new();
    let mut blocks = vec![&function.body];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, Op::Field { base: Atom::Var(base), .. }) => opened[*var] = Some(*base),
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
    let mut modes = Vec::new();
    let mut name = format!("{}{{", original.name);
    for (index, (&param, &mode)) in original.params.iter().zip(&original.modes).enumerate() {
        let Some(known) = known.iter().find(|known| known.param == index) else {
            params.push(param);
            modes.push(mode);
            continue;
        };
        let lambda = &funcs[known.lambda];
        name = format!("{name}{}:{}#{} ", index, lambda.name, known.lambda.index());
        let captured: Vec<Var> = lambda.params[..lambda.captures]
            .iter()
            .map(|&capture| clone.vars.push(lambda.vars[capture].clone()))
            .collect();
        params.extend(&captured);
        modes.extend(captured.iter().map(|_| Mode::Owned));
        let closure = Op::Closure(known.lambda, captured.into_iter().map(Atom::Var).collect());
        if let Some(ty) = known.wrapped {
            let VarInfo { name, span, .. } = clone.vars[param].clone();
            let inner = clone.vars.push(VarInfo { ty, name, span });
            start.push(Stmt::Let(inner, closure));
            start.push(Stmt::Let(param, Op::Construct { variant: 0, args: vec![Atom::Var(inner)], token: None }));
        } else {
            start.push(Stmt::Let(param, closure));
        }
    }
    clone.name = format!("{}}}", name.trim_end()).into();
    clone.params = params;
    clone.modes = modes;
    let body = std::mem::replace(&mut clone.body, Block::new(Vec::new(), End::Unreachable));
    start.extend(body.stmts);
    clone.body = Block::new(start, body.end);
    clone
}
