//! What is a signal of a stream?

use reml_capability::stage::StageRequirement;
use serde_json::{Map, Number, Value, json};

use crate::descriptor::RuntimeBridgeDescriptor;

#[derive(Clone, PartialEq, Debug)]
pub struct StreamSignal {
    /// The bridge that it is about.
    pub bridge_id: String,
    pub kind: SignalKind,
    /// Why the stream waits; for signals that are pending.
    pub reason: Option<PendingReason>,
    /// What would let it go on, for people.
    pub resume_hint: Option<String>,
    pub demand_min_bytes: Option<u64>,
    pub preferred_bytes: Option<u64>,
    /// As `pending.backpressure`.
    pub last_reason: Option<String>,
    /// The byte up to which the stream was read when it failed.
    pub last_checkpoint: Option<u64>,
    pub stage_required: Option<StageRequirement>,
    pub flow_policy: Option<FlowPolicy>,
    /// Has to be there where the runner decides itself how fast it reads.
    pub backpressure: Option<BackpressureSignal>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignalKind {
    Pending,
    Resume,
    Error,
    Completed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingReason {
    /// More comes in than is taken.
    Backpressure,
    /// The parser has said how much it needs.
    DemandHint,
    InputExhausted,
    FeederAwait,
    FeederClosed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowPolicy {
    Auto,
    Manual,
}

/// The limits that a runner keeps, in the units in which it was given them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackpressureSignal {
    pub max_lag: Option<Number>,
    pub debounce: Option<Number>,
    pub throttle: Option<Number>,
}

macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }

            pub fn parse(text: &str) -> Option<$type> {
                match text {
                    $($name => Some($type::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

named!(SignalKind { Pending = "pending", Resume = "resume", Error = "error", Completed = "completed" });
named!(PendingReason {
    Backpressure = "backpressure",
    DemandHint = "demand_hint",
    InputExhausted = "input_exhausted",
    FeederAwait = "feeder_await",
    FeederClosed = "feeder_closed",
});
named!(FlowPolicy { Auto = "auto", Manual = "manual" });

impl StreamSignal {
    /// A signal that says nothing but its kind.
    pub fn new(bridge_id: impl Into<String>, kind: SignalKind) -> StreamSignal {
        StreamSignal {
            bridge_id: bridge_id.into(),
            kind,
            reason: None,
            resume_hint: None,
            demand_min_bytes: None,
            preferred_bytes: None,
            last_reason: None,
            last_checkpoint: None,
            stage_required: None,
            flow_policy: None,
            backpressure: None,
        }
    }

    /// As it is recorded and shown.
    pub fn to_json(&self) -> Value {
        json!({
            "bridge_id": self.bridge_id,
            "kind": self.kind.name(),
            "reason": self.reason.map(PendingReason::name),
            "resume_hint": self.resume_hint,
            "demand_min_bytes": self.demand_min_bytes,
            "preferred_bytes": self.preferred_bytes,
            "last_reason": self.last_reason,
            "last_checkpoint": self.last_checkpoint,
            "stage_required": self.stage_required.map(|required| required.to_string()),
            "flow_policy": self.flow_policy.map(FlowPolicy::name),
            "backpressure": self.backpressure.as_ref().map(|limits| {
                json!({ "max_lag": limits.max_lag, "debounce": limits.debounce, "throttle": limits.throttle })
            }),
        })
    }

    /// Reads a signal. The limits may also be called `max_lag_bytes`, `debounce_ms` and `throttle_ratio`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    ///
    /// ```
    /// use reml_bridge::stream::StreamSignal;
    /// let text = r#"{ "bridge_id": "a", "kind": "pending", "reason": "backpressure", "backpressure": { "debounce_ms": 4 } }"#;
    /// let signal = StreamSignal::from_json(&serde_json::from_str(text).unwrap()).unwrap();
    /// assert_eq!(signal.to_json()["backpressure"]["debounce"], 4);
    /// ```
    pub fn from_json(value: &Value) -> Result<StreamSignal, String> {
        let members = value.as_object().ok_or("is not an object")?;
        let kind = named(members, "kind", SignalKind::parse)?.ok_or("has no `kind`")?;
        let limits = match members.get("backpressure") {
            None | Some(Value::Null) => None,
            Some(limits) => Some(BackpressureSignal::from_json(limits)?),
        };
        Ok(StreamSignal {
            bridge_id: text(members, "bridge_id")?.ok_or("has no `bridge_id`")?.to_owned(),
            kind,
            reason: named(members, "reason", PendingReason::parse)?,
            resume_hint: text(members, "resume_hint")?.map(str::to_owned),
            demand_min_bytes: bytes(members, "demand_min_bytes")?,
            preferred_bytes: bytes(members, "preferred_bytes")?,
            last_reason: text(members, "last_reason")?.map(str::to_owned),
            last_checkpoint: bytes(members, "last_checkpoint")?,
            stage_required: named(members, "stage_required", StageRequirement::parse)?,
            flow_policy: named(members, "flow_policy", FlowPolicy::parse)?,
            backpressure: limits,
        })
    }

    /// Does it say what its kind has to say, and is it about this bridge?
    pub(super) fn check(&self, bridge: &RuntimeBridgeDescriptor) -> Result<(), String> {
        if self.bridge_id != bridge.id {
            return Err(format!("is about `{}`", self.bridge_id));
        }
        if self.kind == SignalKind::Pending && self.reason.is_none() {
            return Err("does not say why the stream waits: `reason` is missing".to_owned());
        }
        if matches!(self.kind, SignalKind::Pending | SignalKind::Error) && self.last_reason.is_none() {
            return Err("has no `last_reason`".to_owned());
        }
        if self.flow_policy == Some(FlowPolicy::Auto) && self.backpressure.is_none() {
            return Err("has the flow policy `auto`, but no `backpressure`".to_owned());
        }
        Ok(())
    }
}

impl BackpressureSignal {
    fn from_json(value: &Value) -> Result<BackpressureSignal, String> {
        let members = value.as_object().ok_or("has a `backpressure` that is not an object")?;
        let number = |names: [&str; 2]| match names.iter().find_map(|name| members.get(*name)).unwrap_or(&Value::Null) {
            Value::Null => Ok(None),
            Value::Number(number) => Ok(Some(number.clone())),
            _ => Err(format!("has a `backpressure.{}` that is not a number", names[0])),
        };
        Ok(BackpressureSignal {
            max_lag: number(["max_lag", "max_lag_bytes"])?,
            debounce: number(["debounce", "debounce_ms"])?,
            throttle: number(["throttle", "throttle_ratio"])?,
        })
    }
}

fn text<'v>(members: &'v Map<String, Value>, key: &str) -> Result<Option<&'v str>, String> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a `{key}` that is not a text")),
    }
}

fn bytes(members: &Map<String, Value>, key: &str) -> Result<Option<u64>, String> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("has a `{key}` that is not a number of bytes")),
    }
}

fn named<T>(members: &Map<String, Value>, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    let Some(text) = text(members, key)? else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| format!("has a `{key}` that there is not: `{text}`"))
}
