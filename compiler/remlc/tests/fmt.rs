//! Does `remlc fmt` change what it should, and nothing else?

mod support;

use std::path::Path;

use support::{Ran, remlc, run, scratch};

const UGLY: &str = "fn  main( ){println( \"x\" )}\n";
const NICE: &str = "fn main() { println(\"x\") }\n";

fn fmt(directory: &Path, args: &[&str]) -> Ran {
    run(remlc().current_dir(directory).arg("fmt").args(args), "").unwrap()
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn read(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name)).unwrap()
}

#[test]
fn files_and_packages_are_rewritten() {
    let directory = scratch();
    let root = directory.path();
    write(root, "one.reml", UGLY);
    write(root, "app/reml.toml", "[project]\nname = \"app\"\nversion = \"0.1.0\"\n");
    write(root, "app/src/main.reml", UGLY);
    write(root, "app/src/deep/part.reml", UGLY);
    write(root, "app/target/copy.reml", UGLY);
    let ran = fmt(root, &["one.reml"]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(read(root, "one.reml"), NICE.as_bytes());
    assert_eq!(read(root, "app/src/main.reml"), UGLY.as_bytes());
    assert_eq!(fmt(&root.join("app"), &[]).exit, Some(0));
    assert_eq!(read(root, "app/src/main.reml"), NICE.as_bytes());
    assert_eq!(read(root, "app/src/deep/part.reml"), NICE.as_bytes());
    assert_eq!(read(root, "app/target/copy.reml"), UGLY.as_bytes(), "what a package has built is none of our business");
    let left: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "files were left behind: {left:?}");
}

#[test]
fn check_lists_and_changes_nothing() {
    let directory = scratch();
    let root = directory.path();
    write(root, "b/ugly.reml", UGLY);
    write(root, "a/ugly.reml", UGLY);
    write(root, "a/nice.reml", NICE);
    let ran = fmt(root, &["--check"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), "a/ugly.reml\nb/ugly.reml\n"));
    assert_eq!(read(root, "a/ugly.reml"), UGLY.as_bytes());
    assert_eq!(fmt(root, &["--check", "a/nice.reml"]).exit, Some(0));
}

#[test]
fn standard_input() {
    let directory = scratch();
    let ran = run(remlc().current_dir(directory.path()).args(["fmt", "--stdin"]), UGLY).unwrap();
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), NICE));
    let ran = run(remlc().args(["fmt", "--stdin", "--check"]), UGLY).unwrap();
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""));
    let ran = run(remlc().args(["fmt", "--stdin"]), "fn f( = 1").unwrap();
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("<stdin>:1:"), "{}", ran.stderr);
    assert_eq!(run(remlc().args(["fmt", "--stdin", "x.reml"]), "").unwrap().exit, Some(2));
}

#[test]
fn what_does_not_parse_is_left_alone_and_does_not_hide_the_rest() {
    let directory = scratch();
    let root = directory.path();
    let broken = "fn  f( = 1\n";
    write(root, "a_broken.reml", broken);
    write(root, "b_ugly.reml", UGLY);
    let ran = fmt(root, &[]);
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("error[parser.syntax.expected_tokens]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a_broken.reml:1:"), "{}", ran.stderr);
    assert_eq!(read(root, "a_broken.reml"), broken.as_bytes());
    assert_eq!(read(root, "b_ugly.reml"), NICE.as_bytes());
}

#[test]
fn bytes_that_are_no_source_stay() {
    let directory = scratch();
    let root = directory.path();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for length in [1, 20, 300, 5_000] {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Not the first control characters, so that larger files are not binary at first sight.
                (state >> 32) as u8 | 0x80
            })
            .collect();
        write(root, "random.reml", &bytes);
        let ran = fmt(root, &["random.reml"]);
        assert_eq!(ran.exit, Some(1));
        assert!(ran.stderr.starts_with("error[source.invalid_utf8]: `random.reml` is not UTF-8"), "{}", ran.stderr);
        assert_eq!(read(root, "random.reml"), bytes);
    }
    write(root, "random.reml", b"\x7fELF\0\0");
    let ran = fmt(root, &["random.reml"]);
    assert!(ran.stderr.contains("error[source.binary]"), "{}", ran.stderr);
    let ran = fmt(root, &["missing.reml"]);
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("there is no file `missing.reml`"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let directory = scratch();
    let root = directory.path();
    write(root, "real.reml", UGLY);
    std::fs::set_permissions(root.join("real.reml"), std::fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("real.reml", root.join("link.reml")).unwrap();
    assert_eq!(fmt(root, &["link.reml"]).exit, Some(0));
    assert!(root.join("link.reml").is_symlink());
    assert_eq!(read(root, "real.reml"), NICE.as_bytes());
    assert_eq!(std::fs::metadata(root.join("real.reml")).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn the_library_and_the_examples_are_formatted() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = remlc();
    command.current_dir(&root).args(["fmt", "--check", "stdlib"]);
    for topic in std::fs::read_dir(root.join("examples")).unwrap() {
        let topic = topic.unwrap().file_name();
        // Snippets of the founding documents stand as they are printed there.
        if topic != "seeds" {
            command.arg(Path::new("examples").join(topic));
        }
    }
    let ran = run(&mut command, "").unwrap();
    assert_eq!((ran.exit, &*ran.stdout), (Some(0), ""), "{ran:?}");
}
