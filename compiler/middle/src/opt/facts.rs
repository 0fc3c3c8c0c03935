//! What does a block say about its own variables and join points? One scan before each round of simplification.

use cranelift_entity::{EntitySet, SecondaryMap};

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
    /// For each parameter, what every jump passes.
    pub args: Vec<ArgFact>,
}

#[derive(Clone, Copy, Default)]
pub struct ArgFact {
    pub meet: Meet,
    /// Some jump passes a constructor or a literal.
    pub known: bool,
    /// Nothing reads the parameter except to pass it to itself.
    pub dead: bool,
    own: u32,
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
    uses: SecondaryMap<Var, u32>,
    built: EntitySet<Var>,
    params: SecondaryMap<JoinId, Vec<Var>>,
}

impl Facts {
    /// Adds what a block says. Its join points must not be known yet.
    pub fn scan(&mut self, block: &Block) {
        self.definitions(block);
        self.block(block, 1);
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
    fn block(&mut self, block: &Block, times: u32) {
        walk::end_atoms(&block.end, &mut |atom| self.mention(atom));
        match &block.end {
            End::Jump(join, args) => self.jump(*join, args, times),
            End::Switch(switch) => walk::switch_blocks(switch).for_each(|block| self.block(block, times)),
            End::Return(_) | End::TailCall { .. } | End::Unreachable => {}
        }
        for stmt in block.stmts.iter().rev() {
            match stmt {
                Stmt::Let(_, op) => walk::op_atoms(op, &mut |atom| self.mention(atom)),
                Stmt::Join(join) => {
                    let facts = &mut self.joins[join.id];
                    facts.small = !join.recursive && is_small(join);
                    let repeated = facts.small || dispatch_param(join).is_some();
                    let times = if repeated && facts.jumps > 1 { times.saturating_mul(2) } else { times };
                    self.block(&join.body, times);
                }
                Stmt::Fill { addr, value } => {
                    self.mention(Atom::Var(*addr));
                    self.mention(*value);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
    }

    fn mention(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.uses[var] += 1;
        }
    }

    pub fn jump(&mut self, join: JoinId, args: &[Atom], times: u32) {
        let params = &self.params[join];
        let facts = &mut self.joins[join];
        facts.jumps = facts.jumps.saturating_add(times);
        facts.args.resize(args.len(), ArgFact::default());
        for (index, (&arg, fact)) in args.iter().zip(&mut facts.args).enumerate() {
            if params.get(index).is_some_and(|&param| arg == Atom::Var(param)) {
                fact.own += 1;
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
                    fact.dead = self.uses[param] == fact.own;
                }
                self.dead(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.dead(block));
        }
    }
}

/// The parameter that a join switches on before it does anything that matters.
pub fn dispatch_param(join: &Join) -> Option<usize> {
    let End::Switch(switch) = &join.body.end else { return None };
    let Atom::Var(scrutinee) = switch.scrutinee else { return None };
    let index = join.params.iter().position(|&param| param == scrutinee)?;
    let cheap = !join.recursive
        && join.body.stmts.len() <= 3
        && join.body.stmts.iter().all(|stmt| match stmt {
            Stmt::Let(_, Op::Copy(_) | Op::Field { .. } | Op::Tag(_)) => true,
            Stmt::Let(_, Op::Prim(prim, _)) => prim.effect() == PrimEffect::Pure,
            _ => false,
        });
    cheap.then_some(index)
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
