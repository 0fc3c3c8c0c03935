//! How does control pass between Rust and compiled code?
//!
//! [`enter`] saves the host's registers, switches to the program's stack, puts the context into the pinned register and
//! calls the program; [`leave`] undoes that from any depth; [`attempt`] is another [`enter`] below the first one; [`call`] calls back into
//! compiled code from a runtime function. [`pause`] goes back to the host and keeps the program where it is, [`resume`] goes on there.
//! Frame chains end at each of them.

use crate::context::Cx;

/// Puts the registers that calls preserve on the stack.
#[cfg(target_arch = "x86_64")]
macro_rules! save_registers {
    () => {
        concat!("push rbp\n", "push rbx\n", "push r12\n", "push r13\n", "push r14\n", "push r15\n",)
    };
}

/// Takes them from there.
#[cfg(target_arch = "x86_64")]
macro_rules! restore_registers {
    () => {
        concat!("pop r15\n", "pop r14\n", "pop r13\n", "pop r12\n", "pop rbx\n", "pop rbp\n",)
    };
}

/// Puts the registers that calls preserve on the stack, 160 bytes.
#[cfg(target_arch = "aarch64")]
macro_rules! save_registers {
    () => {
        concat!(
            "sub sp, sp, #160\n",
            "stp x19, x20, [sp]\n",
            "stp x21, x22, [sp, #16]\n",
            "stp x23, x24, [sp, #32]\n",
            "stp x25, x26, [sp, #48]\n",
            "stp x27, x28, [sp, #64]\n",
            "stp x29, x30, [sp, #80]\n",
            "stp d8, d9, [sp, #96]\n",
            "stp d10, d11, [sp, #112]\n",
            "stp d12, d13, [sp, #128]\n",
            "stp d14, d15, [sp, #144]\n",
        )
    };
}

/// Takes them from there.
#[cfg(target_arch = "aarch64")]
macro_rules! restore_registers {
    () => {
        concat!(
            "ldp x19, x20, [sp]\n",
            "ldp x21, x22, [sp, #16]\n",
            "ldp x23, x24, [sp, #32]\n",
            "ldp x25, x26, [sp, #48]\n",
            "ldp x27, x28, [sp, #64]\n",
            "ldp x29, x30, [sp, #80]\n",
            "ldp d8, d9, [sp, #96]\n",
            "ldp d10, d11, [sp, #112]\n",
            "ldp d12, d13, [sp, #128]\n",
            "ldp d14, d15, [sp, #144]\n",
            "add sp, sp, #160\n",
        )
    };
}

/// Calls `main(context)` on the stack that begins at `top`, with the pinned register set. Returns its result, or
/// the status given to [`leave`].
///
/// # Safety
/// `main` must be a compiled program's entry, `top` the end of unused memory, aligned to 16; the context must not
/// be running already.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn enter(cx: Cx, main: *const u8, top: *mut u8) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov [rdi + {host}], rsp",
        "mov rsp, rdx",
        // The chain of frame pointers ends here.
        "xor ebp, ebp",
        "mov r15, rdi",
        "call rsi",
        "mov rsp, [r15 + {host}]",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// Returns `status` from [`enter`].
///
/// # Safety
/// Must run below `enter` of the same context; no frame in between may own anything.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn leave(cx: Cx, status: i32) -> ! {
    core::arch::naked_asm!(
        "mov eax, esi",
        "mov rsp, [rdi + {host}]",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// Calls `main(context)` on the current stack, below code of the same program. Returns its result, or the status given to
/// [`leave`], which comes back here as long as `host_stack` is not restored.
///
/// # Safety
/// As for [`enter`].
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn attempt(cx: Cx, main: *const u8) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov [rdi + {host}], rsp",
        "sub rsp, 8",
        "xor ebp, ebp",
        "mov r15, rdi",
        "call rsi",
        "mov rsp, [r15 + {host}]",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
    )
}

/// Leaves the program where it is: returns `status` from [`enter`] or [`resume`], whichever was last.
///
/// # Safety
/// Must run below `enter` of the same context. Whoever entered resumes it, or never again uses its stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn pause(cx: Cx, status: i32) {
    core::arch::naked_asm!(
        save_registers!(),
        "mov [rdi + {paused}], rsp",
        "mov eax, esi",
        "mov rsp, [rdi + {host}]",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
        paused = const core::mem::offset_of!(crate::abi::Context, paused_stack),
    )
}

/// Goes on where the program has paused; returns as [`enter`] does.
///
/// # Safety
/// The program must have paused, and its stack be as it was then.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn resume(cx: Cx) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov [rdi + {host}], rsp",
        "mov rsp, [rdi + {paused}]",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
        paused = const core::mem::offset_of!(crate::abi::Context, paused_stack),
    )
}

/// Calls `function(context, argument)` of a compiled program on the current stack, with the pinned register set.
///
/// # Safety
/// `function` must be compiled code with that signature in the platform's C convention.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn call(cx: Cx, function: *const u8, argument: *mut u8) {
    core::arch::naked_asm!(
        save_registers!(),
        "sub rsp, 8",
        "xor ebp, ebp",
        "mov r15, rdi",
        "mov rax, rsi",
        "mov rsi, rdx",
        "call rax",
        "add rsp, 8",
        restore_registers!(),
        "ret",
    )
}

/// As on x86-64. All callee-saved registers go to the host's stack, 160 bytes.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn enter(cx: Cx, main: *const u8, top: *mut u8) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov x9, sp",
        "str x9, [x0, #{host}]",
        "mov sp, x2",
        "mov x29, xzr",
        "mov x21, x0",
        "blr x1",
        "ldr x9, [x21, #{host}]",
        "mov sp, x9",
        restore_registers!(),
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
pub unsafe extern "C" fn leave(cx: Cx, status: i32) -> ! {
    core::arch::naked_asm!(
        "ldr x9, [x0, #{host}]",
        "mov w0, w1",
        "mov sp, x9",
        restore_registers!(),
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
pub unsafe extern "C" fn attempt(cx: Cx, main: *const u8) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov x9, sp",
        "str x9, [x0, #{host}]",
        "mov x29, xzr",
        "mov x21, x0",
        "blr x1",
        "ldr x9, [x21, #{host}]",
        "mov sp, x9",
        restore_registers!(),
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
pub unsafe extern "C" fn pause(cx: Cx, status: i32) {
    core::arch::naked_asm!(
        save_registers!(),
        "mov x9, sp",
        "str x9, [x0, #{paused}]",
        "ldr x9, [x0, #{host}]",
        "mov w0, w1",
        "mov sp, x9",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
        paused = const core::mem::offset_of!(crate::abi::Context, paused_stack),
    )
}

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn resume(cx: Cx) -> i32 {
    core::arch::naked_asm!(
        save_registers!(),
        "mov x9, sp",
        "str x9, [x0, #{host}]",
        "ldr x9, [x0, #{paused}]",
        "mov sp, x9",
        restore_registers!(),
        "ret",
        host = const core::mem::offset_of!(crate::abi::Context, host_stack),
        paused = const core::mem::offset_of!(crate::abi::Context, paused_stack),
    )
}

/// As on x86-64. The compiled stub keeps the C convention, so only the pinned register and the frame chain need saving.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn call(cx: Cx, function: *const u8, argument: *mut u8) {
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
