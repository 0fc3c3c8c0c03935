//! Do the example programs do what they are expected to?
//!
//! For `examples/a/b.reml` (or the package `examples/a/b/`), `expected/a/b.*` holds what it prints and how it ends:
//! `stdout`, `stderr`, `exit` (absent: 0), and `diagnostic.json` (absent: none). A program is run with `remlc run`,
//! with `remlc run --release`, and as a built executable, and all three must agree. A program that is rejected has its
//! diagnostics as goldens, for people and as JSON. `examples/a/b.args` and `b.stdin` are given to the program; `b.flags`, a line for each, to
//! remlc: what the program may do. `b.requires`, or `requires` in the package, names C libraries, a line for each; without them the example is ignored. With `--audit` among them the run has a log, and `program.audit.jsonl` is what the program got into it. Where there is an `audit.jsonl`, it is
//! what `remlc check` and then `remlc run` get into a log; where there is a `constraint_graph.json`, it is what `--emit-telemetry` writes, and `dot` and `svg` are what
//! `remlc telemetry graph` makes of that. An `audit.json` is a document of what the log of the run says of its one call of a foreign function. To have one of these three, make an empty file first.
//! `REML_BLESS=1` rewrites the goldens.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{Ran, compare_golden, remlc, root, run, scratch};

fn main() {
    let arguments = Arguments::from_args();
    let root = root();
    let trials = support::programs(&root.join("examples"))
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            let missing = missing_libraries(&path);
            if !missing.is_empty() {
                let missing = missing.join(", ");
                eprintln!("ignored: {name} requires {missing}, see tooling/ci/install-libraries.sh");
            }
            Trial::test(name.clone(), move || test(&name)).with_ignored_flag(!missing.is_empty())
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn test(name: &str) -> Result<(), Failed> {
    let problems = Example::new(name).test()?;
    if problems.is_empty() {
        return Ok(());
    }
    let mut text = problems.join("\n");
    text.push_str(&format!("\nif this is right: REML_BLESS=1 cargo test -p remlc --test examples -- {name}"));
    Err(text.into())
}

/// The C libraries that an example requires and that the C compiler does not find.
fn missing_libraries(example: &Path) -> Vec<String> {
    let side = if example.is_dir() { example.join("requires") } else { example.with_extension("requires") };
    let required = std::fs::read_to_string(side).unwrap_or_default();
    required.lines().filter(|library| !support::can_be_linked(library)).map(str::to_owned).collect()
}

struct Example<'a> {
    /// Path from the repository's root.
    name: &'a str,
    /// `expected/a/b`, to be given an extension.
    golden: PathBuf,
    args: Vec<String>,
    flags: Vec<String>,
    /// Has the run a log?
    audited: bool,
    input: String,
}

impl<'a> Example<'a> {
    fn new(name: &'a str) -> Self {
        let root = root();
        let stem = name.trim_end_matches(".reml");
        let side =
            |extension: &str| std::fs::read_to_string(root.join(format!("{stem}.{extension}"))).unwrap_or_default();
        let (audit, flags): (Vec<String>, Vec<String>) =
            side("flags").lines().map(str::to_owned).partition(|flag| flag == "--audit");
        Example {
            name,
            golden: root.join("expected").join(Path::new(stem).strip_prefix("examples").unwrap_or(Path::new(stem))),
            args: side("args").lines().map(str::to_owned).collect(),
            flags,
            audited: !audit.is_empty(),
            input: side("stdin"),
        }
    }

    fn golden(&self, extension: &str) -> PathBuf {
        let mut path = self.golden.clone().into_os_string();
        path.push(".");
        path.push(extension);
        path.into()
    }

    /// Everything that is wrong.
    fn test(&self) -> Result<Vec<String>, Failed> {
        let mut problems = Vec::new();
        let json = run(remlc().args(["check", "--format", "json", self.name]), "")?;
        let diagnostics = diagnostics(&json)?;
        compare_golden(&self.golden("diagnostic.json"), &diagnostics, "", &mut problems);
        self.log_of_compilations(&mut problems)?;
        self.drawn(&mut problems)?;
        if json.exit != Some(0) {
            let human = run(remlc().args(["check", self.name]), "")?;
            self.compare(&human, &mut problems);
            return Ok(problems);
        }
        let directory = scratch();
        let interpreted = |log: &Path, release: &[&str]| {
            let mut command = remlc();
            command.args(["run", "-q"]).args(release).arg(self.name).args(&self.flags);
            if self.audited {
                command.arg("--audit").arg(log);
            }
            run(self.with_args(&mut command, true), &self.input)
        };
        let logs = ["debug.log", "release.log", "executable.log"].map(|name| directory.path().join(name));
        let debug = interpreted(&logs[0], &[])?;
        self.compare(&debug, &mut problems);
        let release = interpreted(&logs[1], &["--release"])?;
        self.agree("run", &debug, "run --release", &release, &mut problems);

        let executable = directory.path().join("program");
        let built = run(remlc().args(["build", "-q", self.name, "-o"]).arg(&executable).args(&self.flags), "")?;
        if built.exit != Some(0) {
            problems.push(format!("build failed:\n{}", built.stderr));
            return Ok(problems);
        }
        let mut command = Command::new(&executable);
        command.current_dir(root()).env("REML_LEAK_CHECK", "1");
        if self.audited {
            command.env("REML_AUDIT", &logs[2]);
        }
        let executed = run(self.with_args(&mut command, false), &self.input)?;
        self.agree("run", &debug, "the executable", &executed, &mut problems);
        if self.audited {
            self.compare_logs(&logs, &mut problems)?;
        }
        Ok(problems)
    }

