//! Which signals does the runtime handle, and what becomes of the others?
//!
//! A fault is an overflow of a stack, which becomes a panic ([`stack`](crate::stack)), or a crash, which is reported
//! ([`crash`](crate::crash)). Handlers run on the signal stack and do only what is allowed there. What was in force for a signal before us is kept:
//! after a report it is put back, and the signal comes again, so that the process ends as it would have ended without us, and debuggers,
//! sanitizers and the handlers of a host see what they would have seen.
//!
//! In a host, only the two signals are handled by which an overflow shows; the others are the host's.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::Once;

use crate::abi::Context;
use crate::crash;
use crate::stack;

/// A signal that the processor, or the code that runs, raises, and what was in force for it before us.
struct Handled {
    signal: i32,
    previous: UnsafeCell<Option<libc::sigaction>>,
    installed: Once,
}

// SAFETY: `previous` is written once, under `installed`, before the handler can run, and only read afterwards.
unsafe impl Sync for Handled {}

impl Handled {
    const fn new(signal: i32) -> Handled {
        Handled { signal, previous: UnsafeCell::new(None), installed: Once::new() }
    }
}

/// By the first two, overflows show.
static HANDLED: [Handled; 5] = [
    Handled::new(libc::SIGSEGV),
    Handled::new(libc::SIGBUS),
    Handled::new(libc::SIGFPE),
    Handled::new(libc::SIGILL),
    Handled::new(libc::SIGABRT),
];

/// Handles signals from now on, if that is not done yet.
pub fn install(hosted: bool) {
    for handled in &HANDLED[..if hosted { 2 } else { HANDLED.len() }] {
        handled.installed.call_once(|| {
            // SAFETY: the handler only does what a handler may; the old action is kept before it can run.
            unsafe {
                let mut old: libc::sigaction = std::mem::zeroed();
                libc::sigaction(handled.signal, ptr::null(), &mut old);
                *handled.previous.get() = Some(old);
                let mut action: libc::sigaction = std::mem::zeroed();
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_signal;
                action.sa_sigaction = handler as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(handled.signal, &action, ptr::null_mut());
            }
        });
    }
}

fn previous(signal: i32) -> Option<libc::sigaction> {
    let handled = HANDLED.iter().find(|handled| handled.signal == signal)?;
    // SAFETY: written before the handler was installed.
    unsafe { *handled.previous.get() }
}

/// Lets the signal come again under the action that was there before us. `sent`: not by the instruction that will run again.
fn pass_on(signal: i32, sent: bool) {
    // SAFETY: an action that was in force, or the default one.
    unsafe {
        match previous(signal) {
            Some(action) => libc::sigaction(signal, &action, ptr::null_mut()),
            None => libc::signal(signal, libc::SIG_DFL) as i32,
        };
        if sent {
            libc::raise(signal);
        }
    }
}

extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, machine: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid `info`.
    let (code, address, sender) = unsafe { ((*info).si_code, (*info).si_addr().addr(), sender(info)) };
    let sent = code <= 0;
    let Some(watched) = stack::running() else { return pass_on(signal, sent) };
    // SAFETY: the kernel passes the interrupted thread's registers.
    let mut registers = unsafe { Registers::of(machine) };
    if !sent && matches!(signal, libc::SIGSEGV | libc::SIGBUS) && watched.overflowed(address, &mut registers) {
        return;
    }
    let cx = watched.cx();
    // SAFETY: asking for an own number has no preconditions.
    let own = !sent || sender == unsafe { libc::getpid() };
    let told =
        !cx.runtime().mail.is_hosted() || previous(signal).is_none_or(|action| action.sa_sigaction == libc::SIG_DFL);
    if own && told {
        crash::report(cx, &crash::Fault { signal, code, address }, &registers);
    }
    pass_on(signal, sent);
}

/// The process that has sent a signal.
///
/// # Safety
/// `info` must be valid. The answer means something only if the signal was sent.
unsafe fn sender(info: *mut libc::siginfo_t) -> libc::pid_t {
    #[cfg(target_os = "linux")]
    // SAFETY: per the contract; the bits are there whatever they mean.
    return unsafe { (*info).si_pid() };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: per the contract.
    return unsafe { (*info).si_pid };
}

/// The registers of an interrupted thread.
pub struct Registers(*mut libc::ucontext_t);

impl Registers {
    /// # Safety
    /// `machine` must be the third argument of a signal handler.
    unsafe fn of(machine: *mut libc::c_void) -> Registers {
        Registers(machine.cast())
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Registers {
    fn get(&self, register: i32) -> usize {
        // SAFETY: `of` was given a valid context.
        unsafe { (*self.0).uc_mcontext.gregs[register as usize] as usize }
    }

    fn set(&mut self, register: i32, value: usize) {
        // SAFETY: `of` was given a valid context.
        unsafe { (*self.0).uc_mcontext.gregs[register as usize] = value as i64 }
    }

    pub fn code(&self) -> usize {
        self.get(libc::REG_RIP)
    }

    pub fn frame(&self) -> usize {
        self.get(libc::REG_RBP)
    }

    pub fn stack(&self) -> usize {
        self.get(libc::REG_RSP)
    }

    /// Makes the thread go on in [`stack::on_overflow`] on the stack that ends at `top`.
    pub fn redirect(&mut self, top: usize, context: *mut Context, compiled: bool) {
        let (code, frame, stack) = (self.code(), self.frame(), self.stack());
        // As after a call: one word below an aligned address.
        self.set(libc::REG_RSP, top - 8);
        self.set(libc::REG_RBP, 0);
        self.set(libc::REG_RIP, stack::on_overflow as *const () as usize);
        self.set(libc::REG_RDI, context.addr());
        self.set(libc::REG_RSI, code);
        self.set(libc::REG_RDX, frame);
        self.set(libc::REG_RCX, stack);
        self.set(libc::REG_R8, usize::from(compiled));
    }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
impl Registers {
    pub fn code(&self) -> usize {
        // SAFETY: `of` was given a valid context.
        unsafe { (*self.0).uc_mcontext.pc as usize }
    }

    pub fn frame(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).uc_mcontext.regs[29] as usize }
    }

    pub fn stack(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).uc_mcontext.sp as usize }
    }

    /// Makes the thread go on in [`stack::on_overflow`] on the stack that ends at `top`.
    pub fn redirect(&mut self, top: usize, context: *mut Context, compiled: bool) {
        // SAFETY: `of` was given a valid context.
        let machine = unsafe { &mut (*self.0).uc_mcontext };
        let arguments = [context.addr() as u64, machine.pc, machine.regs[29], machine.sp, u64::from(compiled)];
        machine.regs[..arguments.len()].copy_from_slice(&arguments);
        machine.regs[29] = 0;
        machine.regs[30] = 0;
        machine.sp = top as u64;
        machine.pc = stack::on_overflow as *const () as u64;
    }
}

/// Where registers cannot be changed portably, an overflow is reported from the handler, without a backtrace.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
impl Registers {
    pub fn code(&self) -> usize {
        0
    }

    pub fn frame(&self) -> usize {
        0
    }

    pub fn stack(&self) -> usize {
        usize::MAX - 64
    }

    pub fn redirect(&mut self, _: usize, context: *mut Context, _: bool) {
        stack::on_overflow(context, 0, 0, usize::MAX - 64, false)
    }
}
