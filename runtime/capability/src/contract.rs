//! Do a conductor, its manifest and the registry agree about capabilities?

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::id::CapabilityId;
use crate::registry::CapabilityRegistry;
use crate::registry::Required;
use crate::stage::StageRequirement;

/// Where in a source something stands: byte offsets.
pub type Span = (u32, u32);

/// What a conductor requires.
#[derive(Clone, PartialEq, Debug)]
pub struct ConductorCapabilityContract {
    /// The conductor or the DSL, for messages.
    pub name: String,
    pub requirements: Vec<CapabilityContract>,
    /// What the manifest says, if it has to agree.
    pub manifest: Option<ManifestCapabilities>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CapabilityContract {
    pub id: CapabilityId,
    pub stage: StageRequirement,
    pub declared_effects: BTreeSet<String>,
    /// What the manifest has to give as its place, if it gives one.
    pub source_span: Option<Span>,
    /// The branch that requires it was removed by `@cfg`: it is not verified, and still recorded.
    pub inactive: bool,
}

/// `run.target.capabilities` of a manifest.
#[derive(Clone, PartialEq, Debug)]
pub struct ManifestCapabilities {
    path: String,
    entries: BTreeMap<CapabilityId, ManifestCapability>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ManifestCapability {
    pub id: CapabilityId,
    pub stage: StageRequirement,
    pub declared_effects: BTreeSet<String>,
    pub source_span: Option<Span>,
    pub provider: Option<String>,
}

/// One entry of a manifest, as it is written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ManifestEntry<'m> {
    pub id: &'m str,
    pub stage: Option<&'m str>,
    pub declared_effects: BTreeSet<String>,
    pub source_span: Option<Span>,
    pub provider: Option<String>,
}

impl ManifestCapabilities {
    /// Reads entries as they are written.
    ///
    /// # Errors
    ///
    /// `ManifestLoadFailure`: an id that is none or is there twice, a stage that is missing or does not exist.
    pub fn new<'m>(
        path: &str,
        entries: impl IntoIterator<Item = ManifestEntry<'m>>,
    ) -> Result<ManifestCapabilities, Box<CapabilityError>> {
        let fail = |message: String| {
            let message = format!("{path}: `run.target.capabilities`: {message}");
            CapabilityError::new(CapabilityErrorKind::ManifestLoadFailure, message)
        };
        let mut known = BTreeMap::new();
        for ManifestEntry { id, stage, declared_effects, source_span, provider } in entries {
            let id = CapabilityId::new(id).map_err(|error| fail(error.to_string()))?;
            let stage =
                stage.ok_or_else(|| fail(format!("`{id}` has no stage; write `stage = \"at_least:stable\"`")))?;
            let stage = StageRequirement::parse(stage).ok_or_else(|| {
                fail(format!("`{stage}`, of `{id}`, is not a stage; there are `experimental`, `beta` and `stable`"))
            })?;
            let entry = ManifestCapability { id: id.clone(), stage, declared_effects, source_span, provider };
            if known.insert(id.clone(), entry).is_some() {
                return Err(fail(format!("`{id}` is there twice; keep one of them")));
            }
        }
        Ok(ManifestCapabilities { path: path.to_owned(), entries: known })
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The entry of a capability.
    pub fn entry(&self, id: &CapabilityId) -> Option<&ManifestCapability> {
        self.entries.get(id)
    }

    /// The entry must say what the contract says.
    ///
    /// # Errors
    ///
    /// What it says instead, as a sentence about `name`.
    pub fn align(&self, name: &str, contract: &CapabilityContract) -> Result<(), String> {
        let CapabilityContract { id, stage, declared_effects, source_span, .. } = contract;
        let path = &self.path;
        let Some(entry) = self.entries.get(id) else {
            return Err(format!("`{name}` requires `{id}`, which {path} does not list in `run.target.capabilities`"));
        };
        if entry.stage != *stage {
            return Err(format!("`{name}` requires `{id}` as `{stage}`, but {path} has `{}`", entry.stage));
        }
        if entry.declared_effects != *declared_effects {
            let shown = |effects: &BTreeSet<String>| {
                let names: Vec<&str> = effects.iter().map(String::as_str).collect();
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            };
            return Err(format!(
                "`{name}` requires `{id}` for the effects {}, but {path} declares {}",
                shown(declared_effects),
                shown(&entry.declared_effects)
            ));
        }
        if entry.source_span != *source_span {
            return Err(format!("`{name}` requires `{id}` at another place than {path} says; write the manifest anew"));
        }
        Ok(())
    }
}

impl CapabilityRegistry {
    /// Verifies each requirement of a conductor, then that the manifest says the same. Each check is recorded; the
    /// first failure is returned.
    ///
    /// # Errors
    ///
    /// As [`verify_capability_stage`](CapabilityRegistry::verify_capability_stage), and `ContractViolation`.
    pub fn verify_conductor_contract(
        &self,
        contract: &ConductorCapabilityContract,
    ) -> Result<(), Box<CapabilityError>> {
        let ids: Vec<String> = contract.requirements.iter().map(|required| required.id.to_string()).collect();
        let mut first = None;
        let mut note = |error: Box<CapabilityError>| _ = first.get_or_insert(error);
        for requirement in &contract.requirements {
            let effects: Vec<&str> = requirement.declared_effects.iter().map(String::as_str).collect();
            let manifest = contract.manifest.as_ref().map(|manifest| {
                let entry = manifest.entries.get(&requirement.id);
                (manifest.path(), entry.and_then(|entry| entry.source_span).or(requirement.source_span))
            });
            let stage = Some(requirement.stage);
            let required = Required { id: &requirement.id, ids: &ids, stage, effects: &effects, manifest };
            if requirement.inactive {
                // Nothing depends on it; where it stands is for whoever reads the log.
                let _ = self.record_check(&required, self.get(requirement.id.as_str()).as_ref(), None);
                continue;
            }
            let handle = match self.check(&required) {
                Ok(handle) => handle,
                Err(error) => {
                    note(error);
                    continue;
                }
            };
            let Some(manifest) = &contract.manifest else { continue };
            if let Err(message) = manifest.align(&contract.name, requirement) {
                let kind = CapabilityErrorKind::ContractViolation;
                let mut error = CapabilityError::about(kind, &handle.capability().descriptor(), message);
                error.required_stage = Some(requirement.stage);
                let _ = self.record_check(&required, Some(&handle), Some(&error));
                note(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}
