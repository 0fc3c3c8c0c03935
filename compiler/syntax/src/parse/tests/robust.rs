//! Whatever the text, parsing ends quickly, with a tree and without a panic.

use std::time::{Duration, Instant};

use reml_diagnostics::codes;

use crate::names::Names;

/// The trees of these tests are deeper than a test thread's stack.
fn on_a_large_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 20).spawn(work).expect("a thread").join().expect("no panic");
}

/// Codes of the diagnostics of a file that must be read in a few seconds even without optimisation.
fn codes_of(text: &str) -> Vec<&'static str> {
    let start = Instant::now();
    let parsed = crate::parse(text, 1, &mut Names::new());
    assert!(start.elapsed() < Duration::from_secs(20), "too slow: {:?}", start.elapsed());
    parsed.diagnostics.iter().map(|diagnostic| diagnostic.code.0).collect()
}

#[test]
fn a_thousand_levels_work() {
    on_a_large_stack(|| {
        let n = 1_000;
        for (open, middle, close) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("{ ", "1", " }"),
            ("f(", "1", ")"),
            ("|x| ", "1", ""),
            ("-", "1", ""),
            ("if a then ", "1", " else 2"),
            ("if a { ", "1", " }"),
            ("g(|x| { ", "1", " })"),
            ("match x { A -> ", "1", " }"),
            ("unsafe { ", "1", " }"),
        ] {
            let text = format!("let x = {}{}{}\n", open.repeat(n), middle, close.repeat(n));
            assert_eq!(codes_of(&text), Vec::<&str>::new(), "{open}");
        }
        for (open, middle, close) in
            [("List<", "Int", ">"), ("(", "Int, Int", ")"), ("[", "Int", "]"), ("Int -> ", "Int", "")]
        {
            let text = format!("type alias X = {}{}{}\n", open.repeat(n), middle, close.repeat(n));
            assert_eq!(codes_of(&text), Vec::<&str>::new(), "{open}");
        }
        let text = format!("let {}x{} = 1\n", "(a, ".repeat(n), ")".repeat(n));
        assert_eq!(codes_of(&text), Vec::<&str>::new());
    });
}

#[test]
fn deeper_nesting_is_one_diagnostic() {
    on_a_large_stack(|| {
        let n = 100_000;
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("f(", ")"),
            ("|x| ", ""),
            ("if a then ", ""),
            ("if a { ", "}"),
            ("else if a { ", "}"),
            ("match x { A -> ", "}"),
            ("match x with | A -> ", ""),
            ("a(|x| { ", "})"),
            ("{ x: ", "}"),
            ("P { x: ", "}"),
            ("json!([", "])"),
            ("a ^ ", ""),
            ("return ", ""),
            ("do ", ""),
            ("await ", ""),
            ("handle ", ""),
            ("fn() { ", "}"),
            ("loop { ", "}"),
            ("not ", ""),
        ] {
            let text = format!("let x = {}1{}\nlet y = 2\n", open.repeat(n), close.repeat(n));
            let codes = codes_of(&text);
            let limits = codes.iter().filter(|code| **code == codes::PARSE_NESTING_LIMIT.0).count();
            assert!(limits <= 1, "{open}: {limits}");
            assert!(limits == 1 || !codes.is_empty(), "{open}");
        }
        for text in [
            format!("let x = {}1\n", "-".repeat(n)),
            format!("let x = {}1\n", "!&*".repeat(n)),
            format!("let x = a{}\n", ".b".repeat(n)),
            format!("let x = a{}\n", "(1)".repeat(n)),
            format!("let x = a{}\n", " |> f".repeat(n)),
            format!("let x = a{}\n", " as Int".repeat(n)),
            format!("let x = a{}\n", "?".repeat(n)),
            format!("let x = if a {{ 1 }}{}\n", " else if a { 1 }".repeat(n)),
            format!("let x = 1{}\n", "+1".repeat(2_500_000)),
            format!("type alias X = {}Int\n", "Int -> ".repeat(n)),
            format!("type alias X = {}Int\n", "&".repeat(n)),
            format!("type alias X = {}Int{}\n", "List<".repeat(n), ">".repeat(n)),
            format!("let {}x{} = 1\n", "(".repeat(n), ")".repeat(n)),
            format!("let {}x = 1\n", "a :: ".repeat(n)),
            format!("let {}x = 1\n", "a @ ".repeat(n)),
            format!("let x{} = 1\n", " as y".repeat(n)),
            format!("let {}x{} = 1\n", "{ a: ".repeat(n), "}".repeat(n)),
            format!("use {}A{}\n", "A.{".repeat(n), "}".repeat(n)),
        ] {
            assert_eq!(codes_of(&text), [codes::PARSE_NESTING_LIMIT.0], "{}", &text[..40]);
        }
    });
}

