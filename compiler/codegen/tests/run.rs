//! Hand-built Core programs, compiled in memory and run: control flow, numbers, memory.

mod support;

use reml_diagnostics::Span;
use reml_middle::c_abi::{CSignature, CValue};
use reml_middle::core::*;
use reml_middle::prim::PrimOp;
use reml_semantics::types::{Prim, Type, TypeId};
use support::*;

fn fib(b: &mut Builder) -> FuncId {
    let (int, bool) = (b.int, b.bool);
    let fib = b.declare("main.fib", int);
    b.define(fib, &[int], |b, params| {
        let n = var(params[0]);
        let small = b.prim(bool, PrimOp::Lt, &[n, Atom::Int(2, int)]);
        let yes = b.block(|_| End::Return(n));
        let no = b.block(|b| {
            let one = b.prim(int, PrimOp::IntSub, &[n, Atom::Int(1, int)]);
            let two = b.prim(int, PrimOp::IntSub, &[n, Atom::Int(2, int)]);
            let left = b.call(int, fib, &[one]);
            let right = b.call(int, fib, &[two]);
            let sum = b.prim(int, PrimOp::IntAdd, &[left, right]);
            End::Return(sum)
        });
        branch(small, yes, no)
    });
    fib
}

#[test]
fn recursion() {
    let mut b = Builder::new();
    let fib = fib(&mut b);
    let int = b.int;
    b.entry(|b| b.call(int, fib, &[Atom::Int(20, int)]));
    b.expect(6765);
}

#[test]
fn a_recursive_join_is_a_loop() {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let sum = b.declare("main.sum", int);
    b.define(sum, &[int], |b, params| {
        let n = var(params[0]);
        let head = b.join(&[int, int], true, |b, head, params| {
            let (i, total) = (var(params[0]), var(params[1]));
            let more = b.prim(bool, PrimOp::Lt, &[i, n]);
            let body = b.block(|b| {
                let total = b.prim(int, PrimOp::IntAdd, &[total, i]);
                let next = b.prim(int, PrimOp::IntAdd, &[i, Atom::Int(1, int)]);
                End::Jump(head, vec![next, total])
            });
            let done = b.block(|_| End::Return(total));
            branch(more, body, done)
        });
        End::Jump(head, vec![Atom::Int(0, int), Atom::Int(0, int)])
    });
    b.entry(|b| b.call(int, sum, &[Atom::Int(1000, int)]));
    b.expect(499_500);
}

#[test]
fn tail_calls_keep_the_stack_constant() {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let even = b.declare("main.even", int);
    let odd = b.declare("main.odd", int);
    for (this, other, at_zero) in [(even, odd, 1), (odd, even, 0)] {
        b.define(this, &[int], |b, params| {
            let n = var(params[0]);
            let zero = b.prim(bool, PrimOp::Eq, &[n, Atom::Int(0, int)]);
            let yes = b.block(|_| End::Return(Atom::Int(at_zero, int)));
            let no = b.block(|b| {
                let args = vec![b.prim(int, PrimOp::IntSub, &[n, Atom::Int(1, int)])];
                let span = reml_diagnostics::Span::NONE;
                End::TailCall { callee: Callee::Func(other), args, span }
            });
            branch(zero, yes, no)
        });
    }
    b.entry(|b| b.call(int, even, &[Atom::Int(100_000_000, int)]));
    b.expect(1);
}

/// `upto(n, rest)`: the list `1, .., n` before `rest`.
fn upto(b: &mut Builder, list: TypeId) -> FuncId {
    let (int, bool) = (b.int, b.bool);
    let upto = b.declare("main.upto", list);
    b.define(upto, &[int, list], |b, params| {
        let (n, rest) = (var(params[0]), var(params[1]));
        let zero = b.prim(bool, PrimOp::Eq, &[n, Atom::Int(0, int)]);
        let yes = b.block(|_| End::Return(rest));
        let no = b.block(|b| {
            let cell = b.op(list, construct(1, &[n, rest]));
            let less = b.prim(int, PrimOp::IntSub, &[n, Atom::Int(1, int)]);
            let span = reml_diagnostics::Span::NONE;
            End::TailCall { callee: Callee::Func(upto), args: vec![less, cell], span }
        });
        branch(zero, yes, no)
    });
    upto
}

