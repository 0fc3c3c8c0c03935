//! How does control pass between Rust and compiled code?
//!
//! [`enter`] saves the host's registers, switches to the program's stack, puts the context into the pinned register and
//! calls the program; [`leave`] undoes that from any depth; [`attempt`] is another [`enter`] below the first one; [`call`] calls back into
//! compiled code from a runtime function. [`pause`] goes back to the host and keeps the program where it is, [`resume`] goes on there.
//! Frame chains end at each of them.

use crate::context::Cx;

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

/// Calls `main(context)` on the current stack, below code of the same program. Returns its result, or the status given to
/// [`leave`], which comes back here as long as `host_stack` is not restored.
///
/// # Safety
/// As for [`enter`].
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn attempt(cx: Cx, main: *const u8) -> i32 {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {host}], rsp",
        "sub rsp, 8",
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

/// Leaves the program where it is: returns `status` from [`enter`] or [`resume`], whichever was last.
///
/// # Safety
/// Must run below `enter` of the same context. Whoever entered resumes it, or never again uses its stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn pause(cx: Cx, status: i32) {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {paused}], rsp",
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
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {host}], rsp",
        "mov rsp, [rdi + {paused}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
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
#[unsafe(naked)]
pub unsafe extern "C" fn enter(cx: Cx, main: *const u8, top: *mut u8) -> i32 {
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
pub unsafe extern "C" fn leave(cx: Cx, status: i32) -> ! {
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

/// As on x86-64.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn attempt(cx: Cx, main: *const u8) -> i32 {
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
pub unsafe extern "C" fn pause(cx: Cx, status: i32) {
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
        "str x9, [x0, #{paused}]",
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
        "ldr x9, [x0, #{paused}]",
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
