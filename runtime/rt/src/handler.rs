//! What happens when an operation gives up the computation that performs it?
//!
//! [`reml_handle`] runs a computation with a handler in force and remembers its own frame in the handler. [`reml_unwind`] goes back
//! there: it runs what the computation has deferred, drops what its frames own, and makes `reml_handle` return which operation it was.

use std::ptr;

use crate::abi::{Closure, Context, Fiber, Handler, Header, IMMORTAL, NO_EFFECT};
use crate::context::Cx;
use crate::panic::traced;
use crate::roots::{self, Act, Call};
use crate::{defer, fiber, panic, switch};

struct Outermost(Handler);

// SAFETY: nothing writes to it, since no computation runs under it.
unsafe impl Sync for Outermost {}

static OUTERMOST: Outermost = Outermost(Handler {
    header: Header { count: IMMORTAL, tag: 0, class: 0, aux: 0 },
    code: ptr::null(),
    info: ptr::null(),
    id: NO_EFFECT,
    parent: ptr::null_mut(),
    frame: ptr::null_mut(),
    fiber: ptr::null_mut(),
    defers: 0,
});

/// The end of every chain of handlers.
pub fn outermost() -> *mut Handler {
    (&raw const OUTERMOST.0).cast_mut()
}

/// One owner of a closure less.
///
/// # Safety
/// The caller must be one of its owners.
pub unsafe fn drop_closure(cx: Cx, closure: *mut Closure) {
    if let Some(drop) = cx.runtime().drop_closure.get() {
        // SAFETY: the program's stub for dropping closures, on one that is alive.
        unsafe { switch::call(cx, drop.as_ptr(), closure.cast()) };
    }
}

/// `(context, handler, closure, entry) -> status`
///
/// # Safety
/// To be called from compiled code, as `abi` says; the signature here is only a name for the address.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_handle() {
    core::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rsi + {frame}], rbp",
        "mov r12, rdx",
        "mov r13, rcx",
        "call {put_in_force}",
        "mov rdi, r15",
        "mov rsi, r12",
        "call r13",
        "xor eax, eax",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        frame = const core::mem::offset_of!(Handler, frame),
        put_in_force = sym put_in_force,
    )
}

/// Returns `status` from the [`reml_handle`] with this frame pointer.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn return_to(frame: *mut u8, status: u64) -> ! {
    core::arch::naked_asm!(
        "mov rbp, rdi",
        "mov rax, rsi",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// As on x86-64. The frame record comes first, the saved registers above it: 176 bytes.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_handle() {
    core::arch::naked_asm!(
        "stp x29, x30, [sp, #-176]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "str x29, [x1, #{frame}]",
        "mov x19, x2",
        "mov x20, x3",
        "bl {put_in_force}",
        "mov x0, x21",
        "mov x1, x19",
        "blr x20",
        "mov x0, xzr",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #176",
        "ret",
        frame = const core::mem::offset_of!(Handler, frame),
        put_in_force = sym put_in_force,
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn return_to(frame: *mut u8, status: u64) -> ! {
    core::arch::naked_asm!(
        "mov sp, x0",
        "mov x0, x1",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #176",
        "ret",
    )
}

extern "C" fn put_in_force(cx: Cx, handler: *mut Handler) {
    // SAFETY: the caller of `reml_handle` keeps the handler alive; the context is.
    unsafe {
        (*handler).parent = (*cx.as_ptr()).handlers;
        (*handler).fiber = (*cx.as_ptr()).fiber;
        (*handler).defers = defer::count(cx) as u64;
        (*cx.as_ptr()).handlers = handler;
    }
}

traced! {
    /// `(context, handler, operation)`
    reml_unwind = unwind;
    /// `(context)`
    reml_panic_unhandled = panic_unhandled;
}

extern "C" fn unwind(cx: Cx, handler: *mut Handler, operation: u64) -> ! {
    check_barrier(cx, handler);
    // SAFETY: the handler is in force, so its `reml_handle` waits further out on this chain of stacks.
    let (frame, fiber, mark, parent) = unsafe {
        let handler = &*handler;
        (handler.frame, handler.fiber, handler.defers as usize, handler.parent)
    };
    let call = Call::caller(cx);
    if frame.is_null() {
        // SAFETY: the handler's computation runs on a fiber.
        unsafe { fiber::abort(cx, fiber, call, operation, parent) }
    }
    let saved = Exchange::of(cx);
    // The stacks in between end here. They may be handed out again only after this one has been left.
    let left: Vec<*mut Fiber> = fiber::running(cx).take_while(|&member| member != fiber).collect();
    let mut closures = defer::detach(cx, fiber, mark);
    closures.extend(left.iter().rev().flat_map(|&member| defer::detach(cx, member, 0)));
    defer::run(cx, closures);
    // SAFETY: the frames in between never run again: `return_to` leaves them.
    unsafe { roots::visit(cx, call, frame.addr(), Act::Drop, |address| address as *mut u8) };
    for fiber in left.into_iter().rev() {
        // SAFETY: its frames have just been dropped. The stack that this runs on is the last one, and left next.
        unsafe { fiber::vacate(cx, fiber) };
    }
    saved.restore(cx);
    // SAFETY: the context is alive; the frame is that of a `reml_handle` below us, and nothing in between owns anything any more.
    unsafe {
        (*cx.as_ptr()).fiber = fiber;
        (*cx.as_ptr()).handlers = parent;
        return_to(frame, operation + 1)
    }
}

/// What is on its way between a computation and its handler, kept while other code runs.
pub struct Exchange {
    handlers: *mut Handler,
    barrier: *mut Handler,
    payload: [u64; crate::abi::PAYLOAD_SLOTS],
    stopped: *mut Fiber,
}

impl Exchange {
    pub fn of(cx: Cx) -> Exchange {
        // SAFETY: the context is alive.
        let context: &Context = unsafe { &*cx.as_ptr() };
        Exchange {
            handlers: context.handlers,
            barrier: context.barrier,
            payload: context.payload,
            stopped: context.stopped,
        }
    }

    pub fn restore(self, cx: Cx) {
        // SAFETY: the context is alive.
        let context: &mut Context = unsafe { &mut *cx.as_ptr() };
        context.handlers = self.handlers;
        context.barrier = self.barrier;
        context.payload = self.payload;
        context.stopped = self.stopped;
    }
}

/// Panics when deferred code would leave or stop a computation that it was deferred in, which is over, or a callback one around C functions.
pub extern "C" fn check_barrier(cx: Cx, handler: *mut Handler) {
    // SAFETY: the context is alive, and so are the handlers in force.
    unsafe {
        let mut around = (*cx.as_ptr()).barrier;
        while !around.is_null() {
            if around == handler {
                let why = match (*cx.as_ptr()).callback.is_null() {
                    true => "the computation that deferred it is over",
                    false => "C functions lie between, which cannot be left",
                };
                panic::raise(
                    cx,
                    "effects.unhandled",
                    format_args!("this operation cannot be answered here: its clause does not resume last, and {why}"),
                );
            }
            around = (*around).parent;
        }
    }
}

/// The checker has seen to it that every operation has a handler, but for code deferred in a computation that is dropped somewhere else.
extern "C" fn panic_unhandled(cx: Cx) -> ! {
    panic::raise(
        cx,
        "effects.unhandled",
        format_args!("this operation has no handler here: the computation that deferred it has been dropped"),
    )
}
