//! The table of the collections: every operation at every size, in nanoseconds for each element, as ratios to OCaml and Rust.
//!
//! `programs/collections` has one program for each language. It takes a size, times its operations itself, and prints a line for
//! each: name, checksum, nanoseconds of CPU time, between tabs.

use std::path::Path;
use std::process::Command;

use crate::measure::measure;
use crate::peers::{PEERS, RUST};
use crate::programs::build_reml;

/// One language, and the best it has done at the size in question.
struct Contestant {
    name: &'static str,
    program: Command,
    operations: Vec<Operation>,
}

struct Operation {
    name: String,
    checksum: String,
    /// The least of all rounds.
    nanoseconds: f64,
}

/// Prints a table for each size; false when a program failed, or a checksum differed from Reml's.
pub fn run(remlc: &Path, scratch: &Path, sizes: &[u64], rounds: u32, peers: &[String]) -> bool {
    let folder = crate::home().join("programs").join("collections");
    let Some(program) = build_reml(remlc, &folder.join("collections.reml"), scratch) else {
        println!("reml: did not compile");
        return false;
    };
    let mut contestants = vec![Contestant { name: "reml", program, operations: Vec::new() }];
    let mut ok = true;
    for peer in PEERS.iter().filter(|peer| peer.name == "ocaml").chain([&RUST]) {
        if !peers.is_empty() && !peers.iter().any(|wanted| wanted == peer.name) {
            continue;
        }
        if !peer.installed() {
            println!("skipped: {} is not installed", peer.name);
            continue;
        }
        match peer.prepare(&folder.join(format!("collections.{}", peer.extension)), scratch) {
            Some(program) => contestants.push(Contestant { name: peer.name, program, operations: Vec::new() }),
            None => {
                println!("{}: did not compile", peer.name);
                ok = false;
            }
        }
    }
    for &size in sizes {
        // Interleaved, so that a slow moment of the machine hits everybody.
        for _ in 0..rounds.max(1) {
            for contestant in &mut contestants {
                if !contestant.play(size) {
                    println!("{}: failed with {size} elements", contestant.name);
                    ok = false;
                }
            }
        }
        ok &= print_table(size, &contestants);
        for contestant in &mut contestants {
            contestant.operations.clear();
        }
    }
    ok
}

impl Contestant {
    /// Runs the program once and keeps what was faster than before. False when it failed or printed something else.
    fn play(&mut self, size: u64) -> bool {
        let mut command = Command::new(self.program.get_program());
        command.args(self.program.get_args()).arg(size.to_string());
        let Some(run) = measure(&mut command).filter(|run| run.success) else { return false };
        let Ok(text) = String::from_utf8(run.stdout) else { return false };
        text.lines().all(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [name, checksum, time] => match time.parse() {
                Ok(nanoseconds) => {
                    self.keep(name, checksum, nanoseconds);
                    true
                }
                Err(_) => false,
            },
            _ => false,
        })
    }

    fn keep(&mut self, name: &str, checksum: &str, nanoseconds: f64) {
        match self.operations.iter_mut().find(|operation| operation.name == name) {
            Some(operation) => operation.nanoseconds = operation.nanoseconds.min(nanoseconds),
            None => self.operations.push(Operation { name: name.into(), checksum: checksum.into(), nanoseconds }),
        }
    }

    fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

/// A column of nanoseconds for each language, and one of Reml's ratio to each other one. False when checksums differ.
fn print_table(size: u64, contestants: &[Contestant]) -> bool {
    let [reml, peers @ ..] = contestants else { return false };
    print!("{:<28}{:>9}", format!("{size} elements, ns each"), reml.name);
    for peer in peers {
        print!("{:>9}{:>9}", peer.name, "ratio");
    }
    println!();
    let mut ok = true;
    let mut logs: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for operation in &reml.operations {
        print!("{:<28}{:>9.1}", operation.name, operation.nanoseconds);
        let mut differing = Vec::new();
        for (peer, logs) in peers.iter().zip(&mut logs) {
            match peer.operation(&operation.name) {
                Some(other) => {
                    // A clock of microseconds may say that nothing has passed.
                    let ratio = operation.nanoseconds.max(0.01) / other.nanoseconds.max(0.01);
                    logs.push(ratio.ln());
                    print!("{:>9.1}{ratio:>9.2}", other.nanoseconds);
                    if other.checksum != operation.checksum {
                        differing.push(peer.name);
                    }
                }
                None => print!("{:>9}{:>9}", "-", "-"),
            }
        }
        println!();
        for name in differing {
            println!("{:<28} the checksum of {name} differs", "");
            ok = false;
        }
    }
    print!("{:<28}{:>9}", "geometric mean", "");
    for logs in &logs {
        print!("{:>9}{:>9.2}", "", (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    }
    println!("\n");
    ok
}
