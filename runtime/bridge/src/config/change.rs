//! What has changed from one document to another, and what is a document after a change?
//!
//! Both work on leaves: values without parts, which are texts, numbers, truth values, null, and empty lists and tables. Applying the difference of two
//! documents to the first gives the second.

mod format;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::path::{KeyPath, Part};

/// One leaf that is not what it was.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    pub path: KeyPath,
    /// Absent if the leaf is new.
    pub previous: Option<Value>,
    /// Absent if the leaf is gone.
    pub current: Option<Value>,
}

/// A difference of two documents. No path comes twice.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChangeSet {
    pub changes: Vec<Change>,
}

/// Why a change does not fit a document.
#[derive(Clone, PartialEq, Debug)]
pub enum Misfit {
    /// The document has another value at a path than the change starts from; `None`: none.
    Disagrees { change: usize, found: Option<Value> },
    /// Something would be both a value and a table or list.
    Clash { path: KeyPath },
    /// A list would have a hole before this place.
    Hole { path: KeyPath },
}

/// What has changed, in the order of the paths as they are written.
pub fn compare(old: &Value, new: &Value) -> ChangeSet {
    let (before, after) = (leaves(old), leaves(new));
    let mut changes = Vec::new();
    for (path, previous) in &before {
        match after.get(path) {
            Some(current) if same(previous, current) => {}
            current => changes.push(Change {
                path: path.clone(),
                previous: Some((*previous).clone()),
                current: current.map(|value| (*value).clone()),
            }),
        }
    }
    for (path, current) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        changes.push(Change { path: path.clone(), previous: None, current: Some((*current).clone()) });
    }
    changes.sort_by_cached_key(|change| change.path.to_string());
    ChangeSet { changes }
}

/// The document after the change. Keys stay in their order, new ones come last.
///
/// # Errors
///
/// All values that the document does not have; or, if it has them, what is wrong with what would come of it.
pub fn apply(document: &Value, set: &ChangeSet) -> Result<Value, Vec<Misfit>> {
    let mut leaves: IndexMap<KeyPath, Option<Value>> =
        leaves(document).into_iter().map(|(path, leaf)| (path, Some(leaf.clone()))).collect();
    let disagrees = |(index, change): (usize, &Change)| {
        let found = leaves.get(&change.path).cloned().flatten();
        let agrees = match (&change.previous, &found) {
            (Some(previous), Some(found)) => same(previous, found),
            (None, None) => true,
            _ => false,
        };
        (!agrees).then_some(Misfit::Disagrees { change: index, found })
    };
    let misfits: Vec<Misfit> = set.changes.iter().enumerate().filter_map(disagrees).collect();
    if !misfits.is_empty() {
        return Err(misfits);
    }
    for change in &set.changes {
        leaves.insert(change.path.clone(), change.current.clone());
    }
    let left = leaves.into_iter().filter_map(|(path, leaf)| Some((path, leaf?)));
    let mut root = Tree::Empty;
    for (path, leaf) in left {
        root.grow(&path.0, leaf).map_err(|depth| vec![Misfit::Clash { path: KeyPath(path.0[..depth].to_vec()) }])?;
    }
    root.into_value(&KeyPath::default()).map_err(|misfit| vec![misfit])
}

/// Whether two leaves mean the same; `1` and `1.0` do.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let whole = |it: &serde_json::Number| it.as_i64().map(i128::from).or(it.as_u64().map(i128::from));
            match (whole(a), whole(b)) {
                (Some(a), Some(b)) => a == b,
                _ => a.as_f64() == b.as_f64(),
            }
        }
        _ => a == b,
    }
}

/// Is it a value without parts?
pub fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => true,
    }
}

/// The leaves, in the order of the document.
fn leaves(document: &Value) -> IndexMap<KeyPath, &Value> {
    let mut found = IndexMap::new();
    // What lies further in is visited first, and what comes first in a table before what comes later.
    let mut pending = vec![(KeyPath::default(), document)];
    while let Some((path, value)) = pending.pop() {
        match value {
            _ if is_leaf(value) => _ = found.insert(path, value),
            Value::Array(items) => {
                pending.extend(items.iter().enumerate().rev().map(|(at, item)| (path.with(Part::Index(at)), item)));
            }
            Value::Object(members) => {
                let inner = |(key, value): (&String, _)| (path.with(Part::Key(key.clone())), value);
                pending.extend(members.iter().map(inner).collect::<Vec<_>>().into_iter().rev());
            }
            _ => unreachable!("everything else is a leaf"),
        }
    }
    found
}

/// A document that grows leaf by leaf.
enum Tree {
    /// Nobody knows yet what it will be.
    Empty,
    Leaf(Value),
    Table(IndexMap<String, Tree>),
    List(BTreeMap<usize, Tree>),
}

impl Tree {
    /// Adds a leaf. The error is how many parts of the path lead to what is of another kind.
    fn grow(&mut self, path: &[Part], leaf: Value) -> Result<(), usize> {
        let mut here = self;
        for (depth, part) in path.iter().enumerate() {
            if let Tree::Empty = here {
                *here = match part {
                    Part::Key(_) => Tree::Table(IndexMap::new()),
                    Part::Index(_) => Tree::List(BTreeMap::new()),
                };
            }
            here = match (here, part) {
                (Tree::Table(members), Part::Key(key)) => members.entry(key.clone()).or_insert(Tree::Empty),
                (Tree::List(items), Part::Index(index)) => items.entry(*index).or_insert(Tree::Empty),
                _ => return Err(depth),
            };
        }
        if !matches!(here, Tree::Empty) {
            return Err(path.len());
        }
        *here = Tree::Leaf(leaf);
        Ok(())
    }

