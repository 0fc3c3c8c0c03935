//! How does C call a function of the program?
//!
//! A callback is a few bytes of machine code, a *thunk*, that knows its [`CallbackData`] and jumps to [`enter`]. Thunks are made a page at a
//! time: the page of code is written, then made executable, and never written again; what a thunk stands for is in the pages behind it. So
//! no memory is ever writable and executable at once.
//!
//! [`enter`] is called with whatever arguments C passes. It leaves the registers alone, copies what lies on the stack, sets the pinned register and
//! the context's `called`, and calls the entry that was compiled for the signature. A program runs on one thread: a call from another is the end
//! of the process, before anything of the program is touched.
//!
//! A thunk outlives its callback. When this is dropped, the thunk's entry becomes one that reports the mistake; a thunk is used again only
//! when many others have been dropped after it. A callback may be dropped while it runs: its closure then waits until no callback runs any more, which
//! costs calls less than it would to count who uses a closure.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::ptr;

use crate::abi::{CallbackData, Closure, PANIC_EXIT, Resource};
use crate::context::Cx;
use crate::gate;
use crate::handler;
use crate::panic::{self, StderrWriter, traced};
use crate::resource::{self, Content};

/// The codes of the two mistakes.
const DROPPED: &str = "ffi.callback.dropped";
const WRONG_THREAD: &str = "ffi.callback.wrong_thread";

/// How many dropped callbacks are remembered before the first of them is forgotten.
const REMEMBERED: usize = 4096;

/// The callbacks of a program.
#[derive(Default)]
pub struct Callbacks {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The first callback data of each block.
    blocks: Vec<*mut CallbackData>,
    unused: Vec<*mut CallbackData>,
    /// Dropped ones, in the order of their ends.
    dropped: VecDeque<*mut CallbackData>,
    /// Where each was made, by number.
    places: BTreeMap<u64, String>,
    next: u64,
    /// Closures of callbacks that were dropped while one ran.
    waiting: Vec<*mut Closure>,
}

impl Callbacks {
    /// From now on the program runs on this thread.
    pub fn move_here(&self) {
        let here = thunk::current_thread();
        for &first in &self.state.borrow().blocks {
            for index in 0..thunk::PER_BLOCK {
                // SAFETY: blocks are never unmapped, and no callback runs: the program has paused.
                unsafe { (*first.add(index)).thread = here };
            }
        }
    }
}

impl Drop for Callbacks {
    /// C may still call what it was given, but there is no program any more.
    fn drop(&mut self) {
        for &first in &self.state.get_mut().blocks {
            for index in 0..thunk::PER_BLOCK {
                // SAFETY: blocks are never unmapped.
                unsafe {
                    let data = first.add(index);
                    (*data).thread = 0;
                    (*data).context = ptr::null_mut();
                }
            }
        }
    }
}

fn callbacks<'a>(cx: Cx) -> &'a Callbacks {
    &cx.runtime().callbacks
}

/// A callback that is alive; dropping it lets go of the closure.
pub struct Callback {
    cx: Cx,
    data: *mut CallbackData,
}

impl Callback {
    /// The address that C is given.
    pub fn code(&self) -> *const u8 {
        let state = callbacks(self.cx).state.borrow();
        let block = state.blocks.iter().filter(|&&first| first <= self.data).max();
        block.map_or(ptr::null(), |&first| thunk::of(first, self.data))
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: the data belongs to this callback until now; the closure has an owner here.
        unsafe {
            let closure = std::mem::replace(&mut (*self.data).closure, ptr::null_mut());
            (*self.data).entry = thunk::dead_entry();
            let mut state = callbacks(self.cx).state.borrow_mut();
            state.dropped.push_back(self.data);
            let context = self.cx.as_ptr();
            if !(*context).callback.is_null() {
                state.waiting.push(closure);
                (*context).waiting_closures = 1;
                return;
            }
            drop(state);
            handler::drop_closure(self.cx, closure);
        }
    }
}

/// A callback has ended while closures wait. What drops them may call callbacks, and drop others.
#[unsafe(no_mangle)]
pub extern "C" fn reml_callback_ended(cx: Cx) {
    // SAFETY: the context is alive, and the closures have their owner here.
    unsafe {
        if !(*cx.as_ptr()).callback.is_null() {
            return;
        }
        (*cx.as_ptr()).waiting_closures = 0;
        let waiting = std::mem::take(&mut callbacks(cx).state.borrow_mut().waiting);
        waiting.into_iter().for_each(|closure| handler::drop_closure(cx, closure));
    }
}

traced! {
    /// `(context, entry, closure, words on the stack) -> *mut Resource`: a callback, which owns the closure.
    reml_callback_new = callback_new;
}

