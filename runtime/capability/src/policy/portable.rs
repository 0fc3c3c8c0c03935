//! How does a policy get into an executable? As text, from which it is made again where the executable runs.
//!
//! Patterns are as somebody wrote them, so that relative paths start where the executable is started. The parts are separated by
//! bytes that no path contains and no manifest can express in a name.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::flags::{self, FlagError};
use super::grants::Grants;
use super::in_force::{Mode, Policy};
use super::rule::{Contradiction, Rule, Source};

const RULE_END: char = '\0';
const SOURCE_START: char = '\x01';

/// A policy as text, without limits of rates. See [`read`].
pub fn print(policy: &Policy) -> String {
    let mut text = policy.mode().name().to_owned();
    for rule in policy.grants().rules() {
        let flag = flags::print(rule.effect, rule.power, rule.pattern.text());
        text.extend(
            [&RULE_END.to_string(), &flag, &SOURCE_START.to_string(), &rule.source.to_string()].map(String::as_str),
        );
    }
    text
}

/// Why there is no policy.
#[derive(Clone, Debug)]
pub enum PortableError {
    /// The text begins with something else than a mode.
    Mode(String),
    Flag(FlagError),
    /// A flag that allows, where only denying is possible.
    Widening {
        flag: String,
    },
    Contradictions(Vec<Contradiction>),
}

impl fmt::Display for PortableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortableError::Mode(text) => write!(f, "`{}` is no mode of a policy", text.escape_debug()),
            PortableError::Flag(error) => error.fmt(f),
            PortableError::Widening { flag } => {
                write!(
                    f,
                    "`{flag}`: what a program may do was settled when it was built, and can only be narrowed, as with `--deny-net`"
                )
            }
            PortableError::Contradictions(found) => {
                for (number, contradiction) in found.iter().enumerate() {
                    write!(f, "{}{contradiction}", if number == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for PortableError {}

/// The policy of a text that [`print`] has made, further restricted by what `narrowing` denies: flags separated by blanks. `base` is absolute;
/// relative paths start there.
///
/// # Errors
///
/// The text is not one of `print`, or `narrowing` is not a list of flags that deny.
pub fn read(text: &str, narrowing: &str, base: &Path) -> Result<Policy, PortableError> {
    let mut parts = text.split(RULE_END);
    let mode = match parts.next() {
        Some("enforce") => Mode::Enforce,
        Some("report") => Mode::Report,
        other => return Err(PortableError::Mode(other.unwrap_or_default().to_owned())),
    };
    let mut rules = Vec::new();
    for part in parts {
        let (flag, source) = part.split_once(SOURCE_START).unwrap_or((part, ""));
        let source = Source::Built(Arc::from(source));
        let made = flags::parse(flag, base).map_err(PortableError::Flag)?;
        rules.extend(made.into_iter().map(|rule| Rule { source: source.clone(), ..rule }));
    }
    for flag in narrowing.split_whitespace() {
        let made = flags::parse(flag, base).map_err(PortableError::Flag)?;
        if !flag.starts_with("--deny-") {
            return Err(PortableError::Widening { flag: flag.to_owned() });
        }
        rules.extend(made);
    }
    let grants = Grants::new(rules).map_err(PortableError::Contradictions)?;
    Ok(Policy::new(grants, mode, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Effect, Power, Section, Subject, manifest};

    #[test]
    fn a_policy_survives_its_text_and_moves_with_the_folder() {
        let mut rules = flags::parse("--allow-read=data,/etc/a,,b", Path::new("/build")).unwrap();
        rules.extend(flags::parse("--deny-env=*_TOKEN", Path::new("/build")).unwrap());
        let entry = manifest::Entry {
            effect: Effect::Deny,
            key: "read".to_owned(),
            value: manifest::Value::Patterns(vec![("data".to_owned(), 4)]),
            line: 4,
        };
        let section = Section { file: "reml.toml".to_owned(), name: None };
        // Denied in the manifest, allowed by a flag: no contradiction, here or there.
        rules.extend(manifest::rules(section, &[entry], Path::new("/build/x")).unwrap());
        let policy = Policy::new(Grants::new(rules).unwrap(), Mode::Report, false);
        let text = print(&policy);
        let again = read(&text, "", Path::new("/run")).unwrap();
        assert_eq!(again.mode(), Mode::Report);
        assert!(again.decide(Power::Read, &Subject::Path(Path::new("/etc/a,b"))).is_allowed());
        assert!(!again.decide(Power::Read, &Subject::Path(Path::new("/etc/a"))).is_allowed());
        let denied = again.decide(Power::Read, &Subject::Path(Path::new("/run/data/x")));
        assert_eq!(denied.rule().unwrap().source.to_string(), "`[permissions]` (reml.toml, line 4), when it was built");
    }

    #[test]
    fn a_policy_can_only_be_narrowed() {
        let policy = Policy::new(
            Grants::new(flags::parse("--allow-net", Path::new("/")).unwrap()).unwrap(),
            Mode::Enforce,
            false,
        );
        let text = print(&policy);
        let narrow = read(&text, " --deny-net=*.org ", Path::new("/")).unwrap();
        assert!(!narrow.decide(Power::Connect, &Subject::Address { host: "a.org", port: 1 }).is_allowed());
        assert!(narrow.decide(Power::Connect, &Subject::Address { host: "a.com", port: 1 }).is_allowed());
        assert!(read(&text, "--allow-read", Path::new("/")).unwrap_err().to_string().contains("only be narrowed"));
        assert!(matches!(read("", "", Path::new("/")), Err(PortableError::Mode(_))));
        assert!(matches!(read("enforce\0x", "", Path::new("/")), Err(PortableError::Flag(_))));
    }
}