/// `sum(list, total)` with the list consumed.
fn sum_list(b: &mut Builder, list: TypeId) -> FuncId {
    let int = b.int;
    let sum = b.declare("main.sum", int);
    b.define(sum, &[list, int], |b, params| {
        let (xs, total) = (params[0], var(params[1]));
        let nil = b.block(|_| End::Return(total));
        let cons = b.block(|b| {
            let head = b.op(int, Op::Field { base: var(xs), variant: 1, index: 0 });
            let tail = b.bind(list, Op::Field { base: var(xs), variant: 1, index: 1 });
            b.stmts.push(Stmt::Release { var: xs, variant: 1, moved: vec![(1, tail)], token: None });
            let total = b.prim(int, PrimOp::IntAdd, &[total, head]);
            let span = reml_diagnostics::Span::NONE;
            End::TailCall { callee: Callee::Func(sum), args: vec![var(tail), total], span }
        });
        variants(var(xs), vec![nil, cons])
    });
    sum
}

#[test]
fn lists_are_built_and_taken_apart() {
    let mut b = Builder::new();
    let list = b.int_list();
    let int = b.int;
    let upto = upto(&mut b, list);
    let sum = sum_list(&mut b, list);
    b.entry(|b| {
        let xs = b.call(list, upto, &[Atom::Int(1000, int), Atom::Int(0, list)]);
        b.call(int, sum, &[xs, Atom::Int(0, int)])
    });
    b.expect(500_500);
}

#[test]
fn shared_lists_survive_their_first_use() {
    let mut b = Builder::new();
    let list = b.int_list();
    let int = b.int;
    let upto = upto(&mut b, list);
    let sum = sum_list(&mut b, list);
    b.entry(|b| {
        let xs = b.bind(list, Op::Call(Callee::Func(upto), vec![Atom::Int(100, int), Atom::Int(0, list)]));
        b.stmts.push(Stmt::Dup(xs));
        b.stmts.push(Stmt::Dup(xs));
        let first = b.call(int, sum, &[var(xs), Atom::Int(0, int)]);
        let second = b.call(int, sum, &[var(xs), first]);
        b.stmts.push(Stmt::Drop(xs));
        second
    });
    b.expect(10_100);
}

#[test]
fn dropping_a_long_list_needs_no_stack() {
    let mut b = Builder::new();
    let list = b.int_list();
    let int = b.int;
    let upto = upto(&mut b, list);
    b.entry(|b| {
        let xs = b.bind(list, Op::Call(Callee::Func(upto), vec![Atom::Int(5_000_000, int), Atom::Int(0, list)]));
        b.stmts.push(Stmt::Drop(xs));
        Atom::Int(7, int)
    });
    b.expect(7);
}

