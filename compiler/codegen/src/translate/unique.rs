//! Which array variables certainly hold the only reference to their array?
//!
//! Updating such an array needs no look at its count, and the result is the same pointer, so that a loop that updates an array
//! carries it in one register. An array is born unique, updates keep it so, and it stays so as long as nothing
//! duplicates it or lends it to a function that could. Join parameters are unique when all that is passed to them is; for
//! a loop that updates its array, the code that enters the loop makes it so (`forced`): a shared array is
//! then copied once, before the loop instead of in its first updating turn.

use cranelift_entity::{EntitySet, SecondaryMap};
use reml_middle::core::{Atom, Block, Callee, End, Function, JoinId, Mode, Op, Stmt, Var};
use reml_middle::prim::PrimOp;
use reml_semantics::types::Type;

use crate::plan::Plan;

#[derive(Default)]
pub struct Unique {
    vars: EntitySet<Var>,
    /// Parameters of loops that are unique only because whoever enters the loop sees to it.
    forced: EntitySet<Var>,
}

/// A value on its way to a join parameter.
struct Edge {
    param: Var,
    arg: Atom,
    /// It enters a loop.
    entry: bool,
}

struct Survey<'a> {
    plan: &'a Plan<'a>,
    function: &'a Function,
    unique: EntitySet<Var>,
    disqualified: EntitySet<Var>,
    edges: Vec<Edge>,
    /// The loops around the code being looked at.
    inside: Vec<JoinId>,
    params: SecondaryMap<JoinId, Option<&'a [Var]>>,
    loops: EntitySet<JoinId>,
    /// Arrays that are updated, here or in a join point they are passed to. (Updates consume: these are owned.)
    updated: EntitySet<Var>,
}

impl Unique {
    pub fn of(plan: &Plan, function: &Function) -> Unique {
        let mut survey = Survey {
            plan,
            function,
            unique: EntitySet::new(),
            disqualified: EntitySet::new(),
            edges: Vec::new(),
            inside: Vec::new(),
            params: SecondaryMap::new(),
            loops: EntitySet::new(),
            updated: EntitySet::new(),
        };
        survey.block(&function.body);
        if survey.updated.is_empty() {
            return Unique::default();
        }
        survey.solve()
    }

    pub fn contains(&self, var: Var) -> bool {
        self.vars.contains(var)
    }

    pub fn is_unique(&self, atom: Atom) -> bool {
        matches!(atom, Atom::Var(var) if self.contains(var))
    }

    pub fn is_forced(&self, param: Var) -> bool {
        self.forced.contains(param)
    }
}

impl<'a> Survey<'a> {
    fn is_array(&self, var: Var) -> bool {
        let plan = self.plan;
        matches!(plan.types.get(plan.info(self.function.vars[var].ty).bare), Type::Array(_))
    }

    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, op) => self.op(*var, op),
                Stmt::Join(join) => {
                    self.params[join.id] = Some(&join.params);
                    for &param in &join.params {
                        if self.is_array(param) {
                            self.unique.insert(param);
                        }
                    }
                    if join.recursive {
                        self.loops.insert(join.id);
                        self.inside.push(join.id);
                    }
                    self.block(&join.body);
                    if join.recursive {
                        self.inside.pop();
                    }
                }
                Stmt::Dup(var) => {
                    self.disqualified.insert(*var);
                }
                Stmt::Release { moved, .. } => {
                    // The fields may be duplicated.
                    self.disqualified.extend(moved.iter().map(|&(_, var)| var));
                }
                Stmt::Fill { .. } | Stmt::Drop(_) | Stmt::FreeToken(_) => {}
            }
        }
        match &block.end {
            End::Jump(join, args) => self.jump(*join, args),
            End::TailCall { callee, args, .. } => self.call(*callee, args),
            End::Switch(switch) => {
                for block in switch.cases.iter().map(|(_, block)| block).chain(switch.default.as_deref()) {
                    self.block(block);
                }
            }
            End::Return(_) | End::Unreachable => {}
        }
    }

    fn jump(&mut self, join: JoinId, args: &[Atom]) {
        let Some(params) = self.params[join] else { return };
        let entry = self.loops.contains(join) && !self.inside.contains(&join);
        for (&param, &arg) in params.iter().zip(args) {
            if self.is_array(param) {
                self.edges.push(Edge { param, arg, entry });
            }
        }
    }

    fn op(&mut self, var: Var, op: &Op) {
        match op {
            Op::Array(_) => {
                self.unique.insert(var);
            }
            Op::Prim(prim, args) => {
                use PrimOp::*;
                match prim {
                    ArraySet | ArraySetUnchecked | ArrayPush | ArrayPop | ArrayAppend | ArraySwap | ArrayPut => {
                        self.update(args[0]);
                        self.unique.insert(var);
                        // The second array of `append` is read only; the same variable may stand for both.
                        if *prim == ArrayAppend {
                            self.disqualify(args[1]);
                        }
                    }
                    ArrayTake => self.update(args[0]),
                    ArrayFilled | ArrayWithCapacity | ArraySlice => {
                        self.unique.insert(var);
                    }
                    BlackBox | Disguise => args.iter().for_each(|&arg| self.disqualify(arg)),
                    _ => {}
                }
            }
            Op::Call(callee, args) => self.call(*callee, args),
            Op::CallRuntime(id, args) => {
                for (&arg, &(_, mode)) in args.iter().zip(&self.plan.program.runtime[*id].params) {
                    if mode == Mode::Borrowed {
                        self.disqualify(arg);
                    }
                }
            }
            Op::Copy(atom) => self.disqualify(*atom),
            _ => {}
        }
    }

    fn update(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.updated.insert(var);
        }
    }

    /// A function that borrows an array may keep a reference to it.
    fn call(&mut self, callee: Callee, args: &[Atom]) {
        let Callee::Func(id) = callee else { return };
        for (&arg, &mode) in args.iter().zip(&self.plan.program.funcs[id].modes) {
            if mode == Mode::Borrowed {
                self.disqualify(arg);
            }
        }
    }

    fn disqualify(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.disqualified.insert(var);
        }
    }

    /// Assumes the best of all join parameters and takes back what cannot be.
    fn solve(mut self) -> Unique {
        for var in self.disqualified.iter() {
            self.unique.remove(var);
        }
        let mut changed = true;
        while changed {
            changed = false;
            for edge in &self.edges {
                if let Atom::Var(var) = edge.arg
                    && self.updated.contains(edge.param)
                {
                    changed |= self.updated.insert(var);
                }
            }
        }
        changed = true;
        while changed {
            changed = false;
            for edge in &self.edges {
                let known = matches!(edge.arg, Atom::Var(var) if self.unique.contains(var));
                let may_force = edge.entry && self.updated.contains(edge.param);
                if !known && !may_force && self.unique.contains(edge.param) {
                    self.unique.remove(edge.param);
                    changed = true;
                }
            }
        }
        let mut forced = EntitySet::new();
        for edge in &self.edges {
            if self.unique.contains(edge.param) && !matches!(edge.arg, Atom::Var(var) if self.unique.contains(var)) {
                forced.insert(edge.param);
            }
        }
        Unique { vars: self.unique, forced }
    }
}
