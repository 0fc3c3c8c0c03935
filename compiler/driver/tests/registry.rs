//! Are the examples of the code registry true? Every failing example reports its code, every working one checks
//! without it. Are the codes of panics in it?

use std::collections::BTreeSet;
use std::path::Path;

use reml_diagnostics::registry::{self, ExampleKind, ExampleLanguage};
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_driver::package::{self, Parsed};
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::stack::with_large_stack;
use reml_driver::system::MemorySystem;
use reml_driver::target::{self, Setting};

/// What compiling the text as far as code generation reports, as lines; and whether it would run.
fn compile(text: &str, require_main: bool, target: Vec<Setting>) -> (Vec<Diagnostic>, String) {
    with_large_stack(|| {
        let system = MemorySystem::new().with("main.reml", text);
        let mut compilation = Compilation::new(&system, Options { require_main, target, ..Options::default() });
        if compilation.check(Path::new("main.reml")) && require_main {
            compilation.lower();
        }
        let shown = compilation.diagnostics.iter().map(|d| format!("  {}: {}\n", d.code, d.message)).collect();
        (compilation.diagnostics, shown)
    })
}

#[test]
fn examples_are_true() {
    let mut problems = String::new();
    for entry in registry::entries() {
        for example in &entry.examples {
            let (diagnostics, shown) = match example.language {
                ExampleLanguage::Reml => {
                    let given = example.cfg.map(|(key, value)| Setting {
                        key: key.to_owned(),
                        value: value.to_owned(),
                        span: Span::NONE,
                    });
                    compile(example.text, example.kind == ExampleKind::FailsToRun, given.into_iter().collect())
                }
                ExampleLanguage::Manifest => {
                    let mut sources = SourceMap::new();
                    let file = sources.add("reml.toml", example.text).expect("it is small");
                    let Parsed { manifest, mut diagnostics, .. } = package::parse(sources.file(file));
                    let settings = manifest.map(|manifest| manifest.target).unwrap_or_default();
                    target::resolve(&[], &settings, &MemorySystem::new(), &mut sources, &mut diagnostics);
                    (diagnostics, String::new())
                }
            };
            let reported = diagnostics.iter().any(|diagnostic| diagnostic.code == entry.code);
            let failed = diagnostics.iter().any(Diagnostic::is_error);
            let wrong = match example.kind {
                // Reported when the program is put together, by the linker or its likes; the tests of the binary see to it.
                ExampleKind::FailsToRun if entry.code.0.starts_with("ffi.") => failed,
                ExampleKind::Fails | ExampleKind::FailsToRun => !reported,
                // What they print is for the tests of the binary.
                ExampleKind::Panics | ExampleKind::Reports => failed,
                ExampleKind::Works => reported || failed,
            };
            if wrong {
                problems.push_str(&format!("{}, {:?}:\n{shown}", entry.code, example.kind));
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// What the library's parsers write as the code of a problem is in the registry.
#[test]
fn codes_of_library_diagnostics_are_explained() {
    let mut found = BTreeSet::new();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib/Core/Parse");
    let mut folders = vec![library.clone()];
    let mut files = vec![library.with_extension("reml")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for before in ["Problem.new(", "code: ", "-> "] {
            let literals = code.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(
                literals.filter_map(|rest| rest.split('"').next()).filter(|it| is_library_code(it)).map(str::to_owned),
            );
        }
    }
    assert!(found.contains("E2001") && found.contains("lex.layout.indent") && found.contains("E7102"), "{found:?}");
    let unexplained: Vec<&String> = found.iter().filter(|code| registry::explain(code).is_none()).collect();
    assert!(unexplained.is_empty(), "the library reports codes that nothing explains: {unexplained:?}");
}

fn is_library_code(text: &str) -> bool {
    let dotted = text.contains('.') && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'.'));
    let numbered = text.len() == 5 && text.starts_with(['E', 'W']) && text[1..].bytes().all(|b| b.is_ascii_digit());
    dotted || numbered
}

/// What the runtime's sources write as the code of a panic is in the registry.
#[test]
fn codes_of_panics_are_explained() {
    let families: BTreeSet<&str> = codes::ALL.iter().filter_map(|code| Some(code.0.split_once('.')?.0)).collect();
    let is_code = |text: &str| match text.split_once('.') {
        Some((family, rest)) => {
            // `reload.rs` is a file.
            families.contains(family) && rest != "rs" && rest.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'.'))
        }
        None => text.len() == 5 && text.starts_with('E') && text[1..].bytes().all(|b| b.is_ascii_digit()),
    };
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/rt/src");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(sources).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // Every second part between quotes is a literal, near enough.
        let is_capability = |text: &str| reml_capability::registry().describe(text).is_some();
        let is_event = |text: &str| {
            // The last is what the log has of a call beside the event.
            !matches!(reml_audit::EventKind::named(text), reml_audit::EventKind::Custom(_)) || text == "ffi.wrapper"
        };
        let is_code = |text: &&str| is_code(text) && !is_capability(text) && !is_event(text);
        found.extend(text.split('"').filter(is_code).map(str::to_owned));
    }
    assert!(found.contains("E7100") && found.contains("effects.resume.active"), "{found:?}");
    let unexplained: Vec<&String> = found.iter().filter(|code| registry::explain(code).is_none()).collect();
    assert!(unexplained.is_empty(), "panics have codes that nothing explains: {unexplained:?}");
}
