//! Which handler does an operation find, and what if that is known?
//!
//! Between putting a handler in force and taking it back the innermost handlers are known: an operation performed there is a call
//! of the clause. A function that is called there and looks a handler up is replaced by a copy that is given the handler and what its
//! clauses capture, and knows it in turn; the computation of a handler on a fiber likewise. Code that other code may call keeps looking
//! handlers up. What the optimiser makes of the known closures is its usual business.

use std::collections::BTreeSet;

use cranelift_entity::{EntityRef, SecondaryMap};
use reml_semantics::types::{Prim, TypeId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::core::{Atom, Block, Callee, End, FuncId, Function, JoinId, Mode, Op, Program, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

/// Copies of one function.
const CLONES: u32 = 16;
/// Largest function to copy.
const LARGEST: usize = 800;

pub fn uses_handlers(program: &Program) -> bool {
    program.funcs.values().any(|function| {
        let mut found = false;
        walk::each_op(&function.body, &mut |_, op| found |= matches!(op, Op::Prim(PrimOp::HandlerNew, _)));
        found
    })
}

/// Replaces lookups of known handlers; `true` if there were any.
pub fn specialise(program: &mut Program) -> bool {
    let lookups = Lookups::of(program);
    let mut pass = Pass {
        lookups,
        i64: program.types.prim(Prim::I64),
        clones: FxHashMap::default(),
        counts: SecondaryMap::new(),
        changed: false,
        work: program.funcs.keys().map(|id| (id, Vec::new())).collect(),
        added: Vec::new(),
        next: program.funcs.len(),
    };
    while let Some((id, entry)) = pass.work.pop() {
        let mut function = std::mem::replace(&mut program.funcs[id], super::placeholder());
        pass.function(&mut function, entry, program);
        program.funcs[id] = function;
        for added in std::mem::take(&mut pass.added) {
            program.funcs.push(added);
        }
    }
    pass.changed
}

/// An operation of an effect: the number of the effect, and of the operation in its handlers.
type Operation = (i128, i128);

/// The operations that functions look up, themselves or in functions that they call by name.
struct Lookups(SecondaryMap<FuncId, BTreeSet<Operation>>);

impl Lookups {
    fn of(program: &Program) -> Lookups {
        let mut sets: SecondaryMap<FuncId, BTreeSet<Operation>> = SecondaryMap::new();
        let mut callers: SecondaryMap<FuncId, Vec<FuncId>> = SecondaryMap::new();
        let mut work = Vec::new();
        for (id, function) in &program.funcs {
            let mut found: FxHashMap<Var, i128> = FxHashMap::default();
            let mut own = BTreeSet::new();
            walk::each_op(&function.body, &mut |var, op| match op {
                Op::Prim(PrimOp::HandlerFind, args) => {
                    found.insert(var, constant(args[0]));
                }
                Op::Prim(PrimOp::HandlerClause, args) => {
                    if let Atom::Var(handler) = args[0]
                        && let Some(&effect) = found.get(&handler)
                    {
                        own.insert((effect, constant(args[1])));
                    }
                }
                Op::Call(Callee::Func(func), _) => callers[*func].push(id),
                _ => {}
            });
            walk::each_end(&function.body, &mut |end| {
                if let End::TailCall { callee: Callee::Func(func), .. } = end {
                    callers[*func].push(id);
                }
            });
            if !own.is_empty() {
                sets[id] = own;
                work.push(id);
            }
        }
        while let Some(id) = work.pop() {
            let set = sets[id].clone();
            for &caller in &callers[id] {
                let before = sets[caller].len();
                sets[caller].extend(&set);
                if sets[caller].len() > before {
                    work.push(caller);
                }
            }
        }
        Lookups(sets)
    }
}

fn constant(atom: Atom) -> i128 {
    match atom {
        Atom::Int(value, _) => value,
        _ => unreachable!("the numbers of effects and operations are constants"),
    }
}

/// A handler whose clauses are known in some function.
#[derive(Clone)]
struct Handler {
    effect: i128,
    /// The handler, or its address as a plain word.
    place: Place,
    clauses: FxHashMap<i128, Atom>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Handler(Var),
    Word(Var),
}

/// The innermost handlers in force as far as they are known, the innermost last; `None`: not even those.
type State = Option<Vec<usize>>;

/// How a clause is given to a copy.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Shape {
    /// A closure over this many values, which are given.
    Lambda(FuncId, usize),
    Closure,
}

type Key = (FuncId, Vec<(i128, Option<usize>, Vec<(i128, Shape)>)>);

struct Pass {
    lookups: Lookups,
    i64: TypeId,
    clones: FxHashMap<Key, FuncId>,
    counts: SecondaryMap<FuncId, u32>,
    changed: bool,
    work: Vec<(FuncId, Vec<Handler>)>,
    added: Vec<Function>,
    next: usize,
}

impl Pass {
    fn function(&mut self, function: &mut Function, entry: Vec<Handler>, program: &Program) {
        let mut walker = Walker::new(function, entry);
        if walker.handlers.is_empty() {
            return;
        }
        let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
        walker.settle(&mut body);
        walker.rewrite = Some((self, program));
        let entry = walker.entry.clone();
        walker.vars = std::mem::take(&mut function.vars);
        walker.block(&mut body, entry);
        function.vars = std::mem::take(&mut walker.vars);
        function.body = body;
    }

    /// The copy of a function for these handlers, and what is passed to it on top. `handlers`: each with the capture that it is, if any.
    fn copy(
        &mut self,
        func: FuncId,
        handlers: &[(Handler, Option<usize>)],
        built: &FxHashMap<Var, (FuncId, Vec<Atom>)>,
        vars: &cranelift_entity::PrimaryMap<Var, VarInfo>,
        program: &Program,
    ) -> Option<(FuncId, Vec<Place>, Vec<Atom>)> {
        let mut key = Vec::new();
        let mut words = Vec::new();
        let mut values: Vec<Atom> = Vec::new();
        for (handler, capture) in handlers {
            let mut shapes = Vec::new();
            if capture.is_none() {
                words.push(handler.place);
            }
            for &(effect, number) in &self.lookups.0[func] {
                if effect != handler.effect {
                    continue;
                }
                let clause = *handler.clauses.get(&number)?;
                let Atom::Var(var) = clause else { return None };
                match built.get(&var) {
                    // One that is being rewritten has no parameters to look at.
                    Some((lambda, captures)) if program.funcs.get(*lambda).is_some_and(|l| !l.name.is_empty()) => {
                        shapes.push((number, Shape::Lambda(*lambda, captures.len())));
                        values.extend(captures);
                    }
                    _ => {
                        shapes.push((number, Shape::Closure));
                        values.push(clause);
                    }
                }
            }
            key.push((handler.effect, *capture, shapes));
        }
        let key = (func, key);
        if let Some(&clone) = self.clones.get(&key) {
            return Some((clone, words, values));
        }
        // One that is being rewritten has no body to copy.
        let original =
            program.funcs.get(func).filter(|original| !original.params.is_empty() || !original.vars.is_empty());
        let original = original.filter(|original| !original.name.is_empty())?;
        if self.counts[func] >= CLONES || super::facts::size(&original.body) > LARGEST {
            return None;
        }
        self.counts[func] += 1;
        let id = FuncId::new(self.next);
        self.next += 1;
        self.clones.insert(key.clone(), id);
        self.changed = true;
        let mut clone = original.clone();
        clone.name = format!("{}{{with {}}}", original.name, self.counts[func]).into();
        let span = clone.span;
        let mut extra = Vec::new();
        let mut start = Vec::new();
        let mut entry = Vec::new();
        // The words come first, then what the clauses capture.
        let mut given: Vec<Var> = Vec::new();
        for _ in &words {
            given.push(clone.vars.push(VarInfo { ty: self.i64, name: Some("handler".into()), span }));
        }
        extra.extend(&given);
        let mut given = given.into_iter();
        for ((effect, capture, shapes), (handler, _)) in key.1.iter().zip(handlers) {
            let place = match (capture, capture.is_none().then(|| given.next()).flatten()) {
                (Some(capture), _) => Place::Handler(clone.params[*capture]),
                (None, Some(word)) => Place::Word(word),
                (None, None) => unreachable!("one word for each handler that is no capture"),
            };
            let mut clauses = FxHashMap::default();
            for (number, shape) in shapes {
                let clause = match shape {
                    Shape::Lambda(lambda, captures) => {
                        let lambda_fn = &program.funcs[*lambda];
                        let captured: Vec<Var> = lambda_fn.params[..*captures]
                            .iter()
                            .map(|&param| clone.vars.push(lambda_fn.vars[param].clone()))
                            .collect();
                        extra.extend(&captured);
                        let var =
                            clone.vars.push(VarInfo { ty: clause_type(handler, *number, vars), name: None, span });
                        let captured = captured.into_iter().map(Atom::Var).collect();
                        start.push(Stmt::Let(var, Op::Closure(*lambda, captured)));
                        var
                    }
                    Shape::Closure => {
                        let ty = clause_type(handler, *number, vars);
                        let var = clone.vars.push(VarInfo { ty, name: None, span });
                        extra.push(var);
                        var
                    }
                };
                clauses.insert(*number, Atom::Var(clause));
            }
            entry.push(Handler { effect: *effect, place, clauses });
        }
        let at = if clone.captures > 0 { clone.captures } else { clone.params.len() };
        let mode = if clone.captures > 0 { Mode::Borrowed } else { Mode::Owned };
        if clone.captures > 0 {
            clone.captures += extra.len();
        }
        clone.modes.splice(at..at, extra.iter().map(|_| mode));
        clone.params.splice(at..at, extra);
        let body = std::mem::replace(&mut clone.body, Block::new(Vec::new(), End::Unreachable));
        start.extend(body.stmts);
        clone.body = Block::new(start, body.end);
        self.lookups.0[id] = self.lookups.0[func].clone();
        self.added.push(clone);
        self.work.push((id, entry));
        Some((id, words, values))
    }
}

fn clause_type(handler: &Handler, number: i128, vars: &cranelift_entity::PrimaryMap<Var, VarInfo>) -> TypeId {
    match handler.clauses.get(&number) {
        Some(Atom::Var(var)) => vars[*var].ty,
        _ => unreachable!("clauses are closures in variables"),
    }
}

/// Follows the handlers in force through a function.
struct Walker<'a> {
    handlers: Vec<Handler>,
    by_var: FxHashMap<Var, usize>,
    /// Words that are the address of a known handler.
    words: FxHashMap<Var, usize>,
    saved: FxHashMap<Var, State>,
    /// Closures that the function makes.
    built: FxHashMap<Var, (FuncId, Vec<Atom>)>,
    entry: State,
    joins: FxHashMap<JoinId, State>,
    changed: bool,
    rewrite: Option<(&'a mut Pass, &'a Program)>,
    vars: cranelift_entity::PrimaryMap<Var, VarInfo>,
}

