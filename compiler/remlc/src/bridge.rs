//! `remlc bridge`: which bridges does a package declare, and what are they?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use reml_bridge::RuntimeBridgeDescriptor;
use reml_diagnostics::Span;
use reml_driver::bridges::{self, Bridges};
use reml_driver::package::MANIFEST;
use reml_driver::system::{OsSystem, System};
use serde_json::{Value, json};

use crate::options::Output;
use crate::report::{self, Subject};
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the bridges of the package, and the one that needs no declaration.
    List(ListArgs),
    /// Say what is known of a bridge.
    Describe(DescribeArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct DescribeArgs {
    /// Its id, as `shop.config`
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Common {
    /// Where bridges are declared
    #[arg(long, value_name = "PATH", default_value = MANIFEST)]
    manifest: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Of lists of bridges, as of those of capabilities.
const SCHEMA_VERSION: &str = "3.0.0-alpha";

pub fn execute(args: &Args) -> ExitCode {
    match &args.command {
        Command::List(args) => args.common.show("list", &args.common.manifest, |found| {
            let mut listed = found.declared.clone();
            if listed.iter().all(|bridge| bridge.id != bridges::builtin().id) {
                listed.push(bridges::builtin());
            }
            let all: Vec<Value> = listed.iter().map(RuntimeBridgeDescriptor::to_json).collect();
            let lines: String = listed.iter().map(line).collect();
            Some((json!({ "schema_version": SCHEMA_VERSION, "bridges": all }), lines))
        }),
        Command::Describe(args) => {
            args.common.show("describe", Path::new(&args.id), |found| match found.find(&args.id) {
                Some(bridge) => Some((bridge.to_json(), described(&bridge))),
                None => {
                    found.diagnostics.push(found.unknown(&args.id, Span::NONE));
                    None
                }
            })
        }
    }
}

impl Common {
    /// Prints what was found, as JSON or as text.
    fn show(
        &self,
        verb: &'static str,
        subject: &Path,
        find: impl FnOnce(&mut Bridges) -> Option<(Value, String)>,
    ) -> ExitCode {
        let mut found = Bridges::default();
        // A folder without a manifest has the bridge that needs none.
        if self.manifest != Path::new(MANIFEST) || OsSystem.is_file(&self.manifest) {
            found.read(&self.manifest, &OsSystem);
        }
        let shown = if found.failed() { None } else { find(&mut found) };
        match (&shown, self.format) {
            (Some((json, _)), Format::Json) => output::write(format!("{json:#}\n").as_bytes()),
            (Some((_, text)), Format::Human) => output::write(text.as_bytes()),
            (None, _) => {}
        }
        let subject = Subject::new(verb, "Bridge", subject, false);
        report::show(&found.diagnostics, &found.sources, "Parsing", &subject, &Output::default());
        if shown.is_some() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
    }
}

fn line(bridge: &RuntimeBridgeDescriptor) -> String {
    let reload = bridge.reload.as_ref().map_or("not reloaded".to_owned(), |reload| {
        format!("reloads {}, rollback {}", reload.state_format, reload.rollback.name())
    });
    format!("{:25}  {:12}  {reload}\n", bridge.id, bridge.stage.name())
}

/// One line for each thing that is known.
fn described(bridge: &RuntimeBridgeDescriptor) -> String {
    let mut text = format!("{}\n", bridge.id);
    let mut put = |key: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("  {key:14}  {value}\n"));
        }
    };
    put("stage", bridge.stage.to_string());
    put("required", bridge.audit.stage_required.to_string());
    put("capabilities", list(bridge.required_capabilities.iter().map(|id| id.as_str())));
    put("effects", list(bridge.required_effects.iter().map(String::as_str)));
    put("targets", list(bridge.target_profiles.iter().map(String::as_str)));
    put("recorded", if bridge.must_record() { "always" } else { "where there is an audit log" }.to_owned());
    put("owes", list(bridge.audit.mandatory_events.iter().map(String::as_str)));
    put("done", list(bridge.audit.completed.iter().map(String::as_str)));
    put("to do", bridge.checklist_missing().join(", "));
    if let Some(reload) = &bridge.reload {
        put("reloads", reload.state_format.clone());
        put("by", reload.diff_format.clone());
        put("rollback", reload.rollback.name().to_owned());
    }
    put("manifest", bridge.manifest_path.clone().unwrap_or_default());
    text
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
