//! Effect tags: which tags exist, which implies which, and how they are written.

use std::rc::Rc;

use rustc_hash::FxHashMap;

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

/// A set of effect tags, by index into [`Tags`]. Sets of the first tags take no memory of their own.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct TagSet {
    low: u128,
    /// Tags from 128 on, 64 to a word; the last word is not zero.
    high: Option<Rc<Vec<u64>>>,
}

/// Not a tag of the language: what `@no_alloc` forbids. Never shown.
const ALLOC_INDEX: u32 = 127;

pub(crate) const NONE: TagSet = TagSet { low: 0, high: None };
pub(crate) const MUT: TagSet = bit(0);
pub(crate) const IO_ASYNC: TagSet = bit(2);
pub(crate) const IO_BLOCKING: TagSet = bit(3);
pub(crate) const IO_TIMER: TagSet = bit(4);
pub(crate) const PANIC: TagSet = bit(9);
pub(crate) const UNSAFE: TagSet = bit(10);
pub(crate) const FFI: TagSet = bit(11);
pub(crate) const NATIVE: TagSet = bit(19);
pub(crate) const ALLOC: TagSet = bit(ALLOC_INDEX);

const fn bit(index: u32) -> TagSet {
    TagSet { low: 1 << index, high: None }
}

impl TagSet {
    pub fn one(index: u32) -> TagSet {
        if index < 128 {
            return bit(index);
        }
        let mut words = vec![0; (index as usize - 128) / 64 + 1];
        words[(index as usize - 128) / 64] = 1 << (index % 64);
        TagSet { low: 0, high: Some(words.into()) }
    }

    fn words(&self) -> &[u64] {
        self.high.as_ref().map_or(&[], |high| &high[..])
    }

    fn word(&self, index: usize) -> u64 {
        self.words().get(index).copied().unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.low == 0 && self.high.is_none()
    }

    pub fn has(&self, index: u32) -> bool {
        match index.checked_sub(128) {
            None => self.low & 1 << index != 0,
            Some(rest) => self.word(rest as usize / 64) & 1 << (rest % 64) != 0,
        }
    }

    /// Adds the tags of another set; true when some were new.
    pub fn add(&mut self, other: &TagSet) -> bool {
        let mut grew = other.low & !self.low != 0;
        self.low |= other.low;
        if let Some(high) = &other.high
            && (0..high.len()).any(|i| other.word(i) & !self.word(i) != 0)
        {
            grew = true;
            let len = high.len().max(self.words().len());
            self.high = Some(Rc::new((0..len).map(|i| self.word(i) | other.word(i)).collect()));
        }
        grew
    }

    pub fn union(mut self, other: &TagSet) -> TagSet {
        self.add(other);
        self
    }

    fn combine(&self, other: &TagSet, low: fn(u128, u128) -> u128, high: fn(u64, u64) -> u64) -> TagSet {
        let mut words: Vec<u64> = Vec::new();
        if self.high.is_some() {
            words.extend((0..self.words().len()).map(|i| high(self.word(i), other.word(i))));
            words.truncate(words.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1));
        }
        let high = if words.is_empty() { None } else { Some(words.into()) };
        TagSet { low: low(self.low, other.low), high }
    }

    pub fn minus(&self, other: &TagSet) -> TagSet {
        self.combine(other, |a, b| a & !b, |a, b| a & !b)
    }

    pub fn intersection(&self, other: &TagSet) -> TagSet {
        self.combine(other, |a, b| a & b, |a, b| a & b)
    }

    pub fn meets(&self, other: &TagSet) -> bool {
        self.low & other.low != 0 || !self.intersection(other).is_empty()
    }

    pub fn contains(&self, other: &TagSet) -> bool {
        other.low & !self.low == 0 && (other.high.is_none() || other.minus(self).is_empty())
    }

    /// The indices of the tags, ascending.
    pub fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        let mut rest = self.low;
        let low = std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(next)
        });
        let high = (0..self.words().len() as u32 * 64).map(|i| i + 128).filter(|&i| self.has(i));
        low.chain(high)
    }
}

