//! `remlc capability enable`, `disable`, `stage promote` and `stage demote`: `[capabilities]` of `reml.toml`, and what is to be known of its change.
//!
//! The manifest is only written if the package passes its checks with it, and if the change is in the audit log, where there is one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use reml_audit::{Event, EventKind, Sink};
use reml_capability::CapabilityId;
use reml_capability::stage::Stage;
use reml_diagnostics::codes;
use reml_driver::files;
use reml_driver::link::describe;
use reml_driver::pipeline::{Compilation, audit_log};
use reml_driver::stages::{self, Edited};
use reml_driver::system::OsSystem;

use super::{Package, id, stage};
use crate::FAILURE;
use crate::options::Output;
use crate::permissions::audit_or_environment;
use crate::report::{self, Subject};

#[derive(clap::Args)]
struct Common {
    /// Its name, as `core.process`, or `process` for short
    #[arg(value_name = "ID", value_parser = id)]
    id: CapabilityId,
    #[command(flatten)]
    package: Package,
    /// Record the change in this audit log, which continues if it exists
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct EnableArgs {
    #[command(flatten)]
    common: Common,
    /// How settled it is: `experimental`, `beta` or `stable`
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    stage: Stage,
}

#[derive(clap::Args)]
pub struct DisableArgs {
    #[command(flatten)]
    common: Common,
    /// Only if it is at this stage
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    stage: Option<Stage>,
}

#[derive(clap::Args)]
pub struct MoveArgs {
    #[command(flatten)]
    common: Common,
    /// The stage it is to have: `experimental`, `beta` or `stable`
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    to: Stage,
    #[command(flatten)]
    output: Output,
}

pub fn enable(args: &EnableArgs) -> Result<ExitCode, String> {
    let manifest = args.common.open()?;
    let edited = args.common.edit(&manifest, Some(args.stage))?;
    let id = &args.common.id;
    if let Some(from) = edited.from {
        return Err(if from == args.stage {
            format!("`{id}` is enabled already, at {from}")
        } else {
            let word = if from < args.stage { "promote" } else { "demote" };
            format!(
                "`{id}` is enabled already, at {from}; change that with `remlc capability stage {word} {id} --to {}`",
                args.stage
            )
        });
    }
    args.common.write(&manifest, &edited, EventKind::named("capability_enabled"), Some(args.stage))?;
    tell(&format!("`{id}` is enabled at {}", args.stage));
    Ok(ExitCode::SUCCESS)
}

pub fn disable(args: &DisableArgs) -> Result<ExitCode, String> {
    let manifest = args.common.open()?;
    let edited = args.common.edit(&manifest, None)?;
    let id = &args.common.id;
    let from = edited.from.ok_or_else(|| args.common.not_enabled())?;
    if let Some(stage) = args.stage
        && stage != from
    {
        return Err(format!("`{id}` is {from}, not {stage}"));
    }
    args.common.write(&manifest, &edited, EventKind::named("capability_disabled"), None)?;
    tell(&format!("`{id}` is no longer enabled; it was {from}"));
    Ok(ExitCode::SUCCESS)
}

pub fn promote(args: &MoveArgs) -> Result<ExitCode, String> {
    let (common, to) = (&args.common, args.to);
    let manifest = common.open()?;
    let edited = common.edit(&manifest, Some(to))?;
    let id = &common.id;
    let from = edited.from.ok_or_else(|| common.not_enabled())?;
    let next = Stage::ALL.into_iter().find(|stage| *stage > from);
    match next {
        _ if to == from => return Err(format!("`{id}` is {from} already")),
        _ if to < from => {
            return Err(format!(
                "`{id}` is {from}, which is more than {to}; `remlc capability stage demote` goes down"
            ));
        }
        Some(next) if next != to => {
            return Err(format!("`{id}` is {from}, and stages are taken one at a time; {next} comes first"));
        }
        _ => {}
    }
    // The package as it is must be in order, so that what is wrong with the new stage is the stage's.
    for text in [&manifest, &edited.text] {
        if !passes(args, text) {
            return Err(format!("`{id}` stays {from}: the package does not pass its checks"));
        }
    }
    common.write(&manifest, &edited, EventKind::CapabilityStagePromoted, Some(to))?;
    tell(&moved(id, from, to, &edited));
    Ok(ExitCode::SUCCESS)
}

pub fn demote(args: &MoveArgs) -> Result<ExitCode, String> {
    let (common, to) = (&args.common, args.to);
    let manifest = common.open()?;
    let edited = common.edit(&manifest, Some(to))?;
    let id = &common.id;
    let from = edited.from.ok_or_else(|| common.not_enabled())?;
    if to >= from {
        let why = if to == from { "already" } else { "only; `remlc capability stage promote` goes up" };
        return Err(format!("`{id}` is {from} {why}"));
    }
    common.write(&manifest, &edited, EventKind::named("capability_stage_demoted"), Some(to))?;
    tell(&moved(id, from, to, &edited));
    // What required more does not get it any more; whoever demotes wants to know.
    Ok(if passes(args, &edited.text) { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}

/// Shows what is wrong with the package if this is its manifest.
fn passes(args: &MoveArgs, manifest: &str) -> bool {
    let folder = &args.common.package.package;
    let mut fine = false;
    stages::check_with(&OsSystem, folder, manifest.to_owned(), |compilation: &Compilation<'_>| {
        let outstanding =
            |it: &&reml_diagnostics::Diagnostic| it.is_error() || it.code == codes::STAGE_PROMOTED_UNCHECKED;
        fine = !compilation.diagnostics.iter().any(|it| outstanding(&it));
        if !fine {
            let subject = Subject::new("check", "Check", folder, false);
            report::diagnostics(compilation, &subject, &args.output);
        }
    });
    fine
}

fn moved(id: &CapabilityId, from: Stage, to: Stage, edited: &Edited) -> String {
    let mut text = format!("`{id}` was {from} and is {to}");
    for name in &edited.dsls {
        text.push_str(&format!("; `dsl.{name}` expects that"));
    }
    text
}

impl Common {
    fn open(&self) -> Result<String, String> {
        self.package.read()?.ok_or_else(|| {
            format!(
                "there is no `{}`; name the folder of a package with `--package`",
                self.package.manifest().display()
            )
        })
    }

    fn edit(&self, manifest: &str, to: Option<Stage>) -> Result<Edited, String> {
        stages::edit(manifest, &self.id, to).map_err(|why| format!("`{}`: {why}", self.package.manifest().display()))
    }

    fn not_enabled(&self) -> String {
        let Common { id, package, .. } = self;
        format!(
            "`{id}` is not in `[capabilities]` of `{}`; begin with `remlc capability enable {id} --stage experimental`",
            package.manifest().display()
        )
    }

    /// Writes the manifest and records the change; if that cannot be recorded, the old manifest comes back.
    fn write(&self, old: &str, edited: &Edited, kind: EventKind, to: Option<Stage>) -> Result<(), String> {
        let path = self.package.manifest();
        let put = |text: &str| {
            files::write(&path, text.as_bytes())
                .map_err(|error| format!("`{}` cannot be written: {}", path.display(), describe(&error)))
        };
        let sink = self.sink()?;
        put(&edited.text)?;
        let Some(sink) = sink else { return Ok(()) };
        let name = |stage: Option<Stage>| stage.map(Stage::name);
        let event = Event::new(kind)
            .capability(self.id.as_str())
            .with("capability", self.id.as_str())
            .with("stage", name(to))
            .with("capability.stage.from", name(edited.from))
            .with("config.path", path.display().to_string())
            .with("dsl", edited.dsls.clone());
        if let Err(error) = sink.log(&event).and_then(|()| sink.flush()) {
            put(old)?;
            return Err(format!("nothing was changed, because that could not be recorded: {error}"));
        }
        Ok(())
    }

    fn sink(&self) -> Result<Option<Arc<dyn Sink>>, String> {
        let path = audit_or_environment(self.audit.as_ref());
        path.map(|path| audit_log(&path)).transpose()
    }
}

fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
