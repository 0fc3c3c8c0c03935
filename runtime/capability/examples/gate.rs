//! What does asking the gate cost? `cargo run --release -p reml_capability --example gate`
//!
//! With 10,000 rules, on one thread and on four, without a sink and with one that only counts: what a log adds to this
//! is the matter of the crate `reml_audit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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
    let sinks: [(&str, Option<Arc<dyn Sink>>); 2] =
        [("without a sink", None), ("with a counting sink", Some(Arc::new(Counting::default())))];
    for (what, sink) in sinks {
        let gate = Gate::new(policy(), sink);
        for threads in [1, 4] {
            println!("{what}, {threads} threads: {:.0} ns", each(&gate, threads));
        }
    }
    let registry = CapabilityRegistry::with_builtins();
    let started = Instant::now();
    const CHECKS: u32 = 100_000;
    for _ in 0..CHECKS {
        let requirement = StageRequirement::AtLeast(Stage::Stable);
        registry.verify_capability_stage("io.fs.read", requirement, &["io"]).expect("it is stable");
    }
    let check = started.elapsed() / CHECKS;
    let started = Instant::now();
    for _ in 0..CHECKS {
        std::hint::black_box(registry.get("io.fs.read"));
    }
    println!("the registry: a check {check:?}, a lookup {:?}", started.elapsed() / CHECKS);
}

fn policy() -> Policy {
    let rule = |number: u32| {
        let text = format!("/srv/data/{}/project{number}", number % 100);
        let pattern = Pattern::parse(Power::Read, &text, Path::new("/")).expect("it is a pattern");
        Rule { effect: Effect::Allow, power: Power::Read, pattern, source: Source::Default("a benchmark") }
    };
    Policy::new(Grants::new((0..10_000).map(rule).collect()).expect("nothing is denied"), Mode::Enforce, false)
}

/// Nanoseconds of a thread for each request.
fn each(gate: &Gate, threads: usize) -> f64 {
    const REQUESTS: usize = 500_000;
    let paths: Vec<PathBuf> =
        (0..1024).map(|i| format!("/srv/data/{}/project{i}/src/main.reml", i % 100).into()).collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for index in 0..REQUESTS {
                    gate.request(Power::Read, &Subject::Path(&paths[index % 1024]), &ORIGIN).expect("it is allowed");
                }
            });
        }
    });
    started.elapsed().as_nanos() as f64 / REQUESTS as f64
}
