//! `--emit ast`: the syntax tree as nested lists, without positions.

use crate::ast::*;
use crate::names::{Names, Symbol};

/// Prints a module, one item per paragraph.
pub fn dump(module: &Module, names: &Names) -> String {
    let printer = Printer { names };
    let mut out = String::new();
    if let Some(header) = &module.header {
        out.push_str(&format!("(module {})\n", printer.path(header)));
    }
    for item in &module.items {
        printer.item(item).render(0, &mut out);
        out.push('\n');
    }
    out
}

/// The whole tree in one line: equal for two texts exactly when they have the same tree, save for positions.
pub fn flat(module: &Module, names: &Names) -> String {
    let printer = Printer { names };
    let mut out = String::new();
    out.extend(module.header.iter().map(|header| printer.path(header)));
    for item in &module.items {
        printer.item(item).write_flat(&mut out);
    }
    out
}

/// Prints one expression.
pub fn dump_expr(expr: &Expr, names: &Names) -> String {
    let mut out = String::new();
    Printer { names }.expr(expr).render(0, &mut out);
    out.push('\n');
    out
}

/// An atom, or a list with a head.
enum Node {
    Atom(String),
    List(String, Vec<Node>),
}

const WIDTH: usize = 110;

impl Node {
    fn flat_len(&self) -> usize {
        match self {
            Node::Atom(text) => text.chars().count(),
            Node::List(head, parts) => {
                2 + head.chars().count() + parts.iter().map(|part| part.flat_len() + 1).sum::<usize>()
            }
        }
    }

    fn write_flat(&self, out: &mut String) {
        match self {
            Node::Atom(text) => out.push_str(text),
            Node::List(head, parts) => {
                out.push('(');
                out.push_str(head);
                for part in parts {
                    out.push(' ');
                    part.write_flat(out);
                }
                out.push(')');
            }
        }
    }

    fn render(&self, indent: usize, out: &mut String) {
        match self {
            Node::Atom(text) => out.push_str(text),
            Node::List(head, parts) => {
                let flat = indent + self.flat_len() <= WIDTH;
                out.push('(');
                out.push_str(head);
                for part in parts {
                    if flat {
                        out.push(' ');
                    } else {
                        out.push('\n');
                        out.extend(std::iter::repeat_n(' ', indent + 2));
                    }
                    part.render(indent + 2, out);
                }
                out.push(')');
            }
        }
    }
}

fn atom(text: impl Into<String>) -> Node {
    Node::Atom(text.into())
}

fn list(head: impl Into<String>, parts: Vec<Node>) -> Node {
    Node::List(head.into(), parts)
}

struct Printer<'a> {
    names: &'a Names,
}

