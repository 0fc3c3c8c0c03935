//! Which calls are replaced by the body of the function?
//!
//! Functions are optimised callees first, so a body that is inlined is final. Circles in the call graph are broken at functions
//! that are neither lambdas nor makers of functions: those are never inlined, what is between them may be. Where a circle has lambdas and
//! makers only, it is broken at the lambdas that do something.

use std::rc::Rc;

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use reml_diagnostics::Span;
use reml_semantics::types::Type;
use rustc_hash::FxHashMap;

use super::OptLevel;
use super::facts::size;
use super::makers::Runners;
use super::specialise::{Known, Specialiser};
use crate::components::components;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, GlobalId, Inline, Mode, Op, Program, Stmt, Var};
use crate::walk;

/// Sizes up to which a function is inlined.
const PLAIN: usize = 30;
const WITH_CLOSURES: usize = 300;
const SINGLE_USE: usize = 600;
const RUNNER: usize = 40;
const DEBUG: usize = 8;
/// How much code of functions that make functions one function may take.
const MAKERS: usize = 4000;

/// How often functions are mentioned, and in which order to optimise them.
pub struct CallGraph {
    /// Callees first.
    pub order: Vec<FuncId>,
    mentions: SecondaryMap<FuncId, u32>,
    breakers: SecondaryMap<FuncId, bool>,
    /// Their results are functions.
    makers: SecondaryMap<FuncId, bool>,
    /// Lambdas that make the very functions that they are parts of, as `lazy(|| value())` in `value`. What has captured
    /// one may run itself, so it is specialised for the lambda rather than inlined.
    knots: SecondaryMap<FuncId, bool>,
}

/// Which function makes the value of each global.
pub fn initialisers(program: &Program) -> SecondaryMap<GlobalId, Option<FuncId>> {
    let mut initialisers = SecondaryMap::new();
    let mut calls: SecondaryMap<Var, Option<FuncId>> = SecondaryMap::new();
    for stmt in &program.funcs[program.entry].body.stmts {
        match *stmt {
            Stmt::Let(var, Op::Call(Callee::Func(func), ref args)) if args.is_empty() => calls[var] = Some(func),
            Stmt::Let(_, Op::GlobalSet(global, Atom::Var(value))) => initialisers[global] = calls[value],
            _ => {}
        }
    }
    initialisers
}

/// Whether a function does nothing but make a closure, and what that captures: other closures, records of them, and what makers give.
fn makes_closure(function: &Function, runners: &Runners) -> bool {
    let only = function.body.stmts.iter().all(|stmt| match stmt {
        Stmt::Let(_, Op::Closure(..) | Op::GlobalGet(_) | Op::Construct { .. }) => true,
        Stmt::Let(_, Op::Call(Callee::Func(maker), _)) => runners[*maker].is_some(),
        _ => false,
    });
    let last = match function.body.stmts.last() {
        Some(Stmt::Let(var, Op::Closure(..))) => Some(Atom::Var(*var)),
        _ => None,
    };
    only && matches!(function.body.end, End::Return(result) if Some(result) == last)
}

