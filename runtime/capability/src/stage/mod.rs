//! How settled is a capability, what is asked of it, and what does a run admit?

mod admission;
mod file;

use std::collections::BTreeMap;
use std::fmt;

pub use admission::{Admission, StageInput, StageSource};
pub use file::{CapabilityFile, CapabilityFileError, CapabilitySet};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    Experimental,
    Beta,
    Stable,
}

/// What the command line, the environment and the manifest say about stages.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Stages {
    /// By capability.
    pub of: BTreeMap<String, Stage>,
    /// The least settled stage that this run admits; `None` admits all.
    pub admitted: Option<Stage>,
    /// Who has said what of the latter.
    pub trace: Vec<StageInput>,
}

/// Which stages are good enough.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StageRequirement {
    Exact(Stage),
    AtLeast(Stage),
}

impl Stage {
    /// All, from the least settled.
    pub const ALL: [Stage; 3] = [Stage::Experimental, Stage::Beta, Stage::Stable];

    /// In any case, with or without space around it.
    pub fn parse(text: &str) -> Option<Stage> {
        let text = text.trim();
        Stage::ALL.into_iter().find(|stage| stage.name().eq_ignore_ascii_case(text))
    }

    pub const fn name(self) -> &'static str {
        match self {
            Stage::Experimental => "experimental",
            Stage::Beta => "beta",
            Stage::Stable => "stable",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl StageRequirement {
    /// `beta` and `exact:beta`; `at_least:beta`, `at_least beta`, `at_least(beta)`.
    ///
    /// ```
    /// use reml_capability::stage::{Stage, StageRequirement};
    /// assert_eq!(StageRequirement::parse("At_Least(beta)"), Some(StageRequirement::AtLeast(Stage::Beta)));
    /// assert_eq!(StageRequirement::parse("alpha"), None);
    /// ```
    pub fn parse(text: &str) -> Option<StageRequirement> {
        let text = text.trim().to_ascii_lowercase();
        for (word, of) in
            [("at_least", StageRequirement::AtLeast as fn(Stage) -> _), ("exact", StageRequirement::Exact)]
        {
            let Some(rest) = text.strip_prefix(word) else { continue };
            let bracketed = rest.trim_start().strip_prefix('(').map(|rest| rest.strip_suffix(')'));
            let stage = match bracketed {
                Some(inner) => inner?,
                None => rest.strip_prefix(':').or_else(|| rest.strip_prefix(' '))?,
            };
            return Stage::parse(stage).map(of);
        }
        Stage::parse(&text).map(StageRequirement::Exact)
    }

    /// What the stages satisfy that satisfy both; `None` when there are none.
    pub fn both(self, other: StageRequirement) -> Option<StageRequirement> {
        match (self, other) {
            (StageRequirement::AtLeast(a), StageRequirement::AtLeast(b)) => Some(StageRequirement::AtLeast(a.max(b))),
            (StageRequirement::Exact(stage), other) | (other, StageRequirement::Exact(stage)) => {
                other.satisfies(stage).then_some(StageRequirement::Exact(stage))
            }
        }
    }

    /// Is this stage good enough?
    pub const fn satisfies(self, actual: Stage) -> bool {
        match self {
            StageRequirement::Exact(stage) => actual as u8 == stage as u8,
            StageRequirement::AtLeast(stage) => actual as u8 >= stage as u8,
        }
    }

    /// The stage that is named.
    pub const fn stage(self) -> Stage {
        match self {
            StageRequirement::Exact(stage) | StageRequirement::AtLeast(stage) => stage,
        }
    }

    /// `exact` or `at_least`, as the audit log has it beside the stage.
    pub const fn mode(self) -> &'static str {
        match self {
            StageRequirement::Exact(_) => "exact",
            StageRequirement::AtLeast(_) => "at_least",
        }
    }
}

impl fmt::Display for StageRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.mode(), self.stage())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements() -> impl Iterator<Item = StageRequirement> + Clone {
        Stage::ALL.into_iter().flat_map(|stage| [StageRequirement::Exact(stage), StageRequirement::AtLeast(stage)])
    }

    #[test]
    fn exact_is_exact() {
        use Stage::*;
        let satisfied = |requirement: StageRequirement| Stage::ALL.map(|stage| requirement.satisfies(stage));
        assert_eq!(satisfied(StageRequirement::Exact(Beta)), [false, true, false]);
        assert_eq!(satisfied(StageRequirement::AtLeast(Beta)), [false, true, true]);
        assert!(Experimental < Beta && Beta < Stable);
    }

    /// There are six requirements, so the laws are tested on all of them.
    #[test]
    fn requirements_are_a_semilattice_under_both() {
        let all = requirements();
        for a in all.clone() {
            assert_eq!(a.both(a), Some(a));
            for b in all.clone() {
                assert_eq!(a.both(b), b.both(a));
                for stage in Stage::ALL {
                    let both = a.both(b).is_some_and(|both| both.satisfies(stage));
                    assert_eq!(both, a.satisfies(stage) && b.satisfies(stage), "{a} and {b} of {stage}");
                }
                for c in all.clone() {
                    let left = a.both(b).and_then(|ab| ab.both(c));
                    let right = b.both(c).and_then(|bc| a.both(bc));
                    assert_eq!(left, right, "{a}, {b}, {c}");
                }
            }
        }
        let trivial = StageRequirement::AtLeast(Stage::Experimental);
        assert!(all.into_iter().all(|a| a.both(trivial) == Some(a)));
    }

    #[test]
    fn what_is_printed_is_read() {
        for requirement in requirements() {
            assert_eq!(StageRequirement::parse(&requirement.to_string()), Some(requirement));
        }
        let beta = Some(StageRequirement::AtLeast(Stage::Beta));
        for text in ["at_least beta", "AT_LEAST(Beta)", " at_least: beta ", "at_least (beta)"] {
            assert_eq!(StageRequirement::parse(text), beta, "{text}");
        }
        for text in ["", "alpha", "at_least", "at_leastbeta", "at_least(beta", "exact:", "at_least:at_least:beta"] {
            assert_eq!(StageRequirement::parse(text), None, "{text}");
        }
    }
}
