//! How can a computation stop in the middle and go on later?
//!
//! It runs on a stack of its own, a *fiber*. [`reml_fiber_start`] switches there; an operation stops it with
//! [`reml_fiber_suspend`], which switches back; [`reml_fiber_resume`] goes on. What is stopped is the chain of stacks from the one that
//! runs out to the fiber of the handler: computations with handlers of their own may lie in between. A *continuation* is a fiber and
//! its stamp at the stop; dropping one whose computation has not gone on drops what its frames own ([`roots`]) and frees the stacks.
//!
//! Stacks are reserved large, the first ones larger than the many, committed by the kernel page by page, and pooled. A continuation
//! that may be resumed again has an [`image`] of the stacks.
//!
//! Switches jump instead of returning: the processor predicts returns by the calls it has seen, which are those of the other stack.
//!
//! [`image`]: crate::image

use std::cell::{Cell, RefCell};
use std::mem::offset_of;
use std::ptr;

use crate::abi::{Closure, Context, Continuation, Fiber, Handler};
use crate::context::Cx;
use crate::defer::{self, DeferStack};
use crate::handler::{self, Exchange};
use crate::heap;
use crate::image::Image;
use crate::panic;
use crate::roots::{self, Act, Call};
use crate::stack::{self, StackBounds};

/// How many fibers get how large a stack.
const SIZES: [(usize, usize); 4] = [(8, 256 << 20), (64, 16 << 20), (4096, 1 << 20), (usize::MAX, 256 << 10)];
/// Below it there is no point in trying.
const SMALLEST: usize = 128 << 10;

/// Bits of a stamp; both are clear while the computation runs.
const REENTRANT: u64 = 1;
const STOPPED: u64 = 2;

/// A stamp that no continuation has.
fn next_stamp(stamp: u64) -> u64 {
    (stamp | 3) + 1
}

/// A fiber with what only Rust code needs.
#[repr(C)]
pub struct FiberStack {
    pub fiber: Fiber,
    low: *mut u8,
    bytes: usize,
    /// See `stack`.
    pub yellow_open: Cell<bool>,
    /// The computation.
    closure: *mut Closure,
    pub defers: RefCell<DeferStack>,
    /// The computation that runs or is stopped here, and images of it.
    pub claims: usize,
    /// A computation runs or is stopped here.
    pub occupied: bool,
    /// Images of computations that were stopped here until the stack was needed for another one, by their stamps.
    evicted: Vec<(u64, Box<Image>)>,
}

impl FiberStack {
    pub fn bounds(&self) -> StackBounds {
        StackBounds { low: self.low.addr() + stack::FIBER_RED_ZONE, high: self.low.addr() + self.bytes }
    }

    /// Start of the red zone.
    pub fn low(&self) -> usize {
        self.low.addr()
    }
}

/// The whole of a fiber.
///
/// # Safety
/// `fiber` must be one of a program that has not ended.
pub unsafe fn whole<'a>(fiber: *mut Fiber) -> Option<&'a FiberStack> {
    // SAFETY: a fiber is the first field of its whole; what changes while it is shared are cells.
    unsafe { fiber.cast::<FiberStack>().as_ref() }
}

/// The fibers of a program.
#[derive(Default)]
pub struct Fibers {
    pool: RefCell<Vec<*mut FiberStack>>,
    made: Cell<usize>,
    /// A continuation is being freed; others wait here.
    freeing: Cell<bool>,
    waiting: RefCell<Vec<*mut Continuation>>,
}