impl CallGraph {
    pub fn of(program: &Program, runners: &Runners) -> CallGraph {
        let initialisers = initialisers(program);
        let count = program.funcs.len();
        let mut edges: Vec<Vec<FuncId>> = vec![Vec::new(); count];
        let mut calls: Vec<Vec<FuncId>> = vec![Vec::new(); count];
        let mut mentions: SecondaryMap<FuncId, u32> = SecondaryMap::new();
        let mut called: SecondaryMap<FuncId, bool> = SecondaryMap::new();
        for (id, function) in &program.funcs {
            each_mention(&function.body, &mut |func, call| {
                mentions[func] += 1;
                called[func] |= call;
                edges[id.index()].push(func);
                if call {
                    calls[id.index()].push(func);
                }
            });
            each_global(&function.body, &mut |global| edges[id.index()].extend(initialisers[global]));
            for targets in [&mut edges[id.index()], &mut calls[id.index()]] {
                targets.sort_unstable();
                targets.dedup();
            }
        }
        let whole = Circles::of(&edges);
        let mut breakers: SecondaryMap<FuncId, bool> = SecondaryMap::new();
        let mut makers: SecondaryMap<FuncId, bool> = SecondaryMap::new();
        let lambda = |id: FuncId| mentions[id] == 1 && !called[id];
        for id in program.funcs.keys() {
            // A lambda is mentioned where it is made and nowhere else. What only makes functions does not call those it mentions.
            makers[id] = matches!(program.types.get(program.funcs[id].ret), Type::Fn { .. });
            breakers[id] = whole.contain(id) && !lambda(id) && !makers[id];
        }
        // Circles of lambdas and makers are broken at the lambdas that do something.
        without(&mut edges, &breakers);
        // A maker that has a runner is not inlined.
        edges.iter_mut().for_each(|targets| targets.retain(|&target| runners[target].is_none()));
        let inner = Circles::of(&edges);
        let mut knots: SecondaryMap<FuncId, bool> = SecondaryMap::new();
        for id in program.funcs.keys().filter(|&id| inner.contain(id)) {
            breakers[id] |= !makers[id];
            knots[id] = makers[id] && lambda(id);
        }
        // Makers that call themselves.
        without(&mut calls, &breakers);
        let among = Circles::of(&calls);
        for id in program.funcs.keys() {
            breakers[id] |= among.contain(id);
        }
        // Callees come first. Inside a circle, what makes functions comes before those who call them.
        let mut initialises: SecondaryMap<FuncId, bool> = SecondaryMap::new();
        initialisers.values().flatten().for_each(|&func| initialises[func] = true);
        let mut order: Vec<FuncId> = program.funcs.keys().collect();
        order.sort_by_key(|&id| {
            let rank = match () {
                () if initialises[id] => 1,
                () if makers[id] => 0,
                () => 2,
            };
            (whole.component[id.index()], rank, breakers[id], among.component[id.index()])
        });
        CallGraph { order, mentions, breakers, makers, knots }
    }
}

/// Which functions of a graph lie on circles.
struct Circles {
    /// Tarjan numbers components callees first.
    component: Vec<u32>,
    circular: Vec<bool>,
}

impl Circles {
    fn of(edges: &[Vec<FuncId>]) -> Circles {
        let component = components(edges);
        let mut members = vec![0u32; edges.len()];
        for &number in &component {
            members[number as usize] += 1;
        }
        let circular = (0..edges.len())
            .map(|at| members[component[at] as usize] > 1 || edges[at].contains(&FuncId::new(at)))
            .collect();
        Circles { component, circular }
    }

    fn contain(&self, id: FuncId) -> bool {
        self.circular[id.index()]
    }
}

/// Takes functions out of a graph.
fn without(edges: &mut [Vec<FuncId>], removed: &SecondaryMap<FuncId, bool>) {
    for (at, targets) in edges.iter_mut().enumerate() {
        if removed[FuncId::new(at)] {
            targets.clear();
        } else {
            targets.retain(|&target| !removed[target]);
        }
    }
}

/// Calls `f` with each function that a block mentions, and whether it is called there.
pub fn each_mention(block: &Block, f: &mut impl FnMut(FuncId, bool)) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::Call(Callee::Func(func), _)) => f(*func, true),
                Stmt::Let(_, Op::Closure(func, _)) => f(*func, false),
                Stmt::Join(join) => blocks.push(&join.body),
                _ => {}
            }
        }
        match &block.end {
            End::TailCall { callee: Callee::Func(func), .. } => f(*func, true),
            End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
            _ => {}
        }
    }
}

/// Functions that specialisation has made are on circles of their own, which the call graph does not know.
fn calls_itself(id: FuncId, function: &Function) -> bool {
    let mut found = false;
    each_mention(&function.body, &mut |func, call| found |= call && func == id);
    found
}

