//! Which events are logged, with which of their metadata?
//!
//! An [`AuditPolicy`] is applied before an event is written: [`AuditPolicy::apply`] drops it, or returns what may be written. Whatever else a policy leaves out,
//! it keeps the keys that the kind requires.

mod redact;
mod setting;

use std::time::Duration;

use crate::event::{Event, Record};
use crate::kind::EventKind;
use crate::pattern::Pattern;
use serde_json::Value;

pub use redact::{Pii, RedactPolicy, Redactor, detect_pii};
pub use setting::SettingError;

/// Where an event tells its severity.
const SEVERITIES: [&str; 2] = ["event.severity", "error.severity"];
const RAW_CODE: &str = "signal.raw_code";

/// From which severity on are events logged? Only events that tell a severity are dropped for it: that a file was opened is no warning, and is
/// logged all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nothing is logged at all.
    Off,
    Error,
    #[default]
    Warning,
    Info,
    /// Hints, too.
    Debug,
    Trace,
}

/// How much of the metadata is logged?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Volume {
    /// The command, its phase and run, bridges and stages, and what the kind requires.
    Summary,
    /// All but the extensions.
    #[default]
    Full,
    Debug,
}

/// What is logged, and how.
#[derive(Debug, Clone, Default)]
pub struct AuditPolicy {
    pub level: Level,
    /// If there are any, only kinds, categories and capabilities that one of them matches are logged.
    pub include: Vec<Pattern>,
    /// What is not logged, even if it is included.
    pub exclude: Vec<Pattern>,
    /// Old files are kept for so long.
    pub retention_days: Option<u32>,
    /// Personal data is made unrecognisable.
    pub anonymize_pii: bool,
    pub volume: Volume,
    /// The numbers of signals are logged; otherwise `masked`.
    pub allow_raw_codes: bool,
    pub redact: RedactPolicy,
}

impl AuditPolicy {
    /// For [`LogOptions::keep_for`](crate::log::LogOptions::keep_for).
    pub fn retention(&self) -> Option<Duration> {
        self.retention_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }
}

/// A policy with everything that is made only once.
#[derive(Debug)]
pub struct Applied {
    policy: AuditPolicy,
    redactor: Option<Redactor>,
}

impl Applied {
    pub fn new(policy: AuditPolicy) -> Result<Applied, SettingError> {
        let redactor = match policy.anonymize_pii {
            true => Some(Redactor::new(&policy.redact)?),
            false => None,
        };
        Ok(Applied { policy, redactor })
    }

    /// Is an event of this kind logged, as far as that does not depend on its severity?
    pub fn admits(&self, kind: &EventKind, capability: Option<&str>, category: Option<&str>) -> bool {
        let policy = &self.policy;
        let names = || std::iter::once(kind.name()).chain(capability).chain(category);
        let named = |patterns: &[Pattern]| patterns.iter().any(|pattern| names().any(|name| pattern.matches(name)));
        policy.level != Level::Off && (policy.include.is_empty() || named(&policy.include)) && !named(&policy.exclude)
    }

    /// Is this record, if its kind is admitted, logged as it is?
    pub fn leaves(&self, record: &Record<'_>) -> bool {
        let required = record.kind.required();
        let stays = |key: &str| {
            (self.policy.volume.keeps(key) || required.contains(&key))
                && !SEVERITIES.contains(&key)
                && (self.policy.allow_raw_codes || key != RAW_CODE)
        };
        self.redactor.is_none() && record.fields.iter().all(|(key, _)| stays(key))
    }

    /// The event as it may be logged, if it may. The flag says whether something was made unrecognisable.
    pub fn apply(&self, event: &Event) -> Option<(Event, bool)> {
        let admitted = self.admits(&event.kind, event.capability.as_deref(), event.category.as_deref());
        if !admitted || severity(event).is_some_and(|severity| severity > self.policy.level) {
            return None;
        }
        let mut event = event.clone();
        let required = event.kind.required();
        event.metadata.retain(|key, _| required.contains(&key.as_str()) || self.policy.volume.keeps(key));
        if !self.policy.allow_raw_codes
            && let Some(code) = event.metadata.get_mut(RAW_CODE)
        {
            *code = "masked".into();
        }
        let mut redacted = false;
        if let Some(redactor) = &self.redactor {
            for value in event.metadata.values_mut().chain(&mut event.change_set) {
                redacted |= redactor.redact_value(value);
            }
            if redacted {
                event.metadata.insert("privacy.anonymized".to_owned(), true.into());
                event.metadata.insert("privacy.redacted".to_owned(), true.into());
            }
        }
        Some((event, redacted))
    }
}

