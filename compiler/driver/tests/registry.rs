//! Are the examples of the code registry true? Every failing example reports its code, every working one checks
//! without it. Are the codes of panics in it?

use std::collections::BTreeSet;
use std::path::Path;

use reml_diagnostics::registry::{self, ExampleKind, ExampleLanguage};
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_driver::package;
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
                    let (manifest, mut diagnostics) = package::parse(sources.file(file));
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
                ExampleKind::Panics => failed,
                ExampleKind::Works => reported || failed,
            };
            if wrong {
                problems.push_str(&format!("{}, {:?}:\n{shown}", entry.code, example.kind));
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// What the runtime's sources write as the code of a panic is in the registry.
#[test]
fn codes_of_panics_are_explained() {
    let families: BTreeSet<&str> = codes::ALL.iter().filter_map(|code| Some(code.0.split_once('.')?.0)).collect();
    let is_code = |text: &str| match text.split_once('.') {
        Some((family, rest)) => {
            families.contains(family) && rest.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'.'))
        }
        None => text.len() == 5 && text.starts_with('E') && text[1..].bytes().all(|b| b.is_ascii_digit()),
    };
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/rt/src");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(sources).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // Every second part between quotes is a literal, near enough.
        found.extend(text.split('"').filter(|text| is_code(text)).map(str::to_owned));
    }
    assert!(found.contains("E7100") && found.contains("effects.resume.active"), "{found:?}");
    let unexplained: Vec<&String> = found.iter().filter(|code| registry::explain(code).is_none()).collect();
    assert!(unexplained.is_empty(), "panics have codes that nothing explains: {unexplained:?}");
}
