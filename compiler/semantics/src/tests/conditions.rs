//! What conditions remove, and what they leave behind.

use expect_test::expect;

use super::check;

const EFFECT: &str = "\
pub effect Trace { operation note : Str -> Unit }

fn quiet(f: () -> Int) -> Int =
  handle f() with handler Trace { operation note(text, resume) { resume(()) } }
";

/// The effect and its handler, with code that may perform it.
fn with(code: &str, expected: expect_test::Expect) {
    check(&format!("{EFFECT}{code}"), expected);
}

#[test]
fn a_handler_is_idle_when_all_performers_are_removed() {
    with(
        "@cfg(false)\nfn work() -> Int { do Trace.note(\"x\"); 1 }\nfn main() { quiet(|| 1); () }\n",
        expect![[r#"
            4:27 warning [effects.cfg.unreachable] `Trace` is handled here, but all that performs it is configured out
        "#]],
    );
    // In a block, without the effect's name.
    with(
        "fn work() -> Int {\n  @cfg(false) { do note(\"x\") }\n  1\n}\nfn main() { quiet(work); () }\n",
        expect![[r#"
            4:27 warning [effects.cfg.unreachable] `Trace` is handled here, but all that performs it is configured out
        "#]],
    );
}

#[test]
fn a_named_handler_is_a_handler() {
    check(
        "\
effect Trace { operation note : Str -> Unit }
handler silent for Trace { operation note(text, resume) { resume(()) } }
fn work() -> Int {
  @cfg(false)
  do Trace.note(\"x\")
  1
}
fn main() { handle work() with silent(); () }
",
        expect![[r#"
            2:9 warning [effects.cfg.unreachable] `Trace` is handled here, but all that performs it is configured out
        "#]],
    );
}

#[test]
fn a_handler_has_something_to_do_when_any_performer_is_left() {
    let removed = "@cfg(false)\nfn work() -> Int { do Trace.note(\"x\"); 1 }\n";
    with(&format!("{removed}fn main() {{ quiet(|| {{ do Trace.note(\"y\"); 2 }}); () }}\n"), expect![""]);
    with(&format!("{removed}fn main() {{ quiet(|| {{ do note(\"y\"); 2 }}); () }}\n"), expect![""]);
    // In a local function.
    with(
        &format!(
            "{removed}fn main() {{\n  fn inner() -> Int {{ do Trace.note(\"y\"); 2 }}\n  quiet(inner)\n  ()\n}}\n"
        ),
        expect![""],
    );
    // In another module.
    with(
        &format!(
            "{removed}use other.more\nfn main() {{ quiet(more); () }}\n--- other\nuse main.{{Trace}}\npub fn more() -> Int {{ do Trace.note(\"y\"); 2 }}\n"
        ),
        expect![""],
    );
}

#[test]
fn handlers_of_other_effects_are_left_alone() {
    with(
        "\
effect Ask { operation ask : () -> Int }
@cfg(false)
fn work() -> Int = do Ask.ask()
fn main() { quiet(|| 1); () }
",
        expect![""],
    );
}
