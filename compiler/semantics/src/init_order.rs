//! In which order are globals initialised? Dependencies first, through the functions that initialisers call.
//!
//! Where they go in a circle, a value whose type has the trait `Delay` can stand in for itself: a mention that closes a circle becomes
//! `Delay.delayed(|| value)`, which looks at the value when it is needed. That is how parsers mention each other.

use reml_diagnostics::{Diagnostic, codes};
use rustc_hash::FxHashMap;

use crate::cx::*;
use crate::typed::*;
use crate::types::Type;

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
                        if let Def::Global(id) = target
                            && self.delay(at, id)
                        {
                            continue;
                        }
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

    /// The trait `Delay`, if the type of a global has it.
    pub fn delay_of(&self, id: GlobalId) -> Option<TraitId> {
        let delay = self.lang_traits.delay?;
        let head = self.head_of(self.globals[id].ty?)?;
        let mut impls = self.impls.values().filter(|info| info.trait_ == Some(delay));
        impls.any(|info| self.head_of(info.args[0]) == Some(head)).then_some(delay)
    }

    /// Delays all that `user` wants of the global; `false` if values of its type cannot be delayed.
    fn delay(&mut self, user: Def, id: GlobalId) -> bool {
        let Some(trait_) = self.delay_of(id) else { return false };
        let body = match user {
            Def::Fn(user) => self.fn_bodies.get_mut(&user),
            Def::Global(user) => self.global_bodies.get_mut(&user),
        };
        let Some(body) = body else { return false };
        let mentions: Vec<ExprId> = body
            .exprs
            .iter()
            .filter(|(_, expr)| matches!(expr.kind, ExprKind::Global(global) if global == id))
            .map(|(expr, _)| expr)
            .collect();
        for mention in mentions {
            let Expr { ty, span, .. } = body.exprs[mention];
            let make = self.store.intern(Type::Fn { params: Box::new([]), ret: ty });
            let delayed = self.store.intern(Type::Fn { params: Box::new([make]), ret: ty });
            let value = body.exprs.push(Expr { kind: ExprKind::InitialisedGlobal(id), ty, span });
            let lambda = ExprKind::Lambda { params: Vec::new(), body: value };
            let lambda = body.exprs.push(Expr { kind: lambda, ty: make, span });
            let callee = ExprKind::Method { trait_, method: 0, args: vec![ty] };
            let callee = body.exprs.push(Expr { kind: callee, ty: delayed, span });
            body.exprs[mention].kind = ExprKind::Call { callee, args: vec![lambda] };
        }
        true
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
