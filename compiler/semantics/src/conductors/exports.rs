//! What does a program export as a DSL, and does it keep to what it says? `@dsl_export` on a parser, on a function that
//! makes one, or on a conductor gives a signature, which is checked against the code and against the manifest.

use reml_capability::stage::Stage;
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind, ItemKind};

use super::requirements::strictest;
use crate::ManifestDsl;
use crate::cx::*;
use crate::effects::TagSet;
use crate::infer::ty::{Node, Ty};
use crate::suggest;
use crate::typed::{CapabilityRequirement, ChannelDef, ConductorDef, DslDef, DslExport, Dsls, ExportKind, StageBounds};

/// The settings of `@dsl_export`; those after the first of a line are other spellings of it.
const SETTINGS: &[&str] = &[
    "name",
    "category",
    "capabilities",
    "requires",
    "requires_capabilities",
    "allows_effects",
    "version",
    "stage_bounds",
];

/// `@dsl_export(..)` as written.
#[derive(Default)]
struct Written {
    name: Option<String>,
    category: Option<String>,
    capabilities: Vec<String>,
    allows_effects: Option<(Vec<String>, Span)>,
    version: Option<String>,
    minimum: Option<Stage>,
    current: Option<Stage>,
    maximum: Option<Stage>,
}

impl<'a> Checker<'a> {
    /// Only what has a value can be one of a parser, or a conductor.
    pub fn check_export_place(&mut self, attr: &ast::Attr, item: &ast::Item) {
        if !matches!(item.kind, ItemKind::Fn(_) | ItemKind::Let(_) | ItemKind::Conductor(_)) {
            self.not_a_dsl(attr.span, None, "this declaration is");
        }
    }

    fn not_a_dsl(&mut self, attr: Span, at: Option<Span>, what: &str) {
        let diagnostic = Diagnostic::error(
            codes::EXPORT_NOT_A_DSL,
            attr,
            format!("only a parser or a conductor can be exported as a DSL, and {what} neither"),
        )
        .with_help("export a value of type `Core.Parse.Parser`, a function that gives one, or a conductor");
        let diagnostic = match at {
            Some(at) => diagnostic.with_label(at, "exported here"),
            None => diagnostic,
        };
        self.report(diagnostic);
    }

    /// Conductors and exports in their final form.
    pub fn dsls(&mut self) -> Dsls {
        Dsls { conductors: self.final_conductors(), exports: self.exports() }
    }

    fn final_conductors(&mut self) -> Vec<ConductorDef> {
        let conductors = std::mem::take(&mut self.conductors);
        let mut defs = Vec::with_capacity(conductors.len());
        for conductor in &conductors {
            let plan = &conductor.plan;
            let ids = |list: &[(usize, Span)]| list.iter().map(|&(dsl, _)| plan.dsls[dsl].id.name).collect();
            let dsls = plan.dsls.iter().map(|dsl| {
                let kind: Vec<&str> = dsl.kind.segments.iter().map(|part| self.names.text(part.name)).collect();
                let capabilities = strictest(&dsl.requirements).into_iter().map(|requirement| CapabilityRequirement {
                    id: requirement.id.into(),
                    stage: requirement.stage,
                    declared_effects: boxed(requirement.declared_effects),
                    source_span: requirement.span,
                });
                DslDef {
                    id: dsl.id.name,
                    kind: kind.join(".").into(),
                    depends_on: ids(&dsl.dependencies),
                    embedded: ids(&dsl.embedded),
                    capabilities: capabilities.collect(),
                }
            });
            let end = |port| self.port_text(plan, port).into();
            let channels = plan.channels.iter().map(|&(from, to)| ChannelDef { from: end(from), to: end(to) });
            let effects = self.effects_with_type(Def::Global(conductor.global));
            defs.push(ConductorDef {
                global: conductor.global,
                dsls: dsls.collect(),
                channels: channels.collect(),
                effects: self.tags.names(&effects).into_iter().map(Into::into).collect(),
            });
        }
        self.conductors = conductors;
        defs
    }