impl Fibers {
    fn take(&self, cx: Cx) -> *mut FiberStack {
        if let Some(fiber) = self.pool.borrow_mut().pop() {
            return fiber;
        }
        let made = self.made.get();
        let mut size = SIZES.iter().find(|&&(count, _)| made < count).map_or(SMALLEST, |&(_, size)| size);
        let zones = stack::FIBER_RED_ZONE + stack::FIBER_YELLOW_ZONE;
        let low = loop {
            match stack::map(size + zones) {
                Some(low) => break low,
                None if size > SMALLEST => size = (size / 4).max(SMALLEST),
                None => {
                    panic::fatal(cx, format_args!("out of memory: cannot reserve a stack for a suspended computation"))
                }
            }
        };
        // SAFETY: a part of a fresh mapping.
        unsafe { stack::protect(low, zones) };
        self.made.set(made + 1);
        let bytes = size + zones;
        Box::into_raw(Box::new(FiberStack {
            fiber: Fiber {
                handler: ptr::null_mut(),
                stamp: 0,
                stack: ptr::null_mut(),
                top: ptr::null_mut(),
                handlers: ptr::null_mut(),
                frame: 0,
                code: 0,
                resumer: ptr::null_mut(),
                parent: ptr::null_mut(),
                evicted: 0,
                record: low.wrapping_add(bytes - size_of::<[usize; 2]>()).cast(),
            },
            low,
            bytes,
            yellow_open: Cell::new(false),
            closure: ptr::null_mut(),
            defers: RefCell::default(),
            claims: 0,
            occupied: false,
            evicted: Vec::new(),
        }))
    }
}

impl Drop for Fibers {
    fn drop(&mut self) {
        // Those not in the pool belong to a program that was cut short.
        for fiber in self.pool.take() {
            // SAFETY: made by `take`, in nobody's use.
            unsafe {
                let fiber = Box::from_raw(fiber);
                libc::munmap(fiber.low.cast(), fiber.bytes);
            }
        }
    }
}

/// Makes the stack that waits for the current fiber the current one; `false` if there is none.
pub fn leave_current(cx: Cx) -> bool {
    // SAFETY: the context is alive, and fibers live until the program ends.
    unsafe {
        let fiber = (*cx.as_ptr()).fiber;
        if fiber.is_null() {
            return false;
        }
        (*cx.as_ptr()).fiber = (*fiber).parent;
    }
    true
}

/// The computation on a fiber is over.
///
/// # Safety
/// It must have been running or stopped there; nothing goes on on that stack but the caller.
pub unsafe fn vacate(cx: Cx, fiber: *mut Fiber) {
    // SAFETY: fibers live until the program ends.
    unsafe { (*fiber.cast::<FiberStack>()).occupied = false };
    release(cx, fiber);
}

/// One claim to the fiber less; the last one gives it back.
fn release(cx: Cx, fiber: *mut Fiber) {
    let stack: *mut FiberStack = fiber.cast();
    // SAFETY: fibers live until the program ends; no reference to this one is held across calls.
    unsafe {
        (*stack).claims -= 1;
        if (*stack).claims == 0 {
            handler::drop_closure(cx, (*stack).closure);
            cx.runtime().fibers.pool.borrow_mut().push(stack);
        }
    }
}

/// The fibers of a stopped computation, the one that was running first.
///
/// # Safety
/// It must be stopped at `last`.
pub unsafe fn chain(last: *mut Fiber) -> impl Iterator<Item = *mut Fiber> {
    // SAFETY: fibers live until the program ends; from the top one the chain leads to the handler's.
    let mut next = unsafe { (*last).top };
    std::iter::from_fn(move || {
        let fiber = next;
        if fiber.is_null() {
            return None;
        }
        // SAFETY: as above.
        next = if fiber == last { ptr::null_mut() } else { unsafe { (*fiber).parent } };
        Some(fiber)
    })
}

/// Is the fiber part of what runs now?
fn is_running(cx: Cx, fiber: *mut Fiber) -> bool {
    // SAFETY: the context is alive, and fibers live until the program ends.
    unsafe {
        let mut at = (*cx.as_ptr()).fiber;
        while !at.is_null() && at != fiber {
            at = (*at).parent;
        }
        !at.is_null()
    }
}

