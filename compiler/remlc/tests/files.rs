//! Files, pipes and folders that misbehave: nothing that was written is lost silently, everything is closed, and errors say what was about
//! to be done. Programs get the path of a folder of their own.

mod support;

use std::path::Path;

use support::Ran;

/// What the programs may do. `/dev/full` is a disk without room.
const FLAGS: [&str; 3] = [support::ALLOW_SCRATCH[0], support::ALLOW_SCRATCH[1], "--allow-write=/dev/full"];

const MODES: [&[&str]; 2] = [&["run", "-q"], &["run", "-q", "--release"]];

/// Runs a program in a fresh folder.
fn run(source: &str, mode: &[&str], prepare: impl Fn(&Path)) -> (Ran, tempfile::TempDir) {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    std::fs::write(&file, source).expect("the scratch directory can be written");
    let folder = scratch.path().join("data");
    std::fs::create_dir(&folder).expect("the scratch directory can be written");
    prepare(&folder);
    let mut command = support::remlc();
    command.args(mode).args(FLAGS).arg(&file).arg("--").arg(&folder);
    (support::run(&mut command, "").expect("runs"), scratch)
}

/// The program must end well, leak nothing, and print this, in which `<data>` is its folder.
fn check(source: &str, expected: &str) {
    for mode in MODES {
        let (ran, scratch) = run(source, mode, |_| ());
        let folder = support::normalise(&scratch.path().join("data").display().to_string());
        let stdout = ran.stdout.replace(&folder, "<data>");
        assert_eq!((stdout.trim(), ran.exit), (expected.trim(), Some(0)), "{mode:?}: {}", ran.stderr);
    }
}

#[test]
fn errors_say_what_was_about_to_be_done() {
    check(
        r#"
use Core.Path
fn tell<T>(result: Result<T, IO.IoError>) {
  match result with
  | Ok(_) -> println("fine")
  | Err(error) -> println("{}", error)
}
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  tell(IO.open(folder.join("missing")))
  tell(IO.open(folder))
  tell(IO.create(folder))
  tell(IO.read_file(folder.join("missing")))
  tell(IO.remove(folder))
  tell(IO.write_file(folder.join("file"), "text"))
  tell(IO.open(folder.join("file/inner")))
  tell(IO.create_folder(folder.join("file")))
  tell(IO.remove_folder(folder))
  tell(IO.write_file_bytes(folder.join("file"), [255]))
  tell(IO.read_file(folder.join("file")))
  tell(IO.create_link("loop", folder.join("loop")))
  tell(IO.open(folder.join("loop")))
  let reader = IO.open(folder.join("file")).unwrap()
  tell(reader.close())
}
"#,
        "
cannot open `<data>/missing`: no such file or directory
cannot open `<data>`: is a directory
cannot create `<data>`: is a directory
cannot read `<data>/missing`: no such file or directory
cannot remove `<data>`: is a directory
fine
cannot open `<data>/file/inner`: not a directory
cannot create `<data>/file`: file exists
cannot remove `<data>`: directory not empty
fine
cannot read `<data>/file`: invalid UTF-8
fine
cannot open `<data>/loop`: too many levels of symbolic links
fine
",
    );
}

#[test]
fn handles_are_closed_on_every_way_out() {
    check(
        r#"
use Core.Path
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  let path = folder.join("file")
  println("{}", IO.write_file(path, "one\ntwo\n"))
  let failed: Result<(), IO.IoError> = IO.with_reader(path, |_| IO.remove("no/such/file"))
  println("{} {}", failed.is_err(), IO.list_open_resources().len())
  let early = || {
    let found: Result<Int, IO.IoError> = IO.with_writer(folder.join("out"), |writer| {
      var writer = writer
      writer.write_line("early")?
      IO.remove("no/such/file")?
      Ok(1)
    })
    found
  }
  println("{} {} {}", early().is_err(), IO.list_open_resources().len(), IO.read_file(folder.join("out")))
  let dropped = || {
    var writer = IO.create(folder.join("dropped")).unwrap()
    ignore(writer.write_line("kept"))
  }
  dropped()
  println("{} {}", IO.read_file(folder.join("dropped")), IO.list_open_resources().len())
  var reader = IO.open(path).unwrap()
  let copy = reader
  println("{} {}", copy.close(), reader.read_to_end().map_err(|error| error.message))
}
"#,
        r#"
Ok(())
true 0
true 0 Ok("early\n")
Ok("kept\n") 0
Ok(()) Err("it is closed")
"#,
    );
}

