//! What the renderers print.

use super::*;
use crate::{Alternative, Span, codes};

fn map(files: &[(&str, &str)]) -> SourceMap {
    let mut sources = SourceMap::new();
    for (name, text) in files {
        sources.add(*name, *text).unwrap();
    }
    sources
}

/// The span of the first occurrence of `needle` in the first file.
fn find(sources: &SourceMap, needle: &str) -> Span {
    let (_, file) = sources.files().next().unwrap();
    let at = file.text.find(needle).unwrap() as u32 + file.base;
    Span::new(at, at + needle.len() as u32)
}

fn human(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut out = Vec::new();
    Human { color: false }.render(diagnostics, sources, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn human_output_shows_labels_helps_and_notes() {
    let sources = map(&[("main.reml", "fn main() {\n  let n: Int = \"one\"\n}\n")]);
    let diagnostic = Diagnostic::error(codes::TYPE_MISMATCH, find(&sources, "\"one\""), "expected Int, found Str")
        .with_primary_label("this is a Str")
        .with_label(find(&sources, "Int"), "because of this annotation")
        .with_help("remove the quotes")
        .with_note("there is no implicit conversion");
    assert_eq!(
        human(&[diagnostic], &sources),
        "\
error[type.mismatch]: expected Int, found Str
   ╭─[ main.reml:2:16 ]
   │
 2 │   let n: Int = \"one\"
   │          ┬──   ┬────
   │          ╰──────────── because of this annotation
   │                │
   │                ╰────── this is a Str
   │
   │ Help: remove the quotes
   │
   │ Note: there is no implicit conversion
───╯

"
    );
}

#[test]
fn wide_and_combined_characters_keep_the_carets_in_place() {
    let sources = map(&[("a.reml", "let 名前 = \"👨‍👩‍👧é\" + oops")]);
    let diagnostic = Diagnostic::error(codes::NAME_UNKNOWN, find(&sources, "oops"), "unknown name `oops`");
    let text = human(&[diagnostic], &sources);
    let lines: Vec<&str> = text.lines().collect();
    // Columns count scalar values; the caret counts what is seen, where 名前 takes four columns and the family two.
    assert!(lines[1].contains("a.reml:1:21"), "{text}");
    assert_eq!(lines[3], " 1 │ let 名前 = \"👨‍👩‍👧é\" + oops");
    assert_eq!(lines[4], format!("   │ {}┬───", " ".repeat(19)));
}

#[test]
fn a_very_long_line_is_clipped() {
    let text = format!("let x = [{}oops, {}]", "1, ".repeat(900_000), "2, ".repeat(900_000));
    let sources = map(&[("long.reml", &text)]);
    let diagnostic = Diagnostic::error(codes::NAME_UNKNOWN, find(&sources, "oops"), "unknown name `oops`");
    let text = human(&[diagnostic], &sources);
    assert!(text.len() < 2_000, "{}", text.len());
    assert!(text.contains("long.reml:1:2700010"), "{text}");
    assert!(text.contains("1, oops, 2"), "{text}");
}

#[test]
fn positions_at_the_edges_are_drawn() {
    for text in ["", "\n", "x", "a\r\nb", "\t", "\u{2028}x", "日本"] {
        let sources = map(&[("e.reml", text)]);
        let file = sources.file(crate::FileId(0));
        for start in 0..=text.len() as u32 {
            for end in start..=text.len() as u32 {
                let span = Span::new(file.base + start, file.base + end);
                let diagnostic = Diagnostic::error(codes::PARSE_EXPECTED, span, "message").with_label(span, "label");
                assert!(human(&[diagnostic], &sources).contains("message"), "{text:?} {start}..{end}");
            }
        }
    }
}

#[test]
fn labels_in_two_files_each_name_their_place() {
    let sources = map(&[("a.reml", "use b\nb.x"), ("b.reml", "\n\nlet x = 1")]);
    let other = sources.file(crate::FileId(1)).base + 6;
    let diagnostic = Diagnostic::error(codes::VISIBILITY_PRIVATE, find(&sources, "b.x"), "`x` is private")
        .with_label(Span::new(other, other + 1), "declared here");
    let text = human(&[diagnostic], &sources);
    assert!(text.contains("[ a.reml:2:1 ]") && text.contains("[ b.reml:3:5 ]"), "{text}");
}

#[test]
fn short_output_is_one_line_each() {
    let sources = map(&[("main.reml", "a\n  b")]);
    let mut out = Vec::new();
    let diagnostics = [
        Diagnostic::warning(codes::USE_UNUSED, find(&sources, "b"), "unused\nimport"),
        Diagnostic::error(codes::LINK_TOOL_MISSING, Span::NONE, "no linker"),
    ];
    Short.render(&diagnostics, &sources, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "main.reml:2:3: warning[language.use.unused]: unused import\nerror[build.linker.missing]: no linker\n"
    );
}

#[test]
fn json_output_has_the_published_shape() {
    let sources = map(&[("main.reml", "let x = if")]);
    let span = find(&sources, "if");
    let diagnostic = Diagnostic::error(codes::PATTERN_GUARD_IF, span, "m").with_fix(span, "when", "write `when`");
    let mut out = Vec::new();
    let context = JsonContext { command: "Check", phase: "TypeCheck", ..JsonContext::default() };
    Json { context }.render(&[diagnostic], &sources, &mut out).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["exit_code"], serde_json::json!({ "label": "failure", "value": 1 }));
    let shown = &value["diagnostics"][0];
    assert_eq!(shown["primary"]["start_col"], 9);
    assert_eq!(shown["fixits"][0]["kind"], "replace");
    assert_eq!(shown["audit_metadata"], shown["audit"]["metadata"]);
    assert!(out.ends_with(b"}\n") && out.iter().filter(|b| **b == b'\n').count() == 1);
}

#[test]
fn json_output_says_what_would_have_fitted() {
    let sources = map(&[("main.reml", "let x = if")]);
    let closer = Alternative { token: ")".into(), label: "`)`".into(), kind: "token" };
    let parser = Diagnostic::error(codes::PARSE_EXPECTED, find(&sources, "if"), "m").with_expected("`)`", vec![closer]);
    let shown = diagnostic_json(&parser, &sources, "");
    assert_eq!(shown["expected"]["message_key"], "parse.expected");
    assert_eq!(shown["expected"]["expected_tokens"][0]["token"], ")");
    assert_eq!(shown["extensions"]["parse"]["far_consumed"], 8);
    assert_eq!(shown["extensions"]["parse"]["input_name"], "main.reml");
    assert_eq!(shown["audit_metadata"]["parse.expected_overview"], "`)`");

    let types = Diagnostic::error(codes::TYPE_MISMATCH, find(&sources, "x"), "m").with_types("Int", "Str");
    let shown = diagnostic_json(&types, &sources, "");
    assert_eq!(shown["expected"]["message_key"], "type.mismatch");
    assert_eq!(shown["extensions"]["type"], serde_json::json!({ "expected": "Int", "found": "Str" }));
    assert_eq!(shown["audit"]["metadata"], shown["audit_metadata"]);
}

#[test]
fn arranging_sorts_and_drops_repetitions() {
    let sources = map(&[("main.reml", "a b")]);
    let a = Diagnostic::error(codes::NAME_UNKNOWN, find(&sources, "a"), "a");
    let b = Diagnostic::error(codes::NAME_UNKNOWN, find(&sources, "b"), "b");
    let mut all = vec![b.clone(), a.clone(), b.clone()];
    arrange(&mut all);
    assert_eq!(all, [a, b]);
}

#[test]
fn the_summary_counts() {
    let text = |errors, warnings| summary("check", "m.reml", Counts { errors, warnings }).map(|(_, text)| text);
    assert_eq!(text(3, 1).as_deref(), Some("could not check `m.reml`: 3 errors, 1 warning"));
    assert_eq!(text(0, 2).as_deref(), Some("`m.reml`: 2 warnings"));
    assert_eq!(text(0, 0), None);
}
