//! The versions of a running program: where their globals lie, and how one takes the place of another.
//!
//! A compiler thread makes versions and [offers](Versions::offer) them; the program's own thread brings them into force, when one of its
//! functions begins. Code stays in memory until the program has ended, since closures and frames may belong to any version.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cranelift_entity::SecondaryMap;
use reml_diagnostics::SourceMap;
use reml_middle::core::{GlobalId, Program};
use reml_middle::layout::{Layouts, RecursiveDefs};
use reml_middle::version::{Changes, Interface, Lineage, Role, Running};
use reml_rt::reload::{self, Attempt, Task, Transition};
use reml_rt::{Cx, RunOptions, RunOutcome};
use rustc_hash::FxHashMap;

use crate::jit::{Loaded, Room, load_at};
use crate::{CodegenError, CodegenOptions};

/// What has become of a version that was offered.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is in force.
    Reloaded(Changes),
    /// It is not, and the program goes on as it was.
    RolledBack { changes: Changes, why: String },
}

/// The versions of one program.
pub struct Versions {
    state: Mutex<State>,
    waits: AtomicBool,
    report: Box<dyn Fn(Event) + Send + Sync>,
}

#[derive(Default)]
struct State {
    lineage: Lineage,
    /// Grows whenever what later versions have to fit to changes.
    generation: u64,
    /// Where the globals of the version in force are, by key. Those of earlier ones that it does not have are there, too.
    places: FxHashMap<Box<str>, Place>,
    memory: Vec<Box<[u64]>>,
    waiting: Option<Offered>,
    /// In the order in which they came into force, or tried.
    images: Vec<Image>,
}

/// Where a global is.
#[derive(Clone, Copy)]
struct Place {
    address: usize,
    slot: bool,
}

struct Offered {
    loaded: Loaded,
    interface: Interface,
    changes: Changes,
    /// The globals that it has and that are not where they were.
    places: FxHashMap<Box<str>, Place>,
}

struct Image {
    loaded: Loaded,
    /// It has globals to release at the end.
    releases: bool,
}

/// What a version is compiled for. It is out of date when another one has come into force meanwhile.
pub struct Ticket {
    pub lineage: Lineage,
    generation: u64,
}

