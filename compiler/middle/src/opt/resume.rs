//! Which continuations need not exist? One that is resumed where it was taken, with nothing in between that could leave without
//! resuming it, and that cannot be resumed again, is the fiber itself.

use cranelift_entity::SecondaryMap;
use reml_semantics::types::{Prim, TypeStore};

use crate::core::{Atom, Block, End, Function, Op, Stmt, Var};
use crate::prim::PrimOp;
use crate::walk;

pub fn resume_at_once(function: &mut Function, types: &TypeStore) {
    let mut uses: SecondaryMap<Var, u32> = SecondaryMap::new();
    let mut found = Vec::new();
    let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    walk::block_atoms_mut(&mut body, &mut |atom| {
        if let Atom::Var(var) = atom {
            uses[*var] += 1;
        }
    });
    block(&mut body, &uses, &mut found);
    for var in found {
        function.vars[var].ty = types.prim(Prim::I64);
    }
    function.body = body;
}

fn block(block: &mut Block, uses: &SecondaryMap<Var, u32>, found: &mut Vec<Var>) {
    let mut taken: Option<(usize, Var)> = None;
    for at in 0..block.stmts.len() {
        match &mut block.stmts[at] {
            Stmt::Let(var, Op::Prim(PrimOp::ContinuationTake, args)) => {
                taken = matches!(args[0], Atom::Int(0, _)).then_some((at, *var));
            }
            Stmt::Let(_, Op::Prim(prim @ PrimOp::FiberResume, args)) => {
                if let Some((start, continuation)) = taken.take()
                    && args[0] == Atom::Var(continuation)
                    && uses[continuation] == 1
                {
                    *prim = PrimOp::FiberContinue;
                    block.stmts[start] = Stmt::Let(continuation, Op::Prim(PrimOp::FiberStopped, Vec::new()));
                    found.push(continuation);
                }
            }
            Stmt::Let(_, Op::Call(..)) => taken = None,
            Stmt::Let(_, Op::Prim(prim, _)) if prim.may_unwind() => taken = None,
            Stmt::Join(join) => self::block(&mut join.body, uses, found),
            _ => {}
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|inner| self::block(inner, uses, found));
    }
}
