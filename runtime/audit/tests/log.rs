//! Does a log keep what it is given, in one chain, through threads, rotations and crashes?

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use reml_audit::log::{Log, LogOptions, SyncPolicy};
use reml_audit::verify::{Fault, Verification, VerifyOptions, verify};
use reml_audit::{AuditError, Event, EventKind, Field, Record, Sink};

fn event(number: u64) -> Event {
    Event::new(EventKind::named("test")).with("number", number)
}

fn always() -> LogOptions {
    LogOptions { sync: SyncPolicy::Always, ..LogOptions::default() }
}

fn never() -> LogOptions {
    LogOptions { sync: SyncPolicy::Never, ..LogOptions::default() }
}

fn verified(path: &Path) -> Verification {
    verify(path, &VerifyOptions::default()).unwrap()
}

fn faults(path: &Path) -> Vec<Fault> {
    verified(path).findings.into_iter().map(|finding| finding.fault).collect()
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn sixteen_threads_make_one_chain() {
    const THREADS: u64 = 16;
    const EACH: u64 = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, never()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                let kind = EventKind::named("test");
                for number in 0..EACH {
                    let fields = [("number", Field::Int(number as i64)), ("thread", Field::Int(thread as i64))];
                    log.record(&Record { kind: &kind, capability: Some("core.test"), fields: &fields }).unwrap();
                }
            });
        }
    });
    log.close().unwrap();
    let found = verified(&path);
    assert!(found.findings.is_empty());
    let checkpoints = THREADS * EACH / 10_000;
    assert!(found.lines >= THREADS * EACH + checkpoints - 1, "{}", found.lines);
    // The events of each thread are in the order in which it has logged them.
    let mut next = [0; THREADS as usize];
    for line in fs::read_to_string(&path).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let metadata = &value["envelope"]["metadata"];
        if let Some(thread) = metadata["thread"].as_u64() {
            assert_eq!(metadata["number"], next[thread as usize]);
            next[thread as usize] += 1;
        }
    }
    assert_eq!(next, [EACH; THREADS as usize]);
}

#[test]
fn sixteen_threads_that_wait_for_the_disk_share_syncs_and_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..20).for_each(|number| log.log(&event(number)).unwrap()));
        }
    });
    assert_eq!(verified(&path).lines, 320);
    log.close().unwrap();
    assert!(verified(&path).findings.is_empty());
}

#[test]
fn opening_goes_on_with_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for number in 1..=4 {
        let log = Log::open(&path, always()).unwrap();
        log.log(&event(number)).unwrap();
        log.close().unwrap();
    }
    let found = verified(&path);
    assert!(found.findings.is_empty());
    assert_eq!(found.range, Some((1, 4)));
}

#[test]
fn an_unfinished_line_is_cut_off_and_that_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    log.log(&event(1)).unwrap();
    // Like a process that is killed: the log is not marked as closed.
    let copy = folder.path().join("copy");
    let head = fs::read(folder.path().join("log.head")).unwrap();
    fs::copy(&path, &copy).unwrap();
    fs::write(folder.path().join("copy.head"), head).unwrap();
    append(&copy, b"{\"timestamp\":\"2025");
    assert_eq!(faults(&copy), [Fault::Torn { bytes: 18 }]);
    assert!(verified(&copy).is_intact());
    Log::open(&copy, always()).unwrap().close().unwrap();
    assert!(faults(&copy).is_empty());
    let text = fs::read_to_string(&copy).unwrap();
    assert!(text.contains("\"audit.recovered.bytes\":18"));
}

#[test]
fn what_a_lost_sync_has_left_behind_the_head_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    log.log(&event(1)).unwrap();
    let line = fs::read(&path).unwrap();
    // Whole lines, one of them with zeros where its block never came to the disk.
    append(&path, &[0; 100]);
    append(&path, b"\n");
    append(&path, &line);
    std::mem::forget(log);
    let copy = folder.path().join("copy");
    fs::rename(&path, &copy).unwrap();
    fs::rename(folder.path().join("log.head"), folder.path().join("copy.head")).unwrap();
    Log::open(&copy, always()).unwrap().close().unwrap();
    assert!(faults(&copy).is_empty());
    assert_eq!(verified(&copy).range, Some((1, 2)));
}

