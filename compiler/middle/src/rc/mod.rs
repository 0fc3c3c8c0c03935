//! When does each object die? Precise reference counting [Reinking et al. 2021], in four steps:
//! `borrow` decides which parameters need no counting, `prepare` brings a function into shape, `insert` makes every change
//! of a count explicit, `reuse` hands the memory of dying cells to new ones.

mod borrow;
mod consume;
mod gather;
mod in_force;
mod insert;
pub(crate) mod liveness;
mod prepare;
mod reuse;
mod source;
pub(crate) mod types;
mod unwind;

pub use unwind::Unwinds;

use cranelift_entity::{EntityRef, PrimaryMap};

use crate::core::{FuncId, Function, Program};
use crate::parallel;
use types::Types;

pub fn count(program: &mut Program) {
    let Program { types, type_defs, funcs, runtime, version, .. } = program;
    let unwinds = Unwinds::of(funcs, version.is_some());
    let unit = types.unit();
    for function in funcs.values_mut() {
        unwinds.fill_holes(function, types);
        in_force::keep_handlers(function, unit);
    }
    let types = &Types::of(types, type_defs, funcs);
    each_function(funcs, |_, function| prepare::prepare(function, types));
    consume::split(funcs, &unwinds);
    let modes = borrow::infer(funcs, runtime, types);
    let signatures = source::Signatures {
        runtime,
        modes: &modes.functions,
        writes: &modes.writes,
        circular: &modes.circular,
        unwinds: &unwinds,
    };
    each_function(funcs, |id, function| {
        function.modes.clone_from(&modes.functions[id.index()]);
        insert::insert(id, function, &modes.joins[id.index()], signatures, types);
        reuse::reuse(function, types);
    });
}

fn each_function(funcs: &mut PrimaryMap<FuncId, Function>, pass: impl Fn(FuncId, &mut Function) + Sync) {
    parallel::for_each(funcs.values_mut().into_slice(), |index, function| pass(FuncId::new(index), function));
}
