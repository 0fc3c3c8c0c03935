//! How does a host talk to a program that it has embedded?
//!
//! The program's `main` is a loop that asks for the next request with `reml_host_next`. That pauses the program: its stack and
//! its globals stay, and the host goes on until it has something to ask for. A program calls functions of the host the same way, so that they run
//! on the host's own stack. Values pass through the program's [`Mail`] one after the other; who reads knows what was put there, since
//! the host checks types before it sends anything.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::thread::ThreadId;

use crate::abi::ProgramInfo;
use crate::array::{BytesRef, new_bytes};
use crate::context::{Cx, Program};
use crate::crash;
use crate::entry::{self, RunOptions, RunOutcome};
use crate::native;
use crate::stack::Stack;
use crate::string::{StrRef, new_str};
use crate::switch;
use crate::taken::{Taken, give};

/// A value on its way between host and program.
#[derive(Clone, PartialEq, Debug)]
pub enum HostValue {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<HostValue>),
}

/// What passes between a program and its host.
#[derive(Default)]
pub struct Mail {
    /// The program is embedded: panics are the host's to report.
    hosted: Cell<bool>,
    /// Why the program has stopped last, or what it is to do next.
    request: RefCell<Request>,
    /// For the program, in the order in which it reads.
    incoming: RefCell<VecDeque<HostValue>>,
    /// From the program: the last entry is the list it is writing, the others those around it.
    outgoing: RefCell<Vec<Vec<HostValue>>>,
    panic: RefCell<Option<String>>,
}

impl Mail {
    /// Whether a host reports the panics of the program.
    pub fn is_hosted(&self) -> bool {
        self.hosted.get()
    }

    /// Keeps the report of a panic for the host.
    pub fn keep_report(&self, report: String) {
        *self.panic.borrow_mut() = Some(report);
    }
}

#[derive(Default)]
enum Request {
    #[default]
    None,
    /// To the program: call the function with this number.
    Call(i64),
    /// From the program: the answer to the last call.
    Answer { failed: bool },
    /// From the program: call this function of the host.
    Host(String),
}

/// Where a hosted program has come to.
#[derive(Debug)]
pub enum Step {
    /// It waits for a request; this is the answer to the last, `Err` with what the function gave as its error.
    Answered(Result<HostValue, String>),
    /// It waits for the result of a function of the host.
    Calls { function: String, arguments: Vec<HostValue> },
    /// It has ended, in whatever way; with the report, if that was a panic.
    Ended { outcome: RunOutcome, panic: Option<String> },
}

/// A program that pauses between requests. It may go from thread to thread.
pub struct Hosted {
    // In the order in which they are dropped.
    stack: Stack,
    program: Program,
    main: *const u8,
    flags: u64,
    begun: bool,
    ended: bool,
    /// The thread it ran on last.
    thread: Option<ThreadId>,
}

// SAFETY: a program's state is reached only through `Program`, and by one thread at a time, since `step` needs `&mut self`. What belongs to
// a thread, the signal stack and who is watched, is set up and put back in each step.
unsafe impl Send for Hosted {}

impl Hosted {
    /// A program that has not begun.
    ///
    /// # Errors
    ///
    /// What the gate does not allow, or that there is no memory, in words.
    ///
    /// # Safety
    /// As for [`run_program`](crate::run_program), and what `info` points to must outlive the result.
    pub unsafe fn new(info: &ProgramInfo, options: &RunOptions) -> Result<Hosted, String> {
        if let Some(gate) = &options.gate {
            // SAFETY: passed on to our caller.
            native::allowed(unsafe { native::decide(info, gate) })?;
        }
        let mut program = Program::new(Vec::new(), options.gate.clone());
        // SAFETY: passed on to our caller.
        unsafe { program.load(info) };
        let cx = program.cx();
        cx.runtime().mail.hosted.set(true);
        crash::prepare(cx);
        let stack = Stack::new(cx, options.stack_size).ok_or("there is no memory for the program's stack")?;
        Ok(Hosted { stack, program, main: info.main, flags: info.flags, begun: false, ended: false, thread: None })
    }

    /// Calls the function with this number, and goes on until the program has an answer or a question.
    pub fn call(&mut self, function: i64, arguments: Vec<HostValue>) -> Step {
        if !self.begun
            && let ended @ Step::Ended { .. } = self.step(Request::None, Vec::new())
        {
            return ended;
        }
        self.step(Request::Call(function), arguments)
    }

    /// Gives the program the result of the function that it has called, `Err` with a message.
    pub fn reply(&mut self, result: Result<HostValue, String>) -> Step {
        let failed = HostValue::Bool(result.is_err());
        self.step(Request::None, vec![failed, result.unwrap_or_else(HostValue::Text)])
    }

