//! How are arguments passed on x86-64, by the convention of Unix or that of Windows?
//!
//! Preparing a signature gives a list of steps: this piece of the arguments goes there. A call follows them, and [`enter`] loads the registers.

use std::ffi::c_void;
use std::ptr;

use super::Convention;
use crate::signature::{CSignature, CStruct, CType, Scalar};
use crate::system_v::{Part, Registers, Word, words};

/// The registers for arguments by their numbers, and afterwards those of results.
#[derive(Default)]
#[repr(C)]
struct Machine {
    /// `rdi`, `rsi`, `rdx`, `rcx`, `r8`, `r9`.
    integers: [u64; Registers::INTEGERS],
    /// The low halves of `xmm0` to `xmm7`.
    vectors: [u64; Registers::VECTORS],
    /// `rax`, `rdx`.
    integer_results: [u64; 2],
    /// `xmm0`, `xmm1`.
    vector_results: [u64; 2],
}

/// Loads the registers, copies the words to the stack, calls the function and stores what it gives.
///
/// # Safety
/// `code` must be a function that finds what it expects in these registers and on the stack, and `stack` readable for `count` words.
#[unsafe(naked)]
unsafe extern "C" fn enter(machine: &mut Machine, code: *const c_void, stack: *const u64, count: usize) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        "mov rbx, rdi",
        "mov r11, rsi",
        // An even number of words keeps the stack aligned to 16 bytes.
        "lea rax, [rcx + 1]",
        "and rax, -2",
        "shl rax, 3",
        "sub rsp, rax",
        "xor eax, eax",
        "2:",
        "cmp rax, rcx",
        "jae 3f",
        "mov r10, [rdx + rax * 8]",
        "mov [rsp + rax * 8], r10",
        "inc rax",
        "jmp 2b",
        "3:",
        "movsd xmm0, [rbx + 48]",
        "movsd xmm1, [rbx + 56]",
        "movsd xmm2, [rbx + 64]",
        "movsd xmm3, [rbx + 72]",
        "movsd xmm4, [rbx + 80]",
        "movsd xmm5, [rbx + 88]",
        "movsd xmm6, [rbx + 96]",
        "movsd xmm7, [rbx + 104]",
        "mov rdi, [rbx]",
        "mov rsi, [rbx + 8]",
        "mov rdx, [rbx + 16]",
        "mov rcx, [rbx + 24]",
        "mov r8, [rbx + 32]",
        "mov r9, [rbx + 40]",
        // Variadic functions want to know how many vector registers may be in use.
        "mov eax, 8",
        "call r11",
        "mov [rbx + 112], rax",
        "mov [rbx + 120], rdx",
        "movsd [rbx + 128], xmm0",
        "movsd [rbx + 136], xmm1",
        "lea rsp, [rbp - 16]",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    );
}

/// A piece of the arguments, and where it goes.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Bytes from the first argument.
    pub(super) offset: usize,
    pub(super) piece: Piece,
    pub(super) to: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Piece {
    /// Widened to a word, by its sign if it has one.
    Scalar(Scalar),
    /// Up to eight bytes of a struct.
    Bytes(usize),
    /// The address of what lies there.
    Address,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Integer(usize),
    Vector(usize),
    /// What Windows wants of floats behind `...`: an integer register, and a vector register.
    Both(usize, usize),
    /// A word of the stack.
    Stack(usize),
}

/// How the result comes back.
enum Outcome {
    /// In memory, whose address goes in this integer register.
    Memory(usize),
    /// In these registers, a word in each.
    Words(Vec<Word>),
}

pub struct Passing {
    pub(super) steps: Box<[Step]>,
    outcome: Outcome,
    result_size: usize,
    stack_words: usize,
}

/// The integer registers of Windows, by their numbers among those of Unix: `rcx`, `rdx`, `r8`, `r9`. The vector registers have the same order.
const WINDOWS: [usize; 4] = [3, 2, 4, 5];
/// Words that a function of Windows may use for its own, before the arguments on the stack.
const HOME: usize = 4;
/// So many words of the stack need no memory of the heap.
const FEW: usize = 16;

