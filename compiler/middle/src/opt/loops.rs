//! Self tail calls are jumps: a function that ends by calling itself becomes a loop.

use cranelift_entity::SecondaryMap;

use crate::core::{Atom, Block, Callee, End, FuncId, Function, Join, JoinId, JoinInfo, Stmt, Var};
use crate::walk;

/// Turns the self tail calls of a function into jumps to a join point around its body; `true` if there were any.
pub fn loop_self_calls(id: FuncId, function: &mut Function) -> bool {
    if !calls_itself(id, &function.body) {
        return false;
    }
    let join = function.joins.push(JoinInfo::default());
    let mut inner: SecondaryMap<Var, Option<Atom>> = SecondaryMap::new();
    let mut params = Vec::with_capacity(function.params.len());
    for &param in &function.params {
        let info = function.vars[param].clone();
        let var = function.vars.push(info);
        inner[param] = Some(Atom::Var(var));
        params.push(var);
    }
    let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    super::copy::substitute(&mut body, &inner);
    jump_instead(id, join, &mut body);
    let args = function.params.iter().map(|&param| Atom::Var(param)).collect();
    function.body =
        Block::new(vec![Stmt::Join(Box::new(Join { id: join, params, recursive: true, body }))], End::Jump(join, args));
    true
}

fn calls_itself(id: FuncId, block: &Block) -> bool {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        blocks.extend(block.stmts.iter().filter_map(|stmt| match stmt {
            Stmt::Join(join) => Some(&join.body),
            _ => None,
        }));
        match &block.end {
            End::TailCall { callee: Callee::Func(callee), .. } if *callee == id => return true,
            End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
            _ => {}
        }
    }
    false
}

fn jump_instead(id: FuncId, join: JoinId, block: &mut Block) {
    for stmt in &mut block.stmts {
        if let Stmt::Join(inner) = stmt {
            jump_instead(id, join, &mut inner.body);
        }
    }
    match &mut block.end {
        End::TailCall { callee: Callee::Func(callee), args, .. } if *callee == id => {
            block.end = End::Jump(join, std::mem::take(args));
        }
        End::Switch(switch) => {
            walk::switch_blocks_mut(switch).for_each(|block| jump_instead(id, join, block));
        }
        _ => {}
    }
}