#[test]
fn a_unique_cell_is_reused() {
    let mut b = Builder::new();
    let list = b.int_list();
    let int = b.int;
    let upto = upto(&mut b, list);
    let sum = sum_list(&mut b, list);
    let map = b.declare("main.map", list);
    b.define(map, &[list], |b, params| {
        let xs = params[0];
        let nil = b.block(|_| End::Return(Atom::Int(0, list)));
        let cons = b.block(|b| {
            let head = b.op(int, Op::Field { base: var(xs), variant: 1, index: 0 });
            let tail = b.bind(list, Op::Field { base: var(xs), variant: 1, index: 1 });
            let token = b.var(list);
            b.stmts.push(Stmt::Release { var: xs, variant: 1, moved: vec![(1, tail)], token: Some(token) });
            let rest = b.call(list, map, &[var(tail)]);
            let head = b.prim(int, PrimOp::IntMul, &[head, Atom::Int(2, int)]);
            let cell = b.op(list, Op::Construct { variant: 1, args: vec![head, rest], token: Some(token) });
            End::Return(cell)
        });
        variants(var(xs), vec![nil, cons])
    });
    b.entry(|b| {
        let xs = b.bind(list, Op::Call(Callee::Func(upto), vec![Atom::Int(100, int), Atom::Int(0, list)]));
        b.stmts.push(Stmt::Dup(xs));
        let shared = b.call(list, map, &[var(xs)]);
        let unique = b.call(list, map, &[var(xs)]);
        let first = b.call(int, sum, &[shared, Atom::Int(0, int)]);
        b.call(int, sum, &[unique, first])
    });
    b.expect(20_200);
}

#[test]
fn holes_are_filled() {
    // map as a loop: each cell is built with a hole for its tail.
    let mut b = Builder::new();
    let list = b.int_list();
    let int = b.int;
    let addr = b.prim(Prim::RawPtr);
    let sum = sum_list(&mut b, list);
    let bool = b.bool;
    let build = b.declare("main.build", list);
    b.define(build, &[int], |b, params| {
        let n = var(params[0]);
        let first = b.bind(list, construct(1, &[Atom::Int(0, int), Atom::Hole]));
        let hole = b.op(addr, Op::FieldAddr { base: first, variant: 1, index: 1 });
        let head = b.join(&[int, addr], true, |b, head, params| {
            let (i, hole) = (var(params[0]), params[1]);
            let more = b.prim(bool, PrimOp::Lt, &[i, n]);
            let body = b.block(|b| {
                let cell = b.bind(list, construct(1, &[i, Atom::Hole]));
                b.stmts.push(Stmt::Fill { addr: hole, value: var(cell) });
                let next_hole = b.op(addr, Op::FieldAddr { base: cell, variant: 1, index: 1 });
                let next = b.prim(int, PrimOp::IntAdd, &[i, Atom::Int(1, int)]);
                End::Jump(head, vec![next, next_hole])
            });
            let done = b.block(|b| {
                b.stmts.push(Stmt::Fill { addr: hole, value: Atom::Int(0, list) });
                End::Return(var(first))
            });
            branch(more, body, done)
        });
        End::Jump(head, vec![Atom::Int(1, int), hole])
    });
    b.entry(|b| {
        let xs = b.call(list, build, &[Atom::Int(100, int)]);
        b.call(int, sum, &[xs, Atom::Int(0, int)])
    });
    b.expect(4950);
}

#[test]
fn closures_capture_and_release() {
    let mut b = Builder::new();
    let (int, str) = (b.int, b.str);
    let fn_type = b.ty(Type::Fn { params: Box::new([int]), ret: int });
    // |x| x + len(text) + k, over an owned string
    let lambda = b.declare("main.run.{lambda#1}", int);
    b.define(lambda, &[str, int, int], |b, params| {
        let len = b.prim(int, PrimOp::StrLen, &[var(params[0])]);
        let sum = b.prim(int, PrimOp::IntAdd, &[len, var(params[1])]);
        let sum = b.prim(int, PrimOp::IntAdd, &[sum, var(params[2])]);
        End::Return(sum)
    });
    b.program.funcs[lambda].captures = 2;
    let plain = b.declare("main.double", int);
    b.define(plain, &[int], |b, params| {
        let twice = b.prim(int, PrimOp::IntMul, &[var(params[0]), Atom::Int(2, int)]);
        End::Return(twice)
    });
    let concat = b.runtime("reml_str_concat", &[(str, Mode::Owned), (str, Mode::Borrowed)], str);
    let (left, right) = (b.string("hello, "), b.string("world"));
    b.entry(|b| {
        let text = b.op(str, Op::CallRuntime(concat, vec![left, right]));
        let closure = b.bind(fn_type, Op::Closure(lambda, vec![text, Atom::Int(100, int)]));
        let value = b.op(int, Op::Call(Callee::Closure(var(closure)), vec![Atom::Int(1000, int)]));
        b.stmts.push(Stmt::Drop(closure));
        let fixed = b.bind(fn_type, Op::Closure(plain, vec![]));
        b.stmts.push(Stmt::Dup(fixed));
        b.stmts.push(Stmt::Drop(fixed));
        let value = b.op(int, Op::Call(Callee::Closure(var(fixed)), vec![value]));
        b.stmts.push(Stmt::Drop(fixed));
        b.call(int, plain, &[value])
    });
    b.expect(4448);
}

