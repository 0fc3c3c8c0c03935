//! What does a block say about its own variables and join points? One scan before each round of simplification.

use cranelift_entity::{EntitySet, SecondaryMap};

use super::removal::Removal;
use crate::core::{Atom, Block, Case, End, Join, JoinId, Op, Stmt, Var};
use crate::prim::{PrimEffect, PrimOp};
use crate::walk;

/// A body that is cheaper to repeat than to jump to.
const SMALL: usize = 6;

#[derive(Clone, Default)]
pub struct JoinFacts {
    /// How many jumps there are (counting those that repetition of small bodies will make).
    pub jumps: u32,
    pub small: bool,
    /// The body switches on this variable, which is defined outside of it.
    pub outer: Option<Var>,
    /// And some jump knows its value.
    pub outer_known: bool,
    /// For each parameter, what every jump passes.
    pub args: Vec<ArgFact>,
}

#[derive(Clone, Copy, Default)]
pub struct ArgFact {
    pub meet: Meet,
    /// Some jump passes a constructor or a literal.
    pub known: bool,
    /// Nothing that matters depends on the parameter: it is read only for what is itself not used.
    pub dead: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Meet {
    #[default]
    Nothing,
    Same(Atom),
    Many,
}

#[derive(Default)]
pub struct Facts {
    pub joins: SecondaryMap<JoinId, JoinFacts>,
    built: EntitySet<Var>,
    params: SecondaryMap<JoinId, Vec<Var>>,
    needs: Needs,
    /// What the switches around are on.
    arms: Vec<Var>,
}

impl Facts {
    /// Adds what a block says. Its join points must not be known yet.
    pub fn scan(&mut self, block: &Block, removal: Removal) {
        self.definitions(block);
        self.needs.clear();
        self.block(block, 1, removal);
        self.needs.spread();
        self.dead(block);
    }

