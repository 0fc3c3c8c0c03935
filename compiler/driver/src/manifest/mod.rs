//! What does a `reml.toml` say as a whole, and is it well-formed in every part? The compiler itself reads only what it needs, in `package`.

mod dump;
mod shape;
mod sync;

use std::path::Path;

use reml_diagnostics::{Diagnostic, Span, codes, suggest};

use crate::config::SHOWN;
use crate::config::tree::{Data, Entry, Node};
use crate::system::System;
pub use dump::{Dump, dump};
use shape::{Field, SECTIONS, Shape};
pub use sync::{Sync, sync};

pub fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.key == name)
}

/// What does not look as it should. Keys that nothing reads are warned about.
pub fn check(root: &Node) -> Vec<Diagnostic> {
    let mut checker = Checker { diagnostics: Vec::new(), unknown: 0 };
    checker.table(root, SECTIONS, "");
    if checker.unknown > SHOWN {
        let message = format!("`reml.toml` has {} more keys that nothing reads", checker.unknown - SHOWN);
        let start = Span::new(root.span.start, root.span.start);
        checker.diagnostics.push(Diagnostic::warning(codes::PACKAGE_INVALID_MANIFEST, start, message));
    }
    checker.diagnostics
}

/// `[dsl.<name>]` needs an `entry`, which is a file below `directory`.
pub fn check_entries(root: &Node, directory: &Path, system: &dyn System, diagnostics: &mut Vec<Diagnostic>) {
    for Entry { key, key_span, value } in root.get("dsl").map_or(&[][..], Node::entries) {
        if !matches!(value.data, Data::Map(_)) {
            continue;
        }
        let Some(entry) = value.get("entry") else {
            let message = format!("`dsl.{key}` has no `entry`");
            let diagnostic = Diagnostic::error(codes::CONFIG_MISSING_FIELD, *key_span, message);
            diagnostics
                .push(diagnostic.with_help("name the file that the DSL begins with: `entry = \"src/main.reml\"`"));
            continue;
        };
        if let Some(text) = entry.as_text()
            && !system.is_file(&directory.join(text))
        {
            let message = format!("the entry of `dsl.{key}`, `{text}`, is no file");
            diagnostics.push(Diagnostic::error(codes::MANIFEST_ENTRY_MISSING, entry.span, message));
        }
    }
}

struct Checker {
    diagnostics: Vec<Diagnostic>,
    /// How many keys nothing reads.
    unknown: usize,
}

impl Checker {
    /// `path` is what leads to the value.
    fn value(&mut self, node: &Node, shape: &Shape, path: &str) {
        match (shape, &node.data) {
            (Shape::Other, _) | (Shape::Text | Shape::Secret, Data::Text(_)) | (Shape::Flag, Data::Bool(_)) => {}
            (Shape::OneOf(known, code), Data::Text(text)) => {
                if !known.contains(&&**text) {
                    let message = format!("`{path}` cannot be `{text}`");
                    let diagnostic = Diagnostic::error(*code, node.span, message);
                    self.diagnostics.push(match suggest::closest(text, known.iter().copied()) {
                        Some(near) => {
                            diagnostic.with_fix(node.span, format!("{near:?}"), format!("did you mean `{near}`?"))
                        }
                        None => diagnostic.with_help(format!("there are `{}`", known.join("`, `"))),
                    });
                }
            }
            (Shape::List(of), Data::List(items)) => {
                items.iter().enumerate().for_each(|(index, item)| self.value(item, of, &format!("{path}[{index}]")));
            }
            (Shape::Set, Data::List(items)) => {
                items.iter().enumerate().for_each(|(index, item)| {
                    self.value(item, &Shape::Text, &format!("{path}[{index}]"));
                });
            }
            (Shape::Table(fields), Data::Map(_)) => self.table(node, fields, path),
            (Shape::Named(of), Data::Map(entries)) => {
                entries.iter().for_each(|entry| self.value(&entry.value, of, &format!("{path}.{}", entry.key)));
            }
            (Shape::Either(shapes), _) => match shapes.iter().find(|shape| shape.is_of_kind(node)) {
                Some(shape) => self.value(node, shape, path),
                None => self.wrong_kind(node, shape, path),
            },
            _ => self.wrong_kind(node, shape, path),
        }
    }

    fn table(&mut self, node: &Node, fields: &'static [Field], path: &str) {
        for entry in node.entries() {
            let inner = if path.is_empty() { entry.key.to_string() } else { format!("{path}.{}", entry.key) };
            match fields.iter().find(|field| field.key == &*entry.key) {
                Some(field) => self.value(&entry.value, &field.shape, &inner),
                // What is empty says nothing, so nothing is lost.
                None if entry.value.is_empty() => {}
                None => self.unknown(&entry.key, entry.key_span, fields, path),
            }
        }
    }

    fn unknown(&mut self, key: &str, at: Span, fields: &'static [Field], path: &str) {
        self.unknown += 1;
        if self.unknown > SHOWN {
            return;
        }
        let message = match path {
            "" => format!("`reml.toml` has a section `{key}` that nothing reads"),
            _ => format!("`{path}` has a key `{key}` that nothing reads"),
        };
        let diagnostic = Diagnostic::warning(codes::PACKAGE_INVALID_MANIFEST, at, message);
        self.diagnostics.push(match suggest::closest(key, fields.iter().map(|field| field.key)) {
            Some(near) => diagnostic.with_fix(at, near, format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    }

    fn wrong_kind(&mut self, node: &Node, shape: &Shape, path: &str) {
        let message = format!("`{path}` must be {}, and this is {}", shape.wanted(), node.kind());
        self.diagnostics.push(Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, node.span, message));
    }
}

impl Shape {
    fn is_of_kind(&self, node: &Node) -> bool {
        match self {
            Shape::Text | Shape::Secret | Shape::OneOf(..) => matches!(node.data, Data::Text(_)),
            Shape::Flag => matches!(node.data, Data::Bool(_)),
            Shape::List(_) | Shape::Set => matches!(node.data, Data::List(_)),
            Shape::Table(_) | Shape::Named(_) => matches!(node.data, Data::Map(_)),
            Shape::Either(shapes) => shapes.iter().any(|shape| shape.is_of_kind(node)),
            Shape::Other => true,
        }
    }

    fn wanted(&self) -> String {
        match self {
            Shape::Text | Shape::Secret | Shape::OneOf(..) => "a text".to_owned(),
            Shape::Flag => "`true` or `false`".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::Set => "a list of texts".to_owned(),
            Shape::Table(_) | Shape::Named(_) => "a table".to_owned(),
            Shape::Either(shapes) => shapes.iter().map(Shape::wanted).collect::<Vec<_>>().join(" or "),
            Shape::Other => "anything".to_owned(),
        }
    }
}