#[test]
fn what_was_written_before_a_panic_is_there() {
    let source = r#"
fn main(args: List<Str>) {
  var writer = IO.create(args.head().unwrap() + "/log").unwrap()
  ignore(writer.write_line("before"))
  if args.len() > 0 { panic("on purpose") }
  ignore(writer.write_line("after"))
}
"#;
    for mode in MODES {
        let (ran, scratch) = run(source, mode, |_| ());
        assert_eq!(ran.exit, Some(101), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(scratch.path().join("data/log")).unwrap(), "before\n");
    }
}

#[test]
fn a_full_disk_is_an_error_and_never_silent() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    check(
        r#"
fn main() {
  var writer = IO.create("/dev/full").unwrap()
  println("{}", writer.write_line("text"))
  println("{}", writer.flush().map_err(|error| error.to_string()))
  println("{}", writer.close().map_err(|error| error.kind))
  let scoped = IO.with_writer("/dev/full", |writer| {
    var writer = writer
    writer.write_line("text")
  })
  println("{}", scoped.map_err(|error| error.to_string()))
}
"#,
        r#"
Ok(())
Err("cannot write to `/dev/full`: no space left on device")
Err(StorageFull)
Err("cannot write to `/dev/full`: no space left on device")
"#,
    );
    let source = r#"
fn main() {
  var writer = IO.create("/dev/full").unwrap()
  ignore(writer.write_line("text"))
}
"#;
    for mode in MODES {
        let (ran, _scratch) = run(source, mode, |_| ());
        assert_eq!(ran.exit, Some(1));
        assert_eq!(ran.stderr.trim(), "error: cannot close `/dev/full`: no space left on device");
    }
}

/// Runs `script` by a shell with remlc and a program as `$1` and `$2`, and a folder of its own as `$3`.
fn shell(script: &str, source: &str, mode: &[&str]) -> (Ran, tempfile::TempDir) {
    let scratch = support::scratch();
    let file = scratch.path().join("program.reml");
    std::fs::write(&file, source).expect("the scratch directory can be written");
    let program = match mode {
        ["build"] => {
            let output = scratch.path().join("program");
            let mut build = support::remlc();
            let built = support::run(build.args(["build", "-q"]).args(FLAGS).arg(&file).arg("-o").arg(&output), "");
            assert_eq!(built.expect("runs").exit, Some(0));
            vec![output.display().to_string()]
        }
        _ => {
            let words = [env!("CARGO_BIN_EXE_remlc")].into_iter().chain(mode.iter().copied());
            let words = words.chain(FLAGS).map(str::to_owned);
            words.chain([file.display().to_string(), "--".to_owned()]).collect()
        }
    };
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh"]).args(program).arg(scratch.path());
    (support::run(&mut command, "").expect("runs"), scratch)
}

const SHELL_MODES: [&[&str]; 3] = [MODES[0], MODES[1], &["build"]];

