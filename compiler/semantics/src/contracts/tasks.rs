//! Which effects may a task have? Those that are declared must be handled in it: a task runs outside of the handlers that are around
//! `spawn`.
//!
//! The future that `spawn` is given may be a parameter of the function around, so functions that hand a parameter on to `spawn` are
//! found first, by the rows that flow there.

use reml_diagnostics::{Diagnostic, Span, codes};
use rustc_hash::FxHashMap;

use crate::cx::*;
use crate::effects::solve::{Facts, signature_rows};
use crate::effects::{Callee, TagSet};
use crate::infer::ty::{Node, RowKind};
use crate::typed::*;

/// The rows of a signature whose effects end up in tasks.
type TaskRows = FxHashMap<FnId, u64>;

impl<'a> Checker<'a> {
    pub(super) fn check_tasks(&mut self) {
        let handled_by_tasks = |effect: EffectId| Some(effect) == self.lang_async || !self.is_tracked(effect);
        let declared = self.effect_decls.iter().filter(|(effect, _)| !handled_by_tasks(*effect));
        let declared = declared.fold(TagSet::default(), |all, (_, info)| all.union(&TagSet::one(info.tag)));
        let Some((spawn, row)) = self.spawned_row().filter(|_| !declared.is_empty()) else { return };
        let mut tasks = TaskRows::default();
        tasks.insert(spawn, 1 << row);
        while self.spread(&mut tasks) {}
        let mut found: Vec<(EffectId, Span)> = Vec::new();
        for group in &self.effects.groups {
            if !self.is_of_program(group) || !uses_tasks(group, &tasks) {
                continue;
            }
            let values = self.row_values(group, &self.effects.methods);
            for u in &group.uses {
                for row in task_rows(u.callee, &u.rows, &tasks) {
                    let left = values[row as usize].tags.intersection(&declared);
                    let effects = self.effect_decls.iter().filter(|(_, info)| left.has(info.tag));
                    found.extend(effects.map(|(effect, _)| (effect, u.span)));
                }
            }
        }
        for (effect, span) in found {
            let info = &self.effect_decls[effect];
            let name = self.names.text(info.name).to_owned();
            self.error_once(
                Diagnostic::error(
                    codes::EFFECT_IN_TASK,
                    span,
                    format!("nothing in the task handles its effect `{name}`"),
                )
                .with_label(info.span, "the effect is declared here")
                .with_note("a task runs on its own, outside of the handlers that are around `spawn`")
                .with_help(format!("handle it inside: `spawn(async {{ handle .. with handler {name} {{ .. }} }})`")),
            );
        }
    }

    /// `spawn`, and the row of its parameter.
    fn spawned_row(&self) -> Option<(FnId, u32)> {
        let spawn = self.lang_fn("spawn")?;
        match self.t.get(self.fns[spawn].params.first()?.ty) {
            Node::Adt(_, _, row) => match row.kind() {
                RowKind::Sig(index) if index < 64 => Some((spawn, index)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Adds the functions that hand a parameter on to one that is known; `true` when there were any.
    fn spread(&self, tasks: &mut TaskRows) -> bool {
        let mut grew = false;
        for group in &self.effects.groups {
            if !uses_tasks(group, tasks) {
                continue;
            }
            let values = self.row_values(group, &self.effects.methods);
            let joint = signature_rows(group);
            let mut from = 0u64;
            for u in &group.uses {
                for row in task_rows(u.callee, &u.rows, tasks) {
                    let value = &values[row as usize];
                    from |= value.from;
                    from |= value.without.iter().fold(0, |all, (row, _)| all | 1 << row);
                }
            }
            for (def, rows) in &group.defs {
                let Def::Fn(id) = def else { continue };
                let mut own = 0u64;
                // The row of the function itself is not a parameter.
                for (index, row) in rows.iter().enumerate().take(64).skip(1) {
                    let position = joint.iter().position(|other| other == row).filter(|&position| position < 64);
                    if position.is_some_and(|position| from & 1 << position != 0) {
                        own |= 1 << index;
                    }
                }
                let known = tasks.get(id).copied().unwrap_or(0);
                if own & !known != 0 {
                    tasks.insert(*id, known | own);
                    grew = true;
                }
            }
        }
        grew
    }

    fn is_of_program(&self, group: &Facts) -> bool {
        group.defs.iter().any(|(def, _)| match def {
            Def::Fn(id) => !self.is_core(self.fns[*id].module),
            Def::Global(id) => !self.is_core(self.globals[*id].module),
        })
    }
}

fn uses_tasks(group: &Facts, tasks: &TaskRows) -> bool {
    group.uses.iter().any(|u| matches!(u.callee, Callee::Fn(id) if tasks.contains_key(&id)))
}

/// The rows at a use whose effects end up in tasks.
fn task_rows<'r>(callee: Callee, rows: &'r [u32], tasks: &TaskRows) -> impl Iterator<Item = u32> + 'r {
    let mask = match callee {
        Callee::Fn(id) => tasks.get(&id).copied().unwrap_or(0),
        Callee::Global(_) | Callee::Method(..) | Callee::MethodOn(..) => 0,
    };
    rows.iter().enumerate().take(64).filter(move |(index, _)| mask & 1 << index != 0).map(|(_, &row)| row)
}
