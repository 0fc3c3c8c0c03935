//! Which functions do nothing but make a function, and what runs what they make?
//!
//! `fn value() -> Parser<Json> = ..` gives a function that does the same whenever it is made. Its *runner* makes that function and
//! calls it at once, so a call of what `value()` gives is a call of the runner, wherever that is seen. Each rule of a grammar becomes one
//! function so, compiled once however often it is mentioned, and rules that mention each other call each other. Where what a maker gives
//! is not called at once, it is a closure that calls the runner and captures nothing, rather than what the maker would have built.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::types::{Type, TypeId};

use super::inline::each_mention;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, Inline, Mode, Op, Program, Stmt, Var, VarInfo};
use crate::prim::{PrimEffect, PrimOp};
use crate::walk;

/// What stands for each maker.
pub type Runners = SecondaryMap<FuncId, Option<Runner>>;

#[derive(Clone, Copy)]
pub struct Runner {
    /// Does what the function does that the maker makes.
    pub run: FuncId,
    /// Does nothing but call `run`: the code of closures. Its parameters are owned, as those of closures are, which leaves `run` free to
    /// borrow.
    closure: FuncId,
}

/// Adds a runner for each function without parameters that is called and makes the same function each time, and lets that function make
/// a closure which calls the runner.
pub fn add_runners(program: &mut Program) -> Runners {
    let mut runners = Runners::new();
    let mut called: SecondaryMap<FuncId, bool> = SecondaryMap::new();
    for function in program.funcs.values() {
        each_mention(&function.body, &mut |func, call| called[func] |= call);
    }
    let mut purity = Purity::new(program);
    let makers: Vec<(FuncId, Box<[TypeId]>, TypeId)> = program
        .funcs
        .iter()
        .filter(|(id, function)| called[*id] && function.params.is_empty() && function.inline.may_be_cloned())
        .filter_map(|(id, function)| match program.types.get(function.ret) {
            Type::Fn { params, ret } if purity.is_pure(id) => Some((id, params.clone(), *ret)),
            _ => None,
        })
        .collect();
    for (maker, params, ret) in makers {
        let run = program.funcs.push(runner(&program.funcs[maker], &params, ret));
        let closure = program.funcs.push(call_of(run, &program.funcs[run]));
        let maker_function = &mut program.funcs[maker];
        let made = VarInfo { ty: maker_function.ret, name: None, span: maker_function.span };
        let made = maker_function.vars.push(made);
        let makes = Stmt::Let(made, Op::Closure(closure, Vec::new()));
        maker_function.body = Block::new(vec![makes], End::Return(Atom::Var(made)));
        runners[maker] = Some(Runner { run, closure });
    }
    runners
}

/// Puts closures in place of the calls that make them.
pub fn make_closures(program: &mut Program, runners: &Runners) {
    for function in program.funcs.values_mut() {
        let mut blocks = vec![&mut function.body];
        while let Some(Block { stmts, end }) = blocks.pop() {
            if let End::TailCall { callee: Callee::Func(maker), span, .. } = end
                && let Some(runner) = runners[*maker]
            {
                let made = function.vars.push(VarInfo { ty: function.ret, name: None, span: *span });
                stmts.push(Stmt::Let(made, Op::Closure(runner.closure, Vec::new())));
                *end = End::Return(Atom::Var(made));
            }
            for stmt in stmts {
                match stmt {
                    Stmt::Let(_, op) => {
                        if let Op::Call(Callee::Func(maker), _) = op
                            && let Some(runner) = runners[*maker]
                        {
                            *op = Op::Closure(runner.closure, Vec::new());
                        }
                    }
                    Stmt::Join(join) => blocks.push(&mut join.body),
                    _ => {}
                }
            }
            if let End::Switch(switch) = end {
                blocks.extend(walk::switch_blocks_mut(switch));
            }
        }
    }
}

