//! What do people see for each diagnostic code?
//!
//! The failing example of each entry of the registry is checked or run, and what remlc prints is compared with
//! `registry/CODE.txt`. Codes whose example would not be one text are shown by files that are listed here. `REML_BLESS=1`
//! rewrites the goldens; a golden that no code has is an error.

mod support;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use reml_diagnostics::registry::{self, Entry, ExampleKind, ExampleLanguage};
use support::{blessing, compare_golden, remlc, run, scratch};

const HELLO: &[u8] = b"fn main() = println(\"hello\")\n";

/// What shows a code: files, and what remlc is told to do.
struct Case {
    files: Vec<(&'static str, Vec<u8>)>,
    args: Vec<String>,
    /// Environment variables.
    env: Vec<(&'static str, &'static str)>,
    status: i32,
}

impl Case {
    fn new(files: &[(&'static str, &[u8])], args: &[&str]) -> Case {
        let files = files.iter().map(|&(name, text)| (name, text.to_vec())).collect();
        Case { files, args: args.iter().map(|&arg| arg.to_owned()).collect(), env: Vec::new(), status: 1 }
    }
}

/// Codes that no test shows, and why.
const UNSHOWN: &[(&str, &str)] = &[
    ("reload.incompatible", "a file has to be saved while the program runs; `hot_reload.rs` sees to it"),
    ("source.too_large", "the file would have four gigabytes"),
    (
        "ffi.callback.wrong_thread",
        "it takes a C function that makes a thread; the tests of foreign functions see to it",
    ),
    ("ffi.bindgen.output_stale", "it takes a build before; `ffi_build.rs` sees to it"),
    ("ffi.call.failed", "the process ends by a signal; the tests of crashes see to it"),
    ("runtime.crashed", "the process ends by a signal; the tests of crashes see to it"),
    ("language.not_supported_yet", "the library that remlc carries has everything"),
    (
        "target.config.mismatch",
        "whether a target is another machine depends on the machine; the driver's tests see to it",
    ),
];

/// The cases of codes that have no example in the registry.
fn special(code: &str) -> Option<Case> {
    let manifest: &[u8] =
        b"[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dependencies]\nshapes = { path = \"shapes\" }\n";
    Some(match code {
        "source.not_found" => Case::new(&[], &["check", "nothing.reml"]),
        "source.unreadable" => Case::new(&[("src/main.reml", HELLO)], &["check", "src"]),
        "source.invalid_utf8" => {
            Case::new(&[("main.reml", b"fn main() {\n  println(\"\xff\")\n}\n")], &["check", "main.reml"])
        }
        "source.binary" => Case::new(&[("main.reml", b"\x7fELF\0\0\0")], &["check", "main.reml"]),
        "parser.lexer.bidi_control" => {
            Case::new(&[("main.reml", "let owner = \"\u{202e}nimda\"\n".as_bytes())], &["check", "main.reml"])
        }
        "parser.syntax.nesting_limit" => {
            let text = format!("let x = {}1{}\n", "(\n".repeat(4_100), ")".repeat(4_100));
            Case::new(&[("main.reml", text.as_bytes())], &["check", "main.reml"])
        }
        "language.visibility.private" => {
            let main: &[u8] = b"use shapes.area\n\nfn main() = println(\"{}\", area(2))\n";
            let shapes: &[u8] = b"fn area(side: Int) -> Int = side * side\n";
            Case::new(&[("main.reml", main), ("shapes.reml", shapes)], &["check", "main.reml"])
        }
        "package.dependency.missing" => {
            Case::new(&[("reml.toml", manifest), ("src/main.reml", HELLO)], &["check", "."])
        }
        "target.profile.invalid" => Case::new(
            &[("board.toml", b"[profile]\nid = \"board\"\ntripel = \"aarch64-unknown-linux-gnu\"\n")],
            &["target", "validate", "board.toml"],
        ),
        "config.manifest.io_error" => linting(&[], &["config", "lint", "--manifest", "reml.toml"]),
        "config.compat.duplicate_key" => linting(
            &[("app.json", "{\n  \"port\": 80,\n  \"host\": \"::1\",\n  \"port\": 8080\n}\n")],
            &["config", "lint", "--manifest", "app.json"],
        ),
        "config.compat.trailing_comma" => {
            linting(&[("app.json", "{\n  \"ports\": [80, 443,],\n}\n")], &["config", "lint", "--manifest", "app.json"])
        }
        "config.compat.unquoted_key" => {
            linting(&[("app.json", "{ port: 80, max-load: 7 }\n")], &["config", "lint", "--manifest", "app.json"])
        }
        "config.compat.number_format" => linting(
            &[("app.json", "{ \"port\": 0x50, \"delta\": +1 }\n")],
            &["config", "lint", "--manifest", "app.json"],
        ),
        "config.trivia.invalid" => linting(
            &[("app.json", "// the usual port\n{ \"port\": 80 /* or 443 */ }\n")],
            &["config", "lint", "--manifest", "app.json"],
        ),
        "config.compat.env_invalid" => {
            let mut case = linting(&[("app.json", "{}\n")], &["config", "lint", "--manifest", "app.json"]);
            case.env.push(("REML_CONFIG_COMPAT", "json-relaxd"));
            case
        }
        "manifest.entry.missing" => linting(
            &[(
                "reml.toml",
                "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dsl.query]\nentry = \"src/query.reml\"\n",
            )],
            &["config", "lint"],
        ),
        "config.schema.invalid" => linting(
            &[
                ("app.toml", "port = 80\n"),
                ("schema.json", "{\n  \"fields\": { \"port\": { \"data_type\": \"Integr\" } }\n}\n"),
            ],
            &["config", "lint", "--manifest", "app.toml", "--schema", "schema.json"],
        ),
        "config.schema_mismatch" => linting(
            &[
                ("app.toml", "[server]\nport = \"80\"\nhots = \"::1\"\n"),
                (
                    "schema.json",
                    r#"{ "properties": { "server": {
  "properties": { "port": { "type": "integer" }, "host": { "type": "string" } },
  "required": ["host"], "additionalProperties": false
} } }"#,
                ),
            ],
            &["config", "lint", "--manifest", "app.toml", "--schema", "schema.json"],
        ),
        "config.schema.version_incompatible" => linting(
            &[
                ("reml.toml", "[project]\nname = \"app\"\nversion = \"0.1.7\"\n"),
                (
                    "schema.json",
                    "{\n  \"name\": \"app\",\n  \"version\": { \"major\": 0, \"minor\": 2, \"patch\": 0 },\n  \"fields\": {}\n}\n",
                ),
            ],
            &["config", "lint", "--schema", "schema.json"],
        ),
        "bridge.unknown" => reloading("\"bridge\": \"shop.confg\", ", "{}", SHOP, &[]),
        "bridge.contract.violation" => Case::new(
            &[("reml.toml", manifest_with("[bridge.feed]\nstage = \"beta\"\n").as_bytes())],
            &["bridge", "list"],
        ),
        "bridge.stage.experimental" => reloading("\"bridge\": \"shop.config\", ", UPDATE, SHOP, &["--audit=run.log"]),
        "bridge.target.mismatch" => {
            let wasi =
                "[bridge.\"shop.config\"]\ntarget_profiles = [\"wasi-preview2\"]\n\n[bridge.\"shop.config\".reload]\n";
            reloading("\"bridge\": \"shop.config\", ", UPDATE, wasi, &["--audit=run.log"])
        }
        "bridge.audit.missing_event" => reloading("\"bridge\": \"shop.config\", ", UPDATE, SHOP, &[]),
        "bridge.state.invalid" => reloading("\"port\": 80, ", UPDATE, "", &[]),
        "bridge.diff.invalid" => reloading("", &UPDATE.replace("80,", "81,"), "", &[]),
        "bridge.diff.rejected" => reloading("", &UPDATE.replace("8080", "\"8080\""), "", &[]),
        "bridge.reload.failed" => {
            let mut case = reloading("", UPDATE, "", &[]);
            case.files.push(("state.json.lock/taken", Vec::new()));
            case
        }
        "bridge.reload.unsupported" => {
            reloading("\"bridge\": \"shop.config\", ", UPDATE, "[bridge.\"shop.config\"]\n", &[])
        }
        "config.dsl.export_not_found" => {
            let mut case = exporting("exports = [\"greetings\"]");
            case.args = ["manifest", "dump", "--format", "human"].map(str::to_owned).to_vec();
            case
        }
        "effects.stage.missing_opt_in" => {
            let manifest: &[u8] =
                b"[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[capabilities]\nconsole = \"experimental\"\n";
            let main: &[u8] = b"effect Console : io { operation log : Str -> () }\n\n\
                fn greet() {\n  do Console.log(\"hello\")\n}\n\n\
                @requires_capability(stage = \"experimental\")\nfn main() {\n  \
                handle greet() with handler Console { operation log(line, resume) { resume(()) } }\n}\n";
            Case::new(&[("reml.toml", manifest), ("src/main.reml", main)], &["check", "."])
        }
        "manifest.dsl.stage_prerelease_conflict" => exporting("allow_prerelease = false"),
        "manifest.dsl.unknown_effect" => {
            exporting("expect_effects = [\"oi\"]\nexpect_effects_stage = \"experimental\"")
        }
        "manifest.dsl.effect_mismatch" => {
            exporting("exports = [{ name = \"greeting\", signature = { allows_effects = [] } }]")
        }
        "manifest.dsl.category_mismatch" => {
            exporting("exports = [{ name = \"greeting\", signature = { category = \"language\" } }]")
        }
        "manifest.dsl.capability_missing" => exporting("capabilities = [\"console\"]"),
        "E1302" => exporting("expect_effects = []"),
        "manifest.dsl.stage_mismatch" => exporting("expect_effects = [\"io\"]\nexpect_effects_stage = \"beta\""),
        "ffi.bindgen.config_invalid" => binding(
            "int ring_size(void);\n",
            &[("reml-bindgen.toml", "headers = [\"ring.h\"]\ninclude_path = [\".\"]\noutput = \"ring.rml\"\n")],
            &[],
        ),
        "ffi.bindgen.parse_failed" => binding(
            "struct ring { int size };\n\nring_t *ring_open(int size);\nint ring_size(struct ring *);\n\
             long ring_size(struct ring *);\n",
            &[],
            &BINDGEN,
        ),
        "ffi.bindgen.unknown_type" => {
            let header = "#include <stdarg.h>\n\nint ring_log(const char *format, ...);\n\
                int ring_log_list(const char *format, va_list rest);\n";
            binding(header, &[], &BINDGEN)
        }
        "ffi.bindgen.generate_failed" => {
            binding("int ring_size(void);\n", &[("bindings.manifest.json/file", "")], &BINDGEN)
        }
        "ffi.bindgen.output_overwrite" => {
            binding("int ring_size(void);\n", &[("ring.reml", "fn main() = println(\"by hand\")\n")], &BINDGEN)
        }
        "ffi.bindgen.unresolved_symbol" => {
            let ffi = r#"{ "ffi": {
  "libraries": [],
  "headers": ["ring.h"],
  "bindgen": { "enabled": true, "output": "ring.reml" }
} }
"#;
            let bindings = "// generated by reml-bindgen\nextern \"C\" {\n  fn ring_size() -> i32;\n}\n";
            let main = "use ring.ring_size\n\nfn main() = println(\"{}\", unsafe { ring_size() })\n";
            linked(ffi, &[("ring.h", "int ring_size(void);\n"), ("ring.reml", bindings), ("main.reml", main)], "run")
        }
        "ffi.bindgen.output_missing" => {
            let ffi = r#"{ "ffi": {
  "headers": ["ring.h"],
  "bindgen": { "enabled": true, "output": "ring.reml" }
} }
"#;
            linked(ffi, &[("ring.h", "int ring_size(void);\n"), ("main.reml", "use ring.ring_size\n")], "check")
        }
        "ffi.build.config_invalid" => {
            let ffi = r#"{ "ffi": {
  "libaries": ["ring"],
  "libraries": ["libring.so", "", 7],
  "bindgen": { "enabled": true, "output": "ring.rml" }
} }
"#;
            linked(ffi, &[("main.reml", "fn main() = println(\"hello\")\n")], "check")
        }
        "ffi.build.path_outside_project" => {
            let ffi = r#"{ "ffi": {
  "headers": ["../ring/ring.h"],
  "bindgen": { "output": "/srv/ring.reml" },
  "linker": { "search_paths": ["lib/../../ring"] }
} }
"#;
            linked(ffi, &[("main.reml", "fn main() = println(\"hello\")\n")], "check")
        }
        "ffi.build.framework_unsupported" => {
            let ffi = "{ \"ffi\": { \"linker\": { \"frameworks\": [\"Accelerate\"] } } }\n";
            linked(ffi, &[("main.reml", "fn main() = println(\"hello\")\n")], "check")
        }
        "ffi.build.link_failed" => {
            let ffi = "{ \"ffi\": { \"libraries\": [\"ring\"] } }\n";
            let mut case = linked(ffi, &[("main.reml", "fn main() = println(\"hello\")\n")], "build");
            case.env.push(("CC", "false"));
            case
        }
        "ffi.wit.parse_failed" => wit(
            "package shop:catalog;\n\ninterface store {\n  find: func(name: string) -> itme;\n  record item { name: string }\n}\n",
            &[],
            &["shop.wit"],
        ),
        "ffi.wit.world_unknown" => wit(
            "package shop:catalog;\n\ninterface store {\n  size: func() -> u32;\n}\n\n\
             world shop { export store; }\nworld shopper { import store; }\n",
            &[],
            &["shop.wit", "--world", "shoper"],
        ),
        "ffi.wit.unsupported" => wit(
            "package shop:catalog;\n\ninterface store {\n  size: func() -> u32;\n  watch: func() -> stream<u32>;\n}\n\n\
             world shopper { import store; }\n",
            &[],
            &["shop.wit", "--output", "shopper.reml"],
        ),
        "ffi.wit.generate_failed" => {
            wit(SHOP_WIT, &[("shopper.reml/file", "")], &["shop.wit", "--output", "shopper.reml"])
        }
        "ffi.wit.output_overwrite" => wit(
            SHOP_WIT,
            &[("shopper.reml", "fn main() = println(\"by hand\")\n")],
            &["shop.wit", "--output", "shopper.reml"],
        ),
        "build.linker.missing" | "build.linker.failed" => {
            let mut case = Case::new(&[("main.reml", HELLO)], &["build", "main.reml", "-o", "main"]);
            case.env.push(("CC", if code == "build.linker.missing" { "no-such-compiler" } else { "false" }));
            case
        }
        "reload.check_signature" => {
            let main: &[u8] = b"fn accept_reload() -> Bool = true\n\nfn main() = println(\"hello\")\n";
            Case::new(&[("main.reml", main)], &["run", "--hot-reload", "main.reml"])
        }
        "build.output.unwritable" => Case::new(&[("main.reml", HELLO)], &["build", "main.reml", "-o", "missing/main"]),
        _ => return None,
    })
}

