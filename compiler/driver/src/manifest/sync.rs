//! What the program says of its DSLs, written into the manifest: the signatures of exports, and the capabilities and the stage that a DSL has by them. The manifest is
//! edited as the text that it is.

use std::path::Path;

use reml_diagnostics::{Diagnostic, SourceMap, render};
use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike};

use super::dump;
use crate::overlay::Overlay;
use crate::system::System;

/// What the program knows of a DSL. The rest of `[dsl.<name>]` is what the manifest asks of it.
const KNOWN: &[&str] = &["capabilities", "expect_effects", "expect_effects_stage"];

/// A manifest that was brought into step.
pub struct Sync {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// The new text; absent when the manifest or a program is wrong.
    pub text: Option<String>,
    /// The names of the DSLs of which it says something else than before.
    pub changed: Vec<String>,
}

/// Finds out what the manifest should say.
pub fn sync(path: &Path, system: &dyn System) -> Sync {
    let written = dump::dump(path, system);
    let failed = |found: dump::Dump| Sync {
        sources: found.sources,
        diagnostics: found.diagnostics,
        text: None,
        changed: Vec::new(),
    };
    let Some(mut document) = text(path, system) else { return failed(written) };
    // What the manifest says of exports must not stand in the way of finding out.
    let mut bare = document.clone();
    for (_, section) in sections(&mut bare) {
        KNOWN.iter().for_each(|key| _ = section.remove(key));
        bare_exports(section);
    }
    let overlay = Overlay::new(system, path, bare.to_string());
    let found = dump::dump(path, &overlay);
    let Some(manifest) = &found.manifest else { return failed(found) };
    let mut changed = Vec::new();
    for (name, section) in sections(&mut document) {
        let before = section_text(section);
        update(section, &manifest["dsl"][&name]);
        if section_text(section) != before {
            changed.push(name);
        }
    }
    // What the manifest asks of its DSLs may still not be what they do.
    let text = document.to_string();
    let overlay = Overlay::new(system, path, text.clone());
    let checked = dump::dump(path, &overlay);
    if checked.manifest.is_none() {
        return failed(checked);
    }
    let mut sync = Sync { sources: checked.sources, diagnostics: checked.diagnostics, text: Some(text), changed };
    render::arrange(&mut sync.diagnostics);
    sync
}

/// The manifest, if it can be edited.
fn text(path: &Path, system: &dyn System) -> Option<DocumentMut> {
    String::from_utf8(system.read(path).ok()?).ok()?.parse().ok()
}

/// The sections `[dsl.<name>]`.
fn sections(document: &mut DocumentMut) -> Vec<(String, &mut dyn TableLike)> {
    let all = document.get_mut("dsl").and_then(Item::as_table_like_mut);
    all.into_iter()
        .flat_map(|all| all.iter_mut())
        .filter_map(|(name, item)| Some((name.get().to_owned(), item.as_table_like_mut()?)))
        .collect()
}

fn section_text(section: &dyn TableLike) -> String {
    section.iter().map(|(key, item)| format!("{key} = {item}\n")).collect()
}

/// Leaves of each export its name.
fn bare_exports(section: &mut dyn TableLike) {
    if let Some(exports) = section.get_mut("exports").and_then(Item::as_array_mut) {
        for export in exports.iter_mut() {
            if let Some(name) = export.as_inline_table().and_then(|table| table.get("name")).cloned() {
                *export = name;
            }
        }
    }
    if let Some(exports) = section.get_mut("exports").and_then(Item::as_array_of_tables_mut) {
        exports.iter_mut().for_each(|export| _ = export.remove("signature"));
    }
}

/// Writes what the program knows into a section; `dumped` is what a dump says of it.
fn update(section: &mut dyn TableLike, dumped: &Value) {
    let exports = dumped["exports"].as_array().map_or(&[][..], Vec::as_slice);
    let signature = |name: &str| {
        let export = exports.iter().find(|export| export["name"] == name)?;
        Some(inline(&export["signature"]))
    };
    if let Some(list) = section.get_mut("exports").and_then(Item::as_array_mut) {
        for export in list.iter_mut() {
            let name = export
                .as_str()
                .map(str::to_owned)
                .or_else(|| Some(export.as_inline_table()?.get("name")?.as_str()?.to_owned()));
            let Some(name) = name else { continue };
            let Some(signature) = signature(&name) else { continue };
            let mut table = InlineTable::new();
            table.insert("name", name.into());
            table.insert("signature", signature);
            let mut value = toml_edit::Value::from(table);
            *value.decor_mut() = export.decor().clone();
            if value.to_string() != export.to_string() {
                *export = value;
            }
        }
    }
    if let Some(list) = section.get_mut("exports").and_then(Item::as_array_of_tables_mut) {
        for export in list.iter_mut() {
            let Some(signature) = export.get("name").and_then(Item::as_str).and_then(signature) else { continue };
            put(export, "signature", signature);
        }
    }
    if exports.is_empty() {
        return;
    }
    put(section, "capabilities", texts(&dumped["capabilities"]).into());
    // The least settled of all: nothing can expect more of the DSL.
    let stages = ["experimental", "beta", "stable"];
    let stage = |export: &Value| {
        let current = export["signature"]["stage_bounds"]["current"].as_str()?.to_owned();
        stages.iter().position(|stage| *stage == current)
    };
    if let Some(least) = exports.iter().filter_map(stage).min() {
        put(section, "expect_effects_stage", stages[least].into());
    }
}

