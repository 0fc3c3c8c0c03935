//! Which reads are the first half of an update? Those move the value out of its place instead, so that the update finds it
//! unique and happens in place:
//! - `x = cell_get c; ..; cell_set c, y` becomes a `cell_take`, unless something in between might look into the cell;
//! - `x = array_get a, i; ..; array_take a, i` takes the element at once, and with `array_set a, i, y` at the end
//!   it becomes `array_take` and `array_put`, unless `a` is mentioned in between.
//!
//! The first covers variables that lambdas capture and those of modules (`xs.push(x)`), the second `grid[i] := f(grid[i])` and
//! `rows[i].cells := g(rows[i].cells)`.
//!
//! A panic in between would show the hole to deferred code. Cells that deferred code may look into are therefore
//! left alone where anything in between may panic, except that indices are checked beforehand; arrays are out of its reach
//! by then, since a value in a variable of Core belongs to its function.

use cranelift_entity::{EntityRef, EntitySet, PrimaryMap};
use reml_semantics::types::{Type, TypeId, TypeStore};
use rustc_hash::{FxHashMap, FxHashSet};

use super::known::{PrimKey, prim_key};
use crate::core::{Atom, Block, Callee, End, FuncId, Function, GlobalId, JoinId, Op, Program, Stmt, Var, VarInfo};
use crate::layout::Layouts;
use crate::prim::{PrimEffect, PrimOp};
use crate::walk;

pub fn take(program: &mut Program, layouts: &mut Layouts) {
    let touches = Touches::of(program);
    let Program { types: store, type_defs, funcs, .. } = program;
    for function in funcs.values_mut() {
        let pairs = Elements::pairs(function, |element| layouts.of(store, type_defs, element).counted);
        if !pairs.is_empty() {
            let mut tuples = FxHashMap::default();
            for (array, item) in pairs {
                tuples.insert((array, item), store.intern(Type::Tuple([array, item].into())));
            }
            Elements { function, tuples }.function();
        }
        if touches.any {
            cells(function, &touches, store);
        }
    }
}

// ---------------------------------------------------------------------------------------------------
// Cells

/// What running a function may do to cells, which are told apart by their types.
#[derive(Clone, Default)]
struct Touch {
    all: bool,
    types: FxHashSet<TypeId>,
    panics: bool,
}

impl Touch {
    fn has(&self, cell: TypeId) -> bool {
        self.all || self.types.contains(&cell)
    }

    /// `true` if that added anything.
    fn extend(&mut self, other: &Touch) -> bool {
        let before = (self.all, self.types.len(), self.panics);
        self.all |= other.all;
        self.types.extend(other.types.iter().copied());
        self.panics |= other.panics;
        before != (self.all, self.types.len(), self.panics)
    }
}

/// Which cells may a function look into, what it calls included?
struct Touches {
    functions: Vec<Touch>,
    /// Code that runs when the program panics.
    deferred: Touch,
    /// Is there a cell in the program?
    any: bool,
}

