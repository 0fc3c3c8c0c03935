//! What a package is: its `reml.toml`, where its modules lie, and the packages it depends on.
//!
//! ```toml
//! [project]
//! name = "app"
//! version = "0.1.0"
//! src = "src"                       # the default
//!
//! [dependencies]
//! shapes = { path = "../shapes" }   # its modules are `shapes.area`, ..
//!
//! [capabilities]
//! console = "beta"                 # how settled what an effect needs is
//!
//! [dsl.query]                       # what is exported as a DSL
//! expect_effects = ["io"]
//! expect_effects_stage = "beta"
//!
//! [run]
//! effect_stage = "beta"            # nothing less settled is admitted
//!
//! [permissions]                     # what the program may do; see `reml_capability::policy::manifest`
//! read = ["data"]
//! ```
//!
//! Sections and keys that other tools define are accepted and left alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use reml_capability::policy::manifest::{self as policy, Entry, Value};
use reml_capability::policy::{Effect, Pattern, Power};
use reml_capability::stage::{Stage, Stages};
use reml_diagnostics::{Diagnostic, SourceFile, Span, codes, suggest};
use reml_semantics::ManifestDsl;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::target::{self, Setting};

pub const MANIFEST: &str = "reml.toml";

/// A package's description of itself.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    /// Where modules lie, relative to the manifest's directory.
    pub src: PathBuf,
    pub dependencies: Vec<Dependency>,
    pub stages: Stages,
    /// `[permissions]` and `[permissions.<name>]`.
    pub permissions: BTreeMap<Option<String>, Vec<Entry>>,
    /// `[dsl.<name>]`.
    pub dsls: Vec<ManifestDsl>,
    /// `[run.target]`, and the features that the package knows.
    pub target: Vec<Setting>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Dependency {
    /// The first part of the names of its modules.
    pub name: String,
    /// Relative to the manifest's directory.
    pub path: PathBuf,
    pub span: Span,
}

const SECTIONS: &[&str] = &[
    "project",
    "package",
    "dependencies",
    "dsl",
    "build",
    "registry",
    "config",
    "run",
    "ffi",
    "dev",
    "capabilities",
    "permissions",
];

/// Reads a manifest. The manifest is `None` when name or version are unusable.
pub fn parse(file: &SourceFile) -> (Option<Manifest>, Vec<Diagnostic>) {
    let mut reader = Reader { file, diagnostics: Vec::new() };
    let manifest = reader.manifest();
    (manifest, reader.diagnostics)
}

