//! Does a panic name the place in the program it comes from, however much of the library was inlined there?

mod support;

use std::process::Command;

use support::{Ran, remlc, run, scratch};

/// The `  at ..` line of the panic, which must be the same under `run`, `run --release` and as an executable of
/// either kind.
fn place(text: &str) -> String {
    let directory = scratch();
    std::fs::write(directory.path().join("main.reml"), text).unwrap();
    let mut places = Vec::new();
    for release in [&[][..], &["--release"]] {
        let mut command = remlc();
        command.current_dir(directory.path());
        places.push(at(run(command.arg("run").args(release).arg("main.reml"), "").unwrap()));
        let mut command = remlc();
        command.current_dir(directory.path());
        let built = run(command.arg("build").args(release).args(["main.reml", "-o", "program"]), "").unwrap();
        assert_eq!(built.exit, Some(0), "{built:?}");
        places.push(at(run(&mut Command::new(directory.path().join("program")), "").unwrap()));
    }
    // Inlining may give the place to the function around.
    let position = |place: &String| place.split_once('(').map(|(_, position)| position.to_owned());
    assert!(places.iter().all(|other| position(other) == position(&places[0])), "{places:?}");
    places.remove(0)
}

fn at(ran: Ran) -> String {
    assert_eq!(ran.exit, Some(101), "{ran:?}");
    let line = ran.stderr.lines().find_map(|line| line.strip_prefix("  at "));
    line.unwrap_or_else(|| panic!("no place: {}", ran.stderr)).to_owned()
}

#[test]
fn in_an_inlined_library_function() {
    let text = "fn take(o: Option<Int>) -> Int =\n  o.unwrap()\n\nfn main() = println(\"{take(None)}\")\n";
    assert_eq!(place(text), "main.main (main.reml:2:3)");
}

#[test]
fn in_a_library_function_that_is_called() {
    let text = "fn main() = {\n  let e: Result<Int, Str> = Err(\"no\")\n  println(\"{e.expect(\"needed\")}\")\n}\n";
    let text = text.replace("{e.expect(\"needed\")}\"", "{}\", e.expect(\"needed\")");
    assert_eq!(place(&text), "main.main (main.reml:3:17)");
}

#[test]
fn in_a_library_function_through_another() {
    let text = "fn ninth(xs: [Int]) -> Int = xs.slice(0, 3).get(9).unwrap()\n\nfn main() = println(\"{ninth([1, 2, 3, 4])}\")\n";
    assert!(place(text).ends_with("(main.reml:1:30)"), "{}", place(text));
}

#[test]
fn in_a_lambda_that_the_library_calls() {
    let text = "fn main() = {\n  let ys = [1, 0].map(|x|\n    10 / x)\n  println(\"{ys}\")\n}\n";
    assert!(place(text).ends_with("(main.reml:3:5)"), "{}", place(text));
}

#[test]
fn in_the_initial_value_of_a_module() {
    let text = "let none: Option<Int> = None\nlet first = none.unwrap()\n\nfn main() = println(\"{first + 1}\")\n";
    assert!(place(text).ends_with("(main.reml:2:13)"), "{}", place(text));
}

#[test]
fn deferred_code_sees_the_latest_values() {
    let text = "\
fn work() {
  var seen = [0]
  var count = 0
  defer println(format(\"{} {}\", seen, count))
  for i in 1..4 {
    seen.push(i)
    count := count + i
  }
  panic(\"stop\")
}

fn main() = work()
";
    let directory = scratch();
    std::fs::write(directory.path().join("main.reml"), text).unwrap();
    for release in [&[][..], &["--release"]] {
        let ran = run(remlc().current_dir(directory.path()).arg("run").args(release).arg("main.reml"), "").unwrap();
        assert_eq!((ran.exit, ran.stdout.as_str()), (Some(101), "[0, 1, 2, 3] 6\n"), "{ran:?}");
    }
}

#[test]
fn in_a_value_of_a_circle_that_is_not_there_yet() {
    let text = "use Core.Parse

let a = Parse.char('(').skipL(b).or(Parse.char('x'))
let b = if Parse.run(a, \"(x\").is_ok() { a } else { Parse.char('y') }

fn main() = println(\"{:?}\", Parse.run(a, \"(x\"))
";
    let place = place(text);
    assert!(place.ends_with("(main.reml:4:22)"), "{place}");
}

#[test]
fn where_the_first_place_of_a_function_is_behind_the_one_of_the_panic() {
    let text = "var n = 3\n\nfn main() {\n  let first = [n][n]\n  println(\"{first}\")\n}\n";
    assert_eq!(place(text), "main.main (main.reml:4:15)");
}

#[test]
fn in_a_method_of_a_trait_for_a_type_of_the_library() {
    let text = "fn main() {\n  let ages = Map.from_list([(\"Ada\", 36)])\n  println(\"{}\", ages[\"Bob\"])\n}\n";
    assert_eq!(place(text), "main.main (main.reml:3:17)");
}
