//! Is what remlc writes as JSON what `tooling/json-schema` says it is? Everything that the repository holds of it, and what the failing examples of
//! the registry are told, is validated.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use reml_diagnostics::registry::{self, ExampleKind, ExampleLanguage};
use reml_diagnostics::render::diagnostic_json;
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::stack::with_large_stack;
use reml_driver::system::MemorySystem;
use serde_json::{Value, json};
use support::{remlc, root, run, scratch};

fn validator(name: &str) -> Validator {
    let path = root().join(format!("tooling/json-schema/{name}.schema.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::options().build(&schema).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

fn check(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}

/// The files below a directory whose names end so.
fn files(directory: &Path, suffix: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, suffix, found);
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
}

#[test]
fn goldens_with_diagnostics() {
    let diagnostic = validator("diagnostic");
    let mut found = Vec::new();
    files(&root().join("expected"), ".diagnostic.json", &mut found);
    assert!(!found.is_empty());
    for path in found {
        let golden: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for value in golden.as_array().unwrap() {
            // Goldens leave out what differs from run to run.
            let mut value = value.clone();
            if value.get("timestamp").is_none() {
                value["timestamp"] = json!("2025-01-01T00:00:00Z");
            }
            check(&diagnostic, &value, &path.display().to_string());
        }
    }
}

#[test]
fn goldens_with_audit_events_and_bindings() {
    let (event, bindings) = (validator("audit-envelope"), validator("bindings-manifest"));
    let (mut logs, mut manifests) = (vec![root().join("expected/ffi/build/audit.jsonl")], Vec::new());
    files(&root().join("expected"), ".audit.jsonl", &mut logs);
    files(&root().join("expected"), "bindings.manifest.json", &mut manifests);
    for path in logs {
        for line in fs::read_to_string(&path).unwrap().lines() {
            check(&event, &serde_json::from_str(line).unwrap(), &path.display().to_string());
        }
    }
    for path in manifests {
        check(
            &bindings,
            &serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(),
            &path.display().to_string(),
        );
    }
    let (wit, mut manifests) = (validator("wit-manifest"), Vec::new());
    files(&root().join("examples"), ".manifest.json", &mut manifests);
    manifests.retain(|path| !path.ends_with("bindings.manifest.json"));
    assert!(!manifests.is_empty());
    for path in manifests {
        check(&wit, &serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(), &path.display().to_string());
    }
}

#[test]
fn goldens_with_constraint_graphs() {
    let graph = validator("constraint-graph");
    let mut found = Vec::new();
    files(&root().join("expected"), ".constraint_graph.json", &mut found);
    assert!(!found.is_empty());
    for path in found {
        let golden: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        check(&graph, &golden, &path.display().to_string());
        let mut wrong = golden.clone();
        wrong["graph"]["nodes"][0]["kind"] = json!("trait");
        assert!(!graph.is_valid(&wrong));
    }
}

#[test]
fn verifications_of_logs() {
    let directory = scratch();
    let path = directory.path().join("a.log");
    let log = reml_audit::log::Log::open(&path, reml_audit::log::LogOptions::default()).unwrap();
    for number in 0..4 {
        reml_audit::Sink::log(&log, &reml_audit::Event::new(reml_audit::EventKind::named("order")).with("id", number))
            .unwrap();
    }
    log.close().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (verification, file) = (validator("audit-verification"), |name: &str| directory.path().join(name));
    fs::write(file("deleted"), [lines[0], lines[3]].concat()).unwrap();
    fs::write(file("moved"), [lines[1], lines[0], lines[2], lines[2]].concat()).unwrap();
    fs::write(file("edited"), text.replace("\"id\":2", "\"id\":7")).unwrap();
    fs::write(file("torn"), &text[..text.len() - 9]).unwrap();
    for (name, fault) in [
        ("a.log", None),
        ("deleted", Some("deleted")),
        ("moved", Some("duplicate")),
        ("edited", Some("edited")),
        ("torn", Some("torn")),
    ] {
        let ran =
            run(remlc().current_dir(directory.path()).args(["audit", "verify", name, "--format", "json"]), "").unwrap();
        let value: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|problem| panic!("{problem}: {}", ran.stdout));
        check(&verification, &value, name);
        assert_eq!(value["intact"], ran.exit == Some(0), "{name}");
        let faults: Vec<&str> =
            value["findings"].as_array().unwrap().iter().filter_map(|it| it["fault"].as_str()).collect();
        assert!(
            fault.is_none_or(|fault| faults.contains(&fault)) && (fault.is_some() || faults.is_empty()),
            "{name}: {faults:?}"
        );
    }
}

#[test]
fn what_the_registry_s_examples_are_told() {
    let diagnostic = validator("diagnostic");
    let mut told = 0;
    for entry in registry::entries() {
        let fails = |it: &&registry::Example| it.kind == ExampleKind::Fails && it.cfg.is_none();
        let Some(example) = entry.examples.iter().find(fails) else { continue };
        let system = match example.language {
            ExampleLanguage::Reml => MemorySystem::new().with("src/main.reml", example.text),
            ExampleLanguage::Manifest => {
                MemorySystem::new().with("reml.toml", example.text).with("src/main.reml", "fn main() {}\n")
            }
        };
        with_large_stack(|| {
            let mut compilation = Compilation::new(&system, Options::default());
            compilation.check(Path::new("src/main.reml"));
            for it in &compilation.diagnostics {
                told += 1;
                check(&diagnostic, &diagnostic_json(it, &compilation.sources, "2025-01-01T00:00:00Z"), entry.code.0);
            }
        });
    }
    assert!(told > 100, "{told}");
}

#[test]
fn dumps_and_lints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let json = |name: &str| -> Value {
        let text = fs::read_to_string(folder.join(format!("expected/{name}.txt"))).unwrap();
        let (value, _) = text.rsplit_once("exit status").unwrap();
        serde_json::from_str(value).unwrap()
    };
    check(&validator("manifest-dump"), &json("dump_json"), "dump_json");
    let diagnostic = validator("diagnostic");
    let lint = json("lint_config_json");
    assert!(!lint["diagnostics"].as_array().unwrap().is_empty());
    lint["diagnostics"].as_array().unwrap().iter().for_each(|it| check(&diagnostic, it, "lint_config_json"));
    // The smallest manifest there is.
    let directory = scratch();
    fs::write(directory.path().join("reml.toml"), "[project]\nname = \"a\"\nversion = \"1.0.0\"\n").unwrap();
    let ran = run(remlc().current_dir(directory.path()).args(["manifest", "dump"]), "").unwrap();
    check(&validator("manifest-dump"), &serde_json::from_str(&ran.stdout).unwrap(), "the smallest manifest");
}

