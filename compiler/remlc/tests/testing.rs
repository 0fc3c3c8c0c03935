//! Does `remlc test` find, run and judge tests?

mod support;

use std::path::Path;

use support::{Ran, remlc, root, run, scratch};

fn write(directory: &Path, name: &str, content: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn test(directory: &Path, args: &[&str]) -> Ran {
    run(remlc().current_dir(directory).arg("test").args(args), "").unwrap()
}

/// The names of the tests that passed and of those that failed, each sorted.
fn results(ran: &Ran) -> (Vec<&str>, Vec<&str>) {
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    for line in ran.stdout.lines() {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
            continue;
        };
        if result.starts_with("ok (") { passed.push(name) } else { failed.push(name) }
    }
    passed.sort_unstable();
    failed.sort_unstable();
    (passed, failed)
}

#[test]
fn async_tests_are_run_to_their_end() {
    let directory = scratch();
    let program = "use Core.Async.{sleep_async}
@test
async fn waits() { sleep_async(1.ms).await }
@test
async fn differs() {
  sleep_async(1.ms).await
  assert(1 == 2)
}
@test
async fn fails() -> Result<(), Str> {
  sleep_async(1.ms).await
  Err(\"no\")
}
";
    write(directory.path(), "waiting.reml", program);
    let ran = test(directory.path(), &["waiting.reml"]);
    assert_eq!(results(&ran), (vec!["waiting.waits"], vec!["waiting.differs", "waiting.fails"]), "{}", ran.stdout);
}

#[test]
fn modules_of_the_library_are_tested_as_parts_of_it() {
    let library = root().join("stdlib");
    let test = |file: &str| {
        run(remlc().env("REML_STDLIB", &library).args(["test", "--allow-all"]).arg(library.join(file)), "").unwrap()
    };
    // `Core.Parse.Cst` is used by modules that it uses.
    for file in ["Core/Option.reml", "Core/Parse/Cst.reml"] {
        let ran = test(file);
        assert_eq!(ran.exit, Some(0), "{}{}", ran.stdout, ran.stderr);
        let (passed, failed) = results(&ran);
        assert!(passed.len() > 3 && failed.is_empty(), "{}", ran.stdout);
    }
}

const MIXED: &str = r#"use Core.Test.{assert_eq, assert_err, expect_panic}

fn deep(n: Int) -> Int = if n == 0 { panic("at the bottom") } else { 1 + deep(n - 1) }

@test
fn adds() { assert_eq(1 + 1, 2) }

@test
fn differs() {
  println("before")
  assert_eq([1, 2], [1, 3])
}

@test
fn panics() { println(deep(3)) }

@test
fn announced() {
  expect_panic("bottom")
  println(deep(3))
}

@test
fn missed() { expect_panic("bottom") }

@test
fn another() {
  expect_panic("top")
  println(deep(3))
}

@test
fn fails() -> Result<(), Str> = Err("no luck")

@test
fn errs() {
  let bad: Result<Int, Str> = Err("bad")
  assert_eq(assert_err(bad), "bad")
}

@test
fn wraps() {
  let big = [Int.MAX]
  assert_eq(big[0] + 1, Int.MIN)
}
"#;

#[test]
fn a_failing_test_does_not_stop_the_others() {
    let directory = scratch();
    write(directory.path(), "mixed.reml", MIXED);
    let ran = test(directory.path(), &["mixed.reml"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    let (passed, failed) = results(&ran);
    assert_eq!(passed, ["mixed.adds", "mixed.announced", "mixed.errs"], "{}", ran.stdout);
    let expected = ["mixed.another", "mixed.differs", "mixed.fails", "mixed.missed", "mixed.panics", "mixed.wraps"];
    assert_eq!(failed, expected, "{}", ran.stdout);
    for text in [
        "running 9 tests\n",
        "---- mixed.differs (mixed.reml:9) ----\nbefore\npanic: the values differ\n  expected: [1, 3]\n    actual: [1, 2]\n",
        "mixed.differs (mixed.reml:11:3)\n",
        "mixed.panics (mixed.reml:15:",
        "error: expected a panic with a message that contains \"bottom\", but there was none\n",
        "note: a panic was expected, but with a message that contains \"top\"\n",
        "error: no luck\n",
        "test result: FAILED. 3 passed; 6 failed; 0 filtered out; finished in ",
    ] {
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }
}

#[test]
fn filters_and_release() {
    let directory = scratch();
    write(directory.path(), "mixed.reml", MIXED);
    let ran = test(directory.path(), &["mixed.reml", "--filter", "wraps", "--release"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("test result: ok. 1 passed; 0 failed; 8 filtered out"), "{}", ran.stdout);
    let ran = test(directory.path(), &["mixed.reml", "--filter", "nothing"]);
    assert_eq!(ran.exit, Some(0));
    assert!(ran.stdout.starts_with("running 0 tests\n"), "{}", ran.stdout);
    assert_eq!(test(directory.path(), &["--jobs", "0"]).exit, Some(2));
}

#[test]
fn json() {
    let directory = scratch();
    write(directory.path(), "mixed.reml", MIXED);
    let ran = test(directory.path(), &["mixed.reml", "--format", "json", "--jobs", "1"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["passed"], &report["failed"], &report["ok"]), (&3.into(), &6.into(), &false.into()));
    let tests = report["tests"].as_array().unwrap();
    assert_eq!(tests[0]["name"], "mixed.adds");
    assert_eq!(tests[1]["failure"], "it panicked");
    assert_eq!((&tests[1]["stdout"], &tests[1]["line"]), (&"before\n".into(), &9.into()));
}

#[test]
fn packages_and_documentation() {
    let directory = scratch();
    let root = directory.path();
    write(root, "reml.toml", "[project]\nname = \"app\"\nversion = \"0.1.0\"\n");
    write(
        root,
        "src/main.reml",
        "use geometry.shapes\n\nfn main() { println(shapes.area(2)) }\n\n@test\nfn main_works() { assert(shapes.area(1) == 1) }\n",
    );
    let shapes = "/// The area.\n///\n/// ```reml\n/// println(area(3))\n/// ```\n///\n/// ```output\n/// 9\n/// ```\n///\n/// ```reml\n/// println(area(3))\n/// ```\n/// ```output\n/// 10\n/// ```\n///\n/// ```reml\n/// nonsense(1)\n/// ```\npub fn area(x: Int) -> Int = x * x\n\nfn hidden() -> Int = 7\n\n@test\nfn sees_private_names() { assert(hidden() == 7) }\n";
    write(root, "src/geometry/shapes.reml", shapes);
    // Nothing uses this module.
    write(root, "src/alone.reml", "@test\nfn runs_all_the_same() {}\n");
    let ran = test(root, &[]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let (passed, failed) = results(&ran);
    let expected = [
        "alone.runs_all_the_same",
        "geometry.shapes (line 3)",
        "geometry.shapes.sees_private_names",
        "main.main_works",
    ];
    assert_eq!(passed, expected, "{}", ran.stdout);
    assert_eq!(failed, ["geometry.shapes (line 11)", "geometry.shapes (line 18)"]);
    assert!(ran.stdout.contains("9\nthe output differs from the expected one:\n10\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("error[language.name.unknown]: there is no `nonsense` in scope"), "{}", ran.stdout);
    let left = std::fs::read_dir(root.join("src")).unwrap().count();
    assert_eq!(left, 3, "files were left behind");
}

#[test]
fn ends_of_processes() {
    let directory = scratch();
    let text = "use Core.Process\n\n@test\nfn leaves() { Process.exit(3) }\n\n@test\nfn falls() -> Int = endless(1)\n\nfn endless(n: Int) -> Int = 1 + endless(n + 1)\n\n@test\nfn stays() {}\n";
    write(directory.path(), "ends.reml", text);
    let ran =
        run(remlc().current_dir(directory.path()).env("REML_STACK_SIZE", "8000000").args(["test", "ends.reml"]), "");
    let ran = ran.unwrap();
    let (passed, failed) = results(&ran);
    assert_eq!(passed, ["ends.stays"], "{ran:?}");
    assert_eq!(failed, ["ends.falls", "ends.leaves"]);
    assert!(ran.stdout.contains("it ended with exit status 3\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("panic: stack overflow"), "{}", ran.stdout);
}

#[test]
fn programs_with_errors_have_no_tests() {
    let directory = scratch();
    write(directory.path(), "broken.reml", "@test\nfn f() { unknown() }\n");
    write(directory.path(), "fine.reml", "@test\nfn f() {}\n");
    let ran = test(directory.path(), &["."]);
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("error: could not test `broken.reml`: 1 error"), "{}", ran.stderr);
    assert_eq!(results(&ran).0, ["fine.f"]);
    let ran = test(directory.path(), &["missing.reml"]);
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("there is no file `missing.reml`"), "{}", ran.stderr);
}

const SNAPSHOTS: &str = r#"use Core.Test.{assert_snapshot}

@test
fn greets() { assert_snapshot("greeting", "hello\nworld\n") }
"#;

#[test]
fn snapshots_are_written_only_when_asked_for() {
    let directory = scratch();
    write(directory.path(), "greeter.reml", SNAPSHOTS);
    let snapshot = directory.path().join("greeter.greeting.snap");
    let missing = test(directory.path(), &["greeter.reml"]);
    assert_eq!(missing.exit, Some(1), "{}", missing.stdout);
    assert!(missing.stdout.contains("there is no snapshot `greeter.greeting.snap`"), "{}", missing.stdout);
    assert!(!snapshot.exists());

    let made = test(directory.path(), &["greeter.reml", "--update-snapshots"]);
    assert_eq!(made.exit, Some(0), "{}", made.stdout);
    assert_eq!(std::fs::read_to_string(&snapshot).unwrap(), "hello\nworld\n");
    assert_eq!(test(directory.path(), &["greeter.reml"]).exit, Some(0));

    std::fs::write(&snapshot, "hello\r\nword\r\n").unwrap();
    let record =
        run(remlc().current_dir(directory.path()).env("REML_SNAPSHOTS", "record").args(["test", "greeter.reml"]), "")
            .unwrap();
    assert_eq!(record.exit, Some(1), "{}", record.stdout);
    assert!(record.stdout.contains("    hello\n  - word\n  + world\n"), "{}", record.stdout);
    assert_eq!(std::fs::read_to_string(&snapshot).unwrap(), "hello\r\nword\r\n");
}

const PROPERTY: &str = r#"use Core.Test.{Gen, for_all}

@test
fn never_large() = for_all(Gen.array(Gen.int(0, 1000)), |xs| xs.sum() < 100)

@test
fn never_panics() = for_all(Gen.int(0, 1000), |n| [n][n / 500] == n)
"#;

#[test]
fn properties_report_the_simplest_value_and_the_seed() {
    let directory = scratch();
    write(directory.path(), "sums.reml", PROPERTY);
    let ran =
        run(remlc().current_dir(directory.path()).env("REML_TEST_SEED", "7").args(["test", "sums.reml"]), "").unwrap();
    assert_eq!(ran.exit, Some(1), "{}", ran.stdout);
    for text in [
        "error: the property does not hold for [100]: it is false\n  found: case ",
        ", REML_TEST_SEED=7\n",
        "note: the value was ",
        ", of seed 7\n",
    ] {
        assert!(ran.stdout.contains(text), "`{text}` is missing:\n{}", ran.stdout);
    }
}

#[test]
fn the_tests_of_the_tool_examples_pass() {
    let ran = test(&root(), &["examples/tools"]);
    assert_eq!(ran.exit, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("6 passed"), "{}", ran.stdout);
}

const GOLDEN: &str = r#"use Core.Parse
use Core.Test.Dsl.{test_golden}

@test
fn numbers() = test_golden(Parse.takeWhile1("a digit", |c| c.is_digit()).skipR(Parse.char('\n')), ["good", "bad"])
"#;

#[test]
fn golden_cases_lie_beside_the_test() {
    let directory = scratch();
    write(directory.path(), "cases/numbers.reml", GOLDEN);
    write(directory.path(), "cases/good.input", "42\n");
    write(directory.path(), "cases/bad.input", "4x\n");
    write(directory.path(), "cases/good.error", "it was wrong once\n");
    // They do not have the test's name, so somebody has to allow them.
    let golden = |flags: &[&str]| {
        test(directory.path(), &[&["cases", "--allow-read=cases", "--allow-write=cases"], flags].concat())
    };
    let missing = golden(&[]);
    assert!(missing.stdout.contains("there is no snapshot `cases/good.ast`"), "{}", missing.stdout);
    assert!(missing.stdout.contains("case: good"), "{}", missing.stdout);

    assert_eq!(golden(&["--update-snapshots"]).exit, Some(0));
    let read = |name: &str| std::fs::read_to_string(directory.path().join("cases").join(name));
    assert_eq!(read("good.ast").unwrap(), "\"42\"\n");
    assert!(read("good.error").is_err());
    assert!(read("bad.error").unwrap().contains("bad.input:1:2"), "{:?}", read("bad.error"));
    assert_eq!(golden(&[]).exit, Some(0));

    write(directory.path(), "cases/bad.input", "5\n");
    let other = golden(&[]);
    assert!(other.stdout.contains("there is no snapshot `cases/bad.ast`"), "{}", other.stdout);
}
