//! When does each object die? Precise reference counting [Reinking et al. 2021], in four steps:
//! `borrow` decides which parameters need no counting, `prepare` brings a function into shape, `insert` makes every change
//! of a count explicit, `reuse` hands the memory of dying cells to new ones.

mod borrow;

pub use borrow::components;
mod insert;
pub(crate) mod liveness;
mod prepare;
mod reuse;
mod source;
pub(crate) mod types;
mod unwind;

pub use unwind::Unwinds;

use cranelift_entity::EntityRef;

use crate::core::Program;

pub fn count(program: &mut Program) {
    let Program { types, type_defs, funcs, runtime, .. } = program;
    let unwinds = unwind::Unwinds::of(funcs);
    for function in funcs.values_mut() {
        unwinds.fill_holes(function, types);
    }
    let mut types = types::Types::new(types, type_defs);
    for function in funcs.values_mut() {
        prepare::prepare(function, &mut types);
    }
    let modes = borrow::infer(funcs, runtime, &mut types);
    let signatures = source::Signatures { runtime, modes: &modes.functions, writes: &modes.writes, unwinds: &unwinds };
    for (id, function) in funcs.iter_mut() {
        function.modes.clone_from(&modes.functions[id.index()]);
        insert::insert(function, &modes.joins[id.index()], signatures, &mut types);
        reuse::reuse(function, &mut types);
    }
}
