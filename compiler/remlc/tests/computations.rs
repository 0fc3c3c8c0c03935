//! What becomes of a computation, of its deferred code and of its variables, when it is given up, dropped, copied, or ended by a panic?

mod support;

use support::Ran;

const EFFECTS: &str = "effect Log { operation log(text: Str) -> () }
effect Fail { operation fail(message: Str) -> Never }
effect Ask { operation ask : () -> Int }
effect Yield { operation yield(value: Int) -> () }
effect Choice { @reentrant operation choose : () -> Bool }

fn logged<T>(name: Str, f: () -> T) -> T =
  handle f() with handler Log {
    var count = 0
    operation log(text, resume) {
      count := count + 1
      println(\"{name} {count}: {text}\")
      resume(())
    }
  }

fn failing<T>(instead: T, f: () -> T) -> T =
  handle f() with handler Fail {
    operation fail(message) {
      println(\"failed: {message}\")
      instead
    }
  }

type Step = | Done | More(Int, () -> Step)

fn steps(f: () -> ()) -> Step =
  handle f() with handler Yield {
    operation yield(value, resume) { More(value, || resume(())) }
    return _ { Done }
  }
";

/// Runs a program in both modes, which must agree, and leak nothing.
fn ran(main: &str) -> Ran {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    std::fs::write(&file, format!("{EFFECTS}{main}")).expect("the scratch directory can be written");
    let run = |mode: &[&str]| {
        let mut command = support::remlc();
        support::run(command.args(mode).arg(&file), "").expect("runs")
    };
    let (debug, release) = (run(&["run"]), run(&["run", "--release"]));
    assert_eq!((&debug.stdout, debug.exit), (&release.stdout, release.exit), "{debug:?} {release:?}");
    debug
}

fn prints(main: &str, expected: &str) {
    let ran = ran(main);
    assert_eq!((ran.stdout.as_str(), ran.exit), (expected, Some(0)), "{}", ran.stderr);
}

/// It panics with all of these texts.
fn panics(main: &str, expected: &str, texts: &[&str]) {
    let ran = ran(main);
    assert_eq!((ran.stdout.as_str(), ran.exit), (expected, Some(101)), "{}", ran.stderr);
    for text in texts {
        assert!(ran.stderr.contains(text), "no `{text}` in {}", ran.stderr);
    }
}

#[test]
fn handlers_around_the_one_that_gives_up_answer() {
    prints(
        "fn work(n: Int) -> Int {
  defer do Log.log(\"deferred {}\".replace(\"{}\", n.to_string()))
  if n == 0 { do Fail.fail(\"zero\") }
  do Yield.yield(n)
  work(n - 1) + 1
}
fn waiting(f: () -> Int) -> Int =
  handle f() with handler Yield {
    operation yield(_, resume) { resume(()) + 100 }
  }
fn main() {
  println(\"{}\", logged(\"outside\", || failing(-1, || waiting(|| work(1)))))
  println(\"{}\", failing(-2, || logged(\"between\", || waiting(|| work(1)))))
  println(\"{}\", failing(-3, || waiting(|| logged(\"around\", || logged(\"inside\", || work(1))))))
}
",
        "outside 1: deferred 0\noutside 2: deferred 1\nfailed: zero\n-1\n\
         between 1: deferred 0\nbetween 2: deferred 1\nfailed: zero\n-2\n\
         inside 1: deferred 0\ninside 2: deferred 1\nfailed: zero\n-3\n",
    );
}

#[test]
fn handlers_in_a_dropped_computation_answer() {
    prints(
        "fn main() {
  match steps(|| logged(\"inside\", || {
    defer do Log.log(\"dropped\")
    do Yield.yield(1)
  })) with
  | More(n, _) -> println(\"{n}\")
  | Done -> println(\"done\")
  let all = handle logged(\"copy\", || {
    defer do Log.log(\"over\")
    (do Choice.choose(), do Choice.choose())
  }) with handler Choice {
    operation choose(resume) { resume(true) ++ resume(false) }
    return pair { [pair] }
  }
  println(\"{}\", all.len())
}
",
        "inside 1: dropped\n1\ncopy 1: over\ncopy 2: over\ncopy 3: over\ncopy 4: over\n4\n",
    );
}

#[test]
fn handlers_around_a_dropped_computation_do_not() {
    panics(
        "fn main() {
  logged(\"outside\", || {
    let _ = steps(|| {
      defer println(\"others run\")
      defer do Log.log(\"dropped\")
      do Yield.yield(1)
    })
  })
}
",
        "others run\n",
        &["effects.unhandled", "has been dropped"],
    );
}

#[test]
fn what_is_being_given_up_cannot_be_given_up_again() {
    panics(
        "fn main() {
  println(\"{}\", failing(1, || {
    defer println(\"last\")
    defer do Fail.fail(\"again\")
    defer println(\"first\")
    do Fail.fail(\"once\")
  }))
}
",
        "first\nlast\n",
        &["effects.unhandled", "does not resume last"],
    );
}

#[test]
fn what_is_being_given_up_cannot_be_stopped() {
    panics(
        "fn main() {
  let n = handle failing(1, || {
    defer println(\"last\")
    defer println(\"{}\", do Ask.ask())
    do Fail.fail(\"once\")
  }) with handler Ask { operation ask(resume) { resume(5) + 1 } }
  println(\"{n}\")
}
",
        "last\n",
        &["effects.unhandled", "does not resume last"],
    );
}

#[test]
fn stacks_in_use_are_not_overwritten() {
    panics(
        "fn main() {
  var saved: Option<(Bool) -> Int> = None
  let n = handle failing(2, || handle {
    defer match saved with
      | Some(k) -> println(\"{}\", k(false))
      | None -> println(\"nothing\")
    if do Choice.choose() { do Fail.fail(\"chosen\") }
    10
  } with handler Choice {
    operation choose(resume) {
      saved := Some(resume)
      resume(true) + 1
    }
  }) with handler Choice { operation choose(resume) { resume(true) } }
  println(\"{n}\")
}
",
        "",
        &["effects.resume.active"],
    );
}

#[test]
fn a_panic_runs_it_under_the_same_rules() {
    panics(
        "fn main() {
  let n = logged(\"outside\", || failing(1, || {
    defer println(\"last\")
    defer do Log.log(\"at the panic\")
    defer println(\"{}\", failing(2, || {
      defer println(\"inner\")
      do Fail.fail(\"handled here\")
    }))
    defer do Fail.fail(\"deferred\")
    panic(\"boom\")
  }))
  println(\"{n}\")
}
",
        "inner\nfailed: handled here\n2\noutside 1: at the panic\nlast\n",
        &["boom", "does not resume last"],
    );
}

#[test]
fn a_panic_leaves_suspended_computations_alone() {
    panics(
        "fn main() {
  let step = steps(|| {
    defer println(\"never\")
    do Yield.yield(1)
  })
  defer println(\"once\")
  match step with
  | More(n, next) -> {
      if n == 1 { panic(\"{n}\") }
      next()
    }
  | Done -> Done
}
",
        "once\n",
        &["panic: 1"],
    );
}

/// Address space runs out long before memory does.
#[test]
#[cfg(target_os = "linux")]
fn computations_without_end() {
    let scratch = support::scratch();
    let main = "fn main() {
  defer println(\"deferred\")
  var all: [Step] = []
  for i in 0..1_000_000 { all.push(steps(|| do Yield.yield(i))) }
  println(\"{}\", all.len())
}
";
    std::fs::write(scratch.path().join("main.reml"), format!("{EFFECTS}{main}")).unwrap();
    let mut build = support::remlc();
    let built = support::run(build.current_dir(scratch.path()).args(["build", "main.reml", "-o", "program"]), "");
    assert_eq!(built.unwrap().exit, Some(0));
    let mut limited = std::process::Command::new("sh");
    let ran =
        support::run(limited.current_dir(scratch.path()).args(["-c", "ulimit -v 1500000; ./program"]), "").unwrap();
    assert_eq!((ran.stdout.as_str(), ran.exit), ("deferred\n", Some(101)), "{}", ran.stderr);
    assert!(ran.stderr.contains("code: runtime.out_of_memory"), "{}", ran.stderr);
}

/// Optimised or not: a variable that a lambda mentions is shared, one that is not is copied.
#[test]
fn copies_share_what_lambdas_mention() {
    prints(
        "fn both(f: () -> [Int]) -> [Int] =
  handle f() with handler Choice {
    operation choose(resume) { resume(true) ++ resume(false) }
  }
fn main() {
  println(\"{}\", both(|| {
    var shared = 0
    var own = 0
    let increase = || { shared := shared + 1 }
    increase()
    own := own + 1
    let first = do Choice.choose()
    increase()
    own := own + 1
    [if first { shared } else { shared * 100 }, own]
  }))
}
",
        "[2, 2, 300, 2]\n",
    );
}

#[test]
fn arrays_can_be_handled() {
    prints(
        "fn main() {
  let total = handle [1, 2].map(|n| n + do Ask.ask()) with handler Ask { operation ask(resume) { resume(5) } }
  println(\"{}\", total)
}
",
        "[6, 7]\n",
    );
}

/// The clause needs what the handler keeps after it has given up the continuation that kept the handler alive.
#[test]
fn a_clause_that_drops_its_continuation_first() {
    prints(
        "fn main() {
  var n = 5
  let r = handle {
    n := 6
    do Ask.ask() + 1
  } with handler Ask {
    operation ask(resume) { if true { -n } else { resume(n) + 1 } }
  }
  println(\"{n} {r}\")
}
",
        "6 -6\n",
    );
    prints(
        "fn main() {
  var n = 5
  let r = handle {
    n := 6
    do Ask.ask() + 1
  } with handler Ask {
    operation ask(resume) { if true { -3 } else { resume(n) + 1 } }
  }
  println(\"{n} {r}\")
}
",
        "6 -3\n",
    );
}

/// Its deferred code would look at globals that are gone.
#[test]
fn what_a_global_keeps_ends_quietly_with_the_program() {
    let ran = ran("
let held: Ref<[Step]> = Ref.new([])
let log: Ref<[Str]> = Ref.new([\"started\"])

fn main() {
  held.set([steps(|| {
    defer {
      held.set([])
      println(\"{}\", log.get())
    }
    do Yield.yield(1)
  })])
  println(\"ended\")
}
");
    assert_eq!((&*ran.stdout, ran.exit), ("ended\n", Some(0)), "{ran:?}");
}

/// A continuation that is resumed last is consumed, whatever other clauses and branches do with theirs.
#[test]
fn a_clause_that_resumes_last_in_one_branch() {
    prints(
        "fn count(n: Int) -> Int {
  var total = 0
  for i in 0..n { total := total + do Ask.ask() }
  total
}
fn main() {
  var n = 0
  let r = handle count(100000) with handler Ask {
    operation ask(resume) {
      n := n + 1
      if n != 7 { resume(n) } else { resume(0) + 1000 }
    }
  }
  println(\"{n} {r}\")
}
",
        "100000 5000050993\n",
    );
}

/// A continuation that is resumed for the last time is consumed; the others, and the values they own, are left as they are.
#[test]
fn a_continuation_is_consumed_when_nobody_else_has_it() {
    prints(
        "fn words(texts: List<Str>) -> Step = steps(|| {
  for text in texts {
    defer { println(\"after {text}\") }
    perform Yield.yield(text.byte_len())
  }
})

fn total(step: Step, sum: Int) -> Int = match step with
  | Done -> sum
  | More(value, rest) -> total(rest(), sum + value)

fn first_two(step: Step) -> [Int] = match step with
  | More(a, rest) -> match rest() with
    | More(b, _) -> [a, b]
    | Done -> [a]
  | Done -> []

fn main() {
  println(total(words(List.from_array([\"a\", \"bb\", \"ccc\"])), 0))
  println(\"{:?}\", first_two(words(List.from_array([\"dddd\", \"eeeee\", \"f\"]))))
}
",
        "after a\nafter bb\nafter ccc\n6\nafter dddd\nafter eeeee\n[4, 5]\n",
    );
    panics(
        "fn main() {
  match steps(|| { perform Yield.yield(1); perform Yield.yield(2) }) with
  | More(_, rest) -> {
      let _ = rest()
      let _ = rest()
    }
  | Done -> ()
}
",
        "",
        &["effects.resume.reused"],
    );
}

/// The last resumption of a reentrant operation needs no copy of the stacks, and must not disturb what others have kept.
#[test]
fn the_last_of_several_resumptions_runs_in_place() {
    prints(
        "type Tree = Tip(Int) | Fork((Bool) -> Tree)

fn tree(f: () -> Int) -> Tree = handle f() with handler Choice {
  operation choose(resume) { Fork(resume) }
  return value { Tip(value) }
}

fn leaves(tree: Tree, left: Bool) -> [Int] = match tree with
  | Tip(value) -> [value]
  | Fork(branch) when left -> leaves(branch(true), left) ++ leaves(branch(false), left)
  | Fork(branch) -> leaves(branch(false), left) ++ leaves(branch(true), left)

fn bits() -> Int {
  var sum = [0]
  for i in 0..3 {
    if perform Choice.choose() { sum[0] := sum[0] * 2 + 1 } else { sum[0] := sum[0] * 2 }
  }
  sum[0]
}

fn main() {
  println(\"{:?}\", leaves(tree(bits), true))
  println(\"{:?}\", leaves(tree(bits), false))
  match tree(bits) with
  | Fork(branch) -> {
      let kept = branch(true)
      println(\"{:?} {:?} {:?}\", leaves(branch(false), true), leaves(kept, true), leaves(branch(true), false))
    }
  | Tip(_) -> ()
}
",
        "[7, 6, 5, 4, 3, 2, 1, 0]\n[0, 1, 2, 3, 4, 5, 6, 7]\n[3, 2, 1, 0] [7, 6, 5, 4] [4, 5, 6, 7]\n",
    );
}

/// In code that is written in continuations, a call in tail position ends the closure that it calls. When effects may leave or copy that
/// call, the closure's code owns what it captures.
#[test]
fn closures_that_a_call_ends_are_left_and_copied_with_it() {
    prints(
        "fn go(n: Int, k: (Int) -> Int) -> Int =
  if n == 0 { k(0) } else { go(n - 1, |x| go(0, |y| k(x + y))) }

fn fails(n: Int) -> Int {
  let text = format(\"number {}\", n)
  failing(-1, || go(n, |x| {
    if n > 0 { do Fail.fail(text) }
    x + text.len()
  }))
}

fn chooses(n: Int) -> [Int] {
  let text = format(\"number {}\", n)
  handle go(n, |x| if do Choice.choose() { x + text.len() } else { n }) with handler Choice {
    operation choose(resume) { resume(true) ++ resume(false) }
    return value { [value] }
  }
}

fn main() {
  for n in 0..3 { println(\"{} {:?}\", fails(n), chooses(n)) }
}
",
        "8 [8, 0]\nfailed: number 1\n-1 [8, 1]\nfailed: number 2\n-1 [8, 2]\n",
    );
}

/// What a lambda, a handled computation, a clause or deferred code does to a `&mut` parameter, the caller sees.
#[test]
fn parameters_that_lambdas_change() {
    prints(
        "fn each(xs: &mut [Int]) { [1, 2].for_each(|x| xs.push(x)) }

fn handled(xs: &mut [Int]) {
  handle { xs.push(3); perform Log.log(\"abcd\"); xs.push(5) } with handler Log {
    operation log(text, resume) { xs.push(text.byte_len()); resume(()) }
  }
}

fn deferred(xs: &mut [Int]) -> Int {
  defer { xs.push(6) }
  xs.len()
}

fn seen(x: &mut Int) -> Int {
  let f = || x + 0
  x := 2
  f()
}

fn main() {
  var xs = [0]
  each(xs)
  handled(xs)
  println(\"{} {:?}\", deferred(xs), xs)
  var x = 1
  println(\"{} {}\", seen(x), x)
}
",
        "6 [0, 1, 2, 3, 4, 5, 6]\n2 2\n",
    );
}

/// A handler whose clauses resume last is nobody's business while its computation runs; it lives all the same, even if the computation
/// never returns.
#[test]
fn the_handler_of_a_computation_that_does_not_return_stays_alive() {
    prints(
        "fn forever() -> Never {
  var n = 0
  var texts: [Str] = []
  loop {
    n := n + do Ask.ask()
    texts.push(\"text\".repeat(n % 40))
    if n > 200 { do Fail.fail(format(\"{} {}\", n, texts.len())) }
  }
}

fn main() {
  for step in 1..3 {
    let r = failing(-1, || {
      handle forever() with handler Ask { operation ask(resume) { resume(step) } }
      0
    })
    println(\"{r}\")
  }
}
",
        "failed: 201 201\n-1\nfailed: 202 101\n-1\n",
    );
}

/// A `&mut` parameter that a lambda shares stays shared when it is passed on within a branch.
#[test]
fn shared_parameters_that_are_passed_on() {
    prints(
        "fn pop(xs: &mut [Str]) -> Result<Str, Str> = xs.pop().ok_or(\"empty\")

fn step(xs: &mut [Str], op: Int) -> Result<Int, Str> {
  let size = || xs.len()
  match op with
  | 1 -> ignore(pop(xs)?)
  | 2 -> xs.push(\"b\")
  | _ -> ()
  Ok(size())
}

fn main() {
  var xs = [\"a\"]
  for op in [2, 1, 0, 1, 1] { println(\"{:?} {:?}\", step(xs, op), xs) }
}
",
        "Ok(2) [\"a\", \"b\"]\nOk(1) [\"a\"]\nOk(1) [\"a\"]\nOk(0) []\nErr(\"empty\") []\n",
    );
}
