//! Stages: how settled the capabilities are that effects need, and what the code and the run ask for.
//!
//! Each effect is backed by a capability of its name, `ForeignCall` by `foreign-call`. Declared effects are experimental
//! unless the stage table says otherwise, the tags of the language are stable. `@requires_capability(stage = "beta")`
//! states what a function expects of the effects that it performs or handles; a run may admit settled ones only.

use reml_capability::effects::{capability_named, default_stage};
use reml_capability::stage::{Stage, StageInput, StageRequirement};
use reml_diagnostics::{Diagnostic, Span, StageMismatch, codes};
use reml_syntax::ast;

use crate::cx::*;
use crate::effects::TagSet;
use crate::typed::*;

/// `@requires_capability`, read.
struct Demand {
    /// One capability, or all that the function needs.
    capability: Option<String>,
    requirement: StageRequirement,
    span: Span,
}

impl<'a> Checker<'a> {
    pub(super) fn check_stages(&mut self) {
        let fns = self
            .fns
            .iter()
            .filter(|(_, info)| !matches!(info.source, FnSource::Default(_) | FnSource::Local))
            .map(|(id, info)| (Def::Fn(id), info.module, info.attrs));
        let conductors = self
            .globals
            .iter()
            .filter(|(_, info)| matches!(info.source, GlobalSource::Conductor(_)))
            .map(|(id, info)| (Def::Global(id), info.module, info.attrs));
        let defs: Vec<_> = fns.chain(conductors).filter(|(_, module, _)| !self.is_core(*module)).collect();
        for (def, _, attrs) in defs {
            let demands = self.demands(attrs);
            let stages = &self.options.stages;
            if demands.is_empty() && stages.of.is_empty() && stages.admitted.is_none() {
                continue;
            }
            let needed = self.needed_capabilities(def);
            for demand in &demands {
                self.check_demand(def, demand, &needed);
            }
            for (tag, effect) in needed {
                let asked = |demand: &Demand| {
                    demand.capability.as_ref().is_none_or(|wanted| *wanted == self.capability_of(tag))
                };
                let named = demands.iter().any(asked);
                self.check_admission(def, tag, effect);
                match effect {
                    _ if named => {}
                    Some(effect) => self.check_opt_in(def, tag, effect),
                    None => self.check_library_tag(def, tag),
                }
            }
        }
    }

    /// The tags of the effects that the own code of a function or a conductor performs or handles.
    fn needed_capabilities(&self, def: Def) -> Vec<(u32, Option<EffectId>)> {
        let handled = self.effects_handled_in(def);
        let mut tags = match def {
            Def::Fn(_) => self.body_effects(def).unwrap_or_default(),
            Def::Global(_) => self.effects_with_type(def),
        };
        for effect in handled {
            tags.add(&TagSet::one(self.effect_decls[effect].tag));
        }
        tags.indices()
            .filter(|&tag| TagSet::one(tag) != crate::effects::tags::ALLOC)
            .map(|tag| (tag, self.effect_decls.iter().find(|(_, info)| info.tag == tag).map(|(id, _)| id)))
            .collect()
    }

    /// `foreign-call`, `io.async`.
    fn capability_of(&self, tag: u32) -> String {
        capability_named(self.tags.name(tag))
    }

    fn stage_of(&self, tag: u32, declared: bool) -> Stage {
        let table = &self.options.stages.of;
        let known = table.get(&self.capability_of(tag)).or_else(|| table.get(self.tags.name(tag)));
        known.copied().unwrap_or_else(|| default_stage(declared))
    }

    /// How settled a capability is; `None` when nothing needs or provides one of this name.
    pub(crate) fn capability_stage(&self, id: &str) -> Option<Stage> {
        let by_table = self.options.stages.of.get(id).copied();
        let of_language = || self.tags.lookup(id).map(|_| default_stage(false));
        let declared = || {
            let of = |info: &&EffectInfo<'_>| self.capability_of(info.tag) == id;
            self.effect_decls.values().find(of).map(|info| self.stage_of(info.tag, true))
        };
        by_table.or_else(of_language).or_else(declared)
    }

    /// The names of all capabilities that have a stage.
    pub(crate) fn known_capabilities(&self) -> Vec<String> {
        let declared = self.effect_decls.values().map(|info| self.capability_of(info.tag));
        let builtin = self.tags.builtin().map(str::to_owned);
        builtin.chain(declared).chain(self.options.stages.of.keys().cloned()).collect()
    }

