//! What does the manifest say of bindings? Of which files they were made, which type became which, and what was left out.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::bindings::{Bindings, Shape};
use crate::report::Left;

pub struct Manifest<'a> {
    /// As they are recorded, with what is in them.
    pub files: &'a [(String, String)],
    pub bindings: &'a Bindings,
    pub generated: Option<String>,
    pub left: &'a [Left],
}

/// JSON, with the end of its last line.
pub fn text(manifest: &Manifest<'_>) -> String {
    let files: Vec<&str> = manifest.files.iter().map(|(name, _)| &**name).collect();
    let mut types = Vec::new();
    for declared in manifest.bindings.sections.iter().flat_map(|section| &section.types) {
        types.push(json!({ "wit": declared.wit, "kind": kind(&declared.shape), "reml": declared.name }));
    }
    let mut functions = Vec::new();
    for section in &manifest.bindings.sections {
        for all in &section.functions {
            for function in &all.functions {
                let mut entry = Map::new();
                entry.insert("wit".into(), format!("{}#{}", section.title, function.wit).into());
                entry.insert("reml".into(), format!("{}.{}", all.name, function.field).into());
                functions.push(Value::Object(entry));
            }
        }
    }
    let left: Vec<Value> =
        manifest.left.iter().map(|left| json!({ "item": left.item, "reason": left.reason })).collect();
    let value = json!({
        "version": "0.1",
        "files": files,
        "world": manifest.bindings.world,
        "generated": manifest.generated,
        "input_hash": input_hash(manifest.files, &manifest.bindings.world),
        "types": types,
        "functions": functions,
        "left_out": left,
    });
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text + "\n"
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Alias(_) => "type",
        Shape::Record(_) => "record",
        Shape::Variant(..) => "variant",
        Shape::Enum(_) => "enum",
        Shape::Flags(_) => "flags",
        Shape::Resource => "resource",
    }
}

/// The beginning of a digest of all that bindings are made of.
fn input_hash(files: &[(String, String)], world: &str) -> String {
    let mut digest = Sha256::new();
    for part in files.iter().map(|(_, text)| &**text).chain([world, env!("CARGO_PKG_VERSION")]) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
