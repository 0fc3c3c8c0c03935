//! What does a conductor consist of? Reads its declaration into a [`Plan`]: definitions in the order in which they are
//! made, ports and the channels between them, and what is watched (section 6.7).
//!
//! Everything that names a definition is looked up here, so that mistakes are reported in the words of conductors. The
//! expressions are left as they are: [`crate::infer`] turns the plan into ordinary code around them.

mod exports;
mod manifest;
mod order;
mod requirements;

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast::{self, MonitorTarget, SectionKind};
use reml_syntax::names::Symbol;

use crate::cx::*;
use crate::suggest;
use crate::typed::{GlobalId, ModuleId};
use requirements::Requirement;

pub(crate) struct Conductor<'a> {
    pub global: GlobalId,
    pub name: ast::Ident,
    pub plan: Plan<'a>,
}

/// A conductor without what was wrong with it.
pub(crate) struct Plan<'a> {
    /// As written; no two of a name.
    pub dsls: Vec<Dsl<'a>>,
    /// Indices of `dsls`: each comes after those it depends on.
    pub order: Vec<usize>,
    pub ports: Vec<Port<'a>>,
    /// From an outlet to an inlet, as indices of `ports`.
    pub channels: Vec<(usize, usize)>,
    pub execution: Option<&'a ast::Expr>,
    pub monitors: Vec<Monitor<'a>>,
}

/// `id: Kind = value |> tail(..)`.
pub(crate) struct Dsl<'a> {
    pub id: ast::Ident,
    pub kind: &'a ast::Path,
    pub value: Option<&'a ast::Expr>,
    pub tails: Vec<Tail<'a>>,
    /// Indices of the definitions it names, and where.
    pub dependencies: Vec<(usize, Span)>,
    pub embedded: Vec<(usize, Span)>,
    pub requirements: Vec<Requirement>,
}

pub(crate) enum Tail<'a> {
    /// `depends_on([a, b])` and `with_embedded([a, b])`: the definitions that it names.
    Ids { function: ast::Ident, ids: Vec<ast::Ident> },
    /// `with_capabilities(["io"])`: how many of the definition's requirements it has.
    Capabilities { function: ast::Ident, count: usize },
    /// A function on the definition.
    Call { function: &'a ast::Path, args: &'a [ast::Arg] },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Out,
    In,
}

/// One end of a channel.
pub(crate) struct Port<'a> {
    /// Index of `dsls`.
    pub dsl: usize,
    pub name: ast::Ident,
    pub direction: Direction,
    /// As written where the port is first named.
    pub ty: &'a ast::Type,
    /// The types of further channels at the same port.
    pub others: Vec<&'a ast::Type>,
    pub span: Span,
}

pub(crate) enum Monitor<'a> {
    /// Of the values at a port.
    Port { port: usize, body: &'a ast::Expr },
    /// Of the run, at its end. `observer` is the module whose `observe` gets the metrics.
    Run { observer: Option<&'a ast::Path>, body: Option<&'a ast::Expr> },
}

/// The tails that the compiler reads.
const DEPENDS_ON: &str = "depends_on";
const WITH_EMBEDDED: &str = "with_embedded";
const WITH_CAPABILITIES: &str = "with_capabilities";

/// Fields that a definition has in `execution` besides its ports.
pub(crate) const SPEC: &str = "spec";
pub(crate) const VALUE: &str = "value";

impl<'a> Checker<'a> {
    pub fn collect_conductor(&mut self, module: ModuleId, item: &'a ast::Item, decl: &'a ast::ConductorDecl) {
        let plan = self.read_conductor(decl);
        let index = self.conductors.len() as u32;
        let global = self.push_global(module, decl.name, GlobalSource::Conductor(index), &item.attrs, false);
        self.conductors.push(Conductor { global, name: decl.name, plan });
        self.define_value(module, decl.name, Value::Global(global), item.public);
        // One in a function is checked with the module around: it uses what is there, and is used there.
        let mut home = module;
        while let Some(parent) = self.modules[home].parent
            && self.modules[parent].name == self.modules[home].name
        {
            home = parent;
        }
        self.modules[home].inferred.push(Def::Global(global));
    }