/// `(context, handler, closure, entry) -> status`
///
/// # Safety
/// To be called from compiled code, as `abi` says; the signature here is only a name for the address.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_start() {
    core::arch::naked_asm!(
        "mov r8, rbp",
        "mov r9, [rsp]",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov r12, rdx",
        "mov r13, rcx",
        "mov rcx, rsp",
        "call {start}",
        "mov rsp, rax",
        "mov rbp, rax",
        "mov rdi, r15",
        "mov rsi, r12",
        "call r13",
        "mov rdi, r15",
        "call {finish}",
        "ud2",
        start = sym start,
        finish = sym finish,
    )
}

/// Goes on in compiled code at the stack pointer `to`, with `status`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn go_on(to: *mut u8, status: u64, cx: Cx) -> ! {
    core::arch::naked_asm!(
        "mov rax, rsi",
        "mov r15, rdx",
        "mov rsp, rdi",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "pop rcx",
        "jmp rcx",
    )
}

/// `(context, handler, operation, reentrant)`
///
/// # Safety
/// As for [`reml_fiber_start`].
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_suspend() {
    core::arch::naked_asm!(
        "mov r8, [rsi + {handler_fiber}]",
        "mov r9, [rsp]",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov [r8 + {frame}], rbp",
        "mov [r8 + {code}], r9",
        "mov [r8 + {stack}], rsp",
        "mov r9, [rdi + {current}]",
        "mov [r8 + {top}], r9",
        "mov r9, [rdi + {in_force}]",
        "mov [r8 + {handlers}], r9",
        "mov r9, [rsi + {around}]",
        "mov [rdi + {in_force}], r9",
        "mov r9, [r8 + {parent}]",
        "mov [rdi + {current}], r9",
        "mov [rdi + {stopped}], r8",
        "add rcx, 2",
        "add rcx, [r8 + {stamp}]",
        "mov [r8 + {stamp}], rcx",
        "lea rax, [rdx + 1]",
        "mov rsp, [r8 + {resumer}]",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "pop rcx",
        "jmp rcx",
        handler_fiber = const offset_of!(Handler, fiber),
        around = const offset_of!(Handler, parent),
        frame = const offset_of!(Fiber, frame),
        code = const offset_of!(Fiber, code),
        stack = const offset_of!(Fiber, stack),
        top = const offset_of!(Fiber, top),
        handlers = const offset_of!(Fiber, handlers),
        parent = const offset_of!(Fiber, parent),
        resumer = const offset_of!(Fiber, resumer),
        stamp = const offset_of!(Fiber, stamp),
        current = const offset_of!(Context, fiber),
        in_force = const offset_of!(Context, handlers),
        stopped = const offset_of!(Context, stopped),
    )
}

/// `(context, continuation) -> status`
///
/// # Safety
/// As for [`reml_fiber_start`].
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_resume() {
    core::arch::naked_asm!(
        "mov r8, [rsi + {its_fiber}]",
        "mov r9, [rsi + {its_stamp}]",
        "cmp r9, [r8 + {stamp}]",
        "jne 2f",
        "test r9, 1",
        "jne 2f",
        "mov rsi, r8",
        "jmp {go}",
        "2:",
        "mov [rdi + {caller_frame}], rbp",
        "mov rax, [rsp]",
        "mov [rdi + {caller_code}], rax",
        "push r8",
        "call {again}",
        "pop rsi",
        "mov rdi, r15",
        "jmp {go}",
        its_fiber = const offset_of!(Continuation, fiber),
        its_stamp = const offset_of!(Continuation, stamp),
        stamp = const offset_of!(Fiber, stamp),
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        again = sym again,
        go = sym reml_fiber_continue,
    )
}

