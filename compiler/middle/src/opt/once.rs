//! What is computed only once? What functions marked `@inline(once)` make of constants.
//!
//! A rule of a grammar is a function, which makes its parser again wherever it is mentioned. What such a parser looks things up in, a table of
//! operators say, is the same each time and takes long to make. So the calls that make it become globals, which the entry function fills.
//! What made a table and a parser then does nothing but make a parser, as the rest of the optimiser likes it.

use cranelift_entity::PrimaryMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::makers::Purity;
use crate::core::{
    Atom, Block, Callee, End, FuncId, Function, Global, GlobalId, Inline, Op, Program, Stmt, Var, VarInfo,
};
use crate::walk;

/// Replaces the calls by globals. Are there any?
pub fn hoist(program: &mut Program) -> bool {
    if program.funcs.values().all(|function| function.inline != Inline::Once) {
        return false;
    }
    let mut purity = Purity::new(program);
    let mut found = Vec::new();
    for (id, function) in program.funcs.iter().filter(|(id, _)| *id != program.entry) {
        let constants = Constants::of(&function.body, &mut purity);
        let calls = constants.calls(function, program);
        if !calls.is_empty() {
            let constants: FxHashSet<Var> = constants.ops.keys().copied().collect();
            found.push((id, calls, constants));
        }
    }
    let mut known: FxHashMap<String, GlobalId> = FxHashMap::default();
    let mut filled = Vec::new();
    for (id, calls, constants) in found {
        let mut globals = FxHashMap::default();
        for (call, initialiser) in calls {
            // Variables are numbered in the order of the code, so equal code looks the same.
            let global = *known.entry(format!("{:?}", initialiser.body)).or_insert_with(|| {
                let global = program.globals.push(Global { name: initialiser.name.clone(), ty: initialiser.ret });
                filled.push((global, program.funcs.push(initialiser)));
                global
            });
            globals.insert(call, global);
        }
        let body = &mut program.funcs[id].body;
        read_globals(body, &globals);
        let mut uses = FxHashMap::default();
        count_uses(body, &mut uses);
        remove_unused(body, &constants, &mut uses);
    }
    fill(program, &filled);
    !filled.is_empty()
}

/// What in a function is made of constants only, by code that does nothing else.
struct Constants<'a> {
    ops: FxHashMap<Var, &'a Op>,
}

impl<'a> Constants<'a> {
    fn of(body: &'a Block, purity: &mut Purity) -> Constants<'a> {
        let mut ops = FxHashMap::default();
        walk::each_op(body, &mut |var, op| {
            let mut constant = purity.allows(op);
            walk::op_atoms(op, &mut |atom| {
                constant &= match atom {
                    Atom::Var(var) => ops.contains_key(&var),
                    Atom::Hole => false,
                    _ => true,
                }
            });
            if constant {
                ops.insert(var, op);
            }
        });
        Constants { ops }
    }

    /// The calls to be made once, each as a function of its own. Those whose results only other such calls need are parts of these.
    fn calls(&self, function: &Function, program: &Program) -> Vec<(Var, Function)> {
        let mut needed = FxHashSet::default();
        let mut calls = Vec::new();
        walk::each_op(&function.body, &mut |var, op| {
            let part = self.ops.contains_key(&var) && matches!(op, Op::Call(..));
            if !part {
                walk::op_atoms(op, &mut |atom| needed.extend(variable(atom)));
            }
            if let Op::Call(Callee::Func(func), _) = op
                && program.funcs[*func].inline == Inline::Once
                && self.ops.contains_key(&var)
            {
                calls.push((var, *func));
            }
        });
        walk::each_end(&function.body, &mut |end| walk::end_atoms(end, &mut |atom| needed.extend(variable(atom))));
        calls.retain(|(var, _)| needed.contains(var));
        calls.into_iter().map(|(var, func)| (var, self.initialiser(var, function, &program.funcs[func]))).collect()
    }

    /// A function that makes one of the constants.
    fn initialiser(&self, constant: Var, function: &Function, called: &Function) -> Function {
        let mut vars: PrimaryMap<Var, VarInfo> = PrimaryMap::new();
        let mut renamed: FxHashMap<Var, Var> = FxHashMap::default();
        let mut stmts = Vec::new();
        // A variable is done once those that it is made of are.
        let mut work = vec![(constant, false)];
        while let Some((var, ready)) = work.pop() {
            if renamed.contains_key(&var) {
                continue;
            }
            let mut op = self.ops[&var].clone();
            if !ready {
                work.push((var, true));
                walk::op_atoms(&op, &mut |atom| work.extend(variable(atom).map(|var| (var, false))));
                continue;
            }
            walk::op_atoms_mut(&mut op, &mut |atom| {
                if let Atom::Var(var) = atom {
                    *var = renamed[var];
                }
            });
            let new = vars.push(function.vars[var].clone());
            renamed.insert(var, new);
            stmts.push(Stmt::Let(new, op));
        }
        Function {
            name: format!("{}.{{once}}", called.name).into(),
            span: function.span,
            params: Vec::new(),
            captures: 0,
            modes: Vec::new(),
            ret: function.vars[constant].ty,
            vars,
            joins: PrimaryMap::new(),
            body: Block::new(stmts, End::Return(Atom::Var(renamed[&constant]))),
            inline: Inline::Never,
            consuming: None,
            roots: FxHashMap::default(),
        }
    }
}

fn variable(atom: Atom) -> Option<Var> {
    match atom {
        Atom::Var(var) => Some(var),
        _ => None,
    }
}

/// Reads globals in place of the calls.
fn read_globals(block: &mut Block, globals: &FxHashMap<Var, GlobalId>) {
    for stmt in &mut block.stmts {
        match stmt {
            Stmt::Let(var, op) => {
                if let Some(&global) = globals.get(var) {
                    *op = Op::GlobalGet(global);
                }
            }
            Stmt::Join(join) => read_globals(&mut join.body, globals),
            _ => {}
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|block| read_globals(block, globals));
    }
}

fn count_uses(block: &Block, uses: &mut FxHashMap<Var, usize>) {
    let mut count = |atom| {
        if let Atom::Var(var) = atom {
            *uses.entry(var).or_default() += 1;
        }
    };
    walk::each_op(block, &mut |_, op| walk::op_atoms(op, &mut count));
    walk::each_end(block, &mut |end| walk::end_atoms(end, &mut count));
}

/// Removes constants that nobody needs any more: calls are not removed otherwise.
fn remove_unused(block: &mut Block, constants: &FxHashSet<Var>, uses: &mut FxHashMap<Var, usize>) {
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(|block| remove_unused(block, constants, uses));
    }
    // Last first: what one is made of may not be needed either.
    let mut kept = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts).into_iter().rev() {
        match &mut stmt {
            Stmt::Let(var, op) if constants.contains(var) && uses.get(var).is_none_or(|&count| count == 0) => {
                walk::op_atoms(op, &mut |atom| {
                    if let Some(count) = variable(atom).and_then(|var| uses.get_mut(&var)) {
                        *count -= 1;
                    }
                });
                continue;
            }
            Stmt::Join(join) => remove_unused(&mut join.body, constants, uses),
            _ => {}
        }
        kept.push(stmt);
    }
    kept.reverse();
    block.stmts = kept;
}

