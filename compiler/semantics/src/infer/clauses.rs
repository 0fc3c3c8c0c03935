//! What do the clauses of a handler do with `resume`?
//!
//! A clause that resumes last on every path is an ordinary function; one that never resumes ends the handled
//! computation; the others need the continuation as a value. Decided on the finished body, from its form alone.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::{Diagnostic, Span, codes};

use super::body::{BodyCx, RIGID};
use crate::cx::*;
use crate::typed::*;
use crate::types::{Type, TypeId};

/// A clause under examination: its continuation, in the body it is part of.
struct Clauses<'b> {
    exprs: &'b PrimaryMap<ExprId, Expr>,
    resume: LocalId,
    never: TypeId,
}

impl<'a> Checker<'a> {
    /// Settles the clauses of a body whose types are final.
    pub(super) fn settle_clauses(&mut self, b: &mut BodyCx, arity: u32) {
        for node in std::mem::take(&mut b.handles) {
            let ExprKind::Handle(handle) = std::mem::replace(&mut b.exprs[node].kind, ExprKind::Error) else {
                continue;
            };
            let mut handle = handle;
            for clause in &mut handle.clauses {
                clause.first_generic += arity;
                self.settle_clause(b, clause);
            }
            b.exprs[node].kind = ExprKind::Handle(handle);
        }
    }

    fn settle_clause(&mut self, b: &mut BodyCx, clause: &mut Clause) {
        let ExprKind::Lambda { params, body } = &b.exprs[clause.function].kind else { return };
        let (Some(&last), body) = (params.last(), *body) else { return };
        let resume = match b.patterns[last].kind {
            PatternKind::Bind(local, None) => Some(local),
            PatternKind::Wildcard => None,
            _ => return,
        };
        let never = self.store.prim(crate::types::Prim::Never);
        let Some(resume) = resume else { return self.without_resume(b, clause, ClauseKind::Never, None) };
        let look = Clauses { exprs: &b.exprs, resume, never };
        if !look.mentions(body) {
            return self.without_resume(b, clause, ClauseKind::Never, None);
        }
        let mut calls = Vec::new();
        let mut path = Vec::new();
        if look.is_tail(body, &mut calls, &mut path) {
            let Type::Fn { params, .. } = self.store.get(b.patterns[last].ty) else { return };
            let answer = params[0];
            for id in path {
                if b.exprs[id].ty != never {
                    b.exprs[id].ty = answer;
                }
            }
            for (call, value) in calls {
                b.exprs[call].kind = ExprKind::Block { stmts: Vec::new(), result: Some(value) };
                b.exprs[call].ty = answer;
            }
            return self.without_resume(b, clause, ClauseKind::Tail, Some(answer));
        }
        if !clause.reentrant {
            let mut found = Vec::new();
            look.calls(body, None, &mut found);
            for (first, second) in found {
                self.report_reuse(first, second);
            }
        }
    }

    /// The clause's lambda loses its last parameter, and with `answer` its result.
    fn without_resume(&mut self, b: &mut BodyCx, clause: &mut Clause, kind: ClauseKind, answer: Option<TypeId>) {
        clause.kind = kind;
        if let ExprKind::Lambda { params, .. } = &mut b.exprs[clause.function].kind {
            params.pop();
        }
        let Type::Fn { params, ret } = self.store.get(b.exprs[clause.function].ty).clone() else { return };
        let params = params[..params.len() - 1].into();
        b.exprs[clause.function].ty = self.store.intern(Type::Fn { params, ret: answer.unwrap_or(ret) });
    }

    fn report_reuse(&mut self, first: Span, second: Span) {
        self.error_once(
            Diagnostic::error(codes::EFFECT_RESUME_REUSED, second, "the computation is resumed a second time here")
                .with_label(first, "it has been resumed here already")
                .with_help("mark the operation or the handler `@reentrant` to resume more than once"),
        );
    }

