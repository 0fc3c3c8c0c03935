//! What do `remlc audit` and `remlc capability` print, and with which status do they end?
//!
//! Each test is a list of commands in a folder of its own; what they print is compared with `transcripts/NAME.txt`.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use reml_audit::log::{Log, LogOptions};
use reml_audit::{Event, EventKind, Sink, Uuid};
use support::{remlc, run, scratch};

fn transcript(name: &str, folder: &Path, commands: &[&str]) {
    support::transcript(name, folder, commands, |text| text.to_owned());
}

/// A log with a time and an identity for each event that are the same in every run, and so the same hashes.
fn log(path: &Path, events: impl IntoIterator<Item = Event>) {
    let log = Log::open(path, LogOptions::default()).unwrap();
    for (number, event) in events.into_iter().enumerate() {
        let time = format!("2025-07-01T10:00:{:02}.5Z", number % 60).parse().unwrap();
        log.log(&event.at(time).audit_id(Uuid::from_u128(number as u128))).unwrap();
    }
    log.close().unwrap();
}

fn decision(decision: &str, power: &str, capability: &str, subject: &str) -> Event {
    let event = Event::new(EventKind::GateDecision)
        .capability(capability)
        .with("gate.decision", decision)
        .with("gate.power", power)
        .with("gate.subject", subject)
        .with("gate.function", "app.load")
        .with("gate.file", "src/app.reml")
        .with("gate.line", 12)
        .with("gate.column", 5);
    if decision == "allowed" { event.with("gate.source", "`--allow-read=/data`") } else { event }
}

fn events() -> Vec<Event> {
    vec![
        decision("allowed", "read", "io.fs.read", "/data/a"),
        decision("denied", "read", "io.fs.read", "/etc/passwd"),
        decision("allowed", "read", "io.fs.read", "/data/b c"),
        decision("allowed", "clock", "core.time.clock", "wall"),
        decision("denied", "env", "core.env.read", "API_TOKEN"),
        Event::new(EventKind::named("shop.order")).with("order.id", 7).with("order.by", "Ada\u{1b}[2J"),
    ]
}

#[test]
fn events_are_shown_and_found() {
    let folder = scratch();
    log(&folder.path().join("a.log"), events());
    transcript(
        "audit_events",
        folder.path(),
        &[
            "audit show a.log",
            "audit show a.log --where gate.decision=denied --capability io.*",
            "audit show a.log --kind shop.* --since 2025-07-01 --until 2025-07-01T10:00:06Z",
            "audit show a.log --until 2025-07-01",
            "audit query a.log --text order.id",
            "audit query a.log --kind nothing --format json",
            "audit query a.log --where order.id=7 --format human",
            "audit query a.log --since yesterday",
            "audit query a.log --where order.id",
        ],
    );
}

#[test]
fn json_is_one_object() {
    let folder = scratch();
    log(&folder.path().join("a.log"), events());
    let ran = run(remlc().args(["audit", "query", "a.log", "--format", "json"]).current_dir(&folder), "").unwrap();
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((value["events"].as_array().unwrap().len(), &value["found"]), (6, &serde_json::json!(6)));
    assert_eq!(value["events"][1]["envelope"]["metadata"]["gate.subject"], "/etc/passwd");
}

#[test]
fn files_that_are_no_logs_are_named() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    log(&path("a.log"), events());
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "one\ntwo\n").unwrap();
    fs::write(path("binary"), b"\x7fELF\0\0\0").unwrap();
    fs::write(path("foreign"), "{\"level\":\"info\"}\n").unwrap();
    let whole = fs::read(path("a.log")).unwrap();
    fs::write(path("torn"), &whole[..whole.len() - 10]).unwrap();
    fs::write(path("mixed"), [&whole[..], b"what?\n"].concat()).unwrap();
    let mut commands = Vec::new();
    for name in ["missing", "folder", "empty", "text", "binary", "foreign", "torn", "mixed"] {
        commands.push(format!("audit verify {name}"));
        commands.push(format!("audit show {name} --kind shop.*"));
    }
    for rest in [
        "diff a.log text",
        "suggest text",
        "report text -o page.html",
        "report a.log -o a.log",
        "report a.log -o no/page",
    ] {
        commands.push(format!("audit {rest}"));
    }
    transcript("audit_bad_files", folder.path(), &commands.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(fs::read(path("a.log")).unwrap(), whole);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = scratch();
    let path = std::ffi::CString::new(folder.path().join("pipe").display().to_string()).unwrap();
    // SAFETY: the path ends in a zero.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let ran = run(remlc().args(["audit", "verify", "pipe"]).current_dir(&folder), "").unwrap();
    assert_eq!(
        (ran.exit, ran.stderr.as_str()),
        (Some(1), "error: `pipe` is not a regular file, so it is no audit log\n")
    );
}

