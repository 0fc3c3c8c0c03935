//! How are events shown on standard error, or sent down a pipe?

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::AuditError;
use crate::event::{Event, Record};
use crate::line;
use crate::sink::Sink;
use crate::validate::{validate, validate_record};

/// Writes each event as a line, without a chain.
pub struct Stream {
    out: Mutex<(Box<dyn Write + Send>, Vec<u8>)>,
    name: &'static str,
}

impl Stream {
    /// To standard error, which is where `--emit-audit-log` sends events.
    pub fn stderr() -> Stream {
        Stream::new(Box::new(io::stderr()), "standard error")
    }

    /// To any writer. Its name is for messages.
    pub fn new(out: Box<dyn Write + Send>, name: &'static str) -> Stream {
        Stream { out: Mutex::new((out, Vec::new())), name }
    }

    fn write(&self, body: impl FnOnce(&mut Vec<u8>)) -> Result<(), AuditError> {
        let mut guard = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (out, line) = &mut *guard;
        line.clear();
        body(line);
        line.extend_from_slice(b"}\n");
        out.write_all(line).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> AuditError {
        AuditError::Write { path: self.name.into(), error: Arc::new(error) }
    }
}

impl Sink for Stream {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        validate(event)?;
        self.write(|out| line::write_event(out, event))
    }

    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        validate_record(record)?;
        self.write(|out| line::write_record(out, record))
    }

    fn flush(&self) -> Result<(), AuditError> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).0.flush().map_err(|error| self.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::kind::EventKind;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_event_is_a_line_that_can_be_read() {
        let shared = Shared::default();
        let sink = Stream::new(Box::new(shared.clone()), "a test");
        sink.log(&Event::new(EventKind::named("a"))).unwrap();
        sink.record(&Record { kind: &EventKind::named("b"), capability: None, fields: &[] }).unwrap();
        let bytes = shared.0.lock().unwrap().clone();
        let kinds: Vec<_> = bytes
            .strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n')
            .map(|line| Entry::parse(line).unwrap())
            .map(|entry| (entry.event.kind.name().to_owned(), entry.link))
            .collect();
        assert_eq!(kinds, [("a".to_owned(), None), ("b".to_owned(), None)]);
    }
}
