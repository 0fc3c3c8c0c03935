//! What do people learn when C code crashes? What happened, in which function, and which call of their program led there; and the process ends by the
//! signal, as it would have without that.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use reml_audit::Value;
use reml_audit::verify::{VerifyOptions, verify};
use support::{remlc, scratch};

const FRAGILE: &str = r#"
    #include <stdlib.h>
    struct node { long key; long value; };
    long follow(struct node *n) { return n->value; }
    int divide(int a, int b) { return a / b; }
    void give_up(void) { abort(); }
    void refuse(void) { __builtin_trap(); }
    void write_code(void) { *(volatile char *)(void *)give_up = 1; }
    int tap(int x) { return x + 1; }
    /* A large frame, most of which nobody has written to. */
    long roomy(struct node *n) { volatile char room[8192]; room[0] = 1; return n->value + room[0]; }
    int (*divider(void))(int, int) { return divide; }
    void each(void (*f)(int), int count) { for (int i = 0; i < count; i++) f(i); }
    int dig(int n) { volatile char room[512]; room[0] = n; return dig(n + 1) + room[0]; }
"#;

const DECLARATIONS: &str = r#"use Core.Unsafe.Ptr.{FnPtr, Ptr, bind_fn_ptr}

@link(name = "fragile")
extern "C" {
  fn follow(node: Ptr<()>) -> i64;
  fn divide(a: i32, b: i32) -> i32; fn divider() -> FnPtr<(i32, i32), i32>;
  fn give_up();
  fn refuse();
  fn write_code();
  fn tap(x: i32) -> i32;
  fn roomy(node: Ptr<()>) -> i64;
  fn each(f: FnPtr<i32, ()>, count: i32);
  fn dig(n: i32) -> i32;
}

"#;

/// A folder with the library and a program.
fn prepared(body: &str) -> tempfile::TempDir {
    let directory = scratch();
    let here = directory.path();
    std::fs::write(here.join("fragile.c"), FRAGILE).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-w", "-shared", "-fPIC", "-fno-omit-frame-pointer", "-o", "libfragile.so", "fragile.c"]);
    assert!(compile.current_dir(here).status().unwrap().success());
    std::fs::write(here.join("main.reml"), format!("{DECLARATIONS}{body}")).unwrap();
    directory
}

