//! Items.

use expect_test::expect;

use super::check;

#[test]
fn header_and_uses() {
    check(
        "//! About the module.
//! More.
module app.main

use ::Core.Parse
use self.x
use super.super.y
use Core.Parse.{Lex, Op as Operator, Inner.{A, B}}
use X as Y
pub use A::b::C
use Core.Prelude.Result::{self, Result}
use Core.Parse.{then, match as matches}
",
        expect![[r#"
            (module app::main)
            (use ::Core::Parse)
            (use self::x)
            (use super::super::y)
            (use (Core::Parse Lex Op as Operator (Inner A B)))
            (use X as Y)
            (use pub A::b::C)
            (use (Core::Prelude::Result self Result))
            (use (Core::Parse then match as matches))
        "#]],
    );
}

#[test]
fn type_declarations() {
    check(
        "type Expr = Num(Int) | Add(Expr, Expr) | Nil
type Shape =
  | Circle(Float)
  | Rect { w: Float, h: Float }
  | Named({ name: Str })
  | Let(name: Str, value: Expr)
type Id = new Int
type P<T> = { x: T }
type alias A = Int
type B = Map<Str, Int>
type C = Single
type D = core.Thing
type E = (A) -> B
type F = A -> B
type G = int
enum H = Low | High
enum I { Low, High(Int) }
struct J { a: Int }
struct K;
struct L
struct M<T: Show> = { a: T }
type AuditEnvelope = new { id: Str }
",
        expect![[r#"
            (sum Expr (Num Int) (Add Expr Expr) Nil)
            (sum Shape (Circle Float) (Rect (w: Float) (h: Float)) (Named (name: Str)) (Let (name: Str) (value: Expr)))
            (newtype Id Int)
            (record-type P (generics T) (x: T))
            (alias A Int)
            (alias B (Map Str Int))
            (sum C Single)
            (alias D core::Thing)
            (alias E (fn (params A) B))
            (alias F (fn (params A) B))
            (alias G int)
            (sum H Low High)
            (sum I Low (High Int))
            (record-type J (a: Int))
            (unit-type K)
            (unit-type L)
            (record-type M (generics (T Show)) (a: T))
            (newtype AuditEnvelope (record (id: Str)))
        "#]],
    );
}

#[test]
fn documentation_is_kept() {
    check(
        "/// A shape.
/// Second line.
@derive(Eq)
pub type Shape =
  /// round
  | Circle
  | /// not round
    Rect

//// not documentation
fn f() = 1

@pure
/// after the attribute
fn g() = 1
",
        expect![[r#"
            (sum (@derive Eq) (docs "A shape.\nSecond line.") pub Shape (Circle (docs "round")) (Rect (docs "not round")))
            (fn f (params) 1)
            (fn (@pure) (docs "after the attribute") g (params) 1)
        "#]],
    );
}

#[test]
fn functions() {
    check(
        "fn a(x: Int, y = 1, (p, q): (Int, Int)) -> Int = x
async fn b() { await c() }
fn Point.length(self) -> Float = 1.0
let id<A>(x: A) -> A = x
let f(x) = x
let (a, b) = pair
var counter = 0
const LIMIT: Int = 3
pub fn then<A, B>(p: A, q: B) = p
pattern (|Even|_|)(n: Int) -> Option<Int> = if n % 2 == 0 then Some(n) else None
pattern (|Twice|)(n) = n * 2
",
        expect![[r#"
            (fn a (params (: x Int) (: y (= 1)) (: (tuple p q) (tuple Int Int))) (-> Int) x)
            (async-fn b (params) (block (await (call c))))
            (fn Point::length (params self) (-> Float) 1.0)
            (fn id (generics A) (params (: x A)) (-> A) x)
            (fn f (params x) x)
            (let (tuple a b) pair)
            (var counter 0)
            (const LIMIT (: Int) 3)
            (fn pub then (generics A B) (params (: p A) (: q B)) p)
            (partial-pattern Even (params (: n Int)) (-> (Option Int)) (if (== (% n 2) 0) (call Some n) None))
            (pattern Twice (params n) (* n 2))
        "#]],
    );
}

#[test]
fn traits_and_impls() {
    check(
        "trait Ord<A>: Eq<A> where A: Show {
  fn compare(self, other: A) -> Ordering
  fn less(&self, other: A) -> Bool = true;
  /// Documented.
  fn more(&mut self) { false }
}
trait Marker {}
impl Marker for Int {}
impl<T> Show for List<T> where T: Show {
  fn show(self) -> Str = \"x\"
  pub fn len(&self) -> Int {
    3
  }
  let zero = 0
}
impl Point { fn new(x: Int) -> Point = Point { x } }
impl Add<V, V, V> for V { fn add(self, o: V) -> V = self }
",
        expect![[r#"
            (trait
              Ord
              (generics A)
              (super (Eq A))
              (where (bound A Show))
              (fn compare (params self (: other A)) (-> Ordering))
              (fn less (params &self (: other A)) (-> Bool) true)
              (fn (docs "Documented.") more (params &mut-self) (block false)))
            (trait Marker)
            (impl (of Marker) Int)
            (impl
              (generics T)
              (of Show)
              (List T)
              (where (bound T Show))
              (fn show (params self) (-> Str) "x")
              (fn pub len (params &self) (-> Int) (block 3))
              (let zero 0))
            (impl Point (fn new (params (: x Int)) (-> Point) (record Point x)))
            (impl (of (Add V V V)) V (fn add (params self (: o V)) (-> V) self))
        "#]],
    );
}

#[test]
fn extern_functions() {
    check(
        "extern \"C\" fn puts(s: Ptr<u8>) -> i32;
extern \"C\" {
  fn printf(format: Ptr<u8>, ...) -> i32;
  @link_name(\"abs\") fn absolute(n: i32) -> i32
  pub fn exit(code: i32) -> Never
}
pub extern \"prim\" fn int_add(a: Int, b: Int) -> Int
extern \"C\" { fn rand() -> i32; fn srand(seed: u32) }
",
        expect![[r#"
            (extern "C" (fn puts (params (: s (Ptr u8))) (-> i32)))
            (extern "C"
              (fn printf (params (: format (Ptr u8)) ...) (-> i32))
              (fn (@link_name "abs") absolute (params (: n i32)) (-> i32))
              (fn pub exit (params (: code i32)) (-> Never)))
            (extern "prim" pub (fn int_add (params (: a Int) (: b Int)) (-> Int)))
            (extern "C" (fn rand (params) (-> i32)) (fn srand (params (: seed u32))))
        "#]],
    );
}

#[test]
fn attributes() {
    check(
        "@cfg(any(target_os = \"linux\", not(feature = \"x\")))
@dsl_export(category = \"config\", capabilities = [\"a\"], stage_bounds = { min: 1 })
@pure @no_panic
fn f() = 1
",
        expect![[r#"
            (fn
              (@cfg (call any (target_os: "linux") (call not (feature: "x"))))
              (@dsl_export (category: "config") (capabilities: (array "a")) (stage_bounds: (record (min: 1))))
              (@pure)
              (@no_panic)
              f
              (params)
              1)
        "#]],
    );
}

#[test]
fn top_level_expressions() {
    check(
        "println(\"x\")\nf(1) |> g\n",
        expect![[r#"
        (top (call println "x"))
        (top (|> (call f 1) g))
    "#]],
    );
}

#[test]
fn an_intrinsic_may_lack_its_body() {
    check(
        "@intrinsic(\"llvm.sqrt.f64\")\nfn root(x: f64) -> f64 ! {native}\n\n@inline @intrinsic(\"llvm.fabs.f64\")\npub fn size(x: f64) -> f64\n  !{native}\nfn f() = 1\n",
        expect![[r#"
            (fn (@intrinsic "llvm.sqrt.f64") root (params (: x f64)) (-> f64) (! native))
            (fn (@inline) (@intrinsic "llvm.fabs.f64") pub size (params (: x f64)) (-> f64) (! native))
            (fn f (params) 1)
        "#]],
    );
    check(
        "@intrinsic(\"llvm.sqrt.f64\")\nfn root(x: f64) -> f64 = x\nfn g()\n",
        expect![[r#"
        (fn (@intrinsic "llvm.sqrt.f64") root (params (: x f64)) (-> f64) x)
        (fn g (params) <error>)
        3:7 parser.unexpected_eof: expected `=`, `{`, `->`, `with` or something else, found the end of the file
    "#]],
    );
}