impl Touches {
    fn of(program: &Program) -> Touches {
        let count = program.funcs.len();
        let mut functions = vec![Touch::default(); count];
        let mut callers: Vec<Vec<FuncId>> = vec![Vec::new(); count];
        let mut deferred: Vec<Option<FuncId>> = Vec::new();
        let mut any = false;
        for (id, function) in &program.funcs {
            let touch = &mut functions[id.index()];
            let mut closures: FxHashMap<Var, FuncId> = FxHashMap::default();
            let mut call = |callee: Callee, touch: &mut Touch| match callee {
                Callee::Func(func) => callers[func.index()].push(id),
                Callee::Closure(_) | Callee::Consumed(_) => (touch.all, touch.panics) = (true, true),
            };
            let mut blocks = vec![&function.body];
            while let Some(block) = blocks.pop() {
                for stmt in &block.stmts {
                    match stmt {
                        Stmt::Let(_, Op::Prim(PrimOp::CellGet | PrimOp::CellSet | PrimOp::CellTake, args)) => {
                            any = true;
                            match args.first() {
                                Some(Atom::Var(cell)) => touch.types.insert(function.vars[*cell].ty),
                                _ => std::mem::replace(&mut touch.all, true),
                            };
                        }
                        Stmt::Let(_, Op::Prim(PrimOp::DeferPush, args)) => deferred.push(match args.first() {
                            Some(Atom::Var(var)) => closures.get(var).copied(),
                            _ => None,
                        }),
                        Stmt::Let(var, Op::Closure(func, _)) => {
                            closures.insert(*var, *func);
                        }
                        Stmt::Let(_, Op::Call(callee, _)) => call(*callee, touch),
                        // Handlers and computations run.
                        Stmt::Let(_, Op::Prim(prim, _)) if prim.may_unwind() => {
                            (touch.all, touch.panics) = (true, true);
                        }
                        Stmt::Let(_, op) => touch.panics |= may_panic(op),
                        Stmt::Join(join) => blocks.push(&join.body),
                        _ => {}
                    }
                }
                match &block.end {
                    End::TailCall { callee, .. } => call(*callee, touch),
                    End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
                    _ => {}
                }
            }
        }
        let mut work: Vec<FuncId> = program.funcs.keys().collect();
        while let Some(id) = work.pop() {
            let touch = functions[id.index()].clone();
            for &caller in &callers[id.index()] {
                if functions[caller.index()].extend(&touch) {
                    work.push(caller);
                }
            }
        }
        // Other versions defer code, too.
        let mut at_panic = Touch { all: program.version.is_some(), ..Touch::default() };
        for code in deferred {
            match code {
                Some(func) => drop(at_panic.extend(&functions[func.index()])),
                None => at_panic.all = true,
            }
        }
        Touches { functions, deferred: at_panic, any }
    }
}

/// Calls of functions aside.
fn may_panic(op: &Op) -> bool {
    match op {
        Op::Prim(prim, _) => prim.effect() == PrimEffect::Panic || *prim == PrimOp::Panic,
        Op::CallRuntime(..) | Op::CallForeign(..) | Op::Call(Callee::Closure(_) | Callee::Consumed(_), _) => true,
        _ => false,
    }
}

fn cells(function: &mut Function, touches: &Touches, store: &TypeStore) {
    let mut search = Search {
        function,
        touches,
        bodies: FxHashMap::default(),
        made: EntitySet::new(),
        globals: FxHashMap::default(),
        gets: Vec::new(),
    };
    search.survey(&function.body);
    let mut takes: FxHashMap<Var, Vec<Atom>> = FxHashMap::default();
    for &(var, cell, block, at) in &search.gets {
        let update = Update { search: &search, cell, ty: function.vars[cell].ty };
        if update.ends_in_set(block, at + 1, &mut FxHashSet::default()) {
            takes.insert(var, Vec::new());
        } else if let Some(indices) = block.stmts.get(at + 1).and_then(|stmt| checked_indices(stmt, var))
            && update.ends_in_set(block, at + 2, &mut FxHashSet::default())
        {
            takes.insert(var, indices);
        }
    }
    if !takes.is_empty() {
        let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
        read_by_taking(&mut body, &takes, &mut function.vars, store);
        function.body = body;
    }
}

/// The indices that an operation on an array is going to check before it does anything.
fn checked_indices(stmt: &Stmt, array: Var) -> Option<Vec<Atom>> {
    let Stmt::Let(_, Op::Prim(prim, args)) = stmt else { return None };
    let count = match prim {
        PrimOp::ArraySet | PrimOp::ArrayTake => 1,
        PrimOp::ArraySwap => 2,
        _ => return None,
    };
    (args[0] == Atom::Var(array)).then(|| args[1..=count].to_vec())
}

