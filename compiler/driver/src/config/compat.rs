//! How far may a file in JSON depart from the standard? That is said on the command line, in the environment, or in `[config.compatibility.json]` of the
//! package's manifest, the nearest first; otherwise not at all.

use std::collections::BTreeSet;
use std::path::Path;

use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceMap, Span, suggest};

use super::Format;
use super::tree::Node;
use crate::package::{self, MANIFEST};
use crate::system::System;

/// Names a profile for all files.
const PROFILE_VARIABLE: &str = "REML_CONFIG_COMPAT";
/// Says which comments are white space.
const TRIVIA_VARIABLE: &str = "REML_CONFIG_TRIVIA";
/// The features that are there, for `feature_guard`.
const FEATURES_VARIABLE: &str = "REML_CONFIG_FEATURES";

pub const PROFILES: &[&str] = &["strict-json", "json-relaxed", "toml-strict", "toml-relaxed"];
pub const TRAILING_COMMAS: &[&str] = &["forbid", "arrays", "objects", "arrays_and_objects"];
pub const UNQUOTED_KEYS: &[&str] = &["forbid", "allow_alpha", "allow_alpha_numeric"];
pub const DUPLICATE_KEYS: &[&str] = &["error", "last_write_wins", "collect_all"];
pub const NUMBERS: &[&str] = &["strict", "allow_leading_plus", "allow_hex_float"];
pub const TRIVIA: &[&str] = &["strict_json", "json_relaxed", "toml_relaxed"];

/// What is accepted besides the standard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compat {
    /// The profile that it begins with.
    pub profile: &'static str,
    pub comments: bool,
    pub comma_in_arrays: bool,
    pub comma_in_objects: bool,
    pub keys: Keys,
    pub duplicates: Duplicates,
    pub numbers: Numbers,
}

/// Which keys need no quotation marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    Quoted,
    /// Letters of ASCII and `_`.
    Alpha,
    /// The same, digits and `-`.
    AlphaNumeric,
}

/// What becomes of a key that an object has already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duplicates {
    Refused,
    LastWins,
    /// All values become one list.
    Collected,
}

/// Which spellings of numbers are accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Numbers {
    Standard,
    /// `+1`
    Plus,
    /// `+1` and `0xFF`
    Hex,
}

impl Compat {
    /// JSON as it is standardised.
    pub fn strict() -> Compat {
        Compat {
            profile: "strict-json",
            comments: false,
            comma_in_arrays: false,
            comma_in_objects: false,
            keys: Keys::Quoted,
            duplicates: Duplicates::Refused,
            numbers: Numbers::Standard,
        }
    }

    /// For files that people write.
    fn relaxed() -> Compat {
        Compat {
            profile: "json-relaxed",
            comments: true,
            comma_in_arrays: true,
            comma_in_objects: true,
            keys: Keys::Alpha,
            duplicates: Duplicates::LastWins,
            numbers: Numbers::Plus,
        }
    }

    /// Sets what `[config.compatibility.json]` says beside the profile. Other values have been reported with the manifest.
    fn set(&mut self, section: &Node) {
        let text = |key: &str| section.get(key).and_then(Node::as_text);
        if let Some(value) = text("trailing_comma").filter(|it| TRAILING_COMMAS.contains(it)) {
            self.comma_in_arrays = value.starts_with("arrays");
            self.comma_in_objects = value.ends_with("objects");
        }
        match text("unquoted_key") {
            Some("forbid") => self.keys = Keys::Quoted,
            Some("allow_alpha") => self.keys = Keys::Alpha,
            Some("allow_alpha_numeric") => self.keys = Keys::AlphaNumeric,
            _ => {}
        }
        match text("duplicate_key") {
            Some("error") => self.duplicates = Duplicates::Refused,
            Some("last_write_wins") => self.duplicates = Duplicates::LastWins,
            Some("collect_all") => self.duplicates = Duplicates::Collected,
            _ => {}
        }
        match text("number") {
            Some("strict") => self.numbers = Numbers::Standard,
            Some("allow_leading_plus") => self.numbers = Numbers::Plus,
            Some("allow_hex_float") => self.numbers = Numbers::Hex,
            _ => {}
        }
        if let Some(value) = text("trivia").filter(|it| TRIVIA.contains(it)) {
            self.comments = value != "strict_json";
        }
    }
}

/// Finds out how files are read.
pub struct Chooser<'a> {
    pub system: &'a dyn System,
    /// The profile that the command line names.
    pub asked: Option<&'a str>,
}

