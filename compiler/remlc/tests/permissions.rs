//! What may a program do? Flags, manifests and the environment say it, under `run`, under `run --release` and in executables alike; audit logs
//! have what became of it.

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use reml_audit::Value;
use reml_audit::log::{Log, LogOptions};
use reml_audit::verify::{VerifyOptions, verify};
use support::{Ran, remlc, scratch};
use tempfile::TempDir;

/// Reads files; says what has become of each.
const READER: &str = r#"
fn main(args: List<Str>) {
  for path in args {
    match IO.read_file(path) with
    | Ok(text) -> println("{}: {}", path, text)
    | Err(error) -> println("{:?}: {}", error.kind, error)
  }
}
"#;

/// Prints the variables that it is asked about.
const ASKER: &str = r#"
use Core.Env

fn main(args: List<Str>) {
  for name in args { println("{:?}", Env.get(name)) }
}
"#;

/// Reads the clock.
const CLOCK: &str = "use Core.Time\n\nfn main() { println(\"{}\", Time.now().seconds > 0) }\n";

const MANIFEST: &str = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = scratch();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    folder
}

/// remlc at work in a folder.
fn at(folder: &Path, args: &[&str]) -> Ran {
    support::run(remlc().current_dir(folder).args(args), "").expect("it runs")
}

fn executable(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(folder.join("program"));
    command.current_dir(folder).args(args).envs(env.iter().copied()).env("REML_LEAK_CHECK", "1");
    support::run(&mut command, "").expect("it runs")
}

/// `main.reml` in all ways in which it can be run. They agree in what they print, but that executables say which rules they were built with.
fn everywhere(folder: &Path, flags: &[&str], args: &[&str]) -> Ran {
    let run = |mode: &[&str]| at(folder, &[&["run", "-q"], mode, flags, &["main.reml", "--"], args].concat());
    let (debug, release) = (run(&[]), run(&["--release"]));
    let built = at(folder, &[&["build", "-q", "main.reml", "-o", "program"], flags].concat());
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    let executed = executable(folder, args, &[]);
    let message = |ran: &Ran| {
        let stderr =
            ran.stderr.lines().take_while(|line| !line.starts_with("  backtrace")).collect::<Vec<_>>().join("\n");
        (ran.stdout.replace(", when it was built", ""), stderr.replace(", when it was built", ""), ran.exit)
    };
    assert_eq!(message(&debug), message(&release));
    assert_eq!(message(&debug), message(&executed));
    // Folders of tests have other names each time.
    let name = support::normalise(&folder.canonicalize().expect("it exists").display().to_string());
    Ran {
        stdout: debug.stdout.replace(&name, "<here>"),
        stderr: debug.stderr.replace(&name, "<here>"),
        exit: debug.exit,
    }
}

fn prints(folder: &TempDir, flags: &[&str], args: &[&str], expected: &str) {
    let ran = everywhere(folder.path(), flags, args);
    assert_eq!((ran.stdout.trim(), ran.exit), (expected.trim(), Some(0)), "{}", ran.stderr);
}

#[test]
fn what_nothing_allows_is_denied_and_the_message_says_what_allows_it() {
    let here = folder(&[("main.reml", READER), ("data/a", "A")]);
    prints(
        &here,
        &[],
        &["data/a"],
        "SecurityViolation: cannot read `data/a`: `main.main` may not read `<here>/data/a`: nothing allows it\n  \
         help: to allow it, give `remlc` the flag `--allow-read=<here>/data/a`, or write `read = [\"<here>/data/a\"]` in \
         `[permissions]` of `reml.toml`",
    );
    prints(&here, &["--allow-read=data"], &["data/a"], "data/a: A");
    prints(&here, &["--allow-read"], &["data/a"], "data/a: A");
    prints(&here, &["--allow-all"], &["data/a"], "data/a: A");
}

#[test]
fn who_cannot_be_told_of_a_denial_panics() {
    let here = folder(&[("main.reml", ASKER)]);
    let ran = everywhere(here.path(), &["--allow-env=APP_*"], &["APP_NAME", "HOME"]);
    assert_eq!((ran.stdout.as_str(), ran.exit), ("None\n", Some(101)), "{}", ran.stderr);
    let (message, _) = ran.stderr.split_once("  backtrace").expect("it panics");
    assert_eq!(
        message,
        "panic: `main.main` may not read the environment variable `HOME`: nothing allows it\n  \
         help: to allow it, give `remlc` the flag `--allow-env=HOME`, or write `env = [\"HOME\"]` in `[permissions]` of `reml.toml`\n  \
         code: runtime.capability.denied\n  at main.main (main.reml:5:38)\n"
    );
}