/// Turns reads of cells into takes, behind checks of the indices given for them.
fn read_by_taking(
    block: &mut Block,
    takes: &FxHashMap<Var, Vec<Atom>>,
    vars: &mut PrimaryMap<Var, VarInfo>,
    store: &TypeStore,
) {
    let mut stmts = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts) {
        match &mut stmt {
            Stmt::Let(var, Op::Prim(prim @ PrimOp::CellGet, cell)) if let Some(indices) = takes.get(var) => {
                let info = vars[*var].clone();
                if let (false, Type::Array(element)) = (indices.is_empty(), store.get(info.ty)) {
                    let array = vars.push(info.clone());
                    stmts.push(Stmt::Let(array, Op::Prim(PrimOp::CellGet, cell.clone())));
                    for &index in indices {
                        let checked = vars.push(VarInfo { ty: *element, name: None, span: info.span });
                        stmts.push(Stmt::Let(checked, Op::Prim(PrimOp::ArrayGet, vec![Atom::Var(array), index])));
                    }
                }
                *prim = PrimOp::CellTake;
            }
            Stmt::Join(join) => read_by_taking(&mut join.body, takes, vars, store),
            _ => {}
        }
        stmts.push(stmt);
    }
    block.stmts = stmts;
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|block| read_by_taking(block, takes, vars, store));
    }
}

struct Search<'a> {
    function: &'a Function,
    touches: &'a Touches,
    bodies: FxHashMap<JoinId, &'a Block>,
    /// Cells that this function has made.
    made: EntitySet<Var>,
    /// Cells that were read from globals, which hold the same value from when they are initialised to the end.
    globals: FxHashMap<Var, GlobalId>,
    /// Reads of cells: the variable, the cell, and where.
    gets: Vec<(Var, Var, &'a Block, usize)>,
}

impl<'a> Search<'a> {
    fn survey(&mut self, block: &'a Block) {
        for (at, stmt) in block.stmts.iter().enumerate() {
            match stmt {
                Stmt::Let(var, Op::Prim(PrimOp::CellGet, args)) => {
                    if let Some(Atom::Var(cell)) = args.first() {
                        self.gets.push((*var, *cell, block, at));
                    }
                }
                Stmt::Let(var, Op::Prim(PrimOp::CellNew, _)) => {
                    self.made.insert(*var);
                }
                Stmt::Let(var, Op::GlobalGet(global)) => {
                    self.globals.insert(*var, *global);
                }
                Stmt::Join(join) => {
                    self.bodies.insert(join.id, &join.body);
                    self.survey(&join.body);
                }
                _ => {}
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.survey(block));
        }
    }

    fn is_param(&self, var: Var) -> bool {
        self.function.params.contains(&var)
    }
}

/// The code after one read of a cell.
struct Update<'a> {
    search: &'a Search<'a>,
    cell: Var,
    ty: TypeId,
}

impl Update<'_> {
    /// Is the cell written on every path, before anything could look into it? (A loop that never ends does no harm.)
    fn ends_in_set(&self, block: &Block, from: usize, seen: &mut FxHashSet<JoinId>) -> bool {
        for stmt in &block.stmts[from..] {
            match stmt {
                Stmt::Let(_, Op::Prim(PrimOp::CellSet, args)) if matches!(args.first(), Some(Atom::Var(cell)) if self.is_same(*cell)) =>
                {
                    return true;
                }
                Stmt::Let(_, op) if !self.is_harmless(op) => return false,
                _ => {}
            }
        }
        match &block.end {
            End::Return(_) | End::TailCall { .. } => false,
            End::Unreachable => !self.search.touches.deferred.has(self.ty),
            End::Jump(join, _) => {
                !seen.insert(*join) || self.search.bodies.get(join).is_some_and(|body| self.ends_in_set(body, 0, seen))
            }
            End::Switch(switch) => walk::switch_blocks(switch).all(|block| self.ends_in_set(block, 0, seen)),
        }
    }

    fn is_harmless(&self, op: &Op) -> bool {
        let touches = self.search.touches;
        if touches.deferred.has(self.ty) && may_panic(op) {
            return false;
        }
        match op {
            Op::Prim(PrimOp::CellGet | PrimOp::CellSet | PrimOp::CellTake, args) => match args.first() {
                Some(Atom::Var(other)) => self.search.function.vars[*other].ty != self.ty || self.is_another(*other),
                _ => false,
            },
            Op::Call(Callee::Func(func), _) => {
                let touch = &touches.functions[func.index()];
                let seen_after_panic = touch.panics && touches.deferred.has(self.ty);
                !touch.has(self.ty) && !seen_after_panic
            }
            Op::Call(Callee::Closure(_) | Callee::Consumed(_), _) => false,
            Op::Prim(prim, _) => !prim.may_unwind(),
            _ => true,
        }
    }

    /// Certainly the same cell.
    fn is_same(&self, other: Var) -> bool {
        let Search { globals, .. } = self.search;
        other == self.cell || globals.contains_key(&other) && globals.get(&other) == globals.get(&self.cell)
    }

    /// Certainly not the same cell: a new cell is neither another new one nor one that was there before.
    fn is_another(&self, other: Var) -> bool {
        let Search { made, .. } = self.search;
        other != self.cell
            && (made.contains(other) && (made.contains(self.cell) || self.search.is_param(self.cell))
                || made.contains(self.cell) && self.search.is_param(other))
    }
}