    /// The type parameters of an operation stand for types that only its performer knows: nothing outside of the
    /// clause may have them.
    pub(super) fn check_rigid_scopes(&mut self, b: &BodyCx) {
        for scope in &b.rigid_scopes {
            let escaped = |ty, checker: &Self| {
                (scope.first..scope.first + scope.count).find(|&n| checker.t.mentions_param(ty, RIGID + n))
            };
            let locals = (0..b.locals.len()).filter(|i| !(scope.locals.0..scope.locals.1).contains(i));
            let exprs = (0..b.exprs.len()).filter(|i| !(scope.exprs.0..=scope.exprs.1).contains(i));
            let found = locals
                .map(|i| (b.local_tys[i], b.locals[LocalId::from_u32(i as u32)].span))
                .chain(exprs.map(|i| (b.tys[i], b.exprs[ExprId::from_u32(i as u32)].span)))
                .find_map(|(ty, span)| Some((escaped(ty, self)?, span)));
            let Some((param, at)) = found else { continue };
            let name = b.rigid.get(param as usize).map_or("_", |&name| self.names.text(name)).to_owned();
            self.report(
                Diagnostic::error(
                    codes::EFFECT_GENERIC_ESCAPES,
                    scope.span,
                    format!("a value of the operation's own type `{name}` leaves this clause"),
                )
                .with_label(at, format!("this would be of the type `{name}`"))
                .with_note(format!("every performer chooses its own `{name}`, so only `resume` can take such a value")),
            );
        }
    }
}

impl Clauses<'_> {
    fn is_resume(&self, id: ExprId) -> bool {
        matches!(self.exprs[id].kind, ExprKind::Local(local) if local == self.resume)
    }

    fn mentions(&self, id: ExprId) -> bool {
        if self.is_resume(id) {
            return true;
        }
        let mut found = false;
        children(&self.exprs[id].kind, &mut |child| found = found || self.mentions(child));
        found
    }

    /// Does every path end in `resume(v)` or nowhere, and does `resume` occur nowhere else? Collects the calls with
    /// their arguments, and the expressions that they are the values of.
    fn is_tail(&self, id: ExprId, calls: &mut Vec<(ExprId, ExprId)>, path: &mut Vec<ExprId>) -> bool {
        match &self.exprs[id].kind {
            ExprKind::Call { callee, args } if self.is_resume(*callee) => {
                calls.push((id, args[0]));
                !self.mentions(args[0])
            }
            ExprKind::Block { stmts, result } => {
                path.push(id);
                stmts.iter().all(|stmt| match stmt {
                    Stmt::Let { value, .. } | Stmt::Expr(value) => self.is_apart(*value, calls, path),
                    // What is deferred comes after the rest of the computation.
                    Stmt::Defer(_) => false,
                }) && match result {
                    Some(result) => self.is_tail(*result, calls, path),
                    None => self.exprs[id].ty == self.never,
                }
            }
            ExprKind::If { cond, then, els } => {
                path.push(id);
                self.is_apart(*cond, calls, path) && self.is_tail(*then, calls, path) && self.is_tail(*els, calls, path)
            }
            ExprKind::Match { scrutinee, arms } => {
                path.push(id);
                self.is_apart(*scrutinee, calls, path)
                    && arms.iter().all(|arm| {
                        arm.guard.is_none_or(|guard| self.is_apart(guard, calls, path))
                            && self.is_tail(arm.body, calls, path)
                    })
            }
            ExprKind::LetRec { bindings, rest } => {
                path.push(id);
                bindings.iter().all(|&(_, value)| !self.mentions(value)) && self.is_tail(*rest, calls, path)
            }
            _ => self.exprs[id].ty == self.never && self.is_apart(id, calls, path),
        }
    }

    /// An expression whose value is not the clause's: `resume` may occur in its `return`s alone.
    fn is_apart(&self, id: ExprId, calls: &mut Vec<(ExprId, ExprId)>, path: &mut Vec<ExprId>) -> bool {
        match &self.exprs[id].kind {
            ExprKind::Local(local) => *local != self.resume,
            ExprKind::Return(Some(value)) => self.is_tail(*value, calls, path),
            ExprKind::Lambda { body, .. } => !self.mentions(*body),
            ExprKind::Block { stmts, .. }
                if stmts.iter().any(|stmt| matches!(stmt, Stmt::Defer(_))) && self.mentions(id) =>
            {
                false
            }
            kind => {
                let mut fine = true;
                children(kind, &mut |child| fine = fine && self.is_apart(child, calls, path));
                fine
            }
        }
    }

    /// Walks the paths through an expression, after `before` has resumed; gives the last call that has resumed for
    /// certain when control comes out. Pairs of calls on one path are found out.
    fn calls(&self, id: ExprId, before: Option<Span>, found: &mut Vec<(Span, Span)>) -> Option<Span> {
        match &self.exprs[id].kind {
            ExprKind::Call { callee, args } if self.is_resume(*callee) => {
                let before = args.iter().fold(before, |before, &arg| self.calls(arg, before, found));
                let at = self.exprs[id].span;
                if let Some(first) = before {
                    found.push((first, at));
                }
                before.or(Some(at))
            }
            ExprKind::If { cond, then, els } => {
                let before = self.calls(*cond, before, found);
                let (a, b) = (self.calls(*then, before, found), self.calls(*els, before, found));
                self.meet(&[(*then, a), (*els, b)])
            }
            ExprKind::Match { scrutinee, arms } => {
                let before = self.calls(*scrutinee, before, found);
                let ends: Vec<(ExprId, Option<Span>)> = arms
                    .iter()
                    .map(|arm| {
                        let before = match arm.guard {
                            Some(guard) => self.calls(guard, before, found),
                            None => before,
                        };
                        (arm.body, self.calls(arm.body, before, found))
                    })
                    .collect();
                self.meet(&ends)
            }
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                let before = self.calls(*left, before, found);
                self.calls(*right, before, found);
                before
            }
            // Runs later, or any number of times.
            ExprKind::Lambda { .. } | ExprKind::Handle(_) | ExprKind::LetRec { .. } => before,
            ExprKind::Loop { body } => {
                self.calls(*body, before, found);
                before
            }
            kind => {
                let mut at = before;
                children(kind, &mut |child| at = self.calls(child, at, found));
                at
            }
        }
    }

    /// What has resumed on some branch may be resumed again after the branches meet: one path is enough.
    fn meet(&self, ends: &[(ExprId, Option<Span>)]) -> Option<Span> {
        ends.iter().filter(|(id, _)| self.exprs[*id].ty != self.never).find_map(|&(_, end)| end)
    }
}

