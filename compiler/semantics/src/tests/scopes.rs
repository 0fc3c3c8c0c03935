//! Declarations inside of functions, defaults of fields, constants of impls, changed variables of modules.

use expect_test::expect;

use super::{check, signatures};

#[test]
fn local_types_are_seen_in_their_block_only() {
    check(
        "
fn f() -> i64 {
  type Local = { v: i64 }
  impl Local { fn get(self) -> i64 = self.v }
  const N: i64 = 2
  let l = Local { v: N }
  l.get()
}
fn g() {
  let l = Local { v: 1 }
}
fn h<T>(x: T) {
  struct Holder { value: T }
}
",
        expect![[r#"
            10:11 [language.name.unknown] there is no `Local` in scope
            13:26 [language.type.unknown] there is no type `T`
        "#]],
    );
}

#[test]
fn local_types_of_one_name_are_different() {
    signatures(
        "
fn f() -> i64 {
  type Local = A | B(i64)
  match B(1) with
  | A -> 0
  | B(n) -> n
}
fn g() -> i64 {
  enum Local = A(i64)
  let A(n) = A(3)
  n
}
",
        expect![[r#"
            f() -> i64
            g() -> i64
        "#]],
    );
}

#[test]
fn fields_left_out_have_their_defaults() {
    check(
        "
type Options = { name: Str, retries: i64 = 3 }
type Shape = Circle { r: i64 = 1 } | Rect(w: i64 = 1, h: i64)
let a: Options = { name: \"x\" }
let b = Options { retries: 1 }
let c = Rect(h: 2)
let d = Rect(w: 2)
struct Wrong { n: i64 = \"text\" }
",
        expect![[r#"
            5:9 [type.record.literal.missing_field] `Options` lacks the field `name`
            7:9 [language.arity.mismatch] constructor `Rect` takes 2 arguments, but 1 is given
            8:25 [type.mismatch] expected `Int`, found `Str`
        "#]],
    );
}

#[test]
fn impls_have_constants() {
    signatures(
        "
struct M { c: i64 }
impl M {
  let zero: M = M { c: 0 }
}
fn M.plus(a: M, b: M) -> M = M { c: a.c }
fn f() = M.zero.plus(M.zero).c
",
        expect![[r#"
            M.zero() -> M
            plus(M, M) -> M
            f() -> i64
        "#]],
    );
}

#[test]
fn variables_of_modules_are_passed_to_be_changed() {
    signatures(
        "
var count: i64 = 0
fn bump(n: &mut i64) { n := *n }
fn f() { bump(&mut count) }
",
        expect![[r#"
            bump(&mut i64) -> ()
            f() -> () ! {mut}
            let count: __Cell<i64>
        "#]],
    );
}

#[test]
fn conditions_are_decided_before_names() {
    check(
        "
@cfg(feature = \"fast\")
fn f() = 1
@cfg(not(feature = \"fast\"))
fn f() = missing
@cfg(feature = \"fast\")
fn only() = 2
@cfg(target_oss = \"linux\")
fn g() = 3
fn h() = only() + g()
@cfg(all(has_target_profile, profile_id = \"x\"))
fn i() = 4
@cfg(any(profile_id = \"x\", feature = \"y\"))
fn j() = 5
",
        expect![[r#"
            5:10 [language.name.unknown] there is no `missing` in scope
            8:6 [target.config.unknown_key] targets have no property `target_oss`
                fix: did you mean `target_os`? `target_os`
            10:10 [unresolved.symbol.cfg] `only` is not there for this target
            13:23 [target.profile.missing] this asks for the target profile, and there is none
        "#]],
    );
}
