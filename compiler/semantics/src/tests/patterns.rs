//! Patterns against the values they match.

use super::{check, signatures};
use expect_test::expect;

#[test]
fn every_kind_of_pattern() {
    signatures(
        "type Point = { x: Int, y: Int }
type Shape = | Circle(Int) | Named(name: Str, size: Int)
pattern (|Even|_|)(n: Int) -> Option<Int> = if n % 2 == 0 then Some(n) else None
fn a(p: Point) -> Int = match p with | { x: 0, .. } -> 0 | Point { x, y } -> x + y
fn b(s: Shape) -> Int = match s with | Circle(r) -> r | Named { size, .. } -> size
fn c(xs: List<Int>) -> Int = match xs with | [] -> 0 | [x] -> x | h :: _ -> h
fn d(xs: [Int]) -> Int = match xs with | [first, .., last] -> first + last | _ -> 0
fn e(n: Int) -> Int = match n with | 1..=9 -> 1 | (|Even|_|) m -> m | 10 | 11 as k -> k | x when x > 5 -> x | _ -> 0
fn f(t: Str) -> Str = match t with | r\"^(?<year>[0-9]+)$\" -> year | whole -> whole
fn g(c: Char) -> Bool = match c with | 'a'..='z' | 'A'..='Z' -> true | _ -> false",
        expect![[r#"
            Even(i64) -> Option<i64>
            a(Point) -> i64
            b(Shape) -> i64
            c(List<i64>) -> i64
            d([i64]) -> i64
            e(i64) -> i64
            f(Str) -> Str
            g(Char) -> Bool
        "#]],
    );
}

#[test]
fn patterns_that_do_not_fit() {
    check(
        "fn a(x: Option<Int>) -> Int = match x with | Some(a, b) -> a | None -> 0
fn b(x: (Int, Int)) -> Int = match x with | (a, a) -> a
fn c(x: Int) -> Int = match x with | 9..=1 -> 1 | _ -> 0
fn d(x: Str) -> Int = match x with | 1..=9 -> 1 | _ -> 0
fn e(x: Int) -> Int = match x with | [a] -> a | _ -> 0
fn f(x: [Int]) -> Int = match x with | [.., 1, ..] -> 1 | _ -> 0
fn g(x: Int) -> Int = match x with | r\"a\" -> 1 | _ -> 0
fn h(x: Str) -> Int = match x with | r\"(\" -> 1 | _ -> 0
fn i(x: (Int, Int)) -> Int = match x with | (a, 1) | (1, b) -> 1 | _ -> 0
fn j(x: Int) -> Int = match x with | n if n > 1 -> 1 | _ -> 0
fn k(x: Int) -> Int = match x with | \"s\" -> 1 | _ -> 0",
        expect![[r#"
            1:46 [pattern.constructor.arity] `Some` has 1 field, but the pattern has 2
            2:49 [pattern.binding.duplicate_name] the pattern binds `a` twice
            3:38 [pattern.range.bound_inverted] this range is empty: its start is after its end
            4:38 [pattern.range.type_mismatch] a range pattern compares numbers or characters, but the value is `Str`
            5:38 [pattern.slice.type_mismatch] a slice pattern matches an array or a list, but the value is `Int`
            6:48 [pattern.slice.multiple_rest] a slice pattern can have only one `..`
            7:38 [pattern.regex.unsupported_target] a regex pattern matches text or bytes, but the value is `Int`
            8:38 [pattern.regex.invalid_syntax] invalid regex: `(` without `)`
            9:54 [pattern.or.binding_mismatch] the alternatives do not all bind `a`
            9:58 [pattern.or.binding_mismatch] the alternatives do not all bind `b`
            10:40 warning [pattern.guard.if_deprecated] a guard is written with `when`
                fix: write `when` instead of `if` `when`
            11:38 [type.mismatch] this pattern matches `Str`, but the value is `Int`
        "#]],
    );
}

#[test]
fn active_patterns_keep_their_contract() {
    check(
        "pattern (|Odd|_|)(n: Int) -> Int = n
@pure
pattern (|Loud|_|)(n: Int) -> Option<Int> = { println(\"x\"); Some(n) }",
        expect![[r#"
            1:30 [pattern.active.return_contract_invalid] the partial pattern `(|Odd|_|)` must return an `Option`, found `Int`
            3:47 [pattern.active.effect_violation] `Loud` is `@pure`, but `println` has the effect `{io}`
        "#]],
    );
}