extern "C" fn callback_new(cx: Cx, entry: *const u8, closure: *mut Closure, stack_words: u64) -> *mut Resource {
    let place = gate::place_of_call(cx).map_or_else(|| "?".to_owned(), |place| place.to_string());
    let mut state = callbacks(cx).state.borrow_mut();
    let reused = if state.dropped.len() > REMEMBERED { state.dropped.pop_front() } else { None };
    let data = match reused.or_else(|| state.unused.pop()) {
        Some(data) => data,
        None => match thunk::block() {
            Some(first) => {
                state.blocks.push(first);
                // SAFETY: a block has this many.
                state.unused.extend((1..thunk::PER_BLOCK).rev().map(|index| unsafe { first.add(index) }));
                first
            }
            None => {
                drop(state);
                panic::raise(cx, "", format_args!("callbacks cannot be made here: {}", thunk::why_not()))
            }
        },
    };
    let id = state.next;
    state.next += 1;
    // SAFETY: nobody else uses it.
    unsafe {
        state.places.remove(&(*data).id);
        let (context, thread) = (cx.as_ptr(), thunk::current_thread());
        data.write(CallbackData { context, thread, entry, closure, stack_words, id });
    }
    state.places.insert(id, place);
    drop(state);
    resource::new_resource(cx, Content::Callback(Callback { cx, data }), Vec::new())
}

/// The address of a callback; null when it has been dropped by hand.
#[unsafe(no_mangle)]
pub extern "C" fn reml_callback_code(cx: Cx, object: &Resource) -> *const u8 {
    let code = cx.runtime().resources.with(object.id, |entry| match &entry.content {
        Content::Callback(callback) => Ok(callback.code()),
        _ => Err(libc::EBADF),
    });
    code.unwrap_or(ptr::null())
}

/// The function that calls the code of callbacks, if there are any on this machine.
pub fn entry_code() -> Option<*const u8> {
    thunk::entry_code()
}

/// C has called a callback that is no more.
///
/// # Safety
/// `data` must be that of a callback of a program that runs on this thread.
unsafe extern "C" fn dead(data: *mut CallbackData) -> ! {
    // SAFETY: per the contract.
    let (cx, id) = unsafe { (Cx::new((*data).context), (*data).id) };
    let place = callbacks(cx).state.borrow().places.get(&id).cloned().unwrap_or_default();
    let message = format_args!("C called a callback that had been dropped; it was made at {place}");
    panic::report_and_end(cx, DROPPED, message, None, true)
}

