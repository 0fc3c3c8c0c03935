//! Does a type satisfy a trait? By assumption, by impl, or by structure.

use reml_diagnostics::{Diagnostic, codes};

use crate::cx::*;
use crate::infer::deferred::Effort;
use crate::infer::ty::{Instance, Node, Row, Ty, Types, VarKind};
use crate::traits::notes::Noted;
use crate::typed::*;

/// The answer to a condition. `Yes` has unified what the answer tells; `No` has been reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Solved {
    Yes,
    No,
    Unknown,
}

/// How many impls may ask for each other in turn. Types that are nested as deeply are rare.
const DEEPEST: u32 = 500;

impl<'a> Checker<'a> {
    pub fn solve_trait(&mut self, reference: &TraitRefTy, effort: Effort) -> Solved {
        let subject = self.t.peel(reference.args[0]);
        match self.t.get(subject) {
            Node::Error => Solved::Yes,
            Node::Var(var) => {
                if effort == Effort::Known {
                    return Solved::Unknown;
                }
                match self.t.kind_of_var(var) {
                    VarKind::Int | VarKind::Float | VarKind::Seq(_) => {
                        self.t.settle(subject);
                        self.solve_trait(reference, effort)
                    }
                    VarKind::Any if effort == Effort::Guess => Solved::Unknown,
                    VarKind::Any if self.is_structural(reference.trait_) => {
                        let _ = self.t.unify(subject, Types::UNIT);
                        self.note_answer(Noted::Structural);
                        Solved::Yes
                    }
                    VarKind::Any => {
                        self.note_answer(Noted::Untold);
                        let name = self.names.text(self.traits[reference.trait_].name).to_owned();
                        let (message, help) = match self.untold_foreign(reference.trait_) {
                            Some(told) => told,
                            None => {
                                (format!("nothing tells which type's `{name}` is meant here"), "annotate the value")
                            }
                        };
                        self.error_once(
                            Diagnostic::error(codes::TRAIT_AMBIGUOUS, reference.span, message).with_help(help),
                        );
                        Solved::No
                    }
                }
            }
            Node::Prim(crate::types::Prim::Never) => {
                self.note_answer(Noted::Uninhabited);
                Solved::Yes
            }
            Node::Param(index) => self.solve_assumed(reference, subject, index),
            _ => self.solve_by_impl(reference, subject, effort),
        }
    }

    /// Conditions on a type parameter hold by assumption, or by an impl for every type.
    fn solve_assumed(&mut self, reference: &TraitRefTy, subject: Ty, index: u32) -> Solved {
        for i in 0..self.b.assumptions.len() {
            if self.b.assumptions[i].trait_ != reference.trait_ {
                continue;
            }
            let args = self.b.assumptions[i].args.clone();
            if !self.t.same(args[0], subject) {
                continue;
            }
            let fits = args[1..].iter().zip(&reference.args[1..]).all(|(&a, &b)| self.t.can_unify(a, b));
            if fits {
                for (&a, &b) in args[1..].iter().zip(&reference.args[1..]) {
                    let _ = self.t.unify(a, b);
                }
                self.note_answer(Noted::Assumed(i));
                return Solved::Yes;
            }
        }
        if self.impl_index.contains_key(&(reference.trait_, Head::Any)) {
            let solved = self.solve_candidates(reference, Head::Any, Effort::Last, false);
            if solved == Solved::Yes {
                return Solved::Yes;
            }
        }
        if self.b.first_inferred.is_some_and(|first| index >= first) {
            // An inferred signature gets the condition.
            self.note_answer(Noted::Inferred);
            let mut args = reference.args.clone();
            args[0] = subject;
            self.infer_condition(TraitRefTy { trait_: reference.trait_, args, span: reference.span });
            return Solved::Yes;
        }
        self.report_missing_impl(reference, subject);
        Solved::No
    }

