//! Which parameters can be passed without a change of counts?
//!
//! A parameter may stay *borrowed* when it is only inspected; the caller then keeps it alive. It is *owned* when owning it
//! pays or is unavoidable:
//! - *hard*: it, or a field of it, is consumed by something that may update it in place, or it is a cell taken apart
//!   where a cell of the same size is built (reuse);
//! - *own*: it is returned or stored as it is, or it is passed by a tail call or a jump whose argument somebody would have to
//!   drop afterwards (a tail call counts where tail calls go in a circle: there the stack must not grow). Only this
//!   makes a reference, `&T`, owned.
//!
//! Parameters of functions and of join points are the nodes of one graph over the program; both properties flow along its
//! edges from callee to caller, the second one also from the argument of a tail call or jump to the parameter.
//! Everything starts borrowed; what is left at the fixed point stays so. See Ullrich & de Moura 2019, section 5, from which
//! this differs in that returning a field does not require owning the whole (a lookup stays a borrow).

use cranelift_entity::{EntityRef, EntitySet, PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;

use super::source::{Source, prim_mode, prim_writes};
use super::types::Types;
use crate::components::components;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, JoinId, Mode, Op, RuntimeFn, RuntimeId, Stmt, Var};
use crate::walk;

/// The result: modes by function and parameter, and by join point.
pub struct Modes {
    pub functions: Vec<Vec<Mode>>,
    pub joins: Vec<JoinModes>,
    /// Could calling the function write to a mutable cell?
    pub writes: Vec<bool>,
    /// Can the function be reached again by tail calls through closures?
    pub circular: Vec<bool>,
}

/// Join points with a borrowed parameter.
#[derive(Default)]
pub struct JoinModes {
    pub modes: FxHashMap<JoinId, Vec<Mode>>,
    /// Parameters that borrow from a variable which is alive throughout the join point.
    pub bases: FxHashMap<Var, Var>,
}

pub fn infer(
    functions: &PrimaryMap<FuncId, Function>,
    runtime: &PrimaryMap<RuntimeId, RuntimeFn>,
    types: &Types,
) -> Modes {
    let calls = Calls::of(functions);
    let mut graph = Graph::default();
    let mut first = Vec::with_capacity(functions.len());
    for function in functions.values() {
        first.push(graph.nodes.len());
        for _ in &function.params {
            graph.nodes.push(Node::default());
        }
    }
    let mut joins = Vec::with_capacity(functions.len());
    for (id, function) in functions {
        let taken = calls.address_taken.contains(id);
        for (index, (&param, &mode)) in function.params.iter().zip(&function.modes).enumerate() {
            let node = first[id.index()] + index;
            if index < function.captures {
                graph.nodes[node].fixed = Fixed::Capture;
            } else if mode == Mode::Borrowed {
                graph.nodes[node].fixed = Fixed::Reference;
            } else if taken || !types.counted(function.vars[param].ty) {
                graph.seeds.push((node, Need::Own));
            }
        }
        let mut walker = Walker {
            function,
            runtime,
            types,
            graph: &mut graph,
            first: &first,
            component: &calls.component,
            own_component: calls.component[id.index()],
            roots: SecondaryMap::new(),
            bases: SecondaryMap::new(),
            joins: FxHashMap::default(),
            join_params: FxHashMap::default(),
            entries: FxHashMap::default(),
            cells: FxHashMap::default(),
        };
        for (index, &param) in function.params.iter().enumerate() {
            walker.roots[param] = Root::Node(first[id.index()] + index, Path::Direct);
        }
        walker.block(&function.body);
        let bases = walker.settle_entries();
        joins.push((walker.joins, bases));
    }
    graph.solve();
    let mode = |node: usize| if graph.nodes[node].own { Mode::Owned } else { Mode::Borrowed };
    Modes {
        functions: functions
            .iter()
            .map(|(id, function)| (0..function.params.len()).map(|index| mode(first[id.index()] + index)).collect())
            .collect(),
        joins: joins
            .into_iter()
            .map(|(joins, bases)| {
                let modes = joins
                    .into_iter()
                    .map(|(join, (first, count))| (join, (first..first + count).map(mode).collect::<Vec<_>>()));
                let modes = modes.filter(|(_, modes)| modes.contains(&Mode::Borrowed)).collect();
                JoinModes { modes, bases }
            })
            .collect(),
        circular: functions.keys().map(|id| calls.is_circular(id)).collect(),
        writes: calls.writes,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Own,
    /// Implies `Own`.
    Hard,
    /// Implies `Own`, also of a reference: nobody else could drop what is passed.
    Keep,
}

#[derive(Clone, Copy, Default)]
struct Node {
    own: bool,
    hard: bool,
    fixed: Fixed,
}

/// What may not be changed by what the body does.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fixed {
    #[default]
    Free,
    /// `&T` in the source: borrowed unless somebody would have to drop it after a tail call.
    Reference,
    /// Borrowed from the closure.
    Capture,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    seeds: Vec<(usize, Need)>,
    edges: Vec<Edge>,
}