#[test]
fn changes_are_found_where_they_are() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    log(&path("a.log"), events());
    let text = fs::read_to_string(path("a.log")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(path("edited"), text.replace("passwd", "shadow")).unwrap();
    fs::write(path("deleted"), [&lines[..1], &lines[3..]].concat().concat()).unwrap();
    fs::write(path("moved"), [lines[1], lines[0], lines[2], lines[3], lines[4], lines[5]].concat()).unwrap();
    log(&path("new.log"), events().into_iter().skip(1));
    let last = lines[5].rsplit('"').nth(1).unwrap();
    transcript(
        "audit_changes",
        folder.path(),
        &[
            "audit verify a.log",
            &format!("audit verify a.log --anchor {last}"),
            "audit verify edited",
            &format!("audit verify edited --anchor {last}"),
            "audit verify deleted",
            "audit verify moved",
            &format!("audit verify new.log --anchor {last}"),
            "audit verify a.log --anchor 12",
            "audit diff a.log a.log",
            "audit diff a.log new.log",
        ],
    );
}

#[test]
fn suggestions_are_what_was_asked_for() {
    let folder = scratch();
    log(&folder.path().join("a.log"), events());
    log(&folder.path().join("none.log"), [decision("allowed", "clock", "core.time.clock", "wall")]);
    transcript(
        "audit_suggest",
        folder.path(),
        &[
            "audit suggest a.log",
            "audit suggest a.log --format toml --merge 2",
            "audit suggest a.log --format toml --set ci --relative-to /etc",
            "audit suggest a.log --relative-to missing",
            "audit suggest none.log",
        ],
    );
}

#[test]
fn reports_are_pages() {
    let folder = scratch();
    log(&folder.path().join("a.log"), events());
    let page = folder.path().join("page.html");
    let ran =
        run(remlc().args(["audit", "report", "a.log", "-o", "page.html", "--title", "<A>"]).current_dir(&folder), "");
    assert_eq!(ran.unwrap().exit, Some(0));
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("&lt;A&gt;") && text.contains("/etc/passwd"), "{text}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = scratch();
    log(&folder.path().join("a.log"), (0..2_000).map(|_| decision("denied", "read", "io.fs.read", "/etc/passwd")));
    for command in ["show", "query"] {
        let mut child = remlc()
            .args(["audit", command, "a.log"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(0), ""),
            "{command}"
        );
    }
}

/// A package whose DSL needs `console`.
fn package(folder: &Path, current: &str) {
    fs::create_dir(folder.join("src")).unwrap();
    let manifest = "# Greets\n[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dsl.greeting]   # exported\n\
        expect_effects = [\"io\"]\nexpect_effects_stage = \"experimental\"   # with console\ncapabilities = [\"console\"]\n";
    fs::write(folder.join("reml.toml"), manifest).unwrap();
    let main = format!(
        "@dsl_export(allows_effects = [\"io\"], stage_bounds = {{ current: \"{current}\" }})\n\
         conductor greeting {{\n  execution {{ println(\"hello\") }}\n}}\n\nfn main() = greeting.run()\n"
    );
    fs::write(folder.join("src/main.reml"), main).unwrap();
}