struct Reader<'a> {
    file: &'a SourceFile,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn span(&self, range: Range<usize>) -> Span {
        let limit = self.file.text.len();
        let start = range.start.min(limit);
        let end = range.end.clamp(start, limit);
        Span::new(self.file.base + start as u32, self.file.base + end as u32)
    }

    fn error(&mut self, range: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, self.span(range), message);
        self.diagnostics.push(diagnostic);
        self.diagnostics.last_mut().expect("just pushed")
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let file = self.file;
        let root = match DeTable::parse(&file.text) {
            Ok(root) => root,
            Err(error) => {
                self.error(error.span().unwrap_or(0..0), format!("`reml.toml` is not valid TOML: {}", error.message()));
                return None;
            }
        };
        let root = root.get_ref();
        for key in root.keys() {
            let name: &str = key.get_ref();
            if !SECTIONS.contains(&name)
                && let Some(near) = suggest::closest(name, SECTIONS.iter().copied())
            {
                let span = self.span(key.span());
                self.diagnostics.push(
                    Diagnostic::warning(
                        codes::PACKAGE_INVALID_MANIFEST,
                        span,
                        format!("`reml.toml` has a section `{name}` that nothing reads"),
                    )
                    .with_fix(span, near, format!("did you mean `{near}`?")),
                );
            }
        }
        // `[package]` is accepted as well: it is what most people try first.
        let Some(project) = root.get("project").or_else(|| root.get("package")) else {
            self.error(0..0, "`reml.toml` has no `[project]` section")
                .helps
                .push("a package needs at least:\n[project]\nname = \"app\"\nversion = \"0.1.0\"".into());
            return None;
        };
        let Some(table) = project.get_ref().as_table() else {
            self.wrong_type(project, "`project`", "a section");
            return None;
        };
        let name = self.required(table, project.span(), "name");
        let version = self.required(table, project.span(), "version");
        let src = match table.get("src") {
            Some(value) => self.text(value, "`project.src`").map(|(text, _)| PathBuf::from(text)),
            None => None,
        };
        let dependencies = root.get("dependencies").map_or_else(Vec::new, |value| self.dependencies(value));
        let stages = self.stages(root);
        let permissions = root.get("permissions").map_or_else(BTreeMap::new, |value| self.permissions(value));
        let dsls = root.get("dsl").map_or_else(Vec::new, |value| self.dsls(value));
        let mut target = self.target(root);
        if let Some(features) = table.get("features").and_then(|list| list.get_ref().as_array()) {
            for feature in features.iter() {
                if let Some((value, range)) = self.text(feature, "a feature") {
                    target.push(Setting { key: target::DECLARED.to_owned(), value, span: self.span(range) });
                }
            }
        }
        let (name, name_range) = name?;
        if !is_package_name(&name) {
            self.error(name_range, format!("`{name}` cannot be a package name"))
                .notes
                .push("a name starts with a lower-case letter, then has lower-case letters, digits and `_`".into());
        }
        let (version, version_range) = version?;
        if !is_version(&version) {
            self.error(version_range, format!("`{version}` is not a version"))
                .notes
                .push("a version has three numbers, `1.0.2`, and may end in a tag, `1.0.2-beta.1`".into());
        }
        Some(Manifest {
            name,
            version,
            src: src.unwrap_or_else(|| "src".into()),
            dependencies,
            stages,
            permissions,
            dsls,
            target,
        })
    }

    /// `[capabilities]` and `run.effect_stage`.
    fn stages(&mut self, root: &DeTable<'_>) -> Stages {
        let mut stages = Stages::default();
        if let Some(section) = root.get("capabilities") {
            match section.get_ref().as_table() {
                Some(table) => {
                    for (key, value) in table {
                        let id: &str = key.get_ref();
                        if let Some(stage) = self.stage(value, &format!("the stage of `{id}`")) {
                            stages.of.insert(id.to_owned(), stage);
                        }
                    }
                }
                None => self.wrong_type(section, "`capabilities`", "a section"),
            }
        }
        let run = root.get("run").and_then(|run| run.get_ref().as_table());
        if let Some(value) = run.and_then(|run| run.get("effect_stage")) {
            stages.admitted = self.stage(value, "`run.effect_stage`");
        }
        stages
    }

    fn stage(&mut self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<Stage> {
        let (text, range) = self.text(value, what)?;
        let stage = Stage::parse(&text);
        if stage.is_none() {
            self.error(range, format!("{what} is `{text}`, which is not a stage"))
                .helps
                .push("the stages are `experimental`, `beta` and `stable`".into());
        }
        stage
    }

    /// `[permissions]`, whose tables are sets with names, but for `deny`.
    fn permissions(&mut self, section: &Spanned<DeValue<'_>>) -> BTreeMap<Option<String>, Vec<Entry>> {
        let mut sets = BTreeMap::new();
        let Some(table) = section.get_ref().as_table() else {
            self.wrong_type(section, "`permissions`", "a section");
            return sets;
        };
        let is_set = |(key, value): &(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            value.get_ref().as_table().is_some() && *key.get_ref() != policy::DENY
        };
        let own = table.iter().filter(|entry| !is_set(entry));
        sets.insert(None, self.grants(own, "permissions"));
        for (key, value) in table.iter().filter(is_set) {
            match (policy::set_name(key.get_ref()), value.get_ref().as_table()) {
                (Ok(name), Some(table)) => {
                    let entries = self.grants(table.iter(), &format!("permissions.{name}"));
                    sets.insert(Some(name.to_owned()), entries);
                }
                (Err(problem), _) => {
                    self.error(key.span(), problem);
                }
                (Ok(_), None) => {}
            }
        }
        sets
    }

    /// What a set of permissions, called `set`, allows and denies.
    fn grants<'t>(
        &mut self,
        table: impl Iterator<Item = (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)>,
        set: &str,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in table {
            if *key.get_ref() != policy::DENY {
                entries.extend(self.grant(Effect::Allow, key, value, set));
            } else if let Some(denied) = value.get_ref().as_table() {
                let set = format!("{set}.{}", policy::DENY);
                for (key, value) in denied {
                    entries.extend(self.grant(Effect::Deny, key, value, &set));
                }
            } else {
                self.wrong_type(value, &format!("`{set}.{}`", policy::DENY), "a table");
            }
        }
        entries
    }

    /// One line of a set: what is wrong with it is said here.
    fn grant(
        &mut self,
        effect: Effect,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        set: &str,
    ) -> Option<Entry> {
        let name: &str = key.get_ref();
        let Some(power) = Power::from_key(name) else {
            let span = self.span(key.span());
            let known = || Power::all().map(Power::key).chain([policy::DENY]);
            let message = format!("`{set}` has no key `{name}`");
            let mut diagnostic = Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, span, message);
            diagnostic = match suggest::closest(name, known()) {
                Some(near) => diagnostic.with_fix(span, near, format!("did you mean `{near}`?")),
                None => diagnostic.with_help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
            };
            self.diagnostics.push(diagnostic);
            return None;
        };
        let what = format!("`{set}.{name}`");
        let granted = match value.get_ref() {
            DeValue::Boolean(all) => Value::Flag(*all),
            DeValue::Array(items) => {
                let mut patterns = Vec::new();
                for item in items.iter() {
                    let Some((text, range)) = self.text(item, &format!("an element of {what}")) else { continue };
                    // Where relative paths start does not matter to whether they are patterns.
                    match Pattern::parse(power, &text, Path::new("/")) {
                        Ok(_) => patterns.push((text, self.line(range.start))),
                        Err(problem) => {
                            self.error(range, problem.to_string());
                        }
                    }
                }
                Value::Patterns(patterns)
            }
            _ => {
                self.wrong_type(value, &what, "a list of texts, or `true` for all");
                return None;
            }
        };
        Some(Entry { effect, key: name.to_owned(), value: granted, line: self.line(key.span().start) })
    }

    fn line(&self, offset: usize) -> u32 {
        self.file.line_column(offset.min(self.file.text.len()) as u32).line
    }

    /// `[dsl.<name>]`, as far as the compiler checks exports against it.
    fn dsls(&mut self, section: &Spanned<DeValue<'_>>) -> Vec<ManifestDsl> {
        let Some(table) = section.get_ref().as_table() else {
            self.wrong_type(section, "`dsl`", "a section");
            return Vec::new();
        };
        let mut dsls = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some(table) = value.get_ref().as_table() else {
                self.wrong_type(value, &format!("`dsl.{name}`"), "a section");
                continue;
            };
            let stage = table.get("expect_effects_stage").and_then(|value| {
                let stage = self.stage(value, &format!("`dsl.{name}.expect_effects_stage`"))?;
                Some((stage, self.span(value.span())))
            });
            let expect_effects = table.get("expect_effects").and_then(|value| {
                let what = format!("`dsl.{name}.expect_effects`");
                Some((self.texts(value, &what)?, self.span(value.span())))
            });
            // Effects that are expected without a stage are expected to be stable.
            let stage = stage.or(match &expect_effects {
                Some((effects, span)) if !effects.is_empty() => Some((Stage::Stable, *span)),
                _ => None,
            });
            let exports = table.get("exports").map_or_else(Vec::new, |value| self.exports(value, name));
            dsls.push(ManifestDsl { name: name.to_owned(), exports, expect_effects, expect_effects_stage: stage });
        }
        dsls
    }

    /// Names, or tables with a `name` and a `signature`.
    fn exports(&mut self, value: &Spanned<DeValue<'_>>, dsl: &str) -> Vec<String> {
        let what = format!("`dsl.{dsl}.exports`");
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, &what, "a list");
            return Vec::new();
        };
        let item = format!("an element of {what}");
        let mut names = Vec::new();
        for export in items.iter() {
            let name = match export.get_ref() {
                DeValue::Table(table) => table.get("name"),
                _ => Some(export),
            };
            match name {
                Some(name) => names.extend(self.text(name, &item).map(|(text, _)| text)),
                None => {
                    self.error(export.span(), format!("{item} has no `name`"));
                }
            }
        }
        names
    }

    fn texts(&mut self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<Vec<String>> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, what, "a list of texts");
            return None;
        };
        let item = format!("an element of {what}");
        Some(items.iter().filter_map(|value| self.text(value, &item)).map(|(text, _)| text).collect())
    }

    /// `[run.target]`.
    fn target(&mut self, root: &DeTable<'_>) -> Vec<Setting> {
        let section = root.get("run").and_then(|run| run.get_ref().as_table()).and_then(|run| run.get("target"));
        let Some(section) = section else { return Vec::new() };
        let Some(table) = section.get_ref().as_table() else {
            self.wrong_type(section, "`run.target`", "a section");
            return Vec::new();
        };
        let diagnostics = &mut self.diagnostics;
        target::section(table, self.file.base, &mut |key, span| {
            let message = format!("`run.target` has no property `{key}`");
            let mut diagnostic = Diagnostic::error(codes::TARGET_UNKNOWN_KEY, span, message);
            if let Some(near) = suggest::closest(key, target::section_keys()) {
                diagnostic = diagnostic.with_fix(span, near, format!("did you mean `{near}`?"));
            }
            diagnostics.push(diagnostic);
        })
    }

    fn dependencies(&mut self, section: &Spanned<DeValue<'_>>) -> Vec<Dependency> {
        let Some(table) = section.get_ref().as_table() else {
            self.wrong_type(section, "`dependencies`", "a section");
            return Vec::new();
        };
        let mut dependencies = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !is_package_name(name) {
                self.error(key.span(), format!("`{name}` cannot be a package name"));
                continue;
            }
            let path = match value.get_ref() {
                DeValue::Table(table) => table.get("path"),
                DeValue::String(_) => None,
                _ => {
                    self.wrong_type(value, &format!("the dependency `{name}`"), "a table with a `path`");
                    continue;
                }
            };
            let Some(path) = path else {
                self.error(value.span(), format!("the dependency `{name}` has no `path`"))
                    .helps
                    .push(format!("packages are found by path so far: `{name} = {{ path = \"../{name}\" }}`"));
                continue;
            };
            if let Some((text, range)) = self.text(path, &format!("the path of `{name}`")) {
                dependencies.push(Dependency { name: name.into(), path: text.into(), span: self.span(range) });
            }
        }
        dependencies
    }

    fn required(&mut self, table: &DeTable<'_>, section: Range<usize>, key: &str) -> Option<(String, Range<usize>)> {
        match table.get(key) {
            Some(value) => self.text(value, &format!("`project.{key}`")),
            None => {
                // Only the header's line: the whole section would be a wall of underlines.
                let header = self.file.text[section.start..].lines().next().unwrap_or_default().trim_end();
                self.error(section.start..section.start + header.len(), format!("`{header}` has no `{key}`"));
                None
            }
        }
    }

    fn text(&mut self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<(String, Range<usize>)> {
        match value.get_ref().as_str() {
            Some(text) => Some((text.to_owned(), value.span())),
            None => {
                self.wrong_type(value, what, "a text");
                None
            }
        }
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, what: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        self.error(value.span(), format!("{what} must be {wanted}, and this is of type {found}"));
    }
}

