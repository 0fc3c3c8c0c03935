//! What is in a file of state: values, the schema that they follow, the run that they belong to, and how they came to be what they are.

use reml_audit::{Timestamp, Uuid};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Misshapen;
use crate::reload::RollbackInfo;

/// What a state calls itself.
pub const FORMAT: &str = "reml.state.v1";

/// So many reloads are remembered, and can be taken back one after the other.
pub const KEPT: usize = 32;

#[derive(Clone, PartialEq, Debug)]
pub struct StateDocument {
    /// The bridge that it is reloaded through, if it says so.
    pub bridge: Option<String>,
    /// Absent before the first reload.
    pub run_id: Option<Uuid>,
    pub last_applied_at: Option<Timestamp>,
    /// As it is written: a JSON Schema, or a description of fields.
    pub schema: Option<Value>,
    pub values: Value,
    /// Oldest first.
    pub history: Vec<Applied>,
    /// What editors look for.
    editor_schema: Option<Value>,
}

/// A reload that was applied.
#[derive(Clone, PartialEq, Debug)]
pub struct Applied {
    pub number: u64,
    pub audit_id: Option<Uuid>,
    pub run_id: Uuid,
    pub applied_at: Timestamp,
    /// How much was added, removed and updated.
    pub added: u64,
    pub removed: u64,
    pub updated: u64,
    pub breaking: bool,
    /// The digest of the values that came of it.
    pub values: String,
    pub rollback: RollbackInfo,
}

/// The keys of a state, in their order.
const KEYS: [&str; 8] = ["$schema", "format", "bridge", "run_id", "last_applied_at", "schema", "values", "history"];

impl StateDocument {
    /// Values that were never reloaded.
    pub fn new(values: Value, schema: Option<Value>) -> StateDocument {
        StateDocument {
            bridge: None,
            run_id: None,
            last_applied_at: None,
            schema,
            values,
            history: Vec::new(),
            editor_schema: None,
        }
    }

    /// Reads a state.
    ///
    /// # Errors
    ///
    /// Everything that is not as it should be.
    pub fn from_json(value: &Value) -> Result<StateDocument, Vec<Misshapen>> {
        let mut reader = Reader { problems: Vec::new() };
        let state = reader.state(value);
        match state {
            Some(state) if reader.problems.is_empty() => Ok(state),
            _ => Err(reader.problems),
        }
    }

    /// The text of the file.
    ///
    /// ```
    /// use reml_bridge::config::state::StateDocument;
    /// let state = StateDocument::new(serde_json::json!({ "port": 80 }), None);
    /// let text = state.to_text();
    /// assert_eq!(StateDocument::from_json(&serde_json::from_str(&text).unwrap()), Ok(state));
    /// ```
    pub fn to_text(&self) -> String {
        let mut members = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            value.into_iter().for_each(|value| drop(members.insert(key.to_owned(), value)));
        };
        put("$schema", self.editor_schema.clone());
        put("format", Some(FORMAT.into()));
        put("bridge", self.bridge.clone().map(Value::from));
        put("run_id", Some(self.run_id.map(|id| id.to_string()).into()));
        put("last_applied_at", Some(self.last_applied_at.map(|at| at.to_string()).into()));
        put("schema", self.schema.clone());
        put("values", Some(self.values.clone()));
        put("history", Some(self.history.iter().map(Applied::to_json).collect()));
        format!("{:#}\n", Value::Object(members))
    }

    /// The digest of the values.
    pub fn digest(&self) -> String {
        digest(sorted(&self.values).to_string().as_bytes())
    }
}

/// SHA-256, in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same document with its keys in alphabetical order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut pairs: Vec<_> = members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(pairs.into_iter().collect())
        }
        leaf => leaf.clone(),
    }
}

impl Applied {
    fn to_json(&self) -> Value {
        json!({
            "number": self.number,
            "audit_id": self.audit_id.map(|id| id.to_string()),
            "run_id": self.run_id.to_string(),
            "applied_at": self.applied_at.to_string(),
            "added": self.added,
            "removed": self.removed,
            "updated": self.updated,
            "breaking": self.breaking,
            "values": self.values,
            "rollback": self.rollback.to_json(),
        })
    }

    fn from_json(value: &Value) -> Option<Applied> {
        let count = |key: &str| value.get(key)?.as_u64();
        let text = |key: &str| value.get(key)?.as_str();
        let audit_id = match value.get("audit_id")? {
            Value::Null => None,
            id => Some(id.as_str()?.parse().ok()?),
        };
        Some(Applied {
            number: count("number")?,
            audit_id,
            run_id: text("run_id")?.parse().ok()?,
            applied_at: text("applied_at")?.parse().ok()?,
            added: count("added")?,
            removed: count("removed")?,
            updated: count("updated")?,
            breaking: value.get("breaking")?.as_bool()?,
            values: text("values")?.to_owned(),
            rollback: RollbackInfo::from_json(value.get("rollback")?)?,
        })
    }
}