    fn demands(&mut self, attrs: &'a [ast::Attr]) -> Vec<Demand> {
        let mut demands = Vec::new();
        for attr in attrs {
            if self.names.text(attr.name.name) != "requires_capability" {
                continue;
            }
            let mut capability = None;
            let mut requirement = None;
            let before = self.diagnostics.len();
            for arg in &attr.args {
                let text = match &*arg.value.kind {
                    ast::ExprKind::Str(text) => text.to_string(),
                    _ => {
                        self.error(codes::ATTRIBUTE_INVALID, arg.value.span, "a text is expected here");
                        continue;
                    }
                };
                match arg.name.map(|name| self.names.text(name.name).to_owned()).as_deref() {
                    Some("stage") => match StageRequirement::parse(&text) {
                        Some(parsed) => requirement = Some(parsed),
                        None => self.report(
                            Diagnostic::error(
                                codes::ATTRIBUTE_INVALID,
                                arg.value.span,
                                format!("`{text}` is not a stage"),
                            )
                            .with_help(
                                "the stages are `experimental`, `beta` and `stable`; `at_least:beta` also accepts later ones",
                            ),
                        ),
                    },
                    None | Some("id" | "capability") => capability = Some(text),
                    Some(other) => self.report(
                        Diagnostic::error(
                            codes::ATTRIBUTE_INVALID,
                            arg.value.span,
                            format!("`@requires_capability` has no setting `{other}`"),
                        )
                        .with_help("write `@requires_capability(stage = \"beta\")`"),
                    ),
                }
            }
            if self.diagnostics.len() > before {
                continue;
            }
            let requirement = requirement.unwrap_or(StageRequirement::AtLeast(Stage::Stable));
            demands.push(Demand { capability, requirement, span: attr.span });
        }
        demands
    }

    fn check_demand(&mut self, def: Def, demand: &Demand, needed: &[(u32, Option<EffectId>)]) {
        let name = self.def_name(def);
        // A demand without a name is about what the program declares, and what the table knows.
        let meant: Vec<(u32, Option<EffectId>)> = needed
            .iter()
            .copied()
            .filter(|&(tag, effect)| match &demand.capability {
                Some(wanted) => *wanted == self.capability_of(tag) || *wanted == self.tags.name(tag),
                None => effect.is_some() || self.options.stages.of.contains_key(&self.capability_of(tag)),
            })
            .collect();
        if let (Some(wanted), true) = (&demand.capability, meant.is_empty()) {
            self.report(
                Diagnostic::warning(
                    codes::EFFECT_HANDLES_UNUSED,
                    demand.span,
                    format!("`{name}` requires the capability `{wanted}`, but has no effect that needs it"),
                )
                .with_help("remove the attribute"),
            );
            return;
        }
        let wrong: Vec<(u32, Option<EffectId>, Stage)> = meant
            .into_iter()
            .map(|(tag, effect)| (tag, effect, self.stage_of(tag, effect.is_some())))
            .filter(|(_, _, stage)| !demand.requirement.satisfies(*stage))
            .collect();
        if wrong.is_empty() {
            return;
        }
        let capabilities: Vec<String> = wrong.iter().map(|&(tag, ..)| self.capability_of(tag)).collect();
        let actual: Vec<String> = wrong.iter().map(|(_, _, stage)| stage.to_string()).collect();
        let required = demand.requirement.to_string();
        let list: Vec<String> =
            capabilities.iter().zip(&actual).map(|(id, stage)| format!("`{id}` is {stage}")).collect();
        let mut diagnostic = Diagnostic::error(
            codes::EFFECT_STAGE_MISMATCH,
            demand.span,
            format!("`{name}` requires `{required}`, but the capability {}", list.join(", and ")),
        )
        .with_stages(StageMismatch {
            required: vec![required; wrong.len()],
            actual,
            capability: capabilities,
            trace: Vec::new(),
        });
        for (tag, effect, _) in &wrong {
            if let Some(effect) = effect {
                diagnostic = diagnostic.with_label(self.effect_decls[*effect].span, "the effect is declared here");
            }
            if let Some(cause) = self.cause(def, &TagSet::one(*tag)) {
                diagnostic = diagnostic.with_label(cause.span, format!("needed by {}", cause.what));
            }
        }
        self.report(diagnostic.with_help(
            "change the stage of the attribute, or that of the capability in `[capabilities]` of `reml.toml`",
        ));
    }