#[test]
fn reports_of_a_toolchain() {
    let (report, diagnostic) = (validator("toolchain-report"), validator("diagnostic"));
    for profile in [&[][..], &["wasi-preview2"], &["no-such-profile"]] {
        let ran = run(remlc().args(["toolchain", "verify", "--format", "json"]).args(profile), "").unwrap();
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        check(&report, &told, &format!("{profile:?}"));
        told["diagnostics"].as_array().unwrap().iter().for_each(|it| check(&diagnostic, it, "toolchain verify"));
    }
}

#[test]
fn reports_of_builds_and_what_they_are_about() {
    let (report, diagnostic, config) = (validator("build-report"), validator("diagnostic"), validator("reml-json"));
    let folder = root().join("expected/ffi/build");
    for name in ["generated.report.json", "cached.report.json"] {
        let golden: Value = serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        check(&report, &golden, name);
    }
    let example = fs::read_to_string(root().join("examples/ffi/build/reml.json")).unwrap();
    check(&config, &serde_json::from_str(&example).unwrap(), "the example");
    let directory = scratch();
    let told = |ffi: &Value| -> Value {
        fs::write(directory.path().join("reml.json"), json!({ "ffi": ffi }).to_string()).unwrap();
        let mut command = remlc();
        command.current_dir(directory.path()).args(["build", "--emit-bindgen", "--no-cache"]);
        serde_json::from_str(&run(&mut command, "").unwrap().stdout).unwrap()
    };
    // What the schema refuses is an error to remlc, too.
    fs::write(directory.path().join("a.h"), "int f(void);\n").unwrap();
    fs::write(directory.path().join("broken.h"), "int f(;\n").unwrap();
    let bindgen = json!({ "enabled": true, "output": "a.reml" });
    for (ffi, fine) in [
        (json!({}), true),
        (json!({ "libraries": ["m"], "linker": { "search_paths": ["lib"], "extra_args": ["-s"] } }), true),
        (json!({ "headers": ["a.h"], "bindgen": bindgen }), true),
        (json!({ "libraries": [" "] }), false),
        (json!({ "libraries": ["lib/m"] }), false),
        (json!({ "libraries": "m" }), false),
        (json!({ "bindgen": bindgen }), false),
        (json!({ "headers": ["a.h"], "bindgen": { "enabled": true } }), false),
        (json!({ "headers": ["a.h"], "bindgen": { "enabled": 1 } }), false),
        (json!({ "bindgen": { "output": "a.txt" } }), false),
        (json!({ "linker": { "extra_arg": [] } }), false),
    ] {
        let value = told(&ffi);
        check(&report, &value, &ffi.to_string());
        value["diagnostics"].as_array().unwrap().iter().for_each(|it| check(&diagnostic, it, &ffi.to_string()));
        assert_eq!(
            (value["stats"]["validated"].as_bool(), config.is_valid(&json!({ "ffi": ffi }))),
            (Some(fine), fine),
            "{ffi}"
        );
    }
    let failed = told(&json!({ "headers": ["broken.h"], "bindgen": { "enabled": true, "output": "b.reml" } }));
    check(&report, &failed, "a header that is no C");
    let mut wrong = failed.clone();
    wrong["audit"][0]["metadata"]["ffi.bindgen"].as_object_mut().unwrap().remove("error.code");
    assert!(!report.is_valid(&wrong), "a failure says why");
    wrong["audit"] = json!([{ "metadata": { "ffi.build": { "event": "ffi.build", "status": "cache_hit", "input_hash": "0123456789abcdef" } } }]);
    assert!(!report.is_valid(&wrong), "linking is not cached");
}

