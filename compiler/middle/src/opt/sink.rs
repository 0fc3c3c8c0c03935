//! What need not be built on every way through a function? What only some branches use is built in those: closures for the rare
//! case, say, that the common case has been specialised for.

use cranelift_entity::{PrimaryMap, SecondaryMap};

use super::copy::substitute;
use super::makers::Runners;
use crate::core::{Atom, Block, Callee, End, Function, Op, Stmt, Var, VarInfo};
use crate::walk;

/// A closure is built in no more places than this instead of one.
const COPIES: usize = 4;

/// Moves what builds closures, and arrays of them, to where they are used.
pub fn sink(function: &mut Function, runners: &Runners) {
    let mut sinker = Sinker { vars: &mut function.vars, runners };
    sinker.block(&mut function.body);
}

struct Sinker<'a> {
    vars: &'a mut PrimaryMap<Var, VarInfo>,
    runners: &'a Runners,
}

impl Sinker<'_> {
    fn block(&mut self, block: &mut Block) {
        // Last first: what one builds of others takes them along.
        for at in (0..block.stmts.len()).rev() {
            let Stmt::Let(var, op) = &block.stmts[at] else { continue };
            if self.builds(op) && !uses_directly(block, *var) {
                let stmt = block.stmts.remove(at);
                if let Stmt::Let(var, op) = stmt {
                    self.place(block, at, var, op);
                }
            }
        }
        each_child(block, &mut |child, _| self.block(child));
    }

    /// Builds a value in the block, from `at` on, or in those inside of it that use it. Loops would build it again and again.
    fn place(&mut self, block: &mut Block, at: usize, var: Var, op: Op) {
        let mut users = 0;
        let mut looping = false;
        each_child(block, &mut |child, recursive| {
            if mentions(child, var) {
                users += 1;
                looping |= recursive;
            }
        });
        if uses_directly(block, var) || looping || users > COPIES {
            block.stmts.insert(at, Stmt::Let(var, op));
            return;
        }
        let mut first = true;
        each_child(block, &mut |child, _| {
            if !mentions(child, var) {
                return;
            }
            if std::mem::replace(&mut first, false) {
                self.place(child, 0, var, op.clone());
                return;
            }
            let info = self.vars[var].clone();
            let copy = self.vars.push(info);
            let mut renamed = SecondaryMap::new();
            renamed[var] = Some(Atom::Var(copy));
            substitute(child, &renamed);
            self.place(child, 0, copy, op.clone());
        });
    }

    fn builds(&self, op: &Op) -> bool {
        match op {
            Op::Closure(..) | Op::Array(_) => true,
            Op::Call(Callee::Func(func), args) => args.is_empty() && self.runners[*func].is_some(),
            _ => false,
        }
    }
}

/// Calls `f` with the blocks inside of a block, and whether each may run more than once.
fn each_child(block: &mut Block, f: &mut impl FnMut(&mut Block, bool)) {
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            f(&mut join.body, join.recursive);
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|branch| f(branch, false));
    }
}

/// Whether a block itself uses a variable, rather than one inside of it.
fn uses_directly(block: &Block, var: Var) -> bool {
    let mut found = false;
    let mut see = |atom| found |= atom == Atom::Var(var);
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let(_, op) => walk::op_atoms(op, &mut see),
            Stmt::Fill { addr, value } => {
                see(Atom::Var(*addr));
                see(*value);
            }
            Stmt::Join(_) | Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
        }
    }
    walk::end_atoms(&block.end, &mut see);
    found
}

fn mentions(block: &Block, var: Var) -> bool {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        if uses_directly(block, var) {
            return true;
        }
        blocks.extend(block.stmts.iter().filter_map(|stmt| match stmt {
            Stmt::Join(join) => Some(&join.body),
            _ => None,
        }));
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
    false
}
