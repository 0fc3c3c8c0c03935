//! Panics: exit status, message with the place in the source, backtrace. And object files.

mod support;

use std::process::Command;

use reml_codegen::{CodegenOptions, RunOptions, emit_asm, emit_clif, jit, object};
use reml_middle::core::*;
use reml_middle::prim::PrimOp;
use reml_semantics::types::Type;
use support::*;

/// `main.outer` (line 5) calls `main.inner`, which indexes out of bounds on line 8.
fn out_of_bounds() -> Builder {
    let mut b = Builder::new();
    let int = b.int;
    let array = b.ty(Type::Array(int));
    let inner = b.declare("main.inner", int);
    b.define(inner, &[array], |b, params| {
        b.line = 8;
        let value = b.prim(int, PrimOp::ArrayGet, &[var(params[0]), Atom::Int(3, int)]);
        End::Return(b.prim(int, PrimOp::IntAdd, &[value, Atom::Int(1, int)]))
    });
    let outer = b.declare("main.outer", int);
    b.define(outer, &[array], |b, params| {
        b.line = 5;
        let value = b.call(int, inner, &[var(params[0])]);
        End::Return(b.prim(int, PrimOp::IntMul, &[value, Atom::Int(2, int)]))
    });
    b.entry(|b| {
        let xs = b.op(array, Op::Array(vec![Atom::Int(1, int), Atom::Int(2, int), Atom::Int(3, int)]));
        b.call(int, outer, &[xs])
    });
    b
}

/// Calls itself without end, not in tail position, with a frame of some size.
fn endless() -> Builder {
    let mut b = Builder::new();
    let int = b.int;
    let deeper = b.declare("main.deeper", int);
    b.define(deeper, &[int], |b, params| {
        b.line = 3;
        let value = b.call(int, deeper, &[var(params[0])]);
        End::Return(b.prim(int, PrimOp::WrappingAdd, &[value, var(params[0])]))
    });
    b.entry(|b| b.call(int, deeper, &[Atom::Int(1, int)]));
    b
}

/// Panics with one closure deferred and another no longer so; the first prints `len(text)`.
fn deferred() -> Builder {
    let mut b = Builder::new();
    let (int, str, unit) = (b.int, b.str, b.unit);
    let fn_type = b.ty(Type::Fn { params: Box::new([]), ret: unit });
    let to_str = b.runtime("reml_int_to_str", &[(int, Mode::Owned)], str);
    let print = b.runtime("reml_stderr_write", &[(str, Mode::Borrowed)], unit);
    let cleanup = b.declare("main.<defer>", unit);
    b.define(cleanup, &[str], |b, params| {
        b.op(unit, Op::CallRuntime(print, vec![var(params[0])]));
        End::Return(Atom::Unit)
    });
    b.program.funcs[cleanup].captures = 1;
    let message = b.string("it went wrong");
    b.entry(|b| {
        for number in [111, 222] {
            let text = b.op(str, Op::CallRuntime(to_str, vec![Atom::Int(number, int)]));
            let closure = b.op(fn_type, Op::Closure(cleanup, vec![text]));
            b.prim(unit, PrimOp::DeferPush, &[closure]);
        }
        b.prim(unit, PrimOp::DeferPop, &[]);
        b.prim(unit, PrimOp::Panic, &[message]);
        Atom::Int(0, int)
    });
    b
}

/// Runs a program when the tests below start this executable again; otherwise does nothing.
#[test]
fn child() {
    let Ok(program) = std::env::var("REML_TEST_CHILD") else { return };
    let options = CodegenOptions { release: program.ends_with("release"), ..CodegenOptions::default() };
    let b = match program.split(' ').next() {
        Some("bounds") => out_of_bounds(),
        Some("endless") => endless(),
        _ => deferred(),
    };
    let loaded = jit::load(&b.program, &sources(), &options).expect("it compiles");
    let outcome = loaded.run_with(&[], &RunOptions { stack_size: Some(4 << 20), ..RunOptions::default() });
    std::process::exit(outcome.exit_code);
}

/// Runs a program in both modes in a process of its own. It must end with status 101 and print these parts.
fn expect_panic(program: &str, parts: &[&str]) {
    for mode in ["debug", "release"] {
        let executable = std::env::current_exe().expect("it is running");
        let output = Command::new(executable)
            .args(["--exact", "child", "--nocapture"])
            .env("REML_TEST_CHILD", format!("{program} {mode}"))
            .output()
            .expect("it can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "`{part}` is missing ({mode}):\n{stderr}");
        }
    }
}

#[test]
fn a_panic_says_where_and_how_it_got_there() {
    expect_panic("bounds", &["index", "test.reml:8:1", "main.inner", "main.outer", "test.reml:5:1"]);
}

#[test]
fn a_full_stack_is_a_panic() {
    expect_panic("endless", &["stack_overflow", "main.deeper", "test.reml:3:1"]);
}

#[test]
fn deferred_closures_run_on_the_way_out() {
    expect_panic("deferred", &["it went wrong", "111"]);
}

#[test]
fn object_files_are_the_same_every_time() {
    let b = out_of_bounds();
    for release in [false, true] {
        let options = CodegenOptions { release, ..CodegenOptions::default() };
        let emit = || object::emit(&b.program, &sources(), &options).expect("it compiles");
        let (first, second) = (emit(), emit());
        assert_eq!(first.bytes, second.bytes);
        assert_eq!(first.code, second.code);
        assert!(first.bytes.starts_with(b"\x7fELF") || cfg!(not(target_os = "linux")));
    }
}

#[test]
fn listings_name_every_function() {
    let b = out_of_bounds();
    let options = CodegenOptions::default();
    for text in [emit_clif(&b.program, &options), emit_asm(&b.program, &options)] {
        let text = text.expect("it compiles");
        assert!(text.contains("; main.inner\n") && text.contains("; main.outer\n"), "{text}");
    }
}
