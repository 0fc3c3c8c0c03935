//! Do values reach C as C sees them, and come back? Random structs and signatures, each against a C file that the test compiles: arguments,
//! results and callbacks, on every way to run a program, with sanitizers and without.

mod support;

use std::fmt::Write as _;
use std::process::Command;

use support::c::{C_HEADER, Function, SANITIZED, World, library, output, printed, running, sanitizer};
use support::{remlc, run, scratch};

#[test]
fn random_signatures_agree_with_c() {
    let mut world = World::new(0x5EED_0FF1, 40);
    let mut c = C_HEADER.to_owned();
    let mut reml = "use Core.Unsafe.Ptr.{FnPtr, bind_fn_ptr}\n\n".to_owned();
    for index in 0..world.structs.len() {
        world.declare_struct(index, &mut c, &mut reml);
    }
    let (mut declared, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for index in 0..120 {
        let function = world.function();
        world.define(&format!("f{index}"), &function, &mut c);
        let (c_list, c_ret, c_result) =
            (world.c_params(&function), world.c_type(&function.ret), world.c_value(&function.ret, &function.result));
        let Function { params, ret, given, result } = function;
        // The same the other way round: C calls, and looks at what comes back.
        let c_given: Vec<String> = params.iter().zip(&given).map(|(ty, value)| world.c_value(ty, value)).collect();
        let mut compared = String::new();
        world.c_compared(&ret, "got", "wanted", &mut compared);
        writeln!(
            c,
            "void call{index}({c_ret} (*f)({c_list})) {{\n  {c_ret} wanted = {c_result};\n  {c_ret} got = f({});\n{compared}}}",
            c_given.join(", ")
        )
        .unwrap();

        let types: Vec<String> = params.iter().map(|ty| world.reml_type(ty)).collect();
        let names: Vec<String> = types.iter().enumerate().map(|(at, ty)| format!("p{at}: {ty}")).collect();
        let args = if types.len() == 1 { types[0].clone() } else { format!("({})", types.join(", ")) };
        let reml_ret = world.reml_type(&ret);
        writeln!(declared, "  fn f{index}({}) -> {reml_ret};", names.join(", ")).unwrap();
        writeln!(declared, "  fn call{index}(f: FnPtr<{args}, {reml_ret}>);").unwrap();
        let values: Vec<String> = params.iter().zip(&given).map(|(ty, value)| world.reml_value(ty, value)).collect();
        let shown_ret = world.reml_shown(&ret, "result");
        writeln!(calls, "fn test{index}() -> () {{").unwrap();
        writeln!(calls, "  let result = unsafe {{ f{index}({}) }}", values.join(", ")).unwrap();
        writeln!(calls, "  println(\"{index}: \" + {shown_ret})").unwrap();
        let shown_params: Vec<String> =
            params.iter().enumerate().map(|(at, ty)| world.reml_shown(ty, &format!("p{at}"))).collect();
        let shown_params = if shown_params.is_empty() { "\"\"".to_owned() } else { shown_params.join(" + \" \" + ") };
        writeln!(calls, "  let callback = bind_fn_ptr(|{}| -> {reml_ret} {{", names.join(", ")).unwrap();
        writeln!(calls, "    println(\"   \" + {shown_params})").unwrap();
        writeln!(calls, "    {}\n  }})", world.reml_value(&ret, &result)).unwrap();
        writeln!(calls, "  unsafe {{ call{index}(callback.raw) }}\n}}\n").unwrap();
        writeln!(expected, "{index}: {}", World::shown(&result)).unwrap();
        let shown: Vec<String> = given.iter().map(World::shown).collect();
        writeln!(expected, "   {}", shown.join(" ")).unwrap();
    }
    writeln!(reml, "@link(name = \"random\")\nextern \"C\" {{\n{declared}  fn error_count() -> i32;\n}}\n").unwrap();
    reml.push_str(&calls);
    reml.push_str("fn main() {\n");
    (0..120).for_each(|index| writeln!(reml, "  test{index}()").unwrap());
    reml.push_str("  println(\"{} errors\", unsafe { error_count() })\n}\n");
    expected.push_str("0 errors\n");
    assert_eq!(printed("random", &c, &reml), expected);
}

#[test]
fn references_arrays_and_variadics() {
    let c = r#"
        #include <stdarg.h>
        #include <stdbool.h>
        struct Pair { int a; double b; };
        int bump(int *x) { *x += 1; return *x * 2; }
        void move(struct Pair *p) { p->a += 1; p->b *= 2; }
        double length(const struct Pair *p) { return p->a + p->b; }
        int sum(const int *xs, int n) { int t = 0; for (int i = 0; i < n; i++) t += xs[i]; return t; }
        void twice(int *xs, int n) { for (int i = 0; i < n; i++) xs[i] *= 2; }
        bool odd(int n) { return n & 1; }
        int next(int c) { return c + 1; }
        double total(int n, ...) {
            va_list args; va_start(args, n); double t = 0;
            for (int i = 0; i < n; i++) t += i % 2 ? va_arg(args, double) : va_arg(args, int);
            va_end(args); return t;
        }
    "#;
    let reml = r#"
@repr(C)
struct Pair { a: i32, b: f64 }

@repr(C)
enum Color = Red | Green | Blue

@link(name = "plain")
extern "C" {
  fn bump(x: &mut i32) -> i32;
  @link_name("move")
  fn shift(pair: &mut Pair);
  fn length(pair: &Pair) -> f64;
  fn sum(xs: &[i32], n: i32) -> i32;
  fn twice(xs: &mut [i32], n: i32);
  fn odd(n: i32) -> Bool;
  fn next(color: Color) -> Color;
  fn total(n: i32, ...) -> f64;
}

fn main() {
  var x: i32 = 5
  println("{} {}", unsafe { bump(&mut x) }, x)
  var pair = Pair { a: 1, b: 1.5 }
  unsafe { shift(&mut pair) }
  println("{} {} {}", pair.a, pair.b, unsafe { length(&pair) })
  let xs: [i32] = [1, 2, 3]
  var ys = xs
  unsafe { twice(&mut ys, 3) }
  println("{} {} {}", xs, ys, unsafe { sum(&ys, 3) })
  println("{} {}", unsafe { odd(3) }, unsafe { odd(4) })
  println("{}", unsafe { next(Red) })
  let small: i8 = -3
  let single: f32 = 0.5
  println("{}", unsafe { total(6, 1, 2.5, small, single, 10, 0.25) })
}
"#;
    let expected = "12 6\n2 3.0 5.0\n[1, 2, 3] [2, 4, 6] 12\ntrue false\nGreen\n11.25\n";
    assert_eq!(printed("plain", c, reml), expected);
    let wrong = reml.replace("next(Red)", "next(Blue)");
    let ran = output("plain", c, &wrong);
    assert_eq!(ran.exit, Some(101));
    assert!(ran.stderr.contains("C gave the number 3, which stands for no variant of `Color`"), "{}", ran.stderr);
}

/// C owns memory, counts it, and writes to it and to the program's: what sanitizers look at.
const STORE: &str = r#"
    #include <stdlib.h>
    #include <string.h>
    struct item { int key; double weight; char name[12]; struct item *next; };
    static int live;
    int live_items(void) { return live; }
    struct item *push(struct item *list, int key, const char *name) {
        struct item *item = malloc(sizeof *item);
        live++; item->key = key; item->weight = key / 2.0; item->next = list;
        strncpy(item->name, name, sizeof item->name);
        return item;
    }
    void free_all(struct item *list) { while (list) { struct item *next = list->next; free(list); live--; list = next; } }
    struct item copy(const struct item *item) { struct item copied = *item; copied.next = 0; return copied; }
    int each(struct item *list, int (*f)(struct item *, void *), void *given) {
        int local[8] = {0}, count = 0;
        for (; list; list = list->next) local[count++ % 8] += f(list, given);
        return local[0] + local[1] + local[2] + local[3];
    }
    void fill(unsigned char *bytes, size_t count) { for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)i; }
    int beyond(int n) { char *block = malloc(n); block[n] = 1; int read = block[n]; free(block); return read; }
