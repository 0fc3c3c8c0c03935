//! What becomes of WIT in Reml, and what is said of WIT that is wrong.

mod support;

use expect_test::{Expect, expect};
use support::{Ran, folder, interface};

fn says(ran: &Ran, expected: Expect) {
    expected.assert_eq(&ran.shown());
}

/// The declarations of types, without how they cross.
fn types(ran: &Ran) -> String {
    let source = ran.made.as_deref().unwrap_or_default();
    let mut out = String::new();
    let mut within = false;
    for line in source.lines() {
        within |= line.starts_with("pub type") || line.starts_with("pub struct");
        if within && !line.is_empty() {
            out.push_str(line);
            out.push('\n');
        }
        within &= !line.is_empty();
    }
    out
}

#[test]
fn names_that_clash_are_told_apart() {
    let ran = folder(
        &[(
            "it.wit",
            "package a:b;
             interface one { record error { %self: u8, match: string, a-b: u8 } get: func() -> error; }
             interface two { enum error { ok, none, err, x } type %list = list<u8>; one: func(e: error) -> %list; }
             world w { import one; import two; }",
        )],
        None,
    );
    expect![[r#"
        pub type OneError = {
          self_: u8,
          match_: Str,
          a_b: u8,
        }
        pub type One = {
          /// `get: func() -> error`
          get: () -> Result<OneError, WitError>,
        }
        pub type TwoError =
          | Ok_
          | None_
          | Err_
          | X
        pub type alias List_ = Bytes
        pub type Two = {
          /// `one: func(e: error) -> list`
          one: (TwoError) -> Result<List_, WitError>,
        }
    "#]]
    .assert_eq(&types(&ran));
}

#[test]
fn what_is_not_supported_is_named() {
    let ran = interface(
        "record job { done: future<u8> }
         go: func(j: job);
         talk: func() -> stream<u8>;
         later: async func();
         wide: func(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8);
         fine: func() -> u8;",
    );
    says(
        &ran,
        expect![[r#"
        it.wit:3:8: warning[ffi.wit.unsupported]: `a:b/it/job` is left out: `future` belongs to the asynchronous ABI, which is not supported
        it.wit:4:10: warning[ffi.wit.unsupported]: `a:b/it#go` is left out: it has to do with `job`, which is left out
        it.wit:5:10: warning[ffi.wit.unsupported]: `a:b/it#talk` is left out: `stream` belongs to the asynchronous ABI, which is not supported
        it.wit:6:10: warning[ffi.wit.unsupported]: `a:b/it#later` is left out: asynchronous functions are not supported
        it.wit:7:10: warning[ffi.wit.unsupported]: `a:b/it#wide` is left out: it takes 13 parameters, and 12 is the most; a record has room for more
    "#]],
    );
    expect![[r#"
        pub type It = {
          /// `fine: func() -> u8`
          fine: () -> Result<u8, WitError>,
        }
    "#]]
    .assert_eq(&types(&ran));
}

#[test]
fn text_that_is_no_wit_is_pointed_at() {
    says(
        &interface("find: func(name: string) -> itme;"),
        expect![[r#"
        it.wit:3:29: error[ffi.wit.parse_failed]: name `itme` does not exist
    "#]],
    );
    says(
        &interface("find: func(name string);"),
        expect![[r#"
        it.wit:3:17: error[ffi.wit.parse_failed]: expected `:`, found keyword `string`
    "#]],
    );
    says(
        &interface("record a { b: b } record b { a: a }"),
        expect![[r#"
        it.wit:3:15: error[ffi.wit.parse_failed]: type `b` depends on itself
    "#]],
    );
    says(
        &interface("record a { x: u8, x: u8 }"),
        expect![[r#"
        it.wit:3:19: error[ffi.wit.parse_failed]: duplicate field `x`
    "#]],
    );
    says(
        &folder(&[("it.wit", "")], None),
        expect![[r#"
        error[ffi.wit.parse_failed]: no `package` header was found in any WIT file for this package
    "#]],
    );
    says(
        &folder(&[("it.txt", "")], None),
        expect![[r#"
        error[ffi.wit.parse_failed]: `the folder` has no files whose names end with `.wit`
    "#]],
    );
    says(
        &folder(&[("it.wit", "package a:b; interface it { f: func(); }")], None),
        expect![[r#"
        error[ffi.wit.world_unknown]: the package `a:b` has no world
    "#]],
    );
}

#[test]
fn packages_are_looked_for_in_deps() {
    let main = "package a:b; world w { import c:d/it; }";
    let dep = "package c:d; interface it { f: func() -> u8; }";
    says(
        &folder(&[("w.wit", main)], None),
        expect![[r#"
        w.wit:1:31: error[ffi.wit.parse_failed]: there is no package `c:d`
    "#]],
    );
    says(&folder(&[("w.wit", main), ("deps/c/it.wit", dep)], None), expect![[r#""#]]);
    says(&folder(&[("w.wit", main), ("deps/c.wit", dep)], None), expect![[r#""#]]);
    let circle = "package c:d; interface it { use a:b/mine.{t}; f: func() -> t; }";
    let back = "package a:b; interface mine { type t = u8; } world w { import c:d/it; }";
    says(
        &folder(&[("w.wit", back), ("deps/c.wit", circle)], None),
        expect![[r#"
        w.wit:1:63: error[ffi.wit.parse_failed]: package `c:d` creates a dependency cycle
    "#]],
    );
}

#[test]
fn what_is_used_of_another_interface_is_that() {
    let ran = folder(
        &[(
            "it.wit",
            "package a:b;
             interface types { record point { x: f32, y: f32 } resource pen; }
             interface draw { use types.{point, pen as stift}; line: func(using: borrow<stift>, to: point); }
             world w { import draw; export run: func(p: string) -> result; }",
        )],
        None,
    );
    says(
        &ran,
        expect![[r#"
"#]],
    );
    expect![[r#"
        pub type WExports = {
          /// `run: func(p: string) -> result`
          run: (Str) -> Result<Result<(), ()>, WitError>,
        }
        pub type Point = {
          x: f32,
          y: f32,
        }
        pub struct Pen;
        pub type alias Stift = Pen
        pub type Draw = {
          /// `line: func(using: borrow<stift>, to: point)`
          line: (Borrow<Pen>, Point) -> Result<(), WitError>,
        }
    "#]]
    .assert_eq(&types(&ran));
}

#[test]
fn a_hundred_thousand_lines_are_read() {
    let mut text = String::from("package a:b;\ninterface it {\n");
    let docs = "  /// Said at length.\n".repeat(36);
    for index in 0..2_500 {
        text.push_str(&format!(
            "{docs}  record r{index} {{\n    a: u32,\n    b: option<string>,\n  }}\n  get{index}: func(r: r{index}) -> u32;\n"
        ));
    }
    text.push_str("}\nworld w { import it; }\n");
    assert!(text.lines().count() > 100_000);
    let ran = folder(&[("it.wit", &text)], None);
    assert_eq!(ran.shown(), "");
    assert!(ran.made.unwrap().contains("pub type R2499 = {"));
}

#[test]
fn the_only_case_is_no_other_name_of_a_type() {
    let ran =
        interface("enum a { %bool } enum b { c } enum c { a, b } flags d { it } f: func(a: a, b: b, c: c, d: d);");
    expect![[r#"
        pub type A =
          | Bool_
        pub type B =
          | C_
        pub type C =
          | A
          | B
        pub type D =
          | It_
        pub type It = {
          /// `f: func(a: a, b: b, c: c, d: d)`
          f: (A, B, C, Set<D>) -> Result<(), WitError>,
        }
    "#]]
    .assert_eq(&types(&ran));
}
