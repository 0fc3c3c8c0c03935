//! Panics: exit status, message with the place in the source, backtrace. And object files.

mod support;

use std::process::Command;

use reml_codegen::{CodegenOptions, emit_asm, emit_clif, jit, object};
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

/// Runs the program when the tests below start this executable again; otherwise does nothing.
#[test]
fn child() {
    let Ok(mode) = std::env::var("REML_TEST_CHILD") else { return };
    let options = CodegenOptions { release: mode == "release", ..CodegenOptions::default() };
    let outcome = jit::run(&out_of_bounds().program, &sources(), &options, &[]).expect("it compiles");
    std::process::exit(outcome.exit_code);
}

#[test]
fn a_panic_says_where_and_how_it_got_there() {
    for mode in ["debug", "release"] {
        let executable = std::env::current_exe().expect("it is running");
        let output = Command::new(executable)
            .args(["--exact", "child", "--nocapture"])
            .env("REML_TEST_CHILD", mode)
            .output()
            .expect("it can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "{stderr}");
        for part in ["index", "test.reml:8:1", "main.inner", "main.outer", "test.reml:5:1"] {
            assert!(stderr.contains(part), "`{part}` is missing ({mode}):\n{stderr}");
        }
    }
}

#[test]
fn object_files_are_the_same_every_time() {
    let b = out_of_bounds();
    for release in [false, true] {
        let options = CodegenOptions { release, ..CodegenOptions::default() };
        let first = object::emit(&b.program, &sources(), &options).expect("it compiles");
        let second = object::emit(&b.program, &sources(), &options).expect("it compiles");
        assert_eq!(first, second);
        assert!(first.starts_with(b"\x7fELF") || cfg!(not(target_os = "linux")));
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
