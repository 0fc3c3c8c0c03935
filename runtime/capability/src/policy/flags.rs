//! What do `--allow-read=src,data` and `--deny-net` say?
//!
//! Without a list a flag is about all that the power is used on; in a list `,,` is a comma. `--allow-all` allows all.

use std::fmt;
use std::path::Path;

use reml_audit::visible;

use super::pattern::{Pattern, PatternError};
use super::power::Power;
use super::rule::{Effect, Rule, Source};

/// Why a flag says nothing, and what to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlagError {
    /// It begins neither with `--allow-` nor with `--deny-`.
    NotAPermission {
        flag: String,
    },
    UnknownPower {
        flag: String,
        power: String,
    },
    /// There is `=`, and nothing after it.
    EmptyList {
        flag: String,
    },
    /// `--allow-all=x`.
    ListOfAll {
        flag: String,
    },
    Pattern {
        flag: String,
        error: PatternError,
    },
}

/// Reads one flag. Relative paths start at `base`, the folder that the command was given in.
///
/// # Errors
///
/// See [`FlagError`].
pub fn parse(flag: &str, base: &Path) -> Result<Vec<Rule>, FlagError> {
    let owned = || flag.to_owned();
    let (word, list) = match flag.split_once('=') {
        Some((word, list)) => (word, Some(list)),
        None => (flag, None),
    };
    let (effect, key) = if let Some(key) = word.strip_prefix("--allow-") {
        (Effect::Allow, key)
    } else if let Some(key) = word.strip_prefix("--deny-") {
        (Effect::Deny, key)
    } else {
        return Err(FlagError::NotAPermission { flag: owned() });
    };
    let source = Source::Flag(flag.into());
    let rule = |power, pattern| Rule { effect, power, pattern, source: source.clone() };
    if key == "all" {
        return match list {
            None => Ok(Power::all().map(|power| rule(power, Pattern::any())).collect()),
            Some(_) => Err(FlagError::ListOfAll { flag: owned() }),
        };
    }
    let power = Power::from_key(key).ok_or_else(|| FlagError::UnknownPower { flag: owned(), power: key.to_owned() })?;
    match list {
        None => Ok(vec![rule(power, Pattern::any())]),
        Some("") => Err(FlagError::EmptyList { flag: owned() }),
        Some(list) => items(list)
            .into_iter()
            .map(|item| {
                let pattern = Pattern::parse(power, &item, base);
                pattern.map(|pattern| rule(power, pattern)).map_err(|error| FlagError::Pattern { flag: owned(), error })
            })
            .collect(),
    }
}

/// The flag that says the same as a rule.
pub fn print(effect: Effect, power: Power, pattern: &str) -> String {
    match pattern {
        "*" => format!("--{effect}-{power}"),
        pattern => format!("--{effect}-{power}={}", pattern.replace(',', ",,")),
    }
}

/// The flag for several patterns.
pub fn print_list<'p>(effect: Effect, power: Power, patterns: impl IntoIterator<Item = &'p str>) -> String {
    let escaped: Vec<String> = patterns.into_iter().map(|pattern| pattern.replace(',', ",,")).collect();
    format!("--{effect}-{power}={}", escaped.join(","))
}

fn items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        if c != ',' {
            items.last_mut().expect("there is one").push(c);
        } else if chars.next_if_eq(&',').is_some() {
            items.last_mut().expect("there is one").push(',');
        } else {
            items.push(String::new());
        }
    }
    items
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlagError::NotAPermission { flag } => {
                write!(f, "`{flag}` gives no permission; those that do begin with `--allow-` or `--deny-`")
            }
            FlagError::UnknownPower { flag, power } => {
                let known: Vec<&str> = Power::all().map(Power::key).collect();
                write!(f, "`{flag}`: there is nothing called `{power}`; there are {}", known.join(", "))
            }
            FlagError::EmptyList { flag } => {
                let word = flag.trim_end_matches('=');
                write!(f, "`{flag}` lists nothing; without `=`, as `{word}`, it is about everything")
            }
            FlagError::ListOfAll { flag } => {
                let word = flag.split('=').next().unwrap_or_default();
                write!(f, "`{flag}`: `{word}` takes no list; name what it is about, as in `--allow-read=PATH`")
            }
            FlagError::Pattern { flag, error } => write!(f, "`{}`: {error}", visible(flag)),
        }
    }
}

impl std::error::Error for FlagError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(flag: &str) -> String {
        match parse(flag, Path::new("/base")) {
            Ok(rules) => {
                let rules = rules.iter().map(|rule| format!("{} {} {}", rule.effect, rule.power, rule.pattern));
                rules.collect::<Vec<_>>().join("; ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn flags_are_rules() {
        assert_eq!(shown("--allow-read"), "allow read *");
        assert_eq!(shown("--deny-env-write=A,B_*"), "deny env-write A; deny env-write B_*");
        assert_eq!(shown("--allow-read=a,,b,c"), "allow read a,b; allow read c");
        assert_eq!(parse("--allow-all", Path::new("/")).unwrap().len(), Power::COUNT);
    }

    #[test]
    fn printing_and_reading_agree() {
        for pattern in ["*", "a", "a,b", ",", "a,,b"] {
            let flag = print(Effect::Allow, Power::Read, pattern);
            assert_eq!(shown(&flag), format!("allow read {pattern}"), "{flag}");
        }
        let flag = print_list(Effect::Deny, Power::Read, ["a,b", "c"]);
        assert_eq!(shown(&flag), "deny read a,b; deny read c");
    }

    #[test]
    fn wrong_flags_say_what_to_write() {
        assert!(shown("--allow-reed=x").starts_with(
            "`--allow-reed=x`: there is nothing called `reed`; there are read, write, env, env-write, net,"
        ));
        assert_eq!(
            shown("--allow-read="),
            "`--allow-read=` lists nothing; without `=`, as `--allow-read`, it is about everything"
        );
        assert_eq!(shown("--allow-read=a,"), "`--allow-read=a,`: `` is not a pattern: it is empty");
        assert_eq!(
            shown("--allow-all=x"),
            "`--allow-all=x`: `--allow-all` takes no list; name what it is about, as in `--allow-read=PATH`"
        );
        assert_eq!(shown("read"), "`read` gives no permission; those that do begin with `--allow-` or `--deny-`");
    }
}
