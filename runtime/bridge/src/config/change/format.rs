//! How is a change set written? As `remlc config diff --format json` prints it: the change set, which audit logs carry, and the same again as a difference of
//! maps, which people and tools review. Both are read, and have to agree: what was reviewed is what is applied.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Change, ChangeSet, is_leaf, same};
use crate::config::Misshapen;
use crate::config::path::KeyPath;

/// Before the kind of an item.
const CATEGORY: &str = "collections.diff";

impl Change {
    /// `added`, `removed` or `updated`.
    pub fn kind(&self) -> &'static str {
        match (&self.previous, &self.current) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "updated",
        }
    }

    fn to_json(&self) -> Value {
        let mut item = json!({ "kind": format!("{CATEGORY}.{}", self.kind()), "key": self.path.to_string() });
        for (key, value) in [("previous", &self.previous), ("current", &self.current)] {
            if let Some(value) = value {
                item[key] = value.clone();
            }
        }
        item
    }
}

impl ChangeSet {
    /// How many changes are of a kind.
    pub fn count(&self, kind: &str) -> usize {
        self.changes.iter().filter(|change| change.kind() == kind).count()
    }

    /// What [`from_json`](ChangeSet::from_json) reads, and no more.
    pub fn to_json(&self) -> Value {
        let detail = |change: &Change| json!({ "kind": change.kind(), "key": change.path.to_string(), "previous": change.previous, "current": change.current });
        json!({
            "change_set": self.summary(),
            "schema_diff": { "kind": "MapDiff", "changes": self.changes.iter().map(detail).collect::<Vec<_>>() },
        })
    }

    /// The change set alone, as it is recorded.
    pub fn summary(&self) -> Value {
        json!({
            "kind": format!("{CATEGORY}.map"),
            "summary": {
                "added": self.count("added"),
                "removed": self.count("removed"),
                "updated": self.count("updated"),
                "total": self.changes.len(),
            },
            "items": self.changes.iter().map(Change::to_json).collect::<Vec<_>>(),
            "total": self.changes.len(),
        })
    }

    /// Reads a difference in a format, as `collections.diff.map`.
    ///
    /// # Errors
    ///
    /// Everything that is not as the format says.
    pub fn from_json(value: &Value, format: &str) -> Result<ChangeSet, Vec<Misshapen>> {
        let mut reader = Reader { problems: Vec::new() };
        let set = reader.set(value, format);
        match set {
            Some(set) if reader.problems.is_empty() => Ok(set),
            _ => Err(reader.problems),
        }
    }
}

/// More problems than these are not of interest.
const SHOWN: usize = 100;

struct Reader {
    problems: Vec<Misshapen>,
}

impl Reader {
    fn problem(&mut self, pointer: impl Into<String>, problem: impl Into<String>) {
        if self.problems.len() < SHOWN {
            self.problems.push(Misshapen::at(pointer, problem));
        }
    }

    fn set(&mut self, value: &Value, format: &str) -> Option<ChangeSet> {
        let Some(top) = value.as_object() else {
            self.problem("", "a difference is an object, as `remlc config diff --format json` prints it");
            return None;
        };
        let Some(set) = top.get("change_set").and_then(Value::as_object) else {
            let failed = top.get("diagnostics").is_some();
            self.problem(
                if top.contains_key("change_set") { "/change_set" } else { "" },
                if failed {
                    "the files could not be compared: this is what `remlc config diff` prints then"
                } else {
                    "a difference has a `change_set`, which is an object"
                },
            );
            return None;
        };
        match set.get("kind").and_then(Value::as_str) {
            Some(kind) if kind == format => {}
            Some(kind) => {
                self.problem(
                    "/change_set/kind",
                    format!("this is a difference of the format `{kind}`, not `{format}`"),
                );
                return None;
            }
            None => {
                self.problem(
                    "/change_set",
                    format!("the change set does not say its `kind`, which has to be `{format}`"),
                );
                return None;
            }
        }
        let items = self.list(set, "/change_set", "items")?;
        let changes = self.items(items, "/change_set/items", CATEGORY);
        if let Some(total) = set.get("total")
            && total.as_u64() != Some(items.len() as u64)
        {
            self.problem("/change_set/total", format!("the change set has {} items, not {total}", items.len()));
        }
        self.reviewed(top, &changes);
        Some(ChangeSet { changes })
    }

