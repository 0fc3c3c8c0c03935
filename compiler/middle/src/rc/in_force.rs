//! How long does a handler live? As long as it is in force: until it is taken back, or, where that never comes, for good.
//!
//! A computation that does not return takes nothing back, and nothing mentions its handler after it has begun. So the handlers in force are
//! mentioned where control cannot get to, and, if they are never taken back, in every turn of a loop.

use cranelift_entity::EntitySet;
use reml_diagnostics::Span;
use reml_semantics::types::TypeId;

use crate::core::{Atom, Block, End, Function, JoinId, Op, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

pub fn keep_handlers(function: &mut Function, unit: TypeId) {
    let mut popped = Popped::default();
    popped.block(&function.body);
    if !popped.any_pushed {
        return;
    }
    let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    let mut keeper = Keeper { function, unit, popped: popped.vars, loops: Vec::new() };
    keeper.block(&mut body, Vec::new());
    function.body = body;
}

/// The handlers that are taken back somewhere.
#[derive(Default)]
struct Popped {
    vars: EntitySet<Var>,
    any_pushed: bool,
}

impl Popped {
    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::HandlerPush, _)) => self.any_pushed = true,
                Stmt::Let(_, Op::Prim(PrimOp::HandlerPop, args)) => self.vars.extend(variable(args)),
                Stmt::Join(join) => self.block(&join.body),
                _ => {}
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.block(block));
        }
    }
}

fn variable(args: &[Atom]) -> Option<Var> {
    match args {
        [Atom::Var(var)] => Some(*var),
        _ => None,
    }
}

struct Keeper<'a> {
    function: &'a mut Function,
    unit: TypeId,
    popped: EntitySet<Var>,
    /// The loops around the code, with the handlers that are in force around them for good.
    loops: Vec<(JoinId, Vec<Var>)>,
}

impl Keeper<'_> {
    /// `in_force`: the handlers that have been put in force on the way here, and not taken back.
    fn block(&mut self, block: &mut Block, mut in_force: Vec<Var>) {
        for stmt in &mut block.stmts {
            match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::HandlerPush, args)) => in_force.extend(variable(args)),
                Stmt::Let(_, Op::Prim(PrimOp::HandlerPop, args)) => {
                    in_force.retain(|&handler| Some(handler) != variable(args));
                }
                Stmt::Join(join) if join.recursive => {
                    let for_good = in_force.iter().copied().filter(|&handler| !self.popped.contains(handler)).collect();
                    self.loops.push((join.id, for_good));
                    self.block(&mut join.body, in_force.clone());
                    self.loops.pop();
                }
                Stmt::Join(join) => self.block(&mut join.body, in_force.clone()),
                _ => {}
            }
        }
        match &mut block.end {
            End::Switch(switch) => {
                walk::switch_blocks_mut(switch).for_each(|block| self.block(block, in_force.clone()));
            }
            End::Unreachable => self.mention(in_force, &mut block.stmts),
            End::Jump(join, _) => {
                if let Some((_, handlers)) = self.loops.iter().find(|(id, _)| id == join) {
                    self.mention(handlers.clone(), &mut block.stmts);
                }
            }
            End::Return(_) | End::TailCall { .. } => {}
        }
    }

    fn mention(&mut self, handlers: Vec<Var>, stmts: &mut Vec<Stmt>) {
        for handler in handlers {
            let var = self.function.vars.push(VarInfo { ty: self.unit, name: None, span: Span::NONE });
            stmts.push(Stmt::Let(var, Op::Prim(PrimOp::KeepAlive, vec![Atom::Var(handler)])));
        }
    }
}
