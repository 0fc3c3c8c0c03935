//! Traits, impls, operators and what holds structurally.

use super::{check, signatures};
use expect_test::expect;

#[test]
fn methods_are_found() {
    signatures(
        "trait Area { fn area(&self) -> Int; fn twice(&self) -> Int = self.area() * 2; }
type Square = { w: Int }
impl Area for Square { fn area(&self) -> Int = self.w * self.w }
impl<T: Area> Area for List<T> { fn area(&self) -> Int = self.fold(0, |sum, s| sum + s.area()) }
impl Square {
  pub fn new(w: Int) -> Square = { w: w, }
  pub fn grow(&mut self, by: Int) { self.w := self.w + by }
}
impl Add<Square, Square> for Square { fn add(self, rhs: Square) -> Square = Square.new(self.w + rhs.w) }
fn both<T>(a: T, b: T) -> Int where T: Area = a.area() + b.twice()
fn main() -> Int { var s = Square.new(1); s.grow(2); both(s, s + s) + [s].area() }",
        expect![[r#"
            twice(&T0) -> i64
            Area for Square.area(&Square) -> i64
            Area for List.area(&List<T0>) -> i64
            Square.new(i64) -> Square
            Square.grow(&mut Square, i64) -> ()
            Add for Square.add(Square, Square) -> Square
            both(T0, T0) -> i64
            main() -> i64
        "#]],
    );
}

#[test]
fn constants_belong_to_their_type() {
    signatures(
        "type Holder<T> = { held: Option<T> }
impl<T> Holder<T> {
  const EMPTY: Holder<T> = Holder { held: None }
  let Same: Self = Holder.EMPTY
}
impl u8 { const ANSWER: u8 = 42 }
impl i16 { const ANSWER: i16 = 43 }
fn main() -> (Holder<Str>, u8, i16) = (Holder.Same, u8.ANSWER, i16.ANSWER)",
        expect![[r#"
            Holder.EMPTY() -> Holder<T0>
            Holder.Same() -> Holder<T0>
            u8.ANSWER() -> u8
            i16.ANSWER() -> i16
            main() -> (Holder<Str>, u8, i16)
        "#]],
    );
    check(
        "impl u8 { const ANSWER: u8 = 42; let (a, b) = (1, 2) }
fn main() -> u8 = u8.ANSWERS + i8.ANSWER",
        expect![[r#"
            1:38 [parser.syntax.expected_tokens] a constant of an `impl` has one name
            2:22 [language.name.unknown] `u8` has no `ANSWERS`
                fix: did you mean `ANSWER`? `ANSWER`
            2:35 [language.name.unknown] `i8` has no `ANSWER`
        "#]],
    );
}

#[test]
fn conditions_that_do_not_hold() {
    check(
        "fn show<T>(x: T) -> Str = x.to_string()
fn less<T>(a: T, b: T) -> Bool = a < b
fn same(f: Int -> Int, g: Int -> Int) -> Bool = f == g
type Holder = { f: Int -> Int }
fn held(a: Holder, b: Holder) -> Bool = a == b
trait Area { fn area(self) -> Int; }
fn total<T: Area>(x: T) -> Int = x.area()
fn main() -> Int = total(1)",
        expect![[r#"
            1:27 [typeclass.impl.missing] `T` does not implement `Display`
            2:34 [typeclass.impl.missing] `T` does not implement `Ord`
            3:49 [typeclass.impl.missing] `(Int) -> Int` does not implement `Eq`
            5:41 [typeclass.impl.missing] `Holder` does not implement `Eq`
            8:20 [typeclass.impl.missing] `Int` does not implement `Area`
        "#]],
    );
}

#[test]
fn receivers_may_be_views() {
    check(
        "trait Area { fn area(&self) -> Int; fn size(self) -> Int; fn grow(&mut self); }
impl Area for Int {
  fn area(self) -> Int = self
  fn size(&self) -> Int = 1
  fn grow(&mut self) { self := 2 }
}
impl Area for Str {
  fn area(&mut self) -> Int = 1
  fn size(self) -> Int = 1
  fn grow(self) { }
}",
        expect![[r#"
            8:11 [typeclass.impl.signature_mismatch] method `area` has `&mut Str` here, but `&Str` in its trait
                fix: write `&self`, as the trait does: it says whether the method changes the value `&self`
            10:11 [typeclass.impl.signature_mismatch] method `grow` has `Str` here, but `&mut Str` in its trait
                fix: write `&mut self`, as the trait does: it says whether the method changes the value `&mut self`
        "#]],
    );
}

#[test]
fn impls_as_a_whole() {
    check(
        "trait Area { fn area(self) -> Int; }
impl Area for Int { fn area(self) -> Int = 1 }
impl Area for Int { fn area(self) -> Int = 2 }
impl Area for Str { fn are(self) -> Int = 1 }
impl Area for Bool { fn area(self) -> Str = \"\" }
impl Display for Int { fn to_string(&self) -> Str = \"\" }
trait Named: Area { fn name(self) -> Str; }
impl Named for Char { fn name(self) -> Str = \"\" }
@derive(Eq, Copy)
type P = { x: Int }",
        expect![[r#"
            3:15 [typeclass.impl.duplicate] `Area` is implemented twice for `Int`
            4:15 [typeclass.impl.incomplete] this impl of `Area` lacks the method `area`
            4:24 [typeclass.impl.signature_mismatch] trait `Area` has no method `are`
                fix: did you mean `area`? `area`
            5:25 [typeclass.impl.signature_mismatch] method `area` has `Str` here, but `Int` in its trait
            6:18 [typeclass.impl.orphan] neither `Display` nor `Int` is declared in this package
            8:16 [typeclass.impl.missing] `Char` does not implement `Area`
            9:13 [typeclass.derive.invalid] `Copy` cannot be derived
        "#]],
    );
}
