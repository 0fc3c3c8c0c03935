//! How do events get from the threads that log them to the thread that writes them?
//!
//! They are bytes one behind the other in a vector, which the writer takes as a whole and gives an empty one for. Waking a thread costs more than
//! logging an event, so the writer sleeps for a moment after the first event and is woken early only when much has come, or
//! when somebody waits for the outcome.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::AuditError;
use crate::log::SyncPolicy;

/// Events wait no longer than this before they are written.
const LINGER: Duration = Duration::from_millis(50);
/// With so many bytes waiting, the writer begins at once.
const PLENTY: usize = 256 << 10;
/// A queue for less than some events would only be waited for.
const SMALLEST: usize = 4 << 10;

/// What has become of the events of a batch.
pub type Outcome = Arc<OnceLock<Result<(), AuditError>>>;

/// What the writer takes at a time.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bodies of the events.
    pub bytes: Vec<u8>,
    /// Where each of them ends.
    pub ends: Vec<usize>,
    pub outcome: Outcome,
    /// Somebody wants to know that all is on the disk.
    pub flush: bool,
    /// There will be no more batches.
    pub last: bool,
}

impl Batch {
    /// The bodies, in order.
    pub fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }

    /// Adds the events of a later batch. Whoever waited for this one knows its outcome; now it is that one's.
    pub fn append(&mut self, later: Batch) {
        let shift = self.bytes.len();
        self.bytes.extend_from_slice(&later.bytes);
        self.ends.extend(later.ends.iter().map(|end| shift + end));
        *self = Batch { bytes: std::mem::take(&mut self.bytes), ends: std::mem::take(&mut self.ends), ..later };
    }

    fn is_wanted(&self) -> bool {
        self.flush || self.last
    }
}

#[derive(Debug, PartialEq)]
enum WriterIs {
    Busy,
    /// Nothing is queued.
    Idle,
    /// Something is, but not much.
    Lingering,
}

#[derive(Debug)]
struct State {
    next: Batch,
    writer: WriterIs,
    /// Why nothing is taken at present.
    refusing: Option<AuditError>,
    refused: u64,
    closed: bool,
    /// How many threads wait for space.
    crowded: usize,
}

#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// For the writer.
    work: Condvar,
    space: Condvar,
    settled: Condvar,
    capacity: usize,
    always: bool,
    linger: Duration,
}

impl Queue {
    pub fn new(capacity: usize, sync: SyncPolicy) -> Queue {
        let linger = match sync {
            SyncPolicy::Always => Duration::ZERO,
            SyncPolicy::Interval(interval) => interval.min(LINGER),
            SyncPolicy::Never => LINGER,
        };
        Queue {
            state: Mutex::new(State {
                next: Batch::default(),
                writer: WriterIs::Busy,
                refusing: None,
                refused: 0,
                closed: false,
                crowded: 0,
            }),
            work: Condvar::new(),
            space: Condvar::new(),
            settled: Condvar::new(),
            capacity: capacity.max(SMALLEST),
            always: sync == SyncPolicy::Always,
            linger,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the state is between two valid ones.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a body, when there is space for it; waits for its outcome if events are synced one by one.
    pub fn push(&self, body: &[u8]) -> Result<(), AuditError> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(AuditError::Closed);
            }
            if let Some(error) = &state.refusing {
                let error = error.clone();
                state.refused += 1;
                return Err(error);
            }
            // A body that is larger than the queue gets it for itself.
            if state.next.ends.is_empty() || state.next.bytes.len() + body.len() <= self.capacity {
                break;
            }
            self.wake(&mut state);
            state.crowded += 1;
            state = self.space.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.crowded -= 1;
        }
        state.next.bytes.extend_from_slice(body);
        let end = state.next.bytes.len();
        state.next.ends.push(end);
        if self.always {
            return self.await_outcome(state);
        }
        match state.writer {
            WriterIs::Idle => self.wake(&mut state),
            WriterIs::Lingering if end >= PLENTY.min(self.capacity / 2) => self.wake(&mut state),
            _ => {}
        }
        Ok(())
    }

    /// Has all that is queued written and synced.
    pub fn flush(&self) -> Result<(), AuditError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditError::Closed);
        }
        state.next.flush = true;
        self.await_outcome(state)
    }

    /// The same, for the last time.
    pub fn close(&self) -> Result<(), AuditError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditError::Closed);
        }
        state.closed = true;
        state.next.last = true;
        self.await_outcome(state)
    }

    fn wake(&self, state: &mut State) {
        if state.writer != WriterIs::Busy {
            state.writer = WriterIs::Busy;
            self.work.notify_one();
        }
    }

    fn await_outcome(&self, mut state: MutexGuard<'_, State>) -> Result<(), AuditError> {
        let outcome = state.next.outcome.clone();
        self.wake(&mut state);
        loop {
            if let Some(result) = outcome.get() {
                return result.clone();
            }
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes all that is queued; waits for something, but not longer than until `deadline`. `spent` is given to the queue to be filled.
    pub fn take(&self, mut spent: Batch, deadline: Option<Instant>) -> Batch {
        spent.bytes.clear();
        spent.ends.clear();
        let mut state = self.lock();
        let mut lingered = false;
        loop {
            let (waiting, until) = if state.next.ends.is_empty() {
                (WriterIs::Idle, deadline)
            } else {
                (WriterIs::Lingering, Some(Instant::now() + self.linger))
            };
            let plenty = state.next.bytes.len() >= PLENTY.min(self.capacity / 2);
            if state.next.is_wanted() || self.always && !state.next.ends.is_empty() || lingered || plenty {
                break;
            }
            let lingers = waiting == WriterIs::Lingering;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state.writer = waiting;
            state = match left {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            lingered = lingers;
        }
        state.writer = WriterIs::Busy;
        let next = Batch { bytes: spent.bytes, ends: spent.ends, ..Batch::default() };
        let batch = std::mem::replace(&mut state.next, next);
        if state.crowded > 0 {
            self.space.notify_all();
        }
        batch
    }

    /// Tells whoever waits for a batch what has become of it.
    pub fn settle(&self, batch: &Batch, result: Result<(), AuditError>) {
        // Nobody else settles a batch.
        let _ = batch.outcome.set(result);
        // With the lock, so that nobody is between looking and waiting.
        let _state = self.lock();
        self.settled.notify_all();
    }

    /// Takes no events from now on, and tells whoever wants to log one why; or takes them again.
    pub fn refuse(&self, reason: Option<AuditError>) {
        let mut state = self.lock();
        state.refusing = reason;
        self.space.notify_all();
    }

    /// How many events were refused since this was last asked.
    pub fn take_refused(&self) -> u64 {
        std::mem::take(&mut self.lock().refused)
    }

    /// The writer is no more. Nobody shall wait for it.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let _ = state.next.outcome.set(Err(AuditError::Closed));
        self.space.notify_all();
        self.settled.notify_all();
    }
}
