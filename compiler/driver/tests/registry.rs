//! Are the examples of the code registry true? Every failing example reports its code, every working one checks
//! without it.

use std::path::Path;

use reml_diagnostics::registry::{self, ExampleKind, ExampleLanguage};
use reml_diagnostics::{Diagnostic, SourceMap, Span};
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
