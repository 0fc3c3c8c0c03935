//! Benchmarks of remlc against its peers, as ratios measured in one run.
//!
//! `reml_bench run` times the programs under `programs/` in every language that is installed, `reml_bench parsers` the
//! parsers under `parsers/`, `reml_bench collections` each operation of the library's collections; `reml_bench compile` and
//! `reml_bench grammar` measure the compiler on generated sources, `reml_bench startup` hello world.

mod collections;
mod compile;
mod generate;
mod measure;
mod parsers;
mod peers;
mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Benchmarks of remlc against its peers")]
struct Args {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run time: every program in every installed language, as a ratio to C.
    Run {
        /// Only these programs.
        names: Vec<String>,
        /// Which programs, when none are named.
        #[arg(long, value_enum, default_value = "language")]
        group: programs::Group,
        /// Rounds; the minimum CPU time counts.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Small inputs: checks that everything runs and agrees.
        #[arg(long)]
        quick: bool,
        /// Only these peers (`c`, `ocaml`, ..); Reml always runs.
        #[arg(long, value_delimiter = ',')]
        peers: Vec<String>,
    },
    /// Compile throughput: lines per second, peak memory per source byte, growth.
    Compile {
        /// Sizes in lines.
        #[arg(default_values_t = [10_000, 100_000, 300_000])]
        lines: Vec<usize>,
        /// Rounds; the minimum wall time counts.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Write an input for parsers
    #[command(hide = true)]
    Input { grammar: String, bytes: usize, file: PathBuf },
    /// Parsers: JSON, CSV and arithmetic in Reml, C and parser combinators of other languages, as ratios to C.
    Parsers {
        /// Size of the inputs.
        #[arg(long, default_value_t = 20)]
        megabytes: usize,
        /// Rounds; the minimum CPU time counts.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Small inputs: checks that everything runs and agrees.
        #[arg(long)]
        quick: bool,
    },
    /// Compiling a large grammar: CPU time, which must stay below a second.
    Grammar {
        #[arg(default_value_t = 500)]
        rules: usize,
    },
    /// Operations of the collections against those of OCaml and Rust: nanoseconds for each element, as ratios, by size.
    Collections {
        /// Sizes in elements, 10 or more each.
        #[arg(default_values_t = [1_000, 10_000, 100_000, 1_000_000], value_parser = clap::value_parser!(u64).range(10..))]
        sizes: Vec<u64>,
        /// Rounds, each of which takes the best of three, or of fewer that take long; the minimum CPU time counts.
        #[arg(long, default_value_t = 1)]
        rounds: u32,
        /// Only these peers (`ocaml`, `rust`); Reml always runs.
        #[arg(long, value_delimiter = ',')]
        peers: Vec<String>,
    },
    /// Start to output of hello world, in milliseconds of wall time.
    Startup {
        #[arg(long, default_value_t = 20)]
        rounds: u32,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Action::Input { grammar, bytes, file } = &args.command {
        return if parsers::write_input(grammar, *bytes, file) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let Some(remlc) = build("remlc") else {
        eprintln!("error: remlc could not be built");
        return ExitCode::FAILURE;
    };
    let scratch = match tempfile::tempdir() {
        Ok(scratch) => scratch,
        Err(error) => {
            eprintln!("error: no scratch folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ok = match args.command {
        Action::Run { names, group, rounds, quick, peers } => {
            programs::run(&remlc, scratch.path(), &programs::Options { names, group, rounds, quick, peers })
        }
        Action::Compile { lines, rounds } => compile::throughput(&remlc, scratch.path(), &lines, rounds),
        Action::Input { .. } => unreachable!("needs no compiler"),
        Action::Parsers { megabytes, rounds, quick } => {
            let (bytes, largest) = if quick { (100_000, 100_000) } else { (megabytes << 20, 50 << 20) };
            let sizes =
                [1_000, 30_000, 1 << 20, 10 << 20, 50 << 20].into_iter().filter(|&size| size <= largest).collect();
            parsers::run(&remlc, scratch.path(), &parsers::Options { bytes, rounds, sizes })
        }
        Action::Grammar { rules } => compile::grammar(&remlc, scratch.path(), rules),
        Action::Collections { sizes, rounds, peers } => {
            collections::run(&remlc, scratch.path(), &sizes, rounds, &peers)
        }
        Action::Startup { rounds } => compile::startup(&remlc, scratch.path(), rounds),
    };
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folder this crate lies in.
fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds a program of the workspace in release mode and says where it is.
fn build(package: &str) -> Option<PathBuf> {
    let workspace = home().parent()?.parent()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(["build", "--release", "-q", "-p", package]).current_dir(workspace).status().ok()?;
    // This program lies in the same target folder, possibly under another profile's name.
    let target = std::env::current_exe().ok()?.parent()?.parent()?.join("release").join(package);
    (status.success() && target.exists()).then_some(target)
}
