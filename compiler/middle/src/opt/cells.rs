//! Which captured variables never needed a heap cell? A cell that is only read and written in the function that
//! makes it (its closures having been inlined) becomes a value: parameters of join points carry it around.

use cranelift_entity::{EntitySet, SecondaryMap};
use reml_semantics::types::{Type, TypeStore};

use crate::core::{Atom, Block, End, Function, JoinId, Op, Stmt, Var, VarInfo};
use crate::prim::PrimOp;
use crate::rc::liveness;
use crate::walk;

/// Promotes what it can; `true` if it did anything.
pub fn promote_cells(function: &mut Function, types: &TypeStore) -> bool {
    let mut scan = Scan { made: EntitySet::new(), escaping: EntitySet::new(), any: false };
    scan.block(&function.body);
    if !scan.any {
        return false;
    }
    let mut cells = EntitySet::new();
    let mut found = false;
    for var in scan.made.keys() {
        if scan.made.contains(var) && !scan.escaping.contains(var) {
            cells.insert(var);
            found = true;
        }
    }
    if !found {
        return false;
    }
    let needs = liveness::join_needs(function, &cells);
    let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    let mut promoter = Promoter { function, types, cells, needs, values: SecondaryMap::new(), trail: Vec::new() };
    promoter.block(&mut body);
    function.body = body;
    true
}

struct Scan {
    made: EntitySet<Var>,
    escaping: EntitySet<Var>,
    any: bool,
}

impl Scan {
    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::CellGet | PrimOp::CellTake, _)) => {}
                Stmt::Let(_, Op::Prim(PrimOp::CellSet, args)) => self.escape(args[1]),
                Stmt::Let(var, op) => {
                    if matches!(op, Op::Prim(PrimOp::CellNew, _)) {
                        self.made.insert(*var);
                        self.any = true;
                    }
                    walk::op_atoms(op, &mut |atom| self.escape(atom));
                }
                Stmt::Join(join) => self.block(&join.body),
                Stmt::Fill { value, .. } => self.escape(*value),
                _ => {}
            }
        }
        walk::end_atoms(&block.end, &mut |atom| self.escape(atom));
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.block(block));
        }
    }

    fn escape(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.escaping.insert(var);
        }
    }
}

struct Promoter<'a> {
    function: &'a mut Function,
    types: &'a TypeStore,
    cells: EntitySet<Var>,
    needs: SecondaryMap<JoinId, Vec<Var>>,
    /// What each cell holds here.
    values: SecondaryMap<Var, Option<Atom>>,
    trail: Vec<(Var, Option<Atom>)>,
}

impl Promoter<'_> {
    fn set(&mut self, cell: Var, value: Atom) {
        self.trail.push((cell, self.values[cell]));
        self.values[cell] = Some(value);
    }

    fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            if let Some((cell, value)) = self.trail.pop() {
                self.values[cell] = value;
            }
        }
    }

    fn cell(&self, args: &[Atom]) -> Option<Var> {
        match args.first() {
            Some(Atom::Var(var)) if self.cells.contains(*var) => Some(*var),
            _ => None,
        }
    }

    /// A cell is written before it is read, except where control cannot get to.
    fn value(&self, cell: Var) -> Atom {
        self.values[cell].unwrap_or(Atom::Unit)
    }

    fn block(&mut self, block: &mut Block) {
        let mark = self.trail.len();
        block.stmts.retain_mut(|stmt| self.stmt(stmt));
        match &mut block.end {
            End::Jump(join, args) => {
                for at in 0..self.needs[*join].len() {
                    args.push(self.value(self.needs[*join][at]));
                }
            }
            End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| self.block(block)),
            _ => {}
        }
        self.undo(mark);
    }

    /// `false`: the statement goes.
    fn stmt(&mut self, stmt: &mut Stmt) -> bool {
        match stmt {
            Stmt::Let(var, Op::Prim(PrimOp::CellNew, args)) if self.cells.contains(*var) => {
                self.set(*var, args[0]);
                return false;
            }
            Stmt::Let(_, op) => {
                let Op::Prim(prim, args) = op else { return true };
                let Some(cell) = self.cell(args) else { return true };
                match prim {
                    PrimOp::CellGet | PrimOp::CellTake => *op = Op::Copy(self.value(cell)),
                    PrimOp::CellSet => {
                        let value = args[1];
                        self.set(cell, value);
                        *op = Op::Copy(Atom::Unit);
                    }
                    _ => {}
                }
            }
            Stmt::Join(join) => {
                let mark = self.trail.len();
                for at in 0..self.needs[join.id].len() {
                    let cell = self.needs[join.id][at];
                    let VarInfo { ty, name, span } = self.function.vars[cell].clone();
                    let Type::VarCell(inner) = *self.types.get(ty) else { unreachable!("a cell has a cell's type") };
                    let param = self.function.vars.push(VarInfo { ty: inner, name, span });
                    join.params.push(param);
                    self.set(cell, Atom::Var(param));
                }
                self.block(&mut join.body);
                self.undo(mark);
            }
            _ => {}
        }
        true
    }
}