#[test]
fn who_can_be_told_gets_an_error() {
    let main = r#"
use Core.Env

fn main() {
  println("{:?}", Env.get_env("REML_LEAK_CHECK"))
  match Env.get_env("HOME") with
  | Ok(_) -> ()
  | Err(error) -> println("{:?}: {}", error.kind, error)
}
"#;
    let here = folder(&[("main.reml", main)]);
    let ran = everywhere(here.path(), &["--allow-env=REML_*"], &[]);
    let expected = "Ok(Some(\"1\"))\nSecurityViolation: cannot read the environment: `main.main` may not read the environment variable `HOME`: ";
    assert!(ran.exit == Some(0) && ran.stdout.starts_with(expected), "{ran:?}");
}

#[test]
fn variables_that_may_not_be_read_are_not_listed() {
    let main = "use Core.Env\nfn main() { println(\"{}\", Env.vars().len()) }\n";
    let here = folder(&[("main.reml", main)]);
    prints(&here, &["--allow-env=REML_LEAK_*"], &[], "1");
    prints(&here, &[], &[], "0");
}

#[test]
fn paths_are_judged_by_where_they_lead() {
    let here = folder(&[("main.reml", READER), ("data/a", "A"), ("secret", "S"), ("data2/a", "B")]);
    symlink("../secret", here.path().join("data/out")).expect("it can be made");
    symlink("data/a", here.path().join("in")).expect("it can be made");
    symlink("data", here.path().join("folder")).expect("it can be made");
    let absolute = here.path().canonicalize().expect("it exists").join("data/a").display().to_string();
    let read = |path: &str| everywhere(here.path(), &["--allow-read=data"], &[path]).stdout;
    for path in ["data/a", "data/../data/a", "in", "folder/a", &absolute, "data//./a"] {
        assert!(read(path).ends_with(": A\n"), "{path}");
    }
    for path in ["data/../secret", "data/out", "folder/../secret", "data2/a"] {
        let text = read(path);
        assert!(text.starts_with("SecurityViolation: ") && text.contains("/data2/a") == (path == "data2/a"), "{text}");
    }
}

#[test]
fn the_narrowest_rule_decides() {
    let here = folder(&[("main.reml", READER), ("data/a", "A"), ("data/keys/a", "K"), ("data/keys/public", "P")]);
    let flags = ["--allow-read=data", "--deny-read=data/keys", "--allow-read=data/keys/public"];
    prints(&here, &flags, &["data/a", "data/keys/public"], "data/a: A\ndata/keys/public: P");
    let denied = everywhere(here.path(), &flags, &["data/keys/a"]).stdout;
    assert!(denied.contains("/data/keys/a`: `--deny-read=data/keys` denies it\n"), "{denied}");
    prints(&here, &["--allow-read=data/keys/pub*"], &["data/keys/public"], "data/keys/public: P");
}

#[test]
fn writing_is_not_reading() {
    let main = r#"
fn main() {
  println("{:?}", IO.write_file("out", "x").map_err(|error| error.kind))
  println("{:?}", IO.read_file("out").map_err(|error| error.kind))
  println("{:?}", IO.remove("out").map_err(|error| error.kind))
}
"#;
    let here = folder(&[("main.reml", main)]);
    prints(&here, &["--allow-write=out"], &[], "Ok(())\nErr(SecurityViolation)\nOk(())");
    prints(&here, &["--allow-read=."], &[], "Err(SecurityViolation)\nErr(NotFound)\nErr(SecurityViolation)");
}

#[test]
fn clock_and_chance_are_there_unless_they_are_denied() {
    let here = folder(&[("main.reml", CLOCK)]);
    prints(&here, &[], &[], "true");
    let ran = everywhere(here.path(), &["--deny-clock"], &[]);
    assert_eq!(ran.exit, Some(101));
    assert!(
        ran.stderr
            .contains("`--deny-clock` denies it\n  help: to allow it, give `remlc` the flag `--allow-clock=wall`"),
        "{}",
        ran.stderr
    );
}

