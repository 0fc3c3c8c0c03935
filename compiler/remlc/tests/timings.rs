//! `--timings`: every stage has its line, what it made is counted, and the page is one file.

mod support;

use std::path::Path;

/// The table without its times, which differ from run to run, and without what the library adds.
fn stages(stderr: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let (name, rest) = line.split_at_checked(18)?;
        let made = rest.split_once(" ms").and_then(|(_, rest)| rest.split_once(" ms"))?.1;
        Some((name.trim().to_owned(), made.trim().to_owned()))
    };
    stderr.lines().filter_map(row).collect()
}

fn program(directory: &Path) -> std::path::PathBuf {
    let file = directory.join("main.reml");
    let text = "fn twice(n: Int) -> Int = n * 2\n\nfn main() = println(twice(21))\n";
    std::fs::write(&file, text).expect("the scratch directory is writable");
    file
}

#[test]
fn every_stage_has_a_line() {
    let scratch = support::scratch();
    let file = program(scratch.path());
    let names = |arguments: &[&str]| {
        let mut command = support::remlc();
        let ran = support::run(command.args(arguments).arg("--timings").arg(&file), "").expect("it ends");
        assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
        let stages = stages(&ran.stderr);
        assert!(stages[0].1.starts_with("1 module, 3 lines, "), "{stages:?}");
        assert!(stages.last().is_some_and(|(_, made)| made.ends_with("MiB of memory at the peak")), "{stages:?}");
        stages.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    };
    let output = scratch.path().join("program");
    let output = output.to_str().expect("it is text");
    let front = "load and parse, check";
    let back = "lower, optimise, count references, generate code";
    assert_eq!(names(&["check"]), format!("{front}, total"));
    assert_eq!(names(&["run"]), format!("{front}, {back}, total"));
    assert_eq!(names(&["build", "-o", output]), format!("{front}, {back}, link, total"));
}

#[test]
fn a_program_with_mistakes_has_the_stages_it_came_to() {
    let scratch = support::scratch();
    let file = scratch.path().join("main.reml");
    std::fs::write(&file, "fn main() = println(unknown)\n").expect("the scratch directory is writable");
    let ran = support::run(support::remlc().arg("run").arg("--timings").arg(&file), "").expect("it ends");
    assert_eq!(ran.exit, Some(1));
    let names: Vec<String> = stages(&ran.stderr).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["load and parse", "check", "total"]);
}

#[test]
fn the_page_is_a_file_of_its_own() {
    let scratch = support::scratch();
    let file = program(scratch.path());
    let page = scratch.path().join("page.html");
    let option = format!("--timings={}", page.display());
    let ran = support::run(support::remlc().arg("run").arg(option).arg(&file), "").expect("it ends");
    assert_eq!((ran.exit, &*ran.stdout, &*ran.stderr), (Some(0), "42\n", ""));
    let page = std::fs::read_to_string(page).expect("the page was written");
    for part in ["<h2>Stages</h2>", "<h2>Largest functions</h2>", "main.reml</td><td class=\"n\">3</td>"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let scratch = support::scratch();
    let file = program(scratch.path());
    let says = |target: &Path| {
        let option = format!("--timings={}", target.display());
        let ran = support::run(support::remlc().arg("run").arg(option).arg(&file), "").expect("it ends");
        assert_eq!((ran.exit, &*ran.stdout), (Some(1), ""), "the program does not run");
        ran.stderr.rsplit_once(": ").map(|(_, why)| why.trim().to_owned()).unwrap_or_default()
    };
    assert_eq!(says(&scratch.path().join("none/page.html")), "no such file or directory");
    assert_eq!(says(scratch.path()), "is a directory");
    assert_eq!(says(&file), "it is the file that was read");
}
