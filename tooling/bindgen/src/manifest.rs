//! `bindings.manifest.json`, and the hash that says what bindings were made from.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::bindings::Correspondence;
use crate::report::Left;

/// The version of the manifest's shape.
const VERSION: &str = "0.1";

pub struct Manifest<'a> {
    pub headers: &'a [String],
    pub generated: String,
    pub input_hash: String,
    pub types: &'a [Correspondence],
    pub left: &'a [Left],
}

impl Manifest<'_> {
    /// Keys in the order of the specification, and a line break at the end.
    pub fn to_text(&self) -> String {
        let types: Vec<Value> = self.types.iter().map(type_json).collect();
        let value = json!({
            "version": VERSION,
            "headers": self.headers,
            "generated": self.generated,
            "input_hash": self.input_hash,
            "types": types,
            "diagnostics": self.left.iter().map(Left::to_json).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }
}

fn type_json(entry: &Correspondence) -> Value {
    let mut object = Map::new();
    object.insert("c".into(), entry.c.as_str().into());
    object.insert("reml".into(), entry.reml.as_str().into());
    if !entry.qualifiers.is_empty() {
        object.insert("qualifiers".into(), entry.qualifiers.clone().into());
    }
    Value::Object(object)
}

/// The first 16 digits of the SHA-256 over what bindings are made from. Each part is preceded by its length, so that no two lists of parts
/// look alike.
pub fn input_hash(headers: &[&[u8]], config: &Value, target: &str, tool_version: &str) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&(headers.len() as u64).to_le_bytes());
    headers.iter().for_each(|header| part(header));
    part(config.to_string().as_bytes());
    part(target.as_bytes());
    part(tool_version.as_bytes());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 digest of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_every_part_and_on_where_parts_end() {
        let config = json!({ "defines": [] });
        let base = input_hash(&[b"int a;", b"int b;"], &config, "x86_64-linux", "0.1.0");
        let others = [
            input_hash(&[b"int a;i", b"nt b;"], &config, "x86_64-linux", "0.1.0"),
            input_hash(&[b"int a;"], &config, "x86_64-linux", "0.1.0"),
            input_hash(&[b"int a;", b"int b;"], &json!({ "defines": ["A"] }), "x86_64-linux", "0.1.0"),
            input_hash(&[b"int a;", b"int b;"], &config, "aarch64-linux", "0.1.0"),
            input_hash(&[b"int a;", b"int b;"], &config, "x86_64-linux", "0.1.1"),
        ];
        assert_eq!(base.len(), 16);
        assert!(others.iter().all(|other| *other != base));
        assert_eq!(base, input_hash(&[b"int a;", b"int b;"], &config, "x86_64-linux", "0.1.0"));
    }
}
