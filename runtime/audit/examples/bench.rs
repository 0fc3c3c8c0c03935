//! What does an event cost, and how fast is a log verified?
//!
//! `cargo run --release -p reml_audit --example bench -- [MEGABYTES]` prints nanoseconds per event and megabytes per second, by the clock and by
//! the time of processors. The log is in the system's folder for temporary files.

use std::path::Path;
use std::time::{Duration, Instant};

use reml_audit::log::{Log, LogOptions, SyncPolicy};
use reml_audit::verify::{VerifyOptions, verify};
use reml_audit::{Event, EventKind, Field, Record, Sink};

fn main() {
    let megabytes: u64 = std::env::args().nth(1).map_or(1_000, |text| text.parse().expect("a number of megabytes"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let interval = SyncPolicy::Interval(Duration::from_secs(1));
    for threads in [1, 16] {
        // As many as the queue holds: what the program waits for as long as it does not log without end.
        report("record, into the queue", threads, burst(&path, threads));
        report("record, without end", threads, logging(&path, interval, threads, 1_000_000, &record));
    }
    report("event, without end", 1, logging(&path, interval, 1, 300_000, &event));
    for threads in [1, 16] {
        report("record, synced each", threads, logging(&path, SyncPolicy::Always, threads, 400, &record));
    }
    verification(&path, megabytes << 20);
}

fn report(what: &str, threads: u64, (time, cpu): (f64, f64)) {
    println!("{what}, {threads} threads: {time:.0} ns per event, {cpu:.0} ns of a processor");
}

/// What this process has used, which is the fairer measure on a machine that has other things to do.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn remove(path: &Path) {
    for suffix in ["", ".head", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // The first time there is none.
        let _ = std::fs::remove_file(name);
    }
}

/// What the gate logs.
fn record(log: &Log, _number: u64) {
    let fields = [
        ("gate.decision", Field::Text("allowed")),
        ("gate.origin", Field::Text("src/main.reml:120:17")),
        ("gate.power", Field::Text("read")),
        ("gate.rule", Field::Text("--allow-read=/srv/data")),
        ("gate.subject", Field::Text("/srv/data/orders/2025-07-01.csv")),
    ];
    log.record(&Record { kind: &EventKind::GateDecision, capability: Some("io.fs.read"), fields: &fields })
        .expect("logged");
}

fn event(log: &Log, number: u64) {
    let event = Event::new(EventKind::GateDecision)
        .capability("io.fs.read")
        .with("gate.decision", "allowed")
        .with("gate.origin", "src/main.reml:120:17")
        .with("gate.power", "read")
        .with("gate.subject", format!("/srv/data/orders/{number}.csv"));
    log.log(&event).expect("logged");
}

fn logging(path: &Path, sync: SyncPolicy, threads: u64, count: u64, one: &(dyn Fn(&Log, u64) + Sync)) -> (f64, f64) {
    remove(path);
    let log = Log::open(path, LogOptions { sync, ..LogOptions::default() }).expect("the log opens");
    let (start, cpu) = (Instant::now(), cpu_time());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..count / threads).for_each(|number| one(&log, number)));
        }
    });
    log.flush().expect("flushed");
    let (time, cpu) = (start.elapsed(), cpu_time() - cpu);
    log.close().expect("closed");
    (time.as_nanos() as f64 / count as f64, cpu.as_nanos() as f64 / count as f64)
}

fn burst(path: &Path, threads: u64) -> (f64, f64) {
    const EVENTS: u64 = 8_000;
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..20 {
        remove(path);
        let log = Log::open(path, LogOptions::default()).expect("the log opens");
        let (start, cpu) = (Instant::now(), cpu_time());
        if threads == 1 {
            (0..EVENTS).for_each(|number| record(&log, number));
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| (0..EVENTS / threads).for_each(|number| record(&log, number)));
                }
            });
        }
        let each = |time: Duration| time.as_nanos() as f64 / EVENTS as f64;
        best = (best.0.min(each(start.elapsed())), best.1.min(each(cpu_time() - cpu)));
        log.close().expect("closed");
    }
    best
}

fn verification(path: &Path, bytes: u64) {
    remove(path);
    let log = Log::open(path, LogOptions { sync: SyncPolicy::Never, ..LogOptions::default() }).expect("the log opens");
    let mut number = 0;
    while number % 10_000 != 0 || std::fs::metadata(path).expect("there").len() < bytes {
        record(&log, number);
        number += 1;
    }
    log.close().expect("closed");
    for threads in [1, 2, 4] {
        let (start, cpu) = (Instant::now(), cpu_time());
        let found = verify(path, &VerifyOptions { threads: Some(threads), ..VerifyOptions::default() }).expect("read");
        assert!(found.is_intact());
        let megabytes = found.bytes as f64 / 1e6;
        let (rate, per_cpu) = (megabytes / start.elapsed().as_secs_f64(), megabytes / (cpu_time() - cpu).as_secs_f64());
        println!(
            "verification of {megabytes:.0} MB, {threads} threads: {rate:.0} MB/s, {per_cpu:.0} MB per second of a processor"
        );
    }
}
