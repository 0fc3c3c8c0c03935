//! The instructions that the language offers by name (`inline_asm`), and that the code generator cannot write itself.
//!
//! A machine that lacks an instruction ends the program with a panic: the compiler only lets through what the target
//! has, but a target may be described wrongly.

use crate::context::Cx;

/// Two words in the registers that the platform returns them in.
#[repr(C)]
pub struct Words(u64, u64);

macro_rules! instructions {
    ($arch:literal, $cx:ident: $($(#[$doc:meta])* $name:ident($($param:ident: $ty:ty),*) $(-> $ret:ty)? = $body:block)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($cx: Cx, $($param: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = $arch)]
            {
                let _ = $cx;
                $body
            }
            #[cfg(not(target_arch = $arch))]
            {
                $(let _ = $param;)*
                missing($cx, $arch)
            }
        }
    )*};
}

/// Ends the program that reached an instruction that the machine does not have.
fn unsupported(cx: Cx, message: std::fmt::Arguments<'_>) -> ! {
    crate::panic::report_and_end(cx, "native.inline_asm.unsupported", message, None, true)
}

/// Ends the program that reached an instruction of another machine.
#[allow(dead_code, reason = "each machine has all of its own instructions")]
fn missing(cx: Cx, arch: &str) -> ! {
    let own = std::env::consts::ARCH;
    unsupported(cx, format_args!("this instruction is for {arch}, and the machine is {own}"))
}

instructions! { "x86_64", cx:
    reml_machine_pause() = { std::hint::spin_loop() }
    reml_machine_mfence() = {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { std::arch::x86_64::_mm_mfence() }
    }
    reml_machine_lfence() = {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm_lfence() }
    }
    reml_machine_sfence() = {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm_sfence() }
    }
    reml_machine_rdtsc() -> u64 = {
        // SAFETY: reads a counter that every x86-64 has.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    /// The counter, and the number of the processor.
    reml_machine_rdtscp() -> Words = {
        static PRESENT: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        if !PRESENT.get_or_init(|| std::arch::x86_64::__cpuid(0x8000_0001).edx >> 27 & 1 == 1) {
            unsupported(cx, format_args!("this machine has no `rdtscp`"));
        }
        let mut processor = 0;
        // SAFETY: the machine has the instruction.
        let counter = unsafe { std::arch::x86_64::__rdtscp(&mut processor) };
        Words(counter, u64::from(processor))
    }
    /// `eax` and `ebx`, then `ecx` and `edx`, the first of each in the lower half.
    reml_machine_cpuid(leaf: u32, subleaf: u32) -> Words = {
        let found = std::arch::x86_64::__cpuid_count(leaf, subleaf);
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Words(pair(found.eax, found.ebx), pair(found.ecx, found.edx))
    }
    /// A random word and 1, or two zeros where the machine has none to give.
    reml_machine_rdrand() -> Words = {
        #[target_feature(enable = "rdrand")]
        fn word() -> Words {
            let mut word = 0;
            let given = std::arch::x86_64::_rdrand64_step(&mut word);
            Words(word, given as u64)
        }
        if std::arch::is_x86_feature_detected!("rdrand") {
            // SAFETY: the machine has the instruction.
            unsafe { word() }
        } else {
            Words(0, 0)
        }
    }
}

instructions! { "aarch64", cx:
    reml_machine_yield() = { std::hint::spin_loop() }
    reml_machine_isb() = {
        // SAFETY: a barrier.
        unsafe { std::arch::asm!("isb") }
    }
    reml_machine_dmb() = {
        // SAFETY: a barrier.
        unsafe { std::arch::asm!("dmb ish") }
    }
    reml_machine_dsb() = {
        // SAFETY: a barrier.
        unsafe { std::arch::asm!("dsb ish") }
    }
    reml_machine_cntvct() -> u64 = {
        let counter: u64;
        // SAFETY: reads a counter that programs may read.
        unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) counter) };
        counter
    }
    reml_machine_cntfrq() -> u64 = {
        let frequency: u64;
        // SAFETY: reads a register that programs may read.
        unsafe { std::arch::asm!("mrs {}, cntfrq_el0", out(reg) frequency) };
        frequency
    }
}
