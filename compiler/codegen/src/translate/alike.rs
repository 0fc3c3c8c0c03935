//! When are two branches the same code? Where a small block was repeated for each case that leads to it, the cases can share one again.

use cranelift_entity::PrimaryMap;
use reml_middle::core::{Atom, Block, End, Op, Stmt, Var, VarInfo};

/// Longer blocks are not compared.
const LONGEST: usize = 4;

/// Do two blocks of a function do the same, for panics at the same place in the source? Only those are compared that do nothing but compute and
/// go on elsewhere.
pub fn are_alike(a: &Block, b: &Block, vars: &PrimaryMap<Var, VarInfo>) -> bool {
    if a.stmts.len() != b.stmts.len() || a.stmts.len() > LONGEST {
        return false;
    }
    let mut names: Vec<(Var, Var)> = Vec::new();
    for pair in a.stmts.iter().zip(&b.stmts) {
        let (Stmt::Let(x, Op::Prim(prim, args)), Stmt::Let(y, Op::Prim(other, others))) = pair else { return false };
        let alike = prim == other && vars[*x].ty == vars[*y].ty && vars[*x].span == vars[*y].span;
        if !alike || !are_same(args, others, &names) {
            return false;
        }
        names.push((*x, *y));
    }
    match (&a.end, &b.end) {
        (End::Jump(join, args), End::Jump(other, others)) => join == other && are_same(args, others, &names),
        (End::Return(value), End::Return(other)) => are_same(&[*value], &[*other], &names),
        _ => false,
    }
}

/// Are these the same operands, where one block calls some of them by other names?
fn are_same(args: &[Atom], others: &[Atom], names: &[(Var, Var)]) -> bool {
    let same = |&arg: &Atom, &other: &Atom| match (arg, other) {
        (Atom::Var(x), Atom::Var(y)) => x == y || names.contains(&(x, y)),
        _ => arg == other,
    };
    args.len() == others.len() && args.iter().zip(others).all(|(arg, other)| same(arg, other))
}

#[cfg(test)]
mod tests {
    use cranelift_entity::EntityRef;
    use reml_diagnostics::Span;
    use reml_middle::core::JoinId;
    use reml_middle::prim::PrimOp;
    use reml_semantics::types::TypeId;

    use super::*;

    fn var(index: usize) -> Atom {
        Atom::Var(Var::new(index))
    }

    /// `vN = v0 + amount; jump j0(vN)`
    fn adding(result: usize, amount: usize) -> Block {
        let add = Stmt::Let(Var::new(result), Op::Prim(PrimOp::IntAdd, vec![var(0), var(amount)]));
        Block::new(vec![add], End::Jump(JoinId::new(0), vec![var(result)]))
    }

    #[test]
    fn blocks_are_alike_whatever_they_call_their_variables() {
        let mut vars = PrimaryMap::new();
        for _ in 0..6 {
            vars.push(VarInfo { ty: TypeId::from_u32(0), name: None, span: Span::NONE });
        }
        assert!(are_alike(&adding(3, 1), &adding(4, 1), &vars));
        assert!(!are_alike(&adding(3, 1), &adding(4, 2), &vars));
        assert!(!are_alike(&adding(3, 1), &Block::new(Vec::new(), End::Jump(JoinId::new(0), vec![var(0)])), &vars));
        vars[Var::new(5)].ty = TypeId::from_u32(1);
        assert!(!are_alike(&adding(3, 1), &adding(5, 1), &vars));
        let effect = Block::new(vec![Stmt::Drop(Var::new(1))], End::Return(Atom::Unit));
        assert!(!are_alike(&effect, &effect, &vars));
    }
}
