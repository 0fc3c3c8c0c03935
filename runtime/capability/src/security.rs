//! How does a program put a policy into force, and what must a capability promise before it is registered?
//!
//! A [`SecurityPolicy`] says in the words of the subsystems what the gate says in rules; it becomes a [`Policy`] of the
//! gate, so there is one place where things are decided. What it does not list stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use reml_audit::{Event, EventKind};
use serde_json::json;

use crate::descriptor::{CapabilitySecurity, IsolationLevel, Permission, Signature};
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::gate::Gate;
use crate::handle::{CapabilityHandle, CapabilityKind, SecurityCapability};
use crate::id::CapabilityId;
use crate::limits::{CpuQuota, MemoryLimit};
use crate::policy::{Effect, Grants, Mode, Pattern, PatternError, Policy, Power, Rule, Source, digest};
use crate::stage::StageRequirement;

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
            let denied = [
                (!memory.allow_fixed_mapping).then_some(FIXED_MAPPING.to_owned()),
                (!memory.allow_rwx).then_some(WRITABLE_CODE.to_owned()),
                Some(format!("{SHARED}*")),
            ];
            for text in denied.into_iter().flatten() {
                let pattern = Pattern::parse(Power::Memory, &text, base).expect("it is a pattern");
                add(Effect::Deny, Power::Memory, pattern);
            }
        }
        // A system call that is both allowed and denied is not among the allowed ones.
        let grants = Grants::new(rules).map_err(|contradictions| {
            let why = contradictions[0].to_string();
            let text = contradictions[0].deny.pattern.text().to_owned();
            SecurityPolicyError::Pattern { field: "memory", error: PatternError { text, why } }
        })?;
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

/// What the capability `core.security` keeps: the policy of the program, and who is trusted to provide what.
#[derive(Debug, Default)]
pub struct SecurityState {
    current: ArcSwapOption<SecurityPolicy>,
    pinned: Mutex<BTreeMap<CapabilityId, Signature>>,
}

impl SecurityState {
    pub fn current_policy(&self) -> Option<SecurityPolicy> {
        self.current.load().as_deref().cloned()
    }

    /// From now on what is registered under the id has to have this signature.
    pub fn pin_signature(&self, id: CapabilityId, signature: Signature) {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).insert(id, signature);
    }

    fn pinned(&self, id: &CapabilityId) -> Option<Signature> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Has a capability the signature that is expected of it? Where none is expected, any will do.
    ///
    /// # Errors
    ///
    /// `SecurityViolation`.
    pub fn verify_signature(&self, id: &CapabilityId, found: Option<&Signature>) -> Result<(), Box<CapabilityError>> {
        let Some(expected) = self.pinned(id) else { return Ok(()) };
        if found == Some(&expected) {
            return Ok(());
        }
        let found = found.map_or("none".to_owned(), |found| format!("one of `{}`, {}", found.issuer, found.digest));
        let message = format!(
            "`{id}` has to be signed by `{}` with the digest {}, but its signature is {found}",
            expected.issuer, expected.digest
        );
        Err(CapabilityError::new(CapabilityErrorKind::SecurityViolation, message))
    }

    /// May this capability be registered under the conditions it names?
    ///
    /// # Errors
    ///
    /// `SecurityViolation`, with the first condition that does not hold.
    pub fn verify_capability_security(&self, handle: &CapabilityHandle) -> Result<(), Box<CapabilityError>> {
        let capability = handle.capability();
        let (facts, security) = (capability.facts(), capability.security());
        let violation = |message: String| {
            CapabilityError::about(CapabilityErrorKind::SecurityViolation, &capability.descriptor(), message)
        };
        let id = &facts.id;
        let uncovered: Vec<&str> = facts.effect_scope.difference(&security.effect_scope).map(String::as_str).collect();
        if !uncovered.is_empty() {
            return Err(violation(format!(
                "the conditions of `{id}` do not speak of its effects {}; add them to their effect scope",
                uncovered.join(", ")
            )));
        }
        if security.audit_required && !security.effect_scope.contains("audit") {
            return Err(violation(format!("`{id}` has to be audited, but its effect scope has no `audit`")));
        }
        if security.isolation_level != IsolationLevel::None && security.sandbox.is_none() {
            return Err(violation(format!(
                "`{id}` is isolated ({}), but names no sandbox profile",
                security.isolation_level.name()
            )));
        }
        let policy = self.current.load();
        if let Some(expected) = &security.policy {
            let found = policy.as_deref().map(SecurityPolicy::digest);
            if found.as_ref() != Some(expected) {
                let found = found.map_or("none is".to_owned(), |found| format!("{found} is"));
                return Err(violation(format!("`{id}` asks for the security policy {expected}, but {found} in force")));
            }
        }
        self.verify_signature(id, security.signature.as_ref()).map_err(|error| violation(error.message.clone()))?;
        let missing = match handle.kind() {
            CapabilityKind::Ffi => ffi_checklist(security),
            CapabilityKind::Actor => actor_checklist(security),
            CapabilityKind::Process => policy.as_deref().and_then(process_checklist),
            _ => None,
        };
        missing.map_or(Ok(()), |missing| Err(violation(format!("`{id}` cannot be registered: {missing}"))))
    }
}

