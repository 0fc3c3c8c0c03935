//! `async`, `await` and tasks, against the least library that has them.

use expect_test::{Expect, expect};

const LIBRARY: &str = "
--- Core.Async.Futures
pub effect Async : io.async { operation park() -> Unit }
@must_use
pub type Future<T> = { poll: () -> T }
pub fn async_block<T>(body: () -> T) -> Future<T> = Future { poll: body }
pub fn await_future<T>(future: Future<T>) -> T ! {Async} = (future.poll)()
--- Core.Async.Tasks
use Core.Async.Futures.{Async, Future}
pub type Task<T> = { outcome: Future<T> }
pub fn spawn<T>(future: Future<T>) -> Task<T> ! {io.async} {
  if false {
    handle ignored((future.poll)()) with handler Async { operation park(resume) { resume(()) } }
  }
  Task { outcome: future }
}
pub fn block_on<T>(future: Future<T>) -> T ! {io.blocking} =
  handle (future.poll)() with handler Async { operation park(resume) { resume(()) } }
fn ignored<T>(_: T) -> () = ()
--- main
use Core.Async.Futures.{Async, Future}
use Core.Async.Tasks.{Task, spawn, block_on}
effect Ask { operation ask : () -> Int }
async fn work(n: Int) -> Int = n
async fn asks() -> Int = do Ask.ask()
";

fn check(text: &str, expected: Expect) {
    // The lines of the library are not counted.
    let lines = LIBRARY.split("--- main\n").nth(1).unwrap_or_default().lines().count();
    let (reported, ..) = super::run(&format!("{}{text}", LIBRARY.trim_start()));
    let shifted: Vec<String> = reported
        .lines()
        .filter_map(|line| {
            let Some(rest) = line.strip_prefix("main:") else {
                return (!line.contains("language.use.unused")).then(|| line.to_owned());
            };
            let (at, message) = rest.split_once(':')?;
            let line: usize = at.parse().ok()?;
            (!message.contains("language.use.unused")).then(|| format!("{}:{message}", line - lines))
        })
        .collect();
    let shifted: String = shifted.iter().map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&shifted);
}

