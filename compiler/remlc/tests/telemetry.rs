//! What do `--emit-telemetry` and `remlc telemetry` say of good and of bad input, and what does the audit log say of compilations?

mod support;

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use support::{Ran, remlc, run, scratch};

const PROGRAM: &str = "fn shown<T: Display>(x: T) -> Str = \"{}\".len().to_string() ++ x.to_string()\n\n\
                       fn main() { println(shown([1, 2])) }\n";

fn in_folder(folder: &Path, words: &[&str]) -> Ran {
    run(remlc().current_dir(folder).env_remove("REML_AUDIT").args(words), "").unwrap()
}

fn with_graph(folder: &Path) {
    fs::write(folder.join("main.reml"), PROGRAM).unwrap();
    let ran = in_folder(folder, &["check", "main.reml", "--emit-telemetry", "constraint_graph=graph.json"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
}

#[test]
fn a_graph_goes_where_it_is_asked_for() {
    let folder = scratch();
    let folder = folder.path();
    with_graph(folder);
    let to_output = in_folder(folder, &["check", "main.reml", "--emit-telemetry", "constraint_graph"]);
    let graph: Value = serde_json::from_str(&to_output.stdout).unwrap();
    assert_eq!((&graph["input"], &graph["metrics"]["states"]["unresolved"]), (&json!("main.reml"), &json!(0)));
    let main = graph["functions"].as_array().unwrap().iter().find(|it| it["name"] == "main.main").unwrap();
    assert_eq!((&main["file"], &main["line"]), (&json!("main.reml"), &json!(3)));
    // `run` and `build` have it, too.
    let ran = in_folder(folder, &["run", "main.reml", "--emit-telemetry", "constraint_graph=run.json"]);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    assert!(folder.join("run.json").exists());
    // A file that cannot be written is an error, and the program does not run.
    let ran = in_folder(folder, &["run", "main.reml", "--emit-telemetry", "constraint_graph=no/run.json"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.starts_with("error: `no/run.json` cannot be written: "), "{}", ran.stderr);
    let ran = in_folder(folder, &["check", "main.reml", "--emit-telemetry", "constraints"]);
    assert_eq!(ran.exit, Some(2));
    assert!(ran.stderr.contains("there is only `constraint_graph`"), "{}", ran.stderr);
}

#[test]
fn a_program_with_mistakes_has_a_graph_with_open_constraints() {
    let folder = scratch();
    fs::write(folder.path().join("main.reml"), "fn main() { println(\"{}\", |x: Int| x) }\n").unwrap();
    let ran = in_folder(folder.path(), &["check", "-q", "main.reml", "--emit-telemetry", "constraint_graph"]);
    assert_eq!(ran.exit, Some(1));
    let graph: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(graph["metrics"]["states"]["unresolved"], 1, "{graph:#}");
}

#[test]
fn a_graph_is_drawn_as_a_whole_or_for_one_function() {
    let folder = scratch();
    let folder = folder.path();
    with_graph(folder);
    let whole = in_folder(folder, &["telemetry", "graph", "graph.json"]);
    assert!(whole.stdout.starts_with("digraph \"graph\" {\n"), "{}", whole.stdout);
    assert!(whole.stdout.contains("main.main") && whole.stdout.contains("main.shown"));
    let one = in_folder(folder, &["telemetry", "graph", "graph.json", "--function", "shown", "--graph-name", "S"]);
    assert!(one.stdout.starts_with("digraph \"S\" {\n") && !one.stdout.contains("main.main"), "{}", one.stdout);
    let drawn = in_folder(folder, &["telemetry", "graph", "graph.json", "--svg-out", "a.svg", "--dot-out", "a.dot"]);
    assert_eq!((drawn.exit, drawn.stdout.as_str()), (Some(0), ""));
    assert!(fs::read_to_string(folder.join("a.svg")).unwrap().contains(">main.shown</text>"));
    assert_eq!(fs::read_to_string(folder.join("a.dot")).unwrap(), whole.stdout);
    // The graph alone is as good as the whole.
    let report: Value = serde_json::from_str(&fs::read_to_string(folder.join("graph.json")).unwrap()).unwrap();
    fs::write(folder.join("alone.json"), report["graph"].to_string()).unwrap();
    let alone = in_folder(folder, &["telemetry", "graph", "alone.json", "--graph-name", "graph"]);
    assert_eq!(alone.stdout, whole.stdout);
}

#[test]
fn bad_graphs_are_refused_with_a_reason() {
    let folder = scratch();
    let folder = folder.path();
    with_graph(folder);
    let good: Value = serde_json::from_str(&fs::read_to_string(folder.join("graph.json")).unwrap()).unwrap();
    let refused = |text: &str, reason: &str| {
        fs::write(folder.join("bad.json"), text).unwrap();
        let ran = in_folder(folder, &["telemetry", "graph", "bad.json"]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""));
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    };
    refused("not JSON", "`bad.json` is no constraint graph: it is not JSON");
    refused("{}", "it has neither `graph` nor `nodes`");
    refused(&"[".repeat(100_000), "it is not JSON");
    for (pointer, value, reason) in [
        ("/schema_version", json!("4.0.0"), "its `schema_version` is \"4.0.0\""),
        ("/graph/nodes/0/kind", json!("trait"), "`graph.nodes[0].kind` is `trait`; there are `function`, "),
        ("/graph/edges/0/kind", json!("likes"), "`graph.edges[0].kind` is `likes`; there are `requires`, "),
        ("/graph/edges/0/from", json!("nobody"), "but no node has this id"),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        refused(&wrong.to_string(), reason);
    }
    let ran = in_folder(folder, &["telemetry", "graph", "missing.json"]);
    assert!(ran.exit == Some(1) && ran.stderr.starts_with("error: cannot read `missing.json`: "), "{}", ran.stderr);
    let ran = in_folder(folder, &["telemetry", "graph", "graph.json", "--svg-out", "no/a.svg"]);
    assert!(ran.exit == Some(1) && ran.stderr.starts_with("error: `no/a.svg` cannot be written: "), "{}", ran.stderr);
    let ran = in_folder(folder, &["telemetry", "graph", "graph.json", "--function", "shwon"]);
    assert_eq!(ran.stderr, "error: the graph has no function `shwon`; did you mean `shown`?\n");
}

#[test]
fn a_hundred_thousand_edges_are_drawn() {
    let folder = scratch();
    let node =
        |index: usize| json!({ "id": format!("n{index}"), "label": format!("T{index}: Ord"), "kind": "constraint" });
    let edge =
        |from: usize, to: usize| json!({ "from": format!("n{from}"), "to": format!("n{to}"), "kind": "depends_on" });
    let edges: Vec<Value> = (1..50_000).flat_map(|index| [edge(index - 1, index), edge(index / 2, index)]).collect();
    let graph = json!({ "nodes": (0..50_000).map(node).collect::<Vec<_>>(), "edges": edges });
    fs::write(folder.path().join("large.json"), graph.to_string()).unwrap();
    let start = Instant::now();
    let ran =
        in_folder(folder.path(), &["telemetry", "graph", "large.json", "--svg-out", "a.svg", "--dot-out", "a.dot"]);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

/// Kind, outcome and exit code of the events about pipelines, and the codes of diagnostics.
fn recorded(folder: &Path, log: &str) -> Vec<String> {
    let verified = in_folder(folder, &["audit", "verify", log]);
    assert_eq!(verified.exit, Some(0), "{}{}", verified.stdout, verified.stderr);
    let text = fs::read_to_string(folder.join(log)).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = |event: Value| {
        let metadata = &event["envelope"]["metadata"];
        let text = |key: &str| metadata[key].as_str().map(str::to_owned);
        let keys = ["event.kind", "cli.command", "pipeline.exit_code", "diagnostic.code", "error.code"];
        keys.iter().filter_map(|key| text(key)).collect::<Vec<_>>().join(" ")
    };
    events.map(told).collect()
}

#[test]
fn each_command_records_its_compilation() {
    let folder = scratch();
    let folder = folder.path();
    fs::write(folder.join("good.reml"), "fn main() { println(\"fine\") }\n\n@test\nfn adds() { assert(1 + 1 == 2) }\n")
        .unwrap();
    fs::write(folder.join("bad.reml"), "fn main() { println(1 + \"\") }\n").unwrap();
    for (command, more) in [("check", &[][..]), ("run", &[]), ("build", &["-o", "program"]), ("test", &[])] {
        let words = [&[command, "good.reml", "--audit", "good.log"], more].concat();
        let ran = in_folder(folder, &words);
        assert_eq!(ran.exit, Some(0), "{command}: {}", ran.stderr);
        let words = [&[command, "bad.reml", "--audit", "bad.log"], more].concat();
        assert_eq!(in_folder(folder, &words).exit, Some(1), "{command}");
    }
    let both = |command: &str| [format!("pipeline_started {command}"), format!("pipeline_completed {command} success")];
    assert_eq!(recorded(folder, "good.log"), ["check", "run", "build", "test"].map(both).concat());
    let bad = recorded(folder, "bad.log");
    let code = bad[1].rsplit(' ').next().unwrap();
    let three = |command: &str, end: String| {
        [format!("pipeline_started {command}"), format!("diagnostic {command} {code}"), format!("{end} {code}")]
    };
    // A check comes to its end whatever it finds; what needs a correct program is given up.
    let check = [
        "pipeline_started check".to_owned(),
        format!("diagnostic check {code}"),
        "pipeline_completed check failure".to_owned(),
    ];
    let failed = |command: &str| three(command, format!("pipeline_failed {command} failure"));
    let test = [
        "pipeline_started test".to_owned(),
        format!("diagnostic test {code}"),
        "pipeline_completed test failure".to_owned(),
    ];
    assert_eq!(bad, [check, failed("run"), failed("build"), test].concat());
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let folder = scratch();
    let folder = folder.path();
    fs::write(folder.join("main.reml"), "fn main() { println(\"never\") }\n").unwrap();
    for command in ["check", "run", "test"] {
        let ran = in_folder(folder, &[command, "main.reml", "--audit", "."]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""), "{command}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn what_the_manifest_calls_experimental_has_to_be_asked_for() {
    let folder = scratch();
    let folder = folder.path();
    let program = "effect Console : io { operation log : Str -> () }\n\nfn greet() { do Console.log(\"hello\") }\n\n\
                   fn main() { handle greet() with handler Console { operation log(line, resume) { resume(()) } } }\n";
    fs::write(folder.join("main.reml"), program).unwrap();
    let check = |words: &[&str]| {
        let ran = in_folder(folder, &[&["check", "main.reml", "--format", "short"], words].concat());
        (ran.exit, ran.stderr)
    };
    assert_eq!(check(&[]), (Some(0), String::new()));
    let (exit, told) = check(&["--capability-stage", "console=experimental"]);
    assert_eq!((exit, told.matches("error[effects.stage.missing_opt_in]").count()), (Some(1), 2), "{told}");
    let words = ["--capability-stage", "console=experimental", "-Zalgebraic-effects"];
    assert_eq!(check(&words), (Some(0), String::new()));
    let (exit, told) = check(&["-Zalgebraic-efects"]);
    assert!(exit == Some(2) && told.contains("did you mean `algebraic-effects`?"), "{told}");
    let (exit, told) = check(&["-Z", "teleport"]);
    assert!(exit == Some(2) && told.contains("there are `algebraic-effects` and `native-unstable`"), "{told}");
    let ran =
        run(remlc().current_dir(folder).env("REMLC_EFFECT_STAGE", "alpha").args(["check", "main.reml"]), "").unwrap();
    assert!(ran.exit == Some(1) && ran.stderr.contains("config.invalid_stage"), "{}", ran.stderr);
}
