//! `remlc target` and `remlc build --emit-metadata`: what is shown, and what is said of wrong profiles.

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// remlc, which nobody tells of a target.
fn remlc() -> Command {
    let mut command = support::remlc();
    for variable in ["REML_TARGET_PROFILE_PATH", "REML_TOOLCHAIN_HOME", "REML_TARGET_PROFILE"] {
        command.env_remove(variable);
    }
    command
}

fn target(arguments: &[&str]) -> support::Ran {
    support::run(remlc().arg("target").args(arguments), "").expect("it ends")
}

/// The verification as JSON, with its exit status.
fn verified(command: &mut Command) -> (Option<i32>, Value) {
    let ran = support::run(command.args(["--format", "json"]), "").expect("it ends");
    (ran.exit, serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {}{}", ran.stdout, ran.stderr)))
}

fn result_of<'v>(report: &'v Value, check: &str) -> &'v str {
    let checks = report["checks"].as_array().expect("a report has checks");
    let found = checks.iter().find(|it| it["name"] == check).unwrap_or_else(|| panic!("no check `{check}`: {report}"));
    found["result"].as_str().expect("a result is a text")
}

fn codes(report: &Value) -> Vec<&str> {
    report["diagnostics"].as_array().into_iter().flatten().filter_map(|it| it["code"].as_str()).collect()
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

#[test]
fn the_toolchain_agrees_with_its_machine() {
    let (exit, report) = verified(remlc().args(["toolchain", "verify"]));
    assert_eq!((exit, report["verified"].as_bool(), codes(&report)), (Some(0), Some(true), Vec::new()), "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|it| it["result"] != "failed"), "{report:#}");
    for check in ["compiles", "links", "runs", "calls_c", "program_runtime"] {
        assert_eq!(result_of(&report, check), "passed", "{check}");
    }
    let listed = support::run(remlc().args(["toolchain", "list", "--format", "json"]), "").expect("it ends");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["triple"], report["toolchain"]["triple"]);
}

#[test]
fn another_machine_is_refused_with_what_was_asked_for_and_what_there_is() {
    let (exit, report) = verified(remlc().args(["toolchain", "verify", "wasi-preview2"]));
    assert_eq!((exit, report["verified"].as_bool()), (Some(1), Some(false)));
    assert_eq!(result_of(&report, "triple"), "failed");
    assert_eq!(result_of(&report, "calling_conventions"), "failed");
    assert!(
        codes(&report).contains(&"target.config.mismatch")
            && codes(&report).contains(&"target.config.unsupported_value")
    );
    let first = &report["diagnostics"][0];
    assert_eq!(first["codes"][1], "TARGET03");
    assert_eq!(first["extensions"]["target"]["requested"]["os"], "wasi");
    assert_eq!(first["extensions"]["target"]["detected"]["os"], std::env::consts::OS);
    assert_eq!(first["audit_metadata"]["target.profile_id"], "wasi-preview2");
    let (exit, report) = verified(remlc().args(["toolchain", "verify", "no-such-profile"]));
    assert_eq!((exit, codes(&report)), (Some(1), vec!["target.profile.missing"]));
}

#[test]
fn versions_and_linkers_that_do_not_fit_are_told_apart() {
    let scratch = support::scratch();
    let host = remlc_triple();
    profile(scratch.path(), &format!("[profile]\nid = \"old\"\ntriple = \"{host}\"\nruntime_revision = \"0.0.1\"\n"));
    let (exit, report) =
        verified(remlc().env("REML_TARGET_PROFILE_PATH", scratch.path()).args(["toolchain", "verify", "old"]));
    assert_eq!((exit, codes(&report)), (Some(1), vec!["target.abi.mismatch"]));
    assert_eq!(result_of(&report, "runtime_revision"), "failed");
    assert_eq!(report["diagnostics"][0]["extensions"]["target"]["runtime_revision"]["profile"], "0.0.1");
    let (exit, report) = verified(remlc().env("CC", "false").args(["toolchain", "verify"]));
    assert_eq!((exit, codes(&report)), (Some(1), vec!["build.linker.failed"]));
    assert_eq!((result_of(&report, "links"), result_of(&report, "runs")), ("failed", "skipped"));
}

fn remlc_triple() -> String {
    let listed = support::run(remlc().args(["toolchain", "list", "--format", "json"]), "").expect("it ends");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["triple"].as_str().unwrap().to_owned()
}

#[test]
fn a_verification_can_be_recorded() {
    let scratch = support::scratch();
    let log = scratch.path().join("audit.log");
    let log = log.to_str().unwrap();
    let (exit, _) = verified(remlc().args(["toolchain", "verify", "--audit", log]));
    assert_eq!(exit, Some(0));
    let line: Value = serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    let metadata = &line["envelope"]["metadata"];
    assert_eq!((&metadata["event.kind"], &metadata["toolchain.verified"]), (&"toolchain.verify".into(), &true.into()));
    assert_eq!(result_of(&metadata["event"], "runs"), "passed");
    let checked = support::run(remlc().args(["audit", "verify", log]), "").expect("it ends");
    assert_eq!(checked.exit, Some(0), "{}", checked.stderr);
    let refused = support::run(remlc().args(["toolchain", "verify", "--audit", "/no/such/folder/log"]), "").unwrap();
    assert_eq!(refused.exit, Some(1));
}

#[test]
fn programs_do_not_start_for_another_machine() {
    let scratch = support::scratch();
    let file = scratch.path().join("main.reml");
    std::fs::write(&file, "fn main() = println(\"ran\")\n").unwrap();
    let file = file.to_str().unwrap();
    let checked = support::run(remlc().args(["check", "--target-profile", "wasi-preview2", file]), "").unwrap();
    assert_eq!(checked.exit, Some(0), "{}", checked.stderr);
    let ran = support::run(remlc().args(["run", "--target-profile", "wasi-preview2", file]), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(1), ""));
    assert!(ran.stderr.starts_with("error[target.config.mismatch]"), "{}", ran.stderr);
}

/// What a program finds is the same, however it is run.
#[test]
fn programs_know_what_they_were_compiled_for() {
    let scratch = support::scratch();
    let host = remlc_triple();
    profile(
        scratch.path(),
        &format!("[profile]\nid = \"board\"\ntriple = \"{host}\"\n[profile.extra]\ncolour = \"red\"\n"),
    );
    let source = scratch.path().join("main.reml");
    let text = "use Core.Env\nuse Core.Parse.{RunConfig}\nuse Core.Runtime\n
fn main() {
  let started = Env.infer_target_from_env()
    .and_then(|profile| Env.merge_runtime_target(RunConfig.default(), Env.resolve_run_config_target(profile), Runtime.platform_info()))
  match started with
  | Ok(config) -> println(\"{} {}\", Runtime.platform_info().profile_id, config.extension(\"target\").get(\"extra\").unwrap())
  | Err(error) -> println(\"{error}\")
}
";
    std::fs::write(&source, text).unwrap();
    let source = source.to_str().unwrap();
    let built = scratch.path().join("main");
    let built = built.to_str().unwrap();
    let compile = ["--target-profile", "board", "--cfg", "feature=fast", "--allow-env", source];
    let profiles = |command: &mut Command| {
        command.env("REML_TARGET_PROFILE_PATH", scratch.path()).env("REML_LEAK_CHECK", "1");
    };
    let mut build = remlc();
    profiles(&mut build);
    assert_eq!(support::run(build.arg("build").args(compile).args(["-o", built]), "").unwrap().exit, Some(0));
    let started = |variables: &[(&str, &str)]| {
        let mut outputs = Vec::new();
        for way in [&["run"][..], &["run", "--release"], &[]] {
            let mut command = if way.is_empty() { Command::new(built) } else { remlc() };
            profiles(&mut command);
            if !way.is_empty() {
                command.args(way).args(compile);
            }
            let ran = support::run(command.envs(variables.iter().copied()), "").unwrap();
            assert_eq!(ran.exit, Some(0), "{way:?}: {}", ran.stderr);
            outputs.push(ran.stdout);
        }
        outputs.dedup();
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        outputs.remove(0)
    };
    assert_eq!(started(&[]), "Some(\"board\") {\"colour\":\"red\"}\n");
    assert_eq!(started(&[("REML_TARGET_PROFILE", "board")]), "Some(\"board\") {\"colour\":\"red\"}\n");
    // The environment of an executable is not that of its compiler.
    let elsewhere = |variables: &[(&str, &str)]| {
        let mut command = Command::new(built);
        support::run(command.envs(variables.iter().copied()), "").unwrap().stdout
    };
    assert!(
        elsewhere(&[("REML_TARGET_PROFILE", "wasi-preview2")])
            .starts_with("target.config.mismatch: the system of the target is `wasi`")
    );
    assert!(elsewhere(&[("REML_TARGET_PROFILE", "bord")]).starts_with("target.profile.missing"));
    assert!(elsewhere(&[("REML_TARGET_FEATURES", "slow")]).starts_with("config.feature.mismatch"));
    assert!(elsewhere(&[("REML_TARGET_CAPABILITIES", "clock.hihres")]).starts_with("target.capability.unknown"));
    assert!(elsewhere(&[("REML_TARGET_CAPABILITIES", "ffi.callconv.wasm")]).starts_with("target.config.mismatch"));
    assert!(elsewhere(&[("REML_RUNTIME_REVISION", "0.0.1")]).starts_with("target.abi.mismatch"));
    assert!(elsewhere(&[("REML_TARGET_DIAGNOSTICS", "maybe")]).starts_with("target.config.unsupported_value"));
    assert!(elsewhere(&[("REML_DENY", "--deny-env=REML_TARGET_*")]).starts_with("env.access.failed"));
}

#[test]
fn decisions_about_conditions_are_told_on_demand() {
    let scratch = support::scratch();
    let file = scratch.path().join("main.reml");
    std::fs::write(&file, "@cfg(all(feature = \"a\", target_family = \"wasm\"))\nfn f() = ()\n\nfn main() = f()\n")
        .unwrap();
    let extension = |told: bool| {
        let mut command = remlc();
        command.args(["check", "--format", "json", file.to_str().unwrap()]);
        if told {
            command.env("REML_TARGET_DIAGNOSTICS", "true");
        }
        let ran = support::run(&mut command, "").unwrap();
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["diagnostics"][0]["code"], "unresolved.symbol.cfg");
        found["diagnostics"][0]["extensions"]["cfg"].clone()
    };
    assert_eq!(extension(false), Value::Null);
    let told = extension(true);
    assert_eq!(told["keys"], serde_json::json!(["feature", "target_family"]));
    assert_eq!((&told["evaluated"][0]["line"], &told["evaluated"][0]["holds"]), (&1.into(), &false.into()));
    assert_eq!(told["active"], serde_json::json!([]));
}
