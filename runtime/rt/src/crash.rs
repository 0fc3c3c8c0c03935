//! What can be told of a program that ends by a signal, and how does the log learn of it?
//!
//! C code that does what the processor refuses, or that calls `abort`, takes the process down. Before that, standard error is told what happened,
//! in which foreign function, and which call of the program led there. Calls of C functions leave no trace for this when all goes well: the stack is
//! searched, from where it is to where it began, for the return address of such a call (`abi::ForeignSite`). The word is taken for one only if a frame
//! of the calling function would lie around it, at the head of a chain of frames that is whole; and of several the outermost, since what is left over from
//! earlier calls lies in frames of C's, below the call that is in progress.
//!
//! All of this runs in a signal handler: nothing here allocates or waits for a lock. The log, which needs both, is written by a [`Recorder`].

use std::cell::UnsafeCell;
use std::fmt::{self, Write};
use std::io::{Read, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;
use std::thread::JoinHandle;

use reml_audit::{Event, EventKind, Sink};
use reml_capability::policy::Power;
use serde_json::{Value, json};

use crate::callback;
use crate::context::Cx;
use crate::foreign_calls::call_site;
use crate::frames::{self, FrameTables, Place, Walk};
use crate::gate;
use crate::panic::StderrWriter;
use crate::signals::Registers;
use crate::stack::{self, Bounds};
use crate::switch;

/// The code of crashes in C code.
const CALL_FAILED: &str = "ffi.call.failed";
/// The code of other crashes.
const CRASHED: &str = "runtime.crashed";

/// How far stacks are searched for the call of a C function, in words; and how far beyond the first that might be it.
const SEARCHED: usize = 1 << 28;
const SEARCHED_BEYOND: usize = 1 << 16;

/// How long a dying program waits for its log.
const PATIENCE_MS: i32 = 2_000;

/// A signal that ends the program.
#[derive(Clone, Copy)]
pub struct Fault {
    pub signal: i32,
    /// What the system knows about it; not positive if the signal was sent.
    pub code: i32,
    pub address: usize,
}

impl Fault {
    fn name(&self) -> &'static str {
        match self.signal {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGBUS => "SIGBUS",
            libc::SIGFPE => "SIGFPE",
            libc::SIGILL => "SIGILL",
            _ => "SIGABRT",
        }
    }
}

/// What was wrong.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NO_MEMORY: i32 = 1;
        const NOT_ALLOWED: i32 = 2;
        const MISALIGNED: i32 = 1;
        const DIVISION: i32 = 1;
        /// No object lies so low.
        const NULL_PAGE: usize = 4096;
        let address = self.address;
        match (self.signal, self.code) {
            (libc::SIGABRT, _) => f.write_str("it gave up, by `abort`"),
            (_, ..=0) => f.write_str("it has sent the signal itself"),
            (libc::SIGSEGV, NO_MEMORY) if address < NULL_PAGE => write!(f, "it used a null pointer ({address:#x})"),
            (libc::SIGSEGV, NO_MEMORY) => write!(f, "there is no memory at {address:#x}"),
            (libc::SIGSEGV, NOT_ALLOWED) => write!(f, "the memory at {address:#x} must not be used like this"),
            (libc::SIGSEGV, _) => f.write_str("it used an address that no memory can have"),
            (libc::SIGBUS, MISALIGNED) => write!(f, "the address {address:#x} is not aligned"),
            (libc::SIGBUS, _) => write!(f, "there is nothing behind the address {address:#x}"),
            (libc::SIGFPE, DIVISION) => f.write_str("it divided by zero"),
            (libc::SIGFPE, _) => f.write_str("it calculated what has no result"),
            (_, _) => f.write_str("it came upon an instruction that the processor refuses"),
        }
    }
}

/// A call of a C function that is in progress.
#[derive(Clone)]
pub struct ForeignCall {
    symbol: &'static str,
    library: &'static str,
    /// The calls that led there.
    pub walk: Walk,
}

impl fmt::Display for ForeignCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symbol {
            "" => f.write_str("a foreign function that was called through a pointer"),
            symbol => write!(f, "the foreign function `{symbol}` of `{}`", self.library),
        }
    }
}

