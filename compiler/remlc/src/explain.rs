//! `remlc explain`: what a diagnostic code means.

use std::process::ExitCode;

use reml_diagnostics::{codes, registry, suggest};

use crate::USAGE;
use crate::{output, report};

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// A code, as diagnostics show it: `type.mismatch`
    code: Option<String>,
    /// List all codes with their titles
    #[arg(long)]
    list: bool,
}

pub fn execute(args: Args) -> ExitCode {
    let text = match args.code {
        None => {
            let width = codes::ALL.iter().map(|code| code.0.len()).max().unwrap_or(0);
            registry::entries().map(|entry| format!("{:<width$}  {}\n", entry.code.0, entry.title)).collect()
        }
        Some(code) => match registry::explain(&code) {
            Some(entry) => entry.to_text(),
            None => {
                let near = suggest::closest(&code, codes::ALL.iter().map(|code| code.0));
                let hint = near.map_or_else(
                    || "; `remlc explain --list` shows all".to_owned(),
                    |near| format!("; did you mean `{near}`?"),
                );
                report::plain_error(&format!("there is no code `{code}`{hint}"));
                return ExitCode::from(USAGE);
            }
        },
    };
    output::write(text.as_bytes());
    ExitCode::SUCCESS
}
