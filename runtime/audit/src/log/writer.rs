//! What does the thread of a log do?
//!
//! It takes batches from the queue, makes lines of them, writes and syncs them, rotates the file, and tells those who wait. The chain moves on only when
//! a batch has been written as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chain::Tail;
use crate::error::AuditError;
use crate::event::Event;
use crate::kind::EventKind;
use crate::line;
use crate::log::files::{self, Medium, Wrap};
use crate::log::head::Head;
use crate::log::queue::{Batch, Queue};
use crate::log::recover;
use crate::log::{LogOptions, SyncPolicy};

/// How soon writing is tried again after it has failed.
const RETRY: Duration = Duration::from_millis(100);
/// Lines are written when there are so many bytes of them: few calls, of memory that a processor still has at hand. With all four megabytes of a full queue
/// at once, the system takes longer to copy them than they took to be made.
const CHUNK: usize = 256 << 10;
/// The system is told to write when there are so many bytes for it, so that syncing finds little left and does not hold up the queue for long.
const AHEAD: u64 = 4 << 20;

pub struct Writer {
    path: PathBuf,
    options: LogOptions,
    wrap: Wrap,
    queue: Arc<Queue>,
    medium: Box<dyn Medium>,
    /// The end of the chain, and of the file: what comes after it was not written completely.
    tail: Tail,
    bytes: u64,
    /// The system was told to write all before this byte of the file.
    on_its_way: u64,
    file: u64,
    born: SystemTime,
    /// The line of the last checkpoint, or the last one before this writer.
    checkpoint: u64,
    /// There is something that is not synced, and something was synced last.
    dirty: bool,
    synced: Instant,
    /// Events of the log's own, which go into the next batch.
    notes: Vec<Event>,
    /// Files to be removed once the events that say so are on the disk.
    doomed: Vec<PathBuf>,
    lines: Vec<u8>,
    body: Vec<u8>,
    _lock: File,
}

/// Where a log ends.
struct End {
    tail: Tail,
    checkpoint: u64,
    bytes: u64,
}

/// Why a batch was not written.
enum Failure {
    /// The batch is not in the file, which is as it was before.
    Unwritten(AuditError),
    /// It is, but not all that a flush promises has worked.
    Written(AuditError),
    /// What is in the file is not known any more.
    Final(AuditError),
}

impl Failure {
    fn into_error(self) -> AuditError {
        match self {
            Failure::Unwritten(error) | Failure::Written(error) | Failure::Final(error) => error,
        }
    }
}

impl Writer {
    /// Opens the files of a log. The event tells what had to be cut off.
    pub fn open(
        path: &Path,
        options: LogOptions,
        wrap: Wrap,
        queue: Arc<Queue>,
    ) -> Result<(Writer, Option<Event>), AuditError> {
        let path = files::resolve(path, options.follow_links)?;
        let lock = files::lock(&path)?;
        let head = match Head::read(&path) {
            Ok(head) => head,
            // A loss of power can leave an empty one.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
            Err(error) => return Err(AuditError::io("read the head of", path, error)),
        };
        let mut current = files::open(&path, false)?;
        let found = recover::find(&path, &mut current, head)?;
        if found.cut.is_some() {
            current
                .set_len(found.bytes)
                .and_then(|()| current.sync_data())
                .map_err(|error| AuditError::io("cut back", &path, error))?;
        }
        let born = current.metadata().and_then(|found| found.created().or_else(|_| found.modified()));
        let mut writer = Writer {
            medium: wrap(current),
            wrap,
            queue,
            tail: found.tail,
            bytes: found.bytes,
            on_its_way: found.bytes,
            file: found.file,
            born: born.unwrap_or_else(|_| SystemTime::now()),
            checkpoint: found.tail.seq,
            dirty: false,
            synced: Instant::now(),
            notes: Vec::new(),
            doomed: Vec::new(),
            lines: Vec::new(),
            body: Vec::new(),
            _lock: lock,
            options,
            path,
        };
        files::sync_folder(&writer.path)?;
        // What was found behind the head is written, but perhaps not synced.
        writer.sync().map_err(Failure::into_error)?;
        writer
            .head(false)
            .write(&writer.path, true)
            .map_err(|error| AuditError::io("write the head of", &writer.path, error))?;
        Ok((writer, found.cut.map(|cut| cut.event())))
    }

