//! What does `[permissions]` of a manifest say?
//!
//! ```toml
//! [permissions]                     # what the program needs to do its work
//! read = ["data", "/etc/hosts"]     # paths start at the folder of the manifest
//! net = ["api.example.com:443"]
//! clock = true                      # all that the power is used on
//! deny = { read = ["data/keys"], env = ["*_TOKEN"] }
//!
//! [permissions.ci]                  # in force instead, with `--permissions ci`
//! read = true
//! ```
//!
//! Whoever runs the program decides whether a section is in force: a program that may write its manifest could grant
//! itself more. Keys are those of flags. A set has a name that no key has. Reading TOML is left to whoever knows where in it
//! everything stands; here it is data.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use reml_audit::visible;

use super::pattern::{Pattern, PatternError};
use super::power::Power;
use super::resolve::Resolver;
use super::rule::{Effect, Line, Rule, Section, Source};

/// The key of the table that denies.
pub const DENY: &str = "deny";

/// One key of a section or of its `deny`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub effect: Effect,
    pub key: String,
    pub value: Value,
    pub line: Line,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// `true`: all that the power is used on. `false` says nothing.
    Flag(bool),
    /// Each with its line.
    Patterns(Vec<(String, Line)>),
}

/// What is wrong with an entry, the one of this number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryError {
    pub entry: usize,
    /// Which pattern of it, if it is one of them.
    pub item: Option<usize>,
    pub why: EntryErrorKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryErrorKind {
    UnknownPower(String),
    Pattern(PatternError),
}

/// Is this key of `[permissions]`, whose value is a table, the name of a set?
///
/// # Errors
///
/// Keys that have a meaning of their own.
pub fn set_name(key: &str) -> Result<&str, String> {
    if key == DENY || Power::from_key(key).is_some() {
        return Err(format!("`{key}` cannot be the name of a set: it is a key of `[permissions]`"));
    }
    if key.is_empty() {
        return Err("the name of a set is empty".to_owned());
    }
    Ok(key)
}

/// The rules of a section. Relative paths start at `base`, the folder of the manifest.
///
/// # Errors
///
/// Everything that is wrong.
pub fn rules(section: Section, entries: &[Entry], base: &Path) -> Result<Vec<Rule>, Vec<EntryError>> {
    let section = Arc::new(section);
    let mut resolver = Resolver::new(base);
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for (number, entry) in entries.iter().enumerate() {
        let Some(power) = Power::from_key(&entry.key) else {
            let why = EntryErrorKind::UnknownPower(entry.key.clone());
            errors.push(EntryError { entry: number, item: None, why });
            continue;
        };
        let mut push = |pattern, line| {
            let source = Source::Manifest(Arc::clone(&section), line);
            rules.push(Rule { effect: entry.effect, power, pattern, source });
        };
        match &entry.value {
            Value::Flag(false) => {}
            Value::Flag(true) => push(Pattern::any(), entry.line),
            Value::Patterns(patterns) => {
                for (item, (text, line)) in patterns.iter().enumerate() {
                    match Pattern::parse_among(power, text, &mut resolver) {
                        Ok(pattern) => push(pattern, *line),
                        Err(error) => errors.push(EntryError {
                            entry: number,
                            item: Some(item),
                            why: EntryErrorKind::Pattern(error),
                        }),
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

/// `read = ["a", "b"]`, as TOML.
pub fn print<'p>(power: Power, patterns: impl IntoIterator<Item = &'p str>) -> String {
    let quoted: Vec<String> = patterns.into_iter().map(quoted).collect();
    match &quoted[..] {
        [any] if any == "\"*\"" => format!("{power} = true"),
        list => format!("{power} = [{}]", list.join(", ")),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Also what a terminal would not show as it stands there.
            c if visible(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() => {
                quoted.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            EntryErrorKind::UnknownPower(key) => {
                let known: Vec<&str> = Power::all().map(Power::key).collect();
                write!(f, "`[permissions]` has no key `{key}`; there are {} and {DENY}", known.join(", "))
            }
            EntryErrorKind::Pattern(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(effect: Effect, key: &str, value: Value, line: Line) -> Entry {
        Entry { effect, key: key.to_owned(), value, line }
    }

    fn patterns(texts: &[&str], line: Line) -> Value {
        Value::Patterns(texts.iter().map(|&text| (text.to_owned(), line)).collect())
    }

    fn section() -> Section {
        Section { file: "reml.toml".to_owned(), name: Some("ci".to_owned()) }
    }

    #[test]
    fn entries_are_rules_that_know_their_line() {
        let entries = [
            entry(Effect::Allow, "read", patterns(&["data"], 3), 3),
            entry(Effect::Allow, "clock", Value::Flag(true), 4),
            entry(Effect::Allow, "random", Value::Flag(false), 5),
            entry(Effect::Deny, "env", patterns(&["*_TOKEN"], 6), 6),
        ];
        let rules = rules(section(), &entries, Path::new("/app")).unwrap();
        let shown: Vec<String> = rules
            .iter()
            .map(|rule| format!("{} {} {} by {}", rule.effect, rule.power, rule.pattern, rule.source))
            .collect();
        assert_eq!(
            shown,
            [
                "allow read data by `[permissions.ci]` (reml.toml, line 3)",
                "allow clock * by `[permissions.ci]` (reml.toml, line 4)",
                "deny env *_TOKEN by `[permissions.ci]` (reml.toml, line 6)",
            ]
        );
    }

    #[test]
    fn all_errors_are_reported_at_their_place() {
        let entries = [
            entry(Effect::Allow, "raed", Value::Flag(true), 1),
            entry(Effect::Allow, "read", patterns(&["ok", "src/*"], 2), 2),
        ];
        let errors = rules(section(), &entries, Path::new("/app")).unwrap_err();
        let places: Vec<_> = errors.iter().map(|error| (error.entry, error.item)).collect();
        assert_eq!(places, [(0, None), (1, Some(1))]);
        assert!(errors[0].to_string().starts_with("`[permissions]` has no key `raed`; there are read, write,"));
    }

    #[test]
    fn sets_have_names_of_their_own() {
        assert_eq!(set_name("ci"), Ok("ci"));
        for taken in ["read", "deny", ""] {
            assert!(set_name(taken).is_err());
        }
    }

    #[test]
    fn printed_lines_are_toml() {
        assert_eq!(print(Power::Read, ["a\"b", "c\\d\n"]), r#"read = ["a\"b", "c\\d\u000A"]"#);
        assert_eq!(print(Power::Clock, ["*"]), "clock = true");
    }
}
