//! Which bridges does a package declare? `[bridge.<id>]` of `reml.toml`, and the DSLs that are bridges.
//!
//! A DSL of the kind `runtime_bridge` is a bridge of the same name: how settled it is, what it requires and which effects it has are those of its exports, as
//! `remlc manifest dump` tells them. A section `[bridge.<id>]` says what it has to be otherwise, and how it is reloaded.

use std::collections::BTreeSet;
use std::path::Path;

use reml_bridge::{RollbackPolicy, RuntimeBridgeDescriptor, RuntimeBridgeRegistry, RuntimeBridgeReloadSpec, demands};
use reml_capability::CapabilityId;
use reml_capability::stage::{Stage, StageRequirement};
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes, suggest};
use serde_json::Value;

use crate::config::tree::{Entry, Node};
use crate::manifest;
use crate::package;
use crate::system::System;

/// A DSL that is one.
const KIND: &str = "runtime_bridge";

/// What a manifest says of bridges.
#[derive(Default)]
pub struct Bridges {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// By id.
    pub declared: Vec<RuntimeBridgeDescriptor>,
    /// The least settled stage that the package admits.
    pub admitted: Option<Stage>,
}

/// The bridge of whoever declares none: reloads configurations, is stable, and records what it does where there is an audit log.
pub fn builtin() -> RuntimeBridgeDescriptor {
    let mut bridge = RuntimeBridgeDescriptor::new("core.config");
    bridge.stage = Stage::Stable;
    bridge.required_capabilities =
        ["io.fs.read", "io.fs.write"].into_iter().filter_map(|id| CapabilityId::new(id).ok()).collect();
    bridge.required_effects = ["audit", "io"].map(str::to_owned).into();
    bridge.audit.requires_audit_effect = false;
    bridge.reload = Some(RuntimeBridgeReloadSpec::default());
    bridge
}

/// Reads the bridges of a manifest. Where a DSL is one, the program that it begins with is checked.
pub fn read(path: &Path, system: &dyn System) -> Bridges {
    let mut found = Bridges::default();
    found.read(path, system);
    found
}

impl Bridges {
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The bridge with an id; the one that needs no declaration among them.
    pub fn find(&self, id: &str) -> Option<RuntimeBridgeDescriptor> {
        self.declared
            .iter()
            .find(|bridge| bridge.id == id)
            .cloned()
            .or_else(|| Some(builtin()).filter(|it| it.id == id))
    }

    /// That there is no such bridge, and which one may be meant.
    pub fn unknown(&self, id: &str, at: Span) -> Diagnostic {
        let diagnostic = Diagnostic::error(codes::BRIDGE_UNKNOWN, at, format!("there is no bridge `{id}`"));
        let builtin = builtin().id;
        let known = self.declared.iter().map(|bridge| bridge.id.as_str()).chain([builtin.as_str()]);
        match suggest::closest(id, known) {
            Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
            None => {
                diagnostic.with_help(format!("bridges are declared in `reml.toml`, in a section `[bridge.{id:?}]`"))
            }
        }
    }

    /// Adds the bridges of a manifest.
    pub fn read(&mut self, path: &Path, system: &dyn System) {
        let Some(root) = self.parse(path, system) else { return };
        let is_bridge = |dsl: &&Entry| dsl.value.get("kind").and_then(Node::as_text) == Some(KIND);
        let dsls: Vec<&Entry> = root.get("dsl").map_or(&[][..], Node::entries).iter().filter(is_bridge).collect();
        let mut declared: Vec<(RuntimeBridgeDescriptor, Span)> = Vec::new();
        if !dsls.is_empty() {
            let Some(dump) = self.dump(path, system) else { return };
            declared.extend(dsls.iter().map(|dsl| (self.of_dsl(&dsl.key, &dump["dsl"][&*dsl.key]), dsl.key_span)));
        }
        for section in root.get("bridge").map_or(&[][..], Node::entries) {
            let known = declared.iter_mut().find(|(bridge, _)| bridge.id == *section.key);
            let mut bridge =
                known.map_or_else(|| RuntimeBridgeDescriptor::new(&*section.key), |(bridge, _)| bridge.clone());
            self.of_section(&mut bridge, &section.value);
            declared.retain(|(other, _)| other.id != bridge.id);
            declared.push((bridge, section.key_span));
        }
        declared.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        for (bridge, at) in &mut declared {
            bridge.manifest_path = Some(path.display().to_string());
            self.check(bridge, *at);
        }
        self.declared = declared.into_iter().map(|(bridge, _)| bridge).collect();
    }

    fn parse(&mut self, path: &Path, system: &dyn System) -> Option<Node> {
        let file = crate::config::open(path, system, &mut self.sources, &mut self.diagnostics)?;
        let parsed = package::parse(self.sources.file(file));
        self.diagnostics.extend(parsed.diagnostics);
        self.admitted = parsed.manifest.and_then(|manifest| manifest.stages.admitted);
        parsed.tree.filter(|_| !self.failed())
    }