/// Calls `f` with each global that a block reads.
fn each_global(block: &Block, f: &mut impl FnMut(GlobalId)) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::GlobalGet(global)) => f(*global),
                Stmt::Join(join) => blocks.push(&join.body),
                _ => {}
            }
        }
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
}

/// What is known at a call.
#[derive(Clone, Copy)]
pub struct Site {
    /// Some argument is, or holds, a closure whose body is known.
    pub closures: bool,
}

/// The functions that may be inlined so far, and how much more code the present function may take.
pub struct Inliner<'p> {
    graph: &'p CallGraph,
    pub runners: &'p Runners,
    is_runner: SecondaryMap<FuncId, bool>,
    level: OptLevel,
    ready: SecondaryMap<FuncId, Option<(usize, Rc<Function>)>>,
    budget: usize,
    /// The same for functions whose results are functions: little of their code is left once those are called.
    makers_budget: usize,
    /// The function that is being optimised.
    current: FuncId,
    /// Lambdas with captures that are also called directly: the same with the captures as plain parameters.
    lifted: FxHashMap<FuncId, FuncId>,
    /// Functions to be added to the program, in the order of their ids.
    pub added: Vec<Function>,
    /// Those of them that are still to be optimised.
    pub unfinished: Vec<FuncId>,
    specialiser: Specialiser,
    /// Which global a function makes the value of.
    initialises: SecondaryMap<FuncId, Option<GlobalId>>,
    /// Functions that make the closures in globals, and nothing else.
    initialisers: SecondaryMap<GlobalId, Option<Rc<Function>>>,
    /// The files of the standard library.
    library: &'p [Span],
}

impl<'p> Inliner<'p> {
    pub fn new(
        program: &Program,
        graph: &'p CallGraph,
        runners: &'p Runners,
        level: OptLevel,
        library: &'p [Span],
    ) -> Self {
        let mut initialises = SecondaryMap::new();
        for (global, func) in initialisers(program).iter() {
            if let Some(func) = func {
                initialises[*func] = Some(global);
            }
        }
        let mut is_runner = SecondaryMap::new();
        runners.values().flatten().for_each(|runner| is_runner[runner.run] = true);
        Inliner {
            graph,
            runners,
            is_runner,
            level,
            ready: SecondaryMap::new(),
            budget: 0,
            makers_budget: 0,
            current: FuncId::new(0),
            lifted: FxHashMap::default(),
            added: Vec::new(),
            unfinished: Vec::new(),
            specialiser: Specialiser::default(),
            initialises,
            initialisers: SecondaryMap::new(),
            library,
        }
    }

    /// The place that code inlined by the call at `call` has from now on: panics name the innermost place outside the
    /// library.
    pub fn place(&self, span: Span, call: Span) -> Span {
        let next = self.library.partition_point(|file| file.start <= span.start);
        let inside = next.checked_sub(1).is_some_and(|file| span.start <= self.library[file].end);
        if inside && !call.is_none() { call } else { span }
    }

    /// Starts another function. One that `keeps_calls` has none inlined, so that backtraces show them: the entry runs once, and a dispatcher waits
    /// for its host anyway.
    pub fn start(&mut self, id: FuncId, function: &Function, keeps_calls: bool) {
        self.current = id;
        let own = size(&function.body);
        self.budget = match self.level {
            _ if keeps_calls => 0,
            OptLevel::Debug => own / 2 + 60,
            OptLevel::Release => (own * 4 + 1200).min(own + 12_000),
        };
        self.makers_budget = match self.level {
            OptLevel::Release if !keeps_calls => MAKERS,
            _ => 0,
        };
    }

