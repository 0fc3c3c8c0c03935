//! What does asking the gate cost? `cargo run --release -p reml_capability --example gate`
//!
//! With 10,000 rules, on one thread and on four: without a sink, with one that only counts, and with a log in a file that
//! is synced each second, whose thread counts, too. Measured in CPU time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reml_audit::log::{Log, LogOptions};
use reml_audit::{AuditError, Event, Record, Sink};
use reml_capability::CapabilityRegistry;
use reml_capability::gate::{Gate, Origin};
use reml_capability::policy::{Effect, Grants, Mode, Pattern, Policy, Power, Rule, Source, Subject};
use reml_capability::stage::{Stage, StageRequirement};

const ORIGIN: Origin<'static> = Origin { file: "src/app.reml", line: 12, column: 5, function: "app.load" };

#[derive(Default)]
struct Counting(AtomicU64);

impl Sink for Counting {
    fn log(&self, _: &Event) -> Result<(), AuditError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn record(&self, _: &Record<'_>) -> Result<(), AuditError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn main() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let log = Log::open(&folder.path().join("audit.log"), LogOptions::default()).expect("the log can be made");
    let sinks: [(&str, Option<Arc<dyn Sink>>); 3] = [
        ("without a sink", None),
        ("with a counting sink", Some(Arc::new(Counting::default()))),
        ("with a log", Some(Arc::new(log))),
    ];
    for (what, sink) in sinks {
        let gate = Gate::new(policy(), sink);
        for threads in [1, 4] {
            println!("{what}, {threads} threads: {:.0} ns", each(&gate, threads));
        }
    }
    let registry = CapabilityRegistry::with_builtins();
    let started = cpu_time();
    const CHECKS: u32 = 100_000;
    for _ in 0..CHECKS {
        let requirement = StageRequirement::AtLeast(Stage::Stable);
        registry.verify_capability_stage("io.fs.read", requirement, &["io"]).expect("it is stable");
    }
    let check = (cpu_time() - started) / CHECKS;
    let started = cpu_time();
    for _ in 0..CHECKS {
        std::hint::black_box(registry.get("io.fs.read"));
    }
    println!("the registry: a check {check:?}, a lookup {:?}", (cpu_time() - started) / CHECKS);
}

fn policy() -> Policy {
    let rule = |number: u32| {
        let text = format!("/srv/data/{}/project{number}", number % 100);
        let pattern = Pattern::parse(Power::Read, &text, Path::new("/")).expect("it is a pattern");
        Rule { effect: Effect::Allow, power: Power::Read, pattern, source: Source::Program("a benchmark".into()) }
    };
    Policy::new(Grants::new((0..10_000).map(rule).collect()).expect("nothing is denied"), Mode::Enforce, false)
}

/// Nanoseconds for each request.
fn each(gate: &Gate, threads: usize) -> f64 {
    const REQUESTS: usize = 500_000;
    let paths: Vec<PathBuf> =
        (0..1024).map(|i| format!("/srv/data/{}/project{i}/src/main.reml", i % 100).into()).collect();
    let started = cpu_time();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for index in 0..REQUESTS {
                    gate.request(Power::Read, &Subject::Path(&paths[index % 1024]), &ORIGIN).expect("it is allowed");
                }
            });
        }
    });
    (cpu_time() - started).as_nanos() as f64 / (REQUESTS * threads) as f64
}

/// CPU time of the process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
