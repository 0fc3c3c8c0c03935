//! May a difference be applied to a document?
//!
//! It has to be a difference of this document: what it says of the past is what the document has. What is taken away must not be required, and nothing
//! becomes another type of value, unless the schema says that both are fine: whoever reads the configuration was made for what the schema says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::change::{self, Change, ChangeSet, Misfit};
use super::path::{KeyPath, Part};
use crate::reload::Refusal;

/// Finds what is wrong with a document: the schema of the state, as an engine applies it.
pub type Validate<'v> = dyn Fn(&Value) -> Vec<Violation> + Send + Sync + 'v;

/// Something in a document that its schema does not allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// A JSON pointer.
    pub pointer: String,
    pub message: String,
}

/// Why a difference is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The change that it is about, by its number.
    pub change: Option<usize>,
    pub refusal: Refusal,
    pub help: Option<String>,
}

/// What comes of a difference that may be applied.
#[derive(Clone, PartialEq, Debug)]
pub struct Accepted {
    pub after: Value,
    /// Something is gone, or is of another type.
    pub breaking: bool,
}

/// Reviews a difference. `schema` is in the standard form (JSON Schema); what it says of required keys and of types is told for each change, and the rest is
/// left to `validate`.
///
/// # Errors
///
/// All reasons to refuse it.
pub fn review(
    before: &Value,
    schema: Option<&Value>,
    validate: &Validate<'_>,
    set: &ChangeSet,
) -> Result<Accepted, Vec<Problem>> {
    let after = change::apply(before, set).map_err(|misfits| {
        let mut problems: Vec<Problem> = misfits.into_iter().map(|misfit| told(misfit, set)).collect();
        // What helps against one helps against all.
        problems.iter_mut().skip(1).for_each(|problem| problem.help = None);
        problems
    })?;
    let mut problems = Vec::new();
    let mut breaking = false;
    for (index, change) in set.changes.iter().enumerate() {
        let (old, new) = (at(before, &change.path), at(&after, &change.path));
        match (old, new) {
            (Some(_), None) => {
                breaking = true;
                problems.extend(required(&after, schema, &change.path).map(|why| rejected(index, why, REQUIRED)));
            }
            (Some(old), Some(new)) if kind(old) != kind(new) => {
                breaking = true;
                problems.extend(retyped(schema, change, old, new).map(|why| rejected(index, why, RETYPED)));
            }
            _ => {}
        }
    }
    if problems.is_empty() {
        problems.extend(validate(&after).into_iter().map(|violation| {
            let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
            let touched = |change: &Change| change.path.pointer().strip_prefix(&violation.pointer).is_some_and(below);
            let change = set.changes.iter().position(touched);
            Problem { change, refusal: Refusal::Rejected(violation.message), help: None }
        }));
    }
    if problems.is_empty() { Ok(Accepted { after, breaking }) } else { Err(problems) }
}

const REQUIRED: &str = "make it optional in the schema first, when nothing reads it any more";
const RETYPED: &str = "let the schema allow both types, until everything that reads it can";

fn rejected(change: usize, why: String, help: &str) -> Problem {
    Problem { change: Some(change), refusal: Refusal::Rejected(why), help: Some(help.to_owned()) }
}

fn told(misfit: Misfit, set: &ChangeSet) -> Problem {
    let (change, problem, help) = match misfit {
        Misfit::Disagrees { change, found } => {
            let Change { path, previous, .. } = &set.changes[change];
            let found = found.map_or("nothing".to_owned(), |value| value.to_string());
            let previous = previous.as_ref().map_or("nothing".to_owned(), Value::to_string);
            let problem = format!("the difference starts from {previous} at `{path}`, and the state has {found} there");
            let help = "it is the difference of another state; compare the present values with the new ones again";
            (Some(change), problem, Some(help.to_owned()))
        }
        Misfit::Clash { path } => {
            let problem = format!("`{path}` would be a value and have parts at the same time");
            (touching(set, &path), problem, None)
        }
        Misfit::Hole { path } => {
            let problem = format!("`{path}` would stand in a list with no item before it");
            (touching(set, &path), problem, None)
        }
    };
    Problem { change, refusal: Refusal::Invalid(problem), help }
}

/// The first change at or below a place.
fn touching(set: &ChangeSet, path: &KeyPath) -> Option<usize> {
    set.changes.iter().position(|change| change.path.0.starts_with(&path.0))
}

