//! Does remlc get through the scenarios of `tooling/ci/scenario-matrix.toml`, and does the matrix have all of them?
//!
//! Each row is a test. At the end there is a page of what they show, which `REML_REPORT=FILE` keeps as Markdown. Its `ffi_bridge.audit_pass_rate` is the share of
//! the events of foreign calls, in the logs of the commands, that say all that they must: those of calls that have failed, as some are meant to, also why.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use support::{compare_golden, remlc, root, run, scratch};
use toml::Table;

/// Whatever lies here belongs to a scenario.
const COVERED: [&str; 4] = ["examples/ffi", "examples/embed", "expected/ffi", "expected/embed"];

fn main() {
    let arguments = Arguments::from_args();
    let matrix = root().join("tooling/ci/scenario-matrix.toml");
    let text = std::fs::read_to_string(&matrix).expect("the matrix can be read");
    let rows = match rows(&text) {
        Ok(rows) => rows,
        Err(problem) => {
            eprintln!("error: {}: {problem}", matrix.display());
            std::process::exit(1);
        }
    };
    let results = Arc::new(Mutex::new(BTreeMap::new()));
    let mut trials = vec![];
    for row in &rows {
        let (row, results) = (row.clone(), results.clone());
        trials.push(Trial::test(row.id.clone(), move || {
            let (result, outcome) = match row.test() {
                Ok(result) => (result, Ok(())),
                Err(failed) => (Outcome { what: "failed", ..Outcome::default() }, Err(failed)),
            };
            results.lock().expect("no test holds it while it panics").insert(row.id.clone(), result);
            outcome
        }));
    }
    trials.push(Trial::test("mistakes in a matrix are found", mistakes));
    let all = rows.clone();
    trials.push(Trial::test("every example of foreign functions belongs to a scenario", move || covered(&all)));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let results = results.lock().expect("the tests have ended");
    if !results.is_empty() {
        let page = page(&rows, &results);
        print!("{}", page.rsplit("\n\n").next().unwrap_or_default());
        if let Some(path) = std::env::var_os("REML_REPORT") {
            std::fs::write(path, page).expect("the report can be written");
        }
    }
    conclusion.exit();
}

/// A scenario.
#[derive(Clone)]
struct Row {
    id: String,
    shows: String,
    /// What it is about, from the repository's root.
    program: Vec<String>,
    stage: String,
    requires: Vec<String>,
    how: How,
    /// Goldens, and what they hold.
    expected: Vec<(String, String)>,
}

#[derive(Clone)]
enum How {
    Command(String),
    /// A file of tests, and a test in it: a function, or a document.
    Test(String, String),
}

/// What a row has shown.
#[derive(Default)]
struct Outcome {
    what: &'static str,
    /// Events of foreign calls, and those among them that say all that such an event must say.
    calls: (usize, usize),
}

/// The rows of the matrix; an error for what is not one.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut table: Table = text.parse().map_err(|problem| format!("{problem}"))?;
    let Some(toml::Value::Array(scenarios)) = table.remove("scenario") else {
        return Err("there are no scenarios".to_owned());
    };
    if let Some(key) = table.keys().next() {
        return Err(format!("`{key}` is no scenario"));
    }
    let mut ids = BTreeSet::new();
    let mut rows = Vec::new();
    for scenario in scenarios {
        let toml::Value::Table(fields) = scenario else { return Err("a scenario is a table".to_owned()) };
        let row = Row::new(fields)?;
        if !ids.insert(row.id.clone()) {
            return Err(format!("{}: there are two of it", row.id));
        }
        rows.push(row);
    }
    Ok(rows)
}

impl Row {
    fn new(mut fields: Table) -> Result<Row, String> {
        let mut text = |key: &str| match fields.remove(key) {
            Some(toml::Value::String(text)) => Ok(Some(text)),
            None => Ok(None),
            Some(other) => Err(format!("`{key}` is a text, not {other}")),
        };
        let id = text("id")?.ok_or("a scenario has no `id`")?;
        let wrong = |problem: &str| format!("{id}: {problem}");
        let (shows, stage) = (text("shows")?, text("stage")?);
        let how = match (text("command")?, text("test")?) {
            (Some(command), None) => How::Command(command),
            (None, Some(test)) => {
                let (file, name) = test.split_once(": ").ok_or_else(|| wrong("`test` is `FILE: NAME`"))?;
                How::Test(file.to_owned(), name.to_owned())
            }
            _ => return Err(wrong("there is either a `command` or a `test`")),
        };
        let mut list = |key: &str| match fields.remove(key) {
            Some(toml::Value::Array(items)) => {
                items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
            }
            other => other.is_none().then(Vec::new),
        };
        let (program, requires) = (list("program"), list("requires"));
        let (Some(program), Some(requires)) = (program, requires) else {
            return Err(wrong("`program` and `requires` are lists of texts"));
        };
        let expected = match fields.remove("expected") {
            Some(toml::Value::Table(goldens)) => {
                goldens.into_iter().map(|(golden, what)| Some((golden, what.as_str()?.to_owned()))).collect()
            }
            other => other.is_none().then(Vec::new),
        };
        let expected: Vec<(String, String)> =
            expected.ok_or_else(|| wrong("`expected` says of each golden what it holds"))?;
        if let Some(key) = fields.keys().next() {
            return Err(wrong(&format!("`{key}` is no field of a scenario")));
        }
        let is_id = id.rsplit_once('-').is_some_and(|(group, number)| {
            number.len() == 3
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && group.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
        });
        if !is_id {
            return Err(wrong("an id is words in capitals and three digits, with `-` between them"));
        }
        let stage = stage.filter(|stage| ["experimental", "beta", "stable"].contains(&stage.as_str()));
        let Some(stage) = stage else { return Err(wrong("`stage` is experimental, beta or stable")) };
        let Some(shows) = shows else { return Err(wrong("`shows` is missing")) };
        if program.is_empty() {
            return Err(wrong("there is no `program`"));
        }
        if matches!(how, How::Command(_)) && expected.is_empty() {
            return Err(wrong("a command without `expected` shows nothing"));
        }
        Ok(Row { id, shows, program, stage, requires, how, expected })
    }

