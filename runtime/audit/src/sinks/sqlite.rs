//! How are events kept where any tool can ask for them?
//!
//! A table of a SQLite database, with a column for what is asked for most and one for the whole line. It is for asking, not for proving: what is in it
//! is in no chain.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::error::AuditError;
use crate::event::Event;
use crate::line;
use crate::sink::Sink;
use crate::validate::validate;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS audit_events (
        id INTEGER PRIMARY KEY,
        timestamp_us INTEGER NOT NULL,
        kind TEXT NOT NULL,
        capability TEXT,
        category TEXT,
        line TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS audit_events_kind ON audit_events (kind, timestamp_us);
    CREATE INDEX IF NOT EXISTS audit_events_capability ON audit_events (capability, timestamp_us);
";

/// So many events are written as one transaction, which costs as much as one event by itself.
const BATCH: usize = 256;

/// A database of events. Events wait until there are many, or the sink is flushed or dropped.
pub struct Sqlite {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    connection: Connection,
    waiting: Vec<Row>,
}

struct Row {
    timestamp: i64,
    kind: String,
    capability: Option<String>,
    category: Option<String>,
    line: String,
}

impl Sqlite {
    /// Opens a database, which is made if there is none. Several processes can use one.
    pub fn open(path: &Path) -> Result<Sqlite, AuditError> {
        let prepare = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            // Readers do not wait for writers, nor these for them.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = prepare().map_err(|error| failed(path, &error))?;
        Ok(Sqlite { path: path.to_owned(), inner: Mutex::new(Inner { connection, waiting: Vec::new() }) })
    }

    fn write(&self, inner: &mut Inner) -> Result<(), AuditError> {
        let Inner { connection, waiting } = inner;
        let insert = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let mut statement = transaction.prepare_cached(
                "INSERT INTO audit_events (timestamp_us, kind, capability, category, line) VALUES (?, ?, ?, ?, ?)",
            )?;
            for row in waiting.iter() {
                statement.execute(params![row.timestamp, row.kind, row.capability, row.category, row.line])?;
            }
            drop(statement);
            transaction.commit()
        };
        insert(connection).map_err(|error| failed(&self.path, &error))?;
        waiting.clear();
        Ok(())
    }
}

fn failed(path: &Path, error: &rusqlite::Error) -> AuditError {
    AuditError::Transport { target: format!("the database `{}`", path.display()), reason: error.to_string() }
}

impl Sink for Sqlite {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        validate(event)?;
        let timestamp = event.timestamp.unwrap_or_else(Timestamp::now);
        let mut body = Vec::new();
        line::write_event(&mut body, &event.clone().at(timestamp));
        body.push(b'}');
        let row = Row {
            timestamp: timestamp.as_microsecond(),
            kind: event.kind.name().to_owned(),
            capability: event.capability.clone(),
            category: event.category.clone(),
            line: String::from_utf8(body).expect("a line is JSON"),
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.push(row);
        if inner.waiting.len() < BATCH {
            return Ok(());
        }
        let outcome = self.write(&mut inner);
        if outcome.is_err() {
            // Who has logged it is told that it was not taken. The others wait for the next attempt.
            inner.waiting.pop();
        }
        outcome
    }

    fn flush(&self) -> Result<(), AuditError> {
        self.write(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // Whoever wants to know the outcome flushes.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::kind::EventKind;

    #[test]
    fn events_can_be_asked_for_with_sql() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let sink = Sqlite::open(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..100 {
                        let event = Event::new(EventKind::named("a'b")).capability("c").with("number", number);
                        sink.log(&event).unwrap();
                    }
                });
            }
        });
        sink.flush().unwrap();
        let other = Connection::open(&path).unwrap();
        let count = "SELECT count(*), min(line) FROM audit_events WHERE kind = 'a''b' AND capability = 'c'";
        let (count, line): (i64, String) = other.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(count, 400);
        assert_eq!(Entry::parse(line.as_bytes()).unwrap().event.kind.name(), "a'b");
        drop(sink);
        assert!(
            Sqlite::open(folder.path()).err().unwrap().to_string().contains("cannot send audit events to the database")
        );
    }
}
