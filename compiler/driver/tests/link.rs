//! Does linking make a program that runs, and fail with a diagnostic and without leftovers?

use std::path::Path;
use std::process::Command;

use reml_diagnostics::codes;
use reml_driver::link::{Failure, link};
use reml_driver::system::OsSystem;

/// An object file from C: the linker does not mind where it comes from.
fn object(directory: &Path, source: &str) -> Vec<u8> {
    let (c, o) = (directory.join("in.c"), directory.join("in.o"));
    std::fs::write(&c, source).unwrap();
    assert!(Command::new("cc").arg("-c").arg(&c).arg("-o").arg(&o).status().unwrap().success());
    let bytes = std::fs::read(&o).unwrap();
    std::fs::remove_file(c).unwrap();
    std::fs::remove_file(o).unwrap();
    bytes
}

fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("reml-link-").tempdir().unwrap()
}

#[test]
fn a_linked_program_runs() {
    let directory = scratch();
    let object = object(directory.path(), "int main(void) { return 7; }\n");
    let output = directory.path().join("program");
    assert!(link(&object, &[], None, &output, &OsSystem).is_ok());
    assert_eq!(Command::new(&output).status().unwrap().code(), Some(7));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_symbol_is_named() {
    let directory = scratch();
    let object = object(directory.path(), "int nowhere(void); int main(void) { return nowhere(); }\n");
    let failure = link(&object, &[], None, &directory.path().join("program"), &OsSystem);
    let Err(Failure::Linker(refusal)) = failure else { panic!("the linker has not failed") };
    assert_eq!(refusal.undefined, ["nowhere"]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_unwritable_output_is_reported() {
    let directory = scratch();
    for output in [directory.path().to_owned(), directory.path().join("missing/program")] {
        let failure = link(b"", &[], None, &output, &OsSystem);
        let Err(Failure::Other(diagnostic)) = failure else { panic!("the linker was asked") };
        assert_eq!(diagnostic.code, codes::OUTPUT_UNWRITABLE);
    }
}