    /// The manifest with the signatures of its exports. What is wrong with them is told with the places that they have there.
    fn dump(&mut self, path: &Path, system: &dyn System) -> Option<Value> {
        let dump = manifest::dump(path, system);
        if dump.manifest.is_none() {
            (self.sources, self.diagnostics) = (dump.sources, dump.diagnostics);
        }
        dump.manifest
    }

    fn of_dsl(&mut self, name: &str, dsl: &Value) -> RuntimeBridgeDescriptor {
        let mut bridge = RuntimeBridgeDescriptor::new(name);
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        bridge.required_capabilities =
            texts(&dsl["capabilities"]).iter().filter_map(|id| CapabilityId::new(id).ok()).collect();
        bridge.required_effects = texts(&dsl["expect_effects"]).into_iter().collect();
        let stage = |value: &Value| value.as_str().and_then(stage);
        let signatures = || dsl["exports"].as_array().into_iter().flatten().map(|export| &export["signature"]);
        for signature in signatures() {
            bridge.required_effects.extend(texts(&signature["allows_effects"]));
        }
        let bounds = |key: &'static str| signatures().filter_map(move |it| stage(&it["stage_bounds"][key]));
        let expected = stage(&dsl["expect_effects_stage"]);
        bridge.stage = bounds("current").min().or(expected).unwrap_or(Stage::Experimental);
        if let Some(minimum) = bounds("minimum").max() {
            let exact = bounds("maximum").min() == Some(minimum);
            let required = if exact { StageRequirement::Exact } else { StageRequirement::AtLeast };
            bridge.audit.stage_required = required(minimum);
        }
        bridge
    }

    fn of_section(&mut self, bridge: &mut RuntimeBridgeDescriptor, section: &Node) {
        if let Some(declared) = section.get("stage").and_then(Node::as_text).and_then(stage) {
            bridge.stage = declared;
        }
        if let Some(list) = section.get("required_capabilities") {
            bridge.required_capabilities = BTreeSet::new();
            for item in list.items() {
                match CapabilityId::new(item.as_text().unwrap_or_default()) {
                    Ok(id) => _ = bridge.required_capabilities.insert(id),
                    Err(error) => {
                        self.diagnostics.push(Diagnostic::error(codes::BRIDGE_CONTRACT, item.span, error.to_string()));
                    }
                }
            }
        }
        set(&mut bridge.required_effects, section.get("required_effects"));
        set(&mut bridge.target_profiles, section.get("target_profiles"));
        if let Some(audit) = section.get("audit") {
            let spec = &mut bridge.audit;
            text(&mut spec.audit_domain, audit.get("audit_domain"));
            set(&mut spec.mandatory_events, audit.get("mandatory_events"));
            flag(&mut spec.requires_audit_effect, audit.get("requires_audit_effect"));
            set(&mut spec.completed, audit.get("completed"));
            if let Some(list) = audit.get("rollout_checklist") {
                spec.rollout_checklist = list.items().iter().filter_map(Node::as_text).map(str::to_owned).collect();
            }
            if let Some(node) = audit.get("stage_required") {
                match node.as_text().and_then(StageRequirement::parse) {
                    Some(required) => spec.stage_required = required,
                    None => {
                        let message = "this is no requirement of a stage; one is `exact:beta` or `at_least:beta`";
                        self.diagnostics.push(Diagnostic::error(codes::CONFIG_INVALID_STAGE, node.span, message));
                    }
                }
            }
        }
        let Some(reload) = section.get("reload") else { return };
        let spec = bridge.reload.get_or_insert_with(RuntimeBridgeReloadSpec::default);
        text(&mut spec.diff_format, reload.get("diff_format"));
        text(&mut spec.state_format, reload.get("state_format"));
        flag(&mut spec.requires_audit_id, reload.get("requires_audit_id"));
        if let Some(policy) = reload.get("rollback").and_then(Node::as_text).and_then(RollbackPolicy::parse) {
            spec.rollback = policy;
        }
        text(&mut spec.diagnostics.reload_event, reload.get("reload_event"));
        text(&mut spec.diagnostics.diff_diagnostic, reload.get("diff_diagnostic"));
        if let Some(event) = reload.get("rollback_event").and_then(Node::as_text) {
            spec.diagnostics.rollback_event = Some(event.to_owned());
        }
    }

    /// Is it a bridge, and what its stage demands?
    fn check(&mut self, bridge: &RuntimeBridgeDescriptor, at: Span) {
        let fail = |message: String| Diagnostic::error(codes::BRIDGE_CONTRACT, at, message);
        if let Err(error) = RuntimeBridgeRegistry::new(reml_capability::registry()).register_bridge(bridge.clone()) {
            self.diagnostics.push(fail(error.to_string()));
            return;
        }
        let unmet = demands(bridge, bridge.stage);
        if !unmet.is_empty() {
            let diagnostic = fail(format!("the bridge `{}` cannot be {}", bridge.id, bridge.stage));
            self.diagnostics.push(unmet.iter().fold(diagnostic, |it, unmet| it.with_note(unmet.to_string())));
        }
    }
}

