//! What does a conductor do when it runs? Turns its plan into ordinary code, which is then checked like any other.
//!
//! ```text
//! conductor flow {                        let flow = ::Core.Dsl.conductor("flow", || {
//!   source: Csv = csv(",")                  let source.value: Csv = csv(",")
//!   sink: Log                               let source = ::Core.Dsl.id("source")        // for the tails
//!     |> depends_on([source])               let sink = ::Core.Dsl.id("sink")
//!                                           let source.spec = ::Core.Dsl.define(source, source.value)
//!                                           let sink.spec = ::Core.Dsl.place(sink).depends_on([source])
//!   channels {                              let sink.in.queue: Queue<Str> = ::Core.Dsl.queue("sink.in", sink.spec)
//!     source.out ~> sink.in : Str           let source.out = ::Core.Dsl.outlet("source.out", [sink.in.queue])
//!   }                                       let sink.in = ::Core.Dsl.inlet(sink.in.queue)
//!                                           let source = { spec: source.spec, value: .., out: source.out }
//!                                           let sink = { spec: sink.spec, in: sink.in }
//!   monitoring source.out { a }             let source.out = source.out.watch_outlet(|value| { a })
//!                                           let source = { spec: source.spec, value: .., out: source.out }
//!   execution { b }                         ::Core.Dsl.monitored(|| { b }, || {
//!   monitoring { c }                          let flow.metrics = ::Core.Dsl.run_metrics("flow", [..])
//!                                             (|metrics| { c })(flow.metrics)
//! }                                         })
//!                                         })
//! ```
//!
//! Names with a dot cannot be written in a program, so they are in nobody's way. What is watched is built on top of what
//! is not, and watchers see the latter: they hold nothing that holds them.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind, Ident, PathAnchor, StmtKind, TypeKind};

use super::body::Want;
use super::ty::Ty;
use crate::conductors::{Direction, Dsl, Monitor, Plan, SPEC, Tail, VALUE};
use crate::cx::*;
use crate::typed::ExprId;

impl<'a> Checker<'a> {
    pub(super) fn conductor_value(&mut self, index: u32, want: Want) -> ExprId {
        // Out of the way while it is checked: it does not change, and nothing else asks for it meanwhile.
        let conductors = std::mem::take(&mut self.conductors);
        let conductor = &conductors[index as usize];
        let fitting = self.fitting_channels(&conductor.plan);
        let mut expansion = Expansion { cx: self, plan: &conductor.plan, name: conductor.name, stmts: Vec::new() };
        let body = expansion.body(&fitting);
        let name = self.names.text(conductor.name.name).to_owned();
        let span = conductor.name.span;
        let function = self.library_fn("conductor", span);
        let whole = call(function, vec![text(name, span), thunk(body)], span);
        self.conductors = conductors;
        self.expr(&whole, want)
    }

    /// The channels whose ends agree on a type; the others are reported.
    fn fitting_channels(&mut self, plan: &Plan<'a>) -> Vec<(usize, usize)> {
        let mut types: Vec<Ty> = Vec::with_capacity(plan.ports.len());
        for (index, port) in plan.ports.iter().enumerate() {
            let ty = self.body_type(port.ty);
            types.push(ty);
            for other in &port.others {
                let found = self.body_type(other);
                if self.t.same(ty, found) {
                    continue;
                }
                let (first, second) = (self.show(ty), self.show(found));
                let text = self.port_text(plan, index);
                let diagnostic = Diagnostic::error(
                    codes::CONDUCTOR_CHANNEL_CONFLICT,
                    other.span,
                    format!("`{text}` carries `{second}` here, but `{first}` in another channel"),
                )
                .with_label(port.ty.span, "the other channel")
                .with_help("a port has one type: use two ports");
                self.error_once(diagnostic);
            }
        }
        plan.channels.iter().copied().filter(|&(from, to)| self.t.same(types[from], types[to])).collect()
    }

    /// A function of `Core.Dsl`.
    fn library_fn(&mut self, name: &str, span: Span) -> ast::Expr {
        let path = self.library_path(name, span);
        expr(ExprKind::Path(path), span)
    }

    fn library_path(&mut self, name: &str, span: Span) -> ast::Path {
        let segments = ["Core", "Dsl", name].map(|part| Ident { name: self.names.intern(part), span }).to_vec();
        ast::Path { anchor: PathAnchor::Root, segments, span }
    }

    /// The kind of a definition as a type: its name, at whatever arguments the value has.
    fn kind_type(&mut self, path: &ast::Path) -> ast::Type {
        let span = path.span;
        let args = (0..self.type_arity(path)).map(|_| ast::Type { kind: Box::new(TypeKind::Hole), span }).collect();
        ast::Type { kind: Box::new(TypeKind::Path { path: path.clone(), args }), span }
    }

