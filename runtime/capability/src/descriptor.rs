//! What is known of a capability: how settled it is, what it may do, who provides it, and under which conditions.

use std::collections::BTreeSet;
use std::fmt;

use reml_audit::Timestamp;
use serde_json::{Value, json};

use crate::id::CapabilityId;
use crate::stage::Stage;

/// A set of effect tags.
pub type EffectScope = BTreeSet<String>;

#[derive(Clone, PartialEq, Debug)]
pub struct CapabilityDescriptor {
    pub id: CapabilityId,
    pub stage: Stage,
    /// All effects that using it can have.
    pub effect_scope: EffectScope,
    pub provider: CapabilityProvider,
    /// The manifest that declares it.
    pub manifest_path: Option<String>,
    /// When its stage was last verified with success.
    pub last_verified_at: Option<Timestamp>,
}

/// Who provides a capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CapabilityProvider {
    Core,
    Plugin { package: String, version: Option<String> },
    ExternalBridge { name: String, version: Option<String> },
    RuntimeComponent { name: String },
}

/// Under which conditions a capability is provided.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CapabilitySecurity {
    pub signature: Option<Signature>,
    pub permissions: BTreeSet<Permission>,
    pub isolation_level: IsolationLevel,
    /// Uses have to be recorded.
    pub audit_required: bool,
    /// The effects that the conditions are about: all of the descriptor's, or more.
    pub effect_scope: EffectScope,
    /// The digest of the security policy that has to be in force.
    pub policy: Option<String>,
    pub sandbox: Option<SandboxProfile>,
}

/// What a capability may do besides having its effects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Permission {
    ReadConfig,
    WriteConfig,
    FileSystem { pattern: String },
    Network { pattern: String },
    Runtime { operation: String },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum IsolationLevel {
    #[default]
    None,
    Sandboxed,
    FullIsolation,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SandboxProfile {
    pub name: String,
    pub version: String,
}

/// Who vouches for what provides a capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    pub issuer: String,
    pub algorithm: String,
    /// Hexadecimal digits.
    pub digest: String,
}

impl CapabilityDescriptor {
    /// Provided by the runtime, without a manifest.
    pub fn new<'e>(
        id: CapabilityId,
        stage: Stage,
        effect_scope: impl IntoIterator<Item = &'e str>,
    ) -> CapabilityDescriptor {
        CapabilityDescriptor {
            id,
            stage,
            effect_scope: effect_scope.into_iter().map(str::to_owned).collect(),
            provider: CapabilityProvider::Core,
            manifest_path: None,
            last_verified_at: None,
        }
    }

    /// As `capability describe` prints it.
    pub fn to_json(&self, security: &CapabilitySecurity) -> Value {
        json!({
            "id": self.id.as_str(),
            "stage": self.stage.name(),
            "effect_scope": self.effect_scope,
            "provider": self.provider.to_json(),
            "manifest_path": self.manifest_path,
            "last_verified_at": self.last_verified_at.map(|time| {
                json!({ "seconds": time.as_second(), "nanos": time.subsec_nanosecond() })
            }),
            "security": security.to_json(),
        })
    }
}

impl CapabilityProvider {
    /// `core`, `plugin`, `external_bridge` or `runtime_component`.
    pub fn kind(&self) -> &'static str {
        match self {
            CapabilityProvider::Core => "core",
            CapabilityProvider::Plugin { .. } => "plugin",
            CapabilityProvider::ExternalBridge { .. } => "external_bridge",
            CapabilityProvider::RuntimeComponent { .. } => "runtime_component",
        }
    }

    fn to_json(&self) -> Value {
        let kind = self.kind();
        match self {
            CapabilityProvider::Core => json!({ "kind": kind }),
            CapabilityProvider::Plugin { package, version } => {
                json!({ "kind": kind, "package": package, "version": version })
            }
            CapabilityProvider::ExternalBridge { name, version } => {
                json!({ "kind": kind, "name": name, "version": version })
            }
            CapabilityProvider::RuntimeComponent { name } => json!({ "kind": kind, "name": name }),
        }
    }
}