#[test]
fn async_code_is_typed() {
    check(
        "trait Source { async fn fetch(self, n: Int) -> Int }
type A = { base: Int }
impl Source for A { async fn fetch(self, n: Int) -> Int { work(n).await + self.base } }
async fn total<S: Source>(source: S) -> Int = source.fetch(1).await + await source.fetch(2).await
async fn inferred(n: Int) { if n > 1 { return work(n).await }; n }
fn later(n: Int) -> Future<Int> = async move { work(n).await }
async fn failing(n: Int) -> Result<Int, Str> {
  async fn local(n: Int) -> Result<Int, Str> = if n > 1 { Err(\"large\") } else { Ok(n) }
  let captured = |m| async { work(n + m).await }
  Ok(local(n).await? + captured(1).await)
}
async fn main() -> Result<Int, Str> {
  let task: Task<Int> = spawn(inferred(1))
  let sum: Int = task.outcome.await + later(2).await + total(A { base: 1 }).await
  Ok(sum + failing(1).await?)
}",
        expect![""],
    );
}

#[test]
fn only_futures_are_awaited() {
    check(
        "async fn main() {
  3.await
  work.await
  await spawn(work(1))
  \"x\".await
  let text: Str = work(1).await
  work().await
  work(true).await
}",
        expect![[r#"
            2:3 [language.await.not_a_future] `await` waits for a `Future`, found `{integer}`
            3:3 [language.await.not_a_future] `await` waits for a `Future`, found `(Int) -> Future<Int>`
            4:9 [language.await.not_a_future] `await` waits for a `Future`, found `Task<Int>`
            5:3 [language.await.not_a_future] `await` waits for a `Future`, found `Str`
            6:19 [type.mismatch] expected `Str`, found `Int`
            7:3 [language.arity.mismatch] function `work` takes 1 argument, but 0 are given
            8:8 [type.mismatch] function `work` expects `Int` for `n`, found `Bool`
        "#]],
    );
}

#[test]
fn the_code_of_a_future_is_a_function() {
    check(
        "async fn main() {
  for i in 0..3 { async { break }.await }
  let text: Future<Str> = async { 1 }
  let number: Future<Int> = async { return \"x\" }
  defer work(1).await
  defer { let _ = spawn(async { work(1).await }) }
}
async fn wrong() -> Int { true }",
        expect![[r#"
            2:27 [language.control_flow.outside_loop] `break` stands outside of a loop
            3:35 [type.mismatch] expected `Str`, found `{integer}`
            4:44 [type.mismatch] expected `Int`, found `Str`
            5:9 [language.await.in_defer] deferred code cannot wait
            8:27 [type.mismatch] expected `Int`, found `Bool`
        "#]],
    );
}

#[test]
fn somebody_runs_what_waits() {
    check(
        "fn helper() -> Int = work(1).await
fn main() -> Int = helper()
let value = work(1).await
@test
fn tested() { let _ = helper() }
@test
async fn fine() { let _ = helper() }
fn blocking() -> Int = block_on(async { helper() })
async fn unhandled() -> Int = asks().await
fn elsewhere() -> Int = handle block_on(unhandled()) with handler Ask { operation ask(resume) { resume(1) } }",
        expect![[r#"
            2:20 [effects.unhandled] the call of `helper` waits, but nothing runs `main` as a future
            3:13 [effects.unhandled] `await` waits, but nothing runs `value` as a future
            5:23 [effects.unhandled] the call of `helper` waits, but nothing runs `tested` as a future
        "#]],
    );
}

#[test]
fn contracts_see_waiting() {
    check(
        "@async_free
fn free() -> Int = work(1).await
@async_free
fn spawns() -> Task<Int> = spawn(work(1))
@no_blocking
fn blocks() -> Int = block_on(work(1))
@pure
async fn pure() -> Int = work(1).await
@no_panic
async fn panics() -> Int = panic(\"no\")
async fn row() -> Int ! {} = work(1).await
async fn prints() -> Int ! {} { println(\"x\"); 1 }
fn plain() -> Int ! {} = work(1).await
fn main() {
  work(1)
  let _ = work(1)
  spawn(work(1))
}",
        expect![[r#"
            2:20 [effects.contract.async] `free` is `@async_free`, but `await` has the effect `{Async}`
            4:28 [effects.contract.async] `spawns` is `@async_free`, but the call of `spawn` has the effect `{io.async}`
            6:22 [effects.contract.blocking] `blocks` is `@no_blocking`, but the call of `block_on` has the effect `{io.blocking}`
            8:26 [effects.purity.violated] `pure` is `@pure`, but `await` has the effect `{Async}`
            10:28 [effects.contract.panic] `panics` is `@no_panic`, but `panic` has the effect `{panic}`
            12:33 [effects.contract.exceeded] `prints` declares `! {}`, but `println` has the effect `{io}`
            13:26 [effects.contract.exceeded] `plain` declares `! {}`, but `await` has the effect `{Async}`
            15:3 warning [language.must_use] this `Future<Int>` is not awaited, so it never runs
        "#]],
    );
}

#[test]
fn tasks_handle_their_effects() {
    check(
        "fn start(future: Future<Int>) -> Task<Int> = spawn(future)
fn start_all(futures: [Future<Int>]) { for future in futures { let _ = start(future) } }
fn keep(future: Future<Int>) -> Future<Int> = future
fn main() {
  let answer = |f: () -> ()| handle f() with handler Ask { operation ask(resume) { resume(1) } }
  answer(|| { let _ = spawn(asks()) })
  answer(|| { let _ = start(asks()) })
  answer(|| start_all([asks()]))
  let _ = spawn(async { handle asks().await with handler Ask { operation ask(resume) { resume(1) } } })
  let _ = keep(asks())
}",
        expect![[r#"
            6:23 [effects.task.unhandled] nothing in the task handles its effect `Ask`
            7:23 [effects.task.unhandled] nothing in the task handles its effect `Ask`
            8:13 [effects.task.unhandled] nothing in the task handles its effect `Ask`
        "#]],
    );
}

#[test]
fn async_needs_its_library() {
    let (reported, ..) = super::run("async fn f() -> Int { async { 1 }.await }\nfn main() { await 1 }");
    expect![[r#"
        1:7 [language.not_supported_yet] `async` needs the standard library's `Core.Async`
        1:21 [language.not_supported_yet] `async` needs the standard library's `Core.Async`
        2:13 [language.not_supported_yet] `await` needs the standard library's `Core.Async`
    "#]]
    .assert_eq(&reported);
}
