//! Does what a declaration says of ownership happen? Against a C library that counts what it has given and got back, in all ways to run a program.

mod support;

use std::path::Path;
use std::process::Command;

use reml_audit::Value;
use reml_audit::verify::{VerifyOptions, verify};
use support::{Ran, remlc, run, scratch};

const THINGS: &str = r#"
    #include <stdlib.h>
    static int alive;
    static int shared = 7;
    int *thing_make(int value) { if (value < 0) return 0; int *p = malloc(sizeof *p); *p = value; alive++; return p; }
    int thing_value(const int *p) { return *p; }
    int thing_close(int *p) { alive--; free(p); return 0; }
    /* Keeps what it is given, and frees it. */
    int thing_swallow(int *p) { int value = *p; alive--; free(p); return value; }
    int *thing_shared(void) { return &shared; }
    int things_alive(void) { return alive; }
"#;

const DECLARATIONS: &str = r#"use Core.Unsafe.Foreign.{ForeignPtr, pointer_of, release_foreign_ptr}
use Core.Unsafe.Ptr.{MutPtr, Ptr}

@link(name = "things")
extern "C" {
  @ownership("transferred", release = "thing_close")
  fn thing_make(value: i32) -> ForeignPtr<i32>;
  @link_name("thing_make")
  @ownership("transferred", release = "thing_close")
  fn thing_try(value: i32) -> Option<ForeignPtr<i32>>;
  fn thing_value(thing: ForeignPtr<i32>) -> i32;
  fn thing_close(thing: MutPtr<i32>) -> i32;
  @ownership("transferred")
  fn thing_swallow(thing: ForeignPtr<i32>) -> i32;
  #[ownership("borrowed")]
  fn thing_shared() -> ForeignPtr<i32>;
  fn things_alive() -> i32;
}

"#;

/// Runs a program in all ways, with a log: what became of it, the same each time, and the events of the first log.
fn ran(body: &str) -> (Ran, Vec<Value>) {
    let directory = scratch();
    let here = directory.path();
    std::fs::write(here.join("things.c"), THINGS).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-w", "-shared", "-fPIC", "-o", "libthings.so", "things.c"]);
    assert!(compile.current_dir(here).status().unwrap().success());
    std::fs::write(here.join("main.reml"), format!("{DECLARATIONS}{body}")).unwrap();
    let with = |command: &mut Command| run(command.current_dir(here).env("REML_LIBRARY_PATH", here), "").unwrap();
    let mut outcomes = Vec::new();
    for (release, log) in [(&[][..], "debug"), (&["--release"], "release")] {
        let command = &mut remlc();
        command.args(["run", "-q", "--allow-ffi", "--audit", log]).args(release).arg("main.reml");
        outcomes.push((with(command), log));
        let build = &mut remlc();
        build.args(["build", "-q", "--allow-ffi"]).args(release).args(["main.reml", "-o", "program"]);
        assert_eq!(with(build).exit, Some(0));
        let log = if release.is_empty() { "built" } else { "built-release" };
        let command = &mut Command::new(here.join("program"));
        outcomes.push((with(command.env("REML_AUDIT", log).env("REML_LEAK_CHECK", "1")), log));
    }
    let first = &outcomes[0].0;
    for (outcome, log) in &outcomes {
        assert_eq!((&outcome.stdout, outcome.exit), (&first.stdout, first.exit), "{}", outcome.stderr);
        assert_eq!(kinds(&here.join(log)), kinds(&here.join("debug")), "{log}");
    }
    (first.clone(), events(&here.join("debug")))
}

/// The metadata of the events about foreign functions, but for decisions.
fn events(log: &Path) -> Vec<Value> {
    assert!(verify(log, &VerifyOptions::default()).expect("there is a log").is_intact());
    let text = std::fs::read_to_string(log).unwrap();
    let metadata = text.lines().map(|line| line.parse::<Value>().expect("it is JSON")["envelope"]["metadata"].clone());
    metadata.filter(|event| event["event.kind"].as_str().is_some_and(|kind| kind.starts_with("ffi."))).collect()
}