// ---------------------------------------------------------------------------------------------------
// Array elements

struct Elements<'a> {
    function: &'a mut Function,
    /// What `array_take` gives, by the types of the array and of its element.
    tuples: FxHashMap<(TypeId, TypeId), TypeId>,
}

/// What is known in one block. Variables are represented by the first one that holds the same value.
#[derive(Default)]
struct Values {
    same: FxHashMap<Var, Atom>,
    fields: FxHashMap<(Var, u32, u32), Var>,
    prims: FxHashMap<PrimKey, Var>,
    /// Elements that were read from arrays not mentioned since: where.
    reads: Vec<Read>,
}

struct Read {
    array: Var,
    index: Atom,
    at: usize,
    /// Later reads of the same element.
    again: Vec<(usize, Var)>,
}

impl Values {
    fn of(&self, atom: Atom) -> Atom {
        match atom {
            Atom::Var(var) => self.same.get(&var).copied().unwrap_or(atom),
            _ => atom,
        }
    }

    fn learn(&mut self, var: Var, op: &Op, ty: TypeId) {
        let mut op = op.clone();
        walk::op_atoms_mut(&mut op, &mut |atom| *atom = self.of(*atom));
        let seen = match &op {
            Op::Copy(Atom::Var(source)) => *source,
            Op::Field { base: Atom::Var(base), variant, index } => {
                *self.fields.entry((*base, *variant, *index)).or_insert(var)
            }
            Op::Prim(prim, args) => match prim_key(*prim, args, ty) {
                Some(key) => *self.prims.entry(key).or_insert(var),
                None => var,
            },
            _ => var,
        };
        if seen != var {
            self.same.insert(var, Atom::Var(seen));
        }
    }
}