    fn test(&self) -> Result<Outcome, Failed> {
        let blessed_later = |path: &str| support::blessing() && self.expected.iter().any(|(golden, _)| golden == path);
        let mut paths = self.program.iter().chain(self.expected.iter().map(|(golden, _)| golden));
        if let Some(path) = paths.find(|path| !root().join(path).exists() && !blessed_later(path)) {
            return Err(format!("`{path}` does not exist").into());
        }
        match &self.how {
            How::Test(file, name) => {
                let text =
                    std::fs::read_to_string(root().join(file)).map_err(|problem| format!("{file}: {problem}"))?;
                let document = name.ends_with(".md") && root().join("spec").join(name).exists();
                if !document && !text.contains(&format!("#[test]\nfn {name}()")) {
                    return Err(format!("`{file}` has no test `{name}`").into());
                }
                if let Some((golden, what)) = self.expected.iter().find(|(_, what)| what != "test") {
                    return Err(format!("the test compares `{golden}`, and nothing compares it with `{what}`").into());
                }
                Ok(Outcome { what: "in its test", ..Outcome::default() })
            }
            How::Command(command) => {
                let missing: Vec<&str> =
                    self.requires.iter().map(String::as_str).filter(|name| !is_there(name)).collect();
                if missing.is_empty() {
                    return self.follow(command);
                }
                eprintln!("not run: {} requires {}", self.id, missing.join(", "));
                Ok(Outcome { what: "not run", ..Outcome::default() })
            }
        }
    }

    /// Runs the command and compares what it leaves.
    fn follow(&self, command: &str) -> Result<Outcome, Failed> {
        let folder = scratch();
        let log = folder.path().join("audit.log");
        let out = folder.path().join("out");
        std::fs::create_dir(&out)?;
        let remlc = remlc();
        let bin = Path::new(remlc.get_program()).parent().unwrap_or(Path::new("."));
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(root()).env("PATH", path).env("OUT", &out).env("REML_AUDIT", &log);
        let ran = run(shell.env("REML_LEAK_CHECK", "1").env("NO_COLOR", "1"), "")?;
        if ran.exit != Some(0) {
            return Err(format!("{command}\nended with {:?}:\n{}{}", ran.exit, ran.stdout, ran.stderr).into());
        }
        let mut problems = Vec::new();
        for (golden, what) in &self.expected {
            let found = match what.as_str() {
                "stdout" => ran.stdout.clone(),
                "stderr" => ran.stderr.clone(),
                "log of the run" => support::audit::events(&log)?,
                "the call on record" => support::audit::of_call(&log, &self.program[0])?,
                "whole log" => support::audit::whole(&log)?,
                file => {
                    let text = std::fs::read_to_string(out.join(file));
                    support::normalise(&text.map_err(|problem| format!("$OUT/{file}: {problem}"))?)
                }
            };
            compare_golden(&root().join(golden), &found, "", &mut problems);
        }
        if problems.is_empty() {
            Ok(Outcome { what: "passed", calls: foreign_calls(&log)? })
        } else {
            Err(problems.join("\n").into())
        }
    }
}

/// A library of C, `libz`, or a tool.
fn is_there(name: &str) -> bool {
    match name.strip_prefix("lib") {
        Some(library) => support::can_be_linked(library),
        None => Command::new(name).arg("--version").output().is_ok(),
    }
}

/// The events of foreign calls in a log, and those among them that say all that such an event must say.
fn foreign_calls(log: &Path) -> Result<(usize, usize), Failed> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let (mut calls, mut passed) = (0, 0);
    for line in text.lines() {
        let event: Value = serde_json::from_str(line)?;
        let (envelope, metadata) = (&event["envelope"], &event["envelope"]["metadata"]);
        let call = &metadata["ffi"];
        if call["event"] != "ffi.call" {
            continue;
        }
        let named = ["library", "symbol", "effect_flags"].iter().all(|key| !call[*key].is_null());
        let wrapped = call["wrapper"].is_null() || !metadata["ffi.wrapper"]["name"].is_null();
        let told = match call["status"].as_str() {
            Some("success") => true,
            Some("stubbed") => call["capability"].is_string() && call["stage"].is_string(),
            Some("failed") => {
                let error = &envelope["change_set"]["error"];
                metadata["error.code"] == "ffi.call.failed" && error["kind"].is_string() && error["message"].is_string()
            }
            _ => false,
        };
        calls += 1;
        passed += usize::from(named && wrapped && told);
    }
    Ok((calls, passed))
}

