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
    // Nothing is read again for each of them.
    fs::create_dir(directory.path().join("stages")).unwrap();
    let stages: String = (0..20_000).map(|index| format!("key_{index} = \"beta\"\n")).collect();
    let listed: Vec<String> = (0..20_000).map(|index| format!("\"key_{index}\"")).collect();
    let dsl = format!(
        "[dsl.x]\nentry = \"reml.toml\"\nexpect_effects_stage = \"beta\"\ncapabilities = [{}]\n",
        listed.join(",")
    );
    let head = "[project]\nname = \"a\"\nversion = \"1.0.0\"\n[capabilities]\n";
    fs::write(directory.path().join("stages/reml.toml"), format!("{head}{stages}{dsl}")).unwrap();
    // All in one line, where finding a column means reading the line.
    fs::create_dir(directory.path().join("line")).unwrap();
    let paths: Vec<String> = (0..200_000).map(|index| format!("\"/a/{index}\"")).collect();
    let line = format!("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[permissions]\nread = [{}]\n", paths.join(", "));
    fs::write(directory.path().join("line/reml.toml"), line).unwrap();
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
    assert!(time(&["config", "lint", "--manifest", "line/reml.toml"]) < Duration::from_secs(10));
    assert!(time(&["config", "lint", "--manifest", "stages/reml.toml"]) < Duration::from_secs(10));
    assert!(time(&["capability", "list", "--package", "stages"]) < Duration::from_secs(10));
    assert!(time(&["config", "lint", "--manifest", "large.toml", "--schema", "schema.json"]) < limit);
    assert!(time(&["config", "diff", "large.toml", "other.toml"]) < limit);
}

#[test]
fn a_dump_does_not_replace_its_manifest() {
    let directory = scratch();
    let text = "[project]\nname = \"a\"\nversion = \"1.0.0\"\n";
    fs::write(directory.path().join("reml.toml"), text).unwrap();
    let ran = told_in(directory.path(), &["manifest", "dump", "-o", "./reml.toml"]);
    assert_eq!(ran.exit, Some(1), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(directory.path().join("reml.toml")).unwrap(), text);
}

#[test]
fn signatures_are_brought_into_step() {
    let directory = scratch();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    write(
        "src/main.reml",
        "@dsl_export(allows_effects = [\"io\"])\nconductor flow {\n  execution { println(\"x\") }\n}\n\nfn main() = flow.run()\n",
    );
    let before = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dsl.flow]\nentry = \"src/main.reml\"\nexports = [\"flow\"] # all of them\n";
    write("reml.toml", before);
    let read = || fs::read_to_string(directory.path().join("reml.toml")).unwrap();
    assert_eq!(told_in(directory.path(), &["manifest", "sync", "--check"]).exit, Some(1));
    assert_eq!(read(), before);
    assert_eq!(told_in(directory.path(), &["manifest", "sync"]).exit, Some(0));
    assert!(read().contains("allows_effects = [\"io\"]") && read().contains("# all of them"), "{}", read());
    assert_eq!(told_in(directory.path(), &["manifest", "sync", "--check"]).exit, Some(0));
    assert_eq!(told_in(directory.path(), &["check"]).exit, Some(0));
}

#[test]
fn conductors_and_the_manifest_agree_about_capabilities() {
    let directory = scratch();
    fs::create_dir(directory.path().join("src")).unwrap();
    let program = "conductor flow {\n  a: Str = \"x\" |> with_capabilities([{ id: \"io\", declared_effects: [\"io\"] }])\n  execution { println(a.value) }\n}\n\nfn main() = flow.run()\n";
    fs::write(directory.path().join("src/main.reml"), program).unwrap();
    let checked = |capabilities: &str| {
        let head = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n[run.target]\n";
        fs::write(directory.path().join("reml.toml"), format!("{head}capabilities = [{capabilities}]\n")).unwrap();
        let ran = told_in(directory.path(), &["check", "--format", "json"]);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        told["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let config = &it["extensions"]["config"];
                (it["code"].as_str().unwrap().to_owned(), it["message"].as_str().unwrap().to_owned(), config.clone())
            })
            .collect::<Vec<_>>()
    };
    let contract = "config.manifest.capability_contract";
    assert_eq!(checked("\"clock.highres\""), [], "names alone are no contract");
    let fine = "{ id = \"io\", stage = \"at_least:stable\", declared_effects = [\"io\"] }";
    assert_eq!(checked(fine), []);
    let found = checked("{ id = \"io\", stage = \"exact:stable\", declared_effects = [\"io\"] }");
    assert_eq!(found[0].0, contract);
    assert!(found[0].1.contains("as `at_least:stable`, but reml.toml has `exact:stable`"), "{}", found[0].1);
    assert_eq!(found[0].2["manifest"]["path"], "reml.toml");
    assert!(checked("{ id = \"io\", stage = \"at_least:stable\" }")[0].1.contains("effects"));
    assert!(checked("{ id = \"core.gc\", stage = \"beta\" }")[0].1.contains("does not list"));
    let start = program.find("{ id").unwrap();
    let placed =
        |start: usize| fine.replace(" }", &format!(", source_span = {{ start = {start}, end = {} }} }}", start + 40));
    assert!(checked(&placed(start + 1))[0].1.contains("another place"));
    let found = checked(&format!("{fine}, {fine}"));
    assert_eq!((&*found[0].0, &found[0].2["key_path"][2]["index"]), (contract, &1.into()));
    let codes = |text: &str| checked(text).into_iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(codes("{ id = \"io\" }"), ["config.missing_field"]);
    assert_eq!(codes("{ stage = \"beta\" }"), ["config.missing_field"]);
    assert_eq!(codes("{ id = \"io\", stage = \"gamma\" }"), ["config.invalid_stage"]);
}