/// A function that does nothing but call another one.
fn call_of(func: FuncId, callee: &Function) -> Function {
    let mut vars = PrimaryMap::new();
    let params: Vec<Var> = callee.params.iter().map(|&param| vars.push(callee.vars[param].clone())).collect();
    let args = params.iter().map(|&param| Atom::Var(param)).collect();
    Function {
        name: format!("{}.closure", callee.name).into(),
        modes: vec![Mode::Owned; params.len()],
        params,
        vars,
        joins: PrimaryMap::new(),
        body: Block::new(Vec::new(), End::TailCall { callee: Callee::Func(func), args, span: callee.span }),
        ..callee.clone()
    }
}

/// The maker with parameters for what it makes, which it calls instead of returning it.
fn runner(maker: &Function, params: &[TypeId], ret: TypeId) -> Function {
    let mut runner = maker.clone();
    runner.name = format!("{}.run", maker.name).into();
    runner.params = params.iter().map(|&ty| runner.vars.push(VarInfo { ty, name: None, span: maker.span })).collect();
    runner.modes = vec![Mode::Owned; params.len()];
    runner.ret = ret;
    let mut body = std::mem::replace(&mut runner.body, Block::new(Vec::new(), End::Unreachable));
    call_result(&mut body, maker.ret, &mut runner);
    runner.body = body;
    runner
}

/// Where the block returned a function, it calls it from now on.
fn call_result(block: &mut Block, made: TypeId, runner: &mut Function) {
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            call_result(&mut join.body, made, runner);
        }
    }
    let function = match &mut block.end {
        End::Switch(switch) => {
            walk::switch_blocks_mut(switch).for_each(|block| call_result(block, made, runner));
            return;
        }
        End::Jump(..) | End::Unreachable => return,
        End::Return(function) => *function,
        End::TailCall { callee, args, span } => {
            let function = runner.vars.push(VarInfo { ty: made, name: None, span: *span });
            block.stmts.push(Stmt::Let(function, Op::Call(*callee, std::mem::take(args))));
            Atom::Var(function)
        }
    };
    let args = runner.params.iter().map(|&param: &Var| Atom::Var(param)).collect();
    block.end = End::TailCall { callee: Callee::Closure(function), args, span: runner.span };
}

/// Which functions give the same for the same arguments, and do nothing else. What allocates memory that may be written later does not
/// count, nor what may go on for ever.
pub struct Purity<'a> {
    program: &'a Program,
    /// False also while it is being found out: who calls itself may go on for ever.
    known: SecondaryMap<FuncId, Option<bool>>,
}

impl<'a> Purity<'a> {
    pub fn new(program: &'a Program) -> Purity<'a> {
        Purity { program, known: SecondaryMap::new() }
    }

    fn is_pure(&mut self, func: FuncId) -> bool {
        if let Some(known) = self.known[func] {
            return known;
        }
        self.known[func] = Some(false);
        let program = self.program;
        let function = &program.funcs[func];
        let pure = function.inline == Inline::Once || self.block(&function.body);
        self.known[func] = Some(pure);
        pure
    }

    fn block(&mut self, block: &Block) -> bool {
        let stmts = block.stmts.iter().all(|stmt| match stmt {
            Stmt::Let(_, op) => self.allows(op),
            Stmt::Join(join) => !join.recursive && self.block(&join.body),
            _ => false,
        });
        stmts
            && match &block.end {
                End::Return(_) | End::Jump(..) => true,
                End::TailCall { callee: Callee::Func(func), .. } => self.is_pure(*func),
                End::Switch(switch) => walk::switch_blocks(switch).all(|block| self.block(block)),
                End::TailCall { .. } | End::Unreachable => false,
            }
    }

    /// Whether an operation does nothing but give its result.
    pub fn allows(&mut self, op: &Op) -> bool {
        match op {
            Op::Copy(_)
            | Op::Field { .. }
            | Op::Tag(_)
            | Op::Construct { .. }
            | Op::Closure(..)
            | Op::Array(_)
            | Op::GlobalGet(_) => true,
            Op::Prim(PrimOp::IntAdd | PrimOp::IntSub | PrimOp::IntMul | PrimOp::IntNeg, _) => true,
            Op::Prim(prim, _) => prim.effect() == PrimEffect::Pure,
            Op::Call(Callee::Func(func), _) => self.is_pure(*func),
            _ => false,
        }
    }
}
