//! Which handlers has the configuration left without anything to handle?
//!
//! Where conditions have removed code that performs operations, the handlers that are left are compared with what still
//! performs. All of this is about names: nothing has a meaning yet, and an effect counts as performed wherever its name
//! or that of one of its operations is.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind, ItemKind};
use reml_syntax::ast_walk::{self, VisitMut};
use reml_syntax::names::{Names, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::SourceModule;

/// Operations that are performed, as they are named.
#[derive(Default)]
pub(super) struct Performed {
    /// By the operation's name: the effects that stand before it, `None` where none does; and a condition that removed it.
    operations: FxHashMap<Symbol, Vec<(Option<Symbol>, Span)>>,
}

impl Performed {
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    fn add(&mut self, path: &ast::Path, condition: Span) {
        if let [.., operation] = &path.segments[..] {
            let effect = path.segments.len().checked_sub(2).map(|index| path.segments[index].name);
            self.operations.entry(operation.name).or_default().push((effect, condition));
        }
    }

    /// Where an operation of the effect is performed, if one is.
    fn of(&self, effect: Symbol, operations: &[Symbol]) -> Option<Span> {
        operations.iter().find_map(|operation| {
            let uses = self.operations.get(operation)?;
            uses.iter().find(|(named, _)| named.is_none_or(|named| named == effect)).map(|(_, condition)| *condition)
        })
    }
}

/// Notes what code performs that a condition removes.
pub(super) struct Collect<'p> {
    pub performed: &'p mut Performed,
    pub condition: Span,
}

impl VisitMut for Collect<'_> {
    fn expr(&mut self, expr: &mut ast::Expr) {
        if let ExprKind::Perform { operation, .. } = &*expr.kind {
            self.performed.add(operation, self.condition);
        }
        ast_walk::walk_expr(self, expr);
    }
}

/// What is left of the program.
#[derive(Default)]
struct Left {
    performed: Performed,
    /// The operations of the effects that are declared.
    effects: FxHashMap<Symbol, Vec<Symbol>>,
    /// The name of what each handler handles where it says so, else its operations; and where it is.
    handlers: Vec<(Option<Symbol>, Vec<Symbol>, Span)>,
}

impl Left {
    fn handler(&mut self, effect: Option<&ast::EffectTag>, body: &ast::HandlerBody, span: Span) {
        let effect = effect.and_then(|tag| tag.path.segments.last()).map(|name| name.name);
        let clauses = body.clauses.iter().filter_map(|clause| clause.name.segments.last()).map(|name| name.name);
        self.handlers.push((effect, clauses.collect(), span));
    }
}

impl VisitMut for Left {
    fn item(&mut self, item: &mut ast::Item) {
        match &item.kind {
            ItemKind::Effect(decl) => {
                let operations = decl.operations.iter().map(|operation| operation.name.name).collect();
                self.effects.insert(decl.name.name, operations);
            }
            ItemKind::Handler(decl) => self.handler(decl.effect.as_ref(), &decl.body, decl.name.span),
            _ => {}
        }
        ast_walk::walk_item(self, item);
    }

    fn expr(&mut self, expr: &mut ast::Expr) {
        match &*expr.kind {
            ExprKind::Perform { operation, .. } => self.performed.add(operation, Span::NONE),
            ExprKind::Handle { handler: ast::HandlerExpr::Inline { effect, body }, .. } => {
                let span = effect.as_ref().map_or(body.span, |tag| tag.span);
                self.handler(effect.as_ref(), body, span);
            }
            _ => {}
        }
        ast_walk::walk_expr(self, expr);
    }
}

/// Warns about the handlers of effects that only removed code performs.
pub(super) fn check(
    modules: &mut [SourceModule],
    removed: &Performed,
    names: &Names,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if removed.is_empty() {
        return;
    }
    let mut left = Left::default();
    for module in modules.iter_mut().filter(|module| !module.is_core) {
        left.items(&mut module.ast.items);
    }
    let mut reported = FxHashSet::default();
    for (effect, clauses, span) in &left.handlers {
        let declares = |operations: &[Symbol]| clauses.iter().all(|clause| operations.contains(clause));
        let mut candidates = left.effects.iter().filter(|(name, operations)| match effect {
            Some(effect) => effect == *name,
            None => !clauses.is_empty() && declares(operations),
        });
        let (Some((&effect, operations)), None) = (candidates.next(), candidates.next()) else { continue };
        let Some(condition) = removed.of(effect, operations) else { continue };
        if left.performed.of(effect, operations).is_some() || !reported.insert(*span) {
            continue;
        }
        let text = names.text(effect);
        let diagnostic = Diagnostic::warning(
            codes::CFG_UNREACHABLE,
            *span,
            format!("`{text}` is handled here, but all that performs it is configured out"),
        );
        diagnostics.push(
            diagnostic
                .with_label(condition, "this condition does not hold")
                .with_help("put the handler under the same condition"),
        );
    }
}
