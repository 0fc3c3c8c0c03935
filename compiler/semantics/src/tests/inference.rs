//! Types that nobody wrote.

use super::{check, signatures};
use expect_test::expect;

#[test]
fn unannotated_functions_are_generalised() {
    signatures(
        "fn id(x) = x
fn compose(f, g) = |x| g(f(x))
fn first(p) = match p with | (a, _) -> a
fn add(a, b) = a + b
fn main() { id(1); id(\"a\"); add(1.5, 2.0); add(1, 2); compose(id, id)(1); first((1, 2)); () }",
        expect![[r#"
            id(T0) -> T0
            compose(((T0) -> T1), ((T1) -> T2)) -> ((T0) -> T2)
            first((T0, T1)) -> T0
            add(T0, T0) -> T1
            main() -> ()
        "#]],
    );
}

#[test]
fn mutually_recursive_functions_are_inferred_together() {
    signatures(
        "fn is_even(n) = if n == 0 then true else is_odd(n - 1)
fn is_odd(n) = if n == 0 then false else is_even(n - 1)",
        expect![[r#"
            is_even(i64) -> Bool
            is_odd(i64) -> Bool
        "#]],
    );
}

#[test]
fn fields_of_parameters_are_known_from_uses() {
    signatures(
        "fn name_of(p) = p.name
fn main() -> Str = name_of({ name: \"a\", age: 1 })",
        expect![[r#"
            name_of({age: i64, name: Str}) -> Str
            main() -> Str
        "#]],
    );
}

#[test]
fn literals_take_the_type_that_is_expected() {
    signatures(
        "let a: f32 = 10
let b: u8 = 0xFF
let c = 1
let d = 2.5
let e = 1 + 2.5
let f: [f32; 2] = [1, 2]
let g: List<Int> = [1, 2]
let h = [1, 2]
fn i(x: u8) -> u8 = x + 1",
        expect![[r#"
            i(u8) -> u8
            let a: f32
            let b: u8
            let c: i64
            let d: f64
            let e: f64
            let f: [f32; 2]
            let g: List<i64>
            let h: [i64]
        "#]],
    );
}

#[test]
fn array_literals_become_lists_where_uses_tell() {
    signatures(
        "fn tail(xs: List<Int>) = match xs with | [] -> [] | _ -> Cons(1, xs)
fn pairs() = [(\"a\", [1]), (\"b\", [])]
fn total(xs: List<Int>) -> Int = List.fold(xs, 0, |a, b| a + b)
fn main() -> Int { let xs = [1, 2]; total(xs) }",
        expect![[r#"
            tail(List<i64>) -> List<i64>
            pairs() -> [(Str, [i64])]
            total(List<i64>) -> i64
            main() -> i64
        "#]],
    );
}

#[test]
fn local_functions_are_generic_when_they_capture_nothing() {
    signatures(
        "fn main() -> (Int, Str) {
  let id = |x| x
  fn twice(f, x) = f(f(x))
  let n = 1
  fn plus(m: Int) -> Int = m + n
  (id(twice(plus, 3)), id(\"s\"))
}",
        expect![[r#"
            main() -> (i64, Str)
            main.id(T0) -> T0
            main.twice(((T0) -> T0), T0) -> T0
        "#]],
    );
}

#[test]
fn methods_of_parameters_become_conditions() {
    signatures(
        "trait Area { fn area(&self) -> Int; }
impl Area for Int { fn area(&self) -> Int = 1 }
fn total(a, b) = a.area() + b.area()
fn shown(xs) = List.map(xs, |x| x.to_string())
fn main() -> Int { shown(Nil); total(1, 2) }",
        expect![[r#"
            Area for Int.area(&i64) -> i64
            total(T0, T1) -> i64
            shown(List<T0>) -> List<Str>
            main() -> i64
        "#]],
    );
}

#[test]
fn variables_of_a_module_live_in_cells() {
    signatures(
        "var count = 0
var state = { at: [1, 2] }
let fixed = count
fn tick() -> Int { count := count + 1; state.at[0] := count; count }",
        expect![[r#"
            tick() -> i64 ! {mut, panic}
            let count: __Cell<i64>
            let state: __Cell<{at: [i64]}>
            let fixed: i64
        "#]],
    );
}

#[test]
fn the_value_restriction() {
    check(
        "fn make<T>() -> List<T> = Nil
let nil = Nil
let made = make()
fn main() { let a: List<Int> = nil; let b: List<Str> = nil }",
        expect![[r#"
            3:5 [language.inference.value_restriction] the type of `made` stays open: `List<_>`
        "#]],
    );
}

#[test]
fn branches_of_an_unannotated_function_agree() {
    check(
        "fn f(x) = if x then 1 else \"s\"",
        expect![[r#"
        1:28 [language.inference.return_conflict] the branches of this function give different types: `{integer}` and `Str`
    "#]],
    );
}

#[test]
fn an_empty_array_needs_a_type() {
    check(
        "fn main() { let xs = [] }",
        expect![[r#"
        1:22 [type.array.literal.empty_requires_annotation] nothing tells the element type of this empty array
    "#]],
    );
}

#[test]
fn references_are_taken_and_read_silently() {
    signatures(
        "fn show(text: &Str) -> Int = text.len()
fn grow(n: &mut Int) { n := n + 1 }
fn main() -> Int { var n = 1; grow(n); grow(&mut n); show(\"a\") + show(&\"b\") + n }
fn lens(xs: List<Str>) -> List<Int> = List.map(xs, Str.len)",
        expect![[r#"
            show(&Str) -> i64
            grow(&mut i64) -> ()
            main() -> i64
            lens(List<Str>) -> List<i64>
        "#]],
    );
}

#[test]
fn failures_that_only_a_question_mark_tells() {
    signatures(
        "type Oops = { code: Int }
fn step(n: Int) -> Result<Int, Oops> = Ok(n)
fn done(n: Int) -> Result<(), Oops> = Ok(())
fn twice() {
  done(1)?
  done(2)?
}
fn sum() = {
  let a = step(1)?
  Ok(a + step(2)?)
}",
        expect![[r#"
            step(i64) -> Result<i64, Oops>
            done(i64) -> Result<(), Oops>
            twice() -> Result<(), Oops>
            sum() -> Result<i64, Oops>
        "#]],
    );
}