    fn read_conductor(&mut self, decl: &'a ast::ConductorDecl) -> Plan<'a> {
        let mut plan = Plan {
            dsls: Vec::new(),
            order: Vec::new(),
            ports: Vec::new(),
            channels: Vec::new(),
            execution: None,
            monitors: Vec::new(),
        };
        let mut tails: Vec<&'a [(ast::Path, Vec<ast::Arg>)]> = Vec::new();
        for section in &decl.sections {
            let SectionKind::Dsl { id, kind, value, tails: written } = &section.kind else { continue };
            if let Some(first) = plan.dsls.iter().find(|dsl| dsl.id.name == id.name) {
                let text = self.names.text(id.name).to_owned();
                let diagnostic = Diagnostic::error(
                    codes::CONDUCTOR_ID_DUPLICATE,
                    id.span,
                    format!("this conductor already has a definition `{text}`"),
                )
                .with_label(first.id.span, "the first one")
                .with_help("give one of them another name");
                self.report(diagnostic);
                continue;
            }
            plan.dsls.push(Dsl {
                id: *id,
                kind,
                value: value.as_ref(),
                tails: Vec::new(),
                dependencies: Vec::new(),
                embedded: Vec::new(),
                requirements: Vec::new(),
            });
            tails.push(written);
        }
        for (index, written) in tails.into_iter().enumerate() {
            for (function, args) in written {
                self.read_tail(&mut plan, index, function, args);
            }
        }
        plan.order = self.definition_order(&plan);
        for section in &decl.sections {
            if let SectionKind::Channels(channels) = &section.kind {
                channels.iter().for_each(|channel| self.read_channel(&mut plan, channel));
            }
        }
        let mut first: Option<Span> = None;
        for section in &decl.sections {
            let span = section.span;
            match &section.kind {
                SectionKind::Execution(body) => {
                    if let Some(first) = first {
                        let diagnostic = Diagnostic::error(
                            codes::CONDUCTOR_SECTION_DUPLICATE,
                            span.shrink_to_start(),
                            "this conductor already has an `execution`",
                        )
                        .with_label(first.shrink_to_start(), "the first one")
                        .with_help("join the two blocks");
                        self.report(diagnostic);
                        continue;
                    }
                    first = Some(span);
                    plan.execution = Some(body);
                }
                SectionKind::Monitoring { target, body } => {
                    let monitor = self.read_monitor(&plan, target.as_ref(), body.as_ref(), span);
                    plan.monitors.extend(monitor);
                }
                SectionKind::Dsl { .. } | SectionKind::Channels(_) => {}
            }
        }
        plan
    }

    fn read_tail(&mut self, plan: &mut Plan<'a>, index: usize, function: &'a ast::Path, args: &'a [ast::Arg]) {
        let known = match function.segments[..] {
            [name] => Some((name, self.names.text(name.name).to_owned())),
            _ => None,
        };
        let tail = match known.as_ref().map(|(name, text)| (*name, &**text)) {
            Some((name, text @ (DEPENDS_ON | WITH_EMBEDDED))) => {
                let found = self.read_ids(plan, index, name, args);
                let ids = found.iter().map(|&(dsl, span)| ast::Ident { span, ..plan.dsls[dsl].id }).collect();
                let list = match text {
                    DEPENDS_ON => &mut plan.dsls[index].dependencies,
                    _ => &mut plan.dsls[index].embedded,
                };
                list.extend(found);
                Tail::Ids { function: name, ids }
            }
            Some((name, WITH_CAPABILITIES)) => {
                let found = self.read_requirements(name, args);
                let count = found.len();
                plan.dsls[index].requirements.extend(found);
                Tail::Capabilities { function: name, count }
            }
            _ => Tail::Call { function, args },
        };
        plan.dsls[index].tails.push(tail);
    }

    /// The definitions that a tail names.
    fn read_ids(
        &mut self,
        plan: &Plan<'a>,
        own: usize,
        function: ast::Ident,
        args: &'a [ast::Arg],
    ) -> Vec<(usize, Span)> {
        let Some(items) = self.tail_items(function, args, "the names of definitions") else { return Vec::new() };
        let mut found = Vec::new();
        for item in items {
            let ast::ExprKind::Path(ast::Path { anchor: ast::PathAnchor::Relative, segments, .. }) = &*item.kind else {
                self.tail_invalid(function, item.span, "the names of definitions");
                continue;
            };
            let [id] = segments[..] else {
                self.tail_invalid(function, item.span, "the names of definitions");
                continue;
            };
            match self.dsl_named(plan, id) {
                Some(dsl) if dsl == own => {
                    let text = self.names.text(id.name).to_owned();
                    self.report(
                        Diagnostic::error(
                            codes::CONDUCTOR_DEPENDENCY_CYCLE,
                            id.span,
                            format!("`{text}` cannot come before itself"),
                        )
                        .with_help("remove it from the list"),
                    );
                }
                Some(dsl) => found.push((dsl, id.span)),
                None => {}
            }
        }
        found
    }

    /// The elements of the one argument of a tail that the compiler reads.
    fn tail_items(
        &mut self,
        function: ast::Ident,
        args: &'a [ast::Arg],
        wanted: &'static str,
    ) -> Option<&'a [ast::Expr]> {
        let [arg] = args else {
            self.tail_invalid(function, function.span, wanted);
            return None;
        };
        match &*arg.value.kind {
            ast::ExprKind::Array(items) => Some(items),
            _ => Some(std::slice::from_ref(&arg.value)),
        }
    }

