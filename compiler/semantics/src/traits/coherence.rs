//! Impls as a whole: no two overlap, each lives with its trait or type, each is complete.

use reml_diagnostics::{Diagnostic, codes};

use crate::cx::*;
use crate::infer::body::{BodyCx, Frame, Why};
use crate::infer::deferred::Effort;
use crate::infer::ty::{Instance, Node, Row, Ty, Types};
use crate::traits::Asker;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub fn check_coherence(&mut self) {
        self.t.permanent = false;
        let mut keys: Vec<(TraitId, Head)> = self.impl_index.keys().copied().collect();
        keys.sort_by_key(|(trait_, _)| *trait_);
        for key in keys {
            let mut list = self.impl_index[&key].clone();
            let own = list.len();
            if key.1 != Head::Any
                && let Some(blanket) = self.impl_index.get(&(key.0, Head::Any))
            {
                list.extend(blanket.iter().copied());
            }
            if list.len() < 2 {
                continue;
            }
            for i in 0..own {
                for j in i + 1..list.len() {
                    self.check_overlap(list[i], list[j]);
                }
            }
        }
        let ids: Vec<ImplId> = self.impls.keys().collect();
        for id in ids {
            self.check_complete(id);
            self.check_orphan(id);
            self.check_supertraits(id);
        }
        self.check_derives();
        self.t.reset_temporary();
        self.t.rows.clear();
    }

    fn fresh_args(&mut self, id: ImplId) -> Vec<Ty> {
        let generics: Vec<Ty> = (0..self.impls[id].generics.len()).map(|_| self.t.fresh()).collect();
        let rows = vec![Row::NONE; self.impls[id].row_count as usize];
        (0..self.impls[id].args.len())
            .map(|i| self.t.instantiate(self.impls[id].args[i], &Instance { args: &generics, rows: &rows }))
            .collect()
    }

    fn check_overlap(&mut self, a: ImplId, b: ImplId) {
        let (first, second) = (self.fresh_args(a), self.fresh_args(b));
        let overlap = first.iter().zip(&second).all(|(&x, &y)| self.t.can_unify(x, y));
        // What is wrong with a type has been said.
        let poisoned = first.iter().chain(&second).any(|&arg| self.t.head(arg) == Node::Error);
        if !overlap || poisoned {
            return;
        }
        let Some(trait_) = self.impls[a].trait_ else { return };
        let name = self.names.text(self.traits[trait_].name).to_owned();
        let subject = self.show_named(self.impls[b].args[0], &self.impls[b].generics);
        let (earlier, later) = if self.impls[a].span.start <= self.impls[b].span.start { (a, b) } else { (b, a) };
        let (first_span, span) = (self.impls[earlier].span, self.impls[later].span);
        self.error_once(
            Diagnostic::error(codes::IMPL_DUPLICATE, span, format!("`{name}` is implemented twice for `{subject}`"))
                .with_label(first_span, "the other impl")
                .with_help("remove one, or make their types differ"),
        );
    }

    fn check_complete(&mut self, id: ImplId) {
        let Some(trait_) = self.impls[id].trait_ else { return };
        let missing: Vec<&str> = self.traits[trait_]
            .methods
            .iter()
            .zip(&self.impls[id].methods)
            .filter(|(method, given)| given.is_none() && !method.has_default)
            .map(|(method, _)| self.names.text(method.name))
            .collect();
        if missing.is_empty() {
            return;
        }
        let plural = if missing.len() == 1 { "" } else { "s" };
        let name = self.names.text(self.traits[trait_].name);
        let message = format!("this impl of `{name}` lacks the method{plural} `{}`", missing.join("`, `"));
        let (span, declared) = (self.impls[id].span, self.traits[trait_].span);
        self.report(
            Diagnostic::error(codes::IMPL_INCOMPLETE, span, message).with_label(declared, "the trait is declared here"),
        );
    }

    /// What a trait builds on must hold for the subject too.
    fn check_supertraits(&mut self, id: ImplId) {
        let Some(trait_) = self.impls[id].trait_ else { return };
        if self.traits[trait_].supertraits.is_empty() {
            return;
        }
        let generics = self.impls[id].generics.clone();
        let wheres = self.impls[id].wheres.clone();
        let assumptions = self.elaborate(&wheres);
        let generics = generics.into_iter().enumerate().map(|(i, name)| (name, self.t.param(i as u32))).collect();
        let row = self.t.rows.fresh();
        self.b = BodyCx { generics, assumptions, module: self.impls[id].module, ..BodyCx::default() };
        self.b.frames.push(Frame::new(Types::UNIT, Why::None, row));
        let args = self.impls[id].args.clone();
        let rows = vec![Row::NONE; self.impls[id].row_count as usize];
        let span = self.impls[id].span;
        let supers = self.traits[trait_].supertraits.clone();
        for bound in supers {
            let args =
                bound.args.iter().map(|&arg| self.t.instantiate(arg, &Instance { args: &args, rows: &rows })).collect();
            self.require(TraitRefTy { trait_: bound.trait_, args, span }, span);
        }
        self.solve(Effort::Last);
        self.file_notes(Asker::Impl(id));
        self.b = BodyCx::default();
    }

    fn check_orphan(&mut self, id: ImplId) {
        let Some(trait_) = self.impls[id].trait_ else { return };
        let module = self.impls[id].module;
        if self.is_core(module) {
            return;
        }
        let package = self.modules[module].package;
        let local = |checker: &Self, m: ModuleId| !checker.is_core(m) && checker.modules[m].package == package;
        if local(self, self.traits[trait_].module) {
            return;
        }
        let args = self.impls[id].args.clone();
        let near = args.iter().any(|&arg| match self.t.head(arg) {
            Node::Adt(def, ..) => local(self, self.adts[def].module),
            Node::Error => true,
            _ => false,
        });
        if near {
            return;
        }
        let name = self.names.text(self.traits[trait_].name).to_owned();
        let subject = self.show_named(args[0], &self.impls[id].generics);
        let span = self.impls[id].span;
        self.report(
            Diagnostic::error(
                codes::IMPL_ORPHAN,
                span,
                format!("neither `{name}` nor `{subject}` is declared in this package"),
            )
            .with_help(format!("wrap the type: `type T = new {subject}`, and implement `{name}` for that")),
        );
    }
}
