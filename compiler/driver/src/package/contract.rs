//! `run.target.capabilities` of a manifest, as far as its entries are tables: what conductors have to require.

use std::collections::BTreeMap;

use reml_capability::CapabilityId;
use reml_capability::stage::StageRequirement;
use reml_diagnostics::{Label, Span, codes};
use toml::de::DeTable;

use super::Reader;
use crate::contract;

impl Reader<'_> {
    /// The entries of `run.target.capabilities` that are tables.
    pub(super) fn contract(&mut self, root: &DeTable<'_>) -> Vec<contract::Entry> {
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
}
