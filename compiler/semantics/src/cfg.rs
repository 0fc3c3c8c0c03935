//! Which parts of the program are there at all? `@cfg(..)` is decided here, before names are looked up: what a
//! condition rules out is removed from the tree, and only its names are remembered, for messages.

mod handlers;

use std::collections::{BTreeMap, BTreeSet};

use reml_capability::platform::TARGET_CAPABILITIES;
use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind, ItemKind, StmtKind};
use reml_syntax::ast_walk::{self, VisitMut};
use reml_syntax::names::{Names, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{SourceModule, suggest};

/// What `@cfg` conditions are compared with.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// One value for each key that has one: `target_os`, `profile_id`, `extra.flavour`, ..
    pub values: BTreeMap<String, String>,
    pub features: BTreeSet<String>,
    /// The features that the package declares; absent when it does not say.
    pub declared_features: Option<BTreeSet<String>>,
    pub capabilities: BTreeSet<String>,
    /// Capabilities that exist besides [`TARGET_CAPABILITIES`].
    pub custom_capabilities: BTreeSet<String>,
    /// Do diagnostics about the target tell how conditions were decided?
    pub diagnostics: bool,
}

/// The keys of conditions; those that start with `extra.` are free.
pub const KEYS: &[&str] = &[
    "target",
    "target_os",
    "target_family",
    "target_arch",
    "target_abi",
    "target_env",
    "target_vendor",
    "target_profile",
    "profile_id",
    "runtime_revision",
    "stdlib_version",
    "feature",
    "capability",
    "has_target_profile",
];

/// The values of the keys that have a fixed set of them.
pub fn values_of(key: &str) -> Option<&'static [&'static str]> {
    match key {
        "target_os" => Some(&[
            "linux", "macos", "windows", "freebsd", "netbsd", "openbsd", "android", "ios", "wasi", "wasm", "none",
        ]),
        "target_family" => Some(&["unix", "windows", "wasm"]),
        "target_arch" => Some(&["x86_64", "aarch64", "x86", "arm", "riscv64", "wasm32"]),
        "has_target_profile" => Some(&["true", "false"]),
        _ => None,
    }
}

impl Target {
    fn profile(&self) -> Option<&str> {
        self.values.get("profile_id").map(String::as_str)
    }

    /// Does the key have the value?
    fn holds(&self, key: &str, value: &str) -> bool {
        match key {
            "feature" => self.features.contains(value),
            "capability" => self.capabilities.contains(value),
            "target_profile" | "profile_id" => self.profile() == Some(value),
            "has_target_profile" => self.profile().is_some() == (value == "true"),
            "target" => ["target", "profile_id"].iter().any(|&key| self.is(key, value)) || value == "cli",
            _ => self.is(key, value),
        }
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.values.get(key).is_some_and(|actual| actual == value)
    }

    fn has_capability_named(&self, name: &str) -> bool {
        TARGET_CAPABILITIES.contains(&name)
            || self.custom_capabilities.contains(name)
            || self.capabilities.contains(name)
    }
}

/// What has been taken out of the program.
#[derive(Default)]
pub struct Removed {
    /// By name, the condition that a definition did not meet; `Span::NONE` when that has been reported as wrong.
    pub names: FxHashMap<Symbol, Span>,
    /// How the conditions of the program itself were decided, if the target asks for that.
    pub decisions: Vec<Decision>,
    performed: handlers::Performed,
}

/// A condition, and how it was decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// The attribute.
    pub condition: Span,
    /// What it asks for, each once.
    pub keys: BTreeSet<String>,
    pub holds: bool,
}

/// Takes out of a module what its conditions rule out.
pub fn apply(
    module: &mut SourceModule,
    target: &Target,
    names: &Names,
    removed: &mut Removed,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let recorded = (target.diagnostics && !module.is_core).then(BTreeSet::new);
    let mut pass =
        Pass { target, names, removed, diagnostics, decided: 0, errors: 0, reported: FxHashSet::default(), recorded };
    pass.items(&mut module.ast.items);
}

