//! How do a program and the registry of its process speak of capabilities? As JSON, which the library reads and writes.
//!
//! What is read here was written by the library, or by a program that has gone around it; so nothing is taken for granted, and what is not as it should be is
//! an error like others.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::contract::{CapabilityContract, ConductorCapabilityContract, ManifestCapabilities, ManifestEntry, Span};
use crate::descriptor::{
    CapabilityDescriptor, CapabilityProvider, CapabilitySecurity, EffectScope, IsolationLevel, Permission,
    SandboxProfile, Signature,
};
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::handle::{Capability, CapabilityHandle, CapabilityKind};
use crate::id::CapabilityId;
use crate::limits::{CpuQuota, MemoryLimit};
use crate::security::{MemoryPolicy, PathPolicy, ResourceLimits, SecurityPolicy, SyscallPolicy};
use crate::stage::{Stage, StageRequirement};

type Read<T> = Result<T, Box<CapabilityError>>;

/// A capability: its descriptor, its conditions, and its kind under `kind`.
pub fn handle_json(handle: &CapabilityHandle) -> Value {
    let capability = handle.capability();
    let mut json = capability.descriptor().to_json(capability.security());
    if let Some(members) = json.as_object_mut() {
        members.insert("kind".to_owned(), handle.kind().label().into());
        if let Some(security) = members.get_mut("security").and_then(Value::as_object_mut) {
            security.insert("effect_scope".to_owned(), json!(capability.security().effect_scope));
        }
    }
    json
}

/// The capability that such JSON describes, for the registry.
///
/// # Errors
///
/// `InvalidHandle`.
pub fn read_handle(text: &str) -> Read<CapabilityHandle> {
    let json = parse(text)?;
    let label = text_of(&json, "kind")?;
    let kind = CapabilityKind::ALL.iter().find(|kind| kind.label() == label);
    let kind = *kind.ok_or_else(|| malformed(format!("there is no kind of capabilities called `{label}`")))?;
    let stage = text_of(&json, "stage")?;
    let descriptor = CapabilityDescriptor {
        id: id(text_of(&json, "id")?)?,
        stage: Stage::parse(stage).ok_or_else(|| malformed(format!("`{stage}` is not a stage")))?,
        effect_scope: texts(&json, "effect_scope")?,
        provider: provider(&json["provider"])?,
        manifest_path: optional_text(&json, "manifest_path"),
        last_verified_at: None,
    };
    let security = match &json["security"] {
        Value::Null => CapabilitySecurity::open(descriptor.effect_scope.clone()),
        conditions => read_security(conditions, &descriptor.effect_scope)?,
    };
    let mut capability = Capability::new(descriptor).with_security(security);
    for needed in texts(&json, "dependencies")? {
        capability = capability.depends_on(id(&needed)?);
    }
    Ok(CapabilityHandle::new(kind, capability))
}

/// An error, with all that is known about it.
pub fn error_json(error: &CapabilityError) -> Value {
    json!({
        "kind": format!("{:?}", error.kind),
        "code": error.kind.code(),
        "message": error.message,
        "capability_id": error.capability_id.as_ref().map(CapabilityId::as_str),
        "required_stage": error.required_stage.map(|stage| stage.to_string()),
        "actual_stage": error.actual_stage.map(Stage::name),
        "capability_metadata": error.capability_metadata.as_ref().map(|descriptor| {
            descriptor.to_json(&CapabilitySecurity::open(descriptor.effect_scope.clone()))
        }),
        "missing_effects": error.missing_effects,
    })
}

