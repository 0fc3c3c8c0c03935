//! Do the laws hold that the library promises? They are tests in Reml, in `tests/library`, run unoptimised and optimised.

mod support;

use support::{remlc, run};

fn laws_hold(flags: &[&str]) {
    let ran = run(remlc().arg("test").args(flags).arg("compiler/remlc/tests/library"), "").unwrap();
    assert_eq!(ran.exit, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("test result: ok"), "{}", ran.stdout);
}

#[test]
fn laws_hold_unoptimised() {
    laws_hold(&[]);
}

#[test]
fn laws_hold_optimised() {
    laws_hold(&["--release"]);
}
