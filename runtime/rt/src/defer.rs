//! Which closures still have to run when the program panics?
//!
//! Compiled code pushes a closure when it enters the scope of a `defer` and pops it before it runs it on a
//! normal exit. A panic pops and runs the rest, last in first out; a computation that its handler gives up runs its own. Each
//! fiber has a stack of them.

use std::cell::RefCell;
use std::ptr;

use crate::abi::Closure;
use crate::context::Cx;
use crate::{fiber, handler, heap, switch};

#[derive(Default)]
pub struct DeferStack(Vec<*mut Closure>);

impl DeferStack {
    /// Takes off what was pushed since there were `mark` closures.
    pub fn detach(&mut self, mark: usize) -> Vec<*mut Closure> {
        // The usual case, for which nothing is allocated.
        if self.0.len() <= mark { Vec::new() } else { self.0.split_off(mark) }
    }

    /// The same closures once more, each with one owner more.
    pub fn duplicate(&self) -> DeferStack {
        for &closure in &self.0 {
            // SAFETY: the stack owns its closures.
            unsafe { heap::dup(closure.cast()) };
        }
        DeferStack(self.0.clone())
    }

    /// Undoes [`duplicate`](Self::duplicate): the others keep their owners.
    pub fn forget_duplicates(&mut self) {
        for closure in self.0.drain(..) {
            // SAFETY: the original stack still owns it, so this is not the last owner.
            unsafe { heap::release(closure.cast()) };
        }
    }
}

/// The closures deferred on the stack that runs.
fn current<'a>(cx: Cx) -> &'a RefCell<DeferStack> {
    // SAFETY: the context is alive.
    match unsafe { fiber::whole((*cx.as_ptr()).fiber) } {
        Some(fiber) => &fiber.defers,
        None => &cx.runtime().defers,
    }
}

/// How many closures are deferred on the stack that runs.
pub fn count(cx: Cx) -> usize {
    current(cx).borrow().0.len()
}

/// Takes off what was deferred on the stack that runs since there were `mark` closures.
pub fn detach(cx: Cx, mark: usize) -> Vec<*mut Closure> {
    current(cx).borrow_mut().detach(mark)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_push(cx: Cx, closure: *mut Closure) {
    current(cx).borrow_mut().0.push(closure);
}

/// The innermost closure, which belongs to the caller again; null when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_pop(cx: Cx) -> *mut Closure {
    current(cx).borrow_mut().0.pop().unwrap_or(ptr::null_mut())
}

/// Runs, last first, closures that belong to the caller, and drops them.
pub fn run(cx: Cx, closures: Vec<*mut Closure>) {
    let Some(invoke) = cx.runtime().invoke.get() else { return };
    for closure in closures.into_iter().rev() {
        // SAFETY: `invoke` is the program's stub for calling closures, and this one is alive: we own it.
        unsafe {
            switch::call(cx, invoke.as_ptr(), closure.cast());
            handler::drop_closure(cx, closure);
        }
    }
}

/// Runs what is deferred. A closure that panics itself comes back here for the others, since it is popped first.
pub fn run_all(cx: Cx) {
    let Some(invoke) = cx.runtime().invoke.get() else { return };
    loop {
        let closure = reml_defer_pop(cx);
        if closure.is_null() {
            // The stack that waits for this one may have more.
            if fiber::leave_current(cx) {
                continue;
            }
            return;
        }
        // SAFETY: `invoke` is the program's stub for calling closures, and this one is alive: we own it.
        unsafe { switch::call(cx, invoke.as_ptr(), closure.cast()) };
    }
}
