//! Patterns (section 5.1).

use expect_test::{Expect, expect};

/// Parses `match x { PATTERN -> 0 }`.
fn check_pattern(src: &str, expect: Expect) {
    super::check_expr(&format!("match x {{ {src} -> 0 }}"), expect);
}

#[test]
fn simple_patterns() {
    check_pattern(
        "_",
        expect![[r#"
        (match x (arm _ 0))
    "#]],
    );
    check_pattern(
        "n",
        expect![[r#"
        (match x (arm n 0))
    "#]],
    );
    check_pattern(
        "None",
        expect![[r#"
        (match x (arm None 0))
    "#]],
    );
    check_pattern(
        "-1",
        expect![[r#"
        (match x (arm -1 0))
    "#]],
    );
    check_pattern(
        "(a, 1.5, 'c', \"s\", true, ())",
        expect![[r#"
        (match x (arm (tuple a 1.5 'c' "s" true ()) 0))
    "#]],
    );
    check_pattern(
        "Some(x)",
        expect![[r#"
        (match x (arm (Some x) 0))
    "#]],
    );
    check_pattern(
        "Shape.Circle(r)",
        expect![[r#"
        (match x (arm (Shape::Circle r) 0))
    "#]],
    );
    check_pattern(
        "Shape::Circle(r)",
        expect![[r#"
        (match x (arm (Shape::Circle r) 0))
    "#]],
    );
}

#[test]
fn records() {
    check_pattern(
        "{ x, y: Some(z), .. }",
        expect![[r#"
        (match x (arm (record x (y: (Some z)) ..) 0))
    "#]],
    );
    check_pattern(
        "Point { x, y }",
        expect![[r#"
        (match x (arm (Point record x y) 0))
    "#]],
    );
    check_pattern(
        "Named({ name, .. })",
        expect![[r#"
        (match x (arm (Named record name ..) 0))
    "#]],
    );
    check_pattern(
        "Pair({ a }, { b })",
        expect![[r#"
        (match x (arm (Pair (record a) (record b)) 0))
    "#]],
    );
    check_pattern(
        "Empty {}",
        expect![[r#"
        (match x (arm (Empty record) 0))
    "#]],
    );
}

#[test]
fn sequences() {
    check_pattern(
        "[]",
        expect![[r#"
        (match x (arm (slice) 0))
    "#]],
    );
    check_pattern(
        "[h, ..t]",
        expect![[r#"
        (match x (arm (slice h ..t) 0))
    "#]],
    );
    check_pattern(
        "[a, .., z]",
        expect![[r#"
        (match x (arm (slice a .. z) 0))
    "#]],
    );
    check_pattern(
        "h :: t",
        expect![[r#"
        (match x (arm (:: h t) 0))
    "#]],
    );
    check_pattern(
        "a :: b :: []",
        expect![[r#"
        (match x (arm (:: a (:: b (slice))) 0))
    "#]],
    );
}

#[test]
fn ranges() {
    check_pattern(
        "1..=10",
        expect![[r#"
        (match x (arm 1..=10 0))
    "#]],
    );
    check_pattern(
        "'a'..'z'",
        expect![[r#"
        (match x (arm 'a'..'z' 0))
    "#]],
    );
    check_pattern(
        "1..",
        expect![[r#"
        (match x (arm 1.. 0))
    "#]],
    );
    check_pattern(
        "..5",
        expect![[r#"
        (match x (arm ..5 0))
    "#]],
    );
    check_pattern(
        "..=-1",
        expect![[r#"
        (match x (arm ..=-1 0))
    "#]],
    );
}

#[test]
fn alternatives_and_aliases() {
    check_pattern(
        "A | B(x) | C",
        expect![[r#"
        (match x (arm (or A (B x) C) 0))
    "#]],
    );
    check_pattern(
        "Some(\"A\" | \"B\")",
        expect![[r#"
        (match x (arm (Some (or "A" "B")) 0))
    "#]],
    );
    check_pattern(
        "Some(x) as whole",
        expect![[r#"
        (match x (arm (as (Some x) whole) 0))
    "#]],
    );
    check_pattern(
        "whole @ Some(x)",
        expect![[r#"
        (match x (arm (as (Some x) whole) 0))
    "#]],
    );
    check_pattern(
        "r\"^\\d+$\" as digits",
        expect![[r#"
        (match x (arm (as r"^\\d+$" digits) 0))
    "#]],
    );
}

#[test]
fn active_patterns() {
    check_pattern(
        "(|Even|_|) n",
        expect![[r#"
        (match x (arm ((|Even|_|) n) 0))
    "#]],
    );
    check_pattern(
        "(|Parse|) (a, b)",
        expect![[r#"
        (match x (arm ((|Parse|) (tuple a b)) 0))
    "#]],
    );
    check_pattern(
        "(|Even|_|)",
        expect![[r#"
        (match x (arm ((|Even|_|)) 0))
    "#]],
    );
}

#[test]
fn guards_come_before_the_alias() {
    check_pattern(
        "Some(n) when n > 0 as whole",
        expect![[r#"
        (match x (arm (Some n) (when (> n 0)) (as whole) 0))
    "#]],
    );
    check_pattern(
        "n if n > 0",
        expect![[r#"
        (match x (arm n (if (> n 0)) 0))
    "#]],
    );
    check_pattern(
        "n when n as Int > 3",
        expect![[r#"
        (match x (arm n (when (> (as n Int) 3)) 0))
    "#]],
    );
}
