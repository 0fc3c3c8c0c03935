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
pub const BY_DEFAULT: [Power; 2] = [Power::Clock, Power::Random];

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

/// Variables of the environment that the library's tests look at.
const OF_TESTS: [&str; 3] = ["REML_SNAPSHOTS", "REML_TEST_FILE", "REML_TEST_SEED"];

/// The set of a manifest that is for its tests, if there is one.
const TEST_SET: &str = "test";

/// The policy that a program runs under.
///
/// # Errors
///
/// What is wrong with the command line, and contradictions, in words.
pub fn policy(asked: &Asked, permissions: &Permissions, system: &dyn System) -> Result<Policy, String> {
    made(asked, permissions, Vec::new(), &current_dir(system)?)
}

/// The policy of a test in a file. `[permissions.test]` is for tests, and they may read and write their snapshots, which lie beside the
/// file and have its name.
///
/// # Errors
///
/// As [`policy`].
pub fn policy_of_test(
    asked: &Asked,
    permissions: &Permissions,
    file: &Path,
    system: &dyn System,
) -> Result<Policy, String> {
    let here = current_dir(system)?;
    let mut asked = asked.clone();
    let test = Some(TEST_SET.to_owned());
    if asked.set.is_none() && permissions.sets.contains_key(&test) {
        asked.set = test;
    }
    let snapshots = format!("{}.*", file.with_extension("").display());
    let files = [Power::Read, Power::Write].map(|power| (power, snapshots.as_str()));
    let rules = files
        .into_iter()
        .chain(OF_TESTS.map(|name| (Power::EnvRead, name)))
        // A file whose name has a `*` has no snapshots.
        .filter_map(|(power, text)| {
            Some(by_default(power, Pattern::parse(power, text, &here).ok()?, "what every test may do"))
        });
    made(&asked, permissions, rules.collect(), &here)
}

fn current_dir(system: &dyn System) -> Result<PathBuf, String> {
    system.current_dir().map_err(|error| format!("the current directory is not known: {error}"))
}

fn by_default(power: Power, pattern: Pattern, why: &str) -> Rule {
    Rule { effect: Effect::Allow, power, pattern, source: Source::Default(why.into()) }
}

fn made(asked: &Asked, permissions: &Permissions, mut rules: Vec<Rule>, here: &Path) -> Result<Policy, String> {
    for flag in &asked.flags {
        rules.extend(flags::parse(flag, here).map_err(|error| error.to_string())?);
    }
    rules.extend(of_manifest(asked, permissions, here)?);
    rules.extend(BY_DEFAULT.map(|power| by_default(power, Pattern::any(), "what every program may do")));
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
    manifest::rules(section, entries, &normal(&here.join(folder))).map_err(|errors| {
        let errors: Vec<String> =
            errors.iter().map(|error| format!("{}: {error}", permissions.file.display())).collect();
        errors.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::OsSystem;
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
        let policy = policy(asked, &permissions(), &OsSystem).unwrap();
        policy.decide(Power::Read, &Subject::Path(Path::new(path))).is_allowed()
    }

    #[test]
    fn flags_and_the_chosen_set_of_the_manifest_allow() {
        let here = OsSystem.current_dir().unwrap();
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
        let policy = policy(&asked(&[], None), &Permissions::default(), &OsSystem).unwrap();
        for power in Power::all() {
            let allowed = matches!(policy.decide(power, &Subject::Name("x")), Decision::Allowed(_));
            assert_eq!(allowed, BY_DEFAULT.contains(&power), "{power}");
        }
    }

    #[test]
    fn a_test_may_do_what_its_set_says_and_keep_its_snapshots() {
        let here = OsSystem.current_dir().unwrap();
        let may = |sets: &Permissions, power, path: &str| {
            let policy = policy_of_test(&asked(&[], None), sets, Path::new("app/a_tests.reml"), &OsSystem).unwrap();
            policy.decide(power, &Subject::Path(&here.join(path))).is_allowed()
        };
        let mut sets = permissions();
        for power in [Power::Read, Power::Write] {
            assert!(may(&sets, power, "app/a_tests.lists.snap"));
            assert!(!may(&sets, power, "app/a_tests2.lists.snap") && !may(&sets, power, "app/main.reml"));
        }
        assert!(may(&sets, Power::Read, "app/data/x") && !may(&sets, Power::Read, "app/cases/x"));
        let entry = Entry { value: Value::Patterns(vec![("cases".to_owned(), 9)]), ..sets.sets[&None][0].clone() };
        sets.sets.insert(Some("test".to_owned()), vec![entry]);
        assert!(may(&sets, Power::Read, "app/cases/x") && !may(&sets, Power::Read, "app/data/x"));
    }

    #[test]
    fn mistakes_are_told() {
        let problem = |asked: &Asked| policy(asked, &permissions(), &OsSystem).unwrap_err();
        assert_eq!(problem(&asked(&[], Some("cd"))), "`app/reml.toml` has no set of permissions `cd`; there are: ci");
        assert!(problem(&asked(&["--allow-raed"], None)).contains("there is nothing called `raed`"));
        assert!(problem(&asked(&["--allow-read=a", "--deny-read=a"], None)).contains("a"));
        assert_eq!(
            problem(&asked(&["--deny-clock=moon"], None)),
            "`--deny-clock=moon`: `moon` is not a pattern: the power `clock` is about `wall` and nothing else"
        );
    }
}
