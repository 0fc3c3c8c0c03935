//! Which continuations need not exist, or no longer? One that is resumed where it was taken, with nothing in between that could leave
//! without resuming it, and that cannot be resumed again, is the fiber itself. Any other is consumed by being resumed, unless it
//! belongs to a closure.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::types::{Prim, TypeId};

use crate::core::{Atom, Block, Callee, End, FuncId, Op, Program, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

pub fn resume_at_once(program: &mut Program) {
    let mut steps: SecondaryMap<FuncId, Option<FuncId>> = SecondaryMap::new();
    for id in program.funcs.keys() {
        steps[id] = step_of(program, id);
    }
    let i64 = program.types.prim(Prim::I64);
    for function in program.funcs.values_mut() {
        let mut uses: SecondaryMap<Var, u32> = SecondaryMap::new();
        walk::block_atoms_mut(&mut function.body, &mut |atom| {
            if let Atom::Var(var) = atom {
                uses[*var] += 1;
            }
        });
        let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
        let mut rewriter = Rewriter { steps: &steps, uses, vars: &mut function.vars, i64 };
        rewriter.block(&mut body);
        consume(&mut body, &function.params[..function.captures]);
        function.body = body;
    }
}

/// Lets resuming a continuation consume it, except for those that a closure has captured.
fn consume(block: &mut Block, captured: &[Var]) {
    for stmt in &mut block.stmts {
        match stmt {
            Stmt::Let(_, Op::Prim(prim @ PrimOp::FiberResume, args))
                if !captured.iter().any(|&capture| args[0] == Atom::Var(capture)) =>
            {
                *prim = PrimOp::FiberResumeLast;
            }
            Stmt::Join(join) => consume(&mut join.body, captured),
            _ => {}
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|inner| consume(inner, captured));
    }
}

/// The step function of a `resume` that is called by name: `step(fiber_resume(continuation, answer))`.
fn step_of(program: &Program, id: FuncId) -> Option<FuncId> {
    let function = &program.funcs[id];
    let [continuation, answer] = *function.params.as_slice() else { return None };
    let [Stmt::Let(status, Op::Prim(PrimOp::FiberResume, args))] = function.body.stmts.as_slice() else { return None };
    let End::TailCall { callee: Callee::Func(step), args: status_args, .. } = &function.body.end else { return None };
    let passes = match args.as_slice() {
        [first, second] => *first == Atom::Var(continuation) && (*second == Atom::Var(answer) || *second == Atom::Unit),
        _ => false,
    };
    (passes && status_args.as_slice() == [Atom::Var(*status)]).then_some(*step)
}

struct Rewriter<'a> {
    steps: &'a SecondaryMap<FuncId, Option<FuncId>>,
    uses: SecondaryMap<Var, u32>,
    vars: &'a mut PrimaryMap<Var, VarInfo>,
    i64: TypeId,
}

impl Rewriter<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut out: Vec<Stmt> = Vec::with_capacity(block.stmts.len());
        let mut taken: Option<(usize, Var)> = None;
        for stmt in std::mem::take(&mut block.stmts) {
            match stmt {
                Stmt::Let(var, Op::Prim(PrimOp::ContinuationTake, args)) => {
                    taken = (args[0] == Atom::Int(0, self.i64)).then_some((out.len(), var));
                    out.push(Stmt::Let(var, Op::Prim(PrimOp::ContinuationTake, args)));
                }
                Stmt::Let(var, Op::Prim(PrimOp::FiberResume, args)) if self.only_use(taken, args[0]) => {
                    self.without_continuation(&mut taken, &mut out);
                    out.push(Stmt::Let(var, Op::Prim(PrimOp::FiberContinue, args)));
                }
                Stmt::Let(var, Op::Call(Callee::Func(func), args)) => {
                    match (self.steps[func], args.first()) {
                        (Some(step), Some(&first)) if self.only_use(taken, first) => {
                            self.without_continuation(&mut taken, &mut out);
                            let span = self.vars[var].span;
                            let status = self.vars.push(VarInfo { ty: self.i64, name: None, span });
                            out.push(Stmt::Let(status, Op::Prim(PrimOp::FiberContinue, args)));
                            out.push(Stmt::Let(var, Op::Call(Callee::Func(step), vec![Atom::Var(status)])));
                        }
                        _ => out.push(Stmt::Let(var, Op::Call(Callee::Func(func), args))),
                    }
                    taken = None;
                }
                mut other => {
                    match &mut other {
                        Stmt::Let(_, Op::Call(..)) => taken = None,
                        Stmt::Let(_, Op::Prim(prim, _)) if prim.may_unwind() => taken = None,
                        Stmt::Join(join) => self.block(&mut join.body),
                        _ => {}
                    }
                    out.push(other);
                }
            }
        }
        block.stmts = out;
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|inner| self.block(inner));
        }
    }

    fn only_use(&self, taken: Option<(usize, Var)>, atom: Atom) -> bool {
        taken.is_some_and(|(_, continuation)| atom == Atom::Var(continuation) && self.uses[continuation] == 1)
    }

    fn without_continuation(&mut self, taken: &mut Option<(usize, Var)>, out: &mut [Stmt]) {
        if let Some((at, continuation)) = taken.take() {
            out[at] = Stmt::Let(continuation, Op::Prim(PrimOp::FiberStopped, Vec::new()));
            self.vars[continuation].ty = self.i64;
        }
    }
}
