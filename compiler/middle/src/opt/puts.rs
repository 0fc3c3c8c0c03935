//! Which array elements are put back only to be taken out again? `p.x := ..; p.y := ..` on an element puts `p` into its
//! slot and takes it out of it between the two; without that, the element is rebuilt once.

use cranelift_entity::{EntitySet, SecondaryMap};
use rustc_hash::FxHashMap;

use crate::core::{Atom, Block, End, Function, Op, Stmt, Var};
use crate::prim::PrimOp;
use crate::walk;

/// Forwards what it can; `true` if it did anything.
pub fn forward_puts(function: &mut Function) -> bool {
    let mut counts = Counts { mentions: SecondaryMap::new(), any: false };
    counts.block(&function.body);
    counts.any && forward(&mut function.body, &counts.mentions)
}

struct Counts {
    mentions: SecondaryMap<Var, u32>,
    any: bool,
}

impl Counts {
    fn block(&mut self, block: &Block) {
        let mut mention = |atom| {
            if let Atom::Var(var) = atom {
                self.mentions[var] += 1;
            }
        };
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, op) => {
                    self.any |= matches!(op, Op::Prim(PrimOp::ArrayPut, _));
                    walk::op_atoms(op, &mut mention);
                }
                Stmt::Fill { value, .. } => mention(*value),
                _ => {}
            }
        }
        walk::end_atoms(&block.end, &mut mention);
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                self.block(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.block(block));
        }
    }
}

fn forward(block: &mut Block, mentions: &SecondaryMap<Var, u32>) -> bool {
    let mut puts: FxHashMap<Var, [Atom; 3]> = FxHashMap::default();
    let mut gone: EntitySet<Var> = EntitySet::new();
    let mut changed = false;
    for stmt in &mut block.stmts {
        match stmt {
            Stmt::Let(var, Op::Prim(PrimOp::ArrayPut, args)) if mentions[*var] == 1 => {
                puts.insert(*var, [args[0], args[1], args[2]]);
            }
            Stmt::Let(_, op) => {
                if let Op::Prim(PrimOp::ArrayTake, args) = op
                    && let Atom::Var(array) = args[0]
                    && let Some(&[rest, index, element]) = puts.get(&array)
                    && index == args[1]
                {
                    *op = Op::Construct { variant: 0, args: vec![rest, element], token: None };
                    gone.insert(array);
                }
            }
            Stmt::Join(join) => changed |= forward(&mut join.body, mentions),
            _ => {}
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|block| changed |= forward(block, mentions));
    }
    if gone.is_empty() {
        return changed;
    }
    block.stmts.retain(|stmt| !matches!(stmt, Stmt::Let(var, _) if gone.contains(*var)));
    true
}
