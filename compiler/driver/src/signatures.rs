//! What does a checked program say of its DSLs? The signatures of `@dsl_export` and the parts of conductors, as JSON: what
//! a manifest records under `dsl.<name>.exports`.

use reml_diagnostics::{SourceMap, Span};
use reml_semantics::typed::{CapabilityRequirement, ConductorDef, DslExport, ExportKind, Program};
use reml_syntax::names::{Names, Symbol};
use serde_json::{Map, Value, json};

/// Pretty-printed; the same program gives the same text.
pub fn dump(program: &Program, names: &Names, sources: &SourceMap) -> String {
    let exports: Vec<Value> = program.dsls.exports.iter().map(export).collect();
    let conductor = |def| conductor(def, program, names, sources);
    let conductors: Vec<Value> = program.dsls.conductors.iter().map(conductor).collect();
    let all = json!({ "exports": exports, "conductors": conductors });
    serde_json::to_string_pretty(&all).expect("JSON values have texts as keys") + "\n"
}

fn export(def: &DslExport) -> Value {
    let bounds = def.stage_bounds;
    let mut signature = Map::new();
    signature.insert("name".into(), json!(def.name));
    signature.insert("category".into(), json!(def.category));
    signature.insert("allows_effects".into(), json!(def.allows_effects));
    signature.insert("requires_capabilities".into(), json!(def.requires_capabilities));
    signature.insert(
        "stage_bounds".into(),
        json!({
            "minimum": bounds.minimum.to_string(),
            "current": bounds.current.to_string(),
            "maximum": bounds.maximum.to_string(),
        }),
    );
    let kind = match def.kind {
        ExportKind::Parser => "parser",
        ExportKind::Conductor => "conductor",
    };
    signature.insert("kind".into(), json!(kind));
    if let Some(version) = &def.version {
        signature.insert("version".into(), json!(version));
    }
    json!({ "name": def.name, "signature": signature })
}

fn conductor(def: &ConductorDef, program: &Program, names: &Names, sources: &SourceMap) -> Value {
    let ids = |ids: &[Symbol]| -> Vec<&str> { ids.iter().map(|&id| names.text(id)).collect() };
    let dsls: Vec<Value> = def
        .dsls
        .iter()
        .map(|dsl| {
            let capabilities: Vec<Value> = dsl.capabilities.iter().map(|it| requirement(it, sources)).collect();
            json!({
                "id": names.text(dsl.id),
                "kind": dsl.kind,
                "depends_on": ids(&dsl.depends_on),
                "embedded": ids(&dsl.embedded),
                "capabilities": capabilities,
            })
        })
        .collect();
    let channels: Vec<Value> = def.channels.iter().map(|it| json!({ "from": it.from, "to": it.to })).collect();
    json!({
        "name": program.globals[def.global].path,
        "dsls": dsls,
        "channels": channels,
        "effects": def.effects,
    })
}

fn requirement(it: &CapabilityRequirement, sources: &SourceMap) -> Value {
    json!({
        "id": it.id,
        "stage": it.stage.to_string(),
        "declared_effects": it.declared_effects,
        "source_span": span(it.source_span, sources),
    })
}

/// Bytes of the file.
fn span(span: Span, sources: &SourceMap) -> Value {
    match sources.file_of(span) {
        Some(file) => {
            let base = sources.file(file).base;
            json!({ "start": span.start - base, "end": span.end - base })
        }
        None => Value::Null,
    }
}
