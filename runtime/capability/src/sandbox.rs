//! In what is a plugin shut up?

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::id::CapabilityId;
use crate::limits::{CpuQuota, CpuQuotaNormalized, MemoryLimit, MemoryLimitResolved, ResourceLimitError};
use crate::policy::{Effect, Grants, Mode, Pattern, PatternError, Policy, Power, Rule, Source};

/// The code of the diagnostic for limits that the machine cannot have.
pub const LIMIT_INVALID: &str = "sandbox.limit.invalid";

#[derive(Clone, PartialEq, Debug, Default)]
pub struct SandboxConfig {
    /// What powers belong to, besides network and files.
    pub allowed_capabilities: BTreeSet<CapabilityId>,
    pub memory_limit: MemoryLimit,
    pub cpu_limit: CpuQuota,
    pub network_access: NetworkAccess,
    pub file_access: FileAccess,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum NetworkAccess {
    #[default]
    None,
    /// Patterns of hosts.
    Restricted(Vec<String>),
    Full,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum FileAccess {
    #[default]
    None,
    /// Folders that can be read.
    ReadOnly(Vec<String>),
    /// Folders that can be read and written.
    Restricted(Vec<String>),
    Full,
}

/// The limits of a sandbox in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandboxLimits {
    pub memory: MemoryLimitResolved,
    pub cpu: CpuQuotaNormalized,
}

impl SandboxConfig {
    /// The limits on a machine of this size.
    ///
    /// # Errors
    ///
    /// `SecurityViolation` for limits that the machine cannot have.
    pub fn limits(
        &self,
        total_physical: Option<u64>,
        logical_cores: u32,
        parallelism: u32,
    ) -> Result<SandboxLimits, Box<CapabilityError>> {
        let fail = |what: &str, error: ResourceLimitError| {
            let message = format!("the {what} limit of the sandbox is not possible: {error} ({LIMIT_INVALID})");
            CapabilityError::new(CapabilityErrorKind::SecurityViolation, message)
        };
        let memory = self.memory_limit.resolve(total_physical).map_err(|error| fail("memory", error))?;
        let cpu = self.cpu_limit.normalize(logical_cores, parallelism).map_err(|error| fail("CPU", error))?;
        Ok(SandboxLimits { memory, cpu })
    }

    /// The policy that the gate enforces for what is inside. Relative paths start at `base`.
    ///
    /// # Errors
    ///
    /// A text that is not a pattern.
    pub fn policy(&self, name: &str, base: &Path) -> Result<Policy, PatternError> {
        let mut rules = Vec::new();
        let mut allow = |power, pattern| {
            let source = Source::Program(name.into());
            rules.push(Rule { effect: Effect::Allow, power, pattern, source });
        };
        for power in Power::all() {
            let patterns: Option<&[String]> = match power {
                Power::Read => match &self.file_access {
                    FileAccess::None => Some(&[]),
                    FileAccess::ReadOnly(folders) | FileAccess::Restricted(folders) => Some(folders),
                    FileAccess::Full => None,
                },
                Power::Write => match &self.file_access {
                    FileAccess::None | FileAccess::ReadOnly(_) => Some(&[]),
                    FileAccess::Restricted(folders) => Some(folders),
                    FileAccess::Full => None,
                },
                Power::Connect | Power::Listen => match &self.network_access {
                    NetworkAccess::None => Some(&[]),
                    NetworkAccess::Restricted(hosts) => Some(hosts),
                    NetworkAccess::Full => None,
                },
                _ if self.allowed_capabilities.contains(power.capability()) => None,
                _ => Some(&[]),
            };
            match patterns {
                None => allow(power, Pattern::any()),
                Some(patterns) => {
                    for text in patterns {
                        allow(power, Pattern::parse(power, text, base)?);
                    }
                }
            }
        }
        let grants = Grants::new(rules).unwrap_or_else(|_| unreachable!("nothing is denied"));
        Ok(Policy::new(grants, Mode::Enforce, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Subject;

    #[test]
    fn inside_there_is_what_was_let_in() {
        let config = SandboxConfig {
            allowed_capabilities: [CapabilityId::new("core.time.clock").unwrap()].into(),
            file_access: FileAccess::ReadOnly(vec!["data".to_owned()]),
            network_access: NetworkAccess::Restricted(vec!["*.example.com:443".to_owned()]),
            ..SandboxConfig::default()
        };
        let policy = config.policy("plugin", Path::new("/app")).unwrap();
        let may = |power, subject| policy.grants().decide(power, &subject).is_allowed();
        let file = Subject::Path(Path::new("/app/data/x"));
        assert!(may(Power::Read, file) && !may(Power::Write, file));
        assert!(may(Power::Connect, Subject::Address { host: "a.example.com", port: 443 }));
        assert!(!may(Power::Connect, Subject::Address { host: "a.example.com", port: 80 }));
        assert!(may(Power::Clock, Subject::Name("wall")) && !may(Power::Random, Subject::Name("entropy")));
    }

    #[test]
    fn limits_beyond_the_machine_are_violations() {
        let config = SandboxConfig { memory_limit: MemoryLimit::mebibytes(64).unwrap(), ..SandboxConfig::default() };
        assert_eq!(config.limits(Some(1 << 30), 8, 8).unwrap().memory.hard_bytes, Some(64 << 20));
        let error = config.limits(Some(1 << 20), 8, 8).unwrap_err();
        assert_eq!(error.kind, CapabilityErrorKind::SecurityViolation);
        assert!(error.message.contains("the memory limit of the sandbox is not possible"));
    }
}
