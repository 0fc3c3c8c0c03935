//! What shape does a function need before counts are inserted?
//!
//! - no copies: a value has one name;
//! - no join points that nothing jumps to;
//! - a field of a value is read once on each path, so that its ownership can move to one variable;
//! - fields of unboxed products are read where the product is made (that costs nothing), and fields of a cell are read
//!   together ([`super::gather`]).

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;

use super::types::{Kind, Types};
use crate::core::{Atom, Block, End, Function, JoinId, Op, Stmt, Var, VarInfo};
use crate::walk;

pub fn prepare(function: &mut Function, types: &Types) {
    prune_joins(&mut function.body, &mut EntitySet::new());
    let mut copies = Copies { vars: &function.vars, atoms: SecondaryMap::new(), fields: FxHashMap::default() };
    copies.block(&mut function.body);
    super::gather::gather(function, types);
    let mut explode = Explode { vars: &function.vars, types, reads: SecondaryMap::new(), atoms: SecondaryMap::new() };
    explode.collect(&mut function.body);
    let mut start = Vec::new();
    function.params.iter().for_each(|&param| explode.reads_of(param, &mut start));
    explode.block(&mut function.body, start);
}

/// Removes join points that nothing jumps to: a jump comes after its join in the block, or inside it.
pub fn prune_joins(block: &mut Block, jumped: &mut EntitySet<JoinId>) {
    match &mut block.end {
        End::Jump(join, _) => {
            jumped.insert(*join);
        }
        End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| prune_joins(block, jumped)),
        End::Return(_) | End::TailCall { .. } | End::Unreachable => {}
    }
    if !block.stmts.iter().any(|stmt| matches!(stmt, Stmt::Join(_))) {
        return;
    }
    let mut kept: Vec<Stmt> = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts).into_iter().rev() {
        if let Stmt::Join(join) = &mut stmt {
            if !jumped.contains(join.id) {
                continue;
            }
            prune_joins(&mut join.body, jumped);
        }
        kept.push(stmt);
    }
    kept.reverse();
    block.stmts = kept;
}

/// Copy propagation, and one read of each field on each path.
struct Copies<'a> {
    vars: &'a PrimaryMap<Var, VarInfo>,
    atoms: SecondaryMap<Var, Option<Atom>>,
    fields: FxHashMap<(Var, u32, u32), Var>,
}

impl Copies<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut known = Vec::new();
        block.stmts.retain_mut(|stmt| {
            walk::stmt_atoms_mut(stmt, &mut |atom| substitute(&self.atoms, atom));
            match stmt {
                Stmt::Let(var, Op::Copy(atom)) if self.same_type(*var, *atom) => {
                    self.atoms[*var] = Some(*atom);
                    false
                }
                Stmt::Let(var, Op::Field { base: Atom::Var(base), variant, index }) => {
                    let key = (*base, *variant, *index);
                    match self.fields.get(&key) {
                        Some(&seen) => self.atoms[*var] = Some(Atom::Var(seen)),
                        None => {
                            self.fields.insert(key, *var);
                            known.push(key);
                        }
                    }
                    self.atoms[*var].is_none()
                }
                Stmt::Join(join) => {
                    self.block(&mut join.body);
                    true
                }
                _ => true,
            }
        });
        walk::end_atoms_mut(&mut block.end, &mut |atom| substitute(&self.atoms, atom));
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.block(block));
        }
        for key in known {
            self.fields.remove(&key);
        }
    }

    fn same_type(&self, var: Var, atom: Atom) -> bool {
        match atom {
            Atom::Var(source) => self.vars[source].ty == self.vars[var].ty,
            Atom::Int(_, ty) | Atom::Float(_, ty) => ty == self.vars[var].ty,
            Atom::Bool(_) | Atom::Unit | Atom::Str(_) => true,
            Atom::Hole => false,
        }
    }
}

fn substitute(atoms: &SecondaryMap<Var, Option<Atom>>, atom: &mut Atom) {
    if let Atom::Var(var) = atom
        && let Some(new) = atoms[*var]
    {
        *atom = new;
    }
}

/// Reads fields early.
struct Explode<'a> {
    vars: &'a PrimaryMap<Var, VarInfo>,
    types: &'a Types,
    /// The fields of an unboxed product that are read anywhere, and the variable that holds each.
    reads: SecondaryMap<Var, Vec<(u32, Var)>>,
    atoms: SecondaryMap<Var, Option<Atom>>,
}

impl Explode<'_> {
    fn is_product(&mut self, var: Var) -> bool {
        matches!(self.types.kind(self.vars[var].ty), Kind::UnboxedProduct | Kind::Newtype)
    }

    /// Takes the reads of unboxed products out of the code.
    fn collect(&mut self, block: &mut Block) {
        block.stmts.retain_mut(|stmt| {
            walk::stmt_atoms_mut(stmt, &mut |atom| substitute(&self.atoms, atom));
            match stmt {
                Stmt::Let(var, Op::Field { base: Atom::Var(base), index, .. }) if self.is_product(*base) => {
                    match self.reads[*base].iter().find(|read| read.0 == *index) {
                        Some(&(_, seen)) => self.atoms[*var] = Some(Atom::Var(seen)),
                        None => self.reads[*base].push((*index, *var)),
                    }
                    false
                }
                Stmt::Join(join) => {
                    self.collect(&mut join.body);
                    true
                }
                _ => true,
            }
        });
        walk::end_atoms_mut(&mut block.end, &mut |atom| substitute(&self.atoms, atom));
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.collect(block));
        }
    }

    /// Appends the reads of a variable that has just been defined, and of what they read.
    fn reads_of(&mut self, var: Var, out: &mut Vec<Stmt>) {
        for (index, read) in std::mem::take(&mut self.reads[var]) {
            out.push(Stmt::Let(read, Op::Field { base: Atom::Var(var), variant: 0, index }));
            self.reads_of(read, out);
        }
    }

    fn block(&mut self, block: &mut Block, start: Vec<Stmt>) {
        let mut out = start;
        for mut stmt in std::mem::take(&mut block.stmts) {
            if let Stmt::Join(join) = &mut stmt {
                let mut start = Vec::new();
                join.params.iter().for_each(|&param| self.reads_of(param, &mut start));
                self.block(&mut join.body, start);
            }
            let defined = match &stmt {
                Stmt::Let(var, _) => Some(*var),
                _ => None,
            };
            out.push(stmt);
            if let Some(var) = defined {
                self.reads_of(var, &mut out);
            }
        }
        block.stmts = out;
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.block(block, Vec::new()));
        }
    }
}