/// `[a-z][a-z0-9_]*`: a package name starts the names of its modules, so it must be an identifier. A `-` is common in
/// package names elsewhere, and would read as a subtraction here.
pub fn is_package_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `1.2.3`, `1.2.3-beta.1`, `1.2.3+build`.
fn is_version(text: &str) -> bool {
    let (numbers, tag) = match text.find(['-', '+']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.len() < 10 && part.chars().all(|c| c.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && tag.is_none_or(|tag| {
            !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        })
}

/// The directory of the nearest manifest at or above `directory`.
pub fn find_root(directory: &Path, system: &dyn crate::system::System) -> Option<PathBuf> {
    // Relative paths know nothing of the directories above them.
    let absolute = system.current_dir().unwrap_or_default().join(directory);
    for (above, ancestor) in crate::system::normal(&absolute).ancestors().enumerate() {
        if system.is_file(&ancestor.join(MANIFEST)) {
            // Keep the user's own spelling where there is one.
            return Some(match directory.ancestors().nth(above) {
                Some(relative) if !directory.is_absolute() && !has_parent(directory) => relative.to_owned(),
                _ => ancestor.to_owned(),
            });
        }
    }
    None
}

fn has_parent(path: &Path) -> bool {
    path.components().any(|component| matches!(component, std::path::Component::ParentDir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;
    use reml_diagnostics::SourceMap;

    fn read(text: &str) -> (Option<Manifest>, Vec<String>) {
        let mut sources = SourceMap::new();
        let id = sources.add("reml.toml", text).unwrap();
        let (manifest, diagnostics) = parse(sources.file(id));
        let shown = diagnostics
            .iter()
            .map(|d| format!("{}: {}", sources.text(d.primary).unwrap_or_default(), d.message))
            .collect();
        (manifest, shown)
    }

    #[test]
    fn reads_a_manifest() {
        let (manifest, problems) = read(
            "[project]\nname = \"app\"\nversion = \"0.1.0\"\nkind = \"application\"\n\n[dependencies]\nshapes = { path = \"../shapes\" }\n",
        );
        let manifest = manifest.unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((manifest.name.as_str(), manifest.src.to_str().unwrap()), ("app", "src"));
        assert_eq!(manifest.dependencies[0].path, Path::new("../shapes"));
    }

    #[test]
    fn points_at_what_is_wrong() {
        let problem = |text: &str| read(text).1.join("; ");
        assert_eq!(problem("[project]\nversion = \"1.0.0\""), "[project]: `[project]` has no `name`");
        assert_eq!(
            problem("[project]\nname = 3\nversion = \"1.0.0\""),
            "3: `project.name` must be a text, and this is of type integer"
        );
        assert_eq!(
            problem("[project]\nname = \"My App\"\nversion = \"1.0.0\""),
            "\"My App\": `My App` cannot be a package name"
        );
        assert_eq!(problem("[project]\nname = \"a\"\nversion = \"1\""), "\"1\": `1` is not a version");
        assert_eq!(
            problem("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nb = \"1.0\""),
            "\"1.0\": the dependency `b` has no `path`"
        );
        assert!(problem("[project\n").contains("not valid TOML"));
        assert_eq!(problem(""), ": `reml.toml` has no `[project]` section");
        assert_eq!(
            problem("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependancies]"),
            "dependancies: `reml.toml` has a section `dependancies` that nothing reads"
        );
    }

    #[test]
    fn the_root_is_the_nearest_manifest() {
        let system = MemorySystem::new().with("a/reml.toml", "").with("a/src/deep/x.reml", "");
        assert_eq!(find_root(Path::new("a/src/deep"), &system), Some("a".into()));
        assert_eq!(find_root(Path::new("b"), &system), None);
    }
}
