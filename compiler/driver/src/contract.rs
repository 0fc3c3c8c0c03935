//! Do conductors require what `run.target.capabilities` of the manifest lists? A manifest whose entries are tables is a contract: each requirement has to be
//! in it as it is. One that only names capabilities says nothing of conductors.

use std::collections::BTreeMap;

use reml_capability::stage::StageRequirement;
use reml_capability::{CapabilityContract, CapabilityId, ManifestCapabilities, ManifestEntry};
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_semantics::typed::{CapabilityRequirement, Program};
use reml_syntax::names::Names;

use crate::package::MANIFEST;

/// One entry of `run.target.capabilities` that is a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub id: CapabilityId,
    pub stage: StageRequirement,
    pub declared_effects: Vec<String>,
    /// Where the requirement stands in its file, if that is part of the contract.
    pub source_span: Option<(u32, u32)>,
    pub provider: Option<String>,
    /// Where the entry stands.
    pub span: Span,
}

/// Reports what a program's conductors require and the manifest does not have like that.
pub fn check(
    program: &Program,
    names: &Names,
    entries: &[Entry],
    sources: &SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if entries.is_empty() {
        return;
    }
    let spans: BTreeMap<&CapabilityId, Span> = entries.iter().map(|entry| (&entry.id, entry.span)).collect();
    let stages: Vec<String> = entries.iter().map(|entry| entry.stage.to_string()).collect();
    let written = entries.iter().zip(&stages).map(|(entry, stage)| ManifestEntry {
        id: entry.id.as_str(),
        stage: Some(stage),
        declared_effects: entry.declared_effects.iter().cloned().collect(),
        source_span: entry.source_span,
        provider: entry.provider.clone(),
    });
    // Entries that are no entries have been reported with the manifest, and are not here.
    let Ok(manifest) = ManifestCapabilities::new(MANIFEST, written) else { return };
    for dsl in program.dsls.conductors.iter().flat_map(|conductor| &conductor.dsls) {
        for requirement in &dsl.capabilities {
            let Some(contract) = contract(requirement, &manifest, sources) else { continue };
            let Err(message) = manifest.align(names.text(dsl.id), &contract) else { continue };
            let entry = spans.get(&contract.id).copied();
            let mut diagnostic = Diagnostic::error(codes::CONFIG_CAPABILITY_CONTRACT, requirement.source_span, message)
                .with_fact("config.manifest.path", MANIFEST);
            if let Some(span) = entry {
                diagnostic = diagnostic.with_label(span, "the manifest says this");
                if let Some(file) = sources.file_of(span).map(|id| sources.file(id)) {
                    diagnostic = diagnostic
                        .with_fact("config.manifest.span.start", span.start - file.base)
                        .with_fact("config.manifest.span.end", span.end - file.base);
                }
            }
            diagnostics.push(diagnostic.with_help(format!("in `run.target.capabilities`, write {}", shown(&contract))));
        }
    }
}

/// `None` for what is no capability, which the checker has reported.
fn contract(
    requirement: &CapabilityRequirement,
    manifest: &ManifestCapabilities,
    sources: &SourceMap,
) -> Option<CapabilityContract> {
    let id = CapabilityId::new(&requirement.id).ok()?;
    // A place is only part of a contract that gives one.
    let placed = manifest.entry(&id).is_some_and(|entry| entry.source_span.is_some());
    let span = requirement.source_span;
    let base = sources.file_of(span).map(|file| sources.file(file).base);
    Some(CapabilityContract {
        id,
        stage: requirement.stage,
        declared_effects: requirement.declared_effects.iter().map(|effect| effect.to_string()).collect(),
        source_span: base.filter(|_| placed).map(|base| (span.start - base, span.end - base)),
        inactive: false,
    })
}

/// An entry as it has to be written.
fn shown(contract: &CapabilityContract) -> String {
    let effects: Vec<&str> = contract.declared_effects.iter().map(String::as_str).collect();
    let effects = if effects.is_empty() { String::new() } else { format!("\"{}\"", effects.join("\", \"")) };
    format!("`{{ id = \"{}\", stage = \"{}\", declared_effects = [{effects}] }}`", contract.id, contract.stage)
}