    /// The function is final; later ones may inline it.
    pub fn finished(&mut self, id: FuncId, function: &Function) {
        if let Some(global) = self.initialises[id]
            && self.level == OptLevel::Release
            && makes_closure(function, self.runners)
        {
            self.initialisers[global] = Some(Rc::new(function.clone()));
        }
        if self.graph.breakers[id] || !function.inline.may_be_cloned() || calls_itself(id, function) {
            return;
        }
        let size = size(&function.body);
        let limit = match self.level {
            OptLevel::Debug => DEBUG,
            OptLevel::Release if self.graph.makers[id] => MAKERS,
            OptLevel::Release if self.graph.mentions[id] == 1 => SINGLE_USE,
            OptLevel::Release => WITH_CLOSURES,
        };
        if size <= limit || function.inline == Inline::Always {
            self.ready[id] = Some((size, Rc::new(function.clone())));
        }
    }

    /// What runs the function that this one makes.
    pub fn runner(&self, maker: FuncId) -> Option<FuncId> {
        self.runners[maker].map(|runner| runner.run)
    }

    /// Whether a function that is given the lambda may be inlined.
    pub fn may_be_given(&self, func: FuncId, lambda: FuncId) -> bool {
        !self.graph.knots[lambda] || self.graph.makers[func]
    }

    /// The body to put in place of a call, if any.
    pub fn choose(&mut self, func: FuncId, site: Site) -> Option<Rc<Function>> {
        if self.runners[func].is_some() {
            return None;
        }
        let (size, function) = self.ready[func].as_ref()?;
        let limit = match self.level {
            _ if function.inline == Inline::Always => usize::MAX,
            OptLevel::Debug => DEBUG,
            OptLevel::Release if self.graph.makers[func] => MAKERS,
            // A maker that is mentioned once may be so in something that is inlined often.
            OptLevel::Release if self.is_runner[func] => RUNNER,
            OptLevel::Release if self.graph.mentions[func] == 1 => SINGLE_USE,
            OptLevel::Release if site.closures => WITH_CLOSURES,
            OptLevel::Release => PLAIN,
        };
        let cost = size + 2;
        let budget = match self.graph.makers[func] && cost <= self.makers_budget {
            true => &mut self.makers_budget,
            false => &mut self.budget,
        };
        if *size > limit || cost > *budget {
            return None;
        }
        *budget -= cost;
        Some(function.clone())
    }

    /// The function that makes the closure in a global, if that is all it does.
    pub fn initialiser(&self, global: GlobalId) -> Option<Rc<Function>> {
        self.initialisers[global].clone()
    }

    /// The clone of a function for known lambdas.
    pub fn specialise(
        &mut self,
        func: FuncId,
        known: Vec<Known>,
        funcs: &PrimaryMap<FuncId, Function>,
    ) -> Option<(FuncId, Vec<Known>)> {
        if self.level == OptLevel::Debug {
            return None;
        }
        let next = FuncId::new(funcs.len() + self.added.len());
        let (clone, known, made) = self.specialiser.clone_for(func, known, self.current, funcs, next)?;
        if let Some(function) = made {
            self.added.push(function);
            self.unfinished.push(next);
        }
        Some((clone, known))
    }

    /// The function to call in place of a closure over `captures` values; the captures are its first arguments.
    pub fn direct(&mut self, func: FuncId, captures: usize, funcs: &PrimaryMap<FuncId, Function>) -> Option<FuncId> {
        if captures == 0 {
            return Some(func);
        }
        if let Some(&lifted) = self.lifted.get(&func) {
            return Some(lifted);
        }
        let mut function = funcs[func].clone();
        if function.params.is_empty() {
            // It is being optimised itself.
            return None;
        }
        function.name = format!("{}.direct", function.name).into();
        function.captures = 0;
        function.modes[..captures].fill(Mode::Owned);
        let id = FuncId::new(funcs.len() + self.added.len());
        self.added.push(function);
        self.specialiser.is_lambda(id);
        self.lifted.insert(func, id);
        Some(id)
    }
}
