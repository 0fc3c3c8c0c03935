//! Does a log keep what it has promised when its process is killed?
//!
//! `cargo run --release -p reml_audit --example crash -- 1000` starts a writer a thousand times and kills it at some moment. The writer, which is this
//! program again, has four threads that log and then tell on standard output what was accepted. After some crashes, what was not synced is taken away,
//! as a loss of power does. Then the log is opened, verified and read: under `always` nothing accepted may be missing, under `interval` nothing that
//! was accepted longer before the end than the interval; and of each thread, what is there must be there without gaps.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reml_audit::log::{Head, Log, LogOptions, SyncPolicy, rotated_path};
use reml_audit::query::{Filter, query};
use reml_audit::verify::{VerifyOptions, verify};
use reml_audit::{Event, EventKind, Sink};

const THREADS: u64 = 4;
const INTERVAL: Duration = Duration::from_millis(20);
/// On a busy machine the thread of the log does not always run when it wants to.
const PATIENCE: Duration = Duration::from_secs(2);
/// A log goes through so many crashes before a new one is begun.
const CRASHES: u64 = 25;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["writer", path, policy, run] => writer(Path::new(path), policy, run.parse().expect("a number")),
        [count] if count.parse::<u64>().is_ok() => return crash(count.parse().expect("a number")),
        _ => {
            eprintln!("usage: crash COUNT");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn options(policy: &str) -> LogOptions {
    let sync = if policy == "always" { SyncPolicy::Always } else { SyncPolicy::Interval(INTERVAL) };
    // Small files, so that some are killed while they rotate.
    LogOptions { sync, rotate_bytes: Some(30_000), checkpoint_every: 50, ..LogOptions::default() }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as u64
}

/// Any number; the clock is good enough for that.
fn dice() -> u64 {
    now().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Logs until it is killed. What was accepted is told in records of 24 bytes, which a pipe keeps in one piece.
fn writer(path: &Path, policy: &str, run: u64) {
    let log = Log::open(path, options(policy)).expect("the log opens");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0.. {
                    let event = Event::new(EventKind::named("crash"));
                    log.log(&event.with("run", run).with("thread", thread).with("number", number)).expect("accepted");
                    let record = [thread, number, now()].map(u64::to_le_bytes).concat();
                    std::io::stdout().lock().write_all(&record).and_then(|()| std::io::stdout().flush()).expect("told");
                    if policy != "always" {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
    });
}

fn crash(count: u64) -> ExitCode {
    let mut accepted = 0;
    let mut lost = 0;
    let mut oldest = Duration::ZERO;
    let mut recovered = 0;
    let mut folder = tempfile::tempdir().expect("a folder");
    for run in 0..count {
        if run % CRASHES == 0 {
            folder = tempfile::tempdir().expect("a folder");
        }
        let policy = if (run / CRASHES).is_multiple_of(2) { "always" } else { "interval" };
        let path = folder.path().join("audit.log");
        let told = kill_a_writer(&path, policy, run);
        let killed = now();
        if run % 3 == 0 {
            lose_power(&path);
        }
        if run % 2 == 0 || run % 3 == 0 {
            // At other times the next writer is the one who recovers.
            Log::open(&path, options(policy)).and_then(Log::close).expect("the log opens after a crash");
        }
        let found = match verify(&path, &VerifyOptions::default()) {
            Ok(found) => found,
            // It was killed before it had made the file.
            Err(error) if told.is_empty() && run % CRASHES == 0 => {
                assert!(error.to_string().contains("cannot"), "{error}");
                continue;
            }
            Err(error) => panic!("run {run}: {error}"),
        };
        assert!(found.is_intact(), "run {run} ({policy}): {:?}", found.findings);
        let written = read(&path, run, &mut recovered);
        for (thread, number, time) in &told {
            accepted += 1;
            if written.get(thread).is_none_or(|next| number >= next) {
                lost += 1;
                let age = Duration::from_micros(killed.saturating_sub(*time));
                oldest = oldest.max(age);
                assert!(policy != "always", "run {run}: event {number} of thread {thread} was accepted and is lost");
                assert!(age < INTERVAL + PATIENCE, "run {run}: an event of {age:?} before the end is lost");
            }
        }
    }
    println!("{count} crashes, {accepted} accepted events, {recovered} unfinished lines cut off");
    println!("always: none lost; interval of {INTERVAL:?}: {lost} lost, the oldest {oldest:?} before the end was seen");
    ExitCode::SUCCESS
}

/// What a writer has told before it was killed: thread, number, time.
fn kill_a_writer(path: &Path, policy: &str, run: u64) -> Vec<(u64, u64, u64)> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["writer", path.to_str().expect("a plain path"), policy, &run.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut told = Vec::new();
        pipe.read_to_end(&mut told).map(|_| told)
    });
    std::thread::sleep(Duration::from_micros(dice() >> (64 - 17)));
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    let told = reader.join().expect("no panic").expect("it can be read");
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    told.chunks_exact(24).map(|record| (number(&record[..8]), number(&record[8..16]), number(&record[16..]))).collect()
}

/// Does to the log what a loss of power can: of what was not synced, the end is missing, or is zeros.
fn lose_power(path: &Path) {
    let Ok(Some(head)) = Head::read(path) else { return };
    let Ok(file) = std::fs::File::options().write(true).open(path) else { return };
    let length = file.metadata().expect("its length").len();
    // If the file was rotated since, the head is in the one before, and this one is not synced at all.
    let synced = if std::fs::exists(rotated_path(path, head.file)).expect("readable") { 0 } else { head.bytes };
    if length > synced {
        let kept = synced + dice() % (length - synced);
        file.set_len(kept).expect("it can be cut");
        if dice().is_multiple_of(2) {
            file.set_len(length).expect("it can be made longer");
        }
    }
}

/// How many events of each thread of a run are in the log.
fn read(path: &Path, run: u64, recovered: &mut u64) -> HashMap<u64, u64> {
    let mut next: HashMap<u64, u64> = HashMap::new();
    let mut cuts = 0;
    query(path, &Filter::default(), |entry, _| {
        let metadata = &entry.event.metadata;
        let number = |key: &str| metadata[key].as_u64().expect("a number");
        if entry.event.kind == EventKind::Recovered {
            cuts += 1;
        } else if entry.event.kind != EventKind::Checkpoint && number("run") == run {
            let expected = next.entry(number("thread")).or_default();
            assert_eq!(number("number"), *expected, "a gap in run {run}");
            *expected += 1;
        }
        ControlFlow::Continue(())
    })
    .expect("the log can be read");
    if run % CRASHES == CRASHES - 1 {
        *recovered += cuts;
    }
    next
}
