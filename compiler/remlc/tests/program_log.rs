//! What does a program get into the log of its run? What it says, marked as such, in one chain with what the gate has decided; whatever way it tries and however it ends.

mod support;

use std::path::Path;
use std::process::Command;

use reml_audit::Value;
use reml_audit::verify::{VerifyOptions, verify};
use support::{Ran, remlc, scratch};

/// A program in all ways in which it can be run, with a log each time: what became of the first run, and the metadata of its events. The logs agree.
fn logged(program: &str, flags: &[&str]) -> (Ran, Vec<Value>) {
    let folder = scratch();
    let here = folder.path();
    std::fs::write(here.join("main.reml"), program).expect("it can be written");
    let run = |log: &str, mode: &[&str]| {
        let mut command = remlc();
        command.current_dir(here).args(["run", "-q", "--audit", log]).args(mode).args(flags).arg("main.reml");
        support::run(&mut command, "").expect("it runs")
    };
    let (debug, release) = (run("debug", &[]), run("release", &["--release"]));
    let mut build = remlc();
    build.current_dir(here).args(["build", "-q", "main.reml", "-o", "program"]).args(flags);
    assert_eq!(support::run(&mut build, "").expect("it runs").exit, Some(0));
    let mut command = Command::new(here.join("program"));
    command.current_dir(here).env("REML_AUDIT", "built").env("REML_LEAK_CHECK", "1");
    let executed = support::run(&mut command, "").expect("it runs");
    assert_eq!((&debug.stdout, debug.exit), (&release.stdout, release.exit));
    assert_eq!((&debug.stdout, debug.exit), (&executed.stdout, executed.exit));
    let [debug_log, release_log, built_log] = ["debug", "release", "built"].map(|log| metadata(&here.join(log)));
    let kinds = |log: &[Value]| log.iter().map(|event| event["event.kind"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&debug_log), kinds(&release_log));
    assert_eq!(kinds(&debug_log), kinds(&built_log));
    (debug, debug_log)
}

/// The metadata of the events of a log, which is intact and closed.
fn metadata(log: &Path) -> Vec<Value> {
    let verified = verify(log, &VerifyOptions::default()).expect("there is a log");
    assert!(verified.is_intact(), "{}", log.display());
    let text = std::fs::read_to_string(log).expect("it is text");
    let events = text.lines().map(|line| {
        let line: Value = line.parse().expect("it is JSON");
        line["envelope"]["metadata"].clone()
    });
    events.filter(support::audit::is_of_run).collect()
}

#[test]
fn events_and_decisions_are_in_one_chain_in_order() {
    let (ran, events) = logged(
        r#"
use Core.Audit as audit

fn main() {
  let _ = audit.log("shop.opened", { "city": "Basel" })
  let _ = IO.read_file("/etc/passwd")
  let _ = audit.log("shop.closed", 7)
  println("{:?}", audit.flush())
}
"#,
        &[],
    );
    assert_eq!(ran.stdout, "Ok(())\n");
    let kinds: Vec<&str> = events.iter().map(|event| event["event.kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["shop.opened", "gate.decision", "shop.closed"]);
    assert_eq!(events[0]["event"]["city"], "Basel");
    assert_eq!(events[1]["gate.decision"], "denied");
    let channels: Vec<&Value> = events.iter().map(|event| &event["audit.channel"]).collect();
    assert_eq!(channels, [&Value::from("program"), &Value::Null, &Value::from("program")]);
}

#[test]
fn there_is_no_way_around_the_library() {
    let directory = scratch();
    let program =
        "use Core.Rt\n\nfn main() = println(Rt.audit_log(\"gate.decision\", \"\", \"{}\", \"\", \"\", \"\"))\n";
    std::fs::write(directory.path().join("main.reml"), program).expect("the folder is there");
    let ran = support::run(remlc().current_dir(directory.path()).args(["run", "main.reml"]), "").expect("it starts");
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("`audit_log` is for the standard library only"), "{}", ran.stderr);
}

#[test]
fn what_is_too_long_is_an_error_and_the_program_goes_on() {
    let (ran, events) = logged(
        r#"
use Core.Audit as audit

fn main() {
  println(match audit.log("x", "a".repeat(100000000)) with
    | Ok(_) -> "taken"
    | Err(error) -> format("{:?} {}", error.kind, error.message.contains("is longer than")))
  println("{:?}", audit.log("y", 1))
}
"#,
        &[],
    );
    assert_eq!(ran.stdout, "Encoding true\nOk(())\n");
    assert_eq!(events.len(), 1);
}

#[test]
fn what_was_logged_before_the_end_is_there_however_it_came() {
    for (end, exit) in [("panic(\"gone\")", 101), ("exit(3)", 3), ("ignore(1 / zero())", 101)] {
        let program = format!(
            "use Core.Audit as audit\nuse Core.Process.{{exit}}\n\nfn zero() -> Int = 0\n\nfn main() {{\n  \
             defer ignore(audit.log(\"deferred\", 2))\n  let _ = audit.log(\"first\", 1)\n  {end}\n}}\n"
        );
        let (ran, events) = logged(&program, &[]);
        assert_eq!(ran.exit, Some(exit), "{end}: {}", ran.stderr);
        assert_eq!(events[0]["event.kind"], "first", "{end}");
    }
}

#[test]
fn checks_of_capabilities_and_policies_are_recorded() {
    let (ran, events) = logged(
        r#"
use Core.Capability.{AtLeast, CapabilityRegistry, SecurityPolicy, Stable}

fn main() {
  let _ = CapabilityRegistry.verify_capability_stage("process", AtLeast(Stable), ["process"])
  let security = CapabilityRegistry.get("security").unwrap().as_security().unwrap()
  println("{}", security.enforce({ ..SecurityPolicy.new().add_allowed_root("."), name: "mine" }).is_ok())
  println("{:?}", IO.read_file("/etc/hostname").map_err(|error| error.kind).is_err())
  let _ = security.audit_violation("a plugin asks for the keys", Some("core.env.read"))
  let _ = CapabilityRegistry.unregister("metrics.emit")
}
"#,
        &["--allow-read"],
    );
    assert_eq!(ran.stdout, "true\ntrue\n");
    let kinds: Vec<&str> = events.iter().map(|event| event["event.kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "capability_check",
            "capability_check",
            "security.policy_enforced",
            "gate.decision",
            "security.violation",
            "plugin.revoke",
        ]
    );
    assert_eq!(events[0]["capability.result"], "error");
    assert_eq!(events[0]["effect.stage.actual"], "experimental");
    assert_eq!(events[2]["security.policy"], "mine");
    assert_eq!(events[3]["gate.decision"], "denied");
    assert_eq!(events[4]["security.tripped_capability"], "core.env.read");
    assert!(events.iter().all(|event| event.get("audit.channel").is_none()));
}