#[test]
fn long_flat_sources_are_no_problem() {
    on_a_large_stack(|| {
        let n = 20_000;
        assert_eq!(codes_of(&format!("let x = [{}]\n", "1, ".repeat(n))), Vec::<&str>::new());
        assert_eq!(codes_of(&"let x = 1\n".repeat(n)), Vec::<&str>::new());
        assert_eq!(codes_of(&format!("fn f() {{\n{}}}\n", "  g(1)\n".repeat(n))), Vec::<&str>::new());
        assert_eq!(codes_of(&format!("fn f(x) = match x with\n{}", "  | A -> g(1)\n".repeat(n))), Vec::<&str>::new());
        assert_eq!(codes_of(&format!("type T = A{}\n", " | B".repeat(n))), Vec::<&str>::new());
        assert_eq!(codes_of(&format!("let x = a{}\n", " + b".repeat(9_000))), Vec::<&str>::new());
    });
}

#[test]
fn many_mistakes_take_linear_time() {
    on_a_large_stack(|| {
        let n = 20_000;
        for line in [
            "let x = (\n",
            "let x = )\n",
            "}\n",
            "fn f( {\n",
            "| A -> \n",
            "match x with\n",
            "  a b c d\n",
            "@\n",
            "\"\n",
            "'\n",
        ] {
            codes_of(&line.repeat(n));
            codes_of(&format!("fn f() {{\n{}", line.repeat(n)));
        }
        codes_of(&"(".repeat(n));
        codes_of(&")".repeat(n));
        codes_of(&"[{(".repeat(n));
        codes_of(&"f(|x|\n".repeat(2_000));
        codes_of(&"handle(".repeat(n));
        codes_of(&"/*".repeat(n));
        codes_of(&"|".repeat(n));
        codes_of(&"Named({".repeat(2_000));
        codes_of(&format!("let {}", "Named({".repeat(n)));
        codes_of(&format!("let {}", "Named({ a: ".repeat(500)));
        codes_of(&"let a = handle(\n".repeat(n));
        codes_of(&"let a = json!({ \"a\": \n".repeat(n));
    });
}

const SAMPLE: &str = r##"//! Module.
module a.b
use ::Core.{List, Op as O}

/// Shape.
@derive(Eq, Debug)
pub type Shape = | Circle(Float) | Rect { w: Float } | Named({ name: Str })
type F<T: Show> = (T) -> [T; 3] ! {io}
fn f<T>(x: T, y: Int = 1) -> Map<T, List<T>> where T: Eq !{io} =
  let (a, { b, .. }) = g(x)?
  match a with
  | Circle(r) when r > 0.0 -> r ^ 2.0
  | Rect { w } | Named({ name: w }) ->
    var z = w as Int
    z := z + 1
    z
  | [h, ..t] as all -> -1
  | r"^\d+$" -> 'x'
impl<T> Show for T { fn show(&self) -> Str = "a{b}\n" }
effect E : io { operation ask : () -> Int }
fn main() {
  let r = handle state(0) do e
  let s = handle f() with handler E { operation ask(k) { k(1) } return x { x } }
  for i in 0..=10 { if i % 2 == 0 { continue } else { break } }
  xs |> List.map(|(a, b)| a.0 + b) |> println("{}", _)
  let j = json!({ "a": [1, { "b": x }] })
  p.andThen(|x|
    let y = x
    y, 3)
  """
text"""
}
conductor c { a: P = x |> t([1]) channels { a.o ~> b.i : Int } execution { run() } }
"##;

