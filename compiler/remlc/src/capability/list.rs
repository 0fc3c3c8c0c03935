//! `remlc capability list` and `describe`: what the runtime has, and what the package says of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use reml_audit::SCHEMA_VERSION;
use reml_capability::stage::Stage;
use reml_capability::{CapabilityDescriptor, CapabilityId, CapabilityProvider, CapabilitySecurity, registry};
use reml_diagnostics::suggest;
use reml_driver::stages;
use serde_json::json;

use super::{Package, id, stage};
use crate::options::ReportFormat;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// Only those of exactly this stage
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    stage: Option<Stage>,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    package: Package,
}

#[derive(clap::Args)]
pub struct DescribeArgs {
    /// Its name, as `core.process`, or `process` for short
    #[arg(value_name = "ID", value_parser = id)]
    id: CapabilityId,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    format: ReportFormat,
    #[command(flatten)]
    package: Package,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns
    Human,
    /// One object with all descriptors
    Json,
    /// A table
    Markdown,
}

/// A capability, and the conditions under which it is provided.
struct Known {
    descriptor: CapabilityDescriptor,
    security: CapabilitySecurity,
}

/// Those of the runtime in its order, then those that only the package names.
fn known(package: &Package) -> Result<Vec<Known>, String> {
    let mut all: Vec<Known> = registry()
        .handles_all()
        .iter()
        .map(|handle| handle.capability())
        .map(|it| Known { descriptor: it.descriptor(), security: it.security().clone() })
        .collect();
    let manifest = package.manifest().display().to_string();
    let text = package.read()?.unwrap_or_default();
    let declared = stages::declared(&text).map_err(|why| format!("`{manifest}`: {why}"))?;
    let (package, version) = stages::package(&text);
    let mut places: BTreeMap<CapabilityId, usize> =
        all.iter().enumerate().map(|(index, known)| (known.descriptor.id.clone(), index)).collect();
    for (name, stage) in declared {
        let id = id(&name).map_err(|why| format!("`{manifest}`: {why}"))?;
        let index = *places.entry(id.clone()).or_insert_with(|| {
            let mut descriptor = CapabilityDescriptor::new(id, stage, []);
            // What the runtime does not know, handlers of the package provide.
            descriptor.provider = CapabilityProvider::Plugin { package: package.clone(), version: version.clone() };
            all.push(Known { descriptor, security: CapabilitySecurity::default() });
            all.len() - 1
        });
        let descriptor = &mut all[index].descriptor;
        descriptor.stage = stage;
        descriptor.manifest_path = Some(manifest.clone());
    }
    Ok(all)
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    let mut all = known(&args.package)?;
    all.retain(|known| args.stage.is_none_or(|stage| known.descriptor.stage == stage));
    let text = match args.format {
        Format::Human => human(&all),
        Format::Markdown => markdown(&all),
        Format::Json => {
            let list: Vec<_> = all.iter().map(|known| known.descriptor.to_json(&known.security)).collect();
            json!({ "schema_version": SCHEMA_VERSION, "capabilities": list }).to_string() + "\n"
        }
    };
    output::write(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn human(all: &[Known]) -> String {
    let width = all.iter().map(|known| known.descriptor.id.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for Known { descriptor, .. } in all {
        let mut line =
            format!("{:<width$}  {:<12}  {}", descriptor.id.as_str(), descriptor.stage.name(), scope(descriptor));
        if let Some(manifest) = &descriptor.manifest_path {
            _ = write!(line, "  ({manifest})");
        }
        _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn markdown(all: &[Known]) -> String {
    let mut text = "| capability | stage | effects | provider |\n|---|---|---|---|\n".to_owned();
    for Known { descriptor, .. } in all {
        let CapabilityDescriptor { id, stage, provider, .. } = descriptor;
        _ = writeln!(text, "| `{id}` | {stage} | {} | {provider} |", scope(descriptor));
    }
    text
}

fn scope(descriptor: &CapabilityDescriptor) -> String {
    descriptor.effect_scope.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

pub fn describe(args: &DescribeArgs) -> Result<ExitCode, String> {
    let all = known(&args.package)?;
    let Some(Known { descriptor, security }) = all.iter().find(|known| known.descriptor.id == args.id) else {
        let names = all.iter().map(|known| known.descriptor.id.as_str());
        let hint = suggest::closest(args.id.as_str(), names).map_or_else(
            || "; `remlc capability list` shows all".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(format!("there is no capability `{}`{hint}", args.id));
    };
    let json = descriptor.to_json(security);
    if args.format == ReportFormat::Json {
        output::write(format!("{json}\n").as_bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{}\n", descriptor.id);
    let mut tell = |what: &str, value: &str| {
        if !value.is_empty() {
            _ = writeln!(text, "  {what:<10} {value}");
        }
    };
    if let Some(short) = descriptor.id.alias() {
        tell("short", short);
    }
    tell("stage", descriptor.stage.name());
    tell("effects", &scope(descriptor));
    tell("provider", &descriptor.provider.to_string());
    if let Some(manifest) = &descriptor.manifest_path {
        tell("said by", manifest);
    }
    tell("isolation", security.isolation_level.name());
    if security.audit_required {
        tell("audit", "required");
    }
    output::write(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}
