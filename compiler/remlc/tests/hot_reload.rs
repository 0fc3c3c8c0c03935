//! Does `remlc run --hot-reload` replace the functions of a running program, and leave the program alone when it cannot?
//!
//! The programs read a line for each step, so that nothing depends on time: a test saves a file, waits until remlc says that it has been
//! compiled, and sends the next line.

#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use support::{remlc, scratch};

/// Nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs, and the folder with its files.
struct Running {
    directory: tempfile::TempDir,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    messages: Receiver<String>,
    /// What has been said on standard error so far.
    said: String,
}

impl Running {
    fn start(files: &[(&str, &str)]) -> Running {
        Running::start_with(files, &[])
    }

    fn start_with(files: &[(&str, &str)], flags: &[&str]) -> Running {
        let directory = scratch();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let mut child = remlc()
            .current_dir(directory.path())
            .args(["run", "--hot-reload"])
            .args(flags)
            .arg("main.reml")
            .env("REML_LEAK_CHECK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut running = Running { directory, child, input, output, messages, said: String::new() };
        running.wait_for("reload: watching");
        running
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file by another one, as editors do.
    fn save(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Saves what compiles.
    fn offer(&mut self, name: &str, text: &str) {
        self.save(name, text);
        self.wait_for("reload: compiled");
    }

    /// Saves what cannot come into force; what is said about that.
    fn refused(&mut self, name: &str, text: &str) -> String {
        let before = self.said.len();
        self.save(name, text);
        self.wait_for("reload: rejected");
        self.said[before..].to_owned()
    }

    /// Waits for a line on standard error.
    fn wait_for(&mut self, start: &str) -> String {
        let begin = Instant::now();
        loop {
            match self.messages.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
                Ok(line) => {
                    self.said += &format!("{line}\n");
                    if line.starts_with(start) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no `{start}` came, but:\n{}", self.said)
                }
            }
        }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// One step of the program: what it prints.
    fn step(&mut self, line: &str) -> String {
        self.send(line);
        let mut printed = String::new();
        self.output.read_line(&mut printed).unwrap();
        printed.trim_end().to_owned()
    }

    /// Ends the input; the exit status, and the rest of standard error.
    fn end(mut self) -> (i32, String) {
        drop(self.input);
        let status = self.child.wait().unwrap();
        let rest: Vec<String> = self.messages.iter().collect();
        (status.code().unwrap(), rest.join("\n"))
    }

    /// The program ends, and nothing has leaked.
    fn ends_well(self) {
        let (status, said) = self.end();
        let problems: Vec<&str> = said.lines().filter(|line| !line.starts_with("reload: in force")).collect();
        assert_eq!((status, problems), (0, Vec::new()));
    }
}

/// Answers each line with what `step` makes of it.
const LOOP: &str = "
fn main() = {
  var going = true
  while going {
    match IO.read_line() with
    | Ok(Some(line)) -> println(step(line))
    | _ -> going := false
    IO.flush()
  }
}
";

const COUNTING: &str = "var count = 0

fn step(line: Str) -> Str = {
  count := count + 1
  format(\"one {} {}\", line, count)
}
";

fn with_loop(text: &str) -> String {
    format!("{text}{LOOP}")
}

#[test]
fn a_new_body_is_called_and_variables_keep_their_values() {
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &with_loop(&COUNTING.replace("one", "two")));
    assert_eq!(program.step("b"), "two b 2");
    assert_eq!(program.wait_for("reload: in force"), "reload: in force: changed main.step");
    assert_eq!(program.step("c"), "two c 3");
    program.offer("main.reml", &with_loop(&COUNTING.replace("one", "three").replace("= 0", "= 9")));
    assert_eq!(program.step("d"), "three d 4");
    let said = program.wait_for("reload: in force");
    assert_eq!(said, "reload: in force: changed main.step; keeps its value: main.count");
    program.ends_well();
}

#[test]
fn what_does_not_compile_changes_nothing() {
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    let said = program.refused("main.reml", &with_loop(&COUNTING.replace("+ 1", "+ \"1\"")));
    assert!(said.contains("error[type.mismatch]"), "{said}");
    assert_eq!(program.step("b"), "one b 2");
    program.offer("main.reml", &with_loop(&COUNTING.replace("one", "two")));
    assert_eq!(program.step("c"), "two c 3");
    program.ends_well();
}

#[test]
fn types_that_running_code_relies_on_stay() {
    let text = with_loop(
        "type Point = { x: Int, y: Int }

effect Ask { operation ask(what: Str) -> Int }

var last = Point { x: 0, y: 0 }
var mood: Int = 1

fn asked() -> Int ! { Ask } = perform Ask.ask(\"how\")

fn step(line: Str) -> Str = {
  last := Point { x: line.len(), y: mood }
  let n = handle asked() with handler Ask { operation ask(what, resume) { resume(what.len()) } }
  format(\"{} {} {}\", last.x, last.y, n)
}
",
    );
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("abc"), "3 1 3");
    let cases = [
        (
            "the type of `main.step`",
            text.replace("step(line: Str)", "step(line: Str, n: Int)").replace("step(line)", "step(line, 1)"),
        ),
        (
            "the type `main.Point`",
            text.replace("y: Int", "y: Int, z: Int").replace("y: 0", "y: 0, z: 0").replace("y: mood", "y: mood, z: 0"),
        ),
        (
            "the type of the variable `main.mood`",
            text.replace("mood: Int = 1", "mood: Float = 1.0").replace("y: mood", "y: 1"),
        ),
        (
            "the effect `main.Ask`",
            text.replace("ask(what: Str)", "ask(what: Str, n: Int)")
                .replace("(\"how\")", "(\"how\", 1)")
                .replace("ask(what, resume)", "ask(what, n, resume)"),
        ),
    ];
    for (what, changed) in cases {
        let said = program.refused("main.reml", &changed);
        assert!(said.contains("error[reload.incompatible]") && said.contains(what), "{what}:\n{said}");
        assert_eq!(program.step("abc"), "3 1 3");
    }
    program.offer("main.reml", &text.replace("{} {} {}", "{}-{}-{}"));
    assert_eq!(program.step("abcd"), "4-1-3");
    program.ends_well();
}

#[test]
fn a_version_that_says_no_is_rolled_back() {
    let check = "
fn accept_reload() -> Result<(), Str> =
  if count < 3 then Err(format(\"only {}\", count)) else Ok(())
";
    let two = with_loop(&(COUNTING.replace("one", "two") + "\nlet limits = [count + 5]\n" + check));
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &two);
    assert_eq!(program.step("b"), "one b 2");
    let said = program.wait_for("reload: rolled back");
    assert_eq!(said, "reload: rolled back, since its check says: only 1; the program goes on as it was");
    assert_eq!(program.step("c"), "one c 3");
    program.offer("main.reml", &two.replace("two", "three"));
    assert_eq!(program.step("d"), "three d 4");
    program.ends_well();
}

#[test]
fn a_panic_in_the_check_is_rolled_back() {
    let check = "
fn accept_reload() -> Result<(), Str> = {
  let xs = [1, 2]
  if xs[count] > 0 then Ok(()) else Err(\"no\")
}
";
    let two = with_loop(&(COUNTING.replace("one", "two") + check));
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    (0..4).for_each(|_| drop(program.step("a")));
    program.offer("main.reml", &two);
    assert_eq!(program.step("b"), "one b 5");
    program.wait_for("reload: rolled back, since it has panicked");
    assert!(program.said.contains("at main.accept_reload (main.reml:10:6)"), "{}", program.said);
    assert_eq!(program.step("c"), "one c 6");
    program.offer("main.reml", &two.replace("xs[count]", "xs[0]"));
    assert_eq!(program.step("d"), "two d 7");
    program.ends_well();
}

#[test]
fn a_panic_while_a_value_is_computed_is_rolled_back() {
    let two = COUNTING.replace("one", "two") + "\nlet first = [count][count]\n";
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &with_loop(&two));
    assert_eq!(program.step("b"), "one b 2");
    program.wait_for("reload: rolled back, since it has panicked");
    assert_eq!(program.step("c"), "one c 3");
    program.ends_well();
}

#[test]
fn a_check_may_end_the_program() {
    let check = "\nuse Core.Process\n\nfn accept_reload() -> Result<(), Str> = Process.exit(7)\n";
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &with_loop(&(COUNTING.to_owned() + check)));
    program.send("b");
    assert_eq!(program.end().0, 7);
}

#[test]
fn closures_of_any_version_are_called_by_any_other() {
    let text = with_loop(
        "var made: [(Int) -> Str] = []

fn shown(n: Int) -> Str = format(\"shown1 {}\", n)

fn all(fs: &[(Int) -> Str]) -> Str = fs.map(|f| f(1)).join(\", \")

fn step(line: Str) -> Str = {
  let tag = format(\"made1 by {}\", line)
  made.push(|n| format(\"{}\", tag))
  if made.len() == 1 { made.push(shown) }
  all(&made)
}
",
    );
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("a"), "made1 by a, shown1 1");
    program.offer("main.reml", &text.replace("made1", "made2").replace("shown1", "shown2"));
    // A closure is what it was made as; a function is what it is now.
    assert_eq!(program.step("b"), "made1 by a, shown2 1, made2 by b");
    program.offer("main.reml", &text.replace("made1", "made3"));
    assert_eq!(program.step("c"), "made1 by a, shown1 1, made2 by b, made3 by c");
    program.ends_well();
}

#[test]
fn effects_are_handled_by_other_versions() {
    // The loop runs under a handler of the first version all the time; `never` gives up a computation.
    let text = "effect Ask {
  operation ask(what: Str) -> Str
  operation never(why: Str) -> Str
}

fn twice(line: Str) -> Str ! { Ask } = {
  let kept = [line, \"1\"]
  let first = perform Ask.ask(line)
  let second = if line == \"stop\" then perform Ask.never(line) else perform Ask.ask(\"again\")
  format(\"{} {} {}\", first, second, kept.join(\"-\"))
}

fn handled(line: Str) -> Str =
  handle twice(line) with handler Ask {
    operation ask(what, resume) { format(\"({})\", resume(what + \"?\")) }
    operation never(why, _resume) { format(\"gave up {}\", why) }
  }

fn rounds() = {
  var going = true
  while going {
    match IO.read_line() with
    | Ok(Some(line)) -> println(\"{} | {}\", twice(line), handled(line))
    | _ -> going := false
    IO.flush()
  }
}

fn main() =
  handle rounds() with handler Ask {
    operation ask(what, resume) { resume(what + \"!\") }
    operation never(_why, resume) { resume(\"no\") }
  }
";
    let mut program = Running::start(&[("main.reml", text)]);
    assert_eq!(program.step("a"), "a! again! a-1 | ((a? again? a-1))");
    program.offer("main.reml", &text.replace("\"1\"", "\"2\"").replace("what + \"?\"", "what + \"??\""));
    assert_eq!(program.step("b"), "b! again! b-2 | ((b?? again?? b-2))");
    assert_eq!(program.step("stop"), "stop! no stop-2 | (gave up stop)");
    program.offer("main.reml", &text.replace("\"1\"", "\"3\"").replace("again", "more"));
    assert_eq!(program.step("c"), "c! more! c-3 | ((c? more? c-3))");
    assert_eq!(program.step("stop"), "stop! no stop-3 | (gave up stop)");
    program.ends_well();
}

#[test]
fn a_suspended_computation_goes_on_after_a_reload() {
    let text = with_loop(
        "effect Ask { operation ask(what: Str) -> Str }

var waiting: [(Str) -> Str] = []

fn talk(line: Str) -> Str ! { Ask } = {
  let kept = [line, \"1\"]
  let first = perform Ask.ask(\"name\")
  let second = more(first)
  format(\"{} {} {}\", kept.join(\"-\"), first, second)
}

fn more(text: Str) -> Str ! { Ask } = perform Ask.ask(\"more1 \" + text)

fn begin(line: Str) -> Str =
  handle talk(line) with handler Ask {
    operation ask(what, resume) {
      waiting.push(resume)
      \"? \" + what
    }
  }

fn step(line: Str) -> Str =
  match waiting.pop() with
  | Some(resume) -> resume(line)
  | None -> begin(line)
",
    );
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("a"), "? name");
    program.offer("main.reml", &text.replace("more1", "more2").replace("\"1\"", "\"2\"").replace("\"? \"", "\"?? \""));
    // The computation and its handler have begun in the first version; what they call is the second.
    assert_eq!(program.step("ann"), "? more2 ann");
    assert_eq!(program.step("bob"), "a-1 ann bob");
    assert_eq!(program.step("b"), "?? name");
    program.ends_well();
}

#[test]
fn tasks_go_on_in_the_new_version() {
    let text = with_loop(
        "use Core.Async.{block_on}

async fn part(text: Str) -> Str = format(\"part1 {}\", text)

async fn whole(line: Str) -> Str = {
  let a = part(line).await
  let b = part(a).await
  b
}

fn step(line: Str) -> Str = block_on(whole(line)).unwrap_or(\"failed\")
",
    );
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("x"), "part1 part1 x");
    program.offer("main.reml", &text.replace("part1", "part2"));
    assert_eq!(program.step("x"), "part2 part2 x");
    program.ends_well();
}

#[test]
fn generic_functions_and_traits_are_replaced_at_all_their_types() {
    let text = with_loop(
        "trait Named { fn name_of(&self) -> Str }

type Cat = { lives: Int }

impl Named for Cat { fn name_of(&self) -> Str = format(\"cat1 {}\", self.lives) }

impl Named for Int { fn name_of(&self) -> Str = format(\"int1 {}\", self) }

fn both<T: Named>(one: T) -> (Str, T) = (one.name_of() + \" g1\", one)

fn step(line: Str) -> Str = {
  let (a, _) = both(Cat { lives: 9 })
  let (b, _) = both(line.len())
  a + \", \" + b
}
",
    );
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("xy"), "cat1 9 g1, int1 2 g1");
    program.offer("main.reml", &text.replace("g1", "g2").replace("cat1", "cat2"));
    assert_eq!(program.step("xyz"), "cat2 9 g2, int1 3 g2");
    // An instance that no version has had.
    let more = text.replace("g1", "g3").replace("a + \", \" + b", "a + \", \" + b + both(true).0")
        + "\nimpl Named for Bool { fn name_of(&self) -> Str = \"bool\" }\n";
    program.offer("main.reml", &more);
    assert_eq!(program.step("x"), "cat1 9 g3, int1 1 g3bool g3");
    program.ends_well();
}

#[test]
fn recursion_goes_on_in_the_new_version() {
    // One function for the whole run: each line is a tail call of itself, which is where it is replaced.
    let text = "fn rounds(sum: Int, texts: [Str]) -> () =
  match IO.read_line() with
  | Ok(Some(line)) -> {
      println(\"one {} {}\", sum, texts.join(\"\"))
      IO.flush()
      rounds(sum + line.len(), texts ++ [line])
    }
  | _ -> ()

fn main() = rounds(0, [])
";
    let mut program = Running::start(&[("main.reml", text)]);
    assert_eq!(program.step("a"), "one 0");
    program.offer("main.reml", &text.replace("one", "two").replace("sum + ", "sum + 10 * "));
    // The function that reads began before; it calls the new one.
    assert_eq!(program.step("bb"), "one 1 a");
    assert_eq!(program.step("c"), "two 3 abb");
    assert_eq!(program.step("d"), "two 13 abbc");
    program.ends_well();
}

#[test]
fn a_panic_after_a_reload_names_the_new_place() {
    let two = COUNTING.replace("fn step", "\n\n\nfn step").replace("count := count + 1", "count := [1][count]");
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &with_loop(&two));
    program.send("b");
    program.wait_for("reload: in force");
    let (status, said) = program.end();
    assert_eq!(status, 101);
    assert!(said.contains("at main.step (main.reml:7:12)"), "{said}");
    // The loop has begun in the version before, and is where it was there.
    assert!(said.contains("2: main.main (main.reml:12:33)"), "{said}");
}

#[test]
fn other_modules_are_watched_and_values_are_computed_anew() {
    let main = with_loop(
        "use shop\n\nlet doubled = [shop.price() * 2]\n\nfn step(line: Str) -> Str = format(\"{} {} {}\", line, doubled[0], shop.names[0])\n",
    );
    let shop = "pub let names = [\"tea\"]\n\npub fn price() -> Int = 3\n";
    let mut program = Running::start(&[("main.reml", &main), ("shop.reml", shop)]);
    assert_eq!(program.step("a"), "a 6 tea");
    program.offer("shop.reml", &shop.replace("= 3", "= 4"));
    assert_eq!(program.step("b"), "b 8 tea");
    let said = program.wait_for("reload: in force");
    assert_eq!(said, "reload: in force: changed shop.price; computed anew main.doubled");
    program.offer("shop.reml", &shop.replace("tea", "milk"));
    assert_eq!(program.step("c"), "c 6 milk");
    // A module that was not there.
    program.save("bags.reml", "pub fn bag(text: Str) -> Str = \"[\" + text + \"]\"\n");
    program.offer(
        "main.reml",
        &main.replace("use shop\n", "use shop\nuse bags\n").replace("line, doubled", "bags.bag(line), doubled"),
    );
    assert_eq!(program.step("d"), "[d] 6 milk");
    program.ends_well();
}

#[test]
fn a_file_may_go_and_come_back() {
    let text = with_loop(COUNTING);
    let mut program = Running::start(&[("main.reml", &text)]);
    assert_eq!(program.step("a"), "one a 1");
    std::fs::remove_file(program.path("main.reml")).unwrap();
    program.wait_for("reload: rejected");
    assert!(program.said.contains("error[source.not_found]"), "{}", program.said);
    assert_eq!(program.step("b"), "one b 2");
    program.offer("main.reml", &text);
    assert_eq!(program.step("c"), "one c 3");
    assert_eq!(program.wait_for("reload: in force"), "reload: in force: no code is different");
    program.ends_well();
}

#[test]
fn what_is_saved_last_comes_into_force() {
    let mut program = Running::start(&[("main.reml", &with_loop(COUNTING))]);
    for turn in 0..8 {
        program.save("main.reml", &with_loop(&COUNTING.replace("one", &format!("turn{turn}"))));
        // Some saves come together, some while another one is compiled.
        std::thread::sleep(Duration::from_millis(15 * turn));
    }
    let begin = Instant::now();
    while !program.step("a").starts_with("turn7") {
        assert!(begin.elapsed() < PATIENCE, "{}", program.said);
        std::thread::sleep(Duration::from_millis(10));
    }
    program.send("");
    drop(program.input);
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_is_replaced_many_times() {
    let text = |turn: u32| {
        let table = format!("\nlet table = [\"{turn}\", \"x\"]\n");
        with_loop(&(COUNTING.replace("one {} {}", "{} {} {}").replace("line,", "table[0], line,") + &table))
    };
    let mut program = Running::start(&[("main.reml", &text(0))]);
    for turn in 1..=50 {
        program.offer("main.reml", &text(turn));
        assert_eq!(program.step("a"), format!("{turn} a {turn}"));
    }
    program.ends_well();
}

#[test]
fn reloads_are_recorded() {
    let mut program = Running::start_with(&[("main.reml", &with_loop(COUNTING))], &["--audit", "audit.log"]);
    assert_eq!(program.step("a"), "one a 1");
    program.offer("main.reml", &with_loop(&COUNTING.replace("one", "two")));
    assert_eq!(program.step("b"), "two b 2");
    program.refused("main.reml", "fn main() = nothing()\n");
    let no = "\nfn accept_reload() -> Result<(), Str> = Err(\"never\")\n";
    program.offer("main.reml", &with_loop(&(COUNTING.to_owned() + no)));
    assert_eq!(program.step("c"), "two c 3");
    program.wait_for("reload: rolled back");
    let path = program.path("audit.log");
    let directory = std::mem::replace(&mut program.directory, scratch());
    program.ends_well();
    let log = std::fs::read_to_string(path).unwrap();
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| -> Vec<serde_json::Value> {
        let metadata = events.iter().map(|event| event["envelope"]["metadata"].clone());
        metadata.filter(|metadata| metadata["event.kind"] == kind).collect()
    };
    let (reloads, rollbacks) = (of("bridge.reload"), of("bridge.rollback"));
    assert_eq!(reloads.len(), 1, "{log}");
    assert_eq!(reloads[0]["bridge.reload"], "applied");
    assert_eq!(reloads[0]["bridge.reload.diff"], "changed main.step");
    let status: Vec<&serde_json::Value> = rollbacks.iter().map(|event| &event["bridge.reload"]).collect();
    assert_eq!(status, ["rejected", "rolled_back"]);
    assert_eq!(rollbacks[1]["bridge.reload.detail"], "its check says: never");
    drop(directory);
}
