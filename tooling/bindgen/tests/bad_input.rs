//! What is told when something is wrong: the place in the user's own file, what is wrong there, and what to do.

mod support;

use expect_test::{Expect, expect};
use reml_bindgen::Overrides;
use support::{Project, bind};

/// A header that cannot be bound.
fn fails(header: &str, expected: Expect) {
    let ran = bind(header);
    assert!(ran.outcome.made.is_none());
    assert_eq!(ran.log.last().unwrap()["status"], "failed");
    expected.assert_eq(&ran.shown());
}

/// A configuration that is wrong.
fn misconfigured(toml: &str, expected: Expect) {
    let project = Project::new(&[("reml-bindgen.toml", toml), ("lib.h", "int f(void);\n")]);
    let ran = project.run(Overrides { config: Some(project.path("reml-bindgen.toml")), ..Overrides::default() });
    assert!(ran.outcome.made.is_none());
    expected.assert_eq(&ran.shown());
}

#[test]
fn mistakes_are_shown_in_the_header() {
    fails(
        "#define LENGTH 4\n#define ARRAY(T) \\\n  T *items; \\\n  int length\n\n#include \"inner.h\"\n",
        expect![[r#"
            error[ffi.bindgen.parse_failed]: the C compiler cannot read this: inner.h: No such file or directory
               ╭─[ lib.h:6:11 ]
               │
             6 │ #include "inner.h"
               │           ┬──────
               │           ╰──────── here
               │
               │ Help: add the folder that it is in to `include_paths`
            ───╯

        "#]],
    );
    fails(
        "#include <stddef.h>\n\nint size(void)\nint other(void);\n",
        expect![[r#"
        error[ffi.bindgen.parse_failed]: expected `;` behind `)`, found `int`
           ╭─[ lib.h:3:14 ]
           │
         3 │ int size(void)
           │              ┬
           │              ╰── here
        ───╯

    "#]],
    );
    fails(
        "int f(int);\n\nlong f(int);\n",
        expect![[r#"
        error[ffi.bindgen.parse_failed]: `f` has been declared with another type before
           ╭─[ lib.h:3:6 ]
           │
         1 │ int f(int);
           │     ┬
           │     ╰── here
           │
         3 │ long f(int);
           │      ┬
           │      ╰── here
        ───╯

    "#]],
    );
    fails(
        "struct s { struct s inner; };\n",
        expect![[r#"
        error[ffi.bindgen.parse_failed]: `inner` cannot have the type `struct s`: it would contain itself
           ╭─[ lib.h:1:21 ]
           │
         1 │ struct s { struct s inner; };
           │                     ┬────
           │                     ╰────── here
           │
           │ Help: a pointer to it can be a member
        ───╯

    "#]],
    );
    fails(
        "#error this is not for you\n",
        expect![[r#"
        error[ffi.bindgen.parse_failed]: the C compiler cannot read this: #error this is not for you
           ╭─[ lib.h:1:1 ]
           │
         1 │ #error this is not for you
           │ ┬─────────────────────────
           │ ╰─────────────────────────── here
        ───╯

    "#]],
    );
}

#[test]
fn mistakes_of_the_configuration_are_shown_there() {
    misconfigured(
        "headers = [\"lib.h\"]\ninclude_pats = [\".\"]\noutput = \"lib.reml\"\n",
        expect![[r#"
        error[ffi.bindgen.config_invalid]: `include_paths` is missing
          help: write it in `reml-bindgen.toml`, or give `--include-path`

        error[ffi.bindgen.config_invalid]: `manifest` is missing
          help: write it in `reml-bindgen.toml`, or give `--manifest`

        error[ffi.bindgen.config_invalid]: there is no key `include_pats`
           ╭─[ reml-bindgen.toml:2:1 ]
           │
         2 │ include_pats = ["."]
           │ ┬───────────
           │ ╰───────────── here
           │
           │ Help: did you mean `include_paths`?
        ───╯

    "#]],
    );
    // The compiler may know where all headers are; but without headers there is nothing to do.
    misconfigured(
        "headers = []\ninclude_paths = []\noutput = \"lib.reml\"\nmanifest = \"lib.json\"\n",
        expect![[r#"
        error[ffi.bindgen.config_invalid]: `headers` is missing
          help: write it in `reml-bindgen.toml`, or give `--header`

    "#]],
    );
    misconfigured(
        "headers = \"lib.h\"\nverbose = true\noutput = 3\n",
        expect![[r#"
        error[ffi.bindgen.config_invalid]: `headers` is missing
          help: write it in `reml-bindgen.toml`, or give `--header`

        error[ffi.bindgen.config_invalid]: `include_paths` is missing
          help: write it in `reml-bindgen.toml`, or give `--include-path`

        error[ffi.bindgen.config_invalid]: `manifest` is missing
          help: write it in `reml-bindgen.toml`, or give `--manifest`

        error[ffi.bindgen.config_invalid]: `output` is missing
          help: write it in `reml-bindgen.toml`, or give `--output`

        error[ffi.bindgen.config_invalid]: `headers` is a list of texts
           ╭─[ reml-bindgen.toml:1:11 ]
           │
         1 │ headers = "lib.h"
           │           ┬──────
           │           ╰──────── here
        ───╯

        error[ffi.bindgen.config_invalid]: there is no key `verbose`
           ╭─[ reml-bindgen.toml:2:1 ]
           │
         2 │ verbose = true
           │ ┬──────
           │ ╰──────── here
           │
           │ Help: the keys are `headers`, `include_paths`, `defines`, `exclude`, `allow`, `follow`, `compile_commands`, `output`, `manifest`, `opaque_types`, `pointers`, `link`, `rename`
        ───╯

        error[ffi.bindgen.config_invalid]: `output` is a text
           ╭─[ reml-bindgen.toml:3:10 ]
           │
         3 │ output = 3
           │          ┬
           │          ╰── here
        ───╯

    "#]],
    );
    misconfigured(
        "headers = [\n",
        expect![[r#"
        error[ffi.bindgen.config_invalid]: `reml-bindgen.toml` is not valid TOML: unclosed array, expected `]`
           ╭─[ reml-bindgen.toml:1:12 ]
           │
         1 │ headers = [
           │            ┬
           │            ╰── here
        ───╯

    "#]],
    );
    misconfigured(
        "headers = [\"lib.h\"]\ninclude_paths = [\".\"]\noutput = \"lib.c\"\nmanifest = \"m.json\"\nexclude = [\"(\"]\n\
         defines = [\"1x\"]\nopaque_types = \"maybe\"\n[rename]\nf = \"match\"\n",
        expect![[r#"
            error[ffi.bindgen.config_invalid]: `lib.c` is no Reml file: its name has to end with `.reml`
               ╭─[ reml-bindgen.toml:3:10 ]
               │
             3 │ output = "lib.c"
               │          ┬──────
               │          ╰──────── here
            ───╯

            error[ffi.bindgen.config_invalid]: `(` is no regular expression: unclosed group
               ╭─[ reml-bindgen.toml:5:12 ]
               │
             5 │ exclude = ["("]
               │            ┬──
               │            ╰──── here
            ───╯

            error[ffi.bindgen.config_invalid]: `1x` defines no macro: `NAME` or `NAME=VALUE` does
               ╭─[ reml-bindgen.toml:6:12 ]
               │
             6 │ defines = ["1x"]
               │            ┬───
               │            ╰───── here
            ───╯

            error[ffi.bindgen.config_invalid]: `opaque_types` is `unit` or `named`, not `maybe`
               ╭─[ reml-bindgen.toml:7:16 ]
               │
             7 │ opaque_types = "maybe"
               │                ┬──────
               │                ╰──────── here
            ───╯

            error[ffi.bindgen.config_invalid]: `match` is no name in Reml
               ╭─[ reml-bindgen.toml:9:5 ]
               │
             9 │ f = "match"
               │     ┬──────
               │     ╰──────── here
            ───╯

        "#]],
    );
}

#[test]
fn missing_headers_are_named_with_the_places_that_were_tried() {
    let toml = "headers = [\"nothing.h\"]\ninclude_paths = [\"include\"]\noutput = \"a.reml\"\nmanifest = \"a.json\"\n";
    let project = Project::new(&[("include/other.h", ""), ("reml-bindgen.toml", toml)]);
    let path = |name: &str| project.path(name).display().to_string();
    let ran = project.run(Overrides { config: Some(project.path("reml-bindgen.toml")), ..Overrides::default() });
    assert!(ran.outcome.made.is_none());
    expect![[r#"
        error[ffi.bindgen.parse_failed]: there is no header `nothing.h`
          help: a header of the system is written `<nothing.h>`
          note: it was looked for as `nothing.h`, `include/nothing.h`

    "#]]
    .assert_eq(&ran.shown());
    let ran = project.run(Overrides { headers: vec!["<no_such_header.h>".to_owned()], ..project.overrides() });
    expect![[r#"
        error[ffi.bindgen.parse_failed]: the C compiler cannot read this: no_such_header.h: No such file or directory
          help: add the folder that it is in to `include_paths`

    "#]]
    .assert_eq(&ran.shown());
    let ran = project.run(Overrides { headers: vec![path("include")], ..project.overrides() });
    expect![[r#"
        error[ffi.bindgen.parse_failed]: `include` is a folder, not a header

    "#]]
    .assert_eq(&ran.shown());
}

#[test]
fn bytes_that_are_no_text_do_not_matter_in_comments() {
    let project = Project::new(&[]);
    project.write("lib.h", b"/* caf\xe9 */\n#define NAME \"caf\xe9\"\n#define PLAIN \"cafe\"\nint f(void);\n");
    let ran = project.run(project.overrides());
    // A text that is none has no value in Reml.
    assert!(ran.source().contains("PLAIN") && !ran.source().contains("NAME"));
    project.write("lib.h", b"int caf\xe9(void);\nint \xff;\n\x00\n");
    let ran = project.run(project.overrides());
    assert!(ran.outcome.made.is_none() || ran.source().contains("extern"));
}

#[test]
fn files_are_replaced_as_a_whole_or_not_at_all() {
    let project = Project::new(&[("lib.h", "int f(void);\n")]);
    assert_eq!(project.run(project.overrides()).shown(), "");
    // Nothing changes, so nothing is overwritten.
    assert_eq!(project.run(project.overrides()).shown(), "");
    project.write("lib.h", b"int g(void);\n");
    let again = project.run(project.overrides());
    assert!(again.outcome.made.is_some());
    expect![[r#"
        warning[ffi.bindgen.output_overwrite]: `lib.json` exists, and is overwritten

        warning[ffi.bindgen.output_overwrite]: `lib.reml` exists, and is overwritten

    "#]]
    .assert_eq(&again.shown());
    assert_eq!(again.log.last().unwrap()["diagnostics"][0]["reason"], "output_exists");

    // What somebody has written stays, and so does the other file.
    project.write("lib.reml", b"fn main() = println(\"by hand\")\n");
    project.write("lib.h", b"int h(void);\n");
    let manifest = project.read("lib.json");
    let refused = project.run(project.overrides());
    assert!(refused.outcome.made.is_none());
    expect![[r#"
        error[ffi.bindgen.output_overwrite]: `lib.reml` exists, and reml-bindgen has not generated it
          help: remove it, or have the bindings written elsewhere

    "#]]
    .assert_eq(&refused.shown());
    assert_eq!(project.read("lib.reml"), "fn main() = println(\"by hand\")\n");
    assert_eq!(project.read("lib.json"), manifest);
    let leftovers = std::fs::read_dir(project.path("")).unwrap().flatten();
    assert!(leftovers.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().starts_with(".reml-bindgen")));
}

#[test]
fn what_cannot_be_written_is_told() {
    let project = Project::new(&[("lib.h", "int f(void);\n"), ("lib.json/file", ""), ("file", "")]);
    let ran = project.run(project.overrides());
    assert!(ran.outcome.made.is_none() && !project.path("lib.reml").exists());
    expect![[r#"
        error[ffi.bindgen.generate_failed]: `lib.json` cannot be written: it is a directory

    "#]]
    .assert_eq(&ran.shown());
    let output = Some(project.path("file/lib.reml").display().to_string());
    let ran = project.run(Overrides {
        output,
        manifest: Some(project.path("m.json").display().to_string()),
        ..project.overrides()
    });
    assert!(ran.outcome.made.is_none() && !project.path("m.json").exists());
    expect![[r#"
        error[ffi.bindgen.generate_failed]: `file/lib.reml` cannot be written: its folder cannot be made: File exists

    "#]]
    .assert_eq(&ran.shown());
    // Read-only files stay, whoever may override that.
    let project = Project::new(&[("lib.h", "int f(void);\n"), ("lib.reml", "// generated by reml-bindgen\n")]);
    let mut permissions = std::fs::metadata(project.path("lib.reml")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(project.path("lib.reml"), permissions).unwrap();
    let ran = project.run(project.overrides());
    assert!(ran.outcome.made.is_none());
    assert!(ran.shown().contains("it may only be read"), "{}", ran.shown());
}
