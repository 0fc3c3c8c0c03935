//! How is an event written so that it is not lost, not changed unseen, and not in the way?
//!
//! [`Log::log`](crate::Sink::log) makes an event into bytes on the thread that logs it and leaves them in a bounded [queue]; if that is
//! full, it waits. One thread numbers and chains them, writes them and, as [`SyncPolicy`] says, brings them to the disk. So
//! the order of the chain is that of the queue, and a slow disk costs nobody time until the queue is full.
//!
//! A log named `LOG` consists of
//!
//! - `LOG`, which is written, and `LOG.1`, `LOG.2`, ..., which were written before, oldest first, all one chain;
//! - `LOG.head`, which says how far the log had come when it was last brought to the disk, so that a tail that was cut off is missed;
//! - `LOG.lock`, which is locked by whoever writes.
//!
//! What happens when things go wrong:
//!
//! - *No space, or another error of writing*: the file is cut back to its last whole line. With [`SyncPolicy::Always`], whoever waits for these events
//!   gets the error, and they are not in the log. Otherwise the events are kept and written as soon as that is possible; meanwhile
//!   new ones are refused with the error, and their number is logged afterwards.
//! - *An error of syncing*: nobody can say what is on the disk, so the log takes nothing more until it is opened again.
//! - *The process is killed*: what was written stays. The next [`Log::open`] cuts off a line that was not finished, logs that it did, and
//!   goes on with the chain. See [`recover`].
//!
//! A child made by `fork` has the queue, but not the thread: it must open a log of its own.

#[cfg(test)]
mod faults;
mod files;
mod head;
mod queue;
mod recover;
mod writer;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::chain::MAX_LINE;
use crate::error::AuditError;
use crate::event::{Event, Record};
use crate::line;
use crate::sink::Sink;
use crate::validate::{validate, validate_record};

pub(crate) use files::rotated;
pub use files::rotated_path;
pub use head::Head;
use queue::Queue;
use writer::Writer;

/// When are events brought to the disk, so that they survive a loss of power?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before `log` returns. Events of several threads that come at the same time share one sync.
    Always,
    /// So often, if there is something new. A process that is killed loses what it has logged during the last interval at most, and never more than
    /// fifty milliseconds' worth.
    Interval(Duration),
    /// When the log is flushed, rotated or closed; else when the system likes to. What is said of killed processes holds here, too.
    Never,
}

/// How a log is kept. [`LogOptions::default`] syncs each second and never rotates.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub sync: SyncPolicy,
    /// May the path be a symbolic link? Where others can make links, that would let them choose the file.
    pub follow_links: bool,
    /// A checkpoint is logged after so many events; none if 0.
    pub checkpoint_every: u64,
    /// A new file is begun when the present one has so many bytes. It may have more by what the queue holds.
    pub rotate_bytes: Option<u64>,
    /// A new file is begun when the present one is so old.
    pub rotate_age: Option<Duration>,
    /// So many old files are kept. Others are removed, oldest first, after the removal has been logged.
    pub keep_files: Option<usize>,
    /// Old files are kept for so long.
    pub keep_for: Option<Duration>,
    /// So many bytes may wait to be written.
    pub queue_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            sync: SyncPolicy::Interval(Duration::from_secs(1)),
            follow_links: false,
            checkpoint_every: 10_000,
            rotate_bytes: None,
            rotate_age: None,
            keep_files: None,
            keep_for: None,
            queue_bytes: 4 << 20,
        }
    }
}

/// An audit log in a file.
///
/// ```
/// use reml_audit::log::{Log, LogOptions};
/// use reml_audit::{Event, EventKind, Sink};
/// let folder = tempfile::tempdir().unwrap();
/// let log = Log::open(&folder.path().join("audit.log"), LogOptions::default())?;
/// log.log(&Event::new(EventKind::named("shop.order")).with("shop.order.id", 7))?;
/// log.close()?;
/// # Ok::<(), reml_audit::AuditError>(())
/// ```
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

thread_local! {
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// Opens a log, which is made if there is none, and goes on with its chain.
    pub fn open(path: &Path, options: LogOptions) -> Result<Log, AuditError> {
        Log::open_on(path, options, Box::new(|file| Box::new(file)))
    }

    fn open_on(path: &Path, options: LogOptions, wrap: files::Wrap) -> Result<Log, AuditError> {
        let queue = Arc::new(Queue::new(options.queue_bytes, options.sync));
        let (writer, recovered) = Writer::open(path, options, wrap, queue.clone())?;
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| AuditError::io("start a thread for", path, error))?;
        let log = Log { path: path.to_owned(), queue, thread: Some(thread) };
        if let Some(event) = recovered {
            log.log(&event)?;
            log.flush()?;
        }
        Ok(log)
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is queued, marks the log as complete, and says whether all of this has worked.
    pub fn close(mut self) -> Result<(), AuditError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), AuditError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let outcome = self.queue.close();
        // If the thread has panicked, the outcome says that the log is closed.
        let _ = thread.join();
        outcome
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), AuditError> {
        BODY.with_borrow_mut(|body| {
            body.clear();
            write(body);
            // Room for the chain.
            if body.len() > MAX_LINE - 256 {
                let bytes = body.len();
                *body = Vec::new();
                return Err(AuditError::TooLong { bytes });
            }
            self.queue.push(body)
        })
    }
}

impl Sink for Log {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        validate(event)?;
        self.push(|body| line::write_event(body, event))
    }

    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        validate_record(record)?;
        self.push(|body| line::write_record(body, record))
    }

    fn flush(&self) -> Result<(), AuditError> {
        self.queue.flush()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know the outcome closes the log.
        let _ = self.finish();
    }
}