impl<'a> Walker<'a> {
    fn new(function: &Function, entry: Vec<Handler>) -> Walker<'a> {
        let mut walker = Walker {
            entry: Some((0..entry.len()).collect()),
            handlers: entry,
            by_var: FxHashMap::default(),
            words: FxHashMap::default(),
            saved: FxHashMap::default(),
            built: FxHashMap::default(),
            joins: FxHashMap::default(),
            changed: false,
            rewrite: None,
            vars: Default::default(),
        };
        for (index, handler) in walker.handlers.iter().enumerate() {
            match handler.place {
                Place::Handler(var) => walker.by_var.insert(var, index),
                Place::Word(var) => walker.words.insert(var, index),
            };
        }
        walk::each_op(&function.body, &mut |var, op| match op {
            Op::Prim(PrimOp::HandlerNew, args) => {
                let clauses = args[1..].iter().enumerate().map(|(number, &clause)| (number as i128, clause)).collect();
                walker.by_var.insert(var, walker.handlers.len());
                walker.handlers.push(Handler { effect: constant(args[0]), place: Place::Handler(var), clauses });
            }
            Op::Prim(PrimOp::HandlerAddress, args) => {
                if let Some(index) = walker.handler(args[0]) {
                    walker.words.insert(var, index);
                }
            }
            Op::Closure(func, captures) => {
                walker.built.insert(var, (*func, captures.clone()));
            }
            _ => {}
        });
        walker
    }

    /// Finds the state at every join point.
    fn settle(&mut self, body: &mut Block) {
        loop {
            self.changed = false;
            let entry = self.entry.clone();
            self.block(body, entry);
            if !self.changed {
                return;
            }
        }
    }

    fn handler(&self, atom: Atom) -> Option<usize> {
        match atom {
            Atom::Var(var) => self.by_var.get(&var).copied(),
            _ => None,
        }
    }

    fn word(&self, atom: Atom) -> Option<usize> {
        match atom {
            Atom::Var(var) => self.words.get(&var).copied(),
            _ => None,
        }
    }

    fn block(&mut self, block: &mut Block, mut state: State) {
        let mut out = Vec::with_capacity(block.stmts.len());
        let mut joins = Vec::new();
        for stmt in std::mem::take(&mut block.stmts) {
            match stmt {
                Stmt::Let(var, op) => {
                    let op = self.op(var, op, &mut state, &mut out);
                    out.push(Stmt::Let(var, op));
                }
                other => {
                    if matches!(other, Stmt::Join(_)) {
                        joins.push(out.len());
                    }
                    out.push(other);
                }
            }
        }
        match &mut block.end {
            End::Jump(join, _) => self.jump(*join, &state),
            End::TailCall { callee: Callee::Func(func), args, .. } => {
                if let Some((clone, extra)) = self.known_call(*func, &state, &mut out) {
                    *func = clone;
                    args.extend(extra);
                }
            }
            End::Switch(switch) => {
                for branch in walk::switch_blocks_mut(switch) {
                    self.block(branch, state.clone());
                }
            }
            _ => {}
        }
        // Statements may have been put in front of others since.
        for at in (0..out.len()).rev() {
            if let Stmt::Join(join) = &mut out[at]
                && let Some(state) = self.joins.get(&join.id).cloned()
            {
                self.block(&mut join.body, state);
            }
        }
        block.stmts = out;
    }

    fn jump(&mut self, join: JoinId, state: &State) {
        match self.joins.get(&join) {
            None => {
                self.joins.insert(join, state.clone());
                self.changed = true;
            }
            Some(before) if before == state || before.is_none() => {}
            Some(_) => {
                self.joins.insert(join, None);
                self.changed = true;
            }
        }
    }

    fn op(&mut self, var: Var, op: Op, state: &mut State, out: &mut Vec<Stmt>) -> Op {
        match op {
            Op::Prim(prim, args) => self.prim(var, prim, args, state, out),
            Op::Call(Callee::Func(func), mut args) => match self.known_call(func, state, out) {
                Some((clone, extra)) => {
                    args.extend(extra);
                    Op::Call(Callee::Func(clone), args)
                }
                None => Op::Call(Callee::Func(func), args),
            },
            other => other,
        }
    }

    fn prim(&mut self, var: Var, prim: PrimOp, args: Vec<Atom>, state: &mut State, out: &mut Vec<Stmt>) -> Op {
        match prim {
            PrimOp::HandlerPush => match (self.handler(args[0]), state.as_mut()) {
                (Some(handler), Some(known)) => known.push(handler),
                _ => *state = None,
            },
            PrimOp::HandlerPop => match (self.handler(args[0]), state.as_mut()) {
                (Some(handler), Some(known)) if known.last() == Some(&handler) => {
                    known.pop();
                }
                _ => *state = None,
            },
            PrimOp::HandlerEnter => {
                self.saved.insert(var, state.clone());
                *state = match (self.word(args[0]), state.take()) {
                    (Some(handler), Some(mut known)) => match known.iter().rposition(|&at| at == handler) {
                        Some(at) => {
                            known.truncate(at);
                            Some(known)
                        }
                        None => None,
                    },
                    _ => None,
                };
            }
            PrimOp::HandlerLeave => {
                *state = match args[0] {
                    Atom::Var(saved) => self.saved.get(&saved).cloned().flatten(),
                    _ => None,
                };
            }
            PrimOp::HandlerFind => {
                let effect = constant(args[0]);
                let found = state
                    .as_ref()
                    .and_then(|known| known.iter().rev().copied().find(|&at| self.handlers[at].effect == effect));
                if let Some(handler) = found {
                    self.words.insert(var, handler);
                    if let Some((pass, _)) = &mut self.rewrite {
                        pass.changed = true;
                        return match self.handlers[handler].place {
                            Place::Handler(handler) => Op::Prim(PrimOp::HandlerAddress, vec![Atom::Var(handler)]),
                            Place::Word(word) => Op::Copy(Atom::Var(word)),
                        };
                    }
                }
            }
            PrimOp::HandlerClause => {
                if self.rewrite.is_some()
                    && let Some(handler) = self.word(args[0])
                    && let Some(&clause) = self.handlers[handler].clauses.get(&constant(args[1]))
                {
                    return Op::Copy(clause);
                }
            }
            PrimOp::HandlerRun | PrimOp::FiberStart => self.run(&args, state, out),
            _ => {}
        }
        Op::Prim(prim, args)
    }

    /// Which of the known handlers a function may be given: the innermost of each effect that it looks up.
    fn given(&self, func: FuncId, known: &[usize]) -> Vec<usize> {
        let Some((pass, _)) = &self.rewrite else { return Vec::new() };
        let wanted: FxHashSet<i128> = pass.lookups.0[func].iter().map(|&(effect, _)| effect).collect();
        let mut seen = FxHashSet::default();
        let mut given: Vec<usize> = known
            .iter()
            .rev()
            .copied()
            .filter(|&at| wanted.contains(&self.handlers[at].effect) && seen.insert(self.handlers[at].effect))
            .collect();
        given.reverse();
        given
    }

    /// The copy to call instead of a function, and the arguments on top.
    fn known_call(&mut self, func: FuncId, state: &State, out: &mut Vec<Stmt>) -> Option<(FuncId, Vec<Atom>)> {
        let given = self.given(func, state.as_deref()?);
        let handlers: Vec<(Handler, Option<usize>)> =
            given.iter().map(|&at| (self.handlers[at].clone(), None)).collect();
        let (pass, program) = self.rewrite.as_mut()?;
        if handlers.is_empty() || program.funcs.get(func).is_none_or(|function| function.captures > 0) {
            return None;
        }
        let (clone, words, values) = pass.copy(func, &handlers, &self.built, &self.vars, program)?;
        let mut extra = self.addresses(words, out);
        extra.extend(values);
        Some((clone, extra))
    }

    /// The addresses of handlers as plain words.
    fn addresses(&mut self, places: Vec<Place>, out: &mut Vec<Stmt>) -> Vec<Atom> {
        let Some((pass, _)) = &self.rewrite else { return Vec::new() };
        let ty = pass.i64;
        let address = |place| match place {
            Place::Word(word) => Atom::Var(word),
            Place::Handler(handler) => {
                let span = self.vars[handler].span;
                let word = self.vars.push(VarInfo { ty, name: None, span });
                out.push(Stmt::Let(word, Op::Prim(PrimOp::HandlerAddress, vec![Atom::Var(handler)])));
                Atom::Var(word)
            }
        };
        places.into_iter().map(address).collect()
    }

    /// The computation that a handler runs knows it, and those around.
    fn run(&mut self, args: &[Atom], state: &State, out: &mut Vec<Stmt>) {
        let (Some(handler), Atom::Var(whole)) = (self.handler(args[0]), args[1]) else { return };
        let Some((func, captures)) = self.built.get(&whole).cloned() else { return };
        let mut known = state.clone().unwrap_or_default();
        known.push(handler);
        let given = self.given(func, &known);
        let Some(position) = captures.iter().position(|&capture| capture == args[0]) else { return };
        let handlers: Vec<(Handler, Option<usize>)> =
            given.iter().map(|&at| (self.handlers[at].clone(), (at == handler).then_some(position))).collect();
        let Some(made) = out.iter().position(|stmt| matches!(stmt, Stmt::Let(var, _) if *var == whole)) else { return };
        let Some((pass, program)) = &mut self.rewrite else { return };
        if handlers.is_empty() {
            return;
        }
        let Some((clone, words, values)) = pass.copy(func, &handlers, &self.built, &self.vars, program) else { return };
        let mut before = Vec::new();
        let mut all = captures;
        all.extend(self.addresses(words, &mut before));
        all.extend(values);
        out[made] = Stmt::Let(whole, Op::Closure(clone, all));
        out.splice(made..made, before);
    }
}
