//! Tail recursion modulo constructors: `Cons(f(x), map(xs))` builds its cell first, with a hole where the result of the
//! recursive call belongs, and passes the address of the hole on. The function is split in two: an entry that keeps the
//! head of the result, and a worker `f.into(dest, ..)` that fills `dest` and calls itself in tail position, so
//! that a list is mapped in constant stack. See Leijen & Lorenzen 2023; counts are no obstacle since a cell with a hole is
//! always unique.

use cranelift_entity::{EntityRef, PrimaryMap};
use reml_semantics::typed::{TypeDef, TypeDefId};
use reml_semantics::types::{Prim, TypeId, TypeStore};

use super::copy::Copier;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, Mode, Op, Program, Stmt, Var, VarInfo};
use crate::layout::{Layouts, Pointer, Shape};
use crate::prim::{PrimEffect, PrimOp};
use crate::walk;

/// Largest function to split: its code is doubled.
const LARGEST: usize = 800;

/// Splits the function if it ends in a constructor around a call of itself; the worker's id.
pub fn split(program: &mut Program, id: FuncId, layouts: &mut Layouts) -> Option<FuncId> {
    let function = &program.funcs[id];
    if function.captures > 0 || super::facts::size(&function.body) > LARGEST {
        return None;
    }
    if !any_site(id, &function.body) {
        return None;
    }
    let Program { types: store, type_defs, funcs, .. } = program;
    let address = store.prim(Prim::RawPtr);
    let unit = store.unit();
    let mut cells = Cells { store, type_defs, layouts };
    if !cells.contain(funcs[id].ret) {
        return None;
    }
    let mut entry = funcs[id].clone();
    let mut worker = Function { vars: PrimaryMap::new(), joins: PrimaryMap::new(), ..entry.clone() };
    let mut copier = Copier::new(Some(&entry.vars), &mut worker.vars, &mut worker.joins);
    worker.params = entry.params.iter().map(|&param| copier.fresh(param)).collect();
    worker.body = copier.block(&entry.body);

    let worker_id = FuncId::new(funcs.len());
    let mut split = Split {
        id,
        worker: worker_id,
        cells: &mut cells,
        vars: &mut entry.vars,
        ret: entry.ret,
        address,
        unit,
        dest: None,
        sites: 0,
    };
    split.block(&mut entry.body);
    if split.sites == 0 {
        return None;
    }
    let dest = worker.vars.push(VarInfo { ty: address, name: Some("dest".into()), span: worker.span });
    worker.params.insert(0, dest);
    worker.modes.insert(0, Mode::Owned);
    let mut split = Split { vars: &mut worker.vars, dest: Some(dest), ..split };
    split.block(&mut worker.body);
    worker.name = format!("{}.into", entry.name).into();
    worker.ret = unit;
    funcs[id] = entry;
    funcs.push(worker);
    Some(worker_id)
}

/// The types whose values are cells that can have a hole.
struct Cells<'a> {
    store: &'a mut TypeStore,
    type_defs: &'a PrimaryMap<TypeDefId, TypeDef>,
    layouts: &'a mut Layouts,
}

impl Cells<'_> {
    fn contain(&mut self, ty: TypeId) -> bool {
        let layout = self.layouts.of(self.store, self.type_defs, ty);
        matches!(layout.shape, Shape::Pointer(Pointer::Product | Pointer::Sum { .. }))
    }
}

/// A block that ends in constructors around a call of the function.
struct Site {
    /// The recursive call.
    call: usize,
    /// The constructor that takes its result, and the field.
    holder: usize,
    field: usize,
    /// What is returned.
    result: Var,
}