impl Volume {
    fn keeps(self, key: &str) -> bool {
        match self {
            Volume::Debug => true,
            Volume::Full => !key.starts_with("extensions.") && key != "extensions",
            Volume::Summary => {
                let own = key.strip_prefix("cli.").unwrap_or(key);
                matches!(own, "command" | "phase" | "run_id" | "schema.version")
                    || ["bridge.", "effect.stage."].iter().any(|group| key.starts_with(group))
                    // What was left out of an event belongs to it.
                    || key.starts_with("privacy.")
            }
        }
    }
}

fn severity(event: &Event) -> Option<Level> {
    let told = SEVERITIES.iter().find_map(|key| event.metadata.get(*key))?;
    match told {
        Value::String(text) => setting::level(text).or_else(|| (text == "hint").then_some(Level::Debug)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::validate;

    fn applied(settings: &[(&str, &str)]) -> Applied {
        let mut policy = AuditPolicy::default();
        for (key, value) in settings {
            policy.set(key, value).unwrap();
        }
        Applied::new(policy).unwrap()
    }

    fn diagnostic(severity: &str) -> Event {
        Event::new(EventKind::Diagnostic).with("event.domain", "parser").with("event.severity", severity)
    }

    #[test]
    fn the_level_is_about_events_that_have_one() {
        let logged = |level, event: Event| applied(&[("level", level)]).apply(&event).is_some();
        assert!(logged("warning", diagnostic("error")) && logged("warning", diagnostic("warning")));
        assert!(!logged("warning", diagnostic("info")) && logged("info", diagnostic("info")));
        assert!(!logged("info", diagnostic("hint")) && logged("debug", diagnostic("hint")));
        let file = Event::new(EventKind::named("io.open"));
        assert!(logged("error", file.clone()) && !logged("off", file));
    }

    #[test]
    fn files_are_kept_for_days() {
        let mut policy = AuditPolicy::default();
        assert_eq!(policy.retention(), None);
        policy.set("retention_days", "30").unwrap();
        assert_eq!(policy.retention(), Some(Duration::from_secs(2_592_000)));
    }

    #[test]
    fn what_is_excluded_is_not_included() {
        let policy = applied(&[("include", "io.*,gate.*"), ("exclude", "*.write")]);
        let admits = |kind, capability| policy.admits(&EventKind::named(kind), capability, None);
        assert!(admits("io.open", None) && admits("x", Some("IO.fs.read")));
        assert!(!admits("net.open", None) && !admits("io.open", Some("io.fs.write")));
    }

    #[test]
    fn a_summary_keeps_what_is_required() {
        let event = Event::new(EventKind::EnvMutation)
            .with("cli.command", "run")
            .with("env.key", "HOME")
            .with("env.operation", "set")
            .with("env.scope", "process")
            .with("extensions.x", 1)
            .with("other", 1)
            .with("requested_by", "main");
        for (volume, keys) in [("summary", 5), ("full", 6), ("debug", 7)] {
            let (event, _) = applied(&[("volume", volume)]).apply(&event).unwrap();
            assert_eq!(event.metadata.len(), keys);
            assert!(validate(&event).is_ok());
        }
    }

    #[test]
    fn personal_data_and_codes_of_signals_are_hidden() {
        let event = Event::new(EventKind::named("x"))
            .with("who", "Ada <ada@example.org>")
            .with("signal.raw_code", 15)
            .change_set(serde_json::json!({ "to": ["bob@example.org"] }));
        let (event, redacted) = applied(&[("anonymize_pii", "true")]).apply(&event).unwrap();
        assert!(redacted);
        assert_eq!(event.metadata["who"], "Ada <[redacted]>");
        assert_eq!(event.metadata["signal.raw_code"], "masked");
        assert_eq!(event.metadata["privacy.redacted"], true);
        assert_eq!(event.change_set.unwrap()["to"][0], "[redacted]");
    }
}
