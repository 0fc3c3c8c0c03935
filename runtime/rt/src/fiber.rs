//! How can a computation stop in the middle and go on later?
//!
//! It runs on a stack of its own, a *fiber*. [`reml_fiber_start`] switches there; an operation stops it with
//! [`reml_fiber_suspend`], which switches back with a *continuation*; [`reml_fiber_resume`] goes on. What is stopped is the chain of
//! stacks from the one that runs out to the fiber of the handler: computations with handlers of their own may lie in between.
//! Dropping a continuation that was not resumed drops what its frames own ([`roots`]) and frees the stacks.
//!
//! Stacks are reserved large, the first ones larger than the many, committed by the kernel page by page, and pooled. A continuation
//! that may be resumed again has an [`image`] of the stacks.
//!
//! [`image`]: crate::image

use std::cell::{Cell, RefCell};
use std::mem::offset_of;
use std::ptr;

use crate::abi::{CONTINUATION_FIBER, Closure, FIBER_HANDLER, Handler, Header};
use crate::context::Cx;
use crate::defer::{self, DeferStack};
use crate::handler::{self, Exchange};
use crate::image::Image;
use crate::panic::{self, traced};
use crate::roots::{self, Act, Call};
use crate::stack::{self, StackBounds};
use crate::heap;

/// How many fibers get how large a stack.
const SIZES: [(usize, usize); 4] = [(8, 256 << 20), (64, 16 << 20), (4096, 1 << 20), (usize::MAX, 256 << 10)];
/// Below it there is no point in trying.
const SMALLEST: usize = 128 << 10;
/// The frame record at the top of a stack: where the code that waits for the fiber goes on.
const RECORD: usize = 16;

#[repr(C)]
pub struct Fiber {
    pub handler: *mut Handler,
    low: *mut u8,
    bytes: usize,
    /// See `stack`.
    pub yellow_open: Cell<bool>,
    /// The fiber that waits for this one; null for the program's own stack.
    pub parent: *mut Fiber,
    /// Stack pointer of that one.
    pub resumer: *mut u8,
    /// The computation.
    closure: *mut Closure,
    pub defers: RefCell<DeferStack>,
    /// The computation that runs or is stopped here, and images of it.
    pub claims: usize,
    pub running: bool,
    /// The continuation that is stopped here.
    pub stopped: *mut Continuation,
}

impl Fiber {
    pub fn bounds(&self) -> StackBounds {
        StackBounds { low: self.low.addr() + stack::FIBER_RED_ZONE, high: self.low.addr() + self.bytes }
    }

    /// Start of the red zone.
    pub fn low(&self) -> usize {
        self.low.addr()
    }

    pub fn record(&self) -> *mut [usize; 2] {
        self.low.wrapping_add(self.bytes - RECORD).cast()
    }
}

/// The fibers of a program.
pub struct Fibers {
    current: Cell<*mut Fiber>,
    /// What the last switch to the code that waits was for: 0, or an operation's number plus one.
    status: Cell<u64>,
    pool: RefCell<Vec<*mut Fiber>>,
    made: Cell<usize>,
    /// A continuation is being freed; others wait here.
    freeing: Cell<bool>,
    waiting: RefCell<Vec<*mut Continuation>>,
}

impl Default for Fibers {
    fn default() -> Fibers {
        Fibers {
            current: Cell::new(ptr::null_mut()),
            status: Cell::new(0),
            pool: RefCell::default(),
            made: Cell::new(0),
            freeing: Cell::new(false),
            waiting: RefCell::default(),
        }
    }
}

impl Fibers {
    pub fn current_ptr(&self) -> *mut Fiber {
        self.current.get()
    }

    /// The fiber that runs; `None` on the program's own stack.
    pub fn current(&self) -> Option<&Fiber> {
        // SAFETY: fibers live until the program ends, and the parts that change while shared are cells.
        unsafe { self.current.get().as_ref() }
    }

    /// Makes the stack that waits for the current fiber the current one; `false` if there is none.
    pub fn leave_current(&self) -> bool {
        let fiber = self.current.get();
        if fiber.is_null() {
            return false;
        }
        // SAFETY: fibers live until the program ends.
        unsafe {
            (*fiber).running = false;
            self.current.set((*fiber).parent);
        }
        true
    }

    fn take(&self, cx: Cx) -> *mut Fiber {
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
                None => panic::fatal(cx, format_args!("out of memory: cannot reserve a stack for a suspended computation")),
            }
        };
        // SAFETY: a part of a fresh mapping.
        unsafe { stack::protect(low, zones) };
        self.made.set(made + 1);
        Box::into_raw(Box::new(Fiber {
            low,
            bytes: size + zones,
            yellow_open: Cell::new(false),
            parent: ptr::null_mut(),
            resumer: ptr::null_mut(),
            handler: ptr::null_mut(),
            closure: ptr::null_mut(),
            defers: RefCell::default(),
            claims: 0,
            running: false,
            stopped: ptr::null_mut(),
        }))
    }
}