const SHOP: &str = "[bridge.\"shop.config\".reload]\nrollback = \"required\"\n";

/// The difference of two ports.
const UPDATE: &str = r#"{
  "change_set": {
    "kind": "collections.diff.map",
    "items": [{ "kind": "collections.diff.updated", "key": "port", "previous": 80, "current": 8080 }]
  },
  "schema_diff": {
    "changes": [{ "kind": "Updated", "key": "port", "previous": 80, "current": 8080 }]
  }
}
"#;

fn manifest_with(sections: &str) -> String {
    format!("[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n{sections}")
}

/// A state with a port, which is reloaded; `members` stand before its values.
fn reloading(members: &str, diff: &str, sections: &str, args: &[&str]) -> Case {
    let schema = r#""schema": { "properties": { "port": { "type": "integer" } } }"#;
    let state =
        format!("{{\n  \"format\": \"reml.state.v1\", {members}\n  {schema},\n  \"values\": {{ \"port\": 80 }}\n}}\n");
    let manifest = manifest_with(sections);
    let files: [(&str, &[u8]); 3] =
        [("reml.toml", manifest.as_bytes()), ("state.json", state.as_bytes()), ("diff.json", diff.as_bytes())];
    Case::new(&files, &[&["reload", "state.json", "diff.json", "--format", "human"][..], args].concat())
}

