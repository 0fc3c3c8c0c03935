//! What runs when a version comes into force?
//!
//! The entry of the first is that of any program, but that it fills the slots first. The entry of a later one is called in the
//! middle of the program: it fills the slots, gives the globals that are new their values, and runs the checks of the modules that have changed; or,
//! when the program ends, it releases those globals.

use cranelift_entity::{EntityRef, SecondaryMap};
use reml_semantics::types::{Prim, TypeId};

use super::slots::Slot;
use super::{Changes, Facts, Role, Storage};
use crate::core::{
    Atom, Block, Callee, Case, End, Function, GlobalId, Mode, Op, Program, RuntimeFn, RuntimeId, Stmt, Switch, Var,
    VarInfo,
};

/// Fills the slots at the beginning of the entry, and says when the globals have their values.
pub fn first(program: &mut Program, slots: &[Slot]) {
    let unit = program.types.unit();
    let open = runtime(program, "reml_reload_open", Vec::new(), unit);
    let mut code = Writer::new(program);
    code.fill(slots);
    let (mut function, begin) = code.finish();
    let opened = function.vars.push(VarInfo { ty: unit, name: None, span: function.span });
    let stmts = &mut function.body.stmts;
    let sets = |stmt: &Stmt| matches!(stmt, Stmt::Let(_, Op::GlobalSet(..)));
    let after = stmts.iter().rposition(sets).map_or(0, |last| last + 1);
    stmts.insert(after, Stmt::Let(opened, Op::CallRuntime(open, Vec::new())));
    stmts.splice(0..0, begin);
    let entry = program.entry;
    program.funcs[entry] = function;
}

/// Replaces the entry by that of a later version.
pub fn later(
    program: &mut Program,
    slots: &[Slot],
    facts: &Facts,
    storage: &SecondaryMap<GlobalId, Storage>,
    changes: &Changes,
) {
    let (bool, i32, str) =
        (program.types.prim(Prim::Bool), program.types.prim(Prim::I32), program.types.prim(Prim::Str));
    let unit = program.types.unit();
    let releases = runtime(program, "reml_reload_releases", Vec::new(), bool);
    let refuse = runtime(program, "reml_reload_refuse", vec![(str, Mode::Borrowed)], unit);
    let added = facts.globals.iter().filter(|own| storage[own.global].role == Role::Added);
    let done = End::Return(Atom::Int(0, i32));

    let mut code = Writer::new(program);
    code.function.vars.clear();
    code.function.joins.clear();
    for own in added.clone().rev() {
        code.op(code.globals[own.global], Op::GlobalTake(own.global));
    }
    let release = Block::new(std::mem::take(&mut code.stmts), done.clone());

    code.fill(slots);
    for own in &facts.globals {
        if storage[own.global].role == Role::Added {
            let value = code.op(code.globals[own.global], Op::Call(Callee::Func(own.initialiser), Vec::new()));
            code.op(unit, Op::GlobalSet(own.global, Atom::Var(value)));
        }
        if let Some(flag) = own.flag {
            code.op(unit, Op::GlobalSet(flag, Atom::Bool(true)));
        }
    }
    let mut checks = Vec::new();
    for check in facts.checks.iter().filter(|check| changes.modules.contains(&check.module)) {
        let slot = slots.iter().find(|slot| slot.func == check.func);
        let ty = code.results[check.func.index()];
        let verdict = match slot {
            Some(slot) => {
                let current = code.op(slot.ty, Op::GlobalGet(slot.global));
                code.op(ty, Op::Call(Callee::Closure(Atom::Var(current)), Vec::new()))
            }
            None => code.op(ty, Op::Call(Callee::Func(check.func), Vec::new())),
        };
        checks.push((std::mem::take(&mut code.stmts), verdict, check.refusal));
    }
    let mut install = Block::new(std::mem::take(&mut code.stmts), done.clone());
    for (stmts, verdict, refusal) in checks.into_iter().rev() {
        let reason = code.op(str, Op::Field { base: Atom::Var(verdict), variant: refusal, index: 0 });
        code.op(unit, Op::CallRuntime(refuse, vec![Atom::Var(reason)]));
        let refused = Block::new(std::mem::take(&mut code.stmts), done.clone());
        let switch = Switch {
            scrutinee: Atom::Var(verdict),
            cases: vec![(Case::Variant(refusal), refused)],
            default: Some(Box::new(install)),
        };
        install = Block::new(stmts, End::Switch(switch));
    }
    let task = code.op(bool, Op::CallRuntime(releases, Vec::new()));
    let (mut function, begin) = code.finish();
    let switch = Switch {
        scrutinee: Atom::Var(task),
        cases: vec![(Case::Bool(true), release), (Case::Bool(false), install)],
        default: None,
    };
    function.body = Block::new(begin, End::Switch(switch));
    let entry = program.entry;
    program.funcs[entry] = function;
}

fn runtime(program: &mut Program, symbol: &str, params: Vec<(TypeId, Mode)>, ret: TypeId) -> RuntimeId {
    program.runtime.push(RuntimeFn { symbol: symbol.into(), params, ret, pure: false })
}

/// Writes statements of the entry.
struct Writer {
    function: Function,
    unit: TypeId,
    globals: SecondaryMap<GlobalId, TypeId>,
    /// Of each function.
    results: Vec<TypeId>,
    stmts: Vec<Stmt>,
}

impl Writer {
    fn new(program: &Program) -> Writer {
        let unit = program.types.unit();
        let mut globals = SecondaryMap::with_default(unit);
        program.globals.iter().for_each(|(id, global)| globals[id] = global.ty);
        Writer {
            function: program.funcs[program.entry].clone(),
            unit,
            globals,
            results: program.funcs.values().map(|function| function.ret).collect(),
            stmts: Vec::new(),
        }
    }

    fn op(&mut self, ty: TypeId, op: Op) -> Var {
        let var = self.function.vars.push(VarInfo { ty, name: None, span: self.function.span });
        self.stmts.push(Stmt::Let(var, op));
        var
    }

    /// Makes the functions of the version be called.
    fn fill(&mut self, slots: &[Slot]) {
        for slot in slots {
            let closure = self.op(slot.ty, Op::Closure(slot.func, Vec::new()));
            self.op(self.unit, Op::GlobalSet(slot.global, Atom::Var(closure)));
        }
    }

    fn finish(self) -> (Function, Vec<Stmt>) {
        (self.function, self.stmts)
    }
}
