//! `remlc target` and `remlc build --emit-metadata`: what is shown, and what is said of wrong profiles.

mod support;

use std::path::Path;

fn target(arguments: &[&str]) -> support::Ran {
    let mut command = support::remlc();
    for variable in ["REML_TARGET_PROFILE_PATH", "REML_TOOLCHAIN_HOME", "REML_TARGET_PROFILE"] {
        command.env_remove(variable);
    }
    support::run(command.arg("target").args(arguments), "").expect("it ends")
}

fn profile(directory: &Path, text: &str) -> String {
    let file = directory.join("board.toml");
    std::fs::write(&file, text).expect("the scratch directory is writable");
    file.display().to_string()
}

#[test]
fn a_target_has_the_capabilities_of_its_system() {
    let shown = target(&["show", "wasi-preview2"]);
    assert_eq!(shown.exit, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("ffi.callconv.wasm") && !shown.stdout.contains("process.job_control"));
    let unknown = target(&["show", "wasi-preview"]);
    assert_eq!(unknown.exit, Some(1));
    assert!(unknown.stderr.contains("did you mean `wasi-preview2`?"), "{}", unknown.stderr);
    assert!(target(&["list"]).stdout.contains("macos-arm64      aarch64-apple-darwin       comes with remlc\n"));
}

#[test]
fn wrong_profiles_are_refused() {
    let scratch = support::scratch();
    let codes = |text: &str| {
        let ran = target(&["validate", &profile(scratch.path(), text)]);
        let codes: Vec<_> = ran.stderr.split("error[").skip(1).filter_map(|it| it.split(']').next()).collect();
        (ran.exit, codes.join(" "))
    };
    let fine = "[profile]\nid = \"board\"\ntriple = \"aarch64-acme-none\"\n";
    assert_eq!(codes(fine), (Some(0), String::new()));
    let wrong = |text: &str, code: &str| assert_eq!(codes(text), (Some(1), code.to_owned()), "{text}");
    wrong("[profile", "target.profile.invalid");
    wrong("x = 1\n", "target.profile.invalid");
    wrong("[profile]\n", "target.profile.invalid target.profile.invalid");
    wrong(&format!("{fine}colour = \"red\"\n"), "target.config.unknown_key");
    wrong(&format!("{fine}capabilities = [\"clock.high\"]\n"), "target.capability.unknown");
    wrong(&format!("{fine}stdlib_version = \"99.0.0\"\n"), "target.abi.mismatch");
    wrong("[profile]\nid = \"b\"\ntriple = \"z80\"\n", "target.config.unsupported_value");
    assert_eq!(target(&["validate", "/no/such.toml"]).exit, Some(1));
}