/// A callback was called where its program does not run. Nothing of the program may be touched.
///
/// # Safety
/// `data` must be that of a callback.
unsafe extern "C" fn astray(data: *mut CallbackData) -> ! {
    // SAFETY: per the contract.
    let ended = unsafe { (*data).context.is_null() };
    let message = match ended {
        true => "C called a callback of a program that had ended",
        false => "C called a callback from another thread than the one the program runs on",
    };
    let mut out = StderrWriter::new();
    writeln!(out, "panic: {message}\n  code: {}", if ended { DROPPED } else { WRONG_THREAD }).ok();
    drop(out);
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(PANIC_EXIT) }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod thunk {
    use std::mem::offset_of;
    use std::ptr;

    use super::{astray, dead};
    use crate::abi::{CallbackData, Context};

    const PAGE: usize = 4096;
    /// Bytes of a thunk.
    const SIZE: usize = 16;
    /// The last thunk's place holds the address of [`enter`].
    pub const PER_BLOCK: usize = PAGE / SIZE - 1;
    const BLOCK: usize = (PAGE + PER_BLOCK * size_of::<CallbackData>()).next_multiple_of(PAGE);

    /// A page of thunks, and their data behind it; `None` when there is no memory.
    pub fn block() -> Option<*mut CallbackData> {
        // SAFETY: a fresh private mapping; the code page is written within its bounds before it becomes executable.
        unsafe {
            let (read_write, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let start = libc::mmap(ptr::null_mut(), BLOCK, read_write, flags, -1, 0);
            if start == libc::MAP_FAILED {
                return None;
            }
            let start = start.cast::<u8>();
            let entry = PER_BLOCK * SIZE;
            start.add(entry).cast::<usize>().write(enter as *const () as usize);
            for index in 0..PER_BLOCK {
                let at = index * SIZE;
                // lea r10, [rip + data]; jmp [rip + entry]
                let data = PAGE + index * size_of::<CallbackData>() - (at + 7);
                let code = start.add(at);
                code.copy_from_nonoverlapping([0x4C, 0x8D, 0x15].as_ptr(), 3);
                code.add(3).cast::<u32>().write_unaligned(data as u32);
                code.add(7).copy_from_nonoverlapping([0xFF, 0x25].as_ptr(), 2);
                code.add(9).cast::<u32>().write_unaligned((entry - (at + 13)) as u32);
            }
            if libc::mprotect(start.cast(), PAGE, libc::PROT_READ | libc::PROT_EXEC) != 0 {
                libc::munmap(start.cast(), BLOCK);
                return None;
            }
            Some(start.add(PAGE).cast())
        }
    }

    pub fn why_not() -> &'static str {
        "there is no memory for their code"
    }

    /// The thunk of some data of the block that begins with `first`.
    pub fn of(first: *mut CallbackData, data: *mut CallbackData) -> *const u8 {
        let index = (data.addr() - first.addr()) / size_of::<CallbackData>();
        // SAFETY: the page of thunks lies before the data.
        unsafe { first.cast::<u8>().sub(PAGE).add(index * SIZE) }
    }

    /// What tells the running thread from others: the address of its control block.
    pub fn current_thread() -> usize {
        let thread: usize;
        // SAFETY: on Linux, the first word of the control block is its own address.
        unsafe { core::arch::asm!("mov {}, fs:[0]", out(reg) thread, options(nostack, pure, readonly)) };
        thread
    }

    pub fn dead_entry() -> *const u8 {
        dead_stub as *const u8
    }

    pub fn entry_code() -> Option<*const u8> {
        Some(enter as *const u8)
    }

    /// Where thunks come to, `r10` holding the address of the data. The chain of frame pointers ends here: C keeps none.
    ///
    /// # Safety
    /// Only for thunks; the signature here is only a name for the address.
    #[unsafe(naked)]
    unsafe extern "C" fn enter() {
        core::arch::naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "push r15",
            "push rbx",
            "mov r11, fs:[0]",
            "cmp r11, [r10 + {thread}]",
            "jne 4f",
            "mov r15, [r10 + {context}]",
            "mov [r15 + {called}], r10",
            "mov r11, [r10 + {stack_words}]",
            "test r11, r11",
            "jnz 2f",
            "1:",
            "mov rbx, rbp",
            "xor ebp, ebp",
            "call [r10 + {entry}]",
            "lea rsp, [rbx - 16]",
            "pop rbx",
            "pop r15",
            "pop rbp",
            "ret",
            "2:",
            "lea rax, [r11 + 1]",
            "and rax, -2",
            "shl rax, 3",
            "sub rsp, rax",
            "3:",
            "mov rax, [rbp + 8*r11 + 8]",
            "mov [rsp + 8*r11 - 8], rax",
            "dec r11",
            "jnz 3b",
            "jmp 1b",
            "4:",
            "mov rdi, r10",
            "call {astray}",
            "ud2",
            thread = const offset_of!(CallbackData, thread),
            context = const offset_of!(CallbackData, context),
            called = const offset_of!(Context, called),
            stack_words = const offset_of!(CallbackData, stack_words),
            entry = const offset_of!(CallbackData, entry),
            astray = sym astray,
        )
    }

    /// The entry of a callback that has been dropped.
    ///
    /// # Safety
    /// Only for [`enter`]; the signature here is only a name for the address.
    #[unsafe(naked)]
    unsafe extern "C" fn dead_stub() {
        core::arch::naked_asm!("mov rdi, r10", "jmp {dead}", dead = sym dead)
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod thunk {
    //! There are none yet on this machine, so none is ever made.

    use crate::abi::CallbackData;

    pub const PER_BLOCK: usize = 0;

    pub fn block() -> Option<*mut CallbackData> {
        None
    }

    pub fn why_not() -> &'static str {
        "they need Linux on x86-64"
    }

    pub fn of(_first: *mut CallbackData, _data: *mut CallbackData) -> *const u8 {
        std::ptr::null()
    }

    pub fn current_thread() -> usize {
        0
    }

    pub fn dead_entry() -> *const u8 {
        std::ptr::null()
    }

    pub fn entry_code() -> Option<*const u8> {
        None
    }
}

/// Where compiled code calls C functions with `...` through: they are told how many vector registers may hold arguments.
///
/// # Safety
/// To be called from compiled code with the arguments of `Context::foreign_code`; the signature here is only a name for the address.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_variadic() {
    core::arch::naked_asm!(
        "mov eax, 8",
        "jmp [r15 + {code}]",
        code = const core::mem::offset_of!(crate::abi::Context, foreign_code),
    )
}

/// On other machines nobody needs to be told.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_variadic() {
    core::arch::naked_asm!(
        "ldr x16, [x21, #{code}]",
        "br x16",
        code = const core::mem::offset_of!(crate::abi::Context, foreign_code),
    )
}
