//! Whatever a header consists of, reading it ends, and not in a panic.

use proptest::prelude::*;
use reml_bindgen::c::model::{RecordId, Unit};
use reml_bindgen::c::parse::{evaluate, parse};
use reml_bindgen::c::show::declaration;
use reml_bindgen::c::token::Source;
use reml_bindgen::check::assertions_about;

const PIECES: &[&str] = &[
    "struct",
    "union",
    "enum",
    "typedef",
    "extern",
    "static",
    "inline",
    "const",
    "volatile",
    "restrict",
    "int",
    "char",
    "unsigned",
    "long",
    "short",
    "float",
    "double",
    "void",
    "_Bool",
    "_Complex",
    "__int128",
    "_Atomic",
    "__typeof__",
    "__attribute__",
    "packed",
    "aligned",
    "mode",
    "__DI__",
    "vector_size",
    "__asm__",
    "__extension__",
    "_Alignas",
    "_Static_assert",
    "sizeof",
    "_Alignof",
    "__builtin_offsetof",
    "__builtin_va_list",
    "a",
    "b",
    "c",
    "t",
    "u",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "{",
    "}",
    ";",
    ";",
    ";",
    ",",
    ",",
    "*",
    "*",
    "=",
    ":",
    "...",
    "?",
    "+",
    "-",
    "/",
    "%",
    "<<",
    ">>",
    "~",
    "!",
    "&&",
    "^",
    "0",
    "1",
    "8",
    "0xFFFFFFFFFFFFFFFF",
    "-1",
    "18446744073709551615",
    "1.5e3f",
    "'x'",
    "'",
    "\"text\"",
    "\"",
    "L\"w\"",
    "\\",
    "@",
    "é",
    "/* c */",
    "/** doc */",
    "// line\n",
    "\n#pragma pack(push, 1)\n",
    "\n#pragma pack(pop)\n",
    "\n# 3 \"other.h\" 1 3\n",
    "\n#define M (1 << 40)\n",
    "\n#undef M\n",
    "\n# \"",
    "[[",
    "]]",
    "typedef int t;",
    "struct s { int a : 3; };",
    "int f(void);",
];

/// Reads a text, and looks at all that has come of it.
fn read(text: String) {
    let source = Source::new(text);
    let (mut unit, problems) = parse(&source);
    for problem in problems {
        assert!(!problem.message.is_empty() && problem.start <= problem.end);
        assert!(problem.end as usize <= source.text.len());
    }
    for symbol in &unit.symbols {
        declaration(&unit, symbol.ty, &symbol.name);
    }
    let ids: Vec<RecordId> = (0..unit.records.len() as u32).map(RecordId).collect();
    assertions_about(&unit, &ids);
    let macros: Vec<String> = source.macros.iter().map(|it| it.body.clone()).collect();
    for body in macros {
        evaluate(&Source::new(body), &mut unit);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn soup_of_tokens(pieces in prop::collection::vec(0..PIECES.len(), 0..60), spaced in any::<bool>()) {
        let pieces: Vec<&str> = pieces.into_iter().map(|index| PIECES[index]).collect();
        read(pieces.join(if spaced { " " } else { "" }));
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        read(text);
    }

    #[test]
    fn constants(pieces in prop::collection::vec(0..PIECES.len(), 0..20)) {
        let text: Vec<&str> = pieces.into_iter().map(|index| PIECES[index]).collect();
        evaluate(&Source::new(text.join(" ")), &mut Unit::new(reml_bindgen::c::target::Target::default()));
    }
}

#[test]
fn ten_megabytes_are_read_in_seconds() {
    let mut text = String::new();
    let mut index = 0;
    while text.len() < 10_000_000 {
        text.push_str(&format!(
            "/** Number {index}. */\nstruct s{index} {{ int a, b : 3; const char *name; struct s{index} *next; }};\n\
             typedef struct s{index} t{index};\nextern t{index} *f{index}(const t{index} *it, unsigned long n, ...);\n"
        ));
        index += 1;
    }
    let start = std::time::Instant::now();
    let source = Source::new(text);
    let (unit, problems) = parse(&source);
    assert!(problems.is_empty() && unit.symbols.len() == index);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