#[test]
fn arrays_grow_and_update_in_place() {
    let mut b = Builder::new();
    let (int, bool) = (b.int, b.bool);
    let array = b.ty(Type::Array(int));
    let make = b.declare("main.make", array);
    b.define(make, &[int], |b, params| {
        let n = var(params[0]);
        let empty = b.op(array, Op::Array(vec![]));
        let head = b.join(&[int, array], true, |b, head, params| {
            let (i, xs) = (var(params[0]), var(params[1]));
            let more = b.prim(bool, PrimOp::Lt, &[i, n]);
            let body = b.block(|b| {
                let xs = b.prim(array, PrimOp::ArrayPush, &[xs, i]);
                let next = b.prim(int, PrimOp::IntAdd, &[i, Atom::Int(1, int)]);
                End::Jump(head, vec![next, xs])
            });
            let done = b.block(|_| End::Return(xs));
            branch(more, body, done)
        });
        End::Jump(head, vec![Atom::Int(0, int), empty])
    });
    b.entry(|b| {
        let xs = b.bind(array, Op::Call(Callee::Func(make), vec![Atom::Int(1000, int)]));
        b.stmts.push(Stmt::Dup(xs));
        // The shared original keeps its element.
        let ys = b.bind(array, Op::Prim(PrimOp::ArraySet, vec![var(xs), Atom::Int(10, int), Atom::Int(500, int)]));
        let old = b.prim(int, PrimOp::ArrayGet, &[var(xs), Atom::Int(10, int)]);
        let new = b.prim(int, PrimOp::ArrayGet, &[var(ys), Atom::Int(10, int)]);
        let sum = b.prim(int, PrimOp::IntAdd, &[old, new]);
        let zs = b.bind(array, Op::Prim(PrimOp::ArrayAppend, vec![var(ys), var(xs)]));
        let len = b.prim(int, PrimOp::ArrayLen, &[var(zs)]);
        let sum = b.prim(int, PrimOp::IntAdd, &[sum, len]);
        let part =
            b.bind(array, Op::Prim(PrimOp::ArraySlice, vec![var(zs), Atom::Int(990, int), Atom::Int(1010, int)]));
        let nine = b.prim(int, PrimOp::ArrayGet, &[var(part), Atom::Int(19, int)]);
        let sum = b.prim(int, PrimOp::IntAdd, &[sum, nine]);
        b.stmts.push(Stmt::Drop(part));
        b.stmts.push(Stmt::Drop(zs));
        sum
    });
    b.expect(10 + 500 + 2000 + 9);
}

