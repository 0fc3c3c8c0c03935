//! Async programs: nothing leaks however a future ends, many tasks need little, and nobody waits for ever.

mod support;

/// Runs a program in both modes under the leak check.
fn check(source: &str, expected: &str) {
    for mode in [&["run"][..], &["run", "--release"]] {
        let ran = run(source, mode);
        assert_eq!((ran.stdout.trim(), ran.exit), (expected.trim(), Some(0)), "{mode:?}: {}", ran.stderr);
    }
}

fn run(source: &str, mode: &[&str]) -> support::Ran {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    std::fs::write(&file, format!("{PRELUDE}{source}")).expect("the scratch directory can be written");
    let mut command = support::remlc();
    command.env("REML_LEAK_CHECK", "1").args(mode).arg("-q").arg(&file);
    support::run(&mut command, "").expect("runs")
}

const PRELUDE: &str = "
use Core.Async.{
  AsyncError, CancellationToken, Context, Future, Pending, Ready, Task, block_on, join, join_all, ready,
  retry, select, sleep_async, spawn, timeout, with_cancellation, yield_now,
}

effect Ask { operation ask : () -> Int }
effect Fail { operation fail(message: Str) -> Never }

async fn nap(name: Str, millis: Int) -> Str {
  defer println(\"{name} leaves\")
  let kept = [name, name]
  sleep_async(Duration.from_millis(millis)).await
  kept[0]
}
";

#[test]
fn a_future_may_end_in_any_way() {
    check(
        "
async fn failing() -> Str {
  defer println(\"failing leaves\")
  yield_now().await
  do Fail.fail(\"failed\")
}
async fn asking() -> Int {
  let first = do Ask.ask()
  yield_now().await
  first + do Ask.ask()
}
async fn main() {
  let unused = nap(\"unused\", 1)
  println(nap(\"awaited\", 1).await)
  println(\"{}\", timeout(nap(\"late\", 100_000), 1.ms).await.is_err())
  println(\"{}\", timeout(timeout(nap(\"inner\", 100_000), 1.h), 1.ms).await.is_err())
  println(\"{}\", select([nap(\"loser\", 100_000), nap(\"winner\", 1)]).await)
  let text = handle failing().await with handler Fail { operation fail(message) { message } }
  println(text)
  println(\"{}\", handle asking().await with handler Ask { operation ask(resume) { resume(21) } })
  let early = spawn(nap(\"early\", 1))
  println(\"{} {}\", early.cancel(), early.join().await.is_err())
  let parked = spawn(nap(\"parked\", 100_000))
  yield_now().await
  println(\"{} {}\", parked.cancel(), parked.cancel())
  let polled = nap(\"polled\", 100_000)
  let _ = timeout(join(polled, ready(1)), 1.ms).await
  let forgotten = spawn(nap(\"forgotten\", 100_000))
  yield_now().await
  println(\"end\")
}
",
        "
awaited leaves
awaited
late leaves
true
inner leaves
true
winner leaves
loser leaves
(1, \"winner\")
failing leaves
failed
42
true true
parked leaves
true false
polled leaves
end
forgotten leaves
",
    );
}

#[test]
fn a_task_may_cancel_itself_and_others() {
    check(
        "
async fn main() {
  let own: Ref<Option<Task<Int>>> = Ref.new(None)
  let selfish = spawn(async {
    defer println(\"given up\")
    match own.get() with
    | Some(task) -> println(\"{}\", task.cancel())
    | None -> ()
    println(\"goes on\")
    yield_now().await
    println(\"not here\")
    1
  })
  own.set(Some(selfish))
  println(\"{}\", selfish.join().await)
  own.set(None)
  let token = CancellationToken.new()
  let busy = with_cancellation(async {
    for n in 0..1_000_000 {
      ready(n).await
      if n == 3 { token.cancel() }
    }
  }, token)
  match busy.await with
  | Err(error) -> println(\"{error}\")
  | Ok(_) -> println(\"through\")
  println(\"{}\", with_cancellation(nap(\"at once\", 1), token).await.is_err())
}
",
        "
true
goes on
given up
Err(AsyncError { kind: Cancelled, message: \"cancelled\", timeout: None })
cancelled
true
",
    );
}

#[test]
fn a_result_is_shared_through_a_task() {
    check(
        "
async fn main() {
  let shared = nap(\"shared\", 1)
  let tasks = [1, 2, 3].map(|n| spawn(async { format(\"{} {}\", n, shared.await) }))
  for task in tasks { println(\"{}\", task.join().await.unwrap()) }
  println(shared.await)
  let work = spawn(nap(\"work\", 1))
  println(\"{}\", join_all([1, 2, 3].map(|_| work.join()).to_list()).await.len())
}
",
        "
shared leaves
1 shared
2 shared
3 shared
shared
work leaves
3
",
    );
}

#[test]
fn many_tasks_one_after_the_other_and_at_once() {
    check(
        "
async fn step(n: Int) -> Int {
  yield_now().await
  n
}
async fn chain(n: Int) -> Int = if n == 0 { step(0).await } else { 1 + chain(n - 1).await }
async fn main() {
  var sum = 0
  for n in 0..100_000 { sum := sum + spawn(step(n)).join().await.unwrap_or(0) }
  println(\"{sum}\")
  for n in 0..100_000 {
    ignore(spawn(step(n)))
    if n % 100 == 0 { yield_now().await }
  }
  for n in 0..10_000 { sum := sum + timeout(step(1), 1.h).await.unwrap_or(0) }
  for n in 0..10_000 { sum := sum + select([step(1), sleep_async(1.h).map(|_| 0)]).await.1 }
  println(\"{sum}\")
  let sleepers = List.range(0, 10_000).map(|n| async {
    sleep_async(5.ms).await
    n
  })
  println(\"{}\", join_all(sleepers).await.len())
  println(\"{}\", chain(10_000).await)
  for n in 0..1_000_000 { sum := sum + async { 1 }.await }
  println(\"{sum}\")
}
",
        "
4999950000
4999970000
10000
10000
5000970000
",
    );
}

#[test]
fn nobody_waits_for_ever() {
    check(
        "
fn main() {
  let never: Future<Int> = Future { poll: |_| Pending }
  println(\"{}\", block_on(never).is_err())
  println(\"{}\", block_on(async {
    let task = spawn(async { nap(\"nested\", 1).await ++ block_on(nap(\"inside\", 1)).unwrap() })
    task.join().await
  }))
  println(\"{}\", block_on(async {
    let stuck = spawn(async {
      let forever: Future<Int> = Future { poll: |_| Pending }
      forever.await
    })
    stuck.join().await
  }).is_err())
}
",
        "
true
nested leaves
inside leaves
Ok(Ok(\"nestedinside\"))
true
",
    );
    let ran = run("async fn main() { Future { poll: |_| Pending }.map(|n: Int| n + 1).await }", &["run"]);
    assert_eq!(ran.exit, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: waits for something that can never happen"), "{}", ran.stderr);
}

#[test]
fn a_panic_runs_what_is_deferred() {
    let ran = run(
        "async fn main() {
  let task = spawn(async {
    defer println(\"cleans up\")
    yield_now().await
    panic(\"no\")
  })
  ignore(task.join().await)
}",
        &["run"],
    );
    assert_eq!((ran.exit, ran.stdout.trim()), (Some(101), "cleans up"), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("panic: no"), "{}", ran.stderr);
}