/// A package that exports an experimental conductor, and what its manifest says of that.
fn exporting(expected: &str) -> Case {
    let manifest = format!(
        "[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dsl.greeting]\nentry = \"src/main.reml\"\n{expected}\n"
    );
    let main: &[u8] = b"@dsl_export(allows_effects = [\"io\"], requires_capabilities = [\"console\", \"clock\"],\n  \
        stage_bounds = { current: \"experimental\" })\n\
        conductor greeting {\n  execution { println(\"hello\") }\n}\n\nfn main() = greeting.run()\n";
    Case::new(&[("reml.toml", manifest.as_bytes()), ("src/main.reml", main)], &["check", "."])
}

const BINDGEN: [&str; 8] =
    ["--header", "ring.h", "-I", ".", "--output", "ring.reml", "--manifest", "bindings.manifest.json"];

/// A header that bindings are made for.
fn binding(header: &str, files: &[(&'static str, &'static str)], args: &[&str]) -> Case {
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|&(name, text)| (name, text.as_bytes())).collect();
    all.push(("ring.h", header.as_bytes()));
    Case::new(&all, &[&["bindgen"], args].concat())
}

/// A program with a `reml.json`, which a command is about.
fn linked(ffi: &str, files: &[(&'static str, &str)], command: &str) -> Case {
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|&(name, text)| (name, text.as_bytes())).collect();
    all.push(("reml.json", ffi.as_bytes()));
    let mut case = Case::new(&all, &[command, "main.reml"]);
    if command == "run" {
        case.args.push("--allow-ffi".to_owned());
    }
    case.env.push(("REML_CACHE_DIR", "cache"));
    case
}

const SHOP_WIT: &str =
    "package shop:catalog;\n\ninterface store {\n  size: func() -> u32;\n}\n\nworld shopper { import store; }\n";

/// A file of WIT that bindings are made for.
fn wit(text: &str, files: &[(&'static str, &'static str)], args: &[&str]) -> Case {
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|&(name, text)| (name, text.as_bytes())).collect();
    all.push(("shop.wit", text.as_bytes()));
    Case::new(&all, &[&["wit", "import"], args].concat())
}

