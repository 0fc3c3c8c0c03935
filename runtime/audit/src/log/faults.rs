//! What becomes of events when the disk is full or broken?

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::AuditError;
use crate::event::Event;
use crate::kind::EventKind;
use crate::log::files::Medium;
use crate::log::{Log, LogOptions, SyncPolicy};
use crate::sink::Sink;
use crate::verify::{VerifyOptions, verify};

#[derive(Default)]
struct Faults {
    /// So many bytes can still be written.
    room: Option<usize>,
    sync_fails: bool,
    truncate_fails: bool,
}

type Shared = Arc<Mutex<Faults>>;

struct Faulty {
    file: File,
    faults: Shared,
}

impl Medium for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        let room = faults.room.unwrap_or(usize::MAX);
        let fits = bytes.len().min(room);
        self.file.append(&bytes[..fits])?;
        if let Some(room) = &mut faults.room {
            *room -= fits;
        }
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn write_behind(&mut self, bytes: Range<u64>) {
        self.file.write_behind(bytes);
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self.faults.lock().unwrap().truncate_fails {
            true => Err(ErrorKind::ReadOnlyFilesystem.into()),
            false => self.file.truncate(length),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.faults.lock().unwrap().sync_fails {
            true => Err(ErrorKind::Other.into()),
            false => self.file.sync(),
        }
    }
}

fn open(path: &Path, sync: SyncPolicy) -> (Log, Shared) {
    let faults = Shared::default();
    let shared = faults.clone();
    let wrap = Box::new(move |file| Box::new(Faulty { file, faults: shared.clone() }) as Box<dyn Medium>);
    (Log::open_on(path, LogOptions { sync, ..LogOptions::default() }, wrap).unwrap(), faults)
}

fn event(number: u64) -> Event {
    Event::new(EventKind::named("test")).with("number", number)
}

/// The numbers in a log that must be intact, and the kinds of other events.
fn content(path: &Path) -> (Vec<u64>, Vec<String>) {
    let found = verify(path, &VerifyOptions::default()).unwrap();
    assert_eq!(found.findings, []);
    let text = fs::read_to_string(path).unwrap();
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metadata = events.iter().map(|event| &event["envelope"]["metadata"]);
    let kinds = metadata.clone().filter_map(|data| data["event.kind"].as_str()).filter(|kind| *kind != "test");
    let kinds = kinds.map(str::to_owned).collect();
    (metadata.filter_map(|data| data["number"].as_u64()).collect(), kinds)
}

#[test]
fn on_a_full_disk_who_waits_is_told_and_no_part_of_the_line_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, faults) = open(&path, SyncPolicy::Always);
    log.log(&event(1)).unwrap();
    for room in [0, 1, 100, 300] {
        let before = fs::read(&path).unwrap();
        faults.lock().unwrap().room = Some(room);
        let error = log.log(&event(2)).unwrap_err();
        assert!(error.to_string().contains("the event is not in the log; free some space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    faults.lock().unwrap().room = None;
    log.log(&event(3)).unwrap();
    log.close().unwrap();
    assert_eq!(content(&path), (vec![1, 3], vec![]));
}

#[test]
fn on_a_full_disk_buffered_events_wait_and_new_ones_are_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, faults) = open(&path, SyncPolicy::Interval(Duration::from_millis(5)));
    faults.lock().unwrap().room = Some(400);
    let mut accepted: Vec<u64> = (1..=5).collect();
    for number in 1..=5 {
        log.log(&event(number)).unwrap();
    }
    assert!(matches!(log.flush(), Err(AuditError::Write { .. })));
    let refused = (6..=8).filter(|number| log.log(&event(*number)).is_err()).count();
    assert_eq!(refused, 3);
    faults.lock().unwrap().room = None;
    log.flush().unwrap();
    log.log(&event(9)).unwrap();
    accepted.push(9);
    log.close().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"audit.refused.count\":3"));
    assert_eq!(content(&path), (accepted, vec!["audit.refused".to_owned()]));
}

#[test]
fn a_batch_that_fails_in_its_middle_is_written_again_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, faults) = open(&path, SyncPolicy::Never);
    let accepted: Vec<u64> = (0..10_000).collect();
    {
        // Until this is let go of, nothing is written, so that what follows the first events is one batch.
        let mut faults = faults.lock().unwrap();
        // Several chunks, of which some fit.
        faults.room = Some(1_000_000);
        accepted.iter().for_each(|number| log.log(&event(*number)).unwrap());
    }
    assert!(matches!(log.flush(), Err(AuditError::Write { .. })));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    faults.lock().unwrap().room = None;
    log.flush().unwrap();
    log.close().unwrap();
    assert_eq!(content(&path).0, accepted);
}

#[test]
fn threads_that_wait_for_space_are_told_that_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (log, faults) = open(&folder.path().join("log"), SyncPolicy::Never);
    faults.lock().unwrap().room = Some(0);
    let large = Event::new(EventKind::named("test")).with("text", "x".repeat(1 << 20));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..4).filter(|_| log.log(&large).is_ok()).count());
        }
    });
    assert!(matches!(log.close(), Err(AuditError::Write { .. })));
}

#[test]
fn after_an_error_of_syncing_nothing_is_taken_until_the_log_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, faults) = open(&path, SyncPolicy::Always);
    log.log(&event(1)).unwrap();
    faults.lock().unwrap().sync_fails = true;
    assert!(matches!(log.log(&event(2)), Err(AuditError::Sync { .. })));
    faults.lock().unwrap().sync_fails = false;
    assert!(matches!(log.log(&event(3)), Err(AuditError::Sync { .. })));
    assert!(log.close().is_err());
    let (log, _) = open(&path, SyncPolicy::Always);
    log.log(&event(4)).unwrap();
    log.close().unwrap();
    // Whether the second one is there is not known to whoever has logged it.
    assert_eq!(content(&path), (vec![1, 2, 4], vec![]));
}

#[test]
fn what_cannot_be_cut_back_is_cut_off_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, faults) = open(&path, SyncPolicy::Always);
    log.log(&event(1)).unwrap();
    *faults.lock().unwrap() = Faults { room: Some(50), truncate_fails: true, ..Faults::default() };
    assert!(log.log(&event(2)).is_err());
    assert!(log.log(&event(3)).is_err());
    drop(log);
    let (log, _) = open(&path, SyncPolicy::Always);
    log.close().unwrap();
    assert_eq!(content(&path), (vec![1], vec!["audit.recovered".to_owned()]));
}