struct Reader {
    problems: Vec<Misshapen>,
}

impl Reader {
    fn state(&mut self, value: &Value) -> Option<StateDocument> {
        let Some(members) = value.as_object() else {
            self.problems.push(Misshapen::at("", "a state is an object with a `format` and `values`"));
            return None;
        };
        match members.get("format") {
            Some(Value::String(format)) if format == FORMAT => {}
            Some(Value::String(format)) => {
                let problem = format!("this is a state of the format `{format}`, not `{FORMAT}`");
                self.problems.push(Misshapen::at("/format", problem));
                return None;
            }
            other => {
                let at = if other.is_some() { "/format" } else { "" };
                self.problems.push(Misshapen::at(at, format!("a state says its format: `\"format\": \"{FORMAT}\"`")));
                return None;
            }
        }
        for key in members.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            self.problems
                .push(Misshapen::key(pointer, format!("a state has no `{key}`; what is configured is in `values`")));
        }
        let values = match members.get("values") {
            Some(values @ Value::Object(_)) => values.clone(),
            other => {
                let at = if other.is_some() { "/values" } else { "" };
                self.problems.push(Misshapen::at(at, "a state has `values`, which is an object"));
                return None;
            }
        };
        let schema = members.get("schema").filter(|schema| !schema.is_null());
        if let Some(schema) = schema
            && !schema.is_object()
            && !schema.is_boolean()
        {
            self.problems.push(Misshapen::at("/schema", "a schema is an object"));
        }
        let bridge = self.text(members, "bridge", "the id of a bridge", |text| Some(text.to_owned()));
        let run_id = self.text(members, "run_id", "a UUID, or null", |text| text.parse().ok());
        let last_applied_at = self.text(members, "last_applied_at", "a time, or null", |text| text.parse().ok());
        Some(StateDocument {
            bridge,
            run_id,
            last_applied_at,
            schema: schema.cloned(),
            values,
            history: self.history(members.get("history")),
            editor_schema: members.get("$schema").cloned(),
        })
    }

    fn text<T>(
        &mut self,
        members: &Map<String, Value>,
        key: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = members.get(key).filter(|value| !value.is_null())?;
        let parsed = value.as_str().and_then(parse);
        if parsed.is_none() {
            self.problems.push(Misshapen::at(format!("/{key}"), format!("`{key}` has to be {wanted}")));
        }
        parsed
    }

    fn history(&mut self, value: Option<&Value>) -> Vec<Applied> {
        let entries = match value {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problems.push(Misshapen::at("/history", "the history is a list of reloads"));
                return Vec::new();
            }
        };
        let mut applied: Vec<Applied> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match Applied::from_json(entry) {
                Some(entry) if applied.last().is_none_or(|last| last.number < entry.number) => applied.push(entry),
                Some(_) => {
                    let problem = "the reloads of a history are numbered in their order";
                    self.problems.push(Misshapen::at(format!("/history/{index}/number"), problem));
                }
                None => {
                    let problem = "this is no reload as one writes it; a history is not written by hand";
                    self.problems.push(Misshapen::at(format!("/history/{index}"), problem));
                }
            }
        }
        applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        let problems = |value: Value| {
            let problems = StateDocument::from_json(&value).unwrap_err();
            problems.iter().map(|it| format!("{}: {}", it.pointer, it.problem)).collect::<Vec<_>>()
        };
        assert_eq!(problems(json!([])), [": a state is an object with a `format` and `values`"]);
        assert_eq!(problems(json!({ "values": {} })), [": a state says its format: `\"format\": \"reml.state.v1\"`"]);
        assert_eq!(
            problems(json!({ "format": "reml.state.v9" })),
            ["/format: this is a state of the format `reml.state.v9`, not `reml.state.v1`"]
        );
        assert_eq!(
            problems(
                json!({ "format": FORMAT, "port": 1, "run_id": 7, "last_applied_at": "x", "values": {}, "history": [{}] })
            ),
            [
                "/port: a state has no `port`; what is configured is in `values`",
                "/run_id: `run_id` has to be a UUID, or null",
                "/last_applied_at: `last_applied_at` has to be a time, or null",
                "/history/0: this is no reload as one writes it; a history is not written by hand",
            ]
        );
        assert_eq!(
            problems(json!({ "format": FORMAT, "values": [] })),
            ["/values: a state has `values`, which is an object"]
        );
    }

    #[test]
    fn the_digest_is_that_of_the_values() {
        let state = |values: Value| StateDocument::new(values, None).digest();
        assert_eq!(
            state(json!({ "a": 1, "b": { "d": 2, "c": 3 } })),
            state(json!({ "b": { "c": 3, "d": 2 }, "a": 1 }))
        );
        assert_ne!(state(json!({ "a": 1 })), state(json!({ "a": 2 })));
    }
}
