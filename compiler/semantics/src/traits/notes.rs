//! Which constraints came up in a body, and what answered each?
//!
//! Notes are taken while a body is checked, with the types of inference, and become plain data when the body is done and its types are known. Nothing
//! is noted unless `CheckOptions::constraints` asks for it.

use reml_diagnostics::Span;
use reml_syntax::names::Symbol;

use super::Solved;
use crate::constraints::{Answer, Bound, Constrained, Constraint, ImplRef};
use crate::cx::*;
use crate::infer::deferred::Effort;
use crate::typed::{FnId, ImplId};

/// By index into the notes of the body.
pub(crate) type NoteId = u32;

/// The notes of one body.
#[derive(Default)]
pub(crate) struct Notes {
    list: Vec<Note>,
    /// The constraint that is being solved: what comes up meanwhile are its premises.
    solving: Option<NoteId>,
}

struct Note {
    reference: TraitRefTy,
    span: Span,
    callee: Option<FnId>,
    premise_of: Option<NoteId>,
    answer: Noted,
}

/// An [`Answer`] that refers to the tables of the checker.
#[derive(Clone, Copy)]
pub(crate) enum Noted {
    Impl(ImplId),
    /// By index into the assumptions of the body.
    Assumed(usize),
    Inferred,
    Structural,
    Uninhabited,
    Missing,
    Ambiguous,
    Untold,
    Endless,
    Undecided,
}

/// What has constraints.
#[derive(Clone, Copy)]
pub(crate) enum Asker {
    Def(Def),
    Impl(ImplId),
}

impl<'a> Checker<'a> {
    /// Notes a constraint, if anybody wants to see those of this body.
    pub fn note_constraint(&mut self, reference: &TraitRefTy, span: Span, callee: Option<FnId>) -> Option<NoteId> {
        if !self.options.constraints || self.is_core(self.b.module) {
            return None;
        }
        let notes = &mut self.b.notes;
        let id = notes.list.len() as NoteId;
        let (reference, premise_of) = (reference.clone(), notes.solving);
        notes.list.push(Note { reference, span, callee, premise_of, answer: Noted::Undecided });
        Some(id)
    }

    /// Solves a constraint under its note.
    pub fn solve_noted(&mut self, note: Option<NoteId>, reference: &TraitRefTy, effort: Effort) -> Solved {
        let around = std::mem::replace(&mut self.b.notes.solving, note);
        let solved = self.solve_trait(reference, effort);
        self.b.notes.solving = around;
        solved
    }

    /// Says what has answered the constraint that is being solved; the last word counts.
    pub fn note_answer(&mut self, answer: Noted) {
        if let Some(id) = self.b.notes.solving {
            self.b.notes.list[id as usize].answer = answer;
        }
    }

    /// The body is done: what was noted in it becomes data.
    pub fn file_notes(&mut self, asker: Asker) {
        let notes = std::mem::take(&mut self.b.notes).list;
        if notes.is_empty() {
            return;
        }
        let (name, span) = match asker {
            Asker::Def(Def::Fn(id)) => (self.fns[id].path.to_string(), self.fns[id].span),
            Asker::Def(Def::Global(id)) => (self.globals[id].path.to_string(), self.globals[id].span),
            Asker::Impl(id) => (self.impl_header(id), self.impls[id].span),
        };
        let names = self.parameter_names(asker);
        let constraints = notes.iter().map(|note| self.constraint(note, &names)).collect();
        self.constraints.push(Constrained { name, span, constraints });
    }

    /// The type parameters of a body, those that were inferred included.
    fn parameter_names(&self, asker: Asker) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = self.b.generics.iter().map(|generic| generic.0).collect();
        if let Asker::Def(Def::Fn(id)) = asker
            && let Some(inferred) = self.fns[id].generics.get(names.len()..)
        {
            names.extend_from_slice(inferred);
        }
        names
    }

    fn constraint(&self, note: &Note, names: &[Symbol]) -> Constraint {
        let answer = match note.answer {
            Noted::Impl(id) => Answer::Impl(ImplRef {
                header: self.impl_header(id),
                span: self.impls[id].span,
                library: self.is_core(self.impls[id].module),
            }),
            Noted::Assumed(index) => {
                let assumption = &self.b.assumptions[index];
                Answer::Assumed(self.bound(assumption, names), assumption.span)
            }
            Noted::Inferred => Answer::Inferred,
            Noted::Structural => Answer::Structural,
            Noted::Uninhabited => Answer::Uninhabited,
            Noted::Missing => Answer::Missing,
            Noted::Ambiguous => Answer::Ambiguous,
            Noted::Untold => Answer::Untold,
            Noted::Endless => Answer::Endless,
            Noted::Undecided => Answer::Undecided,
        };
        Constraint {
            bound: self.bound(&note.reference, names),
            span: note.span,
            callee: note.callee.map(|id| self.callee_name(id)),
            premise_of: note.premise_of.map(|id| id as usize),
            answer,
        }
    }

    /// `Core.List.sort`, `Area.area`
    fn callee_name(&self, id: FnId) -> String {
        let info = &self.fns[id];
        match info.container {
            Container::Trait(trait_, _) => {
                format!("{}.{}", self.names.text(self.traits[trait_].name), self.names.text(info.name))
            }
            _ => info.path.to_string(),
        }
    }

    fn bound(&self, reference: &TraitRefTy, names: &[Symbol]) -> Bound {
        let shown: Vec<String> = reference.args.iter().map(|&arg| self.show_named(arg, names)).collect();
        let (subject, args) =
            shown.split_first().map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
        let trait_ = self.names.text(self.traits[reference.trait_].name).to_owned();
        Bound { subject, trait_, args: args.to_vec() }
    }

    /// `impl Ord for List<T> where T: Ord`
    fn impl_header(&self, id: ImplId) -> String {
        let info = &self.impls[id];
        let shown: Vec<String> = info.args.iter().map(|&arg| self.show_named(arg, &info.generics)).collect();
        let mut header = String::from("impl ");
        if let (Some(trait_), [_, args @ ..]) = (info.trait_, &shown[..]) {
            header.push_str(self.names.text(self.traits[trait_].name));
            if !args.is_empty() {
                header.push_str(&format!("<{}>", args.join(", ")));
            }
            header.push_str(" for ");
        }
        header.push_str(shown.first().map_or("", |subject| subject));
        for (index, condition) in info.wheres.iter().enumerate() {
            header.push_str(if index == 0 { " where " } else { ", " });
            header.push_str(&self.bound(condition, &info.generics).text());
        }
        header
    }
}