    /// How many arguments a type takes; none when there is no such type, which is reported where the type is needed.
    fn type_arity(&mut self, path: &ast::Path) -> usize {
        let Some((&last, parents)) = path.segments.split_last() else { return 0 };
        let module = self.b.module;
        let found = if parents.is_empty() && path.anchor == PathAnchor::Relative {
            self.head_container(module, last.name)
        } else {
            match self.container_of(module, path.anchor, parents) {
                Ok(container) => self.child_container(module, container, last),
                Err(_) => return 0,
            }
        };
        match (found.ty, found.builtin) {
            (Some(TypeItem::Adt(def)), _) => self.adts[def].arity as usize,
            (Some(TypeItem::Alias(alias)), _) => self.aliases[alias as usize].generics.len(),
            (None, Some(Builtin::Array | Builtin::Cell)) => 1,
            _ => 0,
        }
    }
}

/// The code of one conductor, as it grows.
struct Expansion<'c, 'a> {
    cx: &'c mut Checker<'a>,
    plan: &'c Plan<'a>,
    name: Ident,
    stmts: Vec<ast::Stmt>,
}

impl Expansion<'_, '_> {
    fn body(&mut self, channels: &[(usize, usize)]) -> ast::Expr {
        let plan = self.plan;
        for &index in &plan.order {
            self.value(&plan.dsls[index]);
        }
        for dsl in &plan.dsls {
            let id = self.text_of(dsl.id);
            let value = self.library("id", vec![id], dsl.id.span);
            self.bind(dsl.id, None, value);
        }
        for &index in &plan.order {
            self.spec(&plan.dsls[index]);
        }
        self.ports(channels);
        for index in 0..plan.dsls.len() {
            self.record(index);
        }
        self.watchers();
        self.run()
    }

    fn value(&mut self, dsl: &Dsl<'_>) {
        let ty = self.cx.kind_type(dsl.kind);
        match dsl.value {
            Some(value) => {
                let local = self.hidden(dsl.id, VALUE);
                self.bind(local, Some(ty), value.clone());
            }
            // Nothing has the type; it only has to be one.
            None => {
                self.cx.body_type(&ty);
            }
        }
    }

    /// The definition with its tails.
    fn spec(&mut self, dsl: &Dsl<'_>) {
        let span = dsl.id.span;
        let mut spec = match dsl.value {
            Some(value) => {
                let made = self.hidden(dsl.id, VALUE);
                self.library("define", vec![local(dsl.id), local(made)], value.span)
            }
            None => self.library("place", vec![local(dsl.id)], span),
        };
        let mut requirements = dsl.requirements.iter();
        for tail in &dsl.tails {
            spec = match tail {
                Tail::Ids { function, ids } => {
                    let ids = ids.iter().map(|&id| local(id)).collect();
                    method(spec, *function, vec![argument(expr(ExprKind::Array(ids), function.span))])
                }
                Tail::Capabilities { function, count } => {
                    let written: Vec<_> = requirements.by_ref().take(*count).collect();
                    let items = written.into_iter().map(|requirement| {
                        let span = requirement.span;
                        let effects = requirement.declared_effects.iter().map(|tag| text(tag.clone(), span)).collect();
                        let path = self.cx.library_path("Capability", span);
                        let fields = vec![
                            self.field("id", text(requirement.id.clone(), span)),
                            self.field("stage", text(requirement.stage.to_string(), span)),
                            self.field("declared_effects", expr(ExprKind::Array(effects), span)),
                        ];
                        expr(ExprKind::Record { path: Some(path), fields, base: None }, span)
                    });
                    let list = expr(ExprKind::Array(items.collect()), function.span);
                    method(spec, *function, vec![argument(list)])
                }
                Tail::Call { function, args } => match function.segments[..] {
                    [name] if function.anchor == PathAnchor::Relative => method(spec, name, args.to_vec()),
                    _ => {
                        let span = spec.span.to(function.span);
                        let callee = expr(ExprKind::Path((*function).clone()), function.span);
                        let right = expr(ExprKind::Call { callee, args: args.to_vec() }, function.span);
                        expr(ExprKind::Pipe { left: spec, right }, span)
                    }
                },
            };
        }
        let path = self.cx.library_path("DslSpec", span);
        let hole = ast::Type { kind: Box::new(TypeKind::Hole), span };
        let ty = ast::Type { kind: Box::new(TypeKind::Path { path, args: vec![hole] }), span };
        let made = self.hidden(dsl.id, SPEC);
        self.bind(made, Some(ty), spec);
    }

