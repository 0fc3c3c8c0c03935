//! What has changed from one configuration to another? Both are flattened to paths and values, and the paths compared. The result is told
//! as a change set, which audit logs carry, and as a difference of maps, which a hot reload reviews.

use std::collections::BTreeMap;
use std::path::Path;

use reml_bridge::config::path::quoted;
use reml_diagnostics::{Diagnostic, SourceMap};
use serde_json::{Value, json};

use super::compat::Chooser;
use super::tree::{Data, Node};
use super::{Document, key_path};

const ORIGIN: &str = "core.collections";
const POLICY: &str = "core.collections.audit.v1";
const CATEGORY: &str = "collections.diff";
const STAGE: &str = "stable";
const MAP: &str = "collections.diff.map";

/// Two configurations that were read.
pub struct Diff {
    base: Side,
    target: Side,
    /// By path.
    pub changes: Vec<Change>,
}

struct Side {
    path: String,
    format: &'static str,
    entries: usize,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// `server.ports[1]`; `$` for a file that is nothing but a value.
    pub key: String,
    pub previous: Option<Value>,
    pub current: Option<Value>,
    type_tag: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Added,
    Removed,
    Updated,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Added => "Added",
            Kind::Removed => "Removed",
            Kind::Updated => "Updated",
        }
    }
}

impl Change {
    pub fn kind(&self) -> Kind {
        match (&self.previous, &self.current) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Updated,
        }
    }

    /// What the change takes to keep: the bytes of its path, and of its values as compact JSON.
    fn bytes(&self) -> usize {
        let bytes = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.to_string().len());
        self.key.len() + bytes(&self.previous) + bytes(&self.current)
    }
}

/// Reads both files. Nothing is answered when one of them is not fit for it; `diagnostics` says why.
pub fn diff(
    old: &Path,
    new: &Path,
    chooser: &Chooser<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Diff> {
    // Both are read before anything is given up, so that both are reported on.
    let old_document = super::read(old, chooser, sources, diagnostics);
    let new_document = super::read(new, chooser, sources, diagnostics);
    let origins = [&old_document, &new_document].into_iter().flatten().map(Document::origin).collect::<Vec<_>>();
    key_path::annotate(diagnostics, &origins, sources);
    let (old_document, new_document) = (old_document?, new_document?);
    let (old_root, new_root) = (old_document.root?, new_document.root?);
    let (before, after) = (flatten(&old_root), flatten(&new_root));
    let side = |path: &Path, format: super::Format, entries| Side {
        path: path.display().to_string(),
        format: format.name(),
        entries,
    };
    Some(Diff {
        base: side(old, old_document.format, before.len()),
        target: side(new, new_document.format, after.len()),
        changes: compare(&before, &after),
    })
}

fn compare(before: &BTreeMap<String, &Node>, after: &BTreeMap<String, &Node>) -> Vec<Change> {
    let change = |key: &String, previous: Option<&Node>, current: Option<&Node>| Change {
        key: key.clone(),
        previous: previous.map(Node::to_json),
        current: current.map(Node::to_json),
        type_tag: current.or(previous).map_or("null", type_tag),
    };
    let mut changes = Vec::new();
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some((a, _)), Some((b, _))) if a == b => {
                if let (Some((key, previous)), Some((_, current))) = (old.next(), new.next())
                    && !previous.same_leaf(current)
                {
                    changes.push(change(key, Some(previous), Some(current)));
                }
            }
            (Some((a, _)), Some((b, _))) if a > b => {
                changes.extend(new.next().map(|(key, current)| change(key, None, Some(current))));
            }
            (None, Some(_)) => changes.extend(new.next().map(|(key, current)| change(key, None, Some(current)))),
            _ => changes.extend(old.next().map(|(key, previous)| change(key, Some(previous), None))),
        }
    }
}

/// The values without parts, by path.
pub fn flatten(root: &Node) -> BTreeMap<String, &Node> {
    let mut leaves = BTreeMap::new();
    let mut pending = vec![(String::new(), root)];
    while let Some((path, node)) = pending.pop() {
        match &node.data {
            Data::Map(entries) if !entries.is_empty() => pending.extend(entries.iter().map(|entry| {
                let key = quoted(&entry.key);
                (if path.is_empty() { key } else { format!("{path}.{key}") }, &entry.value)
            })),
            Data::List(items) if !items.is_empty() => {
                pending.extend(items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)));
            }
            _ => drop(leaves.insert(if path.is_empty() { "$".to_owned() } else { path }, node)),
        }
    }
    leaves
}

