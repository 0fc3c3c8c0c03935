//! Which capabilities do the definitions of a conductor need, and does the stage table have them?
//!
//! `with_capabilities` states requirements: `"io"` asks for a stable capability, `{ id: "io.async", stage: "beta" }` for
//! exactly this stage, `"at_least:beta"` for this one or a later one. Of several requirements of one definition the
//! strictest counts. Capabilities are known by the tags of the language, by declared effects, and by the stage table.

use reml_capability::stage::{Stage, StageRequirement};
use reml_diagnostics::{Diagnostic, Span, StageMismatch, codes};
use reml_syntax::ast;

use super::Conductor;
use crate::cx::*;
use crate::effects::TagSet;
use crate::suggest;

/// One capability that a definition needs.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub id: String,
    pub stage: StageRequirement,
    /// What the definition does by way of the capability; ascending.
    pub declared_effects: Vec<String>,
    pub span: Span,
}

const WANTED: &str = "the capabilities that it needs";

impl<'a> Checker<'a> {
    pub(super) fn read_requirements(&mut self, function: ast::Ident, args: &'a [ast::Arg]) -> Vec<Requirement> {
        let Some(items) = self.tail_items(function, args, WANTED) else { return Vec::new() };
        items.iter().filter_map(|item| self.read_requirement(function, item)).collect()
    }

    fn read_requirement(&mut self, function: ast::Ident, item: &'a ast::Expr) -> Option<Requirement> {
        let mut requirement = Requirement {
            id: String::new(),
            stage: StageRequirement::AtLeast(Stage::Stable),
            declared_effects: Vec::new(),
            span: item.span,
        };
        match &*item.kind {
            ast::ExprKind::Str(id) => requirement.id = id.to_string(),
            ast::ExprKind::Record { fields, base: None, .. } => {
                for field in fields {
                    let value = field.value.as_ref();
                    match (self.names.text(field.name.name), value.map(|value| (&*value.kind, value.span))) {
                        ("id", Some((ast::ExprKind::Str(id), _))) => requirement.id = id.to_string(),
                        ("stage", Some((ast::ExprKind::Str(text), span))) => match StageRequirement::parse(text) {
                            Some(stage) => requirement.stage = stage,
                            None => {
                                let text = text.to_string();
                                self.not_a_stage(&text, span);
                                return None;
                            }
                        },
                        ("declared_effects", Some((ast::ExprKind::Array(tags), _))) => {
                            for tag in tags {
                                match &*tag.kind {
                                    ast::ExprKind::Str(text) => requirement.declared_effects.push(text.to_string()),
                                    _ => self.tail_invalid(function, tag.span, WANTED),
                                }
                            }
                        }
                        _ => {
                            self.tail_invalid(function, field.name.span, WANTED);
                            return None;
                        }
                    }
                }
            }
            _ => {
                self.tail_invalid(function, item.span, WANTED);
                return None;
            }
        }
        if requirement.id.is_empty() {
            self.tail_invalid(function, item.span, WANTED);
            return None;
        }
        requirement.declared_effects.sort();
        requirement.declared_effects.dedup();
        Some(requirement)
    }

    pub(super) fn not_a_stage(&mut self, text: &str, span: Span) {
        self.report(
            Diagnostic::error(codes::ATTRIBUTE_INVALID, span, format!("`{text}` is not a stage")).with_help(
                "the stages are `experimental`, `beta` and `stable`; `at_least:beta` also accepts later ones",
            ),
        );
    }

    /// Holds what conductors require against the stage table.
    pub fn check_conductors(&mut self) {
        let conductors = std::mem::take(&mut self.conductors);
        for conductor in &conductors {
            let broken = self.check_agreement(conductor);
            for dsl in &conductor.plan.dsls {
                for requirement in &dsl.requirements {
                    self.check_effect_names(&requirement.declared_effects, requirement.span);
                }
                for requirement in strictest(&dsl.requirements) {
                    if !broken.contains(&requirement.id) {
                        self.check_requirement(dsl.id, &requirement);
                    }
                }
            }
        }
        self.conductors = conductors;
    }