    fn solve_by_impl(&mut self, reference: &TraitRefTy, subject: Ty, effort: Effort) -> Solved {
        match Some(reference.trait_) {
            trait_ if trait_ == self.lang_traits.c_type => return self.solve_c_type(reference, subject),
            trait_ if trait_ == self.lang_traits.c_function => return self.solve_c_function(reference, subject),
            trait_ if trait_ == self.lang_traits.c_arguments => return self.solve_c_arguments(reference, subject),
            trait_ if trait_ == self.lang_traits.ffi_arguments => return self.solve_ffi_arguments(reference, subject),
            trait_ if trait_ == self.lang_traits.c_result => return self.solve_c_result(reference, subject),
            trait_ if trait_ == self.lang_traits.ffi_function => return self.solve_ffi_function(reference, subject),
            _ => {}
        }
        let Some(head) = self.head_of(subject) else { return Solved::Unknown };
        let solved = self.solve_candidates(reference, head, effort, true);
        if solved != Solved::No {
            return solved;
        }
        if self.is_structural(reference.trait_) {
            return self.solve_structurally(reference, subject);
        }
        self.report_missing_impl(reference, subject);
        Solved::No
    }

    /// `No` when no impl fits; nothing is reported then.
    fn solve_candidates(&mut self, reference: &TraitRefTy, head: Head, effort: Effort, any: bool) -> Solved {
        let mut candidates: Vec<ImplId> = self.impl_index.get(&(reference.trait_, head)).cloned().unwrap_or_default();
        if any && head != Head::Any {
            candidates.extend(self.impl_index.get(&(reference.trait_, Head::Any)).into_iter().flatten());
        }
        if candidates.is_empty() {
            return Solved::No;
        }
        let mut wanted = reference.args.clone();
        wanted[0] = self.t.peel(wanted[0]);
        let mut fitting = Vec::new();
        for id in candidates {
            let args = self.impl_instance(id);
            let found: Vec<Ty> = self.impl_args(id, &args);
            if found.iter().zip(&wanted).all(|(&f, &w)| self.t.can_unify(f, w)) {
                fitting.push((id, args, found));
            }
        }
        if fitting.len() > 1 && effort >= Effort::Guess {
            // Literals among the arguments take their defaults first.
            let mut defaulted = false;
            for &arg in &wanted[1..] {
                if self.t.var_kind(arg).is_some() && !self.t.is_open(arg) {
                    defaulted = true;
                    self.t.settle(arg);
                }
            }
            if defaulted {
                return self.solve_candidates(reference, head, effort, any);
            }
        }
        match fitting.len() {
            0 => Solved::No,
            1 => {
                let (id, args, found) = fitting.swap_remove(0);
                let wanted_subject = wanted[0];
                self.note_answer(Noted::Impl(id));
                for (f, w) in found.into_iter().zip(wanted) {
                    let _ = self.t.unify(f, w);
                }
                if !self.impls[id].wheres.is_empty() {
                    if self.trait_depth > DEEPEST {
                        self.report_endless_impls(reference, wanted_subject);
                        return Solved::Yes;
                    }
                    self.trait_depth += 1;
                    let wheres = self.impls[id].wheres.clone();
                    for condition in wheres {
                        let condition_args = condition.args.iter().map(|&arg| self.instance_of(arg, &args)).collect();
                        self.require(
                            TraitRefTy { trait_: condition.trait_, args: condition_args, span: reference.span },
                            reference.span,
                        );
                    }
                    self.trait_depth -= 1;
                }
                Solved::Yes
            }
            _ if effort != Effort::Last => Solved::Unknown,
            _ => {
                self.note_answer(Noted::Ambiguous);
                let name = self.names.text(self.traits[reference.trait_].name).to_owned();
                let subject = self.show(wanted[0]);
                let mut diagnostic = Diagnostic::error(
                    codes::TRAIT_AMBIGUOUS,
                    reference.span,
                    format!("several impls of `{name}` for `{subject}` fit here"),
                );
                for (id, ..) in fitting.iter().take(3) {
                    diagnostic = diagnostic.with_label(self.impls[*id].span, "this one fits");
                }
                self.error_once(diagnostic.with_help("annotate the other operand or the result"));
                Solved::Yes
            }
        }
    }

