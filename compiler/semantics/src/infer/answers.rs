//! The clauses of a handler: each is a lambda that takes the operation's arguments and `resume`.
//!
//! What a clause does with `resume` is found out when the body is finished (see [`super::clauses`]).

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::body::{RIGID, RigidScope, Why};
use super::ty::{Row, Ty, Types};
use crate::cx::*;
use crate::typed::*;

impl<'a> Checker<'a> {
    /// The clauses in the effect's order; `None` when some are missing.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn clauses(
        &mut self,
        effect: EffectId,
        args: &[Ty],
        written: &ast::HandlerBody,
        result: Ty,
        rows: (u32, u32),
        reentrant: bool,
        why: Why,
    ) -> Option<Vec<Clause>> {
        let count = self.effect_decls[effect].operations.len();
        let mut found: Vec<Option<(Clause, Span)>> = (0..count).map(|_| None).collect();
        let (mut complete, mut misspelt) = (true, false);
        for clause in &written.clauses {
            let Some(&name) = clause.name.segments.last() else { continue };
            let Some(operation) = self.clause_operation(effect, clause) else {
                complete = false;
                misspelt = true;
                self.discard_clause(clause);
                continue;
            };
            if let Some((_, first)) = &found[operation as usize] {
                let first = *first;
                let text = self.operation_text(effect, operation);
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_DUPLICATE,
                        name.span,
                        format!("this handler has a clause for {text} already"),
                    )
                    .with_label(first, "the first one"),
                );
                continue;
            }
            match self.clause(effect, operation, args, clause, result, rows, reentrant, why) {
                Some(made) => found[operation as usize] = Some((made, name.span)),
                None => {
                    complete = false;
                    found[operation as usize] = None;
                    self.discard_clause(clause);
                }
            }
        }
        let named: Vec<Symbol> =
            written.clauses.iter().filter_map(|c| c.name.segments.last()).map(|name| name.name).collect();
        let missing: Vec<u32> = (0..count as u32)
            .filter(|&i| !named.contains(&self.effect_decls[effect].operations[i as usize].name))
            .collect();
        // A misspelt clause is missed under its right name.
        if !missing.is_empty() && !misspelt {
            self.missing_operations(effect, &missing, written);
            return None;
        }
        (complete && missing.is_empty()).then(|| found.into_iter().flatten().map(|(clause, _)| clause).collect())
    }

    fn clause_operation(&mut self, effect: EffectId, clause: &ast::OperationClause) -> Option<u32> {
        let (&name, parents) = clause.name.segments.split_last()?;
        if !parents.is_empty() {
            let owner = ast::Path { anchor: clause.name.anchor, segments: parents.to_vec(), span: parents[0].span };
            let other = self.effect_named(&owner, self.b.module);
            if let Some(other) = other
                && other != effect
            {
                let (wanted, found) = (self.effect_decls[effect].name, self.effect_decls[other].name);
                let (wanted, found) = (self.names.text(wanted).to_owned(), self.names.text(found).to_owned());
                self.report(
                    Diagnostic::error(
                        codes::EFFECT_HANDLER_UNKNOWN_OPERATION,
                        clause.name.span,
                        format!("this handler is for `{wanted}`, but this is an operation of `{found}`"),
                    )
                    .with_help("one handler answers one effect: nest two `handle`s"),
                );
                return None;
            }
        }
        if let Some(operation) = self.operation_named(effect, name.name) {
            return Some(operation);
        }
        let text = self.names.text(name.name).to_owned();
        let info = &self.effect_decls[effect];
        let owner = self.names.text(info.name).to_owned();
        let declared = info.span;
        let known: Vec<&str> = info.operations.iter().map(|o| self.names.text(o.name)).collect();
        let suggestion = crate::suggest::closest(&text, known.iter().copied()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(
            codes::EFFECT_HANDLER_UNKNOWN_OPERATION,
            name.span,
            format!("the effect `{owner}` has no operation `{text}`"),
        )
        .with_label(declared, "the effect is declared here");
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() {
            diagnostic = diagnostic.with_help(super::effects::operations_are(&known));
        }
        self.report(diagnostic);
        None
    }

    fn missing_operations(&mut self, effect: EffectId, missing: &[u32], written: &ast::HandlerBody) {
        let texts: Vec<String> = missing.iter().map(|&i| self.operation_text(effect, i)).collect();
        let clauses: Vec<String> = missing.iter().map(|&i| self.clause_head(effect, i)).collect();
        let declared = self.effect_decls[effect].operations[missing[0] as usize].span;
        let at = written.clauses.last().map_or(written.span, |clause| clause.span);
        self.report(
            Diagnostic::error(
                codes::EFFECT_HANDLER_MISSING_OPERATION,
                at,
                format!("this handler has no clause for {}", texts.join(" and ")),
            )
            .with_label(declared, "declared here")
            .with_help(format!("add {}", clauses.join(" and "))),
        );
    }

    /// `` `operation put(value, resume) { .. }` ``
    fn clause_head(&self, effect: EffectId, operation: u32) -> String {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let mut params: Vec<String> = info
            .params
            .iter()
            .enumerate()
            .map(|(i, p)| p.name.map_or_else(|| format!("x{}", i + 1), |name| self.names.text(name).to_owned()))
            .collect();
        params.push("resume".to_owned());
        format!("`operation {}({}) {{ .. }}`", self.names.text(info.name), params.join(", "))
    }

    /// A clause that fits nothing is still looked at for its own errors: its parameters are of any type.
    fn discard_clause(&mut self, clause: &ast::OperationClause) {
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        for param in &clause.params {
            self.param_pattern(&param.pattern, Types::ERROR);
        }
        let row = self.t.rows.fresh();
        self.clause_body(&clause.body, Types::ERROR, row, Why::None);
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
    }

    #[allow(clippy::too_many_arguments)]
    fn clause(
        &mut self,
        effect: EffectId,
        operation: u32,
        args: &[Ty],
        clause: &ast::OperationClause,
        result: Ty,
        (body_row, residual): (u32, u32),
        reentrant: bool,
        why: Why,
    ) -> Option<Clause> {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (wanted, given) = (info.params.len() + 1, clause.params.len());
        let never = self.t.resolve(info.ret) == Types::NEVER;
        let reentrant = reentrant || info.reentrant || self.is_reentrant(&clause.attrs);
        // An operation that never returns has nothing to resume.
        if given != wanted && !(never && given + 1 == wanted) {
            self.wrong_clause(effect, operation, clause);
            return None;
        }
        let first_rigid = self.b.rigid.len();
        let generics = self.effect_decls[effect].operations[operation as usize].generics.clone();
        let mut types = args.to_vec();
        let outer_generics = self.b.generics.len();
        for (index, &name) in generics.iter().enumerate() {
            let ty = self.t.param(RIGID + (first_rigid + index) as u32);
            types.push(ty);
            self.b.rigid.push(name);
            self.b.generics.push((name, ty));
        }
        let (first_expr, first_local) = (self.b.exprs.len(), self.b.locals.len());
        let used = self.use_operation(effect, operation, &types, |checker| {
            // Functions that are handed over do what the handled computation may do.
            let row = checker.t.rows.fresh();
            checker.t.flow(body_row, row);
            Row::var(row)
        });
        let mark = self.scope.len();
        self.b.lambda_depth += 1;
        let mut patterns = Vec::with_capacity(wanted);
        for (param, &ty) in clause.params.iter().zip(&used.params) {
            if let Some(written) = &param.ty {
                let annotated = self.body_type(written);
                if let Err(clash) = self.t.unify(ty, annotated) {
                    self.mismatch(annotated, ty, written.span, Why::None, clash);
                }
            }
            patterns.push(self.param_pattern(&param.pattern, ty));
        }
        let resume_row = self.t.rows.fresh();
        self.t.flow(residual, resume_row);
        let resume_ty = self.t.func(&[used.ret], result, Row::var(resume_row));
        let resume = match clause.params.get(wanted - 1) {
            Some(param) => {
                if let Some(written) = &param.ty {
                    let annotated = self.body_type(written);
                    if let Err(clash) = self.t.unify(resume_ty, annotated) {
                        self.mismatch(annotated, resume_ty, written.span, Why::None, clash);
                    }
                }
                self.param_pattern(&param.pattern, resume_ty)
            }
            None => self.b.pattern(PatternKind::Wildcard, resume_ty, clause.span),
        };
        if let PatternKind::Bind(local, None) = self.b.patterns[resume].kind {
            self.b.resumes.push(local);
        }
        patterns.push(resume);
        let body = self.clause_body(&clause.body, result, residual, why);
        self.b.lambda_depth -= 1;
        self.pop_scope(mark);
        self.b.generics.truncate(outer_generics);
        if !generics.is_empty() {
            let exprs = (first_expr, self.b.exprs.len());
            let locals = (first_local, self.b.locals.len());
            self.b.rigid_scopes.push(RigidScope {
                first: first_rigid as u32,
                count: generics.len() as u32,
                exprs,
                locals,
                span: clause.name.span,
            });
        }
        let mut params = used.params;
        params.push(resume_ty);
        let ty = self.t.func(&params, result, Row::var(residual));
        let function = self.b.expr(ExprKind::Lambda { params: patterns, body }, ty, clause.span);
        // `kind` and `first_generic` are settled when the body is finished.
        Some(Clause {
            kind: ClauseKind::General,
            function,
            reentrant,
            first_generic: first_rigid as u32,
            span: clause.name.span,
        })
    }

    fn wrong_clause(&mut self, effect: EffectId, operation: u32, clause: &ast::OperationClause) {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (count, declared) = (info.params.len(), info.span);
        let text = self.operation_text(effect, operation);
        let head = self.clause_head(effect, operation);
        let takes = match count {
            0 => "no arguments".to_owned(),
            1 => "1 argument".to_owned(),
            n => format!("{n} arguments"),
        };
        let given = clause.params.len();
        let plural = if given == 1 { "" } else { "s" };
        self.report(
            Diagnostic::error(
                codes::EFFECT_HANDLER_ARITY,
                clause.name.span,
                format!("{text} takes {takes}, so its clause has {}, the last of which is the continuation; this one has {given} parameter{plural}",
                    match count { 0 => "1 parameter".to_owned(), n => format!("{} parameters", n + 1) }),
            )
            .with_label(declared, "the operation is declared here")
            .with_help(format!("write {head}")),
        );
    }
}
