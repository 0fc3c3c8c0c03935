//! A manifest as JSON: what it says, what it means where it says nothing, and the signatures that the program's own `@dsl_export`s have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reml_diagnostics::{Diagnostic, SourceMap, codes, render, suggest};
use serde_json::{Map, Value, json};

use super::check_entries;
use super::shape::{Default, Field, SECTIONS, Shape};
use crate::config::key_path::{self, Origin};
use crate::config::tree::{Data, Node};
use crate::package;
use crate::pipeline::{Compilation, Options};
use crate::signatures;
use crate::system::System;

pub struct Dump {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// Absent when the manifest, or a program that it names, is wrong.
    pub manifest: Option<Value>,
}

/// Signatures by the names of the exports.
type Signatures = BTreeMap<String, Value>;

pub fn dump(path: &Path, system: &dyn System) -> Dump {
    let mut dump = Dump { sources: SourceMap::new(), diagnostics: Vec::new(), manifest: None };
    dump.manifest = dump.told(path, system);
    render::arrange(&mut dump.diagnostics);
    dump
}

impl Dump {
    fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    fn told(&mut self, path: &Path, system: &dyn System) -> Option<Value> {
        let file = crate::config::open(path, system, &mut self.sources, &mut self.diagnostics)?;
        let parsed = package::parse(self.sources.file(file));
        self.diagnostics.extend(parsed.diagnostics);
        let told = parsed.tree.as_ref().and_then(|root| self.of_tree(root, path, system));
        let origin = Origin { file, root: parsed.tree.as_ref(), source: "manifest" };
        key_path::annotate(&mut self.diagnostics, &[origin], &self.sources);
        told
    }

    fn of_tree(&mut self, root: &Node, path: &Path, system: &dyn System) -> Option<Value> {
        let directory = path.parent().unwrap_or(Path::new(""));
        check_entries(root, directory, system, &mut self.diagnostics);
        if self.failed() {
            return None;
        }
        let mut signatures = BTreeMap::new();
        for dsl in root.get("dsl").map_or(&[][..], Node::entries) {
            let Some(entry) = dsl.value.get("entry").and_then(Node::as_text) else { continue };
            let entry = directory.join(entry);
            if !signatures.contains_key(&entry) {
                let exports = self.exports(&entry, system)?;
                signatures.insert(entry.clone(), exports);
            }
            self.check_exports(&dsl.key, &dsl.value, &signatures[&entry], &entry);
        }
        (!self.failed()).then(|| sections(root, directory, &signatures))
    }

    /// What the program that begins with a file exports; `None` when it is not correct.
    fn exports(&mut self, entry: &Path, system: &dyn System) -> Option<Signatures> {
        let mut compilation = Compilation::new(system, Options::default());
        compilation.sources = std::mem::take(&mut self.sources);
        compilation.check(entry);
        let exports =
            compilation.exports().iter().map(|export| (export.name.to_string(), signatures::signature(export)));
        let exports = exports.collect();
        let mut diagnostics = std::mem::take(&mut compilation.diagnostics);
        self.sources = compilation.sources;
        // Signatures need no dependency that is not used, and where one is used that is not there, the program says so itself.
        diagnostics.retain(|it| it.code != codes::PACKAGE_DEPENDENCY_MISSING);
        let fine = !diagnostics.iter().any(Diagnostic::is_error);
        // Each program reads the manifest, and they may share modules.
        let identity = |it: &Diagnostic, sources: &SourceMap| {
            let place =
                sources.position(it.primary).map(|(file, at)| (sources.file(file).name.clone(), at.line, at.column));
            (it.code, it.message.clone(), place)
        };
        let mut known: BTreeSet<_> = self.diagnostics.iter().map(|it| identity(it, &self.sources)).collect();
        for diagnostic in diagnostics {
            if known.insert(identity(&diagnostic, &self.sources)) {
                self.diagnostics.push(diagnostic);
            }
        }
        fine.then_some(exports)
    }

    fn check_exports(&mut self, dsl: &str, section: &Node, signatures: &Signatures, entry: &Path) {
        for export in section.get("exports").map_or(&[][..], Node::items) {
            let node = export.get("name").unwrap_or(export);
            let Some(name) = node.as_text() else { continue };
            if signatures.contains_key(name) {
                continue;
            }
            let message = format!("`dsl.{dsl}` names the export `{name}`, which `{}` does not have", entry.display());
            let diagnostic = Diagnostic::error(codes::CONFIG_DSL_EXPORT, node.span, message);
            self.diagnostics.push(match suggest::closest(name, signatures.keys().map(String::as_str)) {
                Some(near) => diagnostic.with_fix(node.span, format!("{near:?}"), format!("did you mean `{near}`?")),
                None => diagnostic.with_help(format!("mark what it stands for with `@dsl_export(name = {name:?})`")),
            });
        }
    }
}

