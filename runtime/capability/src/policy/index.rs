//! Which rule decides about a subject? Found in the time that reading the subject takes, however many rules there are.
//!
//! Of the rules that cover a subject the narrowest decides, and [`Rank`] says how narrow each of them is. All of them
//! lie on one walk through a [`Trie`]: covering paths and `AWS_*` on a walk from the front, `*_TOKEN` on one from the
//! back. A rule with a second part, a port or a symbol, lies below its first part, in an index of the same kind.

use super::pattern::{Name, Shape, Star};
use super::rule::{Effect, Rule};
use super::trie::{Read, Trie};

/// How narrowly a rule covers a subject: larger is narrower. First counts [`Class`], then whether the first part is
/// given to its end, then how much of it is given, then the same for the second part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank(Class, Part, Option<Part>);

/// A name is narrower than a folder, since it is about one command or library, and broader than its very file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Any,
    Folder,
    Name,
    File,
}

/// Is all of it given, and if not, how many bytes are?
pub(super) type Part = (bool, usize);

const WHOLE: Part = (true, 0);

impl Rank {
    pub(super) const ANY: Rank = Rank(Class::Any, (false, 0), None);
}

/// The narrowest rule so far. Of two that are as narrow, one that denies wins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub found: Option<(Rank, Effect, u32)>,
}

impl Best {
    #[inline]
    pub(super) fn offer(&mut self, rank: Rank, effect: Effect, rule: u32) {
        if self.found.is_none_or(|(best, chosen, _)| (rank, effect) > (best, chosen)) {
            self.found = Some((rank, effect, rule));
        }
    }
}

/// The rules of one power.
#[derive(Debug, Default)]
pub(super) struct Index {
    any: Option<(Effect, u32)>,
    paths: Names,
    names: Names,
}

/// Rules about texts: each is a whole text, the beginning of one or its end.
#[derive(Debug, Default)]
struct Names {
    forward: Trie,
    forward_slots: Vec<Ends>,
    backward: Trie,
    backward_slots: Vec<Slot>,
}

/// What is said about exactly a text, and about all that it begins.
#[derive(Debug, Default)]
struct Ends {
    whole: Slot,
    beginning: Slot,
}

#[derive(Debug, Default)]
struct Slot {
    rule: Option<(Effect, u32)>,
    /// By the second part of the subject.
    refined: Option<Box<Names>>,
}

impl Index {
    /// The rules with their numbers; all are of one power.
    pub fn new<'r>(rules: impl Iterator<Item = (u32, &'r Rule)>) -> Index {
        let mut index = Index::default();
        let (mut paths, mut names) = (Vec::new(), Vec::new());
        for (number, rule) in rules {
            let entry = |key, star, second| Entry { key, star, second, effect: rule.effect, rule: number };
            match &rule.pattern.shape {
                Shape::Any => merge(&mut index.any, rule.effect, number),
                Shape::Path { key, symbol } => paths.push(entry(key, Star::Back, symbol.as_ref())),
                Shape::Name { first, second } => names.push(entry(&first.literal, first.star, second.as_ref())),
            }
        }
        index.paths = Names::new(paths);
        index.names = Names::new(names);
        index
    }

    #[inline]
    pub fn any(&self, best: &mut Best) {
        if let Some((effect, rule)) = self.any {
            best.offer(Rank::ANY, effect, rule);
        }
    }

    /// `path` is a key as of patterns.
    #[inline]
    pub fn path(&self, path: &[u8], second: Option<&[u8]>, best: &mut Best) {
        self.paths.forward.prefixes(path, Read::Forward, |slot, len| {
            // `/ab` begins with `/a`, but does not lie below it.
            if len == path.len() || path[len] == b'/' {
                let whole = len == path.len();
                let (class, part) = if whole { (Class::File, WHOLE) } else { (Class::Folder, (false, len)) };
                let slot = &self.paths.forward_slots[slot as usize].beginning;
                slot.offer(second, |effect, rule, refined| {
                    best.offer(Rank(class, part, refined), effect, rule);
                });
            }
        });
    }

    #[inline]
    pub fn name(&self, name: &[u8], second: Option<&[u8]>, mut offer: impl FnMut(Rank, Effect, u32)) {
        self.names.find(name, |slot, part| {
            slot.offer(second, |effect, rule, refined| offer(Rank(Class::Name, part, refined), effect, rule));
        });
    }
}

