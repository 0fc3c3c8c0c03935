//! What does a program need, to judge by what it has asked for?

use std::collections::{BTreeMap, BTreeSet};

use reml_audit::{Event, EventKind, Value};

use crate::policy::{Effect, Form, Power, flags, manifest};

/// One question to the gate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Asked {
    pub power: Power,
    /// In the form of the pattern that covers just this.
    pub subject: String,
}

/// The question that an event of the audit log is about; `None` for other events.
pub fn asked(event: &Event) -> Option<Asked> {
    if event.kind != EventKind::GateDecision {
        return None;
    }
    let text = |key| event.metadata.get(key).and_then(Value::as_str);
    Some(Asked { power: Power::from_key(text("gate.power")?)?, subject: text("gate.subject")?.to_owned() })
}

/// The least that allows all that was asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Suggestion {
    /// Sorted.
    pub patterns: BTreeMap<Power, BTreeSet<String>>,
}

/// Patterns for all that was asked for, each needed. With `merge`, a folder of which so many entries were asked for
/// stands for them: this allows more, and still holds when the program comes upon further files.
pub fn suggest(asked: impl IntoIterator<Item = Asked>, merge: Option<usize>) -> Suggestion {
    let mut patterns: BTreeMap<Power, BTreeSet<String>> = BTreeMap::new();
    for Asked { power, subject } in asked {
        // An empty subject is no pattern; nothing can allow it.
        if !subject.is_empty() {
            patterns.entry(power).or_default().insert(subject);
        }
    }
    for (power, subjects) in &mut patterns {
        if matches!(power.form(), Form::Path | Form::Command) {
            remove_covered(subjects);
            if let Some(least) = merge {
                merge_folders(subjects, least.max(1));
            }
        }
    }
    Suggestion { patterns }
}

/// Takes out the paths that lie below others.
fn remove_covered(paths: &mut BTreeSet<String>) {
    let covered = |path: &str| {
        let slashes = path.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &path[..at] });
        slashes.into_iter().any(|folder| folder != path && paths.contains(folder))
    };
    let kept = paths.iter().filter(|path| !covered(path)).cloned().collect();
    *paths = kept;
}

/// From the deepest folder up, so that a folder made of many can itself be one of many.
fn merge_folders(paths: &mut BTreeSet<String>, least: usize) {
    let depth = |path: &str| path.matches('/').count();
    for level in (2..=paths.iter().map(|path| depth(path)).max().unwrap_or(0)).rev() {
        let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in paths.iter().filter(|path| path.starts_with('/') && depth(path) == level) {
            let folder = &path[..path.rfind('/').unwrap_or(0)];
            folders.entry(folder.to_owned()).or_default().push(path.clone());
        }
        for (folder, entries) in folders {
            if entries.len() >= least {
                for entry in &entries {
                    paths.remove(entry);
                }
                paths.insert(folder);
            }
        }
    }
    remove_covered(paths);
}

impl Suggestion {
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// For the command line, one for each power.
    pub fn flags(&self) -> Vec<String> {
        let flag = |(power, patterns): (&Power, &BTreeSet<String>)| {
            flags::print_list(Effect::Allow, *power, patterns.iter().map(String::as_str))
        };
        self.patterns.iter().map(flag).collect()
    }

    /// `[permissions]`, or a set of this name, for `reml.toml`.
    pub fn section(&self, name: Option<&str>) -> String {
        let mut section = match name {
            Some(name) => format!("[permissions.{name}]\n"),
            None => "[permissions]\n".to_owned(),
        };
        for (power, patterns) in &self.patterns {
            section.push_str(&manifest::print(*power, patterns.iter().map(String::as_str)));
            section.push('\n');
        }
        section
    }
}
