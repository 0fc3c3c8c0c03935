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
//! What other tools read is checked in `manifest`, which knows all sections.

mod contract;
mod dsls;
mod permissions;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use reml_capability::policy::manifest::Entry;
use reml_capability::stage::{Stage, Stages};
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceFile, Span, suggest};
use reml_semantics::ManifestDsl;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::tree::Node;
use crate::target::{self, Setting};
use crate::{config, manifest};

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
    /// What conductors have to require: `run.target.capabilities`, as far as it has tables.
    pub contract: Vec<crate::contract::Entry>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Dependency {
    /// The first part of the names of its modules.
    pub name: String,
    /// Relative to the manifest's directory. A dependency without one is known by its version alone.
    pub path: Option<PathBuf>,
    pub span: Span,
}

/// What was read of a manifest, and what is wrong with it.
pub struct Parsed {
    /// Absent when name or version are unusable.
    pub manifest: Option<Manifest>,
    /// All that it says; absent when it is not TOML.
    pub tree: Option<Node>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a manifest.
pub fn parse(file: &SourceFile) -> Parsed {
    let mut reader = Reader { file, diagnostics: Vec::new() };
    let root = match DeTable::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            let message = format!("`reml.toml` is not valid TOML: {}", error.message());
            reader.report(codes::CONFIG_PARSE, error.span().unwrap_or(0..0), message);
            return Parsed { manifest: None, tree: None, diagnostics: reader.diagnostics };
        }
    };
    let manifest = reader.manifest(root.get_ref());
    let mut diagnostics = reader.diagnostics;
    let tree = config::toml_tree(file, root.get_ref());
    // What is wrong with a value that the compiler reads has been said, in its own words.
    let reported: BTreeSet<Span> = diagnostics.iter().map(|diagnostic| diagnostic.primary).collect();
    diagnostics.extend(manifest::check(&tree).into_iter().filter(|it| !reported.contains(&it.primary)));
    config::limit(&mut diagnostics, 0, Span::new(file.base, file.base));
    Parsed { manifest, tree: Some(tree), diagnostics }
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
        self.report(codes::PACKAGE_INVALID_MANIFEST, range, message)
    }

    fn report(&mut self, code: Code, range: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic::error(code, self.span(range), message));
        self.diagnostics.last_mut().expect("just pushed")
    }

    fn manifest(&mut self, root: &DeTable<'_>) -> Option<Manifest> {
        // `[package]` is accepted as well: it is what most people try first.
        let Some(project) = root.get("project").or_else(|| root.get("package")) else {
            self.report(codes::CONFIG_MISSING_FIELD, 0..0, "`reml.toml` has no `[project]` section")
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
        if let Some(section) = root.get("dsl") {
            self.stale_stages(section, &stages);
        }
        let mut target = self.target(root);
        let contract = self.contract(root);
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
        if semver::Version::parse(&version).is_err() {
            self.report(codes::CONFIG_PROJECT_VERSION, version_range, format!("`{version}` is not a version"))
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
            contract,
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
        // Templates call themselves `lite`, which promises as little.
        let stage = if text == "lite" { Some(Stage::Experimental) } else { Stage::parse(&text) };
        if stage.is_none() {
            self.report(codes::CONFIG_INVALID_STAGE, range, format!("{what} is `{text}`, which is not a stage"))
                .helps
                .push("the stages are `experimental`, `beta` and `stable`".into());
        }
        stage
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
                dependencies.push(Dependency { name: name.into(), path: None, span: self.span(value.span()) });
                continue;
            };
            if let Some((text, range)) = self.text(path, &format!("the path of `{name}`")) {
                dependencies.push(Dependency { name: name.into(), path: Some(text.into()), span: self.span(range) });
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
                let header_range = section.start..section.start + header.len();
                self.report(codes::CONFIG_MISSING_FIELD, header_range, format!("`{header}` has no `{key}`"));
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
        let parsed = parse(sources.file(id));
        let shown = parsed
            .diagnostics
            .iter()
            .map(|d| format!("{}: {}", sources.text(d.primary).unwrap_or_default(), d.message))
            .collect();
        (parsed.manifest, shown)
    }

    #[test]
    fn reads_a_manifest() {
        let (manifest, problems) = read(
            "[project]\nname = \"app\"\nversion = \"0.1.0\"\nkind = \"application\"\n\n[dependencies]\nshapes = { path = \"../shapes\" }\n",
        );
        let manifest = manifest.unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((manifest.name.as_str(), manifest.src.to_str().unwrap()), ("app", "src"));
        assert_eq!(manifest.dependencies[0].path.as_deref(), Some(Path::new("../shapes")));
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
        let permissions =
            |text: &str| problem(&format!("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[permissions]\n{text}"));
        assert_eq!(permissions("raed = true"), "raed: `permissions` has no key `raed`");
        assert_eq!(
            permissions("env = [\"A*B\"]"),
            "\"A*B\": `A*B` is not a pattern: only its beginning or its end can be `*`"
        );
        assert_eq!(
            permissions("read = [\"a\", \"b/../c\"]\n  deny.read = [\"c\"]"),
            "deny.read = [\"c\"]: `c` of `read` is both allowed and denied"
        );
        assert_eq!(
            permissions("ci = { env = true, deny = { env = [\"*\"] } }\n[permissions.read]"),
            "ci = { env = true, deny = { env = [\"*\"] } }: `*` of `env` is both allowed and denied; \
             read: `read` cannot be the name of a set: it is a key of `[permissions]`"
        );
        assert!(problem("[project\n").contains("not valid TOML"));
        assert_eq!(problem(""), ": `reml.toml` has no `[project]` section");
        assert_eq!(
            problem("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependancies]\na = 1"),
            "dependancies: `reml.toml` has a section `dependancies` that nothing reads"
        );
        assert_eq!(
            problem("[project]\nname = \"a\"\nversion = \"1.0.0\"\nlicence = \"MIT\"\nauthors = [1]"),
            "licence: `project` has a key `licence` that nothing reads; 1: `project.authors[0]` must be a text or a table, and this is a number"
        );
    }

    #[test]
    fn the_root_is_the_nearest_manifest() {
        let system = MemorySystem::new().with("a/reml.toml", "").with("a/src/deep/x.reml", "");
        assert_eq!(find_root(Path::new("a/src/deep"), &system), Some("a".into()));
        assert_eq!(find_root(Path::new("b"), &system), None);
    }
}
