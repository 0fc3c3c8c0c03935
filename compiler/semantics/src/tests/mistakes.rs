//! Wrong programs: each mistake once, in the user's terms, and nothing that follows from it.

use super::check;
use expect_test::expect;

#[test]
fn types_that_do_not_fit() {
    check(
        "fn a() -> Int = \"text\"
fn b() -> Int = 1 + \"a\"
fn c(x: Int) -> Str = x
fn d() -> Bool = if 1 then true else false
fn e() -> Int = if true then 1 else \"no\"
fn f() -> Int { let x: Str = 5; 1 }
fn g(xs: [Int]) -> Str = xs[0]
fn h() -> Int = 3.5
fn i() -> u8 = 300
fn j() -> List<Int> = List.map([1], |x| x + \"a\")
fn k() -> Int = (1)(2)
fn l(x: Str) -> Bool = x == 1
fn m(x: Str) -> Int = x as Int
fn n() -> Int = [1, \"b\"][0]",
        expect![[r#"
            1:17 [type.mismatch] expected `Int`, found `Str`
            2:21 [type.mismatch] expected `Int`, found `Str`
            3:23 [type.mismatch] expected `Str`, found `Int`
            4:21 [type.mismatch] a condition is a `Bool`, found `{integer}`
            5:37 [type.mismatch] expected `Int`, found `Str`
            6:30 [type.mismatch] expected `Str`, found `{integer}`
            7:26 [type.mismatch] expected `Str`, found `Int`
            8:17 [type.mismatch] expected `Int`, found `{float}`
            9:16 [type.literal.out_of_range] 300 does not fit into `u8`
            10:45 [type.mismatch] expected `{integer}`, found `Str`
            11:17 [type.not_callable] this is `Int`, which cannot be called
            12:29 [type.mismatch] expected `Str`, found `{integer}`
            13:23 [type.cast.invalid] `as` cannot turn `Str` into `Int`
            14:21 [type.array.literal.element_mismatch] expected `{integer}`, found `Str`
        "#]],
    );
}

#[test]
fn names_that_do_not_exist() {
    check(
        "fn a() -> Int = lenght
let length = 1
fn b(x: Foo) -> Lisst<Int> = x
fn c(x: Int) -> Int = x.no_such_method()
fn d(x: Option<Int>) -> Int = match x with | Sme(n) -> n | None -> 0
fn e() -> Int = List.fodl(Nil, 0, |a, b| a)
type P = { width: Int }
fn f(p: P) -> Int = p.widht
fn g() -> P = P { widht: 1 }",
        expect![[r#"
            1:17 [language.name.unknown] there is no `lenght` in scope
                fix: did you mean `length`? `length`
            3:9 [language.type.unknown] there is no type `Foo`
            3:17 [language.type.unknown] there is no type `Lisst`
                fix: did you mean `List`? `List`
            4:25 [language.name.unknown] `Int` has no method `no_such_method`
            5:46 [language.name.unknown] `Option` has no constructor `Sme`
                fix: did you mean `Some`? `Some`
            6:22 [language.name.unknown] `List` has no `fodl`
                fix: did you mean `fold`? `fold`
            8:23 [type.record.access.unknown_field] `P` has no field `widht`
                fix: did you mean `width`? `width`
            9:19 [type.record.literal.unknown_field] `P` has no field `widht`
                fix: did you mean `width`? `width`
        "#]],
    );
}

#[test]
fn calls_with_wrong_arguments() {
    check(
        "fn add(a: Int, b: Int = 1) -> Int = a + b
fn a() -> Int = add()
fn b() -> Int = add(1, 2, 3)
fn c() -> Int = add(1, c = 2)
fn d() -> Int = add(b = 1, a = 2)
fn e() -> Int = add(1, a = 2)
fn f(x: Int) -> Int = x(1)",
        expect![[r#"
            2:17 [language.arity.mismatch] function `add` takes at least 1 arguments, but 0 are given
            3:17 [language.arity.mismatch] function `add` takes 2 arguments, but 3 are given
            4:24 [language.argument.unknown_name] there is no parameter named `c`
                fix: did you mean `a`? `a`
            6:28 [language.name.duplicate] the argument `a` is given twice
            7:23 [type.not_callable] this is `Int`, which cannot be called
        "#]],
    );
}

#[test]
fn calls_of_values_that_are_no_functions() {
    check(
        "struct Pair { x: Int }
impl Pair { fn call(self, both: (Int, Str)) -> Int = self.x }
struct Plain { x: Int }
struct Named { pair: Pair, plain: Plain }
fn a(p: Pair) -> Int = p(1, \"b\")
fn b(p: Pair) -> Int = p(1)
fn c(p: Pair) -> Int = p(1, 2, 3)
fn d(p: Pair) -> Int = p(x: 1, y: \"b\")
fn e(p: Plain) -> Int = p(1)
fn f(n: Named) -> Int = n.pair(1, \"b\")
fn g(n: Named) -> Int = n.plain(1)",
        expect![[r#"
            6:26 [type.mismatch] method `call` expects `(Int, Str)` for `both`, found `{integer}`
            7:24 [type.mismatch] method `call` expects `(Int, Str)` for `both`, found `({integer}, {integer}, {integer})`
            8:26 [language.argument.unknown_name] there is no parameter named `x`
            8:32 [language.argument.unknown_name] there is no parameter named `y`
            9:25 [type.not_callable] this is `Plain`, which cannot be called
            11:27 [language.name.unknown] `Named` has no method `plain`
        "#]],
    );
}

#[test]
fn one_mistake_is_reported_once() {
    check(
        "fn main() {
  let a = unknown
  let b = a + 1
  let c = b.foo(a)
  for x in c { println(\"{x} {b}\") }
  match c with | Some(n) -> n | None -> a
}",
        expect![[r#"
            2:11 [language.name.unknown] there is no `unknown` in scope
        "#]],
    );
}

#[test]
fn assignments_and_loops() {
    check(
        "fn a() { let x = 1; x := 2 }
fn b(x: Int) { x := 2 }
fn c() { var x = 1; x := \"s\" }
fn d() { break }
fn e() -> Int { return 1; 2 }
fn f() { for x in 5 { x } }
fn g() -> Int = loop { break \"x\" }
fn h() { 1 := 2 }",
        expect![[r#"
            1:21 [language.assign.immutable] `x` is not a `var`, so it cannot be changed
            2:16 [language.assign.immutable] `x` is not a `var`, so it cannot be changed
            3:26 [type.mismatch] expected `{integer}`, found `Str`
            4:10 [language.control_flow.outside_loop] `break` stands outside of a loop
            5:27 [language.control_flow.unreachable] this code is never reached
            6:19 [language.iterator.expected] `for` cannot go through `Int`
            7:30 [type.mismatch] expected `Int`, found `Str`
            8:10 [language.assign.invalid_place] this cannot be assigned to
        "#]],
    );
}

#[test]
fn formats() {
    check(
        "fn main() {
  println(\"{} {}\", 1)
  println(\"{}\", 1, 2)
  println(\"{missing}\")
  println(\"{:q}\", 1)
  println(\"{:x}\", 1.5)
  println(\"{\")
  println(\"%d %d\", [1])
}",
        expect![[r#"
            2:11 [language.format.invalid] the format uses argument 2, but 1 argument is given
            3:20 [language.format.invalid] this argument is not used by the format
            4:13 [language.name.unknown] there is no `missing` in scope
            5:11 [language.format.invalid] `q` is not a format; `x X b o e ?` are
            6:19 [language.format.invalid] this format prints an integer, found `Float`
            7:11 [language.format.invalid] `{` without `}` in a format
            8:11 [language.format.invalid] the format has 2 placeholders, but 1 value is given
        "#]],
    );
}

#[test]
fn the_question_mark() {
    check(
        "fn a(x: Option<Int>) -> Result<Int, Str> = Ok(x?)
fn b(x: Result<Int, Int>) -> Result<Int, Str> = Ok(x?)
fn c(x: Int) -> Option<Int> = Some(x?)",
        expect![[r#"
            1:47 [language.try.invalid] `?` on `Option` needs a function that returns `Option`, but this one returns `Result<Int, Str>`
            2:52 [type.mismatch] `?` fails with `Int`, but this function fails with `Str`
            3:36 [language.try.invalid] `?` works on `Result` and `Option`, found `Int`
        "#]],
    );
}

#[test]
fn initialisation_in_a_circle() {
    check(
        "let a = b + 1
let b = f()
fn f() -> Int = a
let c = |x| d(x)
let d = |x: Int| if x == 0 then 0 else c(x - 1)",
        expect![[r#"
            1:5 [language.init.cycle] `a` needs itself to be initialised: a -> b -> f -> a
        "#]],
    );
}

#[test]
fn recursion_without_end() {
    check(
        "type T = { next: T }
type A = new B
type B = { a: (Int, A) }
type C = { next: Option<C> }
type N<T> = Nil | Deep(T, N<(T, T)>)
type P<T> = None | Some(Q<[T]>)
type Q<T> = { items: P<T>, flat: [Q<T>] }
fn f<T>(x: T, n: Int) -> Int = if n == 0 then 0 else f((x, x), n - 1)
fn g<T>(x: T, n: Int) -> Int = if n == 0 then 0 else g(x, n - 1)",
        expect![[r#"
            1:6 [type.recursive_without_indirection] a value of `T` would hold another one inside, without end
            2:6 [type.recursive_without_indirection] a value of `A` would hold another one inside, without end
            5:19 [type.polymorphic_recursion] `N` holds itself with an ever larger type
            6:20 [type.polymorphic_recursion] `P` holds itself with an ever larger type
            8:54 [type.polymorphic_recursion] `f` calls itself with an ever larger type
        "#]],
    );
}