    /// Does the effect arise in the definition's own code, not in a function that it calls?
    fn arises_here(&self, def: Def, tag: u32) -> Option<(Span, String)> {
        let cause = self.cause(def, &TagSet::one(tag))?;
        let own = cause.next.is_none_or(|next| self.is_core(self.module_of(next)));
        (own && !cause.span.is_none()).then_some((cause.span, cause.what))
    }

    /// A run that admits only settled capabilities.
    fn check_admission(&mut self, def: Def, tag: u32, effect: Option<EffectId>) {
        let Some(admitted) = self.options.stages.admitted else { return };
        let stage = self.stage_of(tag, effect.is_some());
        if stage >= admitted {
            return;
        }
        let handled = effect.is_some_and(|effect| self.effects_handled_in(def).contains(&effect));
        let (span, what) = match self.arises_here(def, tag) {
            Some(found) => found,
            None if handled => (self.def_span(def), "its handler".to_owned()),
            None => return,
        };
        let capability = self.capability_of(tag);
        let (required, actual) = (format!("at_least:{stage}"), format!("at_least:{admitted}"));
        let mut diagnostic = Diagnostic::error(
            codes::EFFECT_STAGE_MISMATCH,
            span,
            format!(
                "{what} needs the capability `{capability}`, which is {stage}, but this run admits {admitted} ones only"
            ),
        )
        .with_stages(StageMismatch {
            required: vec![required],
            actual: vec![actual],
            capability: vec![capability],
            trace: self.options.stages.trace.iter().map(StageInput::fields).collect(),
        });
        if let Some(effect) = effect {
            diagnostic = diagnostic.with_label(self.effect_decls[effect].span, "the effect is declared here");
        }
        self.error_once(diagnostic.with_help(format!("admit it with `--effect-stage {stage}`")));
    }

    /// The tags of the language are stable, unless the table says otherwise; then code has to say that it knows.
    fn check_library_tag(&mut self, def: Def, tag: u32) {
        let stage = self.stage_of(tag, false);
        if stage == Stage::Stable {
            return;
        }
        let Some((span, what)) = self.arises_here(def, tag) else { return };
        let capability = self.capability_of(tag);
        let required = StageRequirement::AtLeast(Stage::Stable).to_string();
        self.error_once(
            Diagnostic::error(
                codes::EFFECT_STAGE_MISMATCH,
                span,
                format!("{what} needs the capability `{capability}`, which is {stage}"),
            )
            .with_stages(StageMismatch {
                required: vec![required],
                actual: vec![stage.to_string()],
                capability: vec![capability],
                trace: Vec::new(),
            })
            .with_help(format!("say so: `@requires_capability(stage = \"{stage}\")` before the function")),
        );
    }

    /// What the table calls experimental is used by those only who say that they know. Declared effects are experimental of themselves, which is
    /// not said by anybody, and nobody needs to answer it.
    fn check_opt_in(&mut self, def: Def, tag: u32, effect: EffectId) {
        let table = &self.options.stages.of;
        let capability = self.capability_of(tag);
        let said = table.contains_key(&capability) || table.contains_key(self.tags.name(tag));
        if !said || self.stage_of(tag, true) != Stage::Experimental || self.options.algebraic_effects {
            return;
        }
        let (span, what) = match self.arises_here(def, tag) {
            Some(found) => found,
            None if self.effects_handled_in(def).contains(&effect) => (self.def_span(def), "its handler".to_owned()),
            None => return,
        };
        self.error_once(
            Diagnostic::error(
                codes::EFFECT_STAGE_OPT_IN,
                span,
                format!("{what} needs the capability `{capability}`, which is experimental"),
            )
            .with_label(self.effect_decls[effect].span, "the effect is declared here")
            .with_stages(StageMismatch {
                required: vec![StageRequirement::AtLeast(Stage::Beta).to_string()],
                actual: vec![Stage::Experimental.to_string()],
                capability: vec![capability],
                trace: Vec::new(),
            })
            .with_help(
                "say that you know: `@requires_capability(stage = \"experimental\")` before the function, or `-Zalgebraic-effects` for the whole program",
            ),
        );
    }
}
