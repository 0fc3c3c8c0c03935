//! What is the name of a capability?
//!
//! Words joined by dots, as `net.tcp.connect`. The capabilities of the runtime's own subsystems have a short name
//! beside the canonical one, `process` for `core.process`; an id is always canonical.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// What can be named without `core.` before it.
const SHORT: &[&str] = &[
    "actor", "async", "audit", "ffi", "gc", "hardware", "io", "memory", "metrics", "platform", "plugins", "process",
    "realtime", "regex", "security", "signal", "system", "tracing",
];

/// The canonical name of a capability. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CapabilityId(Arc<str>);

/// Not the name of any capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidId(pub String);

impl CapabilityId {
    /// The capability that the text names, canonically or shortly.
    ///
    /// ```
    /// use reml_capability::CapabilityId;
    /// assert_eq!(CapabilityId::new("process").unwrap(), CapabilityId::new("core.process").unwrap());
    /// assert_eq!(CapabilityId::new("process").unwrap().alias(), Some("process"));
    /// assert!(CapabilityId::new("No capability").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not the name of a capability.
    pub fn new(text: &str) -> Result<CapabilityId, InvalidId> {
        if SHORT.binary_search(&text).is_ok() {
            return Ok(CapabilityId(format!("core.{text}").into()));
        }
        let word = |word: &str| {
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            !word.is_empty() && word.chars().all(inner)
        };
        if !text.split('.').all(word) {
            return Err(InvalidId(text.to_owned()));
        }
        Ok(CapabilityId(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its short name, if it has one.
    pub fn alias(&self) -> Option<&str> {
        let short = self.0.strip_prefix("core.")?;
        SHORT.binary_search(&short).is_ok().then_some(short)
    }
}

impl Borrow<str> for CapabilityId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CapabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not the name of a capability; names are lower-case words joined by dots, as `net.tcp.connect`",
            self.0
        )
    }
}

impl std::error::Error for InvalidId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_sorted_and_lead_to_canonical_ones() {
        assert!(SHORT.is_sorted());
        for short in SHORT {
            let id = CapabilityId::new(short).unwrap();
            assert_eq!(id.as_str(), format!("core.{short}"));
            assert_eq!(id.alias(), Some(*short));
        }
        assert_eq!(CapabilityId::new("io.fs.read").unwrap().alias(), None);
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in ["", ".", "a..b", "a.", "A", "a b", "ä"] {
            assert_eq!(CapabilityId::new(text), Err(InvalidId(text.to_owned())));
        }
        assert!(CapabilityId::new("foreign-call").is_ok());
    }
}