    /// Works until the queue is closed.
    pub fn run(mut self) {
        // However this ends, nobody waits for it afterwards.
        let _abandon = Abandon(self.queue.clone());
        let always = self.options.sync == SyncPolicy::Always;
        let mut batch = Batch::default();
        let mut broken = None;
        // The events of the batch could not be written yet.
        let mut held = false;
        loop {
            let next =
                self.queue.take(if held { Batch::default() } else { std::mem::take(&mut batch) }, self.deadline(held));
            if held {
                batch.append(next);
            } else {
                batch = next;
            }
            let result = match &broken {
                Some(error) => Err(Failure::Final(AuditError::clone(error))),
                None => self.process(&batch),
            };
            match &result {
                Ok(()) | Err(Failure::Written(_)) => {
                    if held {
                        self.queue.refuse(None);
                    }
                    held = false;
                }
                Err(Failure::Unwritten(error)) => {
                    // Whoever waits for the outcome learns that the events are not in the log. Of buffered events nobody would.
                    held = !always;
                    if held {
                        self.queue.refuse(Some(error.clone()));
                    }
                }
                Err(Failure::Final(error)) => {
                    self.queue.refuse(Some(error.clone()));
                    held = false;
                    broken = Some(error.clone());
                }
            }
            self.queue.settle(&batch, result.map_err(Failure::into_error));
            if batch.last {
                return;
            }
        }
    }

