//! Which stages does a run admit, and who has said so?
//!
//! This is not the check of a contract, which compares what a caller requires with the stage of a capability. A run
//! admits capabilities from some stage on; one that is less settled is refused whatever its caller requires.

use super::{Stage, StageRequirement};

/// Who says something about stages; what comes first counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StageSource {
    CliOption,
    EnvVar,
    RunConfig,
    /// The file of capabilities that the environment names.
    CapabilityJson,
    RuntimeCandidate,
    Runtime,
    RuntimeCapability,
}

impl StageSource {
    pub fn name(self) -> &'static str {
        match self {
            StageSource::CliOption => "cli_option",
            StageSource::EnvVar => "env_var",
            StageSource::RunConfig => "run_config",
            StageSource::CapabilityJson => "capability_json",
            StageSource::RuntimeCandidate => "runtime_candidate",
            StageSource::Runtime => "runtime",
            StageSource::RuntimeCapability => "runtime_capability",
        }
    }
}

/// One thing that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageInput {
    pub source: StageSource,
    pub stage: Option<Stage>,
    pub capability: Option<String>,
    /// The name of the flag or of the variable, or what was wrong.
    pub note: Option<String>,
    pub file: Option<String>,
    /// The target that it is about.
    pub target: Option<String>,
}

impl StageInput {
    pub fn new(source: StageSource, stage: Option<Stage>) -> StageInput {
        StageInput { source, stage, capability: None, note: None, file: None, target: None }
    }

    /// What is known of it, by the keys of `stage.trace`, sorted.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("capability", self.capability.clone()),
            ("file", self.file.clone()),
            ("note", self.note.clone()),
            ("source", Some(self.source.name().to_owned())),
            ("stage", self.stage.map(|stage| stage.name().to_owned())),
            ("target", self.target.clone()),
        ];
        fields.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// The stages that a run admits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// The least settled.
    pub least: Stage,
    /// All that was said, what counts first.
    pub trace: Vec<StageInput>,
}

impl Admission {
    /// What the first source says, and of it what was said first; `otherwise` if nobody says anything.
    pub fn resolve(inputs: impl IntoIterator<Item = StageInput>, otherwise: Stage) -> Admission {
        let mut trace: Vec<StageInput> = inputs.into_iter().collect();
        trace.sort_by_key(|step| step.source);
        let least = trace.iter().find_map(|step| step.stage).unwrap_or(otherwise);
        trace.push(StageInput::new(StageSource::Runtime, Some(least)));
        Admission { least, trace }
    }

    pub fn admits(&self, actual: Stage) -> bool {
        actual >= self.least
    }

    /// What is shown as required and as actual when a capability of this stage is not admitted.
    pub fn labels(&self, capability: Stage) -> (StageRequirement, StageRequirement) {
        (StageRequirement::AtLeast(capability), StageRequirement::AtLeast(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_that_counts_decides_and_all_are_traced() {
        let env = StageInput {
            note: Some("REMLC_EFFECT_STAGE".to_owned()),
            ..StageInput::new(StageSource::EnvVar, Some(Stage::Beta))
        };
        let config = StageInput::new(StageSource::RunConfig, Some(Stage::Experimental));
        let silent = StageInput::new(StageSource::CliOption, None);
        let admission = Admission::resolve([config, silent, env], Stage::Stable);
        assert_eq!(admission.least, Stage::Beta);
        let shown = |step: &StageInput| {
            let fields: Vec<String> = step.fields().iter().map(|(key, value)| format!("{key}={value}")).collect();
            fields.join(" ")
        };
        assert_eq!(
            admission.trace.iter().map(shown).collect::<Vec<_>>(),
            [
                "source=cli_option",
                "note=REMLC_EFFECT_STAGE source=env_var stage=beta",
                "source=run_config stage=experimental",
                "source=runtime stage=beta",
            ]
        );
    }

    #[test]
    fn where_nobody_says_anything_it_is_what_the_caller_says() {
        let admission = Admission::resolve([], Stage::Stable);
        assert!(admission.admits(Stage::Stable) && !admission.admits(Stage::Beta));
        let (required, actual) = admission.labels(Stage::Beta);
        assert_eq!((required.to_string(), actual.to_string()), ("at_least:beta".into(), "at_least:stable".into()));
    }
}