    /// Lets the program end as if `main` had returned.
    pub fn end(mut self) -> Option<RunOutcome> {
        if !self.begun || self.ended {
            return None;
        }
        match self.step(Request::Call(-1), Vec::new()) {
            Step::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    fn step(&mut self, request: Request, incoming: Vec<HostValue>) -> Step {
        assert!(!self.ended, "the program has ended");
        let cx = self.program.cx();
        let mail = &cx.runtime().mail;
        *mail.request.borrow_mut() = request;
        *mail.incoming.borrow_mut() = incoming.into();
        *mail.outgoing.borrow_mut() = vec![Vec::new()];
        let here = std::thread::current().id();
        if self.thread.replace(here) != Some(here) {
            cx.runtime().callbacks.move_here();
        }
        let watch = self.stack.watch();
        // SAFETY: `new`'s caller vouches for `main`; the program has paused if it has begun, and its stack is ours alone.
        let status =
            unsafe { if self.begun { switch::resume(cx) } else { switch::enter(cx, self.main, self.stack.top()) } };
        drop(watch);
        self.begun = true;
        let sent = || mail.outgoing.borrow_mut().pop().unwrap_or_default();
        match mail.request.take() {
            Request::Answer { failed: false } => Step::Answered(Ok(sent().pop().unwrap_or(HostValue::Unit))),
            Request::Answer { failed: true } => Step::Answered(Err(match sent().pop() {
                Some(HostValue::Text(text)) => text,
                _ => String::new(),
            })),
            Request::Host(function) => Step::Calls { function, arguments: sent() },
            Request::None | Request::Call(_) => {
                self.ended = true;
                let panic = mail.panic.take();
                Step::Ended { outcome: entry::finish(cx, status, self.flags, false), panic }
            }
        }
    }
}

/// Goes back to the host with `request`; what the program has written is there for all to see.
fn pause(cx: Cx, request: Request) {
    let runtime = cx.runtime();
    let flushed = runtime.output.borrow_mut().flush();
    if let Err(errno) = flushed {
        entry::end_on_output_error(cx, errno);
    }
    *runtime.mail.request.borrow_mut() = request;
    // SAFETY: compiled code that calls this runs below `enter` or `resume`, in `step`, which has nothing that must not be left.
    unsafe { switch::pause(cx, 0) };
}

/// Answers the last request, with an error if `failed`, and waits for the next one; gives its number, or -1 when there are no more.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_next(cx: Cx, failed: bool) -> i64 {
    if !cx.runtime().mail.is_hosted() {
        return -1;
    }
    pause(cx, Request::Answer { failed });
    match cx.runtime().mail.request.take() {
        Request::Call(function) => function,
        _ => -1,
    }
}

/// Calls a function of the host with what has been put. Its result waits to be read: whether it failed, and the value or the message.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_call(cx: Cx, name: StrRef<'_>) {
    let mail = &cx.runtime().mail;
    if !mail.is_hosted() {
        let message = format!("there is no host to call `{}` of", name.as_str());
        mail.outgoing.borrow_mut().clear();
        *mail.incoming.borrow_mut() = [HostValue::Bool(true), HostValue::Text(message)].into();
        return;
    }
    pause(cx, Request::Host(name.as_str().to_string()));
}

fn read(cx: Cx) -> HostValue {
    cx.runtime().mail.incoming.borrow_mut().pop_front().unwrap_or(HostValue::Unit)
}

/// What kind of value comes next: 0 unit, 1 bool, 2 int, 3 float, 4 text, 5 bytes, 6 list.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_kind(cx: Cx) -> i64 {
    match cx.runtime().mail.incoming.borrow().front() {
        None | Some(HostValue::Unit) => 0,
        Some(HostValue::Bool(_)) => 1,
        Some(HostValue::Int(_)) => 2,
        Some(HostValue::Float(_)) => 3,
        Some(HostValue::Text(_)) => 4,
        Some(HostValue::Bytes(_)) => 5,
        Some(HostValue::List(_)) => 6,
    }
}

/// Reads a number: an integer, a truth value as 0 or 1, of a list how many values of it follow. 0 for all others.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_read_int(cx: Cx) -> i64 {
    match read(cx) {
        HostValue::Int(number) => number,
        HostValue::Bool(truth) => truth.into(),
        HostValue::List(items) => {
            let count = items.len() as i64;
            let mut incoming = cx.runtime().mail.incoming.borrow_mut();
            items.into_iter().rev().for_each(|item| incoming.push_front(item));
            count
        }
        _ => 0,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_read_float(cx: Cx) -> f64 {
    match read(cx) {
        HostValue::Float(number) => number,
        _ => 0.0,
    }
}

/// Reads text or bytes, for `reml_take_str` or `reml_take_bytes`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_read_data(cx: Cx) {
    let data = match read(cx) {
        HostValue::Text(text) => Taken::Text(new_str(cx, &text)),
        HostValue::Bytes(bytes) => Taken::Bytes(new_bytes(cx, &bytes)),
        _ => Taken::Nothing,
    };
    give(cx, data);
}

