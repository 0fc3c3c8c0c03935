//! What does `remlc reload` do to a state, what does it say, and what is left when it is killed?
//!
//! What is printed is compared with `transcripts/NAME.txt`, in which identities and times are not shown.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use reml_audit::Entry;
use serde_json::{Value, json};
use support::{remlc, run, scratch};

const SCHEMA: &str = r#"{ "properties": {
  "server": { "properties": { "port": { "type": "integer", "maximum": 65535 }, "host": { "type": "string" } }, "required": ["port"] },
  "limit": { "type": ["integer", "null"] }
} }"#;

const BRIDGE: &str = r#"[project]
name = "shop"
version = "0.1.0"

[bridge."shop.config"]
required_capabilities = ["io.fs.read"]
required_effects = ["io"]

[bridge."shop.config".audit]
mandatory_events = ["bridge.smoke_test"]

[bridge."shop.config".reload]
rollback = "required"

[bridge."shop.feed"]
stage = "stable"
required_effects = ["audit"]

[bridge."shop.feed".reload]
rollback = "unsupported"
"#;

fn values() -> Value {
    json!({ "server": { "port": 80, "host": "shop.example" }, "limit": 10, "tags": ["a", "b"] })
}

/// A state in `state.json`, and the values that it has in `old.json`.
fn folder(members: Value) -> tempfile::TempDir {
    let folder = scratch();
    let mut state = json!({ "format": "reml.state.v1" });
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let rest = json!({ "schema": schema, "values": values() });
    for members in [members, rest] {
        state.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    }
    fs::write(folder.path().join("state.json"), format!("{state:#}\n")).unwrap();
    fs::write(folder.path().join("old.json"), values().to_string()).unwrap();
    folder
}

/// Writes the difference that leads from the values at the beginning to those that `change` makes of them.
fn diff(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let mut next = values();
    change(&mut next);
    fs::write(folder.join("next.json"), next.to_string()).unwrap();
    let args = ["config", "diff", "old.json", "next.json", "--format", "json"];
    let ran = run(remlc().args(args).current_dir(folder), "").unwrap();
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    fs::write(folder.join(name), ran.stdout).unwrap();
}

fn reload(folder: &Path, args: &[&str]) -> support::Ran {
    run(remlc().arg("reload").args(args).current_dir(folder).env_remove("REML_AUDIT"), "").unwrap()
}

fn result(ran: &support::Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|problem| panic!("{problem}: {}{}", ran.stdout, ran.stderr))
}

