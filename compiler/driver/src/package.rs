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

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use reml_capability::CapabilityId;
use reml_capability::policy::manifest::{self as policy, Entry, Value};
use reml_capability::policy::{Effect, Grants, Pattern, Power, Rule, Section, Source};
use reml_capability::stage::{Stage, StageRequirement, Stages};
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, Label, SourceFile, Span, suggest};
use reml_semantics::{ManifestDsl, ManifestExport, ManifestSignature};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::config::tree::Node;
use crate::target::{self, Setting};
use crate::{config, contract, manifest, stages};

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
    pub contract: Vec<contract::Entry>,
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
        self.contradictions(None, &sets[&None]);
        for (key, value) in table.iter().filter(is_set) {
            match (policy::set_name(key.get_ref()), value.get_ref().as_table()) {
                (Ok(name), Some(table)) => {
                    let entries = self.grants(table.iter(), &format!("permissions.{name}"));
                    self.contradictions(Some(name), &entries);
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

    /// Nobody can know what a set means that allows and denies the same.
    fn contradictions(&mut self, set: Option<&str>, entries: &[Entry]) {
        let section = Section { file: MANIFEST.to_owned(), name: set.map(str::to_owned) };
        // Patterns that are none have been told already; and two that are equal are so wherever relative paths start.
        let rules = policy::rules(section, entries, Path::new("/")).unwrap_or_default();
        let Err(found) = Grants::new(rules) else { return };
        for contradiction in found {
            let span = |rule: &Rule| match &rule.source {
                Source::Manifest(_, line) => self.line_span(*line),
                _ => Span::NONE,
            };
            let (allow, deny) = (span(&contradiction.allow), span(&contradiction.deny));
            let message = format!(
                "`{}` of `{}` is both allowed and denied",
                contradiction.deny.pattern, contradiction.deny.power
            );
            self.diagnostics.push(
                Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, deny, message)
                    .with_primary_label("denied here")
                    .with_label(allow, "allowed here")
                    .with_help("remove one of them; a narrower path or name can be an exception to a wider one"),
            );
        }
    }

    /// A line without the blanks around it.
    fn line_span(&self, line: u32) -> Span {
        let range = self.file.line_range(line.saturating_sub(1) as usize);
        let whole = &self.file.text[range.clone()];
        let start = range.start + whole.len() - whole.trim_start().len();
        self.span(start..start + whole.trim().len())
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
        self.file.line_index(offset.min(self.file.text.len()) as u32) as u32 + 1
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
            let path = format!("dsl.{name}");
            let stage = self.placed_stage(table, &path, "expect_effects_stage");
            let expect_effects = self.placed_texts(table, &path, "expect_effects");
            // Effects that are expected without a stage are expected to be stable.
            let stage = stage.or(match &expect_effects {
                Some((effects, span)) if !effects.is_empty() => Some((Stage::Stable, *span)),
                _ => None,
            });
            let exports = table.get("exports").map_or_else(Vec::new, |value| self.exports(value, name));
            let allow_prerelease = table.get("allow_prerelease").and_then(|value| match value.get_ref() {
                DeValue::Boolean(allowed) => Some((*allowed, self.span(value.span()))),
                // Said of all keys of another type.
                _ => None,
            });
            dsls.push(ManifestDsl {
                name: name.to_owned(),
                exports,
                expect_effects,
                expect_effects_stage: stage,
                capabilities: self.placed_texts(table, &path, "capabilities"),
                allow_prerelease,
            });
        }
        dsls
    }

    fn placed_stage(&mut self, table: &DeTable<'_>, path: &str, key: &str) -> Option<(Stage, Span)> {
        let value = table.get(key)?;
        let stage = self.stage(value, &format!("`{path}.{key}`"))?;
        Some((stage, self.span(value.span())))
    }

    fn placed_texts(&mut self, table: &DeTable<'_>, path: &str, key: &str) -> Option<(Vec<String>, Span)> {
        let value = table.get(key)?;
        Some((self.texts(value, &format!("`{path}.{key}`"))?, self.span(value.span())))
    }

    /// Warns of DSLs that still expect what they need to be less settled than it is.
    fn stale_stages(&mut self, section: &Spanned<DeValue<'_>>, stages: &Stages) {
        let known = stages::canonical(&stages.of);
        for (key, value) in section.get_ref().as_table().into_iter().flatten() {
            let Some(table) = value.get_ref().as_table() else { continue };
            let (Some(expected), Some(list)) = (table.get("expect_effects_stage"), table.get("capabilities")) else {
                continue;
            };
            let ids = list.get_ref().as_array().into_iter().flatten().filter_map(|item| {
                let of_table = || item.get_ref().as_table()?.get("id")?.get_ref().as_str();
                item.get_ref().as_str().or_else(of_table)
            });
            let written = expected.get_ref().as_str().and_then(Stage::parse);
            let (Some(written), Some(actual)) = (written, stages::least(ids, &known)) else { continue };
            if written < actual {
                let name: &str = key.get_ref();
                let span = self.span(expected.span());
                self.diagnostics.push(
                    Diagnostic::warning(
                        codes::STAGE_PROMOTED_UNCHECKED,
                        span,
                        format!("`dsl.{name}` expects {written} effects, but what it needs is {actual} by now"),
                    )
                    .with_help(format!(
                        "check the DSL and write `expect_effects_stage = \"{actual}\"`; `remlc capability stage promote` does both"
                    )),
                );
            }
        }
    }

    /// Names, or tables with a `name` and a `signature`.
    fn exports(&mut self, value: &Spanned<DeValue<'_>>, dsl: &str) -> Vec<ManifestExport> {
        let what = format!("`dsl.{dsl}.exports`");
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, &what, "a list");
            return Vec::new();
        };
        let item = format!("an element of {what}");
        let mut exports = Vec::new();
        for export in items.iter() {
            let table = export.get_ref().as_table();
            let name = match table {
                Some(table) => table.get("name"),
                None => Some(export),
            };
            let Some(name) = name else {
                self.report(codes::CONFIG_MISSING_FIELD, export.span(), format!("{item} has no `name`"));
                continue;
            };
            let Some((name, _)) = self.text(name, &item) else { continue };
            let signature = table.and_then(|table| table.get("signature")?.get_ref().as_table());
            let signature =
                signature.map(|table| self.signature(table, &format!("dsl.{dsl}.exports.{name}.signature")));
            exports.push(ManifestExport { name, signature: signature.unwrap_or_default() });
        }
        exports
    }

    fn signature(&mut self, table: &DeTable<'_>, path: &str) -> ManifestSignature {
        let category = table.get("category").and_then(|value| {
            let (text, range) = self.text(value, &format!("`{path}.category`"))?;
            Some((text, self.span(range)))
        });
        let bounds = table.get("stage_bounds").and_then(|value| value.get_ref().as_table());
        let mut bound = |key| self.placed_stage(bounds?, &format!("{path}.stage_bounds"), key);
        let (minimum, current, maximum) = (bound("minimum"), bound("current"), bound("maximum"));
        ManifestSignature {
            category,
            allows_effects: self.placed_texts(table, path, "allows_effects"),
            requires_capabilities: self.placed_texts(table, path, "requires_capabilities"),
            minimum,
            current,
            maximum,
        }
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

    /// The entries of `run.target.capabilities` that are tables.
    fn contract(&mut self, root: &DeTable<'_>) -> Vec<contract::Entry> {
        let target = root.get("run").and_then(|run| run.get_ref().as_table()?.get("target")?.get_ref().as_table());
        let items = target.and_then(|target| target.get("capabilities")?.get_ref().as_array());
        let mut entries: Vec<contract::Entry> = Vec::new();
        let mut known: BTreeMap<CapabilityId, Span> = BTreeMap::new();
        for item in items.into_iter().flatten() {
            let Some(table) = item.get_ref().as_table() else { continue };
            let what = "an entry of `run.target.capabilities`";
            let mut required = |key: &str| match table.get(key) {
                Some(value) => self.text(value, &format!("`{key}` of {what}")),
                None => {
                    self.report(codes::CONFIG_MISSING_FIELD, item.span(), format!("{what} has no `{key}`"));
                    None
                }
            };
            let (id, stage) = (required("id"), required("stage"));
            let (Some((id, id_range)), Some((stage, stage_range))) = (id, stage) else { continue };
            let id = match CapabilityId::new(&id) {
                Ok(id) => id,
                Err(problem) => {
                    self.error(id_range, problem.to_string());
                    continue;
                }
            };
            let Some(stage) = StageRequirement::parse(&stage) else {
                let message = format!("the stage of `{id}` is `{stage}`, which is not a stage");
                let help = "write `exact:beta`, or `at_least:beta` to accept later ones; there are `experimental`, `beta` and `stable`";
                self.report(codes::CONFIG_INVALID_STAGE, stage_range, message).helps.push(help.into());
                continue;
            };
            let span = self.span(item.span());
            if let Some(first) = known.insert(id.clone(), span) {
                let message = format!("`{id}` is there twice");
                let diagnostic = self.report(codes::CONFIG_CAPABILITY_CONTRACT, item.span(), message);
                diagnostic.labels.push(Label { span: first, text: "first here".to_owned() });
                diagnostic.helps.push("keep one of them".to_owned());
                continue;
            }
            let declared_effects = match table.get("declared_effects") {
                Some(value) => self.texts(value, &format!("`declared_effects` of `{id}`")).unwrap_or_default(),
                None => Vec::new(),
            };
            let provider = table.get("provider").and_then(|value| self.text(value, "a provider")).map(|(text, _)| text);
            let source_span = table.get("source_span").and_then(|value| {
                let place = value.get_ref().as_table();
                let number = |key: &str| place?.get(key)?.get_ref().as_integer()?.as_str().parse::<u32>().ok();
                let found = number("start").zip(number("end"));
                if found.is_none() {
                    let message =
                        "a `source_span` has the whole numbers `start` and `end`, which are bytes of the file";
                    self.error(value.span(), message);
                }
                found
            });
            entries.push(contract::Entry { id, stage, declared_effects, source_span, provider, span });
        }
        entries
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
