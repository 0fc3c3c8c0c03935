//! Does remlc say what is wrong with bad input, with the right exit status, and without panicking or leaving files
//! behind?

mod support;

use std::path::Path;
use std::process::Command;

use support::{Ran, remlc, root, run, scratch};

/// Runs remlc in a directory with these files.
fn with_files(files: &[(&str, &[u8])], args: &[&str]) -> (Ran, Vec<String>) {
    let directory = scratch();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let ran = run(remlc().current_dir(directory.path()).args(args), "").unwrap();
    let mut left: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !files.iter().any(|(file, _)| file.split('/').next() == Some(name)))
        .collect();
    left.sort();
    (ran, left)
}

fn fails_with(files: &[(&str, &[u8])], args: &[&str], code: &str, text: &str) {
    let (ran, left) = with_files(files, args);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&format!("[{code}]")), "{code}: {}", ran.stderr);
    assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    assert_eq!(left, Vec::<String>::new(), "files were left behind");
}

/// Checking the text ends with diagnostics or without, but never with a panic or a signal.
fn survives(text: &str) -> Ran {
    let (ran, _) = with_files(&[("main.reml", text.as_bytes())], &["check", "--format", "short", "main.reml"]);
    assert!(matches!(ran.exit, Some(0 | 1)), "{:?}: {}", ran.exit, ran.stderr);
    ran
}

#[test]
fn missing_file() {
    fails_with(&[], &["run", "nothing.reml"], "source.not_found", "there is no file `nothing.reml`");
}

#[test]
fn directory_without_manifest() {
    fails_with(&[("src/a.reml", b"")], &["run", "src"], "source.unreadable", "is a directory without a `reml.toml`");
}

#[test]
fn binary_file() {
    fails_with(&[("a.reml", b"\x7fELF\0\0\0")], &["check", "a.reml"], "source.binary", "is a binary file");
}

#[test]
fn invalid_utf8() {
    fails_with(
        &[("a.reml", b"fn main() {\n  println(\"\xff\")\n}\n")],
        &["check", "a.reml"],
        "source.invalid_utf8",
        "byte 0xFF at offset 23, in line 2",
    );
}

