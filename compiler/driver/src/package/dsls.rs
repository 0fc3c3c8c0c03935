//! `[dsl.<name>]` of a manifest: what is expected of exports.

use reml_capability::stage::{Stage, Stages};
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::{ManifestDsl, ManifestExport, ManifestSignature};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use crate::stages;

impl Reader<'_> {
    /// `[dsl.<name>]`, as far as the compiler checks exports against it.
    pub(super) fn dsls(&mut self, section: &Spanned<DeValue<'_>>) -> Vec<ManifestDsl> {
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
    pub(super) fn stale_stages(&mut self, section: &Spanned<DeValue<'_>>, stages: &Stages) {
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
}