/// What a conductor requires: `name`, `requirements`, and perhaps `manifest` with `path` and `capabilities`.
///
/// # Errors
///
/// `InvalidHandle`, and `ManifestLoadFailure` for entries that say nothing.
pub fn read_contract(text: &str) -> Read<ConductorCapabilityContract> {
    let json = parse(text)?;
    let requirement = |entry: &Value| {
        let stage = text_of(entry, "stage")?;
        Ok(CapabilityContract {
            id: id(text_of(entry, "id")?)?,
            stage: requirement(stage)?,
            declared_effects: texts(entry, "declared_effects")?,
            source_span: span(&entry["source_span"]),
            inactive: false,
        })
    };
    let manifest = match &json["manifest"] {
        Value::Null => None,
        manifest => {
            let mut entries = Vec::new();
            for entry in list(manifest, "capabilities") {
                entries.push(ManifestEntry {
                    id: text_of(entry, "id")?,
                    stage: entry["stage"].as_str(),
                    declared_effects: texts(entry, "declared_effects")?,
                    source_span: span(&entry["source_span"]),
                    provider: optional_text(entry, "provider"),
                });
            }
            Some(ManifestCapabilities::new(text_of(manifest, "path")?, entries)?)
        }
    };
    Ok(ConductorCapabilityContract {
        name: text_of(&json, "name")?.to_owned(),
        requirements: list(&json, "requirements").iter().map(requirement).collect::<Read<_>>()?,
        manifest,
    })
}

/// `beta`, `at_least:beta`.
///
/// # Errors
///
/// `InvalidHandle`.
pub fn requirement(text: &str) -> Read<StageRequirement> {
    StageRequirement::parse(text).ok_or_else(|| malformed(format!("`{text}` is not a requirement of a stage")))
}

/// A policy that a program wants to put into force. What is absent or null lists nothing.
///
/// # Errors
///
/// `InvalidHandle`.
pub fn read_policy(text: &str) -> Read<SecurityPolicy> {
    let json = parse(text)?;
    let given = |key: &str| Some(&json[key]).filter(|value| !value.is_null());
    let patterns = |key: &str| given(key).map(|_| words(&json, key)).transpose();
    let roots = patterns("allowed_roots")?;
    Ok(SecurityPolicy {
        name: text_of(&json, "name")?.to_owned(),
        syscalls: given("syscalls")
            .map(|it| {
                Ok::<_, Box<CapabilityError>>(SyscallPolicy {
                    allowed: texts(it, "allowed")?,
                    denied: texts(it, "denied")?,
                    rate_limit: number(it, "rate_limit")?,
                    require_audit: flag(it, "require_audit"),
                })
            })
            .transpose()?,
        allowed_commands: patterns("allowed_commands")?,
        allowed_signals: patterns("allowed_signals")?,
        allowed_hosts: patterns("allowed_hosts")?,
        paths: roots.map(|allowed_roots| PathPolicy {
            allowed_roots,
            allow_relative: flag(&json, "relative"),
            allow_symlinks: false,
        }),
        memory: given("memory")
            .map(|it| {
                Ok::<_, Box<CapabilityError>>(MemoryPolicy {
                    max_usage: number(it, "max_usage")?,
                    allow_fixed_mapping: flag(it, "allow_fixed_mapping"),
                    allow_rwx: flag(it, "allow_rwx"),
                    allowed_shared_memory: words(it, "allowed_shared_memory")?,
                })
            })
            .transpose()?,
        resource_limits: given("resource_limits")
            .map(|it| {
                let memory: Option<u64> = number(it, "memory_bytes")?;
                let cores: Option<u32> = number(it, "milli_cores")?;
                let zero = |_| malformed("a limit of 0 allows nothing; leave it out for no limit".to_owned());
                Ok::<_, Box<CapabilityError>>(ResourceLimits {
                    memory: match memory {
                        None => MemoryLimit::Unlimited,
                        Some(bytes) => MemoryLimit::Absolute { bytes: bytes.try_into().map_err(zero)? },
                    },
                    cpu: match cores {
                        None => CpuQuota::Unlimited,
                        Some(cores) => CpuQuota::MilliCores(cores.try_into().map_err(zero)?),
                    },
                    processes: number(it, "processes")?,
                })
            })
            .transpose()?,
    })
}

