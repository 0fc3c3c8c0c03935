//! What does a Reml program's stack look like, and what happens when it is full?
//!
//! A program runs on a stack of its own, reserved large and committed by the kernel page by page, so that
//! deep recursion is bounded by memory, not by a setting. From low to high addresses:
//!
//! - red zone: never accessible; a fault here is an overflow
//! - yellow zone: opened once for runtime or C code that faults in it, so that it can finish
//! - stack
//!
//! A fault in compiled code in either zone, or in any code in the red one, becomes the panic `runtime.stack_overflow`. The
//! signal handler runs on an alternate stack and only redirects the interrupted thread to an emergency stack, where reporting and
//! deferred closures run as ordinary code.

use std::cell::Cell;
use std::ptr;

use crate::abi::Fiber;
use crate::abi::{Context, PANIC_EXIT};
use crate::context::Cx;
use crate::crash::ForeignCall;
use crate::fiber::{self, FiberStack};
use crate::frames::Walk;
use crate::heap;
use crate::panic;
use crate::signals::{self, Registers};

const RED_ZONE: usize = 1 << 20;
const YELLOW_ZONE: usize = 1 << 20;
/// The same zones of a fiber's stack.
pub const FIBER_RED_ZONE: usize = 16 << 10;
pub const FIBER_YELLOW_ZONE: usize = 128 << 10;
const SIGNAL_STACK: usize = 64 << 10;
const EMERGENCY_STACK: usize = 1 << 20;
const GUARD: usize = 64 << 10;
const SMALLEST_STACK: usize = 8 << 20;
const SMALLEST_DEFAULT: usize = 256 << 20;
const LARGEST_STACK: usize = 16 << 30;
/// The part of the stack that most programs do with. What lies deeper is committed in huge pages, twenty times as fast.
#[cfg(target_os = "linux")]
const SMALL_PAGES: usize = 4 << 20;
/// Environment variable with the stack's size in bytes, optionally with a suffix K, M or G.
const SIZE_VARIABLE: &str = "REML_STACK_SIZE";
/// The code of the panic.
const CODE: &str = "runtime.stack_overflow";
const TOO_DEEP: &str = "stack overflow: the recursion is too deep";

/// Addresses of a program's stack; frame pointers outside are not followed. The default is empty.
#[derive(Clone, Copy, Default)]
pub struct StackBounds {
    pub low: usize,
    pub high: usize,
}

impl StackBounds {
    pub fn contains(self, address: usize, bytes: usize) -> bool {
        address >= self.low && address < self.high && self.high - address >= bytes
    }
}

/// The stack that a chain of frames is on, and those that wait for it.
#[derive(Clone, Copy)]
pub struct Bounds {
    fiber: *mut Fiber,
    main: StackBounds,
}

impl Bounds {
    /// From the stack that runs on.
    pub fn of(cx: Cx) -> Bounds {
        let runtime = cx.runtime();
        // SAFETY: the context is alive.
        Bounds { fiber: unsafe { (*cx.as_ptr()).fiber }, main: runtime.stack.get() }
    }

    #[cfg(test)]
    pub fn only(main: StackBounds) -> Bounds {
        Bounds { fiber: ptr::null_mut(), main }
    }

    pub fn bounds(self) -> StackBounds {
        // SAFETY: fibers live until the program ends.
        unsafe { fiber::whole(self.fiber) }.map_or(self.main, FiberStack::bounds)
    }

    /// From where on the memory of the stack can be read; `limit` is that of the program's own.
    fn accessible(self, limit: usize) -> usize {
        if self.fiber.is_null() { limit } else { self.bounds().low + FIBER_YELLOW_ZONE }
    }

    /// The words of the stack from an address on.
    pub fn words_from(self, cx: Cx, address: usize) -> impl Iterator<Item = usize> {
        let bounds = self.bounds();
        let start = address.next_multiple_of(size_of::<usize>()).max(self.accessible(cx_stack_limit(cx)));
        (start..bounds.high).step_by(size_of::<usize>())
    }

