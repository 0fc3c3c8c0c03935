//! Do we pass arguments where libffi does? `cargo test -p reml_ffi --features libffi`. Packed structs are left out, which libffi does not know: those are compared
//! with what the C compiler does, by the tests of remlc.

use std::cell::UnsafeCell;
use std::ffi::c_void;

use super::x86_64::{Passing, Piece, Place};
use super::{Convention, libffi};
use crate::signature::CSignature;

/// What a function found when it was called: the integer registers, the vector registers, and words of the stack.
#[repr(C)]
struct Found(UnsafeCell<[u64; 6 + 8 + STACK]>);

// SAFETY: one test looks at it, in one thread.
unsafe impl Sync for Found {}

const STACK: usize = 64;
static FOUND: Found = Found(UnsafeCell::new([0; 6 + 8 + STACK]));

/// Takes any arguments, and notes them.
#[unsafe(naked)]
unsafe extern "C" fn note() {
    core::arch::naked_asm!(
        "lea r10, [rip + {found}]",
        "mov [r10], rdi",
        "mov [r10 + 8], rsi",
        "mov [r10 + 16], rdx",
        "mov [r10 + 24], rcx",
        "mov [r10 + 32], r8",
        "mov [r10 + 40], r9",
        "movsd [r10 + 48], xmm0",
        "movsd [r10 + 56], xmm1",
        "movsd [r10 + 64], xmm2",
        "movsd [r10 + 72], xmm3",
        "movsd [r10 + 80], xmm4",
        "movsd [r10 + 88], xmm5",
        "movsd [r10 + 96], xmm6",
        "movsd [r10 + 104], xmm7",
        "xor eax, eax",
        "2:",
        "mov r11, [rsp + rax * 8 + 8]",
        "mov [r10 + rax * 8 + 112], r11",
        "inc rax",
        "cmp rax, {stack}",
        "jb 2b",
        "ret",
        found = sym FOUND,
        stack = const STACK,
    )
}

fn found() -> [u64; 6 + 8 + STACK] {
    // SAFETY: nobody writes at the same time.
    unsafe { *FOUND.0.get() }
}

/// xorshift64*: the same signatures each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }

    fn ty(&mut self, depth: u64) -> String {
        const SCALARS: [&str; 12] = ["Bool", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "F32", "F64", "Ptr"];
        if self.below(3) < depth {
            let fields: Vec<String> = (0..1 + self.below(4)).map(|_| self.ty(depth - 1)).collect();
            return format!("{{{}}}", fields.join(","));
        }
        SCALARS[self.below(12) as usize].to_owned()
    }
}

#[test]
fn arguments_are_where_libffi_puts_them() {
    let mut random = Random(2026);
    for round in 0..4000 {
        let params: Vec<String> = (0..random.below(9)).map(|_| random.ty(2)).collect();
        let text = format!("{}->Void", params.join(","));
        let signature = CSignature::parse(&text).unwrap();
        let convention = if round % 4 == 0 { Convention::Win64 } else { Convention::Native };
        let args: Vec<u8> = (0..signature.args.size).map(|_| random.below(256) as u8).collect();
        // What lies between fields may come across or not.
        let mut matters = vec![0u8; signature.args.size];
        signature.args.each_scalar(0, &mut |offset, scalar| matters[offset..offset + scalar.size()].fill(0xFF));
        let (ours, theirs) =
            (Passing::new(&signature, convention).unwrap(), libffi::Passing::new(&signature, convention).unwrap());
        let mut nothing = [0u8; 8];
        let mut pass = |call: &dyn Fn(*const u8, *mut u8)| {
            call(args.as_ptr(), nothing.as_mut_ptr());
            found()
        };
        // SAFETY: `note` reads at most as many words of the stack as there are in frames above.
        let ours_found = pass(&|args, result| unsafe { ours.call(note as *const c_void, args, result) });
        let copy = args.clone();
        // SAFETY: as above.
        let theirs_found = pass(&|_, result| unsafe { theirs.call(note as *const c_void, copy.as_ptr(), result) });
        for step in &ours.steps {
            let size = match step.piece {
                Piece::Scalar(scalar) => scalar.size(),
                Piece::Bytes(size) => size,
                // Each lends another copy.
                Piece::Address => continue,
            };
            let index = match step.to {
                Place::Integer(number) | Place::Both(number, _) => number,
                Place::Vector(number) => 6 + number,
                Place::Stack(number) if number < STACK => 14 + number,
                Place::Stack(_) => continue,
            };
            let mut mask = [0; 8];
            mask[..size].copy_from_slice(&matters[step.offset..step.offset + size]);
            let [ours, theirs] = [ours_found, theirs_found].map(|found| found[index] & u64::from_le_bytes(mask));
            assert_eq!(ours, theirs, "{text}, {convention:?}, word {index}");
        }
    }
}
