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
//! [`image`]: crate::image
//! [`reml_fiber_start`]: crate::fiber_switch::reml_fiber_start
//! [`reml_fiber_suspend`]: crate::fiber_switch::reml_fiber_suspend
//! [`reml_fiber_resume`]: crate::fiber_switch::reml_fiber_resume

use std::cell::{Cell, RefCell};
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use crate::abi::{Closure, Continuation, Fiber, Handler};
use crate::context::Cx;
use crate::defer::{self, DeferStack};
use crate::fiber_switch::go_on;
use crate::frames::Walk;
use crate::handler::{self, Exchange};
use crate::heap;
use crate::image::Image;
use crate::panic;
use crate::roots::{self, Act, Call};
use crate::stack::{self, Bounds, StackBounds};

/// How many fibers get how large a stack.
const SIZES: [(usize, usize); 4] = [(2, 256 << 20), (16, 16 << 20), (128, 2 << 20), (usize::MAX, 192 << 10)];
/// Below it there is no point in trying.
const SMALLEST: usize = 128 << 10;
const RESERVE: usize = 4 << 20;
/// So many should fit where the address space is limited.
const MANY: usize = 1 << 14;

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
    /// Address space for the code that runs at a panic for want of it.
    reserve: Cell<Option<NonNull<u8>>>,
    /// A continuation is being freed; others wait here.
    freeing: Cell<bool>,
    waiting: RefCell<Vec<*mut Continuation>>,
}

impl Fibers {
    /// A fiber in nobody's use; `None` when there is no room for another stack.
    fn take(&self) -> Option<*mut FiberStack> {
        if let Some(fiber) = self.pool.borrow_mut().pop() {
            return Some(fiber);
        }
        let made = self.made.get();
        if made == 0 {
            self.reserve.set(stack::map(RESERVE).and_then(NonNull::new));
        }
        let mut size = SIZES.iter().find(|&&(count, _)| made < count).map_or(SMALLEST, |&(_, size)| size);
        if let Some(limit) = stack::address_space() {
            size = size.min(limit / MANY).max(SMALLEST);
        }
        let zones = stack::FIBER_RED_ZONE + stack::FIBER_YELLOW_ZONE;
        let low = loop {
            match stack::map(size + zones) {
                Some(low) => break low,
                None if size > SMALLEST => size = (size / 4).max(SMALLEST),
                None => return None,
            }
        };
        // SAFETY: a part of a fresh mapping.
        unsafe { stack::protect(low, zones) };
        self.made.set(made + 1);
        let bytes = size + zones;
        Some(Box::into_raw(Box::new(FiberStack {
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
        })))
    }