impl Drop for Fibers {
    fn drop(&mut self) {
        // Those not in the pool belong to a program that was cut short; the process is about to end, or its memory is small change.
        for fiber in self.pool.take() {
            // SAFETY: made by `take`, in nobody's use.
            unsafe {
                let fiber = Box::from_raw(fiber);
                libc::munmap(fiber.low.cast(), fiber.bytes);
            }
        }
    }
}

/// One claim to the fiber less; the last one gives it back.
///
/// # Safety
/// The claim must be the caller's.
pub fn release(cx: Cx, fiber: *mut Fiber) {
    // SAFETY: fibers live until the program ends; no reference to this one is held across calls.
    unsafe {
        (*fiber).claims -= 1;
        if (*fiber).claims == 0 {
            let closure = (*fiber).closure;
            cx.runtime().fibers.pool.borrow_mut().push(fiber);
            handler::drop_closure(cx, closure);
        }
    }
}

/// A stopped computation, as compiled code holds it: dropped like a closure, never called.
#[repr(C)]
pub struct Continuation {
    header: Header,
    code: *const u8,
    /// Compiled code fills it when it takes the continuation out of the context.
    drop: *const u8,
    /// The fiber of the handler; null once resumed, if there is no image.
    pub fiber: *mut Fiber,
    /// The fiber that was running.
    pub top: *mut Fiber,
    /// Its stack pointer.
    stack: *mut u8,
    /// The innermost handler.
    handlers: *mut Handler,
    /// The code that was running.
    pub call: Call,
    /// Its stacks are in place.
    pub live: bool,
    reentrant: bool,
    pub image: Option<Box<Image>>,
}

impl Continuation {
    /// Its fibers, the one that was running first.
    pub fn fibers(&self) -> impl Iterator<Item = *mut Fiber> + use<> {
        let last = self.fiber;
        let mut next = self.top;
        std::iter::from_fn(move || {
            let fiber = next;
            if fiber.is_null() {
                return None;
            }
            // SAFETY: fibers live until the program ends; from the top one the chain leads to the handler's.
            next = if fiber == last { ptr::null_mut() } else { unsafe { (*fiber).parent } };
            Some(fiber)
        })
    }

    /// The stack pointer from which on the memory of one of its fibers is in use.
    pub fn low(&self, fiber: *mut Fiber, above: *mut Fiber) -> usize {
        // SAFETY: `above` waits for nothing else than `fiber`.
        if fiber == self.top { self.stack.addr() } else { unsafe { (*above).resumer.addr() } }
    }
}