#[test]
fn arrays_of_counted_values_own_them() {
    let mut b = Builder::new();
    let (int, str) = (b.int, b.str);
    let array = b.ty(Type::Array(str));
    let nested = b.ty(Type::Array(array));
    let row_pair = b.ty(Type::Tuple(Box::new([nested, array])));
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    b.entry(|b| {
        let one = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(1, int)]));
        let two = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(22, int)]));
        let three = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(333, int)]));
        let xs = b.bind(array, Op::Array(vec![one, two]));
        let rows = b.op(nested, Op::Prim(PrimOp::ArrayFilled, vec![Atom::Int(3, int), var(xs)]));
        // Take one row out, change it (it is shared, so it is copied), put it back.
        let taken = b.bind(row_pair, Op::Prim(PrimOp::ArrayTake, vec![rows, Atom::Int(1, int)]));
        let rows = b.op(nested, Op::Field { base: var(taken), variant: 0, index: 0 });
        let row = b.op(array, Op::Field { base: var(taken), variant: 0, index: 1 });
        let row = b.prim(array, PrimOp::ArraySet, &[row, Atom::Int(0, int), three]);
        let rows = b.bind(nested, Op::Prim(PrimOp::ArrayPut, vec![rows, Atom::Int(1, int), row]));
        let row = b.op(array, Op::Prim(PrimOp::ArrayGet, vec![var(rows), Atom::Int(1, int)]));
        let text = b.op(str, Op::Prim(PrimOp::ArrayGet, vec![row, Atom::Int(0, int)]));
        let len = b.prim(int, PrimOp::StrLen, &[text]);
        let row = b.op(array, Op::Prim(PrimOp::ArrayGet, vec![var(rows), Atom::Int(2, int)]));
        let text = b.op(str, Op::Prim(PrimOp::ArrayGet, vec![row, Atom::Int(0, int)]));
        let other = b.prim(int, PrimOp::StrLen, &[text]);
        let ten = b.prim(int, PrimOp::IntMul, &[len, Atom::Int(10, int)]);
        let popped = b.bind(nested, Op::Prim(PrimOp::ArrayPop, vec![var(rows)]));
        let cut = b.bind(nested, Op::Prim(PrimOp::ArrayTruncate, vec![var(popped), Atom::Int(1, int)]));
        b.stmts.push(Stmt::Drop(cut));
        b.prim(int, PrimOp::IntAdd, &[ten, other])
    });
    b.expect(31);
}

#[test]
fn small_sums_stay_in_registers() {
    let mut b = Builder::new();
    let (int, str, f64) = (b.int, b.str, b.f64);
    let param = b.ty(Type::Param(0));
    let option = b.sum(1, |_, _| vec![vec![], vec![param]]);
    let option_int = b.ty(Type::Adt(option, Box::new([int])));
    let option_str = b.ty(Type::Adt(option, Box::new([str])));
    let option_float = b.ty(Type::Adt(option, Box::new([f64])));
    let f32 = b.prim(Prim::F32);
    let i8 = b.prim(Prim::I8);
    let mixed = b.sum(0, |_, _| vec![vec![int], vec![f64], vec![str, i8], vec![f32]]);
    let mixed = b.ty(Type::Adt(mixed, Box::new([])));
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    let size = b.declare("main.size", int);
    b.define(size, &[mixed], |b, params| {
        let value = params[0];
        let blocks = vec![
            b.block(|b| End::Return(b.op(int, Op::Field { base: var(value), variant: 0, index: 0 }))),
            b.block(|b| {
                let float = b.op(f64, Op::Field { base: var(value), variant: 1, index: 0 });
                End::Return(b.prim(int, PrimOp::Cast, &[float]))
            }),
            b.block(|b| {
                let text = b.bind(str, Op::Field { base: var(value), variant: 2, index: 0 });
                let small = b.op(i8, Op::Field { base: var(value), variant: 2, index: 1 });
                let len = b.prim(int, PrimOp::StrLen, &[var(text)]);
                let small = b.prim(int, PrimOp::Cast, &[small]);
                let sum = b.prim(int, PrimOp::IntAdd, &[len, small]);
                End::Return(sum)
            }),
            b.block(|b| {
                let float = b.op(f32, Op::Field { base: var(value), variant: 3, index: 0 });
                End::Return(b.prim(int, PrimOp::Cast, &[float]))
            }),
        ];
        variants(var(value), blocks)
    });
    let or_zero = b.declare("main.or_zero", int);
    b.define(or_zero, &[option_int], |b, params| {
        let none = b.block(|_| End::Return(Atom::Int(0, int)));
        let some = b.block(|b| End::Return(b.op(int, Op::Field { base: var(params[0]), variant: 1, index: 0 })));
        variants(var(params[0]), vec![none, some])
    });
    b.entry(|b| {
        let mut total = Atom::Int(0, int);
        let text = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(12345, int)]));
        let values = [
            construct(0, &[Atom::Int(7, int)]),
            construct(1, &[Atom::Float(70.5, f64)]),
            construct(2, &[text, Atom::Int(-3, i8)]),
            construct(3, &[Atom::Float(700.25, f32)]),
        ];
        for op in values {
            let value = b.bind(mixed, op);
            b.stmts.push(Stmt::Dup(value));
            let part = b.call(int, size, &[var(value)]);
            b.stmts.push(Stmt::Drop(value));
            b.stmts.push(Stmt::Drop(value));
            total = b.prim(int, PrimOp::IntAdd, &[total, part]);
        }
        // 7 + 70 + 2 + 700
        let text = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(1, int)]));
        for op in [construct(1, &[text]), Op::Copy(Atom::Int(0, option_str))] {
            let value = b.bind(option_str, op);
            b.stmts.push(Stmt::Dup(value));
            let tag = b.op(int, Op::Tag(var(value)));
            b.stmts.push(Stmt::Drop(value));
            b.stmts.push(Stmt::Drop(value));
            total = b.prim(int, PrimOp::IntAdd, &[total, tag]);
        }
        let float = b.bind(option_float, construct(1, &[Atom::Float(1.0, f64)]));
        b.stmts.push(Stmt::Drop(float));
        for op in [construct(1, &[Atom::Int(20, int)]), Op::Copy(Atom::Int(0, option_int))] {
            let value = b.op(option_int, op);
            let part = b.call(int, or_zero, &[value]);
            total = b.prim(int, PrimOp::IntAdd, &[total, part]);
        }
        total
    });
    b.expect(7 + 70 + 2 + 700 + 1 + 20);
}