impl Slot {
    #[inline]
    fn offer(&self, second: Option<&[u8]>, mut offer: impl FnMut(Effect, u32, Option<Part>)) {
        if let Some((effect, rule)) = self.rule {
            offer(effect, rule, None);
        }
        if let (Some(names), Some(second)) = (&self.refined, second) {
            names.find(second, |slot, part| {
                if let Some((effect, rule)) = slot.rule {
                    offer(effect, rule, Some(part));
                }
            });
        }
    }
}

fn merge(slot: &mut Option<(Effect, u32)>, effect: Effect, rule: u32) {
    if slot.is_none_or(|(known, _)| effect > known) {
        *slot = Some((effect, rule));
    }
}

#[derive(Clone, Copy)]
struct Entry<'r> {
    key: &'r [u8],
    star: Star,
    second: Option<&'r Name>,
    effect: Effect,
    rule: u32,
}

impl Names {
    fn new(entries: Vec<Entry<'_>>) -> Names {
        let (back, front): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.star == Star::Front);
        let forward = group(front.into_iter().map(|entry| (entry.key.to_vec(), entry)).collect());
        let reversed = |entry: Entry<'_>| entry.key.iter().rev().copied().collect();
        let backward = group(back.into_iter().map(|entry| (reversed(entry), entry)).collect());
        let ends = |entries: Vec<Entry<'_>>| {
            let (beginning, whole) = entries.into_iter().partition(|entry| entry.star == Star::Back);
            Ends { whole: Slot::new(whole), beginning: Slot::new(beginning) }
        };
        Names {
            forward: Trie::new(&forward.0),
            forward_slots: forward.1.into_iter().map(ends).collect(),
            backward: Trie::new(&backward.0),
            backward_slots: backward.1.into_iter().map(Slot::new).collect(),
        }
    }

    #[inline]
    fn find(&self, text: &[u8], mut found: impl FnMut(&Slot, Part)) {
        self.forward.prefixes(text, Read::Forward, |slot, len| {
            let ends = &self.forward_slots[slot as usize];
            found(&ends.beginning, (false, len));
            if len == text.len() {
                found(&ends.whole, WHOLE);
            }
        });
        self.backward.prefixes(text, Read::Backward, |slot, len| {
            found(&self.backward_slots[slot as usize], (false, len));
        });
    }
}

impl Slot {
    fn new(entries: Vec<Entry<'_>>) -> Slot {
        let mut slot = Slot::default();
        let mut refined = Vec::new();
        for entry in entries {
            match entry.second {
                None => merge(&mut slot.rule, entry.effect, entry.rule),
                Some(name) => refined.push(Entry { key: &name.literal, star: name.star, second: None, ..entry }),
            }
        }
        slot.refined = (!refined.is_empty()).then(|| Box::new(Names::new(refined)));
        slot
    }
}

/// Puts together what has the same key, in the order of keys.
fn group(mut entries: Vec<(Vec<u8>, Entry<'_>)>) -> (Vec<Vec<u8>>, Vec<Vec<Entry<'_>>>) {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut groups: Vec<Vec<Entry<'_>>> = Vec::new();
    for (key, entry) in entries {
        match groups.last_mut() {
            Some(group) if keys.last() == Some(&key) => group.push(entry),
            _ => {
                keys.push(key);
                groups.push(vec![entry]);
            }
        }
    }
    (keys, groups)
}
