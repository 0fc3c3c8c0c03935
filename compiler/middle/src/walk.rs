//! Where are the operands of a Core node? Visitors over atoms and variables that every pass shares.

use crate::core::{Atom, Block, Callee, End, Op, Stmt, Switch, Var};

/// The operands of an operation, in evaluation order (a closure callee first).
pub fn op_atoms(op: &Op, f: &mut impl FnMut(Atom)) {
    match op {
        Op::Copy(atom) | Op::Tag(atom) | Op::GlobalSet(_, atom) => f(*atom),
        Op::Field { base, .. } => f(*base),
        Op::Call(callee, args) => {
            if let Callee::Closure(closure) | Callee::Consumed(closure) = callee {
                f(*closure);
            }
            args.iter().copied().for_each(f);
        }
        Op::Prim(_, args)
        | Op::CallRuntime(_, args)
        | Op::CallForeign(_, args)
        | Op::Closure(_, args)
        | Op::Array(args)
        | Op::Construct { args, .. } => args.iter().copied().for_each(f),
        Op::GlobalGet(_) | Op::GlobalTake(_) => {}
        Op::FieldAddr { base, .. } => f(Atom::Var(*base)),
    }
}

/// The same, to rewrite. A `FieldAddr` base must stay a variable.
pub fn op_atoms_mut(op: &mut Op, f: &mut impl FnMut(&mut Atom)) {
    match op {
        Op::Copy(atom) | Op::Tag(atom) | Op::GlobalSet(_, atom) => f(atom),
        Op::Field { base, .. } => f(base),
        Op::Call(callee, args) => {
            if let Callee::Closure(closure) | Callee::Consumed(closure) = callee {
                f(closure);
            }
            args.iter_mut().for_each(f);
        }
        Op::Prim(_, args)
        | Op::CallRuntime(_, args)
        | Op::CallForeign(_, args)
        | Op::Closure(_, args)
        | Op::Array(args)
        | Op::Construct { args, .. } => args.iter_mut().for_each(f),
        Op::GlobalGet(_) | Op::GlobalTake(_) => {}
        Op::FieldAddr { base, .. } => var_mut(base, f),
    }
}

fn var_mut(var: &mut Var, f: &mut impl FnMut(&mut Atom)) {
    let mut atom = Atom::Var(*var);
    f(&mut atom);
    if let Atom::Var(new) = atom {
        *var = new;
    }
}

/// The operands of a block's end; those of nested blocks are not included.
pub fn end_atoms(end: &End, f: &mut impl FnMut(Atom)) {
    match end {
        End::Return(atom) => f(*atom),
        End::Jump(_, args) => args.iter().copied().for_each(f),
        End::TailCall { callee, args, .. } => {
            if let Callee::Closure(closure) | Callee::Consumed(closure) = callee {
                f(*closure);
            }
            args.iter().copied().for_each(f);
        }
        End::Switch(switch) => f(switch.scrutinee),
        End::Unreachable => {}
    }
}

/// The same, to rewrite.
pub fn end_atoms_mut(end: &mut End, f: &mut impl FnMut(&mut Atom)) {
    match end {
        End::Return(atom) => f(atom),
        End::Jump(_, args) => args.iter_mut().for_each(f),
        End::TailCall { callee, args, .. } => {
            if let Callee::Closure(closure) | Callee::Consumed(closure) = callee {
                f(closure);
            }
            args.iter_mut().for_each(f);
        }
        End::Switch(switch) => f(&mut switch.scrutinee),
        End::Unreachable => {}
    }
}

/// The operands of a statement; those of a join's body are not included.
pub fn stmt_atoms_mut(stmt: &mut Stmt, f: &mut impl FnMut(&mut Atom)) {
    match stmt {
        Stmt::Let(_, op) => op_atoms_mut(op, f),
        Stmt::Join(_) => {}
        Stmt::Fill { addr, value } => {
            var_mut(addr, f);
            f(value);
        }
        Stmt::Dup(var) | Stmt::Drop(var) | Stmt::FreeToken(var) => var_mut(var, f),
        Stmt::Release { var, moved, token, .. } => {
            var_mut(var, f);
            moved.iter_mut().for_each(|(_, var)| var_mut(var, f));
            token.iter_mut().for_each(|token| var_mut(token, f));
        }
    }
}

/// Rewrites every operand of a block and of the blocks inside it.
pub fn block_atoms_mut(block: &mut Block, f: &mut impl FnMut(&mut Atom)) {
    for stmt in &mut block.stmts {
        stmt_atoms_mut(stmt, f);
        if let Stmt::Join(join) = stmt {
            block_atoms_mut(&mut join.body, f);
        }
    }
    end_atoms_mut(&mut block.end, f);
    if let End::Switch(switch) = &mut block.end {
        switch_blocks_mut(switch).for_each(|block| block_atoms_mut(block, f));
    }
}

/// Calls `f` with each operation of a block and of the blocks inside it; operands come before what is made of them.
pub fn each_op<'a>(block: &'a Block, f: &mut impl FnMut(Var, &'a Op)) {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let(var, op) => f(*var, op),
            Stmt::Join(join) => each_op(&join.body, f),
            _ => {}
        }
    }
    if let End::Switch(switch) = &block.end {
        switch_blocks(switch).for_each(|block| each_op(block, f));
    }
}

/// Calls `f` with the end of a block, switches included, and with those of the blocks inside it.
pub fn each_end(block: &Block, f: &mut impl FnMut(&End)) {
    f(&block.end);
    for stmt in &block.stmts {
        if let Stmt::Join(join) = stmt {
            each_end(&join.body, f);
        }
    }
    if let End::Switch(switch) = &block.end {
        switch_blocks(switch).for_each(|block| each_end(block, f));
    }
}

/// The branches of a switch, the default last.
pub fn switch_blocks(switch: &Switch) -> impl Iterator<Item = &Block> {
    switch.cases.iter().map(|(_, block)| block).chain(switch.default.as_deref())
}

/// The same, to rewrite.
pub fn switch_blocks_mut(switch: &mut Switch) -> impl Iterator<Item = &mut Block> {
    switch.cases.iter_mut().map(|(_, block)| block).chain(switch.default.as_deref_mut())
}