    fn definitions(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, Op::Construct { .. } | Op::Closure(..)) => {
                    self.built.insert(*var);
                }
                Stmt::Join(join) => {
                    let facts = &mut self.joins[join.id];
                    facts.args.resize(join.params.len(), ArgFact::default());
                    if let Some(Dispatch::Outer(var)) = dispatch(join) {
                        facts.outer = Some(var);
                    }
                    self.params[join.id].clone_from(&join.params);
                    self.definitions(&join.body);
                }
                _ => {}
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.definitions(block));
        }
    }

    /// Backwards, so that the jumps to a join are counted before its body is looked at.
    fn block(&mut self, block: &Block, times: u32, removal: Removal) {
        match &block.end {
            End::Jump(join, args) => self.jump(*join, args, times),
            End::Switch(switch) => {
                self.needs.always(switch.scrutinee);
                let around = self.arms.len();
                if let Atom::Var(var) = switch.scrutinee {
                    self.arms.push(var);
                }
                walk::switch_blocks(switch).for_each(|block| self.block(block, times, removal));
                self.arms.truncate(around);
            }
            end @ (End::Return(_) | End::TailCall { .. } | End::Unreachable) => {
                walk::end_atoms(end, &mut |atom| self.needs.always(atom));
            }
        }
        for stmt in block.stmts.iter().rev() {
            match stmt {
                Stmt::Let(var, op) if removal.allows(op) => {
                    walk::op_atoms(op, &mut |atom| self.needs.by(*var, atom));
                }
                Stmt::Let(_, op) => walk::op_atoms(op, &mut |atom| self.needs.always(atom)),
                Stmt::Join(join) => {
                    let facts = &mut self.joins[join.id];
                    facts.small = !join.recursive && is_small(join);
                    let repeated = facts.small
                        || match dispatch(join) {
                            Some(Dispatch::Param(_)) => true,
                            Some(Dispatch::Outer(_)) => facts.outer_known,
                            None => false,
                        };
                    let times = if repeated && facts.jumps > 1 { times.saturating_mul(2) } else { times };
                    self.block(&join.body, times, removal);
                }
                Stmt::Fill { addr, value } => {
                    self.needs.always(Atom::Var(*addr));
                    self.needs.always(*value);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
    }

    fn jump(&mut self, join: JoinId, args: &[Atom], times: u32) {
        let params = &self.params[join];
        let facts = &mut self.joins[join];
        facts.jumps = facts.jumps.saturating_add(times);
        facts.outer_known |= facts.outer.is_some_and(|var| self.arms.contains(&var));
        facts.args.resize(args.len(), ArgFact::default());
        for (index, (&arg, fact)) in args.iter().zip(&mut facts.args).enumerate() {
            match params.get(index) {
                Some(&param) => self.needs.by(param, arg),
                None => self.needs.always(arg),
            }
            if params.get(index).is_some_and(|&param| arg == Atom::Var(param)) {
                continue;
            }
            fact.known |= match arg {
                Atom::Var(var) => self.built.contains(var),
                Atom::Int(..) | Atom::Bool(_) => true,
                _ => false,
            };
            fact.meet = match fact.meet {
                Meet::Nothing => Meet::Same(arg),
                Meet::Same(seen) if seen == arg => fact.meet,
                _ => Meet::Many,
            };
        }
    }

    fn dead(&mut self, block: &Block) {
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                for (fact, &param) in self.joins[join.id].args.iter_mut().zip(&join.params) {
                    fact.dead = !self.needs.needed.contains(param);
                }
                self.dead(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.dead(block));
        }
    }
}

/// Which variables does something depend on that matters? What a removable operation reads is needed where its result is, what a
/// jump passes where the parameter is.
#[derive(Default)]
struct Needs {
    needed: EntitySet<Var>,
    /// Needed, and what they depend on is still to be marked.
    work: Vec<Var>,
    /// Each variable with one that it depends on.
    by: Vec<(Var, Var)>,
}

impl Needs {
    fn clear(&mut self) {
        self.by.clear();
        self.work.clear();
    }

    fn always(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom
            && self.needed.insert(var)
        {
            self.work.push(var);
        }
    }

    fn by(&mut self, var: Var, atom: Atom) {
        if let Atom::Var(used) = atom {
            if self.needed.contains(var) {
                self.always(atom);
            } else if var != used {
                self.by.push((var, used));
            }
        }
    }

    fn spread(&mut self) {
        self.by.sort_unstable();
        while let Some(var) = self.work.pop() {
            let first = self.by.partition_point(|&(other, _)| other < var);
            for index in first..self.by.len() {
                let (other, used) = self.by[index];
                if other != var {
                    break;
                }
                self.always(Atom::Var(used));
            }
        }
    }
}

/// What a join switches on before it does anything that matters.
#[derive(Clone, Copy)]
pub enum Dispatch {
    /// The parameter of this index.
    Param(usize),
    /// A variable that is defined outside.
    Outer(Var),
}

pub fn dispatch(join: &Join) -> Option<Dispatch> {
    let End::Switch(switch) = &join.body.end else { return None };
    let Atom::Var(scrutinee) = switch.scrutinee else { return None };
    let mut inside = false;
    let mut lets = 0;
    let cheap = !join.recursive
        && join.body.stmts.iter().all(|stmt| match stmt {
            Stmt::Join(_) => true,
            Stmt::Let(var, op) => {
                lets += 1;
                inside |= *var == scrutinee;
                match op {
                    Op::Copy(_) | Op::Field { .. } | Op::Tag(_) => true,
                    Op::Prim(prim, _) => prim.effect() == PrimEffect::Pure,
                    _ => false,
                }
            }
            _ => false,
        });
    if !cheap || lets > 3 {
        return None;
    }
    match join.params.iter().position(|&param| param == scrutinee) {
        Some(index) => Some(Dispatch::Param(index)),
        None => (!inside).then_some(Dispatch::Outer(scrutinee)),
    }
}

fn is_small(join: &Join) -> bool {
    let mut room = SMALL;
    small_block(&join.body, &mut room)
}

fn small_block(block: &Block, room: &mut usize) -> bool {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let(_, Op::Call(..) | Op::CallForeign(..)) | Stmt::Join(_) => return false,
            Stmt::Let(_, Op::Copy(_)) => {}
            _ => {
                if *room == 0 {
                    return false;
                }
                *room -= 1;
            }
        }
    }
    match &block.end {
        End::Return(_) | End::Jump(..) | End::Unreachable => true,
        End::TailCall { .. } => block.stmts.is_empty(),
        End::Switch(switch) => {
            if *room < 3 || switch.cases.len() > 3 {
                return false;
            }
            *room -= 3;
            walk::switch_blocks(switch).all(|block| small_block(block, room))
        }
    }
}

/// A rough count of instructions.
pub fn size(block: &Block) -> usize {
    let mut total = 0;
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            total += match stmt {
                Stmt::Let(_, Op::Copy(_) | Op::GlobalGet(_) | Op::Prim(PrimOp::KeepAlive, _)) => 0,
                Stmt::Let(_, Op::Call(_, args) | Op::CallRuntime(_, args) | Op::CallForeign(_, args)) => 3 + args.len(),
                Stmt::Let(_, Op::Construct { args, .. } | Op::Closure(_, args) | Op::Array(args)) => 1 + args.len(),
                Stmt::Let(..) => 1,
                Stmt::Join(join) => {
                    blocks.push(&join.body);
                    1
                }
                _ => 1,
            };
        }
        match &block.end {
            End::Return(_) => {}
            End::Jump(_, args) => total += 1 + args.len() / 2,
            End::TailCall { args, .. } => total += 3 + args.len(),
            End::Switch(switch) => {
                total += 1 + switch.cases.len();
                blocks.extend(walk::switch_blocks(switch));
            }
            End::Unreachable => {}
        }
    }
    total
}

/// The case of a switch that a literal scrutinee takes.
pub fn literal_case(atom: Atom, case: Case) -> Option<bool> {
    match (atom, case) {
        (Atom::Int(value, _), Case::Int(wanted)) => Some(value == wanted),
        (Atom::Int(value, _), Case::Variant(wanted)) => Some(value == i128::from(wanted)),
        (Atom::Bool(value), Case::Bool(wanted)) => Some(value == wanted),
        (Atom::Int(value, _), Case::Bool(wanted)) => Some((value != 0) == wanted),
        _ => None,
    }
}
