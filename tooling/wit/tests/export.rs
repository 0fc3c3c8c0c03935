//! What becomes of a module in WIT, and what is said of what WIT has nothing for.

mod support;

use expect_test::expect;
use support::exported;

#[test]
fn a_module_is_an_interface() {
    let ran = exported(
        r#"
//! A shop.

/// Something to be bought.
pub type Item = { name: Str, price: u32, tags: List<Str>, photo: Option<Bytes> }

pub type Payment =
  | Cash
  | Card(Str)
  | Both((u32, Char))

pub enum Size = Small | Large
pub type Right = Look | Buy
pub type alias Items = List<Item>
type Hidden = { x: Int }

/// All that begins so.
pub fn find(prefix: Str, limit: Option<Int>) -> Items = []
pub fn may(user: Str) -> Set<Right> = Set.empty()
pub fn fits(size: Size, width: Float) -> Bool = true
pub fn pay(items: Items, how: Payment) -> Result<u64, Str> = Ok(0)
pub fn forget(from: (i8, f32)) { () }
fn helper(x: Int) -> Int = x
"#,
    );
    assert_eq!(ran.shown(), "");
    expect![[r#"
        package local:it;

        /// A shop.
        interface it {
          /// Something to be bought.
          record item {
            name: string,
            price: u32,
            tags: list<string>,
            photo: option<list<u8>>,
          }
          variant payment {
            cash,
            card(string),
            both(tuple<u32, char>),
          }
          enum size {
            small,
            large,
          }
          flags right {
            look,
            buy,
          }
          type items = list<item>;
          /// All that begins so.
          find: func(prefix: string, limit: option<s64>) -> items;
          may: func(user: string) -> right;
          fits: func(size: size, width: f64) -> bool;
          pay: func(items: items, how: payment) -> result<u64, string>;
          forget: func(%from: tuple<s8, f32>);
        }

        world it-world {
          export it;
        }
    "#]]
    .assert_eq(&ran.made.unwrap());
}

#[test]
fn what_wit_has_nothing_for_is_named() {
    let ran = exported(
        r#"
pub type Tree = Leaf | Node((Tree, Int, Tree))
pub type Pair<A> = { a: A, b: A }
pub type Many = Two(Int, Int) | One
pub type Über = { x: Int }
pub type Grove = { trees: List<Tree> }
pub fn grow(tree: Tree) -> Int = 0
pub fn each(f: (Int) -> Int) -> Int = f(1)
pub fn sum(xs: [Int]) -> Int = 0
pub fn first<A>(xs: List<A>) -> Option<A> = None
pub fn size(x: usize) -> u8 = 0
pub fn guess(x: Int) = x
pub fn show(x: Json) -> Str = ""
pub let limit: Int = 3
pub fn fine() -> Int = 3
"#,
    );
    expect![[r#"
        it.reml:2:10: warning[ffi.wit.unsupported]: `Tree` is left out: it has values of itself in it, which types of WIT do not
        it.reml:3:10: warning[ffi.wit.unsupported]: `Pair` is left out: it is generic
        it.reml:4:10: warning[ffi.wit.unsupported]: `Many` is left out: its case `Two` has several values, and cases of WIT have one; let it have a tuple or a record
        it.reml:5:10: warning[ffi.wit.unsupported]: `Über` is left out: its name has no form in WIT, whose names are words of ASCII letters and digits that begin with a letter
        it.reml:6:10: warning[ffi.wit.unsupported]: `Grove` is left out: `Tree` is left out
        it.reml:7:8: warning[ffi.wit.unsupported]: `grow` is left out: its parameter `tree`: `Tree` is left out
        it.reml:8:8: warning[ffi.wit.unsupported]: `each` is left out: its parameter `f`: functions do not cross
        it.reml:9:8: warning[ffi.wit.unsupported]: `sum` is left out: its parameter `xs`: arrays do not cross, but for bytes; a `List` does
        it.reml:10:8: warning[ffi.wit.unsupported]: `first` is left out: it is generic
        it.reml:11:8: warning[ffi.wit.unsupported]: `size` is left out: its parameter `x`: how large `usize` is depends on the machine
        it.reml:12:8: warning[ffi.wit.unsupported]: `guess` is left out: the type of its result is not written
        it.reml:13:8: warning[ffi.wit.unsupported]: `show` is left out: its parameter `x`: `Json` is no type of this module, and none that crosses
        it.reml:14:9: warning[ffi.wit.unsupported]: `limit` is left out: an interface has functions, and no values
    "#]].assert_eq(&ran.shown());
    expect![[r#"
        package local:it;

        interface it {
          fine: func() -> s64;
        }

        world it-world {
          export it;
        }
    "#]]
    .assert_eq(&ran.made.unwrap());
}
