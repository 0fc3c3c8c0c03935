//! Effect tags: which tags exist, which implies which, and how they are written.

use rustc_hash::FxHashMap;

use super::TagSet;

/// Core tags first, in display order; a dotted tag implies its parent.
const BUILTIN: &[&str] = &[
    "mut",
    "io",
    "io.async",
    "io.blocking",
    "io.timer",
    "io.network",
    "io.network.raw",
    "io.filesystem",
    "io.filesystem.raw",
    "panic",
    "unsafe",
    "ffi",
    "runtime",
    "syscall",
    "process",
    "thread",
    "memory",
    "signal",
    "hardware",
    "native",
    "realtime",
    "audit",
    "security",
    "mem",
    "debug",
    "trace",
    "unicode",
    "time",
    "config",
    "migration",
    "regex",
    "privacy",
    "cell",
    "rc",
    "jit",
    "test",
    "network",
    "db",
    "gpu",
    "async",
    "blocking",
];

pub(crate) const MUT: TagSet = 1;
pub(crate) const IO_ASYNC: TagSet = 1 << 2;
pub(crate) const IO_BLOCKING: TagSet = 1 << 3;
pub(crate) const IO_TIMER: TagSet = 1 << 4;
pub(crate) const PANIC: TagSet = 1 << 9;
pub(crate) const UNSAFE: TagSet = 1 << 10;
pub(crate) const FFI: TagSet = 1 << 11;
/// Not a tag of the language: what `@no_alloc` forbids. Never shown.
pub(crate) const ALLOC: TagSet = 1 << 127;

pub(crate) struct Tags {
    names: Vec<Box<str>>,
    index: FxHashMap<Box<str>, u32>,
}

impl Default for Tags {
    fn default() -> Self {
        let mut tags = Tags { names: Vec::new(), index: FxHashMap::default() };
        for &name in BUILTIN {
            tags.add(name);
        }
        tags
    }
}

impl Tags {
    /// The set of one tag, declaring it on first sight. Past 127 tags the rest share the last one.
    pub fn add(&mut self, name: &str) -> TagSet {
        if let Some(&index) = self.index.get(name) {
            return 1 << index;
        }
        if self.names.len() >= 127 {
            return 1 << 126;
        }
        let index = self.names.len() as u32;
        self.names.push(name.into());
        self.index.insert(name.into(), index);
        1 << index
    }

    /// The tag and everything it implies.
    pub fn lookup(&self, name: &str) -> Option<TagSet> {
        let mut set = 1u128 << *self.index.get(name)?;
        let mut parent = name;
        while let Some(dot) = parent.rfind('.') {
            parent = &parent[..dot];
            if let Some(&index) = self.index.get(parent) {
                set |= 1 << index;
            }
        }
        Some(set)
    }

    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The names of a set in display order: builtin order, then user effects alphabetically.
    pub fn names(&self, set: TagSet) -> Vec<&str> {
        let mut builtin = Vec::new();
        let mut user = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            if set & (1 << index) != 0 {
                if index < BUILTIN.len() { builtin.push(&**name) } else { user.push(&**name) }
            }
        }
        user.sort_unstable();
        builtin.extend(user);
        builtin
    }

    /// `{io, panic}`.
    pub fn show(&self, set: TagSet) -> String {
        format!("{{{}}}", self.names(set).join(", "))
    }
}