#[test]
fn a_log_that_was_cut_changed_or_removed_is_not_opened() {
    type Harm = fn(&Path);
    let cases: [(&str, Harm); 5] = [
        ("it has lost", |path| {
            let length = fs::metadata(path).unwrap().len();
            OpenOptions::new().write(true).open(path).unwrap().set_len(length - 10).unwrap();
        }),
        ("it has lost", |path| fs::remove_file(path).unwrap()),
        ("is not the one that its head knows", |path| {
            let text = fs::read_to_string(path).unwrap().replace("\"number\":2", "\"number\":7");
            fs::write(path, text).unwrap();
        }),
        ("were added after it was closed", |path| append(path, b"{}\n")),
        ("does not continue the chain", |path| {
            fs::remove_file(path.with_file_name("log.head")).unwrap();
            append(path, b"{}\n");
        }),
    ];
    for (reason, harm) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(&path, always()).unwrap();
        (1..=2).for_each(|number| log.log(&event(number)).unwrap());
        log.close().unwrap();
        harm(&path);
        let error = Log::open(&path, always()).unwrap_err();
        assert!(matches!(error, AuditError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_log_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    let error = Log::open(&path, always()).unwrap_err();
    assert!(error.to_string().contains("is being written by this process already"), "{error}");
    log.close().unwrap();
    Log::open(&path, always()).unwrap();
}

#[test]
fn paths_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    fs::write(&target, "").unwrap();
    let error = Log::open(&link, always()).unwrap_err();
    assert!(matches!(error, AuditError::Symlink { .. }), "{error}");
    let log = Log::open(&link, LogOptions { follow_links: true, ..always() }).unwrap();
    log.log(&event(1)).unwrap();
    log.close().unwrap();
    assert_eq!(verified(&target).lines, 1);
    let error = Log::open(folder.path(), always()).unwrap_err();
    assert!(matches!(error, AuditError::NotAFile { .. }), "{error}");
    let error = Log::open(Path::new("/dev/null"), always()).unwrap_err();
    assert!(matches!(error, AuditError::NotAFile { .. }), "{error}");
    let error = Log::open(&folder.path().join("no/log"), always()).unwrap_err();
    assert!(error.to_string().contains("the folder must exist"), "{error}");
}

#[test]
fn one_chain_goes_through_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for _ in 0..3 {
        let log = Log::open(&path, LogOptions { rotate_bytes: Some(2_000), ..always() }).unwrap();
        (0..30).for_each(|number| log.log(&event(number)).unwrap());
        log.close().unwrap();
    }
    let found = verified(&path);
    assert!(found.findings.is_empty());
    assert_eq!((found.lines, found.range), (90, Some((1, 90))));
    assert!(found.files.len() > 10);
    // A file in the middle is missed, and so is the newest old one.
    fs::rename(folder.path().join("log.4"), folder.path().join("away")).unwrap();
    assert!(matches!(faults(&path)[..], [Fault::Deleted { .. }]));
    fs::rename(folder.path().join("away"), folder.path().join("log.4")).unwrap();
    fs::remove_file(folder.path().join("log.1")).unwrap();
    assert_eq!(faults(&path), [Fault::NoBeginning]);
}

#[test]
fn a_file_is_rotated_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, LogOptions { rotate_age: Some(Duration::from_millis(20)), ..always() }).unwrap();
    log.log(&event(1)).unwrap();
    std::thread::sleep(Duration::from_millis(40));
    log.log(&event(2)).unwrap();
    log.close().unwrap();
    assert_eq!(verified(&path).files.iter().map(|file| file.lines).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn old_files_are_removed_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let options = LogOptions { rotate_bytes: Some(2_000), keep_files: Some(2), ..always() };
    let log = Log::open(&path, options).unwrap();
    (0..100).for_each(|number| log.log(&event(number)).unwrap());
    log.close().unwrap();
    let found = verified(&path);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.files.len(), 3);
    assert!(found.range.unwrap().0 > 50);
    assert!(found.segments[0].from_start && found.segments[0].confirmed);
}

#[test]
fn a_crash_between_the_steps_of_a_rotation_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    log.log(&event(1)).unwrap();
    fs::rename(&path, folder.path().join("log.1")).unwrap();
    assert!(faults(&path).is_empty());
    let copy = folder.path().join("copy");
    fs::rename(folder.path().join("log.1"), folder.path().join("copy.1")).unwrap();
    fs::rename(folder.path().join("log.head"), folder.path().join("copy.head")).unwrap();
    std::mem::forget(log);
    let log = Log::open(&copy, always()).unwrap();
    log.log(&event(2)).unwrap();
    log.close().unwrap();
    assert!(faults(&copy).is_empty());
    assert_eq!(verified(&copy).range, Some((1, 2)));
}

#[test]
fn checkpoints_tell_how_far_the_log_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, LogOptions { checkpoint_every: 10, ..never() }).unwrap();
    (0..25).for_each(|number| log.log(&event(number)).unwrap());
    log.close().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let point = &lines[10]["envelope"]["metadata"];
    assert_eq!(point["audit.checkpoint.count"], 10);
    assert_eq!(point["audit.checkpoint.hash"], lines[9]["chain"]["hash"]);
    assert_eq!(point["audit.checkpoint.bytes"], text.lines().take(10).map(|line| line.len() + 1).sum::<usize>());
    assert_eq!(lines.len(), 27);
}

#[test]
fn events_that_lack_keys_or_are_too_long_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::open(&path, always()).unwrap();
    let error = log.log(&Event::new(EventKind::GateDecision)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "audit metadata validation failed: missing keys [gate.decision, gate.power, gate.subject]"
    );
    let error = log.log(&event(1).with("text", "x".repeat(17 << 20))).unwrap_err();
    assert!(matches!(error, AuditError::TooLong { .. }), "{error}");
    log.log(&event(1).with("text", "x".repeat(10 << 20))).unwrap();
    log.close().unwrap();
    assert_eq!(verified(&path).lines, 1);
    assert!(faults(&path).is_empty());
}