/// Files that `remlc config lint` finds something in.
fn linting(files: &[(&'static str, &'static str)], args: &[&str]) -> Case {
    let files: Vec<(&str, &[u8])> = files.iter().map(|&(name, text)| (name, text.as_bytes())).collect();
    Case { status: 2, ..Case::new(&files, args) }
}

/// The case of an entry's failing example.
fn example(entry: &Entry) -> Option<Case> {
    let example = entry.examples.iter().find(|example| example.kind != ExampleKind::Works)?;
    let mut case = match example.language {
        ExampleLanguage::Reml => Case::new(&[("main.reml", example.text.as_bytes())], &["check", "main.reml"]),
        ExampleLanguage::Manifest => {
            Case::new(&[("reml.toml", example.text.as_bytes()), ("src/main.reml", HELLO)], &["check", "."])
        }
    };
    if matches!(example.kind, ExampleKind::FailsToRun | ExampleKind::Panics | ExampleKind::Reports) {
        case.args[0] = "run".to_owned();
    }
    // Some are about what C does, and what C has.
    if matches!(example.kind, ExampleKind::FailsToRun | ExampleKind::Panics) {
        case.args.insert(1, "--allow-ffi".to_owned());
    }
    match example.kind {
        ExampleKind::Panics => case.status = 101,
        ExampleKind::Reports => case.status = 0,
        _ => {}
    }
    if let Some((key, value)) = example.cfg {
        case.args.extend(["--cfg".to_owned(), format!("{key}={value}")]);
    }
    Some(case)
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = registry::entries()
        .filter(|entry| !UNSHOWN.iter().any(|(code, _)| *code == entry.code.0))
        .map(|entry| Trial::test(entry.code.0, move || test(&entry)))
        .collect();
    trials.push(Trial::test("no golden is stale", no_golden_is_stale));
    libtest_mimic::run(&arguments, trials).exit();
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry")
}

