//! The command line of the Reml compiler. One file per subcommand; everything they do is in `reml_driver`.
//!
//! Exit status: 0 fine, 1 diagnostics or an `Err` from `main`, 2 wrong usage or a configuration with mistakes, 101 a panic of the program or of remlc itself.

mod allocator;
mod audit;
mod bindgen;
mod bridge;
mod build;
mod capability;
mod check;
mod completions;
mod config;
mod explain;
mod fmt;
mod hot_reload;
mod manifest;
mod new;
mod options;
mod output;
mod panic;
mod permissions;
mod pipeline;
mod reload;
mod report;
mod run;
mod target;
mod telemetry;
mod test;
mod timings;
mod toolchain;
mod wit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Runs before `main`: Rust would put something in the place of a closed standard output that swallows what is written.
#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = reml_driver::hold_standard_streams;

/// The compiler of the Reml language.
#[derive(Parser)]
#[command(name = "remlc", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find out whether a program is correct, without running it.
    Check(check::Args),
    /// Compile a program in memory and run it.
    Run(run::Args),
    /// Compile a program to an executable file.
    Build(build::Args),
    /// Run the tests of a program, and the examples in its documentation.
    Test(test::Args),
    /// Give source files the one layout of Reml.
    Fmt(fmt::Args),
    /// Say what a diagnostic code means, with examples.
    Explain(explain::Args),
    /// Start a package: a directory with a manifest and a first program.
    New(new::Args),
    /// Print what a package's manifest says.
    Manifest(manifest::Args),
    /// Check and compare configuration files.
    Config(config::Args),
    /// Generate declarations of foreign functions from C headers.
    Bindgen(bindgen::Args),
    /// Generate bindings for components that are described in WIT.
    Wit(wit::Args),
    /// Read audit logs: events, whether they are intact, which permissions were needed.
    Audit(audit::Args),
    /// List capabilities, and change how settled those of a package are.
    Capability(capability::Args),
    /// List and describe the bridges through which a package is reloaded.
    Bridge(bridge::Args),
    /// Bring a difference into a state that is in use, or take the last one back.
    Reload(reload::Args),
    /// List, show and check the targets that programs can be compiled for.
    Target(target::Args),
    /// Show this toolchain, and find out whether its parts agree with a target.
    Toolchain(toolchain::Args),
    /// Draw what `--emit-telemetry` has written.
    Telemetry(telemetry::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

fn main() -> ExitCode {
    panic::install_hook();
    reml_driver::ignore_signals_of_writing();
    let cli = Cli::parse();
    // The parser and later passes recurse as deep as programs nest.
    reml_driver::stack::with_large_stack(|| match cli.command {
        Command::Check(args) => check::execute(args),
        Command::Run(args) => run::execute(args),
        Command::Build(args) => build::execute(args),
        Command::Test(args) => test::execute(args),
        Command::Fmt(args) => fmt::execute(args),
        Command::Explain(args) => explain::execute(args),
        Command::New(args) => new::execute(args),
        Command::Manifest(args) => manifest::execute(args),
        Command::Config(args) => config::execute(args),
        Command::Bindgen(args) => bindgen::execute(args),
        Command::Wit(args) => wit::execute(args),
        Command::Audit(args) => audit::execute(args),
        Command::Capability(args) => capability::execute(args),
        Command::Bridge(args) => bridge::execute(&args),
        Command::Reload(args) => reload::execute(&args),
        Command::Target(args) => target::execute(args),
        Command::Toolchain(args) => toolchain::execute(args),
        Command::Telemetry(args) => telemetry::execute(args),
        Command::Completions(args) => completions::execute::<Cli>(args),
    })
}

/// Diagnostics were reported.
const FAILURE: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;
/// remlc itself, or the program, panicked.
const PANIC: u8 = 101;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