    /// The stack that waits for this one.
    pub fn waiting(self) -> Option<Bounds> {
        // SAFETY: fibers live until the program ends.
        let fiber = unsafe { self.fiber.as_ref() }?;
        Some(Bounds { fiber: fiber.parent, ..self })
    }
}

/// The stacks of a program. Dropping it unmaps them.
pub struct Stack {
    /// The main stack with its zones.
    low: *mut u8,
    bytes: usize,
    /// Guard, signal stack, guard, emergency stack.
    spare: *mut u8,
    watched: Box<Watched>,
}

/// While it lives, overflow of a program's stack is noticed on this thread. Dropping it restores the thread's signal stack.
pub struct Watch<'s> {
    previous_signal_stack: libc::stack_t,
    previous: *const Watched,
    stack: &'s Stack,
}

/// What the signal handler has to know of the program that runs on this thread.
pub struct Watched {
    context: *mut Context,
    /// Start of the red zone.
    low: usize,
    yellow_open: Cell<bool>,
    emergency_top: usize,
    emergency: StackBounds,
    emergency_used: Cell<bool>,
}

thread_local! {
    static WATCHED: Cell<*const Watched> = const { Cell::new(ptr::null()) };
}

pub fn map(bytes: usize) -> Option<*mut u8> {
    heap::map(bytes, if cfg!(target_os = "linux") { libc::MAP_STACK } else { 0 })
}

/// How much address space the process may use, if that is limited.
pub fn address_space() -> Option<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to the local it is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
}

/// Makes a part of one of our mappings inaccessible.
///
/// # Safety
/// Nothing may be using that part.
pub unsafe fn protect(start: *mut u8, bytes: usize) {
    // SAFETY: per the contract.
    unsafe { libc::mprotect(start.cast(), bytes, libc::PROT_NONE) };
}

/// The most that one stack should reserve: a small part of the address space where that is limited, since other things need it too.
pub fn largest_reservation() -> usize {
    address_space().map_or(usize::MAX, |limit| limit / 16)
}

/// How much stack to reserve: a sixteenth of the memory, so that runaway recursion ends before the machine does.
fn preferred_size() -> usize {
    if let Some(bytes) = std::env::var(SIZE_VARIABLE).ok().and_then(|text| parse_size(&text)) {
        return bytes.clamp(1 << 16, LARGEST_STACK).next_multiple_of(1 << 16);
    }
    let size = (memory() / 16).clamp(SMALLEST_DEFAULT, LARGEST_STACK);
    size.min(largest_reservation()).max(SMALLEST_STACK).next_multiple_of(1 << 20)
}

fn parse_size(text: &str) -> Option<usize> {
    let (digits, unit) = match text.trim().char_indices().next_back()? {
        (end, 'k' | 'K') => (&text[..end], 10),
        (end, 'm' | 'M') => (&text[..end], 20),
        (end, 'g' | 'G') => (&text[..end], 30),
        _ => (text, 0),
    };
    digits.trim().parse::<usize>().ok()?.checked_mul(1 << unit)
}

/// Bytes of memory that this process may hope for.
fn memory() -> usize {
    // SAFETY: sysconf has no preconditions.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let physical = if pages > 0 && page > 0 { pages as usize * page as usize } else { 8 << 30 };
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    limit.map_or(physical, |limit: usize| limit.min(physical))
}