#[test]
fn empty_file() {
    fails_with(&[("a.reml", b"")], &["run", "a.reml"], "language.main.missing", "main");
    fails_with(&[("a.reml", b"")], &["build", "a.reml"], "language.main.missing", "main");
    let (ran, _) = with_files(&[("a.reml", b"")], &["check", "a.reml"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn byte_order_mark_is_skipped() {
    let (ran, _) = with_files(&[("a.reml", b"\xef\xbb\xbffn main() = println(\"bom\")\n")], &["run", "a.reml"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), "bom\n"), "{}", ran.stderr);
}

#[test]
fn wrong_usage() {
    for args in [&["frobnicate"][..], &[], &["run", "--no-such-flag"], &["explain"], &["check", "--emit", "soup"]] {
        let (ran, _) = with_files(&[], args);
        assert_eq!(ran.exit, Some(2), "{args:?}: {ran:?}");
    }
}

const HELLO: &[u8] = b"fn main() = println(\"hello\")\n";

#[test]
fn unwritable_output() {
    let build = |output| {
        fails_with(
            &[("a.reml", HELLO), ("d/x", b"")],
            &["build", "a.reml", "-o", output],
            "build.output.unwritable",
            output,
        )
    };
    build("missing/out");
    build("d");
    build("a.reml");
}

#[test]
fn missing_linker() {
    let directory = scratch();
    let file = directory.path().join("a.reml");
    std::fs::write(&file, HELLO).unwrap();
    let output = directory.path().join("a");
    let ran = run(remlc().env("CC", "no-such-compiler").args(["build", "-o"]).args([&output, &file]), "").unwrap();
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("[build.linker.missing]") && ran.stderr.contains("no-such-compiler"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "files were left behind");
}

#[test]
fn failing_linker_keeps_the_old_output() {
    let directory = scratch();
    let file = directory.path().join("a.reml");
    std::fs::write(&file, HELLO).unwrap();
    let output = directory.path().join("a");
    std::fs::write(&output, "old").unwrap();
    let ran = run(remlc().env("CC", "false").args(["build", "-o"]).args([&output, &file]), "").unwrap();
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("[build.linker.failed]"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "old");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "files were left behind");
}

#[test]
fn built_programs_pass_arguments_and_exit_status() {
    let directory = scratch();
    let file = directory.path().join("a.reml");
    std::fs::write(
        &file,
        "fn main(args: List<Str>) -> Result<(), Str> = match args with\n  | [first] -> Err(first)\n  | _ -> Ok(())\n",
    )
    .unwrap();
    let ran = run(remlc().args(["run", "-q"]).arg(&file).args(["--", "boom"]), "").unwrap();
    assert_eq!((ran.exit, ran.stderr.as_str()), (Some(1), "error: boom\n"));
    let output = directory.path().join("a");
    let built = run(remlc().args(["build", "-q", "-o"]).args([&output, &file]), "").unwrap();
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    let ran = run(Command::new(&output).arg("boom"), "").unwrap();
    assert_eq!((ran.exit, ran.stderr.as_str()), (Some(1), "error: boom\n"));
}

#[test]
fn unterminated_things() {
    for (text, code) in [
        ("fn main() = println(\"oops", "parser.lexer.unterminated_string"),
        ("fn main() = println(\"\"\"oops", "parser.lexer.unterminated_string"),
        ("fn main() = println(r#\"oops", "parser.lexer.unterminated_string"),
        ("let c = 'x", "parser.lexer.unterminated_char"),
        ("/* /* */ fn main() { }", "parser.lexer.unterminated_comment"),
    ] {
        let ran = survives(text);
        assert!(ran.stderr.contains(&format!("[{code}]")), "{text}: {}", ran.stderr);
    }
    assert!(survives("fn main() {").stderr.contains("[parser.unexpected_eof]"));
}

#[test]
fn deep_nesting() {
    let deep = |open: &str, close: &str, n: usize| format!("let x = {}1{}\n", open.repeat(n), close.repeat(n));
    assert_eq!(survives(&deep("(", ")", 1_000)).exit, Some(0));
    for (open, close) in [("(", ")"), ("[", "]"), ("{ ", "}"), ("-", ""), ("|x| ", ""), ("if true { ", " } else { 0 }")]
    {
        let ran = survives(&deep(open, close, 100_000));
        assert!(ran.stderr.contains("[parser.syntax.nesting_limit]"), "{open}: {:.300}", ran.stderr);
    }
    survives(&"(".repeat(100_000));
    survives(&"[{(".repeat(30_000));
    survives(&")".repeat(100_000));
}

#[test]
fn long_chains_are_no_nesting() {
    assert_eq!(survives(&format!("let x = 1{}\n", " + 1".repeat(5_000))).exit, Some(0));
    let ifs: String = (0..2_000).map(|n| format!("if n == {n} {{ {n} }} else ")).collect();
    assert_eq!(survives(&format!("fn f(n: Int) -> Int = {ifs}{{ 0 }}\n")).exit, Some(0));
    let lets: String = (0..5_000).map(|n| format!("  let a{n} = {n}\n")).collect();
    assert!(matches!(survives(&format!("fn f() {{\n{lets}}}\n")).exit, Some(0)));
}

#[test]
fn five_megabytes_on_one_line() {
    let text = format!("let xs: [Int] = [{}]\n", "1, ".repeat(1_700_000));
    assert_eq!(survives(&text).exit, Some(0));
    let broken = text.replacen("1, 1", "1, oops", 1);
    let ran = survives(&broken);
    assert!(ran.stderr.contains("main.reml:1:21: error[language.name.unknown]"), "{:.400}", ran.stderr);
    assert!(ran.stderr.len() < 4_000);
}

#[test]
fn every_truncation_of_an_example() {
    let examples = support::programs(&root().join("examples"));
    let texts = examples.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let text = texts.max_by_key(String::len).expect("there are examples");
    let mut cut = 0;
    for line in text.split_inclusive('\n') {
        // In the middle of the line, where most is unfinished, and at its end.
        let middle = (line.len() / 2..line.len()).find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        survives(&text[..cut + middle]);
        cut += line.len();
        survives(&text[..cut]);
    }
}

#[test]
fn missing_modules() {
    let main = |text: &'static str| [("main.reml", text.as_bytes())];
    fails_with(&main("use util.text\nfn main() { }\n"), &["run", "main.reml"], "language.use.unknown", "util");
    fails_with(&main("use Core.Lst\nfn main() { }\n"), &["run", "main.reml"], "language.use.unknown", "Lst");
    fails_with(&main("use super.x\nfn main() { }\n"), &["run", "main.reml"], "language.use.invalid_super", "super");
}

#[test]
fn modules_that_import_each_other() {
    let files: [(&str, &[u8]); 2] = [
        ("main.reml", b"use even.is_even\npub fn is_odd(n: Int) -> Bool = n == 1 || is_even(n - 1)\nfn main() = println(\"{}\", is_even(10))\n"),
        ("even.reml", b"use main.is_odd\npub fn is_even(n: Int) -> Bool = n == 0 || is_odd(n - 1)\n"),
    ];
    fails_with(&files, &["run", "main.reml"], "language.use.cycle", "main -> even -> main");
}

#[test]
fn imports_that_only_refer_to_each_other() {
    let files: [(&str, &[u8]); 2] =
        [("main.reml", b"pub use other.a as b\nfn main() { }\n"), ("other.reml", b"pub use main.b as a\n")];
    fails_with(&files, &["run", "main.reml"], "language.use.cycle", "");
}

#[test]
fn packages_with_dependencies() {
    let files: [(&str, &[u8]); 6] = [
        ("app/reml.toml", b"[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[dependencies]\nshapes = { path = \"../shapes\" }\n"),
        ("app/src/main.reml", b"use shapes.area.square\nuse shapes.unit\nuse net.url\n\nfn main() = println(\"{} {} {}\", square(3), unit(), url.scheme())\n"),
        ("app/src/net/url.reml", b"pub fn scheme() -> Str = \"https\"\n"),
        ("shapes/reml.toml", b"[project]\nname = \"shapes\"\nversion = \"0.1.0\"\n"),
        ("shapes/src/lib.reml", b"use area.square\npub fn unit() -> Int = square(1)\n"),
        ("shapes/src/area.reml", b"pub fn square(x: Int) -> Int = x * x\n"),
    ];
    for input in ["app", "app/src/main.reml"] {
        let (ran, _) = with_files(&files, &["run", input]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), "9 1 https\n"), "{}", ran.stderr);
    }
}