/// Does the schema require the outermost part of a path that is gone?
fn required(after: &Value, schema: Option<&Value>, path: &KeyPath) -> Option<String> {
    let gone = (1..=path.0.len()).find(|&length| at(after, &KeyPath(path.0[..length].to_vec())).is_none())?;
    let (Part::Key(key), parent) = (&path.0[gone - 1], &path.0[..gone - 1]) else { return None };
    let requires = |schema: &&Value| {
        schema.get("required").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(|it| it == key.as_str()))
    };
    let shown = KeyPath(path.0[..gone].to_vec());
    schemas(schema?, parent).iter().any(requires).then(|| format!("`{shown}` is removed, and the schema requires it"))
}

/// Does the schema say nothing that allows the new type?
fn retyped(schema: Option<&Value>, change: &Change, old: &Value, new: &Value) -> Option<String> {
    let path = &change.path;
    let what = format!("`{path}` becomes {}, and was {}", article(kind(new)), article(kind(old)));
    let Some(schema) = schema else { return Some(format!("{what}; the state has no schema that would allow that")) };
    match types(&schemas(schema, &path.0)) {
        Some(types) if types.contains(kind(new)) => None,
        Some(types) => {
            let types: Vec<&str> = types.into_iter().collect();
            Some(format!("{what}; the schema allows {}", types.join(" or ")))
        }
        None => Some(format!("{what}; the schema says nothing of its type")),
    }
}

/// The type of a value, as schemas have it; whole numbers are numbers.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(kind: &str) -> String {
    match kind {
        "null" => kind.to_owned(),
        "array" | "object" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

/// The value at a place.
fn at<'v>(document: &'v Value, path: &KeyPath) -> Option<&'v Value> {
    path.0.iter().try_fold(document, |value, part| match part {
        Part::Key(key) => value.as_object()?.get(key),
        Part::Index(index) => value.as_array()?.get(*index),
    })
}

/// Everything that a schema says of a place: what is found through `properties`, `items` and their like, references within the schema, and `allOf`.
fn schemas<'s>(root: &'s Value, path: &[Part]) -> Vec<&'s Value> {
    let mut here = expanded(root, vec![root]);
    for part in path {
        let inner = |schema: &'s Value| -> Option<&'s Value> {
            match part {
                Part::Key(key) => {
                    schema.get("properties").and_then(|it| it.get(key)).or_else(|| schema.get("additionalProperties"))
                }
                Part::Index(index) => {
                    schema.get("prefixItems").and_then(|it| it.get(index)).or_else(|| schema.get("items"))
                }
            }
        };
        here = expanded(root, here.into_iter().filter_map(inner).collect());
    }
    here
}

/// Schemas with those that they refer to. A circle of references ends where it begins.
fn expanded<'s>(root: &'s Value, mut found: Vec<&'s Value>) -> Vec<&'s Value> {
    let mut next = 0;
    while let Some(&schema) = found.get(next) {
        next += 1;
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for other in reference.and_then(|pointer| root.pointer(pointer)).into_iter().chain(parts) {
            if !found.iter().any(|known| std::ptr::eq(*known, other)) {
                found.push(other);
            }
        }
    }
    found
}

