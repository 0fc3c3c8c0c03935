//! Types, generics and effects in signatures.

use expect_test::{Expect, expect};

fn check_type(src: &str, expect: Expect) {
    super::check(&format!("type alias X = {src}"), expect);
}

#[test]
fn composite_types() {
    check_type(
        "Int",
        expect![[r#"
        (alias X Int)
    "#]],
    );
    check_type(
        "Map<Str, List<List<Int>>>",
        expect![[r#"
        (alias X (Map Str (List (List Int))))
    "#]],
    );
    check_type(
        "(Int, Str)",
        expect![[r#"
        (alias X (tuple Int Str))
    "#]],
    );
    check_type(
        "()",
        expect![[r#"
        (alias X ())
    "#]],
    );
    check_type(
        "(Int)",
        expect![[r#"
        (alias X Int)
    "#]],
    );
    check_type(
        "[Int]",
        expect![[r#"
        (alias X (array Int))
    "#]],
    );
    check_type(
        "[Int; 4]",
        expect![[r#"
        (alias X (array Int 4))
    "#]],
    );
    check_type(
        "{ x: Int, y: Str, }",
        expect![[r#"
        (alias X (record (x: Int) (y: Str)))
    "#]],
    );
    check_type(
        "&Int",
        expect![[r#"
        (alias X (& Int))
    "#]],
    );
    check_type(
        "&mut [Int]",
        expect![[r#"
        (alias X (&mut (array Int)))
    "#]],
    );
    check_type(
        "_",
        expect![[r#"
        (alias X _)
    "#]],
    );
}

#[test]
fn function_types() {
    check_type(
        "(Int, Str) -> Bool ! {io, panic}",
        expect![[r#"
        (alias X (fn (params Int Str) Bool (! io panic)))
    "#]],
    );
    check_type(
        "fn(A) -> B",
        expect![[r#"
        (alias X (fn (params A) B))
    "#]],
    );
    check_type(
        "A -> B -> C",
        expect![[r#"
        (alias X (fn (params A) (fn (params B) C)))
    "#]],
    );
    check_type(
        "() -> ()",
        expect![[r#"
        (alias X (fn (params) ()))
    "#]],
    );
    check_type(
        "(x: Int) -> Int",
        expect![[r#"
        (alias X (fn (params Int) Int))
    "#]],
    );
    check_type(
        "List<(A) -> B>",
        expect![[r#"
        (alias X (List (fn (params A) B)))
    "#]],
    );
}

#[test]
fn effects_of_functions() {
    super::check(
        "fn a() -> Int ! {io, io.async} = 1
fn b() -> Int !{} = 1
fn c() with State<Int>, Except<E> = 1
fn d<T: Show + Eq>(x: T) -> T where T: Hash, Add<T, T, T> !{io} { x }
fn e() ! {unsafe, ffi} { 1 }
fn f() -> (Int) -> Int = g
fn reload<T>(a: T)
  -> Result<T, E>
  where T: Show
  !{io} =
  a
",
        expect![[r#"
            (fn a (params) (-> Int) (! io io::async) 1)
            (fn b (params) (-> Int) (!) 1)
            (fn c (params) (! (State Int) (Except E)) 1)
            (fn d (generics (T Show Eq)) (params (: x T)) (-> T) (! io) (where (bound T Hash) (Add T T T)) (block x))
            (fn e (params) (! unsafe ffi) (block 1))
            (fn f (params) (-> (fn (params Int) Int)) g)
            (fn reload (generics T) (params (: a T)) (-> (Result T E)) (! io) (where (bound T Show)) a)
        "#]],
    );
}
