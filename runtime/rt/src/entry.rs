//! How does a compiled program start and end?
//!
//! A program runs on its own stack and ends by returning or by [`leave`], from anywhere below (a panic, `exit`, a closed
//! pipe). No Rust frame that owns anything is skipped: runtime functions drop what they hold before they leave.
//!
//! An executable's C `main` calls [`reml_start`]; the JIT calls [`run_program`] and goes on afterwards.

use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;

use reml_capability::gate::Gate;

use crate::abi::{BROKEN_PIPE_EXIT, FLAG_LEAK_CHECK, LEAK_EXIT, ProgramInfo};
use crate::context::{Cx, Program};
use crate::crash;
use crate::gate;
use crate::heap;
use crate::native;
use crate::panic::{self, StderrWriter};
use crate::reload::{self, Versions};
use crate::stack::Stack;
use crate::switch;

/// Environment variable that turns the leak check on (`1`) or off (`0`).
const LEAK_VARIABLE: &str = "REML_LEAK_CHECK";

#[derive(Clone, Default)]
pub struct RunOptions {
    /// Bytes of stack; `None` takes a share of the machine's memory.
    pub stack_size: Option<usize>,
    /// Count the objects that are alive at the end, which takes time on a large heap. A leak check counts anyway.
    pub count_live: bool,
    /// Decides what the program may do, and records it; without one it may do everything.
    pub gate: Option<Arc<Gate>>,
    /// Later versions of the program. Its code must ask for them.
    pub versions: Option<Arc<dyn Versions>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunOutcome {
    pub exit_code: i32,
    /// Objects alive after a normal return; `None` when the program ended by panic or `exit`, or nobody asked.
    pub live_objects: Option<u64>,
}

/// Runs a program and returns when it has ended, also by panic or `exit`. Its memory is gone afterwards. A program with native code that
/// the gate denies does not begin: that code could do anything.
///
/// # Safety
/// `info` must describe a program compiled according to `abi`; all that it points to must stay valid until this returns.
pub unsafe fn run_program(info: &ProgramInfo, args: Vec<String>, options: &RunOptions) -> RunOutcome {
    let mut program = Program::new(args, options.gate.clone());
    // SAFETY: passed on to our caller.
    unsafe { program.load(info) };
    let cx = program.cx();
    // SAFETY: passed on to our caller.
    let denials = options.gate.as_ref().map(|gate| unsafe { native::decide(info, gate) }).unwrap_or_default();
    if !denials.is_empty() {
        denials.iter().for_each(|denial| report(format_args!("error[{}]: {denial}", gate::CODE)));
        return RunOutcome { exit_code: 1, live_objects: None };
    }
    crash::prepare(cx);
    cx.runtime().reloading.begin(options.versions.clone());
    let Some(stack) = Stack::new(cx, options.stack_size) else {
        report(format_args!("error: cannot reserve memory for the stack"));
        return RunOutcome { exit_code: 1, live_objects: None };
    };
    let watch = stack.watch();
    // SAFETY: `main` is compiled code as `abi` says; the stack's top is aligned and has room.
    let mut status = unsafe { switch::enter(cx, info.main, stack.top()) };
    if !cx.runtime().cut_short.get() && cx.runtime().reloading.has_versions() {
        // SAFETY: the stack is not in use any more.
        let released = unsafe { switch::enter(cx, reload::release as *const u8, stack.top()) };
        status = if status == 0 { released } else { status };
    }
    drop(watch);
    drop(stack);
    finish(cx, status, info.flags, options.count_live)
}

/// What remains to be done when the program's code has ended.
pub(crate) fn finish(cx: Cx, status: i32, flags: u64, count_live: bool) -> RunOutcome {
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
    // What C has given is not given back any more: that would take code of the program.
    // SAFETY: the context is alive.
    unsafe { (*cx.as_ptr()).ending = 1 };
    if !crate::resource::close_remaining(cx) {
        exit_code = exit_code.max(1);
    }
    if !runtime.cut_short.get() && panic::is_missing(cx) {
        exit_code = exit_code.max(1);
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
    if !checked && !count_live {
        return RunOutcome { exit_code, live_objects: None };
    }
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

/// Says that what a program wrote to a file did not get there, when the program itself can no longer be told.
pub fn report_lost_output(path: &str, errno: i32) {
    report(format_args!("error: cannot close `{path}`: {}", crate::io::errno_text(errno)));
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

/// Leaves it to the functions that write to tell of their errors, for a process that runs a program of its own accord.
///
/// SIGPIPE is ignored, as in a Rust program: a closed standard output ends the program with status 141, and other closed pipes are
/// errors that the program sees. So is SIGXFSZ: a file that would become larger than the process may make it is an error of writing.
pub fn ignore_signals_of_writing() {
    // SAFETY: ignoring a signal is always possible.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// `main` of an executable: runs the program and returns its exit status.
///
/// # Safety
/// `argc` and `argv` must be those of C's `main`, `info` as [`run_program`] needs it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_start(argc: c_int, argv: *const *const c_char, info: *const ProgramInfo) -> c_int {
    crate::io::hold_standard_streams();
    ignore_signals_of_writing();
    let count = usize::try_from(argc).unwrap_or(0);
    let args = (1..count)
        // SAFETY: `argv` has `argc` C strings.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned())
        .collect();
    // SAFETY: `info` is as `abi` says.
    let gate = match unsafe { gate::of_executable(&*info) } {
        Ok(gate) => gate,
        Err(problem) => {
            report(format_args!("error: {problem}"));
            return 1;
        }
    };
    let options = RunOptions { gate, ..RunOptions::default() };
    // SAFETY: passed on to our caller.
    let outcome = unsafe { run_program(&*info, args, &options) };
    match options.gate.as_ref().and_then(|gate| gate.sink()).map(|sink| sink.flush()) {
        Some(Err(problem)) => {
            report(format_args!("error: the audit log is not complete: {problem}"));
            outcome.exit_code.max(1)
        }
        _ => outcome.exit_code,
    }
}

/// Ends the program with this status, from any depth.
pub fn leave(cx: Cx, status: i32) -> ! {
    // SAFETY: compiled code runs only below `enter`, which has saved the host's stack pointer, and whose frame is still there.
    unsafe { switch::leave(cx, status) }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::abi::PANIC_EXIT;
    use crate::string::{StrOwned, new_str};
    use std::ptr;

    fn run(main: extern "C" fn(Cx) -> i32) -> RunOutcome {
        // SAFETY: `main` keeps the C convention, and needs no frames.
        unsafe {
            run_program(
                &ProgramInfo::of_test(main),
                vec!["a".to_string()],
                &RunOptions { stack_size: Some(16 << 20), count_live: true, ..RunOptions::default() },
            )
        }
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

    /// What a panic looks like from a deferred closure.
    static SEEN: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

    extern "C" fn invoke(cx: Cx, closure: *mut crate::abi::Closure) {
        let mut trace = format!("closure {}: ", closure.addr());
        crate::frames::write_trace(&mut trace, &cx.runtime().frames.borrow(), crate::panic::caller(cx)).unwrap();
        SEEN.lock().unwrap().push(trace);
    }

    /// Compiled code in miniature: defers two closures, calls a function, which panics.
    #[unsafe(naked)]
    extern "C" fn panicking_main(_: Cx) -> i32 {
        core::arch::naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "mov rdi, r15",
            "mov esi, 8",
            "call {push}",
            "mov rdi, r15",
            "mov esi, 16",
            "call {push}",
            "call {inner}",
            "ud2",
            push = sym crate::defer::reml_defer_push,
            inner = sym panicking,
        )
    }

    #[unsafe(naked)]
    extern "C" fn panicking() {
        core::arch::naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "mov rdi, r15",
            "mov esi, 7",
            "mov edx, 3",
            "call {panic}",
            "ud2",
            panic = sym crate::panic::reml_panic_index,
        )
    }

    #[test]
    fn a_panic_knows_its_callers_and_runs_what_is_deferred_in_reverse() {
        use crate::abi::{FrameFunction, FrameTable, FrameText};
        let function =
            |start: *const u8, name| FrameFunction { start, size: 48, name, first_site: 0, site_count: 0, hidden: 0 };
        let text = "main.mainmain.inner";
        let functions = [
            function(panicking_main as *const u8, FrameText { start: 0, len: 9 }),
            function(panicking as *const u8, FrameText { start: 9, len: 10 }),
        ];
        let frames = FrameTable {
            functions: functions.as_ptr(),
            function_count: 2,
            sites: ptr::null(),
            site_count: 0,
            files: ptr::null(),
            file_count: 0,
            text: text.as_ptr(),
            text_len: text.len() as u64,
            root_sites: ptr::null(),
            root_site_count: 0,
            roots: ptr::null(),
            root_count: 0,
            root_kinds: ptr::null(),
            root_kind_count: 0,
            foreign_sites: ptr::null(),
            foreign_site_count: 0,
        };
        let info = ProgramInfo { invoke: invoke as *const u8, frames: &frames, ..ProgramInfo::of_test(panicking_main) };
        // SAFETY: the functions keep to `abi`, and the tables live until the end of the test.
        let outcome = unsafe {
            run_program(
                &info,
                Vec::new(),
                &RunOptions { stack_size: Some(1 << 20), count_live: true, ..RunOptions::default() },
            )
        };
        assert_eq!(outcome, RunOutcome { exit_code: PANIC_EXIT, live_objects: None });
        let trace = "  at main.inner\n  backtrace:\n    1: main.inner\n    2: main.main\n";
        assert_eq!(*SEEN.lock().unwrap(), [format!("closure 16: {trace}"), format!("closure 8: {trace}")]);
    }
}