    fn tail_invalid(&mut self, function: ast::Ident, span: Span, wanted: &'static str) {
        let text = self.names.text(function.name).to_owned();
        let example = match &*text {
            WITH_CAPABILITIES => "[\"io\", { id: \"io.async\", stage: \"beta\" }]",
            _ => "[first, second]",
        };
        self.report(
            Diagnostic::error(codes::CONDUCTOR_TAIL_INVALID, span, format!("`{text}` takes {wanted}, written out"))
                .with_note("the compiler reads them before the program runs")
                .with_help(format!("write `{text}({example})`")),
        );
    }

    /// The definition of a name, which is reported when there is none.
    fn dsl_named(&mut self, plan: &Plan<'a>, id: ast::Ident) -> Option<usize> {
        let found = plan.dsls.iter().position(|dsl| dsl.id.name == id.name);
        if found.is_none() && !self.report_removed(id.span, id.name) {
            let text = self.names.text(id.name).to_owned();
            let known: Vec<&str> = plan.dsls.iter().map(|dsl| self.names.text(dsl.id.name)).collect();
            let message = format!("this conductor has no definition `{text}`");
            let diagnostic = Diagnostic::error(codes::CONDUCTOR_ID_UNKNOWN, id.span, message);
            let diagnostic = with_suggestion(diagnostic, id.span, &text, &known, "its definitions are");
            self.report(diagnostic);
        }
        found
    }

    // -----------------------------------------------------------------------------------------------
    // Channels

    fn read_channel(&mut self, plan: &mut Plan<'a>, channel: &'a ast::Channel) {
        let from = self.read_endpoint(plan, &channel.from);
        let to = self.read_endpoint(plan, &channel.to);
        let (Some(from), Some(to)) = (from, to) else { return };
        let Some(from) = self.port(plan, from, Direction::Out, channel) else { return };
        let Some(to) = self.port(plan, to, Direction::In, channel) else { return };
        if plan.channels.contains(&(from, to)) {
            let (from, to) = (self.port_text(plan, from), self.port_text(plan, to));
            let message = format!("there already is a channel from `{from}` to `{to}`");
            self.channel_error(codes::CONDUCTOR_CHANNEL_DUPLICATE, channel.span, message, "remove one of the two");
            return;
        }
        plan.channels.push((from, to));
    }

    /// `source.out`: the definition and the port.
    fn read_endpoint(&mut self, plan: &Plan<'a>, path: &ast::Path) -> Option<(usize, ast::Ident)> {
        match path.segments[..] {
            [dsl, port] if path.anchor == ast::PathAnchor::Relative => Some((self.dsl_named(plan, dsl)?, port)),
            _ => {
                let message = "the end of a channel is a definition and a port";
                self.channel_error(codes::CONDUCTOR_CHANNEL_CONFLICT, path.span, message, "write `source.out`");
                None
            }
        }
    }