fn here(command: &mut Command, directory: &Path) -> Output {
    command.current_dir(directory).env("REML_LIBRARY_PATH", directory).output().expect("it can be started")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a program in all ways. It must end by the signal, having printed `before`; what it says on standard error first is the same each time, but for
/// functions that are inlined.
fn crashed(body: &str, signal: i32) -> String {
    let directory = prepared(body);
    let directory = directory.path();
    let mut outputs = Vec::new();
    for release in [&[][..], &["--release"]] {
        outputs.push(here(remlc().args(["run", "-q", "--allow-ffi"]).args(release).arg("main.reml"), directory));
        let mut build = remlc();
        build.args(["build", "-q", "--allow-ffi"]).args(release).args(["main.reml", "-o", "program"]);
        let built = here(&mut build, directory);
        assert!(built.status.success(), "{}", stderr(&built));
        outputs.push(here(&mut Command::new(directory.join("program")), directory));
    }
    let place = |output: &Output| {
        let text = stderr(output);
        let line = text.lines().find(|line| line.starts_with("  at ")).unwrap_or_default();
        line.split_once('(').map(|(_, place)| place.to_owned())
    };
    for output in &outputs {
        let text = stderr(output);
        assert_eq!(output.status.signal(), Some(signal), "{text}");
        assert_eq!(output.stdout, b"before\n", "{text}");
        // Addresses of libraries differ from run to run.
        let first = |text: &str| text.lines().next().map(|line| line.split("0x7").next().map(str::to_owned));
        assert_eq!(first(&text), first(&stderr(&outputs[0])));
        assert_eq!(place(output), place(&outputs[0]), "{text}{}", stderr(&outputs[0]));
    }
    stderr(&outputs[0])
}

#[test]
fn the_report_says_what_happened_where_and_who_called() {
    let null = "\
@inline(never)
fn value(node: Ptr<()>) -> i64 =
  unsafe { follow(node) }

fn main() {
  println(\"before\")
  println(\"{}\", value(Ptr.null()) + 1)
}
";
    assert_eq!(
        crashed(null, libc::SIGSEGV),
        "crash: the foreign function `follow` of `fragile` ended with SIGSEGV: it used a null pointer (0x8)\n  \
         code: ffi.call.failed\n  at main.value (main.reml:18:12)\n  backtrace:\n    1: main.value (main.reml:18:12)\n    \
         2: main.main (main.reml:22:17)\n"
    );
}

/// What the report of a call says happened.
fn told(call: &str, signal: i32) -> String {
    let text = crashed(&format!("fn main() {{\n  println(\"before\")\n  let _ = unsafe {{ {call} }}\n}}\n"), signal);
    assert!(text.contains("  at main.main (main.reml:18:20)\n"), "{text}");
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn each_signal_has_words() {
    let ended = |function: &str| format!("crash: the foreign function `{function}` of `fragile` ended with ");
    assert_eq!(told("divide(1, 0)", libc::SIGFPE), ended("divide") + "SIGFPE: it divided by zero");
    assert_eq!(told("give_up()", libc::SIGABRT), ended("give_up") + "SIGABRT: it gave up, by `abort`");
    let refused = "SIGILL: it came upon an instruction that the processor refuses";
    assert_eq!(told("refuse()", libc::SIGILL), ended("refuse") + refused);
    let written = told("write_code()", libc::SIGSEGV);
    assert!(written.ends_with("must not be used like this"), "{written}");
    let far = told("follow(Ptr.from_int(0x7000000000000000))", libc::SIGSEGV);
    assert!(far.ends_with("SIGSEGV: it used an address that no memory can have"), "{far}");
}

#[test]
fn what_earlier_calls_have_left_on_the_stack_is_not_taken_for_the_call() {
    let body = "\
fn taps(n: Int) -> Int = if n == 0 { 0 } else { 1 + taps(n - 1) + unsafe { tap(n as i32) } as Int }

fn main() {
  println(\"before\")
  let sum = taps(200)
  println(\"{}\", unsafe { roomy(Ptr.null()) } + sum)
}
";
    let text = crashed(body, libc::SIGSEGV);
    assert!(text.starts_with("crash: the foreign function `roomy` of `fragile`"), "{text}");
    assert!(text.contains("  at main.main (main.reml:21:26)\n"), "{text}");
}

#[test]
fn in_callbacks_through_pointers_and_on_other_stacks() {
    let callback = "\
fn main() {
  println(\"before\")
  let f = bind_fn_ptr(|n: i32| { unsafe { divide(10, 1 - n) }; () })
  unsafe { each(f.raw, 3) }
}
";
    let text = crashed(callback, libc::SIGFPE);
    assert!(text.starts_with("crash: the foreign function `divide` of `fragile`"), "{text}");
    assert!(text.contains("(main.reml:18:43)"), "{text}");

    let pointer = "\
fn main() {
  println(\"before\")
  println(\"{}\", unsafe { divider().call((7, 0)) })
}
";
    let text = crashed(pointer, libc::SIGFPE);
    assert!(text.starts_with("crash: a foreign function that was called through a pointer ended with"), "{text}");

    let fiber = "\
effect Ask { operation ask : Int -> Int }

fn asked() -> Int = (do Ask.ask(1)) + unsafe { follow(Ptr.null()) } + (do Ask.ask(2))

fn main() {
  println(\"before\")
  let answer = handle asked() with handler Ask {
    operation ask(n, resume) {
      let later = resume(n)
      later + 1
    }
  }
  println(\"{}\", answer)
}
";
    let text = crashed(fiber, libc::SIGSEGV);
    assert!(text.starts_with("crash: the foreign function `follow` of `fragile`"), "{text}");
    assert!(text.contains("(main.reml:18:48)"), "{text}");
}

#[test]
fn a_bad_pointer_of_the_programs_own_is_told_too() {
    let body = "\
fn main(args: List<Str>) {
  println(\"before\")
  let nowhere: Ptr<Int> = unsafe { Ptr.from_int(args.len() as usize * 8) }
  println(\"{}\", unsafe { nowhere.load() })
}
";
    let text = crashed(body, libc::SIGSEGV);
    assert!(text.starts_with("crash: the program ended with SIGSEGV: it used a null pointer (0x0)\n"), "{text}");
    assert!(text.contains("  at main.main"), "{text}");
}

#[test]
fn an_overflow_in_c_names_the_function() {
    let directory = prepared("fn main() = println(\"{}\", unsafe { dig(1) })\n");
    let ran = here(remlc().args(["run", "-q", "--allow-ffi", "main.reml"]), directory.path());
    assert_eq!(ran.status.code(), Some(101), "{}", stderr(&ran));
    let said = "panic: stack overflow: the foreign function `dig` of `fragile` needs more stack than there is\n  \
                code: runtime.stack_overflow\n  at main.main (main.reml:16:36)\n";
    assert_eq!(stderr(&ran), said);
}

#[test]
fn the_log_has_the_call_and_stays_whole() {
    let body = "fn main() {\n  println(\"before\")\n  println(\"{}\", unsafe { follow(Ptr.null()) })\n}\n";
    let directory = prepared(body);
    let directory = directory.path();
    let ran = here(remlc().args(["run", "-q", "--allow-ffi", "--audit", "run.jsonl", "main.reml"]), directory);
    assert_eq!(ran.status.signal(), Some(libc::SIGSEGV), "{}", stderr(&ran));
    let build = here(remlc().args(["build", "-q", "--allow-ffi", "main.reml", "-o", "program"]), directory);
    assert!(build.status.success(), "{}", stderr(&build));
    let ran = here(Command::new(directory.join("program")).env("REML_AUDIT", "built.jsonl"), directory);
    assert_eq!(ran.status.signal(), Some(libc::SIGSEGV), "{}", stderr(&ran));
    for log in ["run.jsonl", "built.jsonl"] {
        let log = directory.join(log);
        assert!(verify(&log, &VerifyOptions::default()).expect("there is a log").is_intact(), "{}", log.display());
        let text = std::fs::read_to_string(log).unwrap();
        let events: Vec<Value> = text.lines().map(|line| line.parse().expect("it is JSON")).collect();
        let calls: Vec<&Value> = events
            .iter()
            .map(|event| &event["envelope"])
            .filter(|event| event["metadata"]["event.kind"] == "ffi.call")
            .collect();
        let [call] = calls.as_slice() else { panic!("{text}") };
        let ffi = &call["metadata"]["ffi"];
        assert_eq!((&ffi["symbol"], &ffi["library"]), (&"follow".into(), &"fragile".into()));
        assert_eq!((&ffi["status"], &ffi["call_site"]), (&"failed".into(), &"main:18".into()));
        assert_eq!(call["metadata"]["error.code"], "ffi.call.failed");
        let error = &call["change_set"]["error"];
        assert_eq!(error["kind"], "CallFailed");
        assert_eq!(error["message"], "ended with SIGSEGV: it used a null pointer (0x8)");
    }
}

#[test]
fn other_tests_go_on() {
    let body = "\
@test
fn crashes() = unsafe { give_up() }

@test
fn passes() = assert(unsafe { tap(1) } == 2)
";
    let directory = prepared(body);
    let ran = here(remlc().args(["test", "--allow-ffi", "main.reml"]), directory.path());
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &stderr(&ran);
    assert_eq!(ran.status.code(), Some(1), "{text}");
    assert!(text.contains("crash: the foreign function `give_up` of `fragile` ended with SIGABRT"), "{text}");
    assert!(text.contains("1 passed") && text.contains("1 failed"), "{text}");
}

#[test]
fn a_signal_from_outside_is_no_crash() {
    let body = "\
extern \"C\" fn sleep(seconds: u32) -> u32

fn main() {
  eprintln(\"ready\")
  println(\"{}\", unsafe { sleep(30) })
}
";
    let directory = prepared(body);
    let mut command = remlc();
    command.current_dir(directory.path()).env("REML_LIBRARY_PATH", directory.path());
    command.args(["run", "-q", "--allow-ffi", "main.reml"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    let mut errors = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut errors, &mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    // SAFETY: sends a signal to a process of our own.
    unsafe { libc::kill(child.id() as i32, libc::SIGABRT) };
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGABRT));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut errors, &mut rest).unwrap();
    assert_eq!(rest, "");
}