impl Elements<'_> {
    /// The types of arrays and elements that are read and could be moved.
    fn pairs(function: &Function, mut counted: impl FnMut(TypeId) -> bool) -> Vec<(TypeId, TypeId)> {
        let mut pairs = Vec::new();
        let mut blocks = vec![&function.body];
        while let Some(block) = blocks.pop() {
            for stmt in &block.stmts {
                match stmt {
                    Stmt::Let(var, Op::Prim(PrimOp::ArrayGet, args)) => {
                        if let Some(Atom::Var(array)) = args.first() {
                            let pair = (function.vars[*array].ty, function.vars[*var].ty);
                            if !pairs.contains(&pair) && counted(pair.1) {
                                pairs.push(pair);
                            }
                        }
                    }
                    Stmt::Join(join) => blocks.push(&join.body),
                    _ => {}
                }
            }
            if let End::Switch(switch) = &block.end {
                blocks.extend(walk::switch_blocks(switch));
            }
        }
        pairs
    }

    fn function(mut self) {
        let mut body = std::mem::replace(&mut self.function.body, Block::new(Vec::new(), End::Unreachable));
        self.block(&mut body);
        self.function.body = body;
    }

    fn block(&mut self, block: &mut Block) {
        self.updates(&mut block.stmts);
        for stmt in &mut block.stmts {
            if let Stmt::Join(join) = stmt {
                self.block(&mut join.body);
            }
        }
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.block(block));
        }
    }

    fn updates(&mut self, stmts: &mut Vec<Stmt>) {
        let mut values = Values::default();
        // What comes in place of a statement.
        let mut instead: FxHashMap<usize, Vec<Stmt>> = FxHashMap::default();
        for (at, stmt) in stmts.iter().enumerate() {
            let Stmt::Let(var, op) = stmt else { continue };
            if let Op::Prim(prim @ (PrimOp::ArrayGet | PrimOp::ArrayTake | PrimOp::ArraySet), args) = op
                && let (Atom::Var(array), index) = (values.of(args[0]), values.of(args[1]))
            {
                let known = values.reads.iter().position(|read| read.array == array && read.index == index);
                match (prim, known) {
                    (PrimOp::ArrayGet, Some(known)) => values.reads[known].again.push((at, *var)),
                    (PrimOp::ArrayGet, None) => {
                        let types = (self.function.vars[array].ty, self.function.vars[*var].ty);
                        if self.tuples.contains_key(&types) {
                            values.reads.push(Read { array, index, at, again: Vec::new() });
                        }
                    }
                    (_, Some(known)) => {
                        let read = values.reads.swap_remove(known);
                        values.reads.retain(|read| read.array != array);
                        let Stmt::Let(element, Op::Prim(_, operands)) = &stmts[read.at] else { continue };
                        let (element, operands) = (*element, operands.clone());
                        let (taken, put) = self.taken(*var, *prim, array, element, operands, args);
                        if let Some(Stmt::Let(pair, _)) = taken.first() {
                            values.fields.insert((*pair, 0, 1), element);
                        }
                        for (at, var) in read.again {
                            instead.insert(at, vec![Stmt::Let(var, Op::Copy(Atom::Var(element)))]);
                        }
                        instead.insert(read.at, taken);
                        instead.insert(at, put);
                    }
                    (_, None) => values.reads.retain(|read| read.array != array),
                }
            } else {
                walk::op_atoms(op, &mut |atom| {
                    let Atom::Var(var) = values.of(atom) else { return };
                    values.reads.retain(|read| read.array != var);
                });
            }
            values.learn(*var, op, self.function.vars[*var].ty);
        }
        if instead.is_empty() {
            return;
        }
        let old = std::mem::take(stmts);
        for (at, stmt) in old.into_iter().enumerate() {
            match instead.remove(&at) {
                Some(new) => stmts.extend(new),
                None => stmts.push(stmt),
            }
        }
    }

    /// What a read of `element` becomes, and the update `var = prim args` at the end.
    fn taken(
        &mut self,
        var: Var,
        prim: PrimOp,
        array: Var,
        element: Var,
        operands: Vec<Atom>,
        args: &[Atom],
    ) -> (Vec<Stmt>, Vec<Stmt>) {
        let vars = &mut self.function.vars;
        let part = |base: Var, index: u32| Op::Field { base: Atom::Var(base), variant: 0, index };
        if prim == PrimOp::ArrayTake {
            let taken = Stmt::Let(var, Op::Prim(PrimOp::ArrayTake, operands));
            return (vec![taken, Stmt::Let(element, part(var, 1))], Vec::new());
        }
        let array_ty = vars[array].ty;
        let VarInfo { ty, span, .. } = vars[element].clone();
        let pair = vars.push(VarInfo { ty: self.tuples[&(array_ty, ty)], name: None, span });
        let rest = vars.push(VarInfo { ty: array_ty, name: None, span });
        let taken = vec![
            Stmt::Let(pair, Op::Prim(PrimOp::ArrayTake, operands)),
            Stmt::Let(rest, part(pair, 0)),
            Stmt::Let(element, part(pair, 1)),
        ];
        let put = Op::Prim(PrimOp::ArrayPut, vec![Atom::Var(rest), args[1], args[2]]);
        (taken, vec![Stmt::Let(var, put)])
    }
}