#[test]
fn broken_packages() {
    let main: (&str, &[u8]) = ("src/main.reml", HELLO);
    fails_with(&[("reml.toml", b"[project"), main], &["run", "."], "config.manifest.parse_error", "not valid TOML");
    fails_with(&[("reml.toml", b"[project]\nname = \"a\"\n"), main], &["run"], "config.missing_field", "no `version`");
    let manifest = b"[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nb = { path = \"b\" }\n";
    fails_with(&[("reml.toml", manifest), main], &["run", "."], "package.dependency.missing", "no package at `./b`");
    let manifest = b"[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nb = \"1.0\"\n";
    fails_with(&[("reml.toml", manifest), main], &["run", "."], "package.dependency.missing", "`b` has no `path`");
    let manifest = b"[project]\nname = \"a\"\nversion = \"1.0.0\"\n";
    fails_with(&[("reml.toml", manifest)], &["run", "."], "source.not_found", "src/main.reml");
}

#[test]
fn warnings_and_their_flags() {
    let text = b"use Core.List.{map}\nfn main() = println(\"hello\")\n";
    let warned = |args: &[&str]| with_files(&[("a.reml", text)], args).0;
    let ran = warned(&["run", "a.reml"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), "hello\n"));
    assert!(ran.stderr.contains("language.use.unused") && ran.stderr.ends_with("warning: `a.reml`: 1 warning\n"));
    assert_eq!(warned(&["run", "-q", "a.reml"]).stderr, "");
    let ran = warned(&["run", "--fail-on-warning", "a.reml"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""));
    assert!(!ran.stderr.contains('\x1b'));
    assert!(warned(&["check", "--color", "always", "a.reml"]).stderr.contains("\x1b["));
}

