//! Declared effects: operations, handlers, what is left after them.

use super::{check, signatures, typed};
use expect_test::expect;

const STATE: &str = "effect State<S> { operation get : () -> S; operation put : S -> Unit }\n";

#[test]
fn effects_flow_to_the_handler() {
    signatures(
        "effect Log : io { operation log : Str -> Unit }
effect Fail { operation fail(msg: Str) -> Never }
fn a(x: Int) -> Int { perform Log.log(\"x\"); if x == 0 { perform Fail.fail(\"zero\") } else { x } }
fn both(x: Int) -> Int = a(x)
fn quiet(x: Int) -> Int = handle both(x) with handler Log { operation log(text, resume) { resume(()) } }
fn none(x: Int) -> Option<Int> =
  handle quiet(x) with handler { operation fail(msg, resume) { None } return v { Some(v) } }
fn silenced<A>(f: () -> A) -> A = handle f() with handler Log { operation log(text, resume) = resume() }
fn used(x: Int) -> Int = silenced(|| both(x))
fn loud(x: Int) -> Int = silenced(|| { println(\"!\"); both(x) })
fn inward(x: Int) -> Int =
  handle both(x) with handler Log { operation log(text, resume) { perform Log.log(\"again\"); resume(()) } }
fn annotated(x: Int) -> Int ! {Fail} = quiet(x)
fn caller(x: Int) -> Int = annotated(x)",
        expect![[r#"
            a(i64) -> i64 ! {Fail, Log, io}
            both(i64) -> i64 ! {Fail, Log, io}
            quiet(i64) -> i64 ! {Fail}
            none(i64) -> Option<i64>
            silenced((() -> T0)) -> T0
            used(i64) -> i64 ! {Fail}
            loud(i64) -> i64 ! {Fail, io}
            inward(i64) -> i64 ! {Fail, Log, io}
            annotated(i64) -> i64 ! {Fail}
            caller(i64) -> i64 ! {Fail}
        "#]],
    );
}

#[test]
fn generic_effects_have_one_instance_in_a_row() {
    signatures(
        &format!(
            "{STATE}
fn next() -> Int {{ let n = perform State.get(); perform State.put(n + 1); n }}
fn twice() = {{ next(); next() }}
fn shout() -> Str = perform State.get() ++ \"!\"
fn keep() {{ let s = perform State.get(); perform State.put(s) }}
fn kept() -> Int {{ keep(); next() }}
fn set<S>(s: S) {{ perform State.put(s) }}
fn words(xs: List<Str>) -> List<Int> = xs.map(|x| {{ perform State.put(x.len()); perform State.get() }})
handler state<S>(init: S) for State<S> {{
  var s = init
  operation get(resume) {{ resume(s) }}
  operation put(v, resume) {{ s := v; resume(()) }}
  return x {{ (x, s) }}
}}
fn run_int() = handle twice() with state(1)
fn run_str() = handle shout() with state(\"a\")
fn nested() = handle {{ let a = handle shout() with state(\"a\"); a.0.len() + next() }} with state(2)
fn even(n: Int) -> Bool = if n == 0 {{ true }} else {{ perform State.put(n); odd(n - 1) }}
fn odd(n: Int) -> Bool = if n == 0 {{ perform State.get() == 0 }} else {{ even(n - 1) }}"
        ),
        expect![[r#"
            next() -> i64 ! {State}
            twice() -> i64 ! {State}
            shout() -> Str ! {State}
            keep() -> () ! {State}
            kept() -> i64 ! {State}
            set(T0) -> () ! {State}
            words(List<Str>) -> List<i64> ! {State}
            state(T0, (() -> T1)) -> (T1, T0)
            run_int() -> (i64, i64)
            run_str() -> (Str, Str)
            nested() -> (i64, i64)
            even(i64) -> Bool ! {State}
            odd(i64) -> Bool ! {State}
        "#]],
    );
    check(
        &format!(
            "{STATE}
fn next() -> Int {{ let n = perform State.get(); perform State.put(n + 1); n }}
fn shout() -> Str = perform State.get() ++ \"!\"
fn both() = {{ shout(); next() }}
fn declared() -> Int ! {{State<Str>}} = next()
fn passed(f: () -> Int ! {{State<Int>}}) -> Int = f()
fn passes() = passed(|| shout().len())
fn two() ! {{State<Int>, State<Str>}} = ()
fn bare() ! {{State}} = ()"
        ),
        expect![[r#"
            5:24 [effects.argument.conflict] this code would perform both `State<Str>` and `State<Int>`
            6:39 [effects.argument.conflict] this code would perform both `State<Str>` and `State<Int>`
            8:15 [effects.argument.conflict] this code would perform both `State<Int>` and `State<Str>`
            9:25 [effects.argument.conflict] a row has one `State` at most, so that its operations have one type
            10:14 [language.type.arity] `State` takes 1 type argument, but 0 are given
        "#]],
    );
}

#[test]
fn handlers_are_values() {
    signatures(
        &format!(
            "{STATE}
handler constant(n: Int) for State<Int> {{
  operation get(resume) {{ resume(n) }}
  operation put(v, resume) {{ resume(()) }}
}}
handler zero for State<Int> {{
  operation get(resume) {{ resume(0) }}
  operation put(v, resume) {{ resume(()) }}
}}
fn next() -> Int {{ let n = perform State.get(); perform State.put(n + 1); n }}
fn direct() = handle next() with constant(1)
fn reversed() = handle constant(1) do next()
fn plain() = handle next() with zero
fn chosen(b: Bool) = {{ let h = if b {{ constant(1) }} else {{ constant(2) }}; handle next() with h }}
fn given(h: (() -> Int ! {{State<Int>}}) -> Int) -> Int = handle next() with h
fn gives() = given(zero)"
        ),
        expect![[r#"
            constant(i64, (() -> T0)) -> T0
            zero((() -> T0)) -> T0
            next() -> i64 ! {State}
            direct() -> i64
            reversed() -> i64
            plain() -> i64
            chosen(Bool) -> i64
            given((((() -> i64)) -> i64)) -> i64
            gives() -> i64
        "#]],
    );
}

#[test]
fn clauses_are_told_by_what_they_do_with_resume() {
    typed(
        "effect Ask { operation ask(n: Int) -> Int; operation stop() -> Never; @reentrant operation flip() -> Bool }
fn run(f: () -> Int, limit: Int) -> Option<Int> =
  handle f() with handler {
    operation ask(n, resume) {
      if n > limit { return resume(0) }
      match n with | 0 -> resume(1) | _ -> { let m = n * 2; resume(m) }
    }
    operation stop(resume) = None
    operation flip(resume) { let a = resume(true); if a == None { resume(false) } else { a } }
    return x { Some(x) }
  }",
        expect![[r#"
            fn main.run(f: () -> i64, limit: i64) -> Option<i64> ! {} =
              with (local0_f: () -> i64, local1_limit: i64)
              handle || local0_f() with main.Ask {
                Tail ask = |local3_n: i64| {
                  if Gt(local3_n, local1_limit) then return {
                    => 0
                  } else ()
                  => match local3_n {
                    0 -> {
                      => 1
                    }
                    _ -> {
                      let local5_m: i64 = Mul(local3_n, 2)
                      => {
                        => local5_m
                      }
                    }
                  }
                }
                Never stop = || None()
                @reentrant General flip = |local7_resume: (Bool) -> Option<i64>| {
                  let local8_a: Option<i64> = local7_resume(true)
                  => if Eq.eq<Option<i64>>(&local8_a, &None()) then local7_resume(false) else local8_a
                }
                return = |local2_x: i64| Some(local2_x)
              }

        "#]],
    );
    typed(
        "effect Pick { operation pick<A>(a: A, b: A) -> A }
fn first<T>(x: T, f: (T) -> Int) -> Int =
  handle f(perform Pick.pick(x, x)) + perform Pick.pick(1, 2) with handler { operation pick(a, b, resume) { resume(a) } }",
        expect![[r#"
            fn main.first<'0>(x: '0, f: ('0) -> i64) -> i64 ! {} =
              with (local0_x: '0, local1_f: ('0) -> i64)
              handle || Add(local1_f(perform main.Pick.pick<'0>(local0_x, local0_x)), perform main.Pick.pick<i64>(1, 2)) with main.Pick {
                Tail pick = |local2_a: '1, local3_b: '1| {
                  => local2_a
                }
              }

        "#]],
    );
}

#[test]
fn control_leaves_a_handled_computation() {
    typed(
        "effect Ask { operation ask() -> Option<Int> }
fn f(xs: List<Int>) -> Option<Int> {
  let n = handle { if xs == Nil { return None }; perform Ask.ask()? + perform Ask.ask()? } with handler {
    operation ask(resume) { resume(Some(1)) }
  }
  Some(n)
}",
        expect![[r#"
            fn main.f(xs: List<i64>) -> Option<i64> ! {} =
              with (local0_xs: List<i64>)
              {
                let local7_n: i64 = match handle || Ok(handle || {
                  if Eq.eq<List<i64>>(&local0_xs, &Nil()) then perform Core.Lang.Exit<Option<i64>>.leave(None()) else ()
                  => Add(match perform main.Ask.ask() {
                    Some(local1: i64) -> local1
                    None() -> perform Core.Lang.Exit<Option<i64>>.leave(None())
                  }, match perform main.Ask.ask() {
                    Some(local2: i64) -> local2
                    None() -> perform Core.Lang.Exit<Option<i64>>.leave(None())
                  })
                } with main.Ask {
                  Tail ask = || {
                    => Some(1)
                  }
                }) with Core.Lang.Exit<Option<i64>> {
                  Never leave = |local4: Option<i64>| Err(local4)
                } {
                  Ok(local5: i64) -> local5
                  Err(local6: Option<i64>) -> return local6
                }
                => Some(local7_n)
              }

        "#]],
    );
}

#[test]
fn mistakes_in_handlers() {
    check(
        "effect Ask { operation ask(n: Int) -> Int; operation tell(s: Str) -> Unit }
effect Other { operation ask(n: Int) -> Int }
fn a() = handle 1 with handler Ask { operation ask(n, resume) { resume(n) } }
fn b() = handle 1 with handler Ask { operation ask(n, resume) { resume(n) } operation tel(s, resume) { resume(()) } }
fn c() = handle 1 with handler Ask { operation ask(n) { 1 } operation tell(s, resume) { resume(()) } }
fn d() = handle 1 with handler Ask { operation ask(n, k) { k(\"x\") } operation tell(s, resume) { resume(()) } }
fn e() = handle 1 with handler Asc { operation ask(n, k) { k(1) } }
fn f() = handle 1 with handler { operation ask(n, k) { k(1) } }
fn g() = handle 1 with handler { }
fn h() = handle 1 with 3
fn i() = perform Ask.aks(1)
fn j() = perform Ask.ask(\"x\")
fn k() = perform Ask.ask()
fn l() = perform Nope.ask(1)
fn m() = handle 1 with handler Ask {
  operation ask(n, k) { k(1) + k(2) }
  operation ask(n, k) { k(1) }
  operation tell(s, k) { let x = k(()); if x == 0 { k(()) } else { x } }
}
handler n(x: Int) for Ask { operation ask(n, k) { k(x) } operation tell(s, k) { k(()) } }
fn o() = handle 1 with n()
fn p() = handle 1 with handler Ask { operation Other.ask(n, k) { k(1) } operation tell(s, k) { \"x\" } }
fn q() { loop { handle { break } with n(1) } }",
        expect![[r#"
            3:38 [effects.handler.missing_operation] this handler has no clause for `Ask.tell`
            4:87 [effects.handler.unknown_operation] the effect `Ask` has no operation `tel`
                fix: did you mean `tell`? `tell`
            5:48 [effects.handler.arity] `Ask.ask` takes 1 argument, so its clause has 2 parameters, the last of which is the continuation; this one has 1 parameter
            6:62 [type.mismatch] expected `Int`, found `Str`
            7:32 [effects.tag.unknown] there is no effect `Asc`
                fix: did you mean `Ask`? `Ask`
            8:32 [effects.handler.ambiguous] several effects have all these operations
            9:32 [effects.handler.ambiguous] this handler has no operations, so nothing tells its effect
            10:24 [effects.handler.invalid] this is `{integer}`, not a handler
            11:22 [effects.operation.unknown] the effect `Ask` has no operation `aks`
                fix: did you mean `ask`? `ask`
            12:26 [type.mismatch] `Ask.ask` expects `Int` for `n`, found `Str`
            13:10 [language.arity.mismatch] the operation `Ask.ask` takes 1 argument, but 0 are given
            14:18 [effects.tag.unknown] there is no effect `Nope`
            16:32 [effects.resume.reused] the computation is resumed a second time here
            17:13 [effects.handler.duplicate_clause] this handler has a clause for `Ask.ask` already
            18:53 [effects.resume.reused] the computation is resumed a second time here
            21:10 [language.arity.mismatch] handler `n` takes 1 argument, but 0 are given
            22:48 [effects.handler.unknown_operation] this handler is for `Ask`, but this is an operation of `Other`
            22:96 [type.mismatch] expected `{integer}`, found `Str`
            23:26 [language.control_flow.outside_loop] `break` stands outside of a loop
        "#]],
    );
    check(
        "effect Pick { operation pick<A>(a: A, b: A) -> A }
fn f() = {
  var kept = None
  handle perform Pick.pick(1, 2) with handler { operation pick(a, b, resume) { kept := Some(a); resume(a) } }
  kept
}
fn g() = handle perform Pick.pick(1, 2) with handler { operation pick(a, b, resume) { resume(1) } }",
        expect![[r#"
            4:59 [effects.operation.generic_escapes] a value of the operation's own type `A` leaves this clause
            7:94 [type.mismatch] expected `A`, found `{integer}`
        "#]],
    );
}

#[test]
fn nothing_leaves_main() {
    check(
        "effect Console : io { operation log : Str -> Unit }
effect Fail { operation fail() -> Never }
fn deep() -> Int = { perform Fail.fail() }
fn mid() -> Int = deep() + 1
fn main() { perform Console.log(\"fine\"); mid(); () }
let top = mid()
@test
fn tried() { perform Console.log(\"x\") }",
        expect![[r#"
            5:42 [effects.unhandled] nothing handles the effect `Fail` that the call of `mid` has: it leaves `main`
            6:11 [effects.unhandled] nothing handles the effect `Fail` that the call of `mid` has: it leaves `top`
            8:22 [effects.unhandled] nothing handles the effect `Console` that `Console.log` has: it leaves `tried`
        "#]],
    );
    check(
        "effect Console : io { operation log : Int -> Unit }
fn main() { perform Console.log(1) }",
        expect![[r#"
            2:21 [effects.unhandled] nothing handles the effect `Console` that `Console.log` has: it leaves `main`
        "#]],
    );
}

#[test]
fn an_effect_of_an_impl_is_declared_by_the_trait() {
    check(
        &format!(
            "{STATE}
effect Log {{ operation log : Str -> Unit }}
trait Step {{ fn step(self) -> Int; fn named(self) -> Int ! {{State<Int>}}; }}
impl Step for Int {{
  fn step(self) -> Int {{ perform State.put(self); self }}
  fn named(self) -> Int {{ perform State.put(self); perform Log.log(\"x\"); self }}
}}
fn uses<T: Step>(x: T) -> Int ! {{State<Int>}} = x.named()"
        ),
        expect![[r#"
            6:34 [effects.contract.undeclared_in_trait] the method `step` has the effect `State`, which its trait does not declare
            7:60 [effects.contract.exceeded] `named` is declared by its trait as `! {State<Int>}`, but `Log.log` has the effect `{Log}`
        "#]],
    );
}

#[test]
fn more_effects_than_fit_into_one_word() {
    let mut text = String::new();
    for i in 0..150 {
        text.push_str(&format!("effect E{i} {{ operation op{i} : () -> Int }}\n"));
    }
    text.push_str("fn all() -> Int = perform E0.op0() + perform E90.op90() + perform E149.op149()\n");
    text.push_str("fn less() -> Int = handle all() with handler { operation op149(resume) { resume(1) } }\n");
    text.push_str("fn none() -> Int ! {E90} = handle less() with handler { operation op0(resume) { resume(1) } }\n");
    signatures(
        &text,
        expect![[r#"
        all() -> i64 ! {E0, E149, E90}
        less() -> i64 ! {E0, E90}
        none() -> i64 ! {E90}
    "#]],
    );
}