/// Warns about what the removed code has left without a purpose.
pub fn check_left(modules: &mut [SourceModule], removed: &Removed, names: &Names, diagnostics: &mut Vec<Diagnostic>) {
    handlers::check(modules, &removed.performed, names, diagnostics);
}

struct Pass<'p> {
    target: &'p Target,
    names: &'p Names,
    removed: &'p mut Removed,
    diagnostics: &'p mut Vec<Diagnostic>,
    /// More than 0: the parts before this one have decided the condition.
    decided: u32,
    errors: u32,
    reported: FxHashSet<(Code, Span)>,
    /// The keys that the condition at hand has asked for, where decisions are recorded.
    recorded: Option<BTreeSet<String>>,
}

impl VisitMut for Pass<'_> {
    fn items(&mut self, items: &mut Vec<ast::Item>) {
        self.compare_branches(items);
        items.retain_mut(|item| match self.first_unmet(&item.attrs) {
            None => {
                if let ItemKind::Conductor(decl) = &mut item.kind {
                    self.sections(&mut decl.sections);
                }
                ast_walk::walk_item(self, item);
                true
            }
            Some(condition) => {
                self.forget(item, condition);
                self.collector(condition).item(item);
                false
            }
        });
    }

    fn block(&mut self, block: &mut ast::Block) {
        block.stmts.retain_mut(|stmt| {
            let inner = match &mut stmt.kind {
                StmtKind::Expr(expr) => block_attrs(expr),
                StmtKind::Item(item) => &item.attrs,
                _ => &[],
            };
            let condition = self.first_unmet(inner).or_else(|| self.first_unmet(&stmt.attrs));
            if let (Some(condition), StmtKind::Item(item)) = (condition, &stmt.kind) {
                self.forget(item, condition);
            }
            if let (Some(condition), StmtKind::Fn(decl)) = (condition, &stmt.kind) {
                self.removed.names.extend(decl.sig.name.segments.last().map(|name| (name.name, condition)));
            }
            if let Some(condition) = condition {
                ast_walk::walk_stmt(&mut self.collector(condition), stmt);
            }
            condition.is_none()
        });
        if let Some(result) = &mut block.result
            && let Some(condition) = self.first_unmet(block_attrs(result))
        {
            self.collector(condition).expr(result);
            block.result = None;
        }
        ast_walk::walk_block(self, block);
    }

    fn expr(&mut self, expr: &mut ast::Expr) {
        if let ExprKind::Block(block) = &*expr.kind
            && !block.attrs.is_empty()
            && let Some(condition) = self.first_unmet(&block.attrs)
        {
            self.collector(condition).expr(expr);
            *expr.kind = ExprKind::Unit;
            return;
        }
        ast_walk::walk_expr(self, expr);
    }
}

fn block_attrs(expr: &ast::Expr) -> &[ast::Attr] {
    match &*expr.kind {
        ExprKind::Block(block) => &block.attrs,
        _ => &[],
    }
}