fn any_site(id: FuncId, block: &Block) -> bool {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        if site(id, block).is_some() {
            return true;
        }
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                blocks.push(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
    false
}

fn site(id: FuncId, block: &Block) -> Option<Site> {
    let End::Return(Atom::Var(result)) = block.end else { return None };
    let call = block
        .stmts
        .iter()
        .rposition(|stmt| matches!(stmt, Stmt::Let(_, Op::Call(Callee::Func(func), _)) if *func == id))?;
    let Stmt::Let(called, _) = &block.stmts[call] else { return None };
    // What comes after the call must be constructors, one inside the other, or may move before it.
    let mut inner = *called;
    let mut hole = None;
    for (at, stmt) in block.stmts.iter().enumerate().skip(call + 1) {
        let Stmt::Let(var, op) = stmt else { return None };
        let mut mentions = 0;
        walk::op_atoms(op, &mut |atom| mentions += usize::from(atom == Atom::Var(inner)));
        match op {
            Op::Construct { args, .. } if mentions == 1 => {
                let field = args.iter().position(|&arg| arg == Atom::Var(inner))?;
                hole.get_or_insert((at, field));
                inner = *var;
            }
            Op::Construct { .. } | Op::Field { .. } | Op::Copy(_) | Op::Closure(..) if mentions == 0 => {}
            Op::Prim(prim, _) if mentions == 0 && prim.effect() == PrimEffect::Pure => {}
            _ => return None,
        }
    }
    let (holder, field) = hole?;
    if inner != result {
        return None;
    }
    // The result of the call and the cells around it are used for nothing else.
    let mut uses = 0;
    for stmt in &block.stmts[call + 1..] {
        if let Stmt::Let(_, op) = stmt {
            walk::op_atoms(op, &mut |atom| uses += usize::from(atom == Atom::Var(*called)));
        }
    }
    (uses == 1).then_some(Site { call, holder, field, result })
}

struct Split<'a, 'b> {
    id: FuncId,
    worker: FuncId,
    cells: &'a mut Cells<'b>,
    vars: &'a mut PrimaryMap<Var, VarInfo>,
    /// What the entry returns.
    ret: TypeId,
    address: TypeId,
    unit: TypeId,
    /// Where the worker puts its result.
    dest: Option<Var>,
    sites: u32,
}

impl Split<'_, '_> {
    fn block(&mut self, block: &mut Block) {
        for stmt in &mut block.stmts {
            if let Stmt::Join(join) = stmt {
                self.block(&mut join.body);
            }
        }
        if let Some(site) = site(self.id, block)
            && self.is_boxed(block, site.holder)
        {
            self.sites += 1;
            self.site(block, site);
            return;
        }
        match &mut block.end {
            End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| self.block(block)),
            End::Return(atom) => {
                if let Some(dest) = self.dest {
                    block.stmts.push(Stmt::Fill { addr: dest, value: *atom });
                    block.end = End::Return(Atom::Unit);
                }
            }
            End::TailCall { callee, args, span } => {
                let Some(dest) = self.dest else { return };
                let (callee, span) = (*callee, *span);
                let mut args = std::mem::take(args);
                if callee == Callee::Func(self.id) {
                    args.insert(0, Atom::Var(dest));
                    block.end = End::TailCall { callee: Callee::Func(self.worker), args, span };
                    return;
                }
                let var = self.vars.push(VarInfo { ty: self.ret, name: None, span });
                block.stmts.push(Stmt::Let(var, Op::Call(callee, args)));
                block.stmts.push(Stmt::Fill { addr: dest, value: Atom::Var(var) });
                block.end = End::Return(Atom::Unit);
            }
            End::Jump(..) | End::Unreachable => {}
        }
    }

    fn is_boxed(&mut self, block: &Block, at: usize) -> bool {
        match &block.stmts[at] {
            Stmt::Let(var, _) => self.cells.contain(self.vars[*var].ty),
            _ => false,
        }
    }

    fn site(&mut self, block: &mut Block, site: Site) {
        let mut stmts = std::mem::take(&mut block.stmts);
        if let Stmt::Let(_, Op::Construct { args, .. }) = &mut stmts[site.holder] {
            args[site.field] = Atom::Hole;
        }
        let Stmt::Let(called, Op::Call(_, mut args)) = stmts.remove(site.call) else {
            unreachable!("the site was found at a call")
        };
        let Stmt::Let(holder, Op::Construct { variant, .. }) = stmts[site.holder - 1] else {
            unreachable!("the hole is in a constructor")
        };
        let span = self.vars[called].span;
        let address = self.vars.push(VarInfo { ty: self.address, name: None, span });
        stmts.push(Stmt::Let(address, Op::FieldAddr { base: holder, variant, index: site.field as u32 }));
        args.insert(0, Atom::Var(address));
        match self.dest {
            None => {
                self.vars[called].ty = self.unit;
                stmts.push(Stmt::Let(called, Op::Call(Callee::Func(self.worker), args)));
                // Once both are inlined somewhere, nobody may want the result: it must not end before it is whole.
                let kept = self.vars.push(VarInfo { ty: self.unit, name: None, span });
                let keep = Op::Prim(PrimOp::KeepAlive, vec![Atom::Var(site.result)]);
                stmts.push(Stmt::Let(kept, keep));
                block.end = End::Return(Atom::Var(site.result));
            }
            Some(dest) => {
                stmts.push(Stmt::Fill { addr: dest, value: Atom::Var(site.result) });
                block.end = End::TailCall { callee: Callee::Func(self.worker), args, span };
            }
        }
        block.stmts = stmts;
    }
}