impl Printer<'_> {
    fn name(&self, name: Symbol) -> String {
        self.names.text(name).to_string()
    }

    fn ident(&self, ident: &Ident) -> Node {
        atom(self.name(ident.name))
    }

    fn path(&self, path: &Path) -> String {
        let mut parts: Vec<String> = Vec::new();
        match path.anchor {
            PathAnchor::Relative => {}
            PathAnchor::Root => parts.push(String::new()),
            PathAnchor::SelfModule => parts.push("self".into()),
            PathAnchor::Super(levels) => parts.extend((0..levels).map(|_| "super".to_string())),
        }
        parts.extend(path.segments.iter().map(|segment| self.name(segment.name)));
        parts.join("::")
    }

    fn item(&self, item: &Item) -> Node {
        let mut parts: Vec<Node> = item.attrs.iter().map(|attr| self.attr(attr)).collect();
        if let Some(docs) = &item.docs {
            parts.push(atom(format!("(docs {docs:?})")));
        }
        if item.public {
            parts.push(atom("pub"));
        }
        let node = self.item_kind(&item.kind);
        if parts.is_empty() {
            return node;
        }
        match node {
            Node::List(head, rest) => {
                parts.extend(rest);
                Node::List(head, parts)
            }
            atom => {
                parts.push(atom);
                list("item", parts)
            }
        }
    }

    fn attr(&self, attr: &Attr) -> Node {
        list(format!("@{}", self.name(attr.name.name)), attr.args.iter().map(|arg| self.arg(arg)).collect())
    }

    fn item_kind(&self, kind: &ItemKind) -> Node {
        match kind {
            ItemKind::Use(decl) => list("use", vec![self.use_tree(&decl.tree)]),
            ItemKind::Let(decl) => self.let_decl(decl),
            ItemKind::Fn(decl) => self.fn_decl(decl),
            ItemKind::ActivePattern(decl) => {
                let mut parts = vec![self.ident(&decl.name)];
                parts.push(list("params", decl.params.iter().map(|param| self.param(param)).collect()));
                parts.extend(decl.ret.iter().map(|ty| list("->", vec![self.ty(ty)])));
                parts.push(self.expr(&decl.body));
                list(if decl.partial { "partial-pattern" } else { "pattern" }, parts)
            }
            ItemKind::Type(decl) => self.type_decl(decl),
            ItemKind::Trait(decl) => {
                let mut parts = vec![self.ident(&decl.name)];
                parts.extend(self.generics(&decl.generics));
                if !decl.supertraits.is_empty() {
                    parts.push(list("super", decl.supertraits.iter().map(|bound| self.trait_ref(bound)).collect()));
                }
                parts.extend(self.wheres(&decl.wheres));
                parts.extend(decl.items.iter().map(|item| self.item(item)));
                list("trait", parts)
            }
            ItemKind::Impl(decl) => {
                let mut parts: Vec<Node> = self.generics(&decl.generics).into_iter().collect();
                parts.extend(decl.of_trait.iter().map(|of| list("of", vec![self.trait_ref(of)])));
                parts.push(self.ty(&decl.subject));
                parts.extend(self.wheres(&decl.wheres));
                parts.extend(decl.items.iter().map(|item| self.item(item)));
                list("impl", parts)
            }
            ItemKind::Extern(decl) => {
                list(format!("extern {:?}", decl.abi), decl.items.iter().map(|item| self.item(item)).collect())
            }
            ItemKind::Effect(decl) => {
                let mut parts = vec![self.ident(&decl.name)];
                parts.extend(self.generics(&decl.generics));
                parts.extend(decl.base.iter().map(|base| list("base", vec![self.effect_tag(base)])));
                parts.extend(decl.operations.iter().map(|operation| {
                    let mut parts: Vec<Node> = operation.attrs.iter().map(|attr| self.attr(attr)).collect();
                    parts.push(self.ident(&operation.name));
                    parts.extend(self.generics(&operation.generics));
                    parts.extend(operation.params.iter().map(|param| self.param(param)));
                    parts.extend(operation.ret.iter().map(|ty| list("->", vec![self.ty(ty)])));
                    list("operation", parts)
                }));
                list("effect", parts)
            }
            ItemKind::Handler(decl) => {
                let mut parts = vec![self.ident(&decl.name)];
                parts.extend(self.generics(&decl.generics));
                parts.extend(decl.params.iter().map(|param| self.param(param)));
                parts.extend(decl.ret.iter().map(|ty| list("->", vec![self.ty(ty)])));
                parts.extend(decl.effect.iter().map(|tag| list("for", vec![self.effect_tag(tag)])));
                parts.extend(self.handler_body(&decl.body));
                list("handler", parts)
            }
            ItemKind::Conductor(decl) => {
                let mut parts = vec![self.ident(&decl.name)];
                parts.extend(decl.sections.iter().map(|section| self.conductor_section(section)));
                list("conductor", parts)
            }
            ItemKind::Expr(expr) => list("top", vec![self.expr(expr)]),
            ItemKind::Error => atom("<error>"),
        }
    }

    fn conductor_section(&self, section: &ConductorSection) -> Node {
        match &section.kind {
            SectionKind::Dsl { id, kind, value, tails } => {
                let mut parts = vec![self.ident(id), atom(self.path(kind))];
                parts.extend(value.iter().map(|value| self.expr(value)));
                parts.extend(tails.iter().map(|(path, args)| list(self.path(path), self.args(args))));
                list("dsl", parts)
            }
            SectionKind::Channels(channels) => {
                let channel = |channel: &Channel| {
                    list("~>", vec![atom(self.path(&channel.from)), atom(self.path(&channel.to)), self.ty(&channel.ty)])
                };
                list("channels", channels.iter().map(channel).collect())
            }
            SectionKind::Execution(body) => list("execution", vec![self.expr(body)]),
            SectionKind::Monitoring { target, body } => {
                let target = target.as_ref().map(|target| match target {
                    MonitorTarget::Module(path) => format!("with {}", self.path(path)),
                    MonitorTarget::Port(path) => self.path(path),
                });
                let mut parts: Vec<Node> = target.into_iter().map(atom).collect();
                parts.extend(body.iter().map(|body| self.expr(body)));
                list("monitoring", parts)
            }
        }
    }

    fn use_tree(&self, tree: &UseTree) -> Node {
        let path = self.path(&tree.path);
        match &tree.kind {
            UseKind::Simple { alias: None } => atom(path),
            UseKind::Simple { alias: Some(alias) } => atom(format!("{path} as {}", self.name(alias.name))),
            UseKind::Group(trees) => list(path, trees.iter().map(|tree| self.use_tree(tree)).collect()),
        }
    }

    fn let_decl(&self, decl: &LetDecl) -> Node {
        let head = match decl.kind {
            LetKind::Let => "let",
            LetKind::Var => "var",
            LetKind::Const => "const",
        };
        let mut parts = vec![self.pattern(&decl.pattern)];
        parts.extend(decl.ty.iter().map(|ty| list(":", vec![self.ty(ty)])));
        parts.push(self.expr(&decl.value));
        list(head, parts)
    }

    fn fn_decl(&self, decl: &FnDecl) -> Node {
        let sig = &decl.sig;
        let mut parts = vec![atom(self.path(&sig.name))];
        parts.extend(self.generics(&sig.generics));
        let mut params: Vec<Node> = Vec::new();
        params.extend(sig.self_param.iter().map(|param| {
            atom(match param.mode {
                SelfMode::Value => "self",
                SelfMode::Ref => "&self",
                SelfMode::RefMut => "&mut-self",
            })
        }));
        params.extend(sig.params.iter().map(|param| self.param(param)));
        if sig.variadic {
            params.push(atom("..."));
        }
        parts.push(list("params", params));
        parts.extend(sig.ret.iter().map(|ty| list("->", vec![self.ty(ty)])));
        parts.extend(sig.effects.iter().map(|row| self.effect_row(row)));
        parts.extend(self.wheres(&sig.wheres));
        parts.extend(decl.body.iter().map(|body| self.expr(body)));
        list(if decl.is_async { "async-fn" } else { "fn" }, parts)
    }

    fn param(&self, param: &Param) -> Node {
        let pattern = self.pattern(&param.pattern);
        if param.ty.is_none() && param.default.is_none() {
            return pattern;
        }
        let mut parts = vec![pattern];
        parts.extend(param.ty.iter().map(|ty| self.ty(ty)));
        parts.extend(param.default.iter().map(|value| list("=", vec![self.expr(value)])));
        list(":", parts)
    }

    fn generics(&self, generics: &[GenericParam]) -> Option<Node> {
        if generics.is_empty() {
            return None;
        }
        let one = |param: &GenericParam| {
            if param.bounds.is_empty() {
                return self.ident(&param.name);
            }
            list(self.name(param.name.name), param.bounds.iter().map(|bound| self.trait_ref(bound)).collect())
        };
        Some(list("generics", generics.iter().map(one).collect()))
    }

    fn wheres(&self, wheres: &[WherePredicate]) -> Option<Node> {
        if wheres.is_empty() {
            return None;
        }
        let one = |predicate: &WherePredicate| match predicate {
            WherePredicate::Bound { ty, bounds } => {
                let mut parts = vec![self.ty(ty)];
                parts.extend(bounds.iter().map(|bound| self.trait_ref(bound)));
                list("bound", parts)
            }
            WherePredicate::Trait(bound) => self.trait_ref(bound),
        };
        Some(list("where", wheres.iter().map(one).collect()))
    }

    fn trait_ref(&self, bound: &TraitRef) -> Node {
        self.applied(&bound.path, &bound.args)
    }

    fn applied(&self, path: &Path, args: &[Type]) -> Node {
        if args.is_empty() {
            return atom(self.path(path));
        }
        list(self.path(path), args.iter().map(|ty| self.ty(ty)).collect())
    }

    fn effect_row(&self, row: &EffectRow) -> Node {
        list("!", row.tags.iter().map(|tag| self.effect_tag(tag)).collect())
    }

    fn effect_tag(&self, tag: &EffectTag) -> Node {
        self.applied(&tag.path, &tag.args)
    }

    fn type_decl(&self, decl: &TypeDecl) -> Node {
        let mut parts = vec![self.ident(&decl.name)];
        parts.extend(self.generics(&decl.generics));
        let head = match &decl.kind {
            TypeDeclKind::Sum(variants) => {
                parts.extend(variants.iter().map(|variant| self.variant(variant)));
                "sum"
            }
            TypeDeclKind::Record(fields) => {
                parts.extend(self.fields(fields));
                "record-type"
            }
            TypeDeclKind::Newtype(ty) => {
                parts.push(self.ty(ty));
                "newtype"
            }
            TypeDeclKind::Alias(ty) => {
                parts.push(self.ty(ty));
                "alias"
            }
            TypeDeclKind::Unit => "unit-type",
        };
        list(head, parts)
    }

    fn variant(&self, variant: &Variant) -> Node {
        let mut parts: Vec<Node> = variant.docs.iter().map(|docs| atom(format!("(docs {docs:?})"))).collect();
        match &variant.payload {
            VariantPayload::None if parts.is_empty() => return self.ident(&variant.name),
            VariantPayload::None => {}
            VariantPayload::Positional(types) => parts.extend(types.iter().map(|ty| self.ty(ty))),
            VariantPayload::Named(fields) => parts.extend(self.fields(fields)),
        }
        list(self.name(variant.name.name), parts)
    }

    fn fields<'a>(&'a self, fields: &'a [Field]) -> impl Iterator<Item = Node> + 'a {
        fields.iter().map(|field| {
            let mut parts = vec![self.ty(&field.ty)];
            parts.extend(field.default.as_ref().map(|value| list("=", vec![self.expr(value)])));
            list(format!("{}:", self.name(field.name.name)), parts)
        })
    }

    fn handler_body(&self, body: &HandlerBody) -> Vec<Node> {
        let mut parts: Vec<Node> = body.state.iter().map(|stmt| self.stmt(stmt)).collect();
        for clause in &body.clauses {
            let mut inner: Vec<Node> = clause.attrs.iter().map(|attr| self.attr(attr)).collect();
            inner.push(atom(self.path(&clause.name)));
            inner.push(list("params", clause.params.iter().map(|param| self.param(param)).collect()));
            inner.push(self.expr(&clause.body));
            parts.push(list("operation", inner));
        }
        parts.extend(body.ret.iter().map(|ret| {
            let mut inner: Vec<Node> = ret.param.iter().map(|pattern| self.pattern(pattern)).collect();
            inner.push(self.expr(&ret.body));
            list("return", inner)
        }));
        parts
    }

    // -----------------------------------------------------------------------------------------------
    // Statements and expressions

    fn block(&self, head: &str, block: &Block) -> Node {
        let mut parts: Vec<Node> = block.attrs.iter().map(|attr| self.attr(attr)).collect();
        parts.extend(block.stmts.iter().map(|stmt| self.stmt(stmt)));
        match &block.result {
            Some(result) => parts.push(self.expr(result)),
            None => parts.push(atom("()")),
        }
        list(head, parts)
    }

    fn stmt(&self, stmt: &Stmt) -> Node {
        let node = match &stmt.kind {
            StmtKind::Let(decl) => self.let_decl(decl),
            StmtKind::Fn(decl) => self.fn_decl(decl),
            StmtKind::Item(item) => self.item(item),
            StmtKind::Assign { place, value, legacy } => {
                list(if *legacy { "=" } else { ":=" }, vec![self.expr(place), self.expr(value)])
            }
            StmtKind::Defer(expr) => list("defer", vec![self.expr(expr)]),
            StmtKind::Expr(expr) => list("do", vec![self.expr(expr)]),
            StmtKind::Error => atom("<error>"),
        };
        if stmt.attrs.is_empty() {
            return node;
        }
        let mut parts: Vec<Node> = stmt.attrs.iter().map(|attr| self.attr(attr)).collect();
        parts.push(node);
        list("stmt", parts)
    }

    fn args(&self, args: &[Arg]) -> Vec<Node> {
        args.iter().map(|arg| self.arg(arg)).collect()
    }

    fn arg(&self, arg: &Arg) -> Node {
        let value = self.expr(&arg.value);
        match &arg.name {
            Some(name) => list(format!("{}:", self.name(name.name)), vec![value]),
            None => value,
        }
    }

    fn exprs(&self, exprs: &[Expr]) -> Vec<Node> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&self, expr: &Expr) -> Node {
        match &*expr.kind {
            ExprKind::Int(value) => atom(value.to_string()),
            ExprKind::Float(value) => atom(format!("{value:?}")),
            ExprKind::Bool(value) => atom(value.to_string()),
            ExprKind::Char(value) => atom(format!("{value:?}")),
            ExprKind::Str(value) => atom(format!("{value:?}")),
            ExprKind::Unit => atom("()"),
            ExprKind::Path(path) => atom(self.path(path)),
            ExprKind::Tuple(parts) => list("tuple", self.exprs(parts)),
            ExprKind::Array(parts) => list("array", self.exprs(parts)),
            ExprKind::Record { path, fields, base } => {
                let mut parts: Vec<Node> = path.iter().map(|path| atom(self.path(path))).collect();
                parts.extend(fields.iter().map(|field| match &field.value {
                    Some(value) => list(format!("{}:", self.name(field.name.name)), vec![self.expr(value)]),
                    None => self.ident(&field.name),
                }));
                parts.extend(base.iter().map(|base| list("..", vec![self.expr(base)])));
                list("record", parts)
            }
            ExprKind::JsonObject(fields) => {
                let field = |(key, value): &(Box<str>, Expr)| list(format!("{key:?}:"), vec![self.expr(value)]);
                list("json-object", fields.iter().map(field).collect())
            }
            ExprKind::JsonArray(parts) => list("json-array", self.exprs(parts)),
            ExprKind::JsonValue(value) => list("json", vec![self.expr(value)]),
            ExprKind::Field { base, name } => list(".", vec![self.expr(base), self.ident(name)]),
            ExprKind::TupleField { base, index, .. } => list(".", vec![self.expr(base), atom(index.to_string())]),
            ExprKind::Index { base, index } => list("index", vec![self.expr(base), self.expr(index)]),
            ExprKind::Call { callee, args } => {
                let mut parts = vec![self.expr(callee)];
                parts.extend(self.args(args));
                list("call", parts)
            }
            ExprKind::Try(value) => list("?", vec![self.expr(value)]),
            ExprKind::Await(value) => list("await", vec![self.expr(value)]),
            ExprKind::Unary { op, operand } => {
                let head = match op {
                    UnaryOp::Neg => "neg",
                    UnaryOp::Not => "!",
                    UnaryOp::Ref => "&",
                    UnaryOp::RefMut => "&mut",
                    UnaryOp::Deref => "*",
                };
                list(head, vec![self.expr(operand)])
            }
            ExprKind::Binary { op, left, right, .. } => list(binary_op(*op), vec![self.expr(left), self.expr(right)]),
            ExprKind::Range { start, end, inclusive } => {
                let side = |side: &Option<Expr>| side.as_ref().map_or(atom("_"), |expr| self.expr(expr));
                list(if *inclusive { "..=" } else { ".." }, vec![side(start), side(end)])
            }
            ExprKind::Pipe { left, right } => list("|>", vec![self.expr(left), self.expr(right)]),
            ExprKind::Cast { operand, ty } => list("as", vec![self.expr(operand), self.ty(ty)]),
            ExprKind::Lambda { params, ret, body } => {
                let mut parts = vec![list("params", params.iter().map(|param| self.param(param)).collect())];
                parts.extend(ret.iter().map(|ty| list("->", vec![self.ty(ty)])));
                parts.push(self.expr(body));
                list("lambda", parts)
            }
            ExprKind::If { cond, then, els } => {
                let mut parts = vec![self.expr(cond), self.expr(then)];
                parts.extend(els.iter().map(|els| self.expr(els)));
                list("if", parts)
            }
            ExprKind::Match { scrutinee, arms } => {
                let mut parts = vec![self.expr(scrutinee)];
                parts.extend(arms.iter().map(|arm| self.arm(arm)));
                list("match", parts)
            }
            ExprKind::While { cond, body } => list("while", vec![self.expr(cond), self.expr(body)]),
            ExprKind::For { pattern, iterable, body } => {
                list("for", vec![self.pattern(pattern), self.expr(iterable), self.expr(body)])
            }
            ExprKind::Loop(body) => list("loop", vec![self.expr(body)]),
            ExprKind::Block(block) => self.block("block", block),
            ExprKind::Unsafe(block) => self.block("unsafe", block),
            ExprKind::EffectBlock { tags, body } => {
                list("effect-block", vec![self.effect_row(tags), self.block("block", body)])
            }
            ExprKind::Async { is_move, body } => self.block(if *is_move { "async-move" } else { "async" }, body),
            ExprKind::Return(value) => list("return", value.iter().map(|value| self.expr(value)).collect()),
            ExprKind::Break(value) => list("break", value.iter().map(|value| self.expr(value)).collect()),
            ExprKind::Continue => atom("(continue)"),
            ExprKind::Perform { operation, args } => {
                let mut parts = vec![atom(self.path(operation))];
                parts.extend(self.args(args));
                list("perform", parts)
            }
            ExprKind::Handle { body, handler } => {
                let mut parts = vec![self.expr(body)];
                match handler {
                    HandlerExpr::Inline { effect, body } => {
                        let mut inner: Vec<Node> = effect.iter().map(|tag| self.effect_tag(tag)).collect();
                        inner.extend(self.handler_body(body));
                        parts.push(list("handler", inner));
                    }
                    HandlerExpr::Value(value) => parts.push(list("with", vec![self.expr(value)])),
                    HandlerExpr::Missing => parts.push(atom("<missing>")),
                }
                list("handle", parts)
            }
            ExprKind::InlineAsm(args) => list("inline_asm", self.args(args)),
            ExprKind::LlvmIr { ty, template, inputs } => {
                let mut parts = vec![self.ty(ty), atom(format!("{template:?}"))];
                parts.extend(self.exprs(inputs));
                list("llvm_ir", parts)
            }
            ExprKind::Placeholder => atom("_"),
            ExprKind::Error => atom("<error>"),
        }
    }

    fn arm(&self, arm: &Arm) -> Node {
        let mut parts = vec![self.pattern(&arm.pattern)];
        parts.extend(
            arm.guard
                .iter()
                .map(|guard| list(if guard.deprecated_if { "if" } else { "when" }, vec![self.expr(&guard.cond)])),
        );
        parts.extend(arm.alias.iter().map(|alias| list("as", vec![self.ident(alias)])));
        parts.push(self.expr(&arm.body));
        list("arm", parts)
    }

    // -----------------------------------------------------------------------------------------------
    // Patterns and types

    fn pattern(&self, pattern: &Pattern) -> Node {
        match &*pattern.kind {
            PatternKind::Wildcard => atom("_"),
            PatternKind::Bind(name) => self.ident(name),
            PatternKind::Literal(literal) => atom(self.literal(literal)),
            PatternKind::Tuple(parts) => list("tuple", parts.iter().map(|part| self.pattern(part)).collect()),
            PatternKind::Record { fields, rest } => list("record", self.field_patterns(fields, *rest)),
            PatternKind::Constructor { path, args } => {
                if args.is_empty() {
                    return atom(self.path(path));
                }
                list(self.path(path), args.iter().map(|arg| self.pattern(arg)).collect())
            }
            PatternKind::ConstructorRecord { path, fields, rest } => {
                list(format!("{} record", self.path(path)), self.field_patterns(fields, *rest))
            }
            PatternKind::Slice(elements) => {
                let element = |element: &SliceElement| match element {
                    SliceElement::Pattern(pattern) => self.pattern(pattern),
                    SliceElement::Rest { name: Some(name), .. } => atom(format!("..{}", self.name(name.name))),
                    SliceElement::Rest { name: None, .. } => atom(".."),
                };
                list("slice", elements.iter().map(element).collect())
            }
            PatternKind::Cons(head, tail) => list("::", vec![self.pattern(head), self.pattern(tail)]),
            PatternKind::Range { start, end, inclusive } => {
                let side = |side: &Option<PatternLiteral>| side.as_ref().map_or(String::new(), |l| self.literal(l));
                atom(format!("{}{}{}", side(start), if *inclusive { "..=" } else { ".." }, side(end)))
            }
            PatternKind::Regex(text) => atom(format!("r{text:?}")),
            PatternKind::Active { name, partial, arg } => {
                let head = if *partial { "|_|" } else { "|" };
                list(
                    format!("(|{}{head})", self.name(name.name)),
                    arg.iter().map(|pattern| self.pattern(pattern)).collect(),
                )
            }
            PatternKind::Or(parts) => list("or", parts.iter().map(|part| self.pattern(part)).collect()),
            PatternKind::Alias { pattern, name } => list("as", vec![self.pattern(pattern), self.ident(name)]),
            PatternKind::Error => atom("<error>"),
        }
    }

    fn field_patterns(&self, fields: &[FieldPattern], rest: bool) -> Vec<Node> {
        let mut parts: Vec<Node> = fields
            .iter()
            .map(|field| match &field.pattern {
                Some(pattern) => list(format!("{}:", self.name(field.name.name)), vec![self.pattern(pattern)]),
                None => self.ident(&field.name),
            })
            .collect();
        if rest {
            parts.push(atom(".."));
        }
        parts
    }

    fn literal(&self, literal: &PatternLiteral) -> String {
        match literal {
            PatternLiteral::Int { value, negative } => format!("{}{value}", if *negative { "-" } else { "" }),
            PatternLiteral::Float { value } => format!("{value:?}"),
            PatternLiteral::Bool(value) => value.to_string(),
            PatternLiteral::Char(value) => format!("{value:?}"),
            PatternLiteral::Str(value) => format!("{value:?}"),
            PatternLiteral::Unit => "()".into(),
        }
    }

    fn ty(&self, ty: &Type) -> Node {
        match &*ty.kind {
            TypeKind::Path { path, args } => self.applied(path, args),
            TypeKind::Fn { params, ret, effects } => {
                let mut parts = vec![list("params", params.iter().map(|ty| self.ty(ty)).collect()), self.ty(ret)];
                parts.extend(effects.iter().map(|row| self.effect_row(row)));
                list("fn", parts)
            }
            TypeKind::Tuple(parts) => list("tuple", parts.iter().map(|ty| self.ty(ty)).collect()),
            TypeKind::Unit => atom("()"),
            TypeKind::Record(fields) => list("record", self.fields(fields).collect()),
            TypeKind::Array { element, len } => {
                let mut parts = vec![self.ty(element)];
                parts.extend(len.iter().map(|len| atom(len.to_string())));
                list("array", parts)
            }
            TypeKind::Ref { mutable, inner } => list(if *mutable { "&mut" } else { "&" }, vec![self.ty(inner)]),
            TypeKind::Hole => atom("_"),
            TypeKind::Error => atom("<error>"),
        }
    }
}

fn binary_op(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Pow => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::Concat => "++",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "&&",
        BinaryOp::Or => "||",
    }
}
