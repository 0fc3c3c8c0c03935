//! Does an event say all that its kind promises?
//!
//! The keys come from the table of [kinds](crate::kind) and from a few rules about keys that only make sense together.

use std::fmt;

use crate::event::{Event, Record};
use crate::kind::EventKind;

const BRIDGE: [&str; 3] = ["bridge.id", "bridge.stage.actual", "bridge.stage.required"];
const EFFECT: [&str; 3] = ["effect.capability", "effect.stage.actual", "effect.stage.required"];

/// An event lacks keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKeys {
    /// Sorted, each once.
    pub keys: Vec<&'static str>,
}

impl fmt::Display for MissingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit metadata validation failed: missing keys [{}]", self.keys.join(", "))
    }
}

impl std::error::Error for MissingKeys {}

/// The keys that events of a kind must have, whatever else they say.
pub fn promised(kind: &EventKind) -> impl Iterator<Item = &'static str> {
    let reload = matches!(kind, EventKind::BridgeReload | EventKind::BridgeRollback);
    let bridge: &[&str] = if is_about_bridge(kind) { &BRIDGE } else { &[] };
    let reload: &[&str] = if reload { &["bridge.reload"] } else { &[] };
    kind.required().iter().chain(bridge).chain(reload).copied()
}

fn is_about_bridge(kind: &EventKind) -> bool {
    kind.name().starts_with("bridge.") && !matches!(kind, EventKind::Custom(_))
}

/// Checks that an event has the keys it needs.
pub fn validate(event: &Event) -> Result<(), MissingKeys> {
    let kept = |key: &str| event.metadata.contains_key(key);
    check(&event.kind, event.metadata.keys().map(String::as_str), kept)
}

/// The same for a record, without allocating anything if it is in order.
pub fn validate_record(record: &Record<'_>) -> Result<(), MissingKeys> {
    let kept = |key: &str| record.fields.iter().any(|(name, _)| *name == key);
    check(record.kind, record.fields.iter().map(|(name, _)| *name), kept)
}

fn check<'a>(
    kind: &EventKind,
    keys: impl Iterator<Item = &'a str>,
    has: impl Fn(&str) -> bool,
) -> Result<(), MissingKeys> {
    let mut bridge = is_about_bridge(kind);
    let mut effect = false;
    let mut reload = matches!(kind, EventKind::BridgeReload | EventKind::BridgeRollback);
    // The first byte decides for nearly all keys.
    for key in keys {
        match key.as_bytes().first() {
            Some(b'b') => {
                bridge |= key == "bridge.stage.actual" || key == "bridge.stage.required";
                reload |= key == "bridge.reload";
            }
            Some(b'e') => effect |= EFFECT.contains(&key),
            _ => {}
        }
    }
    let groups = [
        (true, kind.required()),
        (bridge || reload, BRIDGE.as_slice()),
        (reload, &["bridge.reload"]),
        (effect, EFFECT.as_slice()),
    ];
    let mut missing = Vec::new();
    for (applies, group) in groups {
        if applies {
            missing.extend(group.iter().copied().filter(|key| !has(key)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    missing.dedup();
    Err(MissingKeys { keys: missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Field;

    fn missing(event: Event) -> String {
        validate(&event).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn names_what_is_missing_in_order() {
        assert_eq!(
            missing(Event::new(EventKind::EnvMutation).with("env.scope", "process")),
            "audit metadata validation failed: missing keys [env.key, env.operation, requested_by]"
        );
    }

    #[test]
    fn one_key_of_a_stage_asks_for_the_others() {
        let custom = || Event::new(EventKind::named("shop.order"));
        assert_eq!(missing(custom()), "");
        assert!(
            missing(custom().with("effect.capability", "io")).contains("effect.stage.actual, effect.stage.required")
        );
        assert!(missing(custom().with("bridge.stage.actual", "beta")).contains("[bridge.id, bridge.stage.required]"));
    }

    #[test]
    fn reloads_need_the_stage_of_their_bridge() {
        assert_eq!(
            missing(Event::new(EventKind::named("shop.order")).with("bridge.reload", "applied")),
            "audit metadata validation failed: missing keys [bridge.id, bridge.stage.actual, bridge.stage.required]"
        );
        assert!(missing(Event::new(EventKind::BridgeStage)).contains("bridge.id"));
        assert!(missing(Event::new(EventKind::BridgeRollback)).contains("bridge.reload, "));
    }

    #[test]
    fn a_record_is_judged_like_its_event() {
        let fields = [("gate.decision", Field::Text("allowed"))];
        let record = Record { kind: &EventKind::GateDecision, capability: None, fields: &fields };
        assert_eq!(validate_record(&record), validate(&record.to_event()));
        assert_eq!(validate_record(&record).unwrap_err().keys, ["gate.power", "gate.subject"]);
    }
}
