//! How is a function called that may be replaced?
//!
//! It has a *slot*: a global that holds a closure of it without captures. A call reads the slot and calls the closure, and where the
//! function itself is a value, that is a closure of a function that does so. Each function begins by asking whether there
//! is another version; then the slot has another closure, and it calls that one in its own place.
//!
//! The passes behind this one see calls of closures that might be any: they neither inline such functions nor learn from their code.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::types::{Prim, Type, TypeId};

use super::{Facts, Role, Storage};
use crate::core::{
    Atom, Block, Callee, Case, End, FuncId, Function, Global, GlobalId, Inline, Mode, Op, Program, RuntimeFn, Stmt,
    Switch, Var, VarInfo,
};
use crate::walk;

/// A function and its slot.
#[derive(Clone, Copy)]
pub struct Slot {
    pub global: GlobalId,
    pub func: FuncId,
    /// The type of its closure.
    pub ty: TypeId,
}

/// Gives every function of the program's own a slot.
pub fn divert(program: &mut Program, facts: &Facts, storage: &mut SecondaryMap<GlobalId, Storage>) -> Vec<Slot> {
    let mut slots = Vec::with_capacity(facts.functions.len());
    let mut of: SecondaryMap<FuncId, Option<Slot>> = SecondaryMap::new();
    for own in &facts.functions {
        let function = &program.funcs[own.func];
        let params = function.params.iter().map(|&param| function.vars[param].ty).collect();
        let ty = program.types.intern(Type::Fn { params, ret: function.ret });
        let global = program.globals.push(Global { name: format!("{}.{{slot}}", function.name).into(), ty });
        storage[global] = Storage { key: format!("fn {}: {}", own.key, own.signature).into(), role: Role::Slot };
        let slot = Slot { global, func: own.func, ty };
        of[own.func] = Some(slot);
        slots.push(slot);
    }
    let values = closures_of_values(program, &of);
    for function in program.funcs.values_mut() {
        let mut body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
        divert_block(&mut body, &mut function.vars, &of, &values);
        function.body = body;
    }
    let bool = program.types.prim(Prim::Bool);
    let ask = RuntimeFn { symbol: "reml_reload_point".into(), params: Vec::new(), ret: bool, pure: false };
    let ask = program.runtime.push(ask);
    for slot in &slots {
        let function = &mut program.funcs[slot.func];
        function.inline = Inline::Never;
        function.modes.fill(Mode::Owned);
        let span = function.span;
        let replaced = function.vars.push(VarInfo { ty: bool, name: None, span });
        let current = function.vars.push(VarInfo { ty: slot.ty, name: None, span });
        let args = function.params.iter().map(|&param| Atom::Var(param)).collect();
        let again = Block::new(
            vec![Stmt::Let(current, Op::GlobalGet(slot.global))],
            End::TailCall { callee: Callee::Closure(Atom::Var(current)), args, span },
        );
        let body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
        function.body = Block::new(
            vec![Stmt::Let(replaced, Op::CallRuntime(ask, Vec::new()))],
            End::Switch(Switch {
                scrutinee: Atom::Var(replaced),
                cases: vec![(Case::Bool(true), again), (Case::Bool(false), body)],
                default: None,
            }),
        );
    }
    slots
}

/// For each function with a slot that is a value somewhere: one that calls it through the slot.
fn closures_of_values(
    program: &mut Program,
    slots: &SecondaryMap<FuncId, Option<Slot>>,
) -> SecondaryMap<FuncId, Option<FuncId>> {
    let mut wanted = Vec::new();
    for function in program.funcs.values() {
        walk::each_op(&function.body, &mut |_, op| {
            if let Op::Closure(func, _) = op {
                wanted.extend(slots[*func]);
            }
        });
    }
    let mut values: SecondaryMap<FuncId, Option<FuncId>> = SecondaryMap::new();
    for slot in wanted {
        if values[slot.func].is_some() {
            continue;
        }
        let original = &program.funcs[slot.func];
        let span = original.span;
        let mut vars: PrimaryMap<Var, VarInfo> = PrimaryMap::new();
        let params: Vec<Var> = original.params.iter().map(|&param| vars.push(original.vars[param].clone())).collect();
        let current = vars.push(VarInfo { ty: slot.ty, name: None, span });
        let end = End::TailCall {
            callee: Callee::Closure(Atom::Var(current)),
            args: params.iter().map(|&param| Atom::Var(param)).collect(),
            span,
        };
        let value = Function {
            name: format!("{}.{{current}}", original.name).into(),
            span,
            captures: 0,
            modes: vec![Mode::Owned; params.len()],
            params,
            ret: original.ret,
            vars,
            joins: PrimaryMap::new(),
            body: Block::new(vec![Stmt::Let(current, Op::GlobalGet(slot.global))], end),
            inline: Inline::Never,
            consuming: None,
            roots: Default::default(),
        };
        values[slot.func] = Some(program.funcs.push(value));
    }
    values
}

fn divert_block(
    block: &mut Block,
    vars: &mut PrimaryMap<Var, VarInfo>,
    slots: &SecondaryMap<FuncId, Option<Slot>>,
    values: &SecondaryMap<FuncId, Option<FuncId>>,
) {
    let mut stmts = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts) {
        match &mut stmt {
            Stmt::Let(var, Op::Call(callee @ Callee::Func(_), _)) => {
                let span = vars[*var].span;
                stmts.extend(through_slot(callee, vars, slots, span));
            }
            Stmt::Let(_, Op::Closure(func, _)) => {
                if let Some(value) = values[*func] {
                    *func = value;
                }
            }
            Stmt::Join(join) => divert_block(&mut join.body, vars, slots, values),
            _ => {}
        }
        stmts.push(stmt);
    }
    match &mut block.end {
        End::TailCall { callee, span, .. } => stmts.extend(through_slot(callee, vars, slots, *span)),
        End::Switch(switch) => {
            walk::switch_blocks_mut(switch).for_each(|block| divert_block(block, vars, slots, values));
        }
        End::Return(_) | End::Jump(..) | End::Unreachable => {}
    }
    block.stmts = stmts;
}

/// Makes the callee what is in its slot, if it has one; gives the statement that reads it.
fn through_slot(
    callee: &mut Callee,
    vars: &mut PrimaryMap<Var, VarInfo>,
    slots: &SecondaryMap<FuncId, Option<Slot>>,
    span: reml_diagnostics::Span,
) -> Option<Stmt> {
    let Callee::Func(func) = *callee else { return None };
    let slot = slots[func]?;
    let current = vars.push(VarInfo { ty: slot.ty, name: None, span });
    *callee = Callee::Closure(Atom::Var(current));
    Some(Stmt::Let(current, Op::GlobalGet(slot.global)))
}