#[test]
fn explain_and_new() {
    let (ran, _) = with_files(&[], &["explain", "type.mismatch"]);
    assert!(ran.exit == Some(0) && ran.stdout.starts_with("type.mismatch: "), "{ran:?}");
    let (ran, _) = with_files(&[], &["explain", "type.mismtach"]);
    assert_eq!((ran.exit, ran.stderr.contains("did you mean `type.mismatch`?")), (Some(2), true));
    let (ran, _) = with_files(&[], &["explain", "--list"]);
    assert!(ran.stdout.lines().count() > 80);

    let directory = scratch();
    let remlc_here = |args: &[&str]| run(remlc().current_dir(directory.path()).args(args), "").unwrap();
    assert_eq!(remlc_here(&["new", "my-app"]).exit, Some(0));
    let ran = remlc_here(&["run", "my-app"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), "Hello, Reml!\n"), "{}", ran.stderr);
    let again = remlc_here(&["new", "my-app"]);
    assert_eq!((again.exit, again.stderr.contains("not empty")), (Some(1), true));
    assert_eq!(remlc_here(&["new", "1st"]).exit, Some(2));
    assert_eq!(remlc_here(&["build", "my-app"]).exit, Some(0));
    assert!(Path::new(&directory.path().join("my_app")).is_file());
}

#[test]
fn json_goes_to_standard_output_as_one_line() {
    let (ran, _) = with_files(&[("a.reml", b"let a = oops\n")], &["check", "--format", "json", "a.reml"]);
    let envelope: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(envelope["diagnostics"][0]["code"], "language.name.unknown");
    assert_eq!((ran.exit, ran.stderr.as_str()), (Some(1), ""));
}

const STAGED: &[u8] = b"effect Console : io { operation log : Str -> Unit }
@requires_capability(stage = \"beta\")
fn main() { do Console.log(\"x\") }
";

#[test]
fn stages_come_from_flags_environment_and_manifest() {
    let mismatch = "effects.contract.stage_mismatch";
    let plain: &[(&str, &[u8])] = &[("a.reml", STAGED)];
    fails_with(plain, &["check", "a.reml"], mismatch, "the capability `console` is experimental");
    let (ran, _) = with_files(plain, &["check", "--capability-stage", "console=beta", "a.reml"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let admitted = ["check", "--capability-stage", "console=beta", "--effect-stage", "stable", "a.reml"];
    fails_with(plain, &admitted, mismatch, "this run admits stable ones only");
    let package: &[u8] = b"[project]\nname = \"a\"\nversion = \"1.0.0\"\n[capabilities]\nconsole = \"beta\"\n";
    let files: &[(&str, &[u8])] = &[("reml.toml", package), ("src/main.reml", STAGED)];
    let (ran, _) = with_files(files, &["check"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let strict = [package, b"[run]\neffect_stage = \"stable\"\n"].concat();
    let files: &[(&str, &[u8])] = &[("reml.toml", &strict), ("src/main.reml", STAGED)];
    fails_with(files, &["check"], mismatch, "this run admits stable ones only");
    // The command line comes before the manifest.
    let (ran, _) = with_files(files, &["check", "--effect-stage", "beta"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let broken = [package, b"[run]\neffect_stage = \"settled\"\n"].concat();
    let files: &[(&str, &[u8])] = &[("reml.toml", &broken), ("src/main.reml", STAGED)];
    fails_with(files, &["check"], "config.invalid_stage", "`settled`, which is not a stage");
    let (ran, _) = with_files(plain, &["check", "--effect-stage", "settled", "a.reml"]);
    assert_eq!(ran.exit, Some(2), "{ran:?}");
}

#[test]
fn a_stage_mismatch_is_in_the_json() {
    let (ran, _) = with_files(&[("a.reml", STAGED)], &["check", "--format", "json", "a.reml"]);
    let envelope: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let diagnostic = &envelope["diagnostics"][0];
    let stage = &diagnostic["extensions"]["effects"]["stage"];
    assert_eq!(stage["required"], "exact:beta", "{diagnostic}");
    assert_eq!(stage["actual"], "experimental");
    assert_eq!(stage["capability"], "console");
    assert_eq!(diagnostic["audit_metadata"]["effect.stage.required"], "exact:beta");
}
