//! What is a policy besides its rules, and how is it told from others?

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::grants::{Decision, Grants};
use super::pattern::{Name, Shape, Star};
use super::power::{Power, Subject};
use super::rate::RateLimit;

/// What becomes of what is not allowed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// It does not happen.
    #[default]
    Enforce,
    /// It happens, and is recorded as what would have been denied: for finding out what a program needs.
    Report,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
        }
    }
}

/// Rules and how they are applied.
#[derive(Debug)]
pub struct Policy {
    grants: Grants,
    mode: Mode,
    require_audit: bool,
    rates: Vec<(Power, RateLimit)>,
    digest: String,
}

impl Policy {
    /// With `require_audit`, what cannot be recorded does not happen.
    pub fn new(grants: Grants, mode: Mode, require_audit: bool) -> Policy {
        let mut policy = Policy { grants, mode, require_audit, rates: Vec::new(), digest: String::new() };
        policy.digest = digest(&canonical(&policy));
        policy
    }

    /// What a power is used for is also limited in number.
    pub fn with_rate(mut self, power: Power, per_second: u32) -> Policy {
        self.rates.retain(|(known, _)| *known != power);
        self.rates.push((power, RateLimit::new(per_second)));
        self.rates.sort_by_key(|(power, _)| *power);
        self.digest = digest(&canonical(&self));
        self
    }

    /// May this be done now? What is allowed counts as done.
    pub fn decide(&self, power: Power, subject: &Subject<'_>) -> Decision<'_> {
        let decision = self.grants.decide(power, subject);
        let limit = self.rates.iter().find(|(limited, _)| *limited == power);
        match limit {
            Some((_, limit)) if decision.is_allowed() && !limit.admits() => {
                Decision::TooOften { per_second: limit.per_second }
            }
            _ => decision,
        }
    }

    /// Would this be done if it were asked for? How often something is done does not matter here, and nothing counts as done.
    pub fn permits(&self, power: Power, subject: &Subject<'_>) -> bool {
        self.mode == Mode::Report || self.grants.decide(power, subject).is_allowed()
    }

    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn requires_audit(&self) -> bool {
        self.require_audit
    }

    /// SHA-256, in hexadecimal digits. Policies that decide alike by the same rules have the same one, in whatever
    /// order the rules were given and wherever they came from.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// The hexadecimal SHA-256 of a text.
pub(crate) fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// JSON: sorted rules, each once.
fn canonical(policy: &Policy) -> String {
    let Policy { grants, mode, require_audit, rates, digest: _ } = policy;
    let rule = |rule: &super::Rule| {
        let pattern = shape(&rule.pattern.shape);
        serde_json::json!([rule.power.key(), pattern, rule.effect.to_string()]).to_string()
    };
    let mut rules: Vec<String> = grants.rules().iter().map(rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let rates: Vec<String> = rates.iter().map(|(power, limit)| format!("[\"{power}\",{}]", limit.per_second)).collect();
    format!(
        "{{\"mode\":\"{}\",\"rates\":[{}],\"require_audit\":{require_audit},\"rules\":[{}]}}",
        mode.name(),
        rates.join(","),
        rules.join(",")
    )
}

fn shape(shape: &Shape) -> String {
    let second = |second: &Option<Name>| second.as_ref().map_or(String::new(), |second| format!(":{}", name(second)));
    match shape {
        Shape::Any => "*".to_owned(),
        Shape::Path { path, symbol } => format!("/{}{}", name(path), second(symbol)),
        Shape::Name { first, second: part } => format!("{}{}", name(first), second(part)),
    }
}

fn name(name: &Name) -> String {
    let literal = escaped(&name.literal);
    match name.star {
        Star::None => literal,
        Star::Front => format!("*{literal}"),
        Star::Back => format!("{literal}*"),
    }
}

/// Without bytes that could be taken for a part of the form.
fn escaped(literal: &[u8]) -> String {
    literal.escape_ascii().to_string().replace(':', "\\x3a").replace('*', "\\x2a")
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, flags};
    use super::*;
    use std::path::Path;

    fn digest_of(flags: &[&str], mode: Mode) -> String {
        let rules: Vec<Rule> = flags.iter().flat_map(|flag| flags::parse(flag, Path::new("/app")).unwrap()).collect();
        Policy::new(Grants::new(rules).unwrap(), mode, false).digest().to_owned()
    }

    #[test]
    fn the_digest_is_about_what_is_said_not_how() {
        let one = digest_of(&["--allow-read=a,b", "--deny-env=X"], Mode::Enforce);
        assert_eq!(one.len(), 64);
        assert_eq!(one, digest_of(&["--deny-env=X", "--allow-read=./b", "--allow-read=/app/a,a"], Mode::Enforce));
        for other in [
            digest_of(&["--allow-read=a,b", "--deny-env=X"], Mode::Report),
            digest_of(&["--allow-read=a,b", "--deny-env=X*"], Mode::Enforce),
            digest_of(&["--allow-read=a,b", "--allow-env=X"], Mode::Enforce),
            digest_of(&["--allow-read=a,b"], Mode::Enforce),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_digest_stays_as_it_is() {
        // A log refers to it for years.
        assert_eq!(
            digest_of(&["--allow-net=*.example.com:443"], Mode::Enforce),
            digest(
                "{\"mode\":\"enforce\",\"rates\":[],\"require_audit\":false,\"rules\":[[\"net\",\"*.example.com:443\",\"allow\"]]}"
            )
        );
    }
}