/// What is missing for calls of foreign code.
fn ffi_checklist(security: &CapabilitySecurity) -> Option<String> {
    for tag in ["ffi", "audit", "security"] {
        if !security.effect_scope.contains(tag) {
            return Some(format!("foreign code has the effect `{tag}`, which its effect scope does not have"));
        }
    }
    if !security.audit_required {
        return Some("calls of foreign code have to be audited; set `audit_required`".to_owned());
    }
    let verify = Permission::Runtime { operation: "VerifyAbi".to_owned() };
    (!security.permissions.contains(&verify))
        .then(|| "it has no permission to verify the ABI, `Runtime(VerifyAbi)`".to_owned())
}

/// What is missing for actors on other machines.
fn actor_checklist(security: &CapabilitySecurity) -> Option<String> {
    let distributed = ["network", "io.network"].iter().any(|&tag| security.effect_scope.contains(tag));
    let permitted = security.permissions.iter().any(|permission| matches!(permission, Permission::Network { .. }));
    (distributed && !permitted).then(|| "actors that use the network need the permission `Network`".to_owned())
}

/// What a policy in force has to say before processes can be started under it.
fn process_checklist(policy: &SecurityPolicy) -> Option<String> {
    let name = &policy.name;
    if policy.allowed_commands.is_none() {
        return Some(format!("the security policy `{name}` does not list `allowed_commands`"));
    }
    policy.resource_limits.is_none().then(|| format!("the security policy `{name}` has no `resource_limits`"))
}

impl SecurityCapability {
    /// What it keeps.
    ///
    /// # Errors
    ///
    /// `InvalidHandle` for a capability that somebody registered with another interface.
    pub fn state(&self) -> Result<&SecurityState, Box<CapabilityError>> {
        self.api()
    }

