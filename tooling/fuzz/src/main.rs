//! Runs a fuzz target for a time or a count, and leaves what it finds in files.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use reml_fuzz::differential::{self, Tried};
use reml_fuzz::minimise::minimise;
use reml_fuzz::random::Random;
use reml_fuzz::targets::{Target, run};
use reml_fuzz::{corpus, mutate};

/// Looks for inputs that the compiler does not survive.
#[derive(Parser)]
struct Args {
    #[arg(value_enum)]
    target: Choice,
    /// How long to go on
    #[arg(long, conflicts_with = "count")]
    seconds: Option<u64>,
    /// How many inputs to try
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The first input's number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where findings are left
    #[arg(long, default_value = "target/fuzz")]
    out: PathBuf,
    /// Print the program of the seed instead (`typed`)
    #[arg(long)]
    print: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Lexer,
    Parser,
    Checker,
    Formatter,
    /// Generated programs, in memory
    Typed,
    /// Generated programs, also as executables
    Executable,
}

fn main() -> ExitCode {
    let args = Args::parse();
    reml_driver::stack::with_large_stack(|| execute(&args))
}

fn execute(args: &Args) -> ExitCode {
    if args.print {
        print!("{}", differential::source(args.seed));
        return ExitCode::SUCCESS;
    }
    if let Err(problem) = std::fs::create_dir_all(&args.out) {
        eprintln!("error: `{}` cannot be made: {problem}", args.out.display());
        return ExitCode::FAILURE;
    }
    let start = Instant::now();
    let goes_on = |done: u64| match args.seconds {
        Some(seconds) => start.elapsed() < Duration::from_secs(seconds),
        None => done < args.count,
    };
    let target = match args.target {
        Choice::Lexer => Target::Lexer,
        Choice::Parser => Target::Parser,
        Choice::Checker => Target::Checker,
        Choice::Formatter => Target::Formatter,
        Choice::Typed | Choice::Executable => return typed(args, goes_on),
    };
    // Each finding is reported once, not by the panic hook as well.
    std::panic::set_hook(Box::new(|_| {}));
    let corpus = corpus::sources();
    let current = args.out.join(format!("{}-current.reml", target.name()));
    let mut findings: Vec<String> = Vec::new();
    let mut done = 0;
    while goes_on(done) {
        let seed = args.seed + done;
        let text = target_input(target, seed, &corpus);
        // An input that ends the process is found here.
        let _ = std::fs::write(&current, &text);
        if let Err(what) = run(target, &text)
            && !findings.contains(&kind(&what))
        {
            let small = minimise(&text, |text| run(target, text).is_err_and(|other| kind(&other) == kind(&what)));
            let file = args.out.join(format!("{}-{seed}.reml", target.name()));
            let _ = std::fs::write(&file, &small);
            println!("seed {seed}: {what}\n  {}\n{small}\n", file.display());
            findings.push(kind(&what));
        }
        done += 1;
    }
    let _ = std::fs::remove_file(current);
    println!("{}: {done} inputs, {} findings, {:.0} s", target.name(), findings.len(), start.elapsed().as_secs_f64());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn target_input(target: Target, seed: u64, corpus: &[String]) -> String {
    let mut random = Random::new(seed);
    // The formatter has little to do with what does not parse.
    if target == Target::Formatter && random.chance(4, 5) {
        mutate::shortened(&mut random, corpus)
    } else {
        mutate::input(&mut random, corpus)
    }
}

/// Findings with the same text are one finding.
fn kind(what: &str) -> String {
    what.chars().filter(|c| !c.is_ascii_digit()).take(80).collect()
}

fn typed(args: &Args, goes_on: impl Fn(u64) -> bool) -> ExitCode {
    let start = Instant::now();
    let (mut done, mut skipped, mut panicked, mut findings) = (0, 0, 0, 0);
    while goes_on(done) {
        let seed = args.seed + done;
        match differential::try_seed(seed, args.target == Choice::Executable) {
            Ok(Tried::Agrees { panics }) => panicked += u64::from(panics),
            Ok(Tried::Skipped) => skipped += 1,
            Err(what) => {
                findings += 1;
                let file = args.out.join(format!("typed-{seed}.reml"));
                let _ = std::fs::write(&file, differential::source(seed));
                println!("seed {seed}: {what}  {}\n", file.display());
            }
        }
        done += 1;
    }
    println!(
        "typed: {done} programs ({skipped} too long, {panicked} that panic), {findings} findings, {:.0} s",
        start.elapsed().as_secs_f64()
    );
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