/// A declared effect, as a tag.
struct Declared {
    index: u32,
    /// What having the effect implies.
    implies: TagSet,
}

pub(crate) struct Tags {
    names: Vec<Box<str>>,
    index: FxHashMap<Box<str>, u32>,
    declared: Vec<Declared>,
}

impl Default for Tags {
    fn default() -> Self {
        let names: Vec<Box<str>> = BUILTIN.iter().map(|&name| name.into()).collect();
        let index = names.iter().cloned().zip(0..).collect();
        Tags { names, index, declared: Vec::new() }
    }
}

impl Tags {
    /// A tag of its own for a declared effect.
    pub fn declare(&mut self, name: &str) -> u32 {
        if self.names.len() as u32 == ALLOC_INDEX {
            self.names.push("".into());
        }
        let index = self.names.len() as u32;
        self.names.push(name.into());
        self.declared.push(Declared { index, implies: NONE });
        index
    }

    /// Having the declared effect means having these tags.
    pub fn imply(&mut self, index: u32, base: &TagSet) {
        if let Some(declared) = self.declared.iter_mut().find(|declared| declared.index == index) {
            declared.implies.add(base);
        }
    }

    /// A tag of the language and everything it implies.
    pub fn lookup(&self, name: &str) -> Option<TagSet> {
        let mut set = TagSet::one(*self.index.get(name)?);
        let mut parent = name;
        while let Some(dot) = parent.rfind('.') {
            parent = &parent[..dot];
            if let Some(&index) = self.index.get(parent) {
                set.add(&TagSet::one(index));
            }
        }
        Some(set)
    }

    /// A set with what its declared effects imply.
    pub fn expand(&self, set: &TagSet) -> TagSet {
        let mut all = set.clone();
        if self.declared.is_empty() {
            return all;
        }
        loop {
            let mut grew = false;
            for declared in &self.declared {
                if all.has(declared.index) {
                    grew |= all.add(&declared.implies);
                }
            }
            if !grew {
                return all;
            }
        }
    }

    pub fn name(&self, index: u32) -> &str {
        &self.names[index as usize]
    }

    /// The tags of the language.
    pub fn builtin(&self) -> impl Iterator<Item = &str> {
        BUILTIN.iter().copied()
    }

    /// The names of a set in display order: builtin order, then user effects alphabetically.
    pub fn names(&self, set: &TagSet) -> Vec<&str> {
        let mut builtin = Vec::new();
        let mut user = Vec::new();
        for index in set.indices().filter(|&index| index != ALLOC_INDEX) {
            let name = &*self.names[index as usize];
            if (index as usize) < BUILTIN.len() { builtin.push(name) } else { user.push(name) }
        }
        user.sort_unstable();
        builtin.extend(user);
        builtin
    }

    /// `{io, panic}`; sub-tags stand in the parentheses of their parents: `{io (async, timer)}`.
    pub fn show(&self, set: &TagSet) -> String {
        let mut parts: Vec<(String, Vec<&str>)> = Vec::new();
        for name in self.names(set) {
            let parent = name.split_once('.').and_then(|(parent, child)| {
                let at = parts.iter().position(|part| part.0 == parent)?;
                Some((at, child))
            });
            match parent {
                Some((at, child)) => parts[at].1.push(child),
                None => parts.push((name.to_owned(), Vec::new())),
            }
        }
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(name, subs)| if subs.is_empty() { name } else { format!("{name} ({})", subs.join(", ")) })
            .collect();
        format!("{{{}}}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_backs_effects_that_there_are() {
        for (effect, capability) in reml_capability::effects::backed() {
            assert!(BUILTIN.contains(&effect), "{capability} is said to back `{effect}`");
        }
    }
}
