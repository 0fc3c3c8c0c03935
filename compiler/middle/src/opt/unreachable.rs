//! Which functions can run? The others lose their bodies' cost: they are removed and the rest renumbered.

use cranelift_entity::{PrimaryMap, SecondaryMap};

use crate::core::{Block, Callee, End, FuncId, Function, Op, Program, Stmt};
use crate::walk;

/// Keeps what the entry function reaches. Function ids change; their order does not.
pub fn remove_unreachable(program: &mut Program) {
    let mut reached: SecondaryMap<FuncId, bool> = SecondaryMap::new();
    let mut work = vec![program.entry];
    reached[program.entry] = true;
    while let Some(func) = work.pop() {
        each_callee(&mut program.funcs[func].body, &mut |callee| {
            if !reached[*callee] {
                reached[*callee] = true;
                work.push(*callee);
            }
        });
    }
    if program.funcs.keys().all(|func| reached[func]) {
        return;
    }
    let mut renamed: SecondaryMap<FuncId, Option<FuncId>> = SecondaryMap::new();
    let mut kept: PrimaryMap<FuncId, Function> = PrimaryMap::new();
    for (func, function) in std::mem::take(&mut program.funcs) {
        if reached[func] {
            renamed[func] = Some(kept.push(function));
        }
    }
    let rename = |func: &mut FuncId| {
        if let Some(new) = renamed[*func] {
            *func = new;
        }
    };
    for function in kept.values_mut() {
        each_callee(&mut function.body, &mut |callee| rename(callee));
    }
    rename(&mut program.entry);
    program.funcs = kept;
}

/// Visits every mention of a function.
fn each_callee(block: &mut Block, f: &mut impl FnMut(&mut FuncId)) {
    for stmt in &mut block.stmts {
        match stmt {
            Stmt::Let(_, Op::Call(Callee::Func(func), _) | Op::Closure(func, _)) => f(func),
            Stmt::Join(join) => each_callee(&mut join.body, f),
            _ => {}
        }
    }
    match &mut block.end {
        End::TailCall { callee: Callee::Func(func), .. } => f(func),
        End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| each_callee(block, f)),
        _ => {}
    }
}
