//! Imports, visibility, and names shared between types.

use super::check;
use expect_test::expect;

#[test]
fn imports_bring_names() {
    check(
        "--- shapes
pub type Shape = | Circle(Int) | Square(Int)
pub fn area(s: Shape) -> Int = match s with | Circle(r) -> r | Square(w) -> w * w
fn secret() -> Int = 1
--- main
use shapes
use shapes.{Shape, area as surface, secret, missing}
use nowhere.x
use super.y
fn main() -> Int = surface(Shape.Circle(1)) + shapes.area(shapes.Square(2)) + missing()",
        expect![[r#"
            main:2:37 [language.visibility.private] `secret` is private to module `shapes`
            main:2:45 [language.use.unknown] module `shapes` has no `missing`
            main:3:5 [language.use.unknown] there is no module `nowhere`
            main:4:5 [language.use.invalid_super] module `main` has no module above it for `super`
        "#]],
    );
}

#[test]
fn operations_that_check_nothing_are_for_the_library() {
    check(
        "--- main
use Core.Prim
use Core.Prim.{array_get_unchecked}
fn a() -> Int = Prim.array_get_unchecked([1], 9)
fn b(xs: [Int]) -> Int = xs.array_get_unchecked(9)
fn c() -> Int = [1, 2] |> array_get_unchecked(9)
fn d() -> Int = Core.Lang.int_pow(2, 3)
fn main() = ()",
        expect![[r#"
            3:22 [language.visibility.private] `array_get_unchecked` is for the standard library only
            4:29 [language.name.unknown] `[Int]` has no method `array_get_unchecked`
            5:27 [language.visibility.private] `array_get_unchecked` is for the standard library only
        "#]],
    );
}

#[test]
fn a_record_of_the_expected_type_uses_its_import() {
    check(
        "--- c
pub type Limits = { most: Int = 1 }
pub fn within(limits: Limits) -> Int = limits.most
--- main
use c
use c.{Limits}
fn main() -> Int = c.within(Limits {})",
        expect![[""]],
    );
}

#[test]
fn unused_duplicate_and_circular_imports() {
    check(
        "--- a
use b.g
pub fn f() -> Int = g()
--- b
use a.f
pub fn g() -> Int = f()
--- c
pub fn h() -> Int = 1
pub fn i() -> Int = 1
--- main
use c.{h, i}
use c.h
fn main() -> Int = h()",
        expect![[r#"
            b:1:5 [language.use.cycle] modules import each other in a circle: a -> b -> a
            main:1:11 warning [language.use.unused] the import `i` is never used
            main:2:5 [language.use.duplicate] `h` is imported twice
        "#]],
    );
}

#[test]
fn constructors_that_the_expected_type_picks_use_their_import() {
    check(
        "--- m
pub type Case = { n: Int }
pub type Shape = Circle | Square
pub fn show(case: Case) -> Int = case.n
pub fn shape() -> Shape = Circle
--- main
use m.{Case, Circle, Square, shape, show}
fn main() -> Int = match shape() with | Circle -> show(Case { n: 1 }) | Square -> 2",
        expect![[r#""#]],
    );
}

#[test]
fn constructors_of_one_name() {
    check(
        "type A = | Node(Int) | Leaf
type B = | Node(Str) | Tip
fn a() -> A = Node(1)
fn b() -> B = Node(\"x\")
fn c(x: A) -> Int = match x with | Node(n) -> n | Leaf -> 0
fn d() = Node(1)
fn e() = A.Node(1)",
        expect![[r#"
            6:10 [language.name.ambiguous] `Node` is a constructor of several types, and nothing here tells which
        "#]],
    );
}

#[test]
fn two_definitions_of_a_name() {
    check(
        "fn f() -> Int = 1
fn f() -> Int = 2
let größe = 1
let größe = 2
type T = { x: Int }
type T = { y: Int }",
        expect![[r#"
            2:4 [language.name.duplicate] `f` is defined twice in this module
            4:5 [language.shadowing.unicode] `größe` is defined twice in this module
            6:6 [language.name.duplicate] `T` is defined twice in this module
        "#]],
    );
}
