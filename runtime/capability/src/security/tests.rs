//! Policies of a program as the gate sees them, and conditions of registration.

use std::path::Path;
use std::sync::Arc;

use reml_audit::sinks::Memory;
use serde_json::json;

use super::*;
use crate::CapabilityRegistry;
use crate::descriptor::{
    CapabilityDescriptor, CapabilitySecurity, IsolationLevel, Permission, SandboxProfile, Signature,
};
use crate::gate::{Gate, Origin};
use crate::handle::{Capability, CapabilityHandle, CapabilityKind};
use crate::id::CapabilityId;
use crate::policy::{Grants, Mode, Policy, Power, Subject};
use crate::stage::{Stage, StageRequirement};

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

    let refused = registry.verify_capability_stage("process", requirement, &[]).unwrap_err();
    security.audit_violation(&gate, &refused).unwrap();
    let event = &sink.events()[1];
    assert_eq!(event.kind.name(), "security.violation");
    assert_eq!(event.metadata["security.tripped_capability"], "core.process");
    assert_eq!(event.metadata["policy_digest"], digest);

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
fn shared_memory_of_any_name_can_be_allowed() {
    let memory = MemoryPolicy { allowed_shared_memory: vec!["*".to_owned()], ..MemoryPolicy::default() };
    let policy = SecurityPolicy { memory: Some(memory), ..policy() }.to_policy(Path::new("/")).unwrap();
    let may = |name| policy.grants().decide(Power::Memory, &Subject::Name(name)).is_allowed();
    assert!(may("shared:pool") && may("map") && !may(FIXED_MAPPING));
}

#[test]
fn policies_that_say_nothing_sensible_are_refused() {
    let hosts = SecurityPolicy { allowed_hosts: Some(vec!["a b".to_owned()]), ..policy() };
    assert!(hosts.to_policy(Path::new("/")).unwrap_err().to_string().starts_with("`allowed_hosts` of the security"));
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
    let signature = |digest: &str| Signature { issuer: "me".into(), algorithm: "sha256".into(), digest: digest.into() };
    state.pin_signature(CapabilityId::new("demo").unwrap(), signature("ab"));
    let signed =
        |digest: &str| refused(CapabilityKind::Io, |security| security.signature = Some(signature(digest)), &state);
    assert_eq!(signed("ab"), "");
    assert!(signed("cd").ends_with("its signature is one of `me`, cd"));
    assert!(refused(CapabilityKind::Io, |_| {}, &state).ends_with("its signature is none"));
}
