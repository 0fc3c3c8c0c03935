//! Do generated bindings work? They are compiled and run, and what functions of C and bit-fields give is looked at.

mod support;

use std::process::Command;

use support::{remlc, run, scratch};

const HEADER: &str = "#include <stdint.h>
/** The absolute value. */
int abs(int n);
int toupper(int letter);
long labs(long n);
double fabs(double x);
#define LIMIT (1 << 10)
#define GREETING \"hello\\n\"
enum color { RED, GREEN = -7 };
struct flags { unsigned ready : 1; int level : 5; _Bool on : 1; unsigned : 0; uint64_t mode : 40; int64_t whole : 64; };
struct tight { int a : 8; signed char c; short d : 3; };
";

const MAIN: &str = r#"use bindings.{GREEN, GREETING, LIMIT, Flags, Tight, abs, fabs, labs, toupper}

fn main() {
  println("{} {} {}", unsafe { abs(-3) }, unsafe { labs(-4) }, unsafe { fabs(-2.5) })
  println("{} {} {}{}", unsafe { toupper(97) }, LIMIT, GREETING, GREEN)
  let flags = Flags { bits_0: 0, bits_1: 0, bits_2: 0 }
  let full = flags.with_ready(1).with_level(-16).with_on(true).with_mode(1099511627775).with_whole(-2)
  println("{} {} {} {} {}", full.ready(), full.level(), full.on(), full.mode(), full.whole())
  println("{} {} {}", full.bits_0, full.bits_1, full.bits_2)
  let changed = full.with_level(9).with_ready(2)
  println("{} {} {} {}", changed.ready(), changed.level(), changed.on(), changed.bits_0)
  let tight = Tight { storage: [0] }.with_a(-5).with_c(-128).with_d(3)
  println("{} {} {} {}", tight.a(), tight.c(), tight.d(), tight.storage)
  println("{} {}", tight.with_d(-4).d(), tight.with_d(-4).storage)
}
"#;

const PRINTED: &str = "3 4 2.5
65 1024 hello
-7
1 -16 true 1099511627775 -2
97 1099511627775 18446744073709551614
0 9 true 82
-5 -128 3 [229627]
-4 [295163]
";

#[test]
fn generated_bindings_compile_and_run() {
    let directory = scratch();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("src")).unwrap();
    std::fs::write(path("reml.toml"), "[project]\nname = \"app\"\nversion = \"0.1.0\"\n").unwrap();
    std::fs::write(path("lib.h"), HEADER).unwrap();
    std::fs::write(path("src/main.reml"), MAIN).unwrap();
    let here = |args: &[&str]| run(remlc().current_dir(directory.path()).args(args), "").unwrap();
    let (output, manifest) = ("src/bindings.reml", "bindings.manifest.json");
    let bound = here(&[
        "bindgen",
        "--header",
        "lib.h",
        "-I",
        ".",
        "--output",
        output,
        "--manifest",
        manifest,
        "--check-layout",
    ]);
    assert_eq!((bound.exit, &*bound.stderr), (Some(0), ""), "{}", bound.stdout);
    let formatted = here(&["fmt", "--check", output]);
    assert_eq!(formatted.exit, Some(0), "{}", formatted.stdout);
    for args in [&["run", "--allow-ffi", "."][..], &["run", "--release", "--allow-ffi", "."]] {
        let ran = here(args);
        assert_eq!((ran.exit, &*ran.stdout), (Some(0), PRINTED), "{}", ran.stderr);
    }
    let built = here(&["build", "--allow-ffi", ".", "-o", "app"]);
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    let ran = run(&mut Command::new(path("app")), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), PRINTED), "{}", ran.stderr);
}