    fn list<'v>(&mut self, of: &'v Map<String, Value>, pointer: &str, key: &str) -> Option<&'v Vec<Value>> {
        let list = of.get(key).and_then(Value::as_array);
        if list.is_none() {
            let at = if of.contains_key(key) { format!("{pointer}/{key}") } else { pointer.to_owned() };
            self.problem(at, format!("`{key}` has to be a list"));
        }
        list
    }

    /// The difference of maps has to be there, and to say the same.
    fn reviewed(&mut self, top: &Map<String, Value>, changes: &[Change]) {
        let Some(diff) = top.get("schema_diff").and_then(Value::as_object) else {
            let at = if top.contains_key("schema_diff") { "/schema_diff" } else { "" };
            self.problem(at, "beside the `change_set` there has to be a `schema_diff`, which is what is reviewed");
            return;
        };
        let Some(list) = self.list(diff, "/schema_diff", "changes") else { return };
        let others = self.items(list, "/schema_diff/changes", "");
        if self.problems.is_empty() && others.len() != changes.len() {
            let problem = format!("there are {} changes here, and {} in the change set", others.len(), changes.len());
            self.problem("/schema_diff/changes", problem);
        }
        for (index, (change, other)) in changes.iter().zip(&others).enumerate() {
            if change != other {
                let problem = format!("this is another change than that of `{}` in the change set", change.path);
                self.problem(format!("/schema_diff/changes/{index}"), problem);
                return;
            }
        }
    }

    fn items(&mut self, items: &[Value], pointer: &str, category: &str) -> Vec<Change> {
        let mut seen = HashSet::new();
        let mut changes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{pointer}/{index}");
            let Some(change) = self.item(item, &at, category) else { continue };
            if !seen.insert(change.path.clone()) {
                self.problem(format!("{at}/key"), format!("`{}` is changed twice", change.path));
            }
            changes.push(change);
        }
        changes
    }

    /// `category` is what stands before the kind. Where there is none, what is absent is null, as the kind says.
    fn item(&mut self, item: &Value, at: &str, category: &str) -> Option<Change> {
        let Some(members) = item.as_object() else {
            self.problem(at, "a change is an object");
            return None;
        };
        let Some(key) = members.get("key").and_then(Value::as_str) else {
            self.problem(at, "a change names its place under `key`");
            return None;
        };
        let Some(path) = KeyPath::parse(key) else {
            self.problem(format!("{at}/key"), format!("`{key}` is no path; paths are as `server.ports[1]`"));
            return None;
        };
        let kind = members.get("kind").and_then(Value::as_str).map(str::to_lowercase).unwrap_or_default();
        let word = if category.is_empty() {
            Some(&*kind)
        } else {
            kind.strip_prefix(category).and_then(|it| it.strip_prefix('.'))
        };
        let (had, has) = match word {
            Some("added") => (false, true),
            Some("removed") => (true, false),
            Some("updated") => (true, true),
            _ => {
                self.problem(
                    if members.contains_key("kind") { format!("{at}/kind") } else { at.to_owned() },
                    "a change is added, removed or updated, and says so as its `kind`",
                );
                return None;
            }
        };
        let mut side = |key: &str, present: bool| -> Option<Option<Value>> {
            let value = members.get(key);
            if !present {
                let absent = value.is_none() || category.is_empty() && value == Some(&Value::Null);
                if !absent {
                    self.problem(
                        format!("{at}/{key}"),
                        format!("a change that is {} has no `{key}`", word.unwrap_or_default()),
                    );
                    return None;
                }
                return Some(None);
            }
            match value {
                Some(value) if is_leaf(value) => Some(Some(value.clone())),
                Some(_) => {
                    self.problem(format!("{at}/{key}"), "a change is of one value, and this has parts");
                    None
                }
                None => {
                    self.problem(at, format!("a change that is {} has a `{key}`", word.unwrap_or_default()));
                    None
                }
            }
        };
        let (previous, current) = (side("previous", had)?, side("current", has)?);
        if let (Some(previous), Some(current)) = (&previous, &current)
            && same(previous, current)
        {
            self.problem(at, format!("`{path}` is the same before and after"));
            return None;
        }
        Some(Change { path, previous, current })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        let path = |text: &str| KeyPath::parse(text).unwrap();
        let changes = vec![
            Change { path: path("a"), previous: Some(json!(1)), current: Some(Value::Null) },
            Change { path: path("b[0]"), previous: None, current: Some(json!("x")) },
        ];
        ChangeSet { changes }.to_json()
    }

    fn problems(pointer: &str, wrong: Option<Value>) -> Vec<String> {
        let mut value = good();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let members = value.pointer_mut(parent).unwrap();
        match (members, wrong) {
            (Value::Object(members), Some(wrong)) => _ = members.insert(key.to_owned(), wrong),
            (Value::Object(members), None) => _ = members.remove(key),
            (other, wrong) => other[key.parse::<usize>().unwrap()] = wrong.unwrap(),
        }
        let problems = ChangeSet::from_json(&value, "collections.diff.map").unwrap_err();
        problems.iter().map(|it| format!("{}: {}", it.pointer, it.problem)).collect()
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        assert!(ChangeSet::from_json(&good(), "collections.diff.map").is_ok());
        assert_eq!(
            problems("/change_set/kind", Some(json!("text.diff"))),
            ["/change_set/kind: this is a difference of the format `text.diff`, not `collections.diff.map`"]
        );
        assert_eq!(
            problems("/schema_diff", None),
            [": beside the `change_set` there has to be a `schema_diff`, which is what is reviewed"]
        );
        assert_eq!(
            problems("/schema_diff/changes/0/current", Some(json!(2))),
            ["/schema_diff/changes/0: this is another change than that of `a` in the change set"]
        );
        assert_eq!(
            problems("/change_set/items/0/key", Some(json!("b[0]")))[0],
            "/change_set/items/1/key: `b[0]` is changed twice"
        );
        assert_eq!(
            problems("/change_set/items/0/key", Some(json!("a..b")))[0],
            "/change_set/items/0/key: `a..b` is no path; paths are as `server.ports[1]`"
        );
        assert_eq!(
            problems("/change_set/items/0/previous", None)[0],
            "/change_set/items/0: a change that is updated has a `previous`"
        );
        assert_eq!(
            problems("/change_set/items/1/previous", Some(json!(0)))[0],
            "/change_set/items/1/previous: a change that is added has no `previous`"
        );
        assert_eq!(
            problems("/change_set/items/0/current", Some(json!([1])))[0],
            "/change_set/items/0/current: a change is of one value, and this has parts"
        );
        assert_eq!(
            problems("/change_set/items/0/current", Some(json!(1.0)))[0],
            "/change_set/items/0: `a` is the same before and after"
        );
        assert_eq!(
            problems("/change_set/total", Some(json!(3))),
            ["/change_set/total: the change set has 2 items, not 3"]
        );
    }

    #[test]
    fn anything_else_is_refused_without_a_panic() {
        for wrong in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "change_set": 1 }),
            json!({ "change_set": {} }),
            json!({ "change_set": { "kind": "collections.diff.map", "items": [1, {}, { "key": "a" }] } }),
        ] {
            assert!(!ChangeSet::from_json(&wrong, "collections.diff.map").unwrap_err().is_empty(), "{wrong}");
        }
    }
}
