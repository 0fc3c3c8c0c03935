//! Do C code, the program and the audit log agree about the calls that were made? C code counts by the functions of the runtime's header, wherever the
//! runtime is: in remlc, or in an executable.

mod support;

use std::path::Path;
use std::process::Command;

use reml_audit::Value;
use support::{Ran, remlc, root, run, scratch};

const COUNTING: &str = r#"
    #include <pthread.h>
    #include "reml_ffi_bridge.h"
    static void *count(void *thread) {
        for (int i = 0; i < 10000; i++) reml_ffi_bridge_record_status(i % 4 == 0);
        return thread;
    }
    void count_on_threads(void) {
        pthread_t threads[16];
        for (int i = 0; i < 16; i++) pthread_create(&threads[i], 0, count, 0);
        for (int i = 0; i < 16; i++) pthread_join(threads[i], 0);
    }
    double rate(void) { return reml_ffi_bridge_pass_rate(); }
    uint64_t total(void) { return reml_ffi_bridge_get_metrics().total_calls; }
    uint64_t nulls(void) {
        int thing;
        reml_ffi_acquire_borrowed_result(&thing);
        reml_ffi_acquire_transferred_result(0);
        reml_ffi_bridge_metrics_t seen = reml_ffi_bridge_get_metrics();
        return 100 * seen.borrowed_results + 10 * seen.transferred_results + seen.null_results;
    }
    int64_t there_and_back(void) {
        reml_string_t text = { (const uint8_t *)"four", 4 };
        reml_span_t span = reml_ffi_box_string(&text), nothing = { 0, 7 };
        return reml_ffi_unbox_span(&span).length + reml_ffi_unbox_span(&nothing).length;
    }
"#;

const PROGRAM: &str = r#"use Core.Ffi.Metrics.{bridge_metrics, record_status, reset_metrics}

@link(name = "counting"KIND)
extern "C" {
  fn count_on_threads();
  fn rate() -> f64;
  fn total() -> u64;
  fn nulls() -> u64;
  fn there_and_back() -> i64;
}

fn main() {
  println("{}", bridge_metrics().pass_rate())
  unsafe { count_on_threads() }
  println("{} {}", unsafe { total() }, unsafe { rate() })
  println("{} {}", bridge_metrics().total_calls, bridge_metrics().pass_rate())
  println("{} {}", unsafe { nulls() }, unsafe { there_and_back() })
  reset_metrics()
  record_status(true)
  println("{} {}", unsafe { total() }, unsafe { rate() })
}
"#;

fn compile(here: &Path, kind: &str) {
    std::fs::write(here.join("counting.c"), COUNTING).unwrap();
    let cc = |args: &[&str]| {
        let mut command = Command::new("cc");
        command.args(args).arg("-I").arg(root().join("runtime/ffi/include")).args(["-O2", "-Wall", "-Werror"]);
        assert!(command.current_dir(here).status().unwrap().success());
    };
    match kind {
        "static" => {
            cc(&["-c", "-fPIC", "-o", "counting.o", "counting.c"]);
            let mut archive = Command::new("ar");
            archive.args(["rcs", "libcounting.a", "counting.o"]);
            assert!(archive.current_dir(here).status().unwrap().success());
        }
        _ => cc(&["-shared", "-fPIC", "-o", "libcounting.so", "counting.c", "-lpthread"]),
    }
}

#[test]
fn c_counts_in_the_runtime_wherever_that_is() {
    let expected = "1.0\n160000 0.75\n160000 0.75\n101 4\n1 1.0\n";
    for kind in ["dylib", "static"] {
        let directory = scratch();
        let here = directory.path();
        compile(here, kind);
        let text = PROGRAM.replace("KIND", &format!(", kind = \"{kind}\""));
        std::fs::write(here.join("main.reml"), text).unwrap();
        let with = |command: &mut Command| -> Ran {
            run(command.current_dir(here).env("REML_LIBRARY_PATH", here), "").unwrap()
        };
        let ran = with(remlc().args(["run", "-q", "--allow-ffi", "main.reml"]));
        assert_eq!((&*ran.stdout, ran.exit), (expected, Some(0)), "{kind}: {}", ran.stderr);
        let built = with(remlc().args(["build", "-q", "--allow-ffi", "main.reml", "-o", "program"]));
        assert_eq!(built.exit, Some(0), "{kind}: {}", built.stderr);
        let ran = with(&mut Command::new(here.join("program")));
        assert_eq!((&*ran.stdout, ran.exit), (expected, Some(0)), "{kind}: {}", ran.stderr);
    }
}

#[test]
fn the_pass_rate_is_that_of_the_log() {
    let program = r#"use Core.Ffi.{FfiFnSig, FfiType, bind_library, call_ffi, get_function}
use Core.Ffi.Metrics.{bridge_metrics}

fn main() {
  let abs = get_function(bind_library("c").unwrap(), "abs").unwrap()
    .with_signature(FfiFnSig { params: [FfiType.I32], returns: FfiType.I32 })
    .unwrap()
  for i in 0..7 { let _ = unsafe { call_ffi(abs, [0xff, 0xff, 0xff, 0xff]) } }
  let _ = unsafe { call_ffi(abs, [1]) }
  println("{} {}", bridge_metrics().total_calls, bridge_metrics().pass_rate())
}
"#;
    let directory = scratch();
    let here = directory.path();
    std::fs::write(here.join("main.reml"), program).unwrap();
    let mut command = remlc();
    command.current_dir(here).args(["run", "-q", "--allow-ffi", "--audit", "log", "main.reml"]);
    let ran = run(&mut command, "").unwrap();
    assert_eq!((&*ran.stdout, ran.exit), ("8 0.875\n", Some(0)), "{}", ran.stderr);
    let log = std::fs::read_to_string(here.join("log")).unwrap();
    let events = log.lines().map(|line| line.parse::<Value>().unwrap()["envelope"]["metadata"].clone());
    let calls: Vec<Value> = events.filter(|event| event["event.kind"] == "ffi.call").collect();
    let passed = calls.iter().filter(|call| call["ffi"]["status"] == "success").count();
    assert_eq!(calls.len(), 8);
    assert_eq!(passed as f64 / calls.len() as f64, 0.875);
}