fn sections(root: &Node, directory: &Path, signatures: &BTreeMap<PathBuf, Signatures>) -> Value {
    let mut all = Map::new();
    for section in SECTIONS {
        // `[package]` is another name of `[project]`.
        let node = match section.key {
            "project" => root.get("project").or_else(|| root.get("package")),
            "package" => None,
            key => root.get(key),
        };
        if let Some(value) = field(node, section) {
            all.insert(section.key.to_owned(), value);
        }
    }
    for dsl in root.get("dsl").map_or(&[][..], Node::entries) {
        let entry = dsl.value.get("entry").and_then(Node::as_text).map(|entry| directory.join(entry));
        if let Some(signatures) = entry.and_then(|entry| signatures.get(&entry)) {
            complete(&mut all["dsl"][&*dsl.key], signatures);
        }
    }
    all["run"]["target"]["capabilities"].is_null().then(|| all["run"]["target"]["capabilities"] = json!([]));
    Value::Object(all)
}

/// What the program knows better: signatures, and the capabilities that they require.
fn complete(dsl: &mut Value, signatures: &Signatures) {
    let mut required: Vec<Value> = Vec::new();
    for export in dsl["exports"].as_array_mut().into_iter().flatten() {
        let name = export.as_str().or_else(|| export["name"].as_str()).unwrap_or_default().to_owned();
        let Some(signature) = signatures.get(&name) else { continue };
        let written = export.get("signature").cloned().unwrap_or_default();
        let mut signature = signature.clone();
        required.extend(signature["requires_capabilities"].as_array().into_iter().flatten().cloned());
        // The program has no more to say of these.
        for (key, value) in written.as_object().into_iter().flatten() {
            if signature.get(key).is_none() {
                signature[key] = value.clone();
            }
        }
        *export = json!({ "name": name, "signature": signature });
    }
    required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    required.dedup();
    if dsl["capabilities"].as_array().is_some_and(Vec::is_empty) {
        dsl["capabilities"] = required.into();
    }
    let expects = dsl["expect_effects"].as_array().is_some_and(|effects| !effects.is_empty());
    if expects && dsl.get("expect_effects_stage").is_none() {
        dsl["expect_effects_stage"] = json!("stable");
    }
}

fn field(node: Option<&Node>, field: &Field) -> Option<Value> {
    match (node, &field.default, &field.shape) {
        (Some(node), ..) => Some(value(node, &field.shape)),
        (None, Default::Nothing, _) => None,
        (None, Default::Text(text), _) => Some(json!(text)),
        (None, Default::Flag(flag), _) => Some(json!(flag)),
        (None, Default::EmptyList, _) => Some(json!([])),
        (None, Default::Table, Shape::Table(fields)) => Some(table(None, fields)),
        (None, Default::Table, _) => Some(json!({})),
    }
}

fn value(node: &Node, shape: &Shape) -> Value {
    match (shape, &node.data) {
        (Shape::Table(fields), Data::Map(_)) => table(Some(node), fields),
        (Shape::Named(of), Data::Map(entries)) => {
            let sorted: BTreeMap<&str, &Node> = entries.iter().map(|entry| (&*entry.key, &entry.value)).collect();
            Value::Object(sorted.into_iter().map(|(key, node)| (key.to_owned(), value(node, of))).collect())
        }
        (Shape::List(of), Data::List(items)) => items.iter().map(|item| value(item, of)).collect(),
        (Shape::Set, Data::List(items)) => {
            let sorted: BTreeSet<&str> = items.iter().filter_map(Node::as_text).collect();
            json!(sorted)
        }
        (Shape::Either(shapes), _) => shapes
            .iter()
            .find(|shape| shape.is_of_kind(node))
            .map_or_else(|| node.to_json(), |shape| value(node, shape)),
        // Dumps are kept in logs.
        (Shape::Secret, _) => json!("<redacted>"),
        _ => node.to_json(),
    }
}

/// The keys that are known, in their order, then the others.
fn table(node: Option<&Node>, fields: &[Field]) -> Value {
    let mut all = Map::new();
    for known in fields {
        if let Some(value) = field(node.and_then(|node| node.get(known.key)), known) {
            all.insert(known.key.to_owned(), value);
        }
    }
    let others = node.map_or(&[][..], Node::entries).iter();
    let others = others.filter(|entry| fields.iter().all(|field| field.key != &*entry.key));
    let others: BTreeMap<&str, &Node> = others.map(|entry| (&*entry.key, &entry.value)).collect();
    all.extend(others.into_iter().map(|(key, node)| (key.to_owned(), node.to_json())));
    Value::Object(all)
}