#[test]
fn capabilities_are_listed() {
    let folder = scratch();
    package(folder.path(), "beta");
    transcript(
        "capability_list",
        folder.path(),
        &[
            "capability list --stage beta",
            "capability list --stage beta --format markdown",
            "capability describe process",
            "capability show core.process --format json",
            "capability describe core.proces",
            "capability describe Process",
            "capability enable greeter --stage beta",
            "capability describe greeter",
            "capability list --stage nearly",
        ],
    );
}

#[test]
fn stages_change_one_at_a_time() {
    let folder = scratch();
    package(folder.path(), "beta");
    transcript(
        "capability_stages",
        folder.path(),
        &[
            "capability stage promote console --to beta",
            "capability enable console --stage experimental",
            "capability enable console --stage beta",
            "capability stage promote console --to stable",
            "capability stage promote console --to beta",
            "capability stage promote console --to beta",
            "capability stage promote console --to experimental",
            "capability stage promote console --to stable",
            "capability stage demote console --to stable",
            "capability stage demote console --to experimental",
            "capability disable console --stage beta",
            "capability disable console",
            "capability disable console",
            "capability enable console --stage beta --package elsewhere",
        ],
    );
    let manifest = fs::read_to_string(folder.path().join("reml.toml")).unwrap();
    assert!(
        manifest.starts_with("# Greets\n") && manifest.contains("\"experimental\"   # with console\n"),
        "{manifest}"
    );
}

#[test]
fn changes_of_stages_are_recorded_or_not_made() {
    let folder = scratch();
    package(folder.path(), "beta");
    let path = folder.path().join("reml.toml");
    let read = || fs::read_to_string(&path).unwrap();
    let command = |words: &[&str]| run(remlc().args(words).current_dir(&folder), "").unwrap();
    let enable = ["capability", "enable", "console", "--stage", "experimental", "--audit"];
    let before = read();
    fs::create_dir(folder.path().join("folder")).unwrap();
    assert_eq!(command(&[&enable[..], &["folder"]].concat()).exit, Some(1));
    assert_eq!(read(), before);
    assert_eq!(command(&[&enable[..], &["a.log"]].concat()).exit, Some(0));
    let promote = ["capability", "stage", "promote", "console", "--to", "beta", "--audit", "a.log"];
    assert_eq!(command(&promote).exit, Some(0));
    assert!(read().contains("expect_effects_stage = \"beta\"   # with console\n"));
    let shown = command(&["audit", "query", "a.log", "--kind", "capability_stage_promoted"]).stdout;
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let metadata = &value["envelope"]["metadata"];
    assert_eq!((&metadata["capability"], &metadata["stage"]), (&"console".into(), &"beta".into()));
    assert_eq!(metadata["capability.stage.from"], "experimental");
}

/// What performs `ForeignCall` has to say that it is an experiment, until it is none.
#[test]
fn calls_of_c_as_an_effect_are_settled_step_by_step() {
    let folder = scratch();
    let write = |demand: &str| {
        let main = format!(
            "use Core.Capability.{{Experimental}}\nuse Core.Ffi.{{FfiError}}\nuse Core.Ffi.ForeignCall.{{ForeignCall, with_stub}}\n\n\
             {demand}fn ping() -> Result<Bytes, FfiError> ! {{ForeignCall}} = do ForeignCall.call(\"ping\", [1])\n\n\
             fn main() {{\n  println(\"{{:?}}\", with_stub(Experimental, |_, payload| Ok(payload), || ping()))\n}}\n"
        );
        fs::write(folder.path().join("src/main.reml"), main).unwrap();
    };
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("reml.toml"), "[project]\nname = \"app\"\nversion = \"0.1.0\"\n").unwrap();
    write("");
    let enable = "capability enable foreign-call --stage experimental";
    let commands = [enable, "check .", "run -Zalgebraic-effects .", "capability stage promote foreign-call --to beta"];
    transcript("foreign_call_unasked", folder.path(), &commands);
    write("@requires_capability(stage = \"at_least:experimental\")\n");
    let commands = [
        "check .",
        "capability stage promote foreign-call --to beta",
        "capability stage promote foreign-call --to stable",
        "run .",
    ];
    transcript("foreign_call_stages", folder.path(), &commands);
}