/// Keeps what stands around a value, and the value itself if it says the same.
fn put(table: &mut dyn TableLike, key: &str, mut value: toml_edit::Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
        if plain(old) == plain(&value) {
            return;
        }
    }
    table.insert(key, Item::Value(value));
}

/// A value without what stands around and inside of it.
fn plain(value: &toml_edit::Value) -> String {
    value.to_string().split_whitespace().collect()
}

fn texts(list: &Value) -> Array {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn inline(value: &Value) -> toml_edit::Value {
    match value {
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            fields.iter().for_each(|(key, value)| _ = table.insert(key, inline(value)));
            table.into()
        }
        Value::Array(_) => texts(value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        // Signatures consist of texts.
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::with_large_stack;
    use crate::system::MemorySystem;

    const PROGRAM: &str = "use Core.Parse
@dsl_export(category = \"config\", capabilities = [\"b\", \"a\"], allows_effects = [\"io\"],
  stage_bounds = { minimum: Stage::Beta, current: \"beta\", maximum: \"stable\" })
fn flip() -> Parse.Parser<Str> = Parse.string(\"x\")
fn main() = ()
";

    /// The text after bringing it into step, and what was reported.
    fn synced(manifest: &str) -> (Option<String>, Vec<String>) {
        with_large_stack(|| {
            let head = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n";
            let system =
                MemorySystem::new().with("reml.toml", format!("{head}{manifest}")).with("src/main.reml", PROGRAM);
            let found = sync(Path::new("reml.toml"), &system);
            let shown = found.diagnostics.iter().map(|it| format!("{}: {}", it.code, it.message)).collect();
            (found.text.map(|text| text[head.len()..].to_owned()), shown)
        })
    }

    const SIGNATURE: &str = "{ name = \"flip\", signature = { name = \"flip\", category = \"config\", \
        allows_effects = [\"io\"], requires_capabilities = [\"a\", \"b\"], \
        stage_bounds = { minimum = \"beta\", current = \"beta\", maximum = \"stable\" }, kind = \"parser\" } }";

    #[test]
    fn signatures_are_written_and_comments_stay() {
        let before = "[dsl.switch] # the only one\nentry = \"src/main.reml\"\nexports = [\"flip\"]\n";
        let after = format!(
            "[dsl.switch] # the only one\nentry = \"src/main.reml\"\nexports = [{SIGNATURE}]\n\
             capabilities = [\"a\", \"b\"]\nexpect_effects_stage = \"beta\"\n"
        );
        assert_eq!(synced(before), (Some(after.clone()), Vec::new()));
        // What is in step stays as it is.
        assert_eq!(synced(&after), (Some(after), Vec::new()));
    }

    #[test]
    fn what_was_wrong_is_corrected() {
        let before = "[dsl.switch]\nentry = \"src/main.reml\"\nexpect_effects_stage = \"stable\"\ncapabilities = [\"c\"]\n\
             exports = [{ name = \"flip\", signature = { category = \"colour\" } }]\n";
        let (text, problems) = synced(before);
        assert_eq!(problems, Vec::<String>::new());
        let text = text.unwrap();
        assert!(text.contains(SIGNATURE) && text.contains("expect_effects_stage = \"beta\""), "{text}");
        assert!(text.contains("capabilities = [\"a\", \"b\"]"), "{text}");
    }

    #[test]
    fn what_the_manifest_asks_for_is_not_given_up() {
        let before = "[dsl.switch]\nentry = \"src/main.reml\"\nexpect_effects = [\"network\"]\nexports = [\"flip\"]\n";
        let (text, problems) = synced(before);
        assert_eq!(text, None);
        assert!(problems[0].starts_with("E1302"), "{problems:?}");
        let (text, problems) = synced("[dsl.switch]\nentry = \"src/main.reml\"\nexports = [\"flop\"]\n");
        assert_eq!(text, None);
        assert!(problems[0].starts_with("config.dsl.export_not_found"), "{problems:?}");
    }
}
