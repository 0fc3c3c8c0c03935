//! What do other tools want to know of a target, and of an executable that was made for it?

use reml_semantics::cfg::Target;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::of_machine;

/// LLVM's data layouts by architecture and operating system. Cranelift has none, but linkers and C compilers that are driven by the metadata
/// must agree with what C code was compiled with.
const DATA_LAYOUTS: &[(&str, &str, &str)] = &[
    ("x86_64", "linux", "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"),
    ("x86_64", "macos", "e-m:o-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"),
    ("x86_64", "windows", "e-m:w-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"),
    ("aarch64", "linux", "e-m:e-p270:32:32-p271:32:32-p272:64:64-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32"),
    ("aarch64", "macos", "e-m:o-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-n32:64-S128-Fn32"),
    ("wasm32", "wasi", "e-m:e-p:32:32-p10:8:8-p20:8:8-i64:64-i128:128-n32:64-S128-ni:1:10:20"),
];

/// How LLVM lays out the target's data, where that is known.
pub fn data_layout(target: &Target) -> Option<&'static str> {
    let is = |key: &str, value: &str| target.values.get(key).is_some_and(|actual| actual == value);
    let found = DATA_LAYOUTS.iter().find(|(arch, os, _)| is("target_arch", arch) && is("target_os", os))?;
    Some(found.2)
}

/// The triple of the machine that code is made for.
pub fn code_triple() -> String {
    of_machine().values["target"].clone()
}

/// A target as `RunConfigTarget` has it; what is not known is left out.
pub fn describe(target: &Target) -> Value {
    let mut object = Map::new();
    for (key, property) in [
        ("profile_id", "profile_id"),
        ("triple", "target"),
        ("os", "target_os"),
        ("family", "target_family"),
        ("arch", "target_arch"),
        ("abi", "target_abi"),
        ("vendor", "target_vendor"),
        ("env", "target_env"),
        ("stdlib_version", "stdlib_version"),
        ("runtime_revision", "runtime_revision"),
    ] {
        if let Some(value) = target.values.get(property).filter(|value| !value.is_empty()) {
            object.insert(key.to_owned(), json!(value));
        }
    }
    let extra = target.values.iter().filter_map(|(key, value)| Some((key.strip_prefix("extra.")?, value)));
    object.insert("features".to_owned(), json!(target.features));
    object.insert("capabilities".to_owned(), json!(target.capabilities));
    object.insert("diagnostics".to_owned(), json!(target.diagnostics));
    object.insert("extra".to_owned(), extra.map(|(key, value)| (key.to_owned(), json!(value))).collect());
    Value::Object(object)
}

/// `RunArtifactMetadata` of an executable with these bytes.
pub fn of_artifact(target: &Target, executable: &[u8], timestamp: &str) -> Value {
    let digest: String = Sha256::digest(executable).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "target": describe(target),
        "llvm_triple": code_triple(),
        "data_layout": data_layout(&of_machine()),
        "runtime_revision": super::VERSION,
        "stdlib_version": super::VERSION,
        "emitted_capabilities": target.capabilities,
        "timestamp": timestamp,
        "hash": format!("sha256:{digest}"),
    })
}