/// The decisions in a log, which is intact: the power, what was asked for, and what was said.
fn decisions(log: &Path) -> Vec<String> {
    assert!(verify(log, &VerifyOptions::default()).expect("it can be read").is_intact());
    let text = std::fs::read_to_string(log).expect("it can be read");
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let lines = all.map(|line| line["envelope"]["metadata"].clone());
    let field = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    lines
        .filter(|line| line.get("gate.decision").is_some())
        .map(|line| {
            let subject = field(&line, "gate.subject");
            let last = subject.rsplit('/').next().unwrap_or_default();
            format!(
                "{} {last} {} by {}",
                field(&line, "gate.power"),
                field(&line, "gate.decision"),
                field(&line, "gate.source")
            )
        })
        .collect()
}

#[test]
fn decisions_are_recorded_in_a_log_that_goes_on() {
    let here = folder(&[("main.reml", READER), ("data/a", "A"), ("b", "B")]);
    let log = here.path().join("log");
    at(here.path(), &["run", "--audit", "log", "--allow-read=data", "main.reml", "--", "data/a", "b"]);
    let expected = ["read a allowed by `--allow-read=data`", "read b denied by -"];
    assert_eq!(decisions(&log), expected);
    at(here.path(), &["build", "--allow-read=data", "main.reml", "-o", "program"]);
    executable(here.path(), &["data/a"], &[("REML_AUDIT", "log")]);
    let last = "read a allowed by `--allow-read=data`, when it was built";
    assert_eq!(decisions(&log), [&expected[..], &[last]].concat());
    let mut command = remlc();
    command.current_dir(here.path()).env("REML_AUDIT", "log2").args(["run", "main.reml", "--", "b"]);
    support::run(&mut command, "").expect("it runs");
    assert_eq!(decisions(&here.path().join("log2")), ["read b denied by -"]);
}

#[test]
fn a_report_denies_nothing_and_records_what_would_be_denied() {
    let here = folder(&[("main.reml", READER), ("data/a", "A"), ("b", "B")]);
    prints(&here, &["--report-only", "--allow-read=data"], &["data/a", "b"], "data/a: A\nb: B");
    let flags = ["run", "--report-only", "--audit=log", "--allow-read=data", "--deny-read=b", "main.reml", "--"];
    let ran = at(here.path(), &[&flags[..], &["data/a", "b", "main.reml"]].concat());
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    assert_eq!(
        decisions(&here.path().join("log")),
        ["read a allowed by `--allow-read=data`", "read b reported by `--deny-read=b`", "read main.reml reported by -",]
    );
}

#[test]
fn what_is_allowed_by_default_is_not_recorded() {
    let here = folder(&[("main.reml", CLOCK)]);
    let ran = at(here.path(), &["run", "--audit=log", "main.reml"]);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    assert!(decisions(&here.path().join("log")).is_empty());
    at(here.path(), &["run", "--audit=log", "--allow-clock", "main.reml"]);
    assert_eq!(decisions(&here.path().join("log")), ["clock wall allowed by `--allow-clock`"]);
}

#[test]
fn a_log_that_cannot_be_opened_is_told_and_nothing_runs() {
    let here = folder(&[("main.reml", "fn main() = println(\"ran\")\n"), ("target", "")]);
    symlink("target", here.path().join("link")).expect("it can be made");
    let _mine = Log::open(&here.path().join("locked"), LogOptions::default()).expect("it can be made");
    at(here.path(), &["build", "main.reml", "-o", "program"]);
    for (log, problem) in [
        ("missing/log", "No such file or directory"),
        ("link", "the audit log `link` is a symbolic link; name the file it leads to"),
        ("locked", "the audit log `locked` is being written by process"),
        (".", "is not a regular file"),
    ] {
        let run = at(here.path(), &["run", "--audit", log, "main.reml"]);
        let executed = executable(here.path(), &[], &[("REML_AUDIT", log)]);
        for ran in [run, executed] {
            assert_eq!((ran.stdout.as_str(), ran.exit), ("", Some(1)), "{log}");
            assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(problem), "{log}: {}", ran.stderr);
        }
    }
}

/// Calls two of three foreign functions, and goes below the language.
const NATIVE: &str = r#"extern "C" {
  fn abs(n: i32) -> i32
  fn labs(n: i64) -> i64
  fn getpid() -> i32
}

@intrinsic("llvm.ctpop.i32")
fn ones(x: u32) -> u32 ! {native}

@unstable("llvm_ir")
@cfg(not(target_arch = "wasm32"))
fn twice(x: i64) -> i64 = unsafe { llvm_ir!(i64) { "%r = add i64 $0, $0", inputs(x) } }