"#;

const STORE_PROGRAM: &str = r#"use Core.Unsafe.Foreign.{release_foreign_ptr, wrap_foreign_ptr}
use Core.Unsafe.Ptr.{FnPtr, Ptr, bind_fn_ptr}

@repr(C)
struct Item { key: i32, weight: f64, name: [i8; 12], next: Ptr<()> }

@link(name = "store")
extern "C" {
  fn live_items() -> i32;
  fn push(list: Ptr<Item>, key: i32, name: &[i8]) -> Ptr<Item>;
  fn free_all(list: Ptr<Item>);
  fn copy(item: Ptr<Item>) -> Item;
  fn each(list: Ptr<Item>, f: FnPtr<(Ptr<Item>, Ptr<()>), i32>, given: Ptr<()>) -> i32;
  fn fill(bytes: &mut [u8], count: usize);
  fn beyond(n: i32) -> i32;
}

fn three() -> Ptr<Item> {
  let name: [i8] = [97, 98, 0]
  var list: Ptr<Item> = Ptr.null()
  for key in 1..4 { list := unsafe { push(list, key as i32, &name) } }
  list
}

fn owned() -> () {
  let list = unsafe { wrap_foreign_ptr(three(), |list| unsafe { free_all(list) }) }.unwrap()
  let first = unsafe { copy(list.raw) }
  println("{} {} {:?} {}", first.key, first.weight, first.name, first.next.is_null())
  let sum = bind_fn_ptr(|item: Ptr<Item>, given: Ptr<()>| unsafe { item.load() }.key)
  println("{} of {}", unsafe { each(list.raw, sum.raw, Ptr.null()) }, unsafe { live_items() })
}

