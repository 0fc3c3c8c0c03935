//! How does control pass between the stacks of fibers?
//!
//! What calls preserve is saved on the stack that is left, with the address to go on at on top. Switches jump instead of returning: the
//! processor predicts returns by the calls it has seen, which are those of the other stack.

use std::mem::offset_of;

use crate::abi::{Context, Continuation, FREE_LINK, Fiber, Handler};
use crate::context::Cx;
use crate::fiber::{again, finish, last, start};
use crate::handler::check_barrier;
use crate::heap;

/// Where the context keeps free memory of the size of continuations.
const FREE_CONTINUATIONS: usize =
    offset_of!(Context, free) + heap::class_of(size_of::<Continuation>()) * size_of::<*mut u8>();

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
///
/// # Safety
/// `to` must be what code that waits has saved; no frame on this stack may own anything that is still needed.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn go_on(to: *mut u8, status: u64, cx: Cx) -> ! {
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
        "cmp qword ptr [rdi + {barrier}], 0",
        "jne 2f",
        "3:",
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
        "2:",
        "mov [rdi + {caller_frame}], rbp",
        "mov rax, [rsp]",
        "mov [rdi + {caller_code}], rax",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "sub rsp, 8",
        "call {check_barrier}",
        "add rsp, 8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp 3b",
        barrier = const offset_of!(Context, barrier),
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        check_barrier = sym check_barrier,
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

/// `(context, continuation) -> status`; the continuation is consumed.
///
/// # Safety
/// As for [`reml_fiber_start`].
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn reml_fiber_resume_last() {
    core::arch::naked_asm!(
        "cmp dword ptr [rsi], 1",
        "jne 2f",
        "mov r8, [rsi + {its_fiber}]",
        "mov r9, [rsi + {its_stamp}]",
        "cmp r9, [r8 + {stamp}]",
        "jne 2f",
        "mov r9, [rdi + {free}]",
        "mov [rsi + {link}], r9",
        "mov [rdi + {free}], rsi",
        "mov rsi, r8",
        "jmp {go}",
        "2:",
        "mov [rdi + {caller_frame}], rbp",
        "mov rax, [rsp]",
        "mov [rdi + {caller_code}], rax",
        "sub rsp, 8",
        "call {last}",
        "add rsp, 8",
        "mov rsi, rax",
        "mov rdi, r15",
        "jmp {go}",
        its_fiber = const offset_of!(Continuation, fiber),
        its_stamp = const offset_of!(Continuation, stamp),
        stamp = const offset_of!(Fiber, stamp),
        free = const FREE_CONTINUATIONS,
        link = const FREE_LINK,
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        last = sym last,
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
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn go_on(to: *mut u8, status: u64, cx: Cx) -> ! {
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
        "ldr x9, [x0, #{barrier}]",
        "cbnz x9, 2f",
        "3:",
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
        "2:",
        "str x29, [x0, #{caller_frame}]",
        "str x30, [x0, #{caller_code}]",
        "stp x29, x30, [sp, #-48]!",
        "stp x0, x1, [sp, #16]",
        "stp x2, x3, [sp, #32]",
        "bl {check_barrier}",
        "ldp x0, x1, [sp, #16]",
        "ldp x2, x3, [sp, #32]",
        "ldp x29, x30, [sp], #48",
        "b 3b",
        barrier = const offset_of!(Context, barrier),
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        check_barrier = sym check_barrier,
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
pub unsafe extern "C" fn reml_fiber_resume_last() {
    core::arch::naked_asm!(
        "ldr w9, [x1]",
        "cmp w9, #1",
        "b.ne 2f",
        "ldr x8, [x1, #{its_fiber}]",
        "ldr x9, [x1, #{its_stamp}]",
        "ldr x10, [x8, #{stamp}]",
        "cmp x9, x10",
        "b.ne 2f",
        "ldr x9, [x0, #{free}]",
        "str x9, [x1, #{link}]",
        "str x1, [x0, #{free}]",
        "mov x1, x8",
        "b {go}",
        "2:",
        "str x29, [x0, #{caller_frame}]",
        "str x30, [x0, #{caller_code}]",
        "stp x29, x30, [sp, #-16]!",
        "bl {last}",
        "ldp x29, x30, [sp], #16",
        "mov x1, x0",
        "mov x0, x21",
        "b {go}",
        its_fiber = const offset_of!(Continuation, fiber),
        its_stamp = const offset_of!(Continuation, stamp),
        stamp = const offset_of!(Fiber, stamp),
        free = const FREE_CONTINUATIONS,
        link = const FREE_LINK,
        caller_frame = const offset_of!(Context, caller_frame),
        caller_code = const offset_of!(Context, caller_code),
        last = sym last,
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