impl Pass<'_> {
    fn sections(&mut self, sections: &mut Vec<ast::ConductorSection>) {
        sections.retain(|section| {
            let condition = self.first_unmet(&section.attrs);
            if let (Some(condition), ast::SectionKind::Dsl { id, .. }) = (condition, &section.kind) {
                self.removed.names.insert(id.name, condition);
            }
            condition.is_none()
        });
    }

    /// The first condition that does not hold; `Span::NONE` when one makes no sense. All are looked at, for what is wrong
    /// with them.
    fn first_unmet(&mut self, attrs: &[ast::Attr]) -> Option<Span> {
        let errors = self.errors;
        let mut unmet = None;
        for attr in attrs.iter().filter(|attr| self.names.text(attr.name.name) == "cfg") {
            if attr.args.is_empty() {
                self.report(
                    Diagnostic::error(codes::ATTRIBUTE_INVALID, attr.span, "`@cfg` needs a condition")
                        .with_help("write one, like `@cfg(target_os = \"linux\")`"),
                );
                continue;
            }
            let mut facts = Vec::new();
            let holds = self.join(&attr.args, true, true, &mut facts);
            self.contradiction(&facts);
            if let Some(keys) = &mut self.recorded {
                let decision = Decision { condition: attr.span, keys: std::mem::take(keys), holds };
                self.removed.decisions.push(decision);
            }
            if !holds && unmet.is_none() {
                unmet = Some(attr.span);
            }
        }
        if self.errors > errors { unmet.map(|_| Span::NONE) } else { unmet }
    }

    fn collector(&mut self, condition: Span) -> handlers::Collect<'_> {
        handlers::Collect { performed: &mut self.removed.performed, condition }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += u32::from(diagnostic.is_error());
        // Conditions of a block in a statement are decided for both.
        if self.reported.insert((diagnostic.code, diagnostic.primary)) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn record(&mut self, key: &str) {
        if let Some(keys) = &mut self.recorded {
            keys.insert(key.to_owned());
        }
    }

    /// Remembers the names that an item would have defined.
    fn forget(&mut self, item: &ast::Item, condition: Span) {
        let names = &mut self.removed.names;
        let mut add = |name: &ast::Ident| _ = names.insert(name.name, condition);
        match &item.kind {
            ItemKind::Let(decl) => {
                let mut bound = Vec::new();
                crate::modules::pattern_names(&decl.pattern, &mut bound);
                bound.iter().for_each(add);
            }
            ItemKind::Fn(decl) => decl.sig.name.segments.last().into_iter().for_each(add),
            ItemKind::ActivePattern(decl) => add(&decl.name),
            ItemKind::Type(decl) => {
                add(&decl.name);
                if let ast::TypeDeclKind::Sum(variants) = &decl.kind {
                    variants.iter().for_each(|variant| add(&variant.name));
                }
            }
            ItemKind::Trait(decl) => add(&decl.name),
            ItemKind::Effect(decl) => add(&decl.name),
            ItemKind::Handler(decl) => add(&decl.name),
            ItemKind::Conductor(decl) => add(&decl.name),
            ItemKind::Extern(decl) => decl.items.iter().for_each(|item| self.forget(item, condition)),
            ItemKind::Use(decl) => used_names(&decl.tree, &mut add),
            ItemKind::Impl(_) | ItemKind::Expr(_) | ItemKind::Error => {}
        }
    }

    /// Does one part of a condition hold? `certain`: it must, for the whole to hold; such parts go to `facts`.
    fn argument<'e>(&mut self, arg: &'e ast::Arg, certain: bool, facts: &mut Vec<Fact<'e>>) -> bool {
        if let Some(name) = arg.name {
            return self.comparison(name, &arg.value, certain, facts);
        }
        match &*arg.value.kind {
            ExprKind::Call { callee, args } => {
                let ExprKind::Path(path) = &*callee.kind else { return self.malformed(arg.value.span) };
                let [word] = &*path.segments else { return self.malformed(arg.value.span) };
                match self.names.text(word.name) {
                    "all" => self.join(args, true, certain, facts),
                    "any" => self.join(args, false, certain && args.len() == 1, facts),
                    "not" if args.len() == 1 => !self.argument(&args[0], false, facts),
                    "not" => {
                        let message = format!("`not` takes one condition, found {}", args.len());
                        self.report(Diagnostic::error(codes::ATTRIBUTE_INVALID, arg.value.span, message));
                        false
                    }
                    other => {
                        let message = format!("there is no `{other}(..)` in a condition");
                        let mut diagnostic = Diagnostic::error(codes::ATTRIBUTE_INVALID, word.span, message)
                            .with_help("conditions are joined by `all(..)`, `any(..)` and `not(..)`");
                        if let Some(near) = suggest::closest(other, ["all", "any", "not"].into_iter()) {
                            diagnostic = diagnostic.with_fix(word.span, near, format!("did you mean `{near}`?"));
                        }
                        self.report(diagnostic);
                        false
                    }
                }
            }
            ExprKind::Path(path) if path.segments.len() == 1 => {
                let name = path.segments[0];
                match self.names.text(name.name) {
                    key @ "has_target_profile" => {
                        self.record(key);
                        self.target.profile().is_some()
                    }
                    _ => {
                        if self.known_key(name) {
                            let text = self.names.text(name.name).to_owned();
                            self.report(
                                Diagnostic::error(
                                    codes::ATTRIBUTE_INVALID,
                                    name.span,
                                    format!("`{text}` is compared with a value"),
                                )
                                .with_help(format!("write `{text} = \"..\"`")),
                            );
                        }
                        false
                    }
                }
            }
            ExprKind::Bool(value) => *value,
            _ => self.malformed(arg.value.span),
        }
    }

    /// `all` of the parts (`neutral`: true) or `any` (`neutral`: false). Parts behind the one that decides are looked at as
    /// well, but they need not make sense for this target.
    fn join<'e>(&mut self, args: &'e [ast::Arg], neutral: bool, certain: bool, facts: &mut Vec<Fact<'e>>) -> bool {
        let decided = self.decided;
        let mut result = neutral;
        for arg in args {
            let holds = self.argument(arg, certain, facts);
            if result == neutral && holds != neutral {
                result = holds;
                self.decided += 1;
            }
        }
        self.decided = decided;
        result
    }

    fn malformed(&mut self, span: Span) -> bool {
        self.report(
            Diagnostic::error(codes::ATTRIBUTE_INVALID, span, "this is not a condition")
                .with_help("write `key = \"value\"`, `all(..)`, `any(..)` or `not(..)`"),
        );
        false
    }

    fn known_key(&mut self, name: ast::Ident) -> bool {
        let key = self.names.text(name.name);
        if KEYS.contains(&key) || key.strip_prefix("extra.").is_some_and(|rest| !rest.is_empty()) {
            return true;
        }
        let mut diagnostic =
            Diagnostic::error(codes::TARGET_UNKNOWN_KEY, name.span, format!("targets have no property `{key}`"));
        match suggest::closest(key, KEYS.iter().copied()) {
            Some(near) => diagnostic = diagnostic.with_fix(name.span, near, format!("did you mean `{near}`?")),
            None => diagnostic = diagnostic.with_help("properties of your own are called `extra.name`"),
        }
        self.report(diagnostic);
        false
    }

    /// `key = "value"`.
    fn comparison<'e>(
        &mut self,
        name: ast::Ident,
        value: &'e ast::Expr,
        certain: bool,
        facts: &mut Vec<Fact<'e>>,
    ) -> bool {
        if !self.known_key(name) {
            return false;
        }
        let key = self.names.text(name.name);
        self.record(key);
        let text: &str = match &*value.kind {
            ExprKind::Str(text) => text,
            ExprKind::Bool(true) => "true",
            ExprKind::Bool(false) => "false",
            _ => {
                let message = format!("`{key}` is compared with a text");
                self.report(Diagnostic::error(codes::ATTRIBUTE_INVALID, value.span, message));
                return false;
            }
        };
        if certain {
            facts.push(Fact { key: name, text, span: value.span });
        }
        if let Some(known) = values_of(key)
            && !known.contains(&text)
        {
            let mut diagnostic =
                Diagnostic::error(codes::TARGET_UNKNOWN_VALUE, value.span, format!("`{key}` is never \"{text}\""));
            match suggest::closest(text, known.iter().copied()) {
                Some(near) => {
                    let title = format!("did you mean \"{near}\"?");
                    diagnostic = diagnostic.with_fix(value.span, format!("\"{near}\""), title);
                }
                None => diagnostic = diagnostic.with_help(format!("it is one of {}", known.join(", "))),
            }
            self.report(diagnostic);
            return false;
        }
        match key {
            "capability" if !self.target.has_capability_named(text) => {
                let message = format!("there is no capability \"{text}\"");
                let mut diagnostic = Diagnostic::error(codes::TARGET_CAPABILITY_UNKNOWN, value.span, message)
                    .with_fact("target.capability", text);
                let custom = self.target.custom_capabilities.iter().map(String::as_str);
                match suggest::closest(text, TARGET_CAPABILITIES.iter().copied().chain(custom)) {
                    Some(near) => {
                        let title = format!("did you mean \"{near}\"?");
                        diagnostic = diagnostic.with_fix(value.span, format!("\"{near}\""), title);
                    }
                    None => {
                        diagnostic = diagnostic
                            .with_help("capabilities of your own are listed in `[run.target]` of `reml.toml`");
                    }
                }
                self.report(diagnostic);
                false
            }
            "target_profile" | "profile_id" if self.target.profile().is_none() => {
                if self.decided > 0 {
                    return false;
                }
                self.report(
                    Diagnostic::error(
                        codes::TARGET_PROFILE_MISSING,
                        value.span,
                        "this asks for the target profile, and there is none",
                    )
                    .with_help("choose one with `--target-profile`, or ask for `has_target_profile` first"),
                );
                false
            }
            "feature" => {
                if let Some(declared) = &self.target.declared_features
                    && !declared.contains(text)
                {
                    let message = format!("the package declares no feature \"{text}\"");
                    let mut diagnostic = Diagnostic::warning(codes::FEATURE_MISMATCH, value.span, message);
                    if let Some(near) = suggest::closest(text, declared.iter().map(String::as_str)) {
                        let title = format!("did you mean \"{near}\"?");
                        diagnostic = diagnostic.with_fix(value.span, format!("\"{near}\""), title);
                    }
                    self.report(diagnostic);
                }
                self.target.holds(key, text)
            }
            _ => self.target.holds(key, text),
        }
    }

    /// Warns about a condition that asks for two values of one property.
    fn contradiction(&mut self, facts: &[Fact<'_>]) {
        for (index, fact) in facts.iter().enumerate() {
            let key = self.names.text(fact.key.name);
            if matches!(key, "feature" | "capability" | "target") {
                continue;
            }
            if let Some(first) = facts[..index].iter().find(|it| it.key.name == fact.key.name && it.text != fact.text) {
                self.report(
                    Diagnostic::warning(
                        codes::CFG_UNSATISFIED,
                        fact.span,
                        format!("`{key}` cannot be \"{}\" and \"{}\": this is never compiled", first.text, fact.text),
                    )
                    .with_label(first.span, "the other value")
                    .with_help("join alternatives with `any(..)`"),
                );
            }
        }
    }

    /// Functions of one name, of which conditions choose, promise the same effects.
    fn compare_branches(&mut self, items: &[ast::Item]) {
        let mut first: FxHashMap<Symbol, (BTreeSet<String>, Span)> = FxHashMap::default();
        for item in items {
            let ItemKind::Fn(decl) = &item.kind else { continue };
            let named = |wanted: &str| item.attrs.iter().any(|attr| self.names.text(attr.name.name) == wanted);
            let [name] = &*decl.sig.name.segments else { continue };
            if !named("cfg") {
                continue;
            }
            let promised: BTreeSet<String> = match &decl.sig.effects {
                _ if named("pure") => BTreeSet::new(),
                Some(row) => row.tags.iter().map(|tag| self.path_text(&tag.path)).collect(),
                None => continue,
            };
            match first.get(&name.name) {
                None => drop(first.insert(name.name, (promised, name.span))),
                Some((other, span)) if *other != promised => {
                    let text = self.names.text(name.name);
                    let row = |tags: &BTreeSet<String>| tags.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    let message = format!(
                        "`{text}` promises `! {{{}}}` here, but `! {{{}}}` for another target",
                        row(&promised),
                        row(other)
                    );
                    let diagnostic = Diagnostic::error(codes::CFG_EFFECTS, name.span, message)
                        .with_label(*span, "the other definition")
                        .with_help("give both the same effects, so that callers are right on every target");
                    self.report(diagnostic);
                }
                Some(_) => {}
            }
        }
    }

    fn path_text(&self, path: &ast::Path) -> String {
        path.segments.iter().map(|segment| self.names.text(segment.name)).collect::<Vec<_>>().join(".")
    }
}

/// A comparison that must hold for its condition to.
struct Fact<'e> {
    key: ast::Ident,
    text: &'e str,
    span: Span,
}

fn used_names(tree: &ast::UseTree, add: &mut impl FnMut(&ast::Ident)) {
    match &tree.kind {
        ast::UseKind::Simple { alias } => alias.as_ref().or(tree.path.segments.last()).into_iter().for_each(add),
        ast::UseKind::Group(trees) => trees.iter().for_each(|tree| used_names(tree, add)),
    }
}
