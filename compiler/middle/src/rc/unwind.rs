//! Which calls may be left by unwinding, or have their stack copied?
//!
//! An operation whose clause does not resume leaves the computation that performs it; one that resumes later may never be resumed.
//! Then the frames in between never run again, and the runtime drops what they own: the *roots* that [`super::insert`] notes at
//! every call that may get there. The program is closed, so these calls are found: functions that abort or suspend, those that call
//! them, and closures of a type of which some closure of the program may.
//!
//! What lies in memory must be whole during such a call: an element that would be missing in its array then is not taken out to be changed, but copied.

use cranelift_entity::{EntityRef, PrimaryMap};
use reml_semantics::types::{Type, TypeId, TypeStore};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::core::{Atom, Block, Callee, End, FuncId, Function, GlobalId, Op, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

#[derive(Default)]
pub struct Unwinds {
    functions: Vec<bool>,
    closures: FxHashSet<TypeId>,
    any: bool,
    /// Some operation is reentrant.
    copies: bool,
    /// Closures may have code that is not part of the program.
    open: bool,
}

/// A function, or the closures of a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Func(FuncId),
    Closures(TypeId),
}

impl Unwinds {
    /// `open`: other versions of the program make closures, too.
    pub fn of(functions: &PrimaryMap<FuncId, Function>, open: bool) -> Unwinds {
        let mut callers: FxHashMap<Node, Vec<Node>> = FxHashMap::default();
        let mut work: Vec<Node> = Vec::new();
        let mut copies = false;
        for (id, function) in functions {
            let this = Node::Func(id);
            each_block(&function.body, &mut |block| {
                for stmt in &block.stmts {
                    match stmt {
                        Stmt::Let(_, Op::Prim(prim, args)) if prim.may_unwind() => {
                            work.push(this);
                            copies |= *prim == PrimOp::FiberSuspend && !matches!(args[2], Atom::Int(0, _));
                        }
                        Stmt::Let(_, Op::Call(callee, _)) => match callee {
                            Callee::Closure(_) | Callee::Consumed(_) if open => work.push(this),
                            _ => callers.entry(callee_node(*callee, function)).or_default().push(this),
                        },
                        Stmt::Let(var, Op::Closure(func, _)) => {
                            let closures = Node::Closures(function.vars[*var].ty);
                            callers.entry(Node::Func(*func)).or_default().push(closures);
                        }
                        _ => {}
                    }
                }
                match &block.end {
                    End::TailCall { callee: Callee::Closure(_) | Callee::Consumed(_), .. } if open => work.push(this),
                    End::TailCall { callee, .. } => {
                        callers.entry(callee_node(*callee, function)).or_default().push(this);
                    }
                    _ => {}
                }
            });
        }
        let mut unwinds = Unwinds { functions: vec![false; functions.len()], ..Unwinds::default() };
        unwinds.any = open || !work.is_empty();
        unwinds.copies = open || copies;
        unwinds.open = open;
        while let Some(node) = work.pop() {
            let new = match node {
                Node::Func(func) => !std::mem::replace(&mut unwinds.functions[func.index()], true),
                Node::Closures(ty) => unwinds.closures.insert(ty),
            };
            if new && let Some(callers) = callers.get(&node) {
                work.extend_from_slice(callers);
            }
        }
        unwinds
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    /// May a call of the function be left? Functions made since the analysis may.
    pub fn may_leave_function(&self, func: FuncId) -> bool {
        self.any && self.functions.get(func.index()).copied().unwrap_or(true)
    }

    /// May the function go on more than once from some call? Then what its frame holds is copied, and what its cells hold is not.
    pub fn may_copy(&self, func: FuncId) -> bool {
        self.copies && self.may_leave_function(func)
    }

    /// May this operation of a function with these variables be left?
    pub fn may_leave(&self, op: &Op, vars: &PrimaryMap<Var, VarInfo>) -> bool {
        self.any
            && match op {
                Op::Prim(prim, _) => prim.may_unwind(),
                Op::Call(Callee::Func(func), _) => self.functions[func.index()],
                Op::Call(Callee::Closure(closure) | Callee::Consumed(closure), _) => {
                    self.open || closure_type(*closure, vars).is_none_or(|ty| self.closures.contains(&ty))
                }
                _ => false,
            }
    }

    /// Leaves no holes in memory during calls that may be left.
    pub fn fill_holes(&self, function: &mut Function, types: &TypeStore) {
        let mut leaves = false;
        let mut globals = FxHashMap::default();
        if self.any {
            each_block(&function.body, &mut |block| {
                for stmt in &block.stmts {
                    match stmt {
                        Stmt::Let(var, Op::GlobalGet(global)) => drop(globals.insert(*var, *global)),
                        Stmt::Let(_, op) => leaves |= self.may_leave(op, &function.vars),
                        _ => {}
                    }
                }
            });
        }
        if leaves {
            let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
            Holes { unwinds: self, globals, types }.fill(&mut body, &mut function.vars);
            function.body = body;
        }
    }
}

fn closure_type(closure: Atom, vars: &PrimaryMap<Var, VarInfo>) -> Option<TypeId> {
    match closure {
        Atom::Var(var) => Some(vars[var].ty),
        _ => None,
    }
}

fn callee_node(callee: Callee, function: &Function) -> Node {
    match callee {
        Callee::Func(func) => Node::Func(func),
        Callee::Closure(closure) | Callee::Consumed(closure) => match closure_type(closure, &function.vars) {
            Some(ty) => Node::Closures(ty),
            None => unreachable!("only variables hold closures"),
        },
    }
}

fn each_block(block: &Block, f: &mut impl FnMut(&Block)) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        f(block);
        blocks.extend(block.stmts.iter().filter_map(|stmt| match stmt {
            Stmt::Join(join) => Some(&join.body),
            _ => None,
        }));
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
}