    fn panic_without_room(&self, cx: Cx, walk: Walk) -> ! {
        if let Some(reserve) = self.reserve.take() {
            // SAFETY: nobody uses it.
            unsafe { libc::munmap(reserve.as_ptr().cast(), RESERVE) };
        }
        let message = format_args!(
            "out of memory: no room for the stack of another computation; {} run or are suspended",
            self.made.get()
        );
        panic::report_and_end(cx, panic::OUT_OF_MEMORY, message, Some(walk), true)
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
        if let Some(reserve) = self.reserve.take() {
            // SAFETY: nobody uses it.
            unsafe { libc::munmap(reserve.as_ptr().cast(), RESERVE) };
        }
    }
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

/// The fibers of what runs now, the innermost first.
pub fn running(cx: Cx) -> impl Iterator<Item = *mut Fiber> {
    // SAFETY: the context is alive.
    let mut next = unsafe { (*cx.as_ptr()).fiber };
    std::iter::from_fn(move || {
        let fiber = next;
        // SAFETY: fibers live until the program ends.
        next = unsafe { fiber.as_ref() }?.parent;
        Some(fiber)
    })
}

/// Readies a fiber for a computation; the stack pointer it starts with. `resumer`, `frame` and `code`: stack pointer, frame pointer and
/// return address of the code that waits.
///
/// # Safety
/// To be called by `reml_fiber_start`, with its arguments.
pub unsafe extern "C" fn start(
    cx: Cx,
    handler: *mut Handler,
    closure: *mut Closure,
    resumer: *mut u8,
    frame: usize,
    code: usize,
) -> *mut u8 {
    let fibers = &cx.runtime().fibers;
    let stack = fibers.take().unwrap_or_else(|| fibers.panic_without_room(cx, Walk::new(code, frame, Bounds::of(cx))));
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
///
/// # Safety
/// To be called at the bottom of a fiber's stack.
pub unsafe extern "C" fn finish(cx: Cx) -> ! {
    // SAFETY: the context is alive. The fiber may be given away, but nobody takes it before its stack has been left.
    unsafe {
        let fiber = (*cx.as_ptr()).fiber;
        let resumer = (*fiber).resumer;
        let saved = Exchange::of(cx);
        vacate(cx, fiber);
        (*cx.as_ptr()).fiber = (*fiber).parent;
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
        let around_it = (*fiber).parent;
        let members: Vec<*mut Fiber> = running(cx).take_while(|&member| member != around_it).collect();
        defer::run(cx, members.iter().rev().flat_map(|&member| defer::detach(cx, member, 0)).collect());
        roots::visit(cx, call, (*fiber).record.addr(), Act::Drop, |address| address as *mut u8);
        members.into_iter().rev().for_each(|member| vacate(cx, member));
        (*cx.as_ptr()).fiber = around_it;
        saved.restore(cx);
        (*cx.as_ptr()).handlers = around;
        go_on(resumer, operation + 1, cx)
    }
}

/// Makes a continuation that is reentrant, or whose computation is not stopped at it, ready to be resumed.
pub extern "C" fn again(cx: Cx, continuation: *mut Continuation) {
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
        let keep = stamp & REENTRANT != 0;
        let image = put_back(cx, continuation, keep);
        if keep {
            image.claim();
            own_again(cx, fiber);
            (*continuation).image = Box::into_raw(image).cast();
        }
    }
}

/// Puts a computation that is not stopped at its continuation back on its stacks, from its image; `keep`: the image is needed again.
///
/// # Safety
/// The continuation must be alive.
unsafe fn put_back(cx: Cx, continuation: *mut Continuation, keep: bool) -> Box<Image> {
    // SAFETY: per the contract.
    let Some(mut image) = (unsafe { take_image(continuation) }) else {
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
    // SAFETY: there is room.
    unsafe { image.restore(keep) };
    image
}

/// Consumes a continuation that somebody else has, too, or whose computation is not stopped at it; its fiber, ready to go on.
pub extern "C" fn last(cx: Cx, continuation: *mut Continuation) -> *mut Fiber {
    // SAFETY: the caller owns the continuation; fibers live until the program ends.
    unsafe {
        let (fiber, stamp) = ((*continuation).fiber, (*continuation).stamp);
        let count = &mut (*continuation).header.count;
        if *count > 1 {
            *count -= 1;
            if stamp != (*fiber).stamp || stamp & REENTRANT != 0 {
                again(cx, continuation);
            }
        } else {
            if stamp != (*fiber).stamp {
                put_back(cx, continuation, false);
            }
            heap::reml_free(cx, continuation.cast());
        }
        fiber
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
        if running(cx).any(|fiber| fiber == member) {
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
        // SAFETY: the continuation has no owners.
        unsafe { free(cx, continuation) };
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
            (*(*fiber).handler).parent = handler::outermost();
            defer::run(cx, members.iter().rev().flat_map(|&member| defer::detach(cx, member, 0)).collect());
            roots::visit(cx, call, (*fiber).record.addr(), Act::Drop, |address| address as *mut u8);
            members.into_iter().for_each(|member| vacate(cx, member));
        } else {
            // An image of its own is left over from a computation that has gone on: what that had deferred has run, or will.
            let spare = !(*continuation).image.is_null();
            let Some(mut image) = take_image(continuation) else { return heap::reml_free(cx, continuation.cast()) };
            let closures = image.take_defers();
            if spare {
                defer::drop_unused(cx, closures);
            } else {
                image.under_its_handlers(|| defer::run(cx, closures));
            }
            roots::visit(cx, image.call(), (*fiber).record.addr(), Act::Drop, |address| image.at(address));
            image.fibers().for_each(|member| release(cx, member));
        }
        heap::reml_free(cx, continuation.cast());
    }
}

const _: () =
    assert!(offset_of!(Continuation, info) == offset_of!(Closure, info) && offset_of!(FiberStack, fiber) == 0);