/// The entry function fills each global once those that its initialiser reads are filled, and lets them all go last. What calls the
/// functions that the initialisers are taken from reads the same globals, and so is filled later still.
fn fill(program: &mut Program, globals: &[(GlobalId, FuncId)]) {
    let unit = program.types.unit();
    let read: Vec<FxHashSet<GlobalId>> = globals.iter().map(|&(_, func)| globals_read(program, func)).collect();
    let entry = &mut program.funcs[program.entry];
    let span = entry.span;
    for (&(global, initialiser), read) in globals.iter().zip(&read) {
        let value = entry.vars.push(VarInfo { ty: program.globals[global].ty, name: None, span });
        let set = entry.vars.push(VarInfo { ty: unit, name: None, span });
        let fills = |stmt: &Stmt| matches!(stmt, Stmt::Let(_, Op::GlobalSet(global, _)) if read.contains(global));
        let place = entry.body.stmts.iter().rposition(fills).map_or(0, |last| last + 1);
        let call = Stmt::Let(value, Op::Call(Callee::Func(initialiser), Vec::new()));
        entry.body.stmts.splice(place..place, [call, Stmt::Let(set, Op::GlobalSet(global, Atom::Var(value)))]);
    }
    let Function { body, vars, .. } = entry;
    each_return(body, &mut |stmts| {
        for &(global, _) in globals {
            let taken = vars.push(VarInfo { ty: program.globals[global].ty, name: None, span });
            stmts.push(Stmt::Let(taken, Op::GlobalTake(global)));
        }
    });
}

/// The globals that a pure function reads, by itself or in what it calls. Closures that it makes are not called.
fn globals_read(program: &Program, func: FuncId) -> FxHashSet<GlobalId> {
    let mut globals = FxHashSet::default();
    let mut seen = FxHashSet::default();
    let mut work = vec![func];
    while let Some(func) = work.pop() {
        if !seen.insert(func) {
            continue;
        }
        let body = &program.funcs[func].body;
        walk::each_op(body, &mut |_, op| match op {
            Op::GlobalGet(global) => {
                globals.insert(*global);
            }
            Op::Call(Callee::Func(func), _) => work.push(*func),
            _ => {}
        });
        walk::each_end(body, &mut |end| {
            if let End::TailCall { callee: Callee::Func(func), .. } = end {
                work.push(*func);
            }
        });
    }
    globals
}

/// Calls `f` with what is done before each return.
fn each_return(block: &mut Block, f: &mut impl FnMut(&mut Vec<Stmt>)) {
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            each_return(&mut join.body, f);
        }
    }
    match &mut block.end {
        End::Return(_) => f(&mut block.stmts),
        End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| each_return(block, f)),
        _ => {}
    }
}