/// If `from` has the condition, `to` has the need.
#[derive(Clone, Copy)]
struct Edge {
    from: usize,
    condition: Need,
    to: usize,
    need: Need,
}

impl Graph {
    fn edge(&mut self, from: usize, condition: Need, to: usize, need: Need) {
        self.edges.push(Edge { from, condition, to, need });
    }

    fn solve(&mut self) {
        self.edges.sort_by_key(|edge| edge.from);
        let mut work = std::mem::take(&mut self.seeds);
        while let Some((node, need)) = work.pop() {
            let state = &mut self.nodes[node];
            let never = match state.fixed {
                Fixed::Free => false,
                Fixed::Reference => need != Need::Keep && !state.own,
                Fixed::Capture => true,
            };
            if never || state.hard || (state.own && need != Need::Hard) {
                continue;
            }
            state.own = true;
            state.hard |= need == Need::Hard;
            let first = self.edges.partition_point(|edge| edge.from < node);
            for edge in self.edges[first..].iter().take_while(|edge| edge.from == node) {
                if edge.condition != Need::Hard || need == Need::Hard {
                    work.push((edge.to, edge.need));
                }
            }
        }
    }
}

/// How a value was reached from the parameter at its root.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Direct,
    /// Through fields only.
    Fields,
    /// Through an array or the like: owning the root does not give the value.
    Elements,
}

#[derive(Clone, Copy, Default)]
enum Root {
    /// Owned by the function, or dup'd when read.
    #[default]
    Local,
    Static,
    Node(usize, Path),
}

/// What jumps pass for a parameter, besides values that come from the parameter itself.
#[derive(Default)]
struct Entries {
    /// The variables that all of them are, or were read from, the nearest first; `None` before the first.
    bases: Option<Vec<Var>>,
    atoms: Vec<Atom>,
}

struct Walker<'a> {
    function: &'a Function,
    runtime: &'a PrimaryMap<RuntimeId, RuntimeFn>,
    types: &'a Types,
    graph: &'a mut Graph,
    /// The node of each function's first parameter.
    first: &'a [usize],
    component: &'a [u32],
    own_component: u32,
    roots: SecondaryMap<Var, Root>,
    /// What a variable was read from, and stays valid with.
    bases: SecondaryMap<Var, Option<Var>>,
    joins: FxHashMap<JoinId, (usize, usize)>,
    join_params: FxHashMap<JoinId, Vec<Var>>,
    /// By join point and parameter.
    entries: FxHashMap<JoinId, Vec<Entries>>,
    /// Parameters taken apart on the way here, by the size class of the cell.
    cells: FxHashMap<u32, Vec<usize>>,
}

