//! How does a compiled program start and end?
//!
//! [`reml_enter`] switches to the program's stack, puts the context into the pinned register and calls it;
//! [`leave`] comes back from anywhere below (a panic, `exit`, a closed pipe) as if the program had returned. No Rust frame
//! that owns anything is skipped: runtime functions drop what they hold before they leave.
//!
//! An executable's C `main` calls [`reml_start`]; the JIT calls [`run_program`] and goes on afterwards.

use std::ffi::{CStr, c_char, c_int};

use crate::abi::{BROKEN_PIPE_EXIT, FLAG_LEAK_CHECK, LEAK_EXIT, ProgramInfo};
use crate::context::{Cx, Program};
use crate::heap;
use crate::panic::StderrWriter;
use crate::stack::Stack;

/// Environment variable that turns the leak check on (`1`) or off (`0`).
const LEAK_VARIABLE: &str = "REML_LEAK_CHECK";

#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Bytes of stack; `None` takes a share of the machine's memory.
    pub stack_size: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunOutcome {
    pub exit_code: i32,
    /// Objects alive after a normal return; `None` when the program ended by panic or `exit`.
    pub live_objects: Option<u64>,
}

/// Runs a program and returns when it has ended, also by panic or `exit`. Its memory is gone afterwards.
///
/// # Safety
/// `info` must describe a program compiled according to `abi`; all that it points to must stay valid until this returns.
pub unsafe fn run_program(info: &ProgramInfo, args: Vec<String>, options: &RunOptions) -> RunOutcome {
    let mut program = Program::new(args);
    // SAFETY: passed on to our caller.
    unsafe { program.load(info) };
    let cx = program.cx();
    let Some(stack) = Stack::new(cx, options.stack_size) else {
        report(format_args!("error: cannot reserve memory for the stack"));
        return RunOutcome { exit_code: 1, live_objects: None };
    };
    // SAFETY: `main` is compiled code as `abi` says; the stack's top is aligned and has room.
    let status = unsafe { reml_enter(cx, info.main, stack.top()) };
    drop(stack);
    finish(cx, status, info.flags)
}

/// What remains to be done when the program's code has ended.
fn finish(cx: Cx, status: i32, flags: u64) -> RunOutcome {
    let runtime = cx.runtime();
    let mut exit_code = status;
    // A borrow means that writing was cut off by a stack overflow: what is in the buffer is not known then.
    match runtime.output.try_borrow_mut().map_or(Ok(()), |mut output| output.flush()) {
        Ok(()) => {}
        Err(libc::EPIPE) if exit_code == 0 => exit_code = BROKEN_PIPE_EXIT,
        Err(libc::EPIPE) => {}
        Err(errno) => {
            report_output_error(errno);
            exit_code = exit_code.max(1);
        }
    }
    if runtime.cut_short.get() {
        return RunOutcome { exit_code, live_objects: None };
    }
    runtime.taken.take().drop(cx);
    let checked = match std::env::var(LEAK_VARIABLE).as_deref() {
        Ok("1") => true,
        Ok("0") => false,
        _ => flags & FLAG_LEAK_CHECK != 0,
    };
    let live = heap::live_objects(cx);
    if checked && live > 0 {
        report(format_args!("leak: {live} object{}", if live == 1 { "" } else { "s" }));
        exit_code = LEAK_EXIT;
    }
    RunOutcome { exit_code, live_objects: Some(live) }
}

fn report(message: std::fmt::Arguments<'_>) {
    use std::fmt::Write;
    writeln!(StderrWriter::new(), "{message}").ok();
}

/// Says that standard output cannot be written.
pub fn report_output_error(errno: i32) {
    report(format_args!("error: cannot write to standard output: {}", crate::io::errno_text(errno)));
}

/// Ends the program because standard output cannot be written: quietly when its reader is gone.
pub fn end_on_output_error(cx: Cx, errno: i32) -> ! {
    cx.runtime().cut_short.set(true);
    if errno == libc::EPIPE {
        leave(cx, BROKEN_PIPE_EXIT);
    }
    report_output_error(errno);
    leave(cx, 1)
}

/// `main` of an executable: runs the program and returns its exit status.
///
/// SIGPIPE is ignored, as in a Rust program: a closed standard output ends the program with status 141, and other closed pipes are
/// errors that the program sees.
///
/// # Safety
/// `argc` and `argv` must be those of C's `main`, `info` as [`run_program`] needs it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_start(argc: c_int, argv: *const *const c_char, info: *const ProgramInfo) -> c_int {
    // SAFETY: ignoring a signal is always possible.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let count = usize::try_from(argc).unwrap_or(0);
    let args = (1..count)
        // SAFETY: `argv` has `argc` C strings.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned())
        .collect();
    // SAFETY: passed on to our caller.
    unsafe { run_program(&*info, args, &RunOptions::default()).exit_code }
}

/// Ends the program with this status, from any depth.
pub fn leave(cx: Cx, status: i32) -> ! {
    // SAFETY: compiled code runs only below `reml_enter`, which has saved the host's stack pointer, and whose frame is still there.
    unsafe { reml_leave(cx, status) }
}

/// Calls `main(context)` on the stack that begins at `top`, with the pinned register set. Returns its result, or
/// the status given to [`reml_leave`].
///
/// # Safety
/// `main` must be a compiled program's entry, `top` the end of unused memory, aligned to 16; the context must not
/// be running already.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_enter(cx: Cx, main: *const u8, top: *mut u8) -> i32 {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {host}], rsp",
        "mov rsp, rdx",
        // The chain of frame pointers ends here.
        "xor ebp, ebp",
        "mov r15, rdi",
        "call rsi",
        "mov rsp, [r15 + {host}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// Returns `status` from [`reml_enter`].