fn read_security(json: &Value, effects: &EffectScope) -> Read<CapabilitySecurity> {
    let level = text_of(json, "isolation_level")?;
    let levels = [IsolationLevel::None, IsolationLevel::Sandboxed, IsolationLevel::FullIsolation];
    let isolation = levels.into_iter().find(|it| it.name() == level);
    let signature = &json["signature"];
    let sandbox = &json["sandbox_profile"];
    Ok(CapabilitySecurity {
        signature: match signature {
            Value::Null => None,
            _ => Some(Signature {
                issuer: text_of(signature, "issuer")?.to_owned(),
                algorithm: text_of(signature, "algorithm")?.to_owned(),
                digest: text_of(signature, "digest")?.to_owned(),
            }),
        },
        permissions: list(json, "permissions").iter().map(permission).collect::<Read<_>>()?,
        isolation_level: isolation.ok_or_else(|| malformed(format!("`{level}` is not a level of isolation")))?,
        audit_required: flag(json, "audit_required"),
        effect_scope: match &json["effect_scope"] {
            Value::Null => effects.clone(),
            _ => texts(json, "effect_scope")?,
        },
        policy: optional_text(json, "policy"),
        sandbox: match sandbox {
            Value::Null => None,
            _ => Some(SandboxProfile {
                name: text_of(sandbox, "name")?.to_owned(),
                version: text_of(sandbox, "version")?.to_owned(),
            }),
        },
    })
}

fn provider(json: &Value) -> Read<CapabilityProvider> {
    let version = optional_text(json, "version");
    Ok(match json["kind"].as_str() {
        None | Some("core") => CapabilityProvider::Core,
        Some("plugin") => CapabilityProvider::Plugin { package: text_of(json, "package")?.to_owned(), version },
        Some("external_bridge") => {
            CapabilityProvider::ExternalBridge { name: text_of(json, "name")?.to_owned(), version }
        }
        Some("runtime_component") => CapabilityProvider::RuntimeComponent { name: text_of(json, "name")?.to_owned() },
        Some(other) => return Err(malformed(format!("there is no kind of providers called `{other}`"))),
    })
}

fn permission(json: &Value) -> Read<Permission> {
    let pattern = || Ok::<_, Box<CapabilityError>>(text_of(json, "pattern")?.to_owned());
    Ok(match text_of(json, "kind")? {
        "read_config" => Permission::ReadConfig,
        "write_config" => Permission::WriteConfig,
        "file_system" => Permission::FileSystem { pattern: pattern()? },
        "network" => Permission::Network { pattern: pattern()? },
        "runtime" => Permission::Runtime { operation: text_of(json, "operation")?.to_owned() },
        other => return Err(malformed(format!("there is no kind of permissions called `{other}`"))),
    })
}

fn malformed(message: String) -> Box<CapabilityError> {
    CapabilityError::new(CapabilityErrorKind::InvalidHandle, message)
}

fn parse(text: &str) -> Read<Value> {
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| malformed(format!("what is said of a capability is not an object of JSON: {error}")))?;
    Ok(Value::Object(object))
}

fn id(text: &str) -> Read<CapabilityId> {
    CapabilityId::new(text).map_err(|error| malformed(error.to_string()))
}

fn text_of<'j>(json: &'j Value, key: &str) -> Read<&'j str> {
    json[key].as_str().ok_or_else(|| malformed(format!("`{key}` is missing, or not a text")))
}

fn optional_text(json: &Value, key: &str) -> Option<String> {
    json[key].as_str().map(str::to_owned)
}

fn list<'j>(json: &'j Value, key: &str) -> &'j [Value] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

fn words(json: &Value, key: &str) -> Read<Vec<String>> {
    let word = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| malformed(format!("`{key}` holds something that is not a text")))
    };
    list(json, key).iter().map(word).collect()
}

fn texts(json: &Value, key: &str) -> Read<BTreeSet<String>> {
    Ok(words(json, key)?.into_iter().collect())
}

fn flag(json: &Value, key: &str) -> bool {
    json[key].as_bool().unwrap_or(false)
}

/// A number that is not negative; `None` if there is none.
fn number<N: TryFrom<u64>>(json: &Value, key: &str) -> Read<Option<N>> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(|value| N::try_from(value).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(malformed(format!("`{key}` is {value}, which is out of range"))),
        },
    }
}

