//! What can go wrong with a reload, and where does that leave the value?

use std::fmt;

use super::RollbackInfo;
use crate::diagnostic::codes;

/// Why a difference is refused before anything happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is no difference of this value, or not in the format of the bridge.
    Invalid(String),
    /// It is one, and would do harm.
    Rejected(String),
}

/// What was done about a failure.
#[derive(Clone, PartialEq, Debug)]
pub enum Undone {
    /// Nothing had to be, or could be.
    Nothing,
    /// The old value is back.
    RolledBack,
    /// The caller can take the reload back with this.
    Possible(Box<RollbackInfo>),
}

#[derive(Clone, PartialEq, Debug)]
pub enum ReloadError {
    /// Nothing has happened.
    ValidationFailed(Refusal),
    ApplyFailed {
        detail: String,
        undone: Undone,
    },
    /// The reload has failed, and so has taking it back.
    RollbackFailed {
        cause: String,
        detail: String,
        info: Box<RollbackInfo>,
    },
    /// Events that have to be recorded were not.
    AuditIncomplete {
        missing: Vec<String>,
        detail: String,
        undone: Undone,
    },
}

impl Refusal {
    pub fn detail(&self) -> &str {
        match self {
            Refusal::Invalid(detail) | Refusal::Rejected(detail) => detail,
        }
    }
}

impl ReloadError {
    /// The diagnostic code.
    pub fn code(&self) -> &'static str {
        match self {
            ReloadError::ValidationFailed(Refusal::Invalid(_)) => codes::DIFF_INVALID,
            ReloadError::ValidationFailed(Refusal::Rejected(_)) => codes::DIFF_REJECTED,
            ReloadError::ApplyFailed { .. } | ReloadError::RollbackFailed { .. } => codes::RELOAD_FAILED,
            ReloadError::AuditIncomplete { .. } => codes::MISSING_EVENT,
        }
    }

    /// What was done about it.
    pub fn undone(&self) -> &Undone {
        match self {
            ReloadError::ApplyFailed { undone, .. } | ReloadError::AuditIncomplete { undone, .. } => undone,
            ReloadError::ValidationFailed(_) | ReloadError::RollbackFailed { .. } => &Undone::Nothing,
        }
    }

    /// What would still bring the old value back, where it is not.
    pub fn way_back(&self) -> Option<&RollbackInfo> {
        match (self, self.undone()) {
            (ReloadError::RollbackFailed { info, .. }, _) | (_, Undone::Possible(info)) => Some(info),
            _ => None,
        }
    }

    pub(super) fn with(self, now: Undone) -> ReloadError {
        match self {
            ReloadError::ApplyFailed { detail, .. } => ReloadError::ApplyFailed { detail, undone: now },
            ReloadError::AuditIncomplete { missing, detail, .. } => {
                ReloadError::AuditIncomplete { missing, detail, undone: now }
            }
            other => other,
        }
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::ValidationFailed(refusal) => f.write_str(refusal.detail())?,
            ReloadError::ApplyFailed { detail, .. } => write!(f, "the reload has failed: {detail}")?,
            ReloadError::RollbackFailed { cause, detail, .. } => {
                write!(f, "{cause}, and the old value could not be brought back: {detail}")?;
            }
            ReloadError::AuditIncomplete { missing, detail, .. } => {
                write!(f, "events that have to be recorded are missing ({}): {detail}", missing.join(", "))?;
            }
        }
        match self.undone() {
            Undone::Nothing => Ok(()),
            Undone::RolledBack => f.write_str("; the old value is back"),
            Undone::Possible(_) => f.write_str("; it can be rolled back"),
        }
    }
}

impl std::error::Error for ReloadError {}