/// The expressions directly inside of another, in the order they are evaluated.
pub(crate) fn children(kind: &ExprKind, each: &mut dyn FnMut(ExprId)) {
    let mut all = |ids: &[ExprId]| ids.iter().for_each(|&id| each(id));
    match kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Char(_)
        | ExprKind::Str(_)
        | ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::InitialisedGlobal(_)
        | ExprKind::Fn(..)
        | ExprKind::Method { .. }
        | ExprKind::ConstructorFn { .. }
        | ExprKind::Continue
        | ExprKind::Panic { .. }
        | ExprKind::Error => {}
        ExprKind::Call { callee, args } => {
            all(&[*callee]);
            all(args);
        }
        ExprKind::Perform(perform) => all(&perform.args),
        ExprKind::Construct { args, .. } | ExprKind::Record(args) | ExprKind::Tuple(args) | ExprKind::Array(args) => {
            all(args)
        }
        ExprKind::Binary { left, right, .. }
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right)
        | ExprKind::Index { base: left, index: right } => all(&[*left, *right]),
        ExprKind::Unary { operand, .. } => all(&[*operand]),
        ExprKind::Field { base, .. } => all(&[*base]),
        ExprKind::Update { base, fields } => {
            all(&[*base]);
            fields.iter().for_each(|&(_, value)| all(&[value]));
        }
        ExprKind::Unwrap(inner) | ExprKind::Cast(inner) | ExprKind::Borrow(inner) | ExprKind::Deref(inner) => {
            all(&[*inner]);
        }
        ExprKind::Lambda { body, .. } | ExprKind::Loop { body } => all(&[*body]),
        ExprKind::LetRec { bindings, rest } => {
            bindings.iter().for_each(|&(_, value)| all(&[value]));
            all(&[*rest]);
        }
        ExprKind::Block { stmts, result } => {
            for stmt in stmts {
                match stmt {
                    Stmt::Let { value, .. } | Stmt::Expr(value) | Stmt::Defer(value) => all(&[*value]),
                }
            }
            result.iter().for_each(|&value| all(&[value]));
        }
        ExprKind::If { cond, then, els } => all(&[*cond, *then, *els]),
        ExprKind::Match { scrutinee, arms } => {
            all(&[*scrutinee]);
            for arm in arms {
                arm.guard.iter().for_each(|&guard| all(&[guard]));
                all(&[arm.body]);
            }
        }
        ExprKind::Break(value) | ExprKind::Return(value) => value.iter().for_each(|&value| all(&[value])),
        ExprKind::Assign { place, value } => {
            place_children(place, &mut all);
            all(&[*value]);
        }
        ExprKind::BorrowMut(place) => place_children(place, &mut all),
        ExprKind::Handle(handle) => {
            all(&[handle.body]);
            handle.clauses.iter().for_each(|clause| all(&[clause.function]));
            handle.ret.iter().for_each(|&ret| all(&[ret]));
        }
    }
}

fn place_children(place: &Place, all: &mut dyn FnMut(&[ExprId])) {
    for step in &place.path {
        if let PlaceStep::Index { index, .. } = step {
            all(&[*index]);
        }
    }
}