#[test]
fn diagnostics_say_which_setting_they_are_about() {
    let directory = scratch();
    let manifest = "[project]\nname = \"a\"\nversion = \"1.0.0\"\nauthors = [\"x\", { name = 3 }]\n";
    fs::write(directory.path().join("reml.toml"), manifest).unwrap();
    fs::write(directory.path().join("app.json"), "{ \"a\": [1, 2,] }").unwrap();
    let told = |args: &[&str]| {
        let ran = told_in(directory.path(), args);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        told["diagnostics"][0]["extensions"]["config"].clone()
    };
    let config = told(&["config", "lint", "--format", "json"]);
    let path = serde_json::json!([{ "key": "project" }, { "key": "authors", "index": 1 }, { "key": "name" }]);
    assert_eq!(
        (&config["source"], &config["path"], &config["key_path"]),
        (&"manifest".into(), &"reml.toml".into(), &path)
    );
    let config = told(&["config", "lint", "--manifest", "app.json", "--format", "json"]);
    assert_eq!((&config["source"], &config["profile"]), (&"custom".into(), &"strict-json".into()));
    assert_eq!(config["compatibility"]["format"], "json");
    let config = told(&["config", "lint", "--manifest", "missing.json", "--format", "json"]);
    assert_eq!(config["path"], "missing.json");
}

#[test]
fn a_manifest_says_how_other_files_are_read() {
    let directory = scratch();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let head = "[project]\nname = \"a\"\nversion = \"1.0.0\"\n[config.compatibility.json]\n";
    write("app.json", "{ a: [1, 2,], /* why */ }");
    let codes = |manifest: &str, args: &[&str], variables: &[(&str, &str)]| {
        write("reml.toml", &format!("{head}{manifest}"));
        let mut command = remlc();
        command.current_dir(directory.path()).args(["config", "lint", "--manifest", "app.json", "--format", "json"]);
        let ran = run(command.args(args).envs(variables.iter().copied()), "").unwrap();
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        let codes = told["diagnostics"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned());
        codes.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(codes("profile = \"json-relaxed\"", &[], &[]), "");
    assert_eq!(
        codes("profile = \"json-relaxed\"\ntrailing_comma = \"objects\"", &[], &[]),
        "config.compat.trailing_comma"
    );
    // What is nearer counts.
    let relaxed = "profile = \"json-relaxed\"";
    assert_eq!(codes(relaxed, &[], &[("REML_CONFIG_TRIVIA", "strict_json")]), "config.trivia.invalid");
    assert!(codes(relaxed, &[], &[("REML_CONFIG_COMPAT", "strict-json")]).contains("config.compat.unquoted_key"));
    assert_eq!(codes("", &["--config-compat", "json-relaxed"], &[("REML_CONFIG_COMPAT", "strict-json")]), "");
    assert!(codes("", &["--config-compat", "relaxed"], &[]).contains("config.compat.unknown_profile"));
    assert!(codes("", &[], &[("REML_CONFIG_COMPAT", "relaxed")]).contains("config.compat.env_invalid"));
    let guarded = "profile = \"json-relaxed\"\nfeature_guard = [\"people\"]";
    assert_eq!(codes(guarded, &[], &[]), "config.feature.mismatch");
    assert_eq!(codes(guarded, &[], &[("REML_CONFIG_FEATURES", "people")]), "");
    write("app.toml", "a = 1\n");
    let ran =
        told_in(directory.path(), &["config", "lint", "--manifest", "app.toml", "--config-compat", "toml-relaxed"]);
    assert!(ran.stderr.starts_with("error[config.compat.unsupported]"), "{}", ran.stderr);
}
