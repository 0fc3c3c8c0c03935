//! What does a policy say, and who says it?

use std::fmt;
use std::sync::Arc;

use super::pattern::Pattern;
use super::power::Power;

/// What becomes of what a rule covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    Allow,
    Deny,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        })
    }
}

/// One line of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    pub effect: Effect,
    pub power: Power,
    pub pattern: Pattern,
    pub source: Source,
}

/// Where a rule comes from, so that a decision can say so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The command line; the flag as it was given.
    Flag(Arc<str>),
    Manifest(Arc<Section>, Line),
    /// A policy that the program itself put into force.
    Program(Arc<str>),
    /// What a run may do unless it is told otherwise.
    Default(&'static str),
    /// What an executable was built with: where it came from then.
    Built(Arc<str>),
}

/// A line of a manifest, counted from 1.
pub type Line = u32;

/// `[permissions]` or `[permissions.NAME]` of a manifest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Section {
    /// As it is to be shown.
    pub file: String,
    pub name: Option<String>,
}

impl Section {
    /// `[permissions.ci]`.
    pub fn header(&self) -> String {
        match &self.name {
            Some(name) => format!("[permissions.{name}]"),
            None => "[permissions]".to_owned(),
        }
    }
}

impl Source {
    /// Do both rules stand in one text, which should not contradict itself?
    pub(super) fn same_text(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Flag(_), Source::Flag(_)) | (Source::Default(_), Source::Default(_)) => true,
            (Source::Manifest(a, _), Source::Manifest(b, _)) => a == b,
            (Source::Program(a), Source::Program(b)) => a == b,
            _ => false,
        }
    }
}

/// Stands after "by".
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(flag) => write!(f, "`{flag}`"),
            Source::Manifest(section, line) => write!(f, "`{}` ({}, line {line})", section.header(), section.file),
            Source::Program(policy) => write!(f, "the policy `{policy}`, which the program has put into force"),
            Source::Default(why) => f.write_str(why),
            Source::Built(source) => write!(f, "{source}, when it was built"),
        }
    }
}

/// The same is allowed and denied in one text. Which of the two was meant cannot be known.
#[derive(Clone, Debug)]
pub struct Contradiction {
    pub allow: Rule,
    pub deny: Rule,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contradiction { allow, deny } = self;
        write!(
            f,
            "`{}` of `{}` is allowed by {} and denied by {}; remove one of them",
            allow.pattern, allow.power, allow.source, deny.source
        )
    }
}

impl std::error::Error for Contradiction {}
