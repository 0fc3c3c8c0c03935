//! Which closures still have to run when control does not come back?
//!
//! Compiled code pushes a closure when it enters the scope of a `defer` and pops it before it runs it on a
//! normal exit. A panic pops and runs the rest, last in first out; a computation that its handler gives up runs its own. Each
//! fiber has a stack of them.
//!
//! They run under the handlers that they were deferred under, whose objects are alive as long as the frames they belong to have not been
//! dropped. The computations of these handlers are over or about to be, so an operation may call a clause that resumes last,
//! but cannot leave or stop them: [`Context::barrier`] says where that ends.

use std::cell::RefCell;
use std::ptr;

use crate::abi::{Closure, Context, Fiber, Handler};
use crate::context::Cx;
use crate::handler::Exchange;
use crate::{fiber, handler, heap, switch};

/// A closure that has an owner here, and the innermost handler in force where it was deferred.
#[derive(Clone, Copy)]
pub struct Deferred {
    closure: *mut Closure,
    handlers: *mut Handler,
}

#[derive(Default)]
pub struct DeferStack(Vec<Deferred>);

impl DeferStack {
    /// Takes everything off.
    pub fn detach(&mut self) -> Vec<Deferred> {
        std::mem::take(&mut self.0)
    }

    /// The same closures once more, each with one owner more.
    pub fn duplicate(&self) -> DeferStack {
        for deferred in &self.0 {
            // SAFETY: the stack owns its closures.
            unsafe { heap::dup(deferred.closure.cast()) };
        }
        DeferStack(self.0.clone())
    }

    /// Undoes [`duplicate`](Self::duplicate): the others keep their owners.
    pub fn forget_duplicates(&mut self) {
        for deferred in self.0.drain(..) {
            // SAFETY: the original stack still owns it, so this is not the last owner.
            unsafe { heap::release(deferred.closure.cast()) };
        }
    }
}

/// The closures deferred on the stack of a fiber; null stands for the program's own stack.
fn of<'a>(cx: Cx, fiber: *mut Fiber) -> &'a RefCell<DeferStack> {
    // SAFETY: fibers live until the program ends.
    match unsafe { fiber::whole(fiber) } {
        Some(fiber) => &fiber.defers,
        None => &cx.runtime().defers,
    }
}

/// The closures deferred on the stack that runs.
fn current<'a>(cx: Cx) -> &'a RefCell<DeferStack> {
    // SAFETY: the context is alive.
    of(cx, unsafe { (*cx.as_ptr()).fiber })
}

/// How many closures are deferred on the stack that runs.
pub fn count(cx: Cx) -> usize {
    current(cx).borrow().0.len()
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_push(cx: Cx, closure: *mut Closure) {
    // SAFETY: the context is alive.
    let handlers = unsafe { (*cx.as_ptr()).handlers };
    current(cx).borrow_mut().0.push(Deferred { closure, handlers });
}

/// The innermost closure, which belongs to the caller again; null when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_pop(cx: Cx) -> *mut Closure {
    pop(cx).map_or(ptr::null_mut(), |deferred| deferred.closure)
}

fn pop(cx: Cx) -> Option<Deferred> {
    current(cx).borrow_mut().0.pop()
}

/// Takes off what was deferred on the stack of a fiber since there were `mark` closures.
pub fn detach(cx: Cx, fiber: *mut Fiber, mark: usize) -> Vec<Deferred> {
    let stack = &mut of(cx, fiber).borrow_mut().0;
    // The usual case, for which nothing is allocated.
    if stack.len() <= mark { Vec::new() } else { stack.split_off(mark) }
}

/// Puts back what has been taken off a stack, whatever is there by now.
pub fn reattach(cx: Cx, fiber: *mut Fiber, deferred: Vec<Deferred>) {
    of(cx, fiber).borrow_mut().0 = deferred;
}

/// Runs closures of whatever stacks, the last one first, on the one that runs now, and drops them. When one panics, the others are
/// still there and run then. What globals have kept until the program's end does not run.
pub fn run(cx: Cx, deferred: Vec<Deferred>) {
    // SAFETY: the context is alive.
    if unsafe { (*cx.as_ptr()).ending } != 0 {
        return drop_unused(cx, deferred);
    }
    let mark = count(cx);
    current(cx).borrow_mut().0.extend(deferred);
    while count(cx) > mark
        && let Some(deferred) = pop(cx)
    {
        invoke(cx, deferred);
        // SAFETY: the stack owned it.
        unsafe { handler::drop_closure(cx, deferred.closure) };
    }
}

/// Drops what will not run.
pub fn drop_unused(cx: Cx, deferred: Vec<Deferred>) {
    for deferred in deferred {
        // SAFETY: its stack owned it.
        unsafe { handler::drop_closure(cx, deferred.closure) };
    }
}

/// Runs what is deferred when the program panics. A closure that panics itself comes back here for the others, since it is popped
/// first.
pub fn run_all(cx: Cx) {
    // SAFETY: the context is alive.
    let mut fiber = unsafe { (*cx.as_ptr()).fiber };
    loop {
        while let Some(deferred) = pop(cx) {
            invoke(cx, deferred);
        }
        if fiber.is_null() {
            return;
        }
        // The stack that waits for this one may have more. This one is not left, so that nothing else is run on it.
        // SAFETY: fibers live until the program ends.
        fiber = unsafe { (*fiber).parent };
        let waiting = detach(cx, fiber, 0);
        current(cx).borrow_mut().0.extend(waiting);
    }
}

/// Calls a closure under the handlers it was deferred under.
fn invoke(cx: Cx, deferred: Deferred) {
    let Some(invoke) = cx.runtime().invoke.get() else { return };
    let saved = Exchange::of(cx);
    // SAFETY: the context is alive; `invoke` is the program's stub for calling closures, and this one is alive: we own it.
    unsafe {
        let context: &mut Context = &mut *cx.as_ptr();
        context.handlers = deferred.handlers;
        context.barrier = deferred.handlers;
        switch::call(cx, invoke.as_ptr(), deferred.closure.cast());
    }
    saved.restore(cx);
}