/// Without identities and times.
fn steady(text: &str) -> String {
    let is_id = |text: &str| {
        text.len() == 36
            && text
                .bytes()
                .enumerate()
                .all(|(at, it)| if matches!(at, 8 | 13 | 18 | 23) { it == b'-' } else { it.is_ascii_hexdigit() })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.get(..36).is_some_and(is_id) {
            out.push_str("ID");
            rest = &rest[36..];
        } else if rest.get(..2) == Some("20")
            && rest.as_bytes().get(10) == Some(&b'T')
            && rest.as_bytes().get(4) == Some(&b'-')
        {
            out.push_str("TIME");
            rest = &rest[rest.find('Z').map_or(rest.len(), |at| at + 1)..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn transcript(name: &str, folder: &Path, commands: &[&str]) {
    support::transcript(name, folder, commands, steady);
}

#[test]
fn a_state_is_reloaded_and_rolled_back() {
    let folder = folder(json!({}));
    let path = folder.path().join("state.json");
    let before = fs::read(&path).unwrap();
    diff(folder.path(), "diff.json", |it| {
        it["server"]["port"] = json!(8080);
        it["limit"] = Value::Null;
        it["tags"] = json!(["a", "b", "c"]);
    });
    transcript(
        "reload",
        folder.path(),
        &[
            "reload state.json diff.json --dry-run --format human",
            "reload state.json --rollback --format human",
            "reload state.json diff.json --format human",
            "reload state.json diff.json --format human",
            "reload state.json --rollback --dry-run --format human",
            "reload state.json --rollback --audit back.log",
            "audit show back.log",
        ],
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_would_do_harm_is_refused_and_changes_nothing() {
    let folder = folder(json!({}));
    let path = folder.path().join("state.json");
    let before = fs::read(&path).unwrap();
    let write = |name: &str, change: fn(&mut Value)| diff(folder.path(), name, change);
    write("required.json", |it| *it = json!({ "server": { "host": "shop.example" } }));
    write("retyped.json", |it| {
        it["server"]["port"] = json!("80");
        it["tags"] = json!("a");
    });
    write("large.json", |it| it["server"]["port"] = json!(70000));
    write("empty.json", |_| {});
    transcript(
        "reload_refused",
        folder.path(),
        &[
            "reload state.json required.json --format human",
            "reload state.json retyped.json --format human",
            "reload state.json large.json",
            "reload state.json empty.json --format human",
        ],
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn bad_files_are_told_apart() {
    let folder = folder(json!({}));
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    fs::create_dir(folder.path().join("folder")).unwrap();
    write("text", b"hello\n");
    write("binary", b"\x7fELF\xff\xfe");
    write("empty", b"");
    write("list.json", b"[]");
    write("other.json", b"{ \"format\": \"reml.state.v9\", \"values\": {} }");
    write(
        "shape.json",
        b"{\n  \"format\": \"reml.state.v1\",\n  \"histroy\": [],\n  \"run_id\": 7,\n  \"values\": {}\n}\n",
    );
    write(
        "digits.json",
        b"{\n  \"format\": \"reml.state.v1\",\n  \"values\": { \"n\": 123456789012345678901234567890 }\n}\n",
    );
    write(
        "schema.json",
        b"{\n  \"format\": \"reml.state.v1\",\n  \"schema\": { \"type\": \"integr\" },\n  \"values\": {}\n}\n",
    );
    write("failed.json", b"{ \"command\": \"config.diff\", \"diagnostics\": [], \"exit_code\": 1 }");
    write("format.json", b"{ \"change_set\": { \"kind\": \"text.diff\", \"items\": [] } }");
    let reviewed = fs::read_to_string(folder.path().join("diff.json")).unwrap();
    let (change_set, schema_diff) = reviewed.split_once("\"schema_diff\"").unwrap();
    write("forged.json", format!("{}\"schema_diff\"{schema_diff}", change_set.replace("11", "12")).as_bytes());
    let mut commands = Vec::new();
    for state in [
        "missing",
        "folder",
        "text",
        "binary",
        "empty",
        "list.json",
        "other.json",
        "shape.json",
        "digits.json",
        "schema.json",
    ] {
        commands.push(format!("reload {state} diff.json --format human"));
    }
    for diff in ["missing", "folder", "text", "binary", "list.json", "failed.json", "format.json", "forged.json"] {
        commands.push(format!("reload state.json {diff} --format human"));
    }
    for rest in [
        "state.json",
        "state.json diff.json --rollback",
        "state.json diff.json --bridge shop",
        "state.json diff.json --manifest no.toml",
    ] {
        commands.push(format!("reload {rest} --format human"));
    }
    transcript("reload_bad_files", folder.path(), &commands.iter().map(String::as_str).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = folder(json!({}));
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    let path = std::ffi::CString::new(folder.path().join("pipe").display().to_string()).unwrap();
    // SAFETY: the path ends in a zero.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let ran = reload(folder.path(), &["pipe", "diff.json"]);
    assert_eq!((ran.exit, &result(&ran)["diagnostics"][0]["code"]), (Some(1), &json!("config.manifest.io_error")));
}

#[test]
fn bridges_are_listed_and_used() {
    let folder = folder(json!({ "bridge": "shop.config" }));
    fs::write(folder.path().join("reml.toml"), BRIDGE).unwrap();
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    diff(folder.path(), "gone.json", |it| _ = it.as_object_mut().unwrap().remove("limit"));
    transcript(
        "bridge",
        folder.path(),
        &[
            "bridge list",
            "bridge describe shop.config",
            "bridge describe shop.feed --format json",
            "bridge describe shop.confg",
            "reload state.json diff.json --bridge shop.feed --format human",
            "reload state.json diff.json --format human",
            "reload state.json gone.json --format human --audit run.log",
            "audit query run.log --kind bridge.* --format human",
        ],
    );
}

#[test]
fn a_bridge_without_a_way_back_has_none() {
    let folder = folder(json!({ "bridge": "shop.feed" }));
    fs::write(folder.path().join("reml.toml"), BRIDGE).unwrap();
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    assert_eq!(reload(folder.path(), &["state.json", "diff.json", "--audit", "run.log"]).exit, Some(0));
    let ran = reload(folder.path(), &["state.json", "--rollback"]);
    assert_eq!((ran.exit, &result(&ran)["diagnostics"][0]["code"]), (Some(1), &json!("bridge.reload.unsupported")));
}

/// The kinds of the events in a log, with the status of reloads.
fn story(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    let events = text.lines().map(|line| Entry::parse(line.as_bytes()).unwrap().event);
    let told = events.map(|event| {
        let status = event.metadata.get("bridge.reload").and_then(Value::as_str).unwrap_or_default();
        format!("{} {status}", event.kind).trim_end().to_owned()
    });
    told.collect()
}

#[test]
fn everything_is_on_record_under_one_audit_id() {
    let folder = folder(json!({ "bridge": "shop.config" }));
    fs::write(folder.path().join("reml.toml"), BRIDGE).unwrap();
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    let ran = reload(folder.path(), &["state.json", "diff.json", "--audit", "run.log"]);
    let told = result(&ran);
    assert_eq!((ran.exit, &told["result"]["status"]), (Some(0), &json!("applied")), "{}", ran.stderr);
    assert_eq!(told["diagnostics"][0]["code"], "bridge.stage.experimental");
    let line: Value = serde_json::from_str(ran.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((&line["event"], &line["audit_id"]), (&json!("reml.reload"), &told["result"]["audit_id"]));
    assert_eq!(line["change_set"]["items"][0]["key"], "limit");
    let log = folder.path().join("run.log");
    assert_eq!(
        story(&log),
        [
            "capability_check",
            "capability_check",
            "bridge.stage",
            "bridge_stage_verified",
            "bridge.reload pending",
            "parser.reload",
            "bridge.smoke_test",
            "bridge.reload applied",
            "reml.reload"
        ]
    );
    let text = fs::read_to_string(&log).unwrap();
    for line in text.lines().filter(|line| line.contains("reload\"") && line.contains("\"audit_id\":\"")) {
        let event = Entry::parse(line.as_bytes()).unwrap().event;
        if let Some(id) = event.metadata.get("audit_id") {
            assert_eq!(*id, told["result"]["audit_id"], "{line}");
        }
    }
    let state: Value = serde_json::from_slice(&fs::read(folder.path().join("state.json")).unwrap()).unwrap();
    assert_eq!(state["history"][0]["audit_id"], told["result"]["audit_id"]);
    assert_eq!(state["run_id"], told["result"]["run_id"]);
    // Without a file, events go to standard error, and standard output stays JSON.
    let ran = reload(folder.path(), &["state.json", "--rollback", "--audit"]);
    assert_eq!(result(&ran)["result"]["status"], "rolled_back");
    assert!(ran.stderr.contains("\"bridge.rollback\""), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_recorded_or_written_is_not_done() {
    let folder = folder(json!({ "bridge": "shop.config" }));
    let path = folder.path().join("state.json");
    fs::write(folder.path().join("reml.toml"), BRIDGE).unwrap();
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    let before = fs::read(&path).unwrap();
    let code = |args: &[&str]| {
        let ran = reload(folder.path(), args);
        assert_eq!(ran.exit, Some(1), "{}", ran.stdout);
        assert_eq!(fs::read(&path).unwrap(), before);
        result(&ran)["diagnostics"].as_array().unwrap().last().unwrap()["code"].clone()
    };
    assert_eq!(code(&["state.json", "diff.json"]), "bridge.audit.missing_event");
    assert_eq!(code(&["state.json", "diff.json", "--audit", "no/run.log"]), "bridge.audit.missing_event");
    // A folder in the place of a file that is written stands for a disk that does not take it.
    fs::create_dir_all(folder.path().join("state.json.1/taken")).unwrap();
    assert_eq!(code(&["state.json", "diff.json", "--audit", "run.log"]), "bridge.reload.failed");
    fs::remove_dir_all(folder.path().join("state.json.1")).unwrap();
    fs::create_dir_all(folder.path().join("state.json.new/taken")).unwrap();
    assert_eq!(code(&["state.json", "diff.json", "--audit", "run.log"]), "bridge.reload.failed");
    assert_eq!(
        story(&folder.path().join("run.log"))[..].iter().rev().take(2).rev().collect::<Vec<_>>(),
        ["bridge.rollback rolled_back", "reml.reload"]
    );
}

#[test]
fn two_reloads_at_once_take_turns() {
    let folder = folder(json!({}));
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    let start = || {
        let mut command = remlc();
        command.args(["reload", "state.json", "diff.json"]).current_dir(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..6).map(|_| start()).collect();
    let ended: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    // One has applied it; for the others it is the difference of another state by then.
    assert_eq!(ended.iter().filter(|it| it.status.success()).count(), 1);
    for output in ended.iter().filter(|it| !it.status.success()) {
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["diagnostics"][0]["code"], "bridge.diff.invalid");
    }
    let state: Value = serde_json::from_slice(&fs::read(folder.path().join("state.json")).unwrap()).unwrap();
    assert_eq!((&state["values"]["limit"], state["history"].as_array().unwrap().len()), (&json!(11), 1));
}

#[test]
fn a_reload_that_is_killed_leaves_the_old_state_or_the_new() {
    let folder = folder(json!({}));
    let path = folder.path().join("state.json");
    // Large, so that writing takes a while.
    let filler: Vec<String> = (0..20_000).map(|number| format!("value {number}")).collect();
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    state["values"]["filler"] = json!(filler);
    let before = format!("{state:#}\n");
    diff(folder.path(), "diff.json", |it| it["limit"] = json!(11));
    let command = || {
        let mut command = remlc();
        command.args(["reload", "state.json", "diff.json"]).current_dir(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    fs::write(&path, &before).unwrap();
    let whole = Instant::now();
    assert!(command().status().unwrap().success());
    let whole = whole.elapsed();
    let (mut old, mut new) = (0, 0);
    for round in 0..40u32 {
        fs::write(&path, &before).unwrap();
        let mut child = command().spawn().unwrap();
        std::thread::sleep(whole * round / 36);
        child.kill().unwrap();
        child.wait().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let now: Value = serde_json::from_str(&text).unwrap();
        if text == before {
            old += 1;
        } else {
            assert_eq!(now["values"]["limit"], 11);
            assert_eq!(now["values"]["filler"].as_array().unwrap().len(), filler.len());
            new += 1;
        }
        // Whatever was left, the next one works, and leads back.
        if text == before {
            assert!(command().status().unwrap().success());
        }
        assert_eq!(reload(folder.path(), &["state.json", "--rollback"]).exit, Some(0));
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
    assert!(old > 0 && new > 0, "{old} {new} {whole:?}");
}
