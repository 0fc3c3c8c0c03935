//! The parsers of the benchmark in Rust, with winnow and chumsky: `reml_bench_parsers LIBRARY GRAMMAR recognise|tree FILE`
//! prints `accepted`, what the tree amounts to, or `rejected`.

mod trees;
mod with_chumsky;
mod with_winnow;

use std::process::ExitCode;

use chumsky::error::{EmptyErr, Rich};
use chumsky::extra::Err;

/// What a text turned out to be.
pub enum Answer {
    Rejected,
    Accepted,
    Totals(String),
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [library, grammar, mode, file] = args.as_slice() else { return ExitCode::from(2) };
    let source = match std::fs::read_to_string(file) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("error: cannot read {file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let tree = mode == "tree";
    let answer = match library.as_str() {
        "winnow" => with_winnow::parse(grammar, &source, tree),
        "chumsky" => with_chumsky::parse::<Err<EmptyErr>>(grammar, &source, tree),
        "chumsky-rich" => with_chumsky::parse::<Err<Rich<char>>>(grammar, &source, tree),
        _ => None,
    };
    match answer {
        Some(Answer::Accepted) => println!("accepted"),
        Some(Answer::Rejected) => println!("rejected"),
        Some(Answer::Totals(totals)) => println!("{totals}"),
        None => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
