//! Does a project with a `reml.json` get its bindings and its libraries? The example is built as its reader would; then each rule, each case of the cache,
//! many builds at once, and builds that are killed.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Ran, compare_golden, remlc, root, run, scratch};
use tempfile::TempDir;

/// A folder that counts as a repository, so that paths in bindings are the same everywhere, and a cache beside it.
struct Project {
    folder: TempDir,
}

const HEADER: &str = "#include \"size.h\"\nring_size_t ring_size(void);\n";
const SIZE: &str = "typedef int ring_size_t;\n";
const FFI: &str = r#"{ "ffi": {
  "libraries": ["ring"],
  "headers": ["include/ring.h"],
  "bindgen": { "enabled": true, "output": "src/ring.reml", "config": "reml-bindgen.toml" },
  "linker": { "search_paths": ["lib"] }
} }
"#;
const BINDGEN: &str = "include_paths = [\"include\"]\n";
const MAIN: &str = "use ring.ring_size\n\nfn main() = println(\"{}\", unsafe { ring_size() })\n";

impl Project {
    fn new(files: &[(&str, &str)]) -> Project {
        let project = Project { folder: scratch() };
        fs::create_dir(project.path(".git")).unwrap();
        files.iter().for_each(|(name, text)| project.write(name, text));
        project
    }

    /// A library with one function, bindings for it, and a program that calls it.
    fn ring() -> Project {
        let manifest = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[permissions]\nffi = [\"ring\"]\n";
        Project::new(&[
            ("reml.json", FFI),
            ("reml.toml", manifest),
            ("reml-bindgen.toml", BINDGEN),
            ("include/ring.h", HEADER),
            ("include/size.h", SIZE),
            ("src/main.reml", MAIN),
        ])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = remlc();
        command.current_dir(&self.folder).args(args).env("REML_CACHE_DIR", self.path("cache"));
        command.env_remove("REML_AUDIT").env_remove("REML_TARGET_PROFILE");
        command
    }

    fn remlc(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args), "").unwrap()
    }

    /// `remlc build --emit-bindgen`.
    fn emit(&self) -> Report {
        Report::of(&self.remlc(&["build", "--emit-bindgen"]))
    }

    fn compile(&self, source: &str, library: &str) {
        fs::create_dir_all(self.path("lib")).unwrap();
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-Iinclude", source, "-o", library]).current_dir(&self.folder);
        let compiled = run(&mut command, "").unwrap();
        assert_eq!(compiled.exit, Some(0), "{}", compiled.stderr);
    }
}

/// What `remlc build` reports without a program.
struct Report(Value);

impl Report {
    fn of(ran: &Ran) -> Report {
        let report: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|problem| panic!("{problem}: {}{}", ran.stdout, ran.stderr));
        let validated = report["stats"]["validated"] == true;
        assert_eq!(ran.exit, Some(if validated { 0 } else { 1 }), "{report:#}");
        Report(report)
    }

    fn bindgen(&self) -> &Value {
        &self.0["audit"][0]["metadata"]["ffi.bindgen"]
    }

    fn status(&self) -> &str {
        self.bindgen()["status"].as_str().unwrap_or("none")
    }

    fn hash(&self) -> String {
        let hash = self.bindgen()["input_hash"].as_str().unwrap().to_owned();
        assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        hash
    }

    fn codes(&self) -> Vec<&str> {
        self.0["diagnostics"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
    }

    /// Code and field of each diagnostic.
    fn fields(&self) -> Vec<String> {
        let shown = |it: &Value| {
            let field = it["extensions"]["ffi.build"]["field"].as_str().unwrap_or("-");
            format!("{} {field}", it["code"].as_str().unwrap().trim_start_matches("ffi."))
        };
        self.0["diagnostics"].as_array().unwrap().iter().map(shown).collect()
    }
}