#[test]
fn output_without_a_place_to_go_is_an_error() {
    for (script, reason) in
        [(r#"exec "$@" >&-"#, "bad file descriptor"), (r#"exec "$@" >/dev/full"#, "no space left on device")]
    {
        if script.contains("/dev/full") && !Path::new("/dev/full").exists() {
            continue;
        }
        for mode in SHELL_MODES {
            let (ran, _scratch) = shell(script, "fn main() { println(\"lost\") }", mode);
            assert_eq!(ran.exit, Some(1), "{mode:?}");
            assert_eq!(ran.stderr.trim(), format!("error: cannot write to standard output: {reason}"));
        }
    }
}

#[test]
fn a_file_does_not_become_a_closed_standard_output() {
    let source = r#"
use Core.Path
fn main(args: List<Str>) {
  let path = Path.from_string(args.head().unwrap()).join("file")
  var writer = IO.create(path).unwrap()
  println("for nobody")
  IO.println("at all")
  writer.write_line("for the file").unwrap()
  writer.close().unwrap()
}
"#;
    for mode in SHELL_MODES {
        let (ran, scratch) = shell(r#"exec "$@" >&-"#, source, mode);
        assert_eq!(ran.exit, Some(1), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(scratch.path().join("file")).unwrap(), "for the file\n");
    }
}

#[test]
fn little_address_space_is_enough() {
    let source = r#"
fn main() {
  let numbers = Map.from_list(Iter.range(0, 1_000_000).map(|i| (i, i)).collect_list())
  println("{}", numbers.size())
}
"#;
    for mode in SHELL_MODES {
        let (ran, _scratch) = shell(r#"ulimit -v 2000000 && exec "$@""#, source, mode);
        assert_eq!((ran.stdout.as_str(), ran.exit), ("1000000\n", Some(0)), "{mode:?}: {}", ran.stderr);
    }
}

#[test]
fn a_file_may_not_become_too_large() {
    let source = r#"
fn main(args: List<Str>) {
  let path = args.head().unwrap() ++ "/file"
  println("{}", IO.write_file(path, "a".repeat(100_000)).is_err())
}
"#;
    for mode in SHELL_MODES {
        let (ran, _scratch) = shell(r#"ulimit -f 20 && exec "$@""#, source, mode);
        assert_eq!((ran.stdout.as_str(), ran.exit), ("true\n", Some(0)), "{mode:?}: {}", ran.stderr);
    }
}

#[test]
fn a_replaced_file_is_the_old_or_the_new_one() {
    check(
        r#"
use Core.Path
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  let path = folder.join("settings")
  println("{}", IO.replace_file(path, "one"))
  println("{}", IO.set_permissions(path, 0o640))
  println("{}", IO.create_link("settings", folder.join("link")))
  println("{}", IO.replace_file(folder.join("link"), "two"))
  println("{} {}", IO.read_file(path), IO.metadata(path).unwrap().permissions == 0o640)
  println("{}", IO.link_metadata(folder.join("link")).unwrap().kind)
  let failed: Result<(), IO.IoError> = IO.with_replacement(path, |writer| {
    var writer = writer
    writer.write_str("three")?
    IO.remove("no/such/file")
  })
  println("{} {}", failed.is_err(), IO.read_file(path))
  println("{}", IO.list_folder(folder).unwrap().map(|entry| entry.name))
}
"#,
        r#"
Ok(())
Ok(())
Ok(())
Ok(())
Ok("two") true
Link
true Ok("two")
["link", "settings"]
"#,
    );
}

#[test]
fn walks_end_where_links_lead_in_circles() {
    check(
        r#"
use Core.Path
use Core.IO.{SkipLoop, WalkOptions}
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  println("{}", IO.create_folders(folder.join("a/b")))
  println("{}", IO.create_link("..", folder.join("a/b/up")))
  let names = |options| IO.walk(folder, options)
    .map(|entry| entry.map(|found| found.name).map_err(|error| error.kind))
    .collect_array()
  println("{}", names(WalkOptions {}))
  println("{}", names(WalkOptions { follow_links: true }))
  println("{}", names(WalkOptions { follow_links: true, on_loop: SkipLoop }))
  println("{}", names(WalkOptions { max_depth: 1 }))
  println("{}", IO.walk(folder.join("missing")).map(|entry| entry.is_err()).collect_array())
}
"#,
        r#"
Ok(())
Ok(())
[Ok("a"), Ok("b"), Ok("up")]
[Ok("a"), Ok("b"), Ok("up"), Err(LinkLoop)]
[Ok("a"), Ok("b"), Ok("up")]
[Ok("a")]
[true]
"#,
    );
}

#[test]
fn nothing_leads_out_of_a_sandbox() {
    check(
        r#"
use Core.Path
use Core.Path.Security.{sandbox_path}
fn main(args: List<Str>) {
  let root = Path.from_string(args.head().unwrap()).join("root")
  println("{}", IO.create_folders(root.join("inner")))
  println("{}", IO.create_link("../outside", root.join("dangling")))
  println("{}", IO.create_link("inner", root.join("good")))
  println("{}", IO.create_link("/", root.join("inner/top")))
  for path in ["a", "inner/../a", "..", "inner/../../a", "a/../../root2/x", "/etc", "dangling", "dangling/x", "good/x", "inner/top/etc", "."] {
    let found = sandbox_path(path, root)
    match found with
    | Ok(place) -> println("{} ok {}", path, place.is_inside(IO.canonical(root).unwrap()))
    | Err(error) -> println("{} {}", path, error.kind)
  }
}
"#,
        r#"
Ok(())
Ok(())
Ok(())
Ok(())
a ok true
inner/../a ok true
.. PathTraversal
inner/../../a PathTraversal
a/../../root2/x PathTraversal
/etc AbsolutePathDenied
dangling LinkEscape
dangling/x LinkEscape
good/x ok true
inner/top/etc LinkEscape
. ok true
"#,
    );
}

#[test]
fn lines_of_any_length_and_bytes_of_any_kind() {
    check(
        r#"
use Core.Path
fn main(args: List<Str>) {
  let path = Path.from_string(args.head().unwrap()).join("file")
  let long = Str.repeat("x", 200_000)
  println("{}", IO.write_file(path, "\n" + long + "\r\nend"))
  let lengths = IO.buffered(IO.open(path).unwrap(), capacity = 7).lines().map(|line| line.unwrap().len())
  println("{}", lengths.collect_array())
  println("{}", IO.write_file_bytes(path, [97, 10, 255, 10, 98, 0, 10]))
  let lines = IO.buffered(IO.open(path).unwrap()).lines().map(|line| line.map_err(|error| error.kind))
  println("{}", lines.collect_array())
  var reader = IO.buffered(IO.open(path).unwrap(), capacity = 2)
  println("{} {}", reader.read_exact(6).unwrap(), reader.read_exact(6).map_err(|error| error.kind))
}
"#,
        r#"
Ok(())
[0, 200000, 3]
Ok(())
[Ok("a"), Err(InvalidData), Ok("b\0")]
[97, 10, 255, 10, 98, 0] Err(UnexpectedEof)
"#,
    );
}

#[test]
fn a_watcher_tells_each_change_once() {
    check(
        r#"
use Core.Path.{Path}
use Core.Path.Watch
use Core.Path.Watch.{WatchLimits}
fn changed(watcher: &mut Watch.Watcher, root: Path) {
  let events = watcher.poll().unwrap().map(|event| match event with
    | Watch.Created(path) -> "+" + path.relative_to(root).unwrap().to_string()
    | Watch.Modified(path) -> "*" + path.relative_to(root).unwrap().to_string()
    | Watch.Deleted(path) -> "-" + path.relative_to(root).unwrap().to_string())
  println("{}", events)
}
fn main(args: List<Str>) {
  let root = Path.from_string(args.head().unwrap())
  println("{}", IO.write_file(root.join("old"), "1"))
  var watcher = Watch.watch([root], WatchLimits { exclude_patterns: ["**/*.tmp"], max_events: 2 }).unwrap()
  changed(&mut watcher, root)
  println("{}", IO.write_file(root.join("old"), "22"))
  println("{}", IO.create_folder(root.join("folder")))
  println("{}", IO.write_file(root.join("folder/new"), ""))
  println("{}", IO.write_file(root.join("folder/new.tmp"), ""))
  changed(&mut watcher, root)
  changed(&mut watcher, root)
  println("{}", IO.remove_folder_all(root.join("folder")))
  changed(&mut watcher, root)
  changed(&mut watcher, root)
  println("{}", Watch.watch([root], WatchLimits { exclude_patterns: ["["] }).is_err())
}
"#,
        r#"
Ok(())
[]
Ok(())
Ok(())
Ok(())
Ok(())
["+folder", "+folder/new"]
["*old"]
Ok(())
["-folder", "-folder/new"]
[]
true
"#,
    );
}

#[test]
fn a_file_is_not_lost_by_copying_it_onto_itself() {
    check(
        r#"
use Core.Path
fn tell(result: Result<(), IO.IoError>) {
  match result with
  | Ok(_) -> println("fine")
  | Err(error) -> println("{}", error)
}
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  let file = folder.join("file")
  println("{}", IO.write_file(file, "text"))
  println("{}", IO.create_link("file", folder.join("link")))
  tell(IO.copy_file(file, file))
  tell(IO.copy_file(file, folder.join("link")))
  tell(IO.copy_file(folder.join("link"), file))
  println("{}", IO.read_file(file))
  tell(IO.copy_file(file, folder.join("copy")))
  println("{}", IO.read_file(folder.join("copy")))
}
"#,
        r#"
Ok(())
Ok(())
cannot copy `<data>/file`: invalid argument
cannot copy `<data>/file`: invalid argument
cannot copy `<data>/link`: invalid argument
Ok("text")
fine
Ok("text")
"#,
    );
}

#[test]
fn only_regular_files_are_replaced() {
    let source = r#"
use Core.Path
fn tell(result: Result<(), IO.IoError>) {
  match result with
  | Ok(_) -> println("fine")
  | Err(error) -> println("{}", error)
}
fn main(args: List<Str>) {
  let folder = Path.from_string(args.head().unwrap())
  tell(IO.replace_file(folder.join("pipe"), "text"))
  println("{}", IO.metadata(folder.join("pipe")).unwrap().kind)
}
"#;
    for mode in MODES {
        let (ran, scratch) = run(source, mode, |folder| {
            let made = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status();
            assert!(made.expect("mkfifo runs").success());
        });
        let folder = support::normalise(&scratch.path().join("data").display().to_string());
        let expected = "cannot replace `<data>/pipe`: it is no regular file\nSpecial\n";
        assert_eq!((ran.stdout.replace(&folder, "<data>").as_str(), ran.exit), (expected, Some(0)), "{}", ran.stderr);
    }
}