/// Saves the registers that calls preserve on this stack, and goes on where another one was left.
///
/// # Safety
/// `to` must be a stack pointer that was saved here, or made by [`prepare`].
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn switch_stack(save: *mut *mut u8, to: *mut u8) {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Where a new fiber begins: calls `entry(context, closure)`, then ends.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn begin() {
    core::arch::naked_asm!(
        "mov rdi, r15",
        "mov rsi, r12",
        "call r13",
        "mov rdi, r15",
        "call {finish}",
        "ud2",
        finish = sym finish,
    )
}

/// Makes the top of a stack look as if `begin` had been left there.
#[cfg(target_arch = "x86_64")]
unsafe fn prepare(cx: Cx, record: *mut [usize; 2], closure: *mut Closure, entry: *const u8) -> *mut u8 {
    let words: [usize; 7] =
        [cx.as_ptr().addr(), 0, entry.addr(), closure.addr(), 0, record.addr(), begin as *const () as usize];
    let start = record.cast::<usize>().wrapping_sub(words.len());
    // SAFETY: the stack is larger than that, and nothing else uses it.
    unsafe { start.cast::<[usize; 7]>().write(words) };
    start.cast()
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn switch_stack(save: *mut *mut u8, to: *mut u8) {
    core::arch::naked_asm!(
        "sub sp, sp, #160",
        "stp x19, x20, [sp]",
        "stp x21, x22, [sp, #16]",
        "stp x23, x24, [sp, #32]",
        "stp x25, x26, [sp, #48]",
        "stp x27, x28, [sp, #64]",
        "stp x29, x30, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x0]",
        "mov sp, x1",
        "ldp x19, x20, [sp]",
        "ldp x21, x22, [sp, #16]",
        "ldp x23, x24, [sp, #32]",
        "ldp x25, x26, [sp, #48]",
        "ldp x27, x28, [sp, #64]",
        "ldp x29, x30, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "add sp, sp, #160",
        "ret",
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn begin() {
    core::arch::naked_asm!(
        "mov x0, x21",
        "mov x1, x19",
        "blr x20",
        "mov x0, x21",
        "bl {finish}",
        "brk #1",
        finish = sym finish,
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
unsafe fn prepare(cx: Cx, record: *mut [usize; 2], closure: *mut Closure, entry: *const u8) -> *mut u8 {
    let mut words = [0usize; 20];
    words[0] = closure.addr();
    words[1] = entry.addr();
    words[2] = cx.as_ptr().addr();
    words[10] = record.addr();
    words[11] = begin as *const () as usize;
    let start = record.cast::<usize>().wrapping_sub(words.len());
    // SAFETY: the stack is larger than that, and nothing else uses it.
    unsafe { start.cast::<[usize; 20]>().write(words) };
    start.cast()
}

traced! {
    /// `(context, handler, closure, entry) -> status`
    reml_fiber_start = start;
    /// `(context, continuation) -> status`
    reml_fiber_resume = resume;
    /// `(context, handler, operation, reentrant)`
    reml_fiber_suspend = suspend;
}

extern "C" fn start(cx: Cx, handler: *mut Handler, closure: *mut Closure, entry: *const u8) -> u64 {
    let fibers = &cx.runtime().fibers;
    let fiber = fibers.take(cx);
    let call = Call::caller(cx);
    // SAFETY: the fiber is unused, the handler alive as long as the closure, which the fiber now owns; the context is alive.
    unsafe {
        let context = cx.as_ptr();
        (*handler).fiber = fiber.cast();
        (*handler).parent = (*context).handlers;
        (*context).handlers = handler;
        (*fiber).handler = handler;
        (*fiber).closure = closure;
        (*fiber).parent = fibers.current.replace(fiber);
        (*fiber).claims = 1;
        (*fiber).running = true;
        let record = (*fiber).record();
        record.write([call.frame, call.code]);
        let stack = prepare(cx, record, closure, entry);
        switch_stack(&raw mut (*fiber).resumer, stack);
    }
    switched_back(cx, fiber)
}

/// The fiber has ended, or has been stopped at its handler.
fn switched_back(cx: Cx, fiber: *mut Fiber) -> u64 {
    let status = cx.runtime().fibers.status.get();
    if status == 0 {
        let saved = Exchange::of(cx);
        release(cx, fiber);
        saved.restore(cx);
    }
    status
}

/// The computation of the current fiber has returned, its result being in the payload.
extern "C" fn finish(cx: Cx) -> ! {
    let fibers = &cx.runtime().fibers;
    let fiber = fibers.current.get();
    fibers.leave_current();
    fibers.status.set(0);
    let mut ended = ptr::null_mut();
    // SAFETY: the resumer waits in `switch_stack`. Nothing comes back here.
    unsafe {
        switch_stack(&raw mut ended, (*fiber).resumer);
        std::hint::unreachable_unchecked()
    }
}

extern "C" fn suspend(cx: Cx, handler: *mut Handler, operation: u64, reentrant: u64) {
    let fibers = &cx.runtime().fibers;
    let object: *mut Continuation = heap::alloc(cx, size_of::<Continuation>()).cast();
    // SAFETY: the handler is in force, so that its fiber runs, or waits for the one that does; the continuation is fresh.
    unsafe {
        let context = cx.as_ptr();
        let fiber: *mut Fiber = (*handler).fiber.cast();
        let top = fibers.current.replace((*fiber).parent);
        let header = (&raw const (*object).header).read();
        object.write(Continuation {
            header,
            code: ptr::null(),
            drop: ptr::null(),
            fiber,
            top,
            stack: ptr::null_mut(),
            handlers: (*context).handlers,
            call: Call::caller(cx),
            live: true,
            reentrant: reentrant != 0,
            image: None,
        });
        (*context).handlers = (*handler).parent;
        (*context).continuation = object.cast();
        fibers.status.set(operation + 1);
        let mut stopped = top;
        loop {
            (*stopped).running = false;
            (*stopped).stopped = object;
            if stopped == fiber {
                break;
            }
            stopped = (*stopped).parent;
        }
        switch_stack(&raw mut (*object).stack, (*fiber).resumer);
    }
}

extern "C" fn resume(cx: Cx, object: *mut Closure) -> u64 {
    let fibers = &cx.runtime().fibers;
    let continuation: *mut Continuation = object.cast();
    // SAFETY: compiled code keeps the continuation alive; fibers live until the program ends.
    unsafe {
        if (*continuation).live {
            if (*continuation).reentrant {
                let image = Image::of(&*continuation);
                image.claim();
                (*continuation).image = Some(Box::new(image));
                own_again(cx, continuation);
            }
        } else if (*continuation).image.is_some() {
            put_in_place(cx, continuation);
        } else {
            panic::raise(
                cx,
                "effects.resume.reused",
                format_args!("this computation has been resumed already; only `@reentrant` operations can be resumed again"),
            );
        }
        (*continuation).live = false;
        let (fiber, top) = ((*continuation).fiber, (*continuation).top);
        let context = cx.as_ptr();
        let call = Call::caller(cx);
        (*fiber).record().write([call.frame, call.code]);
        (*(*fiber).handler).parent = (*context).handlers;
        (*context).handlers = (*continuation).handlers;
        for member in (*continuation).fibers() {
            (*member).running = true;
            (*member).stopped = ptr::null_mut();
        }
        (*fiber).parent = fibers.current.replace(top);
        let stack = (*continuation).stack;
        switch_stack(&raw mut (*fiber).resumer, stack);
        switched_back(cx, fiber)
    }
}

/// Every value that the frames own, and every deferred closure, gets an owner more: one for the image.
///
/// # Safety
/// The continuation's stacks must be in place.
unsafe fn own_again(cx: Cx, continuation: *mut Continuation) {
    // SAFETY: per the contract, its frames are whole up to the record of its last fiber.
    unsafe {
        let call = (*continuation).call;
        let end = (*(*continuation).fiber).record().addr();
        let saved = Exchange::of(cx);
        roots::visit(cx, call, end, Act::Dup, &|address| address as *mut u8);
        saved.restore(cx);
    }
}

/// Puts the image of a continuation back on its stacks.
///
/// # Safety
/// The continuation must have an image.
unsafe fn put_in_place(cx: Cx, continuation: *mut Continuation) {
    // SAFETY: the continuation is alive; so are those stopped on fibers.
    unsafe {
        let Some(mut image) = (*continuation).image.take() else { return };
        for fiber in image.fibers() {
            if (*fiber).running {
                (*continuation).image = Some(image);
                panic::raise(
                    cx,
                    "effects.resume.active",
                    format_args!("a computation cannot be resumed again from within itself"),
                );
            }
            let stopped = (*fiber).stopped;
            if !stopped.is_null() {
                // Another one is stopped there: it gives way.
                let mut evicted = Image::of(&*stopped);
                evicted.move_defers();
                for member in (*stopped).fibers() {
                    (*member).stopped = ptr::null_mut();
                }
                (*stopped).live = false;
                (*stopped).image = Some(Box::new(evicted));
            }
        }
        let keep = (*continuation).reentrant;
        image.restore(keep);
        if keep {
            image.claim();
            (*continuation).image = Some(image);
            own_again(cx, continuation);
        }
    }
}

/// The last owner of a continuation is gone.
///
/// # Safety
/// To be called from the program's code for dropping continuations, on one without owners.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_continuation_free(cx: Cx, object: *mut Closure) {
    let fibers = &cx.runtime().fibers;
    fibers.waiting.borrow_mut().push(object.cast());
    // What a computation owns may include the last owner of another: one after the other, not one within the other.
    if fibers.freeing.replace(true) {
        return;
    }
    let saved = Exchange::of(cx);
    let current = fibers.current.get();
    loop {
        let next = fibers.waiting.borrow_mut().pop();
        let Some(continuation) = next else { break };
        // SAFETY: the context is alive; the continuation has no owners.
        unsafe {
            (*cx.as_ptr()).handlers = handler::outermost();
            free(cx, continuation);
        }
    }
    fibers.current.set(current);
    fibers.freeing.set(false);
    saved.restore(cx);
}

/// # Safety
/// The continuation must have no owners.
unsafe fn free(cx: Cx, continuation: *mut Continuation) {
    // SAFETY: per the contract; its fibers live until the program ends.
    unsafe {
        let end = (*(*continuation).fiber).record().addr();
        let call = (*continuation).call;
        if (*continuation).live {
            let members: Vec<*mut Fiber> = (*continuation).fibers().collect();
            for &fiber in &members {
                (*fiber).stopped = ptr::null_mut();
                let closures = (*fiber).defers.borrow_mut().detach(0);
                defer::run(cx, closures);
            }
            roots::visit(cx, call, end, Act::Drop, &|address| address as *mut u8);
            members.into_iter().for_each(|fiber| release(cx, fiber));
        }
        if let Some(mut image) = (*continuation).image.take() {
            defer::run(cx, image.take_defers());
            roots::visit(cx, call, end, Act::Drop, &|address| image.at(address));
            image.fibers().for_each(|fiber| release(cx, fiber));
        }
        heap::reml_free(cx, continuation.cast());
    }
}

const _: () = assert!(
    offset_of!(Continuation, drop) == offset_of!(Closure, drop)
        && offset_of!(Continuation, fiber) == CONTINUATION_FIBER
        && offset_of!(Fiber, handler) == FIBER_HANDLER
);
