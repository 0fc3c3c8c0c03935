//! What the tests of the binary share: running it, comparing what it printed, blessing.

#![allow(dead_code)]

pub mod audit;
pub mod c;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The repository's root: examples are run from there, so that outputs hold paths relative to it.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository exists")
}

/// `remlc`, as built for this test run. Checks for leaks whenever a program ends.
pub fn remlc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remlc"));
    command.current_dir(root()).env("REML_LEAK_CHECK", "1").env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

/// Lets a program read and write where [`scratch`] directories lie, and nowhere else.
pub const ALLOW_SCRATCH: [&str; 2] = ["--allow-read=$TMP", "--allow-write=$TMP"];

/// Runs the commands one after the other; words stand between blanks. What they print, made `steady`, is compared with `transcripts/NAME.txt`.
pub fn transcript(name: &str, folder: &Path, commands: &[&str], steady: impl Fn(&str) -> String) {
    let mut text = String::new();
    for command in commands {
        let words = command.split(' ');
        let ran = run(remlc().args(words).current_dir(folder).env_remove("REML_AUDIT"), "").unwrap();
        text.push_str(&format!("$ remlc {command}\n{}{}", ran.stdout, ran.stderr));
        if ran.exit != Some(0) {
            text.push_str(&format!("(status {})\n", ran.exit.map_or("none".to_owned(), |status| status.to_string())));
        }
        text.push('\n');
    }
    let golden = root().join("compiler/remlc/tests/transcripts").join(format!("{name}.txt"));
    let mut problems = Vec::new();
    compare_golden(&golden, &steady(&text), "", &mut problems);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a process did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None`: ended by a signal.
    pub exit: Option<i32>,
}

/// No test program takes longer, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Runs a command to its end, with `input` as its standard input. The outputs are normalised.
pub fn run(command: &mut Command, input: &str) -> Result<Ran, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|problem| format!("cannot start {command:?}: {problem}"))?;
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let (status, stdout, stderr) = std::thread::scope(|scope| {
        // A program may end without reading its input.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        let read = |mut pipe: Box<dyn Read + Send>| {
            scope.spawn(move || {
                let mut bytes = Vec::new();
                drop(pipe.read_to_end(&mut bytes));
                bytes
            })
        };
        let out = read(Box::new(&mut stdout));
        let err = read(Box::new(&mut stderr));
        let start = Instant::now();
        let mut pause = Duration::from_micros(200);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if start.elapsed() > TIMEOUT => {
                    drop(child.kill());
                    drop(child.wait());
                    break Err(format!("{command:?} did not end within {} s", TIMEOUT.as_secs()));
                }
                Ok(None) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(problem) => break Err(format!("{command:?}: {problem}")),
            }
        };
        (status, out.join().expect("reads"), err.join().expect("reads"))
    });
    let text = |bytes: Vec<u8>| normalise(&String::from_utf8_lossy(&bytes));
    Ok(Ran { stdout: text(stdout), stderr: text(stderr), exit: status?.code() })
}

/// Takes out of an output what differs from machine to machine and from run to run: the repository's and the temporary
/// directory's paths, and the version of remlc. Everything else must be the same everywhere.
pub fn normalise(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    let root = root();
    text = text.replace(&format!("{}/", root.display()), "");
    let temporary = std::env::temp_dir();
    text = text.replace(&temporary.display().to_string(), "<tmp>");
    text.replace(env!("CARGO_PKG_VERSION"), "<version>")
}

/// `REML_BLESS=1`: goldens are rewritten instead of compared.
pub fn blessing() -> bool {
    std::env::var_os("REML_BLESS").is_some_and(|value| value == "1")
}

/// Compares a text with a golden file; an absent file stands for `absent`. Blessing writes or removes the file.
pub fn compare_golden(golden: &Path, actual: &str, absent: &str, problems: &mut Vec<String>) {
    let expected = std::fs::read_to_string(golden).unwrap_or_else(|_| absent.to_owned());
    if expected == actual {
        return;
    }
    if blessing() {
        let result = if actual == absent {
            std::fs::remove_file(golden)
        } else {
            std::fs::create_dir_all(golden.parent().expect("goldens lie in a directory"))
                .and_then(|()| std::fs::write(golden, actual))
        };
        if let Err(problem) = result {
            problems.push(format!("{}: {problem}", golden.display()));
        }
        return;
    }
    let name = golden.strip_prefix(root()).unwrap_or(golden);
    problems.push(format!("{} differs:\n{}", name.display(), diff(&expected, actual)));
}

/// A line diff: `-` expected, `+` actual.
pub fn diff(expected: &str, actual: &str) -> String {
    let diff = similar::TextDiff::from_lines(expected, actual);
    let mut text = String::new();
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        for change in hunk.iter_changes() {
            let _ = write!(text, "{}{}", change.tag(), change.value());
            if change.missing_newline() {
                text.push_str("\n(no newline at the end)\n");
            }
        }
    }
    text
}

/// Can an empty program be linked with the library?
pub fn can_be_linked(library: &str) -> bool {
    let directory = scratch();
    let source = directory.path().join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("the temporary directory is writable");
    let mut command = Command::new("cc");
    command.arg(source).arg(format!("-l{library}")).arg("-o").arg(directory.path().join("empty"));
    command.output().is_ok_and(|output| output.status.success())
}

/// All files below a directory with the extension, sorted; packages are not entered but answered as their directory.
pub fn programs(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(directory, &mut found);
    found.sort();
    found
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join("reml.toml").is_file() {
            // A package without a program is only there to be depended on. One with a `reml.json` is built with what has to be made first.
            if path.join("src/main.reml").is_file() && !path.join("reml.json").is_file() {
                found.push(path);
            }
        } else if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "reml") {
            found.push(path);
        }
    }
}

/// A directory that is removed when the test ends.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("remlc-test-").tempdir().expect("the temporary directory is writable")
}
