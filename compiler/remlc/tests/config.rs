//! Do `remlc config` and `remlc manifest` say what they should, of files good and bad? What they print of `config/` is compared with the goldens
//! there; `REML_BLESS=1` rewrites them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Ran, compare_golden, remlc, run, scratch};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn told_in(directory: &Path, args: &[&str]) -> Ran {
    run(remlc().current_dir(directory).args(args), "").unwrap()
}

/// Runs remlc in `config/` and compares everything that it prints, and its status, with a golden.
fn golden(name: &str, args: &[&str]) {
    let ran = told_in(&folder(), args);
    let text = format!("{}{}exit status {}\n", without_times(&ran.stdout), ran.stderr, ran.exit.unwrap_or(-1));
    let mut problems = Vec::new();
    compare_golden(&folder().join(format!("expected/{name}.txt")), &text, "", &mut problems);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Diagnostics in JSON say when they were made.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once("\"timestamp\": \"") {
        Some((before, _)) => format!("{before}\"timestamp\": \"2025-01-01T00:00:00Z\"\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn a_manifest_is_dumped_with_its_signatures() {
    golden("dump_json", &["manifest", "dump", "--manifest", "full/reml.toml"]);
    golden("dump_human", &["manifest", "dump", "--manifest", "full/reml.toml", "--format", "human"]);
}

#[test]
fn a_dump_can_go_to_a_file() {
    let directory = scratch();
    let path = directory.path().join("dump.json");
    let manifest = folder().join("full/reml.toml");
    let args = ["manifest", "dump", "--manifest", manifest.to_str().unwrap(), "-o", path.to_str().unwrap()];
    let ran = told_in(directory.path(), &args);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), ""));
    let dumped: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(dumped["project"]["name"], "gateway");
}

#[test]
fn lint_finds_everything() {
    golden(
        "lint_good",
        &["config", "lint", "--manifest", "full/reml.toml", "--schema", "schema.json", "--format", "json"],
    );
    golden("lint_human", &["config", "lint", "--manifest", "full/reml.toml"]);
    golden("lint_config", &["config", "lint", "--manifest", "wrong.toml", "--schema", "schema.json"]);
    golden(
        "lint_config_json",
        &["config", "lint", "--manifest", "wrong.toml", "--schema", "schema.json", "--format", "json"],
    );
    let directory = scratch();
    fs::copy(folder().join("wrong_reml.toml"), directory.path().join("reml.toml")).unwrap();
    let ran = told_in(directory.path(), &["config", "lint"]);
    assert_eq!(ran.exit, Some(2));
    let mut problems = Vec::new();
    compare_golden(&folder().join("expected/lint_manifest.txt"), &ran.stderr, "", &mut problems);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn differences_are_told_in_three_ways() {
    for format in ["json", "human", "table"] {
        golden(&format!("diff_{format}"), &["config", "diff", "old.json", "new.toml", "--format", format]);
    }
    let ran = told_in(&folder(), &["config", "diff", "old.json", "old.json"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), ""));
}

#[test]
fn bad_files_are_reported() {
    let directory = scratch();
    let write = |name: &str, text: &[u8]| fs::write(directory.path().join(name), text).unwrap();
    write("twice.toml", b"a = 1\na = 2\n");
    write("twice.json", b"{\"a\": {\"b\": 1, \"b\": 2}}");
    write("no.toml", b"%PDF-1.7\n");
    write("no.json", b"{\"a\": 1,}");
    write("binary.toml", b"a = \"\xff\"\n");
    write("empty.json", b"");
    write("deep.json", "[".repeat(1_000_000).as_bytes());
    write("deep.toml", format!("a = {}", "[".repeat(1_000_000)).as_bytes());
    fs::create_dir(directory.path().join("folder.toml")).unwrap();
    write("good.json", b"{}");
    for name in [
        "twice.toml",
        "twice.json",
        "no.toml",
        "no.json",
        "binary.toml",
        "empty.json",
        "deep.json",
        "deep.toml",
        "folder.toml",
        "missing.toml",
    ] {
        let ran = told_in(directory.path(), &["config", "lint", "--manifest", name, "--format", "json"]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (Some(2), ""), "{name}");
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["stats"]["validated"], false, "{name}");
        assert_eq!(told["stats"]["manifest_loaded"], false, "{name}");
        assert_eq!(told["exit_code"], 2, "{name}");
        assert_eq!(told["diagnostics"].as_array().unwrap().len(), 1, "{name}: {}", ran.stdout);
        let ran = told_in(directory.path(), &["config", "diff", "good.json", name, "--format", "json"]);
        assert_eq!(ran.exit, Some(1), "{name}");
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["diagnostics"].as_array().unwrap().len(), 1, "{name}");
        let ran = told_in(directory.path(), &["config", "lint", "--manifest", "good.json", "--schema", name]);
        assert_eq!(ran.exit, Some(2), "{name}");
        // As a manifest, too.
        let ran = told_in(directory.path(), &["manifest", "dump", "--manifest", name]);
        assert_eq!(ran.exit, Some(1), "{name}");
    }
}

