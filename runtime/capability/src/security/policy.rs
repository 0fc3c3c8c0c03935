//! What does a program allow itself, in the words of its subsystems?
//!
//! A [`SecurityPolicy`] becomes rules of the gate, so there is one place where things are decided. What it does not list
//! stays as it was.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde_json::json;

use crate::limits::{CpuQuota, MemoryLimit};
use crate::policy::{Effect, Grants, Mode, Pattern, PatternError, Policy, Power, Rule, Source, digest};

/// What a program allows itself and its parts from now on. `None` lists nothing, and an empty list allows nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SecurityPolicy {
    /// For messages.
    pub name: String,
    pub syscalls: Option<SyscallPolicy>,
    pub allowed_commands: Option<Vec<String>>,
    pub allowed_signals: Option<Vec<String>>,
    pub allowed_hosts: Option<Vec<String>>,
    pub paths: Option<PathPolicy>,
    pub memory: Option<MemoryPolicy>,
    pub resource_limits: Option<ResourceLimits>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyscallPolicy {
    pub allowed: BTreeSet<String>,
    /// Also if they are allowed.
    pub denied: BTreeSet<String>,
    /// Calls in a second.
    pub rate_limit: Option<u32>,
    /// What cannot be recorded is not done.
    pub require_audit: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathPolicy {
    pub allowed_roots: Vec<String>,
    /// For whoever takes paths from outside: the gate is asked about resolved ones.
    pub allow_relative: bool,
    pub allow_symlinks: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryPolicy {
    /// In bytes.
    pub max_usage: Option<u64>,
    pub allow_fixed_mapping: bool,
    /// Memory that can be written and executed.
    pub allow_rwx: bool,
    pub allowed_shared_memory: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ResourceLimits {
    pub memory: MemoryLimit,
    pub cpu: CpuQuota,
    pub processes: Option<u32>,
}

/// The names of memory operations that a [`MemoryPolicy`] is about; shared memory is `shared:` and its name.
pub const FIXED_MAPPING: &str = "fixed";
pub const WRITABLE_CODE: &str = "rwx";
pub const SHARED: &str = "shared:";

/// Why a policy cannot be put into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecurityPolicyError {
    Pattern {
        field: &'static str,
        error: PatternError,
    },
    /// Would allow nothing, which an absent field or an empty list says better.
    Zero {
        field: &'static str,
    },
}

impl SecurityPolicy {
    /// The rules for the gate. Relative paths start at `base`.
    ///
    /// # Errors
    ///
    /// See [`SecurityPolicyError`].
    pub fn to_policy(&self, base: &Path) -> Result<Policy, SecurityPolicyError> {
        self.check_numbers()?;
        let source = Source::Program(self.name.as_str().into());
        let mut rules = Vec::new();
        let mut add = |effect, power, pattern| rules.push(Rule { effect, power, pattern, source: source.clone() });
        for power in Power::all() {
            let Some((field, patterns)) = self.listed(power) else {
                add(Effect::Allow, power, Pattern::any());
                continue;
            };
            for text in patterns {
                let pattern = Pattern::parse(power, &text, base);
                add(Effect::Allow, power, pattern.map_err(|error| SecurityPolicyError::Pattern { field, error })?);
            }
        }
        if let Some(memory) = &self.memory {
            let any_shared = memory.allowed_shared_memory.iter().any(|name| name == "*");
            let denied = [
                (!memory.allow_fixed_mapping).then_some(FIXED_MAPPING.to_owned()),
                (!memory.allow_rwx).then_some(WRITABLE_CODE.to_owned()),
                (!any_shared).then(|| format!("{SHARED}*")),
            ];
            for text in denied.into_iter().flatten() {
                let pattern = Pattern::parse(Power::Memory, &text, base).expect("it is a pattern");
                add(Effect::Deny, Power::Memory, pattern);
            }
        }
        let grants = Grants::new(rules).unwrap_or_else(|_| unreachable!("what is denied is not allowed by its name"));
        let require_audit = self.syscalls.as_ref().is_some_and(|syscalls| syscalls.require_audit);
        let policy = Policy::new(grants, Mode::Enforce, require_audit);
        Ok(match self.syscalls.as_ref().and_then(|syscalls| syscalls.rate_limit) {
            Some(per_second) => policy.with_rate(Power::Syscall, per_second),
            None => policy,
        })
    }

    /// What is allowed of a power, and the field that says so.
    fn listed(&self, power: Power) -> Option<(&'static str, Vec<String>)> {
        let syscalls = |policy: &SyscallPolicy| policy.allowed.difference(&policy.denied).cloned().collect();
        let memory = |policy: &MemoryPolicy| {
            let shared = policy.allowed_shared_memory.iter().map(|name| format!("{SHARED}{name}"));
            shared.chain(["*".to_owned()]).collect()
        };
        let (field, patterns) = match power {
            Power::Syscall => ("syscalls", self.syscalls.as_ref().map(syscalls)),
            Power::Run => ("allowed_commands", self.allowed_commands.clone()),
            Power::Signal => ("allowed_signals", self.allowed_signals.clone()),
            Power::Connect | Power::Listen => ("allowed_hosts", self.allowed_hosts.clone()),
            Power::Read | Power::Write => {
                ("allowed_roots", self.paths.as_ref().map(|paths| paths.allowed_roots.clone()))
            }
            Power::Memory => ("allowed_shared_memory", self.memory.as_ref().map(memory)),
            _ => return None,
        };
        Some((field, patterns?))
    }

    fn check_numbers(&self) -> Result<(), SecurityPolicyError> {
        let numbers = [
            ("rate_limit", self.syscalls.as_ref().and_then(|syscalls| syscalls.rate_limit).map(u64::from)),
            ("max_usage", self.memory.as_ref().and_then(|memory| memory.max_usage)),
            ("processes", self.resource_limits.and_then(|limits| limits.processes).map(u64::from)),
        ];
        match numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            Some((field, _)) => Err(SecurityPolicyError::Zero { field }),
            None => Ok(()),
        }
    }

    /// SHA-256 over the canonical JSON of all fields but the name, in hexadecimal digits.
    pub fn digest(&self) -> String {
        fn sorted(list: &Option<Vec<String>>) -> Option<BTreeSet<&String>> {
            list.as_ref().map(|list| list.iter().collect())
        }
        let canonical = json!({
            "allowed_commands": sorted(&self.allowed_commands),
            "allowed_hosts": sorted(&self.allowed_hosts),
            "allowed_signals": sorted(&self.allowed_signals),
            "memory": self.memory.as_ref().map(|memory| json!({
                "allow_fixed_mapping": memory.allow_fixed_mapping,
                "allow_rwx": memory.allow_rwx,
                "allowed_shared_memory": memory.allowed_shared_memory.iter().collect::<BTreeSet<_>>(),
                "max_usage": memory.max_usage,
            })),
            "paths": self.paths.as_ref().map(|paths| json!({
                "allow_relative": paths.allow_relative,
                "allow_symlinks": paths.allow_symlinks,
                "allowed_roots": paths.allowed_roots.iter().collect::<BTreeSet<_>>(),
            })),
            "resource_limits": self.resource_limits.map(|limits| json!({
                "cpu": limits.cpu.to_json(),
                "memory": limits.memory.to_json(),
                "processes": limits.processes,
            })),
            "syscalls": self.syscalls.as_ref().map(|syscalls| json!({
                "allowed": syscalls.allowed,
                "denied": syscalls.denied,
                "rate_limit": syscalls.rate_limit,
                "require_audit": syscalls.require_audit,
            })),
        });
        digest(&canonical.to_string())
    }
}

impl fmt::Display for SecurityPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecurityPolicyError::Pattern { field, error } => write!(f, "`{field}` of the security policy: {error}"),
            SecurityPolicyError::Zero { field } => write!(
                f,
                "`{field}` of the security policy is 0; leave it out for no limit, or list nothing to allow nothing"
            ),
        }
    }
}

impl std::error::Error for SecurityPolicyError {}