impl Stack {
    /// Reserves the stacks for a program. `None`: no memory.
    pub fn new(cx: Cx, size: Option<usize>) -> Option<Stack> {
        let mut size = size.unwrap_or_else(preferred_size);
        let zones = RED_ZONE + YELLOW_ZONE;
        let (low, bytes) = loop {
            match map(size + zones) {
                Some(low) => break (low, size + zones),
                None if size > SMALLEST_STACK => size = (size / 4).max(SMALLEST_STACK).next_multiple_of(1 << 16),
                None => return None,
            }
        };
        let spare_bytes = spare_bytes();
        let Some(spare) = map(spare_bytes) else {
            // SAFETY: mapped above and unused.
            unsafe { libc::munmap(low.cast(), bytes) };
            return None;
        };
        // SAFETY: parts of fresh mappings that nothing uses.
        unsafe {
            protect(low, zones);
            protect(spare, GUARD);
            protect(spare.add(GUARD + SIGNAL_STACK), GUARD);
        }
        #[cfg(target_os = "linux")]
        if bytes > zones + SMALL_PAGES {
            // SAFETY: advice on a part of the fresh mapping; failing is harmless.
            unsafe { libc::madvise(low.add(zones).cast(), bytes - zones - SMALL_PAGES, libc::MADV_HUGEPAGE) };
        }
        let emergency_top = spare.addr() + spare_bytes;
        let watched = Box::new(Watched {
            context: cx.as_ptr(),
            low: low.addr(),
            yellow_open: Cell::new(false),
            emergency_top,
            emergency: StackBounds { low: emergency_top - EMERGENCY_STACK - GUARD, high: emergency_top },
            emergency_used: Cell::new(false),
        });
        cx.runtime().stack.set(StackBounds { low: low.addr() + RED_ZONE, high: low.addr() + bytes });
        // SAFETY: the context is alive; compiled code does not run yet.
        unsafe { (*cx.as_ptr()).stack_limit = low.addr() + zones };

        signals::install(cx.runtime().mail.is_hosted());
        Some(Stack { low, bytes, spare, watched })
    }

    /// Watches for overflow on this thread, where the program is about to run.
    pub fn watch(&self) -> Watch<'_> {
        let signal_stack =
            libc::stack_t { ss_sp: self.spare.wrapping_add(GUARD).cast(), ss_flags: 0, ss_size: SIGNAL_STACK };
        let mut previous_signal_stack =
            libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: the new signal stack stays mapped until the watch, which borrows its owner, restores the previous one.
        unsafe { libc::sigaltstack(&signal_stack, &mut previous_signal_stack) };
        Watch { previous_signal_stack, previous: WATCHED.replace(ptr::from_ref(&*self.watched)), stack: self }
    }

    /// Where the stack begins; aligned for a call.
    pub fn top(&self) -> *mut u8 {
        self.low.wrapping_add(self.bytes)
    }
}

fn spare_bytes() -> usize {
    GUARD + SIGNAL_STACK + GUARD + EMERGENCY_STACK
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: nothing runs on these stacks any more: whoever enters them holds a watch.
        unsafe {
            libc::munmap(self.low.cast(), self.bytes);
            libc::munmap(self.spare.cast(), spare_bytes());
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        debug_assert_eq!(WATCHED.get(), ptr::from_ref(&*self.stack.watched));
        WATCHED.set(self.previous);
        // SAFETY: nothing of the program runs on this thread; the previous signal stack was this thread's.
        unsafe { libc::sigaltstack(&self.previous_signal_stack, ptr::null_mut()) };
    }
}

/// The program that runs on this thread, if one does.
pub fn running() -> Option<&'static Watched> {
    // SAFETY: set only while its `Stack` lives, on this thread; who asks is a signal handler, which is done before that ends.
    unsafe { WATCHED.get().as_ref() }
}