    /// A queue before each inlet, and the ports at both ends.
    fn ports(&mut self, channels: &[(usize, usize)]) {
        let plan = self.plan;
        for (index, port) in plan.ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::In) {
            let name = self.cx.port_text(plan, index);
            let spec = self.hidden(plan.dsls[port.dsl].id, SPEC);
            let queue = self.library("queue", vec![text(name, port.span), local(spec)], port.span);
            let path = self.cx.library_path("Queue", port.ty.span);
            let kind = TypeKind::Path { path, args: vec![port.ty.clone()] };
            let ty = ast::Type { kind: Box::new(kind), span: port.ty.span };
            let made = self.queue(index);
            self.bind(made, Some(ty), queue);
            let inlet = self.library("inlet", vec![local(made)], port.span);
            let made = self.port(index);
            self.bind(made, None, inlet);
        }
        for (index, port) in plan.ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Out) {
            let name = self.cx.port_text(plan, index);
            let ends: Vec<usize> = channels.iter().filter(|(from, _)| *from == index).map(|&(_, to)| to).collect();
            let queues = ends.into_iter().map(|to| local(self.queue(to))).collect();
            let queues = expr(ExprKind::Array(queues), port.span);
            let outlet = self.library("outlet", vec![text(name, port.span), queues], port.span);
            let path = self.cx.library_path("Outlet", port.ty.span);
            let kind = TypeKind::Path { path, args: vec![port.ty.clone()] };
            let ty = ast::Type { kind: Box::new(kind), span: port.ty.span };
            let made = self.port(index);
            self.bind(made, Some(ty), outlet);
        }
    }

    /// What a definition is in `execution` and `monitoring`: its specification, its value, its ports.
    fn record(&mut self, index: usize) {
        let plan = self.plan;
        let dsl = &plan.dsls[index];
        let span = dsl.id.span;
        let spec = local(self.hidden(dsl.id, SPEC));
        let mut fields = Vec::new();
        if dsl.value.is_some() {
            let name = Ident { name: self.cx.names.intern(VALUE), span };
            fields.push(self.field(VALUE, expr(ExprKind::Field { base: spec.clone(), name }, span)));
        }
        fields.insert(0, self.field(SPEC, spec));
        for (index, port) in plan.ports.iter().enumerate().filter(|(_, port)| port.dsl == index) {
            let value = Some(local(self.port(index)));
            fields.push(ast::FieldInit { name: Ident { span: port.span, ..port.name }, value });
        }
        let record = expr(ExprKind::Record { path: None, fields, base: None }, span);
        self.bind(dsl.id, None, record);
    }

    /// Ports with their watchers, and the definitions that have such ports once more.
    fn watchers(&mut self) {
        let plan = self.plan;
        let mut watched: Vec<usize> = Vec::new();
        for monitor in &plan.monitors {
            let Monitor::Port { port, body } = monitor else { continue };
            let watcher = self.lambda(VALUE, body);
            let function = match plan.ports[*port].direction {
                Direction::Out => "watch_outlet",
                Direction::In => "watch_inlet",
            };
            let made = self.port(*port);
            let value = self.library(function, vec![local(made), watcher], body.span);
            self.bind(made, None, value);
            watched.push(plan.ports[*port].dsl);
        }
        watched.sort_unstable();
        watched.dedup();
        for index in watched {
            self.record(index);
        }
    }

    /// `execution`, then what is under `monitoring`.
    fn run(&mut self) -> ast::Expr {
        let plan = self.plan;
        let span = self.name.span;
        let execution = plan.execution.map(|body| thunk(body.clone()));
        let watched = plan.monitors.iter().any(|monitor| matches!(monitor, Monitor::Run { .. }));
        let result = match execution {
            execution if watched => {
                let execution = execution.unwrap_or_else(|| thunk(expr(ExprKind::Unit, span)));
                let monitors = thunk(self.run_monitors());
                Some(self.library("monitored", vec![execution, monitors], span))
            }
            Some(execution) => Some(call(execution, Vec::new(), span)),
            None => None,
        };
        block(std::mem::take(&mut self.stmts), result, span)
    }

    fn run_monitors(&mut self) -> ast::Expr {
        let plan = self.plan;
        let span = self.name.span;
        let outer = std::mem::take(&mut self.stmts);
        let mut channels = Vec::new();
        for (index, port) in plan.ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::In) {
            let queue = self.queue(index);
            channels.push(self.library("queue_metrics", vec![local(queue)], port.span));
        }
        let name = self.text_of(self.name);
        let value = self.library("run_metrics", vec![name, expr(ExprKind::Array(channels), span)], span);
        let metrics = self.hidden(self.name, "metrics");
        self.bind(metrics, None, value);
        for monitor in &plan.monitors {
            let Monitor::Run { observer, body } = monitor else { continue };
            if let Some(path) = observer {
                let mut path = (*path).clone();
                path.segments.push(Ident { name: self.cx.names.intern("observe"), span: path.span });
                let span = path.span;
                let observed = call(expr(ExprKind::Path(path), span), vec![local(metrics)], span);
                self.stmts.push(stmt(StmtKind::Expr(observed), span));
            }
            if let Some(body) = body {
                let lambda = self.lambda("metrics", body);
                self.stmts.push(stmt(StmtKind::Expr(call(lambda, vec![local(metrics)], body.span)), body.span));
            }
        }
        let stmts = std::mem::replace(&mut self.stmts, outer);
        block(stmts, None, span)
    }

    // -----------------------------------------------------------------------------------------------
    // Parts

    fn bind(&mut self, name: Ident, ty: Option<ast::Type>, value: ast::Expr) {
        let span = value.span;
        let pattern = ast::Pattern { kind: Box::new(ast::PatternKind::Bind(name)), span: name.span };
        let decl = ast::LetDecl { kind: ast::LetKind::Let, pattern, ty, value };
        self.stmts.push(stmt(StmtKind::Let(Box::new(decl)), span));
    }

    /// A name that a program cannot write.
    fn hidden(&mut self, owner: Ident, part: &str) -> Ident {
        let name = format!("{}.{part}", self.cx.names.text(owner.name));
        Ident { name: self.cx.names.intern(&name), span: owner.span }
    }

    fn port(&mut self, index: usize) -> Ident {
        let name = self.cx.port_text(self.plan, index);
        Ident { name: self.cx.names.intern(&name), span: self.plan.ports[index].span }
    }

    fn queue(&mut self, index: usize) -> Ident {
        let port = self.port(index);
        self.hidden(port, "queue")
    }

    fn library(&mut self, function: &str, args: Vec<ast::Expr>, span: Span) -> ast::Expr {
        let callee = self.cx.library_fn(function, span);
        call(callee, args, span)
    }

    fn text_of(&self, name: Ident) -> ast::Expr {
        text(self.cx.names.text(name.name).to_owned(), name.span)
    }

    fn field(&mut self, name: &str, value: ast::Expr) -> ast::FieldInit {
        let name = Ident { name: self.cx.names.intern(name), span: value.span };
        ast::FieldInit { name, value: Some(value) }
    }

    /// `|param| body`
    fn lambda(&mut self, param: &str, body: &ast::Expr) -> ast::Expr {
        let span = body.span;
        let name = Ident { name: self.cx.names.intern(param), span: span.shrink_to_start() };
        let pattern = ast::Pattern { kind: Box::new(ast::PatternKind::Bind(name)), span: name.span };
        let params = vec![ast::Param { pattern, ty: None, default: None, span: name.span }];
        expr(ExprKind::Lambda { params, ret: None, body: body.clone() }, span)
    }
}

