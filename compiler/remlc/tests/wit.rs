//! What `remlc wit import` generates compiles without a warning and is laid out as `remlc fmt` wants it, whatever things are called in WIT; and it is WIT again.

mod support;

use support::{Ran, remlc, run, scratch};

/// Words of Reml, names of its prelude and of generated code; resources, flags and records of other interfaces; what a world has itself.
const ODD: &str = r#"package a:b@1.2.3-rc.1;

interface one {
  /// "quotes" and ```code``` \ back
  record error { %self: u8, match: string, a-b: u8, %from: u8, at: u32, to: u8, value: u8, shape: u8, size: u8 }
  get: func() -> error;
  %type: func(%type: u8, self: u8, get: u8) -> tuple<u8>;
  %import: func();
  %export: func(x: tuple<u8, u8>) -> result;
}

interface two {
  enum error { ok, none, err, some, x, true, false }
  variant owned { none, ok(string), %list(list<u8>), self(option<option<u8>>) }
  type %list = list<u8>;
  one: func(e: error, o: owned) -> %list;
  enum one-case { %bool }
  flags all { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r }
  use types.{pen, point, pen as stift};
  draw: func(p: borrow<pen>, at: point, f: all, o: one-case);
  take: func(p: pen, q: stift) -> option<pen>;
  big: func(a: string, b: string, c: string, d: string, e: string, f: string, g: string, h: string, i: string) -> tuple<string, u8>;
}

interface types {
  resource pen { constructor(p: list<point>); static-one: static func() -> pen; }
  record point { x: f32, y: f64 }
}

world w {
  import one;
  import two;
  use types.{point};
  record own-type { p: point }
  import log: func(text: string);
  import inline: interface { f: func(o: string) -> u8; }
  export run: func(args: list<string>) -> result<own-type, string>;
  export two;
}
"#;

#[test]
fn odd_names_compile_and_are_laid_out() {
    let directory = scratch();
    std::fs::write(directory.path().join("odd.wit"), ODD).unwrap();
    let here = |args: &[&str]| -> Ran { run(remlc().current_dir(directory.path()).args(args), "").unwrap() };
    for args in [
        &["wit", "import", "odd.wit", "--output", "odd.reml"][..],
        &["check", "--fail-on-warning", "odd.reml"],
        &["fmt", "--check", "odd.reml"],
        &["wit", "export", "odd.reml"],
    ] {
        let ran = here(args);
        assert_eq!(ran.exit, Some(0), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
    // The same again changes nothing, and says nothing.
    let again = here(&["wit", "import", "odd.wit", "--output", "odd.reml"]);
    assert_eq!((again.exit, &*again.stderr), (Some(0), ""));
}

#[test]
fn a_module_with_mistakes_is_not_exported() {
    let directory = scratch();
    std::fs::write(directory.path().join("shop.reml"), "pub fn size() -> Int = \"many\"\n").unwrap();
    let ran = run(remlc().current_dir(directory.path()).args(["wit", "export", "shop.reml"]), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(1), ""));
    assert!(ran.stderr.contains("error[type.mismatch]"), "{}", ran.stderr);
    let ran = run(remlc().current_dir(directory.path()).args(["wit", "export", "nothing.reml"]), "").unwrap();
    assert_eq!(ran.exit, Some(1), "{}", ran.stderr);
}

#[test]
fn names_that_are_none_of_wit_are_refused() {
    let directory = scratch();
    std::fs::write(directory.path().join("shop.reml"), "pub fn size() -> Int = 3\n").unwrap();
    let args = ["wit", "export", "shop.reml", "--package", "Shop"];
    let ran = run(remlc().current_dir(directory.path()).args(args), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(1), ""));
    assert!(ran.stderr.contains("error[ffi.wit.generate_failed]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`namespace:name@1.2.3`"), "{}", ran.stderr);
}