    /// A capability has one stage, which must do for all definitions that need it. Gives those where none does.
    fn check_agreement(&mut self, conductor: &Conductor<'a>) -> Vec<String> {
        let mut joint: Vec<(&Requirement, StageRequirement, ast::Ident)> = Vec::new();
        let mut broken = Vec::new();
        for dsl in &conductor.plan.dsls {
            for requirement in &dsl.requirements {
                let Some(known) = joint.iter_mut().find(|(other, ..)| other.id == requirement.id) else {
                    joint.push((requirement, requirement.stage, dsl.id));
                    continue;
                };
                match known.1.both(requirement.stage) {
                    Some(stage) if stage != known.1 => *known = (requirement, stage, dsl.id),
                    Some(_) => {}
                    None => {
                        let (other, _, owner) = *known;
                        let (id, stage) = (&requirement.id, requirement.stage);
                        let (name, owner) = (self.names.text(dsl.id.name), self.names.text(owner.name));
                        let (message, help) = match name == owner {
                            true => (
                                format!("`{name}` requires `{id}` both at `{}` and at `{stage}`", other.stage),
                                "remove one of the two",
                            ),
                            false => (
                                format!(
                                    "`{name}` requires `{id}` at `{stage}`, but `{owner}` requires it at `{}`",
                                    other.stage
                                ),
                                "change one of the two, or run the two definitions in different conductors",
                            ),
                        };
                        let span = requirement.span;
                        let diagnostic = Diagnostic::error(codes::DSL_CONDUCTOR_INCOMPATIBLE, span, message)
                            .with_label(other.span, format!("required by `{owner}`"))
                            .with_note("a capability has one stage, and none is right for both")
                            .with_help(help);
                        self.report(diagnostic);
                        broken.push(id.clone());
                    }
                }
            }
        }
        broken
    }

    fn check_requirement(&mut self, dsl: ast::Ident, requirement: &Requirement) {
        let (id, name) = (&requirement.id, self.names.text(dsl.name).to_owned());
        let Some(actual) = self.capability_stage(id) else {
            let known = self.known_capabilities();
            let near = suggest::closest(id, known.iter().map(String::as_str));
            let mut diagnostic = Diagnostic::error(
                codes::DSL_CAPABILITY_UNSATISFIED,
                requirement.span,
                format!("`{name}` requires the capability `{id}`, which nothing provides"),
            );
            if let Some(near) = near {
                diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
            }
            self.report(diagnostic.with_help(format!(
                "say how settled it is: `{id} = \"stable\"` in `[capabilities]` of `reml.toml`, or `--capability-stage {id}=stable`"
            )));
            return;
        };
        if requirement.stage.satisfies(actual) {
            return;
        }
        let required = requirement.stage.to_string();
        self.report(
            Diagnostic::error(
                codes::DSL_CAPABILITY_STAGE,
                requirement.span,
                format!("`{name}` requires the capability `{id}` at `{required}`, but it is {actual}"),
            )
            .with_stages(StageMismatch {
                required: vec![required],
                actual: vec![actual.to_string()],
                capability: vec![id.clone()],
                trace: Vec::new(),
            })
            .with_help(format!(
                "require less: `{{ id: \"{id}\", stage: \"{actual}\" }}`; or change the stage in `[capabilities]` of `reml.toml`"
            )),
        );
    }

    /// Are these effects, of the language or declared?
    pub(super) fn check_effect_names(&mut self, tags: &[String], span: Span) -> bool {
        let mut fine = true;
        for tag in tags {
            if self.tags_named(tag).is_some() {
                continue;
            }
            fine = false;
            let mut diagnostic =
                Diagnostic::error(codes::EFFECT_UNKNOWN_TAG, span, format!("there is no effect `{tag}`"));
            let declared = self.effect_decls.values().map(|info| self.names.text(info.name));
            if let Some(near) = suggest::closest(tag, self.tags.builtin().chain(declared)) {
                diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
            }
            self.report(diagnostic);
        }
        fine
    }

    /// The tag of that name, with what it implies.
    pub(super) fn tags_named(&self, name: &str) -> Option<TagSet> {
        let declared = || self.effect_decls.values().find(|info| self.names.text(info.name) == name);
        self.tags.lookup(name).or_else(|| Some(TagSet::one(declared()?.tag)))
    }
}

/// One requirement for each capability: the strictest of those written, with the effects of all.
pub(crate) fn strictest(written: &[Requirement]) -> Vec<Requirement> {
    let mut all: Vec<Requirement> = Vec::new();
    for requirement in written {
        let Some(known) = all.iter_mut().find(|known| known.id == requirement.id) else {
            all.push(requirement.clone());
            continue;
        };
        if let Some(stage) = known.stage.both(requirement.stage)
            && stage != known.stage
        {
            known.stage = stage;
            known.span = requirement.span;
        }
        known.declared_effects.extend(requirement.declared_effects.iter().cloned());
        known.declared_effects.sort();
        known.declared_effects.dedup();
    }
    all
}
