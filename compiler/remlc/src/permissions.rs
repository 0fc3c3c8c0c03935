//! The options that say what a program may do: `--allow-read[=PATHS]`, `--deny-env[=NAMES]`, .. for each power, and where decisions are recorded.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use reml_capability::gate::Gate;
use reml_capability::policy::{Form, Policy, Power};
use reml_driver::permissions::Asked;
use reml_driver::pipeline::{AUDIT_VARIABLE, Compilation, audit_log};

const HEADING: &str = "Permissions";

/// Stands for the value of a flag that has none. No argument of a process has this character, so that `--allow-read=`, perhaps with a variable of
/// the shell behind it that is empty, is not taken for `--allow-read`.
const EVERYTHING: &str = "\0";

/// What the command line says about them.
#[derive(Clone, Default)]
pub struct Permissions {
    asked: Asked,
    audit: Option<PathBuf>,
}

impl Permissions {
    /// The policy of a checked program, which knows its manifest.
    ///
    /// # Errors
    ///
    /// What is wrong with the permissions.
    pub fn policy(&self, compilation: &Compilation<'_>) -> Result<Policy, String> {
        compilation.policy(&self.asked)
    }

    /// The gate of a checked program.
    ///
    /// # Errors
    ///
    /// What is wrong with the permissions or the audit log.
    pub fn gate(&self, compilation: &Compilation<'_>) -> Result<Arc<Gate>, String> {
        let policy = self.policy(compilation)?;
        let sink = self.audit().map(|path| audit_log(&path)).transpose()?;
        Ok(Arc::new(Gate::new(policy, sink)))
    }

    /// What the command line says, for programs that are yet to be checked.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The audit log: that of the command line, else that of the environment.
    pub fn audit(&self) -> Option<PathBuf> {
        self.audit.clone().or_else(|| std::env::var_os(AUDIT_VARIABLE).map(PathBuf::from))
    }
}

/// `--allow-all`, and for each power `--allow-KEY` and `--deny-KEY`; the arguments' names are the flags without `--`.
fn flags() -> impl Iterator<Item = (String, Option<Form>, String)> {
    let of_power = |verb: &'static str, help: &'static str| {
        Power::all().map(move |power| {
            (
                format!("{verb}-{power}"),
                Some(power.form()),
                format!("{help} {}: what is listed, or anything", power.deed()),
            )
        })
    };
    std::iter::once(("allow-all".to_owned(), None, "Let the program do everything".to_owned()))
        .chain(of_power("allow", "Let the program"))
        .chain(of_power("deny", "Do not let the program"))
}

fn value_name(form: Form) -> &'static str {
    match form {
        Form::Path => "PATHS",
        Form::Name => "NAMES",
        Form::Address => "HOSTS",
        Form::Command => "COMMANDS",
        Form::Library => "LIBRARIES",
    }
}

impl Args for Permissions {
    fn augment_args(mut command: Command) -> Command {
        for (name, form, help) in flags() {
            let mut arg = Arg::new(name.clone()).long(name).help(help).help_heading(HEADING).hide_short_help(true);
            arg = match form {
                None => arg.action(ArgAction::SetTrue),
                Some(form) => arg
                    .action(ArgAction::Append)
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value(EVERYTHING)
                    .value_name(value_name(form)),
            };
            command = command.arg(arg);
        }
        command
            .arg(
                Arg::new("permissions")
                    .long("permissions")
                    .value_name("NAME")
                    .help("Use `[permissions.NAME]` of `reml.toml` instead of `[permissions]`")
                    .help_heading(HEADING),
            )
            .arg(
                Arg::new("report-only")
                    .long("report-only")
                    .action(ArgAction::SetTrue)
                    .help("Deny nothing; record what would have been denied")
                    .help_heading(HEADING),
            )
            .arg(
                Arg::new("audit")
                    .long("audit")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("Record every decision in this audit log, which continues if it exists")
                    .help_heading(HEADING),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Permissions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut asked = Asked {
            flags: Vec::new(),
            set: matches.get_one("permissions").cloned(),
            report_only: matches.get_flag("report-only"),
        };
        for (name, form, _) in flags() {
            match form {
                None if matches.get_flag(&name) => asked.flags.push(format!("--{name}")),
                None => {}
                Some(_) => {
                    for value in matches.get_many::<String>(&name).into_iter().flatten() {
                        let flag = if value == EVERYTHING { format!("--{name}") } else { format!("--{name}={value}") };
                        asked.flags.push(flag);
                    }
                }
            }
        }
        Ok(Permissions { asked, audit: matches.get_one("audit").cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