    /// Until when something will have to be done, whether events come or not.
    fn deadline(&self, held: bool) -> Option<Instant> {
        if held {
            return Some(Instant::now() + RETRY);
        }
        match self.options.sync {
            SyncPolicy::Interval(interval) if self.dirty => Some(self.synced + interval),
            _ => None,
        }
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Failure> {
        if self.must_rotate() {
            self.rotate()?;
        }
        let refused = self.queue.take_refused();
        if refused > 0 {
            self.notes.push(
                Event::new(EventKind::Refused)
                    .capability("core.audit")
                    .with("audit.refused.count", refused)
                    .with("audit.refused.reason", "the log could not be written"),
            );
        }
        self.write(batch)?;
        let due = match self.options.sync {
            SyncPolicy::Always => self.dirty,
            SyncPolicy::Interval(interval) => self.dirty && self.synced.elapsed() >= interval,
            SyncPolicy::Never => false,
        };
        if due || batch.flush || batch.last {
            self.sync()?;
            let durable = self.options.sync != SyncPolicy::Always || batch.last;
            // The events are on the disk. A head that stays behind for a while says less than it could, but nothing wrong.
            let replaced = self.head(batch.last).write(&self.path, durable);
            if batch.flush || batch.last {
                replaced.map_err(|error| Failure::Written(AuditError::io("write the head of", &self.path, error)))?;
            }
            for path in self.doomed.drain(..) {
                // It will be tried again when files are counted next.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Writes a batch and the notes, completely or not at all.
    fn write(&mut self, batch: &Batch) -> Result<(), Failure> {
        if batch.ends.is_empty() && self.notes.is_empty() {
            return Ok(());
        }
        match self.write_lines(batch) {
            Ok(end) => {
                self.notes.clear();
                (self.tail, self.checkpoint, self.bytes) = (end.tail, end.checkpoint, end.bytes);
                self.dirty = true;
                Ok(())
            }
            Err(error) => {
                let path = self.path.clone();
                let failure = AuditError::Write { path, error: Arc::new(error) };
                Err(match self.medium.truncate(self.bytes) {
                    Ok(()) => Failure::Unwritten(failure),
                    Err(_) => Failure::Final(failure),
                })
            }
        }
    }

    /// Writes them, and says where the log ends then. After an error a part of them is there.
    fn write_lines(&mut self, batch: &Batch) -> io::Result<End> {
        let Writer { medium, lines, body, notes, options, on_its_way, .. } = self;
        let mut end = End { tail: self.tail, checkpoint: self.checkpoint, bytes: self.bytes };
        lines.clear();
        for note in notes {
            append_event(&mut end.tail, lines, body, note);
        }
        for each in batch.bodies() {
            end.tail.append(lines, each);
            if options.checkpoint_every > 0 && end.tail.seq - end.checkpoint >= options.checkpoint_every {
                let event = checkpoint_event(end.tail, end.bytes + lines.len() as u64);
                append_event(&mut end.tail, lines, body, &event);
                end.checkpoint = end.tail.seq;
            }
            if lines.len() >= CHUNK {
                medium.append(lines)?;
                end.bytes += lines.len() as u64;
                lines.clear();
                if end.bytes.saturating_sub(*on_its_way) >= AHEAD {
                    medium.write_behind(*on_its_way..end.bytes);
                    *on_its_way = end.bytes;
                }
            }
        }
        medium.append(lines)?;
        end.bytes += lines.len() as u64;
        Ok(end)
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.medium
            .sync()
            .map_err(|error| Failure::Final(AuditError::Sync { path: self.path.clone(), error: Arc::new(error) }))?;
        self.dirty = false;
        self.synced = Instant::now();
        Ok(())
    }

    fn head(&self, closed: bool) -> Head {
        Head { tail: self.tail, file: self.file, bytes: self.bytes, closed }
    }

    fn must_rotate(&self) -> bool {
        let full = self.options.rotate_bytes.is_some_and(|limit| self.bytes >= limit);
        let old = |age| self.born.elapsed().is_ok_and(|passed| passed >= age);
        self.bytes > 0 && (full || self.options.rotate_age.is_some_and(old))
    }

    /// Gives the present file its number and begins a new one. If that cannot be, the present one goes on.
    fn rotate(&mut self) -> Result<(), Failure> {
        self.sync()?;
        let old = files::rotated_path(&self.path, self.file);
        // Nothing is overwritten: a file of this name is not of this log.
        if fs::exists(&old).unwrap_or(true) || fs::rename(&self.path, &old).is_err() {
            return Ok(());
        }
        let Ok(new) = files::open(&self.path, true) else {
            return fs::rename(&old, &self.path)
                .map_err(|error| Failure::Final(AuditError::io("rename back the audit log", &old, error)));
        };
        self.medium = (self.wrap)(new);
        self.file += 1;
        self.bytes = 0;
        self.on_its_way = 0;
        self.born = SystemTime::now();
        let failed = |error| Failure::Unwritten(AuditError::io("write the head of", &self.path, error));
        files::sync_folder(&self.path).map_err(Failure::Unwritten)?;
        self.head(false).write(&self.path, true).map_err(failed)?;
        self.prune();
        Ok(())
    }

    /// Chooses the old files that need not be kept, and notes it.
    fn prune(&mut self) {
        let Ok(numbers) = files::rotated(&self.path) else { return };
        let too_many = self.options.keep_files.map_or(0, |keep| numbers.len().saturating_sub(keep));
        for (index, number) in numbers.iter().enumerate() {
            let path = files::rotated_path(&self.path, *number);
            let age =
                fs::metadata(&path).and_then(|found| found.modified()).map(|time| time.elapsed().unwrap_or_default());
            let too_old = self.options.keep_for.is_some_and(|keep| age.is_ok_and(|age| age >= keep));
            if index >= too_many && !too_old {
                return;
            }
            let Ok(Some(link)) = files::last_link(&path) else { return };
            self.notes.push(
                Event::new(EventKind::Pruned)
                    .capability("core.audit")
                    .with("audit.pruned.file", number.to_string())
                    .with("audit.pruned.hash", link.hash.to_string())
                    .with("audit.pruned.seq", link.seq),
            );
            self.doomed.push(path);
        }
    }
}

fn checkpoint_event(tail: Tail, bytes: u64) -> Event {
    Event::new(EventKind::Checkpoint)
        .capability("core.audit")
        .with("audit.checkpoint.bytes", bytes)
        .with("audit.checkpoint.count", tail.seq)
        .with("audit.checkpoint.hash", tail.hash.to_string())
}

fn append_event(tail: &mut Tail, lines: &mut Vec<u8>, body: &mut Vec<u8>, event: &Event) {
    body.clear();
    line::write_event(body, event);
    tail.append(lines, body);
}

struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
