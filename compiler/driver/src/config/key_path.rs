//! Which setting is a diagnostic about? Diagnostics have spans; other tools want the keys that lead to the place.

use reml_diagnostics::{Diagnostic, FileId, SourceMap, Span};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::tree::{Data, Node};

/// A file with settings.
pub struct Origin<'n> {
    pub file: FileId,
    /// Absent when the text is malformed.
    pub root: Option<&'n Node>,
    /// `manifest`, or `custom` for any other file.
    pub source: &'static str,
}

/// Says of each diagnostic about one of these files where the setting comes from, and which keys lead to it.
pub fn annotate(diagnostics: &mut [Diagnostic], origins: &[Origin<'_>], sources: &SourceMap) {
    let mut paths: Vec<Option<Paths<'_>>> = origins.iter().map(|_| None).collect();
    for diagnostic in diagnostics.iter_mut() {
        let file = sources.file_of(diagnostic.primary);
        let Some(index) = origins.iter().position(|origin| Some(origin.file) == file) else { continue };
        if diagnostic.has_fact("config.source") {
            continue;
        }
        let origin = &origins[index];
        let found =
            origin.root.map(|root| paths[index].get_or_insert_with(|| Paths::of(root)).leading_to(diagnostic.primary));
        diagnostic.facts.push(("config.source", origin.source.into()));
        diagnostic.facts.push(("config.path", sources.file(origin.file).name.to_string().into()));
        diagnostic.facts.push(("config.key_path", found.unwrap_or_default().into()));
    }
}

/// One step from a value into another.
#[derive(Clone, Copy)]
enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

/// The steps to every value of a tree, each with the number of the one before it.
struct Paths<'n> {
    steps: Vec<(Option<u32>, Step<'n>)>,
    /// By the span of the value, and by that of its key.
    exact: FxHashMap<Span, u32>,
    /// The outermost that begins there: sections are reported by their headings.
    beginning: FxHashMap<u32, u32>,
}

impl<'n> Paths<'n> {
    fn of(root: &'n Node) -> Paths<'n> {
        let mut paths = Paths { steps: Vec::new(), exact: FxHashMap::default(), beginning: FxHashMap::default() };
        let mut pending: Vec<(Option<u32>, &Node)> = vec![(None, root)];
        while let Some((before, node)) = pending.pop() {
            match &node.data {
                Data::Map(entries) => {
                    for entry in entries {
                        let number = paths.add(before, Step::Key(&entry.key), &[entry.key_span, entry.value.span]);
                        pending.push((Some(number), &entry.value));
                    }
                }
                Data::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let number = paths.add(before, Step::Index(index), &[item.span]);
                        pending.push((Some(number), item));
                    }
                }
                _ => {}
            }
        }
        paths
    }

    fn add(&mut self, before: Option<u32>, step: Step<'n>, spans: &[Span]) -> u32 {
        let number = self.steps.len() as u32;
        self.steps.push((before, step));
        for &span in spans {
            self.exact.entry(span).or_insert(number);
            self.beginning.entry(span.start).or_insert(number);
        }
        number
    }

    /// `[{ "key": "dsl" }, { "key": "exports", "index": 0 }]`; empty for the file as a whole.
    fn leading_to(&self, span: Span) -> Vec<Value> {
        let mut next = self.exact.get(&span).or_else(|| self.beginning.get(&span.start)).copied();
        let mut found: Vec<Value> = Vec::new();
        let mut index = None;
        while let Some((before, step)) = next.map(|number| self.steps[number as usize]) {
            match step {
                Step::Index(at) => {
                    // A list in a list has no key of its own.
                    if let Some(inner) = index.replace(at) {
                        found.push(json!({ "index": inner }));
                    }
                }
                Step::Key(key) => found.push(match index.take() {
                    Some(at) => json!({ "key": key, "index": at }),
                    None => json!({ "key": key }),
                }),
            }
            next = before;
        }
        found.extend(index.map(|at| json!({ "index": at })));
        found.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml;

    #[test]
    fn keys_lead_to_a_place() {
        let text = "[project]\nname = 3\n[dsl.query]\nexports = [\"a\", { name = \"b\" }]\nx = [[1, 2]]\n";
        let mut sources = SourceMap::new();
        let id = sources.add("reml.toml", text).unwrap();
        let root = toml::parse(sources.file(id), &mut Vec::new()).unwrap();
        let paths = Paths::of(&root);
        let base = sources.file(id).base;
        let at = |part: &str| {
            let start = base + text.find(part).unwrap() as u32;
            json!(paths.leading_to(Span::new(start, start + part.len() as u32))).to_string()
        };
        assert_eq!(at("3"), r#"[{"key":"project"},{"key":"name"}]"#);
        assert_eq!(at("[project]"), r#"[{"key":"project"}]"#);
        let inner = r#"[{"key":"dsl"},{"key":"query"},{"index":1,"key":"exports"},{"key":"name"}]"#;
        assert_eq!(at("\"b\"").replace(r#""key":"exports","index":1"#, r#""index":1,"key":"exports""#), inner);
        assert_eq!(
            at("2").replace(r#""key":"x","index":0"#, r#""index":0,"key":"x""#),
            r#"[{"key":"dsl"},{"key":"query"},{"index":0,"key":"x"},{"index":1}]"#
        );
    }
}