fn main() {
  println("{} {}", unsafe { abs(-1) }, unsafe { labs(-2) })
  println("{} {}", unsafe { ones(7) }, twice(4))
}
"#;

#[test]
fn native_code_is_asked_for_before_the_program_begins() {
    let here = folder(&[("main.reml", NATIVE)]);
    let feature = ["--cfg", "feature=native-unstable"];
    let ran = everywhere(here.path(), &[&feature[..], &["--allow-ffi=libc:a*,native.intrinsic"]].concat(), &[]);
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "error[runtime.capability.denied]: `main.labs` may not use the native code `libc:labs`: nothing allows it\n  \
           at main.labs (main.reml:3:6)\n  \
           help: to allow it, give `remlc` the flag `--allow-ffi=libc:labs`, or write `ffi = [\"libc:labs\"]` in `[permissions]` of `reml.toml`\n\
         error[runtime.capability.denied]: `main.twice` may not use the native code `native.llvm_ir`: nothing allows it\n  \
           at main.twice (main.reml:12:36)\n  \
           help: to allow it, give `remlc` the flag `--allow-ffi=native.llvm_ir`, or write `ffi = [\"native.llvm_ir\"]` in `[permissions]` of `reml.toml`\n"
    );
    assert_eq!(ran.exit, Some(1));
    let ran = everywhere(here.path(), &[&feature[..], &["--allow-ffi=libc,native.*"]].concat(), &[]);
    assert_eq!((&*ran.stdout, &*ran.stderr, ran.exit), ("1 2\n3 8\n", "", Some(0)));
    // Where it runs, an executable can lose the right.
    let ran = executable(here.path(), &[], &[("REML_DENY", "--deny-ffi=libc:abs")]);
    assert!(ran.stderr.contains("`libc:abs`: `--deny-ffi=libc:abs` denies it"), "{}", ran.stderr);
    assert_eq!((&*ran.stdout, ran.exit), ("", Some(1)));
}

#[test]
fn calls_by_an_address_are_asked_for_where_they_are() {
    let main = r#"use Core.Unsafe.Ptr.{bind_fn_ptr}

fn main() {
  let twice = bind_fn_ptr(|x: i32| x * 2)
  println("{}", unsafe { twice.raw.call(21) })
}
"#;
    let here = folder(&[("main.reml", main)]);
    let ran = everywhere(here.path(), &["--allow-ffi=libc"], &[]);
    assert_eq!(
        ran.stderr,
        "error[runtime.capability.denied]: `main.main` may not use the native code `native.fn_ptr`: nothing allows it\n  \
           at main.main (main.reml:5:36)\n  \
           help: to allow it, give `remlc` the flag `--allow-ffi=native.fn_ptr`, or write `ffi = [\"native.fn_ptr\"]` in `[permissions]` of `reml.toml`\n"
    );
    assert_eq!((&*ran.stdout, ran.exit), ("", Some(1)));
    let ran = everywhere(here.path(), &["--allow-ffi=native.fn_ptr"], &[]);
    assert_eq!((&*ran.stdout, &*ran.stderr, ran.exit), ("42\n", "", Some(0)));
}

#[test]
fn a_library_whose_functions_are_denied_is_not_loaded() {
    let main = r#"@link(name = "speaks")
extern "C" fn answer() -> i32

@test
fn answers() { println("{}", unsafe { answer() }) }

fn main() { println("{}", unsafe { answer() }) }
"#;
    let library = "#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { write(1, \"loaded\\n\", 7); }\n\
                   int answer(void) { return 42; }\n";
    let here = folder(&[("main.reml", main), ("speaks.c", library)]);
    let mut cc = Command::new("cc");
    cc.current_dir(here.path()).args(["-shared", "-fPIC", "-w", "-o", "libspeaks.so", "speaks.c"]);
    assert_eq!(support::run(&mut cc, "").expect("it runs").exit, Some(0));
    let run = |args: &[&str]| {
        let mut command = remlc();
        command.current_dir(here.path()).env("REML_LIBRARY_PATH", here.path()).args(args).arg("main.reml");
        support::run(&mut command, "").expect("it runs")
    };
    for command in ["run", "test"] {
        let ran = run(&[command]);
        let said = ran.stdout + &ran.stderr;
        assert_eq!(ran.exit, Some(1), "{said}");
        assert!(said.contains("may not use the native code `speaks:answer`") && !said.contains("loaded"), "{said}");
        let ran = run(&[command, "--allow-ffi=speaks"]);
        assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    }
    let ran = run(&["run", "--allow-ffi=speaks"]);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("loaded\n42\n", ""));
    // What is only reported is done.
    let ran = run(&["run", "--report-only"]);
    assert_eq!(ran.stdout, "loaded\n42\n");
}