impl ForeignCall {
    /// The call that is in progress on the stack that runs, whose pointer is `stack`.
    pub fn find(cx: Cx, stack: usize) -> Option<ForeignCall> {
        let frames = cx.runtime().frames.try_borrow().ok()?;
        let calls = frames.foreign_calls();
        let lowest = calls.clone().map(|call| call.code).min()?;
        let highest = calls.clone().map(|call| call.code).max()?;
        let stacks = Bounds::of(cx);
        let mut found = None;
        let mut end = usize::MAX;
        for address in stacks.words_from(cx, stack).take(SEARCHED) {
            if address >= end {
                break;
            }
            // SAFETY: a word of the accessible part of the stack.
            let code = unsafe { *(address as *const usize) };
            if code < lowest || code > highest {
                continue;
            }
            let Some(call) = calls.clone().find(|call| call.code == code) else { continue };
            let Some(frame) = frame_around(address, call.frame) else { continue };
            let Some(outermost) = end_of_chain(cx, &frames, stacks, frame) else { continue };
            if found.is_none() {
                end = outermost.min(address + SEARCHED_BEYOND * size_of::<usize>());
            }
            let walk = Walk::new(code, frame, stacks);
            found = Some(ForeignCall { symbol: call.symbol, library: call.library, walk });
        }
        found
    }
}

/// The frame pointer of a function whose call has left its return address at `address`.
#[cfg(not(target_arch = "aarch64"))]
fn frame_around(address: usize, frame: usize) -> Option<usize> {
    address.checked_add(size_of::<usize>() + frame)
}

/// Here the callee keeps the return address, behind the frame pointer of the caller.
#[cfg(target_arch = "aarch64")]
fn frame_around(address: usize, _: usize) -> Option<usize> {
    // SAFETY: the word before one of the stack's; at its very end there is no return address.
    Some(unsafe { *((address - size_of::<usize>()) as *const usize) })
}

const RECORD: usize = 2 * size_of::<usize>();

/// The frame pointer and the return address that a frame has kept.
fn record(stacks: Bounds, frame: usize) -> Option<[usize; 2]> {
    let there = stacks.bounds().contains(frame, RECORD) && frame.is_multiple_of(align_of::<usize>());
    // SAFETY: within the stack, above what is known to be accessible.
    there.then(|| unsafe { *(frame as *const [usize; 2]) })
}

/// The outermost frame, on this stack, of the chain that begins with `frame`; `None` if that is no chain of the program's.
fn end_of_chain(cx: Cx, frames: &FrameTables, stacks: Bounds, mut frame: usize) -> Option<usize> {
    /// Looking up what a frame returns to takes longer than following the chain.
    const LOOKED_UP: usize = 32;
    let mut depth = 0;
    let mut known = true;
    loop {
        let [outer, code] = record(stacks, frame)?;
        if outer == 0 && begins_chain(cx, code)
            || stacks.waiting().is_some_and(|waiting| waiting.bounds().contains(outer, RECORD))
        {
            return Some(frame);
        }
        // Between two functions of the program there may be one of the runtime's, which begins a computation.
        let before = known;
        known = depth >= LOOKED_UP || frames.place(code).is_some();
        if outer <= frame || !known && !before {
            return None;
        }
        frame = outer;
        depth += 1;
    }
}

/// Tells what ends the program, on standard error and in the log. What the program has printed is written first.
pub fn report(cx: Cx, fault: &Fault, registers: &Registers) {
    if let Ok(mut output) = cx.runtime().output.try_borrow_mut() {
        output.flush().ok();
    }
    let Ok(frames) = cx.runtime().frames.try_borrow() else { return };
    let mut out = StderrWriter::new();
    let stacks = Bounds::of(cx);
    if frames.contains(registers.code()) {
        let walk = Walk::new(registers.code(), registers.frame(), stacks);
        write_report(&mut out, &frames, format_args!("the program"), fault, CRASHED, Some(walk)).ok();
    } else if let Some(call) = ForeignCall::find(cx, registers.stack()) {
        let who = format_args!("{call}");
        write_report(&mut out, &frames, who, fault, CALL_FAILED, Some(call.walk.clone())).ok();
        out.flush();
        if let Some(recorder) = cx.runtime().recorder.get() {
            let place = frames::blamed(&frames, &call.walk);
            recorder.record(Failure { fault: *fault, symbol: call.symbol, library: call.library, place });
        }
    } else {
        let walk = stack::find_frame(cx, registers.stack(), stacks);
        write_report(&mut out, &frames, format_args!("the runtime"), fault, CRASHED, walk).ok();
    }
}

fn write_report(
    out: &mut dyn Write,
    frames: &FrameTables,
    who: fmt::Arguments<'_>,
    fault: &Fault,
    code: &str,
    walk: Option<Walk>,
) -> fmt::Result {
    writeln!(out, "crash: {who} ended with {}: {fault}\n  code: {code}", fault.name())?;
    walk.map_or(Ok(()), |walk| frames::write_trace(out, frames, walk))
}

