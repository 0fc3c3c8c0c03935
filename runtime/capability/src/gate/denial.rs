//! Why may a program not do what it wants, and what would let it?

use std::fmt;
use std::path::Path;

use reml_audit::{AuditError, visible};

use super::Origin;
use crate::policy::{Decision, Effect, Form, Grants, Pattern, Power, Rule, Source, Subject, flags, manifest};

/// What was asked for, by whom, and why it is denied.
#[derive(Clone, Debug)]
pub struct Denial {
    // A denial is part of every answer of the gate, most of which are none.
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    power: Power,
    subject: String,
    file: String,
    line: u32,
    column: u32,
    function: String,
    reason: Reason,
    remedy: Remedy,
    grantor: Grantor,
}

#[derive(Clone, Debug)]
pub enum Reason {
    /// This rule denies it.
    Rule(Rule),
    /// No rule allows it.
    Ungranted,
    /// A policy that the program has put into force does not allow it.
    Withheld,
    /// It is not a subject of the power, or a path that is not resolved.
    Malformed,
    /// It has been done as often in this second as the policy allows.
    TooOften { per_second: u32 },
    /// The decision has to be recorded, and cannot be.
    Unrecorded(AuditError),
}

/// Who could have allowed it, and so can next time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Grantor {
    /// Whoever calls `remlc` or writes the manifest.
    #[default]
    CommandLine,
    /// A host that has loaded the program: the function that it gives flags to.
    Host(&'static str),
}

/// What to do if it should be allowed.
#[derive(Clone, Debug)]
enum Remedy {
    Allow,
    /// The program's own policy would have to change.
    Own,
    /// The rule is as narrow as one could be that allows just this.
    Remove,
    None,
}

impl Denial {
    pub(super) fn new(
        power: Power,
        subject: &Subject<'_>,
        origin: &Origin<'_>,
        reason: Reason,
        grantor: Grantor,
    ) -> Denial {
        let remedy = match &reason {
            Reason::Ungranted => Remedy::Allow,
            Reason::Withheld => Remedy::Own,
            Reason::Rule(rule) if matches!(rule.source, Source::Program(_)) => Remedy::Own,
            Reason::Rule(rule) if outweighed(rule, subject) => Remedy::Allow,
            Reason::Rule(_) => Remedy::Remove,
            Reason::Malformed | Reason::TooOften { .. } | Reason::Unrecorded(_) => Remedy::None,
        };
        Denial {
            inner: Box::new(Inner {
                power,
                subject: subject.to_string(),
                file: origin.file.to_owned(),
                line: origin.line,
                column: origin.column,
                function: origin.function.to_owned(),
                reason,
                remedy,
                grantor,
            }),
        }
    }

    pub fn power(&self) -> Power {
        self.inner.power
    }

    /// What the power was to be used on.
    pub fn subject(&self) -> &str {
        &self.inner.subject
    }

    pub fn reason(&self) -> &Reason {
        &self.inner.reason
    }

    pub fn origin(&self) -> Origin<'_> {
        let Inner { file, line, column, function, .. } = &*self.inner;
        Origin { file, line: *line, column: *column, function }
    }

    /// The first line, which says what is denied and why.
    pub fn message(&self) -> String {
        let Inner { power, subject, function, reason, .. } = &*self.inner;
        let why = match reason {
            Reason::Rule(rule) => format!("{} denies it", visible(&rule.source.to_string())),
            Reason::Ungranted => "nothing allows it".to_owned(),
            Reason::Withheld => "a policy that the program has put into force does not allow it".to_owned(),
            Reason::Malformed => match power.form() {
                Form::Path => "the path is not resolved".to_owned(),
                Form::Address => "this is not a host".to_owned(),
                Form::Name | Form::Command | Form::Library => "this is nothing that can be asked for".to_owned(),
            },
            Reason::TooOften { per_second } => format!("a policy allows it {per_second} times in a second"),
            Reason::Unrecorded(error) => format!("the audit log has to have it, but {error}"),
        };
        format!("`{function}` may not {} `{}`: {why}", power.deed(), visible(subject))
    }

    /// What to do if the program should be allowed to.
    pub fn help(&self) -> Option<String> {
        let Inner { power, subject, reason, remedy, grantor, .. } = &*self.inner;
        let to = match grantor {
            Grantor::CommandLine => "give `remlc`".to_owned(),
            Grantor::Host(function) => format!("have the host give `{function}`"),
        };
        let flag = || visible(&flags::print(Effect::Allow, *power, subject));
        match (remedy, reason) {
            (Remedy::Allow, _) if subject.contains(char::is_control) => Some(format!(
                "to allow it, {to} a flag `--allow-{power}` with a pattern for what is around it: patterns have no control characters"
            )),
            (Remedy::Allow, _) if *grantor != Grantor::CommandLine => {
                Some(format!("to allow it, {to} the flag `{}` before it loads the program", flag()))
            }
            (Remedy::Allow, _) => Some(format!(
                "to allow it, {to} the flag `{}`, or write `{}` in `[permissions]` of `reml.toml`",
                flag(),
                manifest::print(*power, [&**subject])
            )),
            (Remedy::Own, Reason::Rule(Rule { source: Source::Program(policy), .. })) => {
                Some(format!("the program has denied it to itself; to allow it, change its policy `{policy}`"))
            }
            (Remedy::Own, _) => Some("the program has denied it to itself; to allow it, change its policy".to_owned()),
            (Remedy::Remove, Reason::Rule(rule)) => {
                let pattern = visible(&rule.pattern.to_string());
                Some(format!("to allow it, take `{pattern}` out of {}", visible(&rule.source.to_string())))
            }
            _ => None,
        }
    }
}

/// Would a rule that allows just this be narrower?
fn outweighed(deny: &Rule, subject: &Subject<'_>) -> bool {
    let text = subject.to_string();
    let Ok(pattern) = Pattern::parse(deny.power, &text, Path::new("/")) else { return false };
    let allow = Rule { effect: Effect::Allow, power: deny.power, pattern, source: Source::Default("a try".into()) };
    Grants::new(vec![deny.clone(), allow])
        .is_ok_and(|grants| matches!(grants.decide(deny.power, subject), Decision::Allowed(_)))
}

/// As a panic of the program is shown: what, where, and what to do.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { file, line, column, function, .. } = &*self.inner;
        write!(f, "{}\n  at {function} ({file}:{line}:{column})", self.message())?;
        match self.help() {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Denial {}
