//! How is a policy written on a command line?

use std::fmt;

use crate::pattern::Pattern;
use crate::policy::{AuditPolicy, Level, Volume};

/// A setting that is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingError {
    UnknownKey { key: String },
    BadValue { key: &'static str, value: String, expected: &'static str },
}

const KEYS: &str = "level, include, exclude, retention_days, anonymize_pii, volume, signal.raw_code";

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingError::UnknownKey { key } => write!(f, "an audit policy has no `{key}`; it has {KEYS}"),
            SettingError::BadValue { key, value, expected } => {
                write!(f, "`{value}` cannot be the `{key}` of an audit policy; it is {expected}")
            }
        }
    }
}

impl std::error::Error for SettingError {}

pub(super) fn level(text: &str) -> Option<Level> {
    Some(match text {
        "off" => Level::Off,
        "error" => Level::Error,
        "warning" => Level::Warning,
        "info" => Level::Info,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => return None,
    })
}

impl AuditPolicy {
    /// Changes one setting, as `--audit-policy key=value` does. Patterns are separated by commas and added to those there are.
    ///
    /// ```
    /// use reml_audit::policy::{AuditPolicy, Level};
    /// let mut policy = AuditPolicy::default();
    /// policy.set("level", "info").unwrap();
    /// policy.set("exclude", "io.fs.*,net.*").unwrap();
    /// assert_eq!((policy.level, policy.exclude.len()), (Level::Info, 2));
    /// assert!(policy.set("colour", "blue").unwrap_err().to_string().contains("has no `colour`"));
    /// ```
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let bad = |key, expected| SettingError::BadValue { key, value: value.to_owned(), expected };
        let patterns = || value.split(',').filter(|part| !part.is_empty()).map(Pattern::new);
        match key {
            "level" => {
                self.level =
                    level(value).ok_or_else(|| bad("level", "one of off, error, warning, info, debug and trace"))?;
            }
            "include" => self.include.extend(patterns()),
            "exclude" => self.exclude.extend(patterns()),
            "retention_days" => {
                let days = value.parse().map_err(|_| bad("retention_days", "a number of days"))?;
                self.retention_days = Some(days);
            }
            "anonymize_pii" => {
                self.anonymize_pii = value.parse().map_err(|_| bad("anonymize_pii", "true or false"))?;
            }
            "volume" => {
                self.volume = match value {
                    "summary" => Volume::Summary,
                    "full" => Volume::Full,
                    "debug" => Volume::Debug,
                    _ => return Err(bad("volume", "one of summary, full and debug")),
                };
            }
            "signal.raw_code" => {
                self.allow_raw_codes = match value {
                    "allow" => true,
                    "mask" => false,
                    _ => return Err(bad("signal.raw_code", "allow or mask")),
                };
            }
            _ => return Err(SettingError::UnknownKey { key: key.to_owned() }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_setting_can_be() {
        let error = |key, value| AuditPolicy::default().set(key, value).unwrap_err().to_string();
        assert_eq!(
            error("level", "loud"),
            "`loud` cannot be the `level` of an audit policy; it is one of off, error, warning, info, debug and trace"
        );
        for key in ["retention_days", "anonymize_pii", "volume", "signal.raw_code"] {
            assert!(error(key, "x").contains(key));
        }
    }
}
