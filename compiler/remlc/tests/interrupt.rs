//! Does Ctrl-C end remlc at once, with the status that shells expect, and without leaving anything behind?

#![cfg(unix)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use support::{remlc, scratch};

const SIGINT: i32 = 2;

/// Waits for the file by which a program says how far it is.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} never appeared", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As a shell starts what runs in front, whoever runs this test: what runs behind is started to ignore Ctrl-C.
fn heeds_interrupts(command: &mut Command) -> &mut Command {
    let heed = || {
        // SAFETY: `signal` may be called between fork and exec.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: the closure calls nothing but `signal`.
    unsafe { command.pre_exec(heed) }
}

/// Sends SIGINT to the process alone, or, like a terminal, to its whole group.
fn interrupt(child: &mut Child, group: bool) -> ExitStatus {
    let id = if group { format!("-{}", child.id()) } else { child.id().to_string() };
    assert!(Command::new("kill").args(["-INT", "--", &id]).status().unwrap().success());
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("still running a minute after Ctrl-C");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn was_interrupted(status: ExitStatus) -> bool {
    status.code() == Some(130) || status.signal() == Some(SIGINT)
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `remlc build`, interrupted when its linker, which is this script, has made a file `started`.
fn build_interrupted(script: &str, group: bool) {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("tmp")).unwrap();
    std::fs::write(at("main.reml"), "fn main() = println(\"hi\")\n").unwrap();
    std::fs::write(at("program"), "the old program").unwrap();
    std::fs::write(at("linker"), format!("#!/bin/sh\n: > '{}'\n{script}\n", at("started").display())).unwrap();
    std::fs::set_permissions(at("linker"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut child = remlc()
        .current_dir(directory.path())
        .args(["build", "main.reml", "-o", "program"])
        .env("CC", at("linker"))
        .env("TMPDIR", at("tmp"))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    wait_for(&at("started"));
    let status = interrupt(&mut child, group);
    assert!(was_interrupted(status), "{status}");
    assert_eq!(files(directory.path()), ["linker", "main.reml", "program", "started", "tmp"]);
    assert_eq!(files(&at("tmp")), Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(at("program")).unwrap(), "the old program");
}

#[test]
fn a_build_is_interrupted_with_its_linker() {
    build_interrupted("exec sleep 100", true);
}

#[test]
fn a_build_is_interrupted_while_its_linker_goes_on() {
    build_interrupted("sleep 0.3; exec cc \"$@\"", false);
}

#[test]
fn a_running_program_is_interrupted() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("tmp")).unwrap();
    std::fs::write(at("main.reml"), "fn main() = {\n  println(\"started\")\n  IO.flush()\n  loop { }\n}\n").unwrap();
    let out = std::fs::File::create(at("out")).unwrap();
    let mut child = heeds_interrupts(&mut remlc())
        .current_dir(directory.path())
        .args(["run", "main.reml"])
        .env("TMPDIR", at("tmp"))
        .stdout(out)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let start = Instant::now();
    while std::fs::read(at("out")).unwrap() != b"started\n" {
        assert!(start.elapsed() < Duration::from_secs(60), "the program never started");
        assert!(child.try_wait().unwrap().is_none(), "the program ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = interrupt(&mut child, true);
    assert!(was_interrupted(status), "{status}");
    assert_eq!(files(directory.path()), ["main.reml", "out", "tmp"]);
    assert_eq!(files(&at("tmp")), Vec::<String>::new());
}
