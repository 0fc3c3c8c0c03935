//! What does a bridge report that is no failure, or not only one? Values, which a command line or an editor shows as it shows its own.

use serde_json::Value;

/// The codes of this crate.
pub mod codes {
    pub const CONTRACT_VIOLATION: &str = "bridge.contract.violation";
    pub const UNKNOWN: &str = "bridge.unknown";
    pub const STAGE_EXPERIMENTAL: &str = "bridge.stage.experimental";
    pub const STAGE_BACKPRESSURE: &str = "bridge.stage.backpressure";
    pub const TARGET_MISMATCH: &str = "bridge.target.mismatch";
    pub const MISSING_EVENT: &str = "bridge.audit.missing_event";
    pub const DIFF_INVALID: &str = "bridge.diff.invalid";
    pub const DIFF_REJECTED: &str = "bridge.diff.rejected";
    pub const RELOAD_FAILED: &str = "bridge.reload.failed";
    pub const RELOAD_UNSUPPORTED: &str = "bridge.reload.unsupported";
    /// Of the capability layer, reused where the stage of a bridge is the reason.
    pub const STAGE_MISMATCH: &str = "effects.contract.stage_mismatch";
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Clone, PartialEq, Debug)]
pub struct BridgeDiagnostic {
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// Under `extensions["bridge"]`.
    pub extension: Value,
    /// Ids of the capabilities that it is about.
    pub related: Vec<String>,
}
