//! `remlc audit suggest`: what does a program need, to judge by what it has asked for?

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use reml_audit::query::Filter;
use reml_audit::{EventKind, Pattern};
use reml_capability::gate::{Suggestion, asked, suggest};
use reml_capability::policy::{Form, Power};
use reml_driver::link::describe;
use reml_driver::permissions::BY_DEFAULT;

use super::events;
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    /// The log of one or more runs, best with `--report-only`, so that the program has got everywhere
    #[arg(value_name = "FILE")]
    log: PathBuf,

    /// Flags for the command line, or a section for `reml.toml`
    #[arg(long, value_enum, default_value_t = Format::Flags)]
    format: Format,

    /// The name of the set: `[permissions.NAME]`
    #[arg(long, value_name = "NAME")]
    set: Option<String>,

    /// Allow a folder as a whole when this many things in it were asked for
    #[arg(long, value_name = "COUNT")]
    merge: Option<usize>,

    /// Write paths below this folder as relative ones: the folder of `reml.toml`, or the one in which flags are given
    #[arg(long, value_name = "FOLDER")]
    relative_to: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Flags,
    Toml,
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    let filter = Filter { kind: Some(Pattern::new(EventKind::GateDecision.name())), ..Filter::default() };
    let mut needed = BTreeSet::new();
    let count = events::read(&args.log, &filter, |entry, _| {
        // What every program may do need not be said, unless it was denied.
        let granted = entry.event.metadata.get("gate.decision").is_some_and(|decision| decision == "allowed");
        needed.extend(asked(&entry.event).filter(|asked| !granted || !BY_DEFAULT.contains(&asked.power)));
        ControlFlow::Continue(())
    })?;
    let mut suggestion = suggest(needed, args.merge);
    if let Some(folder) = &args.relative_to {
        let folder = folder
            .canonicalize()
            .map_err(|error| format!("`{}` cannot be used: {}", folder.display(), describe(&error)))?;
        make_relative(&mut suggestion, &folder);
    }
    if suggestion.is_empty() {
        let _ = writeln!(io::stderr().lock(), "note: nothing in the log needs a permission");
    } else if args.format == Format::Toml {
        output::write(suggestion.section(args.set.as_deref()).as_bytes());
    } else {
        let flags: String = suggestion.flags().iter().map(|flag| format!("{}\n", quoted(flag))).collect();
        output::write(flags.as_bytes());
    }
    Ok(if events::is_all(&args.log, &count) { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}

fn make_relative(suggestion: &mut Suggestion, folder: &Path) {
    let relative = |path: &str| match Path::new(path).strip_prefix(folder) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => path.to_owned(),
    };
    let is_path = |power: &Power| power.form() == Form::Path;
    for (_, patterns) in suggestion.patterns.iter_mut().filter(|(power, _)| is_path(power)) {
        *patterns = patterns.iter().map(|path| relative(path)).collect();
    }
}

/// For a shell, which would take some characters for its own.
fn quoted(flag: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+".contains(c);
    if flag.chars().all(plain) { flag.to_owned() } else { format!("'{}'", flag.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reml_capability::gate::Asked;

    #[test]
    fn paths_below_the_folder_are_relative() {
        let asked = |power, subject: &str| Asked { power, subject: subject.to_owned() };
        let mut suggestion = suggest(
            [
                asked(Power::Read, "/app/data/a"),
                asked(Power::Read, "/apple"),
                asked(Power::Write, "/app"),
                asked(Power::EnvRead, "/app/x"),
            ],
            None,
        );
        make_relative(&mut suggestion, Path::new("/app"));
        assert_eq!(suggestion.flags(), ["--allow-read=/apple,data/a", "--allow-write=.", "--allow-env=/app/x"]);
    }

    #[test]
    fn flags_survive_a_shell() {
        assert_eq!(quoted("--allow-read=/a/b.txt,c"), "--allow-read=/a/b.txt,c");
        assert_eq!(quoted("--allow-read=/a b"), "'--allow-read=/a b'");
        assert_eq!(quoted("--allow-env=it's"), r"'--allow-env=it'\''s'");
        assert_eq!(quoted("--allow-env=A*"), "'--allow-env=A*'");
    }
}