fn test(entry: &Entry) -> Result<(), Failed> {
    let code = entry.code.0;
    let case = example(entry).or_else(|| special(code)).ok_or("nothing shows this code")?;
    let directory = scratch();
    for (name, text) in &case.files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the directory"))?;
        std::fs::write(path, text)?;
    }
    let mut command = remlc();
    command.current_dir(directory.path()).args(&case.args).envs(case.env.iter().copied());
    let ran = run(&mut command, "")?;
    let warns = ran.exit == Some(0) && ran.stderr.starts_with("warning");
    // Programs print what the library reports.
    let told = if case.status == 0 { &ran.stdout } else { &ran.stderr };
    if ran.exit != Some(case.status) && !warns || !told.contains(code) {
        return Err(format!("exit status {:?}\n{}{}", ran.exit, ran.stdout, ran.stderr).into());
    }
    // How many frames there are depends on the machine; which, is for the tests of panics.
    let shown = match told.split_once("  backtrace:\n") {
        Some((before, _)) => before,
        None => told,
    };
    let mut problems = Vec::new();
    compare_golden(&goldens().join(format!("{code}.txt")), shown, "", &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    problems.push(format!("if this is right: REML_BLESS=1 cargo test -p remlc --test registry -- {code}"));
    Err(problems.join("\n").into())
}

fn no_golden_is_stale() -> Result<(), Failed> {
    let known: Vec<&str> = registry::entries().map(|entry| entry.code.0).collect();
    for file in std::fs::read_dir(goldens())? {
        let path = file?.path();
        let code = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".txt"));
        let fresh = code.is_some_and(|code| known.contains(&code) && UNSHOWN.iter().all(|(it, _)| *it != code));
        if !fresh && blessing() {
            std::fs::remove_file(&path)?;
        } else if !fresh {
            return Err(format!("{} belongs to no code", path.display()).into());
        }
    }
    Ok(())
}