fn main() {
  owned()
  let again = unsafe { wrap_foreign_ptr(three(), |list| unsafe { free_all(list) }) }.unwrap()
  println("{:?} {:?}", release_foreign_ptr(again).is_ok(), release_foreign_ptr(again).is_ok())
  var bytes: [u8] = [0, 0, 0, 0, 0]
  let before = bytes
  unsafe { fill(&mut bytes, 4) }
  println("{} {} {}", before, bytes, unsafe { live_items() })
}
"#;

#[test]
fn what_c_gives_is_given_back_once() {
    let expected =
        "3 1.5 [97, 98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] true\n6 of 3\ntrue false\n[0, 0, 0, 0, 0] [0, 1, 2, 3, 0] 0\n";
    assert_eq!(printed("store", STORE, STORE_PROGRAM), expected);
}

/// So that what sanitizers find would be seen.
#[test]
fn mistakes_in_c_are_reported_where_they_are() {
    let Some(first) = sanitizer() else { return };
    let directory = scratch();
    library(directory.path(), "store", STORE, &SANITIZED);
    let wrong = STORE_PROGRAM.replace("  owned()\n", "  owned()\n  println(\"{}\", unsafe { beyond(10) })\n");
    std::fs::write(directory.path().join("main.reml"), wrong).unwrap();
    let ran = run(running(directory.path(), &[]).env("LD_PRELOAD", first), "").unwrap();
    assert_ne!(ran.exit, Some(0));
    assert!(ran.stderr.contains("heap-buffer-overflow") && ran.stderr.contains(" in beyond "), "{}", ran.stderr);
}

/// C keeps a callback, and calls it when told to.
const KEEPER: &str = r#"
    #include <pthread.h>
    static int (*kept)(int);
    void keep(int (*f)(int)) { kept = f; }
    int call_kept(int x) { return kept(x); }
    static void *start(void *x) { kept(1); return x; }
    void call_from_thread(void) { pthread_t t; pthread_create(&t, 0, start, 0); pthread_join(t, 0); }
"#;

const KEEPER_DECLARATIONS: &str = r#"use Core.Unsafe.Ptr.{FnPtr, bind_fn_ptr}

@link(name = "keeper")
extern "C" {
  @link_name("keep")
  fn remember(f: FnPtr<i32, i32>);
  fn call_kept(x: i32) -> i32;
  fn call_from_thread();
}
"#;

