//! Arithmetic of every width: wrapping in release, panics in debug, casts, floats. Results are compared with Rust's.

mod support;

use reml_codegen::{CodegenOptions, RunOutcome, jit};
use reml_middle::core::*;
use reml_middle::prim::PrimOp;
use reml_semantics::types::Prim;
use support::*;

const INTS: [Prim; 10] =
    [Prim::I8, Prim::I16, Prim::I32, Prim::I64, Prim::Isize, Prim::U8, Prim::U16, Prim::U32, Prim::U64, Prim::Usize];

fn range(prim: Prim) -> (i128, i128) {
    let bits = prim.bits().expect("an integer type");
    if prim.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

fn wrap(prim: Prim, value: i128) -> i128 {
    let bits = prim.bits().expect("an integer type");
    let low = value & ((1 << bits) - 1);
    if prim.is_signed() && low >> (bits - 1) == 1 { low - (1 << bits) } else { low }
}

fn samples(prim: Prim) -> Vec<i128> {
    let (min, max) = range(prim);
    let mut samples = vec![min, min + 1, -7, -1, 0, 1, 2, 3, 5, 100, max - 1, max];
    samples.retain(|&value| (min..=max).contains(&value));
    samples.sort_unstable();
    samples.dedup();
    samples
}

/// Runs a program in one mode.
fn status(b: &Builder, release: bool) -> i32 {
    let options = CodegenOptions { release, verify: true, ..CodegenOptions::default() };
    let outcome: RunOutcome = jit::run(&b.program, &sources(), &options, &[]).expect("it compiles");
    outcome.exit_code
}

/// A program that counts on how many of the `cases` (operands, expected result) `op` is wrong. Operands go through a
/// function, so that nothing is folded.
fn count_wrong(prim: Prim, op: PrimOp, cases: &[(i128, i128, i128)]) -> Builder {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let ty = b.prim(prim);
    let apply = b.declare("main.apply", ty);
    b.define(apply, &[ty, ty], |b, params| End::Return(b.prim(ty, op, &[Atom::Var(params[0]), Atom::Var(params[1])])));
    b.program.funcs[apply].inline = Inline::Never;
    b.entry(|b| {
        let mut wrong = Atom::Int(0, int);
        for &(left, right, expected) in cases {
            let value = b.call(ty, apply, &[Atom::Int(left, ty), Atom::Int(right, ty)]);
            let differs = b.prim(bool, PrimOp::Ne, &[value, Atom::Int(expected, ty)]);
            let differs = b.prim(int, PrimOp::IntConvert, &[differs]);
            wrong = b.prim(int, PrimOp::IntAdd, &[wrong, differs]);
        }
        wrong
    });
    b
}

fn exact(op: PrimOp, left: i128, right: i128) -> Option<i128> {
    match op {
        PrimOp::IntAdd => Some(left + right),
        PrimOp::IntSub => Some(left - right),
        PrimOp::IntMul => left.checked_mul(right),
        PrimOp::IntDiv => left.checked_div(right),
        PrimOp::IntRem => left.checked_rem(right),
        _ => None,
    }
}

#[test]
fn integers_wrap_in_release_and_are_exact_in_debug() {
    for prim in INTS {
        for op in [PrimOp::IntAdd, PrimOp::IntSub, PrimOp::IntMul, PrimOp::IntDiv, PrimOp::IntRem] {
            let (min, max) = range(prim);
            let mut fitting = Vec::new();
            let mut all = Vec::new();
            for left in samples(prim) {
                for right in samples(prim) {
                    let Some(value) = exact(op, left, right) else { continue };
                    all.push((left, right, wrap(prim, value)));
                    let overflows = op == PrimOp::IntRem && left == min && right == -1;
                    if (min..=max).contains(&value) && !overflows {
                        fitting.push((left, right, value));
                    }
                }
            }
            assert_eq!(status(&count_wrong(prim, op, &fitting), false), 0, "{prim:?} {op:?} debug");
            assert_eq!(status(&count_wrong(prim, op, &all), true), 0, "{prim:?} {op:?} release");
        }
    }
}

#[test]
fn overflow_panics_in_debug() {
    for prim in INTS {
        let (min, max) = range(prim);
        let mut cases = vec![(PrimOp::IntAdd, max, 1), (PrimOp::IntSub, min, 1), (PrimOp::IntMul, max, 2)];
        if prim.is_signed() {
            cases.extend([(PrimOp::IntDiv, min, -1), (PrimOp::IntRem, min, -1)]);
        }
        for (op, left, right) in cases {
            let b = count_wrong(prim, op, &[(left, right, 0)]);
            assert_eq!(status(&b, false), 101, "{prim:?} {op:?}");
        }
        for op in [PrimOp::IntDiv, PrimOp::IntRem] {
            let b = count_wrong(prim, op, &[(1, 0, 0)]);
            assert_eq!((status(&b, false), status(&b, true)), (101, 101), "{prim:?} {op:?}");
        }
        let width = i128::from(prim.bits().expect("an integer type"));
        for op in [PrimOp::IntShl, PrimOp::IntShr] {
            let b = count_wrong(prim, op, &[(1, width, 1)]);
            assert_eq!((status(&b, false), status(&b, true)), (101, 0), "{prim:?} {op:?}");
        }
    }
}

#[test]
fn shifts_follow_the_sign() {
    for prim in INTS {
        let left: Vec<_> = samples(prim).into_iter().map(|value| (value, 1, wrap(prim, value << 1))).collect();
        assert_eq!(status(&count_wrong(prim, PrimOp::IntShl, &left), false), 0, "{prim:?}");
        let right: Vec<_> = samples(prim).into_iter().map(|value| (value, 1, value >> 1)).collect();
        assert_eq!(status(&count_wrong(prim, PrimOp::IntShr, &right), true), 0, "{prim:?}");
    }
}

/// A program that casts each value and returns how many results are wrong.
fn cast_program(from: Prim, to: Prim, cases: &[(i128, i128)]) -> Builder {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let (from, to) = (b.prim(from), b.prim(to));
    let cast = b.declare("main.cast", to);
    b.define(cast, &[from], |b, params| End::Return(b.prim(to, PrimOp::Cast, &[Atom::Var(params[0])])));
    b.entry(|b| {
        let mut wrong = Atom::Int(0, int);
        for &(value, expected) in cases {
            let value = b.call(to, cast, &[Atom::Int(value, from)]);
            let differs = b.prim(bool, PrimOp::Ne, &[value, Atom::Int(expected, to)]);
            let differs = b.prim(int, PrimOp::IntConvert, &[differs]);
            wrong = b.prim(int, PrimOp::IntAdd, &[wrong, differs]);
        }
        wrong
    });
    b
}

#[test]
fn integer_casts_keep_the_value_or_panic() {
    for from in INTS {
        for to in INTS {
            let (min, max) = range(to);
            let fitting: Vec<_> =
                samples(from).into_iter().filter(|value| (min..=max).contains(value)).map(|v| (v, v)).collect();
            assert_eq!(status(&cast_program(from, to, &fitting), true), 0, "{from:?} as {to:?}");
            for value in samples(from).into_iter().filter(|value| !(min..=max).contains(value)) {
                let b = cast_program(from, to, &[(value, 0)]);
                assert_eq!(status(&b, true), 101, "{value} as {to:?}");
            }
        }
    }
}

#[test]
fn casts_between_floats_integers_and_characters() {
    let mut b = Builder::new();
    let (int, f64) = (b.int, b.f64);
    let (u8, char, f32) = (b.prim(Prim::U8), b.prim(Prim::Char), b.prim(Prim::F32));
    let u32 = b.prim(Prim::U32);
    let i8 = b.prim(Prim::I8);
    b.entry(|b| {
        let floor = b.prim(int, PrimOp::Cast, &[Atom::Float(-2.9, f64)]);
        let byte = b.prim(u8, PrimOp::Cast, &[Atom::Float(255.9, f64)]);
        let byte = b.prim(int, PrimOp::Cast, &[byte]);
        let single = b.prim(f32, PrimOp::Cast, &[Atom::Int(3, int)]);
        let single = b.prim(f64, PrimOp::Cast, &[single]);
        let single = b.prim(int, PrimOp::Cast, &[single]);
        let letter = b.prim(char, PrimOp::Cast, &[Atom::Int(0x10FFFF, u32)]);
        let letter = b.prim(int, PrimOp::Cast, &[letter]);
        let full = b.prim(i8, PrimOp::FloatToIntSat, &[Atom::Float(1e9, f64)]);
        let full = b.prim(int, PrimOp::Cast, &[full]);
        let none = b.prim(u8, PrimOp::FloatToIntSat, &[Atom::Float(f64::NAN, f64)]);
        let none = b.prim(int, PrimOp::Cast, &[none]);
        let remainder = b.prim(f64, PrimOp::FloatRem, &[Atom::Float(7.5, f64), Atom::Float(2.0, f64)]);
        let remainder = b.prim(f64, PrimOp::FloatMul, &[remainder, Atom::Float(2.0, f64)]);
        let remainder = b.prim(int, PrimOp::Cast, &[remainder]);
        let parts = [floor, byte, single, letter, full, none, remainder];
        parts.into_iter().fold(Atom::Int(0, int), |sum, part| b.prim(int, PrimOp::IntAdd, &[sum, part]))
    });
    b.expect(-2 + 255 + 3 + 0x10FFFF + 127 + 3);
    for (value, to, ok) in [
        (9.3e18, Prim::I64, false),
        (-9_223_372_036_854_775_808.0, Prim::I64, true),
        (f64::NAN, Prim::I32, false),
        (-0.9, Prim::U8, true),
        (-1.0, Prim::U8, false),
        (256.0, Prim::U8, false),
        (1.8446744073709552e19, Prim::U64, false),
        (1.8e19, Prim::U64, true),
    ] {
        let mut b = Builder::new();
        let (int, f64) = (b.int, b.f64);
        let to_ty = b.prim(to);
        b.entry(|b| {
            b.prim(to_ty, PrimOp::Cast, &[Atom::Float(value, f64)]);
            Atom::Int(0, int)
        });
        assert_eq!(status(&b, false), if ok { 0 } else { 101 }, "{value} as {to:?}");
    }
    for (value, ok) in
        [(0xD7FF, true), (0xD800, false), (0xDFFF, false), (0xE000, true), (0x110000, false), (-1, false)]
    {
        let mut b = Builder::new();
        let (int, char) = (b.int, b.prim(Prim::Char));
        b.entry(|b| {
            b.prim(char, PrimOp::Cast, &[Atom::Int(value, int)]);
            Atom::Int(0, int)
        });
        assert_eq!(status(&b, false), if ok { 0 } else { 101 }, "{value:#x} as Char");
    }
}

#[test]
fn bit_operations() {
    let mut b = Builder::new();
    let int = b.int;
    let u16 = b.prim(Prim::U16);
    b.entry(|b| {
        let ones = b.prim(int, PrimOp::CountOnes, &[Atom::Int(0xFF, u16)]);
        let leading = b.prim(int, PrimOp::LeadingZeros, &[Atom::Int(1, u16)]);
        let trailing = b.prim(int, PrimOp::TrailingZeros, &[Atom::Int(8, int)]);
        let swapped = b.prim(u16, PrimOp::SwapBytes, &[Atom::Int(0x0100, u16)]);
        let swapped = b.prim(int, PrimOp::Cast, &[swapped]);
        let rotated = b.prim(u16, PrimOp::RotateLeft, &[Atom::Int(0x8000, u16), Atom::Int(1, u16)]);
        let rotated = b.prim(int, PrimOp::Cast, &[rotated]);
        let parts = [ones, leading, trailing, swapped, rotated];
        parts.into_iter().fold(Atom::Int(0, int), |sum, part| b.prim(int, PrimOp::IntAdd, &[sum, part]))
    });
    b.expect(8 + 15 + 3 + 1 + 1);
}

#[test]
fn divisibility_by_powers_of_two() {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let divisible = b.declare("main.divisible", bool);
    b.define(divisible, &[int], |b, params| {
        let rest = b.prim(int, PrimOp::IntRem, &[Atom::Var(params[0]), Atom::Int(8, int)]);
        End::Return(b.prim(bool, PrimOp::Eq, &[rest, Atom::Int(0, int)]))
    });
    b.entry(|b| {
        let mut count = Atom::Int(0, int);
        for value in [0, 8, -8, 4, -4, -1, i128::from(i64::MIN), i128::from(i64::MAX)] {
            let hit = b.call(bool, divisible, &[Atom::Int(value, int)]);
            let hit = b.prim(int, PrimOp::IntConvert, &[hit]);
            count = b.prim(int, PrimOp::IntAdd, &[count, hit]);
        }
        count
    });
    b.expect(4);
}
