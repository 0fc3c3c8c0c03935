//! Which closures still have to run when the program panics?
//!
//! Compiled code pushes a closure when it enters the scope of a `defer` and pops it before it runs it on a
//! normal exit. A panic pops and runs the rest, last in first out.

use std::ptr;

use crate::abi::Closure;
use crate::context::Cx;
use crate::switch;

#[derive(Default)]
pub struct DeferStack(Vec<*mut Closure>);

#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_push(cx: Cx, closure: *mut Closure) {
    cx.runtime().defers.borrow_mut().0.push(closure);
}

/// The innermost closure, which belongs to the caller again; null when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_defer_pop(cx: Cx) -> *mut Closure {
    cx.runtime().defers.borrow_mut().0.pop().unwrap_or(ptr::null_mut())
}

/// Runs what is deferred. A closure that panics itself comes back here for the others, since it is popped first.
pub fn run_all(cx: Cx) {
    let Some(invoke) = cx.runtime().invoke.get() else { return };
    loop {
        let closure = reml_defer_pop(cx);
        if closure.is_null() {
            return;
        }
        // SAFETY: `invoke` is the program's stub for calling closures, and this one is alive: we own it.
        unsafe { switch::call(cx, invoke.as_ptr(), closure.cast()) };
    }
}
