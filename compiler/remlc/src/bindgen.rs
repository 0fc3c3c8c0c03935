//! `remlc bindgen`: what the command `reml-bindgen` does.

use std::process::ExitCode;

use reml_diagnostics::render::ColorChoice;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    arguments: reml_bindgen::Arguments,
}

pub fn execute(args: Args) -> ExitCode {
    ExitCode::from(reml_bindgen::execute(args.arguments, ColorChoice::Auto))
}
