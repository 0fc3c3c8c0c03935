//! The example programs do in the Core interpreter what their goldens say, in every form of Core.
//!
//! What they ask of the world outside is not known there; such a program is left out, and counted by its reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reml_driver::pipeline::{Compilation, Options};
use reml_driver::stack::with_large_stack;
use reml_driver::system::{MemorySystem, OsSystem, System};
use reml_fuzz::corpus::root;
use reml_middle::core::Program;
use reml_middle::core_verify::Form;
use reml_middle::testing::interpret::{self, Problem};

/// Programs that run longer are left out, too.
const STEPS: u64 = 3_000_000;

/// Whether a program needs anything that it has to be allowed.
fn reaches_outside(path: &Path) -> bool {
    let permitted = |manifest: String| manifest.contains("[permissions]");
    path.with_extension("flags").exists() || std::fs::read_to_string(path.join("reml.toml")).is_ok_and(permitted)
}

/// All programs without input and without leave for anything, as paths from the repository's root.
fn programs(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let package = path.join("reml.toml").is_file();
        if package || path.extension().is_some_and(|extension| extension == "reml") {
            if ["stdin", "args"].iter().all(|side| !path.with_extension(side).exists()) && !reaches_outside(&path) {
                found.push(path);
            }
        } else if path.is_dir() {
            programs(&path, found);
        }
    }
}

fn golden(program: &Path, extension: &str) -> Option<String> {
    let path = program.strip_prefix(root().join("examples")).unwrap().with_extension(extension);
    std::fs::read_to_string(root().join("expected").join(path)).ok()
}

/// Runs every form of an example. Whether that could be done, or why not.
fn run(path: &Path, release: bool) -> Result<(), Problem> {
    let stdout = golden(path, "stdout").unwrap_or_default();
    let status: i32 = golden(path, "exit").map_or(0, |text| text.trim().parse().unwrap());
    run_forms(&OsSystem, path, release, &stdout, status)
}

/// Runs every form of a program, and the lowered one with counts, too, which must do as the goldens say.
fn run_forms(system: &dyn System, path: &Path, release: bool, stdout: &str, status: i32) -> Result<(), Problem> {
    let mut program = Compilation::new(system, Options { release, require_main: true, ..Options::default() });
    assert!(program.check(path), "{} is rejected", path.display());
    let mut problem = None;
    let mut interpret = |form: Form, core: &Program, counted: bool| match interpret::run(
        core,
        interpret::Options { counted, wrapping: release, steps: STEPS },
    ) {
        Ok(outcome) if outcome.undecided => {}
        Ok(outcome) => {
            let name = path.display();
            assert_eq!(outcome.stdout, stdout, "{name}, {form:?}, release: {release}");
            assert_eq!(outcome.status, status, "{name}, {form:?}, release: {release}: {:?}", outcome.panic);
        }
        Err(Problem::Broken(what)) => panic!("{}, {form:?}, release: {release}: {what}", path.display()),
        Err(other) => {
            problem.get_or_insert(other);
        }
    };
    let lowered = program.lower_observed(&mut |form, core| {
        interpret(form, core, form == Form::Counted);
        if form == Form::Lowered {
            let mut counted = core.clone();
            reml_middle::rc::count(&mut counted);
            interpret(form, &counted, true);
        }
    });
    assert!(lowered, "{} is not lowered", path.display());
    problem.map_or(Ok(()), Err)
}

#[test]
fn examples_do_the_same_in_every_form() {
    let mut paths = Vec::new();
    programs(&root().join("examples"), &mut paths);
    paths.retain(|path| golden(path, "diagnostic.json").is_none());
    let mut left_out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut ran = 0;
    for path in &paths {
        match with_large_stack(|| run(path, false).and_then(|()| run(path, true))) {
            Ok(()) => ran += 1,
            Err(problem) => {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                left_out.entry(problem.to_string()).or_default().push(name);
            }
        }
    }
    println!("{ran} of {} examples ran", paths.len());
    for (reason, names) in &left_out {
        println!("{reason}: {}", names.join(", "));
    }
    assert!(ran * 2 > paths.len(), "{ran} of {} examples ran; left out: {left_out:#?}", paths.len());
}

/// A value borrowed from a variable is passed from one join point to another together with that variable, which ends there.
#[test]
fn what_a_join_point_borrows_does_not_outlive_its_owner() {
    let text = "type Step = Done(Str) | Paused(Int)

fn main() {
  var step = Done(\"made \" + \"at run time\")
  let text: Str = loop {
    match step {
      Paused(_) -> { step := Done(\"never\") }
      Done(value) -> {
        let none: Option<(Int, List<Int>)> = None
        break {
          let chosen: Str = match none {
            Some((n, [_, .._])) when n > 2 -> value
            Some((0, _)) -> \"a\"
            Some((_, [])) -> value
            Some((_, [_, .._])) -> value
            None -> value
          }
          chosen
        }
      }
    }
  }
  println(\"{}\", text.len())
}
";
    let system = MemorySystem::new().with("main.reml", text);
    for release in [false, true] {
        let ran = with_large_stack(|| run_forms(&system, Path::new("main.reml"), release, "16\n", 0));
        assert!(ran.is_ok(), "{ran:?}");
    }
}
