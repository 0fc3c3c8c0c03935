//! How large is a program in Core?

use crate::core::{Block, End, Program, Stmt};
use crate::walk;

/// The size of a program. Statements are counted as Core has them, a join point and the end of a block as one each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Size {
    pub functions: usize,
    pub statements: usize,
}

pub fn size(program: &Program) -> Size {
    Size {
        functions: program.funcs.len(),
        statements: program.funcs.values().map(|function| block(&function.body)).sum(),
    }
}

fn block(body: &Block) -> usize {
    let mut count = body.stmts.len() + 1;
    for stmt in &body.stmts {
        if let Stmt::Join(join) = stmt {
            count += block(&join.body);
        }
    }
    if let End::Switch(switch) = &body.end {
        count += walk::switch_blocks(switch).map(block).sum::<usize>();
    }
    count
}
