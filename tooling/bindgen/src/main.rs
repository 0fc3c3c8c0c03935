//! `reml-bindgen`: generates `extern` declarations of Reml from C headers.

use std::process::ExitCode;

use clap::Parser;
use reml_bindgen::Arguments;
use reml_diagnostics::render::ColorChoice;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Generates `extern` declarations of Reml from C headers
#[derive(Parser)]
#[command(name = "reml-bindgen", version)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    ExitCode::from(reml_bindgen::execute(Command::parse().arguments, ColorChoice::Auto))
}
