//! How does the code of a running program change?
//!
//! The host of a program may have [`Versions`] of it. The program's functions ask at their beginning whether another one waits
//! ([`reml_reload_point`]). Then the host makes that one be called, and runs the part of it that readies it and
//! says whether it is fit ([`attempt`]), below the function that has asked. This may panic: the panic is reported as any other
//! and ends the attempt instead of the program.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use crate::abi::ProgramInfo;
use crate::context::Cx;
use crate::handler::{self, Exchange};
use crate::string::StrRef;
use crate::{defer, entry, fiber, gate, native, switch};

/// The versions of a running program, which its host has compiled. All but [`Versions::waits`] is called on the thread of the program.
pub trait Versions: Send + Sync {
    /// Is there one that should come into force? Asked very often.
    fn waits(&self) -> bool;

    /// Brings the one that waits into force, if it is fit.
    fn bring_into_force(&self, cx: Cx) -> Transition;

    /// Releases what later versions keep, now that the program has ended by returning.
    fn release(&self, cx: Cx);
}

/// What is asked of the entry of a later version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// Makes its functions be called, fills the globals that it adds, runs its checks. Status 0: it is fit.
    Install,
    /// Releases the globals that it has added.
    Release,
}

/// How an attempt has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    Done,
    /// It has native code that the program may not have; nothing has run.
    Denied(String),
    /// The program says no, and why.
    Refused(String),
    Panicked,
    /// It has ended the program.
    Ended(i32),
}

/// What became of the version that waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    /// The functions of the program are others now.
    Replaced,
    /// They are what they were.
    Kept,
    /// The program ends with this status.
    Ended(i32),
}

/// What the runtime knows of the versions of its program.
#[derive(Default)]
pub struct Reloading {
    versions: OnceCell<Arc<dyn Versions>>,
    open: Cell<bool>,
    /// An attempt is being made: another version has to wait.
    busy: Cell<bool>,
    releases: Cell<bool>,
    refusal: RefCell<Option<String>>,
    panicked: Cell<bool>,
}

impl Reloading {
    /// The program starts; without versions it is and stays what it is.
    pub fn begin(&self, versions: Option<Arc<dyn Versions>>) {
        if let Some(versions) = versions {
            self.versions.set(versions).ok();
        }
    }

    /// A panic has been reported.
    pub fn note_panic(&self) {
        self.panicked.set(true);
    }

    pub fn has_versions(&self) -> bool {
        self.versions.get().is_some()
    }
}

/// Runs the entry of a later version, on the stack of the program. What the program has deferred, the handlers in force and what passes
/// between computations are put aside meanwhile.
///
/// # Safety
/// `info` must describe code compiled for `abi` and this program; all that it points to must stay valid until the program has ended.
pub unsafe fn attempt(cx: Cx, info: &ProgramInfo, task: Task) -> Attempt {
    let runtime = cx.runtime();
    let reloading = &runtime.reloading;
    if task == Task::Install {
        if let Some(gate) = gate::of_program(cx)
            // SAFETY: passed on to our caller.
            && let Err(denials) = native::allowed(unsafe { native::decide(info, gate) })
        {
            return Attempt::Denied(denials);
        }
        // SAFETY: as above.
        unsafe { runtime.frames.borrow_mut().register(info.frames) };
    }
    let (before, saved) = (reloading.busy.replace(true), Exchange::of(cx));
    reloading.releases.set(task == Task::Release);
    reloading.panicked.set(false);
    // SAFETY: the context is alive.
    let (host, current) = unsafe { ((*cx.as_ptr()).host_stack, (*cx.as_ptr()).fiber) };
    let stacks: Vec<_> = fiber::running(cx).chain([std::ptr::null_mut()]).collect();
    let deferred: Vec<_> = stacks.iter().map(|&stack| defer::detach(cx, stack, 0)).collect();
    // SAFETY: the entry keeps to `abi`. Whatever leaves it comes back here, where the frames of runtime functions own nothing.
    let status = unsafe {
        (*cx.as_ptr()).handlers = handler::outermost();
        (*cx.as_ptr()).barrier = std::ptr::null_mut();
        let status = switch::attempt(cx, info.main);
        (*cx.as_ptr()).host_stack = host;
        (*cx.as_ptr()).fiber = current;
        status
    };
    for (stack, deferred) in stacks.into_iter().zip(deferred) {
        defer::reattach(cx, stack, deferred);
    }
    saved.restore(cx);
    reloading.busy.set(before);
    match (status, reloading.panicked.replace(false), reloading.refusal.take()) {
        (_, true, _) => Attempt::Panicked,
        (_, false, Some(reason)) => Attempt::Refused(reason),
        (0, false, None) => Attempt::Done,
        (status, false, None) => Attempt::Ended(status),
    }
}

/// In the place of a program's entry, after it has returned: releases what later versions keep.
pub extern "C" fn release(cx: Cx) -> i32 {
    if let Some(versions) = cx.runtime().reloading.versions.get() {
        versions.release(cx);
    }
    0
}

/// `(context) -> Bool`: whether the function that begins has been replaced by another version.
#[unsafe(no_mangle)]
pub extern "C" fn reml_reload_point(cx: Cx) -> bool {
    let reloading = &cx.runtime().reloading;
    let Some(versions) = reloading.versions.get() else { return false };
    if !versions.waits() || !reloading.open.get() || reloading.busy.get() || reloading.panicked.get() {
        return false;
    }
    match versions.bring_into_force(cx) {
        Transition::Replaced => true,
        Transition::Kept => false,
        Transition::Ended(status) => entry::leave(cx, status),
    }
}

/// `(context)`: the globals of the first version have their values, so later ones may come.
#[unsafe(no_mangle)]
pub extern "C" fn reml_reload_open(cx: Cx) {
    cx.runtime().reloading.open.set(true);
}

/// `(context) -> Bool`: whether a later version is to release its globals, or else to come into force.
#[unsafe(no_mangle)]
pub extern "C" fn reml_reload_releases(cx: Cx) -> bool {
    cx.runtime().reloading.releases.get()
}

/// `(context, &Str)`: a version is not fit.
#[unsafe(no_mangle)]
pub extern "C" fn reml_reload_refuse(cx: Cx, reason: StrRef) {
    *cx.runtime().reloading.refusal.borrow_mut() = Some(reason.as_str().to_owned());
}