/// Where holes are open during calls that may be left.
struct Holes<'f> {
    unwinds: &'f Unwinds,
    /// Cells that were read from globals.
    globals: FxHashMap<Var, GlobalId>,
    types: &'f TypeStore,
}

impl Holes<'_> {
    /// Is a cell that was taken from filled again in these statements, which follow, before anything may leave?
    fn is_filled(&self, cell: Option<&Atom>, following: &[Stmt], vars: &PrimaryMap<Var, VarInfo>) -> bool {
        let Some(Atom::Var(cell)) = cell else { return false };
        let is_same = |other: Var| {
            other == *cell || self.globals.contains_key(cell) && self.globals.get(&other) == self.globals.get(cell)
        };
        for stmt in following {
            match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::CellSet, args)) if matches!(args[0], Atom::Var(it) if is_same(it)) => {
                    return true;
                }
                Stmt::Let(_, op) if self.unwinds.may_leave(op, vars) => return false,
                _ => {}
            }
        }
        false
    }

    /// What fills the place that an element was taken from, if that is among these statements and nothing before it may leave. `taken` is the array
    /// and the element.
    fn filled_by(&self, taken: Var, following: &[Stmt], vars: &PrimaryMap<Var, VarInfo>) -> Option<Var> {
        let mut array = None;
        for stmt in following {
            match stmt {
                Stmt::Let(var, Op::Field { base, index: 0, .. }) if *base == Atom::Var(taken) => array = Some(*var),
                Stmt::Let(var, Op::Prim(PrimOp::ArrayPut, args)) if array.map(Atom::Var) == Some(args[0]) => {
                    return Some(*var);
                }
                Stmt::Let(_, op) if self.unwinds.may_leave(op, vars) => return None,
                _ => {}
            }
        }
        None
    }

    fn fill(&self, block: &mut Block, vars: &mut PrimaryMap<Var, VarInfo>) {
        let stmts = std::mem::take(&mut block.stmts);
        let mut puts = FxHashSet::default();
        let keeps: Vec<bool> = stmts
            .iter()
            .enumerate()
            .map(|(at, stmt)| match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::CellTake, args)) => self.is_filled(args.first(), &stmts[at + 1..], vars),
                Stmt::Let(var, Op::Prim(PrimOp::ArrayTake, _)) => {
                    self.filled_by(*var, &stmts[at + 1..], vars).is_some_and(|put| puts.insert(put))
                }
                Stmt::Let(var, Op::Prim(PrimOp::ArrayPut, _)) => puts.contains(var),
                _ => false,
            })
            .collect();
        let mut out = Vec::with_capacity(stmts.len());
        for (mut stmt, keep) in stmts.into_iter().zip(keeps) {
            match &mut stmt {
                _ if keep => {}
                Stmt::Let(var, Op::Prim(PrimOp::ArrayTake, args)) => {
                    let VarInfo { ty, span, .. } = vars[*var].clone();
                    let Type::Tuple(parts) = self.types.get(ty) else { unreachable!("the array and its element") };
                    let element = vars.push(VarInfo { ty: parts[1], name: None, span });
                    out.push(Stmt::Let(element, Op::Prim(PrimOp::ArrayGet, args.clone())));
                    let args = vec![args[0], Atom::Var(element)];
                    out.push(Stmt::Let(*var, Op::Construct { variant: 0, args, token: None }));
                    continue;
                }
                Stmt::Let(_, Op::Prim(prim @ PrimOp::ArrayPut, _)) => *prim = PrimOp::ArraySetUnchecked,
                Stmt::Let(_, Op::Prim(prim @ PrimOp::CellTake, _)) => *prim = PrimOp::CellGet,
                Stmt::Join(join) => self.fill(&mut join.body, vars),
                _ => {}
            }
            out.push(stmt);
        }
        block.stmts = out;
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.fill(block, vars));
        }
    }
}
