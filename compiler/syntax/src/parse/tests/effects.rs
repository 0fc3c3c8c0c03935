//! Effects, handlers, conductors.

use expect_test::expect;

use super::{check, check_errors, check_expr};

#[test]
fn declarations() {
    check(
        "effect Console : io {
  operation log : Str -> Unit
  operation ask() -> Str
  @reentrant operation choose : () -> Bool
}
effect State<S> { operation get : () -> S; operation put : S -> Unit }
handler state(init: Int) for State<Int> {
  operation get(resume) { resume(init) }
  operation put(s, resume) -> resume(())
  return x { x }
}
handler silent {
  operation Console.log(text, resume) { resume(()) }
}
",
        expect![[r#"
            (effect
              Console
              (base io)
              (operation log (: _ Str) (-> Unit))
              (operation ask (-> Str))
              (operation (@reentrant) choose (-> Bool)))
            (effect State (generics S) (operation get (-> S)) (operation put (: _ S) (-> Unit)))
            (handler
              state
              (: init Int)
              (for (State Int))
              (operation get (params resume) (block (call resume init)))
              (operation put (params s resume) (call resume ()))
              (return x (block x)))
            (handler silent (operation Console::log (params text resume) (block (call resume ()))))
        "#]],
    );
}

#[test]
fn performing_and_handling() {
    check_expr(
        "perform Console.log(\"x\")",
        expect![[r#"
        (perform Console::log "x")
    "#]],
    );
    check_expr(
        "do Console.ask()",
        expect![[r#"
        (perform Console::ask)
    "#]],
    );
    check_expr(
        "handle f() with handler { operation ask(k) { k(1) } return x { x } }",
        expect![[r#"
        (handle (call f) (handler (operation ask (params k) (block (call k 1))) (return x (block x))))
    "#]],
    );
    check_expr(
        "handle f() with handler Console { operation ask(k) { k(1) } }",
        expect![[r#"
        (handle (call f) (handler Console (operation ask (params k) (block (call k 1)))))
    "#]],
    );
    check_expr(
        "handle f() with state(0)",
        expect![[r#"
        (handle (call f) (with (call state 0)))
    "#]],
    );
    check_expr(
        "handle state(0) do f()",
        expect![[r#"
        (handle (call f) (with (call state 0)))
    "#]],
    );
    check_expr(
        "handle(f()) with h",
        expect![[r#"
        (handle (call f) (with h))
    "#]],
    );
    check(
        "fn f() =
  handle do ForeignCall.call(\"service\") with
    handler ForeignCall {
      operation call(name, resume) {
        resume(Ok(name))
      }
      return result { result }
    }
fn g() =
  handle state(0) do
    let x = get()
    x + 1
",
        expect![[r#"
            (fn
              f
              (params)
              (handle
                (perform ForeignCall::call "service")
                (handler
                  ForeignCall
                  (operation call (params name resume) (block (call resume (call Ok name))))
                  (return result (block result)))))
            (fn g (params) (handle (block (let x (call get)) (+ x 1)) (with (call state 0))))
        "#]],
    );
}

#[test]
fn handlers_with_state() {
    check(
        "handler state<S>(init: S) for State<S> {
  var s = init
  let limit = 3
  operation get(resume) { resume(s) }
}
fn f() = handle g() with handler State<Int> {
  var n = 0
  operation get(resume) = resume(n)
}
",
        expect![[r#"
            (handler
              state
              (generics S)
              (: init S)
              (for (State S))
              (var s init)
              (let limit 3)
              (operation get (params resume) (block (call resume s))))
            (fn
              f
              (params)
              (handle (call g) (handler (State Int) (var n 0) (operation get (params resume) (call resume n)))))
        "#]],
    );
    check_errors(
        "handler twice for Ask {
  operation ask(resume) { resume(1) }
  return x { x }
  return y { y }
}
",
        expect![[r#"
            4:3 effects.handler.duplicate_clause: this handler has a `return` clause already
                3:3 the first one
        "#]],
    );
}

#[test]
fn a_handle_without_with_is_reported() {
    check_errors(
        "fn f() = handle g()\nfn h() = 1\n",
        expect![[r#"
        1:10 effects.handler.missing_with: this `handle` has no handler
            help: write `handle expression with handler { .. }`
    "#]],
    );
}

#[test]
fn effect_and_unsafe_blocks() {
    check_expr(
        "effect {ffi, unsafe} { g(x) }",
        expect![[r#"
        (effect-block (! ffi unsafe) (block (call g x)))
    "#]],
    );
    check_expr(
        "unsafe { g(x) }",
        expect![[r#"
        (unsafe (call g x))
    "#]],
    );
    check_expr(
        "|hint| async move { await f().await }",
        expect![[r#"
        (lambda (params hint) (async-move (await (await (call f)))))
    "#]],
    );
}

#[test]
fn conductors() {
    check(
        "conductor pipeline {
  source: Parser = csv(\",\")
    |> with_capabilities([\"io\"])
    |> depends_on([])
  sink: Writer
    |> with_embedded(dsl = x)
  channels {
    source.out ~> sink.in : Record
    a.b ~> c.d : List<Int>
  }
  execution {
    run(source)
  }
  monitoring with Core.Metrics {
    collect()
  }
}
",
        expect![[r#"
            (conductor
              pipeline
              (dsl source Parser (call csv ",") (with_capabilities (array "io")) (depends_on (array)))
              (dsl sink Writer (with_embedded (dsl: x)))
              (channels (~> source::out sink::in Record) (~> a::b c::d (List Int)))
              (execution (block (call run source)))
              (monitoring with Core::Metrics (block (call collect))))
        "#]],
    );
}
