//! Scenario FFI-BINDGEN-001: the smallest example gives the same files, byte for byte. `REML_BLESS=1` rewrites them.

mod support;

use reml_bindgen::Overrides;
use support::{Project, root};

/// The files of an example, generated in a repository of their own, but at the same place; and those of the repository.
fn generated(example: &str, header: &str, files: &[(&str, &str)]) {
    let example = format!("examples/ffi/bindgen/{example}");
    let read = |name: &str| std::fs::read_to_string(root().join(&example).join(name)).unwrap();
    let project = Project::new(&[
        (&format!("{example}/reml-bindgen.toml"), &read("reml-bindgen.toml")),
        (&format!("{example}/{header}"), &read(header)),
    ]);
    let config = project.path(&format!("{example}/reml-bindgen.toml"));
    let ran = project.run(Overrides { config: Some(config), ..Overrides::default() });
    assert_eq!(ran.shown(), "");
    ran.source();
    for (made, golden) in files {
        let made = project.read(&format!("{example}/{made}"));
        let golden = root().join(golden);
        if std::env::var_os("REML_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&golden, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&golden).unwrap(), made, "{} differs", golden.display());
    }
}

#[test]
fn the_minimal_example_gives_its_goldens() {
    let goldens = [
        ("generated/counter_bindings.reml", "expected/ffi/bindgen/minimal/counter_bindings.reml"),
        ("generated/bindings.manifest.json", "expected/ffi/bindgen/minimal/bindings.manifest.json"),
    ];
    generated("minimal", "include/counter.h", &goldens);
}

#[test]
fn the_example_that_runs_has_the_bindings_of_its_header() {
    let files = [
        ("src/letters.reml", "examples/ffi/bindgen/letters/src/letters.reml"),
        ("bindings.manifest.json", "examples/ffi/bindgen/letters/bindings.manifest.json"),
    ];
    generated("letters", "include/letters.h", &files);
}