/// As the audit log has it: `plugin:demo@1.2`.
impl fmt::Display for CapabilityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name, version) = match self {
            CapabilityProvider::Core => return f.write_str("core"),
            CapabilityProvider::Plugin { package, version } => ("plugin", package, version),
            CapabilityProvider::ExternalBridge { name, version } => ("bridge", name, version),
            CapabilityProvider::RuntimeComponent { name } => ("runtime", name, &None),
        };
        write!(f, "{word}:{name}")?;
        version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

impl CapabilitySecurity {
    /// Demands nothing, for a capability of this scope.
    pub fn open(effect_scope: EffectScope) -> CapabilitySecurity {
        CapabilitySecurity { effect_scope, ..CapabilitySecurity::default() }
    }

    fn to_json(&self) -> Value {
        json!({
            "audit_required": self.audit_required,
            "isolation_level": self.isolation_level.name(),
            "permissions": self.permissions.iter().map(Permission::to_json).collect::<Vec<_>>(),
            "sandbox_profile": self.sandbox.as_ref().map(|profile| {
                json!({ "name": profile.name, "version": profile.version })
            }),
            "signature": self.signature.as_ref().map(|signature| {
                json!({ "issuer": signature.issuer, "algorithm": signature.algorithm, "digest": signature.digest })
            }),
            "policy": self.policy,
        })
    }
}

impl Permission {
    fn to_json(&self) -> Value {
        match self {
            Permission::ReadConfig => json!({ "kind": "read_config" }),
            Permission::WriteConfig => json!({ "kind": "write_config" }),
            Permission::FileSystem { pattern } => json!({ "kind": "file_system", "pattern": pattern }),
            Permission::Network { pattern } => json!({ "kind": "network", "pattern": pattern }),
            Permission::Runtime { operation } => json!({ "kind": "runtime", "operation": operation }),
        }
    }
}

impl IsolationLevel {
    pub fn name(self) -> &'static str {
        match self {
            IsolationLevel::None => "none",
            IsolationLevel::Sandboxed => "sandboxed",
            IsolationLevel::FullIsolation => "full_isolation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_as_the_reference_shows_it() {
        let mut descriptor =
            CapabilityDescriptor::new(CapabilityId::new("demo.cap").unwrap(), Stage::Beta, ["io", "audit"]);
        descriptor.provider = CapabilityProvider::Plugin { package: "demo".into(), version: None };
        let mut security = CapabilitySecurity::open(descriptor.effect_scope.clone());
        assert_eq!(
            descriptor.to_json(&security).to_string(),
            r#"{"id":"demo.cap","stage":"beta","effect_scope":["audit","io"],"provider":{"kind":"plugin","package":"demo","version":null},"manifest_path":null,"last_verified_at":null,"security":{"audit_required":false,"isolation_level":"none","permissions":[],"sandbox_profile":null,"signature":null,"policy":null}}"#
        );
        security.permissions.insert(Permission::FileSystem { pattern: "/data".into() });
        security.sandbox = Some(SandboxProfile { name: "strict".into(), version: "1".into() });
        descriptor.last_verified_at = Some(Timestamp::new(5, 7).unwrap());
        let json = descriptor.to_json(&security);
        assert_eq!(json["last_verified_at"].to_string(), r#"{"seconds":5,"nanos":7}"#);
        assert_eq!(json["security"]["permissions"][0].to_string(), r#"{"kind":"file_system","pattern":"/data"}"#);
        assert_eq!(json["security"]["sandbox_profile"]["name"], "strict");
    }

    #[test]
    fn providers_are_short_in_the_log() {
        let version = Some("1.2".to_owned());
        let shown = [
            CapabilityProvider::Core,
            CapabilityProvider::Plugin { package: "demo".into(), version },
            CapabilityProvider::ExternalBridge { name: "fs".into(), version: None },
            CapabilityProvider::RuntimeComponent { name: "mock".into() },
        ]
        .map(|provider| provider.to_string());
        assert_eq!(shown, ["core", "plugin:demo@1.2", "bridge:fs", "runtime:mock"]);
    }
}
