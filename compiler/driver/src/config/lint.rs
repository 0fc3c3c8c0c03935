//! Is a configuration file fit for use? `remlc config lint`: well-formed, a good manifest if it is one, and as its schema says.

use std::path::Path;

use reml_diagnostics::{Diagnostic, SourceMap, Span, codes, render};
use semver::Version;

use super::compat::Chooser;
use super::key_path::Origin;
use super::schema::Schema;
use super::tree::Node;
use super::{Document, Format, key_path};
use crate::manifest;
use crate::package::{self, MANIFEST};
use crate::system::System;

/// What was found.
pub struct Lint {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// The file was read and is well-formed.
    pub manifest_loaded: bool,
    /// The schema was read and applied.
    pub schema_checked: bool,
}

impl Lint {
    /// Nothing is wrong.
    pub fn validated(&self) -> bool {
        self.diagnostics.is_empty()
    }
}

pub fn lint(path: &Path, schema: Option<&Path>, chooser: &Chooser<'_>) -> Lint {
    let mut lint =
        Lint { sources: SourceMap::new(), diagnostics: Vec::new(), manifest_loaded: false, schema_checked: false };
    let is_manifest = path.file_name().is_some_and(|name| name == MANIFEST);
    let document = match is_manifest {
        true => lint.manifest(path, chooser.system),
        false => super::read(path, chooser, &mut lint.sources, &mut lint.diagnostics),
    };
    let root = document.as_ref().and_then(|document| document.root.as_ref());
    lint.manifest_loaded = root.is_some();
    let described = schema.and_then(|path| {
        // A schema says what is accepted, and is not what the compatibility is about.
        let strict = Chooser { asked: Some("strict-json"), ..*chooser };
        super::read(path, &strict, &mut lint.sources, &mut lint.diagnostics)
    });
    if let Some(described) = described.as_ref().and_then(|document| document.root.as_ref()) {
        lint.schema(described, root, is_manifest);
    }
    let source = if is_manifest { "manifest" } else { "custom" };
    let of_file = document.as_ref().map(|it| Origin { source, ..it.origin() });
    let origins: Vec<Origin<'_>> = of_file.into_iter().chain(described.as_ref().map(Document::origin)).collect();
    key_path::annotate(&mut lint.diagnostics, &origins, &lint.sources);
    render::arrange(&mut lint.diagnostics);
    lint
}

impl Lint {
    fn manifest(&mut self, path: &Path, system: &dyn System) -> Option<Document> {
        let file = super::open(path, system, &mut self.sources, &mut self.diagnostics)?;
        let parsed = package::parse(self.sources.file(file));
        self.diagnostics.extend(parsed.diagnostics);
        let directory = path.parent().unwrap_or(Path::new(""));
        if let Some(root) = &parsed.tree {
            manifest::check_entries(root, directory, system, &mut self.diagnostics);
        }
        Some(Document { file, format: Format::Toml, root: parsed.tree })
    }

    fn schema(&mut self, described: &Node, root: Option<&Node>, is_manifest: bool) {
        // The fields of a description are those of a package's configuration. In the manifest they are looked for where they are named after its sections.
        let describes = |field: &str| !is_manifest || manifest::is_section(field);
        let schema = Schema::new(described, describes, &mut self.diagnostics);
        let (Some(schema), Some(root)) = (schema, root) else { return };
        if let (true, Some((version, at))) = (is_manifest, &schema.version) {
            self.versions(version, *at, root);
        }
        schema.check(root, &mut self.diagnostics);
        self.schema_checked = true;
    }

    /// A schema of another major version is about something else, and one of a later version may ask for what the package does not have yet.
    fn versions(&mut self, schema: &Version, at: Span, root: &Node) {
        let Some(node) = root.get("project").and_then(|project| project.get("version")) else { return };
        // What is no version is reported with the manifest.
        let Some(project) = node.as_text().and_then(|text| Version::parse(text).ok()) else { return };
        let (reason, problem) = if project.major != schema.major {
            ("major", "has another major version than")
        } else if project < *schema {
            ("schema_ahead", "is older than")
        } else {
            return;
        };
        self.diagnostics.push(
            Diagnostic::error(
                codes::CONFIG_SCHEMA_VERSION,
                node.span,
                format!("the project's version {project} {problem} its schema's, {schema}"),
            )
            .with_label(at, "the version of the schema")
            .with_fact("config.version_reason", reason),
        );
    }
}