fn kinds(log: &Path) -> Vec<String> {
    let told = |event: &Value| format!("{} {}", event["event.kind"], event["ffi"]["status"]);
    events(log).iter().map(told).collect()
}

#[test]
fn what_is_transferred_is_given_back_once() {
    let (ran, events) = ran("\
fn both() -> i32 {
  let a = unsafe { thing_make(1) }
  let b = a
  unsafe { thing_value(a) + thing_value(b) }
}

fn main() {
  println(\"{} {}\", both(), unsafe { things_alive() })
  println(\"{}\", unsafe { thing_value(thing_make(40)) })
  println(\"{}\", unsafe { things_alive() })
  let early = unsafe { thing_make(5) }
  println(\"{:?} {}\", release_foreign_ptr(early), unsafe { things_alive() })
  println(\"{} {}\", release_foreign_ptr(early).is_err(), pointer_of(early).is_err())
  println(\"{} {}\", unsafe { thing_try(-1) }.is_none(), unsafe { thing_try(3) }.is_some())
  println(\"{}\", unsafe { things_alive() })
}
");
    assert_eq!(ran.stdout, "2 0\n40\n0\nOk(()) 0\ntrue true\ntrue true\n0\n", "{}", ran.stderr);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    let released = events.iter().filter(|event| event["event.kind"] == "ffi.ptr.release").collect::<Vec<_>>();
    assert_eq!(released.len(), 4);
    assert!(released.iter().all(|event| event["ffi"]["status"] == "success"));
}

#[test]
fn what_c_takes_over_is_not_released_nor_used_again() {
    let body = "\
fn main() {
  let thing = unsafe { thing_make(8) }
  println(\"{} {}\", unsafe { thing_swallow(thing) }, unsafe { things_alive() })
  USE
}
";
    let (good, events) = ran(&body.replace("USE", "println(\"{}\", release_foreign_ptr(thing).is_err())"));
    assert_eq!((&*good.stdout, good.exit), ("8 0\ntrue\n", Some(0)), "{}", good.stderr);
    assert!(events.iter().all(|event| event["event.kind"] != "ffi.ptr.release"), "{events:?}");
    let (used, _) = ran(&body.replace("USE", "println(\"{}\", unsafe { thing_value(thing) })"));
    assert_eq!((&*used.stdout, used.exit), ("8 0\n", Some(101)), "{}", used.stderr);
    assert!(used.stderr.contains("(UseAfterFree)") && used.stderr.contains("(main.reml:23:26)"), "{}", used.stderr);
    let (twice, _) = ran(&body.replace("USE", "println(\"{}\", unsafe { thing_swallow(thing) })"));
    assert_eq!(twice.exit, Some(101), "{}", twice.stderr);
    assert!(twice.stderr.contains("(DoubleFree)"), "{}", twice.stderr);
}

#[test]
fn what_is_borrowed_stays_where_it_is_and_null_is_no_pointer() {
    let (good, events) = ran("\
let kept = unsafe { thing_make(2) }

fn main() {
  let shared = unsafe { thing_shared() }
  println(\"{} {}\", unsafe { thing_value(shared) }, unsafe { thing_value(kept) })
}
");
    assert_eq!((&*good.stdout, good.exit), ("7 2\n", Some(0)), "{}", good.stderr);
    // What a global holds is left to the system, and the log says so.
    let released: Vec<&Value> = events.iter().filter(|event| event["event.kind"] == "ffi.ptr.release").collect();
    assert_eq!(released.len(), 1, "{events:?}");
    assert_eq!(released[0]["ffi"]["status"], "leak");
    let (null, _) = ran("fn main() = println(\"{}\", unsafe { thing_value(thing_make(-1)) })\n");
    assert_eq!(null.exit, Some(101), "{}", null.stderr);
    assert!(null.stderr.contains("C gave a null pointer for a `ForeignPtr`"), "{}", null.stderr);
}

#[test]
fn contracts_are_on_record_before_the_program_begins() {
    let (ran, events) = ran("\
fn main() {
  let thing = unsafe { thing_make(1) }
  let shared = unsafe { thing_shared() }
  println(\"{}\", unsafe { thing_value(thing) + thing_value(shared) })
}
");
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    let bridges: Vec<&Value> = events.iter().filter(|event| event["event.kind"] == "ffi.bridge").collect();
    // One for each declaration that states something and is used, however often.
    assert_eq!(bridges.len(), 2, "{events:?}");
    let record = &bridges[0]["bridge"];
    for key in ["status", "target", "arch", "platform", "abi", "expected_abi", "ownership", "extern_symbol", "return"] {
        assert!(!record[key].is_null(), "{key}: {record}");
    }
    assert_eq!(record["extern_symbol"], "thing_make");
    assert_eq!((&record["status"], &record["ownership"]), (&"ok".into(), &"transferred".into()));
    let expected: Value = r#"{
        "ownership": "transferred", "status": "wrap_and_release", "wrap": "wrap_foreign_ptr",
        "release_handler": "dec_ref", "release_function": "thing_close", "rc_adjustment": "dec_ref"
    }"#
    .parse()
    .unwrap();
    assert_eq!(record["return"], expected);
    let shared = &bridges[1]["bridge"]["return"];
    assert_eq!((&shared["status"], &shared["rc_adjustment"]), (&"wrap".into(), &"none".into()));
    let first = events.iter().position(|event| event["event.kind"] == "ffi.ptr.release");
    assert!(first.is_some_and(|first| first >= 2), "contracts come first: {events:?}");
}

/// The first line that checking a declaration prints.
fn refused(declaration: &str) -> String {
    let directory = scratch();
    let program = format!(
        "use Core.Unsafe.Foreign.{{ForeignPtr}}\nuse Core.Unsafe.Ptr.{{Ptr}}\n\nextern \"C\" {{\n{declaration}\n}}\n\nfn main() = println(\"hello\")\n"
    );
    std::fs::write(directory.path().join("main.reml"), program).unwrap();
    let ran = run(remlc().current_dir(directory.path()).args(["check", "main.reml"]), "").unwrap();
    assert_eq!(ran.exit, Some(1), "{}{}", ran.stdout, ran.stderr);
    let error = ran.stderr.lines().find(|line| line.starts_with("error[ffi"));
    error.unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned()
}

#[test]
fn a_contract_that_cannot_be_kept_is_refused() {
    let code = "error[ffi.contract.ownership_mismatch]: ";
    let case = |declaration: &str, told: &str| assert_eq!(refused(declaration), format!("{code}{told}"));
    case(
        "  @ownership(\"transferred\")\n  fn make() -> ForeignPtr<i32>;",
        "`make` transfers its result, but nothing says how that is given back",
    );
    case(
        "  @ownership(\"transferred\", release = \"close\")\n  fn make() -> ForeignPtr<i32>;",
        "`close` cannot give back what `make` gives",
    );
    case(
        "  @ownership(\"transferred\", release = \"close\")\n  fn make() -> ForeignPtr<i32>;\n  fn close(a: i32);",
        "`close` cannot give back what `make` gives",
    );
    case(
        "  @ownership(\"borrowed\", release = \"close\")\n  fn look() -> ForeignPtr<i32>;\n  fn close(a: Ptr<i32>);",
        "`look` has no result that could be given back",
    );
    case(
        "  @ownership(\"transferred\", release = \"close\")\n  fn raw() -> Ptr<i32>;\n  fn close(a: Ptr<i32>);",
        "`raw` has no result that could be given back",
    );
}