impl Walker<'_> {
    fn root(&self, atom: Atom) -> Root {
        match atom {
            Atom::Var(var) => self.roots[var],
            _ => Root::Static,
        }
    }

    fn block(&mut self, block: &Block) {
        let mut opened = Vec::new();
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, op) => self.stmt(*var, op, block, &mut opened),
                Stmt::Join(join) => {
                    let first = self.graph.nodes.len();
                    for (index, &param) in join.params.iter().enumerate() {
                        self.graph.nodes.push(Node::default());
                        if !self.types.counted(self.function.vars[param].ty) {
                            self.graph.seeds.push((first + index, Need::Own));
                        }
                        self.roots[param] = Root::Node(first + index, Path::Direct);
                    }
                    self.joins.insert(join.id, (first, join.params.len()));
                    self.join_params.insert(join.id, join.params.clone());
                    self.block(&join.body);
                }
                Stmt::Fill { value, .. } => self.consume(*value, true),
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        match &block.end {
            End::Return(atom) => self.consume(*atom, false),
            End::Jump(join, args) => {
                let (first, _) = self.joins[join];
                for (index, &arg) in args.iter().enumerate() {
                    self.pass(arg, first + index);
                    self.enter(*join, first, index, arg);
                }
            }
            End::TailCall { callee, args, .. } => {
                for (index, &arg) in args.iter().enumerate() {
                    match callee {
                        Callee::Func(func) => {
                            let param = self.first[func.index()] + index;
                            self.pass(arg, param);
                            if self.component[func.index()] == self.own_component {
                                self.keep(arg, param);
                            }
                        }
                        Callee::Closure(_) | Callee::Consumed(_) => self.consume(arg, true),
                    }
                }
            }
            End::Switch(switch) => walk::switch_blocks(switch).for_each(|block| self.block(block)),
            End::Unreachable => {}
        }
        for class in opened {
            if let Some(nodes) = self.cells.get_mut(&class) {
                nodes.pop();
            }
        }
    }

    fn stmt(&mut self, var: Var, op: &Op, block: &Block, opened: &mut Vec<u32>) {
        if let Source::Field { base, .. } | Source::Element(base) = Source::of(op) {
            self.bases[var] = Some(base);
        }
        self.roots[var] = match Source::of(op) {
            Source::Owned | Source::Mutable(_) => Root::Local,
            Source::Static => Root::Static,
            Source::Field { base, variant, .. } => {
                let root = self.roots[base];
                match root {
                    Root::Node(node, path) => {
                        self.taken_apart(node, base, variant, opened);
                        let path = if path == Path::Elements { path } else { Path::Fields };
                        Root::Node(node, path)
                    }
                    Root::Local | Root::Static => root,
                }
            }
            Source::Element(base) => match self.roots[base] {
                Root::Node(node, _) => Root::Node(node, Path::Elements),
                root => root,
            },
        };
        match op {
            Op::Construct { variant, args, .. } => {
                let returned = matches!(block.end, End::Return(Atom::Var(result)) if result == var);
                args.iter().for_each(|&arg| self.consume(arg, !returned));
                if let Some(class) = self.types.cell_class(self.function.vars[var].ty, *variant)
                    && let Some(nodes) = self.cells.get(&class)
                {
                    self.graph.seeds.extend(nodes.iter().map(|&node| (node, Need::Hard)));
                }
            }
            Op::Closure(_, args) | Op::Array(args) => args.iter().for_each(|&arg| self.consume(arg, false)),
            Op::Copy(atom) | Op::GlobalSet(_, atom) => self.consume(*atom, true),
            Op::Prim(prim, args) => {
                for (index, &arg) in args.iter().enumerate() {
                    if prim_mode(*prim, index) == Mode::Owned {
                        self.consume(arg, true);
                    }
                }
            }
            Op::Call(Callee::Closure(_) | Callee::Consumed(_), args) => {
                args.iter().for_each(|&arg| self.consume(arg, true))
            }
            Op::Call(Callee::Func(func), args) => {
                for (index, &arg) in args.iter().enumerate() {
                    self.pass(arg, self.first[func.index()] + index);
                }
            }
            Op::CallRuntime(id, args) => {
                for (&arg, &(_, mode)) in args.iter().zip(&self.runtime[*id].params) {
                    if mode == Mode::Owned {
                        self.consume(arg, true);
                    }
                }
            }
            Op::CallForeign(..)
            | Op::Field { .. }
            | Op::Tag(_)
            | Op::GlobalGet(_)
            | Op::GlobalTake(_)
            | Op::FieldAddr { .. } => {}
        }
    }

    /// A cell under the parameter is taken apart: building one of the same size from here on could reuse it.
    fn taken_apart(&mut self, node: usize, base: Var, variant: u32, opened: &mut Vec<u32>) {
        if let Some(class) = self.types.cell_class(self.function.vars[base].ty, variant) {
            let nodes = self.cells.entry(class).or_default();
            if nodes.last() != Some(&node) {
                nodes.push(node);
                opened.push(class);
            }
        }
    }

    /// The value is consumed here; `in_place` when by something that may update it.
    fn consume(&mut self, atom: Atom, in_place: bool) {
        if let Root::Node(node, path) = self.root(atom) {
            match path {
                Path::Direct => self.graph.seeds.push((node, if in_place { Need::Hard } else { Need::Own })),
                Path::Fields if in_place => self.graph.seeds.push((node, Need::Hard)),
                Path::Fields | Path::Elements => {}
            }
        }
    }

    /// The value is passed as `param`: what that needs, its root needs.
    fn pass(&mut self, atom: Atom, param: usize) {
        if let Root::Node(node, path) = self.root(atom) {
            if path != Path::Elements {
                self.graph.edge(param, Need::Hard, node, Need::Hard);
            }
            if path == Path::Direct {
                self.graph.edge(param, Need::Own, node, Need::Own);
            }
        }
    }

    /// A jump passes the value for a parameter.
    fn enter(&mut self, join: JoinId, first: usize, index: usize, arg: Atom) {
        if matches!(self.root(arg), Root::Node(node, _) if node == first + index) {
            return;
        }
        let (_, count) = self.joins[&join];
        let entries = self.entries.entry(join).or_default();
        entries.resize_with(count, Entries::default);
        let entry = &mut entries[index];
        entry.atoms.push(arg);
        if let Atom::Var(var) = arg {
            let mut chain = vec![var];
            let mut at = var;
            while let Some(next) = self.bases[at] {
                chain.push(next);
                at = next;
            }
            match &mut entry.bases {
                None => entry.bases = Some(chain),
                Some(seen) => seen.retain(|base| chain.contains(base)),
            }
        }
    }

    /// Parameters whose values all come from one variable that the join point needs anyway may borrow from it. For
    /// the others, someone may have to drop what is passed.
    fn settle_entries(&mut self) -> FxHashMap<Var, Var> {
        let mut bases = FxHashMap::default();
        let counted = super::insert::counted_vars(self.function, self.types);
        if self.entries.is_empty() || counted.is_empty() {
            return bases;
        }
        let needs = super::liveness::join_needs(self.function, &counted);
        let mut entries: Vec<(JoinId, Vec<Entries>)> = std::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_unstable_by_key(|(join, _)| *join);
        let mut kept = Vec::new();
        for (join, entries) in entries {
            let (first, _) = self.joins[&join];
            for (index, entry) in entries.into_iter().enumerate() {
                let needed = |base: &Var| needs[join].binary_search(base).is_ok();
                if let Some(base) = entry.bases.into_iter().flatten().find(needed) {
                    bases.insert(self.join_params[&join][index], base);
                    continue;
                }
                kept.extend(entry.atoms.into_iter().map(|atom| (atom, first + index)));
            }
        }
        for (atom, param) in kept {
            // What another join point borrows from a variable ends with that variable.
            if matches!(atom, Atom::Var(var) if bases.contains_key(&self.origin(var))) {
                self.graph.seeds.push((param, Need::Keep));
            } else {
                self.keep(atom, param);
            }
        }
        bases
    }

    /// What the value was read from, in the end.
    fn origin(&self, var: Var) -> Var {
        let mut at = var;
        while let Some(next) = self.bases[at] {
            at = next;
        }
        at
    }

    /// Nobody can drop the value after it was passed as `param`: only what outlives the function may be borrowed.
    fn keep(&mut self, atom: Atom, param: usize) {
        match self.root(atom) {
            Root::Local => self.graph.seeds.push((param, Need::Keep)),
            Root::Node(node, _) => self.graph.edge(node, Need::Own, param, Need::Keep),
            Root::Static => {}
        }
    }
}