///
/// # Safety
/// Must run below `reml_enter` of the same context; no frame in between may own anything.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn reml_leave(cx: Cx, status: i32) -> ! {
    core::arch::naked_asm!(
        "mov eax, esi",
        "mov rsp, [rdi + {host}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// Calls `function(context, argument)` of a compiled program on the current stack, with the pinned register set.
///
/// # Safety
/// `function` must be compiled code with that signature in the platform's C convention.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_call(cx: Cx, function: *const u8, argument: *mut u8) {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "xor ebp, ebp",
        "mov r15, rdi",
        "mov rax, rsi",
        "mov rsi, rdx",
        "call rax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// As on x86-64. All callee-saved registers go to the host's stack, 160 bytes.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_enter(cx: Cx, main: *const u8, top: *mut u8) -> i32 {
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
        "str x9, [x0, #{host}]",
        "mov sp, x2",
        "mov x29, xzr",
        "mov x21, x0",
        "blr x1",
        "ldr x9, [x21, #{host}]",
        "mov sp, x9",
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
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn reml_leave(cx: Cx, status: i32) -> ! {
    core::arch::naked_asm!(
        "ldr x9, [x0, #{host}]",
        "mov w0, w1",
        "mov sp, x9",
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
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// As on x86-64. The compiled stub keeps the C convention, so only the pinned register and the frame chain need saving.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_call(cx: Cx, function: *const u8, argument: *mut u8) {
    core::arch::naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "str x21, [sp, #16]",
        "mov x29, xzr",
        "mov x21, x0",
        "mov x9, x1",
        "mov x1, x2",
        "blr x9",
        "ldr x21, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "ret",
    )
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::abi::PANIC_EXIT;
    use crate::string::{StrOwned, new_str};
    use std::ptr;

    fn info(main: extern "C" fn(Cx) -> i32) -> ProgramInfo {
        ProgramInfo { main: main as *const u8, invoke: ptr::null(), frames: ptr::null(), flags: 0 }
    }

    fn run(main: extern "C" fn(Cx) -> i32) -> RunOutcome {
        // SAFETY: `main` keeps the C convention, and needs no frames.
        unsafe { run_program(&info(main), vec!["a".to_string()], &RunOptions { stack_size: Some(16 << 20) }) }
    }

    #[test]
    fn a_program_returns_its_status_and_has_its_context_pinned() {
        extern "C" fn main(cx: Cx) -> i32 {
            let pinned: *mut crate::abi::Context;
            // SAFETY: reads a register. Rust may use it, but not before this first statement.
            unsafe { core::arch::asm!("mov {}, r15", out(reg) pinned) };
            assert_eq!(pinned, cx.as_ptr());
            assert_eq!(*cx.runtime().args.borrow(), ["a"]);
            7
        }
        assert_eq!(run(main), RunOutcome { exit_code: 7, live_objects: Some(0) });
    }

    #[test]
    fn leaks_are_seen() {
        extern "C" fn main(cx: Cx) -> i32 {
            let _: *mut _ = StrOwned::into_raw(new_str(cx, "never dropped"));
            0
        }
        assert_eq!(run(main), RunOutcome { exit_code: 0, live_objects: Some(1) });
    }

    #[test]
    fn leaving_from_below_ends_the_program() {
        extern "C" fn main(cx: Cx) -> i32 {
            cx.runtime().cut_short.set(true);
            leave(cx, 42)
        }
        assert_eq!(run(main), RunOutcome { exit_code: 42, live_objects: None });
    }

    #[test]
    fn recursion_without_end_is_a_panic() {
        #[inline(never)]
        extern "C" fn deeper(depth: u64) -> u64 {
            let room = std::hint::black_box([depth; 64]);
            if depth == u64::MAX { 0 } else { deeper(depth + 1) + room[3] }
        }
        extern "C" fn main(_: Cx) -> i32 {
            deeper(0) as i32
        }
        for _ in 0..2 {
            assert_eq!(run(main), RunOutcome { exit_code: PANIC_EXIT, live_objects: None });
        }
    }

    #[test]
    fn deferred_closures_run_after_a_panic_in_reverse() {
        static ORDER: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
        extern "C" fn invoke(_: Cx, closure: *mut crate::abi::Closure) {
            ORDER.lock().unwrap().push(closure.addr());
        }
        extern "C" fn main(cx: Cx) -> i32 {
            for closure in [8usize, 16, 24] {
                crate::defer::reml_defer_push(cx, closure as *mut _);
            }
            assert_eq!(crate::defer::reml_defer_pop(cx).addr(), 24);
            // SAFETY: the stub has the signature of its body.
            let panic: extern "C" fn(Cx) -> ! =
                unsafe { std::mem::transmute(crate::panic::reml_panic_match as *const ()) };
            panic(cx)
        }
        let info = ProgramInfo { invoke: invoke as *const u8, ..info(main) };
        // SAFETY: as in `run`.
        let outcome = unsafe { run_program(&info, Vec::new(), &RunOptions { stack_size: Some(1 << 20) }) };
        assert_eq!(outcome.exit_code, PANIC_EXIT);
        assert_eq!(*ORDER.lock().unwrap(), [16, 8]);
    }
}
