//! One mistake must not hide the others.

use expect_test::expect;

use super::{check, check_errors};

#[test]
fn a_missing_closing_brace() {
    check(
        "fn f() {
  let x = 1
  g(x

fn h() {
  let y = )
}

fn i() = 3
",
        expect![[r#"
            (fn f (params) (block (let x 1) <error> ()))
            (fn h (params) (block <error> ()))
            (fn i (params) 3)
            3:6 parser.syntax.expected_tokens: expected `)` or `,` before `fn`
                3:4 this `(` is not closed
            6:11 parser.syntax.expected_tokens: expected an expression, found `)`
        "#]],
    );
}

#[test]
fn a_missing_brace_at_the_end_of_the_file() {
    check(
        "fn f() {\n  g(1)\n",
        expect![[r#"
            (fn f (params) (block (call g 1)))
            2:7 parser.unexpected_eof: expected `}`, found the end of the file
                1:8 this `{` is not closed
                help: add `}`
        "#]],
    );
}

#[test]
fn a_missing_parenthesis() {
    check(
        "fn f() {\n  g(1, 2\n  let y = 3\n  h(y)\n}\nfn i() = 2\n",
        expect![[r#"
            (fn f (params) (block <error> (let y 3) (call h y)))
            (fn i (params) 2)
            2:9 parser.syntax.expected_tokens: expected `)` or `,` before `let`
                2:4 this `(` is not closed
        "#]],
    );
}

#[test]
fn a_missing_bracket() {
    check_errors(
        "let a = [1, 2\nlet b = (3\nlet c = 4\n",
        expect![[r#"
            1:14 parser.syntax.expected_tokens: expected `]` or `,` before `let`
                1:9 this `[` is not closed
            2:11 parser.syntax.expected_tokens: expected `)` or `,` before `let`
                2:9 this `(` is not closed
        "#]],
    );
}

#[test]
fn a_missing_arrow() {
    check(
        "fn f(x) =\n  match x with\n  | A 1\n  | B -> 2\n  | C = 3\nfn g() = 1\n",
        expect![[r#"
        (fn f (params x) (match x (arm A 1) (arm B 2) (arm C 3)))
        (fn g (params) 1)
        3:7 parser.syntax.expected_tokens: expected `->`, `=>` or `as`, found `1`
        5:7 parser.syntax.expected_tokens: expected `->`, `=>` or `as`, found `=`
            fix: write `->`: | C -> 3
    "#]],
    );
}

#[test]
fn a_missing_initializer() {
    check(
        "fn f() {\n  let x\n  let y =\n  let z = 3\n}\nlet a =\nlet b = 1\n",
        expect![[r#"
        (fn f (params) (block (let x <error>) (let y <error>) (let z 3) ()))
        (let a <error>)
        (let b 1)
        2:8 parser.syntax.expected_tokens: expected `=`, `:` or `as`, found the end of the line
        4:3 parser.syntax.expected_tokens: expected an expression, found `let`
        7:1 parser.syntax.expected_tokens: expected an expression, found `let`
    "#]],
    );
}

#[test]
fn a_missing_body() {
    check(
        "fn f(x) -> Int\nfn g(x) x + 1\nfn h() -> Int\n",
        expect![[r#"
            (fn f (params x) (-> Int) <error>)
            (fn g (params x) (+ x 1))
            (fn h (params) (-> Int) <error>)
            1:15 parser.syntax.expected_tokens: expected `=`, `{`, `->`, `with` or something else, found the end of the line
            2:9 parser.syntax.expected_tokens: expected `=`, `{`, `->`, `with` or something else, found `x`
            3:14 parser.unexpected_eof: expected `=`, `{`, `->`, `with` or something else, found the end of the file
        "#]],
    );
}

#[test]
fn a_bad_statement_does_not_hide_the_next() {
    check(
        "fn f() {\n  let = 1\n  a b c\n  x + * y\n  g(1, , 2)\n  ok()\n}\n",
        expect![[r#"
            (fn f (params) (block <error> (do a) (do (+ x (* y))) (do (call g 1 <error> 2)) (call ok)))
            2:7 parser.syntax.expected_tokens: expected a pattern, found `=`
            3:5 parser.syntax.expected_tokens: expected `}` or the end of the line, found `b`
            5:8 parser.syntax.expected_tokens: expected an expression or `)`, found `,`
        "#]],
    );
}

#[test]
fn a_bad_arm_does_not_hide_the_next() {
    check(
        "fn f(x) =\n  match x with\n  | ) -> 1\n  | A(, -> 2\n  | B -> 3\n",
        expect![[r#"
            (fn f (params x) (match x (arm <error> <error>) (arm <error> <error>) (arm B 3)))
            3:5 parser.syntax.expected_tokens: expected a pattern, found `)`
            4:7 parser.syntax.expected_tokens: expected a pattern or `)`, found `,`
                4:6 this `(` is not closed
        "#]],
    );
    check(
        "fn f(x) = match x {\n  + -> 1,\n  B -> 2,\n  C -> ,\n  D -> 4\n}\n",
        expect![[r#"
            (fn f (params x) (match x (arm <error> <error>) (arm B 2) (arm <error> <error>) (arm D 4)))
            2:3 parser.syntax.expected_tokens: expected a pattern, found `+`
            4:8 parser.syntax.expected_tokens: expected an expression, found `,`
        "#]],
    );
}

#[test]
fn a_bad_item_does_not_hide_the_next() {
    check(
        "type = 3\nfn (x) = 1\ntrait T { fn f( -> Int\n fn g() }\nimpl { }\nuse\nfn ok() = 1\n",
        expect![[r#"
            <error>
            (top (lambda (params x) 1))
            (trait T <error> (fn g (params)))
            <error>
            <error>
            (fn ok (params) 1)
            1:6 parser.syntax.expected_tokens: expected a name, found `=`
            3:17 parser.syntax.expected_tokens: expected a pattern or `)`, found `->`
                3:15 this `(` is not closed
            5:9 parser.syntax.expected_tokens: expected `{`, `->`, `for` or `where`, found the end of the line
            6:4 parser.syntax.expected_tokens: expected a name, found the end of the line
        "#]],
    );
}

#[test]
fn a_bad_method_does_not_hide_the_next() {
    check(
        "impl A {\n  fn f(self) = 1\n  fun g() = 2\n  fn h(self) = 3\n}\nfn i() = 1\n",
        expect![[r#"
            (impl A (fn f (params self) 1) <error> (fn h (params self) 3))
            (fn i (params) 1)
            3:3 parser.syntax.expected_tokens: expected `fn` or `let`, found `fun`
        "#]],
    );
}

#[test]
fn stray_closing_brackets() {
    check(
        "fn f() = 1 }\n}\nfn g() { 2 }\n",
        expect![[r#"
        (fn f (params) 1)
        (fn g (params) (block 2))
        1:12 parser.syntax.expected_tokens: `}` closes nothing
            fix: remove it: fn f() = 1
        2:1 parser.syntax.expected_tokens: `}` closes nothing
            fix: remove it: 
    "#]],
    );
}

#[test]
fn unreadable_tokens_are_reported_once() {
    check(
        "fn f() {\n  let x = 1 \\ 2\n  let y = $\n  let z = 3\n}\n",
        expect![[r#"
            (fn f (params) (block (let x 1) <error> (let z 3) ()))
            2:13 parser.lexer.unknown_token: `\\` has no meaning in Reml
            3:11 parser.lexer.unknown_token: `$` has no meaning in Reml
        "#]],
    );
}

#[test]
fn an_incomplete_field_access() {
    check(
        "fn f() {\n  let x = a.\n  let y = b.c\n}\n",
        expect![[r#"
            (fn f (params) (block (let x <error>) (let y (. b c)) ()))
            3:3 parser.syntax.expected_tokens: expected a name, found `let`
                note: `let` is a reserved word
        "#]],
    );
}

#[test]
fn a_missing_else_with_a_trailing_value() {
    check_errors(
        "fn f() = if a then b c\nfn g() = 1\n",
        expect![[r#"
            1:22 parser.syntax.expected_tokens: expected the end of the line or `else`, found `c`
        "#]],
    );
}

#[test]
fn reserved_words_are_named() {
    check_errors(
        "let match = 1\nfn f(then: Int) = 1\n",
        expect![[r#"
            1:5 parser.syntax.expected_tokens: expected a pattern, found `match`
                note: `match` is a reserved word
            2:6 parser.syntax.expected_tokens: expected a pattern or `)`, found `then`
                note: `then` is a reserved word
        "#]],
    );
}

#[test]
fn arms_without_their_match_are_no_news() {
    check_errors(
        "fn f(x) {\n  match x\n  | A -> 1\n  | B(y) -> 2\n  let z = )\n}\nfn g(x) =\n  match h x) with\n  | A -> 1\n  | B -> 2\nlet a = ]\n",
        expect![[r#"
            2:10 parser.syntax.expected_tokens: expected `{` or `with`, found the end of the line
            5:11 parser.syntax.expected_tokens: expected an expression, found `)`
            8:11 parser.syntax.expected_tokens: expected `{` or `with`, found `x`
            11:9 parser.syntax.expected_tokens: expected an expression, found `]`
        "#]],
    );
}

#[test]
fn a_forgotten_arrow_before_a_result_type() {
    check(
        "fn f() Map<Int, Str> = x\nfn g() Int { 1 }\n",
        expect![[r#"
        (fn f (params) x)
        (fn g (params) (block 1))
        1:8 parser.syntax.expected_tokens: expected `=`, `{`, `->`, `with` or something else, found `Map`
        2:8 parser.syntax.expected_tokens: expected `=`, `{`, `->`, `with` or something else, found `Int`
    "#]],
    );
}

#[test]
fn one_list_complains_once() {
    check(
        "fn f() = g(T(, x: Int, y: Int), 2)\n",
        expect![[r#"
        (fn f (params) (call g (call T <error> (x: Int) (y: Int)) 2))
        1:14 parser.syntax.expected_tokens: expected an expression or `)`, found `,`
    "#]],
    );
}

#[test]
fn operators_of_other_languages_get_help() {
    check_errors(
        "fn f() {\n  if x = 1 then y\n  let a = b & c\n  let d = b | c\n}\n",
        expect![[r#"
        2:8 parser.syntax.expected_tokens: expected `{` or `then`, found `=`
            fix: compare with `==`: if x == 1 then y
        3:13 parser.syntax.expected_tokens: expected `}` or the end of the line, found `&`
            help: `&&` is the logical and; bits are combined with `Int.bit_and`
        4:13 parser.syntax.expected_tokens: expected `}` or the end of the line, found `|`
            help: `||` is the logical or; bits are combined with `Int.bit_or`
    "#]],
    );
}

#[test]
fn a_record_in_a_head_is_one_mistake() {
    check(
        "fn f(p: Point) -> Int = match Point { x: 1, y: 2 } with | Point { x, .. } -> x\nfn g() = 1",
        expect![[r#"
            (fn f (params (: p Point)) (-> Int) (match (record Point (x: 1) (y: 2)) (arm (Point record x ..) x)))
            (fn g (params) 1)
            1:31 parser.syntax.expected_tokens: a record before the body of `if`, `match`, `for` or `while` stands in parentheses
                note: without them, its brace would begin the body
                fix: write the parentheses: fn f(p: Point) -> Int = match (Point { x: 1, y: 2 }) with | Point { x, .. } -> x
        "#]],
    );
}
