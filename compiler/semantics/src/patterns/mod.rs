//! Do the patterns of a body cover every value, and can each of them match?
//!
//! Run on checked bodies: every `match` is searched for missing shapes (spelled out as patterns) and for arms that
//! earlier arms leave nothing to; patterns of `let`s and parameters must match always. The search is Maranget's
//! ["Warnings for pattern matching", 2007] over integer intervals, texts and lengths as well as constructors. Guards,
//! regular expressions and partial active patterns never count as covering anything.

mod pat;
#[cfg(test)]
mod tests;
mod usefulness;
mod witness;

use cranelift_entity::PrimaryMap;
use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::names::Names;

use crate::typed::{Arm, Body, ExprId, ExprKind, PatternId, Stmt, TypeDef, TypeDefId};
use crate::types::TypeStore;
use pat::Lowering;
use usefulness::Search;

/// What the search needs to know of the program.
pub struct Tables<'a> {
    /// Field types of generic data are substituted, hence interned.
    pub types: &'a mut TypeStore,
    pub type_defs: &'a PrimaryMap<TypeDefId, TypeDef>,
    /// `List`, whose bracket patterns are patterns of its cells.
    pub list: Option<TypeDefId>,
}

/// Checks all patterns of one body. Bodies with errors in their patterns may be passed: those say nothing.
pub fn check_body(tables: &mut Tables<'_>, body: &Body, names: &Names) -> Vec<Diagnostic> {
    let mut check = Check { tables, body, names, diagnostics: Vec::new() };
    for &param in &body.params {
        check.irrefutable(param, "parameter");
    }
    for expr in body.exprs.values() {
        match &expr.kind {
            ExprKind::Match { scrutinee, arms } => check.match_(*scrutinee, arms),
            ExprKind::Lambda { params, .. } => params.iter().for_each(|&param| check.irrefutable(param, "parameter")),
            ExprKind::Block { stmts, .. } => {
                for stmt in stmts {
                    if let Stmt::Let { pattern, .. } = stmt {
                        check.irrefutable(*pattern, "`let`");
                    }
                }
            }
            _ => {}
        }
    }
    check.diagnostics
}

struct Check<'x, 't> {
    tables: &'x mut Tables<'t>,
    body: &'x Body,
    names: &'x Names,
    diagnostics: Vec<Diagnostic>,
}

impl Check<'_, '_> {
    fn match_(&mut self, scrutinee: ExprId, arms: &[Arm]) {
        let subject = &self.body.exprs[scrutinee];
        if *self.tables.types.get(subject.ty) == crate::types::Type::Error {
            return;
        }
        let mut search = Search::new(self.tables);
        let ty = search.deref(subject.ty);
        let mut rows = Vec::with_capacity(arms.len());
        for arm in arms {
            let mut lowering = Lowering { search: &mut search, body: self.body, broken: false };
            let pat = lowering.pat(arm.pattern);
            if lowering.broken {
                return;
            }
            match search.useful(&rows, vec![pat.clone()], vec![ty]) {
                Some(false) => self.diagnostics.push(
                    Diagnostic::warning(
                        codes::PATTERN_UNREACHABLE,
                        self.body.patterns[arm.pattern].span,
                        "this arm can never be reached",
                    )
                    .with_primary_label("every value it matches is taken by an earlier arm")
                    .with_help("remove the arm, or move it before the arm that covers it"),
                ),
                Some(true) => {}
                None => return,
            }
            if arm.guard.is_none() {
                rows.push(vec![pat]);
            }
        }
        let missing = search.missing(&rows, vec![ty]);
        if missing.is_empty() {
            return;
        }
        let shapes = witness::texts(missing, self.tables, self.names);
        let guarded = arms.iter().any(|arm| arm.guard.is_some());
        let mut diagnostic = Diagnostic::warning(
            codes::PATTERN_MISSING,
            subject.span,
            format!("this `match` does not cover {}", witness::listed(&shapes)),
        )
        .with_primary_label(if shapes.len() == 1 {
            "a value of this shape is not matched"
        } else {
            "values of these shapes are not matched"
        })
        .with_note("a value that no arm matches stops the program with a panic")
        .with_help(format!("add {}", arms_help(&shapes)));
        if guarded {
            diagnostic = diagnostic.with_note("arms with a guard do not count: the guard may be false");
        }
        self.diagnostics.push(diagnostic);
    }

    fn irrefutable(&mut self, pattern: PatternId, place: &str) {
        let body = self.body;
        if trivial(body, pattern) {
            return;
        }
        let mut search = Search::new(self.tables);
        let ty = search.deref(body.patterns[pattern].ty);
        let mut lowering = Lowering { search: &mut search, body, broken: false };
        let pat = lowering.pat(pattern);
        if lowering.broken {
            return;
        }
        let missing = search.missing(&[vec![pat]], vec![ty]);
        if missing.is_empty() {
            return;
        }
        let shapes = witness::texts(missing, self.tables, self.names);
        self.diagnostics.push(
            Diagnostic::error(
                codes::PATTERN_REFUTABLE,
                body.patterns[pattern].span,
                format!("the pattern of this {place} does not match {}", witness::listed(&shapes)),
            )
            .with_primary_label("must match every value")
            .with_help("use `match` to say what happens otherwise"),
        );
    }
}

/// Patterns that obviously match always; nearly all of those of `let`s and parameters.
fn trivial(body: &Body, pattern: PatternId) -> bool {
    use crate::typed::PatternKind;
    match &body.patterns[pattern].kind {
        PatternKind::Wildcard | PatternKind::Error => true,
        PatternKind::Bind(_, inner) => inner.is_none_or(|inner| trivial(body, inner)),
        PatternKind::Product(fields) => fields.iter().all(|&field| trivial(body, field)),
        _ => false,
    }
}

fn arms_help(shapes: &[String]) -> String {
    match shapes {
        [one] => format!("an arm `| {one} -> ..`, or `| _ -> ..` for everything else"),
        _ => "arms for them, or `| _ -> ..` for everything else".into(),
    }
}