    /// Puts a policy into force, for the rest of the run: checks it, adds it to the gate, and records that with the
    /// stage that the caller required and the effects of the capability. Returns its digest.
    ///
    /// # Errors
    ///
    /// `SecurityViolation`: the policy cannot be put into force, or that cannot be recorded.
    pub fn enforce(
        &self,
        policy: &SecurityPolicy,
        requirement: StageRequirement,
        gate: &Gate,
        base: &Path,
    ) -> Result<String, Box<CapabilityError>> {
        let violation = |message: String| {
            CapabilityError::about(CapabilityErrorKind::SecurityViolation, &self.descriptor(), message)
        };
        let state = self.state()?;
        let rules = policy.to_policy(base).map_err(|error| violation(error.to_string()))?;
        let digest = policy.digest();
        if let Some(sink) = gate.sink() {
            let facts = self.facts();
            let event = Event::new(EventKind::named("security.policy_enforced"))
                .capability(facts.id.as_str())
                .with("effect.capability", facts.id.as_str())
                .with("effect.scope", facts.effect_scope.iter().cloned().collect::<Vec<_>>())
                .with("effect.stage.actual", facts.stage.name())
                .with("effect.stage.required", requirement.to_string())
                .with("event.domain", "security")
                .with("policy_digest", digest.as_str())
                .with("security.policy", policy.name.as_str());
            sink.log(&event).map_err(|error| violation(format!("the policy is not put into force: {error}")))?;
        }
        gate.enforce(rules);
        state.current.store(Some(policy.clone().into()));
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CapabilityRegistry;
    use crate::descriptor::{CapabilityDescriptor, SandboxProfile};
    use crate::gate::Origin;
    use crate::handle::Capability;
    use crate::policy::Subject;
    use crate::stage::Stage;
    use reml_audit::sinks::Memory;
    use std::sync::Arc;

    const ORIGIN: Origin<'static> = Origin { file: "a.reml", line: 1, column: 1, function: "a.main" };

    fn policy() -> SecurityPolicy {
        SecurityPolicy {
            name: "strict".to_owned(),
            syscalls: Some(SyscallPolicy {
                allowed: ["read".to_owned(), "write".to_owned()].into(),
                denied: ["write".to_owned()].into(),
                rate_limit: Some(2),
                require_audit: false,
            }),
            allowed_commands: Some(vec!["git".to_owned()]),
            memory: Some(MemoryPolicy { allowed_shared_memory: vec!["pool".to_owned()], ..MemoryPolicy::default() }),
            ..SecurityPolicy::default()
        }
    }

    #[test]
    fn what_a_policy_lists_is_allowed_and_the_rest_of_the_power_is_not() {
        let sink = Arc::new(Memory::default());
        let all = Policy::new(Grants::all("a test"), Mode::Enforce, false);
        let gate = Gate::new(all, Some(sink.clone()));
        let registry = CapabilityRegistry::with_builtins();
        let handle = registry.verify_capability("security").unwrap();
        let security = handle.as_security().unwrap();
        let requirement = StageRequirement::Exact(Stage::Stable);
        let digest = security.enforce(&policy(), requirement, &gate, Path::new("/app")).unwrap();
        assert_eq!(security.state().unwrap().current_policy(), Some(policy()));

        let event = &sink.events()[0];
        assert_eq!(event.metadata["policy_digest"], digest);
        assert_eq!(event.metadata["effect.stage.required"], "exact:stable");
        assert_eq!(event.metadata["effect.scope"], json!(["audit", "security"]));

        let may = |power, subject| gate.request(power, &subject, &ORIGIN).is_ok();
        assert!(may(Power::Run, Subject::Command { asked: "git", path: None }));
        assert!(!may(Power::Run, Subject::Command { asked: "sh", path: None }));
        assert!(may(Power::Memory, Subject::Name("map")));
        assert!(!may(Power::Memory, Subject::Name(WRITABLE_CODE)));
        assert!(may(Power::Memory, Subject::Name("shared:pool")));
        assert!(!may(Power::Memory, Subject::Name("shared:other")));
        assert!(may(Power::Read, Subject::Path(Path::new("/anything"))));
        assert!(!may(Power::Syscall, Subject::Name("write")));
        assert!(may(Power::Syscall, Subject::Name("read")) && may(Power::Syscall, Subject::Name("read")));
        let denial = gate.request(Power::Syscall, &Subject::Name("read"), &ORIGIN).unwrap_err();
        assert!(denial.message().ends_with("a policy allows it 2 times in a second"));
    }

    #[test]
    fn the_digest_is_of_the_content() {
        let digest = policy().digest();
        assert_eq!(SecurityPolicy { name: "other".to_owned(), ..policy() }.digest(), digest);
        assert_ne!(SecurityPolicy { allowed_commands: None, ..policy() }.digest(), digest);
        assert_ne!(SecurityPolicy { allowed_commands: Some(vec![]), ..policy() }.digest(), digest);
    }

    #[test]
    fn policies_that_say_nothing_sensible_are_refused() {
        let hosts = SecurityPolicy { allowed_hosts: Some(vec!["a b".to_owned()]), ..policy() };
        assert!(
            hosts.to_policy(Path::new("/")).unwrap_err().to_string().starts_with("`allowed_hosts` of the security")
        );
        let limits = Some(ResourceLimits { processes: Some(0), ..ResourceLimits::default() });
        let zero = SecurityPolicy { resource_limits: limits, ..policy() };
        assert_eq!(zero.to_policy(Path::new("/")).unwrap_err(), SecurityPolicyError::Zero { field: "processes" });
    }

    fn refused(kind: CapabilityKind, change: impl FnOnce(&mut CapabilitySecurity), state: &SecurityState) -> String {
        let id = CapabilityId::new("demo").unwrap();
        let descriptor = CapabilityDescriptor::new(id, Stage::Beta, ["ffi", "audit", "security"]);
        let mut security = CapabilitySecurity::open(descriptor.effect_scope.clone());
        security.audit_required = true;
        security.permissions.insert(Permission::Runtime { operation: "VerifyAbi".to_owned() });
        change(&mut security);
        let handle = CapabilityHandle::new(kind, Capability::new(descriptor).with_security(security));
        state.verify_capability_security(&handle).map_or_else(|error| error.message, |()| String::new())
    }

    #[test]
    fn a_capability_keeps_what_it_promises() {
        let state = SecurityState::default();
        let ffi = |change: fn(&mut CapabilitySecurity)| refused(CapabilityKind::Ffi, change, &state);
        assert_eq!(ffi(|_| {}), "");
        assert_eq!(
            ffi(|security| _ = security.effect_scope.remove("audit")),
            "the conditions of `demo` do not speak of its effects audit; add them to their effect scope"
        );
        assert!(ffi(|security| security.audit_required = false).contains("have to be audited"));
        assert!(ffi(|security| security.permissions.clear()).contains("`Runtime(VerifyAbi)`"));
        assert!(ffi(|security| security.isolation_level = IsolationLevel::Sandboxed).contains("no sandbox profile"));
        let sandbox = |security: &mut CapabilitySecurity| {
            security.isolation_level = IsolationLevel::Sandboxed;
            security.sandbox = Some(SandboxProfile { name: "strict".into(), version: "1".into() });
        };
        assert_eq!(refused(CapabilityKind::Ffi, sandbox, &state), "");
        let asks = |security: &mut CapabilitySecurity| security.policy = Some(policy().digest());
        assert!(refused(CapabilityKind::Io, asks, &state).ends_with("but none is in force"));
        state.current.store(Some(policy().into()));
        assert_eq!(refused(CapabilityKind::Io, asks, &state), "");
        assert_eq!(
            refused(CapabilityKind::Process, |_| {}, &state),
            "`demo` cannot be registered: the security policy `strict` has no `resource_limits`"
        );
        let network = |security: &mut CapabilitySecurity| _ = security.effect_scope.insert("network".to_owned());
        assert!(refused(CapabilityKind::Actor, network, &state).contains("need the permission `Network`"));
    }

    #[test]
    fn a_pinned_signature_is_the_only_one() {
        let state = SecurityState::default();
        let signature =
            |digest: &str| Signature { issuer: "me".into(), algorithm: "sha256".into(), digest: digest.into() };
        state.pin_signature(CapabilityId::new("demo").unwrap(), signature("ab"));
        let signed =
            |digest: &str| refused(CapabilityKind::Io, |security| security.signature = Some(signature(digest)), &state);
        assert_eq!(signed("ab"), "");
        assert!(signed("cd").ends_with("its signature is one of `me`, cd"));
        assert!(refused(CapabilityKind::Io, |_| {}, &state).ends_with("its signature is none"));
    }
}