/// `(context, fiber) -> status`
///
/// # Safety
/// As for [`reml_fiber_start`].
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_continue() {
    core::arch::naked_asm!(
        "mov r9, [rsi + {stamp}]",
        "or r9, 3",
        "inc r9",
        "mov [rsi + {stamp}], r9",
        "mov r9, [rsp]",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov r10, [rsi + {record}]",
        "mov [r10], rbp",
        "mov [r10 + 8], r9",
        "mov r10, [rsi + {handler}]",
        "mov r9, [rdi + {in_force}]",
        "mov [r10 + {around}], r9",
        "mov r9, [rsi + {handlers}]",
        "mov [rdi + {in_force}], r9",
        "mov r9, [rdi + {current}]",
        "mov [rsi + {parent}], r9",
        "mov r9, [rsi + {top}]",
        "mov [rdi + {current}], r9",
        "mov [rsi + {resumer}], rsp",
        "mov rsp, [rsi + {stack}]",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "pop rcx",
        "jmp rcx",
        stamp = const offset_of!(Fiber, stamp),
        record = const offset_of!(Fiber, record),
        handler = const offset_of!(Fiber, handler),
        around = const offset_of!(Handler, parent),
        stack = const offset_of!(Fiber, stack),
        top = const offset_of!(Fiber, top),
        handlers = const offset_of!(Fiber, handlers),
        parent = const offset_of!(Fiber, parent),
        resumer = const offset_of!(Fiber, resumer),
        current = const offset_of!(Context, fiber),
        in_force = const offset_of!(Context, handlers),
    )
}