fn type_tag(node: &Node) -> &'static str {
    match node.data {
        Data::Null => "null",
        Data::Bool(_) => "bool",
        Data::Number(_) => "number",
        Data::Text(_) => "string",
        Data::List(_) => "list",
        Data::Map(_) => "map",
    }
}

impl Diff {
    /// How many changes there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.changes.iter().filter(|change| change.kind() == kind).count()
    }

    pub fn to_json(&self) -> Value {
        let summary = json!({
            "added": self.count(Kind::Added),
            "removed": self.count(Kind::Removed),
            "updated": self.count(Kind::Updated),
            "total": self.changes.len(),
        });
        let side = |side: &Side| json!({ "path": side.path, "format": side.format, "entries": side.entries });
        let item = |change: &Change| {
            let kind = format!("{CATEGORY}.{}", change.kind().name().to_lowercase());
            let mut item = json!({ "kind": kind, "key": change.key });
            if let Some(previous) = &change.previous {
                item["previous"] = previous.clone();
            }
            if let Some(current) = &change.current {
                item["current"] = current.clone();
            }
            item
        };
        let detail = |change: &Change| {
            json!({
                "kind": change.kind().name(),
                "key": change.key,
                "previous": change.previous,
                "current": change.current,
                "type_tag": change.type_tag,
                "mem_bytes": change.bytes(),
            })
        };
        let bytes: usize = self.changes.iter().map(Change::bytes).sum();
        json!({
            "command": "config.diff",
            "base": side(&self.base),
            "target": side(&self.target),
            "summary": summary,
            "change_set": {
                "origin": ORIGIN,
                "policy": POLICY,
                "category": CATEGORY,
                "stage": STAGE,
                "kind": MAP,
                "summary": summary,
                "metadata": { "stage": STAGE, "category": CATEGORY, "kind": MAP, "origin": ORIGIN },
                "items": self.changes.iter().map(item).collect::<Vec<_>>(),
                "total": self.changes.len(),
            },
            "schema_diff": {
                "kind": "MapDiff",
                "metadata": {
                    "origin": ORIGIN,
                    "policy": POLICY,
                    "category": CATEGORY,
                    "stage": STAGE,
                    "total": self.changes.len(),
                    "mem_bytes": bytes,
                },
                "changes": self.changes.iter().map(detail).collect::<Vec<_>>(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    fn changes(old: (&str, &str), new: (&str, &str)) -> Vec<String> {
        let system = MemorySystem::new().with(old.0, old.1).with(new.0, new.1);
        let mut diagnostics = Vec::new();
        let (old, new) = (Path::new(old.0), Path::new(new.0));
        let chooser = Chooser { system: &system, asked: None };
        let diff = diff(old, new, &chooser, &mut SourceMap::new(), &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let value = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let show = |it: &Change| format!("{} {} {} {}", it.key, value(&it.previous), value(&it.current), it.type_tag);
        diff.unwrap().changes.iter().map(show).collect()
    }

    #[test]
    fn only_what_has_changed_is_told() {
        let old = ("a.json", r#"{"a": {"b": [1, 2]}, "same": 1, "gone": null, "e": {}}"#);
        let new = ("b.json", r#"{"same": 1.0, "a": {"b": [1, 3, 4]}, "e": {"x.y": true}}"#);
        assert_eq!(
            changes(old, new),
            ["a.b[1] 2 3 number", "a.b[2] - 4 number", "e {} - map", "e.\"x.y\" - true bool", "gone null - null"]
        );
        assert_eq!(changes(("a.json", "1"), ("b.json", "\"x\"")), ["$ 1 \"x\" string"]);
    }

    #[test]
    fn toml_and_json_are_compared_as_trees() {
        assert_eq!(
            changes(("a.toml", "[a]\nb = 0x10\nc = [1.5]\n"), ("b.json", r#"{"a": {"c": [1.5], "b": 16}}"#)),
            [""; 0]
        );
        assert_eq!(
            changes(("a.toml", "d = 2025-01-01\n"), ("b.toml", "d = inf\n")),
            ["d \"2025-01-01\" \"inf\" number"]
        );
    }
}