fn expr(kind: ExprKind, span: Span) -> ast::Expr {
    ast::Expr { kind: Box::new(kind), span }
}

fn block(stmts: Vec<ast::Stmt>, result: Option<ast::Expr>, span: Span) -> ast::Expr {
    let block = ast::Block { attrs: Vec::new(), stmts, result: result.map(Box::new), scope: None, span };
    expr(ExprKind::Block(block), span)
}

/// `|| body`
fn thunk(body: ast::Expr) -> ast::Expr {
    let span = body.span;
    expr(ExprKind::Lambda { params: Vec::new(), ret: None, body }, span)
}

fn stmt(kind: StmtKind, span: Span) -> ast::Stmt {
    ast::Stmt { attrs: Vec::new(), kind, span }
}

fn text(value: String, span: Span) -> ast::Expr {
    expr(ExprKind::Str(value.into()), span)
}

fn local(name: Ident) -> ast::Expr {
    let path = ast::Path { anchor: PathAnchor::Relative, segments: vec![name], span: name.span };
    expr(ExprKind::Path(path), name.span)
}

fn argument(value: ast::Expr) -> ast::Arg {
    ast::Arg { name: None, value }
}

fn call(callee: ast::Expr, args: Vec<ast::Expr>, span: Span) -> ast::Expr {
    expr(ExprKind::Call { callee, args: args.into_iter().map(argument).collect() }, span)
}

fn method(receiver: ast::Expr, name: Ident, args: Vec<ast::Arg>) -> ast::Expr {
    let span = receiver.span.to(name.span);
    let callee = expr(ExprKind::Field { base: receiver, name }, span);
    expr(ExprKind::Call { callee, args }, span)
}
