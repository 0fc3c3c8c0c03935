//! Do the commands of the guides do what the guides say?
//!
//! In `spec/guide-*.md`: a block marked `toml`, `json`, `reml`, `c` or `python` is written to the file that the line before it names, a block marked `sh` is run by a shell in a
//! folder of the guide's own, and an `output` block behind it holds what is printed, errors included. Times, hashes and sizes may differ, and the folder is
//! called `/home/ada`.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use support::{blessing, diff, root, scratch};

/// What the folder is called in guides.
const HOME: &str = "/home/ada";

fn main() {
    let arguments = Arguments::from_args();
    let files = std::fs::read_dir(root().join("spec")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_guide = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("guide-"));
    let mut guides: Vec<PathBuf> = files.filter(is_guide).collect();
    guides.sort();
    let trial = |guide: PathBuf| {
        let name = guide.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || follow(&guide))
    };
    libtest_mimic::run(&arguments, guides.into_iter().map(trial).collect()).exit();
}

fn follow(guide: &Path) -> Result<(), Failed> {
    let folder = scratch();
    let home = folder.path().canonicalize()?;
    let text = std::fs::read_to_string(guide)?;
    let (mut lines, mut problems, mut blessed) = (text.lines().enumerate(), String::new(), String::new());
    // The file that the last line of prose names, and what the last commands have printed.
    let (mut file, mut printed): (Option<PathBuf>, Option<String>) = (None, None);
    while let Some((index, line)) = lines.next() {
        blessed.push_str(&format!("{line}\n"));
        let Some(kind) = line.strip_prefix("```") else {
            if !line.trim().is_empty() {
                file = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:")).map(|path| home.join(path));
            }
            continue;
        };
        let block: String =
            lines.by_ref().map(|(_, line)| format!("{line}\n")).take_while(|line| line != "```\n").collect();
        let mut shown = block.clone();
        let before = printed.take();
        if kind != "output"
            && let Some(actual) = before.as_ref().filter(|actual| !actual.is_empty())
        {
            problems.push_str(&format!("line {}: `{kind}` behind commands that print:\n{actual}", index + 1));
        }
        match (kind, &file, before) {
            ("toml" | "reml" | "json" | "c" | "python", Some(path), _) => {
                std::fs::create_dir_all(path.parent().unwrap_or(&home))?;
                std::fs::write(path, &block)?;
            }
            ("sh", _, _) => printed = Some(shell(&block, &home)?),
            ("output", _, Some(actual)) => {
                if steady(&block) != steady(&actual) {
                    problems.push_str(&format!("line {}:\n{}", index + 1, diff(&steady(&block), &steady(&actual))));
                    shown = actual;
                }
            }
            _ => return Err(format!("line {}: what is to be done with this block?", index + 1).into()),
        }
        blessed.push_str(&format!("{shown}```\n"));
    }
    if blessing() {
        std::fs::write(guide, blessed)?;
        return Ok(());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// What commands print; whether they succeed is theirs to say.
fn shell(commands: &str, home: &Path) -> Result<String, Failed> {
    let bin = Path::new(env!("CARGO_BIN_EXE_remlc")).parent().unwrap_or(Path::new("."));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.env_clear();
    command.arg("-c").arg(format!("exec 2>&1\n{commands}")).current_dir(home).stdin(Stdio::null());
    command.env("REML_LIB", libraries()).env("REML_INCLUDE", root().join("runtime/embed/include"));
    command.env("PATH", path).env("HOME", home).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).replace(&home.display().to_string(), HOME))
}

/// Where cargo has put the library for programs inside of other programs: beside this test.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.parent().expect("and a folder").to_owned()
}

/// An event of a foreign call, without how long that took.
fn without_latency(event: &str) -> String {
    let Some((before, after)) = event.split_once("\"latency_ns\":") else { return event.to_owned() };
    format!("{before}\"latency_ns\":0{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// The text without what differs each time: hashes, times and sizes.
fn steady(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = without_latency(line);
        let mut words = line.split(' ').peekable();
        while let Some(word) = words.next() {
            let hash = word.trim_end_matches(':');
            out.push_str(match word {
                _ if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => "HASH",
                _ if word.parse::<u64>().is_ok() && words.peek().is_some_and(|next| next.starts_with("byte")) => "SIZE",
                _ if word.strip_prefix('(').is_some_and(is_number) && words.peek() == Some(&"ms)") => "(TIME",
                _ if word.strip_suffix('s').is_some_and(is_number) => "TIME",
                _ if word.len() >= 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T' => "TIME",
                _ => word,
            });
            out.push(' ');
        }
        out.pop();
        out.push('\n');
    }
    out
}
