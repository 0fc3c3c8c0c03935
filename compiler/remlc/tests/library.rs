//! Do the laws hold that the library promises? They are tests in Reml, in `tests/library`, run unoptimised and optimised. Some have cases in
//! folders beside them, or make temporary files; more they may not do.

mod support;

use support::{ALLOW_SCRATCH, remlc, run};

const LAWS: &str = "compiler/remlc/tests/library";
/// Collections that are accounted for look here for what has changed.
const ALLOW_CHANGE_SET: [&str; 2] =
    ["--allow-env=REML_COLLECTIONS_CHANGE_SET_PATH", "--allow-env-write=REML_COLLECTIONS_CHANGE_SET_PATH"];
/// Functions of C that tests call; `libm:sin` is one that they may not call.
const ALLOW_FFI: [&str; 3] = ["--allow-ffi=libc", "--allow-ffi=libm:cos", "--allow-ffi=libno_such_library_anywhere"];

/// Components that are linked to.
const ALLOW_COMPONENTS: &str = "--allow-ffi=wit.demo.laws";

fn laws_hold(flags: &[&str]) {
    let mut command = remlc();
    command
        .arg("test")
        .args(flags)
        .args(ALLOW_SCRATCH)
        .args(ALLOW_CHANGE_SET)
        .args(ALLOW_FFI)
        .arg(ALLOW_COMPONENTS)
        .arg(format!("--allow-read={LAWS}"))
        .arg(LAWS);
    let ran = run(&mut command, "").unwrap();
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
