//! Do programs in C and in Python get on with the library? They are compiled with the C compiler that remlc links with, run, and what they print is compared.
//!
//! `REML_BLESS=1` rewrites what is expected.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in the repository").to_owned()
}

/// Where cargo has put the libraries: beside this test.
fn libraries() -> PathBuf {
    std::env::current_exe().expect("a test has a path").parent().expect("and a folder").to_owned()
}

fn shared_library() -> PathBuf {
    let name = format!("{}reml_embed{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    libraries().join(name)
}

/// How a host is linked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Linked {
    Shared,
    Static,
    /// The shared library, and the host itself watched by the address sanitizer.
    Sanitized,
}

/// Compiles a host in C. `None`: this C compiler has no sanitizer.
fn compile(source: &Path, linked: Linked, to: &Path) -> Option<PathBuf> {
    let program = to.join("host");
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
    cc.args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-g", "-I"]);
    cc.arg(root().join("runtime/embed/include")).arg(source).arg("-o").arg(&program);
    match linked {
        Linked::Static => cc.arg(libraries().join("libreml_embed.a")).args(["-lpthread", "-ldl", "-lm"]),
        _ => cc.arg(shared_library()).arg(format!("-Wl,-rpath,{}", libraries().display())).arg("-lpthread"),
    };
    if linked == Linked::Sanitized {
        cc.arg("-fsanitize=address");
    }
    let compiled = cc.output().expect("there is a C compiler");
    let text = String::from_utf8_lossy(&compiled.stderr);
    if linked == Linked::Sanitized && text.contains("asan") {
        return None;
    }
    assert!(compiled.status.success(), "{text}");
    Some(program)
}

fn printed(run: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}\n{out}{err}", run.status);
    assert_eq!(err, "");
    out.into_owned()
}

fn compare(found: &str, golden: &str) {
    let golden = root().join(golden);
    if std::env::var_os("REML_BLESS").is_some() {
        std::fs::write(&golden, found).expect("goldens can be written");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(found, expected, "this is not what `{}` has", golden.display());
}

fn program() -> PathBuf {
    root().join("examples/embed/prices.reml")
}

#[test]
fn a_shop_in_c() {
    for linked in [Linked::Shared, Linked::Static] {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let host = compile(&root().join("examples/embed/host.c"), linked, folder.path()).expect("nothing is optional");
        let run = Command::new(host).arg(program()).env_remove("REML_AUDIT").output().expect("it starts");
        compare(&printed(&run), "expected/embed/host.c.stdout");
    }
}

#[test]
fn a_shop_in_python() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return;
    }
    let host = root().join("examples/embed/host.py");
    let mut python = Command::new("python3");
    let run =
        python.arg(host).arg(shared_library()).arg(program()).env_remove("REML_AUDIT").output().expect("it starts");
    compare(&printed(&run), "expected/embed/host.py.stdout");
}

#[test]
fn what_a_host_does_wrong_is_an_error() {
    let source = root().join("runtime/embed/tests/misuse.c");
    for linked in [Linked::Sanitized, Linked::Shared] {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let Some(host) = compile(&source, linked, folder.path()) else {
            eprintln!("not run with a sanitizer: the C compiler has none");
            continue;
        };
        let run = Command::new(host).env_remove("REML_AUDIT").current_dir(folder.path()).output().expect("it starts");
        compare(&printed(&run), "expected/embed/misuse.stdout");
    }
}

/// Every use is in the log, with the version that was asked for, and what the programs were not allowed to.
#[test]
fn uses_are_recorded() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let host =
        compile(&root().join("runtime/embed/tests/misuse.c"), Linked::Shared, folder.path()).expect("it compiles");
    let log = folder.path().join("audit.log");
    let run = Command::new(host).env("REML_AUDIT", &log).current_dir(folder.path()).output().expect("it starts");
    printed(&run);
    let text = std::fs::read_to_string(&log).expect("the log is there");
    let count = |parts: &[&str]| text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    let mismatch = count(&["\"embed.abi.version\":\"0.0.9\"", "\"native.embed.abi_mismatch\":true"]);
    let unreadable = count(&["\"embed.abi.version\":\"unknown\"", "\"native.embed.status\":\"error\""]);
    let created =
        count(&["\"native.embed.entrypoint\":\"reml_create_context\"", "\"native.embed.status\":\"success\""]);
    let denied = count(&["\"gate.decision\":\"denied\"", "\"gate.subject\":\"HOME\""]);
    let disposed = count(&["\"native.embed.entrypoint\":\"reml_dispose_context\""]);
    assert_eq!((mismatch, unreadable, created, denied, disposed), (1, 1, 5, 1, 5));
    let options = reml_audit::verify::VerifyOptions::default();
    let verified = reml_audit::verify::verify(&log, &options).expect("the log can be read");
    assert!(verified.is_intact(), "{verified:?}");
}

/// A crash in C code goes to whoever handles it, and is reported if nobody does.
#[test]
fn handlers_of_the_host_come_first() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let source = root().join("runtime/embed/tests/crash.c");
    let host = compile(&source, Linked::Shared, folder.path()).expect("it compiles");
    let run = |arguments: &[&str]| {
        let run = Command::new(&host).args(arguments).env_remove("REML_AUDIT").output().expect("it starts");
        (run.status, String::from_utf8_lossy(&run.stderr).into_owned())
    };
    let (status, text) = run(&["handle"]);
    assert_eq!((status.code(), &*text), (Some(7), "the host has seen it\n"));
    let (status, text) = run(&[]);
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(text.starts_with("crash: the foreign function `strlen` of `libc` ended with SIGSEGV"), "{text}");
}

#[test]
fn machines_without_code_are_told_apart() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let host = compile(&root().join("examples/embed/host.c"), Linked::Shared, folder.path()).expect("it compiles");
    let run = Command::new(host).arg(program()).env("REML_EMBED_FORCE_UNSUPPORTED", "1").output().expect("it starts");
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&run.stderr), "no context: no code can be made for this machine\n");
}
