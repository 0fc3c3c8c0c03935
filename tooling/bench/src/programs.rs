//! The run-time table: every program in every installed language, as a ratio to C.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::measure;
use crate::peers::PEERS;

pub struct Options {
    pub names: Vec<String>,
    /// Which programs when none are named.
    pub group: Group,
    pub rounds: u32,
    pub quick: bool,
    pub peers: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Group {
    /// Everything but effects.
    Language,
    /// Operations and handlers; C does the same without them.
    Effects,
    /// Futures and tasks; C does the same with calls and bare context switches.
    Async,
    /// Calls of C functions, and C's calls of the program's.
    Ffi,
}

/// Programs: name, full-size argument, and a small one for a quick check.
const LANGUAGE: &[(&str, &str, &str)] = &[
    ("fib", "40", "25"),
    ("nbody", "5000000", "1000"),
    ("binary_trees", "18", "10"),
    ("spectral_norm", "2000", "100"),
    ("fannkuch", "10", "7"),
    ("sieve", "10000000", "10000"),
    ("nqueens", "12", "8"),
    ("persistent_map", "1000000", "10007"),
    ("strings", "1000000", "1000"),
    ("lazy_pipeline", "50000000", "1000"),
    ("eager_pipeline", "2000000", "1000"),
];

const EFFECTS: &[(&str, &str, &str)] = &[
    ("effect_countdown", "50000000", "1000"),
    ("effect_state", "50000000", "1000"),
    ("effect_iterator", "50000000", "1000"),
    ("effect_generator", "24", "10"),
    ("effect_queens", "12", "6"),
    ("effect_resume", "1000", "3"),
];

const ASYNC: &[(&str, &str, &str)] =
    &[("async_await", "10000000", "1000"), ("async_yield", "5000000", "1000"), ("async_spawn", "1000000", "1000")];

const FFI: &[(&str, &str, &str)] =
    &[("ffi_call", "100000000", "1000"), ("ffi_struct", "50000000", "1000"), ("ffi_callback", "2000000", "1000")];

struct Contestant {
    name: &'static str,
    command: Command,
    best: Option<Duration>,
    peak: u64,
    output: Vec<u8>,
}

/// Prints the table; false when a program failed or disagreed with C's, or Reml's did not compile.
pub fn run(remlc: &Path, scratch: &Path, options: &Options) -> bool {
    let mut ok = true;
    let wanted = |name: &str| options.peers.is_empty() || options.peers.iter().any(|peer| peer == name);
    let (present, absent): (Vec<_>, Vec<_>) =
        PEERS.iter().filter(|peer| wanted(peer.name)).partition(|peer| peer.installed());
    for peer in absent {
        println!("skipped: {} is not installed", peer.name);
    }
    print!("{:<18}{:>9}", "program", "c s");
    print!("{:>9}", "reml");
    for peer in present.iter().filter(|peer| peer.name != "c") {
        print!("{:>9}", peer.name);
    }
    println!("{:>12}{:>12}", "reml MiB", "c MiB");

    let mut logs: Vec<(&'static str, Vec<f64>)> = Vec::new();
    let chosen: Vec<&(&str, &str, &str)> = if options.names.is_empty() {
        match options.group {
            Group::Language => LANGUAGE.iter().collect(),
            Group::Effects => EFFECTS.iter().collect(),
            Group::Async => ASYNC.iter().collect(),
            Group::Ffi => FFI.iter().collect(),
        }
    } else {
        LANGUAGE
            .iter()
            .chain(EFFECTS)
            .chain(ASYNC)
            .chain(FFI)
            .filter(|(name, ..)| options.names.iter().any(|wanted| wanted == name))
            .collect()
    };
    for &&(name, full, small) in &chosen {
        let argument = if options.quick { small } else { full };
        let folder = crate::home().join("programs").join(name);
        let mut contestants = Vec::new();
        for peer in &present {
            let source = folder.join(format!("{name}.{}", peer.extension));
            if source.exists()
                && let Some(command) = peer.prepare(&source, scratch)
            {
                contestants.push(Contestant { name: peer.name, command, best: None, peak: 0, output: Vec::new() });
            }
        }
        match build_reml(remlc, &folder.join(format!("{name}.reml")), scratch) {
            Some(command) => {
                contestants.push(Contestant { name: "reml", command, best: None, peak: 0, output: Vec::new() });
            }
            None => {
                println!("{name:<18} reml: did not compile");
                ok = false;
            }
        }
        for contestant in &mut contestants {
            contestant.command.arg(argument);
        }
        // Interleaved, so that a slow moment of the machine hits everybody.
        for _ in 0..options.rounds {
            for contestant in &mut contestants {
                if let Some(run) = measure(&mut contestant.command)
                    && run.success
                {
                    contestant.best = Some(contestant.best.map_or(run.cpu, |best| best.min(run.cpu)));
                    contestant.peak = contestant.peak.max(run.peak);
                    contestant.output = run.stdout;
                }
            }
        }
        ok &= print_row(name, &contestants, &present.iter().map(|peer| peer.name).collect::<Vec<_>>(), &mut logs);
    }

    print!("{:<18}{:>9}", "geometric mean", "");
    for name in std::iter::once("reml").chain(present.iter().map(|peer| peer.name).filter(|&name| name != "c")) {
        match logs.iter().find(|(peer, _)| *peer == name) {
            Some((_, values)) => print!("{:>9.2}", (values.iter().sum::<f64>() / values.len() as f64).exp()),
            None => print!("{:>9}", "-"),
        }
    }
    println!();
    ok
}

fn print_row(
    name: &str,
    contestants: &[Contestant],
    peers: &[&'static str],
    logs: &mut Vec<(&'static str, Vec<f64>)>,
) -> bool {
    let find = |peer: &str| contestants.iter().find(|contestant| contestant.name == peer);
    let c = find("c").and_then(|c| c.best).map(|best| best.as_secs_f64());
    print!("{name:<18}");
    match c {
        Some(seconds) => print!("{seconds:>9.3}"),
        None => print!("{:>9}", "-"),
    }
    for peer in std::iter::once("reml").chain(peers.iter().copied().filter(|&peer| peer != "c")) {
        match (find(peer).and_then(|contestant| contestant.best), c) {
            (Some(best), Some(c)) if c > 0.0 => {
                let ratio = (best.as_secs_f64() / c).max(1e-3);
                print!("{ratio:>9.2}");
                match logs.iter_mut().find(|(name, _)| *name == peer) {
                    Some((_, values)) => values.push(ratio.ln()),
                    None => logs.push((find(peer).map_or("reml", |found| found.name), vec![ratio.ln()])),
                }
            }
            (Some(best), _) => print!("{:>8.3}s", best.as_secs_f64()),
            (None, _) => print!("{:>9}", "-"),
        }
    }
    let mebibytes = |peer: &str| find(peer).map_or(0, |contestant| contestant.peak >> 20);
    println!("{:>12}{:>12}", mebibytes("reml"), mebibytes("c"));
    let mut ok = true;
    let output = find("c").filter(|c| c.best.is_some()).map(|c| &c.output);
    for contestant in contestants {
        let problem = match output {
            _ if contestant.best.is_none() => "failed",
            Some(output) if *output != contestant.output => "output differs from C's",
            _ => continue,
        };
        println!("{:<18} {}: {problem}", "", contestant.name);
        ok = false;
    }
    ok && find("reml").is_some()
}

/// The command that runs a Reml program, built into `scratch`. `None` when it does not compile.
pub fn build_reml(remlc: &Path, source: &Path, scratch: &Path) -> Option<Command> {
    let output = scratch.join(format!("{}-reml", source.file_stem()?.to_str()?));
    let status = Command::new(remlc)
        .args(["build", "--release", "--allow-ffi=libc", "-o"])
        .arg(&output)
        .arg(source)
        .status()
        .ok()?;
    status.success().then(|| Command::new(output))
}