    fn port(
        &mut self,
        plan: &mut Plan<'a>,
        (dsl, name): (usize, ast::Ident),
        direction: Direction,
        channel: &'a ast::Channel,
    ) -> Option<usize> {
        let path = if direction == Direction::Out { &channel.from } else { &channel.to };
        let known = plan.ports.iter().position(|port| port.dsl == dsl && port.name.name == name.name);
        if let Some(index) = known {
            if plan.ports[index].direction != direction {
                let text = self.port_text(plan, index);
                let (role, other) = match direction {
                    Direction::Out => ("comes out of", "goes into"),
                    Direction::In => ("goes into", "comes out of"),
                };
                let message = format!("this channel {role} `{text}`, but another one {other} it");
                let diagnostic = Diagnostic::error(codes::CONDUCTOR_CHANNEL_CONFLICT, path.span, message)
                    .with_label(plan.ports[index].span, "the other one")
                    .with_help("a port has one direction: use two ports");
                self.report(diagnostic);
                return None;
            }
            plan.ports[index].others.push(&channel.ty);
            return Some(index);
        }
        if matches!(self.names.text(name.name), SPEC | VALUE) {
            let text = self.names.text(name.name).to_owned();
            let message = format!("a port cannot be called `{text}`: every definition has a field of this name");
            self.channel_error(codes::CONDUCTOR_CHANNEL_CONFLICT, name.span, message, "give the port another name");
            return None;
        }
        plan.ports.push(Port { dsl, name, direction, ty: &channel.ty, others: Vec::new(), span: path.span });
        Some(plan.ports.len() - 1)
    }

    fn channel_error(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.report(Diagnostic::error(code, span, message).with_help(help));
    }

    /// `source.out`
    pub fn port_text(&self, plan: &Plan<'a>, port: usize) -> String {
        let port = &plan.ports[port];
        format!("{}.{}", self.names.text(plan.dsls[port.dsl].id.name), self.names.text(port.name.name))
    }

    // -----------------------------------------------------------------------------------------------
    // Monitoring

    fn read_monitor(
        &mut self,
        plan: &Plan<'a>,
        target: Option<&'a MonitorTarget>,
        body: Option<&'a ast::Expr>,
        span: Span,
    ) -> Option<Monitor<'a>> {
        let observer = match target {
            Some(MonitorTarget::Port(path)) => {
                let (dsl, name) = self.read_endpoint(plan, path)?;
                let port = plan.ports.iter().position(|port| port.dsl == dsl && port.name.name == name.name);
                let Some(port) = port else {
                    self.unknown_port(plan, dsl, name);
                    return None;
                };
                if body.is_none() {
                    self.empty_monitor(span);
                }
                return Some(Monitor::Port { port, body: body? });
            }
            Some(MonitorTarget::Module(path)) => Some(path),
            None if body.is_none() => {
                self.empty_monitor(span);
                return None;
            }
            None => None,
        };
        Some(Monitor::Run { observer, body })
    }

    fn empty_monitor(&mut self, span: Span) {
        self.report(
            Diagnostic::error(codes::CONDUCTOR_MONITOR_EMPTY, span, "nothing says what this `monitoring` does")
                .with_help("give it a block: `monitoring { .. }`"),
        );
    }

    fn unknown_port(&mut self, plan: &Plan<'a>, dsl: usize, name: ast::Ident) {
        let (text, owner) = (self.names.text(name.name).to_owned(), self.names.text(plan.dsls[dsl].id.name).to_owned());
        let names: Vec<Symbol> = plan.ports.iter().filter(|port| port.dsl == dsl).map(|port| port.name.name).collect();
        let known: Vec<&str> = names.iter().map(|&name| self.names.text(name)).collect();
        let message = format!("no channel leads to or from a port `{text}` of `{owner}`");
        let diagnostic = Diagnostic::error(codes::CONDUCTOR_PORT_UNKNOWN, name.span, message);
        let diagnostic = with_suggestion(diagnostic, name.span, &text, &known, "its ports are");
        self.report(diagnostic);
    }
}

/// The nearest of the known names as a fix, or all of them.
fn with_suggestion(diagnostic: Diagnostic, span: Span, text: &str, known: &[&str], list: &str) -> Diagnostic {
    match suggest::closest(text, known.iter().copied()) {
        Some(near) => diagnostic.with_fix(span, near, format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.with_help(format!("{list} `{}`", known.join("`, `"))),
    }
}
