//! What is the state behind the context pointer, and how is it reached?
//!
//! Compiled code owns the free lists of [`Context`]; everything else of a running program is in [`Runtime`],
//! behind `Context::private`. A program runs on one thread, so the parts of `Runtime` are plain cells.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use reml_capability::gate::Gate;

use crate::abi::{CLASSES, Context, PAYLOAD_SLOTS, ProgramInfo};
use crate::callback::Callbacks;
use crate::defer::DeferStack;
use crate::fiber::Fibers;
use crate::frames::FrameTables;
use crate::gate::Guard;
use crate::handler;
use crate::heap::Heap;
use crate::host::Mail;
use crate::io::{Input, Output};
use crate::io_effects::IoEffects;
use crate::libraries::Libraries;
use crate::reload::Reloading;
use crate::resource::Resources;
use crate::roots::RootIndex;
use crate::stack::StackBounds;
use crate::taken::Taken;
use crate::time;

/// The context pointer as runtime functions receive it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Cx(NonNull<Context>);

/// The runtime's own state of one running program.
#[derive(Default)]
pub struct Runtime {
    pub heap: Heap,
    pub output: RefCell<Output>,
    pub input: RefCell<Input>,
    /// What waits for one of the `take_*` functions.
    pub taken: Cell<Taken>,
    pub resources: Resources,
    pub callbacks: Callbacks,
    pub libraries: Libraries,
    pub io_effects: IoEffects,
    pub defers: RefCell<DeferStack>,
    pub frames: RefCell<FrameTables>,
    pub guard: Guard,
    /// Program arguments, without the program's name.
    pub args: RefCell<Vec<String>>,
    /// Compiled patterns; built by `regex` on first use. Untyped so that programs without patterns do not link it.
    pub patterns: RefCell<Option<Box<dyn Any>>>,
    pub stack: Cell<StackBounds>,
    /// The program's `invoke` stub, for deferred closures.
    pub invoke: Cell<Option<NonNull<u8>>>,
    /// The same for dropping a closure.
    pub drop_closure: Cell<Option<NonNull<u8>>>,
    pub fibers: Fibers,
    pub roots: RootIndex,
    pub reloading: Reloading,
    /// The program ended by panic or `exit`: what is alive then is no leak.
    pub cut_short: Cell<bool>,
    /// The registry of capabilities records in the log of this run.
    pub registry_records: Cell<bool>,
    /// What passes between the program and a host that has embedded it.
    pub mail: Mail,
    /// A test has announced that it will panic with a message that contains this.
    pub expected_panic: RefCell<Option<String>>,
}

impl Cx {
    /// # Safety
    /// `context` must be that of a [`Program`] that outlives the result.
    pub unsafe fn new(context: *mut Context) -> Cx {
        // SAFETY: a program's context is never null.
        Cx(unsafe { NonNull::new_unchecked(context) })
    }

    pub fn as_ptr(self) -> *mut Context {
        self.0.as_ptr()
    }

    pub fn runtime<'a>(self) -> &'a Runtime {
        // SAFETY: `private` is set for the whole life of a context and only ever shared.
        unsafe { &*(*self.as_ptr()).private.cast::<Runtime>() }
    }
}

/// Owner of a context and its runtime; dropping it returns all memory of the program.
pub struct Program {
    context: Box<Context>,
}

impl Program {
    /// Without a gate the program may do everything.
    pub fn new(args: Vec<String>, gate: Option<Arc<Gate>>) -> Program {
        time::begin();
        let runtime = Box::new(Runtime { args: RefCell::new(args), guard: Guard::new(gate), ..Runtime::default() });
        let context = Box::new(Context {
            free: [ptr::null_mut(); CLASSES],
            stack_limit: 0,
            private: Box::into_raw(runtime).cast(),
            caller_frame: ptr::null(),
            caller_code: ptr::null(),
            host_stack: ptr::null_mut(),
            handlers: handler::outermost(),
            payload: [0; PAYLOAD_SLOTS],
            fiber: ptr::null_mut(),
            stopped: ptr::null_mut(),
            barrier: ptr::null_mut(),
            ending: 0,
            foreign_code: ptr::null(),
            callback: ptr::null_mut(),
            paused_stack: ptr::null_mut(),
        });
        Program { context }
    }

    pub fn cx(&mut self) -> Cx {
        Cx(NonNull::from(&mut *self.context))
    }

    /// Remembers what the runtime needs to know of the compiled program.
    ///
    /// # Safety
    /// `info` and what it points to must be as `abi` says and outlive the program.
    pub unsafe fn load(&mut self, info: &ProgramInfo) {
        let runtime = self.cx().runtime();
        runtime.invoke.set(NonNull::new(info.invoke.cast_mut()));
        runtime.drop_closure.set(NonNull::new(info.drop_closure.cast_mut()));
        runtime.resources.load(info.drop_resource);
        // SAFETY: passed on to our caller.
        unsafe { runtime.frames.borrow_mut().register(info.frames) };
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: `private` came from `Box::into_raw` in `new` and is dropped only here.
        drop(unsafe { Box::from_raw(self.context.private.cast::<Runtime>()) });
    }
}
