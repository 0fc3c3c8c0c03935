//! What does the program become before its references are counted? The optimiser: Core in, equivalent Core out.

mod cells;
mod copy;
mod evidence;
mod facts;
mod fold;
mod inline;
mod known;
mod loops;
mod makers;
mod once;
mod outcomes;
mod puts;
mod removal;
mod resume;
mod simplify;
mod sink;
mod specialise;
mod tail_mod_cons;
mod takes;
mod targets;
mod unreachable;
mod unread;

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};
use reml_semantics::typed::{TypeDefId, TypeDefKind};
use reml_semantics::types::{Type, TypeId, TypeStore};

use crate::core::{Block, End, FuncId, Function, Program};
use crate::layout::{Layouts, RecursiveDefs};
use inline::{CallGraph, Inliner};
use makers::Runners;
use removal::Removal;

use crate::rc::Unwinds;

/// How hard to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptLevel {
    /// Compile quickly.
    Debug,
    /// Everything.
    Release,
}

/// Most functions settle in two or three rounds; each costs one walk.
const ROUNDS: usize = 6;

pub fn optimise(program: &mut Program, level: OptLevel) {
    optimise_all(program, level);
    if level == OptLevel::Debug {
        return;
    }
    if once::hoist(program) {
        optimise_all(program, level);
    }
    let handlers = evidence::uses_handlers(program);
    let specialised = handlers && evidence::specialise(program);
    let resolved = targets::resolve(program);
    let mut changed = unread::drop_unread(program);
    changed.extend(outcomes::prune(program, &Variants::of(program)).iter());
    if resolved || specialised {
        optimise_all(program, level);
    } else if !changed.is_empty() {
        optimise_again(program, level, &changed);
    }
    if handlers {
        resume::resume_at_once(program);
        unreachable::remove_unreachable(program);
    }
}

fn optimise_all(program: &mut Program, level: OptLevel) {
    unreachable::remove_unreachable(program);
    let mut layouts = Layouts::new(RecursiveDefs::of(&program.types, &program.type_defs));
    takes::take(program, &mut layouts);
    for (id, function) in program.funcs.iter_mut() {
        loops::loop_self_calls(id, function);
    }
    let runners = match level {
        OptLevel::Debug => Default::default(),
        // Arithmetic wraps: makers cannot panic.
        OptLevel::Release => makers::add_runners(program),
    };
    optimise_each(program, level, &runners, |_| true);
    makers::make_closures(program, &runners);
    unreachable::remove_unreachable(program);
}

/// Optimises some functions of an optimised program.
fn optimise_again(program: &mut Program, level: OptLevel, funcs: &EntitySet<FuncId>) {
    optimise_each(program, level, &Runners::default(), |id| funcs.contains(id));
    unreachable::remove_unreachable(program);
}

/// Callees first; those that are not `wanted` are as they should be.
fn optimise_each(program: &mut Program, level: OptLevel, runners: &Runners, wanted: impl Fn(FuncId) -> bool) {
    let mut layouts = Layouts::new(RecursiveDefs::of(&program.types, &program.type_defs));
    let graph = CallGraph::of(program, runners);
    let unwinds = Unwinds::of(&program.funcs, program.version.is_some());
    let variants = Variants::of(program);
    let library = std::mem::take(&mut program.library);
    let mut inliner = Inliner::new(program, &graph, runners, level, &library);
    let mut order = graph.order.clone();
    order.reverse();
    while let Some(id) = order.pop() {
        if wanted(id) || id.index() >= graph.order.len() {
            optimise_function(program, id, level, &variants, &unwinds, &mut layouts, &mut inliner);
            order.append(&mut inliner.unfinished);
        } else {
            inliner.finished(id, &program.funcs[id]);
        }
    }
    program.library = library;
}

fn optimise_function(
    program: &mut Program,
    id: FuncId,
    level: OptLevel,
    variants: &Variants,
    unwinds: &Unwinds,
    layouts: &mut Layouts,
    inliner: &mut Inliner,
) {
    let mut function = std::mem::replace(&mut program.funcs[id], placeholder());
    let keeps_calls = id == program.entry || Some(id) == program.dispatcher;
    inliner.start(id, &function, keeps_calls);
    // The copies of a computation share its cells: what those hold must not move into the frame.
    let promote = level == OptLevel::Release && !unwinds.may_copy(id);
    rewrite(program, &mut function, level, promote, variants, inliner);
    // A clone's calls of itself were found while it was optimised.
    if loops::loop_self_calls(id, &mut function) {
        rewrite(program, &mut function, level, promote, variants, inliner);
    }
    program.funcs[id] = function;
    // A cell with a hole can be neither dropped nor copied.
    if !unwinds.may_leave_function(id)
        && let Some(worker) = tail_mod_cons::split(program, id, layouts)
    {
        let mut function = std::mem::replace(&mut program.funcs[worker], placeholder());
        loops::loop_self_calls(worker, &mut function);
        rewrite(program, &mut function, level, promote, variants, inliner);
        program.funcs[worker] = function;
    }
    inliner.finished(id, &program.funcs[id]);
}

/// Simplifies until nothing changes. `promote`: cells may become values.
fn rewrite(
    program: &mut Program,
    function: &mut Function,
    level: OptLevel,
    promote: bool,
    variants: &Variants,
    inliner: &mut Inliner,
) {
    let runners = inliner.runners;
    let rounds = match level {
        OptLevel::Debug => 1,
        OptLevel::Release => ROUNDS,
    };
    for _ in 0..rounds {
        let simplified = simplify::simplify(
            function,
            &program.funcs,
            &mut program.types,
            &program.strings,
            variants,
            inliner,
            Removal { level, runtime: &program.runtime, runners },
        );
        for added in inliner.added.drain(..) {
            program.funcs.push(added);
        }
        let promoted = promote && cells::promote_cells(function, &program.types);
        let forwarded = level == OptLevel::Release && puts::forward_puts(function);
        if !simplified && !promoted && !forwarded {
            break;
        }
    }
    if level == OptLevel::Release {
        sink::sink(function, runners);
    }
}

/// Stands for a function while it is being rewritten.
fn placeholder() -> Function {
    Function {
        name: "".into(),
        span: reml_diagnostics::Span::NONE,
        params: Vec::new(),
        captures: 0,
        modes: Vec::new(),
        ret: TypeId::from_u32(0),
        vars: Default::default(),
        joins: Default::default(),
        body: Block::new(Vec::new(), End::Unreachable),
        inline: crate::core::Inline::Never,
        consuming: None,
        roots: Default::default(),
    }
}

/// How many variants each declared sum has.
pub struct Variants(SecondaryMap<TypeDefId, u32>);

impl Variants {
    fn of(program: &Program) -> Variants {
        let mut counts = SecondaryMap::with_capacity(program.type_defs.len());
        for (id, def) in &program.type_defs {
            counts[id] = match &def.kind {
                TypeDefKind::Sum(variants) => variants.len() as u32,
                _ => 1,
            };
        }
        Variants(counts)
    }

    fn count(&self, types: &TypeStore, ty: TypeId) -> Option<u32> {
        match types.get(ty) {
            Type::Adt(def, _) => Some(self.0[*def]),
            _ => None,
        }
    }
}
