//! Spellings of other languages: named, fixed, and read as meant.

use expect_test::expect;

use super::{check, check_expr};

#[test]
fn prime_identifiers() {
    check(
        "let ty' = x''\nlet c = 'x'\n",
        expect![[r#"
        (let ty_prime x_prime_prime)
        (let c 'x')
        1:5 parser.syntax.foreign_spelling: a name cannot contain `'`
            help: rename it, for example to `ty_prime`
            fix: write the prime as a word: let ty_prime = x''
        1:11 parser.syntax.foreign_spelling: a name cannot contain `'`
            help: rename it, for example to `x_prime_prime`
            fix: write the prime as a word: let ty' = x_prime_prime
    "#]],
    );
}

#[test]
fn end_after_arms() {
    check(
        "fn f(x) =
  match x with
  | A ->
    match x with
    | B -> 1
    end
  | C -> 2
  end
fn g() = 1
",
        expect![[r#"
            (fn f (params x) (match x (arm A (match x (arm B 1))) (arm C 2)))
            (fn g (params) 1)
            6:5 parser.syntax.foreign_spelling: a `match` is not closed with `end`
                note: its arms end where a line starts further left
                fix: remove `end`: 
            8:3 parser.syntax.foreign_spelling: a `match` is not closed with `end`
                note: its arms end where a line starts further left
                fix: remove `end`: 
        "#]],
    );
}

#[test]
fn not_is_a_bang() {
    check_expr(
        "not x && not (y)",
        expect![[r#"
        (&& (! x) (! y))
        1:1 parser.syntax.foreign_spelling: negation is written `!`, not `not`
            fix: write `!`: !x && not (y)
        1:10 parser.syntax.foreign_spelling: negation is written `!`, not `not`
            fix: write `!`: not x && !(y)
    "#]],
    );
    check_expr(
        "not(y)",
        expect![[r#"
        (call not y)
    "#]],
    );
}

#[test]
fn record_updates() {
    check_expr(
        "{ ...s, pos: 1 }",
        expect![[r#"
        (record (pos: 1) (.. s))
        1:3 parser.syntax.foreign_spelling: a record update is written with `..`, not `...`
            fix: write `..`: { ..s, pos: 1 }
    "#]],
    );
    check_expr(
        "{ s with pos = 1, line = 2 }",
        expect![[r#"
        (record (pos: 1) (line: 2) (.. s))
        1:5 parser.syntax.foreign_spelling: a record update is written `{ field: value, ..base }`
            fix: write it the Reml way: { pos = 1, line = 2, ..s }
    "#]],
    );
}

#[test]
fn let_rec_and_let_mut() {
    check(
        "let rec f(x) = f(x)\nlet rec p = q\nfn g() {\n  let mut x = 1\n  x := 2\n}\nlet h = rec f\n",
        expect![[r#"
        (fn f (params x) (call f x))
        (let p q)
        (fn g (params) (block (var x 1) (:= x 2) ()))
        (let h f)
        1:5 parser.syntax.foreign_spelling: `rec` is not a Reml word
            note: `let f(x) = ..` is recursive as it is
            fix: remove `rec`: let f(x) = f(x)
        2:5 parser.syntax.foreign_spelling: `rec` is not a Reml word
            note: `let f(x) = ..` is recursive as it is
            fix: remove `rec`: let p = q
        4:3 parser.syntax.foreign_spelling: a variable is declared with `var`, not `let mut`
            fix: write `var`: var x = 1
        7:9 parser.syntax.foreign_spelling: `rec` is not a Reml word
            note: names may refer to each other in any order
            fix: remove `rec`: let h = f
    "#]],
    );
}

#[test]
fn compound_assignment() {
    check(
        "fn f() {\n  x += 1\n  p.x -= y * 2\n}\n",
        expect![[r#"
        (fn f (params) (block (:= x (+ x 1)) (:= (. p x) (- (. p x) (* y 2))) ()))
        2:5 parser.syntax.foreign_spelling: there is no operator `+=`
            fix: write the assignment out: x := x + 1
        3:7 parser.syntax.foreign_spelling: there is no operator `-=`
            fix: write the assignment out: p.x := p.x - y * 2
    "#]],
    );
}

#[test]
fn chained_comparisons() {
    check_expr(
        "0 < x < 10",
        expect![[r#"
        (< <error> 10)
        1:7 parser.syntax.chained_comparison: comparisons cannot be chained: `< .. <`
            1:3 the first comparison
            fix: compare `x` twice: 0 < x && x < 10
    "#]],
    );
    check_expr(
        "a == b == c",
        expect![[r#"
            (== <error> c)
            1:8 parser.syntax.chained_comparison: comparisons cannot be chained: `== .. ==`
                1:3 the first comparison
                help: join two comparisons with `&&`
                fix: group the first comparison: (a == b) == c
        "#]],
    );
    check_expr(
        "f(x) <= g(x) <= h(x)",
        expect![[r#"
            (<= <error> (call h x))
            1:14 parser.syntax.chained_comparison: comparisons cannot be chained: `<= .. <=`
                1:6 the first comparison
                help: join two comparisons with `&&`
                fix: group the first comparison: (f(x) <= g(x)) <= h(x)
        "#]],
    );
    check_expr(
        "a < b == c < d",
        expect![[r#"
        (== (< a b) (< c d))
    "#]],
    );
}

#[test]
fn attributes_in_brackets() {
    check(
        "#[test]\n#[cfg(os = \"linux\")]\nfn f() = 1\n#[test\nfn g() = 2\n",
        expect![[r#"
            (fn (@test) (@cfg (os: "linux")) f (params) 1)
            <error>
            (fn g (params) 2)
            4:7 parser.syntax.expected_tokens: expected `]`, found the end of the line
        "#]],
    );
}
