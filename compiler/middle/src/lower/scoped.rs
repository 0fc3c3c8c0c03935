//! Which values live longer than they are mentioned? A value is dropped after its last use. But what C was given of a callback, or of something that
//! the program owns for it, is used where nobody sees it. So variables of these types are mentioned once more where their scope ends: at the
//! end of their block, of the arm of a match, or of the function whose parameters they are.

use reml_diagnostics::Span;
use reml_semantics::typed::{ExprId, LocalId, PatternId, PatternKind, Stmt};
use reml_semantics::types::Type;

use super::function::FnLower;
use crate::core::Op;
use crate::prim::PrimOp;

impl FnLower<'_, '_> {
    /// The variables among these that live to the end of their scope.
    pub fn scoped_among(&self, locals: &[LocalId]) -> Vec<LocalId> {
        let scoped = &self.l.src.lang.scoped;
        if scoped.is_empty() {
            return Vec::new();
        }
        let owns = |&&local: &&LocalId| match self.l.src.types.get(self.body.locals[local].ty) {
            Type::Adt(def, _) => scoped.contains(def),
            _ => false,
        };
        locals.iter().filter(owns).copied().collect()
    }

    /// Those that the statements of a block bind.
    pub fn scoped_in(&self, stmts: &[Stmt]) -> Vec<LocalId> {
        let bound = |stmt: &Stmt| match *stmt {
            Stmt::Let { pattern, .. } => self.bound(pattern),
            _ => None,
        };
        self.scoped_among(&stmts.iter().filter_map(bound).collect::<Vec<_>>())
    }

    fn bound(&self, pattern: PatternId) -> Option<LocalId> {
        match self.body.patterns[pattern].kind {
            PatternKind::Bind(local, None) => Some(local),
            _ => None,
        }
    }

    /// Mentions variables whose scope ends.
    pub fn end_scope(&mut self, locals: &[LocalId], span: Span) {
        for &local in locals {
            let owner = self.read(local, span);
            self.emit(self.l.types.unit(), Op::Prim(PrimOp::KeepAlive, vec![owner]), span);
        }
    }

    /// Lowers the body of a function with these parameters.
    pub fn tail_in_scope(&mut self, params: &[PatternId], body: ExprId) {
        let params: Vec<LocalId> = params.iter().filter_map(|&pattern| self.bound(pattern)).collect();
        let scoped = self.scoped_among(&params);
        if scoped.is_empty() {
            return self.tail(body);
        }
        let span = self.body.exprs[body].span;
        if let Some(value) = self.value(body) {
            self.end_scope(&scoped, span);
            self.return_value(value, span);
        }
    }
}
