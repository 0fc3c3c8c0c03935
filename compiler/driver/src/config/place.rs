//! Where does a JSON pointer lead to? Validators answer pointers; diagnostics need spans.

use reml_diagnostics::Span;
use rustc_hash::FxHashMap;

use super::tree::{Data, Node};

/// The places of a tree, by pointer.
pub struct Places(FxHashMap<String, Place>);

#[derive(Clone, Copy)]
pub struct Place {
    /// The key that leads here; that of the value itself in lists.
    pub key: Span,
    pub value: Span,
}

impl Places {
    pub fn of(root: &Node) -> Places {
        let mut places = FxHashMap::default();
        let mut pending = vec![(String::new(), root.span, root)];
        while let Some((pointer, key, node)) = pending.pop() {
            places.insert(pointer.clone(), Place { key, value: node.span });
            match &node.data {
                Data::List(items) => {
                    pending.extend(
                        items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item.span, item)),
                    );
                }
                Data::Map(entries) => pending.extend(
                    entries
                        .iter()
                        .map(|entry| (format!("{pointer}/{}", escaped(&entry.key)), entry.key_span, &entry.value)),
                ),
                _ => {}
            }
        }
        Places(places)
    }

    pub fn get(&self, pointer: &str) -> Option<Place> {
        self.0.get(pointer).copied()
    }
}

/// A key as a part of a pointer (RFC 6901).
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
