//! What attributes promise, with the chain of calls to what breaks a promise.

use super::{check, check_with, report};
use crate::CheckOptions;
use expect_test::expect;
use reml_capability::stage::{Stage, Stages};

#[test]
fn a_violation_names_the_operation_and_the_way_to_it() {
    report(
        "effect Log : io { operation log : Str -> Unit }
fn note(x: Int) -> Int { do Log.log(\"x\"); x }
fn middle(x: Int) -> Int = note(x) + 1
@pure
fn outer(x: Int) -> Int = middle(x)
fn printed(x: Int) -> Int { println(\"{x}\"); x }
fn twice(x: Int) -> Int = printed(x) + printed(x)
fn bounded(x: Int) -> Int ! {mut, panic} = twice(x)",
        expect![[r#"
            5:27 [effects.purity.violated] `outer` is `@pure`, but the call of `middle` has the effect `{Log}`
                4:1 promised here
                3:28 through the call of `note` here
                2:29 through `Log.log` here
                note: the body compared with the promise: +Log
                note: the effect `{Log}` comes in by `outer` -> `middle` -> `note` -> `Log.log`
            8:44 [effects.contract.exceeded] `bounded` declares `! {mut, panic}`, but the call of `twice` has the effect `{io}`
                8:27 promised here
                7:27 through the call of `printed` here
                6:29 through `println` here
                note: the body compared with the promise: +io -mut -panic
                note: the effect `{io}` comes in by `bounded` -> `twice` -> `printed` -> `println`
        "#]],
    );
}

#[test]
fn handled_effects_are_no_violation() {
    check(
        "effect ForeignCall : ffi { operation call : Str -> Int }
fn asks() -> Int = do ForeignCall.call(\"x\")
@pure
@handles(ForeignCall)
@requires_capability(stage=\"experimental\")
fn stubbed() -> Int ! {} = handle asks() with handler ForeignCall { operation call(name, resume) { resume(name.len()) } }
@pure
fn leaky() -> Int = handle asks() with handler ForeignCall { operation call(name, resume) { println(name); resume(1) } }
fn base() -> Int ! {ffi} = asks()
fn named() -> Int ! {ForeignCall} = asks()",
        expect![[r#"
            8:93 [effects.purity.violated] `leaky` is `@pure`, but `println` has the effect `{io}`
            9:28 [effects.contract.exceeded] `base` declares `! {ffi}`, but the call of `asks` has the effect `{ForeignCall}`
        "#]],
    );
}

#[test]
fn contracts_of_each_kind() {
    check(
        "fn waits() -> () ! {io.async} = ()
fn blocks() -> () ! {io.blocking} = ()
fn ticks() -> () ! {io.timer} = ()
@async_free
fn a() { waits(); blocks(); ticks() }
@no_blocking
fn b() { waits(); blocks(); ticks() }
@no_timer
fn c() { waits(); blocks(); ticks() }
fn d() ! {io} { waits() }
fn e() ! {io.async} { println(\"x\"); waits() }
@must_use
fn f(x: Int) -> Int = x
@must_use
type Ticket = { id: Int }
fn g(x: Int) -> Ticket = Ticket { id: x }
@must_await
fn h(x: Int) -> Ticket = g(x)
fn i() { f(1); g(2); h(3); let _ = f(4); let _ = h(5); let kept = h(6); kept.id |> f |> println }
@reentrant
fn j() = 1
@must_use
trait K { fn k(self); }
@handles
fn l() = 1",
        expect![[r#"
            5:10 [effects.contract.async] `a` is `@async_free`, but the call of `waits` has the effect `{io.async}`
            7:19 [effects.contract.blocking] `b` is `@no_blocking`, but the call of `blocks` has the effect `{io.blocking}`
            9:29 [effects.contract.timer] `c` is `@no_timer`, but the call of `ticks` has the effect `{io.timer}`
            10:17 [effects.contract.exceeded] `d` declares `! {io}`, but the call of `waits` has the effect `{io.async}`
            19:10 warning [language.must_use] the result of `f` is not used
            19:16 warning [language.must_use] this `Ticket` is not used
            19:22 warning [language.must_use] this `Ticket` is not used
            19:22 [effects.contract.must_await] what `h` starts is dropped before it is done
            19:50 [effects.contract.must_await] what `h` starts is dropped before it is done
            20:1 [language.attribute.invalid] `@reentrant` stands before an effect, an operation, a handler or a clause
            22:1 [language.attribute.invalid] `@must_use` stands before a function or a type
            24:1 [language.attribute.invalid] `@handles` names the effects it is about
        "#]],
    );
}

#[test]
fn promises_to_handle() {
    check(
        "effect Log { operation log : Str -> Unit }
handler mute for Log { operation log(text, resume) { resume(()) } }
fn loud() -> Int { do Log.log(\"x\"); 1 }
@handles(Log)
fn a() -> Int = handle loud() with mute
@handles(Log)
fn b() -> Int = loud()
@handles(Log)
fn c() -> Int = 1
@handles(Lag)
fn d() -> Int = handle loud() with mute
@handles(\"Log\")
fn e() -> Int = handle loud() with mute",
        expect![[r#"
            7:17 [effects.handles.escaped] `b` is `@handles(Log)`, but the effect of the call of `loud` leaves it
            8:10 warning [effects.handles.unused] `c` is `@handles(Log)`, but nothing in it handles `Log`
            10:10 [effects.handles.undefined] there is no declared effect `Lag` to handle
                fix: did you mean `Log`? `Log`
            12:10 [effects.handles.undefined] `@handles` takes the names of effects
        "#]],
    );
}

const STAGED: &str = "effect ForeignCall : ffi { operation call : Str -> Int }
effect Console : io { operation log : Str -> Unit }
@requires_capability(stage = \"experimental\")
fn a() -> Int = do ForeignCall.call(\"x\")
@requires_capability(stage = \"beta\")
fn b() -> Int { do Console.log(\"x\"); a() }
@requires_capability(\"console\", stage = \"at_least:beta\")
fn c() { do Console.log(\"x\") }
@requires_capability(\"disk\", stage = \"beta\")
fn d() { do Console.log(\"x\") }
@requires_capability(stage = \"gamma\")
fn e() { do Console.log(\"x\") }
@requires_capability(level = \"beta\")
fn f() { do Console.log(\"x\") }
fn g() { println(\"x\") }
@requires_capability(\"io\", stage = \"beta\")
fn h() { println(\"x\") }
fn main() { handle a() with handler ForeignCall { operation call(name, resume) { resume(1) } }; c(); g(); h() }
";

#[test]
fn stages() {
    check(
        STAGED,
        expect![[r#"
            5:1 [effects.contract.stage_mismatch] `b` requires `exact:beta`, but the capability `foreign-call` is experimental, and `console` is experimental
            7:1 [effects.contract.stage_mismatch] `c` requires `at_least:beta`, but the capability `console` is experimental
            9:1 warning [effects.handles.unused] `d` requires the capability `disk`, but has no effect that needs it
            11:30 [language.attribute.invalid] `gamma` is not a stage
            13:30 [language.attribute.invalid] `@requires_capability` has no setting `level`
            16:1 [effects.contract.stage_mismatch] `h` requires `exact:beta`, but the capability `io` is stable
        "#]],
    );
    let table = [("console", Stage::Beta), ("foreign-call", Stage::Stable), ("io", Stage::Beta)];
    let of = table.map(|(id, stage)| (id.to_owned(), stage)).into_iter().collect();
    let stages = Stages { of, ..Stages::default() };
    check_with(
        CheckOptions { stages: stages.clone(), ..CheckOptions::default() },
        STAGED,
        expect![[r#"
            3:1 [effects.contract.stage_mismatch] `a` requires `exact:experimental`, but the capability `foreign-call` is stable
            5:1 [effects.contract.stage_mismatch] `b` requires `exact:beta`, but the capability `foreign-call` is stable
            9:1 warning [effects.handles.unused] `d` requires the capability `disk`, but has no effect that needs it
            11:30 [language.attribute.invalid] `gamma` is not a stage
            13:30 [language.attribute.invalid] `@requires_capability` has no setting `level`
            15:10 [effects.contract.stage_mismatch] `println` needs the capability `io`, which is beta
        "#]],
    );
    let stages = Stages { admitted: Some(Stage::Stable), ..stages };
    check_with(
        CheckOptions { stages, ..CheckOptions::default() },
        STAGED,
        expect![[r#"
            3:1 [effects.contract.stage_mismatch] `a` requires `exact:experimental`, but the capability `foreign-call` is stable
            5:1 [effects.contract.stage_mismatch] `b` requires `exact:beta`, but the capability `foreign-call` is stable
            6:20 [effects.contract.stage_mismatch] `Console.log` needs the capability `console`, which is beta, but this run admits stable ones only
            8:13 [effects.contract.stage_mismatch] `Console.log` needs the capability `console`, which is beta, but this run admits stable ones only
            9:1 warning [effects.handles.unused] `d` requires the capability `disk`, but has no effect that needs it
            10:13 [effects.contract.stage_mismatch] `Console.log` needs the capability `console`, which is beta, but this run admits stable ones only
            11:30 [language.attribute.invalid] `gamma` is not a stage
            12:13 [effects.contract.stage_mismatch] `Console.log` needs the capability `console`, which is beta, but this run admits stable ones only
            13:30 [language.attribute.invalid] `@requires_capability` has no setting `level`
            14:13 [effects.contract.stage_mismatch] `Console.log` needs the capability `console`, which is beta, but this run admits stable ones only
            15:10 [effects.contract.stage_mismatch] `println` needs the capability `io`, which is beta, but this run admits stable ones only
            17:10 [effects.contract.stage_mismatch] `println` needs the capability `io`, which is beta, but this run admits stable ones only
        "#]],
    );
}

#[test]
fn what_the_functions_in_a_module_value_do_is_known() {
    report(
        "type Task<R> = { name: Str, body: () -> R }
fn run<R>(task: Task<R>) -> R = (task.body)()
fn hello() { println(\"x\") }
let quiet = Task { name: \"quiet\", body: || 3 }
let loud = Task { name: \"loud\", body: || hello() }
let again = Task { name: \"again\", body: || run(loud) }
let (first, _) = (loud, 1)
@pure
fn a() -> Int = run(quiet)
@pure
fn b() = run(again)
@pure
fn c() = run(first)",
        expect![[r#"
            11:14 [effects.purity.violated] `b` is `@pure`, but `again` has the effect `{io}`
                10:1 promised here
                6:48 through `loud` here
                5:42 through the call of `hello` here
                3:14 through `println` here
                note: the body compared with the promise: +io
                note: the effect `{io}` comes in by `b` -> `again` -> `loud` -> `hello` -> `println`
            13:14 [effects.purity.violated] `c` is `@pure`, but `first` has the effect `{io}`
                12:1 promised here
                7:6 through `<pattern>` here
                7:19 through `loud` here
                5:42 through the call of `hello` here
                3:14 through `println` here
                note: the body compared with the promise: +io
                note: the effect `{io}` comes in by `c` -> `first` -> `<pattern>` -> `loud` -> `hello` -> `println`
        "#]],
    );
}