fn put(cx: Cx, value: HostValue) {
    if let Some(list) = cx.runtime().mail.outgoing.borrow_mut().last_mut() {
        list.push(value);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_unit(cx: Cx) {
    put(cx, HostValue::Unit);
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_bool(cx: Cx, truth: bool) {
    put(cx, HostValue::Bool(truth));
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_int(cx: Cx, number: i64) {
    put(cx, HostValue::Int(number));
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_float(cx: Cx, number: f64) {
    put(cx, HostValue::Float(number));
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_text(cx: Cx, text: StrRef<'_>) {
    put(cx, HostValue::Text(text.as_str().to_string()));
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_put_bytes(cx: Cx, bytes: BytesRef<'_>) {
    put(cx, HostValue::Bytes(bytes.as_slice().to_vec()));
}

/// What is put from here to `reml_host_close_list` is one list.
#[unsafe(no_mangle)]
pub extern "C" fn reml_host_open_list(cx: Cx) {
    cx.runtime().mail.outgoing.borrow_mut().push(Vec::new());
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_host_close_list(cx: Cx) {
    let list = cx.runtime().mail.outgoing.borrow_mut().pop().unwrap_or_default();
    put(cx, HostValue::List(list));
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::abi::PANIC_EXIT;
    use crate::panic;

    fn hosted(main: extern "C" fn(Cx) -> i32) -> Hosted {
        let options = RunOptions { stack_size: Some(1 << 20), ..RunOptions::default() };
        // SAFETY: `main` keeps the C convention, and needs no frames.
        unsafe { Hosted::new(&ProgramInfo::of_test(main), &options) }.unwrap()
    }

    /// Adds what it is given to what it has, and asks the host for more when it is given nothing.
    extern "C" fn sum(cx: Cx) -> i32 {
        let (mut total, mut failed) = (0, false);
        loop {
            match reml_host_next(cx, failed) {
                0 => {
                    total += reml_host_read_int(cx);
                    reml_host_put_int(cx, total);
                    failed = false;
                }
                1 => {
                    reml_host_put_int(cx, total);
                    let text = new_str(cx, "more");
                    reml_host_call(cx, text.borrow());
                    failed = reml_host_read_int(cx) == 1;
                    if !failed {
                        total += reml_host_read_int(cx);
                        reml_host_put_int(cx, total);
                    } else {
                        reml_host_put_text(cx, text.borrow());
                    }
                    text.drop(cx);
                }
                _ => return 7,
            }
        }
    }

    #[test]
    fn a_program_keeps_its_state_between_calls_on_any_thread() {
        let mut program = hosted(sum);
        let answer = |step: Step| match step {
            Step::Answered(Ok(HostValue::Int(number))) => number,
            other => panic!("{other:?}"),
        };
        assert_eq!(answer(program.call(0, vec![HostValue::Int(3)])), 3);
        let mut program = std::thread::spawn(move || {
            assert_eq!(answer(program.call(0, vec![HostValue::Int(4)])), 7);
            program
        })
        .join()
        .unwrap();
        assert_eq!(answer(program.call(0, vec![HostValue::Int(5)])), 12);
        assert_eq!(program.end().unwrap().exit_code, 7);
    }

    #[test]
    fn a_program_calls_its_host() {
        let mut program = hosted(sum);
        let Step::Calls { function, arguments } = program.call(1, Vec::new()) else { panic!() };
        assert_eq!((function.as_str(), arguments), ("more", vec![HostValue::Int(0)]));
        assert!(matches!(program.reply(Ok(HostValue::Int(5))), Step::Answered(Ok(HostValue::Int(5)))));
        let Step::Calls { .. } = program.call(1, Vec::new()) else { panic!() };
        let Step::Answered(Err(message)) = program.reply(Err("no".to_string())) else { panic!() };
        assert_eq!(message, "more");
    }

    #[test]
    fn a_panic_ends_the_program_and_not_the_host() {
        extern "C" fn main(cx: Cx) -> i32 {
            reml_host_next(cx, false);
            panic::report_and_end(cx, "a.code", format_args!("oh"), None, false)
        }
        let Step::Ended { outcome, panic } = hosted(main).call(0, Vec::new()) else { panic!() };
        assert_eq!(outcome.exit_code, PANIC_EXIT);
        assert_eq!(panic.unwrap(), "panic: oh\n  code: a.code\n");
    }

    #[test]
    fn lists_nest() {
        extern "C" fn main(cx: Cx) -> i32 {
            let _ = reml_host_next(cx, false);
            // Reads a list of lists of numbers, and writes it again.
            reml_host_open_list(cx);
            for _ in 0..reml_host_read_int(cx) {
                reml_host_open_list(cx);
                for _ in 0..reml_host_read_int(cx) {
                    reml_host_put_int(cx, reml_host_read_int(cx));
                }
                reml_host_close_list(cx);
            }
            reml_host_close_list(cx);
            i32::from(reml_host_next(cx, false) == -1)
        }
        let list = |numbers: &[i64]| HostValue::List(numbers.iter().map(|&number| HostValue::Int(number)).collect());
        let lists = HostValue::List(vec![list(&[1, 2]), list(&[]), list(&[3])]);
        let mut program = hosted(main);
        let Step::Answered(Ok(answer)) = program.call(0, vec![lists.clone()]) else { panic!() };
        assert_eq!(answer, lists);
        assert_eq!(program.end().unwrap().exit_code, 1);
    }
}