/// Saves what calls preserve, and where to go on.
#[cfg(target_arch = "aarch64")]
macro_rules! save {
    () => {
        "stp x29, x30, [sp, #-176]!
         stp x19, x20, [sp, #16]
         stp x22, x23, [sp, #32]
         stp x24, x25, [sp, #48]
         stp x26, x27, [sp, #64]
         str x28, [sp, #80]
         stp d8, d9, [sp, #96]
         stp d10, d11, [sp, #112]
         stp d12, d13, [sp, #128]
         stp d14, d15, [sp, #144]"
    };
}

/// Undoes [`save`].
#[cfg(target_arch = "aarch64")]
macro_rules! restore {
    () => {
        "ldp x19, x20, [sp, #16]
         ldp x22, x23, [sp, #32]
         ldp x24, x25, [sp, #48]
         ldp x26, x27, [sp, #64]
         ldr x28, [sp, #80]
         ldp d8, d9, [sp, #96]
         ldp d10, d11, [sp, #112]
         ldp d12, d13, [sp, #128]
         ldp d14, d15, [sp, #144]
         ldp x29, x30, [sp], #176"
    };
}

/// As on x86-64. The frame record comes first, the saved registers above it: 160 bytes.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_start() {
    core::arch::naked_asm!(
        "mov x4, x29",
        "mov x5, x30",
        save!(),
        "mov x19, x2",
        "mov x20, x3",
        "mov x3, sp",
        "bl {start}",
        "mov sp, x0",
        "mov x29, x0",
        "mov x0, x21",
        "mov x1, x19",
        "blr x20",
        "mov x0, x21",
        "bl {finish}",
        "brk #1",
        start = sym start,
        finish = sym finish,
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn go_on(to: *mut u8, status: u64, cx: Cx) -> ! {
    core::arch::naked_asm!(
        "mov x9, x0",
        "mov x0, x1",
        "mov x10, x2",
        "mov sp, x9",
        restore!(),
        "mov x21, x10",
        "br x30"
    )
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_suspend() {
    core::arch::naked_asm!(
        "ldr x8, [x1, #{handler_fiber}]",
        "str x29, [x8, #{frame}]",
        "str x30, [x8, #{code}]",
        save!(),
        "mov x9, sp",
        "str x9, [x8, #{stack}]",
        "ldr x9, [x0, #{current}]",
        "str x9, [x8, #{top}]",
        "ldr x9, [x0, #{in_force}]",
        "str x9, [x8, #{handlers}]",
        "ldr x9, [x1, #{around}]",
        "str x9, [x0, #{in_force}]",
        "ldr x9, [x8, #{parent}]",
        "str x9, [x0, #{current}]",
        "str x8, [x0, #{stopped}]",
        "ldr x9, [x8, #{stamp}]",
        "add x9, x9, x3",
        "add x9, x9, #2",
        "str x9, [x8, #{stamp}]",
        "add x0, x2, #1",
        "ldr x9, [x8, #{resumer}]",
        "mov sp, x9",
        restore!(),
        "br x30",
        handler_fiber = const offset_of!(Handler, fiber),
        around = const offset_of!(Handler, parent),
        frame = const offset_of!(Fiber, frame),
        code = const offset_of!(Fiber, code),
        stack = const offset_of!(Fiber, stack),
        top = const offset_of!(Fiber, top),
        handlers = const offset_of!(Fiber, handlers),
        parent = const offset_of!(Fiber, parent),
        resumer = const offset_of!(Fiber, resumer),
        stamp = const offset_of!(Fiber, stamp),
        current = const offset_of!(Context, fiber),
        in_force = const offset_of!(Context, handlers),
        stopped = const offset_of!(Context, stopped),
    )
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_resume() {
    core::arch::naked_asm!(
        "ldr x8, [x1, #{its_fiber}]",
        "ldr x9, [x1, #{its_stamp}]",
        "ldr x10, [x8, #{stamp}]",
        "cmp x9, x10",
        "b.ne 2f",
        "tbnz x9, #0, 2f",
        "mov x1, x8",
        "b {go}",
        "2:",
        "str x29, [x0, #{caller_frame}]",
        "str x30, [x0, #{caller_code}]",
        "stp x29, x30, [sp, #-32]!",
        "str x8, [sp, #16]",
        "bl {again}",
        "ldr x1, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "mov x0, x21",
        "b {go}",
        its_fiber = const offset_of!(Continuation, fiber),
        its_stamp = const offset_of!(Continuation, stamp),
        stamp = const offset_of!(Fiber, stamp),
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        again = sym again,
        go = sym reml_fiber_continue,
    )
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_continue() {
    core::arch::naked_asm!(
        "ldr x9, [x1, #{stamp}]",
        "orr x9, x9, #3",
        "add x9, x9, #1",
        "str x9, [x1, #{stamp}]",
        "ldr x10, [x1, #{record}]",
        "stp x29, x30, [x10]",
        save!(),
        "ldr x10, [x1, #{handler}]",
        "ldr x9, [x0, #{in_force}]",
        "str x9, [x10, #{around}]",
        "ldr x9, [x1, #{handlers}]",
        "str x9, [x0, #{in_force}]",
        "ldr x9, [x0, #{current}]",
        "str x9, [x1, #{parent}]",
        "ldr x9, [x1, #{top}]",
        "str x9, [x0, #{current}]",
        "mov x9, sp",
        "str x9, [x1, #{resumer}]",
        "ldr x9, [x1, #{stack}]",
        "mov sp, x9",
        restore!(),
        "br x30",
        stamp = const offset_of!(Fiber, stamp),
        record = const offset_of!(Fiber, record),
        handler = const offset_of!(Fiber, handler),
        around = const offset_of!(Handler, parent),
        stack = const offset_of!(Fiber, stack),
        top = const offset_of!(Fiber, top),
        handlers = const offset_of!(Fiber, handlers),
        parent = const offset_of!(Fiber, parent),
        resumer = const offset_of!(Fiber, resumer),
        current = const offset_of!(Context, fiber),
        in_force = const offset_of!(Context, handlers),
    )
}

/// Readies a fiber for a computation; the stack pointer it starts with. `resumer`, `frame` and `code`: stack pointer, frame pointer and
/// return address of the code that waits.
unsafe extern "C" fn start(
    cx: Cx,
    handler: *mut Handler,
    closure: *mut Closure,
    resumer: *mut u8,
    frame: usize,
    code: usize,
) -> *mut u8 {
    let stack = cx.runtime().fibers.take(cx);
    // SAFETY: the fiber is unused, the handler alive as long as the closure, which the fiber now owns; the context is alive.
    unsafe {
        let context = cx.as_ptr();
        (*stack).closure = closure;
        (*stack).claims = 1;
        (*stack).occupied = true;
        let fiber = &raw mut (*stack).fiber;
        (*handler).fiber = fiber.cast();
        (*handler).parent = (*context).handlers;
        (*context).handlers = handler;
        (*fiber).handler = handler;
        (*fiber).resumer = resumer;
        (*fiber).parent = (*context).fiber;
        (*fiber).stamp = next_stamp((*fiber).stamp);
        (*context).fiber = fiber;
        (*fiber).record.write([frame, code]);
        (*fiber).record.cast()
    }
}

/// The computation of the current fiber has returned, its result being in the payload.
unsafe extern "C" fn finish(cx: Cx) -> ! {
    // SAFETY: the context is alive. The fiber may be given away, but nobody takes it before its stack has been left.
    unsafe {
        let fiber = (*cx.as_ptr()).fiber;
        let resumer = (*fiber).resumer;
        leave_current(cx);
        let saved = Exchange::of(cx);
        vacate(cx, fiber);
        saved.restore(cx);
        go_on(resumer, 0, cx)
    }
}

/// Gives up the computation of a fiber that runs: for an operation that never resumes it.
///
/// # Safety
/// `call` must be the innermost call of the computation, in whose place this runs; `around` what is around its handler.
pub unsafe fn abort(cx: Cx, fiber: *mut Fiber, call: Call, operation: u64, around: *mut Handler) -> ! {
    // SAFETY: the context is alive; fibers live until the program ends. The stack that this runs on is given away last, and left next.
    unsafe {
        let resumer = (*fiber).resumer;
        let saved = Exchange::of(cx);
        (*cx.as_ptr()).handlers = handler::outermost();
        let first = (*cx.as_ptr()).fiber;
        let mut inner = Vec::new();
        loop {
            defer::run(cx, defer::detach(cx, 0));
            let member = (*cx.as_ptr()).fiber;
            leave_current(cx);
            if member != first {
                inner.push(member);
            }
            if member == fiber {
                break;
            }
        }
        roots::visit(cx, call, (*fiber).record.addr(), Act::Drop, |address| address as *mut u8);
        inner.into_iter().for_each(|member| vacate(cx, member));
        vacate(cx, first);
        saved.restore(cx);
        (*cx.as_ptr()).handlers = around;
        go_on(resumer, operation + 1, cx)
    }
}

/// Makes a continuation that is reentrant, or whose computation is not stopped at it, ready to be resumed.
extern "C" fn again(cx: Cx, continuation: *mut Continuation) {
    // SAFETY: compiled code keeps the continuation alive; fibers live until the program ends.
    unsafe {
        let (fiber, stamp) = ((*continuation).fiber, (*continuation).stamp);
        if stamp == (*fiber).stamp {
            let image = Image::of(fiber);
            image.claim();
            own_again(cx, fiber);
            (*continuation).image = Box::into_raw(Box::new(image)).cast();
            return;
        }
        let Some(mut image) = take_image(continuation) else {
            panic::raise(
                cx,
                "effects.resume.reused",
                format_args!(
                    "this computation has been resumed already; only `@reentrant` operations can be resumed again"
                ),
            );
        };
        if let Err(Active) = make_room(cx, &image) {
            std::mem::forget(image);
            panic::raise(
                cx,
                "effects.resume.active",
                format_args!("a computation cannot be resumed again from within itself"),
            );
        }
        let keep = stamp & REENTRANT != 0;
        image.restore(keep);
        if keep {
            image.claim();
            own_again(cx, fiber);
            (*continuation).image = Box::into_raw(image).cast();
        }
    }
}

/// The image of a continuation: its own, or the one made when the stacks were needed for another one.
///
/// # Safety
/// The continuation must be alive.
unsafe fn take_image(continuation: *mut Continuation) -> Option<Box<Image>> {
    // SAFETY: per the contract; `image` is null or came from a box.
    unsafe {
        let own = std::mem::replace(&mut (*continuation).image, ptr::null_mut());
        if !own.is_null() {
            return Some(Box::from_raw(own.cast()));
        }
        let fiber = (*continuation).fiber;
        let images = &mut (*fiber.cast::<FiberStack>()).evicted;
        let at = images.iter().position(|(stamp, _)| *stamp == (*continuation).stamp)?;
        (*fiber).evicted -= 1;
        Some(images.swap_remove(at).1)
    }
}

/// Every value that the frames own gets an owner more.
///
/// # Safety
/// The computation must be in place, stopped at this fiber.
unsafe fn own_again(cx: Cx, fiber: *mut Fiber) {
    // SAFETY: per the contract, its frames are whole up to the record of its last fiber.
    unsafe {
        let call = Call { frame: (*fiber).frame, code: (*fiber).code };
        roots::visit(cx, call, (*fiber).record.addr(), Act::Dup, |address| address as *mut u8);
    }
}

/// The stacks of an image are in use.
struct Active;

/// Empties the stacks that an image is about to be put back on.
fn make_room(cx: Cx, image: &Image) -> Result<(), Active> {
    for member in image.fibers() {
        if is_running(cx, member) {
            return Err(Active);
        }
        let mut fiber = member;
        // SAFETY: fibers live until the program ends. One that is occupied and does not run is part of a chain that is stopped at its
        // last fiber.
        unsafe {
            if !(*member.cast::<FiberStack>()).occupied {
                continue;
            }
            while (*fiber).stamp & STOPPED == 0 {
                fiber = (*fiber).parent;
            }
            let mut evicted = Image::of(fiber);
            evicted.move_defers();
            evicted.fibers().for_each(|member| (*member.cast::<FiberStack>()).occupied = false);
            (*fiber.cast::<FiberStack>()).evicted.push(((*fiber).stamp, Box::new(evicted)));
            (*fiber).evicted += 1;
            (*fiber).stamp = next_stamp((*fiber).stamp);
        }
    }
    Ok(())
}

/// The last owner of a continuation is gone.
///
/// # Safety
/// To be called from the program's code for dropping continuations, on one without owners.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_continuation_free(cx: Cx, continuation: *mut Continuation) {
    let fibers = &cx.runtime().fibers;
    fibers.waiting.borrow_mut().push(continuation);
    // What a computation owns may include the last owner of another: one after the other, not one within the other.
    if fibers.freeing.replace(true) {
        return;
    }
    let saved = Exchange::of(cx);
    loop {
        let next = fibers.waiting.borrow_mut().pop();
        let Some(continuation) = next else { break };
        // SAFETY: the context is alive; the continuation has no owners.
        unsafe {
            (*cx.as_ptr()).handlers = handler::outermost();
            free(cx, continuation);
        }
    }
    fibers.freeing.set(false);
    saved.restore(cx);
}

/// # Safety
/// The continuation must have no owners.
unsafe fn free(cx: Cx, continuation: *mut Continuation) {
    // SAFETY: per the contract; its fibers live until the program ends.
    unsafe {
        let fiber = (*continuation).fiber;
        if (*continuation).stamp == (*fiber).stamp {
            let members: Vec<*mut Fiber> = chain(fiber).collect();
            let call = Call { frame: (*fiber).frame, code: (*fiber).code };
            (*fiber).stamp = next_stamp((*fiber).stamp);
            for &member in &members {
                let closures = (*member.cast::<FiberStack>()).defers.borrow_mut().detach(0);
                defer::run(cx, closures);
            }
            roots::visit(cx, call, (*fiber).record.addr(), Act::Drop, |address| address as *mut u8);
            members.into_iter().for_each(|member| vacate(cx, member));
        } else if let Some(mut image) = take_image(continuation) {
            defer::run(cx, image.take_defers());
            roots::visit(cx, image.call(), (*fiber).record.addr(), Act::Drop, |address| image.at(address));
            image.fibers().for_each(|member| release(cx, member));
        }
        heap::reml_free(cx, continuation.cast());
    }
}

const _: () =
    assert!(offset_of!(Continuation, drop) == offset_of!(Closure, drop) && offset_of!(FiberStack, fiber) == 0);