/// JSON without what differs from run to run.
fn steady(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                match key.as_str() {
                    "duration_ms" => *value = json!(0),
                    "timestamp" | "started_at" | "finished_at" => *value = json!("2025-01-01T00:00:00Z"),
                    "run_id" => *value = json!("00000000-0000-0000-0000-000000000000"),
                    _ => steady(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

// The example ---------------------------------------------------------------------------------------

/// FFI-BUILD-001.
#[test]
fn the_example_is_built_with_its_library() {
    let project = Project::new(&[]);
    let example = project.path("examples/ffi/build");
    copy(&root().join("examples/ffi/build"), &example);
    fs::create_dir(example.join("lib")).unwrap();
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-Iinclude", "native/ring.c", "-o", "lib/libring.so"]).current_dir(&example);
    let compiled = run(&mut command, "").unwrap();
    assert_eq!(compiled.exit, Some(0), "{}", compiled.stderr);
    let here = |args: &[&str]| {
        let mut command = project.command(args);
        // One target, so that the hashes are the same on all machines.
        command.current_dir(&example).env("REML_CACHE_DIR", "../../../cache");
        run(command.env("REML_TARGET_PROFILE", "desktop-x86_64"), "").unwrap()
    };
    let golden = |name: &str| root().join("expected/ffi/build").join(name);
    let mut problems = Vec::new();
    let mut compare = |name: &str, text: &str| compare_golden(&golden(name), text, "", &mut problems);

    let missing = here(&["check", "."]);
    assert_eq!(missing.exit, Some(1));
    compare("missing.stderr", &missing.stderr);
    for name in ["generated.report.json", "cached.report.json"] {
        let mut report = Report::of(&here(&["build", "--emit-bindgen", "--audit", "build.log"])).0;
        steady(&mut report);
        compare(name, &format!("{report:#}\n"));
    }
    for name in ["src/ring.reml", "bindings.manifest.json"] {
        compare(name, &fs::read_to_string(example.join(name)).unwrap());
    }
    let mut stdout = String::new();
    for args in [&["check", "."][..], &["run", "."], &["run", "--release", "."], &["test", "."]] {
        let ran = here(args);
        assert_eq!(ran.exit, Some(0), "{args:?}: {}", ran.stderr);
        if args[0] == "run" {
            compare("stdout", &ran.stdout);
            stdout = ran.stdout;
        }
    }
    let built = here(&["build", ".", "-o", "demo", "--audit", "build.log"]);
    assert_eq!((built.exit, &*built.stderr), (Some(0), ""));
    // From anywhere: the executable knows where its library is.
    let ran = run(Command::new(example.join("demo")).env("REML_LEAK_CHECK", "1").current_dir("/"), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout, &*ran.stderr), (Some(0), &*stdout, ""));
    let log = example.join("build.log");
    let events = support::audit::whole(&log).unwrap();
    let mut lines = String::new();
    for line in events.lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        steady(&mut event);
        lines.push_str(&format!("{event}\n"));
    }
    compare("audit.jsonl", &lines);
    let verified = run(remlc().args(["audit", "verify"]).arg(&log), "").unwrap();
    assert_eq!(verified.exit, Some(0), "{}", verified.stdout);
    assert!(
        problems.is_empty(),
        "{}\nif this is right: REML_BLESS=1 cargo test -p remlc --test ffi_build",
        problems.join("\n")
    );
}

// The section ---------------------------------------------------------------------------------------

#[test]
fn each_rule_is_asked_of_each_value() {
    let project = Project::new(&[
        ("include/ring.h", "int ring_size(void);\n"),
        ("reml-bindgen.toml", BINDGEN),
        ("include/folder/x.h", ""),
        ("build/x", ""),
    ]);
    fs::create_dir(project.path("elsewhere")).unwrap();
    let outside = scratch();
    std::os::unix::fs::symlink(outside.path(), project.path("linked")).unwrap();
    let enabled = r#""headers": ["include/ring.h"], "bindgen": { "enabled": true, "output": "ring.reml""#;
    let cases: &[(&str, &[&str])] = &[
        ("", &["build.config_invalid -"]),
        ("{", &["build.config_invalid -"]),
        ("[1]", &["build.config_invalid "]),
        ("{ \"ffi\": {}, }", &["build.config_invalid -"]),
        ("{ /* x */ \"ffi\": {} }", &["build.config_invalid -"]),
        (r#"{ "ffi": {}, "ffi": {} }"#, &["build.config_invalid -"]),
        (r#"{ "fffi": {} }"#, &["build.config_invalid fffi"]),
        (r#"{ "editor": {}, "ffi": {} }"#, &[]),
        ("{}", &[]),
        (r#"{ "ffi": null }"#, &["build.config_invalid ffi"]),
        (r#"{ "ffi": [] }"#, &["build.config_invalid ffi"]),
        (r#"{ "ffi": { "libary": [] } }"#, &["build.config_invalid ffi.libary"]),
        (r#"{ "ffi": { "libraries": "m" } }"#, &["build.config_invalid ffi.libraries"]),
        (
            r#"{ "ffi": { "libraries": ["m", " ", "", 3, "m"] } }"#,
            &[
                "build.config_invalid ffi.libraries[1]",
                "build.config_invalid ffi.libraries[2]",
                "build.config_invalid ffi.libraries[3]",
            ],
        ),
        (
            r#"{ "ffi": { "libraries": ["libm.so.6", "lib/m", "m\u0000"] } }"#,
            &[
                "build.config_invalid ffi.libraries[2]",
                "build.config_invalid ffi.libraries[0]",
                "build.config_invalid ffi.libraries[1]",
            ],
        ),
        (
            r#"{ "ffi": { "headers": ["../x.h", "include/../../x.h", "linked/x.h", "/usr/include/x.h", "missing.h"] } }"#,
            &[
                "build.path_outside_project ffi.headers[0]",
                "build.path_outside_project ffi.headers[1]",
                "build.path_outside_project ffi.headers[2]",
            ],
        ),
        (
            r#"{ "ffi": { "headers": ["include/folder", ""] } }"#,
            &["build.config_invalid ffi.headers[1]", "build.config_invalid ffi.headers[0]"],
        ),
        (r#"{ "ffi": { "bindgen": { "enabled": "yes" } } }"#, &["build.config_invalid ffi.bindgen.enabled"]),
        (
            r#"{ "ffi": { "bindgen": { "enabled": true } } }"#,
            &["build.config_invalid ffi.headers", "build.config_invalid ffi.bindgen.output"],
        ),
        (
            r#"{ "ffi": { "headers": [], "bindgen": { "enabled": true, "output": "a.txt" } } }"#,
            &["build.config_invalid ffi.headers", "build.config_invalid ffi.bindgen.output"],
        ),
        (
            r#"{ "ffi": { "headers": ["missing.h"], "bindgen": { "enabled": true, "output": "a.reml", "config": "no.toml" } } }"#,
            &["build.config_invalid ffi.headers[0]", "build.config_invalid ffi.bindgen.config"],
        ),
        (
            r#"{ "ffi": { "bindgen": { "config": " ", "output": "../a.reml", "manifest": "/tmp/m.json", "enabeld": true } } }"#,
            &[
                "build.config_invalid ffi.bindgen.enabeld",
                "build.path_outside_project ffi.bindgen.output",
                "build.config_invalid ffi.bindgen.config",
                "build.path_outside_project ffi.bindgen.manifest",
            ],
        ),
        (
            r#"{ "ffi": { "linker": { "search_paths": ["..", "linked", "/opt/lib", "not/there"], "extra_args": [""], "frameworks": [1] } } }"#,
            &[
                "build.path_outside_project ffi.linker.search_paths[0]",
                "build.path_outside_project ffi.linker.search_paths[1]",
                "build.config_invalid ffi.linker.frameworks[0]",
                "build.config_invalid ffi.linker.extra_args[0]",
            ],
        ),
        (r#"{ "ffi": { "linker": [] } }"#, &["build.config_invalid ffi.linker"]),
    ];
    for (text, expected) in cases {
        project.write("reml.json", text);
        let report = Report::of(&project.remlc(&["build"]));
        assert_eq!(report.fields(), *expected, "{text}");
        assert!(report.0["audit"].as_array().unwrap().is_empty());
        for diagnostic in report.0["diagnostics"].as_array().unwrap() {
            assert_eq!((&diagnostic["domain"], &diagnostic["severity"]), (&json!("ffi"), &json!("error")));
            assert_eq!(diagnostic["extensions"]["ffi.build"]["path"], "reml.json", "{text}");
        }
    }
    // What is generated must not take the place of what is there for something else.
    for (rest, field) in [
        (r#", "manifest": "include/ring.h""#, "manifest"),
        (r#", "manifest": "reml.json""#, "manifest"),
        (r#", "manifest": "reml-bindgen.toml""#, "manifest"),
        (r#", "manifest": "build""#, "manifest"),
        (r#", "manifest": "build/ring.reml""#, "manifest"),
    ] {
        project.write("reml.json", &format!("{{ \"ffi\": {{ {enabled}{rest} }} }} }}"));
        let report = Report::of(&project.remlc(&["build"]));
        assert_eq!(report.fields(), [format!("build.config_invalid ffi.bindgen.{field}")], "{rest}");
    }
    project.write("reml.json", &format!("{{ \"ffi\": {{ {enabled} }} }} }}"));
    assert_eq!(
        Report::of(&project.remlc(&["build"])).0["stats"],
        json!({ "validated": true, "config_loaded": true, "ffi_present": true })
    );
}

#[test]
fn files_that_are_no_configuration_are_told() {
    let project = Project::new(&[("folder/x", "")]);
    fs::write(project.path("binary.json"), b"{\xff}").unwrap();
    fs::write(
        project.path("large.json"),
        format!("{{ \"ffi\": {{ \"libraries\": [{}\"m\"] }} }}", "\"m\", ".repeat(2_000_000)),
    )
    .unwrap();
    fs::write(
        project.path("wrong.json"),
        format!("{{ \"ffi\": {{ \"libraries\": [{}1] }} }}", "1, ".repeat(1_000_000)),
    )
    .unwrap();
    fs::write(project.path("deep.json"), "[".repeat(1_000_000)).unwrap();
    for (config, loaded, codes) in [
        ("none.json", false, 1),
        ("folder", false, 1),
        ("binary.json", false, 1),
        ("large.json", true, 0),
        ("wrong.json", true, 1_001),
        ("deep.json", false, 1),
    ] {
        let report = Report::of(&project.remlc(&["build", "--config", config]));
        assert_eq!(
            (report.0["stats"]["config_loaded"].as_bool(), report.codes().len()),
            (Some(loaded), codes),
            "{config}"
        );
        assert!(report.codes().iter().all(|code| *code == "ffi.build.config_invalid"), "{config}");
    }
}

// Generating ----------------------------------------------------------------------------------------

#[test]
fn bindings_come_from_the_cache_when_nothing_has_changed() {
    let project = Project::ring();
    let first = project.emit();
    assert_eq!((first.status(), first.codes().len()), ("success", 0), "{:#}", first.0);
    let (bindings, manifest) = (project.read("src/ring.reml"), project.read("src/bindings.manifest.json"));
    assert_eq!(serde_json::from_str::<Value>(&manifest).unwrap()["input_hash"], first.hash());
    let entry = project.path("cache/ffi").join(first.hash());
    assert_eq!(fs::read_to_string(entry.join("ring.reml")).unwrap(), bindings);
    assert_eq!(fs::read_to_string(entry.join("bindings.manifest.json")).unwrap(), manifest);
    // Identical, absent, and one of the two absent.
    for absent in [&[][..], &["src/ring.reml", "src/bindings.manifest.json"], &["src/bindings.manifest.json"]] {
        absent.iter().for_each(|name| project.remove(name));
        let again = project.emit();
        assert_eq!((again.status(), again.hash(), again.codes().len()), ("cache_hit", first.hash(), 0));
        assert_eq!(
            (project.read("src/ring.reml"), project.read("src/bindings.manifest.json")),
            (bindings.clone(), manifest.clone())
        );
        assert!(again.bindgen().get("headers").is_none());
    }
    // Without it, and without leaving anything there.
    fs::remove_dir_all(project.path("cache")).unwrap();
    let without = Report::of(&project.remlc(&["build", "--emit-bindgen", "--no-cache"]));
    assert_eq!((without.status(), without.hash()), ("success", first.hash()));
    assert!(!project.path("cache").exists() && without.bindgen().get("cache_path").is_none());
    let elsewhere = Report::of(&project.remlc(&["build", "--emit-bindgen", "--cache-dir", "other"]));
    assert_eq!(elsewhere.bindgen()["cache_path"], format!("other/ffi/{}", first.hash()));
    assert!(project.path("other/ffi").join(first.hash()).is_dir() && !project.path("cache").exists());
}

/// Whatever may change the bindings is a miss, and gives another hash.
#[test]
fn a_change_anywhere_is_a_miss() {
    let project = Project::ring();
    let mut hashes = vec![project.emit().hash()];
    let mut changed = |what: &str, report: Report| {
        assert_eq!(report.status(), "success", "{what}: {:#}", report.0);
        assert!(!hashes.contains(&report.hash()), "{what}");
        hashes.push(report.hash());
        assert_eq!(project.emit().status(), "cache_hit", "{what}");
    };
    project.write("include/ring.h", &HEADER.replace("void", "int n"));
    changed("the header", project.emit());
    project.write("include/size.h", &SIZE.replace("int", "long"));
    changed("what it includes", project.emit());
    assert!(project.read("src/ring.reml").contains("-> i64"));
    project.write("reml-bindgen.toml", &format!("{BINDGEN}pointers = \"mut\"\n"));
    changed("the configuration", project.emit());
    project.write("include/ring.h", "#if __has_include(\"more.h\")\nlong ring_more(void);\n#endif\n#include <size.h>\nring_size_t ring_size(void);\n");
    changed("a question about a header", project.emit());
    project.write("include/more.h", "");
    changed("a header that was not there", project.emit());
    assert!(project.read("src/ring.reml").contains("ring_more"));
    project.write("reml-bindgen.toml", "include_paths = [\"first\", \"include\"]\n");
    changed("the include paths", project.emit());
    project.write("first/size.h", "typedef short ring_size_t;\n");
    changed("a header in front of another", project.emit());
    assert!(project.read("src/ring.reml").contains("-> i16"));
    project.write("reml-bindgen.toml", "include_paths = [\"include\"]\ncompile_commands = \"commands.json\"\n");
    project
        .write("commands.json", "[{ \"directory\": \".\", \"file\": \"ring.c\", \"arguments\": [\"cc\", \"-DX=1\"] }]");
    changed("flags of the project's compiler", project.emit());
    project
        .write("commands.json", "[{ \"directory\": \".\", \"file\": \"ring.c\", \"arguments\": [\"cc\", \"-DX=2\"] }]");
    changed("other flags", project.emit());
    project.write("reml.json", &FFI.replace("src/ring.reml", "src/rings.reml"));
    changed("the output", project.emit());
    for (name, value) in [("REML_TARGET_PROFILE", "macos-arm64"), ("REML_BINDGEN_VERSION", "9.9.9")] {
        let report = Report::of(&run(project.command(&["build", "--emit-bindgen"]).env(name, value), "").unwrap());
        assert_eq!(report.status(), "success", "{name}");
        assert!(!hashes.contains(&report.hash()), "{name}");
        hashes.push(report.hash());
    }
    let of_flag = Report::of(&project.remlc(&["build", "--emit-bindgen", "--target-profile", "macos-arm64"]));
    assert_eq!((of_flag.status(), of_flag.hash()), ("cache_hit", hashes[hashes.len() - 2].clone()));
}

/// A compiler that can be made to fail, and tells what it is called with.
fn tell_tale(project: &Project) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    project.write("tools/cc", "#!/bin/sh\ntools=$(dirname \"$0\")\necho \"$@\" >> \"$tools/calls\"\n[ -e \"$tools/fail\" ] && exit 1\nexec cc \"$@\"\n");
    fs::set_permissions(project.path("tools/cc"), fs::Permissions::from_mode(0o755)).unwrap();
    project.path("tools/cc")
}

#[test]
fn a_build_from_the_cache_does_not_touch_headers() {
    let project = Project::ring();
    let compiler = tell_tale(&project);
    project.write("native.c", "int ring_size(void) { return 8; }\n");
    project.compile("native.c", "lib/libring.so");
    let build = |args: &[&str]| run(project.command(args).env("CC", &compiler), "").unwrap();
    assert_eq!(Report::of(&build(&["build", "--emit-bindgen"])).status(), "success");
    assert!(project.read("tools/calls").contains("-E"));
    project.remove("tools/calls");
    project.remove("src/ring.reml");
    project.write("tools/fail", "");
    assert_eq!(Report::of(&build(&["build", "--emit-bindgen"])).status(), "cache_hit");
    assert!(!project.path("tools/calls").exists() && project.path("src/ring.reml").exists());
    project.remove("tools/fail");
    let built = build(&["build", ".", "-o", "app", "--format", "json"]);
    assert_eq!(built.exit, Some(0), "{}", built.stdout);
    let envelope: Value = serde_json::from_str(&built.stdout).unwrap();
    assert_eq!(envelope["audit"][0]["metadata"]["ffi.bindgen"]["status"], "cache_hit");
    assert_eq!(envelope["audit"][1]["metadata"]["ffi.build"]["status"], "success");
    let calls = project.read("tools/calls");
    assert!(calls.lines().count() == 1 && calls.contains("-lring"), "{calls}");
    // And it fails where it has to look.
    project.write("tools/fail", "");
    project.write("include/size.h", "typedef long ring_size_t;\n");
    let failed = Report::of(&build(&["build", "--emit-bindgen"]));
    assert_eq!(
        (failed.status(), failed.codes()),
        ("failed", vec!["ffi.bindgen.parse_failed", "ffi.bindgen.generate_failed"])
    );
    assert_eq!(failed.bindgen()["error.code"], "ffi.bindgen.generate_failed");
    assert_eq!(failed.bindgen()["error.message"], "the bindings `src/ring.reml` were not generated");
    failed.hash();
}

#[test]
fn what_somebody_has_written_is_not_replaced() {
    let project = Project::ring();
    let first = project.emit();
    let text = project.read("src/ring.reml");
    project.write("src/ring.reml", &format!("{text}\nfn helper() -> Int = 1\n"));
    let refused = project.emit();
    assert_eq!(
        (refused.status(), refused.codes(), refused.hash()),
        ("failed", vec!["ffi.bindgen.output_overwrite"], first.hash())
    );
    assert_eq!(refused.0["diagnostics"][0]["extensions"]["ffi.bindgen"]["path"], "src/ring.reml");
    assert_eq!(refused.bindgen()["error.code"], "ffi.bindgen.output_overwrite");
    assert_eq!(refused.bindgen()["error.message"], "`src/ring.reml` exists, and differs from what was generated");
    assert!(project.read("src/ring.reml").ends_with("= 1\n"));
    // The manifest alone is as good.
    project.write("src/ring.reml", &text);
    project.write("src/bindings.manifest.json", "{}\n");
    assert_eq!(project.emit().codes(), ["ffi.bindgen.output_overwrite"]);
    // What was generated from other headers, and is in the cache, is nobody's work: going back takes it away again.
    project.remove("src/bindings.manifest.json");
    assert_eq!(project.emit().status(), "cache_hit");
    project.write("include/size.h", "typedef long ring_size_t;\n");
    let other = project.emit();
    assert_eq!((other.status(), other.codes()), ("success", vec!["ffi.bindgen.output_overwrite"; 2]));
    project.write("include/size.h", SIZE);
    let back = project.emit();
    assert_eq!(
        (back.status(), back.codes(), back.hash()),
        ("cache_hit", vec!["ffi.bindgen.output_overwrite"], first.hash())
    );
    assert_eq!(back.0["diagnostics"][0]["severity"], "warning");
    assert_eq!(project.read("src/ring.reml"), text);
    // Hand-written from the beginning.
    fs::remove_dir_all(project.path("cache")).unwrap();
    project.write("src/ring.reml", "fn helper() -> Int = 1\n");
    let refused = project.emit();
    assert_eq!((refused.status(), refused.codes()), ("failed", vec!["ffi.bindgen.output_overwrite"]));
}

#[test]
fn a_damaged_cache_is_told() {
    let project = Project::ring();
    let first = project.emit();
    let entry = project.path("cache/ffi").join(first.hash());
    for (name, damage) in
        [("ring.reml", None), ("bindings.manifest.json", None), ("ring.reml", Some("half")), ("entry.json", Some("{"))]
    {
        let whole = fs::read(entry.join(name)).unwrap();
        match damage {
            Some(text) => fs::write(entry.join(name), text).unwrap(),
            None => fs::remove_file(entry.join(name)).unwrap(),
        }
        let failed = project.emit();
        assert_eq!(
            (failed.status(), failed.codes(), failed.hash()),
            ("failed", vec!["ffi.bindgen.generate_failed"], first.hash())
        );
        assert_eq!(failed.bindgen()["error.code"], "ffi.bindgen.generate_failed");
        assert!(failed.bindgen()["error.message"].as_str().unwrap().contains(name), "{:#}", failed.0);
        let without = Report::of(&project.remlc(&["build", "--emit-bindgen", "--no-cache"]));
        assert_eq!(without.status(), "success");
        fs::write(entry.join(name), whole).unwrap();
        assert_eq!(project.emit().status(), "cache_hit");
    }
    // What only the index says does no harm.
    for index in fs::read_dir(project.path("cache/ffi/index")).unwrap().flatten() {
        fs::write(index.path(), "[").unwrap();
    }
    assert_eq!(project.emit().status(), "cache_hit");
}

#[test]
fn what_cannot_be_written_is_told() {
    let project = Project::ring();
    // A file where the folder should be; permissions do not bind everybody.
    project.write("cache", "");
    let unkept = project.emit();
    assert_eq!((unkept.status(), unkept.codes()), ("success", vec!["ffi.bindgen.generate_failed"]));
    assert_eq!(unkept.0["diagnostics"][0]["severity"], "warning");
    project.remove("cache");
    assert_eq!(project.emit().status(), "success");
    project.write("reml.json", &FFI.replace("src/ring.reml", "reml.toml/ring.reml"));
    let failed = project.emit();
    assert_eq!((failed.status(), failed.codes()), ("failed", vec!["ffi.bindgen.generate_failed"]));
    // Restoring meets the same.
    project.write("reml.json", &FFI.replace("src/ring.reml", "out/ring.reml"));
    assert_eq!(project.emit().status(), "success");
    fs::remove_dir_all(project.path("out")).unwrap();
    project.write("out", "");
    let failed = project.emit();
    assert_eq!((failed.status(), failed.codes()), ("failed", vec!["ffi.bindgen.generate_failed"]));
    assert_eq!(failed.bindgen()["error.code"], "ffi.bindgen.generate_failed");
}

#[test]
fn nothing_is_generated_unless_it_is_asked_for() {
    let project = Project::ring();
    let report = Report::of(&project.remlc(&["build", "--config", "reml.json"]));
    assert_eq!((report.status(), report.codes().len()), ("none", 0));
    project.write("reml.json", &FFI.replace("true", "false"));
    let skipped = project.emit();
    assert_eq!((skipped.status(), skipped.codes().len()), ("skipped", 0));
    skipped.hash();
    assert!(!project.path("src/ring.reml").exists() && !project.path("cache").exists());
    let human = |args: &[&str]| project.remlc(args).stdout;
    assert_eq!(human(&["build", "--emit-bindgen", "--format", "human"]), "`reml.json` asks for no bindings\n");
    project.write("reml.json", FFI);
    assert_eq!(human(&["build", "--config", "reml.json", "--format", "human"]), "`reml.json` is right\n");
    assert_eq!(human(&["build", "--emit-bindgen", "--format", "human"]), "generated `src/ring.reml`\n");
    assert_eq!(human(&["build", "--emit-bindgen", "--format", "human"]), "`src/ring.reml` is as the cache has it\n");
}

// Many at once, and the end in the middle -----------------------------------------------------------

#[test]
fn builds_may_run_at_once() {
    // Two projects with the same header share the cache.
    let (one, other) = (Project::ring(), Project::ring());
    let cache = one.path("cache");
    for round in 0..3 {
        let text = format!("typedef int ring_size_t;\n#define ROUND {round}\n");
        [&one, &other].iter().for_each(|project| project.write("include/size.h", &text));
        let start = |index: usize| {
            let mut command = [&one, &other][index % 2].command(&["build", "--emit-bindgen"]);
            command.env("REML_CACHE_DIR", &cache).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let children: Vec<_> = (0..16).map(start).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "round {round}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
            let status =
                serde_json::from_str::<Value>(&stdout).unwrap()["audit"][0]["metadata"]["ffi.bindgen"]["status"]
                    .clone();
            assert!(status == "success" || status == "cache_hit", "{status}");
        }
        for project in [&one, &other] {
            assert!(project.read("src/ring.reml").contains(&format!("ROUND: i32 = {round}\n")));
        }
        assert_eq!(one.read("src/ring.reml"), other.read("src/ring.reml"));
    }
    let left = fs::read_dir(cache.join("ffi")).unwrap().flatten().map(|entry| entry.file_name());
    assert!(left.map(|name| name.to_string_lossy().into_owned()).all(|name| !name.starts_with('.')));
}

#[test]
fn a_build_that_is_killed_leaves_nothing_half_written() {
    let project = Project::ring();
    let mut whole: Vec<String> = Vec::new();
    for round in 0..24u64 {
        project.write("include/size.h", &format!("typedef int ring_size_t;\n#define ROUND {round}\n"));
        let mut child = project.command(&["build", "--emit-bindgen"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(2 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // What is there is whole.
        if let Ok(text) = fs::read_to_string(project.path("src/ring.reml")) {
            assert!(text.starts_with("module src.ring") && text.ends_with("}\n"), "{text}");
        }
        let next = project.emit();
        assert!(["success", "cache_hit"].contains(&next.status()), "{round}: {:#}", next.0);
        let text = project.read("src/ring.reml");
        assert!(text.contains(&format!("ROUND: i32 = {round}\n")));
        whole.push(text);
    }
    assert_eq!(whole.len(), 24);
}

// Using it ------------------------------------------------------------------------------------------

#[test]
fn programs_find_bindings_and_libraries() {
    let project = Project::ring();
    for args in [&["check", "."][..], &["run", "src/main.reml"], &["test", "."]] {
        let missing = project.remlc(args);
        assert_eq!(missing.exit, Some(1), "{args:?}");
        assert!(
            missing.stderr.contains("ffi.bindgen.output_missing")
                && missing.stderr.contains("`remlc build --emit-bindgen`"),
            "{}",
            missing.stderr
        );
        assert!(!missing.stderr.contains("language.name"), "{}", missing.stderr);
    }
    assert_eq!(project.emit().status(), "success");
    assert_eq!(project.remlc(&["check", "."]).exit, Some(0));
    let unbuilt = project.remlc(&["run", "."]);
    assert!(
        unbuilt.exit == Some(1) && unbuilt.stderr.contains("the library `ring` cannot be found"),
        "{}",
        unbuilt.stderr
    );
    assert!(unbuilt.stderr.contains("`lib`"), "{}", unbuilt.stderr);
    project.write("native.c", "int ring_size(void) { return 8; }\n");
    project.compile("native.c", "lib/libring.so");
    let prints = |args: &[&str]| {
        let ran = project.remlc(args);
        assert_eq!((ran.exit, &*ran.stdout), (Some(0), "8\n"), "{args:?}: {}", ran.stderr);
    };
    prints(&["run", "."]);
    prints(&["run", "--release", "src/main.reml"]);
    let denied = project.remlc(&["run", ".", "--deny-ffi=ring:ring_size"]);
    assert!(denied.exit == Some(1) && denied.stderr.contains("`ring:ring_size`"), "{}", denied.stderr);
    project.write("src/sizes.reml", "use ring.ring_size\n\n@test\nfn of_the_ring() { if unsafe { ring_size() } != 8 { panic(\"it is another\") } }\n");
    let tested = project.remlc(&["test", "."]);
    assert_eq!(tested.exit, Some(0), "{}{}", tested.stdout, tested.stderr);
    assert!(tested.stdout.contains("1 passed"), "{}", tested.stdout);
    // An archive serves as well.
    fs::remove_file(project.path("lib/libring.so")).unwrap();
    let archive = "cc -c native.c -o native.o && ar rcs lib/libring.a native.o";
    let made = run(Command::new("sh").args(["-c", archive]).current_dir(&project.folder), "").unwrap();
    assert_eq!(made.exit, Some(0), "{}", made.stderr);
    prints(&["run", "."]);
    let built = project.remlc(&["build", ".", "-o", "app"]);
    assert_eq!((built.exit, &*built.stderr), (Some(0), ""));
    fs::remove_dir_all(project.path("lib")).unwrap();
    let ran = run(&mut Command::new(project.path("app")), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), "8\n"), "{}", ran.stderr);
    // The headers have changed since.
    project.write("include/size.h", "typedef long ring_size_t;\n");
    let stale = project.remlc(&["check", "."]);
    assert!(stale.exit == Some(0) && stale.stderr.contains("ffi.bindgen.output_stale"), "{}", stale.stderr);
    // Nobody here knows what they were generated from.
    fs::remove_dir_all(project.path("cache")).unwrap();
    assert_eq!(&*project.remlc(&["check", "."]).stderr, "");
}

#[test]
fn the_linker_is_told_what_the_section_says() {
    let project = Project::ring();
    project.write("native.c", "int ring_size(void) { return 8; }\n");
    project.compile("native.c", "lib/libring.so");
    let compiler = tell_tale(&project);
    project.write(
        "reml.json",
        &FFI.replace(
            "[\"lib\"]",
            "[\"lib\"], \"frameworks\": [\"Accelerate\"], \"extra_args\": [\"native.o\", \"-Wl,-rpath,$ORIGIN/lib\"]",
        ),
    );
    let made =
        run(Command::new("cc").args(["-c", "native.c", "-o", "native.o"]).current_dir(&project.folder), "").unwrap();
    assert_eq!(made.exit, Some(0));
    // From another folder: relative arguments are about the project.
    let folder = project.folder.path().display().to_string();
    let mut command = project.command(&[
        "build",
        &folder,
        "-o",
        "app",
        "--link-arg",
        "-Wl,--stats",
        "--format",
        "json",
        "--audit",
        "a.log",
    ]);
    let elsewhere = scratch();
    let built = run(command.current_dir(&elsewhere).env("CC", &compiler), "").unwrap();
    assert_eq!(built.exit, Some(0), "{}{}", built.stdout, built.stderr);
    let calls = project.read("tools/calls");
    let call = calls.lines().last().unwrap();
    let expected =
        format!("-L{folder}/lib -Wl,-rpath,{folder}/lib -lring native.o -Wl,-rpath,$ORIGIN/lib -Wl,--stats ");
    assert!(call.contains(&expected), "{call}");
    let envelope: Value = serde_json::from_str(&built.stdout).unwrap();
    assert_eq!(envelope["diagnostics"][0]["code"], "ffi.build.framework_unsupported");
    let build = &envelope["audit"][1]["metadata"]["ffi.build"];
    let keys: Vec<&str> = build.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "event",
            "status",
            "input_hash",
            "manifest_path",
            "libraries",
            "linker_paths",
            "frameworks",
            "extra_args",
            "duration_ms"
        ]
    );
    assert_eq!((&build["libraries"], &build["linker_paths"]), (&json!(["ring"]), &json!(["lib"])));
    assert_eq!(build["extra_args"], json!(["native.o", "-Wl,-rpath,$ORIGIN/lib", "-Wl,--stats"]));
    let log = fs::read_to_string(elsewhere.path().join("a.log")).unwrap();
    assert!(log.contains("\"event.kind\":\"ffi.bindgen\"") && log.contains("\"event.kind\":\"ffi.build\""), "{log}");
}

#[test]
fn what_the_linker_misses_is_told_in_the_program_s_terms() {
    let project = Project::ring();
    let build = || {
        let ran = project.remlc(&["build", ".", "-o", "app", "--format", "json"]);
        assert_eq!(ran.exit, Some(1), "{}", ran.stderr);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    // No library.
    let missing = build();
    let [failed] = &missing["diagnostics"].as_array().unwrap()[..] else { panic!("{missing:#}") };
    assert_eq!((&failed["code"], &failed["location"]["file"]), (&json!("ffi.build.link_failed"), &json!("reml.json")));
    let told = &failed["extensions"]["ffi.build"];
    let record = &missing["audit"][1]["metadata"]["ffi.build"];
    assert_eq!((&record["status"], &record["input_hash"]), (&json!("failed"), &told["input_hash"]));
    assert_eq!((&told["libraries"], &told["linker_paths"]), (&json!(["ring"]), &json!(["lib"])));
    assert!(told["stderr_tail"].as_str().unwrap().contains("-lring"), "{told:#}");
    // A library without the function.
    project.write("native.c", "int ring_length(void) { return 8; }\n");
    project.compile("native.c", "lib/libring.so");
    let unresolved = build();
    let codes: Vec<&str> =
        unresolved["diagnostics"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["ffi.build.link_failed", "ffi.bindgen.unresolved_symbol"]);
    let symbol = &unresolved["diagnostics"][1];
    assert_eq!(symbol["extensions"]["ffi.bindgen"], json!({ "symbol": "ring_size", "header": "include/ring.h" }));
    assert_eq!((&symbol["location"]["file"], &symbol["location"]["line"]), (&json!("./src/main.reml"), &json!(3)));
    assert!(symbol["secondary"][0]["span"]["file"].as_str().unwrap().ends_with("src/ring.reml"), "{symbol:#}");
    assert!(!project.path("app").exists());
    // Without the linker, the same is found when it is loaded.
    let ran = project.remlc(&["run", "."]);
    assert!(ran.exit == Some(1) && ran.stderr.contains("ffi.bindgen.unresolved_symbol"), "{}", ran.stderr);
}

#[test]
fn scripts_have_the_section_beside_them() {
    let project = Project::new(&[
        ("reml.json", "{ \"ffi\": { \"libraries\": [\"ring\"], \"linker\": { \"search_paths\": [\"lib\"] } } }"),
        ("native.c", "int ring_size(void) { return 8; }\n"),
        ("main.reml", "extern \"C\" fn ring_size() -> i32\n\nfn main() = println(\"{}\", unsafe { ring_size() })\n"),
    ]);
    project.compile("native.c", "lib/libring.so");
    let elsewhere = scratch();
    let script = project.path("main.reml").display().to_string();
    let mut command = project.command(&["run", &script, "--allow-ffi=ring"]);
    let ran = run(command.current_dir(&elsewhere), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), "8\n"), "{}", ran.stderr);
}

#[test]
fn packages_bring_their_libraries_along() {
    let project = Project::ring();
    project.write("native.c", "int ring_size(void) { return 8; }\n");
    project.compile("native.c", "lib/libring.so");
    project.write("src/lib.reml", "use ring.ring_size\n\npub fn size() -> Int = unsafe { ring_size() as Int }\n");
    let manifest = "[project]\nname = \"user\"\nversion = \"0.1.0\"\n\n[dependencies]\nrings = { path = \"..\" }\n\n[permissions]\nffi = [\"ring\"]\n";
    project.write("user/reml.toml", manifest);
    project.write("user/src/main.reml", "use rings.size\n\nfn main() = println(\"{}\", size())\n");
    let missing = project.remlc(&["run", "user"]);
    assert!(missing.exit == Some(1) && missing.stderr.contains("--config"), "{}", missing.stderr);
    assert_eq!(project.emit().status(), "success");
    let ran = project.remlc(&["run", "user"]);
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), "8\n"), "{}", ran.stderr);
    let built = project.remlc(&["build", "user", "-o", "app"]);
    assert_eq!((built.exit, &*built.stderr), (Some(0), ""));
    let ran = run(&mut Command::new(project.path("app")), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), "8\n"), "{}", ran.stderr);
}
