//! How is code duplicated? With fresh variables and join points for everything it defines.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_diagnostics::Span;
use rustc_hash::FxHashMap;

use crate::core::{Atom, Block, End, JoinId, JoinInfo, Op, Stmt, Var, VarInfo};
use crate::walk;

/// Copies code within one function, or from another one into it.
pub struct Copier<'a> {
    /// The variable tables of the code that is read; `None` when it is the same function.
    pub from: Option<&'a PrimaryMap<Var, VarInfo>>,
    pub vars: &'a mut PrimaryMap<Var, VarInfo>,
    pub joins: &'a mut PrimaryMap<JoinId, JoinInfo>,
    renamed: FxHashMap<Var, Atom>,
    renamed_joins: FxHashMap<JoinId, JoinId>,
    /// What a place in the source becomes.
    place: Option<&'a dyn Fn(Span) -> Span>,
}

impl<'a> Copier<'a> {
    pub fn new(
        from: Option<&'a PrimaryMap<Var, VarInfo>>,
        vars: &'a mut PrimaryMap<Var, VarInfo>,
        joins: &'a mut PrimaryMap<JoinId, JoinInfo>,
    ) -> Self {
        Copier { from, vars, joins, renamed: FxHashMap::default(), renamed_joins: FxHashMap::default(), place: None }
    }

    /// Makes the copy say `place(span)` where the original says `span`.
    pub fn placed(mut self, place: &'a dyn Fn(Span) -> Span) -> Self {
        self.place = Some(place);
        self
    }

    /// Makes the copy say `atom` where the original says `var`.
    pub fn replace(&mut self, var: Var, atom: Atom) {
        self.renamed.insert(var, atom);
    }

    pub fn fresh(&mut self, var: Var) -> Var {
        let mut info = match self.from {
            Some(from) => from[var].clone(),
            None => self.vars[var].clone(),
        };
        if let Some(place) = self.place {
            info.span = place(info.span);
        }
        let new = self.vars.push(info);
        self.renamed.insert(var, Atom::Var(new));
        new
    }

    pub fn block(&mut self, block: &Block) -> Block {
        let mut stmts = Vec::with_capacity(block.stmts.len());
        for stmt in &block.stmts {
            stmts.push(self.stmt(stmt));
        }
        let mut end = match &block.end {
            End::Switch(switch) => {
                let mut copy = crate::core::Switch {
                    scrutinee: switch.scrutinee,
                    cases: Vec::with_capacity(switch.cases.len()),
                    default: None,
                };
                for (case, block) in &switch.cases {
                    copy.cases.push((*case, self.block(block)));
                }
                copy.default = switch.default.as_ref().map(|block| Box::new(self.block(block)));
                End::Switch(copy)
            }
            End::Jump(join, args) => End::Jump(self.renamed_joins.get(join).copied().unwrap_or(*join), args.clone()),
            other => other.clone(),
        };
        if let (End::TailCall { span, .. }, Some(place)) = (&mut end, self.place) {
            *span = place(*span);
        }
        walk::end_atoms_mut(&mut end, &mut |atom| self.atom(atom));
        Block::new(stmts, end)
    }

    pub fn stmt(&mut self, stmt: &Stmt) -> Stmt {
        match stmt {
            Stmt::Let(var, op) => {
                let mut op: Op = op.clone();
                walk::op_atoms_mut(&mut op, &mut |atom| self.atom(atom));
                Stmt::Let(self.fresh(*var), op)
            }
            Stmt::Join(join) => {
                let id = self.joins.push(JoinInfo::default());
                self.renamed_joins.insert(join.id, id);
                let params = join.params.iter().map(|&param| self.fresh(param)).collect();
                let body = self.block(&join.body);
                Stmt::Join(Box::new(crate::core::Join { id, params, recursive: join.recursive, body }))
            }
            other => {
                let mut stmt = other.clone();
                walk::stmt_atoms_mut(&mut stmt, &mut |atom| self.atom(atom));
                stmt
            }
        }
    }

    fn atom(&self, atom: &mut Atom) {
        if let Atom::Var(var) = atom
            && let Some(new) = self.renamed.get(var)
        {
            *atom = *new;
        }
    }
}

/// Makes every `Return` of a block a jump to `join`, and every tail call a call whose result goes there.
pub fn return_to(block: &mut Block, join: JoinId, result: &VarInfo, vars: &mut PrimaryMap<Var, VarInfo>) {
    for stmt in &mut block.stmts {
        if let Stmt::Join(inner) = stmt {
            return_to(&mut inner.body, join, result, vars);
        }
    }
    match &mut block.end {
        End::Return(atom) => {
            block.end = End::Jump(join, vec![*atom]);
        }
        End::TailCall { callee, args, span } => {
            let var = vars.push(VarInfo { ty: result.ty, name: None, span: *span });
            block.stmts.push(Stmt::Let(var, Op::Call(*callee, std::mem::take(args))));
            block.end = End::Jump(join, vec![Atom::Var(var)]);
        }
        End::Switch(switch) => {
            for block in walk::switch_blocks_mut(switch) {
                return_to(block, join, result, vars);
            }
        }
        End::Jump(..) | End::Unreachable => {}
    }
}

/// A map from variables to atoms that a block is rewritten with.
pub fn substitute(block: &mut Block, atoms: &SecondaryMap<Var, Option<Atom>>) {
    walk::block_atoms_mut(block, &mut |atom| {
        if let Atom::Var(var) = atom
            && let Some(new) = atoms[*var]
        {
            *atom = new;
        }
    });
}