/// The types that all of the schemas allow; `None` if none of them says anything.
fn types<'s>(schemas: &[&'s Value]) -> Option<BTreeSet<&'s str>> {
    let number = |name: &'s str| if name == "integer" { "number" } else { name };
    let stated = |schema: &&'s Value| -> Option<BTreeSet<&'s str>> {
        match schema.get("type") {
            Some(Value::String(name)) => return Some([number(name)].into()),
            Some(Value::Array(names)) => return Some(names.iter().filter_map(Value::as_str).map(number).collect()),
            _ => {}
        }
        let values = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        let values = values.or_else(|| schema.get("const").map(std::slice::from_ref))?;
        Some(values.iter().map(kind).collect())
    };
    schemas.iter().filter_map(stated).reduce(|a, b| &a & &b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reviewed(before: Value, after: Value, schema: Option<Value>) -> Result<bool, Vec<String>> {
        let set = change::compare(&before, &after);
        let accepted = review(&before, schema.as_ref(), &|_| Vec::new(), &set);
        let message = |problem: Problem| problem.refusal.detail().to_owned();
        accepted.map(|it| it.breaking).map_err(|problems| problems.into_iter().map(message).collect())
    }

    #[test]
    fn what_is_required_stays() {
        let schema = json!({
            "$defs": { "server": { "required": ["port"], "properties": { "port": { "type": "integer" } } } },
            "properties": { "server": { "$ref": "#/$defs/server" } }, "required": ["server"],
        });
        let before = json!({ "server": { "port": 80, "host": "a" }, "debug": true });
        let schema = || Some(schema.clone());
        assert_eq!(
            reviewed(before.clone(), json!({ "server": { "host": "a" }, "debug": true }), schema()),
            Err(vec!["`server.port` is removed, and the schema requires it".to_owned()])
        );
        assert_eq!(
            reviewed(before.clone(), json!({ "debug": true }), schema()).unwrap_err()[0],
            "`server` is removed, and the schema requires it"
        );
        assert_eq!(reviewed(before.clone(), json!({ "server": { "port": 80 } }), schema()), Ok(true));
        assert_eq!(
            reviewed(before.clone(), json!({ "server": { "port": 81, "host": "a" }, "debug": true }), schema()),
            Ok(false)
        );
        assert_eq!(reviewed(before, json!({ "debug": true }), None), Ok(true));
    }

    #[test]
    fn types_stay_unless_the_schema_allows_both() {
        let before = || json!({ "a": 1, "b": 1, "c": 1, "d": 1, "e": {} });
        let schema = json!({ "properties": { "a": { "type": "integer" }, "b": { "type": ["integer", "string"] },
            "d": { "allOf": [{ "type": ["number", "null"] }, { "enum": [null, 1] }] } } });
        let to = |key: &str, value: Value| {
            let mut after = before();
            after[key] = value;
            reviewed(before(), after, Some(schema.clone()))
        };
        assert_eq!(
            to("a", json!("x")),
            Err(vec!["`a` becomes a string, and was a number; the schema allows number".to_owned()])
        );
        assert_eq!(to("b", json!("x")), Ok(true));
        assert_eq!(
            to("c", json!("x")),
            Err(vec!["`c` becomes a string, and was a number; the schema says nothing of its type".to_owned()])
        );
        assert_eq!(to("d", Value::Null), Ok(true));
        assert_eq!(to("a", json!(1.5)), Ok(false));
        assert_eq!(
            to("a", json!({ "x": 1 })).unwrap_err(),
            ["`a` becomes an object, and was a number; the schema allows number"]
        );
        assert_eq!(to("e", json!({ "x": 1 })), Ok(false));
        assert_eq!(
            reviewed(json!({ "a": 1 }), json!({ "a": "x" }), None).unwrap_err(),
            ["`a` becomes a string, and was a number; the state has no schema that would allow that"]
        );
    }

    #[test]
    fn a_difference_of_another_state_is_told_in_full() {
        let set = change::compare(&json!({ "a": 1, "b": 2, "c": 3 }), &json!({ "a": 2, "b": 3 }));
        let problems = review(&json!({ "a": 1, "b": 5 }), None, &|_| Vec::new(), &set).unwrap_err();
        let told: Vec<&str> = problems.iter().map(|problem| problem.refusal.detail()).collect();
        assert_eq!(
            told,
            [
                "the difference starts from 2 at `b`, and the state has 5 there",
                "the difference starts from 3 at `c`, and the state has nothing there"
            ]
        );
        assert_eq!(problems[0].change, Some(1));
        assert!(problems.iter().all(|problem| matches!(problem.refusal, Refusal::Invalid(_))));
    }

    #[test]
    fn what_the_schema_says_otherwise_is_asked_last() {
        let set = change::compare(&json!({ "a": { "port": 1 } }), &json!({ "a": { "port": 0 } }));
        let validate = |after: &Value| {
            assert_eq!(after["a"]["port"], 0);
            vec![Violation { pointer: "/a/port".into(), message: "0 is too small".into() }]
        };
        let problems = review(&json!({ "a": { "port": 1 } }), None, &validate, &set).unwrap_err();
        assert_eq!((problems[0].change, problems[0].refusal.detail()), (Some(0), "0 is too small"));
    }

    #[test]
    fn circles_of_references_end() {
        let schema =
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#" , "additionalProperties": { "$ref": "#" } } } });
        assert_eq!(reviewed(json!({ "a": { "b": 1 } }), json!({ "a": {} }), Some(schema)), Ok(true));
    }
}
