//! How settled a capability is, and what is asked of it.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requirement {
    Exact(Stage),
    AtLeast(Stage),
}

impl Stage {
    pub fn parse(text: &str) -> Option<Stage> {
        match text.trim().to_ascii_lowercase().as_str() {
            "experimental" => Some(Stage::Experimental),
            "beta" => Some(Stage::Beta),
            "stable" => Some(Stage::Stable),
            _ => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Experimental => "experimental",
            Stage::Beta => "beta",
            Stage::Stable => "stable",
        })
    }
}

impl Requirement {
    /// `beta` and `exact:beta`; `at_least:beta`, `at_least beta`, `at_least(beta)`.
    pub fn parse(text: &str) -> Option<Requirement> {
        let text = text.trim().to_ascii_lowercase();
        let after = |word: &str| Some(text.strip_prefix(word)?.trim_matches([':', ' ', '(', ')']).to_owned());
        match (after("at_least"), after("exact")) {
            (Some(stage), _) => Stage::parse(&stage).map(Requirement::AtLeast),
            (_, Some(stage)) => Stage::parse(&stage).map(Requirement::Exact),
            _ => Stage::parse(&text).map(Requirement::Exact),
        }
    }

    /// What accepts the stages that both accept; `None` when there are none.
    pub fn both(self, other: Requirement) -> Option<Requirement> {
        match (self, other) {
            (Requirement::AtLeast(a), Requirement::AtLeast(b)) => Some(Requirement::AtLeast(a.max(b))),
            (Requirement::Exact(stage), other) | (other, Requirement::Exact(stage)) => {
                other.accepts(stage).then_some(Requirement::Exact(stage))
            }
        }
    }

    pub fn accepts(self, actual: Stage) -> bool {
        match self {
            Requirement::Exact(stage) => actual == stage,
            Requirement::AtLeast(stage) => actual >= stage,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Exact(stage) => write!(f, "exact:{stage}"),
            Requirement::AtLeast(stage) => write!(f, "at_least:{stage}"),
        }
    }
}