impl Watched {
    /// Handles a fault at an address, if that is an overflow of a stack.
    pub fn overflowed(&self, address: usize, registers: &mut Registers) -> bool {
        if self.emergency_used.get() && self.emergency.contains(address, 1) {
            let text = "panic: stack overflow while handling a stack overflow\n";
            crate::io::write_fd(libc::STDERR_FILENO, text.as_bytes()).ok();
            // SAFETY: `_exit` has no preconditions.
            unsafe { libc::_exit(PANIC_EXIT) };
        }
        let cx = self.cx();
        // SAFETY: the context lives as long as its stack.
        let (low, red_zone, yellow_zone, yellow_open) = match unsafe { fiber::whole((*self.context).fiber) } {
            Some(fiber) => (fiber.low(), FIBER_RED_ZONE, FIBER_YELLOW_ZONE, &fiber.yellow_open),
            None => (self.low, RED_ZONE, YELLOW_ZONE, &self.yellow_open),
        };
        let yellow = low + red_zone;
        let zones = StackBounds { low, high: yellow + yellow_zone };
        if !zones.contains(address, 1) {
            return false;
        }
        let compiled = cx.runtime().frames.try_borrow().is_ok_and(|frames| frames.contains(registers.code()));
        if !compiled && address >= yellow && !yellow_open.replace(true) {
            // SAFETY: the yellow zone is a part of our stack that nothing else uses.
            unsafe { libc::mprotect(yellow as *mut libc::c_void, yellow_zone, libc::PROT_READ | libc::PROT_WRITE) };
            return true;
        }
        self.emergency_used.set(true);
        registers.redirect(self.emergency_top, self.context, compiled);
        true
    }

    pub fn cx(&self) -> Cx {
        // SAFETY: the context lives as long as its stack.
        unsafe { Cx::new(self.context) }
    }
}

/// Runs on the emergency stack in place of the code that overflowed.
pub extern "C" fn on_overflow(context: *mut Context, code: usize, frame: usize, stack: usize, compiled: bool) -> ! {
    // SAFETY: the handler passes the context of the program that runs on this thread.
    let cx = unsafe { Cx::new(context) };
    let bounds = Bounds::of(cx);
    if compiled {
        let walk = Some(Walk::new(code, frame, bounds));
        panic::report_and_end(cx, CODE, format_args!("{TOO_DEEP}"), walk, true)
    }
    match ForeignCall::find(cx, stack) {
        Some(call) => {
            let message = format_args!("stack overflow: {call} needs more stack than there is");
            panic::report_and_end(cx, CODE, message, Some(call.walk.clone()), false)
        }
        None => panic::report_and_end(cx, CODE, format_args!("{TOO_DEEP}"), find_frame(cx, stack, bounds), false),
    }
}

/// Looks for the innermost frame record that a call of compiled code has left on the stack above `stack`.
pub fn find_frame(cx: Cx, stack: usize, stacks: Bounds) -> Option<Walk> {
    const SEARCHED_WORDS: usize = 1 << 16;
    let frames = cx.runtime().frames.try_borrow().ok()?;
    let word = size_of::<usize>();
    let bounds = stacks.bounds();
    for address in stacks.words_from(cx, stack).take(SEARCHED_WORDS) {
        if !bounds.contains(address, 2 * word) {
            break;
        }
        // SAFETY: both words lie in the accessible part of the stack.
        let [frame, code] = unsafe { *(address as *const [usize; 2]) };
        if frame > address && bounds.contains(frame, 2 * word) && frames.place(code).is_some() {
            return Some(Walk::new(code, frame, stacks));
        }
    }
    None
}

/// How many bytes the stack that runs may still grow by.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stack_left(cx: Cx) -> i64 {
    let here = 0u8;
    let limit = Bounds::of(cx).accessible(cx_stack_limit(cx));
    (&raw const here).addr().saturating_sub(limit) as i64
}

fn cx_stack_limit(cx: Cx) -> usize {
    // SAFETY: alive while its program runs.
    unsafe { (*cx.as_ptr()).stack_limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Some(4096));
        assert_eq!(parse_size("64M"), Some(64 << 20));
        assert_eq!(parse_size("2 g"), Some(2 << 30));
        assert_eq!(parse_size(""), None);
        assert_eq!(parse_size("many"), None);
        assert!(preferred_size() >= SMALLEST_STACK);
    }

    #[test]
    fn bounds_are_half_open() {
        let bounds = StackBounds { low: 16, high: 32 };
        assert!(bounds.contains(16, 16) && !bounds.contains(17, 16));
        assert!(!bounds.contains(32, 1) && !bounds.contains(15, 1));
        assert!(!StackBounds::default().contains(0, 1));
    }
}