#[test]
fn native_code_that_is_used_is_recorded_once_where_it_is_declared() {
    let main = "extern \"C\" fn abs(n: i32) -> i32\n\nfn main() {\n  for n in [-1, -2] { println(\"{}\", unsafe { abs(n) }) }\n}\n";
    let here = folder(&[("main.reml", main)]);
    let ran = at(here.path(), &["run", "--allow-ffi=libc", "--audit", "log", "main.reml"]);
    assert_eq!(ran.stdout, "1\n2\n");
    assert_eq!(decisions(&here.path().join("log")), ["ffi libc:abs allowed by `--allow-ffi=libc`"]);
    let text = std::fs::read_to_string(here.path().join("log")).expect("it can be read");
    assert!(text.contains(r#""gate.file":"main.reml","gate.function":"main.abs","gate.line":1"#), "{text}");
}

#[test]
fn a_flag_whose_list_is_empty_does_not_allow_everything() {
    let here = folder(&[("main.reml", READER)]);
    let ran = at(here.path(), &["run", "--allow-read=", "main.reml"]);
    assert_eq!(
        ran.stderr,
        "error: `--allow-read=` lists nothing; without `=`, as `--allow-read`, it is about everything\n"
    );
    assert_eq!((&*ran.stdout, ran.exit), ("", Some(1)));
}

#[test]
fn operations_of_the_runtime_are_not_for_programs() {
    let main = "fn main() = println(\"{:?}\", Core.Lang.machine_rdrand())\n";
    let here = folder(&[("main.reml", main)]);
    let ran = at(here.path(), &["check", "--format", "short", "main.reml"]);
    assert!(ran.stderr.contains("`machine_rdrand` is for the standard library only"), "{}", ran.stderr);
}

#[test]
fn flags_that_contradict_each_other_or_mean_nothing_are_told() {
    let here = folder(&[("main.reml", "fn main() = println(\"ran\")\n")]);
    for (flags, problem) in [
        (
            &["--allow-read=a", "--deny-read=./a"][..],
            "error: `a` of `read` is allowed by `--allow-read=a` and denied by `--deny-read=./a`; remove one of them\n",
        ),
        (&["--allow-env=A*B"], "`A*B` is not a pattern: only its beginning or its end can be `*`"),
        (&["--allow-read=src/*"], "a path covers all that lies below it, without `*`; write `src`"),
        (
            &["--permissions=ci"],
            "there is no set of permissions `ci`: the program has no manifest with `[permissions]`",
        ),
    ] {
        for command in ["run", "build", "test"] {
            let ran = at(here.path(), &[&[command], flags, &["main.reml"]].concat());
            assert!(!ran.stdout.contains("ran\n") && ran.exit == Some(1), "{command} {flags:?}: {ran:?}");
            assert!(ran.stderr.contains(problem), "{command} {flags:?}: {}", ran.stderr);
        }
    }
    let ran = at(here.path(), &["run", "--allow-raed", "main.reml"]);
    assert_eq!(ran.exit, Some(2));
    assert!(ran.stderr.contains("--allow-read"), "{}", ran.stderr);
}

#[test]
fn a_manifest_says_what_its_package_may_do() {
    let manifest = format!(
        "{MANIFEST}[permissions]\nread = [\"data\"]\ndeny = {{ read = [\"data/keys\"] }}\n\n[permissions.ci]\nread = [\"cases\"]\n"
    );
    let here = folder(&[
        ("app/reml.toml", &manifest),
        ("app/src/main.reml", READER),
        ("app/data/a", "A"),
        ("app/data/keys/k", "K"),
        ("app/cases/c", "C"),
    ]);
    let run =
        |flags: &[&str], path: &str| at(here.path(), &[&["run", "-q", "app"], flags, &["--", path]].concat()).stdout;
    assert_eq!(run(&[], "app/data/a"), "app/data/a: A\n");
    let denied = run(&[], "app/data/keys/k");
    assert!(denied.contains("`[permissions]` (app/reml.toml, line 7) denies it"), "{denied}");
    assert!(run(&[], "app/cases/c").contains("nothing allows it"));
    assert_eq!(run(&["--permissions", "ci"], "app/cases/c"), "app/cases/c: C\n");
    assert!(run(&["--permissions", "ci"], "app/data/a").contains("nothing allows it"));
    assert_eq!(run(&["--allow-read=app/data/keys/k"], "app/data/keys/k"), "app/data/keys/k: K\n");
    let unknown = at(here.path(), &["run", "-q", "app", "--permissions", "cd"]);
    assert_eq!(
        (unknown.stderr.as_str(), unknown.exit),
        ("error: `app/reml.toml` has no set of permissions `cd`; there are: ci\n", Some(1))
    );
}

#[test]
fn mistakes_in_a_manifest_are_shown_where_they_are() {
    let manifest = format!(
        "{MANIFEST}[permissions]\nraed = [\"data\"]\nenv = [\"A*B\"]\nread = [\"a\"]\ndeny.read = [\"b/../a\"]\n"
    );
    let here = folder(&[("reml.toml", &manifest), ("src/main.reml", "fn main() = println(\"ran\")\n")]);
    let ran = at(here.path(), &["run", "."]);
    assert_eq!((ran.stdout.as_str(), ran.exit), ("", Some(1)));
    for part in [
        "`permissions` has no key `raed`",
        "did you mean `read`?",
        "./reml.toml:6:1",
        "`A*B` is not a pattern: only its beginning or its end can be `*`",
        "`b/../a` of `read` is both allowed and denied",
        "denied here",
        "allowed here",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn an_executable_takes_its_policy_along_and_can_only_lose_rights() {
    let here = folder(&[("main.reml", READER), ("data/a", "A"), ("other/data/a", "O")]);
    let built = at(here.path(), &["build", "-q", "--allow-read=data", "main.reml", "-o", "other/program"]);
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    let other = here.path().join("other");
    let absolute = here.path().join("data/a").display().to_string();
    // Relative patterns start where the executable is started.
    assert_eq!(executable(&other, &["data/a"], &[]).stdout, "data/a: O\n");
    assert!(executable(&other, &[&absolute], &[]).stdout.contains("nothing allows it"));
    let narrowed = |deny: &str| executable(&other, &["data/a"], &[("REML_DENY", deny)]);
    assert!(narrowed("--deny-env --deny-read=data/a").stdout.contains("`--deny-read=data/a` denies it"));
    assert_eq!(narrowed("").stdout, "data/a: O\n");
    for (deny, problem) in [
        (
            "--allow-env",
            "error: REML_DENY: `--allow-env`: what a program may do was settled when it was built, and can only be narrowed",
        ),
        ("--deny-raed", "error: REML_DENY: "),
        ("nonsense", "error: REML_DENY: "),
    ] {
        let ran = narrowed(deny);
        assert_eq!((ran.stdout.as_str(), ran.exit), ("", Some(1)), "{deny}");
        assert!(ran.stderr.starts_with(problem), "{}", ran.stderr);
    }
}

/// A test that keeps a snapshot, and one that reads a file.
const TESTS: &str = r#"
use Core.Test.{assert_eq, Snapshot}

@test
fn keeps_a_snapshot() -> Result<(), Core.Test.TestError> = Snapshot.check_snapshot("kept", "text")

@test
fn reads_a_case() { assert_eq(IO.read_file("cases/c").unwrap(), "C") }
"#;

#[test]
fn tests_may_keep_snapshots_and_do_what_is_said_for_them() {
    let manifest = |permissions: &str| format!("{MANIFEST}{permissions}");
    let here = folder(&[
        ("reml.toml", &manifest("[permissions]\nread = [\"data\"]\n")),
        ("src/main.reml", TESTS),
        ("cases/c", "C"),
    ]);
    let test = |flags: &[&str]| at(here.path(), &[&["test", "."], flags].concat());
    let ran = test(&["--update-snapshots"]);
    assert!(
        ran.stdout.contains("keeps_a_snapshot ... ok") && ran.stdout.contains("nothing allows it"),
        "{}",
        ran.stdout
    );
    assert_eq!(test(&["--allow-read=cases"]).exit, Some(0));
    std::fs::write(here.path().join("reml.toml"), manifest("[permissions.test]\nread = [\"cases\"]\n"))
        .expect("it can be written");
    let ran = test(&["--audit=log"]);
    assert_eq!(ran.exit, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(decisions(&here.path().join("log")), ["read c allowed by `[permissions.test]` (reml.toml, line 6)"]);
}