impl Chooser<'_> {
    /// How a file is read. What is wrong with what is said of it is reported, and then the standard counts.
    pub fn choose(&self, path: &Path, format: Format, diagnostics: &mut Vec<Diagnostic>) -> Compat {
        let from_environment = self.system.env(PROFILE_VARIABLE).filter(|name| !name.is_empty());
        let mut compat = match (self.asked, &from_environment) {
            (Some(name), _) => {
                self.named(name, format, "`--config-compat` names", codes::CONFIG_COMPAT_PROFILE, diagnostics)
            }
            (None, Some(name)) => {
                let what = format!("`{PROFILE_VARIABLE}` names");
                self.named(name, format, &what, codes::CONFIG_COMPAT_ENVIRONMENT, diagnostics)
            }
            (None, None) => self.of_manifest(path, format, diagnostics),
        };
        if let Some(value) = self.system.env(TRIVIA_VARIABLE).filter(|value| !value.is_empty()) {
            if TRIVIA.contains(&&*value) {
                compat.comments = value != "strict_json";
            } else {
                let message = format!("`{TRIVIA_VARIABLE}` cannot be `{value}`");
                let diagnostic = Diagnostic::error(codes::CONFIG_COMPAT_ENVIRONMENT, Span::NONE, message);
                diagnostics.push(with_choice(diagnostic, &value, TRIVIA).with_fact("config.source", "env"));
            }
        }
        compat
    }

    fn named(&self, name: &str, format: Format, what: &str, code: Code, diagnostics: &mut Vec<Diagnostic>) -> Compat {
        let source = if self.asked.is_some() { "cli" } else { "env" };
        match profile(name, format) {
            Ok(compat) => compat,
            Err(Problem::Unknown) => {
                let message = format!("{what} the profile `{name}`, which does not exist");
                let diagnostic = Diagnostic::error(code, Span::NONE, message).with_fact("config.source", source);
                diagnostics.push(with_choice(diagnostic, name, PROFILES));
                Compat::strict()
            }
            Err(Problem::Unsupported) => {
                diagnostics.push(unsupported(Span::NONE, name).with_fact("config.source", source));
                Compat::strict()
            }
        }
    }

    /// What the manifest of the package that the file lies in says. What is wrong with a manifest as such is reported where that is checked.
    fn of_manifest(&self, path: &Path, format: Format, diagnostics: &mut Vec<Diagnostic>) -> Compat {
        let strict = Compat::strict();
        let folder = path.parent().unwrap_or(Path::new(""));
        let Some(root) = package::find_root(folder, self.system) else { return strict };
        let (mut sources, mut ignored) = (SourceMap::new(), Vec::new());
        let Some(file) = super::open(&root.join(MANIFEST), self.system, &mut sources, &mut ignored) else {
            return strict;
        };
        let Some(tree) = super::toml::parse(sources.file(file), &mut ignored) else { return strict };
        let section = tree.get("config").and_then(|it| it.get("compatibility")).and_then(|it| it.get(format.name()));
        let Some(section) = section else { return strict };
        let named = section.get("profile").and_then(Node::as_text);
        let mut compat = match named.map(|name| profile(name, format)) {
            Some(Ok(compat)) => compat,
            Some(Err(Problem::Unsupported)) => {
                diagnostics.push(unsupported(Span::NONE, named.unwrap_or_default()));
                return strict;
            }
            None | Some(Err(Problem::Unknown)) => strict,
        };
        compat.set(section);
        self.check_features(section, &tree, diagnostics);
        compat
    }

    /// Files are read in a way of their own only where the features are there that the manifest says this is for.
    fn check_features(&self, section: &Node, manifest: &Node, diagnostics: &mut Vec<Diagnostic>) {
        let texts = |node: Option<&Node>| -> BTreeSet<String> {
            node.map_or(&[][..], Node::items).iter().filter_map(Node::as_text).map(str::to_owned).collect()
        };
        let wanted = texts(section.get("feature_guard"));
        if wanted.is_empty() {
            return;
        }
        let target = manifest.get("run").and_then(|run| run.get("target"));
        let mut enabled = texts(target.and_then(|target| target.get("features")));
        let variable = self.system.env(FEATURES_VARIABLE).unwrap_or_default().to_lowercase();
        enabled.extend(variable.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
        for name in wanted.difference(&enabled) {
            let message = format!("the configuration is for programs with the feature `{name}`, which is not enabled");
            diagnostics.push(
                Diagnostic::error(codes::FEATURE_MISMATCH, Span::NONE, message)
                    .with_fact("config.feature_guard", wanted.iter().cloned().collect::<Vec<_>>())
                    .with_help(format!("add it to `features` of `[run.target]`, or to `{FEATURES_VARIABLE}`")),
            );
        }
        for name in enabled.difference(&wanted) {
            let message = format!("the feature `{name}` is enabled, but `feature_guard` does not name it");
            diagnostics.push(Diagnostic::warning(codes::FEATURE_MISMATCH, Span::NONE, message));
        }
    }
}

enum Problem {
    Unknown,
    /// TOML is read strictly.
    Unsupported,
}

/// The profile of this name, as far as it is about the format.
fn profile(name: &str, format: Format) -> Result<Compat, Problem> {
    match (name, format) {
        ("json-relaxed", Format::Json) => Ok(Compat::relaxed()),
        ("toml-relaxed", Format::Toml) => Err(Problem::Unsupported),
        _ if PROFILES.contains(&name) => Ok(Compat::strict()),
        _ => Err(Problem::Unknown),
    }
}

fn unsupported(at: Span, name: &str) -> Diagnostic {
    let message = format!("the profile `{name}` is not supported: TOML is read as it is standardised");
    Diagnostic::error(codes::CONFIG_COMPAT_UNSUPPORTED, at, message).with_help("use `toml-strict`")
}

fn with_choice(diagnostic: Diagnostic, value: &str, known: &[&'static str]) -> Diagnostic {
    match suggest::closest(value, known.iter().copied()) {
        Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
        None => diagnostic.with_help(format!("there are `{}`", known.join("`, `"))),
    }
}
