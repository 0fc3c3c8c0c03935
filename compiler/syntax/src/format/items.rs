//! Files and declarations.

use crate::ast::*;
use crate::token::Kind;

use super::Formatter;
use super::doc::*;
use super::exprs::Place;
use super::flat::Style;
use super::list::Trailing;
use super::render::STEP;

impl<'a> Formatter<'a> {
    pub fn module(&mut self, module: &Module) -> Doc<'a> {
        let mut parts = Vec::new();
        if let Some(path) = &module.header {
            parts.extend([self.cursor.next(), text(" "), self.path(path)]);
        }
        for item in &module.items {
            let separators = self.skip_separators();
            if self.cursor.goes_on() && self.cursor.at > 0 {
                parts.push(text(";"));
            }
            parts.push(separators);
            parts.push(if self.cursor.blank_before() { blank() } else { hard() });
            parts.extend(self.cursor.take_comments());
            parts.push(self.item(item, true));
        }
        parts.push(self.skip_separators());
        parts.extend(self.cursor.dangling());
        concat(parts)
    }

    /// A declaration with its attributes. Those of a file's items have lines of their own.
    pub fn item(&mut self, item: &Item, own_lines: bool) -> Doc<'a> {
        let mut parts = Vec::new();
        for part in self.attrs(&item.attrs, true) {
            let breaks = matches!(&*part.kind, super::doc::Kind::Line) && own_lines;
            parts.push(if breaks { hard() } else { part });
        }
        if item.public && self.cursor.kind() == Kind::Pub {
            parts.extend([self.cursor.next(), text(" ")]);
        }
        parts.push(match &item.kind {
            ItemKind::Use(decl) => {
                let word = self.cursor.next();
                concat([word, text(" "), self.use_tree(&decl.tree)])
            }
            ItemKind::Let(decl) => self.let_decl(decl),
            ItemKind::Fn(decl) => self.fn_decl(decl),
            ItemKind::ActivePattern(decl) => self.active_pattern(decl),
            ItemKind::Type(decl) => self.type_decl(decl),
            ItemKind::Trait(decl) => self.with_members(&decl.items),
            ItemKind::Impl(decl) => self.with_members(&decl.items),
            ItemKind::Extern(decl) => self.with_members(&decl.items),
            ItemKind::Effect(decl) => self.effect(decl),
            ItemKind::Handler(decl) => {
                let end = self.cursor.index_of(decl.body.span.start);
                let head = self.head_with_parameters(&decl.params, end);
                concat([head, text(" "), self.handler_body(&decl.body)])
            }
            ItemKind::Conductor(decl) => self.conductor(decl),
            ItemKind::Expr(expr) => {
                if self.is_unbraced(expr) {
                    self.indented(expr)
                } else {
                    self.expr(expr, Place::Start)
                }
            }
            ItemKind::Error => Doc::nil(),
        });
        concat(parts)
    }

    fn use_tree(&mut self, tree: &UseTree) -> Doc<'a> {
        let mut parts = vec![self.path(&tree.path)];
        match &tree.kind {
            UseKind::Simple { alias: None } => {}
            UseKind::Simple { alias: Some(_) } => {
                parts.extend([text(" "), self.cursor.next(), text(" "), self.cursor.next()]);
            }
            UseKind::Group(trees) => {
                parts.push(self.cursor.next());
                let mut trees = trees.iter();
                let list = self.list(|f| trees.next().map_or_else(Doc::nil, |tree| f.use_tree(tree)));
                parts.push(list.names());
            }
        }
        concat(parts)
    }

    // -----------------------------------------------------------------------------------------------
    // Functions

    pub fn fn_decl(&mut self, decl: &FnDecl) -> Doc<'a> {
        let head = self.signature(&decl.sig, decl.body.as_ref());
        let body = decl.body.as_ref().map(|body| self.fn_body(body));
        let semi = (decl.body.is_none() && self.cursor.kind() == Kind::Semi).then(|| self.cursor.next());
        concat([Some(head), body, semi].into_iter().flatten())
    }

    /// Everything up to the body.
    fn signature(&mut self, sig: &FnSig, body: Option<&Expr>) -> Doc<'a> {
        let end = match body {
            Some(body) => self.body_start(body),
            None => self.closed_end(self.cursor.index_of(sig.span.end)),
        };
        let open = self.cursor.find_before(&[Kind::LParen], end);
        let mut parts = vec![self.flat_until(open, Style::Type)];
        if self.cursor.kind() == Kind::LParen && self.cursor.at < end {
            let trailing = if sig.variadic { Trailing::None } else { Trailing::Broken };
            parts.push(self.parameters(&sig.params, trailing));
        }
        parts.push(self.signature_tail(end));
        concat(parts)
    }

    /// What stands between the parameters and the body, with the space before the body.
    fn signature_tail(&mut self, end: usize) -> Doc<'a> {
        let mut parts = Vec::new();
        let constraints = self.cursor.find_before(&[Kind::Where], end);
        if self.cursor.at < constraints {
            parts.extend([text(" "), self.flat_until(constraints, Style::Type)]);
        }
        parts.push(self.constraints(end));
        concat(parts)
    }

    /// `where ..`, in the same line or in one of its own; then a body's brace has one of its own, too.
    fn constraints(&mut self, end: usize) -> Doc<'a> {
        let constraints =
            (self.cursor.at < end).then(|| indent(STEP, concat([line(), self.flat_until(end, Style::Type)])));
        let gap = match self.cursor.kind() {
            Kind::LBrace if constraints.is_some() => line(),
            Kind::LBrace | Kind::Eq => text(" "),
            _ => Doc::nil(),
        };
        group(concat(constraints.into_iter().chain([gap])))
    }

    /// A declaration's name, what it is declared with, and what follows, up to the token at `end`.
    fn head_with_parameters(&mut self, params: &[Param], end: usize) -> Doc<'a> {
        let type_ = self.cursor.find_before(&[Kind::Colon], end);
        let open = self.cursor.find_before(&[Kind::LParen], type_);
        let name = self.flat_until(open, Style::Type);
        if open == type_ {
            return concat([name, self.flat_until(end, Style::Type)]);
        }
        let params = self.parameters(params, Trailing::Broken);
        let space = (self.cursor.at < end).then(|| text(" "));
        concat([Some(name), Some(params), space, Some(self.flat_until(end, Style::Type))].into_iter().flatten())
    }

    pub fn parameters(&mut self, params: &[Param], trailing: Trailing) -> Doc<'a> {
        let list = self.list(|f| {
            let start = f.cursor.start();
            let param = params.iter().find(|param| param.span.start == start);
            f.declared(param.and_then(|param| param.default.as_ref()))
        });
        list.plain(trailing)
    }

    /// A parameter or field with its type, and its default if it has one; an element of a list.
    pub fn declared(&mut self, default: Option<&Expr>) -> Doc<'a> {
        let Some(default) = default else { return self.flat_element(Style::Type) };
        let end = self.cursor.find(Kind::Eq);
        let head = self.flat_until(end, Style::Type);
        let eq = self.cursor.next();
        concat([head, text(" "), eq, text(" "), self.expr(default, Place::Inline)])
    }

    /// The token with which a function's body begins: `=` or the brace.
    fn body_start(&self, body: &Expr) -> usize {
        let mut start = body.span.start;
        if let Some(result) = where_result(body) {
            start = result.span.start;
        }
        let mut at = self.cursor.index_of(start);
        while at > 0 && self.cursor.tokens[at - 1].kind == Kind::Do {
            at -= 1;
        }
        if at > 0 && self.cursor.tokens[at - 1].kind == Kind::Eq { at - 1 } else { at }
    }

    fn fn_body(&mut self, value: &Expr) -> Doc<'a> {
        let own = where_result(value).unwrap_or(value);
        let mut parts = Vec::new();
        if self.cursor.kind() == Kind::Eq {
            parts.push(self.cursor.next());
            parts.push(self.body(own, Place::Inline));
        } else {
            parts.push(self.expr(own, Place::Inline));
        }
        if let (Some(_), ExprKind::Block(block)) = (where_result(value), &*value.kind) {
            let word = self.cursor.next();
            let braced = self.cursor.kind() == Kind::LBrace;
            let definitions =
                Block { attrs: Vec::new(), stmts: block.stmts.clone(), result: None, scope: None, span: block.span };
            let definitions = if braced {
                concat([text(" "), self.braced(&definitions)])
            } else {
                indent(STEP, concat([hard(), self.unbraced(&definitions)]))
            };
            parts.push(indent(STEP, concat([hard(), word, definitions])));
        }
        concat(parts)
    }

    fn active_pattern(&mut self, decl: &ActivePatternDecl) -> Doc<'a> {
        let word = self.cursor.next();
        let close = self.cursor.mate(self.cursor.at);
        let name = self.tight_until(close + 1);
        let params = self.parameters(&decl.params, Trailing::Broken);
        let end = self.body_start(&decl.body);
        let tail = self.signature_tail(end);
        concat([word, text(" "), name, params, tail, self.fn_body(&decl.body)])
    }

    // -----------------------------------------------------------------------------------------------
    // What has members

    /// `trait`, `impl` and `extern`: a head, and functions in braces.
    fn with_members(&mut self, items: &[Item]) -> Doc<'a> {
        let start = items.first().map_or(u32::MAX, |item| item.span.start);
        let end = self.member_brace(start);
        let Some(end) = end else {
            // `extern "C" fn f();`
            let mut parts = Vec::new();
            while self.cursor.start() < start && self.cursor.kind() != Kind::Eof {
                parts.extend([self.cursor.next(), text(" ")]);
            }
            parts.extend(items.iter().map(|item| self.item(item, false)));
            return concat(parts);
        };
        let constraints = self.cursor.find_before(&[Kind::Where], end);
        let mut parts = vec![self.flat_until(constraints, Style::Type), self.constraints(end)];
        let mut items = items.iter();
        parts.push(self.members(|f| items.next().map_or_else(Doc::nil, |item| f.item(item, false))));
        concat(parts)
    }

    /// The brace before the first member: the last one that opens before it and is still open there.
    fn member_brace(&self, start: u32) -> Option<usize> {
        let mut at = self.cursor.at;
        while self.cursor.tokens[at].kind != Kind::Eof && self.cursor.tokens[at].start < start {
            let kind = self.cursor.tokens[at].kind;
            if kind == Kind::LBrace {
                let close = self.cursor.tokens[self.cursor.mate(at)];
                // An empty body closes where the declaration ends; a record type in the head is followed by more.
                let after = self.cursor.tokens[(self.cursor.mate(at) + 1).min(self.cursor.tokens.len() - 1)].kind;
                if start == u32::MAX && matches!(after, Kind::LBrace | Kind::For | Kind::Gt | Kind::Comma) {
                    at = self.cursor.mate(at) + 1;
                    continue;
                }
                if close.start >= start.min(close.start) && (start == u32::MAX || close.start >= start) {
                    return Some(at);
                }
            }
            at = self.cursor.mate(at).max(at) + 1;
        }
        None
    }

    /// Members in braces, each in its line. A single one may stand in the line of the braces.
    pub fn members(&mut self, mut each: impl FnMut(&mut Self) -> Doc<'a>) -> Doc<'a> {
        let close = self.cursor.mate(self.cursor.at);
        let open = self.cursor.next();
        let broken = self.cursor.starts_line() && self.cursor.at < close;
        let mut inner = Vec::new();
        let mut count = 0;
        loop {
            let separators = self.skip_separators();
            if self.cursor.at >= close {
                inner.push(separators);
                break;
            }
            inner.push(separators);
            inner.push(if count > 0 && self.cursor.blank_before() { blank() } else { line() });
            let before = self.cursor.at;
            inner.extend(self.cursor.take_comments());
            inner.push(each(self));
            if self.cursor.at == before {
                inner.push(self.cursor.next());
            }
            count += 1;
        }
        if let Some(comments) = self.cursor.dangling() {
            inner.push(comments);
            count += 1;
        }
        let close = self.cursor.next();
        if count == 0 {
            return concat([open, concat(inner), close]);
        }
        let all = concat([open, indent(STEP, concat(inner)), line(), close]);
        if broken || count > 1 { broken_group(all) } else { group(all) }
    }

    fn effect(&mut self, decl: &EffectDecl) -> Doc<'a> {
        let end = self.cursor.find(Kind::LBrace);
        let head = match &decl.base {
            Some(base) => {
                // `effect Console : io`
                let colon = self.cursor.index_of(base.span.start) - 1;
                let name = self.flat_until(colon, Style::Type);
                let colon = self.cursor.next();
                concat([name, text(" "), colon, text(" "), self.flat_until(end, Style::Type)])
            }
            None => self.flat_until(end, Style::Type),
        };
        let mut operations = decl.operations.iter();
        let members = self.members(|f| {
            let Some(operation) = operations.next() else { return Doc::nil() };
            let mut parts = f.attrs(&operation.attrs, false);
            let end = f.closed_end(f.cursor.index_of(operation.span.end));
            parts.push(f.head_with_parameters(&operation.params, end));
            concat(parts)
        });
        concat([head, text(" "), members])
    }

    fn conductor(&mut self, decl: &ConductorDecl) -> Doc<'a> {
        let head = concat([self.cursor.next(), text(" "), self.cursor.next(), text(" ")]);
        let mut sections = decl.sections.iter();
        let members = self.members(|f| sections.next().map_or_else(Doc::nil, |section| f.section(section)));
        concat([head, members])
    }

    fn section(&mut self, section: &ConductorSection) -> Doc<'a> {
        let mut parts = Vec::new();
        while matches!(self.cursor.kind(), Kind::At | Kind::HashBracket) {
            let open = self.cursor.at + 2;
            let end = match (self.cursor.kind(), self.cursor.kind_at(2)) {
                (Kind::HashBracket, _) => self.cursor.mate(self.cursor.at) + 1,
                (_, Kind::LParen) => self.cursor.mate(open) + 1,
                _ => open,
            };
            parts.extend([self.flat_until(end, Style::Type), hard()]);
        }
        match &section.kind {
            SectionKind::Dsl { value, tails, .. } => {
                let tail = self.cursor.find_before(&[Kind::PipeGt], self.cursor.index_of(section.span.end));
                let head = match value {
                    Some(_) => self.cursor.find(Kind::Eq),
                    None => tail,
                };
                parts.push(self.flat_until(head, Style::Type));
                if let Some(value) = value {
                    parts.extend([text(" "), self.cursor.next(), self.body(value, Place::Inline)]);
                }
                let broken = self.cursor.starts_line();
                let mut links = Vec::new();
                for (path, args) in tails {
                    links.extend([line(), self.cursor.next(), text(" "), self.path(path)]);
                    if self.cursor.kind() == Kind::LParen {
                        links.push(self.args(args));
                    }
                }
                let links = indent(STEP, concat(links));
                parts.push(if broken { broken_group(links) } else { group(links) });
            }
            SectionKind::Channels(channels) => {
                parts.extend([self.cursor.next(), text(" ")]);
                let mut channels = channels.iter();
                parts.push(self.members(|f| {
                    let Some(channel) = channels.next() else { return Doc::nil() };
                    let from = f.path(&channel.from);
                    let arrow = f.cursor.next();
                    let to = f.path(&channel.to);
                    let colon = f.cursor.next();
                    concat([from, text(" "), arrow, text(" "), to, text(" "), colon, text(" "), f.ty(&channel.ty)])
                }));
            }
            SectionKind::Execution(body) => {
                parts.extend([self.cursor.next(), text(" "), self.expr(body, Place::Inline)]);
            }
            SectionKind::Monitoring { target, body } => {
                parts.push(self.cursor.next());
                match target {
                    Some(MonitorTarget::Module(path)) => {
                        parts.extend([text(" "), self.cursor.next(), text(" "), self.path(path)]);
                    }
                    Some(MonitorTarget::Port(path)) => parts.extend([text(" "), self.path(path)]),
                    None => {}
                }
                if let Some(body) = body {
                    parts.extend([text(" "), self.expr(body, Place::Inline)]);
                }
            }
        }
        concat(parts)
    }
}

/// The value of a body whose local definitions stand behind it, after `where`.
fn where_result(body: &Expr) -> Option<&Expr> {
    let ExprKind::Block(block) = &*body.kind else { return None };
    let result = block.result.as_deref()?;
    let first = block.stmts.first()?;
    (result.span.start < first.span.start).then_some(result)
}