#[test]
fn cells_hold_changing_values() {
    let mut b = Builder::new();
    let (int, str, unit, bool) = (b.int, b.str, b.unit, b.bool);
    let cell = b.ty(Type::VarCell(str));
    let pair = b.ty(Type::Tuple(Box::new([str, int])));
    let pair_cell = b.ty(Type::VarCell(pair));
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    b.entry(|b| {
        let one = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(1, int)]));
        let two = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(22, int)]));
        let three = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(333, int)]));
        let place = b.bind(cell, Op::Prim(PrimOp::CellNew, vec![one]));
        b.prim(unit, PrimOp::CellSet, &[var(place), two]);
        let taken = b.bind(str, Op::Prim(PrimOp::CellTake, vec![var(place)]));
        let len = b.prim(int, PrimOp::StrLen, &[var(taken)]);
        b.prim(unit, PrimOp::CellSet, &[var(place), three]);
        let now = b.op(str, Op::Prim(PrimOp::CellGet, vec![var(place)]));
        let now = b.prim(int, PrimOp::StrLen, &[now]);
        b.stmts.push(Stmt::Drop(place));
        let both = b.op(pair, construct(0, &[var(taken), Atom::Int(5, int)]));
        let place = b.bind(pair_cell, Op::Prim(PrimOp::CellNew, vec![both]));
        let taken = b.op(pair, Op::Prim(PrimOp::CellTake, vec![var(place)]));
        b.prim(unit, PrimOp::CellSet, &[var(place), taken]);
        let four = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(4444, int)]));
        let other = b.op(pair, construct(0, &[four, Atom::Int(6, int)]));
        b.prim(unit, PrimOp::CellSet, &[var(place), other]);
        let unique = b.prim(bool, PrimOp::IsUnique, &[var(place)]);
        b.stmts.push(Stmt::Drop(place));
        let unique = b.prim(int, PrimOp::IntConvert, &[unique]);
        let sum = b.prim(int, PrimOp::IntAdd, &[len, now]);
        b.prim(int, PrimOp::IntAdd, &[sum, unique])
    });
    b.expect(2 + 3 + 1);
}

