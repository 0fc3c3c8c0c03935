//! Real headers: nothing that they declare is forgotten, records are laid out as the compiler does, and the result is Reml as `remlc fmt`
//! leaves it. Headers that this machine does not have are passed over, those of the C library are everywhere.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use reml_bindgen::Overrides;
use reml_diagnostics::Diagnostic;
use support::{Project, Ran};

const EVERYWHERE: &[&str] =
    &["stdio.h", "stdlib.h", "string.h", "time.h", "math.h", "setjmp.h", "unistd.h", "ctype.h", "signal.h"];
const MAYBE: &[&str] = &["sqlite3.h", "zlib.h", "pthread.h", "sys/socket.h", "png.h", "curses.h", "X11/Xlib.h"];

fn bind_system(project: &Project, header: &str) -> Ran {
    project.run(Overrides { headers: vec![format!("<{header}>")], ..project.overrides() })
}

/// The functions that GCC sees in the header itself, by a list that it writes for that. Empty for other compilers.
fn functions_by_gcc(header: &str, path: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let input = folder.path().join("input.c");
    std::fs::write(&input, format!("#include <stdio.h>\n#include <{header}>\n")).unwrap();
    let status = Command::new("cc").args(["-fsyntax-only", "-w", "-aux-info"]).arg(&list).arg(&input).output();
    let text = status.ok().and_then(|_| std::fs::read_to_string(&list).ok()).unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        // `/* /usr/include/stdio.h:181:NC */ extern int remove (const char *);`
        let Some((place, declaration)) = line.strip_prefix("/* ").and_then(|line| line.split_once(" */ ")) else {
            continue;
        };
        if place.split(':').next() != Some(path) || declaration.starts_with("static") {
            continue;
        }
        // The name stands before the first list of parameters, or in the first brackets: `int (*f (int))[2]`.
        let Some((before, after)) = declaration.split_once(" (") else { continue };
        let name = match after.strip_prefix('*') {
            Some(inner) => inner.split([' ', '(', ')']).next().unwrap_or_default(),
            None => before.rsplit([' ', '*']).next().unwrap_or_default(),
        };
        if !name.is_empty() {
            found.insert(name.to_owned());
        }
    }
    found
}

fn check(header: &str, ran: &Ran) {
    let source = ran.source();
    let manifest = ran.manifest();
    let path = manifest["headers"][0].as_str().unwrap();
    let left: BTreeSet<&str> =
        manifest["diagnostics"].as_array().unwrap().iter().map(|it| it["symbol"].as_str().unwrap()).collect();
    let bound =
        |name: &str| source.contains(&format!("  fn {name}(")) || source.contains(&format!("@link_name(\"{name}\")"));
    let missing: Vec<String> =
        functions_by_gcc(header, path).into_iter().filter(|name| !bound(name) && !left.contains(&**name)).collect();
    assert!(missing.is_empty(), "{header} declares {missing:?}");
    for it in manifest["diagnostics"].as_array().unwrap() {
        assert!(it["reason"].is_string() && it["code"] == "ffi.bindgen.unknown_type", "{it}");
    }
    let parsed = reml_syntax::parse(source, 1, &mut reml_syntax::names::Names::new());
    assert!(!parsed.diagnostics.iter().any(Diagnostic::is_error), "{header}");
    assert!(reml_syntax::format::format(source, 1).is_ok_and(|formatted| formatted == source), "{header}");
}

#[test]
fn headers_of_the_c_library_are_bound_as_a_whole() {
    for header in EVERYWHERE {
        let project = Project::new(&[]);
        check(header, &bind_system(&project, header));
    }
}

#[test]
fn headers_of_libraries_are_bound_as_a_whole() {
    for header in MAYBE {
        let project = Project::new(&[]);
        let ran = bind_system(&project, header);
        if ran.outcome.made.is_some() {
            check(header, &ran);
        } else {
            assert!(ran.shown().contains("No such file or directory"), "{}", ran.shown());
        }
    }
}

#[test]
fn what_cannot_be_called_is_left_out_for_a_reason() {
    let project = Project::new(&[]);
    let reasons = |header: &str| -> Vec<String> {
        let manifest = bind_system(&project, header).manifest();
        let list = manifest["diagnostics"].as_array().unwrap().clone();
        list.iter()
            .map(|it| format!("{}: {}", it["symbol"].as_str().unwrap(), it["reason"].as_str().unwrap()))
            .collect()
    };
    assert!(reasons("stdio.h").contains(&"vprintf: unsupported_type".to_owned()));
    assert!(reasons("stdio.h").contains(&"stdout: unsupported_variable".to_owned()));
    assert!(reasons("stdlib.h").contains(&"strtold: unsupported_type".to_owned()));
    assert!(reasons("setjmp.h").contains(&"longjmp: returns_twice".to_owned()));
    let math = reasons("math.h");
    assert!(math.contains(&"sinl: unsupported_type".to_owned()) && !math.contains(&"sin: unsupported_type".to_owned()));
}

#[test]
fn two_runs_give_the_same_bytes() {
    let project = Project::new(&[]);
    let first = bind_system(&project, "stdlib.h");
    let second = bind_system(&project, "stdlib.h");
    assert_eq!(first.outcome.made, second.outcome.made);
}
