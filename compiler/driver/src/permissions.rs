//! What may a program do? What flags say, then `[permissions]` of its manifest, and what every program may.
//!
//! The rules are those of `reml_capability::policy`, where the narrowest decides, so that their order does not matter. What nothing
//! allows is denied: a file without a manifest may do nothing but compute, print, read its input and the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use reml_capability::policy::manifest::{self, Entry};
use reml_capability::policy::{Effect, Grants, Mode, Pattern, Policy, Power, Rule, Section, Source, flags};

use crate::system::{System, normal};

/// Powers that a program has unless they are denied: everybody expects a clock, and entropy harms nobody.
const BY_DEFAULT: [Power; 2] = [Power::Clock, Power::Random];

/// What the command line says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Asked {
    /// `--allow-read=data`, `--deny-env`, ..
    pub flags: Vec<String>,
    /// The set of the manifest that is in force instead of the one without a name.
    pub set: Option<String>,
    /// Nothing is denied, only recorded.
    pub report_only: bool,
}

/// `[permissions]` of a manifest, as it is written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Permissions {
    /// The manifest, as it is to be shown; relative paths start at its folder.
    pub file: PathBuf,
    /// The entries of each set; that of `[permissions]` itself has no name.
    pub sets: BTreeMap<Option<String>, Vec<Entry>>,
}

/// The policy that a program runs under.
///
/// # Errors
///
/// What is wrong with the command line, and contradictions, in words.
pub fn policy(asked: &Asked, permissions: &Permissions, system: &dyn System) -> Result<Policy, String> {
    let here = system.current_dir().map_err(|error| format!("the current directory is not known: {error}"))?;
    let mut rules = Vec::new();
    for flag in &asked.flags {
        rules.extend(flags::parse(flag, &here).map_err(|error| error.to_string())?);
    }
    rules.extend(of_manifest(asked, permissions, &here)?);
    rules.extend(BY_DEFAULT.map(|power| Rule {
        effect: Effect::Allow,
        power,
        pattern: Pattern::any(),
        source: Source::Default("what every program may do"),
    }));
    let mode = if asked.report_only { Mode::Report } else { Mode::Enforce };
    match Grants::new(rules) {
        Ok(grants) => Ok(Policy::new(grants, mode, false)),
        Err(contradictions) => {
            let mut text = String::new();
            for found in contradictions {
                let _ = writeln!(text, "{found}");
            }
            Err(text.trim_end().to_owned())
        }
    }
}

fn of_manifest(asked: &Asked, permissions: &Permissions, here: &Path) -> Result<Vec<Rule>, String> {
    let Some(entries) = permissions.sets.get(&asked.set) else {
        return match &asked.set {
            None => Ok(Vec::new()),
            Some(name) if permissions.sets.is_empty() => Err(format!(
                "there is no set of permissions `{name}`: the program has no manifest with `[permissions]`"
            )),
            Some(name) => {
                let known: Vec<&str> = permissions.sets.keys().flatten().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(format!("`{}` has no set of permissions `{name}`; there are: {known}", permissions.file.display()))
            }
        };
    };
    let section = Section { file: permissions.file.display().to_string(), name: asked.set.clone() };
    let folder = permissions.file.parent().unwrap_or(Path::new(""));
    // Entries were checked when the manifest was read.
    Ok(manifest::rules(section, entries, &normal(&here.join(folder))).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;
    use reml_capability::policy::{Decision, Subject, manifest::Value};

    fn asked(flags: &[&str], set: Option<&str>) -> Asked {
        Asked {
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            set: set.map(str::to_owned),
            report_only: false,
        }
    }

    fn permissions() -> Permissions {
        let entry = |path: &str| Entry {
            effect: Effect::Allow,
            key: "read".to_owned(),
            value: Value::Patterns(vec![(path.to_owned(), 7)]),
            line: 7,
        };
        let sets = BTreeMap::from([(None, vec![entry("data")]), (Some("ci".to_owned()), vec![entry("tests")])]);
        Permissions { file: "app/reml.toml".into(), sets }
    }

    fn may_read(asked: &Asked, path: &str) -> bool {
        let policy = policy(asked, &permissions(), &MemorySystem::new()).unwrap();
        policy.decide(Power::Read, &Subject::Path(Path::new(path))).is_allowed()
    }

    #[test]
    fn flags_and_the_chosen_set_of_the_manifest_allow() {
        let here = MemorySystem::new().current_dir().unwrap();
        let at = |path: &str| here.join(path).display().to_string();
        assert!(may_read(&asked(&[], None), &at("app/data/x")) && !may_read(&asked(&[], None), &at("app/tests")));
        assert!(
            may_read(&asked(&[], Some("ci")), &at("app/tests")) && !may_read(&asked(&[], Some("ci")), &at("app/data"))
        );
        let flags = asked(&["--allow-read=x", "--deny-read=app/data/keys"], None);
        assert!(
            may_read(&flags, &at("x"))
                && may_read(&flags, &at("app/data/a"))
                && !may_read(&flags, &at("app/data/keys/a"))
        );
    }

    #[test]
    fn what_nothing_allows_is_denied_but_for_the_time_and_entropy() {
        let policy = policy(&asked(&[], None), &Permissions::default(), &MemorySystem::new()).unwrap();
        for power in Power::all() {
            let allowed = matches!(policy.decide(power, &Subject::Name("x")), Decision::Allowed(_));
            assert_eq!(allowed, BY_DEFAULT.contains(&power), "{power}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let problem = |asked: &Asked| policy(asked, &permissions(), &MemorySystem::new()).unwrap_err();
        assert_eq!(problem(&asked(&[], Some("cd"))), "`app/reml.toml` has no set of permissions `cd`; there are: ci");
        assert!(problem(&asked(&["--allow-raed"], None)).contains("there is nothing called `raed`"));
        assert!(problem(&asked(&["--allow-read=a", "--deny-read=a"], None)).contains("a"));
    }
}
