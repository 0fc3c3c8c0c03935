//! `remlc completions`: scripts that teach a shell the command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// Which shell
    shell: Shell,
}

pub fn execute<Cli: CommandFactory>(args: Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "remlc", &mut script);
    output::write(&script);
    ExitCode::SUCCESS
}
