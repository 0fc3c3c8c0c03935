//! How does a policy stand before a sink?

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::AuditError;
use crate::event::{Event, Record};
use crate::kind::EventKind;
use crate::policy::{Applied, AuditPolicy, SettingError};
use crate::sink::Sink;
use crate::validate::validate;

/// Gives another sink what a policy admits. How many events it has kept out and made unrecognisable is logged with each flush, if there were any since
/// the last.
pub struct Filtered<S: Sink> {
    sink: S,
    policy: Applied,
    dropped: AtomicU64,
    anonymized: AtomicU64,
    reported: AtomicU64,
}

impl<S: Sink> Filtered<S> {
    /// Fails if the policy has a pattern of personal data that is no regular expression.
    pub fn new(sink: S, policy: AuditPolicy) -> Result<Filtered<S>, SettingError> {
        let policy = Applied::new(policy)?;
        let (dropped, anonymized, reported) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Ok(Filtered { sink, policy, dropped, anonymized, reported })
    }

    /// How many events the policy has kept out.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many events it has made unrecognisable.
    pub fn anonymized(&self) -> u64 {
        self.anonymized.load(Ordering::Relaxed)
    }
}

impl<S: Sink> Sink for Filtered<S> {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        // An event that lacks keys is a mistake whether it would be logged or not.
        validate(event)?;
        let Some((event, anonymized)) = self.policy.apply(event) else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        self.sink.log(&event)?;
        self.anonymized.fetch_add(u64::from(anonymized), Ordering::Relaxed);
        Ok(())
    }

    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        match self.policy.admits(record.kind, record.capability, None) && self.policy.leaves(record) {
            true => self.sink.record(record),
            false => self.log(&record.to_event()),
        }
    }

    fn flush(&self) -> Result<(), AuditError> {
        let (dropped, anonymized) = (self.dropped(), self.anonymized());
        if self.reported.swap(dropped + anonymized, Ordering::Relaxed) != dropped + anonymized {
            self.sink.log(
                &Event::new(EventKind::PolicyDropped)
                    .capability("core.audit")
                    .with("audit.policy.anonymized", anonymized)
                    .with("audit.policy.dropped", dropped),
            )?;
        }
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Field;
    use crate::sinks::Memory;
    use std::sync::Arc;

    fn sink(settings: &[(&str, &str)]) -> (Filtered<Arc<Memory>>, Arc<Memory>) {
        let mut policy = AuditPolicy::default();
        for (key, value) in settings {
            policy.set(key, value).unwrap();
        }
        let memory = Arc::new(Memory::default());
        (Filtered::new(memory.clone(), policy).unwrap(), memory)
    }

    #[test]
    fn what_is_kept_out_is_counted_and_the_count_is_logged_once() {
        let (sink, memory) = sink(&[("exclude", "b")]);
        for kind in ["a", "b", "b"] {
            sink.log(&Event::new(EventKind::named(kind))).unwrap();
        }
        sink.flush().unwrap();
        sink.flush().unwrap();
        let events = memory.events();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].metadata["audit.policy.dropped"], 2);
    }

    #[test]
    fn records_are_treated_like_events() {
        let fields = [("error.severity", Field::Text("info")), ("mail", Field::Text("ada@example.org"))];
        let kind = EventKind::named("a");
        let record = Record { kind: &kind, capability: None, fields: &fields };
        let (filtered, memory) = sink(&[]);
        filtered.record(&record).unwrap();
        filtered.record(&Record { fields: &fields[1..], ..record }).unwrap();
        filtered.record(&Record { fields: &[("signal.raw_code", Field::Int(9))], ..record }).unwrap();
        assert_eq!((memory.events().len(), filtered.dropped()), (2, 1));
        assert_eq!(memory.events()[1].metadata["signal.raw_code"], "masked");
        let (filtered, memory) = sink(&[("anonymize_pii", "true"), ("level", "info")]);
        filtered.record(&record).unwrap();
        assert_eq!(memory.events()[0].metadata["mail"], "[redacted]");
        assert_eq!(filtered.anonymized(), 1);
    }
}