#[test]
fn long_fixed_arrays_live_in_cells() {
    let mut b = Builder::new();
    let (int, str) = (b.int, b.str);
    let short = b.ty(Type::FixedArray(int, 3));
    let long = b.ty(Type::FixedArray(str, 200));
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    let at = b.declare("main.at", int);
    b.define(at, &[short, int], |b, params| {
        let changed = b.prim(short, PrimOp::FixedSet, &[var(params[0]), Atom::Int(2, int), Atom::Int(30, int)]);
        End::Return(b.prim(int, PrimOp::FixedGet, &[changed, var(params[1])]))
    });
    b.entry(|b| {
        let items: Vec<Atom> = (0..200).map(|i| b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(i, int)]))).collect();
        let xs = b.bind(long, construct(0, &items));
        b.stmts.push(Stmt::Dup(xs));
        let text = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(123_456, int)]));
        let ys = b.bind(long, Op::Prim(PrimOp::FixedSet, vec![var(xs), Atom::Int(150, int), text]));
        let old = b.op(str, Op::Prim(PrimOp::FixedGet, vec![var(xs), Atom::Int(150, int)]));
        let old = b.prim(int, PrimOp::StrLen, &[old]);
        let new = b.op(str, Op::Prim(PrimOp::FixedGet, vec![var(ys), Atom::Int(150, int)]));
        let new = b.prim(int, PrimOp::StrLen, &[new]);
        b.stmts.push(Stmt::Drop(xs));
        b.stmts.push(Stmt::Drop(ys));
        let small = b.op(short, construct(0, &[Atom::Int(1, int), Atom::Int(2, int), Atom::Int(3, int)]));
        let mut total = b.prim(int, PrimOp::IntAdd, &[old, new]);
        for i in 0..3 {
            let part = b.call(int, at, &[small, Atom::Int(i, int)]);
            total = b.prim(int, PrimOp::IntAdd, &[total, part]);
        }
        total
    });
    b.expect(3 + 6 + 1 + 2 + 30);
}

#[test]
fn globals_are_filled_and_emptied() {
    let mut b = Builder::new();
    let (int, str, unit) = (b.int, b.str, b.unit);
    let global = b.program.globals.push(Global { name: "main.greeting".into(), ty: str });
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    let use_it = b.declare("main.use", int);
    b.define(use_it, &[], |b, _| {
        let text = b.op(str, Op::GlobalGet(global));
        End::Return(b.prim(int, PrimOp::StrLen, &[text]))
    });
    b.entry(|b| {
        let text = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(1234, int)]));
        b.op(unit, Op::GlobalSet(global, text));
        let len = b.call(int, use_it, &[]);
        let text = b.bind(str, Op::GlobalTake(global));
        b.stmts.push(Stmt::Drop(text));
        len
    });
    b.expect(4);
}

/// A C function of scalars.
fn foreign(name: &str, params: &[TypeId], ret: TypeId) -> ForeignFn {
    let value = |ty| CValue { ty, by_value: None };
    let symbol = ForeignSymbol { name: name.into(), library: None, weak: false, span: Span::NONE };
    let signature = CSignature { params: params.iter().copied().map(value).collect(), ret: value(ret) };
    ForeignFn { callee: ForeignCallee::Symbol(symbol), signature, variadic: false }
}

#[test]
fn c_functions_are_called_directly() {
    let mut b = Builder::new();
    let int = b.int;
    let i32 = b.i32;
    let abs = b.program.foreign.push(foreign("abs", &[i32], i32));
    b.entry(|b| {
        let value = b.op(i32, Op::CallForeign(abs, vec![Atom::Int(-42, i32)]));
        b.prim(int, PrimOp::Cast, &[value])
    });
    b.expect(42);
}