/// A matrix with something wrong in it is no matrix.
fn mistakes() -> Result<(), Failed> {
    const RIGHT: &str = "[[scenario]]\nid = 'A-001'\nshows = 'a'\nprogram = ['README.md']\nstage = 'beta'\ncommand = 'true'\nexpected = { 'README.md' = 'stdout' }\n";
    rows(RIGHT)?;
    let wrong = |from: &str, to: &str| RIGHT.replace(from, to);
    let cases = [
        (RIGHT.repeat(2), "A-001: there are two of it"),
        (wrong("A-001", "A-1"), "an id is words in capitals and three digits"),
        (wrong("shows", "show"), "`show` is no field"),
        (wrong("shows = 'a'\n", ""), "`shows` is missing"),
        (wrong("'beta'", "'alpha'"), "`stage` is experimental, beta or stable"),
        (wrong("['README.md']", "[]"), "there is no `program`"),
        (wrong("command = 'true'", "test = 'somewhere'"), "`test` is `FILE: NAME`"),
        (wrong("stage", "test = 'a: b'\nstage"), "either a `command` or a `test`"),
        (wrong("{ 'README.md' = 'stdout' }", "{}"), "shows nothing"),
        (wrong("scenario", "scenarios"), "there are no scenarios"),
    ];
    for (matrix, problem) in cases {
        match rows(&matrix) {
            Err(found) if found.contains(problem) => {}
            Err(found) => return Err(format!("not `{problem}` but `{found}`").into()),
            Ok(_) => return Err(format!("`{problem}` is not found").into()),
        }
    }
    // These would be blessed.
    if support::blessing() {
        return Ok(());
    }
    let missing = [wrong("'README.md' = 'stdout'", "'no/such' = 'stdout'"), wrong("['README.md']", "['no/such']")];
    let no_test = wrong("command = 'true'", "test = 'compiler/remlc/tests/foreign.rs: no_such_test'")
        .replace("'stdout'", "'test'");
    let differs = RIGHT.to_owned();
    for matrix in missing.into_iter().chain([no_test, differs]) {
        if rows(&matrix)?[0].test().is_ok() {
            return Err(format!("passes:\n{matrix}").into());
        }
    }
    Ok(())
}

/// Every program and golden of foreign functions is in a row.
fn covered(rows: &[Row]) -> Result<(), Failed> {
    let known: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.program.iter().chain(row.expected.iter().map(|(golden, _)| golden)))
        .map(String::as_str)
        .collect();
    let mut files = Vec::new();
    COVERED.iter().for_each(|folder| all_files(&root().join(folder), &mut files));
    let mut lost: Vec<String> = Vec::new();
    for file in files {
        let path = file.strip_prefix(root())?.to_string_lossy().into_owned();
        // What lies beside an example, like its flags, belongs to it.
        let stem = path.rsplit_once('.').map_or(&*path, |(stem, _)| stem);
        let belongs = known.iter().any(|known| {
            *known == path
                || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'))
                || (!path.ends_with(".reml") && (known.strip_suffix(".reml") == Some(stem) || *known == stem))
        });
        if !belongs {
            lost.push(path);
        }
    }
    if lost.is_empty() { Ok(()) } else { Err(format!("without a scenario: {}", lost.join(", ")).into()) }
}

fn all_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all_files(&path, files) } else { files.push(path) }
    }
}

/// What the scenarios have shown, and in sum, behind the last empty line.
fn page(rows: &[Row], results: &BTreeMap<String, Outcome>) -> String {
    let mut page = "# Scenarios\n\n| id | shows | stage | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        if let Some(outcome) = results.get(&row.id) {
            let _ = writeln!(page, "| {} | {} | {} | {} |", row.id, row.shows, row.stage, outcome.what);
        }
    }
    let count = |what: &str| results.values().filter(|outcome| outcome.what == what).count();
    let calls: usize = results.values().map(|outcome| outcome.calls.0).sum();
    let passed: usize = results.values().map(|outcome| outcome.calls.1).sum();
    let rate = if calls == 0 { 1.0 } else { passed as f64 / calls as f64 };
    let _ = write!(
        page,
        "\n| measure | value |\n|---|---|\n| scenarios | {} |\n| scenarios passed | {} |\n| scenarios in tests of their own | {} |\n\
         | scenarios failed | {} |\n| scenarios not run, for want of what they require | {} |\n\
         | foreign calls on record | {calls} |\n| ffi_bridge.audit_pass_rate | {rate:.4} |\n",
        results.len(),
        count("passed"),
        count("in its test"),
        count("failed"),
        count("not run"),
    );
    page
}