#[test]
fn callbacks_live_until_the_end_of_their_block() {
    let reml = format!(
        "{KEEPER_DECLARATIONS}
effect Ask {{ operation ask : Int -> Int }}

fn main() {{
  var calls = 0
  let step = 10
  let f = bind_fn_ptr(|x: i32| {{ calls := calls + 1; x + step as i32 }})
  unsafe {{ remember(f.raw) }}
  println(\"{{}} {{}}\", unsafe {{ call_kept(1) }}, unsafe {{ call_kept(2) }})
  println(\"{{}}\", calls)
  let nested = bind_fn_ptr(|x: i32| if x <= 0 {{ 0 as i32 }} else {{ 1 + unsafe {{ call_kept(x - 1) }} }})
  unsafe {{ remember(nested.raw) }}
  println(\"{{}}\", unsafe {{ call_kept(50) }})
  let answer = handle asked() with handler Ask {{ operation ask(n, resume) {{ resume(n + 1) }} }}
  println(\"{{}}\", answer)
}}

fn asked() -> i32 {{
  let asks = bind_fn_ptr(|x: i32| (do Ask.ask(x as Int)) as i32)
  unsafe {{ remember(asks.raw) }}
  unsafe {{ call_kept(20) }}
}}
"
    );
    assert_eq!(printed("keeper", KEEPER, &reml), "11 12\n2\n50\n21\n");
}

/// What it captures stays until it has ended, and its stub is not called again.
#[test]
fn a_callback_may_be_dropped_while_it_runs() {
    let program = |end: &str| {
        format!(
            "{KEEPER_DECLARATIONS}
use Core.Unsafe.Ptr.{{ForeignStub}}

fn main() {{
  var stubs: [ForeignStub<i32, i32>] = []
  let names = [\"ada\", \"bob\"].map(|name| name + \"!\")
  let start = || {{
    let f = bind_fn_ptr(|x: i32| {{
      stubs := []
      if x > 1 {{ println(\"{{}}\", unsafe {{ call_nothing(x) }}) }}
      println(\"{{}}\", names)
      x + names.len() as i32
    }})
    unsafe {{ remember(f.raw) }}
    stubs := [f]
  }}
  start()
  println(\"{{}}\", unsafe {{ call_kept(1) }})
  start()
  println(\"{{}} {{}}\", unsafe {{ call_kept(5) }}, stubs.len())
  {end}
}}

fn call_nothing(x: i32) -> i32 {{
  let f = bind_fn_ptr(|y: i32| y * x)
  unsafe {{ f.raw(3) }}
}}
"
        )
    };
    let expected = "[\"ada!\", \"bob!\"]\n3\n15\n[\"ada!\", \"bob!\"]\n7 0\n";
    assert_eq!(printed("keeper", KEEPER, &program("")), expected);
    let ran = output("keeper", KEEPER, &program("println(unsafe { call_kept(1) })"));
    assert_eq!((ran.exit, &*ran.stdout), (Some(101), expected), "{}", ran.stderr);
    assert!(ran.stderr.contains("ffi.callback.dropped"), "{}", ran.stderr);
}

#[test]
fn callbacks_are_refused_where_none_can_be_made() {
    let directory = scratch();
    let program = "use Core.Unsafe.Ptr.{bind_fn_ptr}\n\nfn main() = bind_fn_ptr(|n: i32| n + 1).keep()\n";
    std::fs::write(directory.path().join("main.reml"), program).unwrap();
    let on = |profile: &str| {
        let mut command = remlc();
        command.current_dir(directory.path()).args(["check", "--target-profile", profile, "main.reml"]);
        run(&mut command, "").unwrap()
    };
    assert_eq!(on("desktop-x86_64").exit, Some(0));
    let ran = on("desktop-aarch64");
    assert_eq!(ran.exit, Some(1));
    let said =
        "error[ffi.contract.unsupported_abi]: C cannot be given functions of the program on `aarch64` with `linux`";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn calls_of_dropped_callbacks_and_from_threads_are_the_end() {
    let dropped = format!(
        "{KEEPER_DECLARATIONS}
fn listen() -> () {{
  let f = bind_fn_ptr(|x: i32| x + 1)
  unsafe {{ remember(f.raw) }}
}}

fn main() {{
  listen()
  println(\"{{}}\", unsafe {{ call_kept(1) }})
}}
"
    );
    let ran = output("keeper", KEEPER, &dropped);
    assert_eq!(ran.exit, Some(101), "{}", ran.stderr);
    assert!(ran.stderr.contains("ffi.callback.dropped"), "{}", ran.stderr);
    assert!(ran.stderr.contains("made at main.listen (main.reml:12:11)"), "{}", ran.stderr);

    let thread = format!(
        "{KEEPER_DECLARATIONS}
fn main() {{
  let f = bind_fn_ptr(|x: i32| x + 1)
  unsafe {{ remember(f.raw) }}
  unsafe {{ call_from_thread() }}
  println(\"not reached\")
}}
"
    );
    let ran = output("keeper", KEEPER, &thread);
    assert_eq!((ran.exit, &*ran.stdout), (Some(101), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("ffi.callback.wrong_thread"), "{}", ran.stderr);

    let panics = format!(
        "{KEEPER_DECLARATIONS}
fn main() {{
  defer println(\"deferred\")
  let f = bind_fn_ptr(|x: i32| 10 / x)
  unsafe {{ remember(f.raw) }}
  println(\"{{}}\", unsafe {{ call_kept(0) }})
}}
"
    );
    let ran = output("keeper", KEEPER, &panics);
    assert_eq!((ran.exit, &*ran.stdout), (Some(101), "deferred\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("division by zero\n  at main.main.{lambda"), "{}", ran.stderr);
}

#[test]
fn an_operation_cannot_leave_a_callback() {
    let reml = format!(
        "{KEEPER_DECLARATIONS}
effect Stop {{ operation stop : Int -> Int }}

fn stopped() -> i32 {{
  let f = bind_fn_ptr(|x: i32| (do Stop.stop(x as Int)) as i32)
  unsafe {{ remember(f.raw) }}
  unsafe {{ call_kept(20) }}
}}

fn main() {{
  let answer = handle stopped() with handler Stop {{ operation stop(n, resume) {{ n as i32 }} }}
  println(\"{{}}\", answer)
}}
"
    );
    let ran = output("keeper", KEEPER, &reml);
    assert_eq!((ran.exit, &*ran.stdout), (Some(101), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("effects.unhandled"), "{}", ran.stderr);
    assert!(ran.stderr.contains("C functions lie between, which cannot be left"), "{}", ran.stderr);
}

#[test]
fn weak_symbols_may_be_missing_until_they_are_called() {
    let c = "int there(int x) { return x + 1; }\n";
    let reml = r#"
@link(name = "weak")
extern "C" {
  @weak
  fn there(x: i32) -> i32;
  @weak
  fn nowhere(x: i32) -> i32;
}

fn main(args: List<Str>) {
  println("{}", unsafe { there(1) })
  println("{}", unsafe { nowhere(1) })
}
"#;
    let ran = output("weak", c, reml);
    assert_eq!((ran.exit, &*ran.stdout), (Some(101), "2\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no library has the foreign function `nowhere`"), "{}", ran.stderr);
}

#[test]
fn missing_libraries_and_symbols_are_named() {
    let directory = scratch();
    let program = |library: &str, name: &str| {
        format!(
            "@link(name = \"{library}\")\nextern \"C\" fn {name}(x: f64) -> f64\n\nfn main() = println(unsafe {{ {name}(1.0) }})\n"
        )
    };
    let said = |text: &str, args: &[&str]| {
        std::fs::write(directory.path().join("main.reml"), text).unwrap();
        let mut command = remlc();
        command.current_dir(directory.path()).args(args).args(["--allow-ffi", "main.reml"]);
        let ran = run(&mut command, "").unwrap();
        assert_eq!(ran.exit, Some(1), "{ran:?}");
        ran.stderr
    };
    for args in [&["run"][..], &["build", "-o", "program"]] {
        let text = said(&program("no_such_thing", "cbrt"), args);
        assert!(text.contains("ffi.library.missing") && text.contains("`/usr/lib`"), "{text}");
    }
    let text = said(&program("m", "no_such_function"), &["run"]);
    assert!(text.contains("ffi.symbol.missing") && text.contains("library `m` has no function"), "{text}");
}

#[test]
fn static_libraries_are_linked_and_loaded() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("still.c"), "int still(int x) { return x * 3; }\n").unwrap();
    let compiled = Command::new("cc").args(["-O2", "-fPIC", "-c", "-o"]).args([at("still.o"), at("still.c")]).status();
    assert!(compiled.unwrap().success());
    assert!(Command::new("ar").arg("rcs").args([at("libstill.a"), at("still.o")]).status().unwrap().success());
    let text = "@link(name = \"still\", kind = \"static\")\nextern \"C\" fn still(x: i32) -> i32\n\nfn main() = println(unsafe { still(14) })\n";
    std::fs::write(at("main.reml"), text).unwrap();
    let mut command = remlc();
    command.current_dir(directory.path()).env("REML_LIBRARY_PATH", directory.path());
    let ran = run(command.args(["run", "--allow-ffi", "main.reml"]), "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), "42\n"), "{}", ran.stderr);
    let mut command = remlc();
    command.current_dir(directory.path()).env("REML_LIBRARY_PATH", directory.path());
    let built = run(command.args(["build", "--allow-ffi", "main.reml", "-o", "program"]), "").unwrap();
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    // Nothing of the library is needed any more.
    std::fs::remove_file(at("libstill.a")).unwrap();
    let ran = run(&mut Command::new(at("program")), "").unwrap();
    assert_eq!(ran.stdout, "42\n");
}