/// Does a call that returns there begin a chain of frames?
fn begins_chain(cx: Cx, code: usize) -> bool {
    /// More than the functions have.
    const BYTES: usize = 256;
    let begins = |function: *const u8| code.wrapping_sub(function.addr()) < BYTES;
    // SAFETY: the context is alive. What a callback has left there that is over begins nothing.
    let called_back = unsafe { !(*cx.as_ptr()).callback.is_null() };
    begins(switch::enter as *const u8)
        || begins(switch::attempt as *const u8)
        || begins(switch::call as *const u8)
        || called_back && callback::entry_code().is_some_and(begins)
}

/// What the log is told.
struct Failure {
    fault: Fault,
    symbol: &'static str,
    library: &'static str,
    place: Option<Place<'static>>,
}

impl Failure {
    fn event(&self) -> Event {
        let site = self.place.and_then(|place| Some(call_site(place.function, place.source?)));
        let call = json!({
            "event": "ffi.call",
            "library": self.library,
            "symbol": self.symbol,
            "call_site": site.and_then(|text| text.parse::<Value>().ok()),
            "effect_flags": ["ffi", "unsafe"],
            "status": "failed",
        });
        let message = format!("ended with {}: {}", self.fault.name(), self.fault);
        Event::new(EventKind::FfiCall)
            .capability(Power::Ffi.capability())
            .with("ffi", call)
            .with("error.code", CALL_FAILED)
            .change_set(json!({ "error": { "code": CALL_FAILED, "kind": "CallFailed", "message": message } }))
    }
}

/// Writes to the log for a program that cannot any more: a thread that waits for a word of the signal handler. The handler waits for its answer, but
/// not for ever, since whatever C code was doing when it failed may hold a lock that is needed.
pub struct Recorder {
    shared: Arc<Shared>,
    /// The program's end. When it is closed, the thread ends.
    here: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

struct Shared(UnsafeCell<Option<Failure>>);

// SAFETY: written by the handler before the thread is told, and read by it after that.
unsafe impl Sync for Shared {}
// SAFETY: as above; what it refers to lives as long as the program, whose end waits for the thread.
unsafe impl Send for Shared {}

/// Gets ready to tell the log of crashes in C code, if there is a log, and a call of such code in what has been loaded.
pub fn prepare(cx: Cx) {
    if cx.runtime().frames.borrow().foreign_calls().next().is_some()
        && let Some(recorder) = gate::sink(cx).and_then(|sink| Recorder::start(Arc::clone(sink)))
    {
        cx.runtime().recorder.set(recorder).ok();
    }
}

impl Recorder {
    /// `None`, if there is no thread or no descriptor left: then the log ends without a word about the crash.
    pub fn start(sink: Arc<dyn Sink>) -> Option<Recorder> {
        let (here, mut there) = UnixStream::pair().ok()?;
        let shared = Arc::new(Shared(UnsafeCell::new(None)));
        let failure = Arc::clone(&shared);
        let wait = move || {
            block_signals();
            if there.read_exact(&mut [0]).is_err() {
                return;
            }
            // SAFETY: the handler has written it before it told us, and waits.
            if let Some(failure) = unsafe { &*failure.0.get() } {
                // There is nobody left to be told that it has failed.
                sink.log(&failure.event()).and_then(|()| sink.flush()).ok();
            }
            there.write_all(&[1]).ok();
        };
        let thread = std::thread::Builder::new().name("crash-recorder".to_owned()).spawn(wait).ok()?;
        Some(Recorder { shared, here: Some(here), thread: Some(thread) })
    }

    /// Lets the failure be recorded. To be called from the signal handler, once.
    fn record(&self, failure: Failure) {
        let Some(here) = &self.here else { return };
        let fd = here.as_raw_fd();
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: the thread reads it only after the byte has arrived. Writing and polling an own descriptor is always possible.
        unsafe {
            *self.shared.0.get() = Some(failure);
            if libc::write(fd, [1u8].as_ptr().cast(), 1) == 1 {
                libc::poll(&mut poll, 1, PATIENCE_MS);
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.here.take());
        self.thread.take().map(JoinHandle::join);
    }
}

/// Signals are for the threads of the program.
fn block_signals() {
    // SAFETY: a set that is filled before it is used.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, ptr::null_mut());
    }
}