fn span(json: &Value) -> Option<Span> {
    let at = |index: usize| json.get(index)?.as_u64()?.try_into().ok();
    Some((at(0)?, at(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::CapabilityRegistry;
    use std::path::Path;

    #[test]
    fn all_capabilities_come_back_as_they_are() {
        for handle in CapabilityRegistry::with_builtins().handles_all() {
            let read = read_handle(&handle_json(&handle).to_string()).unwrap();
            assert_eq!(read.kind(), handle.kind());
            assert_eq!(read.capability().descriptor(), handle.capability().descriptor());
            assert_eq!(read.capability().security(), handle.capability().security());
        }
    }

    #[test]
    fn conditions_and_providers_come_back() {
        let text = r#"{"id":"demo.cap","kind":"io","stage":"beta","effect_scope":["io"],"dependencies":["core.io"],
            "provider":{"kind":"plugin","package":"demo","version":"1"},
            "security":{"isolation_level":"sandboxed","audit_required":true,"effect_scope":["io","audit"],
                "permissions":[{"kind":"network","pattern":"*.example.com"},{"kind":"read_config"}],
                "sandbox_profile":{"name":"strict","version":"1"},
                "signature":{"issuer":"demo","algorithm":"ed25519","digest":"00"}}}"#;
        let handle = read_handle(text).unwrap();
        let capability = handle.capability();
        assert_eq!(capability.facts().provider.to_string(), "plugin:demo@1");
        assert!(capability.security().audit_required && capability.security().permissions.len() == 2);
        assert_eq!(capability.dependencies()[0].as_str(), "core.io");
        let json = handle_json(&handle);
        assert_eq!(json["security"]["signature"]["issuer"], "demo");
        assert_eq!(json["kind"], "io");
    }

    #[test]
    fn what_says_nothing_is_an_error() {
        for (text, told) in [
            ("[]", "not an object of JSON"),
            ("{}", "`kind` is missing"),
            (r#"{"kind":"x"}"#, "no kind of capabilities called `x`"),
            (r#"{"kind":"io","stage":"alpha","id":"a"}"#, "`alpha` is not a stage"),
            (r#"{"kind":"io","stage":"beta","id":"A"}"#, "`A` is not the name"),
            (r#"{"kind":"io","stage":"beta","id":"a","effect_scope":[1]}"#, "`effect_scope` holds something"),
        ] {
            let error = read_handle(text).unwrap_err();
            assert!(error.message.contains(told), "{text}: {}", error.message);
        }
        assert!(
            read_policy(r#"{"name":"p","syscalls":{"rate_limit":-1}}"#).unwrap_err().message.contains("out of range")
        );
        assert!(
            read_policy(r#"{"name":"p","resource_limits":{"memory_bytes":0}}"#)
                .unwrap_err()
                .message
                .contains("limit of 0")
        );
    }

    #[test]
    fn policies_list_what_they_are_given() {
        let policy = read_policy(
            r#"{"name":"p","allowed_roots":["/srv"],"relative":true,"allowed_hosts":[],"memory":{"allow_rwx":true},
                "syscalls":{"allowed":["read"],"rate_limit":5},"resource_limits":{"milli_cores":500,"processes":2}}"#,
        )
        .unwrap();
        assert_eq!(policy.paths.as_ref().unwrap().allowed_roots, ["/srv"]);
        assert_eq!(policy.allowed_hosts.as_deref(), Some(&[][..]));
        assert_eq!(policy.allowed_commands, None);
        assert_eq!(policy.syscalls.as_ref().unwrap().rate_limit, Some(5));
        assert!(policy.to_policy(Path::new("/")).is_ok());
    }

    #[test]
    fn contracts_come_with_their_manifest() {
        let contract = read_contract(
            r#"{"name":"c","requirements":[{"id":"io","stage":"at_least:stable","declared_effects":["io"],"source_span":[1,2]}],
                "manifest":{"path":"reml.toml","capabilities":[{"id":"io","stage":"at_least:stable","declared_effects":["io"],"source_span":[1,2]}]}}"#,
        )
        .unwrap();
        assert_eq!(contract.requirements[0].id.as_str(), "core.io");
        assert_eq!(CapabilityRegistry::with_builtins().verify_conductor_contract(&contract), Ok(()));
        let error = read_contract(r#"{"name":"c","manifest":{"path":"reml.toml","capabilities":[{"id":"io"}]}}"#);
        assert_eq!(error.unwrap_err().kind, CapabilityErrorKind::ManifestLoadFailure);
        let error = CapabilityRegistry::empty().verify_conductor_contract(&contract).unwrap_err();
        let json = error_json(&error);
        assert_eq!(json["kind"], "NotFound");
        assert_eq!(json["required_stage"], "at_least:stable");
    }
}