#[test]
fn states_differences_and_results_of_reloads() {
    let directory = scratch();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let bridge = "[bridge.a]\nstage = \"experimental\"\n[bridge.a.audit]\naudit_domain = \"a\"\n[bridge.a.reload]\nrollback = \"optional\"\n";
    write("reml.toml", &format!("[project]\nname = \"a\"\nversion = \"1.0.0\"\n{bridge}"));
    write("state.json", r#"{ "format": "reml.state.v1", "values": { "port": 80, "hosts": [] } }"#);
    write("old.json", r#"{ "port": 80, "hosts": [] }"#);
    write("new.json", r#"{ "port": 81, "hosts": ["a"] }"#);
    let json = |args: &[&str]| -> Value {
        let ran = run(remlc().current_dir(directory.path()).args(args), "").unwrap();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|problem| panic!("{problem}: {}", ran.stderr))
    };
    let (state, result) = (validator("reload-state"), validator("reload-result"));
    let diff = json(&["config", "diff", "old.json", "new.json", "--format", "json"]);
    check(&validator("config-diff"), &diff, "the difference");
    write("diff.json", &diff.to_string());
    check(&validator("manifest-dump"), &json(&["manifest", "dump"]), "a manifest with a bridge");
    for args in [
        &["diff.json", "--dry-run"][..],
        &["diff.json"],
        &["diff.json"],
        &["--rollback", "--audit=run.log"],
        &["diff.json", "--bridge=a"],
        &["none.json"],
    ] {
        let told = json(&[&["reload", "state.json"][..], args].concat());
        check(&result, &told, &format!("{args:?}"));
        let text = fs::read_to_string(directory.path().join("state.json")).unwrap();
        check(&state, &serde_json::from_str(&text).unwrap(), "the state");
    }
    let event = validator("audit-envelope");
    let log = fs::read_to_string(directory.path().join("run.log")).unwrap();
    log.lines().for_each(|line| check(&event, &serde_json::from_str(line).unwrap(), line));
    for wrong in [json!({ "format": "x", "values": {} }), json!({ "format": "reml.state.v1", "values": {}, "port": 1 })]
    {
        assert!(!state.is_valid(&wrong), "{wrong}");
    }
}

const PROGRAM: &str = "use Core.Env\n\nfn main() { println(\"{}\", Env.get(\"HOME\").is_some()) }\n";

#[test]
fn lines_of_an_audit_log() {
    let directory = scratch();
    fs::write(directory.path().join("main.reml"), PROGRAM).unwrap();
    let args = ["run", "main.reml", "--allow-env", "--audit", "log.jsonl"];
    let ran = run(remlc().current_dir(directory.path()).args(args), "").unwrap();
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    let event = validator("audit-envelope");
    let log = fs::read_to_string(directory.path().join("log.jsonl")).unwrap();
    assert!(log.lines().count() > 0);
    log.lines().for_each(|line| check(&event, &serde_json::from_str(line).unwrap(), line));
}

#[test]
fn schemas_refuse_what_is_wrong() {
    let bindings = validator("bindings-manifest");
    let good = json!({
        "version": "0.1", "headers": ["ring.h"], "generated": "generated/ring.reml", "input_hash": "0123456789abcdef",
        "types": [{ "c": "const char*", "reml": "Ptr<I8>", "qualifiers": ["const"] }],
        "diagnostics": [{ "code": "ffi.bindgen.unknown_type", "symbol": "f", "reason": "unsupported_array" }],
    });
    check(&bindings, &good, "bindings");
    for (schema, pointer, wrong) in [
        ("bindings-manifest", "/input_hash", json!("0123")),
        ("bindings-manifest", "/types/0/qualifiers", json!([])),
        ("bindings-manifest", "/diagnostics/0/code", json!("ffi.build.link_failed")),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator(schema).is_valid(&value), "{pointer}");
    }
    let names = [
        "diagnostic",
        "audit-envelope",
        "audit-verification",
        "build-report",
        "constraint-graph",
        "manifest-dump",
        "toolchain-report",
        "wit-manifest",
    ];
    for name in names {
        assert!(!validator(name).is_valid(&json!({})), "{name}");
    }
}
