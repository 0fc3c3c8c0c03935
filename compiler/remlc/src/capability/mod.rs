//! `remlc capability`: which capabilities are there, how settled are they, and how does that change in a package?

mod change;
mod list;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use reml_capability::CapabilityId;
use reml_driver::link::describe;
use reml_driver::package::MANIFEST;

use crate::FAILURE;
use crate::options::stage;
use crate::report::plain_error;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the capabilities of the runtime, with what the package says of them.
    List(list::Args),
    /// Say what is known of a capability.
    #[command(visible_alias = "show")]
    Describe(list::DescribeArgs),
    /// Let the package use a capability at a stage: writes it into `[capabilities]` of `reml.toml`.
    Enable(change::EnableArgs),
    /// Take a capability out of `[capabilities]` of `reml.toml`.
    Disable(change::DisableArgs),
    /// Change how settled a capability of the package is.
    #[command(subcommand)]
    Stage(StageCommand),
}

#[derive(Subcommand)]
enum StageCommand {
    /// One stage up, if the package passes its checks with that.
    Promote(change::MoveArgs),
    /// Down to a stage.
    Demote(change::MoveArgs),
}

/// The package that is meant.
#[derive(clap::Args)]
struct Package {
    /// The folder of the package
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    package: PathBuf,
}

impl Package {
    fn manifest(&self) -> PathBuf {
        if self.package == Path::new(".") { MANIFEST.into() } else { self.package.join(MANIFEST) }
    }

    /// The text of the manifest, if there is one.
    fn read(&self) -> Result<Option<String>, String> {
        let path = self.manifest();
        match std::fs::read(&path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(format!("`{}` is not UTF-8", path.display())),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("`{}` cannot be read: {}", path.display(), describe(&error))),
        }
    }
}

fn id(text: &str) -> Result<CapabilityId, String> {
    CapabilityId::new(text).map_err(|error| error.to_string())
}

pub fn execute(args: Args) -> ExitCode {
    let done = match args.command {
        Command::List(args) => list::execute(&args),
        Command::Describe(args) => list::describe(&args),
        Command::Enable(args) => change::enable(&args),
        Command::Disable(args) => change::disable(&args),
        Command::Stage(StageCommand::Promote(args)) => change::promote(&args),
        Command::Stage(StageCommand::Demote(args)) => change::demote(&args),
    };
    done.unwrap_or_else(|problem| {
        plain_error(&problem);
        ExitCode::from(FAILURE)
    })
}
