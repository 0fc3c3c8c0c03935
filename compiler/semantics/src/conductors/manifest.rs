//! Does an export agree with the manifest? `[dsl.<name>]` bounds the effects, stages and capabilities of its exports, and may repeat their signatures.

use reml_capability::stage::Stage;
use reml_diagnostics::{Diagnostic, Span, codes};

use crate::cx::*;
use crate::effects::TagSet;
use crate::suggest;
use crate::typed::{DslExport, StageBounds};
use crate::{ManifestDsl, ManifestExport, ManifestSignature};

impl Checker<'_> {
    /// `effects` are what the export allows.
    pub(super) fn check_manifest(&mut self, export: &DslExport, effects: &TagSet) {
        let sections = &self.options.dsls;
        let named = |it: &&ManifestExport| *it.name == *export.name;
        let about = |dsl: &&ManifestDsl| *dsl.name == *export.name || dsl.exports.iter().any(|it| named(&it));
        let Some(section) = sections.iter().find(about) else { return };
        self.check_expected_effects(section, export, effects);
        self.check_expected_stage(section, export);
        self.check_known_capabilities(section, export);
        if let Some(written) = section.exports.iter().find(named) {
            self.check_signature(&written.signature, export, effects);
        }
    }

    fn check_expected_effects(&mut self, section: &ManifestDsl, export: &DslExport, effects: &TagSet) {
        let Some((expected, place)) = &section.expect_effects else { return };
        if !self.check_manifest_effects(expected, *place) {
            return;
        }
        let extra = self.beyond(effects, &self.tags_of(expected));
        if extra.is_empty() {
            return;
        }
        let shown = self.tags.show(&extra);
        let message = format!(
            "the export `{}` has the effects `{shown}`, which the manifest does not expect of `{}`",
            export.name, section.name
        );
        let diagnostic = Diagnostic::error(codes::EXPORT_MANIFEST_EFFECTS, export.span, message)
            .with_label(*place, "expected here")
            .with_fact("effects.residual", shown)
            .with_help("add them to `expect_effects`, or allow less");
        self.report(diagnostic);
    }

    fn check_expected_stage(&mut self, section: &ManifestDsl, export: &DslExport) {
        let StageBounds { minimum, current, maximum } = export.stage_bounds;
        if let Some((false, place)) = section.allow_prerelease
            && current < Stage::Stable
        {
            let message = format!(
                "the export `{}` is {current}, but the manifest allows nothing of `{}` that is not stable",
                export.name, section.name
            );
            self.report(
                Diagnostic::error(codes::MANIFEST_DSL_PRERELEASE, export.span, message)
                    .with_label(place, "said here")
                    .with_help("write `allow_prerelease = true`, or wait until it is stable"),
            );
        }
        let Some((expected, place)) = section.expect_effects_stage else { return };
        if current >= expected && (minimum..=maximum).contains(&expected) {
            return;
        }
        let message = format!(
            "the manifest expects `{}` to be {expected}, but the export `{}` is {current}, between {minimum} and {maximum}",
            section.name, export.name
        );
        self.report(
            Diagnostic::error(codes::MANIFEST_DSL_STAGE, export.span, message)
                .with_label(place, "expected here")
                .with_help(format!("write `expect_effects_stage = \"{current}\"`, or change `stage_bounds`")),
        );
    }

    fn check_known_capabilities(&mut self, section: &ManifestDsl, export: &DslExport) {
        let Some((known, place)) = &section.capabilities else { return };
        let missing = missing(&export.requires_capabilities, known);
        if !missing.is_empty() {
            let what = format!("`dsl.{}.capabilities`", section.name);
            self.capabilities_missing(&what, &missing, export, *place);
        }
    }

    fn capabilities_missing(&mut self, list: &str, missing: &[&str], export: &DslExport, place: Span) {
        let shown = missing.join("`, `");
        let message = format!("the export `{}` requires `{shown}`, which {list} in the manifest lacks", export.name);
        self.report(
            Diagnostic::error(codes::MANIFEST_DSL_CAPABILITY, place, message)
                .with_label(export.span, "required here")
                .with_help(format!("add `\"{}\"`", missing.join("\", \""))),
        );
    }

    /// What the manifest says of the export's signature has to be what the program says.
    fn check_signature(&mut self, written: &ManifestSignature, export: &DslExport, effects: &TagSet) {
        if let Some((category, place)) = &written.category
            && **category != *export.category
        {
            let message =
                format!("the export `{}` is of the category `{}`, not `{category}`", export.name, export.category);
            self.disagrees(codes::MANIFEST_DSL_CATEGORY, *place, message, export);
        }
        if let Some((names, place)) = &written.allows_effects
            && self.check_manifest_effects(names, *place)
        {
            let written = self.tags_of(names);
            if !self.beyond(effects, &written).is_empty() || !self.beyond(&written, effects).is_empty() {
                let (actual, written) = (self.tags.show(effects), self.tags.show(&written));
                let message = format!("the export `{}` allows the effects `{actual}`, not `{written}`", export.name);
                self.disagrees(codes::MANIFEST_DSL_EFFECTS, *place, message, export);
            }
        }
        if let Some((names, place)) = &written.requires_capabilities {
            let lacking = missing(&export.requires_capabilities, names);
            if !lacking.is_empty() {
                let what = format!("the signature of `{}`", export.name);
                self.capabilities_missing(&what, &lacking, export, *place);
            }
            let known: Vec<String> = export.requires_capabilities.iter().map(|it| it.to_string()).collect();
            if let Some(extra) = names.iter().find(|name| !known.contains(name)) {
                let message = format!("the export `{}` does not require the capability `{extra}`", export.name);
                self.disagrees(codes::MANIFEST_DSL_CAPABILITY, *place, message, export);
            }
        }
        let bounds = export.stage_bounds;
        for (what, written, actual) in [
            ("minimum", written.minimum, bounds.minimum),
            ("current", written.current, bounds.current),
            ("maximum", written.maximum, bounds.maximum),
        ] {
            if let Some((stage, place)) = written
                && stage != actual
            {
                let message = format!("the {what} stage of the export `{}` is {actual}, not {stage}", export.name);
                self.disagrees(codes::MANIFEST_DSL_STAGE, place, message, export);
            }
        }
    }

    fn disagrees(&mut self, code: codes::Code, place: Span, message: String, export: &DslExport) {
        self.report(
            Diagnostic::error(code, place, message)
                .with_label(export.span, "exported here")
                .with_help("say in `reml.toml` what the program says, or leave it out"),
        );
    }

    /// Are these effects that the program knows?
    fn check_manifest_effects(&mut self, names: &[String], place: Span) -> bool {
        let Some(unknown) = names.iter().find(|name| self.tags_named(name).is_none()) else { return true };
        let declared = self.effect_decls.values().map(|info| self.names.text(info.name));
        let near = suggest::closest(unknown, self.tags.builtin().chain(declared));
        let message = format!("the manifest names the effect `{unknown}`, which does not exist");
        let mut diagnostic = Diagnostic::error(codes::MANIFEST_DSL_UNKNOWN_EFFECT, place, message);
        if let Some(near) = near {
            diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
        }
        self.report(diagnostic);
        false
    }
}

/// The capabilities that a list does not have.
fn missing<'e>(required: &'e [Box<str>], listed: &[String]) -> Vec<&'e str> {
    required.iter().map(|id| &**id).filter(|id| listed.iter().all(|it| it != id)).collect()
}
