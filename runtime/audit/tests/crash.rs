//! Does the program that kills writers find nothing? Here a few times; `examples/crash.rs` says how to let it run for long.

use std::path::PathBuf;
use std::process::Command;

/// Cargo builds the examples of a package beside its tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("the folder of the profile");
    folder.join("examples").join("crash")
}

#[test]
fn nothing_that_was_promised_is_lost() {
    let output = Command::new(program())
        .arg("60")
        .output()
        .expect("the program runs; `cargo test` builds it unless a target is named: `cargo build --example crash`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("60 crashes"));
}