/// What the call graph says.
pub struct Calls {
    address_taken: EntitySet<FuncId>,
    /// Functions that tail-call each other in circles, possibly through closures, have the same number. The last one is
    /// that of the closures.
    component: Vec<u32>,
    writes: Vec<bool>,
}

impl Calls {
    /// Can the function be reached again by tail calls through closures?
    pub fn is_circular(&self, id: FuncId) -> bool {
        self.component.last() == Some(&self.component[id.index()])
    }

    pub fn of(functions: &PrimaryMap<FuncId, Function>) -> Calls {
        let closures = functions.next_key();
        let mut tails: Vec<Vec<FuncId>> = vec![Vec::new(); functions.len() + 1];
        let mut callers: Vec<Vec<FuncId>> = vec![Vec::new(); functions.len()];
        let mut address_taken = EntitySet::new();
        let mut writes = vec![false; functions.len()];
        for (id, function) in functions {
            if let Some(consuming) = function.consuming {
                address_taken.insert(consuming);
                tails[closures.index()].push(consuming);
            }
            let mut blocks = vec![&function.body];
            while let Some(block) = blocks.pop() {
                for stmt in &block.stmts {
                    match stmt {
                        Stmt::Join(join) => blocks.push(&join.body),
                        Stmt::Let(_, Op::Closure(func, _)) if address_taken.insert(*func) => {
                            tails[closures.index()].push(*func);
                        }
                        Stmt::Let(_, Op::Call(Callee::Func(func), _)) => callers[func.index()].push(id),
                        Stmt::Let(_, Op::Call(Callee::Closure(_) | Callee::Consumed(_), _)) => {
                            writes[id.index()] = true
                        }
                        Stmt::Let(_, Op::Prim(prim, _)) => writes[id.index()] |= prim_writes(*prim),
                        _ => {}
                    }
                }
                match &block.end {
                    End::TailCall { callee: Callee::Func(func), .. } => {
                        callers[func.index()].push(id);
                        tails[id.index()].push(*func);
                    }
                    End::TailCall { callee: Callee::Closure(_) | Callee::Consumed(_), .. } => {
                        writes[id.index()] = true;
                        tails[id.index()].push(closures);
                    }
                    End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
                    End::Return(_) | End::Jump(..) | End::Unreachable => {}
                }
            }
        }
        let mut work: Vec<FuncId> = functions.keys().filter(|id| writes[id.index()]).collect();
        while let Some(id) = work.pop() {
            for &caller in &callers[id.index()] {
                if !std::mem::replace(&mut writes[caller.index()], true) {
                    work.push(caller);
                }
            }
        }
        Calls { address_taken, component: components(&tails), writes }
    }
}