fn stage(text: &str) -> Option<Stage> {
    // Templates call themselves `lite`, which promises as little.
    if text == "lite" { Some(Stage::Experimental) } else { Stage::parse(text) }
}

fn text(field: &mut String, node: Option<&Node>) {
    if let Some(text) = node.and_then(Node::as_text) {
        *field = text.to_owned();
    }
}

fn flag(field: &mut bool, node: Option<&Node>) {
    *field = node.and_then(Node::as_bool).unwrap_or(*field);
}

fn set(field: &mut BTreeSet<String>, node: Option<&Node>) {
    if let Some(node) = node {
        *field = node.items().iter().filter_map(Node::as_text).map(str::to_owned).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    const PROJECT: &str = "[project]\nname = \"app\"\nversion = \"0.1.0\"\n";

    fn bridges(sections: &str) -> Bridges {
        let system = MemorySystem::new().with("reml.toml", format!("{PROJECT}{sections}"));
        read(Path::new("reml.toml"), &system)
    }

    fn messages(bridges: &Bridges) -> Vec<String> {
        bridges
            .diagnostics
            .iter()
            .map(|it| [std::slice::from_ref(&it.message), &it.notes[..]].concat().join("; "))
            .collect()
    }

    #[test]
    fn a_section_says_what_the_bridge_is() {
        let found = bridges(
            "[run]\neffect_stage = \"beta\"\n[bridge.\"shop.config\"]\nrequired_capabilities = [\"io.fs.read\"]\nrequired_effects = [\"io\"]\n\
             target_profiles = [\"host\"]\n[bridge.\"shop.config\".audit]\naudit_domain = \"shop\"\nmandatory_events = [\"bridge.smoke_test\"]\n\
             stage_required = \"at_least:experimental\"\n[bridge.\"shop.config\".reload]\nrollback = \"optional\"\n",
        );
        assert_eq!(messages(&found), [""; 0]);
        assert_eq!(found.admitted, Some(Stage::Beta));
        let bridge = found.find("shop.config").unwrap();
        assert_eq!(bridge.audit.audit_domain, "shop");
        assert_eq!(bridge.reload.unwrap().rollback, RollbackPolicy::Optional);
        assert_eq!(bridge.manifest_path.as_deref(), Some("reml.toml"));
        assert!(found.find("core.config").is_some() && found.find("shop").is_none());
        assert_eq!(found.unknown("shop.confg", Span::NONE).helps, ["did you mean `shop.config`?"]);
    }

    #[test]
    fn what_a_stage_demands_is_told() {
        let beta = "[bridge.a]\nstage = \"beta\"\n";
        assert_eq!(
            messages(&bridges(beta)),
            [
                "the bridge `a` cannot be beta; it has no checklist for its rollout; `bridge.smoke_test` is not one of its mandatory events"
            ]
        );
        let wrong = "[bridge.a]\nrequired_capabilities = [\"No name\"]\n[bridge.a.audit]\nstage_required = \"alpha\"\ncompleted = [\"x\"]\n";
        let told = messages(&bridges(wrong));
        assert!(told[0].starts_with("`No name` is not the name of a capability"), "{told:?}");
        assert!(told[1].starts_with("this is no requirement of a stage"), "{told:?}");
        assert_eq!(told[2], "`a` cannot be a bridge: `x` is completed, but not on the checklist");
    }

    #[test]
    fn a_dsl_that_is_a_bridge_has_the_stage_of_its_exports() {
        let main = "@dsl_export(allows_effects = [\"io\"], requires_capabilities = [\"console\"],\n  \
            stage_bounds = { minimum: \"experimental\", current: \"beta\" })\n\
            conductor greeting {\n  execution { println(\"hello\") }\n}\n\nfn main() = greeting.run()\n";
        let dsl = "[capabilities]\nconsole = \"beta\"\n[dsl.greeting]\nentry = \"src/main.reml\"\nkind = \"runtime_bridge\"\nexports = [\"greeting\"]\n\
            expect_effects = [\"io\"]\nexpect_effects_stage = \"beta\"\n\
            [bridge.greeting.audit]\nrollout_checklist = [\"runbook\"]\ncompleted = [\"runbook\"]\nmandatory_events = [\"bridge.smoke_test\"]\n";
        let system = MemorySystem::new().with("reml.toml", format!("{PROJECT}{dsl}")).with("src/main.reml", main);
        let found = crate::stack::with_large_stack(|| read(Path::new("reml.toml"), &system));
        assert_eq!(messages(&found), [""; 0]);
        let bridge = &found.declared[0];
        assert_eq!((bridge.id.as_str(), bridge.stage), ("greeting", Stage::Beta));
        assert_eq!(bridge.required_capabilities.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["console"]);
        assert!(bridge.required_effects.contains("io") && bridge.reload.is_none());
        assert_eq!(bridge.audit.stage_required.to_string(), "at_least:experimental");
    }
}