    /// The log of a check and a run.
    fn log_of_compilations(&self, problems: &mut Vec<String>) -> Result<(), Failed> {
        let golden = self.golden("audit.jsonl");
        if !golden.exists() {
            return Ok(());
        }
        let directory = scratch();
        let log = directory.path().join("audit.log");
        run(remlc().args(["check", "-q", self.name, "--audit"]).arg(&log), "")?;
        let mut command = remlc();
        command.args(["run", "-q", self.name, "--audit"]).arg(&log).args(&self.flags);
        run(self.with_args(&mut command, true), &self.input)?;
        let verified = run(remlc().args(["audit", "verify"]).arg(&log), "")?;
        if verified.exit != Some(0) {
            problems.push(format!("the audit log is not as it was written:\n{}{}", verified.stdout, verified.stderr));
        }
        compare_golden(&golden, &support::audit::whole(&log)?, "", problems);
        Ok(())
    }

    /// The graph of constraints, and its two forms for people.
    fn drawn(&self, problems: &mut Vec<String>) -> Result<(), Failed> {
        let golden = self.golden("constraint_graph.json");
        if !golden.exists() {
            return Ok(());
        }
        let directory = scratch();
        let (json, dot, svg) = ["graph.json", "graph.dot", "graph.svg"].map(|name| directory.path().join(name)).into();
        run(
            remlc()
                .args(["check", "-q", self.name, "--emit-telemetry"])
                .arg(format!("constraint_graph={}", json.display())),
            "",
        )?;
        let name = self.golden.file_name().unwrap_or_default();
        let mut command = remlc();
        command.args(["telemetry", "graph"]).arg(&json).arg("--graph-name").arg(name);
        let made = run(command.arg("--dot-out").arg(&dot).arg("--svg-out").arg(&svg), "")?;
        if made.exit != Some(0) {
            problems.push(format!("the graph cannot be drawn:\n{}", made.stderr));
        }
        let read =
            |path: &Path| std::fs::read_to_string(path).map_err(|problem| format!("{}: {problem}", path.display()));
        let mut lines: String = read(&json)?;
        if let Some(at) = lines.find("\"generated_at\": \"") {
            let time = at + "\"generated_at\": \"".len();
            lines.replace_range(time..time + TIME.len(), TIME);
        }
        compare_golden(&golden, &lines, "", problems);
        compare_golden(&self.golden("dot"), &read(&dot)?, "", problems);
        compare_golden(&self.golden("svg"), &read(&svg)?, "", problems);
        Ok(())
    }

    fn with_args<'c>(&self, command: &'c mut Command, separated: bool) -> &'c mut Command {
        if separated && !self.args.is_empty() {
            command.arg("--");
        }
        command.args(&self.args)
    }

    fn compare(&self, ran: &Ran, problems: &mut Vec<String>) {
        compare_golden(&self.golden("stdout"), &ran.stdout, "", problems);
        compare_golden(&self.golden("stderr"), &ran.stderr, "", problems);
        compare_golden(&self.golden("exit"), &exit_text(ran.exit), "0\n", problems);
    }

    /// The log of `run` has its golden, and the others say the same.
    fn compare_logs(&self, logs: &[PathBuf; 3], problems: &mut Vec<String>) -> Result<(), Failed> {
        let [debug, release, executed] = [&logs[0], &logs[1], &logs[2]].map(|log| support::audit::events(log));
        let debug = debug?;
        let document = self.golden("audit.json");
        if document.exists() {
            compare_golden(&document, &support::audit::of_call(&logs[0], self.name)?, "", problems);
        }
        compare_golden(&self.golden("program.audit.jsonl"), &debug, "", problems);
        let debug = support::audit::in_all_modes(&debug);
        for (name, other) in [("run --release", release?), ("the executable", executed?)] {
            let other = support::audit::in_all_modes(&other);
            if debug != other {
                problems.push(format!("the logs of `run` and of `{name}` differ:\n{}", support::diff(&debug, &other)));
            }
        }
        Ok(())
    }

    fn agree(&self, first: &str, one: &Ran, second: &str, other: &Ran, problems: &mut Vec<String>) {
        let parts = [
            ("standard output", one.stdout.clone(), other.stdout.clone()),
            ("standard error", without_backtrace(&one.stderr), without_backtrace(&other.stderr)),
            ("exit status", exit_text(one.exit), exit_text(other.exit)),
        ];
        for (part, one, other) in parts {
            if one != other {
                let diff = support::diff(&one, &other);
                problems.push(format!("the {part} of `{first}` and of `{second}` differ:\n{diff}"));
            }
        }
    }
}

const TIME: &str = "2025-01-01T00:00:00Z";

/// Inlining takes frames out of the backtrace: the message and its place stay.
fn without_backtrace(stderr: &str) -> String {
    stderr.lines().filter(|line| !line.starts_with("  at ")).map(|line| format!("{line}\n")).collect()
}

fn exit_text(exit: Option<i32>) -> String {
    exit.map_or_else(|| "ended by a signal\n".to_owned(), |status| format!("{status}\n"))
}

/// The diagnostics in an envelope as pretty JSON, without the times in them; empty when there are none.
fn diagnostics(json: &Ran) -> Result<String, Failed> {
    let mut envelope: serde_json::Value = serde_json::from_str(&json.stdout)
        .map_err(|problem| format!("check --format json: {problem}\n{}{}", json.stdout, json.stderr))?;
    let diagnostics = envelope["diagnostics"].as_array_mut().ok_or("the envelope has no diagnostics")?;
    if diagnostics.is_empty() {
        return Ok(String::new());
    }
    for diagnostic in diagnostics.iter_mut() {
        if let Some(object) = diagnostic.as_object_mut() {
            object.remove("timestamp");
        }
    }
    Ok(serde_json::to_string_pretty(diagnostics).map_err(|problem| problem.to_string())? + "\n")
}