#[test]
fn a_schema_that_is_none_is_reported_where_it_is_wrong() {
    let directory = scratch();
    let lint = |schema: &str| {
        fs::write(directory.path().join("app.toml"), "port = 80\n").unwrap();
        fs::write(directory.path().join("schema.json"), schema).unwrap();
        let args = ["config", "lint", "--manifest", "app.toml", "--schema", "schema.json", "--format", "json"];
        let ran = told_in(directory.path(), &args);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        let first = &told["diagnostics"][0];
        format!(
            "{} {} {}",
            first["code"].as_str().unwrap(),
            first["primary"]["start_col"],
            first["message"].as_str().unwrap()
        )
    };
    assert_eq!(lint("{\"fields\": {\"port\": {}}}"), "config.schema.invalid 13 the field `port` has no `data_type`");
    assert_eq!(
        lint("{\"fields\": {\"port\": {\"data_type\": \"Integer\", \"rules\": [\"even\"]}}}"),
        "config.schema.invalid 56 `even` is not a rule"
    );
    assert!(lint("{\"type\": \"intger\"}").starts_with("config.schema.invalid 10 this is no schema"));
    assert!(lint("{\"$ref\": \"https://example.org/x.json\"}").starts_with("config.schema.invalid"));
}

#[test]
fn a_million_entries_take_time_in_proportion() {
    let directory = scratch();
    let entries = |count: usize| -> String { (0..count).map(|index| format!("key_{index} = {index}\n")).collect() };
    let time = |args: &[&str]| {
        let start = Instant::now();
        let ran = told_in(directory.path(), args);
        assert!(ran.exit == Some(0) || ran.exit == Some(2), "{}", ran.stderr);
        start.elapsed()
    };
    fs::write(directory.path().join("large.toml"), entries(1_000_000)).unwrap();
    fs::write(directory.path().join("other.toml"), entries(999_999)).unwrap();
    let manifest = format!("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[capabilities]\n{}", "");
    let stages: String = (0..1_000_000).map(|index| format!("key_{index} = \"beta\"\n")).collect();
    fs::write(directory.path().join("reml.toml"), manifest + &stages).unwrap();
    fs::write(directory.path().join("schema.json"), "{\"additionalProperties\": {\"type\": \"string\"}}").unwrap();
    // A thousand are shown, and the rest is counted.
    fs::create_dir(directory.path().join("unknown")).unwrap();
    let unknown = format!("[project]\nname = \"a\"\nversion = \"1.0.0\"\n{}", entries(1_000_000));
    fs::write(directory.path().join("unknown/reml.toml"), unknown).unwrap();
    let ran = told_in(directory.path(), &["config", "lint", "--manifest", "unknown/reml.toml", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.exit, told["diagnostics"].as_array().unwrap().len()), (Some(2), 1_001));
    // Anything that looks at all entries for each of them would take hours.
    let limit = Duration::from_secs(60);
    assert!(time(&["config", "lint"]) < limit);
    assert!(time(&["config", "lint", "--manifest", "large.toml", "--schema", "schema.json"]) < limit);
    assert!(time(&["config", "diff", "large.toml", "other.toml"]) < limit);
}
