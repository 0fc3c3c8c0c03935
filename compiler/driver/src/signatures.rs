//! What does a checked program say of its DSLs? The signatures of `@dsl_export` and the parts of conductors, as JSON: what
//! a manifest records under `dsl.<name>.exports`.

use reml_diagnostics::{SourceMap, Span};
use reml_semantics::typed::{CapabilityRequirement, ConductorDef, DslExport, ExportKind, Program};
use reml_syntax::names::{Names, Symbol};
use serde_json::{Map, Value, json};

/// Pretty-printed; the same program gives the same text.
pub fn dump(program: &Program, names: &Names, sources: &SourceMap) -> String {
    let export = |def: &DslExport| json!({ "name": def.name, "signature": signature(def) });
    let exports: Vec<Value> = program.dsls.exports.iter().map(export).collect();
    let conductor = |def| conductor(def, program, names, sources);
    let conductors: Vec<Value> = program.dsls.conductors.iter().map(conductor).collect();
    let all = json!({ "exports": exports, "conductors": conductors });
    serde_json::to_string_pretty(&all).expect("JSON values have texts as keys") + "\n"
}

/// The signature of an export.
pub fn signature(def: &DslExport) -> Value {
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
    Value::Object(signature)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::pipeline::{Compilation, Options, Stage};
    use crate::stack::with_large_stack;
    use crate::system::MemorySystem;

    const MANIFEST: &str =
        "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dsl.switch]\nexports = [\"flip\", { name = \"flow\" }]\n";
    const PROGRAM: &str = "use Core.Parse
@dsl_export(category = \"config\", capabilities = [\"b\", \"a\"], allows_effects = [\"io\"], version = \"1.0.0\",
  stage_bounds = { minimum: Stage::Beta, current: \"beta\", maximum: \"stable\" })
fn flip() -> Parse.Parser<Str> = Parse.string(\"x\")
@dsl_export
conductor flow {
  a: Str = \"x\" |> with_capabilities([{ id: \"io\", declared_effects: [\"io\"] }])
  b: Str |> depends_on([a])
  channels { a.out ~> b.in : Str }
  execution { println(a.value) }
}
";

    /// What is emitted, and what is reported.
    fn dump(section: &str) -> (String, Vec<String>) {
        with_large_stack(|| {
            let system =
                MemorySystem::new().with("reml.toml", format!("{MANIFEST}{section}")).with("src/main.reml", PROGRAM);
            let options = Options { emit: vec![Stage::Dsl], ..Options::default() };
            let mut compilation = Compilation::new(&system, options);
            compilation.check(Path::new("src/main.reml"));
            let shown = compilation.diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect();
            (compilation.emitted, shown)
        })
    }

    #[test]
    fn signatures_are_shaped_like_those_of_a_manifest() {
        let (emitted, problems) = dump("expect_effects = [\"io\"]\nexpect_effects_stage = \"beta\"\n");
        assert_eq!(problems, Vec::<String>::new());
        let value: serde_json::Value = serde_json::from_str(&emitted).unwrap();
        let bounds = serde_json::json!({ "minimum": "beta", "current": "beta", "maximum": "stable" });
        let signature = &value["exports"][0]["signature"];
        assert_eq!(signature["stage_bounds"], bounds);
        assert_eq!(signature["requires_capabilities"], serde_json::json!(["a", "b"]));
        assert_eq!(signature["allows_effects"], serde_json::json!(["io"]));
        let keys: Vec<&String> = signature.as_object().unwrap().keys().collect();
        let expected =
            ["name", "category", "allows_effects", "requires_capabilities", "stage_bounds", "kind", "version"];
        assert_eq!(keys, expected);
        let a = &value["conductors"][0]["dsls"][0];
        let start = PROGRAM.find("{ id: \"io\"").unwrap();
        assert_eq!(
            a["capabilities"],
            serde_json::json!([{
                "id": "io",
                "stage": "at_least:stable",
                "declared_effects": ["io"],
                "source_span": { "start": start, "end": start + "{ id: \"io\", declared_effects: [\"io\"] }".len() },
            }])
        );
        assert_eq!(value["conductors"][0]["channels"], serde_json::json!([{ "from": "a.out", "to": "b.in" }]));
    }

    #[test]
    fn a_manifest_bounds_its_exports() {
        let (emitted, problems) = dump("expect_effects = [\"mut\"]\n");
        assert_eq!(emitted, "");
        assert_eq!(
            problems,
            [
                "E1302: the export `flip` has the effects `{io}`, which the manifest does not expect of `switch`",
                "manifest.dsl.stage_mismatch: the manifest expects `switch` to be stable, but the export `flip` is beta, between beta and stable",
                "E1302: the export `flow` has the effects `{io}`, which the manifest does not expect of `switch`",
            ]
        );
        let (_, problems) = dump("expect_effects = 1\nexpect_effects_stage = \"soon\"\n");
        assert_eq!(
            problems,
            [
                "package.manifest.invalid: `dsl.switch.expect_effects` must be a list of texts, and this is of type integer",
                "config.invalid_stage: `dsl.switch.expect_effects_stage` is `soon`, which is not a stage",
            ]
        );
    }
}