#[test]
fn wide_switches() {
    let mut b = Builder::new();
    let int = b.int;
    let choose = b.declare("main.choose", int);
    b.define(choose, &[int], |b, params| {
        let cases = [-5i128, 1, 2, 3, 4, 5, 1000, i128::from(i64::MIN)];
        let cases = cases
            .iter()
            .enumerate()
            .map(|(i, &value)| (Case::Int(value), b.block(|_| End::Return(Atom::Int(i as i128 + 1, int)))))
            .collect();
        let default = Some(Box::new(b.block(|_| End::Return(Atom::Int(100, int)))));
        End::Switch(Switch { scrutinee: var(params[0]), cases, default })
    });
    b.entry(|b| {
        let mut total = Atom::Int(0, int);
        for value in [-5, 1, 5, 1000, 7, i128::from(i64::MIN)] {
            let part = b.call(int, choose, &[Atom::Int(value, int)]);
            total = b.prim(int, PrimOp::IntAdd, &[total, part]);
        }
        total
    });
    b.expect(1 + 2 + 6 + 7 + 100 + 8);
}

/// `fill(xs, ys, n)`: sets the first `n` elements of `xs` to those of `ys` in a loop; consumes `xs`, borrows `ys`.
fn fill(b: &mut Builder, array: TypeId) -> FuncId {
    let (int, bool) = (b.int, b.bool);
    let fill = b.declare("main.fill", array);
    b.define(fill, &[array, array, int], |b, params| {
        let (xs, ys, n) = (var(params[0]), var(params[1]), var(params[2]));
        let head = b.join(&[int, array, array], true, |b, head, params| {
            let (i, xs, ys) = (var(params[0]), var(params[1]), var(params[2]));
            let more = b.prim(bool, PrimOp::Lt, &[i, n]);
            let body = b.block(|b| {
                let value = b.prim(int, PrimOp::ArrayGet, &[ys, i]);
                let xs = b.prim(array, PrimOp::ArraySet, &[xs, i, value]);
                let next = b.prim(int, PrimOp::IntAdd, &[i, Atom::Int(1, int)]);
                End::Jump(head, vec![next, xs, ys])
            });
            let done = b.block(|_| End::Return(xs));
            branch(more, body, done)
        });
        End::Jump(head, vec![Atom::Int(0, int), xs, ys])
    });
    b.program.funcs[fill].modes[1] = Mode::Borrowed;
    fill
}

#[test]
fn loops_update_shared_arrays_in_copies() {
    let mut b = Builder::new();
    let int = b.int;
    let array = b.ty(Type::Array(int));
    let fill = fill(&mut b, array);
    b.entry(|b| {
        let xs = b.bind(array, Op::Array((0..10).map(|i| Atom::Int(i, int)).collect()));
        let ys = b.bind(array, Op::Array((0..10).map(|i| Atom::Int(100 * i, int)).collect()));
        let mut total = Atom::Int(0, int);
        // Shared, then with itself as the source, then unique.
        for (source, copies) in [(ys, true), (xs, true), (ys, false)] {
            if copies {
                b.stmts.push(Stmt::Dup(xs));
            }
            let call = Op::Call(Callee::Func(fill), vec![var(xs), var(source), Atom::Int(10, int)]);
            let zs = b.bind(array, call);
            let nine = b.prim(int, PrimOp::ArrayGet, &[var(zs), Atom::Int(9, int)]);
            total = b.prim(int, PrimOp::IntAdd, &[total, nine]);
            if copies {
                let old = b.prim(int, PrimOp::ArrayGet, &[var(xs), Atom::Int(9, int)]);
                total = b.prim(int, PrimOp::IntAdd, &[total, old]);
            }
            b.stmts.push(Stmt::Drop(zs));
        }
        b.stmts.push(Stmt::Drop(ys));
        total
    });
    b.expect(900 + 9 + 9 + 9 + 900);
}
