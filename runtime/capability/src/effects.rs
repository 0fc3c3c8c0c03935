//! Which capability does an effect need?
//!
//! An effect that a program declares is backed by a capability of its own name. The effects of the language are backed
//! by subsystems of the runtime.

use crate::stage::Stage;

/// Effects of the language, and the capability that stands behind each of them in the registry. Effects that are not
/// here, as `mut` and `panic`, are nothing but computation.
const BACKED: &[(&str, &str)] = &[
    ("async", "core.async.scheduler"),
    ("audit", "core.audit"),
    ("blocking", "core.io"),
    ("ffi", "runtime.ffi.default"),
    ("hardware", "core.hardware"),
    ("io", "core.io"),
    ("io.async", "core.async.scheduler"),
    ("io.blocking", "core.io"),
    ("io.filesystem", "core.fs"),
    ("io.filesystem.raw", "core.fs"),
    ("io.network", "net.tcp.connect"),
    ("io.network.raw", "net.tcp.connect"),
    ("io.timer", "core.async.scheduler"),
    ("memory", "core.memory"),
    ("native", "native.intrinsic"),
    ("network", "net.tcp.connect"),
    ("process", "core.process"),
    ("rc", "core.collections.ref"),
    ("realtime", "core.realtime"),
    ("regex", "core.regex"),
    ("runtime", "core.runtime"),
    ("security", "core.security"),
    ("signal", "core.signal"),
    ("syscall", "core.system"),
    ("thread", "core.process"),
];

/// The effects of the table.
pub fn backed() -> impl Iterator<Item = (&'static str, &'static str)> {
    BACKED.iter().copied()
}

/// The capability of the registry that an effect of the language needs.
pub fn backing(effect: &str) -> Option<&'static str> {
    BACKED.binary_search_by_key(&effect, |&(tag, _)| tag).ok().map(|index| BACKED[index].1)
}

/// What the capability of an effect is called in attributes, manifests and stage tables: as the effect, `ForeignCall`
/// as `foreign-call`.
///
/// ```
/// use reml_capability::effects::capability_named;
/// assert_eq!(capability_named("ForeignCall"), "foreign-call");
/// assert_eq!(capability_named("io.async"), "io.async");
/// ```
pub fn capability_named(effect: &str) -> String {
    let mut id = String::with_capacity(effect.len() + 2);
    for (index, c) in effect.char_indices() {
        if c.is_uppercase() && index > 0 {
            id.push('-');
        }
        id.extend(c.to_lowercase());
    }
    id
}

/// How settled the capability of an effect is when no table says so: what a program declares is an experiment, what
/// the language has is stable.
pub fn default_stage(declared_by_program: bool) -> Stage {
    if declared_by_program { Stage::Experimental } else { Stage::Stable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CapabilityId;

    #[test]
    fn the_table_is_sorted_and_names_capabilities() {
        assert!(BACKED.is_sorted_by_key(|&(tag, _)| tag));
        for (tag, id) in BACKED {
            assert_eq!(backing(tag), Some(*id));
            assert_eq!(CapabilityId::new(id).unwrap().as_str(), *id);
        }
        assert_eq!(backing("mut"), None);
    }
}