impl Versions {
    /// `report` is told of every version that was offered, on the thread of the program.
    pub fn new(report: impl Fn(Event) + Send + Sync + 'static) -> Versions {
        Versions { state: Mutex::default(), waits: AtomicBool::new(false), report: Box::new(report) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next version has to be compiled for.
    pub fn ticket(&self) -> Ticket {
        let state = self.state();
        Ticket { lineage: state.lineage.clone(), generation: state.generation }
    }

    /// Loads the first version, which is to be run.
    ///
    /// # Errors
    ///
    /// As [`crate::jit::load`].
    pub fn first(
        &self,
        program: &Program,
        sources: &SourceMap,
        options: &CodegenOptions,
    ) -> Result<Loaded, CodegenError> {
        let mut state = self.state();
        let (addresses, places) = state.place(program);
        let loaded = load_at(program, sources, options, addresses, Room::Whole)?;
        state.places = places;
        let interface = program.version.as_ref().map(|version| version.interface.clone()).unwrap_or_default();
        state.succeed(&interface);
        Ok(loaded)
    }

    /// Loads a version that comes into force when the program's next function begins, instead of one that still waits. Answers `false`
    /// when what it was compiled for runs no more.
    ///
    /// # Errors
    ///
    /// As [`crate::jit::load`].
    pub fn offer(
        &self,
        ticket: &Ticket,
        program: &Program,
        sources: &SourceMap,
        options: &CodegenOptions,
    ) -> Result<bool, CodegenError> {
        let (addresses, places) = {
            let mut state = self.state();
            if state.generation != ticket.generation {
                return Ok(false);
            }
            state.place(program)
        };
        let loaded = load_at(program, sources, options, addresses, Room::Part)?;
        let Some(version) = &program.version else { return Ok(false) };
        let mut state = self.state();
        if state.generation != ticket.generation {
            return Ok(false);
        }
        let (interface, changes) = (version.interface.clone(), version.changes.clone());
        state.waiting = Some(Offered { loaded, interface, changes, places });
        self.waits.store(true, Ordering::Release);
        Ok(true)
    }

    /// Runs the first version, and those that follow it.
    pub fn run(self: &Arc<Self>, first: &Loaded, args: &[String], options: &RunOptions) -> RunOutcome {
        first.run_with(args, &RunOptions { versions: Some(Arc::clone(self) as _), ..options.clone() })
    }
}

impl State {
    /// Finds or makes room for the globals of a program. Gives where each of them is, by id, and by key those that are not where the
    /// version in force has them.
    fn place(&mut self, program: &Program) -> (SecondaryMap<GlobalId, Option<u64>>, FxHashMap<Box<str>, Place>) {
        let mut addresses = SecondaryMap::new();
        let mut new = FxHashMap::default();
        let Some(version) = &program.version else { return (addresses, new) };
        let mut types = program.types.clone();
        let mut layouts = Layouts::new(RecursiveDefs::of(&types, &program.type_defs));
        for (id, global) in &program.globals {
            let storage = &version.storage[id];
            let known = self.places.get(&storage.key).filter(|_| storage.role != Role::Added);
            let place = known.copied().unwrap_or_else(|| {
                let size = layouts.of(&mut types, &program.type_defs, global.ty).size;
                let memory = vec![0u64; (size as usize).div_ceil(8).max(1)].into_boxed_slice();
                let place = Place { address: memory.as_ptr().addr(), slot: storage.role == Role::Slot };
                self.memory.push(memory);
                new.insert(storage.key.clone(), place);
                place
            });
            addresses[id] = Some(place.address as u64);
        }
        (addresses, new)
    }

    /// A version with this interface is in force from now on.
    fn succeed(&mut self, interface: &Interface) {
        let mut known = self.lineage.running.as_ref().map(|running| running.known.clone()).unwrap_or_default();
        known.extend(interface);
        self.lineage.running = Some(Arc::new(Running { current: interface.clone(), known }));
        self.generation += 1;
    }

    /// A version with this interface has run, but is not in force: it may have left values of its types.
    fn remember(&mut self, interface: &Interface) {
        if let Some(running) = &self.lineage.running {
            let mut running = Running::clone(running);
            let mut definitions = interface.definitions.clone();
            definitions.append(&mut running.known.definitions);
            running.known.definitions = definitions;
            self.lineage.running = Some(Arc::new(running));
        }
        self.generation += 1;
    }

    /// What is in the slots of the version in force.
    fn slots(&self) -> Vec<(usize, u64)> {
        // SAFETY: the memory is there as long as `self`, and only this thread writes to it.
        let read = |place: &Place| (place.address, unsafe { *(place.address as *const u64) });
        self.places.values().filter(|place| place.slot).map(read).collect()
    }
}

impl reload::Versions for Versions {
    fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    fn bring_into_force(&self, cx: Cx) -> Transition {
        let (offered, slots) = {
            let mut state = self.state();
            self.waits.store(false, Ordering::Release);
            let Some(offered) = state.waiting.take() else { return Transition::Kept };
            (offered, state.slots())
        };
        let Offered { loaded, interface, changes, places } = offered;
        // The program may ask for more versions meanwhile, but gets none before this is decided.
        // SAFETY: the image lives until the end of the program, whatever comes of it.
        let outcome = unsafe { reload::attempt(cx, loaded.info(), Task::Install) };
        let mut state = self.state();
        if outcome == Attempt::Done {
            state.images.push(Image { loaded, releases: true });
            state.places.extend(places);
            state.succeed(&interface);
            drop(state);
            (self.report)(Event::Reloaded(changes));
            return Transition::Replaced;
        }
        // What it has put into its globals may have been taken from there by now, so it stays.
        state.images.push(Image { loaded, releases: matches!(outcome, Attempt::Refused(_)) });
        state.remember(&interface);
        for (address, closure) in slots {
            // SAFETY: as in `State::slots`.
            unsafe { *(address as *mut u64) = closure };
        }
        drop(state);
        let why = match outcome {
            Attempt::Ended(status) => return Transition::Ended(status),
            Attempt::Denied(denial) => denial,
            Attempt::Refused(reason) => format!("its check says: {reason}"),
            Attempt::Panicked | Attempt::Done => "it has panicked".to_owned(),
        };
        (self.report)(Event::RolledBack { changes, why });
        Transition::Kept
    }

    fn release(&self, cx: Cx) {
        let images = mem::take(&mut self.state().images);
        for image in images.iter().rev().filter(|image| image.releases) {
            // SAFETY: the images live until the program's memory is gone.
            unsafe { reload::attempt(cx, image.loaded.info(), Task::Release) };
        }
        self.state().images = images;
    }
}
