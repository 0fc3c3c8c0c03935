//! Foreign functions: what can be passed on which target.

use super::check_with;
use crate::CheckOptions;
use expect_test::{Expect, expect};

/// What is reported of a program for a target.
fn on(arch: &str, os: &str, text: &str, expected: Expect) {
    let mut options = CheckOptions::default();
    options.target.values.insert("target_arch".to_owned(), arch.to_owned());
    options.target.values.insert("target_os".to_owned(), os.to_owned());
    check_with(options, text, expected);
}

const PASSED: &str = "@repr(C)
struct Pair { a: i32, b: f64 }
type Two = new Pair
type Id = new i64
extern \"C\" {
  fn take(pair: Pair, id: Id);
  fn give() -> Two;
  fn look(pair: &Pair, other: &mut Two) -> Id;
  fn count(n: i32, ...) -> i32;
}
fn main() = ()";

#[test]
fn what_would_be_passed_wrongly_is_refused() {
    on("x86_64", "linux", PASSED, expect![""]);
    on("x86_64", "macos", PASSED, expect![""]);
    on(
        "x86_64",
        "windows",
        PASSED,
        expect![[r#"
        6:11 [ffi.contract.unsupported_abi] `take` has a struct by value, which cannot be passed by `msvc`
        7:6 [ffi.contract.unsupported_abi] `give` has a struct as its result, which cannot be passed by `msvc`
        9:6 [ffi.contract.unsupported_abi] `count` has any number of arguments, which cannot be passed by `msvc`
    "#]],
    );
    on(
        "aarch64",
        "linux",
        PASSED,
        expect![[r#"
        6:11 [ffi.contract.unsupported_abi] `take` has a struct by value, which cannot be passed by `aapcs64`
        7:6 [ffi.contract.unsupported_abi] `give` has a struct as its result, which cannot be passed by `aapcs64`
    "#]],
    );
    on(
        "aarch64",
        "macos",
        PASSED,
        expect![[r#"
        6:11 [ffi.contract.unsupported_abi] `take` has a struct by value, which cannot be passed by `darwin_aapcs64`
        7:6 [ffi.contract.unsupported_abi] `give` has a struct as its result, which cannot be passed by `darwin_aapcs64`
        9:6 [ffi.contract.unsupported_abi] `count` has any number of arguments, which cannot be passed by `darwin_aapcs64`
    "#]],
    );
}
