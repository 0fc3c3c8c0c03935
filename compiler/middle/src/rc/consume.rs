//! Which closures may be ended by the call itself?
//!
//! A call borrows the closure: its captures stay where they are, and the caller drops it afterwards. In tail position there
//! is no afterwards. Where such calls can go in a circle (continuations passed to continuations), the callee takes
//! the closure instead: the captures are moved out of it, and the code is a second copy of the function that owns them.
//!
//! A closure of such a type that is in no circle could do without the copy: whoever consumes it may drop it afterwards. But not
//! when effects may leave its code, for nobody would know then that it has to be dropped.

use cranelift_entity::{EntitySet, PrimaryMap};
use reml_semantics::types::TypeId;
use rustc_hash::FxHashSet;

use super::borrow::Calls;
use super::unwind::Unwinds;
use crate::core::{Atom, Block, Callee, End, FuncId, Function, Mode, Op, Stmt};
use crate::walk;

/// Adds the owning copies of the functions whose closures may be consumed by a call.
pub fn split(funcs: &mut PrimaryMap<FuncId, Function>, unwinds: &Unwinds) {
    let called = called_types(funcs);
    if called.is_empty() && !unwinds.is_open() {
        return;
    }
    let calls = Calls::of(funcs);
    let mut types: FxHashSet<TypeId> = FxHashSet::default();
    for (id, ty) in called {
        if calls.is_circular(id) {
            types.insert(ty);
        }
    }
    let mut split: EntitySet<FuncId> = EntitySet::new();
    let mut order = Vec::new();
    for function in funcs.values() {
        each_block(&function.body, &mut |block| {
            for stmt in &block.stmts {
                if let Stmt::Let(var, Op::Closure(func, captures)) = stmt
                    && !captures.is_empty()
                    && (unwinds.is_open() || types.contains(&function.vars[*var].ty))
                    && (calls.is_circular(*func) || unwinds.may_leave_function(*func))
                    && split.insert(*func)
                {
                    order.push(*func);
                }
            }
        });
    }
    for func in order {
        let original = &funcs[func];
        let mut copy = original.clone();
        copy.name = format!("{}.consuming", original.name).into();
        copy.modes[..copy.captures].fill(Mode::Owned);
        copy.captures = 0;
        let copy = funcs.push(copy);
        funcs[func].consuming = Some(copy);
    }
}

/// The types of closures that are called in tail position and may belong to the caller, with the caller.
fn called_types(funcs: &PrimaryMap<FuncId, Function>) -> Vec<(FuncId, TypeId)> {
    let mut called = Vec::new();
    for (id, function) in funcs {
        let captures = &function.params[..function.captures];
        each_block(&function.body, &mut |block| {
            if let End::TailCall { callee: Callee::Closure(Atom::Var(closure)), .. } = block.end
                && !captures.contains(&closure)
            {
                called.push((id, function.vars[closure].ty));
            }
        });
    }
    called
}

fn each_block(block: &Block, f: &mut impl FnMut(&Block)) {
    f(block);
    for stmt in &block.stmts {
        if let Stmt::Join(join) = stmt {
            each_block(&join.body, f);
        }
    }
    if let End::Switch(switch) = &block.end {
        walk::switch_blocks(switch).for_each(|block| each_block(block, f));
    }
}