    fn report_endless_impls(&mut self, reference: &TraitRefTy, subject: Ty) {
        self.note_answer(Noted::Endless);
        let name = self.names.text(self.traits[reference.trait_].name).to_owned();
        let mut subject = self.show(subject);
        if let Some((end, _)) = subject.char_indices().nth(40) {
            subject.truncate(end);
            subject.push_str("..");
        }
        self.error_once(
            Diagnostic::error(
                codes::IMPL_ENDLESS,
                reference.span,
                format!("deciding whether this implements `{name}` never ends: it leads to `{subject}` and on"),
            )
            .with_help("let the conditions of impls be about the parts of their types"),
        );
    }

    fn impl_instance(&mut self, id: ImplId) -> Vec<Ty> {
        (0..self.impls[id].generics.len()).map(|_| self.t.fresh()).collect()
    }

    fn instance_of(&mut self, ty: Ty, args: &[Ty]) -> Ty {
        self.t.instantiate(ty, &Instance { args, rows: &[] })
    }

    /// The trait arguments of an impl. Rows of the subject are left out: they never decide.
    fn impl_args(&mut self, id: ImplId, args: &[Ty]) -> Vec<Ty> {
        let rows = vec![Row::NONE; self.impls[id].row_count as usize];
        (0..self.impls[id].args.len())
            .map(|i| self.t.instantiate(self.impls[id].args[i], &Instance { args, rows: &rows }))
            .collect()
    }

    pub fn report_missing_impl(&mut self, reference: &TraitRefTy, subject: Ty) {
        if reference.args.iter().any(|&arg| self.t.head(arg) == Node::Error) {
            return;
        }
        self.note_answer(Noted::Missing);
        let name = self.names.text(self.traits[reference.trait_].name).to_owned();
        let subject_text = self.show(subject);
        let mut text = name.clone();
        if reference.args.len() > 1 {
            let args: Vec<String> = reference.args[1..].iter().map(|&arg| self.show(arg)).collect();
            text = format!("{name}<{}>", args.join(", "));
        }
        let mut diagnostic = Diagnostic::error(
            codes::IMPL_MISSING,
            reference.span,
            format!("`{subject_text}` does not implement `{text}`"),
        )
        .with_primary_label(format!("`{text}` is needed here"))
        .with_fact("typeclass.constraint", format!("{subject_text}: {text}"))
        .with_fact("typeclass.trait", name.clone())
        .with_fact("typeclass.type_args", subject_text.clone())
        .with_fact("typeclass.resolution_state", "unresolved");
        let others: Vec<_> = match self.head_of(subject) {
            Some(head) => self.impl_index.get(&(reference.trait_, head)).cloned().unwrap_or_default(),
            None => Vec::new(),
        };
        for id in others.into_iter().take(2) {
            diagnostic = diagnostic.with_label(self.impls[id].span, "this impl does not fit");
        }
        diagnostic = match self.t.get(subject) {
            Node::Param(_) => diagnostic.with_help(format!("add the bound `{subject_text}: {text}`")),
            Node::Fn { .. } => diagnostic.with_help("functions cannot be compared, hashed or shown"),
            _ => diagnostic.with_help(format!("write `impl {text} for {subject_text}`")),
        };
        self.error_once(diagnostic);
    }

    /// Conditions with everything that follows from them: supertraits, all the way up.
    pub fn elaborate(&mut self, wheres: &[TraitRefTy]) -> Vec<TraitRefTy> {
        let mut all: Vec<TraitRefTy> = Vec::with_capacity(wheres.len());
        let mut work: Vec<TraitRefTy> = wheres.to_vec();
        while let Some(next) = work.pop() {
            let known = all
                .iter()
                .any(|a| a.trait_ == next.trait_ && a.args.iter().zip(&next.args).all(|(&x, &y)| self.t.same(x, y)));
            if known || all.len() > 200 {
                continue;
            }
            // Equality holds structurally for whatever can be ordered or hashed.
            if let Some(eq) = self.lang_traits.eq
                && [self.lang_traits.ord, self.lang_traits.hash].contains(&Some(next.trait_))
            {
                work.push(TraitRefTy { trait_: eq, args: vec![next.args[0]], span: next.span });
            }
            let supers = self.traits[next.trait_].supertraits.clone();
            for bound in supers {
                let args = bound.args.iter().map(|&arg| self.instance_of(arg, &next.args)).collect();
                work.push(TraitRefTy { trait_: bound.trait_, args, span: next.span });
            }
            all.push(next);
        }
        all
    }
}