    /// The document, unless a list has holes. `path` is what leads to it.
    fn into_value(self, path: &KeyPath) -> Result<Value, Misfit> {
        match self {
            Tree::Empty => Ok(Value::Object(Map::new())),
            Tree::Leaf(leaf) => Ok(leaf),
            Tree::Table(members) => {
                let inner = |(key, tree): (String, Tree)| {
                    let value = tree.into_value(&path.with(Part::Key(key.clone())))?;
                    Ok((key, value))
                };
                Ok(Value::Object(members.into_iter().map(inner).collect::<Result<_, _>>()?))
            }
            Tree::List(items) => {
                let inner = |(at, (index, tree)): (usize, (usize, Tree))| {
                    let path = path.with(Part::Index(index));
                    if at == index { tree.into_value(&path) } else { Err(Misfit::Hole { path }) }
                };
                Ok(Value::Array(items.into_iter().enumerate().map(inner).collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            (-2i32..3).prop_map(|it| Value::from(f64::from(it) / 2.0)),
            "[a-b]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c.$]{0,2}", inner), 0..4)
                    .prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    /// Whether two documents mean the same.
    fn equal(a: &Value, b: &Value) -> bool {
        compare(a, b).changes.is_empty()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn a_difference_leads_from_one_document_to_the_other(a in documents(), b in documents()) {
            let forth = compare(&a, &b);
            let applied = apply(&a, &forth).unwrap();
            prop_assert!(equal(&applied, &b), "{} {} {}", a, b, applied);
            let back = apply(&b, &compare(&b, &a)).unwrap();
            prop_assert!(equal(&back, &a));
            prop_assert_eq!(ChangeSet::from_json(&forth.to_json(), "collections.diff.map"), Ok(forth));
        }

        #[test]
        fn a_difference_of_other_documents_is_noticed(a in documents(), b in documents(), c in documents()) {
            let set = compare(&a, &b);
            match apply(&c, &set) {
                // It happens to fit: then what has changed is what the difference says.
                Ok(applied) => prop_assert_eq!(compare(&c, &applied).changes.len(), set.changes.len()),
                Err(_) => prop_assert!(!equal(&a, &c)),
            }
        }
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(a in documents(), b in documents()) {
            let state = json!({ "format": "reml.state.v1", "values": {}, "history": a, "run_id": b });
            for value in [
                json!({ "change_set": a, "schema_diff": b }),
                json!({ "change_set": { "kind": "x", "items": a }, "schema_diff": { "changes": b } }),
                json!({ "change_set": { "kind": "x", "items": [a] }, "schema_diff": { "changes": [b] } }),
                a,
            ] {
                let problems = ChangeSet::from_json(&value, "x").err().unwrap_or_default();
                // Each problem is somewhere.
                prop_assert!(problems.iter().all(|it| it.pointer.is_empty() || it.pointer.starts_with('/')));
            }
            if let Ok(read) = crate::config::state::StateDocument::from_json(&state) {
                prop_assert!(read.history.is_empty());
            }
        }
    }

    fn set(items: &[(&str, Option<Value>, Option<Value>)]) -> ChangeSet {
        let change = |(path, previous, current): &(&str, Option<Value>, Option<Value>)| Change {
            path: KeyPath::parse(path).unwrap(),
            previous: previous.clone(),
            current: current.clone(),
        };
        ChangeSet { changes: items.iter().map(change).collect() }
    }

    #[test]
    fn keys_keep_their_order() {
        let old = json!({ "z": 1, "a": { "y": 1, "b": 2 }, "m": [] });
        let changed =
            apply(&old, &set(&[("a.y", Some(json!(1)), Some(json!(5))), ("c", None, Some(json!(0)))])).unwrap();
        assert_eq!(changed.to_string(), r#"{"z":1,"a":{"y":5,"b":2},"m":[],"c":0}"#);
        let emptied = apply(&json!({ "a": { "b": 1 } }), &set(&[("a.b", Some(json!(1)), None)])).unwrap();
        assert_eq!(emptied, json!({}));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let old = json!({ "a": 1, "xs": [1] });
        let fails = |items: &[(&str, Option<Value>, Option<Value>)]| apply(&old, &set(items)).unwrap_err().remove(0);
        assert_eq!(
            fails(&[("a", Some(json!(2)), Some(json!(3)))]),
            Misfit::Disagrees { change: 0, found: Some(json!(1)) }
        );
        assert_eq!(fails(&[("b", Some(json!(2)), None)]), Misfit::Disagrees { change: 0, found: None });
        assert_eq!(fails(&[("a", None, Some(json!(2)))]), Misfit::Disagrees { change: 0, found: Some(json!(1)) });
        let clash = |path: &str| Misfit::Clash { path: KeyPath::parse(path).unwrap() };
        assert_eq!(fails(&[("a.b", None, Some(json!(2)))]), clash("a"));
        assert_eq!(fails(&[("xs.b", None, Some(json!(2)))]), clash("xs"));
        assert_eq!(fails(&[("xs", None, Some(json!(2)))]), clash("xs"));
        assert_eq!(fails(&[("xs[2]", None, Some(json!(2)))]), Misfit::Hole { path: KeyPath::parse("xs[2]").unwrap() });
        assert_eq!(fails(&[("$", None, Some(json!(2)))]), clash("$"));
    }

    #[test]
    fn numbers_are_the_same_when_they_mean_the_same() {
        assert!(same(&json!(1), &json!(1.0)) && same(&json!(-0.0), &json!(0)));
        assert!(!same(&json!(9007199254740993_i64), &json!(9007199254740992_i64)));
        assert!(!same(&json!(u64::MAX), &json!(-1)));
    }
}