#[test]
fn every_truncation_of_a_program_parses() {
    let boundaries = (0..=SAMPLE.len()).filter(|at| SAMPLE.is_char_boundary(*at));
    for at in boundaries {
        crate::parse(&SAMPLE[..at], 1, &mut Names::new());
        crate::parse(&SAMPLE[at..], 1, &mut Names::new());
    }
}

#[test]
fn the_sample_has_no_mistakes() {
    assert_eq!(codes_of(SAMPLE), Vec::<&str>::new());
}

#[test]
fn every_program_with_a_token_missing_or_doubled_parses() {
    let tokens = crate::lex::lex(SAMPLE, 0, &mut Names::new()).tokens;
    for token in &tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        let without = format!("{}{}", &SAMPLE[..start], &SAMPLE[end..]);
        crate::parse(&without, 1, &mut Names::new());
        let doubled = format!("{} {}", &SAMPLE[..end], &SAMPLE[start..]);
        crate::parse(&doubled, 1, &mut Names::new());
    }
}

/// Corners of the syntax, as programs use them.
const CORNERS: &str = include_str!("corners.reml");

#[test]
fn the_corners_have_no_mistakes() {
    assert_eq!(codes_of(CORNERS), Vec::<&str>::new());
}

#[test]
fn a_missing_token_is_rarely_more_than_one_mistake() {
    let tokens = crate::lex::lex(CORNERS, 0, &mut Names::new()).tokens;
    let mut reported = 0;
    let mut cascades = 0;
    for token in tokens.iter().step_by(3) {
        let text = format!("{}{}", &CORNERS[..token.start as usize], &CORNERS[token.end as usize..]);
        let count = crate::parse(&text, 1, &mut Names::new()).diagnostics.len();
        reported += usize::from(count > 0);
        cascades += usize::from(count > 2);
    }
    assert!(cascades * 100 <= reported * 4, "{cascades} of {reported}");
}

#[test]
fn random_token_soup_parses() {
    const WORDS: &[&str] = &[
        "fn",
        "let",
        "match",
        "with",
        "|",
        "->",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        "\n  ",
        "\n    ",
        "x",
        "Foo",
        "1",
        "\"s\"",
        "=",
        ":=",
        "if",
        "then",
        "else",
        ".",
        "..",
        "::",
        ":",
        "@",
        "where",
        "handle",
        "do",
        "impl",
        "type",
        "<",
        ">",
        "+",
        "-",
        "!",
        "&",
        "|>",
        "async",
        "effect",
        "handler",
        "operation",
        "return",
        "for",
        "in",
        "end",
        "not",
        ";",
        "_",
        "use",
        "json!",
        "'",
        "\"",
        "/*",
        "//",
        "as",
        "when",
        "..=",
        "...",
        "'a'",
        "r\"",
        "16.ms",
        "mut",
        "é",
        "→",
    ];
    // A small generator of its own, so that every run sees the same soups.
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..3_000 {
        let length = next() % 60;
        let mut text = String::new();
        for _ in 0..length {
            text.push_str(WORDS[(next() % WORDS.len() as u64) as usize]);
            if next() % 3 != 0 {
                text.push(' ');
            }
        }
        crate::parse(&text, 1, &mut Names::new());
        crate::parse_expression(&text, 1, &mut Names::new());
    }
}

#[test]
fn random_characters_parse() {
    let mut seed: u64 = 42;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    for _ in 0..2_000 {
        let text: String = (0..next() % 80)
            .map(|_| match next() % 4 {
                0 => char::from_u32((next() % 0x3000) as u32).unwrap_or('\u{202E}'),
                1 => char::from((next() % 128) as u8),
                _ => char::from(b"(){}[]|<>=-+.,:;\"'\\ \nabAB01_@!&"[(next() % 31) as usize]),
            })
            .collect();
        crate::parse(&text, 1, &mut Names::new());
    }
}
