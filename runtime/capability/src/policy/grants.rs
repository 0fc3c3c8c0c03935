//! What may be done? Rules, and the decision by them.
//!
//! Of the rules that cover a subject the narrowest decides; of two that are as narrow, the one that denies. What no
//! rule covers is denied. How narrow a rule is: all of a power < a folder or the beginning of a path, the longer the narrower < a pattern of
//! names, the more of it is given the narrower < a whole name < the very file. A rule with a port or a symbol is
//! narrower than one of the same host or library without.

use std::path::Path;

use super::host;
use super::index::{Best, Index};
use super::library::library_name;
use super::pattern::{Pattern, Shape, path_key};
use super::power::{Power, Subject};
use super::rule::{Contradiction, Effect, Rule, Source};

/// Rules, ready to decide. Made once, asked from any thread.
#[derive(Debug)]
pub struct Grants {
    rules: Vec<Rule>,
    by_power: [Index; Power::COUNT],
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'g> {
    Allowed(&'g Rule),
    Denied(&'g Rule),
    /// No rule covers it.
    Ungranted,
    /// The subject does not have the form that the power asks for, or its path is not resolved.
    Malformed,
    /// It is allowed, but has been done as often as the policy lets it be.
    TooOften {
        per_second: u32,
    },
}

impl Decision<'_> {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allowed(_))
    }

    /// The rule that has decided.
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Decision::Allowed(rule) | Decision::Denied(rule) => Some(rule),
            Decision::Ungranted | Decision::Malformed | Decision::TooOften { .. } => None,
        }
    }
}

impl Grants {
    /// # Errors
    ///
    /// All contradictions: the same pattern, allowed and denied in one text. Between texts, as a flag and a manifest,
    /// denying wins and is no mistake.
    pub fn new(rules: Vec<Rule>) -> Result<Grants, Vec<Contradiction>> {
        let contradictions = contradictions(&rules);
        if !contradictions.is_empty() {
            return Err(contradictions);
        }
        let mut by_power: [Vec<u32>; Power::COUNT] = Default::default();
        for (number, rule) in rules.iter().enumerate() {
            by_power[rule.power as usize].push(number as u32);
        }
        let index = by_power.map(|numbers| Index::new(numbers.iter().map(|&number| (number, &rules[number as usize]))));
        Ok(Grants { rules, by_power: index })
    }

    /// Nothing is denied.
    pub fn all(why: &str) -> Grants {
        let source = Source::Default(why.into());
        let allow = |power| Rule { effect: Effect::Allow, power, pattern: Pattern::any(), source: source.clone() };
        Grants::new(Power::all().map(allow).collect()).unwrap_or_else(|_| unreachable!("nothing is denied"))
    }

    /// In the order in which they were given.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Allocates nothing; the time does not depend on the number of rules.
    pub fn decide(&self, power: Power, subject: &Subject<'_>) -> Decision<'_> {
        if power.form() != subject.form() {
            return Decision::Malformed;
        }
        let index = &self.by_power[power as usize];
        let mut best = Best { found: None };
        if decide(index, subject, &mut best).is_none() {
            return Decision::Malformed;
        }
        match best.found {
            None => Decision::Ungranted,
            Some((_, Effect::Allow, rule)) => Decision::Allowed(&self.rules[rule as usize]),
            Some((_, Effect::Deny, rule)) => Decision::Denied(&self.rules[rule as usize]),
        }
    }
}

/// `None` for a subject that is malformed.
fn decide(index: &Index, subject: &Subject<'_>, best: &mut Best) -> Option<()> {
    index.any(best);
    match *subject {
        Subject::Path(path) => index.path(resolved_key(path)?, None, best),
        Subject::Name(name) => {
            index.name(name.as_bytes(), None, |rank, effect, rule| best.offer(rank, effect, rule));
        }
        Subject::Address { host, port } => {
            let mut buffer = host::EMPTY;
            let host = host::normal(host, &mut buffer)?;
            let mut digits = [0; 5];
            let port = decimal(port, &mut digits);
            index.name(host, Some(port), |rank, effect, rule| best.offer(rank, effect, rule));
        }
        Subject::Command { asked, path } => file(index, asked, path, None, |name| name, best)?,
        Subject::Library { asked, path, symbol } => {
            file(index, asked, path, symbol.map(str::as_bytes), library_name, best)?;
        }
    }
    Some(())
}

/// A file that is used by its name or by its path. A name that is allowed is so where the system looks names up, not as
/// the last part of any path; a name that is denied is denied wherever the file lies. `plain` is the form in which names are compared.
fn file(
    index: &Index,
    asked: &str,
    path: Option<&Path>,
    symbol: Option<&[u8]>,
    plain: impl Fn(&str) -> &str,
    best: &mut Best,
) -> Option<()> {
    let last_part = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    let by_name = !asked.contains('/');
    if asked.is_empty() || !by_name && path.is_none() {
        return None;
    }
    let name = plain(&asked[last_part(asked)..]).as_bytes();
    index.name(name, symbol, |rank, effect, rule| {
        if by_name || effect == Effect::Deny {
            best.offer(rank, effect, rule);
        }
    });
    if let Some(path) = path {
        let key = resolved_key(path)?;
        index.path(key, symbol, best);
        let found = key.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        // A name that is no text is in no rule.
        let found = str::from_utf8(found).map_or(found, |found| plain(found).as_bytes());
        if found != name {
            index.name(found, symbol, |rank, effect, rule| {
                if effect == Effect::Deny {
                    best.offer(rank, effect, rule);
                }
            });
        }
    }
    Some(())
}

/// `None` for a path that is relative or not in the form that `resolve` gives.
fn resolved_key(path: &Path) -> Option<&[u8]> {
    let key = path_key(path);
    if key.is_empty() {
        return path.is_absolute().then_some(key);
    }
    if key[0] != b'/' || key[key.len() - 1] == b'/' || key.contains(&0) {
        return None;
    }
    let odd = |part: &[u8]| matches!(part, b"" | b"." | b"..");
    (!key[1..].split(|&byte| byte == b'/').any(odd)).then_some(key)
}

fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

fn contradictions(rules: &[Rule]) -> Vec<Contradiction> {
    let mut order: Vec<&Rule> = rules.iter().collect();
    let key = |rule: &Rule| (rule.power, rule.effect);
    fn shape(rule: &Rule) -> &Shape {
        &rule.pattern.shape
    }
    order.sort_by(|a, b| (a.power, shape(a)).cmp(&(b.power, shape(b))).then(key(a).cmp(&key(b))));
    let mut found = Vec::new();
    for same in order.chunk_by(|a, b| a.power == b.power && shape(a) == shape(b)) {
        let (allows, denies) = same.split_at(same.partition_point(|rule| rule.effect == Effect::Allow));
        for deny in denies {
            if let Some(allow) = allows.iter().find(|allow| allow.source.same_text(&deny.source)) {
                found.push(Contradiction { allow: (*allow).clone(), deny: (*deny).clone() });
            }
        }
    }
    found
}
