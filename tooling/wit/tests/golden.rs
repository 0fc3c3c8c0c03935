//! Scenario FFI-WIT-001: the bindings of the example are those of its WIT, byte for byte. `REML_BLESS=1` rewrites them.

use std::path::Path;

use reml_wit::{Import, Report, import};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap()
}

/// Makes the bindings of a world at a place like that of the example, in a repository of its own.
fn agrees(world: &str) {
    let example = root().join("examples/ffi/wit");
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("examples/ffi/wit");
    std::fs::create_dir_all(place.join("wit")).unwrap();
    std::fs::create_dir(scratch.path().join(".git")).unwrap();
    std::fs::copy(example.join("wit/shop.wit"), place.join("wit/shop.wit")).unwrap();
    let output = format!("src/{world}.reml");
    let manifest = format!("{world}.manifest.json");
    let options = Import {
        wit: place.join("wit/shop.wit"),
        world: Some(world.to_owned()),
        output: Some(place.join(&output)),
        manifest: Some(place.join(&manifest)),
    };
    let mut report = Report::default();
    import(&options, &mut report).unwrap();
    assert!(report.diagnostics.is_empty());
    for name in [&output, &manifest] {
        let made = std::fs::read_to_string(place.join(name)).unwrap();
        let golden = example.join(name);
        if std::env::var_os("REML_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&golden, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), made, "{} differs", golden.display());
    }
}

#[test]
fn the_shopper_has_the_bindings_of_its_world() {
    agrees("shopper");
}

#[test]
fn the_shop_has_the_bindings_of_its_world() {
    agrees("shop");
}