fn is_float(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::F32 | Scalar::F64)
}

fn struct_words(described: &CStruct) -> Vec<Word> {
    let mut parts = Vec::new();
    described.each_scalar(0, &mut |offset, scalar| {
        parts.push(Part { offset, size: scalar.size(), is_float: is_float(scalar) });
    });
    words(described.size, parts)
}

/// The pieces of a word each that a struct is cut into.
fn pieces(offset: usize, size: usize) -> impl Iterator<Item = (usize, Piece)> {
    (0..size).step_by(8).map(move |at| (offset + at, Piece::Bytes(usize::min(8, size - at))))
}

impl Passing {
    /// # Errors
    ///
    /// None: whatever can be in a signature can be passed.
    pub fn new(signature: &CSignature, convention: Convention) -> Result<Passing, String> {
        let result_size = signature.returns.as_ref().map_or(0, CType::size);
        let (steps, outcome, stack_words) = match convention {
            Convention::Native => system_v(signature),
            Convention::Win64 => windows(signature),
        };
        Ok(Passing { steps: steps.into(), outcome, result_size, stack_words })
    }

    /// A bound for the bytes of stack that passing the arguments takes.
    pub fn stack_size(&self, _args_size: usize) -> usize {
        8 * self.stack_words + (1 << 10)
    }

    /// # Safety
    /// As [`super::CallPlan::call`] says.
    pub unsafe fn call(&self, code: *const c_void, args: *const u8, result: *mut u8) {
        let mut machine = Machine::default();
        let (mut few, mut many) = ([0u64; FEW], Vec::new());
        let stack = match few.get_mut(..self.stack_words) {
            Some(few) => few,
            None => {
                many.resize(self.stack_words, 0);
                &mut many[..]
            }
        };
        for step in &self.steps {
            // SAFETY: per the contract; a piece lies among the arguments.
            let word = unsafe { word(args.add(step.offset), step.piece) };
            match step.to {
                Place::Integer(number) => machine.integers[number] = word,
                Place::Vector(number) => machine.vectors[number] = word,
                Place::Both(integer, vector) => {
                    machine.integers[integer] = word;
                    machine.vectors[vector] = word;
                }
                Place::Stack(number) => stack[number] = word,
            }
        }
        if let Outcome::Memory(number) = self.outcome {
            machine.integers[number] = result.addr() as u64;
            result.expose_provenance();
        }
        // SAFETY: the plan puts everything where a function of its signature looks for it.
        unsafe { enter(&mut machine, code, stack.as_ptr(), stack.len()) };
        let Outcome::Words(words) = &self.outcome else { return };
        let (mut integers, mut vectors) = (machine.integer_results.iter(), machine.vector_results.iter());
        for (index, word) in words.iter().enumerate() {
            let next = if *word == Word::Integer { integers.next() } else { vectors.next() };
            let size = usize::min(8, self.result_size - 8 * index);
            if let Some(value) = next {
                // SAFETY: the result has room for its words, the last of which may be shorter.
                unsafe { result.add(8 * index).copy_from_nonoverlapping(ptr::from_ref(value).cast(), size) };
            }
        }
    }
}

/// # Safety
/// `from` must be readable for the size of the piece.
unsafe fn word(from: *const u8, piece: Piece) -> u64 {
    // SAFETY: per the contract. Packed fields are not aligned.
    unsafe {
        match piece {
            Piece::Scalar(Scalar::Bool | Scalar::U8) => u64::from(*from),
            Piece::Scalar(Scalar::I8) => i64::from(*from.cast::<i8>()) as u64,
            Piece::Scalar(Scalar::I16) => i64::from(from.cast::<i16>().read_unaligned()) as u64,
            Piece::Scalar(Scalar::U16) => u64::from(from.cast::<u16>().read_unaligned()),
            Piece::Scalar(Scalar::I32) => i64::from(from.cast::<i32>().read_unaligned()) as u64,
            Piece::Scalar(Scalar::U32 | Scalar::F32) => u64::from(from.cast::<u32>().read_unaligned()),
            Piece::Scalar(Scalar::I64 | Scalar::U64 | Scalar::F64 | Scalar::Ptr) => from.cast::<u64>().read_unaligned(),
            Piece::Bytes(size) => {
                let mut word = 0u64;
                from.copy_to_nonoverlapping(ptr::from_mut(&mut word).cast(), size);
                word
            }
            Piece::Address => from.expose_provenance() as u64,
        }
    }
}

