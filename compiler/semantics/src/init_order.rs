//! In which order are globals initialised? Dependencies first, through the functions that initialisers call.

use reml_diagnostics::{Diagnostic, codes};
use rustc_hash::FxHashMap;

use crate::cx::*;
use crate::typed::*;

impl<'a> Checker<'a> {
    /// The globals that are needed, dependencies first; cycles are reported.
    pub fn initialisation_order(&mut self) -> Vec<GlobalId> {
        let mut order = Vec::new();
        // 1: on the path, 2: done.
        let mut state: FxHashMap<Def, u8> = FxHashMap::default();
        let roots: Vec<GlobalId> = self
            .globals
            .keys()
            .filter(|&id| {
                self.global_bodies.contains_key(&id)
                    && (!self.is_core(self.globals[id].module) || self.queued.contains(&Def::Global(id)))
            })
            .collect();
        for root in roots {
            let mut path: Vec<(Def, usize)> = Vec::new();
            let start = Def::Global(root);
            if state.contains_key(&start) {
                continue;
            }
            state.insert(start, 1);
            path.push((start, 0));
            while let Some(&mut (at, ref mut next)) = path.last_mut() {
                let reference = self.references.get(&at).and_then(|list| list.get(*next)).copied();
                *next += 1;
                let Some(reference) = reference else {
                    state.insert(at, 2);
                    if let Def::Global(id) = at
                        && self.global_bodies.contains_key(&id)
                    {
                        order.push(id);
                    }
                    path.pop();
                    continue;
                };
                let target = match reference {
                    Reference::Fn(id) => Def::Fn(id),
                    Reference::Global(id) => Def::Global(id),
                    Reference::Trait(_) => continue,
                };
                match state.get(&target) {
                    None => {
                        state.insert(target, 1);
                        path.push((target, 0));
                    }
                    Some(1) if matches!(target, Def::Global(_)) => {
                        let from = path.iter().position(|&(def, _)| def == target).unwrap_or(0);
                        let members: Vec<Def> = path[from..].iter().map(|&(def, _)| def).collect();
                        self.report_cycle(&members);
                    }
                    Some(_) => {}
                }
            }
        }
        order
    }

    fn report_cycle(&mut self, members: &[Def]) {
        let name = |def: &Def| match def {
            Def::Fn(id) => self.names.text(self.fns[*id].name).to_owned(),
            Def::Global(id) => self.names.text(self.globals[*id].name).to_owned(),
        };
        let mut names: Vec<String> = members.iter().map(name).collect();
        names.push(names[0].clone());
        let Def::Global(first) = members[0] else { return };
        let runs = members.iter().any(|def| self.is_conductor(*def));
        let (code, what, help) = match runs {
            true => (codes::CONDUCTOR_CYCLE, "runs itself", "take one of them out of the circle"),
            false => (codes::INIT_CYCLE, "needs itself to be initialised", "make one of them a function"),
        };
        let message = format!("`{}` {what}: {}", names[0], names.join(" -> "));
        let mut diagnostic = Diagnostic::error(code, self.globals[first].span, message);
        for def in &members[1..] {
            let span = match def {
                Def::Fn(id) => self.fns[*id].span,
                Def::Global(id) => self.globals[*id].span,
            };
            diagnostic = diagnostic.with_label(span, format!("through `{}`", name(def)));
        }
        self.error_once(diagnostic.with_help(help));
    }

    fn is_conductor(&self, def: Def) -> bool {
        matches!(def, Def::Global(id) if matches!(self.globals[id].source, GlobalSource::Conductor(_)))
    }
}
