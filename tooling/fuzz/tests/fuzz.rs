//! A fixed number of inputs for every target, everything that was ever found, and generated programs.

use reml_driver::stack::with_large_stack;
use reml_fuzz::differential::{Tried, try_seed};
use reml_fuzz::random::Random;
use reml_fuzz::targets::{Target, run};
use reml_fuzz::{corpus, mutate};

fn survives(target: Target, count: u64) {
    let corpus = corpus::sources();
    assert!(corpus.len() > 100, "the repository's sources are there");
    let failures: Vec<String> = with_large_stack(|| {
        let try_one = |seed: u64| {
            let mut random = Random::new(seed);
            let text = if target == Target::Formatter && random.chance(4, 5) {
                mutate::shortened(&mut random, &corpus)
            } else {
                mutate::input(&mut random, &corpus)
            };
            run(target, &text).err().map(|what| format!("seed {seed}: {what}\n{text}"))
        };
        (1..=count).filter_map(try_one).collect()
    });
    assert!(failures.is_empty(), "{} failures, the first: {}", failures.len(), failures[0]);
}

#[test]
fn lexer() {
    survives(Target::Lexer, 2_000);
}

#[test]
fn parser() {
    survives(Target::Parser, 2_000);
}

#[test]
fn checker() {
    survives(Target::Checker, 150);
}

#[test]
fn formatter() {
    survives(Target::Formatter, 300);
}

/// Inputs that once failed, under all targets.
#[test]
fn reproducers() {
    let folder = corpus::root().join("tooling/fuzz/reproducers");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for target in Target::ALL {
            let result = with_large_stack(|| run(target, &text));
            assert_eq!(result, Ok(()), "{} under {}", file.display(), target.name());
        }
    }
}

fn agree(seeds: std::ops::RangeInclusive<u64>, executable: bool) {
    let (mut agreed, mut panicked) = (0, 0);
    for seed in seeds {
        match with_large_stack(|| try_seed(seed, executable)) {
            Ok(Tried::Agrees { panics }) => {
                agreed += 1;
                panicked += u32::from(panics);
            }
            Ok(Tried::Skipped) => {}
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    assert!(agreed > 0 && (executable || panicked > 0), "{agreed} programs ran, {panicked} panicked");
}

#[test]
fn generated_programs() {
    agree(1..=50, false);
}

#[test]
fn generated_executables() {
    agree(1..=3, true);
}