    fn exports(&mut self) -> Vec<DslExport> {
        let mut found: Vec<(Def, &'a ast::Attr)> = Vec::new();
        for (id, info) in self.fns.iter() {
            if !matches!(info.source, FnSource::Default(_) | FnSource::Local) && !self.is_core(info.module) {
                found.extend(info.attrs.iter().map(|attr| (Def::Fn(id), attr)));
            }
        }
        for (id, info) in self.globals.iter() {
            // A pattern has one attribute for all its names.
            let whole = self.names.text(info.name).starts_with('<');
            if !whole && !self.is_core(info.module) {
                found.extend(info.attrs.iter().map(|attr| (Def::Global(id), attr)));
            }
        }
        found.retain(|(_, attr)| self.names.text(attr.name.name) == "dsl_export");
        found.sort_by_key(|(_, attr)| attr.span);
        found.into_iter().filter_map(|(def, attr)| self.export(def, attr)).collect()
    }

    fn export(&mut self, def: Def, attr: &'a ast::Attr) -> Option<DslExport> {
        let (name, at) = match def {
            Def::Fn(id) => (self.names.text(self.fns[id].name).to_owned(), self.fns[id].span),
            Def::Global(id) => (self.names.text(self.globals[id].name).to_owned(), self.globals[id].span),
        };
        let written = self.read_export(attr);
        let Some(kind) = self.export_kind(def) else {
            let ty = match def {
                Def::Fn(id) => self.fns[id].ret,
                Def::Global(id) => self.globals[id].ty?,
            };
            if !matches!(self.t.head(ty), Node::Error) {
                let text = self.show(ty);
                let what = match def {
                    Def::Fn(_) => format!("`{name}` gives `{text}`, which is"),
                    Def::Global(_) => format!("`{name}` of type `{text}` is"),
                };
                self.not_a_dsl(attr.span, Some(at), &what);
            }
            return None;
        };
        let written = written?;
        let actual = self.effects_with_type(def);
        let allowed = match &written.allows_effects {
            Some((names, span)) => {
                if !self.check_effect_names(names, *span) {
                    return None;
                }
                let allowed = self.tags_of(names);
                self.check_allowed(&name, def, &actual, &allowed, *span);
                self.check_parts(&name, def, &allowed, *span);
                allowed
            }
            None => actual.clone(),
        };
        let name = written.name.unwrap_or(name);
        let current = written.current.or(written.minimum).unwrap_or(Stage::Stable);
        let stage_bounds = StageBounds {
            minimum: written.minimum.unwrap_or(Stage::Experimental.min(current)),
            current,
            maximum: written.maximum.unwrap_or(Stage::Stable),
        };
        self.check_manifest(&name, &allowed, stage_bounds, attr.span);
        let mut allows_effects = match written.allows_effects {
            Some((names, _)) => names,
            None => self.tags.names(&actual).into_iter().map(str::to_owned).collect(),
        };
        allows_effects.sort();
        allows_effects.dedup();
        let mut capabilities = written.capabilities;
        capabilities.sort();
        capabilities.dedup();
        let category = written.category.unwrap_or_else(|| match kind {
            ExportKind::Parser => "language".to_owned(),
            ExportKind::Conductor => "conductor".to_owned(),
        });
        Some(DslExport {
            name: name.into(),
            kind,
            category: category.into(),
            allows_effects: boxed(allows_effects),
            requires_capabilities: boxed(capabilities),
            stage_bounds,
            version: written.version.map(Into::into),
            span: attr.span,
        })
    }

    fn export_kind(&mut self, def: Def) -> Option<ExportKind> {
        if let Def::Global(id) = def
            && matches!(self.globals[id].source, GlobalSource::Conductor(_))
        {
            return Some(ExportKind::Conductor);
        }
        let ty: Ty = match def {
            Def::Fn(id) => self.fns[id].ret,
            Def::Global(id) => self.globals[id].ty?,
        };
        match self.t.head(ty) {
            Node::Adt(def, ..) if Some(def) == self.lang_parser => Some(ExportKind::Parser),
            _ => None,
        }
    }

    fn tags_of(&self, names: &[String]) -> TagSet {
        names.iter().filter_map(|name| self.tags_named(name)).fold(TagSet::default(), |all, one| all.union(&one))
    }

    /// The tags of a set that another one does not have, for their own sake or by what they imply.
    fn beyond(&self, actual: &TagSet, allowed: &TagSet) -> TagSet {
        let allowed = self.tags.expand(allowed);
        actual.minus(&allowed)
    }

    fn check_allowed(&mut self, name: &str, def: Def, actual: &TagSet, allowed: &TagSet, span: Span) {
        let extra = self.beyond(actual, allowed);
        if extra.is_empty() {
            return;
        }
        let shown = self.tags.show(&extra);
        let message =
            format!("`{name}` is exported with the effects `{}`, but it also has `{shown}`", self.tags.show(allowed));
        let diagnostic = Diagnostic::error(codes::EXPORT_EFFECTS, span, message)
            .with_fact("effects.residual", shown.clone())
            .with_help(format!("add `{shown}` to `allows_effects`, or handle it"));
        let diagnostic = self.with_cause(diagnostic, def, &extra);
        self.report(diagnostic);
    }

    /// The definitions of an exported conductor declare effects of their own.
    fn check_parts(&mut self, name: &str, def: Def, allowed: &TagSet, span: Span) {
        let parts: Vec<(ast::Ident, Vec<String>, Span)> = self
            .conductors
            .iter()
            .filter(|conductor| Def::Global(conductor.global) == def)
            .flat_map(|conductor| &conductor.plan.dsls)
            .flat_map(|dsl| dsl.requirements.iter().map(|it| (dsl.id, it.declared_effects.clone(), it.span)))
            .collect();
        for (id, effects, at) in parts {
            let extra = self.beyond(&self.tags_of(&effects), allowed);
            if extra.is_empty() {
                continue;
            }
            let (owner, shown) = (self.names.text(id.name).to_owned(), self.tags.show(&extra));
            self.report(
                Diagnostic::error(
                    codes::EXPORT_EFFECT_VIOLATION,
                    at,
                    format!("`{owner}` declares the effects `{shown}`, which the export of `{name}` does not allow"),
                )
                .with_label(span, format!("`{}` are allowed", self.tags.show(allowed)))
                .with_fact("effects.residual", shown.clone())
                .with_help("allow them, or declare less"),
            );
        }
    }

    /// What the manifest expects of an export of this name.
    fn check_manifest(&mut self, name: &str, effects: &TagSet, stages: StageBounds, span: Span) {
        let sections = &self.options.dsls;
        let about = |dsl: &&ManifestDsl| dsl.name == name || dsl.exports.iter().any(|export| export == name);
        let Some(section) = sections.iter().find(about) else { return };
        if let Some((expected, place)) = &section.expect_effects {
            let extra = self.beyond(effects, &self.tags_of(expected));
            if !extra.is_empty() {
                let shown = self.tags.show(&extra);
                let message = format!(
                    "the export `{name}` has the effects `{shown}`, which the manifest does not expect of `{}`",
                    section.name
                );
                let diagnostic = Diagnostic::error(codes::EXPORT_MANIFEST_EFFECTS, span, message)
                    .with_label(*place, "expected here")
                    .with_fact("effects.residual", shown)
                    .with_help("add them to `expect_effects`, or allow less");
                self.report(diagnostic);
            }
        }
        let Some((expected, place)) = section.expect_effects_stage else { return };
        let StageBounds { minimum, current, maximum } = stages;
        if current >= expected && (minimum..=maximum).contains(&expected) {
            return;
        }
        let message = format!(
            "the manifest expects `{}` to be {expected}, but the export `{name}` is {current}, between {minimum} and {maximum}",
            section.name
        );
        self.report(
            Diagnostic::error(codes::MANIFEST_DSL_STAGE, span, message)
                .with_label(place, "expected here")
                .with_help(format!("write `expect_effects_stage = \"{current}\"`, or change `stage_bounds`")),
        );
    }

    // -----------------------------------------------------------------------------------------------
    // The attribute

    /// `None` when something is wrong with it, which is reported.
    fn read_export(&mut self, attr: &'a ast::Attr) -> Option<Written> {
        let mut written = Written::default();
        let errors = self.diagnostics.len();
        for arg in &attr.args {
            let Some(name) = arg.name else {
                self.export_invalid(
                    arg.value.span,
                    "`@dsl_export` takes named settings",
                    "write `category = \"config\"`",
                );
                continue;
            };
            let value = &arg.value;
            match self.names.text(name.name) {
                "name" => written.name = self.export_text(name, value),
                "category" => written.category = self.export_text(name, value),
                "version" => written.version = self.export_text(name, value),
                "capabilities" | "requires" | "requires_capabilities" => {
                    written.capabilities.extend(self.export_list(name, value));
                }
                "allows_effects" => written.allows_effects = Some((self.export_list(name, value), value.span)),
                "stage_bounds" => self.export_stages(value, &mut written),
                other => {
                    let message = format!("`@dsl_export` has no setting `{other}`");
                    let near = suggest::closest(other, SETTINGS.iter().copied());
                    let diagnostic = Diagnostic::error(codes::EXPORT_INVALID, name.span, message);
                    self.report(match near {
                        Some(near) => diagnostic.with_fix(name.span, near, format!("did you mean `{near}`?")),
                        None => diagnostic.with_help(format!("its settings are `{}`", SETTINGS.join("`, `"))),
                    });
                }
            }
        }
        (self.diagnostics.len() == errors).then_some(written)
    }

    fn export_invalid(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.report(Diagnostic::error(codes::EXPORT_INVALID, span, message).with_help(help));
    }

    fn export_text(&mut self, name: ast::Ident, value: &ast::Expr) -> Option<String> {
        match &*value.kind {
            ExprKind::Str(text) if !text.is_empty() => Some(text.to_string()),
            _ => {
                let text = self.names.text(name.name).to_owned();
                self.export_invalid(
                    value.span,
                    format!("`{text}` is a text that is not empty"),
                    &format!("write `{text} = \"..\"`"),
                );
                None
            }
        }
    }

    fn export_list(&mut self, name: ast::Ident, value: &ast::Expr) -> Vec<String> {
        let ExprKind::Array(items) = &*value.kind else {
            let text = self.names.text(name.name).to_owned();
            self.export_invalid(
                value.span,
                format!("`{text}` is a list of texts"),
                &format!("write `{text} = [\"..\"]`"),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.export_text(name, item)).collect()
    }

    fn export_stages(&mut self, value: &ast::Expr, written: &mut Written) {
        let help = "write `stage_bounds = { minimum: \"beta\", current: \"beta\", maximum: \"stable\" }`";
        let ExprKind::Record { fields, base: None, .. } = &*value.kind else {
            self.export_invalid(value.span, "`stage_bounds` is a record of stages", help);
            return;
        };
        for field in fields {
            let Some(value) = &field.value else { continue };
            let Some(stage) = self.export_stage(value) else {
                self.export_invalid(
                    value.span,
                    "this is not a stage",
                    "the stages are `experimental`, `beta` and `stable`",
                );
                continue;
            };
            match self.names.text(field.name.name) {
                "minimum" => written.minimum = Some(stage),
                "current" => written.current = Some(stage),
                "maximum" => written.maximum = Some(stage),
                other => {
                    let message = format!("`stage_bounds` has no field `{other}`");
                    self.export_invalid(field.name.span, message, help);
                }
            }
        }
        let order = [written.minimum, written.current, written.maximum];
        let order: Vec<Stage> = order.into_iter().flatten().collect();
        if !order.is_sorted() {
            self.export_invalid(
                value.span,
                "the stages of an export have to go up: `minimum`, `current`, `maximum`",
                help,
            );
        }
    }

    /// `"beta"`, `Stage.Beta` or `Stage::Beta`.
    fn export_stage(&self, value: &ast::Expr) -> Option<Stage> {
        match &*value.kind {
            ExprKind::Str(text) => Stage::parse(text),
            ExprKind::Path(path) => Stage::parse(self.names.text(path.segments.last()?.name)),
            ExprKind::Field { name, .. } => Stage::parse(self.names.text(name.name)),
            _ => None,
        }
    }
}

fn boxed(texts: Vec<String>) -> Vec<Box<str>> {
    texts.into_iter().map(Into::into).collect()
}
