//! Is a configuration file fit for use? `remlc config lint`: well-formed, a good manifest if it is one, and as its schema says.

use std::path::Path;

use reml_diagnostics::{Diagnostic, SourceMap, Span, codes, render};
use semver::Version;

use super::schema::Schema;
use super::tree::Node;
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

pub fn lint(path: &Path, schema: Option<&Path>, system: &dyn System) -> Lint {
    let mut lint =
        Lint { sources: SourceMap::new(), diagnostics: Vec::new(), manifest_loaded: false, schema_checked: false };
    let is_manifest = path.file_name().is_some_and(|name| name == MANIFEST);
    let root = if is_manifest { lint.manifest(path, system) } else { lint.other(path, system) };
    lint.manifest_loaded = root.is_some();
    if let Some(schema) = schema {
        lint.schema(schema, root.as_ref(), is_manifest, system);
    }
    render::arrange(&mut lint.diagnostics);
    lint
}

impl Lint {
    fn manifest(&mut self, path: &Path, system: &dyn System) -> Option<Node> {
        let file = super::open(path, system, &mut self.sources, &mut self.diagnostics)?;
        let parsed = package::parse(self.sources.file(file));
        self.diagnostics.extend(parsed.diagnostics);
        let root = parsed.tree?;
        let directory = path.parent().unwrap_or(Path::new(""));
        manifest::check_entries(&root, directory, system, &mut self.diagnostics);
        Some(root)
    }

    fn other(&mut self, path: &Path, system: &dyn System) -> Option<Node> {
        super::read(path, system, &mut self.sources, &mut self.diagnostics)?.root
    }

    fn schema(&mut self, path: &Path, root: Option<&Node>, is_manifest: bool, system: &dyn System) {
        let document = super::read(path, system, &mut self.sources, &mut self.diagnostics);
        let Some(described) = document.and_then(|document| document.root) else { return };
        // The fields of a description are those of a package's configuration. In the manifest they are looked for where they are named after its sections.
        let describes = |field: &str| !is_manifest || manifest::is_section(field);
        let schema = Schema::new(&described, describes, &mut self.diagnostics);
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
