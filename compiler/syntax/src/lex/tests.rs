//! Tokens, comments, strings, identifiers.

use expect_test::{Expect, expect};

use crate::names::Names;

/// Lexes and lists kinds with texts, then diagnostics.
fn check(src: &str, expect: Expect) {
    let mut names = Names::new();
    let lexed = super::lex(src, 0, &mut names);
    let mut out = String::new();
    for token in &lexed.tokens {
        let slice = &src[token.start as usize..token.end as usize];
        out.push_str(&format!("{:?} {}\n", token.kind, slice.escape_debug()));
    }
    for diagnostic in &lexed.diagnostics {
        out.push_str(&format!(
            "{}..{} {}: {}\n",
            diagnostic.primary.start, diagnostic.primary.end, diagnostic.code, diagnostic.message
        ));
    }
    expect.assert_eq(&out);
}

#[test]
fn words_and_operators() {
    check(
        "fn f_1 _ _x |> ~> := :: .. ... ..= >> << >= => -> ++ || &&",
        expect![[r#"
        Fn fn
        Ident f_1
        Underscore _
        Ident _x
        PipeGt |>
        TildeGt ~>
        ColonEq :=
        ColonColon ::
        DotDot ..
        Ellipsis ...
        DotDot ..
        Eq =
        Gt >
        Gt >
        Shl <<
        Ge >=
        FatArrow =>
        Arrow ->
        PlusPlus ++
        OrOr ||
        AndAnd &&
        Eof 
    "#]],
    );
}

#[test]
fn numbers() {
    check(
        "42 0b1010 0o755 0xFF_FF 1_000 3.14 1e-9 2_048.0 2E+2 1..10 16.ms x.0.1",
        expect![[r#"
        Int 42
        Int 0b1010
        Int 0o755
        Int 0xFF_FF
        Int 1_000
        Float 3.14
        Float 1e-9
        Float 2_048.0
        Float 2E+2
        Int 1
        DotDot ..
        Int 10
        Int 16
        Dot .
        Ident ms
        Ident x
        Dot .
        Int 0
        Dot .
        Int 1
        Eof 
    "#]],
    );
    check(
        "0b2 0x 12ab 340282366920938463463374607431768211456 1.5x 1e400",
        expect![[r#"
            Error 0b2
            Error 0x
            Error 12ab
            Error 340282366920938463463374607431768211456
            Error 1.5x
            Error 1e400
            Eof 
            0..3 parser.lexer.invalid_number: `0b2` is not a number
            4..6 parser.lexer.invalid_number: `0x` has no digits
            7..11 parser.lexer.invalid_number: `12ab` is not a number
            12..51 parser.lexer.number_out_of_range: this number is larger than any integer type can hold
            52..56 parser.lexer.invalid_number: `1.5x` is not a number
            57..62 parser.lexer.number_out_of_range: this number is larger than any floating-point type can hold
        "#]],
    );
}

#[test]
fn comments() {
    check(
        "a // line\nb /* block /* nested */ still */ c\n/// doc\nd",
        expect![[r#"
        Ident a
        Ident b
        Ident c
        Ident d
        Eof 
    "#]],
    );
    check(
        "a /* open /* twice */ b",
        expect![[r#"
        Ident a
        Eof 
        2..4 parser.lexer.unterminated_comment: this comment is never closed
    "#]],
    );
}

#[test]
fn strings() {
    check(
        r##""a\"b" r"a\" r#"a"b"# """a"b""" "" 'c' '\n'"##,
        expect![[r##"
        Str \"a\\\"b\"
        RawStr r\"a\\\"
        RawStr r#\"a\"b\"#
        TripleStr \"\"\"a\"b\"\"\"
        Str \"\"
        Char \'c\'
        Char \'\\n\'
        Eof 
    "##]],
    );
    check(
        "\"open\nnext",
        expect![[r#"
        Str \"open
        Ident next
        Eof 
        0..1 parser.lexer.unterminated_string: this string is never closed
    "#]],
    );
    check(
        "\"\"\"open\nnext",
        expect![[r#"
        TripleStr \"\"\"open\nnext
        Eof 
        0..3 parser.lexer.unterminated_string: this string is never closed
    "#]],
    );
    check(
        "r#\"open\"",
        expect![[r#"
        RawStr r#\"open\"
        Eof 
        0..3 parser.lexer.unterminated_string: this string is never closed
    "#]],
    );
    check(
        "\"\\",
        expect![[r#"
        Str \"\\
        Eof 
        0..1 parser.lexer.unterminated_string: this string is never closed
        1..2 parser.lexer.invalid_escape: invalid escape `\`: a backslash needs something to escape
    "#]],
    );
}

#[test]
fn bad_escapes() {
    check(
        r#""\q \x4 \u{110000} \u{41 \u00e9" '\q'"#,
        expect![[r#"
        Str \"\\q \\x4 \\u{110000} \\u{41 \\u00e9\"
        Error \'\\q\'
        Eof 
        1..3 parser.lexer.invalid_escape: invalid escape `\q`: there is no such escape
        4..7 parser.lexer.invalid_escape: invalid escape `\x4`: `\x` needs two hexadecimal digits
        8..18 parser.lexer.invalid_escape: invalid escape `\u{110000}`: this is not a Unicode scalar value
        19..24 parser.lexer.invalid_escape: invalid escape `\u{41`: `\u{` needs hexadecimal digits and `}`
        34..36 parser.lexer.invalid_escape: invalid escape `\q`: there is no such escape
    "#]],
    );
}

#[test]
fn bad_characters() {
    check(
        "'ab' '' 'x",
        expect![[r#"
            Error \'ab\'
            Error \'\'
            Error \'
            Ident x
            Eof 
            0..4 parser.lexer.unterminated_char: a character literal holds one Unicode scalar value, this one holds 2
            5..7 parser.lexer.unterminated_char: a character literal cannot be empty
            8..9 parser.lexer.unterminated_char: this character literal is never closed
        "#]],
    );
}

#[test]
fn identifiers_beyond_ascii() {
    check(
        "größe Δ x\u{301} 変数 a\u{1F600}b",
        expect![[r#"
        Ident größe
        Ident Δ
        Ident x́
        Ident 変数
        Ident a😀b
        Eof 
    "#]],
    );
    let mut names = Names::new();
    let lexed = super::lex("e\u{301} \u{e9}", 0, &mut names);
    assert_eq!(lexed.tokens[0].symbol, lexed.tokens[1].symbol, "equal after normalisation");
}

#[test]
fn bidirectional_controls_are_rejected() {
    check(
        "let a\u{202E} = \"\u{2066}\" // \u{200F}",
        expect![[r#"
        Let let
        Ident a
        Eq =
        Str \"\u{2066}\"
        Eof 
        5..8 parser.lexer.bidi_control: the invisible direction control U+202E is not allowed in source text
        12..15 parser.lexer.bidi_control: the invisible direction control U+2066 is not allowed in source text
        20..23 parser.lexer.bidi_control: the invisible direction control U+200F is not allowed in source text
    "#]],
    );
}

#[test]
fn byte_order_mark_and_script_line() {
    check(
        "\u{FEFF}let",
        expect![[r#"
        Let let
        Eof 
    "#]],
    );
    check(
        "#!/usr/bin/env remlc\nlet",
        expect![[r#"
        Let let
        Eof 
    "#]],
    );
}

#[test]
fn unknown_tokens() {
    check(
        "a \\ b $$ “x” – →",
        expect![[r#"
        Ident a
        Error \\
        Ident b
        Error $$
        Error “
        Ident x
        Error ”
        Error –
        Error →
        Eof 
        2..3 parser.lexer.unknown_token: `\\` has no meaning in Reml
        6..7 parser.lexer.unknown_token: `$` has no meaning in Reml
        9..12 parser.lexer.unknown_token: `“` has no meaning in Reml
        13..16 parser.lexer.unknown_token: `”` has no meaning in Reml
        17..20 parser.lexer.unknown_token: `–` has no meaning in Reml
        21..24 parser.lexer.unknown_token: `→` has no meaning in Reml
    "#]],
    );
}

#[test]
fn columns_count_characters() {
    let mut names = Names::new();
    let lexed = super::lex("let ü = é + /* ö */ x\n  \"ß\" y", 0, &mut names);
    let columns: Vec<u16> = lexed.tokens.iter().map(|token| token.column).collect();
    assert_eq!(columns, [0, 4, 6, 8, 10, 20, 2, 6, 7]);
}