fn system_v(signature: &CSignature) -> (Vec<Step>, Outcome, usize) {
    let mut registers = Registers::default();
    let mut stack = 0;
    let outcome = match &signature.returns {
        None => Outcome::Words(Vec::new()),
        Some(CType::Scalar(scalar)) => {
            Outcome::Words(vec![if is_float(*scalar) { Word::Double } else { Word::Integer }])
        }
        Some(CType::Struct(described)) => match struct_words(described) {
            words if words.is_empty() && described.size > 0 => {
                registers.take(1, 0);
                Outcome::Memory(0)
            }
            words => Outcome::Words(words),
        },
    };
    let mut steps = Vec::new();
    for field in &signature.args.fields {
        let before = registers;
        let (pieces, words): (Vec<_>, _) = match &field.ty {
            CType::Scalar(scalar) => {
                let word = if is_float(*scalar) { Word::Double } else { Word::Integer };
                (vec![(field.offset, Piece::Scalar(*scalar))], vec![word])
            }
            CType::Struct(described) => (pieces(field.offset, described.size).collect(), struct_words(described)),
        };
        let in_registers = registers.take_words(&words);
        let (mut integers, mut vectors) = (before.integers.., before.vectors..);
        for (index, (offset, piece)) in pieces.into_iter().enumerate() {
            let to = match words.get(index) {
                Some(Word::Integer) if in_registers => integers.next().map(Place::Integer),
                Some(_) if in_registers => vectors.next().map(Place::Vector),
                _ => None,
            };
            let to = to.unwrap_or_else(|| {
                stack += 1;
                Place::Stack(stack - 1)
            });
            steps.push(Step { offset, piece, to });
        }
    }
    (steps, outcome, stack)
}

/// Each argument has a place of one word, by its number (x64 calling convention of Microsoft). Structs that are not as large as an integer are passed by address.
fn windows(signature: &CSignature) -> (Vec<Step>, Outcome, usize) {
    let by_word = |described: &CStruct| matches!(described.size, 1 | 2 | 4 | 8);
    let mut place = 0;
    let outcome = match &signature.returns {
        Some(CType::Struct(described)) if described.size > 0 && !by_word(described) => {
            place = 1;
            Outcome::Memory(WINDOWS[0])
        }
        Some(CType::Scalar(scalar)) if is_float(*scalar) => Outcome::Words(vec![Word::Double]),
        Some(ty) if ty.size() > 0 => Outcome::Words(vec![Word::Integer]),
        _ => Outcome::Words(Vec::new()),
    };
    let mut steps = Vec::new();
    for (index, field) in signature.args.fields.iter().enumerate() {
        let (piece, in_vector) = match &field.ty {
            CType::Struct(described) if described.size == 0 => continue,
            CType::Struct(described) if by_word(described) => (Piece::Bytes(described.size), false),
            CType::Struct(_) => (Piece::Address, false),
            CType::Scalar(scalar) => (Piece::Scalar(*scalar), is_float(*scalar)),
        };
        let variadic = signature.fixed.is_some_and(|fixed| index >= fixed);
        let to = match (WINDOWS.get(place), in_vector) {
            (Some(&integer), true) if variadic => Place::Both(integer, place),
            (Some(_), true) => Place::Vector(place),
            (Some(&integer), false) => Place::Integer(integer),
            (None, _) => Place::Stack(place),
        };
        steps.push(Step { offset: field.offset, piece, to });
        place += 1;
    }
    (steps, outcome, place.max(HOME))
}
