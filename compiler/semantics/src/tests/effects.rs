//! Effects: inferred for every function, and held to what is promised.

use super::{check, signatures};
use expect_test::expect;

#[test]
fn effects_are_inferred() {
    signatures(
        "fn log(x: Int) -> Int { println(\"{x}\"); x }
fn twice(f: Int -> Int, x: Int) -> Int = f(f(x))
fn loud(x: Int) -> Int = twice(log, x)
fn quiet(x: Int) -> Int = twice(|y| y + 1, x)
fn risky(xs: [Int]) -> Int = xs[0] / xs[1]
fn ping(n: Int) -> Int = if n == 0 then 0 else pong(n - 1)
fn pong(n: Int) -> Int = if n == 0 then log(1) else ping(n - 1)
fn mapped(xs: List<Int>) -> List<Int> = xs.map(log)
fn made(x: Int) -> Iter<Int> = Iter(|| Some(log(x)))
fn ran() -> Int { for x in made(1) { return x }; 0 }",
        expect![[r#"
            log(i64) -> i64 ! {io}
            twice(((i64) -> i64), i64) -> i64
            loud(i64) -> i64 ! {io}
            quiet(i64) -> i64
            risky([i64]) -> i64 ! {panic}
            ping(i64) -> i64 ! {io}
            pong(i64) -> i64 ! {io}
            mapped(List<i64>) -> List<i64> ! {io}
            made(i64) -> Iter<i64>
            ran() -> i64 ! {io}
        "#]],
    );
}

#[test]
fn promises_are_kept() {
    check(
        "fn log(x: Int) -> Int { println(\"{x}\"); x }
fn via(x: Int) -> Int = log(x)
fn twice(f: Int -> Int, x: Int) -> Int = f(f(x))
@pure
fn a(x: Int) -> Int = via(x)
@pure
fn b(x: Int) -> Int = twice(|y| y * 2, x)
@pure
fn c(x: Int) -> Int = twice(|y| log(y), x)
@no_panic
fn d(x: Int) -> Int = 10 / x
fn e(x: Int) -> Int ! {} = log(x)
fn f(x: Int) -> Int ! {io} = log(x)
fn g(f: Int -> Int ! {}) -> Int = f(1)
fn h() -> Int = g(log)
@no_alloc
fn i(x: Int) -> [Int] = [x]
fn j() -> Int ! {ioo} = 1
@pur
fn k() -> Int = 1",
        expect![[r#"
            5:23 [effects.purity.violated] `a` is `@pure`, but the call of `via` has the effect `{io}`
            9:33 [effects.purity.violated] `c` is `@pure`, but the call of `log` has the effect `{io}`
            11:23 [effects.contract.panic] `d` is `@no_panic`, but this division has the effect `{panic}`
            12:28 [effects.contract.exceeded] `e` declares `! {}`, but the call of `log` has the effect `{io}`
            15:17 [effects.contract.exceeded] a function with effects `{}` is expected here, but this one also has `{io}`
            17:25 [effects.contract.alloc] `i` is `@no_alloc`, but this value allocates
            18:18 [effects.tag.unknown] there is no effect `ioo`
                fix: did you mean `io`? `io`
            19:1 warning [language.attribute.unknown] there is no attribute `@pur`
                fix: did you mean `@pure`? `pure`
        "#]],
    );
}

#[test]
fn foreign_functions_need_permission() {
    check(
        "extern \"C\" fn getpid() -> i32
fn a() -> i32 = getpid()
fn b() -> i32 = unsafe { getpid() }
fn c() -> i32 = effect {ffi, unsafe} { getpid() }
@pure
fn d() -> i32 = b()",
        expect![[r#"
            2:17 [effects.unsafe.required] calling the foreign function `getpid` needs an `unsafe` block
            6:17 [effects.purity.violated] `d` is `@pure`, but the call of `b` has the effect `{unsafe, ffi}`
        "#]],
    );
}
